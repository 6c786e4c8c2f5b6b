/*
 * registry/creds_helper.c - docker-credential-NAME: "get", "store" and "erase",
 * with the server or JSON on standard input and JSON on standard output.
 *
 * core/proc.h gives a program no input; and what is said here is secret, so
 * that it lies in one place that is erased.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/proc.h"

#include "registry/textfile.h"

#include "registry/creds.h"
#include "registry/creds_internal.h"

#define DEFAULT_MS 30000
#define POLL_MS 50
/* A pipe takes so much at least before anybody reads it. */
#define MAX_INPUT ((size_t)32 << 10)
#define MAX_NAME 64

#define NOT_FOUND "credentials not found in native keychain"
/* The user's name that marks an identity token. */
#define TOKEN_USER "<token>"

/* A helper that runs. */
struct child {
	const char *name;
	pid_t pid;
	int out;
	struct reg_textfile said;
};

bool
reg_helper_is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= MAX_NAME && s[n] == '\0';
}

void
reg_helper_of_all(const char *name, const char *domain, struct reg_helper *ret)
{
	ret->name = stv_xstrdup(name);
	ret->server =
		stv_xstrdup(reg_auths_is_hub(domain) ? REG_HUB_KEY : domain);
}

/* In the child: only what is allowed after fork() in a process of threads. */
__attribute__((__noreturn__)) static void
become(const char *path, const char *const argv[], int in, int out, int null)
{
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(null, 2) >= 0 &&
	    syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
		(void)execve(path, (char *const *)(uintptr_t)argv, environ);
	_exit(127);
}

static int
start(struct child *c, const char *path, const char *verb, const char *input,
      struct stv_err **err)
{
	const char *const argv[] = {path, verb, NULL};
	stv_auto_fd null = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	size_t n = strlen(input);
	int rc = 0;

	if (n > MAX_INPUT)
		return stv_fail(err, STV_E_LIMIT,
				"what is to be stored is larger than %zu bytes",
				MAX_INPUT);
	if (null < 0 || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    write(in[1], input, n) != (ssize_t)n)
		rc = stv_fail_errno(err, errno, "cannot make a pipe");
	stv_close_p(&in[1]);
	if (rc == 0) {
		c->pid = fork();
		if (c->pid == 0)
			become(path, argv, in[0], out[1], null);
		if (c->pid < 0)
			rc = stv_fail_errno(err, errno, "cannot run %s", path);
	}
	if (rc == 0) {
		/* Here too: whoever kills the group first must find it. */
		(void)setpgid(c->pid, c->pid);
		c->out = stv_steal_fd(&out[0]);
		(void)fcntl(c->out, F_SETFL, O_NONBLOCK);
	}
	stv_close_p(&in[0]);
	stv_close_p(&out[0]);
	stv_close_p(&out[1]);
	return rc;
}

