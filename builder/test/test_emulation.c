/* builder/test/test_emulation.c - which platforms can run here. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/err.h"
#include "core/oci.h"

#include "builder/emulation.h"

static bool
can_run(const char *text)
{
	struct stv_platform p = {0};
	struct stv_err *err = NULL;
	bool is_ok;

	cr_assert_eq(stv_platform_parse(text, &p, &err), 0);
	is_ok = bld_can_run(&p);
	stv_platform_fini(&p);
	return is_ok;
}

Test(emulation, this_machine_runs_its_own)
{
	struct stv_platform host = {0}, nothing = {0};

	stv_platform_host(&host);
	cr_expect(bld_can_run(&host));
	stv_platform_fini(&host);
	cr_expect(bld_can_run(&nothing));
}

Test(emulation, what_no_kernel_runs_is_refused)
{
	cr_expect_not(can_run("windows/amd64"));
	cr_expect_not(can_run("linux/pdp11"));
}

/*
 * The probe's form is right: a kernel with 32 bits looks for the interpreter
 * of a program of its elder, where one of another kind says ENOEXEC.
 */
Test(emulation, an_elder_of_this_machine_runs)
{
	struct stv_platform host = {0};
	bool is_amd64;

	stv_platform_host(&host);
	is_amd64 = strcmp(host.arch, "amd64") == 0;
	stv_platform_fini(&host);
	if (!is_amd64)
		cr_skip_test("another processor");
	cr_expect(can_run("linux/386"));
}
