/* builder/plan.c - from instructions to stages, and what the target needs. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"
#include "parser/parse.h"
#include "registry/ref.h"

#include "builder/build_internal.h"
#include "builder/mount.h"

void
bld_step_fini(struct bld_step *step)
{
	free(step->from.reference);
	for (size_t i = 0; i < step->n_mounts; i++)
		free(step->mounts[i].reference);
	free(step->mounts);
}

void
bld_stage_free(struct bld_stage *st)
{
	if (st == NULL)
		return;
	for (size_t i = 0; i < st->steps.len; i++)
		bld_step_fini(&st->steps.v[i]);
	stv_vec_fini(&st->steps);
	for (size_t i = 0; i < st->n_triggers; i++)
		df_file_free(st->triggers[i]);
	free(st->triggers);
	free(st->base.reference);
	stv_platform_fini(&st->platform);
	free(st->shown_platform);
	oci_config_free(st->config);
	stv_strs_clear(&st->env);
	stv_strs_clear(&st->args);
	stv_strs_clear(&st->declared);
	stv_strs_clear(&st->set_by);
	free(st->titles);
	free(st->created);
	free(st->name);
	free(st);
}

/* An error at a place. */
static int
at(struct stv_err **err, struct stv_span span)
{
	return stv_err_at(*err, span);
}

/* What no issue but a later one brings, by instruction and flag. */
static const struct unsupported {
	enum df_kind kind;
	const char *flag;
} unsupported[] = {
	{DF_RUN, "device"},
};

int
bld_plan_supported(const struct df_node *node, struct stv_err **err)
{
	for (size_t i = 0; i < node->n_flags; i++)
		for (size_t k = 0; k < STV_ARRAY_LEN(unsupported); k++) {
			if (unsupported[k].kind != node->kind ||
			    strcmp(unsupported[k].flag, node->flags[i].name) !=
				    0)
				continue;
			stv_fail(err, STV_E_CHECK,
				 "%s --%s is not supported by this version",
				 df_kind_name(node->kind), node->flags[i].name);
			stv_err_hint(*err, "Remove the flag, or build this "
					   "file with another builder.");
			return at(err, node->flags[i].span);
		}
	return 0;
}

