/* cmd/pushes.h - where the outputs of a build are pushed to. */
#ifndef STAVE_CMD_PUSHES_H
#define STAVE_CMD_PUSHES_H

#include "builder/build.h"
#include "cache/repack.h"
#include "core/vec.h"
#include "registry/ref.h"

struct build_request; /* cmd/build_request.h */
struct stv_err;	      /* core/err.h */

/* One name. */
struct cmd_push {
	struct reg_ref ref;
	struct cas_repack_opts form;
	size_t target;
	bool is_by_digest;
};

struct cmd_pushes {
	STV_VEC(struct cmd_push) list;
	STV_VEC(struct bld_push_to) to; /* borrows from ${list} */
	bool is_only;			/* no output wants the image here */
};

/*
 * cmd_pushes_make(r, is_stable, ret, err): each name of each output that is
 * pushed.  ${is_stable}: compress to the same bytes on every machine.
 * Owns:    *ret, cmd_pushes_fini(), also after a failure.
 * Borrows: ${r}.
 * Errors:  STV_E_USAGE: an image without a name.
 */
int cmd_pushes_make(const struct build_request *r, bool is_stable,
		    struct cmd_pushes *ret, struct stv_err **err);

/* cmd_pushes_fini(p): free the members. */
void cmd_pushes_fini(struct cmd_pushes *p);

#endif /* STAVE_CMD_PUSHES_H */
