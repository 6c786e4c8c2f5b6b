/* builder/answer.c - what is known of a chain of layers without having them. */
#include "cache/key.h"
#include "core/oci.h"

#include "builder/answer.h"
#include "builder/build_internal.h"
#include "builder/cache_export.h"
#include "builder/cache_import.h"
#include "builder/lazy.h"

struct key *
bld_answer_question(const char *what, const struct oci_config *config)
{
	struct key *k = key_new("stave-answer/1");

	key_add_str(k, "question", what);
	for (size_t i = 0; i < config->n_diff_ids; i++)
		key_add_digest(k, "layer", &config->diff_ids[i]);
	return k;
}

int
bld_answer_find(struct bld_stage *st, const struct bld_step *step,
		const struct oci_config *config, const struct key *question,
		char ret[STV_DIGEST_STR_MAX], struct stv_err **err)
{
	struct stv_digest d;
	int r = bld_lazy_is_here(st->b, config->diff_ids, config->n_diff_ids,
				 err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	key_end(question, &d, NULL);
	if (bld_import_answer(st->b, &d, ret)) {
		/* It holds for the next machine as well. */
		bld_answer_note(st->b, question, ret);
		return 1;
	}
	return bld_lazy_need(st, step, config->diff_ids, config->n_diff_ids,
			     err);
}

void
bld_answer_note(struct bld_build *b, const struct key *question,
		const char *text)
{
	struct stv_digest d;

	if (b->done == NULL)
		return;
	key_end(question, &d, NULL);
	bld_done_answer(b->done, &d, text);
}
