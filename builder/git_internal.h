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

#endif /* STAVE_BUILDER_GIT_INTERNAL_H */
