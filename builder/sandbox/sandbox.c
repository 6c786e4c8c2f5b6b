/*
 * builder/sandbox/sandbox.c - start commands in the sandbox and collect them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "builder/sandbox/internal.h"

/* <sys/wait.h> of glibc 2.36 has it, older ones do not. */
#define WAIT_PIDFD 3

/* ---- once per process ---------------------------------------------------- */

/* Where the store is now: its descriptor cannot be used by the child. */
static int
find_store(struct sbx *sbx, struct stv_err **err)
{
	char link[64], path[4096];
	struct stat st;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", sbx->store_fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || fstat(sbx->store_fd, &st) < 0)
		return stv_fail_errno(err, errno, "finding the store");
	path[n] = '\0';
	sbx->store_path = stv_xstrdup(path);
	sbx->store_dev = st.st_dev;
	sbx->store_ino = st.st_ino;
	return 0;
}

/* What of the 14 capabilities is ours to give, and is SYS_ADMIN there? */
static int
find_caps(struct sbx *sbx, struct stv_err **err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint64_t permitted, effective;

	if (syscall(SYS_capget, &head, data) < 0)
		return stv_fail_errno_as(err, STV_E_SANDBOX, errno,
					 "reading the capabilities");
	permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	effective = data[0].effective | (uint64_t)data[1].effective << 32;
	if ((effective >> CAP_SYS_ADMIN & 1) == 0) {
		stv_fail(err, STV_E_PRIVILEGE,
			 "a RUN needs root with CAP_SYS_ADMIN");
		stv_err_hint(*err, "run stave as root");
		return -1;
	}
	sbx->caps = SBX_CAPS & permitted;
	sbx->all_caps = permitted;
	while (sbx->cap_last < 63 &&
	       prctl(PR_CAPBSET_READ, sbx->cap_last + 1, 0, 0, 0) >= 0)
		sbx->cap_last++;
	return 0;
}

static void
take_nofile(struct sbx *sbx, const struct rlimit *callers)
{
	struct rlimit now = {.rlim_cur = 1024, .rlim_max = 1024};

	if (callers == NULL)
		(void)getrlimit(RLIMIT_NOFILE, &now);
	else
		now = *callers;
	sbx->nofile = (struct sbx_rlimit){.resource = RLIMIT_NOFILE,
					  .soft = now.rlim_cur,
					  .hard = now.rlim_max};
}

int
sbx_open(const struct sbx_config *cfg, struct sbx **ret, struct stv_err **err)
{
	struct sbx *sbx = stv_xcalloc(1, sizeof(*sbx));

	sbx->store_fd = cfg->store_fd;
	sbx->force_mount2 = cfg->force_mount2;
	sbx->self_pidfd = sbx->vmstat_fd = -1;
	sbx->cgroup2_base = sbx->cgroup1_base = sbx->devices_prog = -1;
	take_nofile(sbx, cfg->caller_nofile);
	if (find_caps(sbx, err) < 0 || find_store(sbx, err) < 0 ||
	    sbx_mountpoints_make(sbx->store_fd, err) < 0 ||
	    sbx_cgroup_open(sbx, cfg->devices, err) < 0 ||
	    sbx_seccomp_build(&sbx->filter, err) < 0) {
		sbx_close(sbx);
		return -1;
	}
	sbx_find_masks(sbx);
	sbx->has_cgroup2_root =
		access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
	sbx->vmstat_fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	sbx->self_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (sbx->self_pidfd < 0) {
		stv_fail_errno_as(err, STV_E_SANDBOX, errno,
				  "opening a descriptor of this process");
		sbx_close(sbx);
		return -1;
	}
	*ret = sbx;
	return 0;
}

void
sbx_close(struct sbx *sbx)
{
	if (sbx == NULL)
		return;
	sbx_cgroup_close(sbx);
	if (sbx->self_pidfd >= 0)
		(void)close(sbx->self_pidfd);
	if (sbx->vmstat_fd >= 0)
		(void)close(sbx->vmstat_fd);
	stv_strs_clear(&sbx->masks_proc);
	stv_strs_clear(&sbx->masks_sys);
	free(sbx->filter.filter);
	free(sbx->store_path);
	free(sbx);
}

enum sbx_devices
sbx_devices_in_use(const struct sbx *sbx)
{
	return sbx->devices;
}

/* ---- starting ------------------------------------------------------------ */

/* Descriptors 0 to 2 are overwritten in the child; ours must lie above. */
static int
lift_fd(int fd)
{
	int lifted;

	if (fd < 0 || fd > 2)
		return fd;
	lifted = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	(void)close(fd);
	return lifted;
}

/*
 * A pipe of which the child gets ${ret_child} and we keep ${ret_ours}, which
 * never blocks.
 */
