/* cache/cachemount.c - the directories of RUN --mount=type=cache. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/gc_internal.h"
#include "cache/store_internal.h"

#include "cache/cachemount.h"

/* Copies of one cache that are in use at the same time; then all wait. */
#define MAX_COPIES 256
#define MAX_LABEL ((size_t)4096)

struct cas_cachemount {
	int lock_fd;
	int data_fd;
};

/* ---- taking one ------------------------------------------------------- */

static int
write_file(int dir, const char *name, const char *text, struct stv_err **err)
{
	stv_auto_fd fd = openat(
		dir, name,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || stv_write_all(fd, text, strlen(text)) < 0)
		return stv_fail_errno(err, errno,
				      "cannot write '%s' of a "
				      "cache mount",
				      name);
	return 0;
}

static int
fill(const struct cas_cachemount_opts *o, int dir, struct stv_err **err)
{
	stv_auto_fd data = -1;

	if (write_file(dir, "lock", "", err) < 0 ||
	    write_file(dir, "label", o->label, err) < 0)
		return -1;
	if (mkdirat(dir, "data", 0755) < 0 ||
	    fchmodat(dir, "data", 0755, 0) < 0)
		return stv_fail_errno(err, errno, "cannot make a cache mount");
	data = openat(dir, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data < 0)
		return stv_fail_errno(err, errno, "cannot open a cache mount");
	return o->fill(o->arg, data, err);
}

/* Make it in our tmp directory; whoever is first gives it its name. */
static int
make(struct cas_store *s, const struct cas_cachemount_opts *o, const char *path,
     struct stv_err **err)
{
	stv_auto_free char *tmp = NULL;
	struct stv_err *ignored = NULL;
	stv_auto_fd dir = -1;
	int r;

