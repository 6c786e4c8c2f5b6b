/* builder/git_run.c - the program git, and the little that it gets to see. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"
#include "core/proc.h"
#include "core/strs.h"

#include "builder/git_internal.h"

/* Configuration by environment: in no file, and on no command line. */
struct config {
	struct stv_strs env;
	unsigned n;
};

static void
set(struct config *c, const char *name, const char *value)
{
	stv_strs_take(&c->env,
		      stv_xasprintf("GIT_CONFIG_KEY_%u=%s", c->n, name));
	stv_strs_take(&c->env,
		      stv_xasprintf("GIT_CONFIG_VALUE_%u=%s", c->n, value));
	c->n++;
}

/*
 * User and password of the URL, for its own server only: git asks a helper for
 * them when that one wants them, and gives them to no other one that it leads
 * to.  (A header, http.*.extraHeader, would go there too.)  The helper takes
 * them from where our configuration is: the environment.
 */
static void
set_login(struct config *c, const struct bld_git_ref *r)
{
	stv_auto_free char *name = NULL, *user = NULL, *password = NULL;
	stv_auto_free char *helper = NULL;
	const char *colon, *host;

	if (r->userinfo == NULL)
		return;
	/* Of the server: submodules lie there too. */
	host = strstr(r->remote, "://") + 3;
	name = stv_xasprintf("credential.%.*s.helper",
			     (int)(host + strcspn(host, "/") - r->remote),
			     r->remote);
	colon = strchrnul(r->userinfo, ':');
	user = bld_git_decode(r->userinfo, (size_t)(colon - r->userinfo),
			      false);
	colon += *colon == ':';
	password = bld_git_decode(colon, strlen(colon), false);
	if (user == NULL || password == NULL)
		return; /* bld_git_ref_parse() refuses it */
	helper = stv_xasprintf("!f() { test \"$1\" != get || printf "
			       "'username=%%s\\npassword=%%s\\n' "
			       "\"$GIT_CONFIG_VALUE_%u\" "
			       "\"$GIT_CONFIG_VALUE_%u\"; }; f",
			       c->n, c->n + 1);
	set(c, "stave.user", user);
	set(c, "stave.password", password);
	set(c, name, helper);
}

/* What the user's environment says about the way to the network. */
static void
pass(struct stv_strs *env, const char *as, const char *name)
{
	const char *value = getenv(name);

	if (value != NULL && *value != '\0')
		stv_strs_take(env, stv_xasprintf("%s=%s", as, value));
}

static void
make_env(const struct bld_git_ref *r, struct stv_strs *ret)
{
	static const char *const passed[] = {
		"PATH",	    "SSH_AUTH_SOCK", "HTTP_PROXY",     "HTTPS_PROXY",
		"NO_PROXY", "ALL_PROXY",     "http_proxy",     "https_proxy",
		"no_proxy", "all_proxy",     "GIT_SSL_CAINFO", "GIT_SSL_CAPATH",
	};
	static const char *const fixed[] = {
		"LC_ALL=C",
		"HOME=/nonexistent",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=",
		"GIT_ALLOW_PROTOCOL=http:https:ssh:git",
		"GIT_SSH_COMMAND=ssh -o BatchMode=yes -o ConnectTimeout=30",
	};
	struct config c = {.env = {0}};

	for (size_t i = 0; i < STV_ARRAY_LEN(fixed); i++)
		stv_strs_add(ret, fixed[i]);
	for (size_t i = 0; i < STV_ARRAY_LEN(passed); i++)
		pass(ret, passed[i], passed[i]);
	if (stv_env_get(ret, "GIT_SSL_CAINFO") == NULL)
		pass(ret, "GIT_SSL_CAINFO", "SSL_CERT_FILE");
	set(&c, "core.hooksPath", "/dev/null");
	set(&c, "core.fsmonitor", "false");
	set(&c, "core.logAllRefUpdates", "false");
	set(&c, "core.attributesFile", "/dev/null");
	set(&c, "core.excludesFile", "/dev/null");
	set(&c, "safe.directory", "*");
	set(&c, "gc.auto", "0");
	set(&c, "maintenance.auto", "false");
	set(&c, "init.defaultBranch", "master");
	set(&c, "advice.detachedHead", "false");
	set(&c, "http.lowSpeedLimit", "1");
	set(&c, "http.lowSpeedTime", "60");
	/* Objects as files: a pack is not the same every time. */
	set(&c, "fetch.unpackLimit", "10000");
	set_login(&c, r);
	stv_strs_copy(ret, &c.env);
	stv_strs_take(ret, stv_xasprintf("GIT_CONFIG_COUNT=%u", c.n));
	stv_strs_clear(&c.env);
}

static int
failed(const struct bld_git_ref *r, const char *verb,
       const struct stv_proc_result *res, struct stv_err **err)
{
	stv_auto_buf why = STV_BUF_INIT((size_t)16 << 10);

	stv_proc_last_words(res, &why);
	return stv_fail(err, STV_E_NET,
			"git %s of '%s' failed with status %d%s%s", verb,
			r->shown, res->status, why.len > 0 ? ": " : "",
			stv_buf_str(&why));
}

/* What git calls its command, behind its own options. */
static const char *
verb_of(const char *const *args)
{
	while (args[0] != NULL && args[0][0] == '-')
		args++;
	return args[0] == NULL ? "" : args[0];
}

int
bld_git_run(const struct bld_git_ref *r, int dirfd, const char *const *args,
	    struct stv_buf *ret, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs env = {0};
	STV_CLEANUP(stv_strs_clear) struct stv_strs argv = {0};
	struct stv_proc_opts o = {.dirfd = dirfd, .what = "git"};
	struct stv_proc_result res = {0};
	int rc = 0;

	make_env(r, &env);
	stv_strs_add(&argv, "git");
	for (size_t i = 0; args[i] != NULL; i++)
		stv_strs_add(&argv, args[i]);
	o.argv = (const char *const *)argv.v;
	o.env = env.v;
	if (stv_proc_run(&o, &res, err) < 0) {
		if (stv_err_code(*err) == STV_E_NOT_FOUND)
			stv_err_hint(*err, "Install git: it fetches what is in "
					   "a repository.");
		return stv_wrap(err, "the repository '%s' cannot be fetched",
				r->shown);
	}
	if (res.status != 0)
		rc = failed(r, verb_of(args), &res, err);
	else if (ret != NULL)
		*ret = res.output;
	if (rc < 0 || ret == NULL)
		stv_buf_fini(&res.output);
	stv_buf_fini(&res.errors);
	return rc;
}
