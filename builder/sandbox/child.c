/*
 * builder/sandbox/child.c - from clone3 to execve, in order.
 *
 * The process is a copy of a big one of which only the calling thread lives
 * on: locks may be held for ever, so there are system calls here and nothing
 * else, those of credentials without libc's wrappers (which signal threads
 * that are not there).  The Makefile compiles it without sanitizers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"

#include "builder/sandbox/child.h"
#include "builder/sandbox/sys_mount.h"

/* The kernel's view of a signal's action: all zero is the default. */
struct kernel_sigaction {
	unsigned long words[3];
	uint64_t mask;
};

void
sbx_child_fail(const struct sbx_child *c, enum sbx_stage stage, uint32_t index)
{
	c->report->errnum = errno;
	c->report->index = index;
	c->report->stage = stage;
	for (;;)
		syscall(SYS_exit_group, SBX_EXIT_SETUP);
}

void
sbx_child_warn(const struct sbx_child *c, enum sbx_stage stage, uint32_t index)
{
	struct sbx_report *rep = c->report;

	if (rep->n_warnings == SBX_MAX_WARNINGS)
		return;
	rep->warnings[rep->n_warnings++] = (struct sbx_warning){
		.stage = stage, .index = index, .errnum = errno};
}

/*
 * Descriptors of the parent are close-on-exec, but a lock in one of them would
 * be held until then: drop all that we do not need at once.
 */
static void
close_others(const struct sbx_child *c)
{
	unsigned int from = 3;

	for (size_t i = 0; i < c->plan->n_keep; i++) {
		unsigned int keep = (unsigned int)c->plan->keep_fds[i];

		if (keep > from &&
		    syscall(SYS_close_range, from, keep - 1, 0) < 0)
			sbx_child_fail(c, SBX_ST_CLOSE, 0);
		from = keep + 1;
	}
	if (syscall(SYS_close_range, from, ~0U, 0) < 0)
		sbx_child_fail(c, SBX_ST_CLOSE, 0);
}

/*
 * Die with the parent.  It may have died before; and the kernel forgets the
 * wish when credentials change, so this is called again after that.
 */
static void
follow_parent(const struct sbx_child *c)
{
	struct pollfd p = {.fd = c->plan->sbx->self_pidfd, .events = POLLIN};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		sbx_child_fail(c, SBX_ST_PARENT, 0);
	if (poll(&p, 1, 0) != 0) {
		errno = ESRCH;
		sbx_child_fail(c, SBX_ST_PARENT, 0);
	}
}

/* As the command wants it: nothing blocked, ignored or handled. */
static void
reset_signals(void)
{
	static const struct kernel_sigaction dfl;
	uint64_t none = 0;

	for (int sig = 1; sig <= 64; sig++)
		(void)syscall(SYS_rt_sigaction, sig, &dfl, NULL, sizeof(none));
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL,
		      sizeof(none));
}

/* A new cgroup namespace, rooted where we are now. */
static void
enter_cgroup(const struct sbx_child *c)
{
	if (c->plan->cgroup1_fd >= 0 && write(c->plan->cgroup1_fd, "0", 1) != 1)
		sbx_child_fail(c, SBX_ST_CGROUP1, 0);
	if (syscall(SYS_unshare, CLONE_NEWCGROUP) < 0)
		sbx_child_fail(c, SBX_ST_CGROUP_NS, 0);
}

static void
raise_loopback(const struct sbx_child *c)
{
	struct ifreq req = {.ifr_name = "lo"};
	int fd;

	if (c->plan->spec->net != SBX_NET_NONE)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		sbx_child_fail(c, SBX_ST_LOOPBACK, 0);
	req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		sbx_child_fail(c, SBX_ST_LOOPBACK, 0);
	(void)close(fd);
}

static void
set_names(const struct sbx_child *c)
{
	const char *name = c->plan->hostname;

	if (syscall(SYS_sethostname, name, strlen(name)) < 0 ||
	    syscall(SYS_setdomainname, "", 0) < 0)
		sbx_child_fail(c, SBX_ST_HOSTNAME, 0);
}

