/*
 * cache/store_tmp.c - this process's directory below tmp/, and what dead ones
 * left there (RELIABILITY 2.3 rule 1).
 *
 * tmp/<pid>-<boot>-<rand>/lock is flocked by the process that the directory
 * belongs to; whoever can take that lock may delete the directory.  One that
 * has no lock file yet is being made or was left by a kill in that moment: the
 * cleaner makes and takes the lock itself, and the maker, if it lives, then
 * fails to get it and takes another name.
 *
 * While a cleaner empties the directory there is a moment without a lock file,
 * in which a slow maker could make a new one, and own a directory that is about
 * to go.  So the cleaner first takes the directory's name away, and the maker
 * looks, once it has the lock, whether the name is still there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/store_internal.h"

/* Names that are taken are tried again; more than this is no accident. */
#define MAX_TRIES 64

/* The first digits of the kernel's boot id, or "0" without /proc. */
static void
boot_id(char *buf, size_t n)
{
	stv_auto_fd fd =
		open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, buf, n - 1);

	if (got < (ssize_t)n - 1) {
		(void)snprintf(buf, n, "0");
		return;
	}
	buf[n - 1] = '\0';
}

/*
 * Open ${dir}/lock and try to lock it.  Returns the descriptor, or -1 with
 * errno; EWOULDBLOCK where somebody holds it.
 */
