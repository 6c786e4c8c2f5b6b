/* registry/test/test_challenge.c - what WWW-Authenticate asks for. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"

#include "registry/challenge.h"

struct golden {
	const char *header;
	const char
		*want; /* "scheme name=value name=value; ..."; NULL: refused */
};

static const struct golden cases[] = {
	{"Basic", "basic"},
	{"Basic realm=\"a\"", "basic realm=a"},
	{"BASIC Realm=\"A b\"", "basic realm=A b"},
	{"Basic realm=plain", "basic realm=plain"},
	{"Basic realm = \"a\"", "basic realm=a"},
	{"Basic realm=\"a\\\"b\"", "basic realm=a\"b"},
	{"Basic realm=\"a\\\\b\"", "basic realm=a\\b"},
	{"Basic realm=\"a,b\"", "basic realm=a,b"},
	{"Basic realm=\"\"", "basic realm="},
	{"Bearer realm=\"https://a/t\",service=\"s\",scope=\"r:x:pull,push\"",
	 "bearer realm=https://a/t service=s scope=r:x:pull,push"},
	{"Bearer realm=\"r\" , service=\"s\" ", "bearer realm=r service=s"},
	{"Bearer realm=\"r\",, service=\"s\"", "bearer realm=r service=s"},
	{"Bearer realm=\"r\",", "bearer realm=r"},
	{"Basic realm=\"a\", Bearer realm=\"b\"",
	 "basic realm=a; bearer realm=b"},
	{"Basic, Bearer realm=\"b\"", "basic; bearer realm=b"},
	{"Negotiate, Basic realm=\"a\"", "negotiate; basic realm=a"},
	{"Negotiate YWJj==, Basic realm=\"a\"", "negotiate; basic realm=a"},
	{"Negotiate a/b+c", "negotiate"},
	{" Basic  realm=\"a\"", "basic realm=a"},
	{", Basic realm=\"a\"", "basic realm=a"},
	{"", ""},
	{"Bearer realm=\"a", NULL},
	{"Bearer realm=\"a\\", NULL},
	{"Bearer realm=\"a\" x", NULL},
	{"Bearer realm=\"a\"service=\"b\"", NULL},
	{"Bearer realm=\"a\", realm=\"b\"", NULL},
	{"Bearer realm=\"a\", REALM=\"b\"", NULL},
	{"Bearer realm=\"a\nb\"", NULL},
	{"realm=\"a\"", NULL},
	{"=", NULL},
	{"\"Bearer\" realm=a", NULL},
	{"Bearer@x", NULL},
	{"Bearer realm=@", NULL},
};

static void
print(const struct reg_challenges *c, struct stv_buf *ret)
{
	for (size_t i = 0; i < c->list.len; i++) {
		const struct reg_challenge *one = &c->list.v[i];

		stv_buf_addf(ret, "%s%s", i == 0 ? "" : "; ", one->scheme);
		for (size_t k = 0; k < one->params.len; k++)
			stv_buf_addf(ret, " %s=%s", one->params.v[k].name,
				     one->params.v[k].value);
	}
}

Test(challenge, each_header_means_what_rfc_9110_says)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reg_challenges c = {0};
		stv_auto_buf got = STV_BUF_INIT(4096);
		struct stv_err *err = NULL;
		int r = reg_challenge_parse(cases[i].header, &c, &err);

		cr_assert_eq(r, cases[i].want == NULL ? -1 : 0, "'%s'",
			     cases[i].header);
		if (r == 0) {
			print(&c, &got);
			cr_assert_str_eq(stv_buf_str(&got), cases[i].want,
					 "'%s'", cases[i].header);
		} else {
			cr_assert_eq(stv_err_code(err), STV_E_PROTOCOL);
		}
		stv_err_free(err);
		reg_challenges_fini(&c);
	}
}

Test(challenge, floods_are_refused)
{
	struct reg_challenges c = {0};
	struct stv_err *err = NULL;
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);

	for (int i = 0; i < 9; i++)
		stv_buf_addf(&b, "S%d, ", i);
	cr_assert_eq(reg_challenge_parse(stv_buf_str(&b), &c, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_clear(&err);
	reg_challenges_fini(&c);
	stv_buf_truncate(&b, 0);
	stv_buf_adds(&b, "Bearer ");
	for (int i = 0; i < 17; i++)
		stv_buf_addf(&b, "p%d=x, ", i);
	cr_assert_eq(reg_challenge_parse(stv_buf_str(&b), &c, &err), -1);
	stv_err_free(err);
	reg_challenges_fini(&c);
}
