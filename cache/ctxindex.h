/*
 * cache/ctxindex.h - what the files of a build context were when they were
 * hashed last, so that an unchanged file is not read again.
 *
 * One index for each context directory, derived data: it may vanish at any
 * time.  A file counts as unchanged where size, mode, mtime, ctime, inode and
 * device are as they were.  What was changed just before it was hashed is not
 * remembered, as it could change again within the same tick of the clock
 * (git's "racy" entries).
 */
#ifndef STAVE_CACHE_CTXINDEX_H
#define STAVE_CACHE_CTXINDEX_H

#include <stdbool.h>
#include <sys/stat.h>

#include "core/cleanup.h"

struct cas_store;  /* cache/store.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */
struct cas_ctxindex;

/*
 * cas_ctxindex_open(s, abs_path, ret, err): the index of the context directory
 * ${abs_path}; an empty one where there is none or it is damaged.
 * Owns:    *ret, cas_ctxindex_close().
 * Borrows: ${s}.
 */
int cas_ctxindex_open(struct cas_store *s, const char *abs_path,
		      struct cas_ctxindex **ret, struct stv_err **err);

/*
 * cas_ctxindex_lookup(x, path, st, ret): the digest of the regular file
 * ${path} (relative to the context) if it is unchanged: 1, or 0.
 * Threads: any.
 */
int cas_ctxindex_lookup(struct cas_ctxindex *x, const char *path,
			const struct stat *st, struct stv_digest *ret);

/*
 * cas_ctxindex_record(x, path, st, d): ${path} was hashed and is ${d}.  ${st}
 * was taken from the open file before it was read, and is still the same
 * afterwards.  Threads: any.
 */
void cas_ctxindex_record(struct cas_ctxindex *x, const char *path,
			 const struct stat *st, const struct stv_digest *d);

/* cas_ctxindex_save(x, err): write it if something was recorded. */
int cas_ctxindex_save(struct cas_ctxindex *x, struct stv_err **err);

/* cas_ctxindex_close(x): NULL is ok; what was not saved is forgotten. */
void cas_ctxindex_close(struct cas_ctxindex *x);

STV_DEFINE_CLEANUP(cas_ctxindex, cas_ctxindex_close);

#endif /* STAVE_CACHE_CTXINDEX_H */
