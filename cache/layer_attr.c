/* cache/layer_attr.c - content and attributes of files being unpacked. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/layer_apply.h"

#define COPY_SIZE ((size_t)256 << 10)
/* Above this the kernel copies; below, two system calls are quicker. */
#define RANGE_SIZE ((uint64_t)1 << 20)

/* What the kernel copies between two looks at whether to end. */
#define RANGE_MAX ((uint64_t)64 << 20)

static int
cut_off(const struct lay_entry *e, struct stv_err **err)
{
	return stv_fail(err, STV_E_IO, "the layer ends inside of '%s'",
			e->path);
}

/* 1 done, 0 where the kernel cannot (nothing was copied then). */
static int
copy_range(int from, const struct lay_entry *e, int fd, struct stv_err **err)
{
	off_t at = (off_t)e->offset;
	uint64_t left = e->size;

	while (left > 0) {
		ssize_t n =
			copy_file_range(from, &at, fd, NULL,
					left > RANGE_MAX ? RANGE_MAX : left, 0);

		if (stv_cancel_check(err) < 0)
			return -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && left == e->size && errno != ENOSPC &&
		    errno != EIO && errno != EDQUOT)
			return 0;
		if (n < 0)
			return stv_fail_errno(err, errno, "cannot write '%s'",
					      e->path);
		if (n == 0)
			return cut_off(e, err);
		left -= (uint64_t)n;
	}
	return 1;
}

/* Bring the stream to where the content begins. */
static int
skip_to(struct apply_source *src, const struct lay_entry *e,
	struct stv_err **err)
{
	while (src->pos < e->offset) {
		uint64_t n = e->offset - src->pos;
		int64_t got;

		if (n > COPY_SIZE)
			n = COPY_SIZE;
		got = src->in->read(src->in, src->buf, (size_t)n, err);
		if (got < 0)
			return -1;
		if (got == 0)
			return cut_off(e, err);
		src->pos += (uint64_t)got;
	}
	if (src->pos > e->offset)
		return stv_fail(err, STV_E_IO,
				"the table of contents does not fit the layer "
				"at '%s'",
				e->path);
	return 0;
}

int
lay_apply_copy(struct apply_source *src, const struct lay_entry *e, int fd,
	       struct stv_err **err)
{
	uint64_t at = e->offset, left = e->size;

	if (src->fd >= 0 && e->size >= RANGE_SIZE) {
		int r = copy_range(src->fd, e, fd, err);

		if (r != 0)
			return r < 0 ? -1 : 0;
	}
	if (src->fd < 0 && skip_to(src, e, err) < 0)
		return -1;
	while (left > 0) {
		size_t want = left < COPY_SIZE ? (size_t)left : COPY_SIZE;
		int64_t got;

		if (stv_cancel_check(err) < 0)
			return -1;
		if (src->fd >= 0) {
			got = stv_pread_all(src->fd, src->buf, want, at);
			if (got < 0)
				return stv_fail_errno(err, errno,
						      "cannot read a layer");
		} else {
			got = src->in->read(src->in, src->buf, want, err);
			if (got < 0)
				return -1;
			src->pos += (uint64_t)got;
		}
		if (got == 0)
			return cut_off(e, err);
		if (stv_write_all(fd, src->buf, (size_t)got) < 0)
			return stv_fail_errno(err, errno, "cannot write '%s'",
					      e->path);
		at += (uint64_t)got;
		left -= (uint64_t)got;
	}
	return 0;
}

static void
times_of(const struct lay_entry *e, struct timespec ts[2])
{
	ts[0] = ts[1] = (struct timespec){.tv_sec = e->mtime_s,
					  .tv_nsec = (long)e->mtime_ns};
}

int
lay_apply_set_fd(int fd, const struct lay_entry *e, struct stv_err **err)
{
	struct timespec ts[2];

	times_of(e, ts);
	/* Owner first: it takes setuid bits and capabilities away. */
	if (fchown(fd, e->uid, e->gid) < 0)
		return stv_fail_errno(err, errno,
				      "cannot set the owner of '%s'", e->path);
	if (fchmod(fd, e->mode) < 0)
		return stv_fail_errno(err, errno, "cannot set the mode of '%s'",
				      e->path);
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (fsetxattr(fd, e->xattrs[i].name, e->xattrs[i].value,
			      e->xattrs[i].len, 0) < 0)
			return stv_fail_errno(
				err, errno, "cannot set attribute '%s' of '%s'",
				e->xattrs[i].name, e->path);
	if (futimens(fd, ts) < 0)
		return stv_fail_errno(err, errno, "cannot set the time of '%s'",
				      e->path);
	return 0;
}

int
lay_apply_set_at(int dirfd, const char *name, const struct lay_entry *e,
		 struct stv_err **err)
{
	char path[STV_MAX_NAME + 64];
	struct timespec ts[2];

	times_of(e, ts);
	if (fchownat(dirfd, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return stv_fail_errno(err, errno,
				      "cannot set the owner of '%s'", e->path);
	if (e->type != LAY_SYMLINK && fchmodat(dirfd, name, e->mode, 0) < 0)
		return stv_fail_errno(err, errno, "cannot set the mode of '%s'",
				      e->path);
	/* There is no lsetxattrat() before Linux 6.13. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (lsetxattr(path, e->xattrs[i].name, e->xattrs[i].value,
			      e->xattrs[i].len, 0) < 0)
			return stv_fail_errno(
				err, errno, "cannot set attribute '%s' of '%s'",
				e->xattrs[i].name, e->path);
	if (utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
		return stv_fail_errno(err, errno, "cannot set the time of '%s'",
				      e->path);
	return 0;
}

void
lay_apply_clear_xattrs(int fd)
{
	stv_auto_free char *names = stv_xmalloc(XATTR_LIST_MAX);
	ssize_t n = flistxattr(fd, names, XATTR_LIST_MAX);

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1)
		if (lay_xattr_is_kept(names + i, LAY_DIR))
			(void)fremovexattr(fd, names + i);
}

int
lay_apply_set_dir(int rootfd, const char *path, const struct lay_entry *e,
		  struct stv_err **err)
{
	stv_auto_fd fd = stv_fsat_open_nolinks(
		rootfd, *path == '\0' ? "." : path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'", path);
	return lay_apply_set_fd(fd, e, err);
}
