/*
 * builder/sandbox/child_target.c - find, or make, a place to mount on.
 *
 * What exists is found by one openat2(2).  What is missing is walked to by
 * hand, one component at a time and never through a link that the kernel
 * would follow for us, since the canonical path is needed: the parent looks
 * the stub up again below the upper directory, where no link is allowed.
 * Nothing else runs in the root at this time; but a cache that is mounted in it
 * may be shared with a command that runs, so what was looked at by name may be
 * another thing by now: each step begins at a descriptor and follows no link.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "builder/sandbox/child.h"

/* As the kernel: PATH_MAX, and MAXSYMLINKS. */
#define PATH_SIZE 4096
#define MAX_LINKS 40
/* openat2's EAGAIN (a rename somewhere raced with "..") is tried again. */
#define MAX_RETRIES 128

struct walk {
	char cur[PATH_SIZE]; /* canonical, relative to the root; "" is it */
	size_t cur_len;
	char todo[PATH_SIZE]; /* what is left, read from todo_at */
	size_t todo_at;
	int fd; /* of cur */
	int n_links;
	enum sbx_target kind;
	bool is_stub;
};

int
sbx_child_open_in_root(int root, const char *path, uint64_t flags,
		       uint64_t resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	long fd = -1;

	for (int i = 0; i < MAX_RETRIES; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return (int)fd;
}

bool
sbx_child_is_on_root(const struct sbx_child *c, int fd)
{
	struct statx st;

	return syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) ==
		       0 &&
	       (st.stx_mask & STATX_MNT_ID) != 0 &&
	       st.stx_mnt_id == c->root_mnt_id;
}

/* Note what was just made at w->cur + "/" + name; errors leave it unnoted. */
static int
note_stub(struct sbx_child *c, const struct walk *w, const char *name)
{
	struct sbx_report *rep = c->report;
	size_t name_len = strlen(name);
	size_t len = w->cur_len + (w->cur_len > 0) + name_len;
	struct sbx_stub *stub;
	struct stat st;
	char *path;
	int fd;

	if (rep->n_stubs == SBX_MAX_STUBS ||
	    rep->paths_len + len + 1 > SBX_STUB_PATHS) {
		errno = E2BIG;
		return -1;
	}
	path = rep->paths + rep->paths_len;
	memcpy(path, w->cur, w->cur_len);
	if (w->cur_len > 0)
		path[w->cur_len] = '/';
	memcpy(path + len - name_len, name, name_len + 1);

	/* The identity in the upper itself: overlay may show another. */
	fd = sbx_child_open_in_root(c->plan->upper_fd, path,
				    O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0) {
		(void)close(fd);
		return -1;
	}
	(void)close(fd);
	stub = &rep->stubs[rep->n_stubs];
	stub->path = rep->paths_len;
	stub->is_dir = S_ISDIR(st.st_mode);
	stub->dev = st.st_dev;
	stub->ino = st.st_ino;
	rep->paths_len += (uint32_t)len + 1;
	rep->n_stubs++;
	return 0;
}

/*
 * Make ${name} in w->fd.  The directory's mtime is put back at once, so that
 * the command sees it as it was, and that any later difference is its doing.
 */
static int
make_missing(struct sbx_child *c, const struct walk *w, const char *name,
	     bool is_dir)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat st;
	int fd;

	if (fstat(w->fd, &st) < 0)
		return -1;
	if (is_dir) {
		if (mkdirat(w->fd, name, 0755) < 0)
			return -1;
	} else {
		fd = openat(w->fd, name,
			    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
				    O_CLOEXEC,
			    0644);
		if (fd < 0)
			return -1;
		(void)close(fd);
	}
	if (!w->is_stub || c->plan->upper_fd < 0 ||
	    !sbx_child_is_on_root(c, w->fd))
		return 0;
	if (note_stub(c, w, name) < 0)
		return -1;
	times[1] = st.st_mtim;
	return (int)syscall(SYS_utimensat, w->fd, ".", times, 0);
}

/* Go back to the root, or one level up. */
static int
walk_reopen(const struct sbx_child *c, struct walk *w)
{
	(void)close(w->fd);
	w->fd = sbx_child_open_in_root(
		c->root_fd, w->cur_len > 0 ? w->cur : ".", O_PATH | O_DIRECTORY,
		RESOLVE_NO_SYMLINKS);
	return w->fd < 0 ? -1 : 0;
}

