/*
 * builder/outline.c - what a target can be given.
 *
 * Stages are walked in the order of the file with the values that a build
 * would see.  What is shown of an argument is what the stage nearest to the
 * target says of it, and only arguments that something uses are shown: all as
 * in BuildKit.
 */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"
#include "parser/expand.h"
#include "parser/mount.h"

#include "builder/build_internal.h"
#include "builder/outline.h"
#include "builder/outline_comment.h"

typedef STV_VEC(size_t) index_list;

/* An argument as one scope declares it. */
struct arg {
	struct bld_outline_item item;
	struct stv_strs deps; /* names that its default holds */
};

typedef STV_VEC(struct arg) arg_list;

/* What was found in one stage. */
struct scope {
	arg_list args;
	struct stv_strs used; /* names of arguments */
	bld_outline_items secrets;
	bld_outline_items ssh;
	bld_outline_items contexts;
	index_list stages; /* that its mounts need */
	bool is_done;
};

/* The whole of it. */
struct outline {
	struct bld_build *b;
	const struct df_file *f;
	bld_comments comments;
	arg_list global;
	struct scope *scopes; /* one for each stage */
};

/* Where an instruction stands; a trigger stands where its stage begins. */
struct where {
	size_t node;
	bool is_trigger;
};

/* ---- lists ---------------------------------------------------------------*/

static void
item_fini(struct bld_outline_item *it)
{
	free(it->name);
	free(it->description);
	free(it->value);
}

static void
items_fini(bld_outline_items *list)
{
	for (size_t i = 0; i < list->len; i++)
		item_fini(&list->v[i]);
	stv_vec_fini(list);
}

static void
args_fini(arg_list *list)
{
	for (size_t i = 0; i < list->len; i++) {
		item_fini(&list->v[i].item);
		stv_strs_clear(&list->v[i].deps);
	}
	stv_vec_fini(list);
}

static bool
has_item(const bld_outline_items *list, const char *name)
{
	for (size_t i = 0; i < list->len; i++)
		if (strcmp(list->v[i].name, name) == 0)
			return true;
	return false;
}

static const struct arg *
find_arg(const arg_list *list, const char *name)
{
	for (size_t i = list->len; i-- > 0;)
		if (strcmp(list->v[i].item.name, name) == 0)
			return &list->v[i];
	return NULL;
}

static void
add_name(struct stv_strs *list, const char *name)
{
	if (!stv_strs_has(list, name))
		stv_strs_add(list, name);
}

static struct bld_outline_item
make_item(const struct outline *o, struct where at, const char *name,
	  const char *value)
{
	struct bld_outline_item it = {
		.name = stv_xstrdup(name),
		.value = value == NULL ? NULL : stv_xstrdup(value),
	};

	bld_node_lines(o->f, &o->f->nodes[at.node], &it.first_line,
		       &it.last_line);
	if (!at.is_trigger)
		it.description =
			bld_comments_find(&o->comments, o->f, at.node, name);
	return it;
}

static struct bld_outline_item
copy_item(const struct bld_outline_item *it)
{
	struct bld_outline_item copy = *it;

	copy.name = stv_xstrdup(it->name);
	if (it->description != NULL)
		copy.description = stv_xstrdup(it->description);
	if (it->value != NULL)
		copy.value = stv_xstrdup(it->value);
	return copy;
}

/* ---- arguments -----------------------------------------------------------*/

/* Declare "NAME=DEFAULT" with the values of ${env}. */
static int
declare(struct outline *o, const struct df_arg *arg, struct stv_strs *env,
	struct where at, struct arg *ret, struct stv_err **err)
{
	const char *eq = strchr(arg->text, '=');
	stv_auto_free char *word =
		eq == NULL ? stv_xstrdup(arg->text)
			   : stv_xstrndup(arg->text, (size_t)(eq - arg->text));
	stv_auto_free char *name = NULL;
	stv_auto_free char *value = NULL;
	const char *given;

	if (bld_expand_in(o->b, env, word, NULL, &name, err) < 0)
		return stv_err_at(*err, arg->span);
	given = stv_env_get(&o->b->o->build_args, name);
	if (given == NULL && eq != NULL &&
	    bld_expand_in(o->b, env, eq + 1, &ret->deps, &value, err) < 0)
		return stv_err_at(*err, arg->span);
	ret->item = make_item(o, at, name, given != NULL ? given : value);
	return 0;
}

/* An ARG before the first FROM. */
static int
take_global(struct outline *o, size_t node, struct stv_strs *env,
	    struct stv_err **err)
{
	const struct df_node *n = &o->f->nodes[node];

