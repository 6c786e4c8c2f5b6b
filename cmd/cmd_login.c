/* cmd/cmd_login.c - stave login, stave logout: the credentials of registries.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "registry/conf.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/opts.h"
#include "cmd/registry.h"
#include "cmd/verbs.h"

/* A line that is typed, or a password on standard input. */
#define MAX_SECRET ((size_t)64 << 10)
/* Docker Hub, as docker names it in its own file. */
#define HUB_INDEX "index.docker.io"

struct login_values {
	const char *user;
	const char *password;
	const char *authfile;
	const char *realm;
	bool is_stdin;
};

static const struct cmd_opt login_opts[] = {
	CMD_STR("username", 'u', "NAME", struct login_values, user,
		"who to log in as"),
	CMD_STR("password", 'p', "SECRET", struct login_values, password,
		"the password, which others can see then"),
	CMD_FLAG("password-stdin", 0, struct login_values, is_stdin,
		 "read the password from standard input"),
	CMD_STR("authfile", 0, "FILE", struct login_values, authfile,
		"where credentials are kept"),
	CMD_STR("realm", 0, "HOST", struct login_values, realm,
		"a host of another domain that may get the login for tokens"),
	CMD_OPT_END,
};

static const struct cmd_opt logout_opts[] = {
	CMD_STR("authfile", 0, "FILE", struct login_values, authfile,
		"where credentials are kept"),
	CMD_OPT_END,
};

/* A registry as people name it: docker.io, "https://host/", host:port. */
static int
parse_registry(const char *text, struct reg_ref *ret, struct stv_err **err)
{
	stv_auto_free char *name = NULL;
	const char *host = text == NULL ? REG_DEFAULT_DOMAIN : text;
	size_t n;

	if (strncmp(host, "https://", 8) == 0)
		host += 8;
	n = strcspn(host, "/");
	if (n == strlen(HUB_INDEX) && strncmp(host, HUB_INDEX, n) == 0) {
		host = REG_DEFAULT_DOMAIN;
		n = strlen(host);
	}
	/* Any repository will do; it is not looked at. */
	name = stv_xasprintf("%.*s/x/y", (int)n, host);
	if (n == 0 || reg_ref_parse(name, ret, err) < 0) {
		if (*err != NULL)
			stv_err_clear(err);
		return stv_fail(err, STV_E_USAGE, "'%s' is no registry", text);
	}
	/* "myhost" would have become a repository of Docker Hub. */
	if (strlen(ret->domain) != n || strncmp(ret->domain, host, n) != 0)
		return stv_fail(err, STV_E_USAGE,
				"'%s' is no registry: its name needs a dot or "
				"a port",
				text);
	return 0;
}

/* One line from the terminal; the newline is not part of it. */
static int
read_line(struct stv_buf *ret, struct stv_err **err)
{
	char c;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (stv_cancel_check(err) < 0)
			return -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return stv_fail_errno(err, errno, "reading the login");
		if (n == 0 || c == '\n')
			return 0;
		stv_buf_addc(ret, c);
	}
}

/* Ask on the terminal, without showing what is typed if it ${is_secret}. */
static int
prompt(const char *text, bool is_secret, struct stv_buf *ret,
       struct stv_err **err)
{
	struct termios before, quiet;
	bool has_echo;
	int rc;

	if (isatty(STDIN_FILENO) == 0) {
		stv_fail(err, STV_E_USAGE,
			 "there is no terminal to ask for "
			 "the login");
		stv_err_hint(*err, "Give --username, and --password-stdin.");
		return -1;
	}
	fprintf(stderr, "%s: ", text);
	has_echo = is_secret && tcgetattr(STDIN_FILENO, &before) == 0;
	if (has_echo) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	rc = read_line(ret, err);
	if (has_echo) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	return rc;
}

/* All of standard input, without the newline at its end. */
static int
read_stdin(struct stv_buf *ret, struct stv_err **err)
{
	char part[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, part, sizeof(part))) != 0) {
		if (n < 0 && errno != EINTR)
			return stv_fail_errno(err, errno,
					      "reading the password");
		if (n > 0)
			stv_buf_add(ret, part, (size_t)n);
	}
	explicit_bzero(part, sizeof(part));
	while (ret->len > 0 && (ret->data[ret->len - 1] == '\n' ||
				ret->data[ret->len - 1] == '\r'))
		stv_buf_truncate(ret, ret->len - 1);
	return stv_buf_check(ret, "the password", err);
}

/* What was typed is used for the first request, before anything is kept. */
static int
give_typed(void *arg, const char *domain, const char *path,
	   struct reg_creds *ret, struct stv_err **err)
{
	const struct reg_creds *t = arg;

	(void)domain;
	(void)path;
	(void)err;
	*ret = (struct reg_creds){.username = stv_xstrdup(t->username),
				  .secret = stv_xstrdup(t->secret)};
	if (t->realm != NULL)
		ret->realm = stv_xstrdup(t->realm);
	return 1;
}

/* Does the registry take it? */
static int
try_login(const struct reg_conf *conf, const struct reg_ref *ref,
	  struct reg_creds *t, struct stv_err **err)
{
	struct reg_client_opts o = {.is_cancelled = cmd_registry_is_cancelled,
				    .creds = give_typed,
				    .conf = conf,
				    .must_login = true,
				    .arg = t};
	stv_auto(reg_client) *client = NULL;

