/* cache/layer_apply.h - inside of lay_apply(). */
#ifndef STAVE_CACHE_LAYER_APPLY_H
#define STAVE_CACHE_LAYER_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/entry.h"

struct stv_err; /* core/err.h */
struct stv_in;	/* core/stream.h */

/* Where the content of a layer's files comes from. */
struct apply_source {
	int fd;		   /* of an uncompressed blob, or -1: */
	struct stv_in *in; /* the tar as it is decompressed */
	uint64_t pos;	   /* of ${in} */
	char *buf;
};

/* lay_apply_copy(src, e, fd, err): the content of ${e} into the new file ${fd}.
 */
int lay_apply_copy(struct apply_source *src, const struct lay_entry *e, int fd,
		   struct stv_err **err);

/*
 * lay_apply_set_fd(fd, e, err): owner, mode, xattrs and times of ${e}; ${fd} is
 * a file or directory opened for reading or writing.
 */
int lay_apply_set_fd(int fd, const struct lay_entry *e, struct stv_err **err);

/*
 * lay_apply_set_at(dirfd, name, e, err): the same for a link or device, which
 * is not opened.
 */
int lay_apply_set_at(int dirfd, const char *name, const struct lay_entry *e,
		     struct stv_err **err);

/* lay_apply_clear_xattrs(fd): take away those that a layer could have given. */
void lay_apply_clear_xattrs(int fd);

/* lay_apply_set_dir(rootfd, path, e, err): attributes of a directory by path.
 */
int lay_apply_set_dir(int rootfd, const char *path, const struct lay_entry *e,
		      struct stv_err **err);

#endif /* STAVE_CACHE_LAYER_APPLY_H */