	for (size_t i = 0; i < n->n_args; i++) {
		struct arg *a = stv_vec_push(&o->global);

		*a = (struct arg){0};
		if (declare(o, &n->args[i], env, (struct where){.node = node},
			    a, err) < 0)
			return -1;
		if (a->item.value != NULL)
			stv_env_set(env, a->item.name, a->item.value);
	}
	return 0;
}

/* An ARG of a stage; without a value of its own it is the global one. */
static int
take_arg(struct outline *o, struct bld_stage *st, const struct df_node *n,
	 struct where at, struct stv_err **err)
{
	struct scope *s = &o->scopes[st->index];

	for (size_t i = 0; i < n->n_args; i++) {
		struct arg a = {0};
		const char *value, *global = NULL;

		if (declare(o, &n->args[i], &st->env, at, &a, err) < 0) {
			stv_strs_clear(&a.deps);
			return -1;
		}
		stv_strs_clear(&a.deps);
		value = a.item.value;
		if (value == NULL)
			value = global =
				stv_env_get(&o->b->global_env, a.item.name);
		if (value != NULL)
			stv_env_set(&st->env, a.item.name, value);
		add_name(&s->used, a.item.name);
		if (global == NULL)
			*stv_vec_push(&s->args) = a;
		else
			item_fini(&a.item);
	}
	return 0;
}

/* Each of an ENV sees the values from before all of it. */
static int
take_env(struct bld_stage *st, const struct df_node *n, struct stv_err **err)
{
	struct stv_strs names = {0}, values = {0};
	int rc = 0;

	for (size_t i = 0; i + 2 < n->n_args && rc == 0; i += 3) {
		char *name = NULL, *value = NULL;

		rc = bld_expand(st, n->args[i].text, n->args[i].span, &name,
				err);
		if (rc == 0)
			rc = bld_expand(st, n->args[i + 1].text,
					n->args[i + 1].span, &value, err);
		if (rc == 0) {
			stv_strs_take(&names, stv_steal(&name));
			stv_strs_take(&values, stv_steal(&value));
		}
		free(name);
		free(value);
	}
	for (size_t i = 0; i < values.len && rc == 0; i++)
		stv_env_set(&st->env, names.v[i], values.v[i]);
	stv_strs_clear(&names);
	stv_strs_clear(&values);
	return rc;
}

/* ---- what else is used ---------------------------------------------------*/

static int
expand_value(void *arg, const char *text, char **ret, struct stv_err **err)
{
	struct bld_stage *st = arg;

	return bld_expand_in(st->b, &st->env, text, NULL, ret, err);
}

static void
add_context(struct outline *o, struct scope *s, struct where at,
	    const struct bld_origin *from)
{
	if (from->kind == BLD_BASE_IMAGE &&
	    !has_item(&s->contexts, from->reference))
		*stv_vec_push(&s->contexts) =
			make_item(o, at, from->reference, NULL);
}

/* A secret or an agent: each name once, as it stands first. */
static void
add_given(struct outline *o, bld_outline_items *list, struct where at,
	  const char *name, bool is_required)
{
	struct bld_outline_item it;

	if (has_item(list, name))
		return;
	it = make_item(o, at, name, NULL);
	it.is_required = is_required;
	*stv_vec_push(list) = it;
}

/* The name of a secret that has perhaps none but its file's. */
static const char *
secret_name(const struct df_mount *m)
{
	const char *slash;

	if (m->source != NULL)
		return m->source;
	if (m->id != NULL)
		return m->id;
	if (m->target == NULL)
		return "";
	slash = strrchr(m->target, '/');
	return slash == NULL ? m->target : slash + 1;
}

static int
take_mount(struct outline *o, struct bld_stage *st, const struct df_flag *flag,
	   struct where at, struct stv_err **err)
{
	struct df_mount_expander x = {.expand = expand_value, .arg = st};
	struct scope *s = &o->scopes[st->index];
	struct bld_origin from = {0};
	struct df_mount m = {0};
	int rc = df_mount_parse(flag->value, flag->value_span, &x, &m, err);

	if (rc == 0 && m.type == DF_MOUNT_SECRET)
		add_given(o, &s->secrets, at, secret_name(&m), m.is_required);
	if (rc == 0 && m.type == DF_MOUNT_SSH)
		add_given(o, &s->ssh, at, m.id != NULL ? m.id : "default",
			  m.is_required);
	if (rc == 0 && m.from != NULL) {
		rc = bld_plan_origin(o->b, st->index, m.from, flag->value_span,
				     &from, err);
		if (rc == 0 && from.kind == BLD_BASE_STAGE)
			*stv_vec_push(&s->stages) = from.stage;
		if (rc == 0)
			add_context(o, s, at, &from);
		free(from.reference);
	}
	df_mount_fini(&m);
	return rc;
}

