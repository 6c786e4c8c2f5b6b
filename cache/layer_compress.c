/* cache/layer_compress.c - layers compressed on their way out. */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/oci.h"
#include "core/stream.h"

#include "cache/blob.h"
#include "cache/layer.h"

#include "cache/layer_compress.h"

/* Into a blob, telling who watches. */
struct watched {
	struct stv_sink base;
	struct cas_writer *w;
	const struct lay_watch *watch;
};

static int
watched_write(struct stv_sink *sink, const void *p, size_t n,
	      struct stv_err **err)
{
	struct watched *to = (struct watched *)sink;
	uint64_t size;
	int fd;

	if (cas_writer_write(to->w, p, n, err) < 0)
		return -1;
	if (to->watch != NULL) {
		fd = cas_writer_peek(to->w, &size);
		to->watch->on_bytes(to->watch->arg, fd, size);
	}
	return 0;
}

/* Compress all of ${tar}; the digest is taken on the way as a check. */
static int
copy(struct stv_in *tar, struct stv_sink *to, const struct stv_compression *how,
     const struct stv_digest *diff_id, uint64_t *ret_size, struct stv_err **err)
{
	stv_auto(stv_in) *hashed = stv_in_hash(tar);
	stv_auto(stv_sink) *z = NULL;
	char str[STV_DIGEST_STR_MAX];
	struct stv_digest got;

	if (how->codec != STV_CODEC_NONE)
		z = stv_sink_compress(to, how);
	if (stv_copy(hashed, z != NULL ? z : to, NULL, err) < 0)
		return -1;
	if (z != NULL && stv_codec_end(z, err) < 0)
		return -1;
	got = stv_in_hash_end(hashed, ret_size);
	if (!stv_digest_equal(&got, diff_id))
		return stv_fail(err, STV_E_DIGEST,
				"layer %s in the store is damaged",
				stv_digest_str(diff_id, str));
	return 0;
}

static int
make_form(struct cas_store *store, const struct stv_compression *how,
	  const struct lay_watch *watch, struct cas_layer *l,
	  struct stv_err **err)
{
	stv_auto(cas_writer) *w = NULL;
	stv_auto(stv_in) *tar = NULL;
	struct watched to = {.base = {.write = watched_write}, .watch = watch};

	if (lay_open_tar(store, &l->diff_id, &tar, NULL, err) < 0 ||
	    cas_writer_open(store, STV_MAX_LAYER, &w, err) < 0)
		return -1;
	to.w = w;
	if (copy(tar, &to.base, how, &l->diff_id, &l->tar_size, err) < 0)
		return -1;
	l->blob_size = cas_writer_size(w);
	if (cas_writer_commit(w, NULL, &l->blob, err) < 0)
		return -1;
	return cas_layer_put(store, l, err);
}

static const char *
media_type_of(enum stv_codec codec)
{
	if (codec == STV_CODEC_NONE)
		return OCI_MT_LAYER;
	return codec == STV_CODEC_ZSTD ? OCI_MT_LAYER_ZSTD : OCI_MT_LAYER_GZIP;
}

/* The form that is here already: 1, or 0. */
static int
find_form(struct cas_store *store, const struct stv_digest *diff_id,
	  const char *name, struct cas_layer *ret, struct stv_err **err)
{
	int r;

	if (*name != '\0')
		return cas_layer_get_form(store, diff_id, name, ret, err);
	/* of several forms it gives the plain one */
	r = cas_layer_get(store, diff_id, ret, err);
	return r == 1 ? stv_digest_equal(&ret->blob, diff_id) : r;
}

int
lay_compress(struct cas_store *store, const struct stv_digest *diff_id,
	     const struct stv_compression *how, const struct lay_watch *watch,
	     struct cas_layer *ret, struct stv_err **err)
{
	stv_auto_free char *name = stv_compression_name(how);
	struct cas_layer l = {.diff_id = *diff_id};
	int r = find_form(store, diff_id, name, ret, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	strncpy(l.media_type, media_type_of(how->codec),
		sizeof(l.media_type) - 1);
	strncpy(l.made_by, name, sizeof(l.made_by) - 1);
	r = make_form(store, how, watch, &l, err);
	if (watch != NULL)
		watch->on_end(watch->arg, r < 0 ? NULL : &l);
	if (r < 0)
		return stv_wrap(err, "compressing a layer");
	*ret = l;
	return 0;
}
