/* builder/emulation.h - can programs of another platform run here? */
#ifndef STAVE_BUILDER_EMULATION_H
#define STAVE_BUILDER_EMULATION_H

#include <stdbool.h>

struct bld_build;    /* builder/build_internal.h */
struct bld_stage;    /* builder/build_internal.h */
struct bld_step;     /* builder/build_internal.h */
struct stv_err;	     /* core/err.h */
struct stv_platform; /* core/oci.h */

/*
 * bld_can_run(p): does the kernel execute programs of ${p}: its own, those of a
 * processor that it is too (386 on amd64), or those that an interpreter is
 * registered for (binfmt_misc)?  The kernel itself is asked, with a program
 * that none can start: it is looked at, and nothing of it runs.  Where that
 * cannot be found out, true.
 */
bool bld_can_run(const struct stv_platform *p);

/*
 * bld_emulation_check(st, step, err): can the RUN ${step} run here?
 * Errors: STV_E_PRIVILEGE, at its place, with what to install.
 */
int bld_emulation_check(const struct bld_stage *st, const struct bld_step *step,
			struct stv_err **err);

/*
 * bld_emulation_plan(b, err): the same of all RUNs of a planned build, as far
 * as the plan knows: the platform of an image that has none of its own is that
 * of its FROM.
 */
int bld_emulation_plan(const struct bld_build *b, struct stv_err **err);

#endif /* STAVE_BUILDER_EMULATION_H */