char *
bld_stage_name(const char *text)
{
	char *name = stv_xstrdup(text);

	for (char *p = name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

/* The stage of that name, any case; the last one before ${limit}. */
static bool
find_stage(const struct bld_build *b, const char *name, size_t limit,
	   size_t *ret)
{
	stv_auto_free char *want = bld_stage_name(name);

	for (size_t i = limit; i-- > 0;) {
		const char *have = b->stages.v[i]->name;

		if (have != NULL && strcmp(have, want) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* A number that may name a stage. */
static bool
parse_index(const char *text, size_t *ret)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)text[0]) || strlen(text) > 6)
		return false;
	n = strtoul(text, &end, 10);
	*ret = n;
	return *end == '\0';
}

/* A reference that the grammar knows, or an error at its place. */
static int
check_reference(const char *text, struct stv_span span, struct stv_err **err)
{
	reg_auto_ref ref = {0};

	if (strchr(text, '$') != NULL) {
		stv_fail(err, STV_E_CHECK,
			 "variables are not expanded here: '%s'", text);
		stv_err_hint(*err,
			     "Write 'FROM %s AS name' above, and that "
			     "name here.",
			     text);
		return at(err, span);
	}
	if (reg_ref_parse(text, &ref, err) == 0)
		return 0;
	stv_wrap(err, "'%s' is neither a stage nor an image name", text);
	stv_err_set_code(*err, STV_E_CHECK);
	return at(err, span);
}

int
bld_plan_origin(struct bld_build *b, size_t stage, const char *text,
		struct stv_span span, struct bld_origin *ret,
		struct stv_err **err)
{
	size_t n;
	int r;

	if (find_stage(b, text, stage, &n) ||
	    (parse_index(text, &n) && n < stage)) {
		*ret = (struct bld_origin){.kind = BLD_BASE_STAGE, .stage = n};
		return 0;
	}
	if (parse_index(text, &n) || find_stage(b, text, b->stages.len, &n)) {
		stv_fail(err, STV_E_CHECK,
			 n == stage ? "stage '%s' cannot be its own source"
				    : "there is no stage '%s' before this one",
			 text);
		stv_err_hint(*err, "A source is an earlier stage or an image; "
				   "move that stage up.");
		return at(err, span);
	}
	if (strcmp(text, "scratch") == 0) {
		*ret = (struct bld_origin){.kind = BLD_BASE_SCRATCH};
		return 0;
	}
	r = bld_named_find(b, text, NULL, ret, err);
	if (r != 0)
		return r < 0 ? at(err, span) : 0;
	if (check_reference(text, span, err) < 0)
		return -1;
	*ret = (struct bld_origin){.kind = BLD_BASE_IMAGE,
				   .reference = stv_xstrdup(text)};
	return 0;
}

/* FROM x [AS y]. */
static int
plan_from(struct bld_build *b, const struct df_node *node, struct bld_stage *st,
	  struct stv_err **err)
{
	const struct df_flag *flag = df_node_flag(node, "platform");
	const struct stv_platform *platform = NULL;
	stv_auto_free char *base = NULL;
	size_t n;
	int r;

	if (bld_expand_global(b, node->args[0].text, node->args[0].span, &base,
			      err) < 0)
		return -1;
	if (*base == '\0') {
		stv_fail(err, STV_E_CHECK,
			 "the base name '%s' is empty after expansion",
			 node->args[0].text);
		stv_err_hint(*err, "Declare the argument before the first FROM "
				   "with a default, or give --build-arg.");
		return at(err, node->args[0].span);
	}
	if (flag != NULL) {
		stv_auto_free char *text = NULL;

		if (bld_expand_global(b, flag->value, flag->value_span, &text,
				      err) < 0)
			return -1;
		if (*text == '\0') {
			stv_fail(err, STV_E_CHECK,
				 "--platform is empty after expansion");
			return at(err, flag->span);
		}
		if (stv_platform_parse(text, &st->platform, err) < 0) {
			stv_err_set_code(*err, STV_E_CHECK);
			return at(err, flag->value_span);
		}
		st->has_platform = true;
		platform = &st->platform;
	}
	if (node->n_args >= 3)
		st->name = bld_stage_name(node->args[2].text);
	/* A context of the stage's own name stands for all of it. */
	r = st->name == NULL
		    ? 0
		    : bld_named_find(b, st->name, platform, &st->base, err);
	st->is_replaced = r == 1;
	if (r == 0 && find_stage(b, base, st->index, &n) &&
	    strcmp(b->stages.v[n]->name, base) == 0) {
		st->base =
			(struct bld_origin){.kind = BLD_BASE_STAGE, .stage = n};
		r = 1;
	}
	if (r == 0 && strcmp(base, "scratch") != 0)
		r = bld_named_find(b, base, platform, &st->base, err);
	if (r != 0)
		return r < 0 ? at(err, node->args[0].span) : 0;
	if (strcmp(base, "scratch") == 0)
		st->base.kind = BLD_BASE_SCRATCH;
	else if (check_reference(base, node->args[0].span, err) < 0)
		return -1;
	else
		st->base = (struct bld_origin){.kind = BLD_BASE_IMAGE,
					       .reference = stv_xstrdup(base)};
	return 0;
}

/* Does the display give it a number? */
static bool
is_shown(enum df_kind kind)
{
	return kind == DF_RUN || kind == DF_COPY || kind == DF_ADD ||
	       kind == DF_WORKDIR;
}

static int
plan_nodes(struct bld_build *b, struct stv_err **err)
{
	const struct df_file *f = b->o->file;
	struct bld_stage *st = NULL;

	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct df_node *node = &f->nodes[i];

		if (!b->is_outline && bld_plan_supported(node, err) < 0)
			return -1;
		if (node->kind == DF_FROM) {
			st = stv_xcalloc(1, sizeof(*st));
			st->b = b;
			st->index = b->stages.len;
			st->from = node;
			*stv_vec_push(&b->stages) = st;
			if (plan_from(b, node, st, err) < 0)
				return -1;
		} else if (st == NULL) {
			if (bld_global_arg(b, node, err) < 0)
				return -1;
		} else {
			struct bld_step *s;

			/* Of what a context stands for nothing runs. */
			if (st->is_replaced)
				continue;
			s = stv_vec_push(&st->steps);
			s->node = node;
			s->is_shown = is_shown(node->kind);
		}
	}
	if (b->stages.len == 0) {
		stv_fail(err, STV_E_CHECK, "no build stage: FROM is missing");
		stv_err_hint(*err, "A Dockerfile begins with 'FROM image' or "
				   "'FROM scratch'.");
		return -1;
	}
	return 0;
}

int
bld_plan_allowed(const struct bld_build *b, const struct df_node *node,
		 struct stv_err **err)
{
	const struct df_flag *security = df_node_flag(node, "security");
	const struct df_flag *net = df_node_flag(node, "network");

	if (node->kind != DF_RUN)
		return 0;
	if (security != NULL && strcmp(security->value, "insecure") == 0 &&
	    !b->o->allow_insecure) {
		stv_fail(err, STV_E_CHECK,
			 "RUN --security=insecure is not allowed");
		stv_err_hint(*err, "It takes every guard of the sandbox away. "
				   "Where that is meant, build with --allow "
				   "security.insecure.");
		return at(err, security->span);
	}
	if (net != NULL && strcmp(net->value, "host") == 0 &&
	    b->o->net == SBX_NET_NONE && !b->o->allow_host_net) {
		stv_fail(err, STV_E_CHECK,
			 "RUN --network=host is not allowed "
			 "in a build without network");
		stv_err_hint(*err, "Build with --allow network.host, or "
				   "without --network none.");
		return at(err, net->span);
	}
	return 0;
}

