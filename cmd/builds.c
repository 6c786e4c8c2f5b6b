/* cmd/builds.c - the builds of which the store keeps something. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fsat.h"
#include "core/strs.h"

#include "cmd/builds.h"

int
cmd_names_list(int dirfd, const char *path, struct stv_strs *ret,
	       struct stv_err **err)
{
	int fd = stv_fsat_open_nolinks(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	struct dirent *e;
	DIR *d;

	if (fd < 0 && errno == ENOENT)
		return 0;
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		stv_fail_errno(err, errno, "cannot list %s", path);
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread has this DIR */
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			stv_strs_add(ret, e->d_name);
	(void)closedir(d);
	stv_strs_sort(ret);
	return 0;
}

int
cmd_builds_list(int rootfd, struct stv_strs *ret, struct stv_err **err)
{
	return cmd_names_list(rootfd, "logs", ret, err);
}
