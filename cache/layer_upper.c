/* cache/layer_upper.c - reading the upper directory of an overlay. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/strs.h"

#include "cache/layer_changes.h"

int
lay_upper_open(const struct lay_changes *c, const char *path, int flags)
{
	return stv_fsat_open_nolinks(c->upper_fd, *path == '\0' ? "." : path,
				     flags, 0);
}

static bool
is_overlay_mark(const char *name)
{
	return strncmp(name, "trusted.overlay.", 16) == 0 ||
	       strncmp(name, "user.overlay.", 13) == 0;
}

static int
cmp_xattrs(const void *a, const void *b)
{
	const struct lay_xattr *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Append the attribute to those of the node. */
static int
add_xattr(struct upper_node *n, const char *path, const char *name,
	  struct lay_xattr *to, struct stv_err **err)
{
	stv_auto_free char *value = stv_xmalloc(XATTR_SIZE_MAX);
	ssize_t len = lgetxattr(path, name, value, XATTR_SIZE_MAX);

	if (len < 0)
		return stv_fail_errno(err, errno,
				      "cannot read attribute '%s' of '/%s'",
				      name, n->e.path);
	*to = (struct lay_xattr){
		.name = stv_xstrdup(name),
		.value = stv_xmemdup(len > 0 ? value : "", (size_t)len + 1),
		.len = (size_t)len};
	return 0;
}

/*
 * The xattrs of a file that is not opened (it may be a device or a FIFO):
 * /proc leads from the directory's descriptor to the one name in it.
 */
static int
read_xattrs(struct upper_node *n, int dirfd, const char *name,
	    struct stv_err **err)
{
	char path[STV_MAX_NAME + 64];
	stv_auto_free char *names = NULL;
	struct lay_xattr *x = NULL;
	ssize_t size;
	size_t len = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	size = llistxattr(path, NULL, 0);
	if (size == 0 || (size < 0 && errno == ENOTSUP))
		return 0;
	names = stv_xmalloc(XATTR_LIST_MAX);
	size = llistxattr(path, names, XATTR_LIST_MAX);
	if (size < 0)
		return stv_fail_errno(err, errno,
				      "cannot list the attributes of '/%s'",
				      n->e.path);
	for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1) {
		char y = '\0';

		if (is_overlay_mark(names + i)) {
			n->has_marks = true;
			if (strcmp(names + i, "trusted.overlay.opaque") == 0 &&
			    lgetxattr(path, names + i, &y, 1) == 1 && y == 'y')
				n->is_opaque = n->e.type == LAY_DIR;
		}
		if (!lay_xattr_is_kept(names + i, n->e.type))
			continue;
		x = stv_xreallocarray(x, len + 1, sizeof(*x));
		n->e.xattrs = x;
		if (add_xattr(n, path, names + i, &x[len], err) < 0)
			return -1;
		n->e.n_xattrs = ++len;
	}
	if (len > 1)
		qsort(x, len, sizeof(*x), cmp_xattrs);
	return 0;
}

static int
read_link(struct upper_node *n, int dirfd, const char *name,
	  struct stv_err **err)
{
	stv_auto_free char *target = stv_xmalloc(STV_MAX_PATH + 1);
	ssize_t len = readlinkat(dirfd, name, target, STV_MAX_PATH);

	if (len < 0)
		return stv_fail_errno(err, errno, "cannot read link '/%s'",
				      n->e.path);
	n->e.link = stv_xstrndup(target, (size_t)len);
	return 0;
}

/* 1, or 0 where no layer can hold it (a socket). */
static int
set_type(struct upper_node *n, const struct stat *st)
{
	n->e.rdev_major = major(st->st_rdev);
	n->e.rdev_minor = minor(st->st_rdev);
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		n->e.type = LAY_FILE;
		n->e.size = (uint64_t)st->st_size;
		break;
	case S_IFDIR:
		n->e.type = LAY_DIR;
		break;
	case S_IFLNK:
		n->e.type = LAY_SYMLINK;
		break;
	case S_IFIFO:
		n->e.type = LAY_FIFO;
		break;
	case S_IFBLK:
		n->e.type = LAY_BLOCK;
		break;
	case S_IFCHR:
		n->e.type =
			st->st_rdev == makedev(0, 0) ? LAY_WHITEOUT : LAY_CHAR;
		break;
	default:
		return 0;
	}
	return 1;
}

static void
set_attributes(const struct lay_changes *c, struct upper_node *n,
	       const struct stat *st)
{
	n->dev = st->st_dev;
	n->ino = st->st_ino;
	n->is_linked = n->e.type == LAY_FILE && st->st_nlink > 1;
	n->mtime_s = n->e.mtime_s = st->st_mtim.tv_sec;
	n->mtime_ns = n->e.mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	n->e.mode = st->st_mode & 07777;
	n->e.uid = st->st_uid;
	n->e.gid = st->st_gid;
	if (c->opts.has_epoch &&
	    (n->e.mtime_s > c->opts.epoch ||
	     (n->e.mtime_s == c->opts.epoch && n->e.mtime_ns > 0))) {
		n->e.mtime_s = c->opts.epoch;
		n->e.mtime_ns = 0;
	}
}

