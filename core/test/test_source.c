/* core/test/test_source.c - texts, lines and places. */
#include <string.h>

#include <criterion/criterion.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/source.h"

/* Load one text; the table is the caller's. */
static const struct stv_source *
load(struct stv_sources *s, const char *text)
{
	struct stv_err *err = NULL;
	uint32_t file = 0;

	cr_assert_eq(stv_sources_add(s, "f", text, strlen(text), &file, &err),
		     0);
	return stv_sources_get(s, file);
}

static void
expect_line(const struct stv_source *src, uint32_t no, const char *want)
{
	size_t len;
	const char *line = stv_source_line(src, no, &len);

	cr_expect_eq(len, strlen(want));
	cr_expect_eq(strncmp(line, want, len), 0, "line %u", no);
}

Test(source, lines_without_their_ends)
{
	stv_auto(stv_sources) *s = stv_sources_new();
	const struct stv_source *src = load(s, "one\r\n\nthree");

	cr_expect_eq(src->n_lines, 3);
	expect_line(src, 1, "one");
	expect_line(src, 2, "");
	expect_line(src, 3, "three");
	expect_line(src, 4, "");
	expect_line(src, 0, "");
}

Test(source, a_last_newline_begins_no_line)
{
	stv_auto(stv_sources) *s = stv_sources_new();

	cr_expect_eq(load(s, "one\n")->n_lines, 1);
	cr_expect_eq(load(s, "")->n_lines, 1);
	cr_expect_eq(load(s, "\n\n")->n_lines, 2);
}

Test(source, columns_count_code_points)
{
	stv_auto(stv_sources) *s = stv_sources_new();
	const struct stv_source *src = load(s, "a\n\xc3\xa4\xe2\x82\xac"
					       "b\n");
	struct stv_place p = stv_source_place(src, 7);

	cr_expect_eq(p.line, 2);
	cr_expect_eq(p.column, 3);
	p = stv_source_place(src, 2);
	cr_expect_eq(p.line, 2, "the first byte of a line is in it");
	cr_expect_eq(p.column, 1);
	p = stv_source_place(src, 0);
	cr_expect_eq(p.line, 1);
	cr_expect_eq(p.column, 1);
	p = stv_source_place(src, 1);
	cr_expect_eq(p.line, 1, "the newline belongs to its line");
	cr_expect_eq(p.column, 2);
}

Test(source, an_offset_behind_the_end_is_the_end)
{
	stv_auto(stv_sources) *s = stv_sources_new();
	const struct stv_source *src = load(s, "ab\ncd");
	struct stv_place p = stv_source_place(src, 4000);

	cr_expect_eq(p.line, 2);
	cr_expect_eq(p.column, 3);
}

Test(source, numbers_begin_at_one)
{
	stv_auto(stv_sources) *s = stv_sources_new();
	struct stv_err *err = NULL;
	uint32_t a = 0, b = 0;

	cr_assert_eq(stv_sources_add(s, "a", "x", 1, &a, &err), 0);
	cr_assert_eq(stv_sources_add(s, "b", "y", 1, &b, &err), 0);
	cr_expect_eq(a, 1);
	cr_expect_eq(b, 2);
	cr_expect_str_eq(stv_sources_get(s, 2)->name, "b");
	cr_expect_null(stv_sources_get(s, 0));
	cr_expect_null(stv_sources_get(s, 3));
}

Test(source, too_large_is_refused)
{
	stv_auto(stv_sources) *s = stv_sources_new();
	struct stv_err *err = NULL;
	char *big = stv_xcalloc(STV_MAX_SOURCE + 1, 1);
	uint32_t file = 9;

	cr_expect_eq(
		stv_sources_add(s, "f", big, STV_MAX_SOURCE + 1, &file, &err),
		-1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	cr_expect_eq(file, 9);
	stv_err_free(err);
	free(big);
}
