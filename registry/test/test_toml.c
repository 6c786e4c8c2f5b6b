/* registry/test/test_toml.c - the TOML of registries.conf. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"

#include "registry/toml.h"

/* Rows are copied to another process: arrays, no pointers. */
struct good_row {
	char text[200];
	char json[200];
};

ParameterizedTestParameters(toml, what_is_valid_becomes_json)
{
	static struct good_row rows[] = {
		{"", "{}"},
		{"\xef\xbb\xbf# only a comment", "{}"},
		{"a = 1\r\nb=true#c\n\tc = false",
		 "{'a':1,'b':true,'c':false}"},
		{"a = -17\nb = +1_000\nc = 0xfF\nd = 0o17\ne = 0b1_01\nf = 0",
		 "{'a':-17,'b':1000,'c':255,'d':15,'e':5,'f':0}"},
		{"a = 9223372036854775807\nb = -9223372036854775808",
		 "{'a':9223372036854775807,'b':-9223372036854775808}"},
		{"a = \"x\\t\\u00e9\\U0001F600\\\\\" # y",
		 "{'a':'x\\té😀\\\\'}"},
		{"a = \"\\b\\f\\n\\r\\\"\"", "{'a':'\\b\\f\\n\\r\\\"'}"},
		{"a = 'C:\\x'", "{'a':'C:\\\\x'}"},
		{"a = \"\"\"\nx\n  y\\\n\n   z\"\"\"", "{'a':'x\\n  yz'}"},
		{"a = \"\"\"\"x\"\"\"\"\"", "{'a':'\\\"x\\\"\\\"'}"},
		{"a = '''\r\nx\\n\r\ny''''", "{'a':'x\\\\n\\ny`'}"},
		{"a = ''\nb = \"\"", "{'a':'','b':''}"},
		{"a = [1, 'x', [true], # c\n {b = 2},\n]",
		 "{'a':[1,'x',[true],{'b':2}]}"},
		{"a = []\nb = {}", "{'a':[],'b':{}}"},
		{"a.b.c = 1\na.b.d = 2\na.'x y' = 3",
		 "{'a':{'b':{'c':1,'d':2},'x y':3}}"},
		{"1.2 = 3\n-_ = 4\n\"\" = 5", "{'1':{'2':3},'-_':4,'':5}"},
		{"[a.b]\nc = 1\n[a]\nd = 2\n[ a . \"e\" ]",
		 "{'a':{'b':{'c':1},'d':2,'e':{}}}"},
		{"[a]\nb.c = 1\n[a.b.d]\ne = 2",
		 "{'a':{'b':{'c':1,'d':{'e':2}}}}"},
		{"[[r]]\np = 1\n[[r.m]]\nl = 2\n[[r.m]]\nl = 3\n[[r]]\n[[r.m]]",
		 "{'r':[{'p':1,'m':[{'l':2},{'l':3}]},{'m':[{}]}]}"},
		{"[[r]]\n[r.t]\nx = 1\n[[r]]\n[r.t]\nx = 2",
		 "{'r':[{'t':{'x':1}},{'t':{'x':2}}]}"},
		{"a = {b = {c = 1}, d.e = 2, d.f = 3 }",
		 "{'a':{'b':{'c':1},'d':{'e':2,'f':3}}}"},
	};

	return cr_make_param_array(struct good_row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct good_row *row, toml, what_is_valid_becomes_json)
{
	struct stv_err *err = NULL;
	json_t *v = reg_toml_parse(row->text, strlen(row->text), "f", &err);
	char *got;

	/* Single quotes in the rows stand for double ones, ` for a single. */
	for (char *p = row->json; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
	cr_assert_not_null(v, "%s: %s", row->text,
			   err == NULL ? "?" : stv_err_msg(err));
	got = json_dumps(v, JSON_COMPACT);
	cr_expect_str_eq(got, row->json);
	free(got);
	json_decref(v);
}

struct bad_row {
	char text[120];
	char message[100];
};

ParameterizedTestParameters(toml, what_is_invalid_is_refused_with_its_place)
{
	static struct bad_row rows[] = {
		{"a = 1\nb", "f:2:2: a '=' is missing"},
		{"a = 1\na = 2", "f:2:1: 'a' is there twice"},
		{"é = 1", "f:1:1: a key is missing"},
		{"a = 'é' x", "f:1:9: the line should end here"},
		{"a = 1 b = 2", "f:1:7: the line should end here"},
		{"= 1", "f:1:1: a key is missing"},
		{"a. = 1", "f:1:4: a key is missing"},
		{"a =", "f:1:4: this is no value"},
		{"a = truely", "f:1:5: this is no value"},
		{"a = x", "f:1:5: this is no value"},
		{"a = \"x", "f:1:5: the string has no end"},
		{"a = 'x\ny'", "f:1:5: the string has no end"},
		{"a = \"\"\"x\"\"", "f:1:5: the string has no end"},
		{"\"\"\"a\"\"\" = 1", "f:1:1: a key is no string of several"},
		{"a = \"\\x\"", "f:1:6: there is no such escape"},
		{"a = \"\\u12\"", "f:1:6: the escape needs 4"},
		{"a = \"\\ud800\"", "f:1:6: the escape is no character"},
		{"a = \"\\u0000\"", "f:1:6: the escape is no character"},
		{"a = \"\\U00110000\"", "f:1:6: the escape is no character"},
		{"a = \"\\ x\"", "f:1:6: there is no such escape"},
		{"a = 01", "f:1:5: a number does not begin with 0"},
		{"a = 1__0", "f:1:5: the number is not valid"},
		{"a = 1_", "f:1:5: the number is not valid"},
		{"a = +", "f:1:5: the number is not valid"},
		{"a = 0x", "f:1:5: the number is not valid"},
		{"a = 1.5", "f:1:5: this is no integer"},
		{"a = 1e5", "f:1:5: this is no integer"},
		{"a = 2020-01-01", "f:1:5: this is no integer"},
		{"a = 9223372036854775808", "f:1:5: the number is too large"},
		{"a = -9223372036854775809", "f:1:5: the number is too large"},
		{"a = [1", "f:1:5: the array has no end"},
		{"a = [1 2]", "f:1:8: a ',' or the array's ']'"},
		{"a = [,]", "f:1:6: this is no value"},
		{"a = {b = 1,}", "f:1:12: a key is missing"},
		{"a = {b = 1\n}", "f:1:11: the inline table does not end"},
		{"a = {b = 1, b = 2}", "f:1:13: 'b' is there twice"},
		{"a = {b = 1}\na.c = 2", "f:2:1: 'a' is defined elsewhere"},
		{"a = {b = 1}\n[a.c]", "f:2:2: 'a' is not a table"},
		{"a = 1\n[a]", "f:2:2: 'a' is there twice"},
		{"a = 1\na.b = 2", "f:2:1: 'a' is defined elsewhere"},
		{"[a]\n[a]", "f:2:2: 'a' is there twice"},
		{"[a]\nb.c = 1\n[a.b]", "f:3:4: 'b' is there twice"},
		{"[a.b]\n[a]\nb.c = 1", "f:3:1: 'b' is defined elsewhere"},
		{"[a]\n[[a]]", "f:2:3: 'a' is there already"},
		{"[[a]]\n[a]", "f:2:2: 'a' is there twice"},
		{"a = []\n[[a]]", "f:2:3: 'a' is there already"},
		{"a = [{}]\n[[a]]", "f:2:3: 'a' is there already"},
		{"[a", "f:1:3: a ']' is missing"},
		{"[[a]", "f:1:4: a ']]' is missing"},
		{"[]", "f:1:2: a key is missing"},
		{"[a] b = 1", "f:1:5: the line should end here"},
		{"a = 1\rb = 2", "f:1:6: there is a control character"},
		{"# \x01", "f:1:3: there is a control character (0x01)"},
		{"# \x7f", "f:1:3: there is a control character"},
		{"a = '\xff'", "f:1:6: this is not UTF-8"},
		{"a = '\xc0\x80'", "f:1:6: this is not UTF-8"},
		{"a = '\xed\xa0\x80'", "f:1:6: this is not UTF-8"},
		{"a = '\xe2\x82", "f:1:6: this is not UTF-8"},
	};

	return cr_make_param_array(struct bad_row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct bad_row *row, toml,
		  what_is_invalid_is_refused_with_its_place)
{
	struct stv_err *err = NULL;
	json_t *v = reg_toml_parse(row->text, strlen(row->text), "f", &err);

	cr_assert_null(v, "accepted: %s", row->text);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT);
	cr_expect_eq(
		strncmp(stv_err_msg(err), row->message, strlen(row->message)),
		0, "%s: %s, not %s", row->text, stv_err_msg(err), row->message);
	stv_err_free(err);
}

/* ${open} ${n} times between the two ends. */
static enum stv_code
parse_nested(const char *head, const char *open, size_t n, const char *close,
	     const char *tail)
{
	stv_auto_buf b = STV_BUF_INIT(REG_MAX_TOML);
	struct stv_err *err = NULL;
	enum stv_code code;
	json_t *v;

	stv_buf_adds(&b, head);
	for (size_t i = 0; i < n; i++)
		stv_buf_adds(&b, open);
	for (size_t i = 0; i < n; i++)
		stv_buf_adds(&b, close);
	stv_buf_adds(&b, tail);
	v = reg_toml_parse(stv_buf_str(&b), b.len, "f", &err);
	code = v != NULL ? (enum stv_code) - 1 : stv_err_code(err);
	json_decref(v);
	stv_err_free(err);
	return code;
}

Test(toml, what_is_nested_too_deep_is_refused)
{
	const size_t n = STV_MAX_JSON_DEPTH;
	const enum stv_code ok = (enum stv_code) - 1;

	cr_expect_eq(parse_nested("a = ", "[", n - 1, "]", ""), ok);
	cr_expect_eq(parse_nested("a = ", "[", n, "]", ""), STV_E_LIMIT);
	cr_expect_eq(parse_nested("a = ", "{a=", n, "}", ""), STV_E_LIMIT);
	cr_expect_eq(parse_nested("a", ".a", n - 1, "", "=1"), ok);
	cr_expect_eq(parse_nested("a", ".a", n, "", "=1"), STV_E_LIMIT);
	cr_expect_eq(parse_nested("[x]\na", ".a", n - 2, "", "=1"), ok);
	cr_expect_eq(parse_nested("[x]\na", ".a", n - 1, "", "=1"),
		     STV_E_LIMIT);
	cr_expect_eq(parse_nested("a.a", ".a", n - 2, "", "=[]"), STV_E_LIMIT);
	cr_expect_eq(parse_nested("[a", ".a", n - 2, "", "]"), ok);
	cr_expect_eq(parse_nested("[a", ".a", n - 1, "", "]"), STV_E_LIMIT);
	cr_expect_eq(parse_nested("[a", ".a", n - 2, "", "]\nb=[]"),
		     STV_E_LIMIT);
}

Test(toml, a_file_above_the_limit_is_refused)
{
	char *text = malloc(REG_MAX_TOML + 1);
	struct stv_err *err = NULL;
	json_t *v;

	cr_assert_not_null(text);
	memset(text, '#', REG_MAX_TOML + 1);
	v = reg_toml_parse(text, REG_MAX_TOML, "f", &err);
	cr_expect_not_null(v);
	json_decref(v);
	cr_expect_null(reg_toml_parse(text, REG_MAX_TOML + 1, "f", &err));
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
	free(text);
}
