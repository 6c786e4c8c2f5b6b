/* cache/gc.c - garbage collection: which rows go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cache/db.h"
#include "cache/gc_internal.h"
#include "cache/meta_internal.h"
#include "cache/store_internal.h"

#include "cache/gc.h"

#define DEFAULT_MAX ((uint64_t)50 * 1000 * 1000 * 1000)
/* How long, and how many, keys of collected records are remembered. */
#define GONE_S ((int64_t)30 * 24 * 3600)
#define MAX_GONE 10000

/* A digest with its second one: an image (manifest, config). */
struct pair {
	struct stv_digest a;
	struct stv_digest b;
};

void
cas_gc_note(struct gc *g, enum cas_gc_kind kind, const char *name,
	    uint64_t size)
{
	struct removed *r = stv_vec_push(&g->removed);

	*r = (struct removed){kind, stv_xstrdup(name), size};
}

static void
note_digest(struct gc *g, enum cas_gc_kind kind, const struct stv_digest *d,
	    uint64_t size)
{
	char str[STV_DIGEST_STR_MAX];

	cas_gc_note(g, kind, stv_digest_str(d, str), size);
}

/* ---- rows ------------------------------------------------------------- */

static int
remove_tags(struct cas_store *s, struct gc *g,
	    const struct stv_digest *manifest, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s, "SELECT name FROM tag WHERE manifest = ?1 ORDER BY name",
		err);
	int r = st == NULL ? -1 : 1;

	if (st != NULL)
		cas_db_bind_digest(st, 1, manifest);
	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r != 1)
			break;
		cas_gc_note(g, CAS_GC_TAG, cas_db_col_text(st, 0), 0);
		g->result->n_tags++;
	}
	return r;
}

static int
remove_image(struct cas_store *s, struct gc *g, const struct pair *image,
	     struct stv_err **err)
{
	if (remove_tags(s, g, &image->a, err) < 0 ||
	    cas_image_delete(s, &image->a, err) < 0)
		return -1;
	note_digest(g, CAS_GC_IMAGE, &image->b, 0);
	g->result->n_images++;
	return 0;
}

static int
remove_images(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	STV_VEC(struct pair) found = {0};
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT manifest, config FROM image i"
		" WHERE (?1 = 0 OR created_s < ?1) AND (?2 OR NOT EXISTS"
		" (SELECT 1 FROM tag t WHERE t.manifest = i.manifest))"
		" AND NOT EXISTS (SELECT 1 FROM manifest_list_image l"
		" WHERE l.manifest = i.manifest)",
		err);
	int r = st == NULL ? -1 : 1;

	if (st != NULL) {
		cas_db_bind_int(st, 1, g->opts->until_s);
		cas_db_bind_int(st, 2, g->opts->all_images ? 1 : 0);
	}
	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r == 1)
			*stv_vec_push(&found) = (struct pair){
				cas_db_col_digest(st, 0),
				cas_db_col_digest(st, 1),
			};
	}
	for (size_t i = 0; r == 0 && i < found.len; i++)
		r = remove_image(s, g, &found.v[i], err);
	stv_vec_fini(&found);
	return r;
}

/* That a result was here is one more explanation of a miss (cache/note.h). */
static int
remember_gone(struct cas_store *s, int64_t id, struct stv_err **err)
{
	sqlite3_stmt *st =
		cas_db_stmt(s,
			    "INSERT OR REPLACE INTO gone(key, gone_s)"
			    " SELECT key, ?2 FROM record WHERE id = ?1",
			    err);

	if (st == NULL)
		return -1;
	cas_db_bind_int(st, 1, id);
	cas_db_bind_int(st, 2, cas_now_s());
	return cas_db_run(s, st, err);
}

/* Keys of long ago, and more than MAX_GONE, are forgotten. */
static int
forget_gone(struct cas_store *s, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"DELETE FROM gone WHERE gone_s < ?1 OR key IN (SELECT key"
		" FROM gone ORDER BY gone_s DESC LIMIT -1 OFFSET ?2)",
		err);

	if (st == NULL)
		return -1;
	cas_db_bind_int(st, 1, cas_now_s() - GONE_S);
	cas_db_bind_int(st, 2, MAX_GONE);
	return cas_db_run(s, st, err);
}