static void
pivot(const struct sbx_child *c)
{
	if (fchdir(c->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    syscall(SYS_umount2, ".", SBX_MNT_DETACH) < 0 || chdir("/") < 0)
		sbx_child_fail(c, SBX_ST_PIVOT, 0);
}

/*
 * THREATS A02: only what resolves inside the root; a magic link is ELOOP.  A
 * missing directory is made and stays, as with Docker.
 */
static void
enter_cwd(struct sbx_child *c)
{
	const char *cwd = c->plan->spec->cwd;
	char name[4096];
	long n;
	int fd;

	if (cwd == NULL || strcmp(cwd, "/") == 0)
		return;
	fd = sbx_child_target(c, cwd, SBX_TARGET_DIR, false);
	if (fd < 0 || fchdir(fd) < 0)
		sbx_child_fail(c, SBX_ST_CWD, 0);
	n = syscall(SYS_getcwd, name, sizeof(name));
	if (n < 0 || name[0] != '/') {
		/* The kernel writes "(unreachable)" for what is outside. */
		errno = n < 0 ? errno : EXDEV;
		sbx_child_fail(c, SBX_ST_CWD, 0);
	}
	(void)close(fd);
}

/* Hand the terminal's master side to the parent. */
static int
send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.buf = {0}};
	char byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return syscall(SYS_sendmsg, sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/*
 * THREATS A06: the peer comes from the master itself, never from a path; and
 * /dev/console is the node of that very peer.
 */
static int
make_pty(const struct sbx_child *c)
{
	const struct sbx_spec *spec = c->plan->spec;
	struct winsize size = {.ws_row = spec->rows, .ws_col = spec->cols};
	int unlock = 0, master, peer, node, console;
	struct stat of_peer, of_node;

	master = openat(c->pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		sbx_child_fail(c, SBX_ST_PTY, 0);
	peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0)
		sbx_child_fail(c, SBX_ST_PTY, 0);
	if (spec->rows > 0 && ioctl(master, TIOCSWINSZ, &size) < 0)
		sbx_child_fail(c, SBX_ST_PTY, 0);
	/* The first terminal of a new instance. */
	node = sbx_clone_tree(c->pts_fd, "0", 0);
	if (node < 0 || fstat(peer, &of_peer) < 0 || fstat(node, &of_node) < 0)
		sbx_child_fail(c, SBX_ST_PTY, 0);
	if (of_peer.st_rdev != of_node.st_rdev) {
		errno = ENODEV;
		sbx_child_fail(c, SBX_ST_PTY, 0);
	}
	console = openat(c->dev_fd, "console",
			 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (console < 0 || sbx_move_mount(node, c->dev_fd, "console") < 0 ||
	    send_fd(c->plan->pty_sock, master) < 0)
		sbx_child_fail(c, SBX_ST_PTY, 0);
	return peer;
}

/* Descriptors 0 to 2; THREATS A04: pipes, the inner null or the inner pty. */
static void
set_stdio(const struct sbx_child *c, int pty)
{
	const struct sbx_spec *spec = c->plan->spec;

	for (int i = 0; i < 3; i++) {
		int fd = pty >= 0 ? pty : c->plan->stdio[i];

		/* The node that fill_dev() made and looked at. */
		if (fd < 0)
			fd = openat(c->dev_fd, "null",
				    O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_dup3, fd, i, 0) < 0)
			sbx_child_fail(c, SBX_ST_STDIO, 0);
		/* Else the user cannot open /dev/stdout (as runc does). */
		if ((pty >= 0 || c->plan->stdio[i] >= 0) && spec->uid != 0 &&
		    syscall(SYS_fchown, i, spec->uid, -1) < 0)
			sbx_child_fail(c, SBX_ST_STDIO, 0);
	}
	if (syscall(SYS_setsid) < 0 || (pty >= 0 && ioctl(0, TIOCSCTTY, 0) < 0))
		sbx_child_fail(c, SBX_ST_STDIO, 0);
}

static void
set_limits(const struct sbx_child *c)
{
	for (size_t i = 0; i < c->plan->n_rlimits; i++) {
		const struct sbx_rlimit *r = &c->plan->rlimits[i];
		struct rlimit lim = {.rlim_cur = r->soft, .rlim_max = r->hard};

		if (syscall(SYS_prlimit64, 0, r->resource, &lim, NULL) == 0)
			continue;
		if (errno != EPERM)
			sbx_child_fail(c, SBX_ST_RLIMIT, (uint32_t)i);
		/* Without CAP_SYS_RESOURCE: what there is must do. */
		sbx_child_warn(c, SBX_ST_RLIMIT, (uint32_t)i);
	}
	(void)syscall(SYS_sched_setscheduler, 0, 0 /* SCHED_OTHER */,
		      &(int){0});
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
	(void)prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0);
}

static void
join_keyring(const struct sbx_child *c)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 &&
	    errno != ENOSYS)
		sbx_child_warn(c, SBX_ST_KEYRING, 0);
}

