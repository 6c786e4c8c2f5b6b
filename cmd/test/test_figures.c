/* cmd/test/test_figures.c - sizes, durations and times in docker's words. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/cleanup.h"
#include "core/err.h"

#include "cmd/figures.h"

struct size_row {
	uint64_t size;
	int digits;
	char want[16];
};

ParameterizedTestParameters(figures, sizes_are_printed_as_docker_does)
{
	static struct size_row rows[] = {
		{0, 3, "0B"},
		{1, 3, "1B"},
		{999, 3, "999B"},
		{1000, 3, "1kB"},
		{4260000, 3, "4.26MB"},
		{72800000, 3, "72.8MB"},
		{999499, 3, "999kB"},
		{999700, 3, "1MB"},
		{1234567, 4, "1.235MB"},
		{999999, 4, "1000kB"},
		{1500000000, 3, "1.5GB"},
		{UINT64_MAX, 3, "18.4EB"},
	};

	return cr_make_param_array(struct size_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct size_row *r, figures, sizes_are_printed_as_docker_does)
{
	char buf[CMD_SIZE_MAX];

	cr_expect_str_eq(cmd_size_str(r->size, r->digits, buf), r->want,
			 "%llu: %s", (unsigned long long)r->size, buf);
}

struct parse_row {
	char text[40];
	int64_t want; /* -1: refused */
};

ParameterizedTestParameters(figures, sizes_are_read_as_docker_does)
{
	static struct parse_row rows[] = {
		{"512", 512},
		{"64m", 64 << 20},
		{"64M", 64 << 20},
		{"64MB", 64 << 20},
		{"64MiB", 64 << 20},
		{"1.5k", 1536},
		{"0", 0},
		{"2 g", (int64_t)2 << 30},
		{"7b", 7},
		{"", -1},
		{"m", -1},
		{"-1", -1},
		{"1x", -1},
		{"1mm", -1},
		{"1.", -1},
		{"99999999999999999999", -1},
		{"99999999p", -1},
	};

	return cr_make_param_array(struct parse_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct parse_row *r, figures, sizes_are_read_as_docker_does)
{
	struct stv_err *err = NULL;
	uint64_t got = 0;
	int rc = cmd_size_parse("--shm-size", r->text, &got, &err);

	if (r->want < 0) {
		cr_assert_eq(rc, -1, "'%s' is refused", r->text);
		cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	} else {
		cr_assert_eq(rc, 0, "'%s' is read", r->text);
		cr_expect_eq(got, (uint64_t)r->want, "%s: %llu", r->text,
			     (unsigned long long)got);
	}
	stv_err_free(err);
}

struct ago_row {
	int64_t seconds;
	char want[24];
};

ParameterizedTestParameters(figures, durations_are_in_dockers_words)
{
	static struct ago_row rows[] = {
		{-5, "Less than a second"},
		{0, "Less than a second"},
		{1, "1 second"},
		{59, "59 seconds"},
		{60, "About a minute"},
		{119, "About a minute"},
		{120, "2 minutes"},
		{3599, "59 minutes"},
		{3600, "About an hour"},
		{5399, "About an hour"},
		{5400, "2 hours"},
		{170000, "47 hours"},
		{172800, "2 days"},
		{1209600, "2 weeks"},
		{5184000, "2 months"},
		{63072000, "2 years"},
	};

	return cr_make_param_array(struct ago_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct ago_row *r, figures, durations_are_in_dockers_words)
{
	char buf[CMD_SIZE_MAX];

	cr_expect_str_eq(cmd_ago_str(r->seconds, buf), r->want, "%s", buf);
}

ParameterizedTestParameters(figures, times_are_rfc_3339)
{
	static struct parse_row rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2024-01-02T03:04:05Z", 1704164645},
		{"2024-01-02T03:04:05.678Z", 1704164645},
		{"2024-01-02T05:04+02:00", -1},
		{"yesterday", -1},
		{"", -1},
	};

	return cr_make_param_array(struct parse_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct parse_row *r, figures, times_are_rfc_3339)
{
	int64_t got = -1;
	int rc = cmd_time_parse(r->text, &got);

	cr_expect_eq(rc, r->want < 0 ? -1 : 0, "%s", r->text);
	cr_expect_eq(got, r->want, "%s", r->text);
}

Test(figures, a_time_zone_is_counted)
{
	int64_t a, b;

	cr_assert_eq(cmd_time_parse("2024-01-02T03:04:05Z", &a), 0);
	cr_assert_eq(cmd_time_parse("2024-01-02T05:04:05+02:00", &b), 0);
	cr_expect_eq(a, b);
}

ParameterizedTestParameters(figures, durations_are_read)
{
	static struct parse_row rows[] = {
		{"10s", 10},	 {"24h", 86400},
		{"1h30m", 5400}, {"7d", 604800},
		{"", -1},	 {"5", -1},
		{"h", -1},	 {"1y", -1},
		{"1h30", -1},	 {"99999999999h", -1},
	};

	return cr_make_param_array(struct parse_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct parse_row *r, figures, durations_are_read)
{
	struct stv_err *err = NULL;
	int64_t got = -1;
	int rc = cmd_duration_parse("until", r->text, &got, &err);

	cr_expect_eq(rc, r->want < 0 ? -1 : 0, "'%s'", r->text);
	cr_expect_eq(got, r->want, "'%s'", r->text);
	stv_err_free(err);
}
