/* cache/layer_write.c - a layer tar being written. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"

#include "cache/blob.h"
#include "cache/layer_internal.h"
#include "cache/meta.h"
#include "cache/store.h"
#include "cache/tar_write.h"
#include "cache/toc.h"

#include "cache/layer.h"

#define COPY_SIZE ((size_t)256 << 10)

struct lay_writer {
	struct cas_store *store;
	struct lay_writer_opts opts;
	struct cas_writer *blob;
	struct lay_toc_builder *toc;
	struct stv_hash *hash; /* of one file's content */
	char *chunk;
	char *last_path; /* for the order */
	enum lay_type last_type;
	uint64_t n_entries;
};

int
lay_writer_open(struct cas_store *store, const struct lay_writer_opts *opts,
		struct lay_writer **ret, struct stv_err **err)
{
	struct lay_writer *w = stv_xcalloc(1, sizeof(*w));

	w->store = store;
	w->opts = *opts;
	if (cas_writer_open(store, STV_MAX_LAYER, &w->blob, err) < 0) {
		free(w);
		return -1;
	}
	w->toc = lay_toc_builder_new();
	w->hash = stv_hash_new();
	w->chunk = stv_xmalloc(COPY_SIZE);
	*ret = w;
	return 0;
}

void
lay_writer_close(struct lay_writer *w)
{
	if (w == NULL)
		return;
	cas_writer_close(w->blob);
	lay_toc_builder_free(w->toc);
	stv_hash_free(w->hash);
	free(w->chunk);
	free(w->last_path);
	free(w);
}

/* A directory and then its opaque mark; everything else in path order. */
static void
check_order(struct lay_writer *w, const struct lay_entry *e)
{
	int cmp =
		w->last_path == NULL ? -1 : lay_path_cmp(w->last_path, e->path);
	bool is_pair =
		cmp == 0 && w->last_type == LAY_DIR && e->type == LAY_OPAQUE;

	if (cmp >= 0 && !is_pair)
		STV_BUG("layer entry '%s' comes after '%s'", e->path,
			w->last_path);
	free(w->last_path);
	w->last_path = stv_xstrdup(e->path);
	w->last_type = e->type;
}

/* The content of a file: hashed, and into the tar, padded. */
static int
put_content(struct lay_writer *w, struct lay_entry *e, int fd, uint64_t offset,
	    struct stv_err **err)
{
	static const char zeros[TAR_BLOCK];
	uint64_t left = e->size;

	e->offset = cas_writer_size(w->blob);
	while (left > 0) {
		size_t want = left < COPY_SIZE ? (size_t)left : COPY_SIZE;
		int64_t got = stv_pread_all(fd, w->chunk, want, offset);

		if (got < 0)
			return stv_fail_errno(err, errno, "cannot read '%s'",
					      e->path);
		if ((size_t)got < want)
			return stv_fail(err, STV_E_INPUT,
					"'%s' became shorter while it was read",
					e->path);
		stv_hash_add(w->hash, w->chunk, want);
		if (cas_writer_write(w->blob, w->chunk, want, err) < 0)
			return -1;
		left -= want;
		offset += want;
	}
	e->digest = stv_hash_end(w->hash);
	return cas_writer_write(w->blob, zeros,
				(size_t)lay_tar_padding(e->size), err);
}

/* What is written: without members that the type does not have, clamped. */
static struct lay_entry
normal_form(const struct lay_writer *w, const struct lay_entry *e)
{
	struct lay_entry n = {.path = e->path, .type = e->type};

	if (e->type == LAY_WHITEOUT || e->type == LAY_OPAQUE)
		return n;
	n = *e;
	n.mode &= 07777;
	n.is_sparse = false;
	if (e->type != LAY_FILE)
		n.size = 0;
	if (e->type != LAY_SYMLINK && e->type != LAY_HARDLINK)
		n.link = NULL;
	/* A hard link's attributes are those of the file that it names. */
	if (e->type == LAY_HARDLINK)
		n.n_xattrs = 0;
	if (w->opts.has_epoch &&
	    (n.mtime_s > w->opts.epoch ||
	     (n.mtime_s == w->opts.epoch && n.mtime_ns > 0))) {
		n.mtime_s = w->opts.epoch;
		n.mtime_ns = 0;
	}
	return n;
}

int
lay_writer_add(struct lay_writer *w, const struct lay_entry *entry, int fd,
	       uint64_t offset, struct stv_digest *ret_digest,
	       struct stv_err **err)
{
	stv_auto_buf head =
		STV_BUF_INIT(STV_MAX_PAX_BLOCK + (size_t)4 * TAR_BLOCK);
	struct lay_entry e = normal_form(w, entry);

	check_order(w, &e);
	if (lay_tar_header(&e, &head, err) < 0 ||
	    cas_writer_write(w->blob, head.data, head.len, err) < 0)
		return -1;
	if (e.type == LAY_FILE) {
		if (put_content(w, &e, fd, offset, err) < 0)
			return -1;
		if (ret_digest != NULL)
			*ret_digest = e.digest;
	}
	w->n_entries++;
	return lay_toc_builder_add(w->toc, &e, err);
}

int
lay_writer_commit(struct lay_writer *w, struct lay_result *ret,
		  struct stv_err **err)
{
	static const char zeros[2 * TAR_BLOCK];
	struct cas_layer layer = {.media_type = OCI_MT_LAYER};

	if (cas_writer_write(w->blob, zeros, sizeof(zeros), err) < 0)
		return -1;
	layer.blob_size = layer.tar_size = cas_writer_size(w->blob);
	if (cas_writer_commit(w->blob, NULL, &layer.diff_id, err) < 0)
		return -1;
	layer.blob = layer.diff_id;
	if (lay_toc_builder_save(w->toc, w->store, &layer.diff_id, err) < 0 ||
	    cas_layer_put(w->store, &layer, err) < 0)
		return -1;
	*ret = (struct lay_result){layer.diff_id, layer.tar_size, w->n_entries};
	return 0;
}
