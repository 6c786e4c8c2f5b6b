/* builder/why_note.c - what a step knew of itself, for later explanations. */
#include <stdlib.h>
#include <string.h>

#include "cache/key.h"
#include "cache/note.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/secret.h"
#include "core/source.h"

#include "builder/build_internal.h"
#include "builder/copy.h"
#include "builder/why.h"

/* Instructions before a step that its note lists. */
#define MAX_BEFORE 256
/* A longer ignore file is not kept with each COPY. */
#define MAX_IGNORE ((size_t)8 << 10)

void
bld_why_text(const struct df_node *node, struct stv_buf *ret)
{
	size_t begin = ret->len;

	stv_buf_adds(ret, df_kind_name(node->kind));
	if (node->is_json)
		stv_buf_adds(ret, " []");
	for (size_t i = 0; i < node->n_args; i++)
		stv_buf_addf(ret, " %s", node->args[i].text);
	/* It is kept, and a URL's secrets are not (THREATS C19). */
	if (node->kind == DF_ADD)
		stv_secret_mask_urls(ret->data + begin, ret->len - begin);
}

/* Stage, text and how often the text came before in the stage. */
static int64_t
title_of(const struct bld_stage *st, const struct df_node *node, size_t n_same)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE * 2);
	struct stv_digest d;
	uint64_t n = 0;

	if (st->name != NULL)
		stv_buf_addf(&text, "%s\n", st->name);
	else
		stv_buf_addf(&text, "%zu\n", st->index);
	stv_buf_addf(&text, "%zu\n", n_same);
	bld_why_text(node, &text);
	d = stv_digest_of(stv_buf_str(&text), text.len);
	for (size_t i = 0; i < sizeof(n); i++)
		n = n << 8 | d.bytes[i];
	/* 0 is that of records of older programs. */
	return (int64_t)(n | 1);
}

static int
by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/*
 * Two equal instructions of a stage get two titles: their numbers are sorted,
 * so that only those that meet are counted.
 */
static void
number_equals(struct bld_stage *st)
{
	size_t n = st->steps.len;
	stv_auto_free int64_t *sorted = stv_xcalloc(n + 1, sizeof(*sorted));
	stv_auto_free int64_t *first = stv_xcalloc(n + 1, sizeof(*first));

	memcpy(first, st->titles, n * sizeof(*first));
	memcpy(sorted, st->titles, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_number);
	for (size_t i = 0; i < n; i++) {
		const int64_t *at = bsearch(&first[i], sorted, n,
					    sizeof(*sorted), by_number);
		size_t n_same = 0;

		if ((at == sorted || at[-1] != *at) &&
		    (at == sorted + n - 1 || at[1] != *at))
			continue;
		for (size_t k = 0; k < i; k++)
			n_same += first[k] == first[i];
		st->titles[i] = title_of(st, st->steps.v[i].node, n_same);
	}
}

const int64_t *
bld_why_titles(struct bld_stage *st)
{
	if (st->titles != NULL)
		return st->titles;
	st->titles = stv_xcalloc(st->steps.len + 1, sizeof(*st->titles));
	for (size_t i = 0; i < st->steps.len; i++)
		st->titles[i] = title_of(st, st->steps.v[i].node, 0);
	number_equals(st);
	return st->titles;
}

size_t
bld_why_index(const struct bld_stage *st, const struct bld_step *step)
{
	for (size_t i = 0; i < st->steps.len; i++)
		if (&st->steps.v[i] == step)
			return i;
	return st->steps.len;
}

static void
add_before(struct bld_stage *st, const struct bld_step *step, struct key *k)
{
	const int64_t *titles = bld_why_titles(st);
	size_t n = bld_why_index(st, step), begin;

	if (n == st->steps.len)
		return;
	begin = n > MAX_BEFORE ? n - MAX_BEFORE : 0;
	key_add(k, BLD_NOTE_BEFORE, &titles[begin],
		(n - begin) * sizeof(*titles));
}

/* Every variable that the step sees, by what has set it. */
static void
add_scope(struct bld_stage *st, struct key *k)
{
	for (size_t i = 0; i < st->env.len; i++) {
		size_t n = strcspn(st->env.v[i], "=");
		stv_auto_free char *name = stv_xstrndup(st->env.v[i], n);
		const char *by = stv_env_get(&st->set_by, name);

		key_add_str(k, by == NULL ? BLD_NOTE_BENV : by, st->env.v[i]);
	}
}

static void
add_list(struct key *k, const char *name, const struct stv_strs *list)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);

	stv_buf_addf(&text, "%s=", name);
	for (size_t i = 0; i < list->len; i++)
		stv_buf_addf(&text, "%s%s", i > 0 ? " " : "", list->v[i]);
	key_add_str(k, BLD_NOTE_CONFIG, stv_buf_str(&text));
}

