/* parser/test/test_mount.c - tests of parser/mount.h and parser/csv.h. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/size.h"

#include "parser/csv.h"
#include "parser/mount.h"

/* $X is "val", all else stays. */
static int
expand(void *arg, const char *text, char **ret, struct stv_err **err)
{
	(void)arg;
	(void)err;
	*ret = stv_xstrdup(strcmp(text, "$X") == 0 ? "val" : text);
	return 0;
}

static void
add(struct stv_buf *b, const char *name, const char *value)
{
	if (value != NULL)
		stv_buf_addf(b, " %s=%s", name, value);
}

static char *
dump(const struct df_mount *m)
{
	struct stv_buf b = STV_BUF_INIT(4096);

	stv_buf_addf(&b, "%s %s", df_mount_type_name(m->type),
		     m->is_readonly ? "ro" : "rw");
	add(&b, "from", m->from);
	add(&b, "source", m->source);
	add(&b, "target", m->target);
	add(&b, "id", m->id);
	add(&b, "env", m->env);
	if (m->has_sharing)
		add(&b, "sharing", df_mount_sharing_name(m->sharing));
	if (m->is_required)
		stv_buf_adds(&b, " required");
	if (m->has_mode)
		stv_buf_addf(&b, " mode=%o", m->mode);
	if (m->has_uid)
		stv_buf_addf(&b, " uid=%u", m->uid);
	if (m->has_gid)
		stv_buf_addf(&b, " gid=%u", m->gid);
	if (m->size_bytes > 0)
		stv_buf_addf(&b, " size=%llu",
			     (unsigned long long)m->size_bytes);
	return stv_buf_take(&b);
}

struct mount_case {
	char text[80];
	char want[110]; /* what dump() gives, or "!" and a part of the error */
};

static void
check(const struct mount_case *c, bool has_expander)
{
	const struct df_mount_expander x = {.expand = expand};
	struct stv_span span = {0, (uint32_t)strlen(c->text), 1};
	struct stv_err *err = NULL;
	struct df_mount m;
	int rc = df_mount_parse(c->text, span, has_expander ? &x : NULL, &m,
				&err);

	if (c->want[0] == '!') {
		cr_assert_eq(rc, -1, "'%s' is accepted", c->text);
		cr_expect(strstr(stv_err_msg(err), c->want + 1) != NULL,
			  "'%s': %s", c->text, stv_err_msg(err));
		cr_expect_eq(stv_err_code(err), STV_E_CHECK);
		cr_expect_eq(stv_err_span(err).file, 1);
		stv_err_free(err);
	} else {
		stv_auto_free char *got = NULL;

		cr_assert_eq(rc, 0, "'%s': %s", c->text,
			     rc < 0 ? stv_err_msg(err) : "");
		got = dump(&m);
		cr_expect_str_eq(got, c->want, "'%s' gives '%s'", c->text, got);
	}
	df_mount_fini(&m);
}

