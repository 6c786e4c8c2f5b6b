/* cache/df.c - how full the store is. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/digest.h"
#include "core/err.h"

#include "cache/db.h"
#include "cache/gc_internal.h"
#include "cache/store_internal.h"

#include "cache/gc.h"

/* The blobs by who needs them. */
struct measure {
	struct cas_df *df;
	struct cas_set tagged;
	struct cas_set images; /* tagged or not */
	struct cas_set layers; /* layer blobs */
};

static int
read_digests(struct cas_store *s, const char *sql, struct cas_set *ret,
	     struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(s, sql, err);
	int r = st == NULL ? -1 : 1;

	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r == 1)
			*stv_vec_push(&ret->list) = cas_db_col_digest(st, 0);
	}
	cas_set_sort(ret);
	return r;
}

static int
count(struct cas_store *s, const char *sql, uint64_t *ret, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(s, sql, err);
	int r = st == NULL ? -1 : cas_db_step(s, st, err);

	if (r < 0)
		return -1;
	*ret = (uint64_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return 0;
}

static int
read_all(struct cas_store *s, struct measure *m, struct stv_err **err)
{
	if (count(s, "SELECT COUNT(*) FROM image", &m->df->n_images, err) < 0 ||
	    count(s, "SELECT COUNT(DISTINCT manifest) FROM tag",
		  &m->df->n_tagged, err) < 0 ||
	    count(s, "SELECT COUNT(*) FROM record", &m->df->n_records, err) <
		    0 ||
	    count(s, "SELECT COUNT(DISTINCT diff_id) FROM layer",
		  &m->df->n_layers, err) < 0 ||
	    count(s, "SELECT COALESCE(SUM(blob_size), 0) FROM layer",
		  &m->df->layer_bytes, err) < 0)
		return -1;
	if (read_digests(s,
			 "SELECT DISTINCT b.blob FROM image_blob b"
			 " JOIN tag t ON t.manifest = b.manifest",
			 &m->tagged, err) < 0 ||
	    read_digests(s, "SELECT DISTINCT blob FROM image_blob", &m->images,
			 err) < 0)
		return -1;
	return read_digests(s, "SELECT blob FROM layer", &m->layers, err);
}

static int
add_blob(struct cas_store *s, void *arg, int dirfd, const char *name,
	 const struct stat *st, struct stv_err **err)
{
	struct measure *m = arg;
	uint64_t size = (uint64_t)st->st_size;
	struct stv_digest d;

	(void)s;
	(void)dirfd;
	(void)err;
	if (stv_digest_parse_hex(name, strlen(name), &d) < 0) {
		m->df->other_bytes += size;
	} else if (cas_set_has(&m->images, &d)) {
		m->df->image_bytes += size;
		if (!cas_set_has(&m->tagged, &d))
			m->df->image_reclaimable += size;
	} else if (cas_set_has(&m->layers, &d)) {
		m->df->cache_bytes += size;
	} else {
		m->df->garbage_bytes += size;
	}
	return 0;
}

static int
measure_mounts(struct cas_store *s, struct cas_df *df, struct stv_err **err)
{
	struct cas_cachemounts all = {0};
	int r = cas_cachemounts_read(s, &all, err);

	for (size_t i = 0; r == 0 && i < all.list.len; i++)
		df->cachemount_bytes += all.list.v[i].size;
	df->n_cachemounts = all.list.len;
	cas_cachemounts_fini(&all);
	return r;
}

static int
measure(struct cas_store *s, struct measure *m, struct stv_err **err)
{
	struct cas_snapshots all = {0};
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = read_all(s, m, err);
	cas_db_leave(s);
	if (r < 0 || cas_each_file(s, CAS_BLOBS, add_blob, m, err) < 0 ||
	    cas_other_bytes(s, &m->df->other_bytes, err) < 0)
		return -1;
	r = cas_snapshots_read(s, &all, err);
	for (size_t i = 0; r == 0 && i < all.list.len; i++)
		m->df->snapshot_bytes += all.list.v[i].size;
	m->df->n_snapshots = all.list.len;
	cas_snapshots_fini(&all);
	return r < 0 ? -1 : measure_mounts(s, m->df, err);
}

int
cas_df(struct cas_store *s, struct cas_df *ret, struct stv_err **err)
{
	struct measure m = {.df = ret};
	int r;

	*ret = (struct cas_df){0};
	r = measure(s, &m, err);
	cas_set_fini(&m.tagged);
	cas_set_fini(&m.images);
	cas_set_fini(&m.layers);
	return r;
}
