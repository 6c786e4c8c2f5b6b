/*
 * builder/delta.h - what a COPY or ADD puts on top of a chain of layers.
 *
 * Later sources of one instruction see what earlier ones made, and a layer is
 * written in order at the end; so everything is first put into a tree of
 * changes over the view of what lies below:
 *
 *	bld_delta_new(below) -> bld_delta_mkdirs(), bld_delta_put(), ...
 *	bld_delta_write(d, &opts, w, err);
 *
 * No link is followed but by bld_delta_resolve(), and that inside the root.
 */
#ifndef STAVE_BUILDER_DELTA_H
#define STAVE_BUILDER_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

#include "cache/entry.h"

struct lay_view;   /* cache/toc.h */
struct lay_writer; /* cache/layer.h */
struct stv_err;	   /* core/err.h */

/* The tree of changes.  Threads: one at a time. */
struct bld_delta;

/* Where the bytes of a file are. */
struct bld_body {
	int fd; /* borrowed; -1: ask the writer's open_item() */
	uint64_t offset;
	size_t item;
};

/*
 * bld_delta_new(below): no changes yet.
 * Borrows: ${below}, which may be NULL (an empty root).
 * Owns: the caller, bld_delta_free().
 */
struct bld_delta *bld_delta_new(struct lay_view *below);

/* bld_delta_free(d): NULL is ok. */
void bld_delta_free(struct bld_delta *d);

/*
 * bld_delta_lookup(d, path, ret): what is at ${path} (cleaned) now, no link
 * followed: 1 and *ret (which borrows until the next call, its path is not
 * set), or 0.
 */
int bld_delta_lookup(struct bld_delta *d, const char *path,
		     struct lay_entry *ret);

/*
 * bld_delta_resolve(d, path, follow_last, ret_path, ret, err): follow links
 * inside the root; where something is missing the rest is taken as it is.
 * Owns:    *ret_path, a path without links.
 * Returns: 1 and *ret, or 0 where there is nothing.
 * Errors:  STV_E_INPUT: too many links, a component is no directory.
 */
int bld_delta_resolve(struct bld_delta *d, const char *path, bool follow_last,
		      char **ret_path, struct lay_entry *ret,
		      struct stv_err **err);

/*
 * bld_delta_mkdirs(d, path, like, err): make what is missing of ${path}, which
 * holds no links, with the attributes of ${like}.
 * Errors: STV_E_INPUT: a component is no directory; STV_E_LIMIT.
 */
int bld_delta_mkdirs(struct bld_delta *d, const char *path,
		     const struct lay_entry *like, struct stv_err **err);

/*
 * bld_delta_put(d, path, e, body, group, err): ${path} becomes a copy of ${e}
 * (its path is not looked at).  Its parents are there.  A directory put over a
 * directory keeps what is in it; anything else hides what was there.
 * Files with the same non-zero ${group} become hard links of each other.
 * Errors: STV_E_LIMIT.
 */
int bld_delta_put(struct bld_delta *d, const char *path,
		  const struct lay_entry *e, struct bld_body body, size_t group,
		  struct stv_err **err);

/* bld_delta_group(d): a new number for hard links. */
size_t bld_delta_group(struct bld_delta *d);

/*
 * bld_delta_link(d, path, target, err): ${path} becomes a hard link of
 * ${target}, which was put before and is no directory.
 * Errors: STV_E_INPUT: it was not; STV_E_LIMIT.
 */
int bld_delta_link(struct bld_delta *d, const char *path, const char *target,
		   struct stv_err **err);

/* bld_delta_is_made(d, path): was that directory made by bld_delta_mkdirs()? */
bool bld_delta_is_made(const struct bld_delta *d, const char *path);

/* bld_delta_set_mtime(d, path, s, ns): of an entry that was put or made. */
void bld_delta_set_mtime(struct bld_delta *d, const char *path, int64_t s,
			 uint32_t ns);

struct bld_delta_opts {
	bool has_epoch; /* as struct lay_writer_opts */
	int64_t epoch;
	int64_t now_s; /* for directories in which names changed */
	uint32_t now_ns;
	/*
	 * open_item(arg, item, ret_fd, ret_offset, ret_size, err): the bytes of
	 * a body without descriptor.  1: it is not there any more.
	 */
	int (*open_item)(void *arg, size_t item, int *ret_fd,
			 uint64_t *ret_offset, uint64_t *ret_size,
			 struct stv_err **err);
	/* done_item(arg, item, size, digest): what was read and written. */
	void (*done_item)(void *arg, size_t item, uint64_t size,
			  const struct stv_digest *digest);
	void *arg;
};

/*
 * bld_delta_write(d, opts, w, ret_n, err): every entry that differs from what
 * lies below, and the parents of those, in order.  Names that begin with
 * ".wh." cannot be in a layer and vanish.  ${d} is used up.
 *
 * Returns: 0; 1 where a file was gone or shrank, and ${w} is to be thrown
 *          away; -1.  *ret_n (may be NULL) counts the entries.
 * Errors:  those of ${w} and of open_item().
 */
int bld_delta_write(struct bld_delta *d, const struct bld_delta_opts *opts,
		    struct lay_writer *w, size_t *ret_n, struct stv_err **err);

STV_DEFINE_CLEANUP(bld_delta, bld_delta_free);

#endif /* STAVE_BUILDER_DELTA_H */
