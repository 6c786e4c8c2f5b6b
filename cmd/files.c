/* cmd/files.c - files that the user named for input and results. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cmd/ctx.h"

#include "cmd/files.h"

/* The kernel's own bound on links in one look-up. */
#define MAX_LINKS 40

int
cmd_input_open(const char *path, const char *what, int *ret_fd,
	       struct stv_err **err)
{
	if (strcmp(path, "-") != 0) {
		*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (*ret_fd < 0)
			return stv_fail_errno_as(err, STV_E_INPUT, errno,
						 "cannot open %s", path);
		return 0;
	}
	if (isatty(STDIN_FILENO)) {
		stv_fail(err, STV_E_USAGE,
			 "refusing to read %s from a terminal", what);
		stv_err_hint(*err, "Name a file, or redirect the input.");
		return -1;
	}
	*ret_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (*ret_fd < 0)
		return stv_fail_errno(err, errno, "cannot read stdin");
	return 0;
}

static int
cannot_write(const char *path, struct stv_err **err)
{
	return stv_fail_errno_as(err, STV_E_INPUT, errno, "cannot write %s",
				 path);
}

/*
 * A file without a name, which vanishes with the process; where the file
 * system has none such, one with a temporary name.
 */
static int
open_beside(struct cmd_outfile *f, struct stv_err **err)
{
	stv_auto_free char *copy = stv_xstrdup(f->path);

	f->fd = open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, f->mode);
	if (f->fd >= 0)
		return 0;
	f->tmp = stv_xasprintf("%s.XXXXXX", f->path);
	f->fd = mkostemp(f->tmp, O_CLOEXEC);
	if (f->fd >= 0)
		return 0;
	free(stv_steal(&f->tmp));
	return cannot_write(f->path, err);
}

/* Where the file itself is or would be: a link keeps its name. */
static char *
follow(const char *path)
{
	char *at = stv_xstrdup(path), target[STV_MAX_PATH + 1];

	for (int i = 0; i < MAX_LINKS; i++) {
		ssize_t n = readlink(at, target, sizeof(target) - 1);
		const char *slash = strrchr(at, '/');
		char *next;

		if (n < 0)
			break;
		target[n] = '\0';
		next = target[0] == '/' || slash == NULL
			       ? stv_xstrdup(target)
			       : stv_xasprintf("%.*s/%s", (int)(slash - at), at,
					       target);
		free(at);
		at = next;
	}
	return at;
}

/* Is the file what standard output or error goes to ("/dev/stdout")? */
static int
standard_fd(const struct stat *st)
{
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		struct stat is;

		if (fstat(fd, &is) == 0 && is.st_dev == st->st_dev &&
		    is.st_ino == st->st_ino)
			return fd;
	}
	return -1;
}

/* It is written in place: through the descriptor ${fd}, or by its name. */
static int
open_direct(struct cmd_outfile *f, int fd, const char *name,
	    struct stv_err **err)
{
	f->is_direct = true;
	f->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3)
			: open(name, O_WRONLY | O_CLOEXEC);
	return f->fd < 0 ? cannot_write(name, err) : 0;
}

int
cmd_outfile_open(const struct cmd_ctx *cx, const char *path,
		 struct cmd_outfile *f, struct stv_err **err)
{
	struct stat st;

	f->path = follow(path);
	f->mode = 0666 & ~cx->umask;
	if (strcmp(path, "-") == 0) {
		if (isatty(STDOUT_FILENO)) {
			stv_fail(err, STV_E_USAGE,
				 "refusing to write an archive to a terminal");
			stv_err_hint(*err, "Use -o FILE, or redirect the "
					   "output.");
			return -1;
		}
		return open_direct(f, STDOUT_FILENO, "stdout", err);
	}
	if (stat(path, &st) < 0)
		return errno == ELOOP ? cannot_write(path, err)
				      : open_beside(f, err);
	if (!S_ISREG(st.st_mode) || standard_fd(&st) >= 0)
		return open_direct(f, standard_fd(&st), path, err);
	return open_beside(f, err);
}

/* Give the nameless file a temporary name, so that it can be renamed. */
static int
name_it(struct cmd_outfile *f, struct stv_err **err)
{
	stv_auto_free char *self = stv_xasprintf("/proc/self/fd/%d", f->fd);

	for (unsigned i = 0; i < 100; i++) {
		stv_auto_free char *tmp =
			stv_xasprintf("%s.%d-%u", f->path, (int)getpid(), i);

		if (linkat(AT_FDCWD, self, AT_FDCWD, tmp, AT_SYMLINK_FOLLOW) ==
		    0) {
			f->tmp = stv_steal(&tmp);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return cannot_write(f->path, err);
}

int
cmd_outfile_commit(struct cmd_outfile *f, struct stv_err **err)
{
	int fd;

	if (!f->is_direct) {
		if (fchmod(f->fd, f->mode) < 0)
			return cannot_write(f->path, err);
		if (f->tmp == NULL && name_it(f, err) < 0)
			return -1;
	}
	/* network file systems tell of a full disk only here */
	fd = stv_steal_fd(&f->fd);
	if (close(fd) < 0)
		return cannot_write(f->path, err);
	if (f->tmp == NULL)
		return 0;
	if (rename(f->tmp, f->path) < 0)
		return cannot_write(f->path, err);
	free(stv_steal(&f->tmp));
	return 0;
}

void
cmd_outfile_close(struct cmd_outfile *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->tmp != NULL)
		(void)unlink(f->tmp);
	free(f->tmp);
	free(f->path);
	*f = CMD_OUTFILE_INIT;
}

int
cmd_file_write(const struct cmd_ctx *cx, const char *path, const void *p,
	       size_t n, struct stv_err **err)
{
	struct cmd_outfile f = CMD_OUTFILE_INIT;
	int rc = cmd_outfile_open(cx, path, &f, err);

	if (rc == 0 && stv_write_all(f.fd, p, n) < 0)
		rc = cannot_write(path, err);
	if (rc == 0)
		rc = cmd_outfile_commit(&f, err);
	cmd_outfile_close(&f);
	return rc;
}

/* Write it, with that owner and mode, and take the place of the old one. */
static int
fill_as(struct cmd_outfile *f, const struct stat *st, const void *p, size_t n,
	struct stv_err **err)
{
	f->mode = st->st_mode & 07777;
	if ((st->st_uid != geteuid() || st->st_gid != getegid()) &&
	    fchown(f->fd, st->st_uid, st->st_gid) < 0)
		return stv_fail_errno_as(err, STV_E_INPUT, errno,
					 "cannot keep the owner of %s",
					 f->path);
	if (stv_write_all(f->fd, p, n) < 0 || fdatasync(f->fd) < 0)
		return cannot_write(f->path, err);
	return cmd_outfile_commit(f, err);
}

int
cmd_file_rewrite(const struct cmd_ctx *cx, const char *path, const void *p,
		 size_t n, struct stv_err **err)
{
	stv_auto_free char *real = realpath(path, NULL);
	struct cmd_outfile f = CMD_OUTFILE_INIT;
	struct stat st;
	int rc;

	if (real == NULL || stat(real, &st) < 0)
		return cannot_write(path, err);
	rc = cmd_outfile_open(cx, real, &f, err);
	if (rc == 0)
		rc = fill_as(&f, &st, p, n, err);
	cmd_outfile_close(&f);
	return rc;
}
