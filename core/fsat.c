/* core/fsat.c - files relative to directory descriptors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/vec.h"

#include "core/fsat.h"

/* How often openat2's EAGAIN (a rename raced with "..") is tried again. */
#define MAX_RETRIES 128
/* The kernel's own bound on links in one look-up (MAXSYMLINKS). */
#define MAX_LINKS 40

static int
openat2_retry(int dirfd, const char *path, int flags, mode_t mode,
	      uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? mode : 0,
		.resolve = resolve,
	};
	long fd = -1;

	for (int i = 0; i < MAX_RETRIES; i++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return (int)fd;
}

int
stv_fsat_open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
	return openat2_retry(rootfd, path, flags, mode,
			     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int
stv_fsat_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	return openat2_retry(dirfd, path, flags, mode,
			     RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

int
stv_fsat_open_nolinks(int dirfd, const char *path, int flags, mode_t mode)
{
	return openat2_retry(dirfd, path, flags, mode,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* The text of the link ${name} in ${dirfd}, or NULL with errno. */
static char *
read_link(int dirfd, const char *name)
{
	char *target = stv_xmalloc(STV_MAX_PATH + 1);
	ssize_t n = readlinkat(dirfd, name, target, STV_MAX_PATH);

	if (n < 0) {
		free(target);
		return NULL;
	}
	target[n] = '\0';
	return target;
}

/*
 * One component of mkdirs_in_root: enter ${name} below *${dirfd}, made where
 * it is missing.  A link returns 1 with its text in *${ret_link}.
 */
static int
enter_or_make(int *dirfd, const char *name, mode_t mode, char **ret_link)
{
	int fd;

	for (int tries = 0; tries < 2; tries++) {
		fd = openat(*dirfd, name,
			    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			(void)close(*dirfd);
			*dirfd = fd;
			return 0;
		}
		if (errno == ELOOP || errno == ENOTDIR) {
			int saved = errno;

			*ret_link = read_link(*dirfd, name);
			if (*ret_link != NULL)
				return 1;
			errno = saved;
			return -1;
		}
		if (errno != ENOENT)
			return -1;
		if (mkdirat(*dirfd, name, mode) < 0 && errno != EEXIST)
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

/* Put the link's text in front of the rest of the path. */
static char *
splice_link(char *link, const char *rest)
{
	char *joined = stv_xasprintf("%s/%s", link, rest);

	free(link);
	return joined;
}

/* The open directories from the root down to where a walk stands. */
struct dir_stack {
	STV_VEC(int) fds;
};

static void
dir_stack_pop_to(struct dir_stack *s, size_t len)
{
	while (s->fds.len > len)
		(void)close(s->fds.v[--s->fds.len]);
}

static int
walk_mkdirs(int rootfd, const char *path, mode_t mode, struct dir_stack *stack)
{
	char *todo = stv_xstrdup(path);
	char *p = todo;
	int links = 0, result = -1, fd;

	fd = openat(rootfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		goto out;
	*stv_vec_push(&stack->fds) = fd;
	for (;;) {
		char *name, *link = NULL;
		int r;

		p += strspn(p, "/");
		if (*p == '\0')
			break;
		name = p;
		p += strcspn(p, "/");
		if (*p != '\0')
			*p++ = '\0';
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			if (stack->fds.len > 1)
				dir_stack_pop_to(stack, stack->fds.len - 1);
			continue;
		}
		fd = dup(stack->fds.v[stack->fds.len - 1]);
		if (fd < 0)
			goto out;
		r = enter_or_make(&fd, name, mode, &link);
		if (r != 0)
			(void)close(fd);
		if (r < 0)
			goto out;
		if (r == 0) {
			*stv_vec_push(&stack->fds) = fd;
			continue;
		}
		if (++links > MAX_LINKS) {
			free(link);
			errno = ELOOP;
			goto out;
		}
		if (link[0] == '/')
			dir_stack_pop_to(stack, 1);
		link = splice_link(link, p);
		free(todo);
		todo = p = link;
	}
	result = 0;
out:
	free(todo);
	return result;
}

int
stv_fsat_mkdirs_in_root(int rootfd, const char *path, mode_t mode, int *ret_fd,
			struct stv_err **err)
{
	struct dir_stack stack = {0};
	int result = 0, saved;

	if (walk_mkdirs(rootfd, path, mode, &stack) < 0) {
		saved = errno;
		if (saved == ENOTDIR || saved == ELOOP)
			result = stv_fail_errno_as(err, STV_E_INPUT, saved,
						   "cannot make directory '%s'",
						   path);
		else
			result = stv_fail_errno(
				err, saved, "cannot make directory '%s'", path);
	} else {
		*ret_fd = stack.fds.v[--stack.fds.len];
	}
	dir_stack_pop_to(&stack, 0);
	stv_vec_fini(&stack.fds);
	return result;
}

int
stv_fsat_mkdirs(int dirfd, const char *path, mode_t mode, struct stv_err **err)
{
	stv_auto_free char *copy = stv_xstrdup(path);

	for (char *p = copy + 1; *copy != '\0'; p++) {
		bool is_end = *p == '\0';

		if (*p != '/' && !is_end)
			continue;
		*p = '\0';
		if (mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
			return stv_fail_errno(
				err, errno, "cannot make directory '%s'", copy);
		if (is_end)
			break;
		*p = '/';
	}
	return 0;
}

int
stv_fsat_read_fd(int fd, size_t max, const char *what, struct stv_buf *ret,
		 struct stv_err **err)
{
	stv_auto_free char *chunk = stv_xmalloc((size_t)64 << 10);
	size_t total = 0;

	for (;;) {
		ssize_t got = read(fd, chunk, (size_t)64 << 10);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return stv_fail_errno(err, errno, "cannot read %s",
					      what);
		if (got == 0)
			return stv_buf_check(ret, what, err);
		total += (size_t)got;
		if (total > max)
			return stv_fail(err, STV_E_LIMIT,
					"%s is larger than %zu bytes", what,
					max);
		stv_buf_add(ret, chunk, (size_t)got);
	}
}

int
stv_fsat_read_file(int dirfd, const char *path, size_t max, struct stv_buf *ret,
		   struct stv_err **err)
{
	struct stat st;
	stv_auto_fd fd = -1;

	fd = openat(dirfd, path,
		    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return stv_fail_errno(err, errno, "cannot stat '%s'", path);
	if (!S_ISREG(st.st_mode))
		return stv_fail(err, STV_E_INPUT, "'%s' is not a regular file",
				path);
	return stv_fsat_read_fd(fd, max, path, ret, err);
}

int
stv_fsat_sync_dir(int dirfd, const char *path, struct stv_err **err)
{
	stv_auto_fd fd =
		openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return stv_fail_errno(err, errno, "cannot flush directory '%s'",
				      path);
	return 0;
}

/* Write the bytes to a new file ${tmp} and close it, synced if asked. */
static int
write_new(int dirfd, const char *tmp, const void *data, size_t n, mode_t mode,
	  bool is_durable)
{
	int fd = openat(dirfd, tmp,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			mode);

	if (fd < 0)
		return -1;
	if (stv_write_all(fd, data, n) < 0 ||
	    (is_durable && fdatasync(fd) < 0)) {
		int saved = errno;

		(void)close(fd);
		(void)unlinkat(dirfd, tmp, 0);
		errno = saved;
		return -1;
	}
	return close(fd);
}

int
stv_fsat_replace(int dirfd, const char *path, const void *data, size_t n,
		 mode_t mode, bool is_durable, struct stv_err **err)
{
	stv_auto_free char *tmp = NULL;
	const char *slash = strrchr(path, '/');
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return stv_fail_errno(err, errno, "no random bytes");
	tmp = stv_xasprintf("%s.tmp-%016llx", path, (unsigned long long)r);
	if (write_new(dirfd, tmp, data, n, mode, is_durable) < 0)
		return stv_fail_errno(err, errno, "cannot write '%s'", path);
	if (renameat(dirfd, tmp, dirfd, path) < 0) {
		int saved = errno;

		(void)unlinkat(dirfd, tmp, 0);
		return stv_fail_errno(err, saved, "cannot replace '%s'", path);
	}
	if (is_durable) {
		stv_auto_free char *dir =
			slash == NULL
				? stv_xstrdup(".")
				: stv_xstrndup(path, slash == path
							     ? 1
							     : (size_t)(slash -
									path));

		return stv_fsat_sync_dir(dirfd, dir, err);
	}
	return 0;
}

/* A directory on the way down of a removal. */
struct frame {
	DIR *dir;
	char *name;
};

static DIR *
open_dir(int dirfd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dirfd, name, flags);
	DIR *d;

	if (fd < 0 && errno == EACCES &&
	    fchmodat(dirfd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(dirfd, name, flags);
	if (fd < 0)
		return NULL;
	d = fdopendir(fd);
	if (d == NULL)
		(void)close(fd);
	return d;
}

/* Remove one entry; 1 where it is a directory that must be entered first. */
static int
remove_entry(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EACCES && fchmodat(dirfd, ".", 0700, 0) == 0 &&
	    unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno == EISDIR || errno == EPERM) {
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
			return 0;
		if (errno == ENOTEMPTY || errno == EEXIST)
			return 1;
	}
	return -1;
}

/*
 * Below this depth a directory is moved up to the top instead of being
 * entered, so that a tree of any depth costs a bounded number of descriptors.
 */
#define MAX_DEPTH 64

/* The open directories of a removal, and how many were moved up. */
struct removal {
	struct frame v[MAX_DEPTH];
	size_t len;
	unsigned long moved;
};

/* Enter ${name} below ${atfd}, or move it up to the top when too deep. */
static int
removal_enter(struct removal *rm, int atfd, const char *name)
{
	DIR *d;

	if (rm->len == MAX_DEPTH) {
		char tmp[64];

		(void)snprintf(tmp, sizeof(tmp), ".stave-moved-%d-%lu",
			       (int)getpid(), rm->moved++);
		return renameat(atfd, name, dirfd(rm->v[0].dir), tmp);
	}
	d = open_dir(atfd, name);
	if (d == NULL)
		return -1;
	rm->v[rm->len++] = (struct frame){d, stv_xstrdup(name)};
	return 0;
}

/* The top directory has been read: remove it, or read it once more. */
static int
removal_leave(struct removal *rm, int atfd)
{
	struct frame *top = &rm->v[rm->len - 1];
	int parent = rm->len > 1 ? dirfd(rm->v[rm->len - 2].dir) : atfd;

	if (unlinkat(parent, top->name, AT_REMOVEDIR) < 0) {
		if (errno == ENOTEMPTY || errno == EEXIST) {
			rewinddir(top->dir);
			return 0;
		}
		if (errno != ENOENT)
			return -1;
	}
	(void)closedir(top->dir);
	free(top->name);
	rm->len--;
	return 0;
}

/* One step: the next entry of the deepest open directory. */
static int
removal_step(struct removal *rm, int atfd)
{
	DIR *dir = rm->v[rm->len - 1].dir;
	struct dirent *de;
	int r;

	errno = 0;
	de = readdir(dir);
	if (de == NULL)
		return errno != 0 ? -1 : removal_leave(rm, atfd);
	if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
		return 0;
	r = remove_entry(dirfd(dir), de->d_name);
	return r == 1 ? removal_enter(rm, dirfd(dir), de->d_name) : r;
}

int
stv_fsat_remove_tree(int atfd, const char *name, struct stv_err **err)
{
	struct removal rm = {.len = 0};
	int r = remove_entry(atfd, name), saved;

	if (r == 1)
		r = removal_enter(&rm, atfd, name);
	while (r >= 0 && rm.len > 0)
		r = removal_step(&rm, atfd);
	saved = errno;
	while (rm.len > 0) {
		rm.len--;
		(void)closedir(rm.v[rm.len].dir);
		free(rm.v[rm.len].name);
	}
	if (r < 0)
		return stv_fail_errno(err, saved, "cannot remove '%s'", name);
	return 0;
}

bool
stv_fsat_is_full(int fd)
{
	struct statvfs st;

	return fstatvfs(fd, &st) == 0 &&
	       (st.f_bavail == 0 || (st.f_files > 0 && st.f_favail == 0));
}

int
stv_fsat_join(char *buf, size_t n, const char *a, const char *b)
{
	int len = snprintf(buf, n, "%s/%s", a, b);

	if (len < 0 || (size_t)len >= n) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
