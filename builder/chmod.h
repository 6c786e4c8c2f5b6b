/*
 * builder/chmod.h - the value of --chmod, octal or symbolic.
 *
 * A symbolic mode is read as BuildKit reads it, which is BSD's setmode(3) with
 * a umask of 0, not chmod(1): what copies from a class ("g=u") may stand
 * beside letters, 's' for others alone says nothing, and 'X' asks the mode that
 * the file had at first.
 */
#ifndef STAVE_BUILDER_CHMOD_H
#define STAVE_BUILDER_CHMOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stv_err; /* core/err.h */

/* One change of a symbolic mode. */
struct bld_chmod_cmd {
	/*
	 * '+' and '-' set and clear ${bits}; with ${is_cond} only of
	 * directories and where somebody had x at first.  'u', 'g' and 'o' copy
	 * the bits of that class to the classes in ${bits}.
	 */
	char op;
	char copy; /* of a copy: '+', '-' or '=' */
	bool is_cond;
	uint16_t bits;
};

#define BLD_CHMOD_MAX_CMDS 64

/* A parsed --chmod. */
struct bld_chmod {
	bool is_octal;
	uint32_t mode; /* where it is octal: 0 to 07777 */
	size_t n_cmds;
	struct bld_chmod_cmd cmds[BLD_CHMOD_MAX_CMDS];
};

/*
 * bld_chmod_parse(s, ret, err): "0755", "u=rwX,go=rX".
 * Errors: STV_E_CHECK, naming ${s}.
 */
int bld_chmod_parse(const char *s, struct bld_chmod *ret, struct stv_err **err);

/* bld_chmod_apply(c, mode, is_dir): the mode that ${mode} becomes. */
uint32_t bld_chmod_apply(const struct bld_chmod *c, uint32_t mode, bool is_dir);

#endif /* STAVE_BUILDER_CHMOD_H */
