/* builder/test/test_context.c - the build context and its ignore file. */
#include <pthread.h>
#include <sys/stat.h>

#include "cache/ctxindex.h"

#include "builder/source.h"
#include "builder/test/copy_bench.h"

static void
open_tree(struct bench *b)
{
	bench_open(b);
	ctx_file(b, "a.txt", "a", 0644);
	ctx_file(b, "d/k/a.txt", "ka", 0644);
	ctx_file(b, "d/k/b.txt", "kb", 0644);
	ctx_file(b, "d/x", "x", 0644);
	ctx_file(b, "e/y", "y", 0644);
	ctx_file(b, "secret", "s", 0600);
}

Test(context, what_a_pattern_leaves_out_is_not_copied)
{
	struct bench b;

	open_tree(&b);
	bench_ignore(&b, "secret\nd\n");
	expect_copy(&b, ". /c",
		    "d 0755 0:0 c\nf 0644 0:0 c/a.txt 'a'\n"
		    "d 0755 0:0 c/e\nf 0644 0:0 c/e/y 'y'\n");
	expect_copy(&b, "* /g/",
		    "d 0755 0:0 g\nf 0644 0:0 g/a.txt 'a'\n"
		    "f 0644 0:0 g/y 'y'\n");
	bench_end(&b);
}

Test(context, an_exception_brings_back_its_parents)
{
	struct bench b;

	open_tree(&b);
	bench_ignore(&b, "*\n!d/k/a.txt\n");
	expect_copy(&b, ". /c",
		    "d 0755 0:0 c\nd 0755 0:0 c/d\nd 0755 0:0 c/d/k\n"
		    "f 0644 0:0 c/d/k/a.txt 'ka'\n");
	expect_copy(&b, "d /d",
		    "d 0755 0:0 d\nd 0755 0:0 d/k\n"
		    "f 0644 0:0 d/k/a.txt 'ka'\n");
	expect_copy(&b, "d/k/* /k/", "d 0755 0:0 k\nf 0644 0:0 k/a.txt 'ka'\n");
	expect_copy_fails(&b, "e /e", "/e");
	bench_end(&b);
}

Test(context, an_exception_that_matches_nothing_brings_back_nothing)
{
	struct bench b;

	open_tree(&b);
	bench_ignore(&b, "d\n!d/nothing\n");
	expect_copy_fails(&b, "d /d", "/d");
	bench_end(&b);
}

/* The hint that goes with the failure of a COPY. */
static void
expect_hint(struct bench *b, const char *args, const char *path,
	    const char *part)
{
	const char *hint;

	expect_copy_fails(b, args, path);
	hint = stv_err_get_hint(b->err);
	if (part == NULL) {
		cr_expect_null(hint, "%s", hint);
		return;
	}
	cr_assert_not_null(hint);
	cr_expect_not_null(strstr(hint, part), "%s", hint);
}

Test(context, what_is_missing_has_a_hint)
{
	struct bench b;

	open_tree(&b);
	ctx_link(&b, "current", "gone/1");
	ctx_link(&b, "linked", "/d/k");
	ctx_link(&b, "file", "a.txt");
	expect_hint(&b, "A.TXT /a", "/A.TXT", "There is 'a.txt'");
	expect_hint(&b, "secrets /s", "/secrets", "There is 'secret'");
	expect_hint(&b, "d/k/a.txz /s", "/d/k/a.txz", "There is 'd/k/a.txt'");
	expect_hint(&b, "current/x /s", "/current/x", "link to 'gone/1'");
	/* A link that leads somewhere is not what is wrong. */
	expect_hint(&b, "linked/b.txz /s", "/linked/b.txz",
		    "There is 'linked/b.txt'");
	expect_hint(&b, "linked/nothing-like-it /s", "/linked/nothing-like-it",
		    NULL);
	expect_hint(&b, "file/x /s", "/file/x", NULL);
	expect_hint(&b, "../elsewhere /s", "/elsewhere", "outside of it");
	expect_hint(&b, "d/nothing-like-it /s", "/d/nothing-like-it", NULL);
	/* Below a file, nothing can be proposed. */
	expect_hint(&b, "a.txt/x /s", "/a.txt/x", NULL);
	bench_end(&b);
}

Test(context, an_error_names_the_pattern_and_its_line)
{
	struct bench b;
	const char *hint;

	open_tree(&b);
	bench_ignore(&b, "# no secrets\n\nsec*\n");
	expect_copy_fails(&b, "secret /s", "/secret");
	hint = stv_err_get_hint(b.err);
	cr_assert_not_null(hint);
	cr_expect_not_null(strstr(hint, "line 3 of .dockerignore"), "%s", hint);
	cr_expect_not_null(strstr(hint, "'sec*'"), "%s", hint);
	/* What is not there at all has no such hint. */
	expect_copy_fails(&b, "secrets /s", "/secrets");
	cr_expect_null(strstr(stv_err_get_hint(b.err), "line 3"));
	bench_end(&b);
}

