/* registry/test/test_creds.c - credentials: files, helpers, login, logout. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/strs.h"

#include "registry/test/tree.h"

#include "registry/creds.h"

static char *home;

static void
init(void)
{
	tree_init();
	home = tree_path("home");
}

static void
fini(void)
{
	free(home);
	tree_fini();
}

TestSuite(creds, .init = init, .fini = fini);

#define DOCKER "home/.docker/config.json"
#define HUB "https://index.docker.io/v1/"

static int
keep(const struct reg_creds_opts *o, const char *domain, const char *user,
     const char *secret, const char *identity_token, char **ret_where,
     struct stv_err **err)
{
	reg_auto_creds c = {0};

	c.username = stv_xstrdup(user);
	c.secret = secret != NULL ? stv_xstrdup(secret) : NULL;
	c.identity_token =
		identity_token != NULL ? stv_xstrdup(identity_token) : NULL;
	return reg_creds_store(o, domain, &c, ret_where, err);
}

/* "user:secret", in brackets tokens; "-" for none, else the error's message. */
static char *
found_with(const struct reg_creds_opts *o, const char *domain, const char *path)
{
	reg_auto_creds c = {0};
	struct stv_err *err = NULL;
	struct stv_buf b = STV_BUF_INIT(8192);
	int rc = reg_creds_find(o, domain, path, &c, &err);

	if (rc < 0) {
		cr_expect_null(c.origin);
		stv_buf_addf(&b, "ERROR %d %s", (int)stv_err_code(err),
			     stv_err_msg(stv_err_root(err)));
		stv_err_free(err);
	} else if (rc == 0) {
		stv_buf_adds(&b, "-");
		cr_expect_null(c.origin);
	} else {
		if (c.username != NULL)
			stv_buf_adds(&b, c.username);
		if (c.secret != NULL)
			stv_buf_addf(&b, ":%s", c.secret);
		if (c.identity_token != NULL)
			stv_buf_addf(&b, " [%s]", c.identity_token);
		if (c.registry_token != NULL)
			stv_buf_addf(&b, " {%s}", c.registry_token);
		cr_expect_not_null(c.origin);
	}
	return stv_buf_take(&b);
}

static void
expect_found(const struct reg_creds_opts *o, const char *domain,
	     const char *path, const char *want)
{
	stv_auto_free char *got = found_with(o, domain, path);

	cr_expect_str_eq(got, want, "%s/%s: %s, not %s", domain,
			 path != NULL ? path : "", got, want);
}

static void
expect_error(const struct reg_creds_opts *o, const char *domain,
	     enum stv_code code, const char *part)
{
	stv_auto_free char *got = found_with(o, domain, NULL);
	stv_auto_free char *want = stv_xasprintf("ERROR %d ", (int)code);

	cr_expect_eq(strncmp(got, want, strlen(want)), 0, "%s", got);
	cr_expect_not_null(strstr(got, part), "%s: %s", part, got);
}

Test(creds, without_files_there_are_none)
{
	const struct reg_creds_opts o = {.home = home}, nothing = {0};

	expect_found(&o, "docker.io", "library/ubuntu", "-");
	expect_found(&nothing, "docker.io", NULL, "-");
	tree_write(DOCKER, "", 0600);
	expect_found(&o, "docker.io", NULL, "-");
	tree_write(DOCKER, "{\"auths\": {\"docker.io\": {}}}", 0600);
	expect_found(&o, "docker.io", NULL, "-");
}

Test(creds, the_most_specific_key_wins)
{
	const struct reg_creds_opts o = {.home = home};

	/* a:1 b:2 c:3 */
	tree_write(DOCKER,
		   "{\"auths\": {"
		   "\"h.example\": {\"auth\": \"YTox\"},"
		   "\"h.example/n\": {\"auth\": \"Yjoy\"},"
		   "\"h.example/n/r\": {\"auth\": \"Yzoz\"},"
		   "\"p.example:5000\": {\"username\": \"u\","
		   "\"password\": \"p\"},"
		   "\"only.example/n\": {\"auth\": \"Yjoy\"}}}",
		   0600);
	expect_found(&o, "h.example", NULL, "a:1");
	expect_found(&o, "h.example", "", "a:1");
	expect_found(&o, "h.example", "m/r", "a:1");
	expect_found(&o, "h.example", "nn", "a:1");
	expect_found(&o, "h.example", "n", "b:2");
	expect_found(&o, "h.example", "n/rr", "b:2");
	expect_found(&o, "h.example", "n/r", "c:3");
	expect_found(&o, "h.example", "n/r/s", "c:3");
	expect_found(&o, "p.example:5000", "x", "u:p");
	expect_found(&o, "p.example", "x", "-");
	expect_found(&o, "only.example", "n/x", "b:2");
	expect_found(&o, "only.example", "m/x", "-");
	expect_found(&o, "only.example", NULL, "-");
	expect_found(&o, "example", "n", "-");
}

