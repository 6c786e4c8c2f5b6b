/* registry/test/test_conf.c - registries.conf and certs.d. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "registry/ref.h"
#include "registry/test/tree.h"

#include "registry/conf.h"

TestSuite(conf, .init = tree_init, .fini = tree_fini);

/* All that is below the tree's home and etc, or the file ${named}. */
static int
load(const char *named, struct reg_conf **ret, struct stv_err **err)
{
	stv_auto_free char *home = tree_path("home");
	stv_auto_free char *etc = tree_path("etc");
	const struct reg_conf_opts o = {named, home, etc};

	return reg_conf_load(&o, ret, err);
}

static struct reg_conf *
load_ok(void)
{
	struct stv_err *err = NULL;
	struct reg_conf *c = NULL;

	cr_assert_eq(load(NULL, &c, &err), 0, "%s",
		     err == NULL ? "?" : stv_err_msg(err));
	return c;
}

/* "host/path" of each place, with '!' for insecure, 'h' http, 'm' mirror. */
static char *
places(const struct reg_conf *c, const char *text, bool is_for_push)
{
	struct stv_buf b = STV_BUF_INIT(4096);
	struct stv_err *err = NULL;
	reg_auto_endpoints eps = {0};
	reg_auto_ref r = {0};

	cr_assert_eq(reg_ref_parse(text, &r, &err), 0);
	if (reg_conf_endpoints(c, &r, is_for_push, r.has_digest, &eps, &err) <
	    0) {
		stv_buf_adds(&b, stv_err_code(err) == STV_E_USAGE ? "BLOCKED"
								  : "ERROR");
		stv_err_free(err);
	}
	for (size_t i = 0; i < eps.len; i++)
		stv_buf_addf(&b, "%s%s/%s%s%s%s", i > 0 ? " " : "",
			     eps.v[i].host, eps.v[i].path,
			     eps.v[i].is_insecure ? "!" : "",
			     eps.v[i].is_http_ok ? "h" : "",
			     eps.v[i].is_mirror ? "m" : "");
	return stv_buf_take(&b);
}

static void
expect_places(const struct reg_conf *c, const char *text, const char *want)
{
	stv_auto_free char *got = places(c, text, false);

	cr_expect_str_eq(got, want, "%s: %s, not %s", text, got, want);
}

static void
expect_push(const struct reg_conf *c, const char *text, const char *want)
{
	stv_auto_free char *got = places(c, text, true);

	cr_expect_str_eq(got, want, "%s: %s, not %s", text, got, want);
}

#define DIGEST                                                                 \
	"@sha256:"                                                             \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(conf, without_files_a_name_is_its_own_place)
{
	stv_auto(reg_conf) *c = load_ok();

	expect_places(c, "ubuntu", "registry-1.docker.io/library/ubuntu");
	expect_places(c, "host.example/a/b:c", "host.example/a/b");
	expect_places(c, "localhost:5000/a", "localhost:5000/ah");
	expect_places(c, "127.0.0.1:5000/a", "127.0.0.1:5000/ah");
	expect_places(c, "[::1]:5000/a", "[::1]:5000/ah");
	expect_places(c, "10.0.0.1:5000/a", "10.0.0.1:5000/a");
	expect_places(c, "localhost.example/a", "localhost.example/a");
	expect_places(c, "127.0.0.1.example/a", "127.0.0.1.example/a");
}