/* All that is there to be read now. */
static int
take(struct child *c, struct stv_err **err)
{
	for (;;) {
		ssize_t n = read(c->out, c->said.text + c->said.len,
				 REG_MAX_CREDS + 1 - c->said.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		c->said.len += (size_t)n;
		if (c->said.len > REG_MAX_CREDS)
			return stv_fail(err, STV_E_LIMIT,
					"the credential helper "
					"'docker-credential-%s' says more than "
					"%zu bytes",
					c->name, REG_MAX_CREDS);
	}
	c->said.text[c->said.len] = '\0';
	return 0;
}

/* Is it a zombie by now?  It stays one, so that its number is still its own. */
static bool
is_dead(const struct child *c)
{
	siginfo_t si = {0};

	return waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOWAIT | WNOHANG) ==
		       0 &&
	       si.si_pid == c->pid;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until it is dead, and has said all that it said before. */
static int
attend(struct child *c, uint32_t ms, struct stv_err **err)
{
	int64_t end = now_ms() + (ms != 0 ? ms : DEFAULT_MS);

	for (;;) {
		bool dead = is_dead(c);
		struct pollfd p = {.fd = c->out, .events = POLLIN};

		if (take(c, err) < 0 || stv_cancel_check(err) < 0)
			return -1;
		if (dead)
			return 0;
		if (now_ms() > end)
			return stv_fail(err, STV_E_AUTH,
					"the credential helper "
					"'docker-credential-%s' does not "
					"answer",
					c->name);
		/* At its end of output the pipe is no more than a clock. */
		if (poll(&p, 1, POLL_MS) > 0 && (p.revents & POLLIN) == 0)
			(void)poll(NULL, 0, 5);
	}
}

/* End the whole group, and take the status of the one that we made. */
static int
reap(const struct child *c)
{
	int status = 0;

	(void)kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/*
 * Run a helper to its end.  Owns: *said, what it said.
 * Returns: its exit status.
 */
static int
run(const struct reg_helper *h, const char *verb, const char *input,
    uint32_t ms, struct reg_textfile *said, struct stv_err **err)
{
	struct child c = {.name = h->name, .out = -1};
	stv_auto_free char *program = NULL;
	stv_auto_free char *path = NULL;
	int rc, status;

	if (!reg_helper_is_name(h->name))
		return stv_fail(err, STV_E_INPUT,
				"the credential helper's name has other "
				"characters than a-z, 0-9 and '-'");
	program = stv_xasprintf("docker-credential-%s", h->name);
	if (stv_proc_find(program, &path, err) < 0) {
		stv_err_set_code(*err, STV_E_AUTH);
		stv_err_hint(*err, "Install it, or remove it from credsStore, "
				   "credHelpers and credential-helpers.");
		return -1;
	}
	if (start(&c, path, verb, input, err) < 0)
		return -1;
	c.said.text = stv_xmalloc(REG_MAX_CREDS + 2);
	rc = attend(&c, ms, err);
	status = reap(&c);
	stv_close_p(&c.out);
	if (rc < 0) {
		reg_textfile_fini(&c.said);
		return -1;
	}
	*said = c.said;
	return status;
}

/* What a helper that fails says, as far as it cannot be a secret. */
static int
fail_said(const struct reg_helper *h, const char *verb,
	  const struct reg_textfile *said, int status, struct stv_err **err)
{
	stv_auto_buf shown = STV_BUF_INIT(4096);
	bool may_show = strcmp(verb, "store") != 0 &&
			strcasestr(said->text, "secret") == NULL;

	if (may_show)
		stv_buf_add_escaped(&shown, said->text,
				    strcspn(said->text, "\n") < 200
					    ? strcspn(said->text, "\n")
					    : 200);
	return stv_fail(err, STV_E_AUTH,
			"'docker-credential-%s %s' failed with status %d%s%s",
			h->name, verb, status, shown.len > 0 ? ": " : "",
			stv_buf_str(&shown));
}

static bool
is_not_found(const struct reg_textfile *said)
{
	return strncmp(said->text, NOT_FOUND, strlen(NOT_FOUND)) == 0 &&
	       strspn(said->text + strlen(NOT_FOUND), " \r\n") ==
		       said->len - strlen(NOT_FOUND);
}

static int
read_answer(const struct reg_helper *h, json_t *o, struct reg_creds *ret,
	    struct stv_err **err)
{
	const char *user = NULL, *secret = NULL;

	if (stv_json_get_str(o, "", "Username", false, &user, err) < 0 ||
	    stv_json_get_str(o, "", "Secret", false, &secret, err) < 0)
		return -1;
	if (!reg_secret_is_set(secret))
		return 0;
	if (user != NULL && strcmp(user, TOKEN_USER) == 0) {
		ret->identity_token = stv_xstrdup(secret);
	} else {
		ret->username = stv_xstrdup(user != NULL ? user : "");
		ret->secret = stv_xstrdup(secret);
	}
	ret->origin = stv_xasprintf("docker-credential-%s", h->name);
	explicit_bzero((char *)(uintptr_t)secret, strlen(secret));
	return 1;
}

int
reg_helper_get(const struct reg_helper *h, uint32_t ms, struct reg_creds *ret,
	       struct stv_err **err)
{
	reg_auto_textfile said = {0};
	stv_auto_free char *what = NULL;
	int rc = run(h, "get", h->server, ms, &said, err);
	json_t *o;

	if (rc < 0)
		return -1;
	if (rc > 0)
		return is_not_found(&said)
			       ? 0
			       : fail_said(h, "get", &said, rc, err);
	what = stv_xasprintf("the answer of docker-credential-%s", h->name);
	o = reg_secret_json(said.text, said.len, what, STV_E_AUTH, err);
	rc = o != NULL ? read_answer(h, o, ret, err) : -1;
	json_decref(o);
	if (rc < 0)
		stv_err_set_code(*err, STV_E_AUTH);
	return rc;
}

int
reg_helper_store(const struct reg_helper *h, uint32_t ms, const char *user,
		 const char *secret, struct stv_err **err)
{
	reg_auto_textfile said = {0};
	json_t *o = json_object();
	char *text;
	int rc = -1;

	if (json_object_set_new(o, "ServerURL", json_string(h->server)) < 0 ||
	    json_object_set_new(o, "Username", json_string(user)) < 0 ||
	    json_object_set_new(o, "Secret", json_string(secret)) < 0) {
		json_decref(o);
		return stv_fail(err, STV_E_USAGE,
				"name and password must be UTF-8");
	}
	text = json_dumps(o, JSON_COMPACT);
	explicit_bzero((char *)(uintptr_t)json_string_value(
			       json_object_get(o, "Secret")),
		       strlen(secret));
	json_decref(o);
	if (text != NULL)
		rc = run(h, "store", text, ms, &said, err);
	reg_secret_free(text);
	return rc > 0 ? fail_said(h, "store", &said, rc, err) : rc;
}

int
reg_helper_erase(const struct reg_helper *h, uint32_t ms, struct stv_err **err)
{
	reg_auto_textfile said = {0};
	int rc = run(h, "erase", h->server, ms, &said, err);

	if (rc > 0 && is_not_found(&said))
		return 0;
	return rc > 0 ? fail_said(h, "erase", &said, rc, err) : rc;
}
