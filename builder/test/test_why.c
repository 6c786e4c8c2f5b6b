/* builder/test/test_why.c - comparing notes and lists of files. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <stdlib.h>
#include <string.h>

#include "cache/key.h"
#include "core/buf.h"
#include "core/digest.h"
#include "core/limits.h"
#include "core/strs.h"

#include "builder/why.h"

/* Fields from name=value strings; the names end at the first ':'. */
static struct stv_buf
fields(const char *const *list)
{
	struct stv_buf b = STV_BUF_INIT(100000);
	struct key *k = key_new("1");
	struct stv_digest d;

	for (; *list != NULL; list++) {
		char name[32] = {0};
		size_t n = strcspn(*list, ":");

		memcpy(name, *list, n);
		key_add_str(k, name, *list + n + 1);
	}
	key_end(k, &d, &b);
	key_free(k);
	return b;
}

Test(why, a_value_that_only_one_has_is_the_difference)
{
	const char *const a[] = {"f:x", "f:y", "g:1", NULL};
	const char *const b[] = {"f:y", "f:x", "f:z", "g:1", NULL};
	struct stv_buf old = fields(a), now = fields(b);
	struct bld_change c;

	cr_expect(bld_fields_differ(&old, &now, "f", &c));
	cr_expect_null(c.old_value);
	cr_expect_str_eq(c.new_value, "z");
	bld_change_fini(&c);
	cr_expect_not(bld_fields_differ(&old, &now, "g", &c));
	cr_expect_not(bld_fields_differ(&old, &now, "h", &c));
	stv_buf_fini(&old);
	stv_buf_fini(&now);
}

Test(why, pairs_are_compared_by_name)
{
	const char *const a[] = {"E:A=1", "E:AB=1", "E:GONE=x", NULL};
	const char *const b[] = {"E:A=1", "E:AB=2", "E:NEW=", NULL};
	struct stv_buf old = fields(a), now = fields(b);
	struct bld_change c = {0};

	cr_assert(bld_pairs_differ(&old, &now, "E", &c));
	cr_expect_str_eq(c.name, "AB");
	cr_expect_str_eq(c.old_value, "1");
	cr_expect_str_eq(c.new_value, "2");
	bld_change_fini(&c);
	c.name = strdup("GONE");
	cr_assert(bld_pairs_differ(&old, &now, "E", &c));
	cr_expect_str_eq(c.old_value, "x");
	cr_expect_null(c.new_value);
	bld_change_fini(&c);
	c.name = strdup("A");
	cr_expect_not(bld_pairs_differ(&old, &now, "E", &c));
	stv_buf_fini(&old);
	stv_buf_fini(&now);
}

struct secret_case {
	char name[24];
	char value[48];
	bool want;
};

