/* builder/stage.c - one stage: its steps in order, each from the cache or not.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/key.h"
#include "cache/note.h"
#include "cache/store.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "parser/parse.h"

#include "builder/build_internal.h"
#include "builder/cache_export.h"
#include "builder/cache_import.h"
#include "builder/journal.h"
#include "builder/lazy.h"
#include "builder/mount.h"
#include "builder/ship.h"
#include "builder/why.h"

/* How long to wait before asking again for a key that another process holds. */
#define KEY_POLL_NS 50000000L

void
bld_lock(struct bld_build *b)
{
	(void)pthread_mutex_lock(&b->lock);
}

void
bld_unlock(struct bld_build *b)
{
	(void)pthread_mutex_unlock(&b->lock);
}

bool
bld_is_over(const struct bld_build *b)
{
	return b->err != NULL || b->cancel_signal != 0;
}

void
bld_fail(struct bld_build *b, struct stv_err *e)
{
	if (b->err == NULL)
		b->err = e;
	else
		stv_err_free(e);
	(void)pthread_cond_broadcast(&b->changed);
	bld_wake(b);
}

static int
fail_cancelled(struct stv_err **err)
{
	return stv_fail(err, STV_E_CANCELLED, "cancelled");
}

int
bld_wait_stage(struct bld_stage *st, size_t index, struct stv_err **err)
{
	struct bld_build *b = st->b;
	struct bld_stage *other = b->stages.v[index];

	if (bld_start_stage(other, err) < 0)
		return -1;
	while (other->state != BLD_DONE && other->state != BLD_FAILED &&
	       !bld_is_over(b))
		(void)pthread_cond_wait(&b->changed, &b->lock);
	if (other->state != BLD_DONE)
		return fail_cancelled(err);
	return 0;
}

/* An event of a step, or of the FROM. */
static struct stv_event
event_of(const struct bld_stage *st, const struct bld_step *step,
	 enum stv_event_kind kind)
{
	return (struct stv_event){
		.kind = kind,
		.step = step == NULL ? st->from_id : step->id,
		.n_steps = st->n_shown,
		.position = step == NULL ? 1 : step->position,
		.stage = st->name,
		.platform = st->shown_platform,
		.name = step == NULL ? st->from->original
				     : step->node->original,
		.span = step == NULL ? st->from->span : step->node->span,
	};
}

static void
emit(struct bld_stage *st, const struct bld_step *step,
     enum stv_event_kind kind, const char *text,
     const struct stv_reason *reason)
{
	struct stv_event ev = event_of(st, step, kind);

	ev.text = text;
	ev.text_len = text == NULL ? 0 : strlen(text);
	ev.reason = reason;
	bld_journal_note(st, step, kind, text, reason);
	stv_emit(st->b->o->listener, ev);
}

void
bld_emit_progress(struct bld_stage *st, const struct bld_step *step,
		  uint64_t now, uint64_t total)
{
	struct stv_event ev = event_of(st, step, STV_EV_STEP_PROGRESS);

	ev.current = now;
	ev.total = total;
	stv_emit(st->b->o->listener, ev);
}

void
bld_emit(struct bld_stage *st, const struct bld_step *step,
	 enum stv_event_kind kind, const char *text)
{
	emit(st, step, kind, text, NULL);
}

void
bld_emit_started(struct bld_stage *st, const struct bld_step *step,
		 const struct stv_reason *reason, const char *text)
{
	emit(st, step, STV_EV_STEP_STARTED, text, reason);
}

int
bld_view(struct bld_stage *st, struct lay_view **ret, struct stv_err **err)
{
	const struct oci_config *c = st->config;

	if (bld_lazy_need(st, NULL, c->diff_ids, c->n_diff_ids, err) < 0)
		return -1;
	return lay_view_open(st->b->o->store, c->diff_ids, c->n_diff_ids, ret,
			     err);
}

/* --- the cache --- */

