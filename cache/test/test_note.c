/* cache/test/test_note.c - what a miss is compared with. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/limits.h"

#include "cache/db.h"
#include "cache/gc.h"
#include "cache/key.h"
#include "cache/note.h"
#include "cache/store_internal.h"
#include "cache/test/scratch.h"

static char *dir;
static struct cas_store *store;

static void
begin(void)
{
	dir = scratch_dir();
	store = scratch_open(dir);
}

static void
end(void)
{
	cas_store_close(store);
	scratch_end(dir);
}

TestSuite(note, .init = begin, .fini = end);

/* A preimage with the fields a and b. */
static struct stv_buf
preimage(const char *a, const char *b)
{
	struct stv_buf text = STV_BUF_INIT(1000);
	struct key *k = key_new("v");
	struct stv_digest d;

	key_add_str(k, "a", a);
	key_add_str(k, "b", b);
	key_end(k, &d, &text);
	key_free(k);
	return text;
}

static struct stv_digest
put(const char *step, int64_t title, const char *a, const char *b,
    const struct stv_digest *inputs)
{
	struct cas_note note = {.title = title, .preimage = preimage(a, b)};
	struct cas_record r = {0};
	struct stv_err *err = NULL;

	note.step = stv_xstrdup(step);
	note.notes = STV_BUF_INIT(100);
	stv_buf_adds(&note.notes, "notes of ");
	stv_buf_adds(&note.notes, a);
	if (inputs != NULL) {
		note.has_inputs = true;
		note.inputs = *inputs;
	}
	r.key = stv_digest_of(note.preimage.data, note.preimage.len);
	r.parent_chain = stv_digest_of("chain", 5);
	ok(cas_record_put_noted(store, &r, &note, &err), err);
	cas_note_fini(&note);
	return r.key;
}

static int
find(const char *place, const char *step, int64_t title, const char *a,
     const char *b, struct cas_note *ret)
{
	struct stv_buf now = preimage(a, b);
	struct cas_note_query q = {place, step, title, &now};
	struct stv_err *err = NULL;
	int r = cas_note_find(store, &q, ret, &err);

	ok(r, err);
	stv_buf_fini(&now);
	return r;
}

Test(note, the_same_instruction_is_found_wherever_it_stands)
{
	struct stv_digest chain = stv_digest_of("chain", 5);
	struct cas_note n;

	cr_expect_eq(find("f|c|", "f|c|0|2", 7, "1", "1", &n), CAS_NOTE_NONE);
	put("f|c|0|2", 7, "old", "1", NULL);
	put("f|c|0|2", 8, "other", "1", NULL);
	put("g|c|0|2", 7, "elsewhere", "1", NULL);
	cr_assert_eq(find("f|c|", "f|c|0|9", 7, "new", "1", &n),
		     CAS_NOTE_TITLE);
	cr_expect_str_eq(stv_buf_str(&n.notes), "notes of old");
	cr_expect_str_eq(n.step, "f|c|0|2");
	cr_expect(stv_digest_equal(&n.parent_chain, &chain));
	cr_expect_not(n.has_inputs);
	cas_note_fini(&n);
	cr_assert_eq(find("f|c|", "f|c|0|2", 9, "new", "1", &n), CAS_NOTE_STEP);
	cr_expect_str_eq(stv_buf_str(&n.notes), "notes of other");
	cas_note_fini(&n);
	cr_assert_eq(find("h|c|", "h|c|0|2", 7, "new", "1", &n),
		     CAS_NOTE_ELSEWHERE);
	cr_expect_str_eq(stv_buf_str(&n.notes), "notes of elsewhere");
	cas_note_fini(&n);
	/* A place is a beginning, not a pattern. */
	cr_expect_eq(find("f_c%", "x", 9, "new", "1", &n), CAS_NOTE_NONE);
}

Test(note, of_the_newest_the_nearest_is_found)
{
	struct cas_note n;

	put("f|c|0|2", 7, "x", "1", NULL);
	put("f|c|0|2", 7, "y", "2", NULL);
	cr_assert_eq(find("f|c|", "f|c|0|2", 7, "x", "3", &n), CAS_NOTE_TITLE);
	cr_expect_str_eq(stv_buf_str(&n.notes), "notes of x");
	cas_note_fini(&n);
	cr_assert_eq(find("f|c|", "f|c|0|2", 7, "z", "3", &n), CAS_NOTE_TITLE);
	cr_expect_str_eq(stv_buf_str(&n.notes), "notes of y", "the newest");
	cas_note_fini(&n);
}

Test(note, a_collected_key_is_remembered_until_it_is_made_again)
{
	struct stv_digest key = put("f|c|0|2", 7, "x", "1", NULL);
	struct cas_gc_opts opts = {.all_cache = true};
	struct cas_gc_result res;
	struct stv_err *err = NULL;

	cr_expect_eq(cas_note_is_gone(store, &key, &err), 0);
	ok(cas_gc(store, &opts, &res, &err), err);
	cr_expect_eq(res.n_records, 1);
	cr_expect_eq(cas_note_is_gone(store, &key, &err), 1);
	put("f|c|0|2", 7, "x", "1", NULL);
	cr_expect_eq(cas_note_is_gone(store, &key, &err), 0);
}

