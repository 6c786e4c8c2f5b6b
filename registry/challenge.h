/*
 * registry/challenge.h - what WWW-Authenticate asks for.
 *
 * RFC 9110, 11.6.1: several challenges in one header, or in several headers;
 * each is a scheme with parameters or with one token.  Strict: what is not of
 * that grammar gives no challenge at all, so that nothing sent is decided by
 * half of a header (THREATS C04).
 */
#ifndef STAVE_REGISTRY_CHALLENGE_H
#define STAVE_REGISTRY_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/vec.h"

struct stv_err; /* core/err.h */

/* Limits: more than that is no challenge of a registry. */
#define REG_MAX_CHALLENGES 8
#define REG_MAX_CHALLENGE_PARAMS 16

struct reg_challenge_param {
	char *name; /* lower case */
	char *value;
};

struct reg_challenge {
	char *scheme; /* lower case: "bearer", "basic" */
	STV_VEC(struct reg_challenge_param) params;
};

struct reg_challenges {
	STV_VEC(struct reg_challenge) list;
};

/*
 * reg_challenge_parse(header, ret, err): append the challenges of one header's
 * value.  Owns: *ret, reg_challenges_fini(), also on failure.
 * Errors: STV_E_PROTOCOL, STV_E_LIMIT; what was appended before stays.
 */
int reg_challenge_parse(const char *header, struct reg_challenges *ret,
			struct stv_err **err);

/*
 * reg_challenge_find(c, scheme): the first one of that scheme, or NULL.
 * Borrows from ${c}.
 */
const struct reg_challenge *reg_challenge_find(const struct reg_challenges *c,
					       const char *scheme);

/*
 * reg_challenge_get(c, name): a parameter's value, or NULL.
 * Borrows from ${c}.
 */
const char *reg_challenge_get(const struct reg_challenge *c, const char *name);

/* reg_challenges_fini(c): free the members; ${c} is all zero afterwards. */
void reg_challenges_fini(struct reg_challenges *c);

#endif /* STAVE_REGISTRY_CHALLENGE_H */