/* While CAP_SYS_ADMIN is there, so that no_new_privs need not be set. */
static void
install_filter(const struct sbx_child *c)
{
	if (!c->plan->spec->is_insecure &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
		    &c->plan->sbx->filter) < 0)
		sbx_child_fail(c, SBX_ST_SECCOMP, 0);
	if (c->plan->spec->no_new_privs &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		sbx_child_fail(c, SBX_ST_SECCOMP, 0);
}

static int
set_caps(uint64_t caps, uint64_t inheritable)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)caps,
		 .permitted = (uint32_t)caps,
		 .inheritable = (uint32_t)inheritable},
		{.effective = (uint32_t)(caps >> 32),
		 .permitted = (uint32_t)(caps >> 32),
		 .inheritable = (uint32_t)(inheritable >> 32)},
	};

	return (int)syscall(SYS_capset, &head, data);
}

static void
drop_caps(const struct sbx_child *c)
{
	uint64_t keep = c->plan->caps;

	for (unsigned int i = 0; i <= c->plan->sbx->cap_last; i++) {
		if ((keep >> i & 1) == 0 &&
		    prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			sbx_child_fail(c, SBX_ST_CAPS, i);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    set_caps(keep, 0) < 0)
		sbx_child_fail(c, SBX_ST_CAPS, 0);
	if (c->plan->spec->is_insecure &&
	    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		sbx_child_fail(c, SBX_ST_CAPS, 0);
}

/* As BuildKit: in the insecure mode other users have all of them, too. */
static void
raise_ambient(const struct sbx_child *c)
{
	uint64_t caps = c->plan->caps;

	if (!c->plan->spec->is_insecure)
		return;
	if (set_caps(caps, caps) < 0)
		sbx_child_fail(c, SBX_ST_CAPS, 0);
	for (unsigned int i = 0; i <= c->plan->sbx->cap_last; i++) {
		if ((caps >> i & 1) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			sbx_child_fail(c, SBX_ST_CAPS, i);
	}
}

static void
set_ids(const struct sbx_child *c)
{
	const struct sbx_spec *spec = c->plan->spec;

	if (syscall(SYS_setgroups, spec->n_groups, spec->groups) < 0 ||
	    syscall(SYS_setresgid, spec->gid, spec->gid, spec->gid) < 0 ||
	    syscall(SYS_setresuid, spec->uid, spec->uid, spec->uid) < 0)
		sbx_child_fail(c, SBX_ST_IDS, 0);
}

/*
 * As execvp: what is not there is passed over, what may not be executed is
 * remembered.  A path that exists and gives ENOENT lacks its interpreter.
 */
static void
execute(const struct sbx_child *c)
{
	const struct sbx_spec *spec = c->plan->spec;
	int worst = ENOENT;
	uint32_t is_interpreter = 0;

	c->report->stage = SBX_ST_EXEC;
	for (char **p = c->plan->exec_paths; *p != NULL; p++) {
		(void)syscall(SYS_execve, *p, spec->argv, spec->envp);
		if (errno == ENOTDIR)
			continue;
		if (errno == ENOENT) {
			if (worst == ENOENT &&
			    syscall(SYS_faccessat, AT_FDCWD, *p, F_OK) == 0)
				is_interpreter = 1;
			continue;
		}
		worst = errno;
		is_interpreter = 0;
		if (errno != EACCES)
			break;
	}
	errno = worst;
	sbx_child_fail(c, SBX_ST_EXEC, is_interpreter);
}

void
sbx_child_main(const struct sbx_plan *plan)
{
	struct sbx_child c = {.plan = plan, .report = plan->report};
	int pty = -1;

	enter_cgroup(&c);
	close_others(&c);
	follow_parent(&c);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)syscall(SYS_umask, 0); /* modes are given in full below */
	if (syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		sbx_child_fail(&c, SBX_ST_PRIVATE, 0);
	sbx_child_mounts(&c);
	raise_loopback(&c);
	set_names(&c);
	if (plan->pty_sock >= 0)
		pty = make_pty(&c);
	pivot(&c);
	enter_cwd(&c);
	set_stdio(&c, pty);
	join_keyring(&c);
	set_limits(&c);
	(void)syscall(SYS_umask, 0022);
	install_filter(&c);
	drop_caps(&c);
	set_ids(&c);
	raise_ambient(&c);
	follow_parent(&c);
	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		sbx_child_fail(&c, SBX_ST_CLOSE, 0);
	reset_signals();
	execute(&c);
	__builtin_unreachable();
}
