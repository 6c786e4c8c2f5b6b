/* core/test/test_err.c - the contract of core/err.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/cleanup.h"

#include "core/err.h"

/* Rows are copied into another process: arrays, never pointers. */
struct wrap_case {
	char frame[32];
	char want[32];
};

ParameterizedTestParameters(err, newest_frame_comes_first)
{
	static struct wrap_case cases[] = {
		{"pulling layer 2 of 5", "pulling layer 2 of 5"},
		{"", ""},
		{"100%", "100%"},
	};

	return cr_make_param_array(struct wrap_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct wrap_case *c, err, newest_frame_comes_first)
{
	struct stv_err *err = NULL;

	cr_assert_eq(stv_fail(&err, STV_E_DIGEST, "blob is a, expected b"), -1);
	cr_assert_eq(stv_wrap(&err, "%s", c->frame), -1);

	cr_expect_eq(stv_err_code(err), STV_E_DIGEST, "a wrap keeps the code");
	cr_expect_str_eq(stv_err_msg(err), c->want);
	cr_expect_str_eq(stv_err_msg(stv_err_root(err)),
			 "blob is a, expected b");
	cr_expect_eq(stv_err_cause(err), stv_err_root(err));
	cr_expect_null(stv_err_cause(stv_err_root(err)));
	stv_err_set_code(err, STV_E_CHECK);
	cr_expect_eq(stv_err_code(err), STV_E_CHECK);
	cr_expect_eq(stv_err_code(stv_err_root(err)), STV_E_DIGEST);
	stv_err_free(err);
}

Test(err, errno_is_named_and_kept)
{
	struct stv_err *err = NULL;

	cr_assert_eq(stv_fail_errno(&err, EACCES, "cannot open '%s'", "x"), -1);
	cr_expect_str_eq(stv_err_msg(err),
			 "cannot open 'x': Permission denied");
	cr_expect_eq(stv_err_code(err), STV_E_IO);
	stv_wrap(&err, "reading the context");
	cr_expect_eq(stv_err_errno(err), EACCES);
	stv_err_free(err);
}

Test(err, what_is_not_there_has_its_own_code)
{
	struct stv_err *err = NULL;

	stv_fail_errno(&err, ENOENT, "cannot open 'x'");
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_clear(&err);
	cr_expect_null(err);
	stv_fail_errno_as(&err, STV_E_SANDBOX, ENOENT, "cannot mount");
	cr_expect_eq(stv_err_code(err), STV_E_SANDBOX);
	cr_expect_eq(stv_err_errno(err), ENOENT);
	stv_err_free(err);
}

Test(err, a_full_disk_is_answered_with_advice)
{
	struct stv_err *err = NULL;

	stv_fail_errno(&err, ENOSPC, "cannot write");
	cr_assert_not_null(stv_err_get_hint(err));
	cr_expect_not_null(strstr(stv_err_get_hint(err), "prune"));
	stv_err_free(err);
}

Test(err, place_and_hint_are_found_through_the_chain)
{
	struct stv_span inner = {3, 5, 1}, outer = {7, 9, 2};
	struct stv_err *err = NULL;

	stv_fail(&err, STV_E_CHECK, "a");
	cr_expect_eq(stv_err_at(err, inner), -1);
	stv_err_hint(err, "Do %s.", "this");
	stv_wrap(&err, "b");
	cr_expect_eq(stv_err_span(err).file, 1);
	cr_expect_str_eq(stv_err_get_hint(err), "Do this.");

	stv_err_at(err, outer);
	stv_err_hint(err, "Do first.");
	stv_err_hint(err, "Do that.");
	cr_expect_eq(stv_err_span(err).file, 2);
	cr_expect_str_eq(stv_err_get_hint(err), "Do that.");
	stv_err_free(err);
}

Test(err, without_place_and_hint_there_is_none)
{
	struct stv_err *err = NULL;

	stv_fail(&err, STV_E_CHECK, "a");
	cr_expect_eq(stv_err_span(err).file, 0);
	cr_expect_null(stv_err_get_hint(err));
	cr_expect_eq(stv_err_status(err), 0);
	cr_expect_eq(stv_err_errno(err), 0);
	stv_err_free(err);
	stv_err_free(NULL);
}

Test(err, the_commands_status_survives_a_wrap)
{
	struct stv_err *err = NULL;

	stv_fail(&err, STV_E_STEP_FAILED, "a");
	stv_err_set_status(err, 42);
	stv_wrap(&err, "b");
	cr_expect_eq(stv_err_status(err), 42);
	stv_err_free(err);
}

Test(err, a_bug_ends_the_program_with_70, .exit_code = 70)
{
	STV_BUG("seen %d", 1);
}

Test(err, setting_an_error_twice_is_a_bug, .signal = SIGABRT)
{
	struct stv_err *err = NULL;

	stv_fail(&err, STV_E_IO, "a");
	stv_fail(&err, STV_E_IO, "b");
}

Test(err, wrapping_nothing_is_a_bug, .signal = SIGABRT)
{
	struct stv_err *err = NULL;

	stv_wrap(&err, "a");
}
