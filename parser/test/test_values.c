/* parser/test/test_values.c - tests of the values in parser/parse.h. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/strs.h"

#include "parser/parse.h"

struct port_case {
	char spec[32];
	char want[40]; /* "" means an error */
};

ParameterizedTestParameters(values, ports)
{
	static struct port_case cases[] = {
		{"80", "80/tcp"},
		{"80/tcp", "80/tcp"},
		{"7/UDP", "7/udp"},
		{"132/sctp", "132/sctp"},
		{"80/", "80/tcp"},
		{"0", "0/tcp"},
		{"65535", "65535/tcp"},
		{"8000-8002", "8000/tcp 8001/tcp 8002/tcp"},
		{"9000-9001/udp", "9000/udp 9001/udp"},
		{"8080:80", "80/tcp"},
		{"127.0.0.1:8080:80", "80/tcp"},
		{":80", "80/tcp"},
		{"[::1]:8080:80/udp", "80/udp"},
		{"", ""},
		{"abc", ""},
		{"80/icmp", ""},
		{"/tcp", ""},
		{"65536", ""},
		{"70000", ""},
		{"90-80", ""},
		{"-80", ""},
		{"80-", ""},
		{"8080:", ""},
		{"x:80", ""},
		{"99999999999999999999", ""},
		{"80 81", ""},
		{"+80", ""},
	};

	return cr_make_param_array(struct port_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct port_case *c, values, ports)
{
	struct stv_strs ports = {0};
	struct stv_err *err = NULL;
	int rc = df_check_port(c->spec, &ports, &err);
	char got[64] = "";

	for (size_t i = 0; i < ports.len; i++) {
		if (i > 0)
			strncat(got, " ", sizeof(got) - strlen(got) - 1);
		strncat(got, ports.v[i], sizeof(got) - strlen(got) - 1);
	}
	cr_expect_eq(rc, c->want[0] != '\0' ? 0 : -1, "%s", c->spec);
	cr_expect_str_eq(got, c->want, "%s", c->spec);
	cr_expect_eq(err == NULL, rc == 0);
	stv_err_free(err);
	stv_strs_clear(&ports);
}

struct signal_case {
	char text[16];
	int want;
};

ParameterizedTestParameters(values, signals)
{
	static struct signal_case cases[] = {
		{"SIGTERM", 0},	     {"TERM", 0},	{"sigterm", 0},
		{"hup", 0},	     {"9", 0},		{"15", 0},
		{"SIGRTMIN", 0},     {"SIGRTMIN+3", 0}, {"rtmax-14", 0},
		{"SIGRTMAX", 0},     {"0", -1},		{"", -1},
		{"SIG", -1},	     {"SIGNOPE", -1},	{"9 15", -1},
		{"SIGRTMIN+16", -1}, {"RTMAX-15", -1},	{"SIGRTMIN+", -1},
		{"RTMIN+03", -1},    {"9x", -1},
	};

	return cr_make_param_array(struct signal_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct signal_case *c, values, signals)
{
	struct stv_err *err = NULL;

	cr_expect_eq(df_check_signal(c->text, &err), c->want, "%s", c->text);
	cr_expect_eq(err == NULL, c->want == 0);
	stv_err_free(err);
}

Test(values, a_misspelt_signal_is_guessed)
{
	struct stv_err *err = NULL;

	cr_assert_eq(df_check_signal("SIGTREM", &err), -1);
	cr_expect_str_eq(stv_err_get_hint(err), "Did you mean SIGTERM?");
	stv_err_free(err);
}

#define BAD INT64_MIN
#define SECOND INT64_C(1000000000)

struct duration_case {
	char text[32];
	int64_t want;
};

ParameterizedTestParameters(values, durations)
{
	/* From the table of Go's time package. */
	static struct duration_case cases[] = {
		{"0", 0},
		{"5s", 5 * SECOND},
		{"30s", 30 * SECOND},
		{"1478s", 1478 * SECOND},
		{"-5s", -5 * SECOND},
		{"+5s", 5 * SECOND},
		{"-0", 0},
		{"5.0s", 5 * SECOND},
		{"5.6s", 5600000000},
		{"5.s", 5 * SECOND},
		{".5s", 500000000},
		{"1.004s", 1004000000},
		{"100.00100s", 100001000000},
		{"10ns", 10},
		{"11us", 11000},
		{"12\xc2\xb5s", 12000},
		{"12\xce\xbcs", 12000},
		{"13ms", 13000000},
		{"15m", 15 * 60 * SECOND},
		{"16h", 16 * 3600 * SECOND},
		{"3h30m", (3 * 3600 + 30 * 60) * SECOND},
		{"10.5s4m", (4 * 60 + 10) * SECOND + 500000000},
		{"-2m3.4s", -(2 * 60 + 3) * SECOND - 400000000},
		{"1.5h", 5400 * SECOND},
		{"0.3333333333333333333h", 20 * 60 * SECOND},
		{"9223372036854775807ns", INT64_MAX},
		{"", BAD},
		{"3", BAD},
		{"-", BAD},
		{"s", BAD},
		{".", BAD},
		{"-.", BAD},
		{".s", BAD},
		{"+.s", BAD},
		{"1d", BAD},
		{"soon", BAD},
		{"5 s", BAD},
		{"9223372036854775808ns", BAD},
		{"3000000h", BAD},
		{"9223372036854775.808us", BAD},
		{"00", BAD},
	};

	return cr_make_param_array(struct duration_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct duration_case *c, values, durations)
{
	struct stv_err *err = NULL;
	int64_t got = BAD;

	cr_expect_eq(df_parse_duration(c->text, &got, &err),
		     c->want == BAD ? -1 : 0, "%s", c->text);
	cr_expect_eq(got, c->want, "%s", c->text);
	stv_err_free(err);
}

Test(values, health_flags)
{
	struct stv_err *err = NULL;
	int64_t ns = 7;
	int n = 7;

	cr_expect_eq(df_check_interval("", &ns, &err), 0);
	cr_expect_eq(ns, 0);
	cr_expect_eq(df_check_interval("0s", &ns, &err), 0);
	cr_expect_eq(ns, 0);
	cr_expect_eq(df_check_interval("1ms", &ns, &err), 0);
	cr_expect_eq(ns, 1000000);
	cr_expect_eq(df_check_interval("999us", &ns, &err), -1);
	stv_err_clear(&err);
	cr_expect_eq(df_check_interval("-1s", &ns, &err), -1);
	stv_err_clear(&err);
	cr_expect_eq(df_check_retries("", &n, &err), 0);
	cr_expect_eq(n, 0);
	cr_expect_eq(df_check_retries("4", &n, &err), 0);
	cr_expect_eq(n, 4);
	cr_expect_eq(df_check_retries("-1", &n, &err), -1);
	stv_err_clear(&err);
	cr_expect_eq(df_check_retries("4x", &n, &err), -1);
	stv_err_clear(&err);
	cr_expect_eq(df_check_retries("9999999999", &n, &err), -1);
	stv_err_clear(&err);
}
