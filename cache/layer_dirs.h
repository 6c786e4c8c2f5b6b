/*
 * cache/layer_dirs.h - the directories of a tree that is being made.
 *
 * All are reached from the root by descriptors that were opened without
 * following links, and made on the way, mode 0700, where they are missing.
 */
#ifndef STAVE_CACHE_LAYER_DIRS_H
#define STAVE_CACHE_LAYER_DIRS_H

#include <stdbool.h>

#include "core/strs.h"

struct stv_err; /* core/err.h */

struct lay_dirs {
	int rootfd;
	bool is_merge; /* what is no directory but in the way is removed */
	char *dir;     /* the one last used, and its descriptor */
	int dirfd;
	struct stv_strs made; /* by lay_dirs_open() and _parent(), in order */
};

/*
 * lay_dirs_init(d, rootfd, is_merge): below ${rootfd}, which is borrowed.
 * lay_dirs_fini(d): free the members.
 */
void lay_dirs_init(struct lay_dirs *d, int rootfd, bool is_merge);
void lay_dirs_fini(struct lay_dirs *d);

/*
 * lay_dirs_enter(d, dirfd, name, err): the directory ${name} of *${dirfd},
 * which is closed and becomes it.  Returns: 1 where it was made, 0.
 */
int lay_dirs_enter(const struct lay_dirs *d, int *dirfd, const char *name,
		   struct stv_err **err);

/* lay_dirs_open(d, path, ret_fd, err): a directory.  Owns: *ret_fd. */
int lay_dirs_open(struct lay_dirs *d, const char *path, int *ret_fd,
		  struct stv_err **err);

/*
 * lay_dirs_parent(d, path, ret_fd, ret_name, err): the directory that ${path}
 * lies in.  Borrows: *ret_fd lives until the next call; *ret_name points into
 * ${path}.
 */
int lay_dirs_parent(struct lay_dirs *d, const char *path, int *ret_fd,
		    const char **ret_name, struct stv_err **err);

#endif /* STAVE_CACHE_LAYER_DIRS_H */
