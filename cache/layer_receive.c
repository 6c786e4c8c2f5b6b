/* cache/layer_receive.c - layers from outside, and their tar again. */
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"

#include "cache/blob.h"
#include "cache/layer_arrival.h"
#include "cache/layer_internal.h"
#include "cache/meta.h"
#include "cache/store.h"
#include "cache/toc.h"

#include "cache/layer.h"

/* Passes bytes through and stores them as they are. */
struct tee {
	struct stv_in in;
	struct stv_in *under;
	struct cas_writer *blob;
};

static int64_t
tee_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct tee *t = (struct tee *)in;
	int64_t got = t->under->read(t->under, buf, n, err);

	if (got > 0 && cas_writer_write(t->blob, buf, (size_t)got, err) < 0)
		return -1;
	return got;
}

static const char *
media_type_of(enum stv_codec codec)
{
	switch (codec) {
	case STV_CODEC_NONE:
		break;
	case STV_CODEC_GZIP:
		return OCI_MT_LAYER_GZIP;
	case STV_CODEC_ZSTD:
		return OCI_MT_LAYER_ZSTD;
	/* Not in the specification, but what is in use for them. */
	case STV_CODEC_XZ:
		return OCI_MT_LAYER "+xz";
	case STV_CODEC_BZIP2:
		return OCI_MT_LAYER "+bzip2";
	}
	return OCI_MT_LAYER;
}

/*
 * Decompress, check, hash, and make the table and the files, in one pass
 * over ${in}.
 */
static int
read_layer(struct stv_in *in, bool is_ahead, struct lay_toc_builder *toc,
	   struct lay_arrival *files, struct cas_layer *layer,
	   struct stv_err **err)
{
	enum stv_codec codec;
	stv_auto(stv_in) *plain = NULL;
	stv_auto(stv_in) *limited = NULL;
	stv_auto(stv_in) *hashed = NULL;
	stv_auto(stv_in) *ahead = NULL;

	plain = stv_in_decode(in, &codec, err);
	if (plain == NULL)
		return -1;
	limited = stv_in_limit(plain, STV_MAX_LAYER, "the layer");
	hashed = stv_in_hash(limited);
	if (is_ahead)
		ahead = stv_in_ahead(hashed);
	if (lay_read_tar(is_ahead ? ahead : hashed, toc, files, err) < 0)
		return -1;
	layer->diff_id = stv_in_hash_end(hashed, &layer->tar_size);
	(void)snprintf(layer->media_type, sizeof(layer->media_type), "%s",
		       media_type_of(codec));
	return 0;
}

static int
check_diff_id(const struct stv_digest *got, const struct stv_digest *want,
	      struct stv_err **err)
{
	char g[STV_DIGEST_STR_MAX], w[STV_DIGEST_STR_MAX];

	if (want == NULL || stv_digest_equal(got, want))
		return 0;
	return stv_fail(err, STV_E_DIGEST,
			"the layer unpacks to %s, but the image's config "
			"promises %s",
			stv_digest_str(got, g), stv_digest_str(want, w));
}

int
lay_receive(struct cas_store *store, struct stv_in *in,
	    const struct lay_wanted *want, struct lay_received *ret,
	    struct stv_err **err)
{
	static const struct lay_wanted anything;
	stv_auto(cas_writer) *blob = NULL;
	stv_auto(lay_toc_builder) *toc = lay_toc_builder_new();
	stv_auto(lay_arrival) *files = NULL;
	struct tee tee = {.in = {tee_read, NULL}, .under = in};
	struct cas_layer layer = {.blob_size = 0};

	if (want == NULL)
		want = &anything;
	if (cas_writer_open(store, STV_MAX_LAYER, &blob, err) < 0)
		return -1;
	tee.blob = blob;
	if (want->is_mounted)
		files = lay_arrival_new(store);
	if (read_layer(&tee.in, want->is_ahead, toc, files, &layer, err) < 0 ||
	    check_diff_id(&layer.diff_id, want->diff_id, err) < 0)
		return -1;
	layer.blob_size = cas_writer_size(blob);
	if (lay_toc_builder_save(toc, store, &layer.diff_id, err) < 0 ||
	    cas_writer_commit(blob, want->blob, &layer.blob, err) < 0 ||
	    cas_layer_put(store, &layer, err) < 0)
		return -1;
	*ret = (struct lay_received){.layer = {layer.diff_id, layer.tar_size,
					       lay_toc_builder_len(toc)},
				     .blob = layer.blob,
				     .blob_size = layer.blob_size};
	if (files != NULL && lay_arrival_is_whole(files) &&
	    lay_toc_builder_is_plain(toc))
		ret->files = stv_steal(&files);
	return 0;
}

/* A blob, decompressed; owns all that it stands on. */
struct tar_in {
	struct stv_in in;
	int fd;
	struct stv_in *file;
	struct stv_in *plain;
};

static int64_t
tar_in_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct tar_in *t = (struct tar_in *)in;

	return t->plain->read(t->plain, buf, n, err);
}

static void
tar_in_close(struct stv_in *in)
{
	struct tar_in *t = (struct tar_in *)in;

	stv_in_close(t->plain);
	stv_in_close(t->file);
	stv_close_p(&t->fd);
	free(t);
}

int
lay_open_tar(struct cas_store *store, const struct stv_digest *diff_id,
	     struct stv_in **ret, uint64_t *ret_size, struct stv_err **err)
{
	struct tar_in *t;
	struct cas_layer layer;
	char hex[STV_DIGEST_STR_MAX];
	uint64_t size;
	int fd = -1, r = cas_layer_get(store, diff_id, &layer, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return stv_fail(err, STV_E_NOT_FOUND,
				"layer %s is not in the store",
				stv_digest_str(diff_id, hex));
	if (cas_blob_open(store, &layer.blob, &fd, &size, err) < 0)
		return -1;
	t = stv_xcalloc(1, sizeof(*t));
	t->in = (struct stv_in){tar_in_read, tar_in_close};
	t->fd = fd;
	t->file = stv_in_fd_range(fd, 0, size);
	/* What is stored as its own diff ID is the tar itself, even one that
	 * begins like something compressed. */
	t->plain = stv_digest_equal(&layer.blob, diff_id)
			   ? stv_in_fd_range(fd, 0, size)
			   : stv_in_decode(t->file, NULL, err);
	if (t->plain == NULL) {
		tar_in_close(&t->in);
		return -1;
	}
	if (ret_size != NULL)
		*ret_size = layer.tar_size;
	*ret = &t->in;
	return 0;
}

int
lay_toc_rebuild(struct cas_store *store, const struct stv_digest *diff_id,
		struct stv_err **err)
{
	stv_auto(lay_toc_builder) *toc = lay_toc_builder_new();
	stv_auto(stv_in) *tar = NULL;
	stv_auto(stv_in) *hashed = NULL;
	struct stv_digest got;

	if (lay_open_tar(store, diff_id, &tar, NULL, err) < 0)
		return -1;
	hashed = stv_in_hash(tar);
	if (lay_read_tar(hashed, toc, NULL, err) < 0)
		return stv_wrap(err, "reading a layer of the store");
	got = stv_in_hash_end(hashed, NULL);
	if (!stv_digest_equal(&got, diff_id))
		return stv_fail(err, STV_E_DIGEST,
				"a layer in the store is damaged: its bytes "
				"do not have its digest");
	return lay_toc_builder_save(toc, store, diff_id, err);
}