static int
make_pipe(bool is_ours_reading, int *ret_ours, int *ret_child)
{
	int fds[2], flags;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*ret_ours = lift_fd(fds[is_ours_reading ? 0 : 1]);
	*ret_child = lift_fd(fds[is_ours_reading ? 1 : 0]);
	if (*ret_ours < 0 || *ret_child < 0)
		return -1;
	flags = fcntl(*ret_ours, F_GETFL);
	return fcntl(*ret_ours, F_SETFL, flags | O_NONBLOCK);
}

static int
make_pty_socket(struct sbx_proc *p, struct sbx_plan *plan)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	/* Until the master has come, its place holds our end. */
	p->pty = lift_fd(fds[0]);
	plan->pty_sock = lift_fd(fds[1]);
	return p->pty < 0 || plan->pty_sock < 0 ? -1 : 0;
}

static int
make_stdio(struct sbx_proc *p, struct sbx_plan *plan, struct stv_err **err)
{
	int r = 0;

	switch (plan->spec->stdio) {
	case SBX_STDIO_PTY:
		r = make_pty_socket(p, plan);
		break;
	case SBX_STDIO_PIPES:
		r = make_pipe(false, &p->in, &plan->stdio[0]);
		__attribute__((__fallthrough__));
	case SBX_STDIO_OUTPUT:
		if (r == 0)
			r = make_pipe(true, &p->out, &plan->stdio[1]);
		if (r == 0)
			r = make_pipe(true, &p->err, &plan->stdio[2]);
		break;
	}
	if (r == 0)
		return 0;
	return stv_fail_errno_as(err, STV_E_SANDBOX, errno,
				 "making the pipes of the sandbox");
}

