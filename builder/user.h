/*
 * builder/user.h - USER and --chown against an image's passwd and group.
 *
 * Two rules, as BuildKit has them:
 *
 *	RUN	an unknown name is an error; an unknown uid has group 0 and
 *		HOME /; without an explicit group the user's supplementary
 *		groups are added
 *	--chown	an unknown name is 0; "alice" means alice's primary group,
 *		"alice:" group 0, "12" means 12:12
 *
 * Digits only are always a number, never a name (THREATS B13); numbers above
 * 2147483647, signs and blanks are refused.
 */
#ifndef STAVE_BUILDER_USER_H
#define STAVE_BUILDER_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct lay_view; /* cache/toc.h */
struct stv_err;	 /* core/err.h */

/* Who a RUN runs as.  The strings and the list belong to it. */
struct bld_user {
	uint32_t uid;
	uint32_t gid;
	uint32_t *groups; /* for setgroups(): ${gid} first, none twice */
	size_t n_groups;
	char *home; /* of the uid; "/" where passwd has none */
	char *name; /* from passwd, or NULL */
};

/*
 * bld_user_resolve(view, spec, ret, err): who "USER ${spec}" is; an empty or
 * NULL ${spec} is root.  ${view} may be NULL (nothing below).
 *
 * Owns:   *ret, bld_user_fini().
 * Errors: STV_E_INPUT (unknown name, bad number, damaged files), STV_E_LIMIT
 *         (STV_MAX_PASSWD, STV_MAX_PASSWD_LINE, STV_MAX_GROUPS).
 */
int bld_user_resolve(struct lay_view *view, const char *spec,
		     struct bld_user *ret, struct stv_err **err);

/*
 * bld_chown_resolve(view, spec, ret_uid, ret_gid, err): what --chown=${spec}
 * means on top of ${view}.  A ${view} of NULL is FROM scratch with nothing in
 * it yet: then only numbers (and "root") can be meant.
 *
 * Errors: STV_E_INPUT, STV_E_LIMIT.
 */
int bld_chown_resolve(struct lay_view *view, const char *spec,
		      uint32_t *ret_uid, uint32_t *ret_gid,
		      struct stv_err **err);

/* bld_chown_needs_names(spec): does the answer depend on passwd or group? */
bool bld_chown_needs_names(const char *spec);

/* bld_user_fini(u): free what it owns; ${u} is all zero afterwards. */
void bld_user_fini(struct bld_user *u);

/* The two files as bytes; NULL where the image has none. */
struct bld_user_files {
	const char *passwd;
	size_t passwd_len;
	const char *group;
	size_t group_len;
};

/*
 * bld_user_from(files, spec, ret, err): bld_user_resolve() on bytes, for tests
 * and the fuzzer.
 */
int bld_user_from(const struct bld_user_files *files, const char *spec,
		  struct bld_user *ret, struct stv_err **err);

/* bld_chown_from(files, spec, ret_uid, ret_gid, err): likewise. */
int bld_chown_from(const struct bld_user_files *files, const char *spec,
		   uint32_t *ret_uid, uint32_t *ret_gid, struct stv_err **err);

#define bld_auto_user STV_CLEANUP(bld_user_fini) struct bld_user

#endif /* STAVE_BUILDER_USER_H */
