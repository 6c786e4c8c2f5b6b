/* core/test/test_diag.c - what an error looks like. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/source.h"

#include "core/diag.h"

/* A table with one file; its number is 1. */
static struct stv_sources *
sources(const char *text)
{
	struct stv_sources *s = stv_sources_new();
	struct stv_err *err = NULL;
	uint32_t file = 0;

	cr_assert_eq(stv_sources_add(s, "Dockerfile", text, strlen(text), &file,
				     &err),
		     0);
	return s;
}

/* The span of the first occurrence of ${word}. */
static struct stv_span
at(const struct stv_sources *s, const char *word)
{
	const struct stv_source *src = stv_sources_get(s, 1);
	const char *p = strstr(src->text, word);

	cr_assert_not_null(p);
	return (struct stv_span){(uint32_t)(p - src->text),
				 (uint32_t)(p - src->text + strlen(word)), 1};
}

/* Render one error finding at ${word} of ${text}, without its first line. */
static void
expect_excerpt(const char *text, const char *word, const char *want)
{
	stv_auto(stv_sources) *s = sources(text);
	stv_auto_buf b = STV_BUF_INIT(10000);
	struct stv_diags d = {0};
	const char *nl;

	stv_diag_render(stv_diags_add(&d, STV_SEV_ERROR, at(s, word), "m"), s,
			false, &b);
	nl = strchr(stv_buf_str(&b), '\n');
	cr_assert_not_null(nl);
	cr_expect_str_eq(nl + 1, want);
	stv_diags_fini(&d);
}

Test(diag, an_error_as_in_the_book)
{
	stv_auto(stv_sources) *s = sources("FROM a\n\nCOPY --from=build app\n");
	stv_auto_buf b = STV_BUF_INIT(10000);
	struct stv_err *err = NULL;

	stv_fail(&err, STV_E_CHECK, "COPY needs a destination");
	stv_err_at(err, at(s, "app"));
	stv_err_hint(err, "The last word is the destination.");
	stv_wrap(&err, "planning stage 'final'");
	stv_wrap(&err, "building");
	stv_err_render(err, s, false, &b);
	cr_expect_str_eq(stv_buf_str(&b),
			 "Dockerfile:3:19: error: COPY needs a destination\n"
			 "    3 | COPY --from=build app\n"
			 "      |                   ^~~\n"
			 "  hint: The last word is the destination.\n"
			 "  while: planning stage 'final'\n"
			 "  while: building\n");
	stv_err_free(err);
}

Test(diag, an_error_without_place)
{
	stv_auto_buf b = STV_BUF_INIT(1000);
	struct stv_err *err = NULL;

	stv_fail(&err, STV_E_IO, "cannot open '\033[2J'");
	stv_err_render(err, NULL, false, &b);
	cr_expect_str_eq(stv_buf_str(&b), "error: cannot open '\\x1b[2J'\n");
	stv_err_free(err);
}

Test(diag, tabs_are_repeated_under_the_line)
{
	expect_excerpt("\tRUN\tfoo bar\n", "bar",
		       "    1 | \tRUN\tfoo bar\n"
		       "      | \t   \t    ^~~\n");
}

Test(diag, wide_text_counts_by_code_point)
{
	expect_excerpt("RUN \xc3\xa4\xc3\xb6 x", "x",
		       "    1 | RUN \xc3\xa4\xc3\xb6 x\n"
		       "      |        ^\n");
}

Test(diag, marks_stand_under_escaped_bytes)
{
	expect_excerpt("a\033b c", "c",
		       "    1 | a\\x1bb c\n"
		       "      |        ^\n");
	expect_excerpt("a \033\033", "\033\033",
		       "    1 | a \\x1b\\x1b\n"
		       "      |   ^~~~~~~~\n");
}

Test(diag, several_lines_are_marked_on_the_first)
{
	expect_excerpt("RUN a \\\n  b\n", "a \\\n  b",
		       "    1 | RUN a \\\n"
		       "      |     ^~~\n");
}

Test(diag, the_end_of_a_file_can_be_marked)
{
	stv_auto(stv_sources) *s = sources("FROM a\n");
	stv_auto_buf b = STV_BUF_INIT(1000);
	struct stv_diags d = {0};

	stv_diag_render(stv_diags_add(&d, STV_SEV_ERROR,
				      (struct stv_span){7, 7, 1}, "m"),
			s, false, &b);
	cr_expect_str_eq(stv_buf_str(&b), "Dockerfile:1:8: error: m\n"
					  "    1 | FROM a\n"
					  "      |       ^\n");
	stv_diags_fini(&d);
}

