/* registry/test/test_ref.c - image references. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"

#include "registry/ref.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Rows are copied to another process: arrays, no pointers. */
struct good_row {
	char text[160];
	char normal[200];
	char familiar[200];
};

ParameterizedTestParameters(ref, what_is_written_has_a_normal_form)
{
	static struct good_row rows[] = {
		{"ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"},
		{"ubuntu:24.04", "docker.io/library/ubuntu:24.04",
		 "ubuntu:24.04"},
		{"me/app", "docker.io/me/app:latest", "me/app:latest"},
		{"docker.io/ubuntu", "docker.io/library/ubuntu:latest",
		 "ubuntu:latest"},
		{"index.docker.io/ubuntu", "docker.io/library/ubuntu:latest",
		 "ubuntu:latest"},
		{"docker.io/library/ubuntu", "docker.io/library/ubuntu:latest",
		 "ubuntu:latest"},
		{"library/a/b", "docker.io/library/a/b:latest",
		 "library/a/b:latest"},
		{"localhost/a", "localhost/a:latest", "localhost/a:latest"},
		{"localhost:5000/a/b:c", "localhost:5000/a/b:c",
		 "localhost:5000/a/b:c"},
		{"host:5000/a", "host:5000/a:latest", "host:5000/a:latest"},
		{"host.example/a", "host.example/a:latest",
		 "host.example/a:latest"},
		{"127.0.0.1:5000/x", "127.0.0.1:5000/x:latest",
		 "127.0.0.1:5000/x:latest"},
		{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
		{"[::1]/x", "[::1]/x:latest", "[::1]/x:latest"},
		{"Foo/bar", "Foo/bar:latest", "Foo/bar:latest"},
		{"a/b/c/d", "docker.io/a/b/c/d:latest", "a/b/c/d:latest"},
		{"a__b-c---d.e", "docker.io/library/a__b-c---d.e:latest",
		 "a__b-c---d.e:latest"},
		{"a:B_1.2-x", "docker.io/library/a:B_1.2-x", "a:B_1.2-x"},
		{"host:5000", "docker.io/library/host:5000", "host:5000"},
		{"a@sha256:" HEX64, "docker.io/library/a@sha256:" HEX64,
		 "a@sha256:" HEX64},
		{"a:t@sha256:" HEX64, "docker.io/library/a:t@sha256:" HEX64,
		 "a:t@sha256:" HEX64},
	};

	return cr_make_param_array(struct good_row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct good_row *row, ref, what_is_written_has_a_normal_form)
{
	struct reg_ref r = {0}, again = {0};
	struct stv_err *err = NULL;
	char *normal, *familiar;

	cr_assert_eq(reg_ref_parse(row->text, &r, &err), 0, "%s: %s", row->text,
		     err == NULL ? "?" : stv_err_msg(err));
	normal = reg_ref_str(&r);
	familiar = reg_ref_familiar(&r);
	cr_expect_str_eq(normal, row->normal);
	cr_expect_str_eq(familiar, row->familiar);
	free(familiar);
	/* The normal form names the same thing. */
	cr_assert_eq(reg_ref_parse(normal, &again, &err), 0);
	free(normal);
	normal = reg_ref_str(&again);
	cr_expect_str_eq(normal, row->normal);
	free(normal);
	reg_ref_fini(&r);
	reg_ref_fini(&again);
}

struct bad_row {
	char text[320];
	char part[60]; /* of the message */
};

ParameterizedTestParameters(ref, what_is_no_reference_is_refused)
{
	static struct bad_row rows[] = {
		{"", "empty"},
		{"Ubuntu", "lower case"},
		{"me/App:Tag", "lower case"},
		{"host:5000/App", "lower case"},
		{"https://docker.io/a", "URL"},
		{"http://a", "URL"},
		{HEX64, "image ID"},
		{"a:", "tag"},
		{"a:-x", "tag"},
		{"a:.x", "tag"},
		{"a:b c", "tag"},
		{"a@sha256:abc", "digest"},
		{"a@sha512:" HEX64, "sha512"},
		{"a@" HEX64, "digest"},
		{"a@sha256:" HEX64 "0", "digest"},
		{"a@@sha256:" HEX64, "digest"},
		{"a/../b", "name"},
		{"evil.test/../x", "name"},
		{"a//b", "name"},
		{"/a", "name"},
		{"a/", "name"},
		{"-a", "name"},
		{"a-", "name"},
		{"a..b", "name"},
		{"a___b", "name"},
		{"a._b", "name"},
		{"a%2fb", "name"},
		{"a b", "name"},
		{"a\nb", "name"},
		{"host:/a", "registry"},
		{"host:80x/a", "registry"},
		{"-host.x/a", "registry"},
		{"ho_st.x/a", "registry"},
		{"[::g]/a", "registry"},
		{"user@host.x/a", "digest"},
	};

	return cr_make_param_array(struct bad_row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct bad_row *row, ref, what_is_no_reference_is_refused)
{
	struct reg_ref r = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(reg_ref_parse(row->text, &r, &err), -1, "%s", row->text);
	cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	cr_expect_not_null(strstr(stv_err_msg(err), row->part), "%s: %s",
			   row->text, stv_err_msg(err));
	cr_expect_null(strchr(stv_err_msg(err), '\n'));
	cr_expect_null(r.domain);
	stv_err_free(err);
}

Test(ref, upper_case_is_answered_with_the_right_spelling)
{
	struct reg_ref r = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(reg_ref_parse("Me/App:V1", &r, &err), -1);
	cr_expect_not_null(strstr(stv_err_get_hint(err), "me/app"));
	stv_err_free(err);
}

Test(ref, a_name_has_at_most_255_bytes)
{
	char *path = stv_xcalloc(1, 400);
	struct reg_ref r = {0};
	struct stv_err *err = NULL;

	/* "docker.io/library/" has 18 bytes. */
	memset(path, 'a', 255 - 18);
	cr_assert_eq(reg_ref_parse(path, &r, &err), 0);
	reg_ref_fini(&r);
	memset(path, 'a', 255 - 17);
	cr_assert_eq(reg_ref_parse(path, &r, &err), -1);
	stv_err_free(err);
	free(path);
}

Test(ref, a_tag_has_at_most_128_bytes)
{
	char *text = stv_xcalloc(1, 400);
	struct reg_ref r = {0};
	struct stv_err *err = NULL;

	memset(text, 'a', 130);
	text[1] = ':';
	cr_assert_eq(reg_ref_parse(text, &r, &err), 0);
	reg_ref_fini(&r);
	text[130] = 'a';
	cr_assert_eq(reg_ref_parse(text, &r, &err), -1);
	stv_err_free(err);
	free(text);
}

Test(ref, a_digest_alone_leaves_no_tag)
{
	struct reg_ref r = {0};
	struct stv_err *err = NULL;
	char *repo;

	cr_assert_eq(reg_ref_parse("a@sha256:" HEX64, &r, &err), 0);
	cr_expect_null(r.tag);
	cr_expect_null(reg_ref_tagged(&r));
	cr_expect(r.has_digest);
	repo = reg_ref_familiar_repo(&r);
	cr_expect_str_eq(repo, "a");
	free(repo);
	reg_ref_fini(&r);
}

Test(ref, the_name_of_a_tag_has_no_digest)
{
	struct reg_ref r = {0};
	struct stv_err *err = NULL;
	char *tag;

	cr_assert_eq(reg_ref_parse("a:t@sha256:" HEX64, &r, &err), 0);
	tag = reg_ref_tagged(&r);
	cr_expect_str_eq(tag, "docker.io/library/a:t");
	free(tag);
	reg_ref_fini(&r);
}
