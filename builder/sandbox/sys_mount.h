/*
 * builder/sandbox/sys_mount.h - the mount system calls, without a libc's help.
 *
 * glibc has them since 2.36 only (Ubuntu 22.04 is older), and its <sys/mount.h>
 * cannot be included beside <linux/mount.h>.
 */
#ifndef STAVE_BUILDER_SANDBOX_SYS_MOUNT_H
#define STAVE_BUILDER_SANDBOX_SYS_MOUNT_H

#include <fcntl.h>
#include <linux/mount.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* umount2(2); <sys/mount.h> has it and cannot be included here. */
#define SBX_MNT_DETACH 2

/* sbx_fsopen(fs): fsopen(2), close-on-exec.  Owns: the descriptor. */
static inline int
sbx_fsopen(const char *fs)
{
	return (int)syscall(SYS_fsopen, fs, FSOPEN_CLOEXEC);
}

/* sbx_fsconfig(fd, cmd, key, value): fsconfig(2) without auxiliary number. */
static inline int
sbx_fsconfig(int fd, unsigned int cmd, const char *key, const void *value)
{
	return (int)syscall(SYS_fsconfig, fd, cmd, key, value, 0);
}

/* sbx_fsmount(fd, attrs): fsmount(2), close-on-exec.  Owns: the descriptor. */
static inline int
sbx_fsmount(int fd, unsigned int attrs)
{
	return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attrs);
}

/* sbx_move_mount(from, to_dir, to): attach ${from} at ${to}; "" is to_dir. */
static inline int
sbx_move_mount(int from, int to_dir, const char *to)
{
	return (int)syscall(
		SYS_move_mount, from, "", to_dir, to,
		MOVE_MOUNT_F_EMPTY_PATH |
			(*to == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0));
}

/*
 * sbx_clone_tree(dir, path, is_recursive): a detached copy of the mount at
 * ${path} below ${dir} ("" is ${dir} itself).  Owns: the descriptor.
 */
static inline int
sbx_clone_tree(int dir, const char *path, int is_recursive)
{
	return (int)syscall(SYS_open_tree, dir, path,
			    (unsigned int)OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				    AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW |
				    (*path == '\0' ? AT_EMPTY_PATH : 0) |
				    (is_recursive ? 0x8000 /* AT_RECURSIVE */
						  : 0));
}

/*
 * sbx_set_attrs(fd, set, is_recursive): mount_setattr(2) on ${fd} itself, and
 * make it private: a copy of a shared mount is one of its peers, and what is
 * mounted on it would be mounted on the host, too (THREATS A13).
 */
static inline int
sbx_set_attrs(int fd, uint64_t set, int is_recursive)
{
	struct mount_attr attr = {.attr_set = set, .propagation = MS_PRIVATE};

	return (int)syscall(SYS_mount_setattr, fd, "",
			    AT_EMPTY_PATH | (is_recursive ? 0x8000 : 0), &attr,
			    sizeof(attr));
}

#endif /* STAVE_BUILDER_SANDBOX_SYS_MOUNT_H */
