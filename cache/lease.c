/*
 * cache/lease.c - locks between processes: the lease of a build against
 * garbage collection, and the right to execute what a key stands for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/event.h"
#include "core/mem.h"

#include "cache/store_internal.h"

/* How long cas_lease_exclusive() sleeps between two tries. */
#define POLL_NS (20 * 1000000L)
#define RESERVE_SIZE ((off_t)1 << 20)

struct cas_lease {
	int fd;
};

static int
open_lock(struct cas_store *s, const char *name, struct stv_err **err)
{
	int flags = s->is_readonly ? O_RDONLY : O_RDWR | O_CREAT;
	int fd = openat(s->root_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s/%s'",
				      s->root, name);
	return fd;
}

static int
flock_retry(int fd, int how)
{
	int result;

	do {
		result = flock(fd, how);
	} while (result < 0 && errno == EINTR);
	return result;
}

int
cas_lease_take(struct cas_store *s, struct cas_lease **ret,
	       struct stv_err **err)
{
	stv_auto_fd fd = open_lock(s, CAS_LEASE, err);

	if (fd < 0)
		return -1;
	/*
	 * A collection holds the lock exclusively and ends by itself; a flock
	 * that a signal handler interrupts is simply taken again.
	 */
	if (flock_retry(fd, LOCK_SH) < 0)
		return stv_fail_errno(err, errno, "cannot lock '%s/%s'",
				      s->root, CAS_LEASE);
	*ret = stv_xcalloc(1, sizeof(**ret));
	(*ret)->fd = stv_steal_fd(&fd);
	return 0;
}

void
cas_lease_drop(struct cas_lease *l)
{
	if (l == NULL)
		return;
	(void)close(l->fd);
	free(l);
}

int
cas_lease_exclusive(struct cas_store *s, unsigned int wait_ms, int *ret_fd,
		    struct stv_err **err)
{
	int64_t end = stv_now_ns() + (int64_t)wait_ms * 1000000;
	stv_auto_fd fd = open_lock(s, CAS_LEASE, err);

	if (fd < 0)
		return -1;
	while (flock_retry(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return stv_fail_errno(err, errno, "cannot lock '%s/%s'",
					      s->root, CAS_LEASE);
		if (stv_now_ns() >= end)
			return 1;
		(void)nanosleep(&(struct timespec){0, POLL_NS}, NULL);
	}
	*ret_fd = stv_steal_fd(&fd);
	return 0;
}

/*
 * One byte of the file "keys" stands for each name: an open-file-description
 * lock on it leaves no file behind for each key that was ever built.  Two
 * names on one byte (one in 2^62) would only wait for one another.
 */
int
cas_key_trylock(struct cas_store *s, const char *name, int *ret_fd,
		struct stv_err **err)
{
	struct stv_digest d = stv_digest_of(name, strlen(name));
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	stv_auto_fd fd = open_lock(s, CAS_KEYS, err);
	uint64_t at = 0;

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < sizeof(at); i++)
		at = at << 8 | d.bytes[i];
	lock.l_start = (off_t)(at >> 2);
	lock.l_len = 1;
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return 1;
		return stv_fail_errno(err, errno, "cannot lock '%s/%s'",
				      s->root, CAS_KEYS);
	}
	*ret_fd = stv_steal_fd(&fd);
	return 0;
}

void
cas_reserve_make(struct cas_store *s)
{
	struct stat st;
	stv_auto_fd fd = -1;

	if (fstatat(s->root_fd, CAS_RESERVE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size >= RESERVE_SIZE)
		return;
	fd = openat(s->root_fd, CAS_RESERVE,
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (fallocate(fd, 0, 0, RESERVE_SIZE) < 0)
		(void)unlinkat(s->root_fd, CAS_RESERVE, 0);
}

void
cas_reserve_free(struct cas_store *s)
{
	(void)unlinkat(s->root_fd, CAS_RESERVE, 0);
}
