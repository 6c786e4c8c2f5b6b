/* cache/test/test_upgrade.c - a store of an older format. */
#include <criterion/criterion.h>
#include <sqlite3.h>

#include "cache/test/scratch.h"

/* What format 1 was. */
static void
make_old(const char *dir)
{
	char *path = stv_xasprintf("%s/meta.db", dir);
	sqlite3 *h = NULL;

	cr_assert_eq(sqlite3_open(path, &h), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(h,
				  "ALTER TABLE layer DROP COLUMN made_by;"
				  "DROP INDEX record_title; DROP TABLE gone;"
				  "ALTER TABLE record DROP COLUMN title;"
				  "ALTER TABLE record DROP COLUMN notes;"
				  "ALTER TABLE record DROP COLUMN inputs;"
				  "PRAGMA user_version=1;",
				  NULL, NULL, NULL),
		     SQLITE_OK, "%s", sqlite3_errmsg(h));
	(void)sqlite3_close(h);
	free(path);
}

Test(upgrade, format_1_is_brought_to_this_one)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_digest layer = scratch_layer(s, "text");
	struct stv_err *err = NULL;
	struct cas_layer l;

	cas_store_close(s);
	make_old(dir);
	s = scratch_open(dir);
	cr_assert_eq(cas_layer_get(s, &layer, &l, &err), 1);
	cr_expect_str_eq(l.made_by, "");
	(void)strcpy(l.made_by, "zstd-3");
	ok(cas_layer_put(s, &l, &err), err);
	cr_expect_eq(cas_layer_get_form(s, &layer, "zstd-3", &l, &err), 1);
	cas_store_close(s);
	scratch_end(dir);
}

Test(upgrade, a_store_that_is_only_looked_at_says_so)
{
	struct cas_store_opts opts = {.is_readonly = true};
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;
	struct cas_layer l;
	struct stv_digest layer = scratch_layer(s, "text");

	cas_store_close(s);
	s = NULL;
	make_old(dir);
	if (cas_store_open(dir, &opts, &s, &err) == 0)
		cr_expect_eq(cas_layer_get(s, &layer, &l, &err), -1);
	cr_assert_not_null(err);
	cr_expect_not_null(
		strstr(stv_err_msg(stv_err_root(err)), "old format"));
	stv_err_free(err);
	cas_store_close(s);
	scratch_end(dir);
}