Test(creds, the_hub_has_several_keys)
{
	const struct reg_creds_opts o = {.home = home};
	static const char *const keys[] = {HUB, "docker.io", "index.docker.io",
					   "registry-1.docker.io",
					   "https://docker.io"};

	for (size_t i = 0; i < STV_ARRAY_LEN(keys); i++) {
		stv_auto_free char *text = stv_xasprintf(
			"{\"auths\": {\"%s\": {\"auth\": \"YTox\"}}}", keys[i]);

		tree_write(DOCKER, text, 0600);
		expect_found(&o, "docker.io", "library/ubuntu", "a:1");
		expect_found(&o, "registry-1.docker.io", NULL, "a:1");
		expect_found(&o, "evil.test", NULL, "-");
	}
	tree_write(DOCKER,
		   "{\"auths\": {\"https://h.example/v1/\": {\"auth\": "
		   "\"YTox\"}, \"g.example/v1/\": {\"auth\": \"YTox\"}}}",
		   0600);
	expect_found(&o, "h.example", "x", "a:1");
	expect_found(&o, "g.example", "x", "-");
}

Test(creds, tokens_are_read)
{
	const struct reg_creds_opts o = {.home = home};

	tree_write(DOCKER,
		   "{\"auths\": {"
		   "\"i.example\": {\"auth\": \"YTo=\", \"identitytoken\": "
		   "\"tok\"},"
		   "\"r.example\": {\"registrytoken\": \"reg\"},"
		   "\"nul.example\": {\"auth\": \"YTpiAAA=\"},"
		   "\"colon.example\": {\"auth\": \"YTpiOmM=\"}}}",
		   0600);
	expect_found(&o, "i.example", NULL, "a [tok]");
	expect_found(&o, "r.example", NULL, " {reg}");
	expect_found(&o, "nul.example", NULL, "a:b");
	expect_found(&o, "colon.example", NULL, "a:b:c");
}

struct bad_row {
	char text[160];
	char part[80];
};

