/* builder/tree.c - a source as real files in a directory of our own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/cancel.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"
#include "core/vec.h"

#include "builder/source.h"
#include "builder/tree.h"

#define COPY_SIZE ((size_t)1 << 20)

/* A directory whose attributes are set when all in it is written. */
struct dir {
	char *path; /* below the top one, as in the source */
	uint32_t mode;
	int64_t mtime_s;
	uint32_t mtime_ns;
};

struct writer {
	struct bld_source *s;
	const char *from; /* where it begins in the source */
	int top_fd;	  /* what it is written into */
	char *buf;
	STV_VEC(struct dir) dirs; /* in the order in which they were met */
	size_t n_listed;
	/* The directory that is being listed. */
	const char *at;
	int at_fd;
};

static int
fail_write(const char *path, struct stv_err **err)
{
	return stv_fail_errno(err, errno, "cannot write a copy of '%s'", path);
}

static void
times_of(int64_t s, uint32_t ns, struct timespec ret[2])
{
	ret[0] = ret[1] = (struct timespec){.tv_sec = s, .tv_nsec = ns};
}

static int
set_xattrs(int fd, const struct lay_entry *e, const char *path,
	   struct stv_err **err)
{
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (fsetxattr(fd, e->xattrs[i].name, e->xattrs[i].value,
			      e->xattrs[i].len, 0) < 0)
			return fail_write(path, err);
	return 0;
}

/* The bytes of a file from ${offset} of ${from}. */
static int
copy_bytes(struct writer *w, int from, uint64_t offset, uint64_t size, int to,
	   const char *path, struct stv_err **err)
{
	off_t at = (off_t)offset;

	while (size > 0) {
		size_t want = size > COPY_SIZE ? COPY_SIZE : (size_t)size;
		ssize_t n = copy_file_range(from, &at, to, NULL, want, 0);

		if (stv_cancel_check(err) < 0)
			return -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOSPC && errno != EDQUOT) {
			if (w->buf == NULL)
				w->buf = stv_xmalloc(COPY_SIZE);
			n = stv_pread_all(from, w->buf, want, (uint64_t)at);
			if (n > 0 && stv_write_all(to, w->buf, (size_t)n) < 0)
				n = -1;
			at += n > 0 ? n : 0;
		}
		if (n < 0)
			return fail_write(path, err);
		if (n == 0)
			return stv_fail(err, STV_E_INPUT,
					"'%s' shrank while it was read", path);
		size -= (uint64_t)n;
	}
	return 0;
}

static int
write_content(struct writer *w, const char *path,
	      const struct bld_src_entry *ent, int to, struct stv_err **err)
{
	uint64_t offset, size;
	stv_auto_fd from = -1;
	int r;

	if (ent->is_socket)
		return 0;
	r = w->s->open(w->s, path, &from, &offset, &size, err);
	if (r == 1)
		return stv_fail(err, STV_E_INPUT,
				"'%s' went away while it was read", path);
	return r < 0 ? -1 : copy_bytes(w, from, offset, size, to, path, err);
}

/* Owner before mode: chown drops setuid. */
static int
write_file(struct writer *w, int dir, const char *name, const char *path,
	   const struct bld_src_entry *ent, struct stv_err **err)
{
	const struct lay_entry *e = &ent->e;
	struct timespec times[2];
	stv_auto_fd fd = openat(
		dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0600);

	if (fd < 0)
		return fail_write(path, err);
	if (write_content(w, path, ent, fd, err) < 0)
		return -1;
	times_of(e->mtime_s, e->mtime_ns, times);
	if (fchown(fd, e->uid, e->gid) < 0 || fchmod(fd, (mode_t)e->mode) < 0)
		return fail_write(path, err);
	if (set_xattrs(fd, e, path, err) < 0)
		return -1;
	return futimens(fd, times) < 0 ? fail_write(path, err) : 0;
}

