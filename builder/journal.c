/* builder/journal.c - which steps of a build ran, and why. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"

#include "builder/build_internal.h"

#include "builder/journal.h"

/* A step; of one that is cached nothing is copied. */
struct entry {
	uint32_t id;
	const struct bld_stage *stage;
	const char *name; /* borrowed from the Dockerfile */
	uint32_t position;
	const char *state;
	char *text;
	char *kind, *subject, *old_value, *new_value;
};

struct bld_journal {
	STV_VEC(struct entry) entries;
};

struct bld_journal *
bld_journal_new(void)
{
	return stv_xcalloc(1, sizeof(struct bld_journal));
}

static void
entry_clear(struct entry *e)
{
	free(e->text);
	free(e->kind);
	free(e->subject);
	free(e->old_value);
	free(e->new_value);
	e->text = e->kind = e->subject = e->old_value = e->new_value = NULL;
}

void
bld_journal_free(struct bld_journal *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < j->entries.len; i++)
		entry_clear(&j->entries.v[i]);
	stv_vec_fini(&j->entries);
	free(j);
}

static const char *
state_of(enum stv_event_kind kind)
{
	switch (kind) {
	case STV_EV_STEP_STARTED:
		return "started";
	case STV_EV_STEP_CACHED:
		return "cached";
	case STV_EV_STEP_DONE:
		return "ran";
	case STV_EV_STEP_FAILED:
		return "failed";
	case STV_EV_STEP_CANCELLED:
		return "cancelled";
	case STV_EV_STEP_ADDED:
	case STV_EV_STEP_OUTPUT:
	case STV_EV_STEP_PROGRESS:
	case STV_EV_WARNING:
	case STV_EV_NOTE:
	case STV_EV_TRACE:
		break;
	}
	return NULL;
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : stv_xstrdup(s);
}

/* The entry of a step, the newest first: one that ends has begun just now. */
static struct entry *
entry_of(struct bld_journal *j, struct bld_stage *st,
	 const struct bld_step *step)
{
	uint32_t id = step == NULL ? st->from_id : step->id;
	struct entry *e;

	for (size_t i = j->entries.len; i-- > 0;)
		if (j->entries.v[i].id == id)
			return &j->entries.v[i];
	e = stv_vec_push(&j->entries);
	e->id = id;
	e->stage = st;
	e->name = step == NULL ? st->from->original : step->node->original;
	e->position = step == NULL ? 1 : step->position;
	return e;
}

void
bld_journal_note(struct bld_stage *st, const struct bld_step *step,
		 enum stv_event_kind kind, const char *text,
		 const struct stv_reason *reason)
{
	const char *state = state_of(kind);
	struct entry *e;

	if (state == NULL)
		return;
	e = entry_of(st->b->journal, st, step);
	e->state = state;
	if (kind != STV_EV_STEP_STARTED)
		return;
	entry_clear(e);
	e->text = copy(text);
	if (reason == NULL)
		return;
	e->kind = copy(reason->kind);
	e->subject = copy(reason->subject);
	e->old_value = copy(reason->old_value);
	e->new_value = copy(reason->new_value);
}

static void
set_str(json_t *o, const char *name, const char *value)
{
	if (value != NULL)
		json_object_set_new(o, name, stv_json_str(value));
}

/* One line; takes ${v}. */
static void
add_line(struct stv_buf *b, json_t *v)
{
	stv_json_dump(v, b);
	stv_buf_addc(b, '\n');
	json_decref(v);
}

static json_t *
step_json(const struct entry *e)
{
	json_t *v = json_object();

	json_object_set_new(v, "step", json_integer(e->id));
	set_str(v, "stage", e->stage->name);
	json_object_set_new(v, "position", json_integer(e->position));
	json_object_set_new(v, "of", json_integer(e->stage->n_shown));
	set_str(v, "name", e->name);
	set_str(v, "state", e->state);
	if (e->kind != NULL) {
		json_t *reason = json_object();

		set_str(reason, "kind", e->kind);
		set_str(reason, "subject", e->subject);
		set_str(reason, "old", e->old_value);
		set_str(reason, "new", e->new_value);
		json_object_set_new(v, "reason", reason);
	}
	set_str(v, "text", e->text);
	return v;
}

static json_t *
head_json(const struct bld_build *b)
{
	json_t *v = json_object();

	set_str(v, "build", b->id);
	set_str(v, "file", b->file);
	set_str(v, "context", b->context_name);
	return v;
}

static json_t *
image_json(const struct bld_build *b, const struct bld_result *result)
{
	char config[STV_DIGEST_STR_MAX], manifest[STV_DIGEST_STR_MAX];
	json_t *v = json_object();

	if (!b->o->no_image) {
		set_str(v, "image",
			stv_digest_str(&result->image.config, config));
		set_str(v, "manifest",
			stv_digest_str(&result->image.manifest, manifest));
	}
	json_object_set_new(v, "executed", json_integer(b->n_executed));
	return v;
}

static int
by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

void
bld_journal_write(struct bld_build *b, const struct bld_result *results,
		  size_t n)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_JOURNAL);
	struct bld_journal *j = b->journal;
	struct stv_err *e = NULL;

	if (b->n_executed == 0 || b->log_dir < 0)
		return;
	/* Stages run beside each other: in the order of the Dockerfile. */
	if (j->entries.len > 0)
		qsort(j->entries.v, j->entries.len, sizeof(j->entries.v[0]),
		      by_id);
	add_line(&text, head_json(b));
	for (size_t i = 0; i < j->entries.len; i++)
		add_line(&text, step_json(&j->entries.v[i]));
	for (size_t i = 0; i < n; i++)
		add_line(&text, image_json(b, &results[i]));
	if (stv_buf_check(&text, "the list of the steps", &e) < 0 ||
	    stv_fsat_replace(b->log_dir, BLD_JOURNAL, stv_buf_str(&text),
			     text.len, 0600, false, &e) < 0)
		stv_emitf(b->o->listener, STV_EV_WARNING,
			  "why steps ran cannot be kept: %s", stv_err_msg(e));
	stv_err_free(e);
}
