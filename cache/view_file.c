/* cache/view_file.c - the content of files in a merged view. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/blob.h"
#include "cache/layer.h"
#include "cache/layer_internal.h"
#include "cache/meta.h"
#include "cache/store.h"

#include "cache/toc.h"

/* The regular file at ${path} and the number of its layer. */
static int
locate_file(struct lay_view *v, const char *path, struct lay_entry *ret,
	    size_t *ret_layer, struct stv_err **err)
{
	if (lay_view_locate(v, path, ret, ret_layer) == 0)
		return stv_fail(err, STV_E_NOT_FOUND,
				"the image has no file '/%s'", path);
	if (ret->type != LAY_FILE)
		return stv_fail(err, STV_E_INPUT,
				"'/%s' in the image is not a regular file",
				path);
	return 0;
}

/*
 * The content lies in one piece in an uncompressed blob: 1 with *ret_fd, or 0.
 */
static int
open_in_blob(struct cas_store *store, const struct stv_digest *diff_id,
	     const struct lay_entry *e, int *ret_fd, struct stv_err **err)
{
	struct cas_layer layer;
	int r = cas_layer_get(store, diff_id, &layer, err);

	if (r < 0)
		return -1;
	if (r == 0) {
		char hex[STV_DIGEST_STR_MAX];

		return stv_fail(err, STV_E_NOT_FOUND,
				"layer %s is not in the store",
				stv_digest_str(diff_id, hex));
	}
	if (e->is_sparse || !stv_digest_equal(&layer.blob, diff_id))
		return 0;
	return cas_blob_open(store, &layer.blob, ret_fd, NULL, err) < 0 ? -1
									: 1;
}

static int
open_in_snapshot(struct lay_view *v, size_t layer, const char *path,
		 int *ret_fd, struct stv_err **err)
{
	struct cas_store *store = lay_view_store(v);
	stv_auto_free char *name = NULL;
	stv_auto_free char *full = NULL;

	if (lay_snapshot(store, lay_view_diff_ids(v), layer + 1, &name, err) <
	    0)
		return -1;
	full = stv_xasprintf("%s/%s", name, path);
	*ret_fd = stv_fsat_open_nolinks(cas_store_rootfd(store), full, O_RDONLY,
					0);
	if (*ret_fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'", full);
	return 0;
}

int
lay_view_open_file(struct lay_view *v, const char *path, int *ret_fd,
		   uint64_t *ret_offset, uint64_t *ret_size,
		   struct stv_err **err)
{
	struct lay_entry e;
	size_t layer;
	int r;

	if (locate_file(v, path, &e, &layer, err) < 0)
		return -1;
	r = open_in_blob(lay_view_store(v), &lay_view_diff_ids(v)[layer], &e,
			 ret_fd, err);
	if (r < 0 ||
	    (r == 0 && open_in_snapshot(v, layer, path, ret_fd, err) < 0))
		return -1;
	*ret_offset = r == 1 ? e.offset : 0;
	*ret_size = e.size;
	return 0;
}

/* Read ${e} out of the layer's tar as it is decompressed: for a small file
 * this is less work than unpacking the layer. */
static int
read_from_tar(struct cas_store *store, const struct stv_digest *diff_id,
	      const struct lay_entry *e, void *buf, struct stv_err **err)
{
	stv_auto(stv_in) *in = NULL;
	stv_auto_free char *skip = stv_xmalloc((size_t)256 << 10);
	uint64_t at = 0;
	int64_t got;

	if (lay_open_tar(store, diff_id, &in, NULL, err) < 0)
		return -1;
	while (at < e->offset) {
		uint64_t want = e->offset - at;

		if (want > (uint64_t)256 << 10)
			want = (uint64_t)256 << 10;
		got = stv_in_read_full(in, skip, (size_t)want, err);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		at += (uint64_t)got;
	}
	got = stv_in_read_full(in, buf, (size_t)e->size, err);
	if (got >= 0 && (uint64_t)got != e->size)
		return stv_fail(err, STV_E_IO,
				"the layer ends before '%s' does", e->path);
	return got < 0 ? -1 : 0;
}

static int
read_from_fd(int fd, uint64_t offset, const char *path, void *buf,
	     uint64_t size, struct stv_err **err)
{
	int64_t got = stv_pread_all(fd, buf, (size_t)size, offset);

	if (got < 0)
		return stv_fail_errno(err, errno, "cannot read '%s'", path);
	if ((uint64_t)got != size)
		return stv_fail(err, STV_E_IO, "'%s' ends too early", path);
	return 0;
}

/* The bytes of the file ${e}, by the cheapest way there is. */
static int
read_bytes(struct lay_view *v, size_t layer, const struct lay_entry *e,
	   void *buf, struct stv_err **err)
{
	struct cas_store *store = lay_view_store(v);
	const struct stv_digest *diff_ids = lay_view_diff_ids(v);
	stv_auto_free char *name = NULL;
	stv_auto_fd fd = -1;
	int r = open_in_blob(store, &diff_ids[layer], e, &fd, err);

	if (r < 0)
		return -1;
	if (r == 1)
		return read_from_fd(fd, e->offset, e->path, buf, e->size, err);
	r = lay_snapshot_find(store, diff_ids, layer + 1, &name, err);
	if (r < 0)
		return -1;
	if (r == 0 && !e->is_sparse)
		return read_from_tar(store, &diff_ids[layer], e, buf, err);
	if (open_in_snapshot(v, layer, e->path, &fd, err) < 0)
		return -1;
	return read_from_fd(fd, 0, e->path, buf, e->size, err);
}

int
lay_view_read(struct lay_view *v, const char *path, size_t max,
	      struct stv_buf *ret, struct stv_err **err)
{
	stv_auto_free char *real = NULL;
	stv_auto_free char *bytes = NULL;
	struct lay_entry e;
	size_t layer;

	if (lay_view_resolve(v, path, true, &real, &e, err) < 0 ||
	    locate_file(v, real, &e, &layer, err) < 0)
		return -1;
	if (e.size > max)
		return stv_fail(err, STV_E_LIMIT,
				"'/%s' in the image is larger than %zu bytes",
				real, max);
	if (e.size == 0)
		return 0;
	bytes = stv_xmalloc((size_t)e.size);
	if (read_bytes(v, layer, &e, bytes, err) < 0)
		return stv_wrap(err, "reading '/%s' of the image", real);
	stv_buf_add(ret, bytes, (size_t)e.size);
	return stv_buf_check(ret, path, err);
}
