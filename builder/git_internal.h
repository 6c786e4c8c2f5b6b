/* builder/git_internal.h - running git. */
#ifndef STAVE_BUILDER_GIT_INTERNAL_H
#define STAVE_BUILDER_GIT_INTERNAL_H

#include "core/buf.h"

#include "builder/git_ref.h"

struct stv_err; /* core/err.h */

/*
 * bld_git_run(r, dirfd, args, ret, err): git with ${args} (NULL-terminated) in
 * the directory ${dirfd}, for the repository ${r}; its output in *ret, which
 * may be NULL and is the caller's.
 * Errors: STV_E_NET with the last lines that it wrote, where it failed.
 */
int bld_git_run(const struct bld_git_ref *r, int dirfd, const char *const *args,
		struct stv_buf *ret, struct stv_err **err);

/*
 * bld_git_decode(s, n, is_query): ${n} bytes of a URL with %XX undone, in a
 * query '+' too; NULL where they are malformed.  Owns: the caller.
 */
char *bld_git_decode(const char *s, size_t n, bool is_query);

/*
 * bld_git_ref_fragment(r, fragment, err): "ref:subdir", decoded, into ${r}.
 * bld_git_ref_query(r, query, err): "name=value&...", as written.
 */
int bld_git_ref_fragment(struct bld_git_ref *r, const char *fragment,
			 struct stv_err **err);
int bld_git_ref_query(struct bld_git_ref *r, const char *query,
		      struct stv_err **err);

/*
 * bld_git_ref_wrong(err, r, fmt, ...): the error of somebody who meant the
 * repository ${r}; what is in it is escaped.  Returns -1.
 */
int bld_git_ref_wrong(struct stv_err **err, const struct bld_git_ref *r,
		      const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));

#endif /* STAVE_BUILDER_GIT_INTERNAL_H */