/* One instruction of a stage. */
static int
take_node(struct outline *o, struct bld_stage *st, const struct df_node *n,
	  struct where at, struct stv_err **err)
{
	if (n->kind == DF_ARG)
		return take_arg(o, st, n, at, err);
	if (n->kind == DF_ENV)
		return take_env(st, n, err);
	for (size_t i = 0; n->kind == DF_RUN && i < n->n_flags; i++)
		if (strcmp(n->flags[i].name, "mount") == 0 &&
		    take_mount(o, st, &n->flags[i], at, err) < 0)
			return -1;
	return 0;
}

/* The arguments that FROM uses. */
static int
take_from(struct outline *o, struct bld_stage *st, struct stv_err **err)
{
	const struct df_flag *platform = df_node_flag(st->from, "platform");
	struct stv_strs *used = &o->scopes[st->index].used;
	stv_auto_free char *base = NULL;
	stv_auto_free char *value = NULL;

	if (bld_expand_in(o->b, &o->b->global_env, st->from->args[0].text, used,
			  &base, err) < 0)
		return -1;
	if (platform == NULL)
		return 0;
	return bld_expand_in(o->b, &o->b->global_env, platform->value, used,
			     &value, err);
}

/* The triggers of the stage that this one begins from. */
static int
take_triggers(struct outline *o, struct bld_stage *st, struct stv_err **err)
{
	const struct bld_stage *base = o->b->stages.v[st->base.stage];
	struct where at = {
		.node = (size_t)(st->from - o->f->nodes),
		.is_trigger = true,
	};

	for (size_t i = 0; i < base->steps.len; i++) {
		const struct df_node *n = base->steps.v[i].node;

		if (n->onbuild != NULL &&
		    take_node(o, st, n->onbuild, at, err) < 0)
			return -1;
	}
	return 0;
}

