/* parser/test/test_expand.c - tests of parser/expand.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/strs.h"

#include "parser/expand.h"

/* The variables of the tests; what the recorded builds used. */
static const char *
look_up(void *arg, const char *name)
{
	static const char *const vars[][2] = {
		{"A", "one"},	      {"E", ""},
		{"S", "foobarbaz"},   {"F", "/a/b/c.tar.gz"},
		{"P", "/a/b/c"},      {"Q", "82 83/udp"},
		{"W", "a*b?c"},	      {"D", "a.b"},
		{"R", "X"},	      {"O", "o"},
		{"L", "a\nb\nc"},     {"U8", "h\xc3\xa9llo"},
		{"\xc3\x89", "wide"},
	};

	(void)arg;
	for (size_t i = 0; i < STV_ARRAY_LEN(vars); i++)
		if (strcmp(vars[i][0], name) == 0)
			return vars[i][1];
	return NULL;
}

static struct df_expander
expander(unsigned flags)
{
	return (struct df_expander){
		.escape = '\\',
		.flags = flags,
		.lookup = look_up,
	};
}

struct expand_case {
	char text[64];
	char want[64];
};

ParameterizedTestParameters(expand, words_are_as_recorded)
{
	static struct expand_case cases[] = {
		/* testdata/e2e/vars/simple */
		{"$A", "one"},
		{"${A}x", "onex"},
		{"$Ax", ""},
		{"a${E}b", "ab"},
		{"a${NOPE}b", "ab"},
		{"$A/$A", "one/one"},
		{"$A.txt", "one.txt"},
		{"$A-$A", "one-one"},
		{"$\xc3\x89", "wide"},
		/* dollar-literal, specials-are-empty */
		{"a$", "a$"},
		{"\"$ x\"", "$ x"},
		{"a$/b", "a$/b"},
		{"\\\\$A", "\\one"},
		{"\\${A}", "${A}"},
		{"$=", "$="},
		{"a$$b", "ab"},
		{"a$1b", "ab"},
		{"a$@b$#c$?d$*e$!f$-g$0h", "abcdefgh"},
		{"$1A", "A"},
		{"$12A", "A"},
		{"${1}A", "A"},
		/* default, alternative */
		{"${S:-d}", "foobarbaz"},
		{"${E:-d}", "d"},
		{"${E-d}", ""},
		{"${U:-d}", "d"},
		{"${U-d}", "d"},
		{"${U:-${V:-deep}}", "deep"},
		{"\"${U:-a b}\"", "a b"},
		{"${U:-$A/x}", "one/x"},
		{"${U:-}", ""},
		{"${S:+w}", "w"},
		{"${E:+w}", ""},
		{"${E+w}", "w"},
		{"${U+w}", ""},
		{"${S:+${E:-n}}", "n"},
		{"${S:?msg}", "foobarbaz"},
		{"${E?msg}", ""},
		/* prefix, suffix */
		{"${F#*/}", "a/b/c.tar.gz"},
		{"${F##*/}", "c.tar.gz"},
		{"${F#x}", "/a/b/c.tar.gz"},
		{"${F##/*b}", "/c.tar.gz"},
		{"${S#f?o}", "barbaz"},
		{"${S##*b}", "az"},
		{"${S#*}", "foobarbaz"},
		{"${S##*}", ""},
		{"${S#}", "foobarbaz"},
		{"${F%.*}", "/a/b/c.tar"},
		{"${F%%.*}", "/a/b/c"},
		{"${F%%/*}", ""},
		{"${S%ba?}", "foobar"},
		{"${S%%b*}", "foo"},
		{"${S%*}", "foobarbaz"},
		{"${S%%*}", ""},
		{"${S%}", "foobarbaz"},
		{"${U8#h?}", "llo"},
		{"${U8%?llo}", "h"},
		/* replace, pattern-escape, replace-variable */
		{"${S/ba/X}", "fooXrbaz"},
		{"${S//ba/X}", "fooXrXz"},
		{"${S//ba/}", "foorz"},
		{"${S/x/y}", "foobarbaz"},
		{"${S//o/0}", "f00barbaz"},
		{"${S/f*b/X}", "Xaz"},
		{"${S//b*/X}", "fooX"},
		{"${S//[ab]/X}", "foobarbaz"},
		{"${P//\\//_}", "_a_b_c"},
		{"${S/a/\\/}", "foob\\/rbaz"},
		{"${W#a\\*}", "b?c"},
		{"${W%\\?c}", "a*b"},
		{"${W/\\*/X}", "aXb?c"},
		{"${D/./X}", "aXb"},
		{"${W#a*b}", "?c"},
		{"${S/$O/$R}", "fXobarbaz"},
		{"${S//${O}/z}", "fzzbarbaz"},
		{"${S%${U:-z}}", "foobarba"},
		{"${S///-}", "-f-o-o-b-a-r-b-a-z-"},
		{"${U/a/b}", ""},
		/* A star stays on its line. */
		{"${L#*b}", "a\nb\nc"},
		{"${L//*/x}", "x\nx\nx"},
		/* quotes */
		{"\"double quoted\"", "double quoted"},
		{"'single $A quoted'", "single $A quoted"},
		{"plain\\ space", "plain space"},
		{"\"esc \\\"q\\\" \\\\ \\n\"", "esc \"q\" \\ \\n"},
		{"'it'\"'\"'s'", "it's"},
		{"a\"b c\"d", "ab cd"},
		{"\"\"", ""},
		{"back\\\\slash", "back\\slash"},
		{"\\x", "x"},
		{"'a\\b'", "a\\b"},
		{"\"a\\b\"", "a\\b"},
		{"\\$A", "$A"},
		{"\"\\$A\"", "$A"},
		{"[\"a\"]", "[a]"},
		{"${U:-\"q\"}", "q"},
		{"\"${U:-'s'}\"", "s"},
		{"${U:-'$S'}", "$S"},
		{"${U:-\"$A $A\"}", "one one"},
		{"end\\", "end"},
		{"", ""},
		{"  a  b ", "  a  b "},
		{"\xff$A\xff", "\xffone\xff"},
	};

	return cr_make_param_array(struct expand_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct expand_case *c, expand, words_are_as_recorded)
{
	struct df_expander x = expander(0);
	struct stv_err *err = NULL;
	stv_auto_free char *got = NULL;

	cr_assert_eq(df_expand_word(&x, c->text, &got, &err), 0, "%s: %s",
		     c->text, err != NULL ? stv_err_msg(err) : "");
	cr_expect_str_eq(got, c->want, "%s", c->text);
}

ParameterizedTestParameters(expand, bad_words_have_their_messages)
{
	static struct expand_case cases[] = {
		{"${U:?tell the user}", "U: tell the user"},
		{"${U?}", "U: is not allowed to be unset"},
		{"${E:?}", "E: is not allowed to be empty"},
		{"${E:?is empty}", "E: is empty"},
		{"${}", "bad substitution"},
		{"${{A}", "bad substitution"},
		{"${:-x}", "bad substitution"},
		{"${S", "missing '}'"},
		{"${", "missing '}'"},
		{"${S:", "missing '}'"},
		{"${S:-x", "missing '}'"},
		{"${S:x}", "unsupported modifier (:x) in substitution"},
		{"${S@U}", "unsupported modifier (@) in substitution"},
		{"${S/ba}", "missing '/' in a ${V/p/r}"},
		{"${S/ba/x", "missing '}'"},
		{"${S#\\a}", "invalid escape in the pattern '\\a'"},
		{"${S#a\\", "missing '}'"},
		{"\"open",
		 "unexpected end of statement while looking for matching "},
		{"'open",
		 "unexpected end of statement while looking for matching "},
		{"\"${U:-it's}\"",
		 "unexpected end of statement while looking for matching "},
	};

	return cr_make_param_array(struct expand_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct expand_case *c, expand, bad_words_have_their_messages)
{
	struct df_expander x = expander(0);
	struct stv_err *err = NULL;
	char *got = NULL;
	char msg[64];

	cr_assert_eq(df_expand_word(&x, c->text, &got, &err), -1, "%s",
		     c->text);
	cr_expect_eq(stv_err_code(err), STV_E_CHECK);
	(void)snprintf(msg, strlen(c->want) + 1, "%s", stv_err_msg(err));
	cr_expect_str_eq(msg, c->want, "%s", c->text);
	stv_err_free(err);
}

/* The words that a text expands to, with '|' between them. */
static char *
words_of(const char *text, unsigned flags)
{
	struct df_expander x = expander(flags);
	struct stv_strs words = {0};
	struct stv_err *err = NULL;
	struct stv_buf b = STV_BUF_INIT(STV_MAX_EXPANDED);

	cr_assert_eq(df_expand_words(&x, text, &words, &err), 0, "%s", text);
	for (size_t i = 0; i < words.len; i++)
		stv_buf_addf(&b, "%s%s", i > 0 ? "|" : "", words.v[i]);
	stv_strs_clear(&words);
	return stv_buf_take(&b);
}

ParameterizedTestParameters(expand, values_are_split_at_their_blanks)
{
	static struct expand_case cases[] = {
		{"$A ${Q}", "one|82|83/udp"},
		{"\"$Q\" x", "82 83/udp|x"},
		{"a\\ b c", "a b|c"},
		{"'a b'c d", "a bc|d"},
		{"x$Q", "x82|83/udp"},
		{"${Q}x", "82|83/udpx"},
		{"  a\t b ", "a|b"},
		{"\"\" a", "a"},
		{"$E$E", ""},
		{"<<  E x", "<<  E|x"},
		{"< E", "<|E"},
		{"a\xc2\xa0"
		 "b",
		 "a|b"},
	};

	return cr_make_param_array(struct expand_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct expand_case *c, expand,
		  values_are_split_at_their_blanks)
{
	stv_auto_free char *got = words_of(c->text, 0);

	cr_expect_str_eq(got, c->want, "%s", c->text);
}

Test(expand, raw_flags_keep_what_they_name)
{
	stv_auto_free char *quotes =
		words_of("'a b' \"c d\"", DF_EXPAND_RAW_QUOTES);
	stv_auto_free char *both =
		words_of("'a b' \\\"c \\ d",
			 DF_EXPAND_RAW_QUOTES | DF_EXPAND_RAW_ESCAPES);
	stv_auto_free char *unset = words_of(
		"$U ${U} ${U:-x} $A ${U#x} ${U/a/b}", DF_EXPAND_SKIP_UNSET);

	cr_expect_str_eq(quotes, "'a b'|\"c d\"");
	cr_expect_str_eq(both, "'a b'|\\\"c|\\ d");
	cr_expect_str_eq(unset, "$U|${U}|${U:-x}|one|${U#x}|${U/a/b}");
}

Test(expand, a_heredoc_keeps_its_quotes_and_loses_backslashes)
{
	struct df_expander x = expander(0);
	struct stv_err *err = NULL;
	stv_auto_free char *got = NULL;

	x.escape = '`';
	cr_assert_eq(df_expand_heredoc(
			     &x,
			     "a $A \"${A}\" '$A' \\$A \\n \\\\ end `$A it's\n",
			     &got, &err),
		     0);
	cr_expect_str_eq(got, "a one \"one\" 'one' $A n \\ end `one it's\n");
}

Test(expand, the_backtick_escapes_where_the_file_says_so)
{
	struct df_expander x = expander(0);
	struct stv_err *err = NULL;
	stv_auto_free char *got = NULL;

	x.escape = '`';
	cr_assert_eq(df_expand_word(&x, "C:\\dir\\ `$A \"`\"\" \"\\$A\"", &got,
				    &err),
		     0);
	cr_expect_str_eq(got, "C:\\dir\\ $A \" \\one");
}

Test(expand, the_variables_are_named)
{
	struct stv_strs used = {0}, unset = {0};
	struct df_expander x = expander(0);
	struct stv_err *err = NULL;
	stv_auto_free char *got = NULL;

	x.used = &used;
	x.unset = &unset;
	cr_assert_eq(df_expand_word(&x, "$A ${U:-$V} ${S#x} '$E'", &got, &err),
		     0);
	cr_expect(stv_strs_has(&used, "A"));
	cr_expect(stv_strs_has(&used, "S"));
	cr_expect_not(stv_strs_has(&used, "E"), "it is quoted");
	cr_expect(stv_strs_has(&unset, "U"));
	cr_expect(stv_strs_has(&unset, "V"));
	stv_strs_clear(&used);
	stv_strs_clear(&unset);
}

/* ${a:-${a:-...}}, ${n} deep. */
static char *
nested(size_t n)
{
	struct stv_buf b = STV_BUF_INIT(STV_MAX_SOURCE);

	for (size_t i = 0; i < n; i++)
		stv_buf_adds(&b, "${a:-");
	stv_buf_adds(&b, "x");
	for (size_t i = 0; i < n; i++)
		stv_buf_adds(&b, "}");
	return stv_buf_take(&b);
}

Test(expand, nesting_is_bounded)
{
	stv_auto_free char *good = nested(STV_MAX_NESTING);
	stv_auto_free char *bad = nested(STV_MAX_NESTING + 1);
	struct df_expander x = expander(0);
	struct stv_err *err = NULL;
	char *got = NULL;

	cr_assert_eq(df_expand_word(&x, good, &got, &err), 0);
	cr_expect_str_eq(got, "x");
	free(got);
	cr_assert_eq(df_expand_word(&x, bad, &got, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
}

/* A value of 64 KiB. */
static const char *
look_up_long(void *arg, const char *name)
{
	(void)name;
	return arg;
}

Test(expand, the_result_is_bounded)
{
	stv_auto_free char *big = calloc(1, 65537);
	struct df_expander x = {.escape = '\\', .lookup = look_up_long};
	struct stv_err *err = NULL;
	char *got = NULL;
	size_t n = 0;

	memset(big, 'x', 65536);
	x.arg = big;
	cr_expect_eq(df_expand_word(&x, "$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A",
				    &got, &err),
		     -1, "one string");
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_clear(&err);
	while (n < 1000 && df_expand_word(&x, "$A", &got, &err) == 0) {
		free(got);
		n++;
	}
	cr_expect_eq(n, 256, "all of one file together");
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_clear(&err);
	x.total = 0;
	cr_expect_eq(
		df_expand_word(&x, "${A//x*x*x*x*x*x*x*x*y/z}", &got, &err), 0,
		"a pattern that matches nothing takes no long time");
	free(got);
}

Test(expand, replacing_everything_is_bounded_work)
{
	stv_auto_free char *big = calloc(1, 1000001);
	struct df_expander x = {.escape = '\\', .lookup = look_up_long};
	struct stv_err *err = NULL;
	char *got = NULL;

	for (size_t i = 0; i < 1000000; i++)
		big[i] = i % 2 == 0 ? 'x' : '\n';
	x.arg = big;
	cr_expect_eq(df_expand_word(&x, "${A//x/}", &got, &err), 0,
		     "fixed text is cheap");
	cr_expect_eq(strlen(got), 500000);
	free(got);
	cr_expect_eq(df_expand_word(&x, "${A//*x/y}", &got, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
}
