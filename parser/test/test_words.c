/* parser/test/test_words.c - tests of parser/words.h and parser/utf8.h. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/strs.h"

#include "parser/csv.h"
#include "parser/utf8.h"
#include "parser/words.h"

/* A list with '|' between its strings; the list is emptied. */
static char *
join(struct stv_strs *list)
{
	struct stv_buf b = STV_BUF_INIT(4096);

	for (size_t i = 0; i < list->len; i++)
		stv_buf_addf(&b, "%s%s", i > 0 ? "|" : "", list->v[i]);
	stv_strs_clear(list);
	return stv_buf_take(&b);
}

struct split_case {
	char text[40];
	char want[40];
};

ParameterizedTestParameters(words, quoted_words)
{
	static struct split_case cases[] = {
		{"", ""},
		{"  ", ""},
		{"a b", "a|b"},
		{" a\t\tb ", "a|b"},
		{"a\\ b c", "a\\ b|c"},
		{"\"a b\" c", "\"a b\"|c"},
		{"'a\\' b", "'a\\'|b"},
		{"\"a\\\" b\" c", "\"a\\\" b\"|c"},
		{"x'a b'y z", "x'a b'y|z"},
		{"'open a b", "'open a b"},
		{"a\xc2\xa0"
		 "b",
		 "a|b"},
		{"a\\\xc2\xa0"
		 "b",
		 "a\\\xc2\xa0"
		 "b"},
		{"a\\", "a\\"},
	};

	return cr_make_param_array(struct split_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct split_case *c, words, quoted_words)
{
	struct stv_strs list = {0};
	stv_auto_free char *got = NULL;

	df_words_split(c->text, '\\', &list);
	got = join(&list);
	cr_expect_str_eq(got, c->want, "%s", c->text);
}

Test(words, fields_know_no_quotes)
{
	struct stv_strs list = {0};
	stv_auto_free char *got = NULL;

	df_fields_split(" 'a b'\t\"c\xe3\x80\x80"
			"d ",
			&list);
	got = join(&list);
	cr_expect_str_eq(got, "'a|b'|\"c|d");
}

ParameterizedTestParameters(words, comma_lists)
{
	static struct split_case cases[] = {
		{"", ""},
		{"a", "a"},
		{"a,b=c", "a|b=c"},
		{"a,,b,", "a||b|"},
		{"\"a,b\",c", "a,b|c"},
		{"\"a\"\"b\"", "a\"b"},
		{"\"\"", ""},
	};

	return cr_make_param_array(struct split_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct split_case *c, words, comma_lists)
{
	struct stv_strs list = {0};
	struct stv_err *err = NULL;
	stv_auto_free char *got = NULL;

	cr_assert_eq(df_csv_split(c->text, &list, &err), 0);
	got = join(&list);
	cr_expect_str_eq(got, c->want, "%s", c->text);
}

ParameterizedTestParameters(words, bad_comma_lists)
{
	static struct split_case cases[] = {
		{"\"a", ""},
		{"a\"b", ""},
		{"\"a\"b", ""},
		{"a,\"", ""},
	};

	return cr_make_param_array(struct split_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct split_case *c, words, bad_comma_lists)
{
	struct stv_strs list = {0};
	struct stv_err *err = NULL;

	cr_expect_eq(df_csv_split(c->text, &list, &err), -1, "%s", c->text);
	cr_expect_eq(stv_err_code(err), STV_E_CHECK);
	stv_err_free(err);
	stv_strs_clear(&list);
}

Test(words, pairs_are_split_at_the_first_equal_sign)
{
	char *name;

	cr_expect_str_eq(df_pair_split("a=b=c", &name), "b=c");
	cr_expect_str_eq(name, "a");
	free(name);
	cr_expect_str_eq(df_pair_split("a=", &name), "");
	free(name);
	cr_expect_null(df_pair_split("a", &name));
	cr_expect_str_eq(name, "a");
	free(name);
}

Test(words, flags_lose_quotes_and_backslashes)
{
	static const char text[] = "--a=\"b c\"'d\"'\\ e\\";
	stv_auto_free char *got = df_unquote_flag(text, strlen(text));

	cr_expect_str_eq(got, "--a=b cd\" e");
}

Test(words, blanks_are_trimmed_at_both_ends)
{
	static const char text[] = "\xc2\xa0 a b\xe2\x80\xa8\t\xe1\x9a\x80";
	size_t len = strlen(text);
	const char *got = df_trim(text, &len);

	cr_expect_eq(len, 3);
	cr_expect_eq(memcmp(got, "a b", 3), 0);
	len = 0;
	(void)df_trim("", &len);
	cr_expect_eq(len, 0);
}

Test(words, booleans)
{
	bool b = false;

	cr_expect_eq(df_parse_bool("TRUE", &b), 0);
	cr_expect(b);
	cr_expect_eq(df_parse_bool("false", &b), 0);
	cr_expect_not(b);
	cr_expect_eq(df_parse_bool("1", &b), -1);
	cr_expect_eq(df_parse_bool("", &b), -1);
}

struct utf8_case {
	char text[8];
	size_t len;
	uint32_t c;
};

ParameterizedTestParameters(words, code_points)
{
	static struct utf8_case cases[] = {
		{"a", 1, 'a'},
		{"\xc3\xa9", 2, 0xe9},
		{"\xe6\x97\xa5", 3, 0x65e5},
		{"\xf0\x9f\x98\x80", 4, 0x1f600},
		{"\xff", 1, DF_BAD_BYTE + 0xff},
		{"\x80", 1, DF_BAD_BYTE + 0x80},
		{"\xc3", 1, DF_BAD_BYTE + 0xc3},
		{"\xc0\x80", 1, DF_BAD_BYTE + 0xc0},
		{"\xe0\x80\x80", 1, DF_BAD_BYTE + 0xe0},
		{"\xed\xa0\x80", 1, DF_BAD_BYTE + 0xed},
		{"\xf4\x90\x80\x80", 1, DF_BAD_BYTE + 0xf4},
		{"\xe6\x97", 1, DF_BAD_BYTE + 0xe6},
	};

	return cr_make_param_array(struct utf8_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct utf8_case *t, words, code_points)
{
	uint32_t c;

	cr_expect_eq(df_utf8_next(t->text, strlen(t->text), &c), t->len);
	cr_expect_eq(c, t->c);
}

Test(words, letters_of_all_scripts_are_letters)
{
	cr_expect(df_utf8_is_letter('a'));
	cr_expect(df_utf8_is_letter(0xe9));
	cr_expect(df_utf8_is_letter(0x65e5));
	cr_expect(df_utf8_is_letter(0x43a));
	cr_expect_not(df_utf8_is_letter('1'));
	cr_expect_not(df_utf8_is_letter(0xd7));
	cr_expect_not(df_utf8_is_letter(0x201c));
	cr_expect_not(df_utf8_is_letter(0x1f600));
	cr_expect_not(df_utf8_is_letter(DF_BAD_BYTE + 0xff));
}
