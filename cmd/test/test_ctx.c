/* cmd/test/test_ctx.c - exit statuses, the time of what is made. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

#include "core/cleanup.h"
#include "core/err.h"

#include "cmd/ctx.h"

struct status_row {
	enum stv_code code;
	int want;
};

ParameterizedTestParameters(ctx, every_code_has_its_status)
{
	static struct status_row rows[] = {
		{STV_E_USAGE, 2},	{STV_E_SYNTAX, 1},
		{STV_E_CHECK, 1},	{STV_E_INPUT, 1},
		{STV_E_NOT_FOUND, 1},	{STV_E_DIGEST, 1},
		{STV_E_LIMIT, 1},	{STV_E_AUTH, 5},
		{STV_E_NET, 4},		{STV_E_PROTOCOL, 4},
		{STV_E_STEP_FAILED, 3}, {STV_E_SANDBOX, 7},
		{STV_E_PRIVILEGE, 7},	{STV_E_IO, 6},
		{STV_E_CANCELLED, 130}, {STV_E_INTERNAL, 70},
	};

	return cr_make_param_array(struct status_row, rows,
				   STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct status_row *r, ctx, every_code_has_its_status)
{
	struct stv_err *err = NULL;

	(void)stv_fail(&err, r->code, "x");
	cr_expect_eq(cmd_exit_status(err), r->want, "code %d", (int)r->code);
	stv_err_free(err);
}

Test(ctx, a_termination_is_143)
{
	struct stv_err *err = NULL;

	(void)stv_fail(&err, STV_E_CANCELLED, "interrupted");
	stv_err_set_status(err, 143);
	cr_expect_eq(cmd_exit_status(err), 143);
	stv_err_free(err);
}

struct epoch_row {
	char text[24];
	int64_t want; /* -1: refused */
};

ParameterizedTestParameters(ctx, source_date_epoch_is_the_time)
{
	static struct epoch_row rows[] = {
		{"0", 0},    {"1700000000", 1700000000}, {"-1", -1},
		{"1e9", -1}, {"999999999999999", -1},	 {"now", -1},
	};

	return cr_make_param_array(struct epoch_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct epoch_row *r, ctx, source_date_epoch_is_the_time)
{
	struct stv_err *err = NULL;
	int64_t got = -1;

	cr_assert_eq(setenv("SOURCE_DATE_EPOCH", r->text, 1), 0);
	cr_expect_eq(cmd_now(&got, &err), r->want < 0 ? -1 : 0, "%s", r->text);
	cr_expect_eq(got, r->want);
	stv_err_free(err);
}