void
bld_cache_begin(struct bld_stage *st, const struct bld_step *step,
		const char *verb, struct bld_cached *ret)
{
	stv_auto_buf config = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto_free char *platform = stv_platform_str(&st->config->platform);

	*ret = (struct bld_cached){.step = step, .lock_fd = -1};
	oci_runconfig_write(&st->config->config, &config);
	ret->parent_chain = st->chain;
	ret->parent_config = stv_digest_of(stv_buf_str(&config), config.len);
	ret->is_too_large = config.is_over;
	ret->where = stv_xasprintf("%s%zu|%u", st->b->place, st->index,
				   (unsigned int)step->position);
	ret->key = key_new("stave-step/1");
	key_add_str(ret->key, "instruction", verb);
	key_add_str(ret->key, "platform", platform);
	if (st->b->o->has_epoch)
		key_add_u64(ret->key, "SOURCE_DATE_EPOCH",
			    (uint64_t)st->b->o->epoch);
	if (st->b->o->has_epoch && st->b->o->keeps_times)
		key_add_str(ret->key, "rewrite-timestamp", "false");
}

struct lay_writer_opts
bld_clamp(const struct bld_build *b)
{
	return (struct lay_writer_opts){
		.has_epoch = b->o->has_epoch && !b->o->keeps_times,
		.epoch = b->o->epoch,
	};
}

void
bld_cache_fini(struct bld_cached *c)
{
	key_free(c->key);
	free(c->where);
	stv_buf_fini(&c->list);
	stv_close_p(&c->lock_fd);
	*c = (struct bld_cached){.lock_fd = -1};
}

bool
bld_is_uncached(const struct bld_stage *st)
{
	const struct stv_strs *filters = &st->b->o->no_cache_filters;

	if (st->b->o->no_cache)
		return true;
	for (size_t i = 0; i < filters->len; i++)
		if (st->name != NULL &&
		    strcasecmp(filters->v[i], st->name) == 0)
			return true;
	return false;
}

static int
look_up(struct bld_stage *st, struct bld_cached *c, struct bld_outcome *ret,
	struct stv_err **err)
{
	const struct cas_record want = {.key = c->digest,
					.parent_chain = c->parent_chain,
					.parent_config = c->parent_config};
	struct cas_record rec;
	int r = cas_record_get(st->b->o->store, &c->digest, &c->parent_chain,
			       &c->parent_config, &rec, err);

	if (r < 0 || (r == 0 && !bld_import_record(st->b, &want, &rec)))
		return r;
	bld_done_record(st->b->done, &rec);
	ret->has_layer = rec.has_layer;
	ret->diff_id = rec.diff_id;
	ret->created_s = rec.created_s;
	*stv_vec_push(&st->b->touched) = c->digest;
	return 1;
}

/* Wait until no other process executes this; 1 where it then is in the cache.
 */
static int
lock_key(struct bld_stage *st, struct bld_cached *c, struct bld_outcome *ret,
	 struct stv_err **err)
{
	struct bld_build *b = st->b;
	stv_auto(stv_hash) *h = stv_hash_new();
	struct stv_digest id;
	char hex[STV_DIGEST_STR_MAX];

	stv_hash_add(h, c->digest.bytes, sizeof(c->digest.bytes));
	stv_hash_add(h, c->parent_chain.bytes, sizeof(c->parent_chain.bytes));
	stv_hash_add(h, c->parent_config.bytes, sizeof(c->parent_config.bytes));
	id = stv_hash_end(h);
	for (;;) {
		int r = cas_key_trylock(b->o->store, stv_digest_hex(&id, hex),
					&c->lock_fd, err);

		if (r < 0)
			return -1;
		if (r == 0)
			break;
		bld_unlock(b);
		(void)nanosleep(&(struct timespec){.tv_nsec = KEY_POLL_NS},
				NULL);
		bld_lock(b);
		if (bld_is_over(b))
			return fail_cancelled(err);
	}
	/* Whoever held it may have done the work. */
	return bld_is_uncached(st) ? 0 : look_up(st, c, ret, err);
}

int
bld_cache_find(struct bld_stage *st, const struct bld_step *step,
	       struct bld_cached *c, struct bld_outcome *ret,
	       struct stv_err **err)
{
	stv_auto_buf preimage = STV_BUF_INIT(STV_MAX_EXPANDED_TOTAL);
	int r = 0;