/* One name of a directory becomes the next node. */
static int
read_name(struct lay_changes *c, size_t parent, int dirfd, const char *name,
	  struct stv_err **err)
{
	const char *dir = c->nodes.v[parent].e.path;
	struct upper_node *n;
	struct stat st;

	if (strlen(dir) + strlen(name) + 1 > STV_MAX_PATH)
		return stv_fail(err, STV_E_LIMIT,
				"'/%.200s...' is longer than %zu bytes", dir,
				STV_MAX_PATH);
	if (c->nodes.len > STV_MAX_TAR_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"more than %llu files were changed",
				(unsigned long long)STV_MAX_TAR_ENTRIES);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return stv_fail_errno(err, errno, "cannot stat '/%s/%s'", dir,
				      name);
	n = stv_vec_push(&c->nodes);
	n->parent = parent;
	n->e.path = stv_xasprintf("%s%s%s", dir, *dir == '\0' ? "" : "/", name);
	n->end = c->nodes.len;
	if (set_type(n, &st) == 0) {
		free((void *)(uintptr_t)n->e.path);
		c->nodes.len--;
		c->nodes.v[parent].is_touched = true;
		if (unlinkat(dirfd, name, 0) < 0)
			return stv_fail_errno(err, errno,
					      "cannot remove socket '/%s/%s'",
					      dir, name);
		return 0;
	}
	set_attributes(c, n, &st);
	if (n->e.type == LAY_SYMLINK && read_link(n, dirfd, name, err) < 0)
		return -1;
	return n->e.type == LAY_WHITEOUT ? 0 : read_xattrs(n, dirfd, name, err);
}

/* The names of a directory, sorted. */
static int
list_names(int fd, struct stv_strs *names, struct stv_err **err)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *de;

	if (d == NULL) {
		stv_close_p(&own);
		return stv_fail_errno(err, errno, "cannot read a directory");
	}
	errno = 0;
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			stv_strs_add(names, de->d_name);
	if (errno != 0) {
		int saved = errno;

		(void)closedir(d);
		return stv_fail_errno(err, saved, "cannot read a directory");
	}
	(void)closedir(d);
	stv_strs_sort(names);
	return 0;
}

/* A directory on the way down. */
struct level {
	size_t node;
	struct stv_strs names;
	size_t next;
	int fd; /* open only while it is the deepest: any depth costs one */
};

static int
level_open(const struct lay_changes *c, struct level *l, struct stv_err **err)
{
	const char *path = c->nodes.v[l->node].e.path;

	if (l->fd >= 0)
		return 0;
	l->fd = lay_upper_open(c, path, O_RDONLY | O_DIRECTORY);
	if (l->fd < 0)
		return stv_fail_errno(err, errno, "cannot open '/%s'", path);
	return 0;
}

/* The next name of the deepest directory; a directory goes on the stack. */
static int
read_step(struct lay_changes *c, struct level *l, bool *ret_enter,
	  struct stv_err **err)
{
	size_t before = c->nodes.len;

	if (level_open(c, l, err) < 0)
		return -1;
	if (read_name(c, l->node, l->fd, l->names.v[l->next++], err) < 0)
		return -1;
	*ret_enter =
		c->nodes.len > before && c->nodes.v[before].e.type == LAY_DIR;
	return 0;
}

int
lay_upper_read(struct lay_changes *c, struct stv_err **err)
{
	STV_VEC(struct level) stack = {0};
	struct upper_node *root = stv_vec_push(&c->nodes);
	int r = 0;

	root->e = (struct lay_entry){.path = stv_xstrdup(""), .type = LAY_DIR};
	root->is_change = false;
	*stv_vec_push(&stack) = (struct level){.node = 0, .fd = -1};
	while (r == 0 && stack.len > 0) {
		struct level *top = &stack.v[stack.len - 1];
		bool is_enter = false;

		if (top->next == 0 && top->names.v == NULL) {
			r = level_open(c, top, err);
			if (r == 0)
				r = list_names(top->fd, &top->names, err);
			if (r < 0)
				break;
		}
		if (top->next == top->names.len) {
			c->nodes.v[top->node].end = c->nodes.len;
			stv_close_p(&top->fd);
			stv_strs_clear(&top->names);
			stack.len--;
			continue;
		}
		r = read_step(c, top, &is_enter, err);
		if (r == 0 && is_enter) {
			stv_close_p(&top->fd);
			top->fd = -1;
			*stv_vec_push(&stack) = (struct level){
				.node = c->nodes.len - 1, .fd = -1};
		}
	}
	for (size_t i = 0; i < stack.len; i++) {
		stv_close_p(&stack.v[i].fd);
		stv_strs_clear(&stack.v[i].names);
	}
	stv_vec_fini(&stack);
	return r;
}