	if (reg_client_open(&o, &client, err) < 0)
		return -1;
	return reg_client_ping(client, ref, err);
}

/* registries.conf, and with it where credentials are. */
static int
load_conf(struct reg_conf **ret, struct reg_creds_opts *creds,
	  struct stv_err **err)
{
	struct reg_conf_opts o = {.registries_conf = NULL};

	reg_conf_opts_from_env(&o);
	reg_creds_opts_from_env(creds);
	if (reg_conf_load(&o, ret, err) < 0)
		return -1;
	creds->helpers = reg_conf_credential_helpers(*ret);
	return 0;
}

static int
get_login(const struct login_values *v, struct stv_buf *user,
	  struct stv_buf *secret, struct stv_err **err)
{
	if (v->password != NULL && v->is_stdin)
		return stv_fail(err, STV_E_USAGE,
				"--password and --password-stdin are one too "
				"many");
	if (v->is_stdin && v->user == NULL)
		return stv_fail(err, STV_E_USAGE,
				"--password-stdin needs --username");
	if (v->user != NULL)
		stv_buf_adds(user, v->user);
	else if (prompt("Username", false, user, err) < 0)
		return -1;
	if (v->password != NULL) {
		cmd_warn("--password shows the password to all who see this "
			 "machine's processes; --password-stdin does not");
		stv_buf_adds(secret, v->password);
		/* Who looks from now on does not see it any more. */
		memset((char *)(uintptr_t)v->password, '*',
		       strlen(v->password));
		return 0;
	}
	return v->is_stdin ? read_stdin(secret, err)
			   : prompt("Password", true, secret, err);
}

/* A host as it stands in a URL, without scheme, port and path. */
static int
check_realm(const char *realm, struct stv_err **err)
{
	static const char may[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789.-:[]";

	if (realm == NULL ||
	    (*realm != '\0' && realm[strspn(realm, may)] == '\0' &&
	     (strchr(realm, ':') == NULL || *realm == '[')))
		return 0;
	return stv_fail(err, STV_E_USAGE,
			"--realm wants the name of a host, not '%s'", realm);
}

static int
log_in(const struct login_values *v, const char *registry, struct stv_err **err)
{
	struct stv_buf user = STV_BUF_INIT(MAX_SECRET);
	struct stv_buf secret = STV_BUF_INIT(MAX_SECRET);
	struct reg_creds_opts creds = {.authfile = v->authfile};
	stv_auto(reg_conf) *conf = NULL;
	stv_auto_free char *where = NULL;
	reg_auto_ref ref = {0};
	reg_auto_creds t = {0};
	int rc;

	if (parse_registry(registry, &ref, err) < 0 ||
	    check_realm(v->realm, err) < 0 || load_conf(&conf, &creds, err) < 0)
		return -1;
	stv_cancel_catch(true);
	rc = get_login(v, &user, &secret, err);
	t.username = stv_xstrdup(stv_buf_str(&user));
	t.secret = stv_xstrdup(stv_buf_str(&secret));
	t.realm = v->realm != NULL ? stv_xstrdup(v->realm) : NULL;
	if (rc == 0 && (user.len == 0 || secret.len == 0))
		rc = stv_fail(err, STV_E_USAGE,
			      "the user name or the password is empty");
	if (rc == 0)
		rc = try_login(conf, &ref, &t, err);
	if (rc == 0)
		rc = reg_creds_store(&creds, ref.domain, &t, &where, err);
	rc = stv_cancel_end(rc, err);
	if (secret.data != NULL)
		explicit_bzero(secret.data, secret.cap);
	stv_buf_fini(&secret);
	stv_buf_fini(&user);
	if (rc < 0)
		return stv_wrap(err, "logging in to %s", ref.domain);
	printf("Login Succeeded: kept in %s\n", where);
	return CMD_DONE;
}

static int
log_out(const struct login_values *v, const char *registry,
	struct stv_err **err)
{
	struct reg_creds_opts creds = {.authfile = v->authfile};
	stv_auto(reg_conf) *conf = NULL;
	reg_auto_ref ref = {0};
	bool was_there = false;

	if (parse_registry(registry, &ref, err) < 0 ||
	    load_conf(&conf, &creds, err) < 0)
		return -1;
	if (reg_creds_erase(&creds, ref.domain, &was_there, err) < 0)
		return stv_wrap(err, "logging out of %s", ref.domain);
	if (was_there)
		printf("Removed the login of %s\n", ref.domain);
	else
		printf("Not logged in to %s\n", ref.domain);
	return CMD_DONE;
}

static int
login_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct login_values v = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_login, argc, argv, &v, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	return log_in(&v, n > 0 ? argv[1] : NULL, err);
}

static int
logout_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct login_values v = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_logout, argc, argv, &v, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	return log_out(&v, n > 0 ? argv[1] : NULL, err);
}

const struct cmd_verb cmd_verb_login = {
	.name = "login",
	.args = "[REGISTRY]",
	.summary = "Keep the login of a registry",
	.opts = login_opts,
	.max_args = 1,
	.run = login_run,
};

const struct cmd_verb cmd_verb_logout = {
	.name = "logout",
	.args = "[REGISTRY]",
	.summary = "Forget the login of a registry",
	.opts = logout_opts,
	.max_args = 1,
	.run = logout_run,
};
