/* builder/copy_step.c - COPY, ADD and WORKDIR as steps. */
#include <stdlib.h>
#include <string.h>

#include "cache/key.h"
#include "cache/layer.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "parser/words.h"
#include "registry/http.h"

#include "builder/answer.h"
#include "builder/build_internal.h"
#include "builder/copy.h"
#include "builder/copy_flags.h"
#include "builder/git_ref.h"
#include "builder/lazy.h"
#include "builder/source.h"
#include "builder/user.h"

/* How often a COPY is begun anew because the context changes under it. */
#define MAX_ROUNDS 8

/* A COPY or ADD, expanded. */
struct transfer {
	struct bld_copy_spec spec;
	STV_VEC(struct bld_copy_inline) inlines;
	char *dest;
	struct bld_copy_flags flags;
	/* Of --from: whose layers, NULL where it is no image nor stage. */
	const struct oci_config *from;
	struct lay_view *source; /* of them, opened when it is looked at */
	struct oci_config *image;
};

static void
transfer_fini(struct transfer *t)
{
	for (size_t i = 0; i < t->inlines.len; i++)
		free((void *)(uintptr_t)t->inlines.v[i].data);
	stv_vec_fini(&t->inlines);
	stv_strs_clear(&t->spec.srcs);
	stv_strs_clear(&t->spec.excludes);
	lay_view_close(t->source);
	oci_config_free(t->image);
	free(t->dest);
	bld_copy_flags_fini(&t->flags);
}

static int
add_source(struct bld_stage *st, const struct df_node *node, size_t i,
	   struct transfer *t, struct stv_err **err)
{
	const struct df_heredoc *h = df_node_heredoc(node, node->args[i].text);
	char *text = NULL;

	if (h == NULL) {
		if (bld_expand(st, node->args[i].text, node->args[i].span,
			       &text, err) < 0)
			return -1;
		stv_strs_take(&t->spec.srcs, text);
		return 0;
	}
	if (bld_expand_body(st, h, &text, err) < 0)
		return -1;
	*stv_vec_push(&t->inlines) = (struct bld_copy_inline){
		.name = h->name, .data = text, .len = strlen(text)};
	return 0;
}

/* Open what is copied from. */
static int
add_origin(struct bld_stage *st, const struct bld_step *step,
	   struct transfer *t, struct stv_err **err)
{
	static const struct oci_config nothing; /* of "scratch" */
	struct bld_build *b = st->b;

	if (!step->has_from) {
		t->spec.context = b->context;
		if (b->context == NULL && t->spec.srcs.len > 0 &&
		    step->node->kind == DF_COPY) {
			stv_fail(err, STV_E_INPUT,
				 "there is no build context to copy from");
			return stv_err_at(*err, step->node->span);
		}
		return 0;
	}
	if (step->from.kind == BLD_BASE_STAGE) {
		if (bld_wait_stage(st, step->from.stage, err) < 0)
			return -1;
		t->from = b->stages.v[step->from.stage]->config;
	} else if (step->from.kind == BLD_BASE_CONTEXT) {
		if (bld_named_open(b, step->from.named, &t->spec.context, err) <
		    0)
			return stv_err_at(*err, step->node->span);
		return 0;
	} else if (step->from.kind == BLD_BASE_IMAGE) {
		if (bld_base_load(b, &step->from, &t->image, err) < 0)
			return stv_err_at(*err, step->node->span);
		t->from = t->image;
	} else {
		t->from = &nothing;
	}
	return 0;
}

/* The layers that are copied from; those that are elsewhere are fetched. */
static int
open_source(struct bld_stage *st, const struct bld_step *step,
	    struct transfer *t, struct stv_err **err)
{
	const struct oci_config *from = t->from;

	if (from == NULL || t->source != NULL)
		return 0;
	if (bld_lazy_need(st, step, from->diff_ids, from->n_diff_ids, err) <
		    0 ||
	    lay_view_open(st->b->o->store, from->diff_ids, from->n_diff_ids,
			  &t->source, err) < 0)
		return -1;
	t->spec.view = t->source;
	return 0;
}