/* A link, a FIFO or a device. */
static int
write_node(int dir, const char *name, const char *path,
	   const struct lay_entry *e, struct stv_err **err)
{
	mode_t type = e->type == LAY_FIFO   ? S_IFIFO
		      : e->type == LAY_CHAR ? S_IFCHR
					    : S_IFBLK;
	struct timespec times[2];
	bool is_link = e->type == LAY_SYMLINK;
	int r = is_link ? symlinkat(e->link, dir, name)
			: mknodat(dir, name, type | 0600,
				  makedev(e->rdev_major, e->rdev_minor));

	times_of(e->mtime_s, e->mtime_ns, times);
	if (r < 0 ||
	    fchownat(dir, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!is_link && fchmodat(dir, name, (mode_t)e->mode, 0) < 0) ||
	    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_write(path, err);
	return 0;
}

/* Begin the directory ${path}: open for us until all in it is written. */
static int
note_dir(struct writer *w, int fd, const char *path, const struct lay_entry *e,
	 struct stv_err **err)
{
	if (fchown(fd, e->uid, e->gid) < 0 || fchmod(fd, 0700) < 0)
		return fail_write(path, err);
	if (set_xattrs(fd, e, path, err) < 0)
		return -1;
	*stv_vec_push(&w->dirs) = (struct dir){
		.path = stv_xstrdup(path),
		.mode = e->mode,
		.mtime_s = e->mtime_s,
		.mtime_ns = e->mtime_ns,
	};
	return 0;
}

static int
write_dir(struct writer *w, int dir, const char *name, const char *path,
	  const struct lay_entry *e, struct stv_err **err)
{
	stv_auto_fd fd = -1;

	if (mkdirat(dir, name, 0700) < 0)
		return fail_write(path, err);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_write(path, err) : note_dir(w, fd, path, e, err);
}

static int
write_entry(struct writer *w, int dir, const char *name, const char *path,
	    const struct bld_src_entry *ent, struct stv_err **err)
{
	if (ent->e.type == LAY_DIR)
		return write_dir(w, dir, name, path, &ent->e, err);
	if (ent->e.type == LAY_FILE)
		return write_file(w, dir, name, path, ent, err);
	return write_node(dir, name, path, &ent->e, err);
}

static int
on_name(void *arg, const char *name, const struct bld_src_entry *ent,
	struct stv_err **err)
{
	struct writer *w = arg;
	stv_auto_free char *path = bld_path_join(w->at, name);

	return write_entry(w, w->at_fd, name, path, ent, err);
}

/* Where a directory of the source is below the top one. */
static const char *
below(const struct writer *w, const char *path)
{
	path += strlen(w->from);
	path += strspn(path, "/");
	return *path == '\0' ? "." : path;
}

static int
list_dirs(struct writer *w, struct stv_err **err)
{
	while (w->n_listed < w->dirs.len) {
		stv_auto_free char *path =
			stv_xstrdup(w->dirs.v[w->n_listed++].path);
		stv_auto_fd fd = stv_fsat_open_nolinks(
			w->top_fd, below(w, path), O_RDONLY | O_DIRECTORY, 0);

		if (fd < 0)
			return fail_write(path, err);
		w->at = path;
		w->at_fd = fd;
		if (w->s->list(w->s, path, on_name, w, err) < 0)
			return -1;
	}
	return 0;
}

/* Backwards: what is inside comes first. */
static int
finish_dirs(struct writer *w, struct stv_err **err)
{
	for (size_t i = w->dirs.len; i-- > 0;) {
		const struct dir *d = &w->dirs.v[i];
		stv_auto_fd fd =
			stv_fsat_open_nolinks(w->top_fd, below(w, d->path),
					      O_RDONLY | O_DIRECTORY, 0);
		struct timespec times[2];

		times_of(d->mtime_s, d->mtime_ns, times);
		if (fd < 0 || fchmod(fd, (mode_t)d->mode) < 0 ||
		    futimens(fd, times) < 0)
			return fail_write(d->path, err);
	}
	return 0;
}

static int
write_all(struct writer *w, int dir_fd, const char *name,
	  const struct bld_src_entry *ent, struct stv_err **err)
{
	if (*name != '\0') {
		if (write_entry(w, dir_fd, name, w->from, ent, err) < 0)
			return -1;
		if (ent->e.type != LAY_DIR)
			return 0;
		w->top_fd =
			openat(dir_fd, name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} else {
		w->top_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
		if (w->top_fd >= 0 &&
		    note_dir(w, w->top_fd, w->from, &ent->e, err) < 0)
			return -1;
	}
	if (w->top_fd < 0)
		return fail_write(w->from, err);
	return list_dirs(w, err) < 0 ? -1 : finish_dirs(w, err);
}

int
bld_tree_write(struct bld_source *s, const char *path, int dir_fd,
	       const char *name, struct stv_err **err)
{
	struct writer w = {.s = s, .from = path, .top_fd = -1};
	struct bld_src_entry ent;
	int r = s->lookup(s, path, &ent, err);

	if (r == 0)
		return stv_fail(err, STV_E_INPUT, "there is no '/%s'", path);
	if (r == 1)
		r = write_all(&w, dir_fd, name, &ent, err);
	for (size_t i = 0; i < w.dirs.len; i++)
		free(w.dirs.v[i].path);
	stv_vec_fini(&w.dirs);
	stv_close_p(&w.top_fd);
	free(w.buf);
	return r;
}
