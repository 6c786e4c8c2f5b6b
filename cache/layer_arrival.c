/* cache/layer_arrival.c - the files of a layer while it arrives. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/layer.h"
#include "cache/layer_apply.h"
#include "cache/layer_arrival.h"
#include "cache/layer_dirs.h"
#include "cache/store.h"

struct lay_arrival {
	struct cas_store *store;
	char *dir; /* below the store's root */
	int dirfd;
	struct lay_dirs dirs;
	int fd;	      /* of the file that comes in, or -1 */
	uint64_t pos; /* in it */
	bool is_given_up;
};

static void
remove_all(struct lay_arrival *a)
{
	struct stv_err *ignored = NULL;

	stv_close_p(&a->fd);
	stv_close_p(&a->dirfd);
	lay_dirs_fini(&a->dirs);
	a->fd = a->dirfd = -1;
	/* What stays in tmp/ is removed by the next command. */
	if (a->dir != NULL && stv_fsat_remove_tree(cas_store_rootfd(a->store),
						   a->dir, &ignored) < 0)
		stv_err_free(ignored);
	free(stv_steal(&a->dir));
}

static void
give_up(struct lay_arrival *a, struct stv_err *why)
{
	stv_err_free(why);
	a->is_given_up = true;
	remove_all(a);
}

struct lay_arrival *
lay_arrival_new(struct cas_store *store)
{
	struct lay_arrival *a = stv_xcalloc(1, sizeof(*a));
	struct stv_err *err = NULL;

	a->store = store;
	a->fd = a->dirfd = -1;
	if (cas_store_tmpdir(store, &a->dir, &a->dirfd, &err) < 0)
		give_up(a, err);
	lay_dirs_init(&a->dirs, a->dirfd, false);
	return a;
}

void
lay_arrival_free(struct lay_arrival *a)
{
	if (a == NULL)
		return;
	remove_all(a);
	free(a);
}

void
lay_arrival_begin(struct lay_arrival *a, const struct lay_entry *e)
{
	struct stv_err *err = NULL;
	const char *name;
	int dirfd;

	if (a == NULL || a->is_given_up)
		return;
	if (lay_dirs_parent(&a->dirs, e->path, &dirfd, &name, &err) < 0) {
		give_up(a, err);
		return;
	}
	a->pos = 0;
	a->fd = openat(dirfd, name,
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (a->fd < 0)
		give_up(a, NULL);
}

void
lay_arrival_write(struct lay_arrival *a, const void *p, size_t n,
		  uint64_t offset)
{
	if (a == NULL || a->is_given_up)
		return;
	if ((offset != a->pos &&
	     lseek(a->fd, (off_t)offset, SEEK_SET) != (off_t)offset) ||
	    stv_write_all(a->fd, p, n) < 0)
		give_up(a, NULL);
	a->pos = offset + n;
}

void
lay_arrival_end(struct lay_arrival *a, const struct lay_entry *e)
{
	struct stv_err *err = NULL;

	if (a == NULL || a->is_given_up)
		return;
	if ((a->pos != e->size && ftruncate(a->fd, (off_t)e->size) < 0) ||
	    lay_apply_set_fd(a->fd, e, &err) < 0 ||
	    close(stv_steal_fd(&a->fd)) < 0)
		give_up(a, err);
}

bool
lay_arrival_is_whole(const struct lay_arrival *a)
{
	return !a->is_given_up && a->fd < 0;
}

const char *
lay_arrival_name(const struct lay_arrival *a)
{
	return a->dir;
}

int
lay_arrival_fd(const struct lay_arrival *a)
{
	return a->dirfd;
}