static int
lock_dir(int dirfd)
{
	struct stat st;
	int fd = openat(dirfd, "lock",
			O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int saved;

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0) {
		if (st.st_nlink > 0)
			return fd;
		/* A cleaner removed it between open and lock. */
		errno = ENOENT;
	}
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

/* Is ${fd} still what has the name ${name}? */
static bool
has_name(struct cas_store *s, const char *name, int fd)
{
	struct stat by_name, by_fd;

	return fstatat(s->root_fd, name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &by_fd) == 0 && by_name.st_ino == by_fd.st_ino &&
	       by_name.st_dev == by_fd.st_dev;
}

/* One try to make a directory of our own; 1 where the name is lost. */
static int
try_make(struct cas_store *s, const char *name, struct stv_err **err)
{
	struct stv_err *ignored = NULL;
	stv_auto_fd fd = -1, lock = -1;

	if (mkdirat(s->root_fd, name, 0700) < 0)
		return errno == EEXIST ? 1
				       : stv_fail_errno(err, errno,
							"cannot make '%s/%s'",
							s->root, name);
	fd = openat(s->root_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		lock = lock_dir(fd);
	if (fd < 0 || lock < 0) {
		if (errno == ENOENT || errno == EWOULDBLOCK)
			return 1;
		stv_fail_errno(err, errno, "cannot lock '%s/%s'", s->root,
			       name);
		if (stv_fsat_remove_tree(s->root_fd, name, &ignored) < 0)
			stv_err_clear(&ignored);
		return -1;
	}
	if (!has_name(s, name, fd))
		return 1; /* a cleaner was faster */
	s->own_fd = stv_steal_fd(&fd);
	s->own_lock_fd = stv_steal_fd(&lock);
	s->own_name = stv_xstrdup(name);
	s->own_pid = getpid();
	return 0;
}

static int
make_own(struct cas_store *s, struct stv_err **err)
{
	char boot[9], name[128];
	uint64_t r = 0;

	if (s->is_readonly)
		return stv_fail(err, STV_E_IO,
				"the store '%s' was opened for reading only",
				s->root);
	boot_id(boot, sizeof(boot));
	for (int i = 0; i < MAX_TRIES; i++) {
		int result;

		if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
			return stv_fail_errno(err, errno, "no random bytes");
		(void)snprintf(name, sizeof(name), CAS_TMP "/%d-%s-%016" PRIx64,
			       (int)getpid(), boot, r);
		result = try_make(s, name, err);
		if (result <= 0)
			return result;
	}
	return stv_fail(err, STV_E_IO, "cannot make a directory in '%s/%s'",
			s->root, CAS_TMP);
}

int
cas_own_tmp(struct cas_store *s, int *ret_fd, struct stv_err **err)
{
	int result = 0;

	(void)pthread_mutex_lock(&s->own_lock);
	if (s->own_name == NULL)
		result = make_own(s, err);
	if (result == 0)
		*ret_fd = s->own_fd;
	(void)pthread_mutex_unlock(&s->own_lock);
	return result;
}

void
cas_own_unique(struct cas_store *s, const char *prefix, char *buf, size_t n)
{
	uint64_t number;

	(void)pthread_mutex_lock(&s->own_lock);
	number = s->n_names++;
	(void)pthread_mutex_unlock(&s->own_lock);
	(void)snprintf(buf, n, "%s-%" PRIu64, prefix, number);
}

int
cas_store_tmpdir(struct cas_store *s, char **ret_name, int *ret_fd,
		 struct stv_err **err)
{
	char name[64];
	stv_auto_fd fd = -1;
	int own = -1;

	if (cas_own_tmp(s, &own, err) < 0)
		return -1;
	cas_own_unique(s, "dir", name, sizeof(name));
	if (mkdirat(own, name, 0700) < 0)
		return stv_fail_errno(err, errno, "cannot make '%s/%s/%s'",
				      s->root, s->own_name, name);
	fd = openat(own, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s/%s/%s'",
				      s->root, s->own_name, name);
	*ret_fd = stv_steal_fd(&fd);
	*ret_name = stv_xasprintf("%s/%s", s->own_name, name);
	return 0;
}

/*
 * All in a process's directory goes but the note that index.json is to be
 * written: who finds it has the space then.
 */
static void
remove_all_but_note(int own_fd)
{
	int fd = openat(own_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct stv_err *err = NULL;
	struct dirent *de;

	if (dir == NULL) {
		stv_close_p(&fd);
		return;
	}
	while ((de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0 ||
		    strcmp(de->d_name, "lock") == 0 ||
		    strcmp(de->d_name, CAS_STALE) == 0)
			continue;
		if (stv_fsat_remove_tree(fd, de->d_name, &err) < 0)
			stv_err_clear(&err);
	}
	(void)closedir(dir);
}

void
cas_own_close(struct cas_store *s)
{
	struct stv_err *err = NULL;

	if (s->own_name != NULL && s->own_pid == getpid()) {
		if (faccessat(s->own_fd, CAS_STALE, F_OK,
			      AT_SYMLINK_NOFOLLOW) == 0)
			remove_all_but_note(s->own_fd);
		else if (stv_fsat_remove_tree(s->root_fd, s->own_name, &err) <
			 0)
			stv_err_clear(&err); /* the next command tries again */
	}
	free(s->own_name);
	s->own_name = NULL;
	stv_close_p(&s->own_fd);
	stv_close_p(&s->own_lock_fd);
	s->own_fd = s->own_lock_fd = -1;
}

/*
 * Remove tmp/${name} if its process is gone.  What that one may have left to
 * do comes first.
 */
static void
clean_one(struct cas_store *s, int tmp_fd, const char *name)
{
	struct stv_err *err = NULL;
	stv_auto_fd fd = -1, lock = -1;
	uint64_t r = 0;
	char gone[64];

	fd = openat(tmp_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOTDIR || errno == ELOOP)
			(void)unlinkat(tmp_fd, name, 0);
		return;
	}
	lock = lock_dir(fd);
	if (lock < 0)
		return;
	if (faccessat(fd, CAS_STALE, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		/* It may be what fills the disk. */
		remove_all_but_note(fd);
		if (cas_layout_write(s, &err) < 0) {
			stv_err_free(err); /* the note stays */
			return;
		}
	}
	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return;
	(void)snprintf(gone, sizeof(gone), "gone-%d-%016" PRIx64, (int)getpid(),
		       r);
	if (renameat(tmp_fd, name, tmp_fd, gone) < 0)
		return; /* somebody else has begun, or the next one tries */
	if (stv_fsat_remove_tree(tmp_fd, gone, &err) < 0)
		stv_err_clear(&err);
}

void
cas_tmp_clean(struct cas_store *s)
{
	int fd = openat(s->root_fd, CAS_TMP,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *de;
	DIR *dir;

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (dir == NULL) {
		(void)close(fd);
		return;
	}
	while ((de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		/* Ours, if there is one, is locked like that of the others. */
		clean_one(s, dirfd(dir), de->d_name);
	}
	(void)closedir(dir);
}

int
cas_discard(struct cas_store *s, int atfd, const char *name,
	    struct stv_err **err)
{
	char tmp[64];
	int own = -1;

	if (cas_own_tmp(s, &own, err) < 0)
		return -1;
	cas_own_unique(s, "gone", tmp, sizeof(tmp));
	if (renameat(atfd, name, own, tmp) < 0) {
		if (errno == ENOENT)
			return 0;
		return stv_fail_errno(err, errno, "cannot remove '%s'", name);
	}
	return stv_fsat_remove_tree(own, tmp, err);
}

int
cas_replace(struct cas_store *s, const char *name, const void *data, size_t n,
	    bool is_durable, struct stv_err **err)
{
	char tmp[64];
	stv_auto_fd fd = -1;
	int own = -1, saved;

	if (cas_own_tmp(s, &own, err) < 0)
		return -1;
	cas_own_unique(s, "new", tmp, sizeof(tmp));
	fd = openat(own, tmp,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && stv_write_all(fd, data, n) == 0 &&
	    (!is_durable || fdatasync(fd) == 0) &&
	    close(stv_steal_fd(&fd)) == 0 &&
	    renameat(own, tmp, s->root_fd, name) == 0)
		return is_durable ? stv_fsat_sync_dir(s->root_fd, ".", err) : 0;
	saved = errno;
	(void)unlinkat(own, tmp, 0);
	return stv_fail_errno_as(err, STV_E_IO, saved, "cannot write '%s/%s'",
				 s->root, name);
}