	*ret = (struct bld_outcome){0};
	if (c->is_too_large) {
		stv_fail(err, STV_E_LIMIT,
			 "the image's config is larger than %zu bytes",
			 (size_t)STV_MAX_CONFIG);
		return stv_err_at(*err, step->node->span);
	}
	key_end(c->key, &c->digest, &preimage);
	if (!bld_is_uncached(st))
		r = look_up(st, c, ret, err);
	if (r == 0)
		r = lock_key(st, c, ret, err);
	if (r < 0)
		return -1;
	if (r == 1) {
		bld_emit(st, step, STV_EV_STEP_CACHED, NULL);
		return 1;
	}
	st->b->n_executed++;
	bld_why_emit(st, c, &preimage);
	st->ran = step->node->original;
	return 0;
}

int
bld_cache_look(struct bld_stage *st, const struct bld_step *step,
	       struct bld_cached *c, struct bld_outcome *ret,
	       struct stv_err **err)
{
	int r = 0;

	*ret = (struct bld_outcome){0};
	key_end(c->key, &c->digest, NULL);
	if (!bld_is_uncached(st))
		r = look_up(st, c, ret, err);
	if (r == 1)
		bld_emit(st, step, STV_EV_STEP_CACHED, NULL);
	return r;
}

int
bld_cache_store(struct bld_stage *st, struct bld_cached *c,
		const struct bld_outcome *out, struct stv_err **err)
{
	struct cas_note note = {.step = c->where};
	struct cas_record rec = {
		.parent_chain = c->parent_chain,
		.parent_config = c->parent_config,
		.has_layer = out->has_layer,
		.diff_id = out->diff_id,
		.created_s = out->created_s,
	};
	int r;

	note.preimage = STV_BUF_INIT(STV_MAX_EXPANDED_TOTAL);
	note.notes = STV_BUF_INIT(STV_MAX_EXPANDED_TOTAL);
	key_end(c->key, &c->digest, &note.preimage);
	rec.key = c->digest;
	bld_why_note(st, c, &note);
	r = cas_record_put_noted(st->b->o->store, &rec, &note, err);
	bld_done_record(st->b->done, &rec);
	stv_buf_fini(&note.preimage);
	stv_buf_fini(&note.notes);
	return r;
}

void
bld_apply(struct bld_stage *st, const struct bld_outcome *out, const char *by)
{
	free(st->created);
	st->created = oci_time(out->created_s, 0);
	if (out->has_layer) {
		bool is_first = st->config->n_diff_ids == 0;

		oci_config_add_diff_id(st->config, &out->diff_id);
		st->chain = oci_chain_id(is_first ? NULL : &st->chain,
					 &out->diff_id);
		bld_ship_layer(st, &out->diff_id);
	}
	bld_history(st, by, st->created, !out->has_layer);
}

/* --- FROM --- */

/* The chain ID of all layers of a config. */
static struct stv_digest
chain_of(const struct oci_config *c)
{
	struct stv_digest chain = {{0}};

	for (size_t i = 0; i < c->n_diff_ids; i++)
		chain = oci_chain_id(i == 0 ? NULL : &chain, &c->diff_ids[i]);
	return chain;
}

static int
check_platform(struct bld_stage *st, struct stv_err **err)
{
	const struct stv_platform *want =
		st->has_platform
			? &st->platform
			: (st->b->o->platform.os != NULL ? &st->b->o->platform
							 : NULL);
	stv_auto_free char *want_str = NULL, *have_str = NULL;

	if (want == NULL || st->base.kind != BLD_BASE_IMAGE ||
	    stv_platform_match(want, &st->config->platform))
		return 0;
	want_str = stv_platform_str(want);
	have_str = stv_platform_str(&st->config->platform);
	stv_fail(err, STV_E_NOT_FOUND, "'%s' is here for %s, not for %s",
		 st->base.reference, have_str, want_str);
	return stv_err_at(*err, st->from->span);
}