Test(context, a_link_to_what_is_left_out_leads_nowhere)
{
	struct bench b;

	open_tree(&b);
	ctx_link(&b, "l", "secret");
	ctx_link(&b, "ld", "d");
	bench_ignore(&b, "secret\nd\n");
	expect_hint(&b, "l /s", "/l", "link to 'secret'");
	expect_hint(&b, "ld/x /s", "/ld/x", "link to 'd'");
	bench_end(&b);
}

/* Plan COPY ${src} as somebody who is not root. */
static int
plan_as_nobody(struct bench *b, const char *src)
{
	struct bld_copy_plan *plan = NULL;
	int rc;

	set_words(b, src);
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	rc = bld_copy_plan(&b->spec, &plan, &b->err);
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
	bld_copy_plan_free(plan);
	return rc;
}

Test(context, only_what_is_copied_need_be_readable)
{
	struct bench b;
	char *path;

	open_tree(&b);
	cr_assert_eq(chmod(b.dir, 0755), 0);
	path = bench_path(&b, "e");
	cr_assert_eq(chmod(path, 0700), 0);
	free(path);
	path = bench_path(&b, "");
	ok(bld_context_open(path, NULL, &b.ctx, &b.err), b.err);
	free(path);
	b.spec.context = b.ctx;
	ok(plan_as_nobody(&b, "a.txt d /a/"), b.err);
	if (getuid() != 0) {
		bench_end(&b);
		cr_skip("our own files can be read");
	}
	cr_expect_eq(plan_as_nobody(&b, "secret /s"), -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_INPUT);
	cr_expect_not_null(strstr(stv_err_msg(b.err), "'secret'"));
	cr_expect_not_null(strstr(stv_err_msg(b.err), "Permission denied"));
	cr_expect_not_null(strstr(stv_err_get_hint(b.err), ".dockerignore"));
	stv_err_clear(&b.err);
	cr_expect_eq(plan_as_nobody(&b, "e /s"), -1);
	cr_expect_not_null(strstr(stv_err_msg(b.err), "'e'"));
	bench_end(&b);
}

Test(context, it_is_a_directory)
{
	struct bld_context *ctx = NULL;
	struct bench b;
	char *path;

	open_tree(&b);
	path = bench_path(&b, "nothere");
	cr_expect_eq(bld_context_open(path, NULL, &ctx, &b.err), -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_INPUT);
	stv_err_clear(&b.err);
	free(path);
	path = bench_path(&b, "a.txt");
	cr_expect_eq(bld_context_open(path, NULL, &ctx, &b.err), -1);
	cr_expect_not_null(stv_err_get_hint(b.err));
	cr_expect_null(ctx);
	free(path);
	bench_end(&b);
}

/* ---- the index -------------------------------------------------------------
 */

static struct stv_digest
digest_of(struct bench *b, const char *path)
{
	struct stv_digest d;

	ok(bld_context_digest(bench_context(b), path, &d, &b->err), b->err);
	return d;
}

/* Forget the context, as the end of a build does. */
static void
reopen(struct bench *b)
{
	ok(bld_context_save(b->ctx, &b->err), b->err);
	bld_context_close(b->ctx);
	b->ctx = NULL;
}

/* Files get old enough to be remembered. */
static void
wait_a_tick(void)
{
	(void)usleep(1100000);
}

Test(context, a_file_that_did_not_change_is_not_read_again)
{
	const struct stv_digest lie = stv_digest_of("lie", 3);
	struct cas_ctxindex *x = NULL;
	struct stv_digest before, after;
	struct stat st;
	struct bench b;
	char *path, *real;

	open_tree(&b);
	wait_a_tick();
	before = digest_of(&b, "");
	reopen(&b);
	after = digest_of(&b, "");
	cr_expect(stv_digest_equal(&before, &after));
	reopen(&b);
	/* What the index says is believed. */
	path = bench_path(&b, "");
	real = realpath(path, NULL);
	free(path);
	ok(cas_ctxindex_open(b.store, real, &x, &b.err), b.err);
	free(real);
	path = bench_path(&b, "a.txt");
	cr_assert_eq(stat(path, &st), 0);
	free(path);
	cr_expect_eq(cas_ctxindex_lookup(x, "a.txt", &st, &after), 1);
	cas_ctxindex_record(x, "a.txt", &st, &lie);
	ok(cas_ctxindex_save(x, &b.err), b.err);
	cas_ctxindex_close(x);
	after = digest_of(&b, "");
	cr_expect_not(stv_digest_equal(&before, &after));
	/* But what is packed is hashed again: the lie does not get in. */
	ok(copy(&b, "a.txt /x"), b.err);
	cr_expect_eq(b.result, BLD_COPY_CHANGED);
	bench_end(&b);
}

Test(context, a_change_is_seen_whatever_the_mtime_says)
{
	struct stv_digest before, after;
	struct stat st;
	struct bench b;
	char *path;

	open_tree(&b);
	wait_a_tick();
	before = digest_of(&b, "");
	reopen(&b);
	path = bench_path(&b, "a.txt");
	cr_assert_eq(stat(path, &st), 0);
	ctx_file(&b, "a.txt", "b", 0644);
	cr_assert_eq(utimensat(AT_FDCWD, path,
			       (struct timespec[2]){st.st_atim, st.st_mtim}, 0),
		     0);
	free(path);
	after = digest_of(&b, "");
	cr_expect_not(stv_digest_equal(&before, &after));
	bench_end(&b);
}

