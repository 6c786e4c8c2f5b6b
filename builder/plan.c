/* builder/plan.c - from instructions to stages, and what the target needs. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"
#include "parser/parse.h"
#include "registry/ref.h"

#include "builder/build_internal.h"

void
bld_stage_free(struct bld_stage *st)
{
	if (st == NULL)
		return;
	for (size_t i = 0; i < st->steps.len; i++)
		free(st->steps.v[i].from.reference);
	stv_vec_fini(&st->steps);
	for (size_t i = 0; i < st->n_triggers; i++)
		df_file_free(st->triggers[i]);
	free(st->triggers);
	free(st->base.reference);
	stv_platform_fini(&st->platform);
	oci_config_free(st->config);
	stv_strs_clear(&st->env);
	stv_strs_clear(&st->args);
	stv_strs_clear(&st->declared);
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
	{DF_RUN, "mount"},	  {DF_RUN, "security"}, {DF_RUN, "device"},
	{DF_COPY, "link"},	  {DF_COPY, "parents"}, {DF_COPY, "exclude"},
	{DF_ADD, "link"},	  {DF_ADD, "exclude"},	{DF_ADD, "checksum"},
	{DF_ADD, "keep-git-dir"}, {DF_ADD, "unpack"},
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

/* The stage of that name, any case; the last one before ${limit}. */
static bool
find_stage(const struct bld_build *b, const char *name, size_t limit,
	   size_t *ret)
{
	for (size_t i = limit; i-- > 0;) {
		const char *have = b->stages.v[i]->name;

		if (have != NULL && strcasecmp(have, name) == 0) {
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
	if (reg_ref_parse(text, &ref, err) < 0) {
		stv_wrap(err, "'%s' is neither a stage nor an image name",
			 text);
		return at(err, span);
	}
	return 0;
}

int
bld_plan_origin(struct bld_build *b, size_t stage, const char *text,
		struct stv_span span, struct bld_origin *ret,
		struct stv_err **err)
{
	size_t n;

	if (find_stage(b, text, stage, &n) ||
	    (parse_index(text, &n) && n < stage)) {
		*ret = (struct bld_origin){.kind = BLD_BASE_STAGE, .stage = n};
		return 0;
	}
	if (parse_index(text, &n) || find_stage(b, text, b->stages.len, &n)) {
		stv_fail(err, STV_E_CHECK,
			 n == stage ? "stage '%s' cannot copy from itself"
				    : "there is no stage '%s' before this one",
			 text);
		stv_err_hint(*err, "COPY --from takes an earlier stage or an "
				   "image; move that stage up.");
		return at(err, span);
	}
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
	stv_auto_free char *base = NULL;
	size_t n;

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
		stv_auto_free char *platform = NULL;

		if (bld_expand_global(b, flag->value, flag->value_span,
				      &platform, err) < 0)
			return -1;
		if (*platform == '\0') {
			stv_fail(err, STV_E_CHECK,
				 "--platform is empty after expansion");
			return at(err, flag->span);
		}
		if (stv_platform_parse(platform, &st->platform, err) < 0)
			return at(err, flag->value_span);
		st->has_platform = true;
	}
	if (node->n_args >= 3) {
		st->name = stv_xstrdup(node->args[2].text);
		/* Stage names know no case; FROM writes them in lower case. */
		for (char *p = st->name; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
	}
	if (find_stage(b, base, st->index, &n) &&
	    strcmp(b->stages.v[n]->name, base) == 0)
		st->base =
			(struct bld_origin){.kind = BLD_BASE_STAGE, .stage = n};
	else if (strcmp(base, "scratch") == 0)
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

		if (bld_plan_supported(node, err) < 0)
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
			struct bld_step *s = stv_vec_push(&st->steps);

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

/* COPY --from of all stages, once all names are known. */
static int
plan_copies(struct bld_build *b, struct bld_stage *st, struct stv_err **err)
{
	for (size_t i = 0; i < st->steps.len; i++) {
		struct bld_step *s = &st->steps.v[i];
		const struct df_flag *flag = df_node_flag(s->node, "from");

		if (s->node->kind != DF_COPY || flag == NULL)
			continue;
		if (bld_plan_origin(b, st->index, flag->value, flag->value_span,
				    &s->from, err) < 0)
			return -1;
		s->has_from = true;
	}
	return 0;
}

static int
plan_target(struct bld_build *b, struct stv_err **err)
{
	const char *want = b->o->target, *near;
	STV_VEC(const char *) names = {0};

	b->target = b->stages.len - 1;
	if (want == NULL || find_stage(b, want, b->stages.len, &b->target))
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

/* Mark what the target needs; edges go to earlier stages only. */
static void
plan_needs(struct bld_build *b)
{
	b->stages.v[b->target]->is_needed = true;
	for (size_t i = b->target + 1; i-- > 0;) {
		struct bld_stage *st = b->stages.v[i];

		if (!st->is_needed)
			continue;
		if (st->base.kind == BLD_BASE_STAGE)
			b->stages.v[st->base.stage]->is_needed = true;
		for (size_t k = 0; k < st->steps.len; k++)
			if (st->steps.v[k].has_from &&
			    st->steps.v[k].from.kind == BLD_BASE_STAGE)
				b->stages.v[st->steps.v[k].from.stage]
					->is_needed = true;
	}
}

static void
plan_numbers(struct bld_build *b)
{
	for (size_t i = 0; i < b->stages.len; i++) {
		struct bld_stage *st = b->stages.v[i];

		if (!st->is_needed)
			continue;
		st->from_id = ++b->n_ids;
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
	if (plan_nodes(b, err) < 0)
		return -1;
	for (size_t i = 0; i < b->stages.len; i++)
		if (plan_copies(b, b->stages.v[i], err) < 0)
			return -1;
	if (plan_target(b, err) < 0)
		return -1;
	plan_needs(b);
	plan_numbers(b);
	return 0;
}
