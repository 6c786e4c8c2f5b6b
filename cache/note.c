/* cache/note.c - what a miss is compared with. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/db.h"
#include "cache/key.h"
#include "cache/store_internal.h"

#include "cache/note.h"

/* Of so many the nearest one is taken. */
#define MAX_CANDIDATES 16
/* So many fields are compared: a COPY may name thousands of sources. */
#define MAX_FIELDS 256

void
cas_note_fini(struct cas_note *n)
{
	free(n->step);
	stv_buf_fini(&n->preimage);
	stv_buf_fini(&n->notes);
	*n = (struct cas_note){0};
}

static struct stv_buf
column_buf(sqlite3_stmt *st, int i)
{
	size_t n = (size_t)sqlite3_column_bytes(st, i);
	struct stv_buf b = STV_BUF_INIT(n);

	stv_buf_add(&b, sqlite3_column_blob(st, i), n);
	return b;
}

/* The columns of COLUMNS, in this order. */
#define COLUMNS                                                                \
	"step, title, preimage, notes, inputs, parent_chain, parent_config"

static void
take_row(sqlite3_stmt *st, struct cas_note *ret)
{
	*ret = (struct cas_note){
		.step = stv_xstrdup(cas_db_col_text(st, 0)),
		.title = sqlite3_column_int64(st, 1),
		.preimage = column_buf(st, 2),
		.notes = column_buf(st, 3),
		.has_inputs = sqlite3_column_type(st, 4) != SQLITE_NULL,
		.inputs = cas_db_col_digest(st, 4),
		.parent_chain = cas_db_col_digest(st, 5),
		.parent_config = cas_db_col_digest(st, 6),
	};
}

/* Has the preimage a field of this name and value? */
static bool
has_field(struct key_reader r, const struct key_field *want)
{
	struct key_field f;

	for (size_t i = 0; i < MAX_FIELDS && key_next(&r, &f); i++)
		if (f.name_len == want->name_len && f.len == want->len &&
		    memcmp(f.name, want->name, f.name_len) == 0 &&
		    memcmp(f.value, want->value, f.len) == 0)
			return true;
	return false;
}

/* How many fields of ${a} are not in ${b}. */
static size_t
count_missing(struct key_reader a, struct key_reader b)
{
	struct key_field f;
	size_t n = 0;

	for (size_t i = 0; i < MAX_FIELDS && key_next(&a, &f); i++)
		n += !has_field(b, &f);
	return n;
}

/* How far the row at hand is from what missed. */
static size_t
distance(sqlite3_stmt *st, const struct cas_note_query *q)
{
	struct key_reader old = key_reader(sqlite3_column_blob(st, 2),
					   (size_t)sqlite3_column_bytes(st, 2));
	struct key_reader now =
		key_reader(stv_buf_str(q->preimage), q->preimage->len);

	return count_missing(now, old) + count_missing(old, now);
}

/* The nearest of the newest rows, the newest of equals: 1, 0 or -1. */
static int
take_best(struct cas_store *s, sqlite3_stmt *st, const struct cas_note_query *q,
	  struct cas_note *ret, struct stv_err **err)
{
	size_t best = SIZE_MAX, d;
	int r = 1;

	for (int i = 0; i < MAX_CANDIDATES && best > 0; i++) {
		r = cas_db_step(s, st, err);
		if (r != 1)
			break;
		d = distance(st, q);
		if (d >= best)
			continue;
		if (best != SIZE_MAX)
			cas_note_fini(ret);
		best = d;
		take_row(st, ret);
	}
	if (r < 0 && best != SIZE_MAX)
		cas_note_fini(ret);
	return r < 0 ? -1 : best != SIZE_MAX;
}

static int
find_title(struct cas_store *s, const struct cas_note_query *q,
	   const char *place, struct cas_note *ret, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT " COLUMNS " FROM record WHERE title = ?1"
		" AND substr(step, 1, length(?2)) = ?2 ORDER BY id DESC",
		err);

	if (st == NULL)
		return -1;
	cas_db_bind_int(st, 1, q->title);
	cas_db_bind_text(st, 2, place);
	return take_best(s, st, q, ret, err);
}

static int
find_step(struct cas_store *s, const struct cas_note_query *q,
	  struct cas_note *ret, struct stv_err **err)
{
	sqlite3_stmt *st =
		cas_db_stmt(s,
			    "SELECT " COLUMNS " FROM record WHERE step = ?1"
			    " ORDER BY id DESC",
			    err);

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, q->step);
	return take_best(s, st, q, ret, err);
}

int
cas_note_find(struct cas_store *s, const struct cas_note_query *q,
	      struct cas_note *ret, struct stv_err **err)
{
	enum cas_note_match match = CAS_NOTE_TITLE;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = find_title(s, q, q->place, ret, err);
	if (r == 0) {
		match = CAS_NOTE_STEP;
		r = find_step(s, q, ret, err);
	}
	if (r == 0) {
		match = CAS_NOTE_ELSEWHERE;
		r = find_title(s, q, "", ret, err);
	}
	cas_db_leave(s);
	return r == 1 ? (int)match : r;
}

int
cas_note_is_gone(struct cas_store *s, const struct stv_digest *key,
		 struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	st = cas_db_stmt(s,
			 "SELECT 1 FROM gone WHERE key = ?1 AND NOT EXISTS"
			 " (SELECT 1 FROM record r WHERE r.key = gone.key)",
			 err);
	r = st == NULL ? -1 : 0;
	if (r == 0) {
		cas_db_bind_digest(st, 1, key);
		r = cas_db_step(s, st, err);
	}
	cas_db_leave(s);
	return r;
}