static struct oci_config *
scratch_config(const struct bld_stage *st)
{
	struct oci_config *c = stv_xcalloc(1, sizeof(*c));

	if (st->has_platform)
		stv_platform_copy(&c->platform, &st->platform);
	else if (st->b->o->platform.os != NULL)
		stv_platform_copy(&c->platform, &st->b->o->platform);
	else
		stv_platform_host(&c->platform);
	stv_env_set(&c->config.env, "PATH", SBX_DEFAULT_PATH);
	c->config.working_dir = stv_xstrdup("/");
	return c;
}

/* Does a stage that is needed run a command upon the base of this one? */
static bool
runs_upon(const struct bld_stage *st)
{
	const struct bld_build *b = st->b;

	for (size_t i = 0; i < b->stages.len; i++) {
		const struct bld_stage *s = b->stages.v[i], *root = s;

		while (root->base.kind == BLD_BASE_STAGE)
			root = b->stages.v[root->base.stage];
		for (size_t k = 0; root == st && k < s->steps.len; k++)
			if (s->is_needed && s->steps.v[k].node->kind == DF_RUN)
				return true;
	}
	return false;
}

/* What a stage begins with. */
static int
begin_stage(struct bld_stage *st, struct stv_err **err)
{
	struct bld_build *b = st->b;
	const struct bld_stage *under;

	switch (st->base.kind) {
	case BLD_BASE_SCRATCH:
		st->config = scratch_config(st);
		break;
	case BLD_BASE_CONTEXT:
		st->config = scratch_config(st);
		if (bld_copy_context(st, err) < 0)
			return stv_err_at(*err, st->from->args[0].span);
		break;
	case BLD_BASE_IMAGE:
		st->base.platform = st->has_platform ? &st->platform : NULL;
		st->base.shown = st;
		st->base.is_mounted = runs_upon(st);
		if (bld_base_load(b, &st->base, &st->config, err) < 0)
			return stv_err_at(*err, st->from->args[0].span);
		st->created = st->config->created == NULL
				      ? NULL
				      : stv_xstrdup(st->config->created);
		break;
	case BLD_BASE_STAGE:
		if (bld_wait_stage(st, st->base.stage, err) < 0)
			return -1;
		under = b->stages.v[st->base.stage];
		st->config = oci_config_copy(under->config);
		st->created = under->created == NULL
				      ? NULL
				      : stv_xstrdup(under->created);
		stv_strs_copy(&st->env, &under->env);
		stv_strs_copy(&st->args, &under->args);
		stv_strs_copy(&st->declared, &under->declared);
		stv_strs_copy(&st->set_by, &under->set_by);
		st->ran = under->ran;
		break;
	}
	if (b->o->has_epoch) {
		free(st->created);
		st->created = oci_time(b->o->epoch, 0);
	}
	if (check_platform(st, err) < 0)
		return -1;
	st->chain = chain_of(st->config);
	if (st->base.kind != BLD_BASE_STAGE)
		stv_strs_copy(&st->env, &st->config->config.env);
	return 0;
}

static int
do_step(struct bld_stage *st, const struct bld_step *step, struct stv_err **err)
{
	int r;

	switch (step->node->kind) {
	case DF_RUN:
		r = bld_run_step(st, step, err);
		break;
	case DF_COPY:
	case DF_ADD:
		r = bld_copy_step(st, step, err);
		break;
	case DF_WORKDIR:
		r = bld_workdir_step(st, step, err);
		break;
	case DF_ARG:
	case DF_CMD:
	case DF_ENTRYPOINT:
	case DF_ENV:
	case DF_EXPOSE:
	case DF_FROM:
	case DF_HEALTHCHECK:
	case DF_LABEL:
	case DF_MAINTAINER:
	case DF_ONBUILD:
	case DF_SHELL:
	case DF_STOPSIGNAL:
	case DF_USER:
	case DF_VOLUME:
	default:
		return bld_meta_step(st, step, err);
	}
	if (r < 0 && stv_err_code(*err) == STV_E_CANCELLED)
		bld_emit(st, step, STV_EV_STEP_CANCELLED, NULL);
	else if (r < 0)
		bld_emit(st, step, STV_EV_STEP_FAILED, stv_err_msg(*err));
	return r;
}

