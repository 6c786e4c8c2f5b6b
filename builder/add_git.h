/*
 * builder/add_git.h - repositories as sources of ADD.
 *
 * Used by builder/copy*.c only.  When the plan is made the server is asked
 * which commit it is, which is all that the key needs; the files are fetched
 * when the layer is written.
 */
#ifndef STAVE_BUILDER_ADD_GIT_H
#define STAVE_BUILDER_ADD_GIT_H

#include <stdbool.h>

struct bld_copy_plan; /* builder/copy_internal.h */
struct bld_copy_spec; /* builder/copy.h */
struct bld_git_pick;
struct bld_source; /* builder/source.h */
struct cas_store;  /* cache/store.h */
struct stv_err;	   /* core/err.h */
struct stv_hash;   /* core/digest.h */

/*
 * bld_add_git(p, src, err): add the pick of ${src}.
 * Returns: 1; 0: it is no repository; -1.
 * Errors:  bld_git_resolve()'s; STV_E_CHECK: it is malformed, in a COPY, or
 *          flags and URL say different things.
 */
int bld_add_git(struct bld_copy_plan *p, const char *src, struct stv_err **err);

/*
 * bld_add_git_checkout(p, err): fetch all of them; their items are behind those
 * that were there.
 */
int bld_add_git_checkout(struct bld_copy_plan *p, struct stv_err **err);

/* bld_git_pick_hash(g, h): what the files depend on. */
void bld_git_pick_hash(const struct bld_git_pick *g, struct stv_hash *h);

/* bld_git_pick_source(g): the files, once they are there.  Borrows. */
struct bld_source *bld_git_pick_source(const struct bld_git_pick *g);

/* bld_git_pick_free(g): and remove the files; NULL is ok. */
void bld_git_pick_free(struct bld_git_pick *g);

#endif /* STAVE_BUILDER_ADD_GIT_H */
