/* cache/layer_unpack.c - the merged tree of a chain as plain files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/strs.h"

#include "cache/layer_apply.h"
#include "cache/layer_internal.h"
#include "cache/toc.h"

#include "cache/layer.h"

static int
add_dir(void *arg, const struct lay_entry *e)
{
	if (e->type == LAY_DIR)
		stv_strs_add(arg, e->path);
	return 0;
}

/* Unpacking a layer changed the times of directories of those below it. */
static int
set_dirs(struct lay_view *view, int dirfd, struct stv_err **err)
{
	struct stv_strs dirs = {0};
	int r = 0;

	(void)lay_view_list(view, "", add_dir, &dirs);
	for (size_t i = 0; i < dirs.len; i++)
		(void)lay_view_list(view, dirs.v[i], add_dir, &dirs);
	for (size_t i = dirs.len; r == 0 && i > 0; i--) {
		struct lay_entry e;

		if (lay_view_lookup(view, dirs.v[i - 1], &e) == 1)
			r = lay_apply_set_dir(dirfd, dirs.v[i - 1], &e, err);
	}
	stv_strs_clear(&dirs);
	return r;
}

int
lay_unpack(struct cas_store *store, const struct stv_digest *diff_ids, size_t n,
	   int dirfd, struct stv_err **err)
{
	stv_auto(lay_view) *view = NULL;

	if (lay_view_open(store, diff_ids, n, &view, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		stv_auto(lay_toc) *toc = NULL;

		if (lay_toc_open(store, &diff_ids[i], &toc, err) < 0 ||
		    lay_apply(store, &diff_ids[i], toc, NULL, true, dirfd,
			      err) < 0)
			return stv_wrap(err, "unpacking layer %zu of %zu",
					i + 1, n);
	}
	return set_dirs(view, dirfd, err);
}
