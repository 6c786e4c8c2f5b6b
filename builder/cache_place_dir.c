/*
 * builder/cache_place_dir.c - a cache that lies in a directory: an OCI image
 * layout (image-spec image-layout.md), so that other tools can read and copy
 * it.  Whoever writes holds a lock on the directory, so several may.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/strs.h"

#include "builder/cache_place.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct layout {
	struct bld_cache_place base;
	int fd;
};

static char *
blob_path(const struct stv_digest *d)
{
	char hex[STV_DIGEST_STR_MAX];

	return stv_xasprintf("blobs/sha256/%s", stv_digest_hex(d, hex));
}

/* The index; an empty one where there is none yet. */
static int
read_index(const struct layout *l, struct oci_index **ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);

	if (faccessat(l->fd, "index.json", F_OK, 0) < 0 && errno == ENOENT) {
		*ret = stv_xcalloc(1, sizeof(**ret));
		(*ret)->media_type = stv_xstrdup(OCI_MT_INDEX);
		return 0;
	}
	if (stv_fsat_read_file(l->fd, "index.json", STV_MAX_MANIFEST, &text,
			       err) < 0 ||
	    oci_index_parse(stv_buf_str(&text), text.len, NULL, ret, err) < 0)
		return stv_wrap(err, "%s/index.json", l->base.name);
	return 0;
}

static struct oci_descriptor *
find_tag(struct oci_index *x, const char *tag)
{
	for (size_t i = 0; x != NULL && i < x->n_manifests; i++) {
		const char *name =
			stv_pairs_get(&x->manifests[i].annotations, REF_NAME);

		if (name != NULL && strcmp(name, tag) == 0)
			return &x->manifests[i];
	}
	return NULL;
}

/* A stream that is an error at its end where it is not what it should be. */
struct checked_in {
	struct stv_in base;
	struct stv_in *under;
	struct stv_in *hashed;
	struct stv_digest digest;
	uint64_t size;
	int fd;
	bool is_done;
};

static int64_t
checked_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct checked_in *c = (struct checked_in *)in;
	int64_t got = c->is_done ? 0 : c->hashed->read(c->hashed, buf, n, err);
	char text[STV_DIGEST_STR_MAX];
	struct stv_digest d;
	uint64_t size;

	if (got != 0 || c->is_done)
		return got;
	c->is_done = true;
	d = stv_in_hash_end(c->hashed, &size);
	if (size == c->size && stv_digest_equal(&d, &c->digest))
		return 0;
	return stv_fail(err, STV_E_DIGEST, "blob %s is damaged",
			stv_digest_str(&c->digest, text));
}

static void
checked_close(struct stv_in *in)
{
	struct checked_in *c = (struct checked_in *)in;

	stv_in_close(c->hashed);
	stv_in_close(c->under);
	stv_close_p(&c->fd);
	free(c);
}

static int
get_blob(struct bld_cache_place *p, const struct oci_descriptor *d,
	 struct stv_in **ret, struct stv_err **err)
{
	const struct layout *l = (const struct layout *)p;
	stv_auto_free char *path = blob_path(&d->digest);
	struct checked_in *c;
	int fd = openat(l->fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return stv_fail_errno(err, errno, "%s/%s", p->name, path);
	c = stv_xcalloc(1, sizeof(*c));
	c->base = (struct stv_in){.read = checked_read, .close = checked_close};
	c->under = stv_in_fd(fd);
	c->hashed = stv_in_hash(c->under);
	c->digest = d->digest;
	c->size = d->size;
	c->fd = fd;
	*ret = &c->base;
	return 0;
}

static int
get_manifest(struct bld_cache_place *p, const char *tag, struct stv_buf *ret,
	     struct stv_err **err)
{
	const struct layout *l = (const struct layout *)p;
	stv_auto(stv_sink) *sink = stv_sink_buf(ret, "the manifest");
	stv_auto(oci_index) *x = NULL;
	stv_auto(stv_in) *in = NULL;
	const struct oci_descriptor *d = NULL;
	struct oci_descriptor named = {.size = 0};
	struct stat st;

