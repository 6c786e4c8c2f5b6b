/* parser/test/test_ignore.c - tests of parser/ignore.h. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/source.h"
#include "core/strs.h"

#include "parser/ignore.h"

/* The patterns of a text; asserted to be good. */
static struct df_ignore *
patterns_of(struct stv_sources *sources, const char *text)
{
	struct df_ignore *ig = NULL;
	struct stv_err *err = NULL;
	uint32_t no;

	cr_assert_eq(stv_sources_add(sources, ".dockerignore", text,
				     strlen(text), &no, &err),
		     0);
	cr_assert_eq(df_ignore_parse(sources, no, &ig, &err), 0, "%s: %s", text,
		     err != NULL ? stv_err_msg(err) : "");
	return ig;
}

struct match_case {
	char text[48];
	char path[32];
	bool want;
};

ParameterizedTestParameters(ignore, paths_match_as_recorded)
{
	static struct match_case cases[] = {
		{"a.txt", "a.txt", true},
		{"a.txt", "d/a.txt", false},
		{"d", "d/k/a.txt", true},
		{"d/", "d", true},
		{"/d/k", "d/k/x", true},
		{"./d//k/", "d/k", true},
		{"d/../e", "e/x", true},
		{"../e", "e", false},
		{"*.txt", "a.txt", true},
		{"*.txt", "d/a.txt", false},
		{"*/a.txt", "d/a.txt", true},
		{"*/a.txt", "d/k/a.txt", false},
		{"**/a.txt", "a.txt", true},
		{"**/a.txt", "d/k/a.txt", true},
		{"**/a.txt", "d/ka.txt", false},
		{"**a.txt", "d/ka.txt", true},
		{"**k*", "d/ak", false},
		{"**", "a/b", true},
		{"**/**", "a", true},
		{"d/**", "d", false},
		{"d/**", "d/x/y", true},
		{"d**", "dx/y", true},
		{"d/**/a.txt", "d/a.txt", true},
		{"d/**/a.txt", "d/k/l/a.txt", true},
		{"a?txt", "a.txt", true},
		{"a?b", "a/b", false},
		{"?", "\xc3\xa9", true},
		{"[ab].txt", "b.txt", true},
		{"[^ab].txt", "c.txt", true},
		{"[!ab].txt", "!.txt", true},
		{"[!ab].txt", "c.txt", false},
		{"a[^x]b", "a/b", true},
		{"[a-c]", "b", true},
		{"[\\]]", "]", true},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"\\!x", "!x", true},
		{"(x)", "(x)", true},
		{"a+b", "aab", false},
		{"a.b", "axb", false},
		{"A.txt", "a.txt", false},
		{".", "a", false},
		{"", "a", false},
		{"# a", "# a", false},
		{" # a", "# a", true},
		{"  a  ", "a", true},
		{"\xef\xbb\xbf"
		 "a",
		 "a", true},
		{"\xef\xbb\xbf# a", "# a", false},
		{"a\r\nb\r\n", "a", true},
		{"d\n!d/k", "d/a", true},
		{"d\n!d/k", "d/k/x", false},
		{"*\n!a", "a", false},
		{"!a\n*", "a", true},
		{"! a\n", "a", false},
		{"*\n! a", "a", false},
		{"*\n!**/*.md\nd/x.md", "d/y.md", false},
		{"*\n!**/*.md\nd/x.md", "d/x.md", true},
		/* A pattern that was not looked at does not hold below. */
		{"d/f\n!d", "d/f", true},
		{"d\n!d", "d/f", false},
	};

	return cr_make_param_array(struct match_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct match_case *c, ignore, paths_match_as_recorded)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	stv_auto(df_ignore) *ig = patterns_of(sources, c->text);

	cr_expect_eq(df_ignore_match(ig, c->path, false, NULL), c->want,
		     "'%s' and '%s'", c->text, c->path);
}

struct bad_case {
	char text[16];
	uint32_t begin;
};

