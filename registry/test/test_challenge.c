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
	/* of RFC 9110, 11.6.1, and RFC 7617, 6750, 7616, 4559, 7486 */
	{"Basic realm=\"simple\", Newauth realm=\"apps\", type=1, "
	 "title=\"Login to \\\"apps\\\"\"",
	 "basic realm=simple; newauth realm=apps type=1 "
	 "title=Login to \"apps\""},
	{"Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", "
	 "Basic realm=\"simple\"",
	 "newauth realm=apps type=1 title=Login to \"apps\"; "
	 "basic realm=simple"},
	{"Basic realm=\"WallyWorld\"", "basic realm=WallyWorld"},
	{"Basic realm=\"foo\", charset=\"UTF-8\"",
	 "basic realm=foo charset=UTF-8"},
	{"Bearer realm=\"example\", error=\"invalid_token\", "
	 "error_description=\"The access token expired\"",
	 "bearer realm=example error=invalid_token "
	 "error_description=The access token expired"},
	{"Digest realm=\"x@y\", qop=\"auth, auth-int\", algorithm=SHA-256, "
	 "nonce=\"7yp/xvHJ8Uz==\"",
	 "digest realm=x@y qop=auth, auth-int algorithm=SHA-256 "
	 "nonce=7yp/xvHJ8Uz=="},
	{"Negotiate", "negotiate"},
	{"Negotiate oYG2MIGzoAMKAQGh==", "negotiate"},
	{"NTLM, Negotiate, Basic realm=\"a\"",
	 "ntlm; negotiate; basic realm=a"},
	{"HOBA max-age=\"180\", challenge=\"16:MTEyMzEy\"",
	 "hoba max-age=180 challenge=16:MTEyMzEy"},
	/* of registries */
	{"Bearer realm=\"https://auth.docker.io/token\","
	 "service=\"registry.docker.io\","
	 "scope=\"repository:library/a:pull\",error=\"invalid_token\"",
	 "bearer realm=https://auth.docker.io/token "
	 "service=registry.docker.io scope=repository:library/a:pull "
	 "error=invalid_token"},
	{"Bearer realm=\"https://a/t\",service=\"s\","
	 "scope=\"repository:x:pull repository:y:push\"",
	 "bearer realm=https://a/t service=s "
	 "scope=repository:x:pull repository:y:push"},
	{"Bearer realm=\"https://a/t?x=y&z=\"",
	 "bearer realm=https://a/t?x=y&z="},
	{"Basic realm=\"Sonatype Nexus Repository Manager\"",
	 "basic realm=Sonatype Nexus Repository Manager"},
	{"BASIC realm=\"Registry Realm\"", "basic realm=Registry Realm"},
	/* quotes and commas that would make one challenge of another */
	{"Basic realm=\"a\\\", Bearer realm=\\\"b\"",
	 "basic realm=a\", Bearer realm=\"b"},
	{"Basic realm=\"a, Bearer realm=b\"", "basic realm=a, Bearer realm=b"},
	{"Basic realm='a', Bearer realm=\"b\"",
	 "basic realm='a'; bearer realm=b"},
	{"Basic realm=\"a\", Bearer realm=\"b", NULL},
	{"Basic realm=\"a\"\", Bearer realm=\"b\"", NULL},
	{"Basic realm=a b, Bearer realm=c", NULL},
	{"Basic realm=\"a\" Bearer realm=\"b\"", NULL},
	{"Bearer realm=\"a\" \"b\"", NULL},
	{"Bearer realm==\"a\"", NULL},
	{"Bearer =\"a\"", NULL},
	{"Bearer, realm=\"a\"", NULL},
	{"Bearer realm=\"a\\\x01\"", NULL},
	{"Bearer realm=\"a\x7f\"", NULL},
	{"Bearer realm=a\x01", NULL},
	{"Bearer\trealm=\"a\"", "bearer realm=a"},
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