Test(context, a_digest_is_that_of_a_subtree)
{
	struct stv_digest all, d, e;
	struct bench b;
	char *path;

	open_tree(&b);
	ctx_link(&b, "ld", "d");
	all = digest_of(&b, "");
	d = digest_of(&b, "d");
	e = digest_of(&b, "ld");
	cr_expect(stv_digest_equal(&d, &e));
	cr_expect_not(stv_digest_equal(&d, &all));
	ctx_file(&b, "e/y", "z", 0644);
	e = digest_of(&b, "d");
	cr_expect(stv_digest_equal(&d, &e));
	e = digest_of(&b, "");
	cr_expect_not(stv_digest_equal(&all, &e));
	/* A mount shows the mode of the directory. */
	path = bench_path(&b, "d");
	cr_assert_eq(chmod(path, 0700), 0);
	free(path);
	e = digest_of(&b, "d");
	cr_expect_not(stv_digest_equal(&d, &e));
	cr_expect_eq(bld_context_digest(bench_context(&b), "none", &e, &b.err),
		     -1);
	bench_end(&b);
}

/* ---- nothing leaves the directory (D06) ------------------------------------
 */

struct swapper {
	char *dir;
	char *aside;
	char *link;
	volatile bool is_done;
	unsigned n;
};

/* Replace a directory by a link out of the context, and back, for ever. */
static void *
swap_main(void *arg)
{
	struct swapper *s = arg;

	while (!s->is_done) {
		if (rename(s->dir, s->aside) == 0 &&
		    rename(s->link, s->dir) == 0) {
			(void)rename(s->dir, s->link);
			(void)rename(s->aside, s->dir);
			s->n++;
		}
	}
	return NULL;
}

Test(context, a_directory_that_becomes_a_link_leads_nowhere)
{
	struct swapper s = {0};
	pthread_t thread;
	struct bench b;
	char *out;
	size_t n_copied = 0;

	bench_open(&b);
	ctx_file(&b, "d/s/f", "inside", 0644);
	/* Beside the context, not in it. */
	ctx_file(&b, "../outside/f", "canary", 0644);
	out = stv_xasprintf("%s/outside", b.dir);
	s.dir = bench_path(&b, "d/s");
	s.aside = stv_xasprintf("%s/aside", b.dir);
	s.link = stv_xasprintf("%s/link", b.dir);
	cr_assert_eq(symlink(out, s.link), 0);
	free(out);
	cr_assert_eq(pthread_create(&thread, NULL, swap_main, &s), 0);
	for (int i = 0; i < 1000 && b.n_chain < MAX_LAYERS; i++) {
		int rc = copy(&b, "d /c");

		if (rc == 0 && b.result != BLD_COPY_STALE) {
			cr_expect_null(strstr(bench_list(&b), "canary"), "%s",
				       b.text);
			b.n_chain--;
			n_copied++;
		}
	}
	s.is_done = true;
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_gt(n_copied, 0);
	free(s.dir);
	free(s.aside);
	free(s.link);
	bench_end(&b);
}

/* ---- paths -----------------------------------------------------------------
 */

struct path_row {
	const char *in;
	const char *out;
};

Test(source, paths_are_cleaned)
{
	static const struct path_row rows[] = {
		{"", ""},
		{"/", ""},
		{".", ""},
		{"a", "a"},
		{"/a/", "a"},
		{"a//b", "a/b"},
		{"./a/./b/.", "a/b"},
		{"a/../b", "b"},
		{"../a", "a"},
		{"a/../../b", "b"},
		{"a/b/..", "a"},
		{"..", ""},
		{"...", "..."},
		{"a/..b/c", "a/..b/c"},
		{"a/b/../..", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *out = bld_path_clean(rows[i].in);

		cr_expect_str_eq(out, rows[i].out, "'%s'", rows[i].in);
		free(out);
	}
}

struct dest_row {
	const char *workdir;
	const char *dest;
	const char *out;
	bool is_dir;
};

Test(source, a_destination_is_a_directory_where_it_says_so)
{
	static const struct dest_row rows[] = {
		{"/w", "x", "w/x", false},     {"/w", "x/", "w/x", true},
		{"/w", ".", "w", true},	       {"/w", "./", "w", true},
		{"/w", "..", "", true},	       {"/w", "/x", "x", false},
		{"/w", "/", "", true},	       {"/w", "/x/.", "x", true},
		{NULL, "x", "x", false},       {"/a b", "c", "a b/c", false},
		{"/w/", "../up", "up", false}, {"/w", "", "w", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is_dir;
		char *out =
			bld_path_dest(rows[i].workdir, rows[i].dest, &is_dir);

		cr_expect_str_eq(out, rows[i].out, "'%s'", rows[i].dest);
		cr_expect_eq(is_dir, rows[i].is_dir, "'%s'", rows[i].dest);
		free(out);
	}
}
