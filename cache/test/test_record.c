/* cache/test/test_record.c - cache records: hits on exactly their parent. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"

#include "cache/db.h"
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

TestSuite(record, .init = begin, .fini = end);

static struct stv_digest
d(const char *text)
{
	return stv_digest_of(text, strlen(text));
}

static struct cas_record
make(const char *key, const char *chain, const char *config)
{
	return (struct cas_record){
		.key = d(key),
		.parent_chain = d(chain),
		.parent_config = d(config),
	};
}

static void
put(const struct cas_record *r, const char *preimage)
{
	struct stv_err *err = NULL;

	ok(cas_record_put(store, r, preimage, strlen(preimage), "Dockerfile|1",
			  &err),
	   err);
}

static int
get(const char *key, const char *chain, const char *config,
    struct cas_record *ret)
{
	struct stv_digest a = d(key), b = d(chain), c = d(config);
	struct stv_err *err = NULL;
	int r = cas_record_get(store, &a, &b, &c, ret, &err);

	ok(r, err);
	return r;
}

Test(record, is_a_hit_on_exactly_its_parent)
{
	struct cas_record r = make("k", "chain", "config"), got;
	struct stv_digest key = d("k"), other = d("other");
	struct stv_err *err = NULL;

	r.has_layer = true;
	r.diff_id = scratch_layer(store, "layer");
	put(&r, "p");
	cr_expect_eq(cas_record_has_key(store, &key, &err), 1);
	cr_expect_eq(cas_record_has_key(store, &other, &err), 0);
	cr_assert_eq(get("k", "chain", "config", &got), 1);
	cr_expect(got.has_layer);
	cr_expect(stv_digest_equal(&got.diff_id, &r.diff_id));
	cr_expect_eq(get("k", "chain2", "config", &got), 0);
	cr_expect_eq(get("k", "chain", "config2", &got), 0);
	cr_expect_eq(get("k2", "chain", "config", &got), 0);
}

Test(record, one_without_a_layer_has_none)
{
	struct cas_record r = make("k", "chain", "config"), got;

	put(&r, "p");
	cr_assert_eq(get("k", "chain", "config", &got), 1);
	cr_expect_not(got.has_layer);
}

Test(record, the_newest_of_one_parent_stands)
{
	struct cas_record r = make("k", "chain", "config"), got;

	r.has_layer = true;
	r.diff_id = scratch_layer(store, "first");
	put(&r, "p");
	r.diff_id = scratch_layer(store, "second");
	put(&r, "p");
	cr_assert_eq(get("k", "chain", "config", &got), 1);
	cr_expect(stv_digest_equal(&got.diff_id, &r.diff_id));
}

Test(record, is_no_hit_when_its_layer_is_gone)
{
	struct cas_record r = make("k", "chain", "config"), got;
	char hex[STV_DIGEST_STR_MAX];

	r.has_layer = true;
	r.diff_id = d("a layer that was never put");
	put(&r, "p");
	cr_expect_eq(get("k", "chain", "config", &got), 0);
	r.diff_id = scratch_layer(store, "layer");
	put(&r, "p");
	cr_expect_eq(get("k", "chain", "config", &got), 1);
	cr_assert_eq(
		unlinkat(store->blobs_fd, stv_digest_hex(&r.diff_id, hex), 0),
		0);
	cr_expect_eq(get("k", "chain", "config", &got), 0);
}

static int64_t
used_s(void)
{
	struct stv_err *err = NULL;
	sqlite3_stmt *st;
	int64_t t;

	ok(cas_db_enter(store, &err), err);
	st = cas_db_stmt(store, "SELECT used_s FROM record", &err);
	ok(cas_db_step(store, st, &err), err);
	t = sqlite3_column_int64(st, 0);
	cas_db_leave(store);
	return t;
}

static void
set_used(const char *sql)
{
	struct stv_err *err = NULL;

	ok(cas_db_enter(store, &err), err);
	ok(cas_db_exec(store, sql, &err), err);
	cas_db_leave(store);
}

Test(record, a_use_is_written_once_an_hour)
{
	struct cas_record r = make("k", "c", "c");
	struct stv_digest key = d("k");
	struct stv_err *err = NULL;
	int64_t before;

	put(&r, "p");
	set_used("UPDATE record SET used_s = used_s - 1800");
	before = used_s();
	ok(cas_record_touch(store, &key, 1, &err), err);
	cr_expect_eq(used_s(), before, "half an hour ago is recent");
	set_used("UPDATE record SET used_s = used_s - 7200");
	ok(cas_record_touch(store, &key, 1, &err), err);
	cr_expect_gt(used_s(), before);
	set_used("UPDATE record SET used_s = used_s + 1000000");
	before = used_s();
	ok(cas_record_touch(store, &key, 1, &err), err);
	cr_expect_lt(used_s(), before, "the clock was set back");
}