static void
add_text(struct key *k, const char *name, const char *value)
{
	stv_auto_free char *text =
		stv_xasprintf("%s=%s", name, value == NULL ? "" : value);

	key_add_str(k, BLD_NOTE_CONFIG, text);
}

/* What a record's parent_config is the digest of, but for the environment. */
static void
add_config(const struct oci_runconfig *c, struct key *k)
{
	stv_auto_free char *health =
		stv_xasprintf("%lld %lld %lld %lld %llu",
			      (long long)c->healthcheck.interval_ns,
			      (long long)c->healthcheck.timeout_ns,
			      (long long)c->healthcheck.start_period_ns,
			      (long long)c->healthcheck.start_interval_ns,
			      (unsigned long long)c->healthcheck.retries);

	add_text(k, "USER", c->user);
	add_text(k, "WORKDIR", c->working_dir);
	add_list(k, "SHELL", &c->shell);
	for (size_t i = 0; i < c->labels.len; i++) {
		stv_auto_free char *name =
			stv_xasprintf("LABEL %s", c->labels.v[i].name);

		add_text(k, name, c->labels.v[i].value);
	}
	add_list(k, "ENTRYPOINT", &c->entrypoint);
	add_list(k, "CMD", &c->cmd);
	add_list(k, "EXPOSE", &c->exposed_ports);
	add_list(k, "VOLUME", &c->volumes);
	add_text(k, "STOPSIGNAL", c->stop_signal);
	add_list(k, "HEALTHCHECK", &c->healthcheck.test);
	add_text(k, "HEALTHCHECK ", health);
	add_list(k, "ONBUILD", &c->on_build);
}

/* The base image, found through all stages between. */
static void
add_base(const struct bld_stage *st, struct key *k)
{
	struct stv_err *e = NULL;
	struct cas_image img;

	while (st->base.kind == BLD_BASE_STAGE)
		st = st->b->stages.v[st->base.stage];
	if (st->base.kind != BLD_BASE_IMAGE || st->base.named != NULL)
		return;
	key_add_str(k, BLD_NOTE_BASE, st->base.reference);
	if (bld_base_find(st->b->o->store, st->base.reference, &img, &e) == 1)
		key_add_digest(k, BLD_NOTE_BASE_ID, &img.config);
	stv_err_free(e);
}

static void
add_ignore(const struct bld_build *b, struct key *k)
{
	const struct stv_source *src =
		b->o->ignore_file == 0
			? NULL
			: stv_sources_get(b->o->sources, b->o->ignore_file);

	if (src != NULL && src->len <= MAX_IGNORE)
		key_add(k, BLD_NOTE_IGNORE, src->text, src->len);
}

void
bld_why_notes(struct bld_stage *st, const struct bld_cached *c,
	      int64_t *ret_title, struct stv_buf *ret)
{
	const struct df_node *node = c->step->node;
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE * 2);
	size_t at = bld_why_index(st, c->step);
	stv_auto(key) *k = key_new("stave-note/1");
	struct stv_digest d;

	*ret_title = at < st->steps.len ? bld_why_titles(st)[at]
					: title_of(st, node, SIZE_MAX);
	bld_why_text(node, &text);
	key_add_str(k, BLD_NOTE_TEXT, stv_buf_str(&text));
	for (size_t i = 0; i < node->n_flags; i++) {
		stv_auto_free char *flag = stv_xasprintf(
			"--%s=%s", node->flags[i].name,
			node->flags[i].value == NULL ? ""
						     : node->flags[i].value);

		key_add_str(k, BLD_NOTE_FLAG, flag);
	}
	add_scope(st, k);
	add_config(&st->config->config, k);
	add_base(st, k);
	add_before(st, c->step, k);
	if (c->plan != NULL)
		add_ignore(st->b, k);
	key_end(k, &d, ret);
}

const struct stv_buf *
bld_why_list(struct bld_cached *c)
{
	if (c->list.max == 0) {
		c->list = STV_BUF_INIT(STV_MAX_INPUTS);
		if (c->plan != NULL)
			bld_inputs_text(c->plan, &c->list);
	}
	return &c->list;
}

void
bld_why_note(struct bld_stage *st, struct bld_cached *c, struct cas_note *note)
{
	const struct stv_buf *list = bld_why_list(c);
	struct stv_err *e = NULL;

	bld_why_notes(st, c, &note->title, &note->notes);
	/* Without the list a miss is explained less well, and that is all. */
	note->has_inputs = list->len > 0 &&
			   cas_inputs_put(st->b->o->store, stv_buf_str(list),
					  list->len, &note->inputs, &e) == 0;
	stv_err_free(e);
}
