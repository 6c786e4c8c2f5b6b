/*
 * builder/sandbox/child_users.c - the mounts that the spec asks for.
 *
 * A source is never looked for in the root, where earlier mounts are: only in
 * layers of its own, or it was opened by the parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"

#include "builder/sandbox/child.h"
#include "builder/sandbox/sys_mount.h"

#define SAFE_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

static int
make_tmpfs(const struct sbx_plan_mount *m)
{
	const struct sbx_mount_option opts[] = {{"mode", m->mode},
						{"size", m->size}};

	return sbx_child_make_mount(
		"tmpfs", opts, m->size != NULL ? STV_ARRAY_LEN(opts) : 1,
		SAFE_ATTRS | (m->m->is_readonly ? MOUNT_ATTR_RDONLY : 0));
}

/* THREATS A11, A13: what the source names is found once, inside of it. */
static int
make_overlay(struct sbx_child *c, const struct sbx_plan_mount *m, bool *is_dir)
{
	int root = sbx_child_overlay(c, &m->overlay), at, tree;
	struct stat st;

	if (root < 0)
		return -1;
	at = sbx_child_open_in_root(root, m->m->source, O_PATH, 0);
	if (at < 0 || fstat(at, &st) < 0)
		sbx_child_fail(c, SBX_ST_MOUNT_SOURCE, m->index);
	*is_dir = S_ISDIR(st.st_mode);
	tree = sbx_clone_tree(at, "", 0);
	if (tree < 0 ||
	    sbx_set_attrs(tree,
			  SAFE_ATTRS |
				  (m->m->is_readonly ? MOUNT_ATTR_RDONLY : 0),
			  0) < 0)
		return -1;
	(void)close(at);
	(void)close(root);
	return tree;
}

/* A file in the scratch tmpfs, which dies with the sandbox. */
static int
make_file(struct sbx_child *c, const struct sbx_plan_mount *m)
{
	const struct sbx_mount *s = m->m;
	int fd = sbx_child_write_file(c, m->name, s->data, s->data_len,
				      SBX_ST_MOUNT_SOURCE, m->index);
	int tree;

	if (syscall(SYS_fchown, fd, s->uid, s->gid) < 0 ||
	    syscall(SYS_fchmod, fd, s->mode) < 0)
		return -1;
	(void)close(fd);
	tree = sbx_clone_tree(c->scratch_fd, m->name, 0);
	if (tree < 0 ||
	    sbx_set_attrs(tree,
			  SAFE_ATTRS | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY,
			  0) < 0)
		return -1;
	return tree;
}

static int
make_tree(struct sbx_child *c, const struct sbx_plan_mount *m, bool *is_dir)
{
	*is_dir = m->is_dir;
	switch (m->m->kind) {
	case SBX_MOUNT_BIND:
		return m->tree_fd;
	case SBX_MOUNT_TMPFS:
		return make_tmpfs(m);
	case SBX_MOUNT_OVERLAY:
		return make_overlay(c, m, is_dir);
	case SBX_MOUNT_FILE:
		return make_file(c, m);
	}
	errno = EINVAL;
	return -1;
}

void
sbx_child_users(struct sbx_child *c)
{
	for (size_t i = 0; i < c->plan->n_mounts; i++) {
		const struct sbx_plan_mount *m = &c->plan->mounts[i];
		bool is_dir;
		int tree = make_tree(c, m, &is_dir), target;

		if (tree < 0)
			sbx_child_fail(c, SBX_ST_MOUNT, m->index);
		target = sbx_child_target(
			c, m->m->target,
			is_dir ? SBX_TARGET_DIR : SBX_TARGET_FILE, true);
		if (target < 0 || sbx_move_mount(tree, target, "") < 0)
			sbx_child_fail(c, SBX_ST_MOUNT, m->index);
		(void)close(target);
		(void)close(tree);
	}
}
