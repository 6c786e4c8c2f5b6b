/* builder/chmod.h - the value of --chmod, octal or symbolic. */
#ifndef STAVE_BUILDER_CHMOD_H
#define STAVE_BUILDER_CHMOD_H

#include <stdbool.h>
#include <stdint.h>

struct stv_err; /* core/err.h */

/* One "who op what" of a symbolic mode. */
struct bld_chmod_clause {
	uint8_t who;	/* 4 user, 2 group, 1 others */
	char op;	/* '+', '-' or '=' */
	char copy;	/* 'u', 'g', 'o': the bits of that one; 0: ${perm} */
	uint8_t perm;	/* 4 r, 2 w, 1 x */
	bool is_cond_x; /* X: x for directories and where somebody has x */
	bool is_setid;	/* s */
	bool is_sticky; /* t */
};

#define BLD_CHMOD_MAX_CLAUSES 32

/* A parsed --chmod. */
struct bld_chmod {
	bool is_octal;
	uint32_t mode; /* where it is octal: 0 to 07777 */
	uint8_t n_clauses;
	struct bld_chmod_clause clauses[BLD_CHMOD_MAX_CLAUSES];
};

/*
 * bld_chmod_parse(s, ret, err): "0755", "u=rwX,go=rX".
 * Errors: STV_E_CHECK, naming ${s}.
 */
int bld_chmod_parse(const char *s, struct bld_chmod *ret, struct stv_err **err);

/* bld_chmod_apply(c, mode, is_dir): the mode that ${mode} becomes. */
uint32_t bld_chmod_apply(const struct bld_chmod *c, uint32_t mode, bool is_dir);

#endif /* STAVE_BUILDER_CHMOD_H */
