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

/* The file of a blob.  Owns: *ret_fd, *ret_name, also after a failure. */
static int
open_blob(int dirfd, const struct stv_digest *d, int *ret_fd, char **ret_name,
	  struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX];
	struct stat st;

	*ret_name = stv_xasprintf("blobs/sha256/%s", stv_digest_hex(d, hex));
	*ret_fd = stv_fsat_open_nolinks(dirfd, *ret_name, O_RDONLY | O_NONBLOCK,
					0);
	if (*ret_fd < 0 || fstat(*ret_fd, &st) < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "the layout lacks '%s'", *ret_name);
	if (!S_ISREG(st.st_mode))
		return stv_fail(err, STV_E_INPUT, "'%s' is no regular file",
				*ret_name);
	return 0;
}

static int
stage_blob(struct closure *c, const struct stv_digest *d, struct load_stage *st,
	   struct stv_err **err)
{
	stv_auto_free char *name = NULL;
	stv_auto_fd fd = -1;
	stv_auto(stv_in) *in = NULL;

	if (open_blob(c->dirfd, d, &fd, &name, err) < 0)
		return -1;
	in = stv_in_fd(fd);
	if (cas_stage_take(c->store, st, stv_steal(&name), in, err) < 0)
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

static int
read_index(int dirfd, const struct oci_descriptor *d, struct oci_index **ret,
	   struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto_free char *name = NULL;
	stv_auto_fd fd = -1;
	struct stv_digest got;

	if (open_blob(dirfd, &d->digest, &fd, &name, err) < 0 ||
	    stv_fsat_read_fd(fd, STV_MAX_MANIFEST, name, &text, err) < 0)
		return -1;
	got = stv_digest_of(stv_buf_str(&text), text.len);
	if (!stv_digest_equal(&got, &d->digest) || text.len != d->size)
		return stv_fail(err, STV_E_DIGEST,
				"'%s' is not what its name and descriptor say",
				name);
	return oci_index_parse(stv_buf_str(&text), text.len, d->media_type, ret,
			       err);
}

static bool
is_index(const struct oci_descriptor *d)
{
	return d->media_type != NULL &&
	       (strcmp(d->media_type, OCI_MT_INDEX) == 0 ||
		strcmp(d->media_type, DOCKER_MT_LIST) == 0);
}

/* What ${d} says that its reader needs, in *${ret}, which is owned. */
static void
set_line(struct oci_descriptor *ret, const struct oci_descriptor *d)
{
	oci_descriptor_fini(ret);
	*ret = (struct oci_descriptor){.digest = d->digest, .size = d->size};
	if (d->media_type != NULL)
		ret->media_type = stv_xstrdup(d->media_type);
}

/*
 * The line of an index for ${platform}: 1, or 0 where some do not say what
 * they are for.
 */
static int
choose_line(const struct oci_index *x, const struct stv_platform *platform,
	    const struct oci_descriptor **ret, struct stv_err **err)
{
	stv_auto_free char *text = NULL;
	bool has_unknown = false;

	for (size_t i = 0; i < x->n_manifests; i++) {
		*ret = &x->manifests[i];
		if ((*ret)->has_platform &&
		    stv_platform_match(platform, &(*ret)->platform))
			return 1;
		has_unknown |= !(*ret)->has_platform;
	}
	if (has_unknown)
		return 0;
	text = stv_platform_str(platform);
	return stv_fail(err, STV_E_NOT_FOUND,
			"the layout has no image for platform %s", text);
}

/*
 * In the place of an index what it has for ${platform}: an image of the store
 * is of one platform, and the next build may be for another.  An index whose
 * lines do not say it stays, and what is in it is looked at.
 */
static int
choose(int dirfd, const struct stv_platform *platform, struct oci_descriptor *d,
       struct stv_err **err)
{
	for (int depth = 0; is_index(d); depth++) {
		stv_auto(oci_index) *x = NULL;
		const struct oci_descriptor *line = NULL;
		int r;

		if (depth >= STV_MAX_INDEX_DEPTH)
			return stv_fail(err, STV_E_LIMIT,
					"indexes of the layout are nested more "
					"than %d deep",
					STV_MAX_INDEX_DEPTH);
		if (read_index(dirfd, d, &x, err) < 0)
			return -1;
		r = choose_line(x, platform, &line, err);
		if (r != 1)
			return r;
		set_line(d, line);
	}
	return 0;
}

static int
load_line(struct cas_store *s, int dirfd, const struct stv_platform *platform,
	  struct oci_descriptor *d, struct cas_image *ret, struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX];
	int r;

	if (choose(dirfd, platform, d, err) < 0)
		return -1;
	r = cas_image_find(s, stv_digest_hex(&d->digest, hex), ret, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return cas_load_image(s, dirfd, d, platform, ret, err);
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
	set_line(&line, d);
	r = load_line(s, dirfd, platform, &line, ret, err);
	oci_descriptor_fini(&line);
	return r;
}