ParameterizedTestParameters(mount, values)
{
	static struct mount_case cases[] = {
		{"target=/m", "bind ro target=/m"},
		{"TYPE=Bind,TARGET=/m", "bind ro target=/m"},
		{"dst=/m,src=a", "bind ro source=a target=/m"},
		{"destination=/m,source=a,rw", "bind rw source=a target=/m"},
		{"target=/m,readwrite=false", "bind ro target=/m"},
		{"target=/m,ro=0", "bind rw target=/m"},
		{"target=/m,rw,ro", "bind ro target=/m"},
		{"target=/a,target=/b", "bind ro target=/b"},
		{"from=x,target=/m", "bind ro from=x target=/m"},
		{"from=x$,target=/m", "bind ro from=x$ target=/m"},
		{"\"target=/a,b\",source=c", "bind ro source=c target=/a,b"},
		{"\"target=/a\"\"b\"", "bind ro target=/a\"b"},
		{"target=", "bind ro"},
		{"target=/m,source=$X", "bind ro source=val target=/m"},
		{"target=/m,id=x,env=Y", "bind ro target=/m id=x env=Y"},
		{"type=cache,target=/c", "cache rw target=/c"},
		{"type=cache,sharing=Locked,ro", "cache ro sharing=locked"},
		{"type=cache,sharing=private,mode=0700,uid=1,gid=2",
		 "cache rw sharing=private mode=700 uid=1 gid=2"},
		{"type=tmpfs,size=1.5k", "tmpfs rw size=1536"},
		{"type=tmpfs,size=64MiB,ro", "tmpfs ro size=67108864"},
		{"type=secret,id=a", "secret ro id=a"},
		{"type=secret,target=/x/a", "secret ro target=/x/a"},
		{"type=secret,src=a,required=t", "secret ro source=a required"},
		{"type=secret,id=a,env=", "secret ro id=a env="},
		{"type=tmpfs,size=1m,type=cache", "cache rw"},
		{"type=ssh,required,type=bind", "bind ro"},
		{"type=ssh", "ssh ro"},
		{"type=ssh,required", "ssh ro required"},
		{"", "!the value is empty"},
		{"target", "!'target' of --mount needs a value"},
		{"foo", "!unknown key 'foo'"},
		{"tagret=/m", "!unknown key 'tagret'"},
		{" target=/m", "!unknown key ' target'"},
		{"target=/m,,", "!unknown key ''"},
		{"target=/m,\"source=a", "!quoted field does not end"},
		{"target=/m,so\"urce=a", "!quote stands inside"},
		{"\"target=/m\"x", "!behind a quoted field"},
		{"target=/m,bind-propagation=rshared",
		 "!unknown key 'bind-propagation'"},
		{"target=/m,from=$X", "!cannot hold a variable ('$X')"},
		{"type=bnd", "!unknown type 'bnd'"},
		{"type=", "!unknown type ''"},
		{"type=cache,sharing=rw", "!unknown sharing 'rw'"},
		{"target=/m,ro=maybe", "!'ro' of --mount is true or false"},
		{"target=/m,ro=", "!'ro' of --mount is true or false"},
		{"required,type=ssh", "!'required' is no key"},
		{"type=secret,id=a,required=x", "!'required' of --mount is"},
		{"size=5,type=tmpfs", "!'size' is no key of --mount=type=bind"},
		{"type=tmpfs,size=x", "!'size' of --mount is a size"},
		{"type=tmpfs,size=-5", "!'size' of --mount is a size"},
		{"type=tmpfs,mode=1777", "!'mode' is no key"},
		{"type=bind,uid=1", "!'uid' is no key"},
		{"type=bind,gid=1", "!'gid' is no key"},
		{"type=cache,mode=999", "!'mode' of --mount is an octal"},
		{"type=cache,mode=0o7", "!'mode' of --mount is an octal"},
		{"type=cache,mode=", "!'mode' of --mount is an octal"},
		{"type=cache,uid=-1", "!'uid' of --mount is a number"},
		{"type=cache,uid=4294967296", "!'uid' of --mount is a number"},
		{"type=cache,gid=root", "!'gid' of --mount is a number"},
		{"type=ssh,sharing=shared", "!'sharing' is no key"},
		{"type=ssh,source=x", "!'source' is no key"},
		{"type=secret", "!the secret has no 'id'"},
		{"type=secret,target=/", "!the secret has no 'id'"},
		{"type=secret,id=a,source=b", "!not both"},
		{"type=secret,id=a,from=b", "!a secret has no 'from'"},
	};

	return cr_make_param_array(struct mount_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct mount_case *c, mount, values)
{
	check(c, true);
}

/* With the file: what a variable decides is left for later. */
ParameterizedTestParameters(mount, before_expansion)
{
	static struct mount_case cases[] = {
		{"target=/m,source=$X", "bind ro target=/m"},
		{"target=/m,source='a'", "bind ro target=/m"},
		{"type=$T,mode=0700,size=5,required",
		 "bind rw required mode=700 size=5"},
		{"type=secret,target=$T", "secret ro"},
		{"type=$T,size=x", "!'size' of --mount"},
		{"type=cache,mode=$M,uid=x", "!'uid' of --mount"},
		{"target=/m,from=${X}", "!cannot hold a variable"},
		{"$X=/m", "!unknown key '$x'"},
	};

	return cr_make_param_array(struct mount_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct mount_case *c, mount, before_expansion)
{
	check(c, false);
}

Test(mount, an_error_points_at_its_field)
{
	static const char text[] = "type=cache,\"target=/a,b\",mode=9";
	struct stv_span span = {100, 100 + sizeof(text) - 1, 1};
	struct stv_err *err = NULL;
	struct df_mount m;

	cr_assert_eq(df_mount_parse(text, span, NULL, &m, &err), -1);
	cr_expect_eq(stv_err_span(err).begin, 125);
	cr_expect_eq(stv_err_span(err).end, 131);
	stv_err_free(err);
	df_mount_fini(&m);
	/* Where the file has more bytes (quotes, line joins) it is all of it.
	 */
	err = NULL;
	span.end += 2;
	cr_assert_eq(df_mount_parse(text, span, NULL, &m, &err), -1);
	cr_expect_eq(stv_err_span(err).begin, 100);
	cr_expect_eq(stv_err_span(err).end, span.end);
	stv_err_free(err);
	df_mount_fini(&m);
}

Test(mount, a_typing_mistake_gets_its_neighbour)
{
	struct stv_span span = {0, 9, 1};
	struct stv_err *err = NULL;
	struct df_mount m;

	cr_assert_eq(df_mount_parse("tagret=/m", span, NULL, &m, &err), -1);
	cr_expect_str_eq(stv_err_get_hint(err), "Did you mean 'target'?");
	stv_err_free(err);
	df_mount_fini(&m);
}

Test(csv, places_have_the_quotes)
{
	struct df_csv csv = {0};
	struct stv_err *err = NULL;
	size_t at;

	cr_assert_eq(df_csv_parse("a,\"b,\"\"c\",,d", &csv, &at, &err), 0);
	cr_assert_eq(csv.fields.len, 4);
	cr_expect_str_eq(csv.fields.v[0].text, "a");
	cr_expect_str_eq(csv.fields.v[1].text, "b,\"c");
	cr_expect_eq(csv.fields.v[1].begin, 2);
	cr_expect_eq(csv.fields.v[1].end, 9);
	cr_expect_str_eq(csv.fields.v[2].text, "");
	cr_expect_str_eq(csv.fields.v[3].text, "d");
	df_csv_fini(&csv);
}

/* A field takes what it needs, not what is left of the line. */
Test(csv, many_quoted_fields_take_little_memory)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)100000);
	struct df_csv csv = {0};
	struct stv_err *err = NULL;
	size_t at, size = 0;

	for (int i = 0; i < 10000; i++)
		stv_buf_adds(&text, "\"a\",");
	cr_assert_eq(df_csv_parse(stv_buf_str(&text), &csv, &at, &err), 0);
	cr_assert_eq(csv.fields.len, 10001);
	for (size_t i = 0; i < csv.fields.len; i++)
		size += malloc_usable_size(csv.fields.v[i].text);
	cr_expect_lt(size, 1000000);
	df_csv_fini(&csv);
}
