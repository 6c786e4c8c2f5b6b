/*
 * core/fsat.h - files relative to directory descriptors.
 *
 * Whatever lies below a root that we do not trust (a layer, a context, an
 * image) is reached through these functions only, never by path strings:
 * openat2(2) with RESOLVE_IN_ROOT or RESOLVE_BENEATH and without magic links.
 * EINTR and openat2's EAGAIN are retried.
 */
#ifndef STAVE_CORE_FSAT_H
#define STAVE_CORE_FSAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct stv_err; /* core/err.h */
struct stv_buf; /* core/buf.h */

/*
 * stv_fsat_open_in_root(rootfd, path, flags, mode): open ${path} with
 * ${rootfd} as "/": absolute links and ".." stay inside.  O_CLOEXEC is added.
 * Returns: a descriptor the caller owns, or -1 with errno.
 */
int stv_fsat_open_in_root(int rootfd, const char *path, int flags, mode_t mode);

/*
 * stv_fsat_open_beneath(dirfd, path, flags, mode): open ${path}; leaving
 * ${dirfd} by "..", an absolute path or a link is EXDEV.
 * Returns: a descriptor the caller owns, or -1 with errno.
 */
int stv_fsat_open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/*
 * stv_fsat_open_nolinks(dirfd, path, flags, mode): as beneath, and no
 * component may be a symbolic link (ELOOP).
 */
int stv_fsat_open_nolinks(int dirfd, const char *path, int flags, mode_t mode);

/*
 * stv_fsat_mkdirs_in_root(rootfd, path, mode, ret_fd, err): make all missing
 * directories of ${path}, links followed inside the root (dangling ones too:
 * their target is made), and open the last one.
 *
 * Owns:    *ret_fd.
 * Errors:  STV_E_INPUT where a component is not a directory, STV_E_IO.
 */
int stv_fsat_mkdirs_in_root(int rootfd, const char *path, mode_t mode,
			    int *ret_fd, struct stv_err **err);

/*
 * stv_fsat_mkdirs(dirfd, path, mode, err): mkdir -p for a path of our own
 * (the store); ${dirfd} may be AT_FDCWD.
 */
int stv_fsat_mkdirs(int dirfd, const char *path, mode_t mode,
		    struct stv_err **err);

/*
 * stv_fsat_read_file(dirfd, path, max, ret, err): the content of a regular
 * file, appended to ${ret}.  Opened with O_NONBLOCK and O_NOFOLLOW, checked to
 * be regular (a FIFO or device never hangs us).
 * Errors: STV_E_NOT_FOUND, STV_E_LIMIT above ${max}, STV_E_INPUT where it is
 * not a regular file, STV_E_IO.
 */
int stv_fsat_read_file(int dirfd, const char *path, size_t max,
		       struct stv_buf *ret, struct stv_err **err);

/*
 * stv_fsat_read_fd(fd, max, what, ret, err): all of ${fd} from where it
 * stands, at most ${max} bytes.
 */
int stv_fsat_read_fd(int fd, size_t max, const char *what, struct stv_buf *ret,
		     struct stv_err **err);

/*
 * stv_fsat_replace(dirfd, path, data, n, mode, is_durable, err): write a file
 * beside ${path} and rename it over it; with ${is_durable} the file and its
 * directory are synced.  ${path} has no slash, or its directory exists.
 */
int stv_fsat_replace(int dirfd, const char *path, const void *data, size_t n,
		     mode_t mode, bool is_durable, struct stv_err **err);

/*
 * stv_fsat_sync_dir(dirfd, path, err): fsync the directory ${path}.
 */
int stv_fsat_sync_dir(int dirfd, const char *path, struct stv_err **err);

/*
 * stv_fsat_remove_tree(atfd, name, err): remove ${name} and all below it,
 * following no link; iterative, so that depth costs no stack (B20).  What is
 * not there is success.  Directories without permission bits are opened up.
 */
int stv_fsat_remove_tree(int atfd, const char *name, struct stv_err **err);

/*
 * stv_fsat_is_full(fd): has the file system of ${fd} no block or no inode left
 * for us?  For errors that do not say so themselves.
 */
bool stv_fsat_is_full(int fd);

/*
 * stv_fsat_join(buf, n, a, b): "${a}/${b}" in ${buf}; -1 with errno
 * ENAMETOOLONG where it does not fit.
 */
int stv_fsat_join(char *buf, size_t n, const char *a, const char *b);

#endif /* STAVE_CORE_FSAT_H */