/* What is the same for all transfers of a stage. */
static void
fill_spec(struct bld_stage *st, struct transfer *t)
{
	const struct bld_build *b = st->b;

	t->spec.inlines = t->inlines.v;
	t->spec.n_inlines = t->inlines.len;
	t->spec.dest = t->dest;
	t->spec.workdir = st->config->config.working_dir;
	if (t->spec.workdir == NULL || *t->spec.workdir == '\0')
		t->spec.workdir = "/";
	t->spec.now_s = b->now_s;
	t->spec.now_ns = b->now_ns;
	t->spec.has_epoch = bld_clamp(b).has_epoch;
	t->spec.epoch = b->o->epoch;
	t->spec.store = b->o->store;
}

static int
transfer_make(struct bld_stage *st, const struct bld_step *step,
	      struct transfer *t, struct stv_err **err)
{
	const struct df_node *node = step->node;
	size_t last = node->n_args - 1;

	for (size_t i = 0; i < last; i++)
		if (add_source(st, node, i, t, err) < 0)
			return -1;
	if (bld_expand(st, node->args[last].text, node->args[last].span,
		       &t->dest, err) < 0)
		return -1;
	if (bld_copy_flags(st, node, &t->spec, &t->flags, err) < 0 ||
	    add_origin(st, step, t, err) < 0)
		return -1;
	t->spec.is_add = node->kind == DF_ADD;
	fill_spec(st, t);
	return 0;
}

/* End the layer; an empty one is none. */
static int
commit(struct lay_writer *w, struct bld_outcome *out, struct stv_err **err)
{
	struct lay_result res;

	if (lay_writer_commit(w, &res, err) < 0)
		return -1;
	out->has_layer = res.n_entries > 0;
	out->diff_id = res.diff_id;
	return 0;
}

/*
 * Long work on what is copied: without the build's lock, so that the main
 * thread sees signals; the context with its index belongs to one thread at a
 * time.
 */
static void
begin_source(struct bld_build *b, const struct transfer *t)
{
	bld_unlock(b);
	if (t->spec.context != NULL)
		(void)pthread_mutex_lock(&b->context_lock);
}

static void
end_source(struct bld_build *b, const struct transfer *t)
{
	if (t->spec.context != NULL)
		(void)pthread_mutex_unlock(&b->context_lock);
	bld_lock(b);
}

/* One round: the layer from the plan; 1 where the context changed too much. */
static int
write_layer(struct bld_stage *st, const struct transfer *t,
	    struct bld_copy_plan *plan, bool *is_changed,
	    struct bld_outcome *out, struct stv_err **err)
{
	struct bld_build *b = st->b;
	struct lay_writer_opts opts = bld_clamp(b);
	stv_auto(lay_view) *below = NULL;
	stv_auto(lay_writer) *w = NULL;
	int r;

	if ((!t->flags.is_link && bld_view(st, &below, err) < 0) ||
	    lay_writer_open(b->o->store, &opts, &w, err) < 0)
		return -1;
	begin_source(b, t);
	r = bld_copy_write(plan, below, w, err);
	if (r == BLD_COPY_SAME || r == BLD_COPY_CHANGED) {
		*is_changed = r == BLD_COPY_CHANGED;
		r = commit(w, out, err);
	}
	end_source(b, t);
	return r < 0 ? -1 : r == BLD_COPY_STALE;
}

/*
 * Keys are kept: what is fetched stands there without a password.  What it gave
 * is in the key by its content or its commit.
 */
static void
key_source(struct key *key, const char *src)
{
	bld_auto_git_ref ref = {0};
	struct stv_err *ignored = NULL;
	stv_auto_free char *shown = NULL;

	if (bld_git_ref_parse(src, &ref, &ignored) == 1 && !ref.is_bare)
		src = ref.shown;
	else if (reg_http_is_url(src))
		shown = reg_http_redact(src);
	stv_err_clear(&ignored);
	key_add_str(key, "source", shown != NULL ? shown : src);
}

/* What the instruction says. */
static void
add_words(const struct transfer *t, struct key *key)
{
	for (size_t i = 0; i < t->spec.srcs.len; i++)
		key_source(key, t->spec.srcs.v[i]);
	key_add_str(key, "destination", t->dest);
	bld_copy_flags_key(&t->flags, &t->spec, key);
	/* What is below a link does not matter, unless it says where to go. */
	if (!t->flags.is_link || *t->dest != '/')
		key_add_str(key, "working directory", t->spec.workdir);
}

/* The step's key for what was selected. */
static void
transfer_key(struct bld_stage *st, const struct bld_step *step,
	     const struct stv_digest *inputs, const struct transfer *t,
	     struct bld_cached *ret)
{
	bld_cache_begin(st, step, df_kind_name(step->node->kind), ret);
	add_words(t, ret->key);
	key_add_digest(ret->key, "content", inputs);
	if (t->flags.is_link) {
		ret->parent_chain = (struct stv_digest){{0}};
		ret->parent_config = (struct stv_digest){{0}};
	}
}

