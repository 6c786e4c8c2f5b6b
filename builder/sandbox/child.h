/*
 * builder/sandbox/child.h - between clone3 and execve.
 *
 * child.c has the order and the process's own state, child_root.c the mounts,
 * child_overlay.c those of layers, child_users.c those that the spec asks for,
 * child_target.c the look-up of places to mount on.  Rules for all: only system
 * calls; no allocation, no stdio, no locks; every failure ends in
 * sbx_child_fail().
 */
#ifndef STAVE_BUILDER_SANDBOX_CHILD_H
#define STAVE_BUILDER_SANDBOX_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/sandbox/internal.h"

/* Descriptors that the child opened itself. */
struct sbx_child {
	const struct sbx_plan *plan;
	struct sbx_report *report;
	int store_fd; /* the store, in our own mount namespace */
	int root_fd;
	int proc_fd, dev_fd, pts_fd, sys_fd, scratch_fd; /* fsmount() */
	int null_fd; /* O_PATH of our own /dev/null, checked */
	uint64_t root_dev, root_mnt_id;
};

/* One fsconfig() key; a NULL value makes it a flag. */
struct sbx_mount_option {
	const char *key, *value;
};

/* What a target may be, and what is made where it is missing. */
enum sbx_target { SBX_TARGET_DIR, SBX_TARGET_FILE };

/*
 * sbx_child_fail(c, stage, index): note ${stage} and errno in the report and
 * end the process.
 */
void sbx_child_fail(const struct sbx_child *c, enum sbx_stage stage,
		    uint32_t index) __attribute__((__noreturn__));

/* sbx_child_warn(c, stage, index): note that it failed (errno) and go on. */
void sbx_child_warn(const struct sbx_child *c, enum sbx_stage stage,
		    uint32_t index);

/*
 * sbx_child_mounts(c): from a private mount namespace to one in which the
 * root is complete (but not yet "/").
 */
void sbx_child_mounts(struct sbx_child *c);

/* sbx_child_set_options(fs, opts, n): 0, or -1 with errno. */
int sbx_child_set_options(int fs, const struct sbx_mount_option *opts,
			  size_t n);

/*
 * sbx_child_create_mount(fs, attrs): create the superblock that ${fs}
 * describes.  Takes: ${fs}.  Returns: a detached mount, or -1 with errno.
 */
int sbx_child_create_mount(int fs, unsigned int attrs);

/*
 * sbx_child_make_mount(type, opts, n, attrs): a detached mount of ${type}, or
 * -1 with errno.
 */
int sbx_child_make_mount(const char *type, const struct sbx_mount_option *opts,
			 size_t n, unsigned int attrs);

/*
 * sbx_child_overlay(c, o): layers, attached where nobody looks.  Nothing may
 * have been mounted over the store's directories yet but what this function
 * did.  Returns: a descriptor, or -1 with errno.
 */
int sbx_child_overlay(const struct sbx_child *c, const struct sbx_overlay *o);

/* sbx_child_users(c): the mounts that the spec asks for.  In child_users.c. */
void sbx_child_users(struct sbx_child *c);

/*
 * sbx_child_open_in_root(root, path, flags, resolve): openat2 with ${root} as
 * "/", no magic links; ${resolve} is added.  -1 with errno.
 */
int sbx_child_open_in_root(int root, const char *path, uint64_t flags,
			   uint64_t resolve);

/*
 * sbx_child_write_file(c, name, data, n, stage, index): a new file of our own
 * in the scratch tmpfs, mode 0644.  Returns: its descriptor, open for writing.
 */
int sbx_child_write_file(struct sbx_child *c, const char *name,
			 const void *data, size_t n, enum sbx_stage stage,
			 uint32_t index);

/*
 * sbx_child_top_dir(c, name): open the directory ${name} of the root, which
 * must not be a link (THREATS A08); made, and noted as a stub, if missing.
 * Returns: a descriptor, or -1 with errno (ELOOP for a link).
 */
int sbx_child_top_dir(struct sbx_child *c, const char *name);

/*
 * sbx_child_target(c, path, kind, is_stub): open ${path} inside the root,
 * links followed there; what is missing is made, and with ${is_stub} noted
 * for removal.  Places in proc or sysfs are refused with EXDEV.
 * Returns: an O_PATH descriptor, or -1 with errno.
 */
int sbx_child_target(struct sbx_child *c, const char *path,
		     enum sbx_target kind, bool is_stub);

/* sbx_child_is_on_root(c, fd): does ${fd} lie on the root's own mount? */
bool sbx_child_is_on_root(const struct sbx_child *c, int fd);

#endif /* STAVE_BUILDER_SANDBOX_CHILD_H */