/* COPY --from and RUN --mount of all stages, once all names are known. */
static int
plan_origins(struct bld_build *b, struct bld_stage *st, struct stv_err **err)
{
	for (size_t i = 0; i < st->steps.len; i++) {
		struct bld_step *s = &st->steps.v[i];
		const struct df_flag *flag = df_node_flag(s->node, "from");

		if (bld_plan_mounts(st, s, err) < 0)
			return -1;
		if (s->node->kind != DF_COPY || flag == NULL)
			continue;
		if (bld_plan_origin(b, st->index, flag->value, flag->value_span,
				    &s->from, err) < 0)
			return -1;
		s->has_from = true;
	}
	return 0;
}

/* The stage called ${want}; NULL is the last one. */
static int
plan_target(struct bld_build *b, const char *want, struct stv_err **err)
{
	STV_VEC(const char *) names = {0};
	size_t *stage = stv_vec_push(&b->targets);
	const char *near;

	*stage = b->stages.len - 1;
	if (want == NULL || *want == '\0' ||
	    find_stage(b, want, b->stages.len, stage))
		return 0;
	for (size_t i = 0; i < b->stages.len; i++)
		if (b->stages.v[i]->name != NULL)
			*stv_vec_push(&names) = b->stages.v[i]->name;
	*stv_vec_push(&names) = NULL;
	near = df_nearest(want, names.v);
	stv_fail(err, STV_E_CHECK, "there is no stage '%s'", want);
	if (near != NULL)
		stv_err_hint(*err, "Did you mean '--target %s'?", near);
	else
		stv_err_hint(*err, "Name a stage by 'FROM ... AS NAME'.");
	stv_vec_fini(&names);
	return -1;
}

static void
need(struct bld_build *b, const struct bld_origin *from)
{
	if (from->kind == BLD_BASE_STAGE)
		b->stages.v[from->stage]->is_needed = true;
}

static int
plan_targets(struct bld_build *b, struct stv_err **err)
{
	if (b->o->n_targets == 0)
		return plan_target(b, NULL, err);
	for (size_t i = 0; i < b->o->n_targets; i++)
		if (plan_target(b, b->o->targets[i].stage, err) < 0)
			return -1;
	return 0;
}

/* Mark what the targets need; edges go to earlier stages only. */
static void
plan_needs(struct bld_build *b)
{
	for (size_t i = 0; i < b->targets.len; i++)
		b->stages.v[b->targets.v[i]]->is_needed = true;
	for (size_t i = b->stages.len; i-- > 0;) {
		struct bld_stage *st = b->stages.v[i];

		if (!st->is_needed)
			continue;
		need(b, &st->base);
		for (size_t k = 0; k < st->steps.len; k++) {
			const struct bld_step *s = &st->steps.v[k];

			if (s->has_from)
				need(b, &s->from);
			for (size_t m = 0; m < s->n_mounts; m++)
				need(b, &s->mounts[m]);
		}
	}
}

/* Of the stages that will be built. */
static int
plan_allowed(struct bld_build *b, struct stv_err **err)
{
	for (size_t i = 0; i < b->stages.len; i++) {
		const struct bld_stage *st = b->stages.v[i];

		for (size_t k = 0; st->is_needed && k < st->steps.len; k++)
			if (bld_plan_allowed(b, st->steps.v[k].node, err) < 0)
				return -1;
	}
	return 0;
}

static void
plan_numbers(struct bld_build *b)
{
	for (size_t i = 0; i < b->stages.len; i++) {
		struct bld_stage *st = b->stages.v[i];

		if (!st->is_needed)
			continue;
		st->from_id = ++b->n_ids;
		if (b->o->part > 0 && st->shown_platform == NULL)
			st->shown_platform =
				stv_platform_str(bld_stage_platform(st));
		st->n_shown = 1;
		for (size_t k = 0; k < st->steps.len; k++)
			if (st->steps.v[k].is_shown) {
				st->steps.v[k].id = ++b->n_ids;
				st->steps.v[k].position = ++st->n_shown;
			}
	}
}

int
bld_plan(struct bld_build *b, struct stv_err **err)
{
	bld_scope_init(b);
	if (bld_named_init(b, err) < 0)
		return -1;
	if (plan_nodes(b, err) < 0)
		return -1;
	for (size_t i = 0; i < b->stages.len; i++)
		if (plan_origins(b, b->stages.v[i], err) < 0)
			return -1;
	if (plan_targets(b, err) < 0)
		return -1;
	plan_needs(b);
	if (!b->is_outline && plan_allowed(b, err) < 0)
		return -1;
	plan_numbers(b);
	return 0;
}

void
bld_plan_fini(struct bld_build *b)
{
	for (size_t i = 0; i < b->stages.len; i++)
		bld_stage_free(b->stages.v[i]);
	stv_vec_fini(&b->stages);
	stv_vec_fini(&b->targets);
	bld_named_fini(b);
	stv_strs_clear(&b->global_env);
	stv_strs_clear(&b->auto_args);
	stv_strs_clear(&b->used_args);
	stv_strs_clear(&b->pulling);
	stv_strs_clear(&b->pulled);
}
