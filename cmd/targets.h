/* cmd/targets.h - which images a build makes: --target and --tag. */
#ifndef STAVE_CMD_TARGETS_H
#define STAVE_CMD_TARGETS_H

#include "core/strs.h"
#include "core/vec.h"

#include "builder/build.h"

struct stv_err; /* core/err.h */

struct cmd_targets {
	STV_VEC(struct bld_target) list; /* at least one; each stage once */
	struct stv_strs stages;		 /* the names that the list borrows */
};

/*
 * cmd_targets_make(stages, tags, ret, err): the stages of --target in order,
 * else the last stage where a tag is for it or there is nothing else; then
 * those that a tag of the form NAME=STAGE names.  A tag without a stage is for
 * the only --target, or for the last stage.
 * Owns:   cmd_targets_fini(), also after a failure.
 * Errors: STV_E_USAGE.
 */
int cmd_targets_make(const struct stv_strs *stages, const struct stv_strs *tags,
		     struct cmd_targets *ret, struct stv_err **err);

/*
 * cmd_targets_find(t, stage): the index of the target of that stage, or
 * t->list.len.
 */
size_t cmd_targets_find(const struct cmd_targets *t, const char *stage);

/* cmd_targets_fini(t): free the members. */
void cmd_targets_fini(struct cmd_targets *t);

#endif /* STAVE_CMD_TARGETS_H */