ParameterizedTestParameters(ignore, bad_patterns_are_placed)
{
	static struct bad_case cases[] = {
		{"!", 0},      {"a\n ! ", 3}, {"a\n[", 2},  {"[]a]", 0},
		{"[a-]", 0},   {"[-a]", 0},   {"[a", 0},    {"a\\", 0},
		{"b\n!a[", 2}, {"[\\", 0},    {"[a-\\", 0}, {"[^]", 0},
	};

	return cr_make_param_array(struct bad_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct bad_case *c, ignore, bad_patterns_are_placed)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	struct df_ignore *ig = NULL;
	struct stv_err *err = NULL;
	uint32_t no;

	cr_assert_eq(stv_sources_add(sources, "x", c->text, strlen(c->text),
				     &no, &err),
		     0);
	cr_assert_eq(df_ignore_parse(sources, no, &ig, &err), -1, "%s",
		     c->text);
	cr_expect_null(ig);
	cr_expect_eq(stv_err_code(err), STV_E_SYNTAX);
	cr_expect_eq(stv_err_span(err).file, no);
	cr_expect_eq(stv_err_span(err).begin, c->begin);
	stv_err_free(err);
}

Test(ignore, the_pattern_that_decided_is_named)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	stv_auto(df_ignore) *ig =
		patterns_of(sources, "# x\n*.o\n\n  !keep.o \nd\n");
	struct df_ignore_hit hit;

	cr_expect(df_ignore_match(ig, "a.o", false, &hit));
	cr_expect_eq(hit.line, 2);
	cr_expect_str_eq(hit.pattern, "*.o");
	cr_expect_not(df_ignore_match(ig, "keep.o", false, &hit));
	cr_expect_eq(hit.line, 4);
	cr_expect_str_eq(hit.pattern, "!keep.o");
	cr_expect_eq(hit.span.begin, 11);
	cr_expect_eq(hit.span.end, 18);
	cr_expect(df_ignore_match(ig, "d/x", false, &hit));
	cr_expect_eq(hit.line, 5);
	cr_expect_not(df_ignore_match(ig, "x", false, &hit));
	cr_expect_eq(hit.line, 0);
	cr_expect_null(hit.pattern);
}

Test(ignore, nothing_is_left_out_without_patterns)
{
	struct df_ignore_hit hit = {.line = 7};

	cr_expect_not(df_ignore_match(NULL, "a", false, &hit));
	cr_expect_eq(hit.line, 0);
	cr_expect_not(df_ignore_may_contain(NULL, "a"));
	cr_expect_eq(df_ignore_count(NULL), 0);
}

struct below_case {
	char text[32];
	char dir[16];
	bool want;
};

ParameterizedTestParameters(ignore, only_hopeful_directories_are_walked)
{
	static struct below_case cases[] = {
		{"d", "d", false},	   {"d\n!e", "d", false},
		{"d\n!d/k", "d", true},	   {"d\n!d/k", "d/k", false},
		{"d\n!d/k", "d/j", false}, {"d\n!d/k/l", "d/k", true},
		{"*\n!**/a", "x/y", true}, {"*\n!*/a", "x", true},
		{"*\n!*/a", "x/y", false}, {"*\n!d*/a", "x", false},
		{"*\n!x", "xy", false},	   {"*\n!d/**", "d", true},
	};

	return cr_make_param_array(struct below_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct below_case *c, ignore,
		  only_hopeful_directories_are_walked)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	stv_auto(df_ignore) *ig = patterns_of(sources, c->text);

	cr_expect_eq(df_ignore_may_contain(ig, c->dir), c->want,
		     "'%s' and '%s'", c->text, c->dir);
}

