/* cmd/pushes.c - where the outputs of a build are pushed to. */
#include "core/err.h"
#include "core/strs.h"

#include "cmd/build_request.h"
#include "cmd/pushes.h"

static int
add_name(const struct build_request *r, const struct cmd_output *o,
	 size_t target, const char *name, struct cmd_pushes *ret,
	 struct stv_err **err)
{
	struct cmd_push *p = stv_vec_push(&ret->list);
	bool is_annotated = r->annotations.manifest.len > 0 ||
			    cmd_caches_has_inline(&r->caches);

	*p = (struct cmd_push){
		.form = {.how = o->compression,
			 .is_forced = o->is_forced,
			 .has_docker_types = cmd_output_has_docker_types(o) &&
					     !is_annotated,
			 .annotations = o->annotations.manifest},
		.target = target,
		.is_by_digest = o->is_by_digest,
	};
	return reg_ref_parse(name, &p->ref, err);
}

/* What one output says of one target. */
static int
add_target(const struct build_request *r, const struct cmd_output *o,
	   size_t target, struct cmd_pushes *ret, struct stv_err **err)
{
	const struct stv_strs *names =
		o->names.len > 0 ? &o->names : &r->targets.list.v[target].tags;

	if (names->len == 0) {
		stv_fail(err, STV_E_USAGE,
			 "an image without a name cannot be pushed");
		stv_err_hint(*err, "Add -t NAME, or name=NAME to --output.");
		return -1;
	}
	for (size_t i = 0; i < names->len; i++)
		if (add_name(r, o, target, names->v[i], ret, err) < 0)
			return -1;
	return 0;
}

static int
add_output(const struct build_request *r, const struct cmd_output *o,
	   struct cmd_pushes *ret, struct stv_err **err)
{
	if (o->target != NULL)
		return add_target(r, o,
				  cmd_targets_find(&r->targets, o->target), ret,
				  err);
	for (size_t i = 0; i < r->targets.list.len; i++)
		if (add_target(r, o, i, ret, err) < 0)
			return -1;
	return 0;
}

int
cmd_pushes_make(const struct build_request *r, bool is_stable,
		struct cmd_pushes *ret, struct stv_err **err)
{
	ret->is_only = r->outputs.len > 0;
	for (size_t i = 0; i < r->outputs.len; i++) {
		const struct cmd_output *o = &r->outputs.v[i];

		if (o->type != CMD_OUTPUT_REGISTRY &&
		    o->type != CMD_OUTPUT_CACHE)
			ret->is_only = false;
		if (o->is_pushed && add_output(r, o, ret, err) < 0)
			return -1;
	}
	ret->is_only &= ret->list.len > 0;
	for (size_t i = 0; i < ret->list.len; i++) {
		struct cmd_push *p = &ret->list.v[i];

		p->form.how.is_stable = is_stable;
		*stv_vec_push(&ret->to) =
			(struct bld_push_to){.target = p->target,
					     .ref = &p->ref,
					     .form = &p->form,
					     .is_by_digest = p->is_by_digest};
	}
	return 0;
}

void
cmd_pushes_fini(struct cmd_pushes *p)
{
	for (size_t i = 0; i < p->list.len; i++)
		reg_ref_fini(&p->list.v[i].ref);
	stv_vec_fini(&p->list);
	stv_vec_fini(&p->to);
}
