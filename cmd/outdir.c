/* cmd/outdir.c - a directory that becomes a result. */
#include <dirent.h>
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
#include "core/fsat.h"
#include "core/mem.h"

#include "cmd/ctx.h"

#include "cmd/outdir.h"

static int
cannot_write(const char *path, struct stv_err **err)
{
	return stv_fail_errno_as(err, STV_E_INPUT, errno, "cannot write %s",
				 path);
}

static int
open_dir(struct cmd_outdir *d, const char *path, struct stv_err **err)
{
	d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->fd < 0 ? cannot_write(d->path, err) : 0;
}

/* The next name in ${dir}, or NULL. */
static const char *
next_name(DIR *dir)
{
	const struct dirent *de;

	while ((de = readdir(dir)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			return de->d_name;
	return NULL;
}

/* The entries of the directory ${d}, or NULL with errno. */
static DIR *
list(const struct cmd_outdir *d)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL && fd >= 0)
		(void)close(fd);
	return dir;
}

/* One that is there must be empty, and is so again after a failure. */
static int
check_empty(struct cmd_outdir *d, struct stv_err **err)
{
	DIR *dir = list(d);
	bool is_empty;

	if (dir == NULL)
		return cannot_write(d->path, err);
	is_empty = next_name(dir) == NULL;
	(void)closedir(dir);
	d->was_empty = is_empty;
	if (is_empty)
		return 0;
	stv_fail(err, STV_E_INPUT, "directory %s is not empty", d->path);
	stv_err_hint(*err, "Name a new directory, or remove what is in it.");
	return -1;
}

static void
empty_again(const struct cmd_outdir *d, struct stv_err **err)
{
	DIR *dir = list(d);
	const char *name;

	if (dir == NULL)
		return;
	while ((name = next_name(dir)) != NULL)
		if (stv_fsat_remove_tree(d->fd, name, err) < 0)
			break;
	(void)closedir(dir);
}

static int
open_beside(struct cmd_outdir *d, struct stv_err **err)
{
	stv_auto_free char *copy = stv_xstrdup(d->path);
	stv_auto_free char *tmp = stv_xasprintf("%s.XXXXXX", d->path);

	if (stv_fsat_mkdirs(AT_FDCWD, dirname(copy), 0755, err) < 0)
		return -1;
	if (mkdtemp(tmp) == NULL)
		return cannot_write(d->path, err);
	d->tmp = stv_steal(&tmp);
	return open_dir(d, d->tmp, err);
}

int
cmd_outdir_open(const struct cmd_ctx *cx, const char *path, bool is_new,
		struct cmd_outdir *d, struct stv_err **err)
{
	size_t n = strlen(path);
	struct stat st;

	while (n > 1 && path[n - 1] == '/')
		n--;
	d->path = stv_xstrndup(path, n);
	d->mode = 0777 & ~cx->umask;
	if (stat(d->path, &st) < 0)
		return open_beside(d, err);
	if (!S_ISDIR(st.st_mode))
		return stv_fail(err, STV_E_INPUT, "%s is not a directory",
				d->path);
	if (open_dir(d, d->path, err) < 0)
		return -1;
	return is_new ? check_empty(d, err) : 0;
}

int
cmd_outdir_commit(struct cmd_outdir *d, struct stv_err **err)
{
	d->was_empty = false;
	if (d->tmp == NULL)
		return 0;
	if (fchmod(d->fd, d->mode) < 0 || rename(d->tmp, d->path) < 0)
		return cannot_write(d->path, err);
	free(stv_steal(&d->tmp));
	return 0;
}

void
cmd_outdir_close(struct cmd_outdir *d)
{
	struct stv_err *ignored = NULL;

	if (d->was_empty)
		empty_again(d, &ignored);
	stv_close_p(&d->fd);
	if (d->tmp != NULL)
		(void)stv_fsat_remove_tree(AT_FDCWD, d->tmp, &ignored);
	stv_err_free(ignored);
	free(d->tmp);
	free(d->path);
	*d = CMD_OUTDIR_INIT;
}