Test(ignore, a_walk_gives_the_same_answers)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	stv_auto(df_ignore) *ig =
		patterns_of(sources, "d\n!d/k\nd/k/x\n**/z\n");
	stv_auto(df_ignore_dir) *root = df_ignore_root(ig), *d = NULL,
				*k = NULL;
	struct df_ignore_hit hit;
	bool is_ignored;

	d = df_ignore_enter(root, "d", &hit, &is_ignored);
	cr_expect(is_ignored);
	cr_expect_eq(hit.line, 1);
	k = df_ignore_enter(d, "d/k", NULL, &is_ignored);
	cr_expect_not(is_ignored);
	cr_expect(df_ignore_match_in(d, "d/a", NULL));
	cr_expect_not(df_ignore_match_in(k, "d/k/a", NULL));
	cr_expect(df_ignore_match_in(k, "d/k/x", &hit));
	cr_expect_eq(hit.line, 3);
	cr_expect(df_ignore_match_in(k, "d/k/z", NULL));
	cr_expect_not(df_ignore_match_in(root, "e", NULL));
}

Test(ignore, a_list_of_patterns_counts_its_positions)
{
	struct stv_strs list = {0};
	struct stv_err *err = NULL;
	struct df_ignore_hit hit;
	struct df_ignore *ig = NULL;

	stv_strs_add(&list, "a");
	stv_strs_add(&list, "");
	stv_strs_add(&list, "# b");
	cr_assert_eq(df_ignore_from_patterns(&list, &ig, &err), 0);
	cr_expect(df_ignore_match(ig, "# b", false, &hit));
	cr_expect_eq(hit.line, 3);
	cr_expect_eq(hit.span.file, 0);
	df_ignore_free(ig);
	stv_strs_add(&list, "[");
	cr_expect_eq(df_ignore_from_patterns(&list, &ig, &err), -1);
	stv_err_free(err);
	stv_strs_clear(&list);
}

Test(ignore, in_a_list_a_leading_slash_stays)
{
	struct stv_strs list = {0};
	struct stv_err *err = NULL;
	struct df_ignore *ig = NULL;

	stv_strs_add(&list, "/a");
	stv_strs_add(&list, "./b");
	cr_assert_eq(df_ignore_from_patterns(&list, &ig, &err), 0);
	cr_expect_not(df_ignore_match(ig, "a", false, NULL));
	cr_expect(df_ignore_match(ig, "b", false, NULL));
	df_ignore_free(ig);
	stv_strs_clear(&list);
}

Test(ignore, what_a_list_wants_may_lie_below)
{
	static const struct {
		char pattern[16];
		char dir[16];
		bool may;
	} rows[] = {
		{"a/b/c", "a", true},	   {"a/b/c", "a/b", true},
		{"a/b/c", "a/c", false},   {"a/b/c", "a/b/c", false},
		{"a/*/c", "a/x", true},	   {"a/*/c", "b", false},
		{"**/c", "x/y/z", true},   {"!a/b", "a", false},
		{"a/b?/**", "a/bc", true}, {"a/b?/**", "a/b", false},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(rows); i++) {
		struct stv_strs list = {0};
		struct stv_err *err = NULL;
		struct df_ignore *ig = NULL;

		stv_strs_add(&list, rows[i].pattern);
		cr_assert_eq(df_ignore_from_patterns(&list, &ig, &err), 0);
		cr_expect_eq(df_ignore_may_match_below(ig, rows[i].dir),
			     rows[i].may, "%s, %s", rows[i].pattern,
			     rows[i].dir);
		df_ignore_free(ig);
		stv_strs_clear(&list);
	}
	cr_expect_not(df_ignore_may_match_below(NULL, "a"));
}

struct glob_case {
	char pattern[24];
	char name[16];
	int want;
};

