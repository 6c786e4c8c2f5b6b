/* builder/test/test_user.c - USER and --chown. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "builder/user.h"

/* The files of the reference's base image. */
static const char passwd[] =
	"root:x:0:0:root:/root:/bin/sh\n"
	"daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
	"alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"
	"bob:x:1001:100:Bob:/home/bob:/bin/sh\n"
	"nohome:x:1002:1002::/nonexistent:/bin/sh\n"
	"emptyhome:x:1003:1003:::/bin/sh\n"
	"svc-web.2:x:1500:1501::/srv:/bin/sh\n"
	"4242:x:4300:4301:a name of digits:/srv:/bin/sh\n"
	"nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";
static const char group[] = "root:x:0:\ndaemon:x:1:\nwheel:x:10:alice\n"
			    "users:x:100:\nalice:x:1000:\nnohome:x:1002:\n"
			    "web:x:1501:\nextra:x:2000:bob,alice\ngrp:x:3000:\n"
			    "4242:x:4400:\nnogroup:x:65534:\n";

static const struct bld_user_files files = {
	.passwd = passwd,
	.passwd_len = sizeof(passwd) - 1,
	.group = group,
	.group_len = sizeof(group) - 1,
};
static const struct bld_user_files no_files;

/* "uid gid groups home name", or "error: " and a part of the message. */
static char *
user_text(const struct bld_user_files *f, const char *spec)
{
	struct stv_buf text = STV_BUF_INIT(1000);
	struct bld_user u = {0};
	struct stv_err *err = NULL;

	if (bld_user_from(f, spec, &u, &err) < 0) {
		stv_buf_addf(&text, "error: %s", stv_err_msg(err));
		stv_err_free(err);
		return stv_buf_take(&text);
	}
	stv_buf_addf(&text, "%u %u ", u.uid, u.gid);
	for (size_t i = 0; i < u.n_groups; i++)
		stv_buf_addf(&text, "%s%u", i > 0 ? "," : "", u.groups[i]);
	stv_buf_addf(&text, " '%s' %s", u.home, u.name ? u.name : "-");
	bld_user_fini(&u);
	return stv_buf_take(&text);
}

struct row {
	char spec[64];
	char want[96];
};

ParameterizedTestParameters(user, who_a_run_is)
{
	static struct row rows[] = {
		{"", "0 0 0 '/root' root"},
		{"root", "0 0 0 '/root' root"},
		{"alice", "1000 1000 1000,10,2000 '/home/alice' alice"},
		{"alice:", "1000 1000 1000,10,2000 '/home/alice' alice"},
		{"alice:grp", "1000 3000 3000 '/home/alice' alice"},
		{"alice:77", "1000 77 77 '/home/alice' alice"},
		{"bob", "1001 100 100,2000 '/home/bob' bob"},
		{":grp", "0 3000 3000 '/root' root"},
		{":", "0 0 0 '/root' root"},
		{"1000", "1000 1000 1000,10,2000 '/home/alice' alice"},
		{"01000", "1000 1000 1000,10,2000 '/home/alice' alice"},
		{"1000:3000", "1000 3000 3000 '/home/alice' alice"},
		{"7777", "7777 0 0 '/' -"},
		{"7777:8888", "7777 8888 8888 '/' -"},
		{"4242", "4242 0 0 '/' -"},
		{"svc-web.2", "1500 1501 1501 '/srv' svc-web.2"},
		{"emptyhome", "1003 1003 1003 '' emptyhome"},
		{"2147483647:2147483646",
		 "2147483647 2147483646 2147483646 '/' -"},
		{"nosuch", "error: unable to find user 'nosuch'"},
		{"alice:nosuch", "error: unable to find group 'nosuch'"},
		{"2147483648", "error: user '2147483648': the number"},
		{"4294967294", "error: user '4294967294': the number"},
		{"4294967296", "error: user '4294967296': the number"},
		{"99999999999999999999999", "error: user '9999"},
		{"1:4294967295", "error: user '1:4294967295': the number"},
		{"-1", "error: user '-1': '-1' is neither"},
		{"+1", "error: user '+1': '+1' is neither"},
		{" 1", "error: user ' 1': ' 1' is neither"},
		{"0x10", "error: unable to find user '0x10'"},
		{"1 ", "error: unable to find user '1 '"},
		{"a b", "error: unable to find user 'a b'"},
	};

	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, user, who_a_run_is)
{
	char *got = user_text(&files, row->spec);
	bool is_error = strncmp(row->want, "error", 5) == 0;

	cr_expect(is_error ? strncmp(got, row->want, strlen(row->want)) == 0
			   : strcmp(got, row->want) == 0,
		  "'%s' is %s", row->spec, got);
	free(got);
}

static char *
chown_text(const struct bld_user_files *f, const char *spec)
{
	struct stv_err *err = NULL;
	uint32_t uid, gid;
	char *text;

	if (bld_chown_from(f, spec, &uid, &gid, &err) == 0)
		return stv_xasprintf("%u:%u", uid, gid);
	text = stv_xasprintf("error: %s", stv_err_msg(err));
	stv_err_free(err);
	return text;
}