	if (cas_store_tmpdir(s, &tmp, &dir, err) < 0)
		return -1;
	r = fill(o, dir, err);
	if (r == 0 &&
	    renameat2(s->root_fd, tmp, s->root_fd, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (r == 0 && errno != EEXIST)
		r = stv_fail_errno(err, errno, "cannot make '%s/%s'", s->root,
				   path);
	if (stv_fsat_remove_tree(s->root_fd, tmp, &ignored) < 0)
		stv_err_free(ignored);
	return r;
}

/* 0: it is ours; 1: in use; 2: there is none. */
static int
try_lock(struct cas_store *s, const char *path, enum cas_sharing sharing,
	 int *ret_lock, int *ret_data, struct stv_err **err)
{
	static const struct timespec now[2] = {{.tv_nsec = UTIME_NOW},
					       {.tv_nsec = UTIME_NOW}};
	stv_auto_fd dir =
		openat(s->root_fd, path,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	stv_auto_fd lock = -1;
	struct flock how = {
		.l_type = sharing == CAS_SHARING_SHARED ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (dir < 0 && errno == ENOENT)
		return 2;
	if (dir >= 0)
		lock = openat(dir, "lock",
			      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0)
		return stv_fail_errno(err, errno, "cannot open '%s/%s'",
				      s->root, path);
	while (fcntl(lock, F_OFD_SETLK, &how) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return 1;
		if (errno != EINTR)
			return stv_fail_errno(err, errno, "cannot lock '%s/%s'",
					      s->root, path);
	}
	(void)futimens(lock, now);
	*ret_data = openat(dir, "data",
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_data < 0)
		return stv_fail_errno(err, errno, "cannot open '%s/%s/data'",
				      s->root, path);
	*ret_lock = stv_steal_fd(&lock);
	return 0;
}

int
cas_cachemount_take(struct cas_store *s, const struct cas_cachemount_opts *o,
		    struct cas_cachemount **ret, struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX], path[STV_DIGEST_STR_MAX + 64];
	int lock = -1, data = -1, n = 0, r = 1;

	(void)stv_digest_hex(o->name, hex);
	while (r > 0 && n < MAX_COPIES) {
		(void)snprintf(path, sizeof(path), "%s/%s.%d", CAS_CACHEMOUNTS,
			       hex, n);
		r = try_lock(s, path, o->sharing, &lock, &data, err);
		if (r == 1) {
			n++;
		} else if (r == 2) {
			/* Who waits does not want another one. */
			if (o->sharing == CAS_SHARING_LOCKED && n > 0)
				return 1;
			if (make(s, o, path, err) < 0)
				return -1;
		}
	}
	if (r != 0)
		return r < 0 ? -1 : 1;
	*ret = stv_xcalloc(1, sizeof(**ret));
	(*ret)->lock_fd = lock;
	(*ret)->data_fd = data;
	return 0;
}

int
cas_cachemount_fd(const struct cas_cachemount *m)
{
	return m->data_fd;
}

void
cas_cachemount_release(struct cas_cachemount *m)
{
	struct flock how = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	if (m == NULL)
		return;
	/* A child just forked may have the descriptor still. */
	(void)fcntl(m->lock_fd, F_OFD_SETLK, &how);
	(void)close(m->data_fd);
	(void)close(m->lock_fd);
	free(m);
}

/* ---- looking at all --------------------------------------------------- */

/* The measured size, where nobody used it since: true. */
static bool
read_size(int dir, const struct stat *lock, uint64_t *ret)
{
	stv_auto_fd fd = openat(dir, "size", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[32] = "";
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    st.st_mtim.tv_sec <= lock->st_mtim.tv_sec ||
	    read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

/*
 * Is somebody using it?  Then what was measured is old at once.  It only asks:
 * a lock, however short, would send who comes just then to another copy.
 */
static bool
is_in_use(int dir)
{
	stv_auto_fd fd = openat(dir, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct flock how = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fd < 0 || fcntl(fd, F_OFD_GETLK, &how) < 0 ||
	       how.l_type != F_UNLCK;
}

static uint64_t
size_of(struct cas_store *s, int dir, const struct stat *lock)
{
	struct stv_err *ignored = NULL;
	uint64_t size = 0;
	char text[32];

	if (read_size(dir, lock, &size))
		return size;
	size = cas_tree_size(dir, "data");
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
	if (!s->is_readonly && !is_in_use(dir) &&
	    write_file(dir, "size", text, &ignored) < 0)
		stv_err_free(ignored);
	return size;
}

static int
add_one(struct cas_store *s, void *arg, int dirfd, const char *name,
	const struct stat *st, struct stv_err **err)
{
	struct cas_cachemounts *all = arg;
	struct cas_cachemount_info *info;
	stv_auto_buf label = STV_BUF_INIT(MAX_LABEL);
	stv_auto_fd dir = -1;
	struct stat lock;

	(void)err;
	if (!S_ISDIR(st->st_mode))
		return 0;
	dir = openat(dirfd, name,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstatat(dir, "lock", &lock, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (stv_fsat_read_file(dir, "label", MAX_LABEL, &label, err) < 0)
		stv_err_clear(err);
	info = stv_vec_push(&all->list);
	info->name = stv_xstrdup(name);
	info->label = stv_buf_take(&label);
	info->used_s = lock.st_mtim.tv_sec;
	info->size = size_of(s, dir, &lock);
	return 0;
}

int
cas_cachemounts_read(struct cas_store *s, struct cas_cachemounts *ret,
		     struct stv_err **err)
{
	return cas_each_file(s, CAS_CACHEMOUNTS, add_one, ret, err);
}

int
cas_cachemount_remove(struct cas_store *s, const char *name,
		      struct stv_err **err)
{
	stv_auto_fd dir = openat(s->root_fd, CAS_CACHEMOUNTS,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return stv_fail_errno(err, errno, "cannot open '%s/%s'",
				      s->root, CAS_CACHEMOUNTS);
	return cas_discard(s, dir, name, err);
}

void
cas_cachemounts_fini(struct cas_cachemounts *list)
{
	for (size_t i = 0; i < list->list.len; i++) {
		free(list->list.v[i].name);
		free(list->list.v[i].label);
	}
	stv_vec_fini(&list->list);
}