Test(conf, the_longest_prefix_wins_and_is_replaced)
{
	stv_auto(reg_conf) *c = NULL;

	tree_write("etc/containers/registries.conf",
		   "[[registry]]\nlocation = 'h.example'\ninsecure = true\n"
		   "[[registry]]\nprefix = 'h.example/a'\n"
		   "location = 'other.example:5000/x/'\n"
		   "[[registry]]\nprefix = 'h.example/a/b'\n"
		   "location = 'deep.example/y'\n"
		   "[[registry]]\nprefix = '*.w.example'\ninsecure = true\n"
		   "[[registry]]\nprefix = '*.m.example'\n"
		   "location = 'one.example/all'\n"
		   "[[registry]]\nprefix = 'docker.io'\n"
		   "location = 'hub.example'\n"
		   "[[registry]]\nprefix = 'back.example'\n"
		   "location = 'docker.io'\n"
		   "[[registry]]\nprefix = 'whole.example/a/b'\n"
		   "location = 'only-host.example'\n"
		   "[[registry]]\nprefix = 'no.example'\n"
		   "location = 'no.example'\nblocked = true\n"
		   "unknown-key = [1]\n"
		   "[[registry]]\nprefix = 'q.example/long'\n"
		   "location = 'long.example'\n"
		   "[[registry]]\nprefix = 'q.example'\n"
		   "location = 'short.example'\n",
		   0644);
	c = load_ok();
	expect_places(c, "h.example/z", "h.example/z!h");
	expect_places(c, "h.example/a/c", "other.example:5000/x/c");
	expect_places(c, "h.example/a", "other.example:5000/x");
	expect_places(c, "h.example/ab", "h.example/ab!h");
	expect_places(c, "h.example/a/b/c:t", "deep.example/y/c");
	expect_places(c, "h.example:5000/z", "h.example:5000/z");
	expect_places(c, "h.example.org/z", "h.example.org/z");
	expect_places(c, "a.w.example/z", "a.w.example/z!h");
	expect_places(c, "a.b.w.example/z", "a.b.w.example/z!h");
	expect_places(c, "w.example/z", "w.example/z");
	expect_places(c, "aw.example/z", "aw.example/z");
	expect_places(c, "evil.test/a.w.example/z", "evil.test/a.w.example/z");
	expect_places(c, "a.w.example.test/z", "a.w.example.test/z");
	expect_places(c, "x.m.example/z", "one.example/all/z");
	expect_places(c, "ubuntu", "hub.example/library/ubuntu");
	expect_places(c, "back.example/u", "registry-1.docker.io/library/u");
	expect_places(c, "whole.example/a/b", "ERROR");
	expect_places(c, "q.example/long/z", "long.example/z");
	expect_places(c, "q.example/z", "short.example/z");
	expect_places(c, "no.example/z", "BLOCKED");
	expect_push(c, "no.example/z", "BLOCKED");
	expect_push(c, "h.example/a/c", "h.example/a/c");
	expect_push(c, "h.example/z", "h.example/z!h");
}