static int
take_stage(struct outline *o, struct bld_stage *st, struct stv_err **err)
{
	struct scope *s = &o->scopes[st->index];
	struct where at = {.node = (size_t)(st->from - o->f->nodes)};

	if (take_from(o, st, err) < 0)
		return -1;
	add_context(o, s, at, &st->base);
	if (st->base.kind == BLD_BASE_STAGE) {
		stv_strs_copy(&st->env, &o->b->stages.v[st->base.stage]->env);
		if (take_triggers(o, st, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < st->steps.len; i++) {
		const struct bld_step *step = &st->steps.v[i];

		at.node = (size_t)(step->node - o->f->nodes);
		if (step->has_from)
			add_context(o, s, at, &step->from);
		if (take_node(o, st, step->node, at, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- from the target on --------------------------------------------------*/

static void
add_items(bld_outline_items *list, const bld_outline_items *more)
{
	for (size_t i = 0; i < more->len; i++)
		if (!has_item(list, more->v[i].name))
			*stv_vec_push(list) = copy_item(&more->v[i]);
}

/* What a stage uses, and what the defaults of that use. */
static void
add_args(const struct outline *o, struct scope *s, struct bld_outline *out)
{
	for (size_t i = 0; i < s->used.len; i++) {
		const char *name = s->used.v[i];
		const struct arg *a = find_arg(&s->args, name);

		if (a == NULL)
			a = find_arg(&o->global, name);
		if (a == NULL)
			continue;
		for (size_t k = 0; k < a->deps.len; k++)
			add_name(&s->used, a->deps.v[k]);
		if (!has_item(&out->args, name))
			*stv_vec_push(&out->args) = copy_item(&a->item);
	}
}

/* The stages that this one needs, the base on top. */
static void
push_needed(const struct outline *o, size_t index, index_list *stack)
{
	const struct bld_stage *st = o->b->stages.v[index];
	const struct scope *s = &o->scopes[index];

	for (size_t i = s->stages.len; i-- > 0;)
		*stv_vec_push(stack) = s->stages.v[i];
	for (size_t i = st->steps.len; i-- > 0;)
		if (st->steps.v[i].has_from &&
		    st->steps.v[i].from.kind == BLD_BASE_STAGE)
			*stv_vec_push(stack) = st->steps.v[i].from.stage;
	if (st->base.kind == BLD_BASE_STAGE)
		*stv_vec_push(stack) = st->base.stage;
}

/* A stage, after those that it begins from. */
static int
take_chain(struct outline *o, size_t index, struct stv_err **err)
{
	index_list chain = {0};
	int rc = 0;

	for (; !o->scopes[index].is_done;
	     index = o->b->stages.v[index]->base.stage) {
		o->scopes[index].is_done = true;
		*stv_vec_push(&chain) = index;
		if (o->b->stages.v[index]->base.kind != BLD_BASE_STAGE)
			break;
	}
	while (chain.len > 0 && rc == 0)
		rc = take_stage(o, o->b->stages.v[chain.v[--chain.len]], err);
	stv_vec_fini(&chain);
	return rc;
}

/* The targets and what they need, the nearest first. */
static int
collect(struct outline *o, struct bld_outline *out, struct stv_err **err)
{
	bool *seen = stv_xcalloc(o->b->stages.len, sizeof(*seen));
	index_list stack = {0};
	int rc = 0;

	for (size_t i = o->b->targets.len; i-- > 0;)
		*stv_vec_push(&stack) = o->b->targets.v[i];
	while (stack.len > 0 && rc == 0) {
		size_t index = stack.v[--stack.len];
		struct scope *s = &o->scopes[index];

		if (seen[index])
			continue;
		seen[index] = true;
		rc = take_chain(o, index, err);
		add_args(o, s, out);
		add_items(&out->secrets, &s->secrets);
		add_items(&out->ssh, &s->ssh);
		add_items(&out->contexts, &s->contexts);
		push_needed(o, index, &stack);
	}
	stv_vec_fini(&stack);
	free(seen);
	return rc;
}

/* By line; those of one line stay in their order. */
static void
sort_items(bld_outline_items *list)
{
	for (size_t i = 1; i < list->len; i++) {
		struct bld_outline_item it = list->v[i];
		size_t k = i;

		for (; k > 0 && list->v[k - 1].first_line > it.first_line; k--)
			list->v[k] = list->v[k - 1];
		list->v[k] = it;
	}
}

/* The arguments before the first FROM. */
static int
take_globals(struct outline *o, struct stv_err **err)
{
	struct stv_strs env = {0};
	int rc = 0;

	stv_strs_copy(&env, &o->b->auto_args);
	for (size_t i = 0; rc == 0 && i < o->f->n_nodes; i++) {
		if (o->f->nodes[i].kind == DF_FROM)
			break;
		rc = take_global(o, i, &env, err);
	}
	stv_strs_clear(&env);
	return rc;
}

static void
outline_fini(struct outline *o)
{
	for (size_t i = 0; o->scopes != NULL && i < o->b->stages.len; i++) {
		struct scope *s = &o->scopes[i];

		args_fini(&s->args);
		stv_strs_clear(&s->used);
		items_fini(&s->secrets);
		items_fini(&s->ssh);
		items_fini(&s->contexts);
		stv_vec_fini(&s->stages);
	}
	free(o->scopes);
	args_fini(&o->global);
	stv_vec_fini(&o->comments);
}

/* What the (first) target itself is called. */
static void
name_target(const struct outline *o, struct bld_outline *out)
{
	const struct bld_stage *st = o->b->stages.v[o->b->targets.v[0]];

	if (st->name == NULL)
		return;
	out->name = stv_xstrdup(st->name);
	out->description = bld_comments_find(
		&o->comments, o->f, (size_t)(st->from - o->f->nodes), st->name);
}

int
bld_outline_new(const struct bld_opts *opts, struct bld_outline **ret,
		struct stv_err **err)
{
	struct bld_build b = {.o = opts, .is_outline = true};
	struct outline o = {.b = &b, .f = opts->file};
	stv_auto(bld_outline) *out = stv_xcalloc(1, sizeof(*out));
	int rc = bld_plan(&b, err);

	if (rc == 0) {
		bld_comments_index(o.f, &o.comments);
		o.scopes = stv_xcalloc(b.stages.len, sizeof(*o.scopes));
		rc = take_globals(&o, err);
	}
	if (rc == 0)
		rc = collect(&o, out, err);
	if (rc == 0) {
		name_target(&o, out);
		sort_items(&out->args);
		sort_items(&out->secrets);
		sort_items(&out->ssh);
		sort_items(&out->contexts);
		*ret = stv_steal(&out);
	}
	outline_fini(&o);
	bld_plan_fini(&b);
	return rc;
}

void
bld_outline_free(struct bld_outline *out)
{
	if (out == NULL)
		return;
	free(out->name);
	free(out->description);
	items_fini(&out->args);
	items_fini(&out->secrets);
	items_fini(&out->ssh);
	items_fini(&out->contexts);
	free(out);
}
