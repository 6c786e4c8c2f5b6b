/*
 * builder/sandbox/probe.c - can rung R1 run here?  Done in miniature.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "builder/sandbox/internal.h"
#include "builder/sandbox/sys_mount.h"

/* What is tried, in order. */
enum probe_step {
	PROBE_NAMESPACES,
	PROBE_DIRS,
	PROBE_WHITEOUT,
	PROBE_XATTR,
	PROBE_PRIVATE,
	PROBE_OVERLAY,
	PROBE_PROC,
	PROBE_DONE
};

static const char *const step_texts[] = {
	[PROBE_NAMESPACES] = "namespaces cannot be made",
	[PROBE_DIRS] = "the store cannot be written to",
	[PROBE_WHITEOUT] = "the store's file system takes no device nodes, "
			   "which overlay needs as whiteouts",
	[PROBE_XATTR] = "the store's file system takes no trusted extended "
			"attributes, which overlay needs",
	[PROBE_PRIVATE] = "mounts cannot be made private",
	[PROBE_OVERLAY] = "overlay cannot be mounted on the store's file "
			  "system",
	[PROBE_PROC] = "proc cannot be mounted",
};

/* Shared with the child. */
struct probe {
	enum probe_step step; /* that failed, or PROBE_DONE */
	int errnum;
};

static void
fail_probe(struct probe *pr, enum probe_step step)
{
	pr->errnum = errno;
	pr->step = step;
	for (;;)
		syscall(SYS_exit_group, 1);
}

static int
mount_overlay(void)
{
	int fs = sbx_fsopen("overlay");

	if (fs < 0)
		return -1;
	if (sbx_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", "lower") < 0 ||
	    sbx_fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", "upper") < 0 ||
	    sbx_fsconfig(fs, FSCONFIG_SET_STRING, "workdir", "work") < 0 ||
	    sbx_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return -1;
	return sbx_fsmount(fs, 0);
}

/* In the child: PID 1 of its namespaces. */
static void
try_mounts(struct probe *pr, const char *dir)
{
	int proc;

	if (syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail_probe(pr, PROBE_PRIVATE);
	/* By path: a descriptor would lie in the parent's mount namespace. */
	if (chdir(dir) < 0 || mount_overlay() < 0)
		fail_probe(pr, PROBE_OVERLAY);
	proc = sbx_fsopen("proc");
	if (proc < 0 ||
	    sbx_fsconfig(proc, FSCONFIG_CMD_CREATE, NULL, NULL) < 0 ||
	    sbx_fsmount(proc, MOUNT_ATTR_NOSUID) < 0)
		fail_probe(pr, PROBE_PROC);
	pr->step = PROBE_DONE;
	for (;;)
		syscall(SYS_exit_group, 0);
}

static void
run_child(struct probe *pr, const char *dir)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS |
			 CLONE_NEWIPC | CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	int status;

	if (pid == 0)
		try_mounts(pr, dir);
	if (pid < 0) {
		pr->errnum = errno;
		return;
	}
	while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* The directories of the overlay, with a whiteout and an xattr in them. */
static int
make_dirs(int dir, struct probe *pr)
{
	stv_auto_fd upper = -1;

	pr->step = PROBE_DIRS;
	if (mkdirat(dir, "lower", 0755) < 0 ||
	    mkdirat(dir, "upper", 0755) < 0 || mkdirat(dir, "work", 0755) < 0)
		return -1;
	upper = openat(dir, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0)
		return -1;
	pr->step = PROBE_WHITEOUT;
	if (mknodat(upper, "gone", S_IFCHR, 0) < 0)
		return -1;
	pr->step = PROBE_XATTR;
	if (fsetxattr(upper, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return -1;
	pr->step = PROBE_NAMESPACES;
	return 0;
}

static void
probe_in(int store_fd, const char *name, struct probe *pr)
{
	stv_auto_fd dir = -1;
	char link[64], path[4096];
	ssize_t n;

	pr->step = PROBE_DIRS;
	if ((mkdirat(store_fd, "tmp", 0700) < 0 && errno != EEXIST) ||
	    mkdirat(store_fd, name, 0700) < 0) {
		pr->errnum = errno;
		return;
	}
	dir = openat(store_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	n = dir < 0 ? -1 : readlink(link, path, sizeof(path) - 1);
	if (n < 0 || make_dirs(dir, pr) < 0) {
		pr->errnum = errno;
		return;
	}
	path[n] = '\0';
	run_child(pr, path);
}

bool
sbx_probe_root(int store_fd, char **why_not)
{
	struct stv_err *err = NULL;
	struct probe *pr, result;
	char name[64];

	if (geteuid() != 0) {
		*why_not = stv_xstrdup("this is not root");
		return false;
	}
	pr = mmap(NULL, sizeof(*pr), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pr == MAP_FAILED) {
		*why_not = stv_xstrdup("memory is out");
		return false;
	}
	(void)snprintf(name, sizeof(name), "tmp/probe-%ld", (long)getpid());
	probe_in(store_fd, name, pr);
	if (stv_fsat_remove_tree(store_fd, name, &err) < 0)
		stv_err_free(err);
	result = *pr;
	(void)munmap(pr, sizeof(*pr));
	if (result.step == PROBE_DONE)
		return true;
	*why_not = stv_xasprintf("%s: %s", step_texts[result.step],
				 strerrordesc_np(result.errnum));
	return false;
}