/* Delete what the query finds (id, step), noting each. */
static int
remove_records(struct cas_store *s, struct gc *g, sqlite3_stmt *st,
	       struct stv_err **err)
{
	STV_VEC(int64_t) ids = {0};
	int r = 1;

	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r != 1)
			break;
		*stv_vec_push(&ids) = sqlite3_column_int64(st, 0);
		cas_gc_note(g, CAS_GC_RECORD, cas_db_col_text(st, 1), 0);
		g->result->n_records++;
	}
	for (size_t i = 0; r == 0 && i < ids.len; i++) {
		r = remember_gone(s, ids.v[i], err);
		st = r < 0 ? NULL
			   : cas_db_stmt(s, "DELETE FROM record WHERE id = ?1",
					 err);
		if (st == NULL) {
			r = -1;
			break;
		}
		cas_db_bind_int(st, 1, ids.v[i]);
		r = cas_db_run(s, st, err);
	}
	stv_vec_fini(&ids);
	return r;
}

static int
remove_cache(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT id, step FROM record r WHERE (?1 = 0 OR used_s < ?1)"
		" AND (?2 OR r.diff_id IS NULL OR NOT EXISTS"
		" (SELECT 1 FROM layer l JOIN image_blob b ON b.blob = l.blob"
		"  WHERE l.diff_id = r.diff_id))",
		err);

	if (st == NULL)
		return -1;
	cas_db_bind_int(st, 1, g->opts->until_s);
	cas_db_bind_int(st, 2, g->opts->all_cache ? 1 : 0);
	return remove_records(s, g, st, err);
}

/* Records that can never be a hit again. */
static int
remove_dangling(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT id, step FROM record r WHERE r.diff_id IS NOT NULL"
		" AND NOT EXISTS"
		" (SELECT 1 FROM layer l WHERE l.diff_id = r.diff_id)",
		err);

	return st == NULL ? -1 : remove_records(s, g, st, err);
}

/* A layer's form and its size. */
struct orphan {
	struct stv_digest diff_id;
	struct stv_digest blob;
	uint64_t size;
};

/*
 * The layer is gone with the last of its forms, and its snapshots with it: 1
 * and their size, else 0.
 */
static int
is_last_form(struct cas_store *s, const struct stv_digest *diff_id,
	     uint64_t *ret_size, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT (SELECT COALESCE(SUM(size), 0) FROM snapshot"
		"  WHERE diff_id = ?1)"
		" WHERE NOT EXISTS (SELECT 1 FROM layer WHERE diff_id = ?1)",
		err);
	int r;

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, diff_id);
	r = cas_db_step(s, st, err);
	if (r == 1)
		*ret_size = (uint64_t)sqlite3_column_int64(st, 0);
	return r;
}

static int
delete_layer(struct cas_store *s, struct gc *g, const struct orphan *o,
	     struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s, "DELETE FROM layer WHERE diff_id = ?1 AND blob = ?2", err);
	uint64_t snapshots = 0;
	int r;

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, &o->diff_id);
	cas_db_bind_digest(st, 2, &o->blob);
	if (cas_db_run(s, st, err) < 0)
		return -1;
	r = is_last_form(s, &o->diff_id, &snapshots, err);
	g->freed += o->size + snapshots;
	if (r != 1)
		return r;
	note_digest(g, CAS_GC_LAYER, &o->diff_id, o->size + snapshots);
	g->result->n_layers++;
	return 0;
}

/* The forms of layers that nothing needs. */
#define ORPHAN                                                                 \
	"SELECT diff_id, blob, blob_size FROM layer l"                         \
	" WHERE NOT EXISTS (SELECT 1 FROM record r"                            \
	"  WHERE r.diff_id = l.diff_id)"                                       \
	" AND NOT EXISTS (SELECT 1 FROM image_blob b WHERE b.blob = l.blob)"

/* Delete the layers that ${st}, an ORPHAN query, finds. */
static int
remove_orphans(struct cas_store *s, struct gc *g, sqlite3_stmt *st,
	       struct stv_err **err)
{
	STV_VEC(struct orphan) found = {0};
	int r = 1;

	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r == 1)
			*stv_vec_push(&found) = (struct orphan){
				cas_db_col_digest(st, 0),
				cas_db_col_digest(st, 1),
				(uint64_t)sqlite3_column_int64(st, 2),
			};
	}
	for (size_t i = 0; r == 0 && i < found.len; i++)
		r = delete_layer(s, g, &found.v[i], err);
	stv_vec_fini(&found);
	return r;
}

static int
remove_layers(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(s, ORPHAN, err);

	return st == NULL ? -1 : remove_orphans(s, g, st, err);
}

