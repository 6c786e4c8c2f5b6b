/* cache/gc_sweep.c - garbage collection: which files go, after the rows. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/strs.h"

#include "cache/db.h"
#include "cache/gc_internal.h"
#include "cache/store_internal.h"

/* Context indexes and logs that nobody touched for so long go. */
#define OLD_S ((int64_t)30 * 24 * 3600)

static int
sweep_blob(struct cas_store *s, void *arg, int dirfd, const char *name,
	   const struct stat *st, struct stv_err **err)
{
	struct gc *g = arg;
	struct stv_digest d;

	(void)s;
	if (stv_digest_parse_hex(name, strlen(name), &d) < 0 ||
	    cas_set_has(&g->blobs, &d))
		return 0;
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return stv_fail_errno(err, errno, "cannot remove blob %s",
				      name);
	g->result->n_blobs++;
	g->result->bytes += (uint64_t)st->st_blocks * 512;
	return 0;
}

/* A table of contents whose layer is gone, and what a kill left half. */
static int
sweep_toc(struct cas_store *s, void *arg, int dirfd, const char *name,
	  const struct stat *st, struct stv_err **err)
{
	struct gc *g = arg;
	struct stv_digest d;

	(void)s;
	if (stv_digest_parse_hex(name, strlen(name), &d) == 0 &&
	    cas_set_has(&g->layers, &d))
		return 0;
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return stv_fail_errno(err, errno, "cannot remove '%s/%s'",
				      CAS_TOC, name);
	g->result->bytes += (uint64_t)st->st_blocks * 512;
	return 0;
}

/* The list of a COPY that no record names any more. */
static int
sweep_inputs(struct cas_store *s, void *arg, int dirfd, const char *name,
	     const struct stat *st, struct stv_err **err)
{
	struct gc *g = arg;
	struct stv_digest d;

	(void)s;
	if (stv_digest_parse_hex(name, strlen(name), &d) == 0 &&
	    cas_set_has(&g->inputs, &d))
		return 0;
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return stv_fail_errno(err, errno, "cannot remove '%s/%s'",
				      CAS_INPUTS, name);
	g->result->bytes += (uint64_t)st->st_blocks * 512;
	return 0;
}

static int
sweep_old(struct cas_store *s, void *arg, int dirfd, const char *name,
	  const struct stat *st, struct stv_err **err)
{
	struct gc *g = arg;
	uint64_t size = (uint64_t)st->st_blocks * 512;

	if (st->st_mtim.tv_sec > cas_now_s() - OLD_S)
		return 0;
	if (S_ISDIR(st->st_mode))
		size += cas_tree_size(dirfd, name);
	if (cas_discard(s, dirfd, name, err) < 0)
		return -1;
	g->result->bytes += size;
	return 0;
}

static int
delete_snapshot_row(struct cas_store *s, void *arg, struct stv_err **err)
{
	const char *name = arg;
	sqlite3_stmt *st =
		cas_db_stmt(s, "DELETE FROM snapshot WHERE name = ?1", err);

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, name);
	return cas_db_run(s, st, err);
}

/* A mark without its directory, and what a kill left half written. */
static int
sweep_mark(struct cas_store *s, void *arg, int dirfd, const char *name,
	   const struct stat *st, struct stv_err **err)
{
	size_t len = strlen(name), end = strlen(CAS_SNAPSHOT_MARK);
	stv_auto_free char *of = NULL;

	(void)s;
	(void)arg;
	if (S_ISDIR(st->st_mode))
		return 0;
	of = stv_xstrndup(name, len > end ? len - end : len);
	if (len > end && strcmp(name + len - end, CAS_SNAPSHOT_MARK) == 0 &&
	    faccessat(dirfd, of, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return stv_fail_errno(err, errno, "cannot remove '%s/%s'",
				      CAS_SNAPSHOTS, name);
	return 0;
}

/*
 * First the mark that says that it is whole, then the directory, then the row:
 * a row without a directory only says a size that nobody asks for.
 */
static int
sweep_snapshot(struct cas_store *s, struct gc *g,
	       const struct cas_snapshot *snap, struct stv_err **err)
{
	stv_auto_fd fd = openat(s->root_fd, CAS_SNAPSHOTS,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stv_auto_free char *mark =
		stv_xasprintf("%s" CAS_SNAPSHOT_MARK, snap->name);
	int r;

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s/%s'",
				      s->root, CAS_SNAPSHOTS);
	if (unlinkat(fd, mark, 0) < 0 && errno != ENOENT)
		return stv_fail_errno(err, errno, "cannot remove '%s/%s'",
				      CAS_SNAPSHOTS, mark);
	if (cas_discard(s, fd, snap->name, err) < 0 || cas_db_enter(s, err) < 0)
		return -1;
	r = cas_db_write(s, delete_snapshot_row, snap->name, err);
	cas_db_leave(s);
	cas_gc_note(g, CAS_GC_SNAPSHOT, snap->name, snap->size);
	g->result->n_snapshots++;
	g->result->bytes += snap->size;
	return r;
}

static int
sweep_snapshots(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	struct cas_snapshots all = {0};
	int r = cas_snapshots_read(s, &all, err);

	for (size_t i = 0; r == 0 && i < all.list.len; i++)
		if (all.list.v[i].is_doomed ||
		    stv_strs_has(&g->doomed, all.list.v[i].name))
			r = sweep_snapshot(s, g, &all.list.v[i], err);
	cas_snapshots_fini(&all);
	return r;
}

int
cas_gc_sweep(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	cas_set_fini(&g->layers);
	cas_set_fini(&g->blobs);
	cas_set_fini(&g->inputs);
	if (cas_read_sets(s, &g->layers, &g->blobs, err) < 0 ||
	    cas_read_inputs(s, &g->inputs, err) < 0 ||
	    cas_each_file(s, CAS_INPUTS, sweep_inputs, g, err) < 0 ||
	    cas_each_file(s, CAS_BLOBS, sweep_blob, g, err) < 0 ||
	    cas_each_file(s, CAS_TOC, sweep_toc, g, err) < 0 ||
	    cas_each_file(s, CAS_CONTEXT, sweep_old, g, err) < 0 ||
	    cas_each_file(s, CAS_LOGS, sweep_old, g, err) < 0)
		return -1;
	if (sweep_snapshots(s, g, err) < 0 ||
	    cas_gc_sweep_mounts(s, g, err) < 0)
		return -1;
	return cas_each_file(s, CAS_SNAPSHOTS, sweep_mark, g, err);
}
