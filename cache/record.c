/* cache/record.c - cache records: what a step gave upon a parent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"

#include "cache/blob.h"
#include "cache/db.h"
#include "cache/note.h"
#include "cache/store_internal.h"

#include "cache/meta.h"

/* A use within this time is not written again; see cas_record_touch(). */
#define TOUCH_S 3600

int
cas_record_has_key(struct cas_store *s, const struct stv_digest *key,
		   struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	st = cas_db_stmt(s, "SELECT 1 FROM record WHERE key = ?1 LIMIT 1", err);
	r = st == NULL ? -1 : 0;
	if (r == 0) {
		cas_db_bind_digest(st, 1, key);
		r = cas_db_step(s, st, err);
	}
	cas_db_leave(s);
	return r;
}

/* The row, whatever has become of its layer: 1, 0 or -1. */
static int
find_record(struct cas_store *s, const struct stv_digest *key,
	    const struct stv_digest *parent_chain,
	    const struct stv_digest *parent_config, struct cas_record *ret,
	    struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT diff_id, created_s FROM record WHERE key = ?1"
		" AND parent_chain = ?2 AND parent_config = ?3",
		err);
	int r;

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, key);
	cas_db_bind_digest(st, 2, parent_chain);
	cas_db_bind_digest(st, 3, parent_config);
	r = cas_db_step(s, st, err);
	if (r != 1)
		return r;
	*ret = (struct cas_record){
		.key = *key,
		.parent_chain = *parent_chain,
		.parent_config = *parent_config,
		.has_layer = sqlite3_column_type(st, 0) != SQLITE_NULL,
		.diff_id = cas_db_col_digest(st, 0),
		.created_s = sqlite3_column_int64(st, 1),
	};
	return 1;
}

int
cas_record_get(struct cas_store *s, const struct stv_digest *key,
	       const struct stv_digest *parent_chain,
	       const struct stv_digest *parent_config, struct cas_record *ret,
	       struct stv_err **err)
{
	struct cas_record found;
	struct cas_layer layer;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = find_record(s, key, parent_chain, parent_config, &found, err);
	cas_db_leave(s);
	/* A record whose layer is gone is not a hit. */
	if (r == 1 && found.has_layer)
		r = cas_layer_get(s, &found.diff_id, &layer, err);
	if (r == 1)
		*ret = found;
	return r;
}

/* What cas_record_put_noted() hands to its transaction. */
struct put_record {
	const struct cas_record *r;
	const struct cas_note *note;
};

static int
write_record(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct put_record *p = arg;
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"INSERT OR REPLACE INTO record(key, parent_chain,"
		" parent_config, diff_id, created_s, used_s, step, preimage,"
		" title, notes, inputs)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
		err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, &p->r->key);
	cas_db_bind_digest(st, 2, &p->r->parent_chain);
	cas_db_bind_digest(st, 3, &p->r->parent_config);
	if (p->r->has_layer)
		cas_db_bind_digest(st, 4, &p->r->diff_id);
	cas_db_bind_int(st, 5, p->r->created_s);
	cas_db_bind_int(st, 6, cas_now_s());
	cas_db_bind_text(st, 7, p->note->step == NULL ? "" : p->note->step);
	cas_db_bind_blob(st, 8, stv_buf_str(&p->note->preimage),
			 p->note->preimage.len);
	cas_db_bind_int(st, 9, p->note->title);
	cas_db_bind_blob(st, 10, stv_buf_str(&p->note->notes),
			 p->note->notes.len);
	if (p->note->has_inputs)
		cas_db_bind_digest(st, 11, &p->note->inputs);
	return cas_db_run(s, st, err);
}

int
cas_record_put(struct cas_store *s, const struct cas_record *r,
	       const void *preimage, size_t n, const char *step,
	       struct stv_err **err)
{
	stv_auto_free char *name = step == NULL ? NULL : stv_xstrdup(step);
	struct cas_note note = {.step = name, .preimage = STV_BUF_INIT(n)};
	int result;

	stv_buf_add(&note.preimage, preimage, n);
	result = cas_record_put_noted(s, r, &note, err);
	stv_buf_fini(&note.preimage);
	return result;
}

int
cas_record_put_noted(struct cas_store *s, const struct cas_record *r,
		     const struct cas_note *note, struct stv_err **err)
{
	struct put_record p = {r, note};
	int result;

	/* The layer that the record names must be durable before it. */
	if (cas_store_sync(s, err) < 0 || cas_db_enter(s, err) < 0)
		return -1;
	result = cas_db_write(s, write_record, &p, err);
	cas_db_leave(s);
	return result;
}

/* What cas_record_touch() hands to its transaction. */
struct touch {
	const struct stv_digest *keys;
	size_t n;
	int64_t now_s;
};

static int
write_touch(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct touch *t = arg;
	sqlite3_stmt *st = NULL;

	for (size_t i = 0; i < t->n; i++) {
		st = cas_db_stmt(
			s, "UPDATE record SET used_s = ?2 WHERE key = ?1", err);
		if (st == NULL)
			return -1;
		cas_db_bind_digest(st, 1, &t->keys[i]);
		cas_db_bind_int(st, 2, t->now_s);
		if (cas_db_run(s, st, err) < 0)
			return -1;
	}
	return 0;
}

/* Was any of the keys last used more than TOUCH_S ago?  1, 0 or -1. */
static int
needs_touch(struct cas_store *s, const struct touch *t, struct stv_err **err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->n; i++) {
		sqlite3_stmt *st =
			cas_db_stmt(s,
				    "SELECT 1 FROM record WHERE key = ?1 AND"
				    " (used_s < ?2 OR used_s > ?3) LIMIT 1",
				    err);

		if (st == NULL)
			return -1;
		cas_db_bind_digest(st, 1, &t->keys[i]);
		cas_db_bind_int(st, 2, t->now_s - TOUCH_S);
		/* A use in the future: the clock was set back since. */
		cas_db_bind_int(st, 3, t->now_s + TOUCH_S);
		r = cas_db_step(s, st, err);
		(void)sqlite3_reset(st);
	}
	return r;
}

int
cas_record_touch(struct cas_store *s, const struct stv_digest *keys, size_t n,
		 struct stv_err **err)
{
	struct touch t = {keys, n, cas_now_s()};
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = needs_touch(s, &t, err);
	if (r == 1)
		r = cas_db_write(s, write_touch, &t, err);
	cas_db_leave(s);
	return r;
}