/* The transaction of what the caller asked for. */
static int
collect_rows(struct cas_store *s, void *arg, struct stv_err **err)
{
	struct gc *g = arg;

	if ((g->opts->dangling_images || g->opts->all_images) &&
	    remove_images(s, g, err) < 0)
		return -1;
	if ((g->opts->cache || g->opts->all_cache) &&
	    remove_cache(s, g, err) < 0)
		return -1;
	if (remove_dangling(s, g, err) < 0 || forget_gone(s, err) < 0)
		return -1;
	return remove_layers(s, g, err);
}

/* ---- the cap ---------------------------------------------------------- */

static int
cmp_used(const void *a, const void *b)
{
	const struct cas_snapshot *x = a, *y = b;

	return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

/* Unpacked layers can be made again: they go first. */
static int
doom_snapshots(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	struct cas_snapshots all = {0};
	int r = cas_snapshots_read(s, &all, err);

	if (r == 0 && all.list.len > 0)
		qsort(all.list.v, all.list.len, sizeof(all.list.v[0]),
		      cmp_used);
	for (size_t i = 0; r == 0 && i < all.list.len && g->freed < g->need;
	     i++) {
		stv_strs_add(&g->doomed, all.list.v[i].name);
		g->freed += all.list.v[i].size;
	}
	cas_snapshots_fini(&all);
	return r;
}

/* A record (id > 0) or an untagged image that the cap may remove. */
struct candidate {
	int64_t id;
	int64_t used_s;
	struct pair image;
	struct stv_digest diff_id;
};

/* Layers that only the removed candidate held. */
static int
free_after_record(struct cas_store *s, struct gc *g,
		  const struct stv_digest *diff_id, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(s, ORPHAN " AND l.diff_id = ?1", err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, diff_id);
	return remove_orphans(s, g, st, err);
}

static int
drop_record(struct cas_store *s, struct gc *g, const struct candidate *c,
	    struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s, "SELECT id, step FROM record WHERE id = ?1", err);

	if (st == NULL)
		return -1;
	cas_db_bind_int(st, 1, c->id);
	if (remove_records(s, g, st, err) < 0)
		return -1;
	return free_after_record(s, g, &c->diff_id, err);
}

static int
drop_candidate(struct cas_store *s, struct gc *g, const struct candidate *c,
	       struct stv_err **err)
{
	if (c->id > 0)
		return drop_record(s, g, c, err);
	if (remove_image(s, g, &c->image, err) < 0)
		return -1;
	return remove_layers(s, g, err);
}

/*
 * The transaction of the cap: used longest ago first.  A record whose layer
 * stays with a tagged image would free nothing.
 */
static int
collect_cap(struct cas_store *s, void *arg, struct stv_err **err)
{
	struct gc *g = arg;
	STV_VEC(struct candidate) all = {0};
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT id, NULL, NULL, diff_id, used_s AS t FROM record r"
		" WHERE NOT EXISTS (SELECT 1 FROM layer l"
		"  JOIN image_blob b ON b.blob = l.blob"
		"  JOIN tag ON tag.manifest = b.manifest"
		"  WHERE l.diff_id = r.diff_id)"
		" UNION ALL SELECT 0, manifest, config, NULL, created_s"
		" FROM image i WHERE NOT EXISTS"
		" (SELECT 1 FROM tag WHERE tag.manifest = i.manifest)"
		" AND NOT EXISTS (SELECT 1 FROM manifest_list_image m"
		" WHERE m.manifest = i.manifest)"
		" ORDER BY t, id",
		err);
	int r = st == NULL ? -1 : 1;

	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r == 1)
			*stv_vec_push(&all) = (struct candidate){
				.id = sqlite3_column_int64(st, 0),
				.used_s = sqlite3_column_int64(st, 4),
				.image = {cas_db_col_digest(st, 1),
					  cas_db_col_digest(st, 2)},
				.diff_id = cas_db_col_digest(st, 3),
			};
	}
	for (size_t i = 0; i < g->mounts.list.len; i++)
		g->mounts.list.v[i].is_doomed = false;
	for (size_t i = 0; r == 0 && i < all.len && g->freed < g->need; i++) {
		cas_gc_doom_mounts(g, all.v[i].used_s);
		if (g->freed < g->need)
			r = drop_candidate(s, g, &all.v[i], err);
	}
	if (r == 0)
		cas_gc_doom_mounts(g, INT64_MAX);
	stv_vec_fini(&all);
	return r;
}

/* ---- all together ----------------------------------------------------- */

