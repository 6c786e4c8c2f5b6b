/* core/test/test_strs.c - lists of strings, environments. */
#include <string.h>

#include <criterion/criterion.h>

#include "core/mem.h"

#include "core/strs.h"

Test(strs, is_always_ended_by_null)
{
	struct stv_strs s = {0};

	for (int i = 0; i < 100; i++) {
		stv_strs_take(&s, stv_xasprintf("%d", i));
		cr_assert_null(s.v[s.len]);
	}
	cr_expect_str_eq(s.v[99], "99");
	stv_strs_clear(&s);
	cr_expect_eq(s.len, 0);
	stv_strs_clear(&s);
}

Test(strs, add_copies)
{
	char text[] = "abcdef";
	struct stv_strs s = {0}, t = {0};

	stv_strs_add(&s, text);
	stv_strs_add_n(&s, text, 3);
	stv_strs_copy(&t, &s);
	text[0] = 'X';
	cr_expect_str_eq(s.v[0], "abcdef");
	cr_expect_str_eq(s.v[1], "abc");
	cr_expect_eq(t.len, 2);
	cr_expect_neq(t.v[0], s.v[0]);
	cr_expect(stv_strs_has(&t, "abc"));
	cr_expect_not(stv_strs_has(&t, "ab"));
	stv_strs_clear(&s);
	stv_strs_clear(&t);
}

Test(strs, sorts_by_bytes)
{
	struct stv_strs s = {0};

	stv_strs_sort(&s);
	stv_strs_add(&s, "b");
	stv_strs_add(&s, "\xc3\xa4");
	stv_strs_add(&s, "B");
	stv_strs_add(&s, "a/b");
	stv_strs_add(&s, "a.b");
	stv_strs_sort(&s);
	cr_expect_str_eq(s.v[0], "B");
	cr_expect_str_eq(s.v[1], "a.b");
	cr_expect_str_eq(s.v[2], "a/b");
	cr_expect_str_eq(s.v[3], "b");
	cr_expect_str_eq(s.v[4], "\xc3\xa4");
	stv_strs_clear(&s);
}

Test(strs, environment_keeps_the_place_of_a_name)
{
	struct stv_strs e = {0};

	stv_env_set(&e, "PATH", "/bin");
	stv_env_set(&e, "A", "1");
	stv_env_set(&e, "AB", "2");
	stv_env_set(&e, "A", "x=y");
	cr_expect_eq(e.len, 3);
	cr_expect_str_eq(e.v[1], "A=x=y");
	cr_expect_str_eq(stv_env_get(&e, "A"), "x=y");
	cr_expect_str_eq(stv_env_get(&e, "AB"), "2");
	cr_expect_null(stv_env_get(&e, "PAT"));
	cr_expect_null(stv_env_get(&e, ""));
	stv_strs_clear(&e);
}

Test(strs, an_entry_without_equals_is_no_variable)
{
	struct stv_strs e = {0};

	stv_strs_add(&e, "A");
	cr_expect_null(stv_env_get(&e, "A"));
	stv_env_set(&e, "A", "");
	cr_expect_eq(e.len, 2);
	cr_expect_str_eq(stv_env_get(&e, "A"), "");
	stv_strs_clear(&e);
}

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
