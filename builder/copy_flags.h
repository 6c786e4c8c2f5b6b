/* builder/copy_flags.h - the flags of COPY and ADD, expanded. */
#ifndef STAVE_BUILDER_COPY_FLAGS_H
#define STAVE_BUILDER_COPY_FLAGS_H

#include <stdbool.h>

struct bld_copy_spec; /* builder/copy.h */
struct bld_stage;     /* builder/build_internal.h */
struct df_node;	      /* parser/ast.h */
struct key;	      /* cache/key.h */
struct stv_err;	      /* core/err.h */

/* What the flags say beyond a struct bld_copy_spec. */
struct bld_copy_flags {
	char *chown;
	char *checksum;
	/*
	 * --link: the layer is made upon nothing, so it and its record are
	 * right upon whatever lies below.
	 */
	bool is_link;
};

/*
 * bld_copy_flags(st, node, spec, ret, err): all but --from, into ${spec} and
 * *ret, whose strings ${spec} borrows.
 * Owns:   *ret, bld_copy_flags_fini(), also after a failure.
 * Errors: STV_E_CHECK, STV_E_SYNTAX, STV_E_INPUT with the place.
 */
int bld_copy_flags(struct bld_stage *st, const struct df_node *node,
		   struct bld_copy_spec *spec, struct bld_copy_flags *ret,
		   struct stv_err **err);

/*
 * bld_copy_flags_select(node, spec, err): of the flags only those that say
 * which files are taken: --parents and --exclude.
 */
int bld_copy_flags_select(const struct df_node *node,
			  struct bld_copy_spec *spec, struct stv_err **err);

/* bld_copy_flags_fini(f): free what it holds. */
void bld_copy_flags_fini(struct bld_copy_flags *f);

/*
 * bld_copy_flags_key(f, spec, key): the fields of a step's key, by the names
 * that a miss tells.
 */
void bld_copy_flags_key(const struct bld_copy_flags *f,
			const struct bld_copy_spec *spec, struct key *key);

#endif /* STAVE_BUILDER_COPY_FLAGS_H */