static void
plan_key(struct bld_stage *st, const struct bld_step *step,
	 const struct bld_copy_plan *plan, const struct transfer *t,
	 struct bld_cached *ret)
{
	struct stv_digest inputs;

	bld_copy_key(plan, &inputs);
	transfer_key(st, step, &inputs, t, ret);
	ret->plan = plan;
}

/* "What does this take of those layers?"; NULL: the context can change. */
static struct key *
question_of(const struct bld_build *b, const struct transfer *t)
{
	struct stv_digest rules;
	struct key *k;

	if ((b->lazy == NULL && b->done == NULL) || t->from == NULL ||
	    t->from->n_diff_ids == 0 || t->inlines.len > 0)
		return NULL;
	k = bld_answer_question("copy", t->from);
	add_words(t, k);
	bld_copy_rules(&t->spec, &rules);
	key_add_digest(k, "rules", &rules);
	return k;
}

/*
 * A COPY from layers that are not here, whose selection somebody else has
 * found out: 1 where there is a record of it, 0 where it is to be planned, -1.
 */
static int
try_answer(struct bld_stage *st, const struct bld_step *step,
	   const struct transfer *t, const struct key *question,
	   struct bld_outcome *out, struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];
	struct bld_cached cached;
	struct stv_digest inputs;
	int r;

	if (question == NULL || st->b->lazy == NULL)
		return 0;
	r = bld_answer_find(st, step, t->from, question, text, err);
	if (r <= 0)
		return r;
	if (stv_digest_parse(text, &inputs, err) < 0)
		return -1;
	transfer_key(st, step, &inputs, t, &cached);
	r = bld_cache_look(st, step, &cached, out, err);
	bld_cache_fini(&cached);
	return r;
}

/* Select what is copied. */
static int
make_plan(struct bld_stage *st, const struct bld_step *step, struct transfer *t,
	  struct bld_copy_plan **ret, struct stv_err **err)
{
	stv_auto(key) *question = question_of(st->b, t);
	char text[STV_DIGEST_STR_MAX];
	struct stv_digest inputs;
	int r = open_source(st, step, t, err);

	if (r < 0)
		return -1;
	begin_source(st->b, t);
	r = bld_copy_plan(&t->spec, ret, err);
	end_source(st->b, t);
	if (r < 0)
		return -1;
	if (question != NULL) {
		bld_copy_key(*ret, &inputs);
		bld_answer_note(st->b, question, stv_digest_str(&inputs, text));
	}
	return 0;
}

/*
 * One round of a COPY.  1: a file went away or shrank while it was packed, and
 * everything is to be done anew.
 */
static int
round_of(struct bld_stage *st, const struct bld_step *step, struct transfer *t,
	 struct bld_outcome *out, struct stv_err **err)
{
	stv_auto(bld_copy_plan) *plan = NULL;
	struct bld_cached cached;
	bool is_changed = false;
	int r;

	r = make_plan(st, step, t, &plan, err);
	if (r < 0)
		return -1;
	plan_key(st, step, plan, t, &cached);
	r = bld_cache_find(st, step, &cached, out, err);
	if (r == 0) {
		r = write_layer(st, t, plan, &is_changed, out, err);
		out->created_s = st->b->now_s;
		if (r == 0 && is_changed) {
			bld_cache_fini(&cached);
			plan_key(st, step, plan, t, &cached);
		}
		if (r == 0)
			r = bld_cache_store(st, &cached, out, err);
		else if (r == 1)
			r = 2;
		if (r == 0)
			bld_emit(st, step, STV_EV_STEP_DONE, NULL);
	}
	bld_cache_fini(&cached);
	return r < 0 ? -1 : r == 2;
}

