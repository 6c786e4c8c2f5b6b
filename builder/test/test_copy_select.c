/* builder/test/test_copy_select.c - --parents and --exclude: what is taken. */
#include "builder/test/copy_bench.h"
#include "core/limits.h"

static void
open_tree(struct bench *b)
{
	bench_open(b);
	ctx_file(b, "a/b/c/f.txt", "f", 0644);
	ctx_file(b, "a/b/g.md", "g", 0644);
	ctx_file(b, "a/h.txt", "h", 0644);
	ctx_file(b, "d/i.txt", "i", 0644);
	ctx_link(b, "l", "a/b");
}

static void
exclude(struct bench *b, const char *pattern)
{
	stv_strs_clear(&b->spec.excludes);
	stv_strs_add(&b->spec.excludes, pattern);
}

static void
end_tree(struct bench *b)
{
	stv_strs_clear(&b->spec.excludes);
	bench_end(b);
}

/* COPY --parents of a path or pattern, and the files it takes. */
struct row {
	char src[32];
	char want[240];
};

static const struct row rows[] = {
	{"a/b/g.md", "o/a/b/g.md"},
	{"/a/b/g.md", "o/a/b/g.md"},
	{"a/./b/g.md", "o/b/g.md"},
	{"a/b/./../h.txt", ""},
	{"**/*.txt", "o/a/b/c/f.txt o/a/h.txt o/d/i.txt"},
	{"a/**/*.txt", "o/a/b/c/f.txt o/a/h.txt"},
	{"*/*.txt", "o/a/h.txt o/d/i.txt"},
	{"a/./**", "o/b/c/f.txt o/b/g.md o/h.txt"},
	{"l/./c", "o/c/f.txt"},
	{"l/c", ""},
	{"l", "o/l"},
	{"*/./*.txt", "o/h.txt o/i.txt"},
	{".", "o/a/b/c/f.txt o/a/b/g.md o/a/h.txt o/d/i.txt o/l"},
	{"x*", ""},
	{"a/b", "o/a/b/c/f.txt o/a/b/g.md"},
};

/* The names of the topmost layer that are no directories. */
static void
files_of(struct bench *b, struct stv_buf *ret)
{
	struct lay_toc *t = NULL;

	stv_buf_truncate(ret, 0);
	ok(lay_toc_open(b->store, &b->chain[b->n_chain - 1], &t, &b->err),
	   b->err);
	for (size_t i = 0; i < lay_toc_len(t); i++) {
		struct lay_entry e;

		lay_toc_get(t, i, &e);
		if (e.type != LAY_DIR)
			stv_buf_addf(ret, "%s%s", ret->len > 0 ? " " : "",
				     e.path);
	}
	lay_toc_close(t);
}

Test(parents, the_names_on_the_way_stay)
{
	stv_auto_buf got = STV_BUF_INIT(4096);
	struct bench b;

	open_tree(&b);
	b.spec.is_parents = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stv_auto_free char *words = stv_xasprintf("%s /o", rows[i].src);

		b.n_chain = 0;
		if (strcmp(rows[i].src, "a/b/./../h.txt") == 0) {
			/* ".." stays below what the pivot names. */
			cr_expect_eq(copy(&b, words), -1);
			cr_expect_eq(stv_err_code(b.err), STV_E_INPUT);
			continue;
		}
		ok(copy(&b, words), b.err);
		files_of(&b, &got);
		cr_expect_str_eq(stv_buf_str(&got), rows[i].want, "%s: %s",
				 rows[i].src, stv_buf_str(&got));
	}
	end_tree(&b);
}

Test(parents, nothing_outside_the_context_can_be_meant)
{
	static const char *const bad[] = {
		"../../../etc/hostname /o/", "out/./etc/hostname /o/",
		"out/etc/hostname /o/", "/../etc/hostname /o/",
		"a/./../../etc/hostname /o/"};
	struct bench b;

	open_tree(&b);
	ctx_link(&b, "out", "../../../../../../../../");
	b.spec.is_parents = true;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(copy(&b, bad[i]), -1, "%s", bad[i]);
		cr_expect_eq(stv_err_code(b.err), STV_E_INPUT);
		cr_expect_not_null(
			strstr(stv_err_msg(b.err), "etc/hostname\": not"));
	}
	end_tree(&b);
}

