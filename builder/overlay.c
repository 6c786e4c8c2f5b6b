/* builder/overlay.c - a chain of layers under a fresh upper directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/layer.h"
#include "cache/store.h"
#include "cache/toc.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/vec.h"

#include "builder/overlay.h"
#include "builder/parallel.h"

/* The directory that stands for "no layers at all"; never written to. */
#define EMPTY_DIR "snapshots/empty"

/* Layers that are unpacked at a time. */
#define MAX_THREADS 4

/* The directories of a chain, bottom first. */
struct lowers {
	struct cas_store *store;
	const struct stv_digest *diff_ids;
	size_t n;
	char **names; /* NULL: not unpacked yet */
	STV_VEC(size_t) missing;
};

static int
unpack(void *arg, size_t i, struct stv_err **err)
{
	struct lowers *l = arg;
	size_t no = l->missing.v[i];

	if (lay_snapshot(l->store, l->diff_ids, no + 1, &l->names[no], err) < 0)
		return stv_wrap(err, "unpacking layer %zu of %zu", no + 1,
				l->n);
	return 0;
}

/* What is not there is unpacked by several threads. */
static int
find_or_unpack(struct lowers *l, struct stv_err **err)
{
	for (size_t i = 0; i < l->n; i++) {
		int r = lay_snapshot_find(l->store, l->diff_ids, i + 1,
					  &l->names[i], err);

		if (r < 0)
			return -1;
		if (r == 0)
			*stv_vec_push(&l->missing) = i;
	}
	return bld_parallel(l->missing.len, MAX_THREADS, unpack, l, err);
}

/* The directories of the chain, topmost first. */
static int
add_lowers(struct bld_overlay *o, const struct stv_digest *diff_ids, size_t n,
	   struct stv_err **err)
{
	struct lowers l = {.store = o->store, .diff_ids = diff_ids, .n = n};
	int r;

	if (n == 0) {
		if (stv_fsat_mkdirs(cas_store_rootfd(o->store), EMPTY_DIR, 0755,
				    err) < 0)
			return -1;
		stv_strs_add(&o->lowers, EMPTY_DIR);
		return 0;
	}
	l.names = stv_xcalloc(n, sizeof(l.names[0]));
	r = find_or_unpack(&l, err);
	for (size_t i = n; i > 0; i--)
		if (l.names[i - 1] != NULL)
			stv_strs_take(&o->lowers, l.names[i - 1]);
	stv_vec_fini(&l.missing);
	free(l.names);
	return r;
}

/* The upper directory is what "/" looks like: it gets the root's attributes. */
static int
copy_root(struct bld_overlay *o, struct lay_view *view, struct stv_err **err)
{
	struct lay_entry root;

	if (lay_view_lookup(view, "", &root) == 1 &&
	    (fchown(o->upper_fd, root.uid, root.gid) < 0 ||
	     fchmod(o->upper_fd, (mode_t)root.mode) < 0))
		return stv_fail_errno(err, errno, "cannot set up '%s'",
				      o->upper);
	return 0;
}

static int
add_upper(struct bld_overlay *o, struct stv_err **err)
{
	if (cas_store_tmpdir(o->store, &o->dir, &o->fd, err) < 0)
		return -1;
	o->upper = stv_xasprintf("%s/upper", o->dir);
	o->work = stv_xasprintf("%s/work", o->dir);
	if (mkdirat(o->fd, "upper", 0755) < 0 ||
	    mkdirat(o->fd, "work", 0755) < 0)
		return stv_fail_errno(err, errno, "cannot make '%s'", o->upper);
	o->upper_fd =
		openat(o->fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->upper_fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'", o->upper);
	return 0;
}

int
bld_overlay_init(struct bld_overlay *o, struct cas_store *store,
		 const struct stv_digest *diff_ids, size_t n,
		 struct lay_view *view, bool is_readonly, struct stv_err **err)
{
	*o = (struct bld_overlay){.store = store, .fd = -1, .upper_fd = -1};
	if (add_lowers(o, diff_ids, n, err) < 0)
		return -1;
	if (is_readonly)
		return 0;
	if (add_upper(o, err) < 0)
		return -1;
	return copy_root(o, view, err);
}

void
bld_overlay_fini(struct bld_overlay *o)
{
	struct stv_err *e = NULL;

	stv_close_p(&o->upper_fd);
	stv_close_p(&o->fd);
	if (o->dir != NULL &&
	    stv_fsat_remove_tree(cas_store_rootfd(o->store), o->dir, &e) < 0)
		stv_err_clear(&e); /* tmp/ is cleaned by the next command */
	free(o->dir);
	free(o->upper);
	free(o->work);
	stv_strs_clear(&o->lowers);
	*o = (struct bld_overlay){.fd = -1, .upper_fd = -1};
}