static int
walk_up(const struct sbx_child *c, struct walk *w)
{
	while (w->cur_len > 0 && w->cur[w->cur_len - 1] != '/')
		w->cur_len--;
	if (w->cur_len > 0)
		w->cur_len--;
	w->cur[w->cur_len] = '\0';
	return walk_reopen(c, w);
}

/* Put the text of the link ${name} before the rest of the path. */
static int
walk_link(const struct sbx_child *c, struct walk *w, const char *name)
{
	char text[PATH_SIZE];
	size_t rest = strlen(w->todo + w->todo_at);
	ssize_t n;

	if (++w->n_links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	n = readlinkat(w->fd, name, text, sizeof(text));
	if (n < 0)
		return -1;
	if ((size_t)n + 1 + rest + 1 > sizeof(w->todo)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memmove(w->todo + n + 1, w->todo + w->todo_at, rest + 1);
	memcpy(w->todo, text, (size_t)n);
	w->todo[n] = '/';
	w->todo_at = 0;
	if (text[0] != '/')
		return 0;
	w->cur_len = 0;
	w->cur[0] = '\0';
	return walk_reopen(c, w);
}

/* Cut the next component out of w->todo into ${name}; 0 at the end. */
static int
walk_next(struct walk *w, char name[NAME_MAX + 1])
{
	const char *p = w->todo + w->todo_at;
	size_t n;

	while (*p == '/')
		p++;
	n = strcspn(p, "/");
	w->todo_at = (size_t)(p + n - w->todo);
	if (n == 0)
		return 0;
	if (n > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, p, n);
	name[n] = '\0';
	return 1;
}

static bool
walk_is_at_end(const struct walk *w)
{
	return w->todo[w->todo_at + strspn(w->todo + w->todo_at, "/")] == '\0';
}

/* Enter ${name}, which is no link; w->fd becomes it. */
static int
walk_enter(struct walk *w, int fd, const char *name)
{
	size_t n = strlen(name);

	if (w->cur_len + 1 + n + 1 > sizeof(w->cur)) {
		(void)close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	if (w->cur_len > 0)
		w->cur[w->cur_len++] = '/';
	memcpy(w->cur + w->cur_len, name, n + 1);
	w->cur_len += n;
	(void)close(w->fd);
	w->fd = fd;
	return 0;
}

static int
walk_step(struct sbx_child *c, struct walk *w, const char *name)
{
	struct stat st;
	int fd;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return walk_up(c, w);
	fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		bool is_dir = !walk_is_at_end(w) || w->kind == SBX_TARGET_DIR;

		if (make_missing(c, w, name, is_dir) < 0)
			return -1;
		fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0) {
		(void)close(fd);
		return -1;
	}
	if (S_ISLNK(st.st_mode)) {
		(void)close(fd);
		return walk_link(c, w, name);
	}
	if (!S_ISDIR(st.st_mode) && !walk_is_at_end(w)) {
		(void)close(fd);
		errno = ENOTDIR;
		return -1;
	}
	return walk_enter(w, fd, name);
}

static int
walk_all(struct sbx_child *c, struct walk *w, const char *path)
{
	char name[NAME_MAX + 1];
	size_t n = strlen(path);
	int r;

	if (n + 1 > sizeof(w->todo)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(w->todo, path, n + 1);
	w->fd = openat(c->root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->fd < 0)
		return -1;
	while ((r = walk_next(w, name)) > 0) {
		if (walk_step(c, w, name) < 0) {
			r = -1;
			break;
		}
	}
	if (r == 0)
		return w->fd;
	if (w->fd >= 0)
		(void)close(w->fd);
	return -1;
}

int
sbx_child_top_dir(struct sbx_child *c, const char *name)
{
	struct walk w = {.fd = c->root_fd, .is_stub = true};
	struct stat st;
	int fd;

	fd = openat(c->root_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (make_missing(c, &w, name, true) < 0)
			return -1;
		fd = openat(c->root_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return fd;
	(void)close(fd);
	errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
	return -1;
}

int
sbx_child_target(struct sbx_child *c, const char *path, enum sbx_target kind,
		 bool is_stub)
{
	struct walk w = {.fd = -1, .kind = kind, .is_stub = is_stub};
	struct statfs fs;
	int fd;

	fd = sbx_child_open_in_root(c->root_fd, path, O_PATH, 0);
	if (fd < 0 && errno == ENOENT)
		fd = walk_all(c, &w, path);
	if (fd < 0)
		return -1;
	if (fstatfs(fd, &fs) < 0) {
		(void)close(fd);
		return -1;
	}
	if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC) {
		(void)close(fd);
		errno = EXDEV;
		return -1;
	}
	return fd;
}
