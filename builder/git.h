/*
 * builder/git.h - files from a git repository.
 *
 *	bld_git_ref_parse(text, &ref, err);
 *	bld_git_resolve(&ref, &commit, err);	  what the ref is now
 *	... the commit is all that a cache key needs ...
 *	bld_git_checkout(store, &ref, &commit, keep_git_dir, &tree, err);
 *	bld_git_tree_fini(&tree);
 *
 * The program 'git' does it, without a shell, with an environment and a
 * configuration made from nothing: no hooks, no prompts, no files of the user
 * or of the machine, no transport but http, https, ssh and git.  What comes of
 * a repository is as hostile as any archive: read it with core/fsat.h.
 * Time: one call takes as long as the network does; stv_cancel_set() ends it.
 */
#ifndef STAVE_BUILDER_GIT_H
#define STAVE_BUILDER_GIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"

#include "builder/git_ref.h"

struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */

#define BLD_COMMIT_MAX 65

struct bld_git_commit {
	char commit[BLD_COMMIT_MAX]; /* what is checked out, hexadecimal */
	char object[BLD_COMMIT_MAX]; /* the same, or the tag upon it */
	char *ref; /* "refs/heads/main"; NULL: it was named by its number */
};

/*
 * bld_git_resolve(r, ret, err): which commit ${r} means; asks the server,
 * unless it says so itself.
 * Owns:   *ret, bld_git_commit_fini().
 * Errors: STV_E_NET (git's own words), STV_E_INPUT: no such ref; STV_E_DIGEST:
 *         not the commit that ${r} wants; STV_E_NOT_FOUND: no git here.
 */
int bld_git_resolve(const struct bld_git_ref *r, struct bld_git_commit *ret,
		    struct stv_err **err);

/* bld_git_commit_fini(c): free it; ${c} is all zero afterwards. */
void bld_git_commit_fini(struct bld_git_commit *c);

/* Files of a commit, in the store's tmp/. */
struct bld_git_tree {
	char *tmp;	/* relative to the store's root */
	int fd;		/* the directory that ${r} names */
	int64_t time_s; /* of the commit */
};

/*
 * bld_git_checkout(store, r, c, keep_git_dir, ret, err): fetch and check out
 * ${c}, submodules too unless ${r} says no.  With ${keep_git_dir} there is a
 * .git in it, which is the same for the same commit; it holds no password.
 *
 * Owns:   *ret, bld_git_tree_fini().
 * Errors: as bld_git_resolve(); STV_E_INPUT: no such subdirectory.
 */
int bld_git_checkout(struct cas_store *store, const struct bld_git_ref *r,
		     const struct bld_git_commit *c, bool keep_git_dir,
		     struct bld_git_tree *ret, struct stv_err **err);

/* bld_git_tree_fini(store, t): remove the files. */
void bld_git_tree_fini(struct cas_store *store, struct bld_git_tree *t);

#define bld_auto_git_commit                                                    \
	STV_CLEANUP(bld_git_commit_fini) struct bld_git_commit

#endif /* STAVE_BUILDER_GIT_H */
