/* core/test/test_json.c - JSON with path-named errors. */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/strs.h"

#include "core/json.h"

static json_t *
parse(const char *text)
{
	struct stv_err *err = NULL;
	json_t *v = stv_json_parse(text, strlen(text), "test", &err);

	cr_assert_not_null(v, "%s", err ? stv_err_msg(err) : "");
	return v;
}

struct bad_json {
	char text[64];
};

ParameterizedTestParameters(json, what_is_not_json_is_refused)
{
	static struct bad_json cases[] = {
		{""},
		{"{"},
		{"{\"a\":1,\"a\":2}"},
		{"{\"a\":\"\\u0000\"}"},
		{"{\"a\":1e400}"},
		{"{\"a\":99999999999999999999}"},
		{"{\"a\":\"\xff\"}"},
		{"{\"a\":1} x"},
		{"{'a':1}"},
		{"{\"\\u0000\":1}"},
		{"\"text\""},
	};

	return cr_make_param_array(struct bad_json, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct bad_json *c, json, what_is_not_json_is_refused)
{
	struct stv_err *err = NULL;

	cr_assert_null(stv_json_parse(c->text, strlen(c->text), "x", &err));
	cr_expect_eq(stv_err_code(err), STV_E_PROTOCOL);
	stv_err_free(err);
}

Test(json, depth_is_bounded)
{
	char text[2 * STV_MAX_JSON_DEPTH + 4] = "";
	struct stv_err *err = NULL;
	json_t *v;

	memset(text, '[', STV_MAX_JSON_DEPTH);
	memset(text + STV_MAX_JSON_DEPTH, ']', STV_MAX_JSON_DEPTH);
	v = parse(text);
	json_decref(v);
	memset(text, '[', STV_MAX_JSON_DEPTH + 1);
	cr_expect_null(stv_json_parse(text, strlen(text), "x", &err));
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
}

Test(json, brackets_in_strings_are_no_depth)
{
	stv_auto_buf b = STV_BUF_INIT(1000);

	stv_buf_adds(&b, "[\"\\\"");
	for (int i = 0; i < 2 * STV_MAX_JSON_DEPTH; i++)
		stv_buf_addc(&b, '[');
	stv_buf_adds(&b, "\"]");
	json_decref(parse(stv_buf_str(&b)));
}

/* Which getter, the document, and the message that is wanted. */
struct get_case {
	char getter;
	char text[48];
	char want[64];
};

ParameterizedTestParameters(json, errors_name_the_member)
{
	static struct get_case cases[] = {
		{'s', "{}", "config.m is missing"},
		{'s', "{\"m\":null}", "config.m is missing"},
		{'s', "{\"m\":1}", "config.m is not a string"},
		{'u', "{}", "config.m is missing"},
		{'u', "{\"m\":-1}", "config.m is not a number from 0"},
		{'u', "{\"m\":1.5}", "config.m is not a number from 0"},
		{'u', "{\"m\":\"1\"}", "config.m is not a number from 0"},
		{'b', "{\"m\":0}", "config.m is not true or false"},
		{'o', "{\"m\":[]}", "config.m is not an object"},
		{'o', "{}", "config.m is missing"},
		{'a', "{\"m\":{}}", "config.m is not an array"},
		{'a', "{}", "config.m is missing"},
		{'l', "{\"m\":{}}", "config.m is not an array"},
		{'l', "{\"m\":[\"a\",2]}", "config.m[1] is not a string"},
	};

	return cr_make_param_array(struct get_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct get_case *c, json, errors_name_the_member)
{
	struct stv_err *err = NULL;
	struct stv_strs list = {0};
	json_t *o = parse(c->text), *v = NULL;
	const char *s = NULL;
	uint64_t n = 0;
	bool b = false;
	int rc = 0;

	switch (c->getter) {
	case 's':
		rc = stv_json_get_str(o, "config", "m", true, &s, &err);
		break;
	case 'u':
		rc = stv_json_get_u64(o, "config", "m", true, &n, &err);
		break;
	case 'b':
		rc = stv_json_get_bool(o, "config", "m", &b, &err);
		break;
	case 'o':
		rc = stv_json_get_obj(o, "config", "m", true, &v, &err);
		break;
	case 'a':
		rc = stv_json_get_arr(o, "config", "m", true, &v, &err);
		break;
	default:
		rc = stv_json_get_strs(o, "config", "m", &list, NULL, &err);
		break;
	}
	cr_assert_eq(rc, -1);
	cr_expect_str_eq(stv_err_msg(err), c->want);
	cr_expect_eq(stv_err_code(err), STV_E_PROTOCOL);
	stv_err_free(err);
	stv_strs_clear(&list);
	json_decref(o);
}

Test(json, at_the_top_a_name_stands_alone)
{
	struct stv_err *err = NULL;
	json_t *o = parse("{}");
	const char *s = NULL;

	cr_assert_eq(stv_json_get_str(o, "", "m", true, &s, &err), -1);
	cr_expect_str_eq(stv_err_msg(err), "m is missing");
	stv_err_free(err);
	json_decref(o);
}

Test(json, absent_members_leave_the_result_alone)
{
	json_t *o = parse("{\"n\":null}"), *v = o;
	struct stv_err *err = NULL;
	struct stv_strs list = {0};
	const char *s = "before";
	bool b = true, is_set = true;
	uint64_t n = 5;

	cr_expect_eq(stv_json_get_str(o, "", "n", false, &s, &err), 0);
	cr_expect_eq(stv_json_get_u64(o, "", "n", false, &n, &err), 0);
	cr_expect_eq(stv_json_get_bool(o, "", "n", &b, &err), 0);
	cr_expect_eq(stv_json_get_obj(o, "", "n", false, &v, &err), 0);
	cr_expect_eq(stv_json_get_arr(o, "", "m", false, &v, &err), 0);
	cr_expect_eq(stv_json_get_strs(o, "", "n", &list, &is_set, &err), 0);
	cr_expect_str_eq(s, "before");
	cr_expect_eq(n, 5);
	cr_expect(b);
	cr_expect_eq(v, o);
	cr_expect_not(is_set);
	json_decref(o);
}

Test(json, values_arrive)
{
	json_t *o = parse("{\"s\":\"x\",\"u\":9223372036854775807,\"b\":true,"
			  "\"l\":[\"a\",\"b\"],\"e\":[]}");
	struct stv_err *err = NULL;
	struct stv_strs list = {0};
	const char *s = NULL;
	bool b = false, is_set = false;
	uint64_t n = 0;

	cr_expect_eq(stv_json_get_str(o, "", "s", true, &s, &err), 0);
	cr_expect_eq(stv_json_get_u64(o, "", "u", true, &n, &err), 0);
	cr_expect_eq(stv_json_get_bool(o, "", "b", &b, &err), 0);
	cr_expect_eq(stv_json_get_strs(o, "", "l", &list, &is_set, &err), 0);
	cr_expect_str_eq(s, "x");
	cr_expect_eq(n, INT64_MAX);
	cr_expect(b);
	cr_expect(is_set);
	cr_expect_eq(list.len, 2);
	is_set = false;
	cr_expect_eq(stv_json_get_strs(o, "", "e", &list, &is_set, &err), 0);
	cr_expect(is_set, "empty is not absent");
	stv_strs_clear(&list);
	json_decref(o);
}

Test(json, writing_keeps_order_and_replaces_bad_bytes)
{
	stv_auto_buf b = STV_BUF_INIT(1000);
	struct stv_strs list = {0};
	json_t *o = json_object();

	json_object_set_new(o, "z", stv_json_str("<a & b>"));
	json_object_set_new(o, "a", stv_json_str("x\xff\xc3\xa4\xe2\x82y"));
	stv_strs_add(&list, "1");
	stv_strs_add(&list, "\x80");
	json_object_set_new(o, "l", stv_json_from_strs(&list));
	stv_json_dump(o, &b);
	cr_expect_str_eq(stv_buf_str(&b),
			 "{\"z\":\"<a & b>\","
			 "\"a\":\"x\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd"
			 "y\",\"l\":[\"1\",\"\xef\xbf\xbd\"]}");
	stv_strs_clear(&list);
	json_decref(o);
}
