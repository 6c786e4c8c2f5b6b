/*
 * cache/layer_settle.c - an upper directory becomes its layer's snapshot.
 *
 * It is brought to what unpacking the layer's tar would give: it may be
 * mounted upon another chain that has the same layer, where a file that was
 * no change here would be one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/layer_changes.h"

/* The directory of a node; the name in it is *ret_name. */
static int
open_parent(const struct lay_changes *c, const struct upper_node *n,
	    const char **ret_name, struct stv_err **err)
{
	const char *slash = strrchr(n->e.path, '/');
	const char *dir = c->nodes.v[n->parent].e.path;
	int fd = lay_upper_open(c, dir, O_PATH | O_DIRECTORY);

	*ret_name = slash == NULL ? n->e.path : slash + 1;
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '/%s'", dir);
	return fd;
}

/* Take away what is no change: files first, then their directories. */
static int
remove_unchanged(struct lay_changes *c, struct stv_err **err)
{
	for (size_t i = c->nodes.len - 1; i > 0; i--) {
		struct upper_node *n = &c->nodes.v[i];
		const char *name;
		stv_auto_fd fd = -1;

		if (n->is_change)
			continue;
		fd = open_parent(c, n, &name, err);
		if (fd < 0)
			return -1;
		c->nodes.v[n->parent].is_touched = true;
		if (unlinkat(fd, name,
			     n->e.type == LAY_DIR ? AT_REMOVEDIR : 0) < 0)
			return stv_fail_errno(err, errno, "cannot remove '/%s'",
					      n->e.path);
	}
	return 0;
}

/* Overlay's xattrs, but for an opaque mark that hides something. */
static int
remove_marks(const struct lay_changes *c, const struct upper_node *n,
	     struct stv_err **err)
{
	char path[STV_MAX_NAME + 64];
	stv_auto_free char *names = stv_xmalloc(XATTR_LIST_MAX);
	const char *name;
	stv_auto_fd fd = open_parent(c, n, &name, err);
	ssize_t size;

	if (fd < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", fd, name);
	size = llistxattr(path, names, XATTR_LIST_MAX);
	for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1) {
		if (strncmp(names + i, "trusted.overlay.", 16) != 0 &&
		    strncmp(names + i, "user.overlay.", 13) != 0)
			continue;
		if (n->is_hiding &&
		    strcmp(names + i, "trusted.overlay.opaque") == 0)
			continue;
		if (lremovexattr(path, names + i) < 0 && errno != ENODATA)
			return stv_fail_errno(err, errno, "cannot clean '/%s'",
					      n->e.path);
	}
	return 0;
}

static int
set_time(const struct lay_changes *c, const struct upper_node *n,
	 struct stv_err **err)
{
	const struct timespec ts[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = n->e.mtime_s, .tv_nsec = (long)n->e.mtime_ns}};
	const char *name;
	stv_auto_fd fd = open_parent(c, n, &name, err);

	if (fd < 0)
		return -1;
	if (utimensat(fd, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
		return stv_fail_errno(
			err, errno, "cannot set the time of '/%s'", n->e.path);
	return 0;
}

int
lay_upper_settle(struct lay_changes *c, struct stv_err **err)
{
	if (remove_unchanged(c, err) < 0)
		return -1;
	for (size_t i = 1; i < c->nodes.len; i++) {
		const struct upper_node *n = &c->nodes.v[i];

		if (!n->is_change || n->e.type == LAY_WHITEOUT)
			continue;
		if (n->has_marks && remove_marks(c, n, err) < 0)
			return -1;
		if ((n->is_touched || n->e.mtime_s != n->mtime_s ||
		     n->e.mtime_ns != n->mtime_ns) &&
		    set_time(c, n, err) < 0)
			return -1;
	}
	return 0;
}
