/* core/test/test_strs.c - lists of strings. */
#include <criterion/criterion.h>

#include "core/strs.h"

Test(strs, sorting_keeps_each_once)
{
	static const char *const in[] = {"b", "a", "b", "c", "a", "b"};
	struct stv_strs s = {0};

	stv_strs_sort_unique(&s);
	cr_expect_eq(s.len, 0);
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		stv_strs_add(&s, in[i]);
	stv_strs_sort_unique(&s);
	cr_assert_eq(s.len, 3);
	cr_expect_str_eq(s.v[0], "a");
	cr_expect_str_eq(s.v[1], "b");
	cr_expect_str_eq(s.v[2], "c");
	cr_expect_null(s.v[3]);
	stv_strs_clear(&s);
}
