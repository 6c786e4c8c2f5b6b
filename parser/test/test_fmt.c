/*
 * parser/test/test_fmt.c - tests of parser/fmt.h.
 *
 * testdata/dockerfiles/fmt/NAME holds a Dockerfile and what becomes of it;
 * STAVE_ACCEPT=1 rewrites the expectations.  What must hold for every file is
 * held against all Dockerfiles that there are below testdata.
 */
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/fmt.h"
#include "parser/parse.h"

static struct df_file *
parse(struct stv_sources *sources, const char *text, size_t len)
{
	struct stv_diags diags = {0};
	struct stv_err *err = NULL;
	struct df_file *f = NULL;
	uint32_t no;

	cr_assert_eq(
		stv_sources_add(sources, "Dockerfile", text, len, &no, &err),
		0);
	(void)df_parse(sources, no, &f, &diags, &err);
	stv_diags_fini(&diags);
	stv_err_free(err);
	return f;
}

/* Format a text into ${ret}; false where it is no Dockerfile. */
static bool
format(const char *name, const char *text, size_t len, struct stv_buf *ret)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	stv_auto(df_file) *f = parse(sources, text, len);
	struct stv_err *err = NULL;

	if (f == NULL)
		return false;
	if (df_fmt(sources, f, ret, &err) < 0)
		cr_expect(false, "%s: %s", name, stv_err_msg(err));
	stv_err_free(err);
	return true;
}

static void
read_file(const char *path, struct stv_buf *ret)
{
	struct stv_err *err = NULL;

	cr_assert_eq(
		stv_fsat_read_file(AT_FDCWD, path, STV_MAX_SOURCE, ret, &err),
		0, "%s", path);
}

/* What must hold for any file that can be parsed. */
static bool
check_properties(const char *path)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto_buf once = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto_buf twice = STV_BUF_INIT(STV_MAX_SOURCE);

	read_file(path, &text);
	/* That the tree is the same is looked at in df_fmt(). */
	if (!format(path, stv_buf_str(&text), text.len, &once))
		return false;
	cr_expect(format(path, stv_buf_str(&once), once.len, &twice), "%s",
		  path);
	cr_expect_str_eq(stv_buf_str(&twice), stv_buf_str(&once), "%s", path);
	return true;
}

static size_t
check_glob(const char *pattern)
{
	glob_t found;
	size_t n = 0;

	cr_assert_eq(glob(pattern, 0, NULL, &found), 0, "%s", pattern);
	for (size_t i = 0; i < found.gl_pathc; i++)
		n += check_properties(found.gl_pathv[i]);
	globfree(&found);
	return n;
}

Test(fmt, all_dockerfiles_keep_their_trees_and_are_formatted_once)
{
	cr_expect_gt(check_glob("testdata/dockerfiles/ok/*/Dockerfile"), 40);
	cr_expect_gt(check_glob("testdata/e2e/*/*/Dockerfile"), 100);
	cr_expect_gt(check_glob("testdata/dockerfiles/fmt/*/Dockerfile"), 10);
}

/* The expected text is there already when it is formatted. */
static void
check_case(const char *name)
{
	stv_auto_free char *from =
		stv_xasprintf("testdata/dockerfiles/fmt/%s/Dockerfile", name);
	stv_auto_free char *to =
		stv_xasprintf("testdata/dockerfiles/fmt/%s/expected", name);
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto_buf got = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto_buf want = STV_BUF_INIT(STV_MAX_SOURCE);
	struct stv_err *err = NULL;

	read_file(from, &text);
	cr_expect(format(from, stv_buf_str(&text), text.len, &got), "%s", from);
	if (getenv("STAVE_ACCEPT") != NULL) {
		cr_assert_eq(stv_fsat_replace(AT_FDCWD, to, stv_buf_str(&got),
					      got.len, 0644, false, &err),
			     0);
		return;
	}
	read_file(to, &want);
	cr_expect_str_eq(stv_buf_str(&got), stv_buf_str(&want), "%s", name);
}

Test(fmt, files_get_the_expected_form)
{
	struct dirent **names;
	int n = scandir("testdata/dockerfiles/fmt", &names, NULL, alphasort);

	cr_assert_gt(n, 10);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.')
			check_case(names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

/* Do these texts say the same? */
static bool
same(const char *a, const char *b)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	stv_auto(df_file) *x = parse(sources, a, strlen(a));
	stv_auto(df_file) *y = parse(sources, b, strlen(b));

	cr_assert(x != NULL && y != NULL, "%s / %s", a, b);
	return df_same(x, y);
}

Test(fmt, what_a_file_says_is_compared_in_every_part)
{
	static const char *const different[][2] = {
		{"FROM a\n", "FROM b\n"},
		{"FROM a\n", "FROM a\nRUN x\n"},
		{"FROM a AS x\n", "FROM a AS X\n"},
		{"FROM a\nCMD [\"x\"]\n", "FROM a\nCMD x\n"},
		{"FROM a\nRUN x\n", "FROM a\nCMD x\n"},
		{"FROM a\nENV a b\n", "FROM a\nENV a=b\n"},
		{"FROM a\nCOPY --link a b\n", "FROM a\nCOPY --link=true a b\n"},
		{"FROM a\nCOPY --from=a a b\n", "FROM a\nCOPY --from=b a b\n"},
		{"FROM a\nRUN <<E\na\nE\n", "FROM a\nRUN <<E\nb\nE\n"},
		{"FROM a\nRUN <<E\na\nE\n", "FROM a\nRUN <<-E\na\nE\n"},
		{"FROM a\nRUN <<E\na\nE\n", "FROM a\nRUN <<'E'\na\nE\n"},
		{"FROM a\nONBUILD RUN x\n", "FROM a\nONBUILD RUN  x\n"},
		{"# escape=`\nFROM a\n", "FROM a\n"},
		{"# syntax=x\nFROM a\n", "# syntax=y\nFROM a\n"},
		{"# check=skip=all\nFROM a\n", "\n# check=skip=all\nFROM a\n"},
		{"# x\nFROM a\n", "FROM a\n"},
		{"FROM a\n# x\n# y\n", "FROM a\n# y\n# x\n"},
		{"FROM a\nRUN \\\n# x\nb\n", "FROM a\nRUN \\\n# x \nb\n"},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(different); i++)
		cr_expect_not(same(different[i][0], different[i][1]), "%s / %s",
			      different[i][0], different[i][1]);
	cr_expect(same("from a as x\nhealthcheck cmd y\n",
		       "FROM  a AS x\n\nHEALTHCHECK CMD y"));
}

Test(fmt, a_line_that_would_become_too_long_is_refused)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto_buf out = STV_BUF_INIT(STV_MAX_SOURCE);
	stv_auto(df_file) *f = NULL;
	struct stv_err *err = NULL;

	stv_buf_adds(&text, "FROM a\nCMD [\"x\"");
	for (int i = 0; i < 16000; i++)
		stv_buf_adds(&text, ",\"x\"");
	stv_buf_adds(&text, "]\n");
	f = parse(sources, stv_buf_str(&text), text.len);
	cr_assert_not_null(f);
	cr_expect_eq(df_fmt(sources, f, &out, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	cr_expect_not_null(strstr(stv_err_msg(err), "line 2"));
	stv_err_free(err);
}
