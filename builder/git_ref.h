/*
 * builder/git_ref.h - what names a git repository, and what of it.
 *
 *	https://host/repo.git#ref:subdir	git://host/repo
 *	https://host/repo.git?branch=main&subdir=a
 *	ssh://git@host/repo		git@host:repo
 *	github.com/owner/repo		(as a build context only)
 *
 * The rules are BuildKit's (frontend/dockerfile/dfgitutil).  What could be
 * taken for an option, another transport or a second line by git or ssh is
 * refused here (THREATS D01).
 */
#ifndef STAVE_BUILDER_GIT_REF_H
#define STAVE_BUILDER_GIT_REF_H

#include <stdbool.h>

#include "core/cleanup.h"

struct stv_err; /* core/err.h */

struct bld_git_ref {
	char *remote;	/* for git; without user and password if http */
	char *userinfo; /* of an http URL, as written; NULL: none */
	char *shown;	/* for messages: no credentials, query or fragment */
	char *ref;	/* branch, tag or commit; NULL: the default branch */
	char *checksum; /* the beginning of a commit; NULL: any */
	char *subdir;	/* as written; NULL: the root */
	bool has_keep_git_dir;
	bool keep_git_dir;
	bool skip_submodules;
	bool is_mtime_commit; /* files get the time of the commit */
	bool fetch_by_commit;
	bool is_bare; /* "github.com/...": may be a local path just as well */
};

/*
 * bld_git_ref_parse(text, ret, err): does ${text} name a repository?
 * Returns: 1 and *ret; 0: it does not; -1: it does, but wrongly.
 * Owns:    *ret, bld_git_ref_fini().
 * Errors:  STV_E_USAGE.
 */
int bld_git_ref_parse(const char *text, struct bld_git_ref *ret,
		      struct stv_err **err);

/* bld_git_ref_fini(r): free the strings; ${r} is all zero afterwards. */
void bld_git_ref_fini(struct bld_git_ref *r);

/* bld_git_is_commit(s): 40 or 64 lower case hexadecimal digits. */
bool bld_git_is_commit(const char *s);

#define bld_auto_git_ref STV_CLEANUP(bld_git_ref_fini) struct bld_git_ref

#endif /* STAVE_BUILDER_GIT_REF_H */
