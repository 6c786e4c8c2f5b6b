/* cmd/test/test_diff.c - tests of cmd/diff.h. */
#include <string.h>

#include <criterion/criterion.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/mem.h"

#include "cmd/diff.h"

static void
expect(const char *from, const char *to, const char *want)
{
	stv_auto_buf got = STV_BUF_INIT((size_t)1 << 20);
	struct cmd_text a = {"a", from, strlen(from)};
	struct cmd_text b = {"b", to, strlen(to)};

	cmd_diff(&a, &b, &got);
	cr_expect_str_eq(stv_buf_str(&got), want, "%s / %s", from, to);
}

#define HEAD "--- a\n+++ b\n"

Test(diff, equal_texts_have_no_difference)
{
	expect("", "", "");
	expect("a\nb\n", "a\nb\n", "");
	expect("a\nb", "a\nb", "");
}

Test(diff, hunks_have_three_lines_around_them)
{
	expect("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
	       HEAD "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
	expect("1\n2\n", "x\n2\n", HEAD "@@ -1,2 +1,2 @@\n-1\n+x\n 2\n");
}

Test(diff, changes_far_apart_are_hunks_of_their_own)
{
	expect("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
	       HEAD "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
		    "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
	expect("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
	       HEAD "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n"
		    "-b\n+B\n");
}

Test(diff, lines_that_come_and_go)
{
	expect("", "1\n2\n", HEAD "@@ -0,0 +1,2 @@\n+1\n+2\n");
	expect("1\n2\n", "", HEAD "@@ -1,2 +0,0 @@\n-1\n-2\n");
	expect("1\n2\n3\n", "1\n3\n", HEAD "@@ -1,3 +1,2 @@\n 1\n-2\n 3\n");
	expect("1\n3\n", "1\n2\n3\n", HEAD "@@ -1,2 +1,3 @@\n 1\n+2\n 3\n");
}

Test(diff, a_missing_newline_at_the_end_is_told)
{
	expect("1\n2", "1\n2\n",
	       HEAD "@@ -1,2 +1,2 @@\n 1\n-2\n\\ No newline at end of file\n"
		    "+2\n");
}

Test(diff, texts_without_a_common_line_take_bounded_time)
{
	stv_auto_buf a = STV_BUF_INIT((size_t)4 << 20);
	stv_auto_buf b = STV_BUF_INIT((size_t)4 << 20);
	stv_auto_buf got = STV_BUF_INIT((size_t)16 << 20);
	struct cmd_text from = {.name = "a"}, to = {.name = "b"};

	for (int i = 0; i < 100000; i++) {
		stv_buf_addf(&a, "a%d\n", i);
		stv_buf_addf(&b, "b%d\n", i);
	}
	from.text = stv_buf_str(&a);
	from.len = a.len;
	to.text = stv_buf_str(&b);
	to.len = b.len;
	cmd_diff(&from, &to, &got);
	cr_expect_not_null(strstr(stv_buf_str(&got), "\n-a99999\n"));
	cr_expect_not_null(strstr(stv_buf_str(&got), "\n+b99999\n"));
}