Test(parents, a_directory_on_the_way_brings_its_attributes)
{
	struct bench b;
	char *path;

	open_tree(&b);
	path = bench_path(&b, "a/b");
	cr_assert_eq(chmod(path, 01750), 0);
	free(path);
	ctx_mtime(&b, "a", 1000);
	b.spec.is_parents = true;
	b.spec.has_chown = true;
	b.spec.uid = 5;
	ok(copy(&b, "a/b/g.md /o/"), b.err);
	cr_expect_str_eq(bench_list(&b), "d 0755 5:0 o\nd 0755 5:0 o/a\n"
					 "d 1750 5:0 o/a/b\n"
					 "f 0644 5:0 o/a/b/g.md 'g'\n");
	/* Names were made in it. */
	cr_expect_eq(bench_mtime(&b, "o/a"), NOW);
	end_tree(&b);
}

Test(parents, the_key_tells_a_way_from_a_choice)
{
	struct stv_digest passed;
	struct bench b;

	open_tree(&b);
	b.spec.is_parents = true;
	ok(copy(&b, "d/*.txt /o/"), b.err);
	passed = b.key;
	ok(copy(&b, "d /o/"), b.err);
	cr_expect_not(stv_digest_equal(&b.key, &passed));
	end_tree(&b);
}

Test(exclude, what_it_leaves_out_is_not_in_the_key)
{
	struct stv_digest old;
	struct bench b;

	open_tree(&b);
	exclude(&b, "b");
	ok(copy(&b, "a /o/"), b.err);
	old = b.key;
	ctx_file(&b, "a/b/g.md", "changed", 0644);
	ctx_file(&b, "a/b/new", "new", 0644);
	ok(copy(&b, "a /o/"), b.err);
	cr_expect(stv_digest_equal(&b.key, &old));
	ctx_file(&b, "a/h.txt", "changed", 0644);
	ok(copy(&b, "a /o/"), b.err);
	cr_expect_not(stv_digest_equal(&b.key, &old));
	end_tree(&b);
}

/* D08: a pattern of 64 KiB that nearly matches costs milliseconds. */
Test(exclude, a_pattern_of_64_kib_is_matched_in_time, .timeout = 20)
{
	stv_auto_buf pattern = STV_BUF_INIT(65536);
	struct bench b;
	char name[251];

	open_tree(&b);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ctx_file(&b, name, "n", 0644);
	while (pattern.len < 65530)
		stv_buf_adds(&pattern, "a*");
	stv_buf_addc(&pattern, 'b');
	exclude(&b, stv_buf_str(&pattern));
	ok(copy(&b, ". /o/"), b.err);
	cr_expect_not_null(strstr(bench_list(&b), "aaaa"));
	stv_buf_truncate(&pattern, 0);
	while (pattern.len < 65520)
		stv_buf_adds(&pattern, "**/a*/");
	b.spec.is_parents = true;
	stv_strs_clear(&b.spec.excludes);
	stv_strs_clear(&b.spec.srcs);
	stv_strs_add(&b.spec.srcs, stv_buf_str(&pattern));
	b.spec.dest = "/o/";
	b.spec.context = bench_context(&b);
	ok(bench_run(&b, NULL), b.err);
	cr_expect_str_eq(bench_list(&b), "");
	end_tree(&b);
}

Test(exclude, many_patterns_are_asked_in_time, .timeout = 20)
{
	struct bench b;

	open_tree(&b);
	for (int i = 0; i < 5000; i++) {
		stv_auto_free char *p = stv_xasprintf("**/no%d*/x", i);

		stv_strs_add(&b.spec.excludes, p);
	}
	ok(copy(&b, ". /o/"), b.err);
	cr_expect_not_null(strstr(bench_list(&b), "o/a/b/c/f.txt"));
	end_tree(&b);
}

Test(parents, a_tree_that_is_too_deep_is_an_error)
{
	struct bench b;
	int fd;

	open_tree(&b);
	fd = open(b.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	for (int i = 0; i <= STV_MAX_TAR_DEPTH + 1; i++) {
		int next;

		cr_assert_eq(mkdirat(fd, i == 0 ? "ctx/deep" : "d", 0755), 0);
		next = openat(fd, i == 0 ? "ctx/deep" : "d",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert_geq(next, 0);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	b.spec.is_parents = true;
	cr_expect_eq(copy(&b, "**/x /o/"), -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_LIMIT);
	/* What no pattern wants is not walked. */
	ok(copy(&b, "a/h.txt /o/"), b.err);
	b.spec.is_parents = false;
	exclude(&b, "deep");
	ok(copy(&b, ". /p/"), b.err);
	cr_expect_null(strstr(bench_list(&b), "deep"));
	end_tree(&b);
}
