/* cache/layer_dirs.c - the directories of a tree that is being made. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "cache/layer_dirs.h"

void
lay_dirs_init(struct lay_dirs *d, int rootfd, bool is_merge)
{
	*d = (struct lay_dirs){
		.rootfd = rootfd, .is_merge = is_merge, .dirfd = -1};
}

static void
forget_dir(struct lay_dirs *d)
{
	if (d->dirfd >= 0)
		(void)close(d->dirfd);
	d->dirfd = -1;
	free(d->dir);
	d->dir = NULL;
}

void
lay_dirs_fini(struct lay_dirs *d)
{
	forget_dir(d);
	stv_strs_clear(&d->made);
}

int
lay_dirs_enter(const struct lay_dirs *d, int *dirfd, const char *name,
	       struct stv_err **err)
{
	int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(*dirfd, name, flags), made = 0;

	if (fd < 0 && d->is_merge && (errno == ENOTDIR || errno == ELOOP)) {
		if (stv_fsat_remove_tree(*dirfd, name, err) < 0)
			return -1;
		errno = ENOENT;
	}
	if (fd < 0 && errno == ENOENT) {
		made = 1;
		if (mkdirat(*dirfd, name, 0700) == 0)
			fd = openat(*dirfd, name, flags);
	}
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot make directory '%s'",
				      name);
	(void)close(*dirfd);
	*dirfd = fd;
	return made;
}

int
lay_dirs_open(struct lay_dirs *d, const char *path, int *ret_fd,
	      struct stv_err **err)
{
	stv_auto_fd fd =
		openat(d->rootfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	stv_auto_free char *part = stv_xstrdup(path);

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open a directory");
	for (char *p = part; *p != '\0';) {
		size_t n = strcspn(p, "/");
		char after = p[n];
		int made;

		p[n] = '\0';
		made = lay_dirs_enter(d, &fd, p, err);
		if (made < 0)
			return -1;
		if (made == 1)
			stv_strs_add(&d->made, part);
		p[n] = after;
		p += n + (after == '/');
	}
	*ret_fd = stv_steal_fd(&fd);
	return 0;
}

int
lay_dirs_parent(struct lay_dirs *d, const char *path, int *ret_fd,
		const char **ret_name, struct stv_err **err)
{
	const char *slash = strrchr(path, '/');
	stv_auto_free char *dir =
		stv_xstrndup(path, slash == NULL ? 0 : (size_t)(slash - path));

	*ret_name = slash == NULL ? path : slash + 1;
	if (d->dir == NULL || strcmp(d->dir, dir) != 0) {
		int fd = stv_fsat_open_nolinks(d->rootfd,
					       *dir == '\0' ? "." : dir,
					       O_PATH | O_DIRECTORY, 0);

		if (fd < 0 && lay_dirs_open(d, dir, &fd, err) < 0)
			return -1;
		forget_dir(d);
		d->dir = stv_steal(&dir);
		d->dirfd = fd;
	}
	*ret_fd = d->dirfd;
	return 0;
}