Test(diag, a_long_line_is_cut_around_the_place)
{
	char text[2001];
	stv_auto(stv_sources) *s = NULL;
	stv_auto_buf b = STV_BUF_INIT(10000);
	struct stv_diags d = {0};
	const char *mark, *line;

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + 1000, "HERE", 4);
	text[2000] = '\0';
	s = sources(text);
	stv_diag_render(stv_diags_add(&d, STV_SEV_ERROR, at(s, "HERE"), "m"), s,
			false, &b);
	cr_expect_lt(b.len, 600);
	line = strstr(stv_buf_str(&b), "HERE");
	mark = strchr(stv_buf_str(&b), '^');
	cr_assert_not_null(line);
	cr_assert_not_null(mark);
	while (line[-1] != '\n')
		line--;
	while (mark[-1] != '\n')
		mark--;
	cr_expect_eq(strstr(line, "HERE") - line, strchr(mark, '^') - mark);
	stv_diags_fini(&d);
}

Test(diag, related_places_and_rules)
{
	stv_auto(stv_sources) *s = sources("FROM a AS x\nFROM b AS x\n");
	stv_auto_buf b = STV_BUF_INIT(1000);
	struct stv_diags d = {0};
	struct stv_diag *f = stv_diags_add(
		&d, STV_SEV_WARNING, (struct stv_span){22, 23, 1}, "twice");

	f->rule = "DuplicateStageName";
	stv_diag_related(f, at(s, "x"), "first defined here");
	stv_diag_hint(f, "Rename %s.", "one");
	stv_diag_hint(f, "Rename it.");
	stv_diag_render(f, s, false, &b);
	cr_expect_str_eq(stv_buf_str(&b),
			 "Dockerfile:2:11: warning: DuplicateStageName: twice\n"
			 "    2 | FROM b AS x\n"
			 "      |           ^\n"
			 "Dockerfile:1:11: note: first defined here\n"
			 "    1 | FROM a AS x\n"
			 "      |           ~\n"
			 "  hint: Rename it.\n");
	stv_diag_related(f, at(s, "x"), "b");
	stv_diag_related(f, at(s, "x"), "a third is dropped");
	cr_expect_eq(f->n_related, 2);
	stv_diags_fini(&d);
}

Test(diag, colors_only_where_wanted)
{
	stv_auto(stv_sources) *s = sources("FROM a\n");
	stv_auto_buf b = STV_BUF_INIT(1000);
	struct stv_diags d = {0};
	struct stv_diag *f = stv_diags_add(&d, STV_SEV_ERROR, at(s, "a"), "m");

	stv_diag_render(f, s, true, &b);
	cr_expect_not_null(strstr(stv_buf_str(&b), "\033[1;31merror\033[0m"));
	stv_buf_truncate(&b, 0);
	stv_diag_render(f, s, false, &b);
	cr_expect_null(strchr(stv_buf_str(&b), '\033'));
	stv_diags_fini(&d);
}

Test(diag, messages_of_several_lines_are_indented)
{
	stv_auto_buf b = STV_BUF_INIT(1000);
	struct stv_err *err = NULL;

	stv_fail(&err, STV_E_STEP_FAILED, "it said:\nno\n");
	stv_err_render(err, NULL, false, &b);
	cr_expect_str_eq(stv_buf_str(&b), "error: it said:\n    no\n");
	stv_err_free(err);
}

Test(diag, what_does_not_fit_is_counted)
{
	struct stv_span none = {0};
	struct stv_diags d = {0};

	for (int i = 0; i < STV_MAX_DIAGS + 5; i++) {
		struct stv_diag *f =
			stv_diags_add(&d, STV_SEV_ERROR, none, "%d", i);

		stv_diag_hint(f, "h");
		stv_diag_related(f, none, "r");
	}
	stv_diag_hint(stv_diags_add(&d, STV_SEV_WARNING, none, "w"), "h");
	stv_diags_add(&d, STV_SEV_NOTE, none, "n");
	cr_expect_eq(d.len, STV_MAX_DIAGS);
	cr_expect_eq(d.n_errors, STV_MAX_DIAGS + 5);
	cr_expect_eq(d.n_warnings, 1);
	cr_expect_str_eq(d.v[STV_MAX_DIAGS - 1].msg, "19");
	stv_diags_fini(&d);
	cr_expect_eq(d.len, 0);
	stv_diags_fini(&d);
}
