/*
 * builder/answer.h - what is known of a chain of layers without having them.
 *
 * A step's key may depend on what lies in other layers: which files a
 * COPY --from takes, whom a --chown names, what a mount shows.  With their
 * answers exported beside the records, a machine that has none of the layers
 * knows the key all the same.
 */
#ifndef STAVE_BUILDER_ANSWER_H
#define STAVE_BUILDER_ANSWER_H

#include <stddef.h>

#include "core/digest.h"

struct bld_build;  /* builder/build_internal.h */
struct bld_stage;  /* builder/build_internal.h */
struct bld_step;   /* builder/build_internal.h */
struct key;	   /* cache/key.h */
struct oci_config; /* core/oci.h */
struct stv_err;	   /* core/err.h */

/*
 * bld_answer_question(what, config): a question about the layers of ${config};
 * what else it depends on is added to it.  Owns: key_free().
 */
struct key *bld_answer_question(const char *what,
				const struct oci_config *config);

/*
 * bld_answer_find(st, step, config, question, ret, err): what others have
 * answered, where the layers of ${config} are not here; else, or where nobody
 * has, fetch them, so that it can be found out.  The lock is held.
 * Returns: 1 and *ret, 0: find it out, or -1 (bld_lazy_need()).
 */
int bld_answer_find(struct bld_stage *st, const struct bld_step *step,
		    const struct oci_config *config, const struct key *question,
		    char ret[STV_DIGEST_STR_MAX], struct stv_err **err);

/* bld_answer_note(b, question, text): that was found out; for --cache-to. */
void bld_answer_note(struct bld_build *b, const struct key *question,
		     const char *text);

#endif /* STAVE_BUILDER_ANSWER_H */
