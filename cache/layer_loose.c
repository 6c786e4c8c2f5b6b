/* cache/layer_loose.c - the files of a layer while it arrives. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/layer.h"
#include "cache/layer_apply.h"
#include "cache/layer_loose.h"
#include "cache/store.h"

struct lay_loose {
	struct cas_store *store;
	char *dir; /* below the store's root */
	int dirfd;
	int fd;	      /* of the file that comes in, or -1 */
	uint64_t pos; /* in it */
	bool is_given_up;
};

static void
remove_all(struct lay_loose *l)
{
	struct stv_err *ignored = NULL;

	stv_close_p(&l->fd);
	stv_close_p(&l->dirfd);
	l->fd = l->dirfd = -1;
	/* What stays in tmp/ is removed by the next command. */
	if (l->dir != NULL && stv_fsat_remove_tree(cas_store_rootfd(l->store),
						   l->dir, &ignored) < 0)
		stv_err_free(ignored);
	free(stv_steal(&l->dir));
}

static void
give_up(struct lay_loose *l, struct stv_err *why)
{
	stv_err_free(why);
	l->is_given_up = true;
	remove_all(l);
}

struct lay_loose *
lay_loose_new(struct cas_store *store)
{
	struct lay_loose *l = stv_xcalloc(1, sizeof(*l));
	struct stv_err *err = NULL;

	l->store = store;
	l->fd = l->dirfd = -1;
	if (cas_store_tmpdir(store, &l->dir, &l->dirfd, &err) < 0)
		give_up(l, err);
	return l;
}

void
lay_loose_free(struct lay_loose *l)
{
	if (l == NULL)
		return;
	remove_all(l);
	free(l);
}

const char *
lay_loose_name(const struct lay_entry *e, char buf[LAY_LOOSE_NAME])
{
	(void)snprintf(buf, LAY_LOOSE_NAME, "%" PRIu64, e->offset);
	return buf;
}

void
lay_loose_begin(struct lay_loose *l, const struct lay_entry *e)
{
	char name[LAY_LOOSE_NAME];

	if (l == NULL || l->is_given_up)
		return;
	l->pos = 0;
	l->fd = openat(l->dirfd, lay_loose_name(e, name),
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (l->fd < 0)
		give_up(l, NULL);
}

void
lay_loose_write(struct lay_loose *l, const void *p, size_t n, uint64_t offset)
{
	if (l == NULL || l->is_given_up)
		return;
	if ((offset != l->pos &&
	     lseek(l->fd, (off_t)offset, SEEK_SET) != (off_t)offset) ||
	    stv_write_all(l->fd, p, n) < 0)
		give_up(l, NULL);
	l->pos = offset + n;
}

void
lay_loose_end(struct lay_loose *l, const struct lay_entry *e)
{
	struct stv_err *err = NULL;

	if (l == NULL || l->is_given_up)
		return;
	if ((l->pos != e->size && ftruncate(l->fd, (off_t)e->size) < 0) ||
	    lay_apply_set_fd(l->fd, e, &err) < 0 ||
	    close(stv_steal_fd(&l->fd)) < 0)
		give_up(l, err);
}

bool
lay_loose_is_whole(const struct lay_loose *l)
{
	return !l->is_given_up && l->fd < 0;
}

int
lay_loose_fd(const struct lay_loose *l)
{
	return l->dirfd;
}