ParameterizedTestParameters(creds, what_is_no_credentials_file_is_refused)
{
	static struct bad_row rows[] = {
		{"{\"auths\": hunter2", "is not valid JSON (line 1)"},
		{"[]", "is not a JSON object"},
		{"{\"auths\": 1}", "auths is not an object"},
		{"{\"credHelpers\": 1}", "credHelpers is not an object"},
		{"{\"credHelpers\": {\"h.example\": 1}}", "is not a string"},
		{"{\"credsStore\": 1}", "is not a string"},
		{"{\"credsStore\": \"../../x\"}", "has other characters"},
		{"{\"credsStore\": \"A\"}", "has other characters"},
		{"{\"credsStore\": \"a/b\"}", "has other characters"},
		{"{\"auths\": {\"h.example\": 1}}",
		 "auths.h.example is not an object"},
		{"{\"auths\": {\"h.example\": {\"auth\": 1}}}",
		 "auths.h.example.auth is not a string"},
		{"{\"auths\": {\"h.example\": {\"auth\": \"hunter2\"}}}",
		 "auths.h.example.auth is not 'user:password' in base64"},
		{"{\"auths\": {\"h.example\": {\"auth\": \"YQ==\"}}}",
		 "auth is not 'user:password' in base64"},
		{"{\"auths\": {\"h.example\": {\"auth\": \"YTox!A==\"}}}",
		 "auth is not 'user:password' in base64"},
		{"{\"auths\": {\"h.example\": {\"auth\": \"YT==YTox\"}}}",
		 "auth is not 'user:password' in base64"},
		{"{\"auths\": {\"h.example\": {\"auth\": \"YToAYQ==\"}}}",
		 "auth is not 'user:password' in base64"},
		{"{\"auths\": {\"h.example\": {\"identitytoken\": \"hunter2 "
		 "\\r\\nX: y\"}}}",
		 "auths.h.example.identitytoken is not a token"},
	};

	return cr_make_param_array(struct bad_row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct bad_row *row, creds,
		  what_is_no_credentials_file_is_refused)
{
	const struct reg_creds_opts o = {.home = home};
	stv_auto_free char *got = NULL;

	tree_write(DOCKER, row->text, 0600);
	expect_error(&o, "h.example", STV_E_INPUT, row->part);
	got = found_with(&o, "h.example", NULL);
	cr_expect_null(strstr(got, "hunter2"), "a secret is shown: %s", got);
	if (strstr(row->text, "credsStore\": \"") == NULL)
		cr_expect_not_null(strstr(got, "config.json"), "%s", got);
}

Test(creds, the_sources_have_an_order)
{
	stv_auto_free char *run = tree_path("run");
	stv_auto_free char *authfile = tree_path("auth");
	stv_auto_free char *other = tree_path("other");
	struct reg_creds_opts o = {.home = home, .runtime_dir = run};

	tree_write("home/.dockercfg",
		   "{\"https://h.example/v1/\": {\"auth\": \"NTpv\"},"
		   "\"g.example/v1/\": {\"auth\": \"NTpv\"}}",
		   0600);
	expect_found(&o, "h.example", "x", "5:o");
	expect_found(&o, "g.example", "x", "5:o");
	tree_write(DOCKER, "{\"auths\":{\"h.example\":{\"auth\":\"NDpv\"}}}",
		   0600);
	expect_found(&o, "h.example", "x", "4:o");
	expect_found(&o, "g.example", "x", "5:o");
	tree_write("home/.config/containers/auth.json",
		   "{\"auths\":{\"h.example\":{\"auth\":\"Mzpv\"}}}", 0600);
	expect_found(&o, "h.example", "x", "3:o");
	o.config_home = other;
	expect_found(&o, "h.example", "x", "4:o");
	o.config_home = NULL;
	o.docker_config = other;
	expect_found(&o, "h.example", "x", "3:o");
	tree_write("run/containers/auth.json",
		   "{\"auths\":{\"h.example\":{\"auth\":\"Mjpv\"}}}", 0600);
	expect_found(&o, "h.example", "x", "2:o");
	o.docker_auth_config =
		"{\"auths\":{\"h.example\":{\"auth\":\"MTpv\"}}}";
	expect_found(&o, "h.example", "x", "1:o");
	expect_found(&o, "g.example", "x", "5:o");
	/* A file that is named is the only one. */
	o.registry_auth_file = authfile;
	expect_error(&o, "h.example", STV_E_NOT_FOUND, "REGISTRY_AUTH_FILE");
	tree_write("auth", "{\"auths\":{\"f.example\":{\"auth\":\"MDpv\"}}}",
		   0600);
	expect_found(&o, "h.example", "x", "-");
	expect_found(&o, "f.example", "x", "0:o");
	o.authfile = other;
	expect_error(&o, "h.example", STV_E_NOT_FOUND, "--authfile");
}

Test(creds, the_environment_names_the_places)
{
	struct reg_creds_opts o = {.home = "/mine"};

	cr_assert_eq(setenv("HOME", "/h", 1), 0);
	cr_assert_eq(setenv("REGISTRY_AUTH_FILE", "1", 1), 0);
	cr_assert_eq(setenv("DOCKER_AUTH_CONFIG", "2", 1), 0);
	cr_assert_eq(setenv("XDG_RUNTIME_DIR", "3", 1), 0);
	cr_assert_eq(setenv("XDG_CONFIG_HOME", "4", 1), 0);
	cr_assert_eq(setenv("DOCKER_CONFIG", "5", 1), 0);
	reg_creds_opts_from_env(&o);
	cr_expect_str_eq(o.home, "/mine");
	cr_expect_str_eq(o.registry_auth_file, "1");
	cr_expect_str_eq(o.docker_auth_config, "2");
	cr_expect_str_eq(o.runtime_dir, "3");
	cr_expect_str_eq(o.config_home, "4");
	cr_expect_str_eq(o.docker_config, "5");
}

Test(creds, a_file_that_others_may_read_gives_a_warning)
{
	const struct reg_creds_opts o = {.home = home};
	struct stv_err *err = NULL;
	reg_auto_creds c = {0}, d = {0};

	tree_write(DOCKER, "{\"auths\":{\"h.example\":{\"auth\":\"YTox\"}}}",
		   0640);
	cr_assert_eq(reg_creds_find(&o, "h.example", NULL, &c, &err), 1);
	cr_assert_not_null(c.warning);
	cr_expect_not_null(strstr(c.warning, "config.json"));
	cr_expect_null(strstr(c.warning, "YTox"));
	tree_write(DOCKER, "{\"auths\":{\"h.example\":{\"auth\":\"YTox\"}}}",
		   0600);
	cr_assert_eq(reg_creds_find(&o, "h.example", NULL, &d, &err), 1);
	cr_expect_null(d.warning);
}

Test(creds, a_file_above_the_limit_is_refused)
{
	const struct reg_creds_opts o = {.home = home};
	char *text = stv_xmalloc(REG_MAX_CREDS + 2);

	memset(text, ' ', REG_MAX_CREDS + 1);
	text[REG_MAX_CREDS + 1] = '\0';
	tree_write(DOCKER, text, 0600);
	expect_error(&o, "h.example", STV_E_LIMIT, "config.json");
	text[REG_MAX_CREDS] = '\0';
	tree_write(DOCKER, text, 0600);
	expect_found(&o, "h.example", NULL, "-");
	free(text);
}

/* A helper that a shell plays; it becomes the first of the PATH. */
static void
write_helper(const char *name, const char *script)
{
	stv_auto_free char *file =
		stv_xasprintf("bin/docker-credential-%s", name);
	stv_auto_free char *text = stv_xasprintf("#!/bin/sh\n%s\n", script);
	stv_auto_free char *path =
		stv_xasprintf("%s/bin:/usr/bin:/bin", tree_root);

	tree_write(file, text, 0755);
	cr_assert_eq(setenv("PATH", path, 1), 0);
	cr_assert_eq(setenv("TREE", tree_root, 1), 0);
}

#define ANSWER                                                                 \
	"read s; printf '{\"ServerURL\":\"x\",\"Username\":\"u\","             \
	"\"Secret\":\"%s=%s\"}' \"$1\" \"$s\""
#define NONE "echo 'credentials not found in native keychain'; exit 1"

Test(creds, helpers_are_asked)
{
	const struct reg_creds_opts o = {.home = home};

	write_helper("a", ANSWER);
	write_helper("b-2", "printf '{\"Username\":\"<token>\",\"Secret\":"
			    "\"tok\"}'");
	write_helper("none", NONE);
	tree_write(DOCKER,
		   "{\"auths\":{\"h.example\":{\"auth\":\"YTox\"},"
		   "\"n.example\":{\"auth\":\"YTox\"},"
		   "\"h.example/ns\":{\"auth\":\"YTox\"}},"
		   "\"credHelpers\":{\"b.example\":\"b-2\","
		   "\"n.example\":\"none\",\"d.example/ns\":\"b-2\"},"
		   "\"credsStore\":\"a\"}",
		   0644);
	expect_found(&o, "h.example", "x", "u:get=h.example");
	expect_found(&o, "h.example", "ns/x", "a:1");
	expect_found(&o, "docker.io", "library/x", "u:get=" HUB);
	expect_found(&o, "b.example", "x", " [tok]");
	expect_found(&o, "d.example", "ns/x", " [tok]");
	expect_found(&o, "d.example", "x", "u:get=d.example");
	expect_found(&o, "n.example", "x", "a:1");
}

Test(creds, a_helper_that_fails_is_an_error)
{
	struct reg_creds_opts o = {.home = home, .helper_ms = 300};

	write_helper("bad", "echo 'pass is locked'; exit 3");
	tree_write(DOCKER, "{\"credsStore\":\"bad\"}", 0600);
	expect_error(&o, "h.example", STV_E_AUTH, "status 3: pass is locked");
	write_helper("bad", "echo '{\"Secret\":\"hunter2\"'; exit 3");
	expect_error(&o, "h.example", STV_E_AUTH, "failed with status 3");
	write_helper("bad", "echo '{\"Secret\":\"hunter2\"'");
	expect_error(&o, "h.example", STV_E_AUTH, "bad is not valid JSON");
	write_helper("bad", "kill -9 $$");
	expect_error(&o, "h.example", STV_E_AUTH, "status 137");
	write_helper("bad", "sleep 20 & sleep 20");
	expect_error(&o, "h.example", STV_E_AUTH, "does not answer");
	write_helper("bad", "exec >&-; exec sleep 20");
	expect_error(&o, "h.example", STV_E_AUTH, "does not answer");
	o.helper_ms = 0;
	write_helper("bad", "exec cat /dev/zero");
	expect_error(&o, "h.example", STV_E_LIMIT, "says more than");
	tree_write(DOCKER, "{\"credsStore\":\"absent\"}", 0600);
	expect_error(&o, "h.example", STV_E_AUTH,
		     "no program 'docker-credential-absent'");
}

Test(creds, a_helper_is_found_in_absolute_parts_of_the_path_only)
{
	const struct reg_creds_opts o = {.home = home};

	write_helper("rel", ANSWER);
	cr_assert_eq(setenv("PATH", "bin:.:", 1), 0);
	tree_write(DOCKER, "{\"credsStore\":\"rel\"}", 0600);
	expect_error(&o, "h.example", STV_E_AUTH, "no program");
}

/* The whole text of a file of the tree, which must be of mode 0600. */
static char *
text_of(const char *name)
{
	stv_auto_free char *path = tree_path(name);
	struct stv_buf b = STV_BUF_INIT(REG_MAX_CREDS);
	struct stv_err *err = NULL;
	struct stat st;

	cr_assert_eq(fstatat(AT_FDCWD, path, &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(stv_fsat_read_file(AT_FDCWD, path, b.max, &b, &err), 0);
	return stv_buf_take(&b);
}

static void
expect_text(const char *name, const char *want)
{
	char *got = text_of(name), *to = got;

	for (const char *p = got; *p != '\0'; p++)
		if (*p != ' ' && *p != '\n')
			*to++ = *p;
	*to = '\0';
	cr_expect_str_eq(got, want);
	free(got);
}

static void
login(const struct reg_creds_opts *o, const char *domain, const char *secret)
{
	struct stv_err *err = NULL;

	cr_assert_eq(keep(o, domain, "a", secret, NULL, NULL, &err), 0, "%s",
		     err == NULL ? "?" : stv_err_msg(err));
}

static bool
logout(const struct reg_creds_opts *o, const char *domain)
{
	struct stv_err *err = NULL;
	bool was_there = false;

	cr_assert_eq(reg_creds_erase(o, domain, &was_there, &err), 0);
	return was_there;
}

Test(creds, login_makes_the_file_and_logout_forgets)
{
	const struct reg_creds_opts o = {.home = home};

	cr_expect_not(logout(&o, "docker.io"));
	login(&o, "docker.io", "1");
	expect_text(DOCKER, "{\"auths\":{\"" HUB "\":{\"auth\":\"YTox\"}}}");
	expect_found(&o, "docker.io", "x/y", "a:1");
	login(&o, "h.example:5000", "2");
	login(&o, "docker.io", "3");
	expect_found(&o, "docker.io", "x/y", "a:3");
	expect_found(&o, "h.example:5000", "x/y", "a:2");
	cr_expect(logout(&o, "docker.io"));
	cr_expect_not(logout(&o, "docker.io"));
	expect_found(&o, "docker.io", "x/y", "-");
	expect_text(DOCKER,
		    "{\"auths\":{\"h.example:5000\":{\"auth\":\"YToy\"}}}");
}

Test(creds, login_keeps_all_other_members)
{
	const struct reg_creds_opts o = {.home = home};

	tree_write(DOCKER,
		   "{\"HttpHeaders\":{\"X\":\"y\"},\"auths\":{\"docker.io\":{"
		   "\"auth\":\"YTox\",\"email\":\"e\"},\"https://h.example\":{"
		   "\"auth\":\"YTox\"},\"h.example/ns\":{\"auth\":\"YTox\"}},"
		   "\"num\":1.5,\"psFormat\":\"p\"}",
		   0644);
	login(&o, "docker.io", "2");
	login(&o, "h.example", "3");
	expect_text(DOCKER, "{\"HttpHeaders\":{\"X\":\"y\"},\"auths\":{"
			    "\"h.example/ns\":{\"auth\":\"YTox\"},"
			    "\"docker.io\":{\"auth\":\"YToy\"},"
			    "\"https://h.example\":{\"auth\":\"YToz\"}},"
			    "\"num\":1.5,\"psFormat\":\"p\"}");
	cr_expect(logout(&o, "h.example"));
	expect_found(&o, "h.example", "ns", "a:1");
	expect_found(&o, "h.example", "x", "-");
}

Test(creds, login_repairs_an_entry_but_not_a_file)
{
	const struct reg_creds_opts o = {.home = home};
	struct stv_err *err = NULL;

	tree_write(DOCKER, "{\"auths\":{\"h.example\":{\"auth\":\"!\"}}}",
		   0600);
	login(&o, "h.example", "1");
	expect_found(&o, "h.example", "x", "a:1");
	tree_write(DOCKER, "{\"auths\":[]}", 0600);
	cr_expect_eq(keep(&o, "h.example", "a", "1", NULL, NULL, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT);
	stv_err_clear(&err);
	expect_text(DOCKER, "{\"auths\":[]}");
}

Test(creds, login_writes_where_it_is_told)
{
	stv_auto_free char *authfile = tree_path("a/auth.json");
	stv_auto_free char *dir = tree_path("dc");
	stv_auto_free char *where = NULL;
	struct reg_creds_opts o = {.home = home, .docker_config = dir};
	struct stv_err *err = NULL;

	cr_assert_eq(keep(&o, "docker.io", "a", NULL, "tok", &where, &err), 0);
	cr_expect_not_null(strstr(where, "dc/config.json"));
	expect_text("dc/config.json",
		    "{\"auths\":{\"" HUB "\":{\"auth\":\"YTo=\","
		    "\"identitytoken\":\"tok\"}}}");
	expect_found(&o, "docker.io", NULL, "a [tok]");
	o.registry_auth_file = authfile;
	login(&o, "docker.io", "1");
	expect_text("a/auth.json",
		    "{\"auths\":{\"docker.io\":{\"auth\":\"YTox\"}}}");
}

Test(creds, login_follows_a_link_to_its_target)
{
	const struct reg_creds_opts o = {.home = home};
	stv_auto_free char *link = tree_path(DOCKER);
	struct stat st;

	tree_write("home/dot/real.json", "{\"x\":1}", 0600);
	tree_write("home/.docker/x", "", 0600);
	cr_assert_eq(symlinkat("../dot/real.json", AT_FDCWD, link), 0);
	login(&o, "h.example", "1");
	cr_assert_eq(fstatat(AT_FDCWD, link, &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect(S_ISLNK(st.st_mode));
	expect_text("home/dot/real.json",
		    "{\"x\":1,\"auths\":{\"h.example\":{\"auth\":\"YTox\"}}}");
}

Test(creds, login_refuses_loops_and_links_of_others)
{
	const struct reg_creds_opts o = {.home = home};
	stv_auto_free char *link = tree_path(DOCKER);
	struct stv_err *err = NULL;

	tree_write("home/.docker/x", "", 0600);
	cr_assert_eq(symlinkat("config.json", AT_FDCWD, link), 0);
	cr_expect_eq(keep(&o, "h.example", "a", "1", NULL, NULL, &err), -1);
	cr_expect_not_null(strstr(stv_err_msg(err), "too many symbolic"));
	stv_err_clear(&err);
	if (fchownat(AT_FDCWD, link, 12345, 12345, AT_SYMLINK_NOFOLLOW) < 0)
		cr_skip_test("only root can give a link away");
	cr_expect_eq(keep(&o, "h.example", "a", "1", NULL, NULL, &err), -1);
	cr_expect_not_null(strstr(stv_err_msg(err), "of another user"));
	stv_err_clear(&err);
}

Test(creds, login_refuses_what_cannot_be_kept)
{
	const struct reg_creds_opts o = {.home = home}, nowhere = {0};
	struct stv_err *err = NULL;

	cr_expect_eq(keep(&o, "h", "a:b", "1", NULL, NULL, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	stv_err_clear(&err);
	cr_expect_eq(keep(&o, "h", "a", "", NULL, NULL, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	stv_err_clear(&err);
	cr_expect_eq(keep(&nowhere, "h", "a", "1", NULL, NULL, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	stv_err_clear(&err);
}

Test(creds, login_and_logout_use_the_helper)
{
	const struct reg_creds_opts o = {.home = home};
	struct stv_err *err = NULL;
	stv_auto_free char *where = NULL;
	stv_auto_free char *kept = NULL;

	write_helper("keep",
		     "case $1 in store) umask 077; cat >\"$TREE/kept\";;\n"
		     "get) [ -e \"$TREE/kept\" ] && cat \"$TREE/kept\" || "
		     "{ " NONE "; };;\n"
		     "erase) cat >\"$TREE/erased\"; rm \"$TREE/kept\";;\nesac");
	tree_write(DOCKER, "{\"credsStore\":\"keep\"}", 0600);
	cr_assert_eq(keep(&o, "docker.io", "u\"", "s", NULL, &where, &err), 0,
		     "%s", err == NULL ? "?" : stv_err_msg(err));
	cr_expect_str_eq(where, "docker-credential-keep");
	kept = text_of("kept");
	cr_expect_str_eq(kept, "{\"ServerURL\":\"" HUB "\",\"Username\":"
			       "\"u\\\"\",\"Secret\":\"s\"}");
	expect_text(DOCKER,
		    "{\"credsStore\":\"keep\",\"auths\":{\"" HUB "\":{}}}");
	expect_found(&o, "docker.io", "x", "u\":s");
	cr_expect(logout(&o, "docker.io"));
	expect_text(DOCKER, "{\"credsStore\":\"keep\",\"auths\":{}}");
	expect_found(&o, "docker.io", "x", "-");
	cr_expect_not(logout(&o, "docker.io"));
	cr_assert_eq(keep(&o, "h.example", "a", NULL, "tok", NULL, &err), 0);
	expect_found(&o, "h.example", "x", " [tok]");
}

Test(creds, a_helper_that_cannot_store_leaves_the_file_alone)
{
	const struct reg_creds_opts o = {.home = home};
	struct stv_err *err = NULL;

	write_helper("bad", "cat; exit 1");
	tree_write(DOCKER, "{\"credsStore\":\"bad\"}", 0600);
	cr_assert_eq(keep(&o, "h.example", "a", "hunter2", NULL, NULL, &err),
		     -1);
	cr_expect_eq(stv_err_code(err), STV_E_AUTH);
	cr_expect_null(strstr(stv_err_msg(err), "hunter2"));
	stv_err_clear(&err);
	expect_text(DOCKER, "{\"credsStore\":\"bad\"}");
}

#define KEEP                                                                   \
	"case $1 in store) umask 077; cat >\"$TREE/kept\";;\n"                 \
	"get) [ -e \"$TREE/kept\" ] && cat \"$TREE/kept\" || "                 \
	"{ " NONE "; };;\n"                                                    \
	"erase) cat >\"$TREE/erased\"; rm \"$TREE/kept\";;\nesac"

/* registries.conf's credential-helpers: in their order, the files among them.
 */
Test(creds, helpers_of_registries_conf_have_an_order)
{
	struct stv_strs helpers = {0};
	struct reg_creds_opts o = {.home = home, .helpers = &helpers};
	stv_auto_free char *authfile = tree_path("auth");

	write_helper("a", ANSWER);
	write_helper("none", NONE);
	write_helper("bad", "exit 3");
	tree_write(DOCKER, "{\"auths\":{\"h.example\":{\"auth\":\"YTox\"}}}",
		   0600);
	expect_found(&o, "h.example", "x", "a:1");
	stv_strs_add(&helpers, "none");
	expect_found(&o, "h.example", "x", "-");
	stv_strs_add(&helpers, REG_AUTH_FILES);
	expect_found(&o, "h.example", "x", "a:1");
	expect_found(&o, "g.example", "x", "-");
	stv_strs_add(&helpers, "a");
	expect_found(&o, "h.example", "x", "a:1");
	expect_found(&o, "g.example", "x", "u:get=g.example");
	expect_found(&o, "docker.io", "x", "u:get=" HUB);
	/* A helper that fails stops those that know nothing only. */
	stv_strs_clear(&helpers);
	stv_strs_add(&helpers, "bad");
	stv_strs_add(&helpers, REG_AUTH_FILES);
	expect_found(&o, "h.example", "x", "a:1");
	expect_error(&o, "g.example", STV_E_AUTH, "failed with status 3");
	/* A file that is named is alone. */
	tree_write("auth", "{\"auths\":{\"g.example\":{\"auth\":\"YToy\"}}}",
		   0600);
	o.authfile = authfile;
	expect_found(&o, "g.example", "x", "a:2");
	stv_strs_clear(&helpers);
}

Test(creds, a_login_goes_to_the_first_helper_that_takes_it)
{
	struct stv_strs helpers = {0};
	const struct reg_creds_opts o = {.home = home, .helpers = &helpers};
	struct stv_err *err = NULL;
	stv_auto_free char *where = NULL;

	write_helper("bad", "exit 3");
	write_helper("keep", KEEP);
	stv_strs_add(&helpers, "bad");
	stv_strs_add(&helpers, "keep");
	stv_strs_add(&helpers, REG_AUTH_FILES);
	cr_assert_eq(keep(&o, "h.example", "u", "s", NULL, &where, &err), 0);
	cr_expect_null(err);
	cr_expect_str_eq(where, "docker-credential-keep");
	free(stv_steal(&helpers.v[0]));
	helpers.v[0] = stv_xstrdup("keep");
	expect_found(&o, "h.example", "x", "u:s");
	cr_expect(logout(&o, "h.example"));
	cr_expect_not(logout(&o, "h.example"));
	stv_strs_clear(&helpers);
	stv_strs_add(&helpers, REG_AUTH_FILES);
	stv_strs_add(&helpers, "keep");
	cr_assert_eq(keep(&o, "h.example", "a", "1", NULL, NULL, &err), 0);
	expect_text(DOCKER, "{\"auths\":{\"h.example\":{\"auth\":\"YTox\"}}}");
	stv_strs_clear(&helpers);
}

/* THREATS C03: the realm that a login was told to trust is kept with it. */
Test(creds, a_realm_is_kept_with_its_login)
{
	const struct reg_creds_opts o = {.home = home};
	struct reg_creds l = {.username = stv_xstrdup("a"),
			      .secret = stv_xstrdup("1"),
			      .realm = stv_xstrdup("auth.other.example")};
	reg_auto_creds found = {0}, other = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(reg_creds_store(&o, "h.example", &l, NULL, &err), 0);
	expect_text(DOCKER, "{\"auths\":{\"h.example\":{\"auth\":\"YTox\","
			    "\"realm\":\"auth.other.example\"}}}");
	cr_assert_eq(reg_creds_find(&o, "h.example", "x", &found, &err), 1);
	cr_expect_str_eq(found.realm, "auth.other.example");
	reg_creds_fini(&found);
	/* Another login does not have it. */
	login(&o, "h.example", "2");
	cr_assert_eq(reg_creds_find(&o, "h.example", "x", &other, &err), 1);
	cr_expect_null(other.realm);
	reg_creds_fini(&l);
}

Test(creds, a_realm_is_kept_beside_a_helper)
{
	const struct reg_creds_opts o = {.home = home};
	struct reg_creds l = {.username = stv_xstrdup("a"),
			      .secret = stv_xstrdup("1"),
			      .realm = stv_xstrdup("auth.other.example")};
	reg_auto_creds found = {0};
	struct stv_err *err = NULL;

	write_helper("keep", KEEP);
	tree_write(DOCKER, "{\"credsStore\":\"keep\"}", 0600);
	cr_assert_eq(reg_creds_store(&o, "h.example", &l, NULL, &err), 0);
	expect_text(DOCKER,
		    "{\"credsStore\":\"keep\",\"auths\":{\"h.example\":{"
		    "\"realm\":\"auth.other.example\"}}}");
	cr_assert_eq(reg_creds_find(&o, "h.example", "x", &found, &err), 1);
	cr_expect_str_eq(found.secret, "1");
	cr_expect_str_eq(found.realm, "auth.other.example");
	reg_creds_fini(&l);
}

/* "NAME=VALUE ..." of docker's config.json, or "ERROR". */
static char *
proxies_of(const char *text)
{
	const struct reg_creds_opts o = {.home = home};
	struct stv_strs found = {0};
	struct stv_err *err = NULL;
	struct stv_buf b = STV_BUF_INIT(4096);

	if (text != NULL)
		tree_write(DOCKER, text, 0600);
	if (reg_creds_proxies(&o, &found, &err) < 0) {
		cr_expect_eq(stv_err_code(err), STV_E_INPUT);
		stv_buf_adds(&b, "ERROR");
		stv_err_free(err);
	}
	for (size_t i = 0; i < found.len; i++)
		stv_buf_addf(&b, "%s%s", i == 0 ? "" : " ", found.v[i]);
	stv_strs_clear(&found);
	return stv_buf_take(&b);
}

static void
expect_proxies(const char *text, const char *want)
{
	stv_auto_free char *got = proxies_of(text);

	cr_expect_str_eq(got, want, "%s: %s", text, got);
}

Test(creds, the_proxies_of_docker_are_variables)
{
	expect_proxies(NULL, "");
	expect_proxies("{}", "");
	expect_proxies("{\"proxies\":null}", "");
	expect_proxies("{\"proxies\":{\"unix:///x\":{\"httpProxy\":\"a\"}}}",
		       "");
	expect_proxies(
		"{\"proxies\":{\"default\":{\"httpProxy\":\"a\","
		"\"httpsProxy\":\"b\",\"ftpProxy\":\"\",\"noProxy\":\"c,d\","
		"\"allProxy\":\"e\"}}}",
		"HTTP_PROXY=a http_proxy=a HTTPS_PROXY=b https_proxy=b "
		"NO_PROXY=c,d no_proxy=c,d ALL_PROXY=e all_proxy=e");
	expect_proxies("{\"proxies\":[]}", "ERROR");
	expect_proxies("{\"proxies\":{\"default\":1}}", "ERROR");
	expect_proxies("{\"proxies\":{\"default\":{\"httpProxy\":1}}}",
		       "ERROR");
	expect_proxies("{", "ERROR");
}
