/*
 * parser/mount.h - the value of RUN --mount.
 *
 * As in BuildKit it is read twice: with the file, where what holds a variable
 * (or a quote of the shell) is left open, and before the step, with the
 * variables' values.  Every value is checked against what its key allows; an
 * unknown key or word is an error and never handed on (THREATS A13, A15).
 */
#ifndef STAVE_PARSER_MOUNT_H
#define STAVE_PARSER_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/span.h"

struct stv_err; /* core/err.h */

enum df_mount_type {
	DF_MOUNT_BIND,
	DF_MOUNT_CACHE,
	DF_MOUNT_TMPFS,
	DF_MOUNT_SECRET,
	DF_MOUNT_SSH
};

enum df_mount_sharing {
	DF_SHARING_SHARED,
	DF_SHARING_PRIVATE,
	DF_SHARING_LOCKED
};

/* One mount; strings are NULL where their key is missing or empty. */
struct df_mount {
	enum df_mount_type type;
	enum df_mount_sharing sharing; /* CACHE */
	char *from;
	char *source;
	char *target;
	char *id;
	char *env; /* SECRET; "" differs from NULL */
	bool is_readonly;
	bool is_required; /* SECRET, SSH */
	bool has_sharing, has_mode, has_uid, has_gid;
	uint32_t mode, uid, gid;
	uint64_t size_bytes; /* TMPFS; 0: no bound */
};

/* How values are expanded. */
struct df_mount_expander {
	/* As df_expand_word(): *ret is owned by the caller. */
	int (*expand)(void *arg, const char *text, char **ret,
		      struct stv_err **err);
	void *arg;
};

/*
 * df_mount_parse(text, span, x, ret, err): read the value of one --mount, which
 * stands at ${span}.  Without ${x} values that would be expanded are left out
 * of *ret and of the checks; ret->from is never expanded.
 *
 * Owns:   *ret, df_mount_fini(), also on failure.
 * Errors: STV_E_CHECK at the field that is wrong; those of x->expand.
 */
int df_mount_parse(const char *text, struct stv_span span,
		   const struct df_mount_expander *x, struct df_mount *ret,
		   struct stv_err **err);

/* df_mount_type_name(type): "bind".  Static. */
const char *df_mount_type_name(enum df_mount_type type);

/* df_mount_sharing_name(sharing): "shared".  Static. */
const char *df_mount_sharing_name(enum df_mount_sharing sharing);

/* df_mount_fini(m): free the members. */
void df_mount_fini(struct df_mount *m);

#endif /* STAVE_PARSER_MOUNT_H */
