/* cmd/test/test_values.c - option values with a syntax of their own. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cleanup.h"
#include "core/err.h"

#include "cmd/values.h"

/* What is typed, and the value as text; "" where it is refused. */
struct row {
	char text[64];
	char want[64];
};

ParameterizedTestParameters(values, ulimits)
{
	static struct row rows[] = {
		{"nofile=1024:2048", "7 1024 2048"},
		{"nofile=512", "7 512 512"},
		{"core=0", "4 0 0"},
		{"stack=-1", "3 -1 -1"},
		{"nproc=10:-1", "6 10 -1"},
		{"nofile=2048:1024", ""},
		{"nofile=-1:5", ""},
		{"nofile", ""},
		{"nofile=", ""},
		{"nofile=a", ""},
		{"nofile=1:", ""},
		{"nofile=1:2:3", ""},
		{"files=1", ""},
		{"no=1", ""},
		{"=1", ""},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, values, ulimits)
{
	struct stv_err *err = NULL;
	struct sbx_rlimit l = {0};
	char got[64] = "";

	if (cmd_ulimit_parse(r->text, &l, &err) == 0)
		(void)snprintf(got, sizeof(got), "%d %lld %lld", l.resource,
			       (long long)l.soft, (long long)l.hard);
	else
		cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	cr_expect_str_eq(got, r->want, "%s: %s", r->text, got);
	stv_err_free(err);
}

ParameterizedTestParameters(values, hosts)
{
	static struct row rows[] = {
		{"db:10.1.2.3", "db:10.1.2.3"},
		{"db=10.1.2.3", "db:10.1.2.3"},
		{"db:fd00::1", "db:fd00::1"},
		{"db=[::1]", "db:::1"},
		{"my-db.x:[fd00::1]", "my-db.x:fd00::1"},
		{"db", ""},
		{"db:", ""},
		{"db:host", ""},
		{":1.2.3.4", ""},
		{"a b:1.2.3.4", ""},
		{"db:1.2.3.4\n5.6.7.8 x", ""},
		{"db:host-gateway", ""},
		{"db:[::1", ""},
	};

	return cr_make_param_array(struct row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *r, values, hosts)
{
	struct stv_err *err = NULL;
	stv_auto_free char *got = NULL;

	if (cmd_host_parse(r->text, &got, &err) < 0)
		cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	cr_expect_str_eq(got != NULL ? got : "", r->want, "%s", r->text);
	stv_err_free(err);
}