/* All rounds that it takes. */
static int
rounds(struct bld_stage *st, const struct bld_step *step, struct transfer *t,
       struct bld_outcome *out, struct stv_err **err)
{
	stv_auto(key) *question = question_of(st->b, t);
	int r = try_answer(st, step, t, question, out, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	for (int i = 0; i < MAX_ROUNDS; i++) {
		r = round_of(st, step, t, out, err);
		if (r <= 0)
			return r;
	}
	return stv_fail(err, STV_E_INPUT,
			"the build context keeps changing while it is copied");
}

int
bld_copy_context(struct bld_stage *st, struct stv_err **err)
{
	const struct bld_step step = {
		.node = st->from, .id = st->from_id, .position = 1};
	struct bld_outcome out = {0};
	struct transfer t = {0};
	int r = bld_named_open(st->b, st->base.named, &t.spec.context, err);

	if (r == 0) {
		stv_strs_add(&t.spec.srcs, ".");
		t.dest = stv_xstrdup("/");
		fill_spec(st, &t);
		r = rounds(st, &step, &t, &out, err);
	}
	if (r == 0)
		bld_apply(st, &out, st->from->original);
	transfer_fini(&t);
	return r;
}

int
bld_copy_step(struct bld_stage *st, const struct bld_step *step,
	      struct stv_err **err)
{
	struct transfer t = {0};
	struct bld_outcome out = {0};
	stv_auto_free char *by =
		stv_xasprintf("%s # buildkit", step->node->original);
	int r = transfer_make(st, step, &t, err);

	if (r == 0)
		r = rounds(st, step, &t, &out, err);
	if (r == 0)
		bld_apply(st, &out, by);
	else if (stv_err_span(*err).file == 0 &&
		 stv_err_code(*err) != STV_E_CANCELLED)
		stv_err_at(*err, step->node->span);
	transfer_fini(&t);
	return r;
}

/* The directory of a WORKDIR, as the config keeps it: only relative ones are
 * cleaned. */
static char *
workdir_join(const char *now, const char *text)
{
	stv_auto_free char *joined = NULL, *clean = NULL;

	if (*text == '/')
		return stv_xstrdup(text);
	joined = stv_xasprintf("%s/%s", now == NULL ? "" : now, text);
	clean = bld_path_clean(joined);
	return stv_xasprintf("/%s", clean);
}

/* Make the directory where it is missing. */
static int
make_workdir(struct bld_stage *st, const char *path, struct bld_outcome *out,
	     struct stv_err **err)
{
	struct bld_build *b = st->b;
	struct lay_writer_opts opts = bld_clamp(b);
	struct bld_copy_spec times = {
		.now_s = b->now_s,
		.now_ns = b->now_ns,
		.has_epoch = opts.has_epoch,
		.epoch = b->o->epoch,
	};
	stv_auto(lay_view) *below = NULL;
	stv_auto(lay_writer) *w = NULL;
	const char *user = st->config->config.user;
	uint32_t uid = 0, gid = 0;
	int n;

	if (bld_view(st, &below, err) < 0 ||
	    lay_writer_open(b->o->store, &opts, &w, err) < 0)
		return -1;
	/* Ownership is --chown's rule, not RUN's: an unknown name is 0. */
	if (user != NULL && *user != '\0' &&
	    bld_chown_resolve(below, user, &uid, &gid, err) < 0)
		return -1;
	n = bld_copy_mkdir(below, path, uid, gid, 0755, &times, w, err);
	out->created_s = b->now_s;
	if (n <= 0)
		return n;
	return commit(w, out, err);
}

int
bld_workdir_step(struct bld_stage *st, const struct bld_step *step,
		 struct stv_err **err)
{
	struct oci_runconfig *c = &st->config->config;
	const struct df_node *node = step->node;
	stv_auto_free char *text = NULL, *path = NULL, *by = NULL;
	struct bld_cached cached;
	struct bld_outcome out;
	int r;

	if (node->n_args > 0 && bld_expand(st, node->args[0].text,
					   node->args[0].span, &text, err) < 0)
		return -1;
	path = workdir_join(c->working_dir, text == NULL ? "" : text);
	by = stv_xasprintf("WORKDIR %s", path);
	bld_cache_begin(st, step, "WORKDIR", &cached);
	key_add_str(cached.key, "path", path);
	key_add_str(cached.key, "user", c->user);
	r = bld_cache_find(st, step, &cached, &out, err);
	if (r == 0) {
		r = make_workdir(st, path, &out, err);
		if (r == 0)
			r = bld_cache_store(st, &cached, &out, err);
		if (r == 0)
			bld_emit(st, step, STV_EV_STEP_DONE, NULL);
	}
	bld_cache_fini(&cached);
	if (r < 0)
		return stv_err_at(*err, node->span);
	free(c->working_dir);
	c->working_dir = stv_steal(&path);
	bld_apply(st, &out, by);
	return 0;
}