/* One transaction; what it noted is forgotten where it does not stand. */
static int
try_rows(struct cas_store *s, struct gc *g,
	 int (*fn)(struct cas_store *s, void *arg, struct stv_err **err),
	 struct stv_err **err)
{
	struct cas_gc_result before = *g->result;
	size_t n_before = g->removed.len;
	uint64_t freed_before = g->freed;
	int r = cas_db_write(s, fn, g, err);

	if (r >= 0)
		return r;
	while (g->removed.len > n_before)
		free(g->removed.v[--g->removed.len].name);
	*g->result = before;
	g->freed = freed_before;
	return -1;
}

/*
 * Where the disk is too full even for a transaction that deletes, the reserve
 * file is given up and it is tried once more.
 */
static int
write_rows(struct cas_store *s, struct gc *g,
	   int (*fn)(struct cas_store *s, void *arg, struct stv_err **err),
	   struct stv_err **err)
{
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = try_rows(s, g, fn, err);
	if (r < 0 &&
	    (stv_err_errno(*err) == ENOSPC || stv_err_errno(*err) == EDQUOT)) {
		stv_err_clear(err);
		cas_reserve_free(s);
		r = try_rows(s, g, fn, err);
	}
	cas_db_leave(s);
	return r;
}

/* How much the store is above its cap: 1 with g->need, or 0. */
static int
is_over_cap(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	struct cas_snapshots all = {0};
	uint64_t bytes = 0;
	int r;

	if (g->opts->max_bytes == 0)
		return 0;
	if (cas_folder_bytes(s, CAS_BLOBS, &bytes, err) < 0 ||
	    cas_other_bytes(s, &bytes, err) < 0)
		return -1;
	r = cas_snapshots_read(s, &all, err);
	for (size_t i = 0; r == 0 && i < all.list.len; i++)
		bytes += all.list.v[i].size;
	cas_snapshots_fini(&all);
	if (r == 0)
		r = cas_gc_read_mounts(s, g, err);
	for (size_t i = 0; r == 0 && i < g->mounts.list.len; i++)
		bytes += g->mounts.list.v[i].size;
	if (r < 0 || bytes <= g->opts->max_bytes)
		return r;
	g->need = bytes - g->opts->max_bytes;
	g->freed = 0;
	return 1;
}

static int
collect(struct cas_store *s, struct gc *g, struct stv_err **err)
{
	int r;

	if (write_rows(s, g, collect_rows, err) < 0 ||
	    cas_gc_choose_mounts(s, g, err) < 0 || cas_gc_sweep(s, g, err) < 0)
		return -1;
	r = is_over_cap(s, g, err);
	if (r != 1)
		return r;
	if (doom_snapshots(s, g, err) < 0)
		return -1;
	if (g->freed < g->need && write_rows(s, g, collect_cap, err) < 0)
		return -1;
	return cas_gc_sweep(s, g, err);
}

static void
tell(struct gc *g)
{
	for (size_t i = 0; i < g->removed.len; i++) {
		struct removed *r = &g->removed.v[i];

		if (g->opts->on_removed != NULL)
			g->opts->on_removed(g->opts->arg, r->kind, r->name,
					    r->size);
		free(r->name);
	}
	stv_vec_fini(&g->removed);
}

int
cas_gc(struct cas_store *s, const struct cas_gc_opts *opts,
       struct cas_gc_result *ret, struct stv_err **err)
{
	struct gc g = {.opts = opts, .result = ret};
	stv_auto_fd lease = -1;
	int r;

	*ret = (struct cas_gc_result){0};
	r = cas_lease_exclusive(s, opts->wait_ms, &lease, err);
	if (r != 0)
		return r;
	cas_layout_try_mark(s);
	r = collect(s, &g, err);
	cas_reserve_make(s);
	cas_layout_refresh(s);
	tell(&g);
	stv_strs_clear(&g.doomed);
	cas_cachemounts_fini(&g.mounts);
	cas_set_fini(&g.layers);
	cas_set_fini(&g.blobs);
	cas_set_fini(&g.inputs);
	return r < 0 ? stv_wrap(err, "collecting garbage in '%s'", s->root) : 0;
}

uint64_t
cas_gc_default_max(const struct cas_store *s)
{
	struct statvfs fs;
	uint64_t fifth;

	if (fstatvfs(s->root_fd, &fs) < 0)
		return DEFAULT_MAX;
	fifth = (uint64_t)fs.f_blocks * fs.f_frsize / 5;
	return fifth < DEFAULT_MAX ? fifth : DEFAULT_MAX;
}