Test(note, what_is_remembered_is_bounded)
{
	struct cas_gc_opts opts = {.all_cache = true};
	struct cas_gc_result res;
	struct stv_err *err = NULL;
	sqlite3_stmt *st;

	ok(cas_db_enter(store, &err), err);
	ok(cas_db_exec(store,
		       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
		       " FROM n WHERE i < 10500) INSERT INTO gone SELECT"
		       " randomblob(32), unixepoch() - i FROM n;"
		       "INSERT INTO gone VALUES(x'00', 5)",
		       &err),
	   err);
	cas_db_leave(store);
	ok(cas_gc(store, &opts, &res, &err), err);
	ok(cas_db_enter(store, &err), err);
	st = cas_db_stmt(store, "SELECT COUNT(*), MIN(gone_s) FROM gone", &err);
	cr_assert_eq(cas_db_step(store, st, &err), 1);
	cr_expect_eq(sqlite3_column_int(st, 0), 10000);
	cr_expect_gt(sqlite3_column_int64(st, 1), 5);
	/* One collection removes many records in the same second. */
	ok(cas_db_exec(store,
		       "UPDATE gone SET gone_s = unixepoch();"
		       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
		       " FROM n WHERE i < 500) INSERT INTO gone SELECT"
		       " randomblob(32), unixepoch() FROM n",
		       &err),
	   err);
	cas_db_leave(store);
	ok(cas_gc(store, &opts, &res, &err), err);
	ok(cas_db_enter(store, &err), err);
	st = cas_db_stmt(store, "SELECT COUNT(*) FROM gone", &err);
	cr_assert_eq(cas_db_step(store, st, &err), 1);
	cr_expect_eq(sqlite3_column_int(st, 0), 10000);
	cas_db_leave(store);
}

Test(note, a_list_is_kept_once_and_goes_with_its_record)
{
	static const char text[] = "f 644 0 0 - 00\0a\0";
	struct stv_buf got = STV_BUF_INIT(STV_MAX_INPUTS);
	struct cas_gc_opts opts = {0};
	struct cas_gc_result res;
	struct stv_digest d, same, loose;
	struct stv_err *err = NULL;

	ok(cas_inputs_put(store, text, sizeof(text), &d, &err), err);
	ok(cas_inputs_put(store, text, sizeof(text), &same, &err), err);
	ok(cas_inputs_put(store, "x", 2, &loose, &err), err);
	cr_expect(stv_digest_equal(&d, &same));
	cr_expect_eq(scratch_count(dir, "inputs"), 2);
	cr_assert_eq(cas_inputs_read(store, &d, &got, &err), 1);
	cr_assert_eq(got.len, sizeof(text));
	cr_expect_eq(memcmp(got.data, text, got.len), 0);
	put("f|c|0|2", 7, "x", "1", &d);
	ok(cas_gc(store, &opts, &res, &err), err);
	cr_expect_eq(scratch_count(dir, "inputs"), 1,
		     "no record has the other");
	cr_expect_eq(cas_inputs_read(store, &loose, &got, &err), 0);
	opts.all_cache = true;
	ok(cas_gc(store, &opts, &res, &err), err);
	cr_expect_eq(scratch_count(dir, "inputs"), 0);
	stv_buf_fini(&got);
}

Test(note, a_damaged_list_is_none)
{
	struct stv_buf got = STV_BUF_INIT(STV_MAX_INPUTS);
	struct stv_err *err = NULL;
	char path[200], hex[STV_DIGEST_STR_MAX];
	struct stv_digest d;
	int fd;

	ok(cas_inputs_put(store, "abc", 3, &d, &err), err);
	(void)snprintf(path, sizeof(path), "inputs/%s",
		       stv_digest_hex(&d, hex));
	fd = openat(store->root_fd, path, O_WRONLY | O_APPEND);
	cr_assert_eq(write(fd, "x", 1), 1);
	(void)close(fd);
	cr_expect_eq(cas_inputs_read(store, &d, &got, &err), 0);
	cr_expect_eq(got.len, 0);
	stv_buf_fini(&got);
}

/* A store of the first version: its tables, its records. */
Test(note, a_store_of_the_first_format_is_upgraded)
{
	struct stv_digest key = put("f|c|0|2", 7, "x", "1", NULL);
	struct stv_err *err = NULL;
	struct cas_note n;

	ok(cas_db_enter(store, &err), err);
	ok(cas_db_exec(store,
		       "ALTER TABLE layer DROP COLUMN made_by;"
		       "DROP INDEX record_title; DROP TABLE gone;"
		       "ALTER TABLE record DROP COLUMN title;"
		       "ALTER TABLE record DROP COLUMN notes;"
		       "ALTER TABLE record DROP COLUMN inputs;"
		       "PRAGMA user_version=1",
		       &err),
	   err);
	cas_db_leave(store);
	cas_store_close(store);
	store = scratch_open(dir);
	cr_expect_eq(cas_record_has_key(store, &key, &err), 1);
	cr_assert_eq(find("f|c|", "f|c|0|2", 7, "x", "1", &n), CAS_NOTE_STEP);
	cr_expect_eq(n.title, 0);
	cr_expect_eq(n.notes.len, 0);
	cas_note_fini(&n);
	put("f|c|0|2", 7, "y", "1", NULL);
	cr_assert_eq(find("f|c|", "f|c|0|2", 7, "x", "1", &n), CAS_NOTE_TITLE);
	cas_note_fini(&n);
}