ParameterizedTestParameters(user, whose_a_copy_is)
{
	static struct row rows[] = {
		{"alice", "1000:1000"},
		{"alice:", "1000:0"},
		{"alice:grp", "1000:3000"},
		{":grp", "0:3000"},
		{"1000", "1000:1000"},
		{"1000:3000", "1000:3000"},
		{"bob", "1001:100"},
		{"7777", "7777:7777"},
		{"7777:8888", "7777:8888"},
		{"alice:8888", "1000:8888"},
		{"nosuch", "0:0"},
		{"nosuch:nosuch", "0:0"},
		{"alice:nosuch", "1000:1000"},
		{"4242", "4242:4242"},
		{"4242:4242", "4242:4242"},
		{"svc-web.2:web", "1500:1501"},
		{"0:0", "0:0"},
		{"root", "0:0"},
		{"", "0:0"},
		{"5:root", "5:0"},
		{"5:", "5:0"},
		{"3000000000", "error: user"},
		{"-1", "error: user"},
		{"1:-1", "error: user"},
	};

	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, user, whose_a_copy_is)
{
	char *got = chown_text(&files, row->spec);

	cr_expect_eq(strncmp(got, row->want, strlen(row->want)), 0,
		     "'%s' is %s", row->spec, got);
	free(got);
}

Test(user, an_image_without_the_files_knows_root_and_numbers)
{
	char *a = user_text(&no_files, NULL), *b = user_text(&no_files, "5:6");
	char *c = user_text(&no_files, "alice");
	char *d = user_text(&no_files, "root");

	cr_expect_str_eq(a, "0 0 0 '/' -");
	cr_expect_str_eq(b, "5 6 6 '/' -");
	cr_expect_eq(strncmp(c, "error", 5), 0);
	cr_expect_str_eq(d, "0 0 0 '/' -");
	free(a);
	free(b);
	free(c);
	free(d);
}

Test(user, root_of_a_copy_is_0_whatever_passwd_says)
{
	static const char odd[] = "root:x:5:6::/:/bin/sh\n";
	struct bld_user_files f = {.passwd = odd,
				   .passwd_len = sizeof(odd) - 1};
	char *a = chown_text(&f, "root");

	cr_expect_str_eq(a, "0:0");
	free(a);
}

Test(user, lines_that_are_not_in_order_are_passed_over)
{
	static const char odd[] = "#alice:x:1:1::/:\n"
				  "alice\n"
				  "alice:x:\n"
				  "alice:x:abc:1::/:\n"
				  "alice:x:-1:1::/:\n"
				  "alice:x:4294967296:1::/:\n"
				  "alice:x:7:xyz::/:\n"
				  "+::::::\n"
				  "\n"
				  "  alice:x:8:9::/h:/bin/sh  \r\n"
				  "alice:x:10:11::/:";
	struct bld_user_files f = {.passwd = odd,
				   .passwd_len = sizeof(odd) - 1};
	char *got = user_text(&f, "alice");

	cr_expect_str_eq(got, "8 9 9 '/h' alice");
	free(got);
}

Test(user, a_file_without_a_last_newline_is_read)
{
	static const char one[] = "a:x:10:11::/h";
	struct bld_user_files f = {.passwd = one,
				   .passwd_len = sizeof(one) - 1};
	char *got = user_text(&f, "a");

	cr_expect_str_eq(got, "10 11 11 '/h' a");
	free(got);
}

Test(user, a_line_has_a_limit)
{
	struct stv_buf b = STV_BUF_INIT((size_t)1 << 20);
	struct bld_user_files f;
	char *got;

	for (size_t i = 0; i <= STV_MAX_PASSWD_LINE; i++)
		stv_buf_addc(&b, 'x');
	f = (struct bld_user_files){.passwd = b.data, .passwd_len = b.len};
	got = user_text(&f, "alice");
	cr_expect_not_null(strstr(got, "a line of /etc/passwd"));
	free(got);
	stv_buf_fini(&b);
}

Test(user, groups_have_a_limit)
{
	struct stv_buf b = STV_BUF_INIT((size_t)1 << 20);
	struct bld_user_files f = files;
	char *got;

	for (int i = 0; i < STV_MAX_GROUPS + 10; i++)
		stv_buf_addf(&b, "g%d:x:%d:alice\n", i, 5000 + i);
	f.group = b.data;
	f.group_len = b.len;
	got = user_text(&f, "alice");
	cr_expect_not_null(strstr(got, "more than 1024 groups"));
	free(got);
	stv_buf_fini(&b);
}

Test(user, a_group_is_listed_once)
{
	static const char twice[] = "a:x:1000:alice\nb:x:10:alice\n"
				    "c:x:10:bob, alice\n";
	struct bld_user_files f = files;
	char *got;

	f.group = twice;
	f.group_len = sizeof(twice) - 1;
	got = user_text(&f, "alice");
	cr_expect_str_eq(got, "1000 1000 1000,10 '/home/alice' alice");
	free(got);
}

Test(user, only_names_need_the_files)
{
	cr_expect(bld_chown_needs_names("alice"));
	cr_expect(bld_chown_needs_names("5:grp"));
	cr_expect_not(bld_chown_needs_names("5:6"));
	cr_expect_not(bld_chown_needs_names("5"));
	cr_expect_not(bld_chown_needs_names("root:root"));
	cr_expect_not(bld_chown_needs_names(""));
}

Test(user, names_mean_nothing_on_top_of_scratch)
{
	struct stv_err *err = NULL;
	uint32_t uid, gid;

	cr_assert_eq(bld_chown_resolve(NULL, "alice", &uid, &gid, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT);
	cr_expect_not_null(strstr(stv_err_msg(err), "alice"));
	stv_err_clear(&err);
	cr_assert_eq(bld_chown_resolve(NULL, "5", &uid, &gid, &err), 0);
	cr_expect_eq(uid, 5);
	cr_expect_eq(gid, 5);
}