	if (strchr(tag, ':') != NULL) {
		stv_auto_free char *path = NULL;

		if (stv_digest_parse(tag, &named.digest, err) < 0)
			return -1;
		path = blob_path(&named.digest);
		if (fstatat(l->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
		named.size = (uint64_t)st.st_size;
		d = &named;
	} else {
		if (read_index(l, &x, err) < 0)
			return -1;
		d = find_tag(x, tag);
	}
	if (d == NULL)
		return 0;
	if (get_blob(p, d, &in, err) < 0 || stv_copy(in, sink, NULL, err) < 0)
		return -1;
	return 1;
}

/* Bytes of a file into a new blob, which is there when it is whole. */
static int
write_blob(const struct layout *l, struct stv_in *in, const char *path,
	   struct stv_err **err)
{
	stv_auto_free char *tmp = stv_xasprintf("%s.%d", path, (int)getpid());
	stv_auto_fd fd = openat(l->fd, tmp,
				O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	stv_auto(stv_sink) *sink = NULL;
	int rc = 0;

	if (fd < 0)
		return stv_fail_errno(err, errno, "%s/%s", l->base.name, tmp);
	sink = stv_sink_fd(fd);
	rc = stv_copy(in, sink, NULL, err);
	if (rc == 0 &&
	    (fdatasync(fd) < 0 || renameat(l->fd, tmp, l->fd, path) < 0))
		rc = stv_fail_errno(err, errno, "%s/%s", l->base.name, path);
	if (rc < 0)
		(void)unlinkat(l->fd, tmp, 0);
	return rc;
}

static int
put_blob(struct bld_cache_place *p, const struct bld_cache_blob *b,
	 uint64_t *ret_sent, struct stv_err **err)
{
	const struct layout *l = (const struct layout *)p;
	stv_auto_free char *path = blob_path(&b->digest);
	stv_auto(stv_in) *in = NULL;
	struct stat st;

	*ret_sent = 0;
	if (fstatat(l->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (uint64_t)st.st_size == b->size)
		return 0;
	in = stv_in_fd_range(b->fd, 0, b->size);
	if (write_blob(l, in, path, err) < 0)
		return -1;
	*ret_sent = b->size;
	return 0;
}

static int
put_manifest(struct bld_cache_place *p, const char *tag, const char *text,
	     size_t n, struct stv_err **err)
{
	const struct layout *l = (const struct layout *)p;
	struct stv_digest digest = stv_digest_of(text, n);
	stv_auto_free char *path = blob_path(&digest);
	stv_auto(stv_in) *in = stv_in_mem(text, n);
	stv_auto_buf out = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_index) *x = NULL;
	struct oci_descriptor *d;

	if (write_blob(l, in, path, err) < 0 || read_index(l, &x, err) < 0)
		return -1;
	d = find_tag(x, tag);
	if (d == NULL) {
		d = oci_index_add(x);
		d->media_type = stv_xstrdup(OCI_MT_MANIFEST);
		stv_pairs_set(&d->annotations, REF_NAME, tag);
	}
	d->digest = digest;
	d->size = n;
	oci_index_write(x, &out);
	if (stv_buf_check(&out, "index.json", err) < 0)
		return -1;
	return stv_fsat_replace(l->fd, "index.json", stv_buf_str(&out), out.len,
				0644, true, err);
}

static int
lock(struct bld_cache_place *p, struct stv_err **err)
{
	const struct layout *l = (const struct layout *)p;

	while (flock(l->fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return stv_fail_errno(err, errno, "cannot lock '%s'",
					      p->name);
	return 0;
}

static void
unlock(struct bld_cache_place *p)
{
	(void)flock(((struct layout *)p)->fd, LOCK_UN);
}

static void
close_layout(struct bld_cache_place *p)
{
	struct layout *l = (struct layout *)p;

	stv_close_p(&l->fd);
	free(l);
}

/* The parts that every layout has. */
static int
make_layout(const struct layout *l, struct stv_err **err)
{
	if (stv_fsat_mkdirs(l->fd, "blobs/sha256", 0755, err) < 0)
		return -1;
	if (faccessat(l->fd, "oci-layout", F_OK, 0) == 0)
		return 0;
	return stv_fsat_replace(l->fd, "oci-layout", LAYOUT, strlen(LAYOUT),
				0644, false, err);
}

int
bld_cache_place_dir(const char *path, const char *tag, bool is_made,
		    struct bld_cache_place **ret, struct stv_err **err)
{
	struct layout *l;
	int fd;

	if (is_made && stv_fsat_mkdirs(AT_FDCWD, path, 0755, err) < 0)
		return -1;
	fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return stv_fail_errno(err, errno, "%s", path);
	l = stv_xcalloc(1, sizeof(*l));
	l->base = (struct bld_cache_place){
		.name = stv_xstrdup(path),
		.tag = stv_xstrdup(tag != NULL ? tag : "latest"),
		.manifest = get_manifest,
		.blob = get_blob,
		.put_blob = put_blob,
		.put_manifest = put_manifest,
		.lock = lock,
		.unlock = unlock,
		.close = close_layout,
	};
	l->fd = fd;
	if (is_made && make_layout(l, err) < 0) {
		bld_cache_place_close(&l->base);
		return stv_wrap(err, "%s", path);
	}
	*ret = &l->base;
	return 0;
}
