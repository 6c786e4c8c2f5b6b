/* cmd/outdir.c - a directory that becomes a result. */
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

/* Only a directory without entries may be replaced. */
static int
check_empty(const char *path, struct stv_err **err)
{
	if (rmdir(path) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return cannot_write(path, err);
	stv_fail(err, STV_E_INPUT, "directory %s is not empty", path);
	stv_err_hint(*err, "Name a new directory, or remove what is in it.");
	return -1;
}

static int
open_dir(struct cmd_outdir *d, const char *path, struct stv_err **err)
{
	d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->fd < 0 ? cannot_write(d->path, err) : 0;
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
	if (!is_new)
		return open_dir(d, d->path, err);
	return check_empty(d->path, err) < 0 ? -1 : open_beside(d, err);
}

int
cmd_outdir_commit(struct cmd_outdir *d, struct stv_err **err)
{
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

	stv_close_p(&d->fd);
	if (d->tmp != NULL)
		(void)stv_fsat_remove_tree(AT_FDCWD, d->tmp, &ignored);
	stv_err_free(ignored);
	free(d->tmp);
	free(d->path);
	*d = CMD_OUTDIR_INIT;
}
