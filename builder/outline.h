/*
 * builder/outline.h - what a Dockerfile can be given, without building it:
 * its stages, and the arguments, secrets, agents and contexts of a target.
 *
 * All of it is read from the file alone: no image is opened, so what a base
 * image's own environment or triggers would add is not known.
 */
#ifndef STAVE_BUILDER_OUTLINE_H
#define STAVE_BUILDER_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/vec.h"

struct bld_opts; /* builder/build.h */
struct df_file;	 /* parser/ast.h */
struct stv_err;	 /* core/err.h */

/* One thing that can be given.  Strings are owned. */
struct bld_outline_item {
	char *name;
	char *description;   /* of the comment above, or NULL */
	char *value;	     /* of an argument; NULL: it has none */
	bool is_required;    /* of a secret or an agent */
	uint32_t first_line; /* of the instruction, from 1 */
	uint32_t last_line;
};

typedef STV_VEC(struct bld_outline_item) bld_outline_items;

/* What a target can be given, in the order of the file. */
struct bld_outline {
	char *name;	   /* of the stage, or NULL */
	char *description; /* or NULL */
	bld_outline_items args;
	bld_outline_items secrets;
	bld_outline_items ssh;
	bld_outline_items contexts; /* images that a named context replaces */
};

/*
 * bld_outline_new(o, ret, err): look at the target of ${o} (of whose members
 * file, target, platform, build_args and the epoch count) and at the stages
 * that it needs.
 *
 * Owns:   *ret, bld_outline_free().
 * Errors: STV_E_CHECK with the place.
 */
int bld_outline_new(const struct bld_opts *o, struct bld_outline **ret,
		    struct stv_err **err);

/* bld_outline_free(out): NULL is ok. */
void bld_outline_free(struct bld_outline *out);

/* One stage.  Strings are owned; NULL where there is none. */
struct bld_target_info {
	char *name; /* in lower case */
	char *description;
	char *base;	/* as written */
	char *platform; /* likewise */
	uint32_t first_line;
	uint32_t last_line;
};

typedef STV_VEC(struct bld_target_info) bld_target_list;

/*
 * bld_targets(f, ret): all stages of a file, appended to ${ret}; the last one
 * is the default.  Owns: bld_targets_fini().
 */
void bld_targets(const struct df_file *f, bld_target_list *ret);

/* bld_targets_fini(list): free what it owns. */
void bld_targets_fini(bld_target_list *list);

STV_DEFINE_CLEANUP(bld_outline, bld_outline_free);

#endif /* STAVE_BUILDER_OUTLINE_H */
