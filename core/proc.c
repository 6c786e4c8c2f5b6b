/* core/proc.c - running another program and taking what it says. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/proc.h"

/* How often the wish to end is looked at, and how long SIGTERM has. */
#define POLL_MS 50
#define GRACE_MS 1000
/* Lines of a complaint that are shown. */
#define MAX_LINES 4

/* What the child is told, and what is kept of it. */
struct proc {
	const struct stv_proc_opts *o;
	char *path;
	pid_t pid;
	int pidfd;
	int out, err; /* our ends; -1 at their end */
	int why;      /* the child's errno, where it became no program */
	struct stv_buf output;
	struct stv_buf errors;
};

static bool
is_program(const char *path)
{
	struct stat st;

	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 &&
	       fstatat(AT_FDCWD, path, &st, 0) == 0 && S_ISREG(st.st_mode);
}

int
stv_proc_find(const char *name, char **ret, struct stv_err **err)
{
	const char *p = getenv("PATH");

	if (p == NULL)
		p = "/usr/local/bin:/usr/bin:/bin";
	while (*p != '\0') {
		size_t n = strcspn(p, ":");
		stv_auto_free char *path =
			stv_xasprintf("%.*s/%s", (int)n, p, name);

		p += n + (p[n] == ':');
		if (n > 0 && *path == '/' && is_program(path)) {
			*ret = stv_steal(&path);
			return 0;
		}
	}
	return stv_fail(err, STV_E_NOT_FOUND,
			"there is no program '%s' in the PATH", name);
}

/* In the child: only what is allowed after fork() in a process of threads. */
__attribute__((__noreturn__)) static void
become(const struct proc *p, int in, int out, int errors, int why)
{
	static const int ignored[] = {SIGPIPE, SIGXFSZ};
	sigset_t none;
	int errnum;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0);
	for (size_t i = 0; i < STV_ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(errors, 2) >= 0 &&
	    (p->o->dirfd < 0 || fchdir(p->o->dirfd) == 0) &&
	    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		(void)execve(p->path, (char *const *)(uintptr_t)p->o->argv,
			     p->o->env);
	errnum = errno;
	(void)!write(why, &errnum, sizeof(errnum));
	_exit(127);
}

static int
start(struct proc *p, struct stv_err **err)
{
	stv_auto_fd nothing =
		openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
	int in = p->o->input > 0 ? p->o->input : nothing;
	int out[2] = {-1, -1}, errors[2] = {-1, -1}, why[2] = {-1, -1};
	int rc = 0;

	if (nothing < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    pipe2(errors, O_CLOEXEC) < 0 ||
	    pipe2(why, O_CLOEXEC | O_NONBLOCK) < 0)
		rc = stv_fail_errno(err, errno, "cannot make a pipe");
	if (rc == 0) {
		p->pid = fork();
		if (p->pid == 0)
			become(p, in, out[1], errors[1], why[1]);
		if (p->pid < 0)
			rc = stv_fail_errno(err, errno, "cannot run %s",
					    p->path);
	}
	if (rc == 0) {
		/* Here too: whoever kills the group first must find it. */
		(void)setpgid(p->pid, p->pid);
		p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
		p->out = stv_steal_fd(&out[0]);
		p->err = stv_steal_fd(&errors[0]);
		p->why = stv_steal_fd(&why[0]);
		(void)fcntl(p->out, F_SETFL, O_NONBLOCK);
		(void)fcntl(p->err, F_SETFL, O_NONBLOCK);
	}
	for (int i = 0; i < 2; i++) {
		stv_close_p(&out[i]);
		stv_close_p(&errors[i]);
		stv_close_p(&why[i]);
	}
	return rc;
}

/* Of what it complains about the end matters. */
static void
keep_tail(struct stv_buf *b, const char *p, size_t n)
{
	size_t over;

	if (n > STV_MAX_PROC_ERRORS) {
		p += n - STV_MAX_PROC_ERRORS;
		n = STV_MAX_PROC_ERRORS;
	}
	over = b->len + n > STV_MAX_PROC_ERRORS
		       ? b->len + n - STV_MAX_PROC_ERRORS
		       : 0;
	if (over > 0) {
		memmove(b->data, b->data + over, b->len - over);
		stv_buf_truncate(b, b->len - over);
	}
	stv_buf_add(b, p, n);
}

/* All that is there to be read now: 1 at the end of the stream. */
static int
take(struct proc *p, int fd, struct stv_err **err)
{
	char buf[16384];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : 1;
		if (n == 0)
			return 1;
		if (fd == p->err) {
			keep_tail(&p->errors, buf, (size_t)n);
			continue;
		}
		if ((size_t)n > p->output.max - p->output.len)
			return stv_fail(err, STV_E_LIMIT,
					"%s says more than %zu bytes",
					p->o->what, p->output.max);
		stv_buf_add(&p->output, buf, (size_t)n);
	}
}

