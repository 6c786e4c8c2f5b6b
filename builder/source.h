/*
 * builder/source.h - a tree that COPY and ADD take from: the build context, or
 * what a chain of layers looks like.
 *
 * Paths are cleaned and relative ("a/b", "" is the root).  Nobody follows
 * links but bld_source_resolve().
 */
#ifndef STAVE_BUILDER_SOURCE_H
#define STAVE_BUILDER_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

#include "cache/entry.h"

struct lay_view; /* cache/toc.h */
struct stv_err;	 /* core/err.h */

/* What is at a path. */
struct bld_src_entry {
	/*
	 * path is not set.  A socket is an empty LAY_FILE; LAY_HARDLINK does
	 * not occur.  digest is set only where has_digest says so.
	 */
	struct lay_entry e;
	bool has_digest;
	bool is_socket; /* has no bytes and cannot be opened */
	/*
	 * May have other names: then those have the same dev and ino, and
	 * is_same() says yes.
	 */
	bool is_linked;
	uint64_t dev;
	uint64_t ino;
	/* Of a file of the context: when its inode changed last. */
	int64_t ctime_s;
	uint32_t ctime_ns;
};

/* The tree.  Threads: one at a time. */
struct bld_source {
	/*
	 * lookup(s, path, ret, err): 1 and *ret (which borrows until the next
	 * call), 0 where there is nothing (left out counts as that), -1.
	 */
	int (*lookup)(struct bld_source *s, const char *path,
		      struct bld_src_entry *ret, struct stv_err **err);
	/*
	 * list(s, path, fn, arg, err): call ${fn} for each name in the
	 * directory ${path}, ascending by byte.  A negative result of ${fn}
	 * ends it and is returned; *err is ${fn}'s to set then.
	 */
	int (*list)(struct bld_source *s, const char *path,
		    int (*fn)(void *arg, const char *name,
			      const struct bld_src_entry *ent,
			      struct stv_err **err),
		    void *arg, struct stv_err **err);
	/* hash(s, path, ent, err): fill in the digest of a LAY_FILE. */
	int (*hash)(struct bld_source *s, const char *path,
		    struct bld_src_entry *ent, struct stv_err **err);
	/*
	 * open(s, path, ret_fd, ret_offset, ret_size, err): the bytes of a
	 * LAY_FILE as they are now.  *ret_fd may be -1 where ret_size is 0.
	 * Returns: 0, or 1 where it is not (a file) there any more.
	 * Owns: *ret_fd.
	 */
	int (*open)(struct bld_source *s, const char *path, int *ret_fd,
		    uint64_t *ret_offset, uint64_t *ret_size,
		    struct stv_err **err);
	/*
	 * is_same(s, a, b, err): are the files ${a} and ${b}, which have the
	 * same dev and ino, hard links of each other?  1, 0 or -1.  NULL: yes.
	 */
	int (*is_same)(struct bld_source *s, const char *a, const char *b,
		       struct stv_err **err);
	/*
	 * explain(s, path, err): *err says "not found" of something; add why,
	 * if there is more to say (which pattern left it out).
	 */
	void (*explain)(struct bld_source *s, const char *path,
			struct stv_err **err);
};

/*
 * bld_source_view(view): a chain of layers as a source.
 * Borrows: ${view}.  Owns: the caller, bld_source_view_free().
 */
struct bld_source *bld_source_view(struct lay_view *view);

/* bld_source_view_free(s): NULL is ok. */
void bld_source_view_free(struct bld_source *s);

/*
 * bld_source_resolve(s, path, ret_path, ret, err): follow all links in ${path},
 * the last one too, inside the tree.
 * Returns: 1 and *ret_path (owned by the caller) and *ret, or 0 where there is
 * nothing.
 * Errors: STV_E_INPUT: too many links.
 */
int bld_source_resolve(struct bld_source *s, const char *path, char **ret_path,
		       struct bld_src_entry *ret, struct stv_err **err);

/*
 * bld_path_clean(path): ${path} without "." and empty parts, ".." resolved as
 * text and clipped at the root, no slash at either end.  Owns: the caller.
 */
char *bld_path_clean(const char *path);

/* bld_path_join(dir, name): "${dir}/${name}", or the one that is not empty. */
char *bld_path_join(const char *dir, const char *name);

/* bld_path_base(path): the last component.  Borrows from ${path}. */
const char *bld_path_base(const char *path);

/*
 * bld_path_dest(workdir, dest, ret_is_dir): the destination of a COPY, cleaned
 * and relative to the root; *ret_is_dir: it was written as a directory ("d/",
 * ".", "").  Owns: the caller.
 */
char *bld_path_dest(const char *workdir, const char *dest, bool *ret_is_dir);

#endif /* STAVE_BUILDER_SOURCE_H */