Test(conf, a_message_about_what_is_blocked_names_the_file)
{
	stv_auto(reg_conf) *c = NULL;
	struct stv_err *err = NULL;
	struct reg_endpoints eps = {0};
	reg_auto_ref r = {0};

	tree_write("etc/containers/registries.conf",
		   "[[registry]]\nlocation = 'no.example/a'\nblocked = true\n",
		   0644);
	c = load_ok();
	cr_assert_eq(reg_ref_parse("no.example/a/b", &r, &err), 0);
	cr_assert_eq(reg_conf_endpoints(c, &r, false, false, &eps, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	cr_expect_not_null(strstr(stv_err_msg(err), "/registries.conf"));
	cr_expect_not_null(strstr(stv_err_msg(err), "no.example/a/b"));
	cr_expect_eq(eps.len, 0);
	stv_err_free(err);
}

Test(conf, mirrors_come_first_and_only_for_what_they_are_for)
{
	stv_auto(reg_conf) *c = NULL;

	tree_write("home/.config/containers/registries.conf",
		   "[[registry]]\nprefix = 'p.example/n'\n"
		   "location = 'l.example/m'\n"
		   "[[registry.mirror]]\nlocation = 'all.example'\n"
		   "insecure = true\n"
		   "[[registry.mirror]]\nlocation = 'dig.example'\n"
		   "pull-from-mirror = 'digest-only'\n"
		   "[[registry.mirror]]\nlocation = 'tag.example/t'\n"
		   "pull-from-mirror = 'tag-only'\n"
		   "[[registry.mirror]]\nlocation = 'localhost:5000'\n"
		   "pull-from-mirror = 'all'\n"
		   "[[registry]]\nlocation = 'd.example'\n"
		   "mirror-by-digest-only = true\n"
		   "[[registry.mirror]]\nlocation = 'dm.example'\n",
		   0644);
	c = load_ok();
	expect_places(c, "p.example/n/a:t",
		      "all.example/a!hm tag.example/t/am localhost:5000/ahm "
		      "l.example/m/a");
	expect_places(c, "p.example/n/a" DIGEST,
		      "all.example/a!hm dig.example/am localhost:5000/ahm "
		      "l.example/m/a");
	expect_push(c, "p.example/n/a:t", "p.example/n/a");
	expect_places(c, "d.example/a", "d.example/a");
	expect_places(c, "d.example/a" DIGEST, "dm.example/am d.example/a");
}

#define ONE(location, more) "[[registry]]\nlocation='" location "'\n" more "\n"

Test(conf, the_users_file_takes_the_place_of_the_systems)
{
	stv_auto(reg_conf) *c = NULL;

	tree_write("etc/containers/registries.conf",
		   ONE("a.example", "insecure=true"), 0644);
	tree_write("etc/containers/registries.conf.d/1.conf",
		   ONE("b.example", "insecure=true"), 0644);
	tree_write("home/.config/containers/registries.conf.d/1.conf",
		   ONE("c.example", "insecure=true"), 0644);
	c = load_ok();
	expect_places(c, "a.example/x", "a.example/x!h");
	expect_places(c, "b.example/x", "b.example/x!h");
	expect_places(c, "c.example/x", "c.example/x!h");
	reg_conf_free(c);
	tree_write("home/.config/containers/registries.conf", "", 0644);
	c = load_ok();
	expect_places(c, "a.example/x", "a.example/x");
	expect_places(c, "b.example/x", "b.example/x");
	expect_places(c, "c.example/x", "c.example/x!h");
}

Test(conf, later_files_replace_what_earlier_ones_say)
{
	stv_auto(reg_conf) *c = NULL;

	tree_write("etc/containers/registries.conf",
		   ONE("a.example", "[[registry.mirror]]\nlocation='m.example'")
			   ONE("b.example", "insecure=true"),
		   0644);
	tree_write("etc/containers/registries.conf.d/20.conf",
		   ONE("a.example", "insecure=true"), 0644);
	tree_write("etc/containers/registries.conf.d/10.conf",
		   ONE("a.example", "blocked=true"), 0644);
	tree_write("etc/containers/registries.conf.d/30.conf.bak",
		   ONE("a.example", "blocked=true"), 0644);
	tree_write("etc/containers/registries.conf.d/d.conf/x",
		   ONE("a.example", "blocked=true"), 0644);
	c = load_ok();
	expect_places(c, "a.example/x", "a.example/x!h");
	expect_places(c, "b.example/x", "b.example/x!h");
}

Test(conf, a_file_that_is_named_must_be_there)
{
	stv_auto_free char *path = tree_path("named.conf");
	stv_auto(reg_conf) *c = NULL;
	struct stv_err *err = NULL;

	tree_write("home/.config/containers/registries.conf",
		   ONE("a.example", "insecure=true"), 0644);
	cr_assert_eq(load(path, &c, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_clear(&err);
	tree_write("named.conf", ONE("n.example", "insecure=true"), 0644);
	cr_assert_eq(load(path, &c, &err), 0);
	expect_places(c, "a.example/x", "a.example/x");
	expect_places(c, "n.example/x", "n.example/x!h");
	reg_conf_free(c);
	c = NULL;
	cr_assert_eq(load("/dev/null", &c, &err), 0);
	expect_places(c, "a.example/x", "a.example/x");
	cr_assert_eq(load(tree_root, &c, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT);
	stv_err_clear(&err);
}

Test(conf, the_environment_names_the_file)
{
	struct reg_conf_opts o = {.home = "/h"};
	struct reg_conf_opts given = {.registries_conf = "mine"};

	cr_assert_eq(setenv("HOME", "/other", 1), 0);
	cr_assert_eq(setenv("CONTAINERS_REGISTRIES_CONF", "", 1), 0);
	cr_assert_eq(setenv("REGISTRIES_CONFIG_PATH", "second", 1), 0);
	reg_conf_opts_from_env(&o);
	cr_expect_str_eq(o.home, "/h");
	cr_expect_str_eq(o.registries_conf, "second");
	cr_assert_eq(setenv("CONTAINERS_REGISTRIES_CONF", "first", 1), 0);
	o.registries_conf = NULL;
	reg_conf_opts_from_env(&o);
	cr_expect_str_eq(o.registries_conf, "first");
	reg_conf_opts_from_env(&given);
	cr_expect_str_eq(given.registries_conf, "mine");
	cr_expect_str_eq(given.home, "/other");
}

struct bad_row {
	char text[220];
	char part[80];
};

ParameterizedTestParameters(conf, what_makes_no_sense_is_refused)
{
	static struct bad_row rows[] = {
		{"x", "f.conf:1:2: a '=' is missing"},
		{"[registries.search]\nregistries=['a']", "version 1"},
		{"[registries.block]\nregistries=[]\n[[registry]]\n"
		 "location='a.b'",
		 "version 1"},
		{"registry = 1", "f.conf: registry is not an array"},
		{"registry = [1]", "registry[0] is not a table"},
		{"[[registry]]", "registry[0].location is missing"},
		{"[[registry]]\nprefix='a.b'", "location is missing"},
		{"[[registry]]\nlocation=1", "location is not a string"},
		{ONE("a.b", "insecure='true'"), "insecure is not true or"},
		{ONE("a.b", "blocked=1"), "blocked is not true or"},
		{ONE("https://a.b", ""), "registry[0].location: 'https://a.b'"},
		{ONE("a", ""), "does not begin with a registry"},
		{ONE("a/b", ""), "does not begin with a registry"},
		{ONE("/", ""), "does not begin with a registry"},
		{ONE("a.b/../c", ""), "is not a registry, or one with"},
		{ONE("a.b/C", ""), "is not a registry, or one with"},
		{ONE("a.b/c:t", ""), "is not a registry, or one with"},
		{ONE("a.b:x", ""), "is not a registry, or one with"},
		{ONE("*.a.b", ""), "is not a registry, or one with"},
		{ONE("a.b", "prefix='a.*.b'"), "is not a registry, or one"},
		{ONE("a.b", "prefix='*a.b'"), "is not a registry, or one"},
		{ONE("a.b", "") ONE("a.b", ""), "prefix 'a.b' is there twice"},
		{ONE("a.b", "prefix='x.y'\ninsecure=true") ONE("a.b", ""),
		 "several times with different"},
		{ONE("a.b", "mirror=[1]"), "registry[0].mirror[0] is not"},
		{ONE("a.b", "[[registry.mirror]]"), "mirror[0].location is m"},
		{ONE("a.b", "[[registry.mirror]]\nlocation='a.c'\n"
			    "pull-from-mirror='x'"),
		 "pull-from-mirror is not 'all'"},
		{ONE("a.b", "mirror-by-digest-only=true\n[[registry.mirror]]\n"
			    "location='a.c'\npull-from-mirror='all'"),
		 "cannot be used together"},
		{"unqualified-search-registries='a'", "is not an array"},
		{"credential-helpers='a'", "is not an array"},
		{"credential-helpers=['../x']", "is no name of a helper"},
		{"unqualified-search-registries=[1]", "is not a string"},
		{"unqualified-search-registries=['a']",
		 "unqualified-search-registries: 'a' does not begin"},
		{"short-name-mode='x'", "short-name-mode is not"},
		{"aliases=1", "aliases is not an object"},
		{"[aliases]\nx=1", "aliases.x is not a short name"},
		{"[aliases]\n'x:t'='a.b/c'", "aliases.x:t is not a short name"},
		{"[aliases]\nx='a.b'", "aliases.x: 'a.b' has no path"},
		{"[aliases]\nx='a/b'", "aliases.x: 'a/b' does not begin"},
		{"[aliases]\nx='a.b/c:t'", "is not a registry, or one with"},
	};

	return cr_make_param_array(struct bad_row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct bad_row *row, conf, what_makes_no_sense_is_refused)
{
	stv_auto_free char *path = tree_path("f.conf");
	struct reg_conf *c = NULL;
	struct stv_err *err = NULL;

	tree_write("f.conf", row->text, 0644);
	cr_assert_eq(load(path, &c, &err), -1, "accepted: %s", row->text);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT);
	cr_expect_not_null(strstr(stv_err_msg(err), row->part), "%s: %s",
			   row->part, stv_err_msg(err));
	cr_expect_not_null(strstr(stv_err_msg(err), "f.conf"));
	cr_expect_null(c);
	stv_err_free(err);
}

Test(conf, too_many_registries_are_refused)
{
	stv_auto_buf b = STV_BUF_INIT(1 << 20);
	struct reg_conf *c = NULL;
	struct stv_err *err = NULL;

	for (int i = 0; i <= REG_MAX_CONF_ENTRIES; i++)
		stv_buf_addf(&b, "[[registry]]\nlocation='h%d.example'\n", i);
	tree_write("etc/containers/registries.conf", stv_buf_str(&b), 0644);
	cr_assert_eq(load(NULL, &c, &err), -1);
	cr_expect_not_null(strstr(stv_err_msg(err), "more than 4096"));
	stv_err_free(err);
}

/* What ${text} can mean, with blanks between. */
static void
expect_names(const struct reg_conf *c, const char *text, const char *want)
{
	stv_auto_buf b = STV_BUF_INIT(4096);
	struct stv_strs names = {0};
	struct stv_err *err = NULL;

	if (reg_conf_short_name(c, text, &names, &err) < 0) {
		cr_expect_eq(stv_err_code(err), STV_E_USAGE);
		cr_expect_eq(names.len, 0);
		stv_buf_adds(&b, "USAGE");
		stv_err_free(err);
	}
	for (size_t i = 0; i < names.len; i++)
		stv_buf_addf(&b, "%s%s", i > 0 ? " " : "", names.v[i]);
	cr_expect_str_eq(stv_buf_str(&b), want);
	stv_strs_clear(&names);
}

Test(conf, a_short_name_is_on_the_hub_by_default)
{
	stv_auto(reg_conf) *c = load_ok();

	expect_names(c, "ubuntu", "docker.io/library/ubuntu:latest");
	expect_names(c, "me/app:1", "docker.io/me/app:1");
	expect_names(c, "h.example/a", "h.example/a:latest");
	expect_names(c, "Upper", "USAGE");
}

Test(conf, a_short_name_has_aliases_and_places_to_be_searched)
{
	stv_auto(reg_conf) *c = NULL;

	tree_write("etc/containers/registries.conf",
		   "unqualified-search-registries = ['a.example', 'docker.io',"
		   "'b.example:5000']\n[aliases]\n'web' = 'w.example/x/web'\n"
		   "'me/app' = 'w.example/app'\n'gone' = 'w.example/gone'\n",
		   0644);
	tree_write("etc/containers/registries.conf.d/1.conf",
		   "[aliases]\ngone = ''\n", 0644);
	c = load_ok();
	expect_names(c, "u:1",
		     "a.example/u:1 docker.io/library/u:1 "
		     "b.example:5000/u:1");
	expect_names(c, "web", "w.example/x/web:latest");
	expect_names(c, "web:2", "w.example/x/web:2");
	expect_names(c, "web" DIGEST, "w.example/x/web" DIGEST);
	expect_names(c, "me/app", "w.example/app:latest");
	expect_names(c, "gone",
		     "a.example/gone:latest "
		     "docker.io/library/gone:latest "
		     "b.example:5000/gone:latest");
	expect_names(c, "localhost/web", "localhost/web:latest");
	expect_names(c, "docker.io/web", "docker.io/library/web:latest");
	reg_conf_free(c);
	tree_write("etc/containers/registries.conf.d/2.conf",
		   "short-name-mode = 'enforcing'\n", 0644);
	c = load_ok();
	expect_names(c, "u", "USAGE");
	expect_names(c, "web", "w.example/x/web:latest");
	reg_conf_free(c);
	tree_write("etc/containers/registries.conf.d/3.conf",
		   "unqualified-search-registries = ['one.example']\n", 0644);
	c = load_ok();
	expect_names(c, "u", "one.example/u:latest");
}

static void
expect_certs(const char *domain, const char *want)
{
	stv_auto(reg_conf) *c = load_ok();
	stv_auto_buf b = STV_BUF_INIT(4096);
	reg_auto_certs certs = {0};
	struct stv_err *err = NULL;
	const struct stv_strs *lists[] = {&certs.cas, &certs.certs,
					  &certs.keys};

	if (reg_conf_certs(c, domain, &certs, &err) < 0) {
		cr_expect_eq(stv_err_code(err), STV_E_INPUT);
		stv_buf_addf(&b, "ERROR");
		stv_err_free(err);
	}
	for (size_t i = 0; i < STV_ARRAY_LEN(lists); i++)
		for (size_t j = 0; j < lists[i]->len; j++)
			stv_buf_addf(&b, "%s ",
				     lists[i]->v[j] + strlen(tree_root) + 1);
	cr_expect_str_eq(stv_buf_str(&b), want);
}

Test(conf, certificates_come_from_the_first_directory_of_the_host)
{
	tree_write("etc/docker/certs.d/a.example/ca.crt", "", 0644);
	tree_write("etc/docker/certs.d/b.example:5000/ca.crt", "", 0644);
	expect_certs("a.example", "etc/docker/certs.d/a.example/ca.crt ");
	expect_certs("a.example:5000", "");
	expect_certs("b.example", "");
	expect_certs("b.example:5000",
		     "etc/docker/certs.d/b.example:5000/ca.crt ");
	tree_write("etc/containers/certs.d/a.example/x.cert", "", 0644);
	tree_write("etc/containers/certs.d/a.example/x.key", "", 0600);
	tree_write("etc/containers/certs.d/a.example/x.1.cert", "", 0644);
	tree_write("etc/containers/certs.d/a.example/x.1.key", "", 0600);
	tree_write("etc/containers/certs.d/a.example/readme", "", 0600);
	expect_certs("a.example", "etc/containers/certs.d/a.example/x.1.cert "
				  "etc/containers/certs.d/a.example/x.cert "
				  "etc/containers/certs.d/a.example/x.1.key "
				  "etc/containers/certs.d/a.example/x.key ");
	tree_write("home/.config/containers/certs.d/a.example/z.crt", "", 0644);
	tree_write("home/.config/containers/certs.d/a.example/b.crt", "", 0644);
	expect_certs("a.example",
		     "home/.config/containers/certs.d/a.example/b.crt "
		     "home/.config/containers/certs.d/a.example/z.crt ");
}

Test(conf, a_certificate_without_key_is_an_error)
{
	tree_write("etc/docker/certs.d/a.example/x.cert", "", 0644);
	tree_write("etc/docker/certs.d/b.example/x.key", "", 0600);
	expect_certs("a.example", "ERROR");
	expect_certs("b.example", "ERROR");
	expect_certs("../certs.d/a.example", "ERROR");
	expect_certs("..", "ERROR");
	expect_certs("", "ERROR");
}

Test(conf, credential_helpers_are_replaced_by_a_later_file)
{
	const struct stv_strs *h;
	struct reg_conf *c;

	c = load_ok();
	cr_expect_eq(reg_conf_credential_helpers(c)->len, 0);
	reg_conf_free(c);
	tree_write("etc/containers/registries.conf",
		   "credential-helpers = ['containers-auth.json', 'pass']\n",
		   0644);
	c = load_ok();
	h = reg_conf_credential_helpers(c);
	cr_assert_eq(h->len, 2);
	cr_expect_str_eq(h->v[0], "containers-auth.json");
	cr_expect_str_eq(h->v[1], "pass");
	reg_conf_free(c);
	tree_write("etc/containers/registries.conf.d/x.conf",
		   "credential-helpers = ['secretservice']\n", 0644);
	c = load_ok();
	h = reg_conf_credential_helpers(c);
	cr_assert_eq(h->len, 1);
	cr_expect_str_eq(h->v[0], "secretservice");
	reg_conf_free(c);
}