ParameterizedTestParameters(why, what_could_be_a_secret_is_one)
{
	static struct secret_case cases[] = {
		{"VERSION", "1.2", false},
		{"KEYBOARD", "de", false},
		{"AUTHOR", "me", false},
		{"COMPASS", "north", false},
		{"URL", "http://host/path", false},
		{"API_TOKEN", "x", true},
		{"npm_config_token", "x", true},
		{"MYSQL_ROOT_PASSWORD", "x", true},
		{"DB_PASS", "x", true},
		{"SSH_KEY", "x", true},
		{"key", "x", true},
		{"clientSecret", "x", true},
		{"AWS_CREDENTIALS", "x", true},
		{"BASIC_AUTH", "x", true},
		{"HTTP_PROXY", "http://proxy", true},
		{"all_proxy", "http://proxy", true},
		{"URL", "http://me:pw@host/path", true},
		{"X", "ghp_0123456789", true},
		{"X", "-----BEGIN RSA", true},
		{"X", "eyJhbGciOi", true},
	};

	return cr_make_param_array(struct secret_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct secret_case *c, why, what_could_be_a_secret_is_one)
{
	cr_expect_eq(bld_is_secret(c->name, c->value), c->want, "%s=%s",
		     c->name, c->value);
}

/* A list of head, path, head, path ... */
static struct stv_buf
list(const char *const *strings)
{
	struct stv_buf b = STV_BUF_INIT(100000);

	for (; *strings != NULL; strings++)
		stv_buf_add(&b, *strings, strlen(*strings) + 1);
	return b;
}

/* The difference as "kind path old new more". */
static char *
differ(const char *const *a, const char *const *b)
{
	struct stv_buf old = list(a), now = list(b), text = STV_BUF_INIT(1000);
	struct bld_input_change c;

	if (bld_inputs_differ(&old, &now, &c) == 1)
		stv_buf_addf(&text, "%s %s %s %s %zu", c.kind, c.path,
			     c.old_value == NULL ? "-" : c.old_value,
			     c.new_value == NULL ? "-" : c.new_value, c.n_more);
	bld_input_change_fini(&c);
	stv_buf_fini(&old);
	stv_buf_fini(&now);
	return stv_buf_take(&text);
}

#define F "f 0644 0 0 - 0123"
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
expect_differ(const char *const *a, const char *const *b, const char *want)
{
	char *got = differ(a, b);

	cr_expect_str_eq(got, want);
	free(got);
}

Test(why, the_file_that_differs_is_named)
{
	expect_differ(LIST(F, "a"), LIST(F, "a"), "");
	expect_differ(LIST(F, "a"), LIST("f 0644 0 0 - 9999", "a"),
		      "content a - - 0");
	expect_differ(LIST(F, "a"), LIST("f 0755 0 0 - 0123", "a"),
		      "mode a 0644 0755 0");
	expect_differ(LIST(F, "a"), LIST("f 0644 1 2 - 0123", "a"),
		      "owner a 0:0 1:2 0");
	expect_differ(LIST(F, "a"), LIST("f 0644 0 0 beef 0123", "a"),
		      "attributes a - - 0");
	expect_differ(LIST("l 0777 0 0 - to here", "a"),
		      LIST("l 0777 0 0 - to there", "a"),
		      "link a to here to there 0");
	expect_differ(LIST(F, "a"), LIST("l 0777 0 0 - x", "a"),
		      "type a file symbolic link 0");
	expect_differ(LIST(F, "a", F, "c"), LIST(F, "a", F, "b", F, "c"),
		      "new-file b - - 0");
	expect_differ(LIST(F, "a", F, "b", F, "c"), LIST(F, "a"),
		      "gone-file b - - 1");
}

Test(why, files_say_more_than_directories_and_the_dockerfile)
{
	expect_differ(
		LIST(F, "Dockerfile", F, "a"),
		LIST("f 0644 0 0 - 9", "Dockerfile", "f 0644 0 0 - 9", "a"),
		"content a - - 1");
	expect_differ(LIST(F, "x"),
		      LIST("d 0755 0 0 - ", "d", F, "d/f", F, "x"),
		      "new-file d/f - - 1");
	expect_differ(LIST(F, "x"), LIST("d 0755 0 0 - ", "d", F, "x"),
		      "new-file d - - 0");
}

/* Whatever a list is cut to: an answer, and nothing outside of it is read. */
Test(why, a_damaged_list_has_no_difference_or_one)
{
	struct stv_buf whole = list(LIST(F, "a", F, "b"));
	struct stv_buf other = list(LIST(F, "a", "x", "b", "", "c"));

	for (size_t n = 0; n <= whole.len; n++) {
		struct stv_buf cut = STV_BUF_INIT(1000);
		struct bld_input_change c;
		int r;

		stv_buf_add(&cut, whole.data, n);
		r = bld_inputs_differ(&cut, &whole, &c);
		cr_expect(r == 0 || n == 0 || cut.data[n - 1] == '\0');
		bld_input_change_fini(&c);
		(void)bld_inputs_differ(&other, &whole, &c);
		bld_input_change_fini(&c);
		stv_buf_fini(&cut);
	}
	stv_buf_fini(&whole);
	stv_buf_fini(&other);
}