/* The ONBUILD triggers of the base come first. */
static int
do_triggers(struct bld_stage *st, struct stv_err **err)
{
	struct stv_strs triggers = st->config->config.on_build;
	int r = 0;

	if (triggers.len == 0)
		return 0;
	st->config->config.on_build = (struct stv_strs){0};
	st->triggers = stv_xcalloc(triggers.len, sizeof(st->triggers[0]));
	for (size_t i = 0; i < triggers.len && r == 0; i++) {
		struct bld_step step = {.is_trigger = true};
		struct df_file *f = NULL;
		const struct df_flag *from;

		r = df_parse_onbuild(st->b->o->sources, triggers.v[i], &f,
				     st->b->o->diags, err);
		if (r < 0)
			break;
		st->triggers[st->n_triggers++] = f;
		step.node = &f->nodes[0];
		from = df_node_flag(step.node, "from");
		r = bld_plan_supported(step.node, err);
		if (r == 0)
			r = bld_plan_allowed(st->b, step.node, err);
		if (r == 0)
			r = bld_plan_mounts(st, &step, err);
		if (r == 0 && step.node->kind == DF_COPY && from != NULL) {
			r = bld_plan_origin(st->b, st->index, from->value,
					    from->value_span, &step.from, err);
			step.has_from = true;
		}
		/* Steps of a trigger are numbered when they are met. */
		if (r == 0 &&
		    (step.node->kind == DF_RUN || step.node->kind == DF_COPY ||
		     step.node->kind == DF_ADD ||
		     step.node->kind == DF_WORKDIR)) {
			step.id = ++st->b->n_ids;
			step.position = st->n_shown + 1000 + (uint32_t)i;
			bld_emit(st, &step, STV_EV_STEP_ADDED, NULL);
		}
		if (r == 0)
			r = do_step(st, &step, err);
		if (r < 0 && stv_err_code(*err) != STV_E_CANCELLED)
			stv_wrap(err, "ONBUILD trigger %zu of '%s'", i + 1,
				 st->from->args[0].text);
		bld_step_fini(&step);
	}
	stv_strs_clear(&triggers);
	return r;
}

static int
do_stage(struct bld_stage *st, struct stv_err **err)
{
	if (begin_stage(st, err) < 0) {
		if (stv_err_code(*err) != STV_E_CANCELLED) {
			if (!st->is_fetched)
				bld_emit(st, NULL, STV_EV_STEP_STARTED, NULL);
			bld_emit(st, NULL, STV_EV_STEP_FAILED,
				 stv_err_msg(*err));
		}
		return -1;
	}
	if (st->base.kind != BLD_BASE_CONTEXT)
		bld_emit(st, NULL,
			 st->is_fetched ? STV_EV_STEP_DONE : STV_EV_STEP_CACHED,
			 NULL);
	if (do_triggers(st, err) < 0)
		return -1;
	for (size_t i = 0; i < st->steps.len; i++) {
		if (bld_is_over(st->b))
			return fail_cancelled(err);
		if (do_step(st, &st->steps.v[i], err) < 0)
			return -1;
		if (st->config->n_diff_ids > STV_MAX_LAYERS) {
			stv_fail(err, STV_E_LIMIT,
				 "an image has at most %d layers",
				 STV_MAX_LAYERS);
			stv_err_hint(*err, "Join RUN instructions with '&&', "
					   "or copy the result into a fresh "
					   "stage.");
			return stv_err_at(*err, st->steps.v[i].node->span);
		}
	}
	return 0;
}

void *
bld_stage_main(void *arg)
{
	struct bld_stage *st = arg;
	struct bld_build *b = st->b;
	struct stv_err *err = NULL;
	int r;

	bld_lock(b);
	r = do_stage(st, &err);
	if (r < 0) {
		st->state = BLD_FAILED;
		if (b->stages.len > 1 && st->name != NULL &&
		    stv_err_code(err) != STV_E_CANCELLED)
			stv_wrap(&err, "stage '%s' failed", st->name);
		bld_fail(b, err);
	} else {
		st->state = BLD_DONE;
	}
	b->n_running--;
	(void)pthread_cond_broadcast(&b->changed);
	bld_wake(b);
	bld_unlock(b);
	return NULL;
}
