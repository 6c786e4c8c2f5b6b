/* cache/layer_unpack.c - the merged tree of a chain as plain files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
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

/* Is entry ${i} of layer ${no} what the chain shows at its path? */
static bool
is_seen(struct lay_view *view, size_t no, const struct lay_toc *toc, size_t i)
{
	struct lay_entry e, top;
	size_t top_no = 0;

	lay_toc_get(toc, i, &e);
	if (e.type == LAY_WHITEOUT || e.type == LAY_OPAQUE ||
	    lay_view_locate(view, e.path, &top, &top_no) == 0)
		return false;
	if (e.type == LAY_DIR || top.type == LAY_DIR)
		return e.type == top.type;
	return top_no == no;
}

/*
 * What of layer ${no} is made: that which is seen from above, so that nothing
 * but what the image has ever takes the place of what is there.  A file that
 * is seen by a hard link only is made where that is.
 */
static size_t *
places_of(struct lay_view *view, size_t no, const struct lay_toc *toc)
{
	size_t n = lay_toc_len(toc),
	       *places = stv_xcalloc(n + 1, sizeof(*places));

	for (size_t i = 0; i < n; i++)
		places[i] = is_seen(view, no, toc, i) ? i : LAY_NOWHERE;
	for (size_t i = 0; i < n; i++) {
		struct lay_entry e;
		size_t target;

		lay_toc_get(toc, i, &e);
		if (e.type != LAY_HARDLINK || places[i] == LAY_NOWHERE)
			continue;
		target = lay_toc_lower_bound(toc, e.link, 0);
		if (places[target] != LAY_NOWHERE)
			continue;
		places[target] = i;
		places[i] = LAY_NOWHERE;
	}
	return places;
}

static int
unpack(struct cas_store *store, struct lay_view *view, size_t no,
       const struct stv_digest *diff_id, int dirfd, struct stv_err **err)
{
	stv_auto(lay_toc) *toc = NULL;
	stv_auto_free size_t *places = NULL;

	if (lay_toc_open(store, diff_id, &toc, err) < 0)
		return -1;
	places = places_of(view, no, toc);
	return lay_apply_merge(store, diff_id, toc, places, dirfd, err);
}

int
lay_unpack(struct cas_store *store, const struct stv_digest *diff_ids, size_t n,
	   int dirfd, struct stv_err **err)
{
	stv_auto(lay_view) *view = NULL;

	if (lay_view_open(store, diff_ids, n, &view, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (unpack(store, view, i, &diff_ids[i], dirfd, err) < 0)
			return stv_wrap(err, "unpacking layer %zu of %zu",
					i + 1, n);
	return set_dirs(view, dirfd, err);
}