ParameterizedTestParameters(ignore, globs_match_as_in_go)
{
	/* From the table of Go's path/filepath. */
	static struct glob_case cases[] = {
		{"abc", "abc", 1},
		{"*", "abc", 1},
		{"*c", "abc", 1},
		{"a*", "a", 1},
		{"a*", "abc", 1},
		{"a*", "ab/c", 0},
		{"a*/b", "abc/b", 1},
		{"a*/b", "a/c/b", 0},
		{"a*b*c*d*e*/f", "axbxcxdxe/f", 1},
		{"a*b*c*d*e*/f", "axbxcxdxexxx/f", 1},
		{"a*b*c*d*e*/f", "axbxcxdxe/xx/f", 0},
		{"a*b?c*x", "abxbbxdbxebxczx", 1},
		{"a*b?c*x", "abxbbxdbxebxczy", 0},
		{"ab[c]", "abc", 1},
		{"ab[b-d]", "abc", 1},
		{"ab[e-g]", "abc", 0},
		{"ab[^c]", "abc", 0},
		{"ab[^b-d]", "abc", 0},
		{"ab[^e-g]", "abc", 1},
		{"a\\*b", "a*b", 1},
		{"a\\*b", "ab", 0},
		{"a?b",
		 "a\xc3\xa9"
		 "b",
		 1},
		{"a[^a]b",
		 "a\xc3\xa9"
		 "b",
		 1},
		{"a???b",
		 "a\xc3\xa9"
		 "b",
		 0},
		{"[a-\xce\xb6]*", "\xce\xb1", 1},
		{"*[a-\xce\xb6]", "A", 0},
		{"a?b", "a/b", 0},
		{"a*b", "a/b", 0},
		{"[\\]a]", "]", 1},
		{"[\\-]", "-", 1},
		{"[x\\-]", "x", 1},
		{"[x\\-]", "-", 1},
		{"[x\\-]", "z", 0},
		{"[\\-x]", "a", 0},
		{"[]a]", "]", -1},
		{"[-]", "-", -1},
		{"[x-]", "x", -1},
		{"[-x]", "x", -1},
		{"\\", "a", -1},
		{"[a-b-c]", "a", -1},
		{"[", "a", -1},
		{"[^", "a", -1},
		{"[^bc", "a", -1},
		{"a[", "a", -1},
		{"a[", "ab", -1},
		{"a[", "x", -1},
		{"a/b[", "x", -1},
		{"*x", "xxx", 1},
		{"**", "a/b", 0},
		{"", "", 1},
	};

	return cr_make_param_array(struct glob_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct glob_case *c, ignore, globs_match_as_in_go)
{
	struct stv_err *err = NULL;

	cr_expect_eq(df_glob_match(c->pattern, c->name), c->want,
		     "'%s' and '%s'", c->pattern, c->name);
	cr_expect_eq(df_glob_check(c->pattern, &err), c->want < 0 ? -1 : 0);
	stv_err_free(err);
}

Test(ignore, a_single_pattern_knows_two_stars)
{
	cr_expect_eq(df_pattern_match("**/x", "a/b/x"), 1);
	cr_expect_eq(df_pattern_match("a/**", "a/b/x"), 1);
	cr_expect_eq(df_pattern_match("a", "a/b"), 0, "no parents here");
	cr_expect_eq(df_pattern_match("[", "a"), -1);
	cr_expect(df_glob_has_meta("a*"));
	cr_expect(df_glob_has_meta("a\\b"));
	cr_expect_not(df_glob_has_meta("a]b"));
}

/* ${unit} again and again, ${n} bytes, and ${end}. */
static char *
repeat(const char *unit, size_t n, const char *end)
{
	struct stv_buf b = STV_BUF_INIT(STV_MAX_SOURCE);

	while (b.len < n)
		stv_buf_adds(&b, unit);
	stv_buf_adds(&b, end);
	return stv_buf_take(&b);
}

Test(ignore, hostile_patterns_take_no_time, .timeout = 20)
{
	stv_auto_free char *stars = repeat("a*", 65536, "b");
	stv_auto_free char *short_stars = repeat("a*", 2000, "b");
	stv_auto_free char *deep = repeat("**/a/", 2000, "b");
	stv_auto_free char *as = repeat("a", 2000, "");
	stv_auto_free char *slashes = repeat("a/", 2000, "a");

	cr_expect_eq(df_pattern_match(stars, as), 0);
	cr_expect_eq(df_pattern_match(short_stars, as), 0);
	cr_expect_eq(df_pattern_match(deep, slashes), 0);
	cr_expect_eq(df_glob_match(short_stars, as), 0);
}
