/*
 * builder/sandbox/idmap.c - show what one user owns as root's.
 *
 * An id-mapped mount takes its map from a user namespace, and a namespace needs
 * a process to be made: a child that waits until it is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched.h>

#include "core/cleanup.h"

#include "builder/sandbox/sandbox.h"
#include "builder/sandbox/sys_mount.h"

static int
write_map(pid_t pid, const char *name, uint32_t id)
{
	char path[64], map[64];
	stv_auto_fd fd = -1;
	int n;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	n = snprintf(map, sizeof(map), "%u 0 1\n", (unsigned int)id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, map, (size_t)n) == n ? 0 : -1;
}

/* Only system calls: the process is a copy of a thread of a big one. */
static void
wait_for_death(long parent)
{
	(void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* It may have died before. */
	while (syscall(SYS_getppid) == parent)
		(void)syscall(SYS_pause);
	(void)syscall(SYS_exit_group, 0);
}

/* A user namespace in which ${uid} and ${gid} stand for our root. */
static int
open_userns(uint32_t uid, uint32_t gid)
{
	struct clone_args args = {.flags = CLONE_NEWUSER,
				  .exit_signal = SIGCHLD};
	long parent = getpid(), pid = syscall(SYS_clone3, &args, sizeof(args));
	char path[64];
	int fd = -1, saved;

	if (pid == 0)
		wait_for_death(parent);
	if (pid < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/%ld/ns/user", pid);
	if (write_map((pid_t)pid, "uid_map", uid) == 0 &&
	    write_map((pid_t)pid, "gid_map", gid) == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	saved = errno;
	(void)kill((pid_t)pid, SIGKILL);
	while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = saved;
	return fd;
}

int
sbx_idmapped(int source_fd, uint32_t uid, uint32_t gid)
{
	stv_auto_fd userns = open_userns(uid, gid);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP,
				  .userns_fd = (uint64_t)userns};
	stv_auto_fd tree = -1;

	if (userns < 0)
		return -1;
	tree = sbx_clone_tree(source_fd, "", 1);
	if (tree < 0 || syscall(SYS_mount_setattr, tree, "",
				AT_EMPTY_PATH | 0x8000 /* AT_RECURSIVE */,
				&attr, sizeof(attr)) < 0)
		return -1;
	return stv_steal_fd(&tree);
}