static int
make_report(struct sbx_proc *p, struct stv_err **err)
{
	void *at = mmap(NULL, sizeof(*p->report), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return stv_fail_errno_as(err, STV_E_SANDBOX, errno,
					 "making the report of the sandbox");
	p->report = at;
	return 0;
}

/* clone3; nothing of ours may run in the child but sbx_child_main(). */
static int
clone_child(struct sbx_proc *p, const struct sbx_plan *plan)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID |
			 CLONE_NEWUTS | CLONE_NEWIPC,
		.pidfd = (uint64_t)(uintptr_t)&p->pidfd,
		.exit_signal = SIGCHLD,
	};
	sigset_t all, before;
	long pid;
	int saved;

	if (plan->spec->net == SBX_NET_NONE)
		args.flags |= CLONE_NEWNET;
	if (p->cgroup.is_v2) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)p->cgroup.dir_fd;
	}
	/* No handler of ours may run in the child. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		sbx_child_main(plan);
	saved = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid < 0 ? -1 : 0;
}

/* Swap our end of the socket for the master that comes through it. */
static int
receive_pty(struct sbx_proc *p)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *h;
	ssize_t n;
	int fd;

	do {
		n = recvmsg(p->pty, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	(void)close(p->pty);
	p->pty = -1;
	h = n == 1 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (h == NULL || h->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	p->pty = fd;
	return fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

static int
start(struct sbx_proc *p, struct sbx_plan *plan, struct stv_err **err)
{
	bool is_certain;

	if (sbx_cgroup_make(p->sbx, plan->spec->is_insecure, &p->cgroup, err) <
		    0 ||
	    make_report(p, err) < 0 || make_stdio(p, plan, err) < 0)
		return -1;
	if (p->cgroup.name[0] != '\0' && !p->cgroup.is_v2) {
		plan->cgroup1_fd = openat(p->cgroup.dir_fd, "cgroup.procs",
					  O_WRONLY | O_CLOEXEC);
		if (plan->cgroup1_fd < 0)
			return stv_fail_errno_as(err, STV_E_SANDBOX, errno,
						 "opening the cgroup");
	}
	plan->report = p->report;
	sbx_plan_keep(plan);
	p->oom_kills_before =
		sbx_cgroup_oom_kills(p->sbx, &p->cgroup, &is_certain);
	if (clone_child(p, plan) < 0)
		return stv_fail_errno_as(
			err, errno == EPERM ? STV_E_PRIVILEGE : STV_E_SANDBOX,
			errno, "starting the process of the sandbox");
	return 0;
}

int
sbx_start(struct sbx *sbx, const struct sbx_spec *spec, struct sbx_proc **ret,
	  struct stv_err **err)
{
	struct sbx_proc *p = stv_xcalloc(1, sizeof(*p));
	struct sbx_plan plan;
	int r;

	*p = (struct sbx_proc){.sbx = sbx,
			       .pidfd = -1,
			       .out = -1,
			       .err = -1,
			       .in = -1,
			       .pty = -1,
			       .upper_fd = -1,
			       .cgroup = {.base_fd = -1, .dir_fd = -1}};
	r = sbx_plan_make(sbx, spec, &plan, err);
	if (r == 0) {
		p->argv0 = stv_xstrdup(spec->argv[0]);
		p->cwd = stv_xstrdup(spec->cwd != NULL ? spec->cwd : "/");
		for (size_t i = 0; i < spec->n_mounts; i++)
			stv_strs_add(&p->mount_targets, spec->mounts[i].target);
		r = start(p, &plan, err);
	}
	if (r == 0)
		p->upper_fd = stv_steal_fd(&plan.upper_fd);
	/* Also the child's ends of the pipes: EOF comes from it alone. */
	sbx_plan_fini(&plan);
	if (r == 0 && spec->stdio == SBX_STDIO_PTY && receive_pty(p) < 0) {
		struct sbx_status status = {0};

		if (sbx_finish(p, &status, err) == 0)
			stv_fail(err, STV_E_SANDBOX,
				 "the sandbox gave no terminal");
		sbx_status_fini(&status);
		r = -1;
	}
	if (r < 0) {
		sbx_proc_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

/* ---- while it runs ------------------------------------------------------- */

int
sbx_proc_pidfd(const struct sbx_proc *p)
{
	return p->pidfd;
}

int
sbx_proc_stdout_fd(const struct sbx_proc *p)
{
	return p->out;
}

int
sbx_proc_stderr_fd(const struct sbx_proc *p)
{
	return p->err;
}

int
sbx_proc_stdin_fd(const struct sbx_proc *p)
{
	return p->in;
}

void
sbx_proc_close_stdin(struct sbx_proc *p)
{
	if (p->in >= 0)
		(void)close(p->in);
	p->in = -1;
}

int
sbx_proc_pty_fd(const struct sbx_proc *p)
{
	return p->pty;
}

void
sbx_kill(struct sbx_proc *p, int sig)
{
	p->was_killed_by_us |= sig == SIGKILL;
	if (p->pidfd >= 0 && !p->is_reaped)
		(void)syscall(SYS_pidfd_send_signal, p->pidfd, sig, NULL, 0);
}

/* ---- its end ------------------------------------------------------------- */

/* Wait for PID 1, with which all others die, and clear away. */
static int
reap(struct sbx_proc *p)
{
	siginfo_t si = {.si_code = 0};
	int r;

	if (p->is_reaped || p->pidfd < 0)
		return 0;
	do {
		r = waitid((idtype_t)WAIT_PIDFD, (id_t)p->pidfd, &si, WEXITED);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -1;
	p->is_reaped = true;
	p->wait_code = si.si_code;
	p->wait_status = si.si_status;
	if (p->upper_fd >= 0)
		sbx_stubs_remove(p->upper_fd, p->report);
	return 0;
}

static void
look_for_oom(struct sbx_proc *p, struct sbx_status *ret)
{
	bool is_certain;

	if (ret->signal != SIGKILL || p->was_killed_by_us)
		return;
	ret->is_oom = sbx_cgroup_oom_kills(p->sbx, &p->cgroup, &is_certain) >
		      p->oom_kills_before;
	ret->is_oom_certain = ret->is_oom && is_certain;
}

static void
fill_status(struct sbx_proc *p, struct sbx_status *ret)
{
	const struct sbx_report *r = p->report;

	if (r->errnum != 0) {
		ret->exit_code = r->errnum == ENOENT ? 127 : 126;
		ret->exec_error = sbx_report_exec_error(p);
	} else if (p->wait_code == CLD_EXITED) {
		ret->exit_code = p->wait_status;
	} else {
		ret->signal = p->wait_status;
		ret->exit_code = 128 + p->wait_status;
		look_for_oom(p, ret);
	}
	sbx_report_warnings(p, &ret->warnings);
}

int
sbx_finish(struct sbx_proc *p, struct sbx_status *ret, struct stv_err **err)
{
	if (reap(p) < 0)
		return stv_fail_errno(err, errno,
				      "waiting for the command's end");
	/* Killed by the caller before the command was there: a signal too. */
	if (p->report->stage != SBX_ST_EXEC &&
	    (p->report->errnum != 0 || !p->was_killed_by_us))
		return sbx_report_setup_error(p, err);
	fill_status(p, ret);
	sbx_cgroup_remove(&p->cgroup);
	return 0;
}

void
sbx_status_fini(struct sbx_status *s)
{
	free(s->exec_error);
	stv_strs_clear(&s->warnings);
	*s = (struct sbx_status){0};
}

static void
close_fds(const struct sbx_proc *p)
{
	const int fds[] = {p->pidfd, p->out, p->err,
			   p->in,    p->pty, p->upper_fd};

	for (size_t i = 0; i < STV_ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
}

void
sbx_proc_free(struct sbx_proc *p)
{
	if (p == NULL)
		return;
	if (p->pidfd >= 0 && !p->is_reaped) {
		sbx_kill(p, SIGKILL);
		(void)reap(p);
	}
	sbx_cgroup_remove(&p->cgroup);
	close_fds(p);
	if (p->report != NULL)
		(void)munmap(p->report, sizeof(*p->report));
	stv_strs_clear(&p->mount_targets);
	free(p->argv0);
	free(p->cwd);
	free(p);
}