static int
take_from(struct proc *p, int *fd, struct stv_err **err)
{
	int rc = *fd < 0 ? 0 : take(p, *fd, err);

	if (rc != 1)
		return rc;
	stv_close_p(fd);
	*fd = -1;
	return 0;
}

/* Is it a zombie by now?  It stays one, so that its number is still its own. */
static bool
is_dead(const struct proc *p)
{
	siginfo_t si = {0};

	return waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOWAIT | WNOHANG) ==
		       0 &&
	       si.si_pid == p->pid;
}

static void
wait_dead(const struct proc *p, int ms)
{
	struct pollfd pfd = {.fd = p->pidfd, .events = POLLIN};

	for (; ms > 0 && !is_dead(p); ms -= POLL_MS)
		(void)poll(&pfd, 1, POLL_MS);
}

/* Until it is dead, and has said all that it said before. */
static int
attend(struct proc *p, struct stv_err **err)
{
	for (;;) {
		bool dead = is_dead(p);
		struct pollfd fds[] = {
			{.fd = p->out, .events = POLLIN},
			{.fd = p->err, .events = POLLIN},
			{.fd = p->pidfd, .events = POLLIN},
		};

		if (take_from(p, &p->out, err) < 0 ||
		    take_from(p, &p->err, err) < 0 || stv_cancel_check(err) < 0)
			return -1;
		/* What it left behind may hold the pipes open for ever. */
		if (dead)
			return 0;
		(void)poll(fds, STV_ARRAY_LEN(fds), POLL_MS);
	}
}

/* End the whole group, and take the status of the one that we made. */
static int
reap(struct proc *p, bool is_failed)
{
	int status = 0;

	if (is_failed && !is_dead(p)) {
		(void)kill(-p->pid, SIGTERM);
		wait_dead(p, GRACE_MS);
	}
	(void)kill(-p->pid, SIGKILL);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* Did the child say, before it ended, that it could not become the program? */
static int
check_started(const struct proc *p, struct stv_err **err)
{
	int errnum;

	if (read(p->why, &errnum, sizeof(errnum)) != (ssize_t)sizeof(errnum))
		return 0;
	return stv_fail_errno(err, errnum, "cannot run %s", p->path);
}

int
stv_proc_run(const struct stv_proc_opts *opts, struct stv_proc_result *ret,
	     struct stv_err **err)
{
	struct stv_proc_opts o = *opts;
	struct proc p = {.o = &o, .pidfd = -1, .out = -1, .err = -1, .why = -1};
	int rc, status = 0;

	if (o.what == NULL)
		o.what = o.argv[0];
	if (stv_proc_find(o.argv[0], &p.path, err) < 0)
		return -1;
	p.output = STV_BUF_INIT(o.max_output != 0 ? o.max_output
						  : STV_MAX_PROC_OUTPUT);
	p.errors = STV_BUF_INIT(STV_MAX_PROC_ERRORS);
	rc = start(&p, err);
	if (rc == 0) {
		rc = attend(&p, err);
		status = reap(&p, rc < 0);
	}
	if (rc == 0)
		rc = check_started(&p, err);
	stv_close_p(&p.pidfd);
	stv_close_p(&p.out);
	stv_close_p(&p.err);
	stv_close_p(&p.why);
	free(p.path);
	if (rc < 0) {
		stv_buf_fini(&p.output);
		stv_buf_fini(&p.errors);
		return -1;
	}
	*ret = (struct stv_proc_result){status, p.output, p.errors};
	return 0;
}

void
stv_proc_result_fini(struct stv_proc_result *r)
{
	stv_buf_fini(&r->output);
	stv_buf_fini(&r->errors);
}

void
stv_proc_last_words(const struct stv_proc_result *r, struct stv_buf *ret)
{
	const char *text = stv_buf_str(&r->errors), *p;
	size_t n = r->errors.len;
	int lines = 0;

	while (n > 0 && text[n - 1] == '\n')
		n--;
	for (p = text + n; p > text; p--)
		if (p[-1] == '\n' && ++lines == MAX_LINES)
			break;
	while (p < text + n) {
		const char *end = memchr(p, '\n', (size_t)(text + n - p));
		size_t len = (size_t)((end == NULL ? text + n : end) - p);

		if (ret->len > 0 && len > 0)
			stv_buf_adds(ret, "; ");
		stv_buf_add_escaped(ret, p, len);
		p += len + (end != NULL);
	}
}
