/* core/test/test_buf.c - growable bytes with a maximum. */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/cleanup.h"
#include "core/err.h"

#include "core/buf.h"

Test(buf, empty_is_an_empty_string)
{
	stv_auto_buf b = STV_BUF_INIT(10);
	char *s;

	cr_expect_str_eq(stv_buf_str(&b), "");
	s = stv_buf_take(&b);
	cr_expect_str_eq(s, "");
	free(s);
}

Test(buf, grows_and_ends_in_nul)
{
	stv_auto_buf b = STV_BUF_INIT(100000);

	for (int i = 0; i < 1000; i++)
		stv_buf_addf(&b, "%03d,", i);
	cr_expect_eq(b.len, 4000);
	cr_expect_eq(strlen(stv_buf_str(&b)), 4000);
	cr_expect_eq(strncmp(b.data + 3996, "999,", 5), 0);
}

Test(buf, maximum_is_sticky_and_reported)
{
	stv_auto_buf b = STV_BUF_INIT(5);
	struct stv_err *err = NULL;

	stv_buf_adds(&b, "12345");
	cr_expect_eq(stv_buf_check(&b, "thing", &err), 0);
	stv_buf_addc(&b, '6');
	cr_expect_str_eq(stv_buf_str(&b), "12345");
	stv_buf_truncate(&b, 2);
	stv_buf_addc(&b, '3');
	cr_expect_str_eq(stv_buf_str(&b), "12", "nothing is added any more");
	cr_expect_eq(stv_buf_check(&b, "thing", &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	cr_expect_str_eq(stv_err_msg(err), "thing is larger than 5 bytes");
	stv_err_free(err);
}

Test(buf, maximum_holds_for_formatted_text_and_huge_lengths)
{
	stv_auto_buf b = STV_BUF_INIT(5);

	stv_buf_addf(&b, "%s", "123456");
	cr_expect(b.is_over);
	cr_expect_eq(b.len, 0);
	stv_buf_fini(&b);
	cr_expect_not(b.is_over, "usable again");
	stv_buf_addc(&b, 'x');
	stv_buf_add(&b, "", SIZE_MAX);
	cr_expect(b.is_over, "no overflow of the sum");
}

Test(buf, truncate_never_grows)
{
	stv_auto_buf b = STV_BUF_INIT(10);

	stv_buf_adds(&b, "abc");
	stv_buf_truncate(&b, 7);
	cr_expect_str_eq(stv_buf_str(&b), "abc");
	stv_buf_truncate(&b, 1);
	cr_expect_str_eq(stv_buf_str(&b), "a");
}

Test(buf, take_hands_over)
{
	struct stv_buf b = STV_BUF_INIT(10);
	char *s;

	stv_buf_adds(&b, "abc");
	s = stv_buf_take(&b);
	cr_expect_str_eq(s, "abc");
	cr_expect_eq(b.len, 0);
	cr_expect_str_eq(stv_buf_str(&b), "");
	free(s);
}

struct escape_case {
	char in[16];
	char want[64];
};

ParameterizedTestParameters(buf, foreign_bytes_are_made_inert)
{
	static struct escape_case cases[] = {
		{"plain text", "plain text"},
		{"a\tb\n", "a\\x09b\\x0a"},
		{"\033[2J", "\\x1b[2J"},
		{"\x7f", "\\x7f"},
		{"gr\xc3\xbc\xc3\x9f"
		 "e",
		 "gr\xc3\xbc\xc3\x9f"
		 "e"},
		{"\xe2\x82\xac \xf0\x9f\x90\x99",
		 "\xe2\x82\xac \xf0\x9f\x90\x99"},
		{"\xc2\x9b"
		 "31m",
		 "\\xc2\\x9b31m"},			      /* C1 CSI */
		{"\xe2\x80\xaa", "\\xe2\\x80\\xaa"},	      /* LRE */
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"},	      /* RLO */
		{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},	      /* LRI */
		{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},	      /* LS */
		{"\xff\xfe", "\\xff\\xfe"},		      /* never UTF-8 */
		{"\xc0\xaf", "\\xc0\\xaf"},		      /* overlong */
		{"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},	      /* overlong */
		{"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"}, /* overlong */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* > 10ffff */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	      /* surrogate */
		{"\xe2\x82", "\\xe2\\x82"},		      /* cut off */
		{"\xe2(\xa1", "\\xe2(\\xa1"},
	};

	return cr_make_param_array(struct escape_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct escape_case *c, buf, foreign_bytes_are_made_inert)
{
	stv_auto_buf b = STV_BUF_INIT(100);

	stv_buf_add_escaped(&b, c->in, strlen(c->in));
	cr_expect_str_eq(stv_buf_str(&b), c->want);
}

Test(buf, a_nul_is_shown)
{
	stv_auto_buf b = STV_BUF_INIT(100);

	stv_buf_add_escaped(&b, "a\0b", 3);
	cr_expect_str_eq(stv_buf_str(&b), "a\\x00b");
}

Test(buf, base64)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xff\xfe\xfd", "//79"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stv_auto_buf b = STV_BUF_INIT((size_t)100);

		stv_buf_add_base64(&b, rows[i].in, strlen(rows[i].in));
		cr_expect_str_eq(stv_buf_str(&b), rows[i].out);
	}
}
