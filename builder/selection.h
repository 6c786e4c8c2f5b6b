/*
 * builder/selection.h - what of a build context goes where: for each file the
 * instructions that take it, and the pattern that leaves it out.
 */
#ifndef STAVE_BUILDER_SELECTION_H
#define STAVE_BUILDER_SELECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "parser/ignore.h"

struct bld_opts; /* builder/build.h */
struct df_node;	 /* parser/ast.h */
struct stv_err;	 /* core/err.h */
struct stv_strs; /* core/strs.h */

/* One entry of the directory; everything lives for the call. */
struct bld_selected {
	const char *path;
	bool is_there; /* false: a path that was asked for and is not */
	bool is_dir;
	bool is_left_out;
	/* What decided: a pattern that leaves it out, or a '!'; or none. */
	struct df_ignore_hit hit;
	const struct df_node *const *nodes; /* COPY and ADD that take it */
	size_t n_nodes;
};

/*
 * bld_selection(o, only, fn, arg, err): call ${fn} for each entry of the
 * context directory in order, but not for what lies below a directory that is
 * left out as a whole.  Where ${only} is not empty, only for these paths
 * (cleaned) and what lies below them, left out or not.
 *
 * Nothing is executed, and no file is read.  All stages count.  A variable of
 * the base image is known where the image is in the store (o->store may be
 * NULL), and so are its triggers.
 *
 * Errors: those of a Dockerfile that cannot be planned; STV_E_INPUT where the
 *         context cannot be read.  That a source matches nothing is none.
 */
int bld_selection(const struct bld_opts *o, const struct stv_strs *only,
		  int (*fn)(void *arg, const struct bld_selected *s,
			    struct stv_err **err),
		  void *arg, struct stv_err **err);

#endif /* STAVE_BUILDER_SELECTION_H */
