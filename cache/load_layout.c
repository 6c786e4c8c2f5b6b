/* cache/load_layout.c - an image in a directory that is an OCI layout. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/vec.h"

#include "cache/load_layout.h"
#include "cache/load_stage.h"
#include "cache/meta.h"

#include "cache/archive_load.h"

/* The parts of an image, found by following its documents. */
struct closure {
	struct cas_store *store;
	int dirfd;
	const struct stv_platform *platform;
	STV_VEC(struct stv_digest) wanted; /* each once */
};

static void
want(struct closure *c, const struct stv_digest *d)
{
	for (size_t i = 0; i < c->wanted.len; i++)
		if (stv_digest_equal(&c->wanted.v[i], d))
			return;
	*stv_vec_push(&c->wanted) = *d;
}

static int
want_of_index(struct closure *c, const struct load_file *f,
	      struct stv_err **err)
{
	stv_auto(oci_index) *x = NULL;

	if (oci_index_parse(stv_buf_str(&f->text), f->text.len, NULL, &x, err) <
	    0)
		return -1;
	for (size_t i = 0; i < x->n_manifests; i++) {
		const struct oci_descriptor *d = &x->manifests[i];

		if (!d->has_platform ||
		    stv_platform_match(c->platform, &d->platform))
			want(c, &d->digest);
	}
	return 0;
}

static int
want_of_manifest(struct closure *c, const struct load_file *f,
		 struct stv_err **err)
{
	stv_auto(oci_manifest) *m = NULL;

	if (oci_manifest_parse(stv_buf_str(&f->text), f->text.len, NULL, &m,
			       err) < 0)
		return -1;
	want(c, &m->config.digest);
	for (size_t i = 0; i < m->n_layers; i++)
		want(c, &m->layers[i].digest);
	return 0;
}

static int
want_of(struct closure *c, const struct load_file *f, struct stv_err **err)
{
	if (f->kind != LOAD_DOC)
		return 0;
	switch (oci_is_index(stv_buf_str(&f->text), f->text.len)) {
	case 1:
		return want_of_index(c, f, err);
	case 0:
		return want_of_manifest(c, f, err);
	default:
		return 0; /* a config */
	}
}

static int
stage_blob(struct closure *c, const struct stv_digest *d, struct load_stage *st,
	   struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX];
	char *name = stv_xasprintf("blobs/sha256/%s", stv_digest_hex(d, hex));
	stv_auto_fd fd =
		stv_fsat_open_nolinks(c->dirfd, name, O_RDONLY | O_NONBLOCK, 0);
	stv_auto(stv_in) *in = NULL;
	struct stat st_buf;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st_buf) < 0)
		rc = stv_fail_errno_as(err, STV_E_INPUT, errno,
				       "the layout lacks '%s'", name);
	else if (!S_ISREG(st_buf.st_mode))
		rc = stv_fail(err, STV_E_INPUT, "'%s' is no regular file",
			      name);
	if (rc < 0) {
		free(name);
		return -1;
	}
	in = stv_in_fd(fd);
	if (cas_stage_take(c->store, st, name, in, err) < 0)
		return -1;
	return want_of(c, &st->files.v[st->files.len - 1], err);
}

int
cas_stage_layout(struct cas_store *s, int dirfd,
		 const struct stv_digest *wanted,
		 const struct stv_platform *platform, struct load_stage *ret,
		 struct stv_err **err)
{
	struct closure c = {.store = s, .dirfd = dirfd, .platform = platform};
	int rc = 0;

	want(&c, wanted);
	for (size_t i = 0; rc == 0 && i < c.wanted.len; i++) {
		struct stv_digest d = c.wanted.v[i];

		rc = stage_blob(&c, &d, ret, err);
	}
	stv_vec_fini(&c.wanted);
	return rc < 0 ? -1 : cas_stage_sort(ret, err);
}

/* Of that name, or the only one. */
static const struct oci_descriptor *
find_line(const struct oci_index *x, const char *tag,
	  const struct stv_digest *wanted)
{
	for (size_t i = 0; i < x->n_manifests; i++) {
		const struct oci_descriptor *d = &x->manifests[i];
		const char *name = stv_pairs_get(
			&d->annotations, "org.opencontainers.image.ref.name");

		if (wanted != NULL ? stv_digest_equal(&d->digest, wanted)
				   : name != NULL && strcmp(name, tag) == 0)
			return d;
	}
	return wanted == NULL && x->n_manifests == 1 ? &x->manifests[0] : NULL;
}

int
cas_load_layout(struct cas_store *s, int dirfd, const char *tag,
		const struct stv_digest *wanted,
		const struct stv_platform *platform, struct cas_image *ret,
		struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_index) *x = NULL;
	struct oci_descriptor line = {.size = 0};
	const struct oci_descriptor *d;
	char hex[STV_DIGEST_STR_MAX];
	int r;

	if (stv_fsat_read_file(dirfd, "index.json", STV_MAX_MANIFEST, &text,
			       err) < 0 ||
	    oci_index_parse(stv_buf_str(&text), text.len, NULL, &x, err) < 0)
		return stv_wrap(err, "reading the layout's index.json");
	d = find_line(x, tag, wanted);
	if (d == NULL)
		return stv_fail(
			err, STV_E_NOT_FOUND, "the layout has no image '%s'",
			wanted != NULL ? stv_digest_str(wanted, hex) : tag);
	r = cas_image_find(s, stv_digest_hex(&d->digest, hex), ret, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	line.digest = d->digest;
	line.size = d->size;
	line.media_type = d->media_type;
	return cas_load_image(s, dirfd, &line, platform, ret, err);
}
