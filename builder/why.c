/* builder/why.c - why a step misses the cache. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cache/key.h"
#include "cache/note.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "parser/ignore.h"

#include "builder/build_internal.h"
#include "builder/why.h"

/* As much of a value as is shown. */
#define MAX_SHOWN ((size_t)96)
/* Digits of a digest that is shown. */
#define SHORT_DIGEST 12

/* One explanation in the making. */
struct why {
	struct bld_stage *st;
	struct bld_cached *c;
	const struct stv_buf *now; /* the preimage */
	struct stv_buf notes;	   /* of now */
	struct cas_note old;
	enum cas_note_match match;

	/* The answer; NULL as long as there is none. */
	const char *kind;
	char *subject;
	char *old_value;
	char *new_value;
	char *text;
};

/* A value for people: one line, inert, short; digests by their first digits. */
static char *
shown(const char *value)
{
	stv_auto_buf b = STV_BUF_INIT(MAX_SHOWN * 4 + 16);
	size_t n = strlen(value);

	if (strncmp(value, "sha256:", 7) == 0 && n == 7 + 64)
		return stv_xstrndup(value + 7, SHORT_DIGEST);
	stv_buf_add_escaped(&b, value, n > MAX_SHOWN ? MAX_SHOWN : n);
	if (n > MAX_SHOWN)
		stv_buf_adds(&b, "...");
	return stv_buf_take(&b);
}

static void
answer(struct why *w, const char *kind, const char *subject, char *text)
{
	w->kind = kind;
	w->subject = subject == NULL ? NULL : shown(subject);
	w->text = text;
}

/* "${what}: a -> b", or that it changed where the values must not be seen. */
static void
answer_change(struct why *w, const char *kind, const char *subject,
	      const char *what, const struct bld_change *c)
{
	bool is_hidden = bld_is_secret(subject, c->old_value) ||
			 bld_is_secret(subject, c->new_value);
	char *text;

	if (!is_hidden && c->old_value != NULL)
		w->old_value = shown(c->old_value);
	if (!is_hidden && c->new_value != NULL)
		w->new_value = shown(c->new_value);
	if (w->old_value != NULL && w->new_value != NULL)
		text = stv_xasprintf("%s: %s -> %s", what, w->old_value,
				     w->new_value);
	else if (c->old_value == NULL)
		text = stv_xasprintf("%s is new%s%s", what,
				     w->new_value != NULL ? ": " : "",
				     w->new_value != NULL ? w->new_value : "");
	else if (c->new_value == NULL)
		text = stv_xasprintf("%s is gone", what);
	else
		text = stv_xasprintf("%s changed", what);
	answer(w, kind, subject, text);
}

/* --- single questions; each returns whether it has the answer --- */

static bool
ask_version(struct why *w)
{
	struct bld_change c;
	bool is_other = bld_fields_differ(&w->old.preimage, w->now, "", &c);

	if (is_other)
		answer(w, "version", NULL,
		       stv_xstrdup("another version of stave made its key"));
	bld_change_fini(&c);
	return is_other;
}

/* Does any instruction of the stage have this text? */
static bool
is_in_stage(const struct bld_stage *st, const char *text)
{
	bool is_there = false;

	for (size_t i = 0; i < st->steps.len && !is_there; i++) {
		stv_auto_buf b = STV_BUF_INIT(STV_MAX_SOURCE * 2);

		bld_why_text(st->steps.v[i].node, &b);
		is_there = strcmp(stv_buf_str(&b), text) == 0;
	}
	return is_there;
}

/* Another instruction stood in this place. */
static bool
ask_instruction(struct why *w)
{
	stv_auto_free char *old = bld_field_get(&w->old.notes, BLD_NOTE_TEXT);
	stv_auto_free char *now = bld_field_get(&w->notes, BLD_NOTE_TEXT);

	if (w->match != CAS_NOTE_STEP || old == NULL || now == NULL ||
	    strcmp(old, now) == 0)
		return false;
	if (is_in_stage(w->st, old))
		answer(w, "new-instruction", NULL,
		       stv_xstrdup("the instruction is new"));
	else
		answer(w, "instruction", NULL,
		       stv_xstrdup("instruction changed"));
	return true;
}

/* Fields of the key whose names are not what a user calls them. */
static const struct known {
	const char *field;
	const char *kind;
	const char *subject;
	bool is_opaque; /* its value says nothing to people */
} known[] = {
	{"SOURCE_DATE_EPOCH", "build-arg", "SOURCE_DATE_EPOCH", false},
	{"network", "flag", "--network", false},
	{"extra host", "flag", "--add-host", false},
	{"shm size", "flag", "--shm-size", false},
	{"ulimit", "flag", "--ulimit", true},
	{"ulimit soft", "flag", "--ulimit", false},
	{"ulimit hard", "flag", "--ulimit", false},
};

/* Fields that other questions are about. */
static bool
is_asked_elsewhere(const struct key_field *f)
{
	static const char *const names[] = {
		"",
		"instruction",
		"command",
		"script",
		"source",
		"destination",
		"path",
		"environment",
		"user",
		"content",
		"working directory",
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++)
		if (key_is_named(f, names[i]))
			return true;
	/* "no user": that it is absent. */
	return f->len == 0 && f->name_len > 3 && memcmp(f->name, "no ", 3) == 0;
}

/* The words of RUN --network for enum sbx_net in a key. */
static void
name_network(char **value)
{
	if (*value == NULL || strlen(*value) != 1)
		return;
	if (**value == '0' + SBX_NET_HOST || **value == '0' + SBX_NET_NONE) {
		bool is_none = **value == '0' + SBX_NET_NONE;

		free(*value);
		*value = stv_xstrdup(is_none ? "none" : "host");
	}
}

/* "mount 1 (bind) content": a digest, which says nothing to people. */
static bool
is_mount_digest(const char *field)
{
	const char *last = strrchr(field, ' ');

	return strncmp(field, "mount ", 6) == 0 &&
	       (strcmp(last, " content") == 0 || strcmp(last, " cache") == 0);
}

static void
answer_field(struct why *w, const char *field, struct bld_change *c)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(known); i++) {
		if (strcmp(known[i].field, field) != 0)
			continue;
		if (strcmp(field, "network") == 0) {
			name_network(&c->old_value);
			name_network(&c->new_value);
		}
		if (known[i].is_opaque) {
			answer(w, known[i].kind, known[i].subject,
			       stv_xasprintf("%s changed", known[i].subject));
			return;
		}
		answer_change(w, known[i].kind, known[i].subject,
			      known[i].subject, c);
		return;
	}
	if (is_mount_digest(field))
		answer(w, "input", field, stv_xasprintf("%s changed", field));
	else
		answer_change(w, *field == '-' ? "flag" : "input", field, field,
			      c);
}

/* Any other field of the key, those of later versions too. */
static bool
ask_fields_of(struct why *w, const struct stv_buf *of)
{
	struct key_reader r = key_reader(stv_buf_str(of), of->len);
	struct key_field f;

	while (w->kind == NULL && key_next(&r, &f)) {
		stv_auto_free char *name = NULL;
		struct bld_change c;

		if (is_asked_elsewhere(&f))
			continue;
		name = stv_xstrndup(f.name, f.name_len);
		if (bld_fields_differ(&w->old.preimage, w->now, name, &c))
			answer_field(w, name, &c);
		bld_change_fini(&c);
	}
	return w->kind != NULL;
}

static bool
ask_platform(struct why *w)
{
	struct bld_change c;

	if (bld_fields_differ(&w->old.preimage, w->now, "platform", &c) &&
	    c.old_value != NULL && c.new_value != NULL) {
		w->old_value = shown(c.old_value);
		w->new_value = shown(c.new_value);
		answer(w, "platform", NULL,
		       stv_xasprintf("platform %s -> %s", w->old_value,
				     w->new_value));
	}
	bld_change_fini(&c);
	return w->kind != NULL;
}

static bool
ask_fields(struct why *w)
{
	return ask_fields_of(w, w->now) || ask_fields_of(w, &w->old.preimage);
}

/* The flags as they are written: "--mount=..." may come often. */
static bool
ask_flags(struct why *w)
{
	struct bld_change c = {0}, value = {0};
	const char *flag;

	if (w->old.notes.len == 0 ||
	    !bld_fields_differ(&w->old.notes, &w->notes, BLD_NOTE_FLAG, &c))
		return false;
	flag = c.new_value != NULL ? c.new_value : c.old_value;
	value.name = stv_xstrndup(flag, strcspn(flag, "="));
	if (c.old_value != NULL)
		value.old_value = stv_xstrdup(c.old_value +
					      strcspn(c.old_value, "=") + 1);
	if (c.new_value != NULL)
		value.new_value = stv_xstrdup(c.new_value +
					      strcspn(c.new_value, "=") + 1);
	answer_change(w, "flag", value.name, value.name, &value);
	bld_change_fini(&value);
	bld_change_fini(&c);
	return true;
}

/* Is ${name} used as $NAME or ${NAME...} in the text? */
static bool
is_used(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strchr(text, '$'); p != NULL;
	     p = strchr(p + 1, '$')) {
		const char *at = p + 1 + (p[1] == '{');

		if (strncmp(at, name, n) == 0 &&
		    !isalnum((unsigned char)at[n]) && at[n] != '_')
			return true;
	}
	return false;
}

static void
answer_variable(struct why *w, const char *field, const struct bld_change *c)
{
	bool is_arg = strcmp(field, BLD_NOTE_ARG) == 0;
	stv_auto_free char *what =
		stv_xasprintf("%s %s", is_arg ? "build arg" : "ENV", c->name);

	answer_change(w, is_arg ? "build-arg" : "env", c->name, what, c);
}

/*
 * A variable of the step's scope: with ${text} only one that stands there.
 * ARG and ENV are looked at together: an ARG may have become an ENV.
 */
static bool
ask_variable(struct why *w, const char *field, const char *text)
{
	struct key_reader r;
	struct key_field f;
	struct bld_change c = {0};

	if (text == NULL) {
		if (bld_pairs_differ(&w->old.notes, &w->notes, field, &c))
			answer_variable(w, field, &c);
		bld_change_fini(&c);
		return w->kind != NULL;
	}
	r = key_reader(stv_buf_str(&w->notes), w->notes.len);
	while (w->kind == NULL && key_next(&r, &f)) {
		if (!key_is_named(&f, field))
			continue;
		c.name = stv_xstrndup(f.value, f.len);
		c.name[strcspn(c.name, "=")] = '\0';
		if (is_used(text, c.name) &&
		    bld_pairs_differ(&w->old.notes, &w->notes, field, &c))
			answer_variable(w, field, &c);
		bld_change_fini(&c);
	}
	return w->kind != NULL;
}

/* A variable that is used in the instruction, or that a RUN sees. */
static bool
ask_variables(struct why *w)
{
	static const char *const fields[] = {BLD_NOTE_ARG, BLD_NOTE_ENV,
					     BLD_NOTE_BENV};
	const char *text = w->c->step->node->original;
	bool is_run = w->c->step->node->kind == DF_RUN;
	struct bld_change c;
	bool has_env;

	if (w->old.notes.len == 0)
		return false;
	for (size_t i = 0; i < STV_ARRAY_LEN(fields); i++)
		if (ask_variable(w, fields[i], text))
			return true;
	has_env = is_run && bld_fields_differ(&w->old.preimage, w->now,
					      "environment", &c);
	if (!has_env)
		return false;
	bld_change_fini(&c);
	return ask_variable(w, BLD_NOTE_ARG, NULL) ||
	       ask_variable(w, BLD_NOTE_ENV, NULL);
}

/* An empty USER is none. */
static void
forget_empty(char **value)
{
	if (*value != NULL && **value == '\0') {
		free(*value);
		*value = NULL;
	}
}

/* RUN: the same text, but something else is executed. */
static bool
ask_command(struct why *w)
{
	static const char *const fields[] = {"instruction", "command",
					     "script"};
	struct bld_change c = {.name = stv_xstrdup("SHELL")};

	if (w->old.notes.len > 0 &&
	    bld_pairs_differ(&w->old.notes, &w->notes, BLD_NOTE_CONFIG, &c)) {
		forget_empty(&c.old_value);
		forget_empty(&c.new_value);
		answer_change(w, "config", "SHELL", "SHELL", &c);
	}
	bld_change_fini(&c);
	for (size_t i = 0; i < STV_ARRAY_LEN(fields) && w->kind == NULL; i++) {
		if (bld_fields_differ(&w->old.preimage, w->now, fields[i], &c))
			answer(w, "instruction", NULL,
			       stv_xstrdup("instruction changed"));
		bld_change_fini(&c);
	}
	return w->kind != NULL;
}

/* The same image, perhaps by another name. */
static bool
is_same_base(const struct why *w)
{
	stv_auto_free char *old =
		bld_field_get(&w->old.notes, BLD_NOTE_BASE_ID);
	stv_auto_free char *now = bld_field_get(&w->notes, BLD_NOTE_BASE_ID);

	return old != NULL && now != NULL && strcmp(old, now) == 0;
}

static bool
ask_base(struct why *w)
{
	struct bld_change c, name;
	bool is_other;

	if (w->old.notes.len == 0 || is_same_base(w))
		return false;
	if (bld_fields_differ(&w->old.notes, &w->notes, BLD_NOTE_BASE, &name)) {
		answer_change(w, "base", name.new_value, "base image", &name);
		bld_change_fini(&name);
		return true;
	}
	is_other = bld_fields_differ(&w->old.notes, &w->notes, BLD_NOTE_BASE_ID,
				     &c);
	if (is_other && c.old_value != NULL && c.new_value != NULL) {
		stv_auto_free char *base =
			bld_field_get(&w->notes, BLD_NOTE_BASE);

		w->old_value = shown(c.old_value);
		w->new_value = shown(c.new_value);
		answer(w, "base", base,
		       stv_xasprintf("base image moved %s -> %s", w->old_value,
				     w->new_value));
	}
	bld_change_fini(&c);
	return w->kind != NULL;
}

/* USER, WORKDIR and all other parts of the config; ENV. */
static bool
ask_config(struct why *w)
{
	struct bld_change c = {0};

	if (w->old.notes.len == 0)
		return false;
	if (ask_variable(w, BLD_NOTE_ENV, NULL) ||
	    ask_variable(w, BLD_NOTE_BENV, NULL))
		return true;
	if (bld_pairs_differ(&w->old.notes, &w->notes, BLD_NOTE_CONFIG, &c)) {
		c.name[strcspn(c.name, " ") + (strncmp(c.name, "LABEL ", 6) == 0
						       ? strlen(c.name + 5)
						       : 0)] = '\0';
		answer_change(w, "config", c.name, c.name, &c);
	}
	bld_change_fini(&c);
	return w->kind != NULL;
}

/* What in the key comes from the config: its user and working directory. */
static bool
ask_run_config(struct why *w)
{
	static const char *const fields[] = {"user",	    "working directory",
					     "environment", "source",
					     "destination", "path"};
	struct bld_change c;
	bool is_other = false;

	for (size_t i = 0; i < STV_ARRAY_LEN(fields) && !is_other; i++) {
		is_other = bld_fields_differ(&w->old.preimage, w->now,
					     fields[i], &c);
		bld_change_fini(&c);
	}
	return is_other && (ask_base(w) || ask_config(w));
}

/* --- what a COPY takes --- */

/* Does it take from the context that the ignore file is about? */
static bool
is_of_context(const struct why *w)
{
	const struct bld_step *step = w->c->step;

	return !step->has_from && step->node->kind != DF_FROM;
}

/* The file is gone because a pattern leaves it out now. */
static bool
is_left_out(struct why *w, const struct bld_input_change *f)
{
	const struct bld_build *b = w->st->b;
	struct df_ignore_hit hit = {0};

	if (strcmp(f->kind, "gone-file") != 0 || !is_of_context(w) ||
	    b->ignore == NULL ||
	    !df_ignore_match(b->ignore, f->path, false, &hit))
		return false;
	w->new_value = shown(hit.pattern);
	answer(w, "ignored", f->path,
	       stv_xasprintf("%s is left out by line %u of %s, '%s'", f->path,
			     hit.line,
			     b->o->ignore_name != NULL ? b->o->ignore_name
						       : ".dockerignore",
			     w->new_value));
	return true;
}

/* The file is new because the ignore file left it out then. */
static bool
was_left_out(struct why *w, const struct bld_input_change *f)
{
	stv_auto_free char *text = NULL;
	stv_auto(stv_sources) *sources = NULL;
	stv_auto(df_ignore) *ig = NULL;
	struct df_ignore_hit hit = {0};
	struct stv_err *e = NULL;
	uint32_t no;

	if (strcmp(f->kind, "new-file") != 0 || !is_of_context(w))
		return false;
	text = bld_field_get(&w->old.notes, BLD_NOTE_IGNORE);
	if (text == NULL)
		return false;
	sources = stv_sources_new();
	if (stv_sources_add(sources, "ignore", text, strlen(text), &no, &e) <
		    0 ||
	    df_ignore_parse(sources, no, &ig, &e) < 0) {
		stv_err_free(e);
		return false;
	}
	if (!df_ignore_match(ig, f->path, false, &hit))
		return false;
	w->old_value = shown(hit.pattern);
	answer(w, "unignored", f->path,
	       stv_xasprintf("%s is no longer left out by '%s' (%s changed)",
			     f->path, w->old_value,
			     w->st->b->o->ignore_name != NULL
				     ? w->st->b->o->ignore_name
				     : ".dockerignore"));
	return true;
}

static void
answer_file(struct why *w, const struct bld_input_change *f)
{
	stv_auto_free char *path = shown(f->path);
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_PATH * 8);

	if (f->old_value != NULL)
		w->old_value = shown(f->old_value);
	if (f->new_value != NULL)
		w->new_value = shown(f->new_value);
	if (strcmp(f->kind, "new-file") == 0)
		stv_buf_addf(&text, "%s is new", path);
	else if (strcmp(f->kind, "gone-file") == 0)
		stv_buf_addf(&text, "%s is gone", path);
	else if (strcmp(f->kind, "link") == 0)
		stv_buf_addf(&text, "%s: link target %s -> %s", path,
			     w->old_value, w->new_value);
	else if (w->old_value != NULL)
		stv_buf_addf(&text, "%s: %s %s -> %s", path, f->kind,
			     w->old_value, w->new_value);
	else
		stv_buf_addf(&text, "%s changed (%s)", path, f->kind);
	answer(w, f->kind, f->path, stv_buf_take(&text));
}

static bool
ask_files(struct why *w)
{
	stv_auto_buf old = STV_BUF_INIT(STV_MAX_INPUTS);
	const struct stv_buf *now = bld_why_list(w->c);
	struct bld_input_change f = {0};
	struct stv_err *e = NULL;

	if (w->c->plan == NULL || !w->old.has_inputs)
		return false;
	if (cas_inputs_read(w->st->b->o->store, &w->old.inputs, &old, &e) !=
	    1) {
		stv_err_free(e);
		return false;
	}
	if (now->len > 0 && bld_inputs_differ(&old, now, &f) == 1) {
		if (!is_left_out(w, &f) && !was_left_out(w, &f))
			answer_file(w, &f);
		if (f.n_more > 0) {
			char *text = stv_xasprintf("%s, and %zu more", w->text,
						   f.n_more);

			free(w->text);
			w->text = text;
		}
	}
	bld_input_change_fini(&f);
	return w->kind != NULL;
}

/* Something that is copied, of which no list tells more. */
static bool
ask_content(struct why *w)
{
	struct bld_change c;
	bool is_other =
		bld_fields_differ(&w->old.preimage, w->now, "content", &c);

	bld_change_fini(&c);
	if (is_other && !ask_files(w))
		answer(w, "inputs", NULL,
		       stv_xstrdup("what it copies changed"));
	return is_other;
}

/*
 * Of the key only what is copied differs, which comes last in it: then a file
 * that differs is the cause, whatever flag or variable does too.
 */
static bool
ask_only_files(struct why *w)
{
	struct key_diff d = {0};
	bool is_content;

	is_content =
		key_explain(stv_buf_str(&w->old.preimage), w->old.preimage.len,
			    stv_buf_str(w->now), w->now->len, &d) == 1 &&
		strcmp(d.field, "content") == 0;
	key_diff_fini(&d);
	return is_content && ask_files(w);
}

/* --- the same key upon another parent --- */

/* The titles of what stood before, packed. */
static size_t
read_before(const struct stv_buf *notes, int64_t **ret)
{
	struct key_reader r = key_reader(stv_buf_str(notes), notes->len);
	struct key_field f;

	while (key_next(&r, &f)) {
		if (!key_is_named(&f, BLD_NOTE_BEFORE) || f.len == 0)
			continue;
		*ret = stv_xmemdup(f.value, f.len);
		return f.len / sizeof(int64_t);
	}
	*ret = NULL;
	return 0;
}

static bool
has_title(const int64_t *list, size_t n, int64_t title)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == title)
			return true;
	return false;
}

/*
 * Instructions that stood before it stand behind it now, or the other way, or
 * are gone.
 */
static bool
ask_order(struct why *w)
{
	stv_auto_free int64_t *old = NULL, *now = NULL;
	size_t n_old = read_before(&w->old.notes, &old);
	size_t n_now = read_before(&w->notes, &now);
	const int64_t *all = bld_why_titles(w->st);
	bool is_moved = false, is_gone = false;

	if (w->old.notes.len == 0)
		return false;
	for (size_t i = 0; i < n_old; i++) {
		if (has_title(now, n_now, old[i]))
			continue;
		if (has_title(all, w->st->steps.len, old[i]))
			is_moved = true;
		else
			is_gone = true;
	}
	if (is_moved)
		answer(w, "order", NULL,
		       stv_xstrdup("the order of the instructions changed"));
	else if (is_gone)
		answer(w, "gone-instruction", NULL,
		       stv_xstrdup("an instruction before it is gone"));
	return is_moved || is_gone;
}

/* Are the layers below it those of then? */
static bool
is_same_chain(const struct why *w)
{
	return stv_digest_equal(&w->old.parent_chain, &w->c->parent_chain);
}

/* What ran before it made other layers. */
static bool
ask_parent(struct why *w)
{
	stv_auto_free char *step = NULL;

	if (w->st->ran == NULL || is_same_chain(w))
		return false;
	step = shown(w->st->ran);
	answer(w, "parent", step,
	       stv_xasprintf("the step before it ran again (%s)", step));
	return true;
}

/* Nothing differs: there was a result, and it is not here any more. */
static bool
ask_removed(struct why *w)
{
	if (!is_same_chain(w) ||
	    !stv_digest_equal(&w->old.parent_config, &w->c->parent_config))
		return false;
	answer(w, "removed", NULL,
	       stv_xstrdup("its result was removed from the cache"));
	return true;
}

/* The instruction before this one that makes a layer, or NULL. */
static const char *
step_before(const struct why *w)
{
	const struct bld_stage *st = w->st;

	for (size_t i = bld_why_index(st, w->c->step); i-- > 0;)
		if (st->steps.v[i].is_shown)
			return st->steps.v[i].node->original;
	return NULL;
}

/* It was cached, but this step did not run upon that result before. */
static void
answer_below(struct why *w)
{
	const char *before = step_before(w);
	stv_auto_free char *step = before == NULL ? NULL : shown(before);

	answer(w, "parent", step,
	       step == NULL
		       ? stv_xstrdup("what lies below it changed")
		       : stv_xasprintf("the step before it has another result "
				       "(%s)",
				       step));
}

/* Where no question finds it, the name of the first field that differs. */
static void
ask_any_field(struct why *w)
{
	struct key_diff d = {0};

	if (key_explain(stv_buf_str(&w->old.preimage), w->old.preimage.len,
			stv_buf_str(w->now), w->now->len, &d) == 1)
		answer(w, "input", d.field,
		       stv_xasprintf("%s changed", d.field));
	else
		answer_below(w);
	key_diff_fini(&d);
}

static void
compare(struct why *w)
{
	bool is_same_key =
		w->old.preimage.len == w->now->len &&
		memcmp(w->old.preimage.data, w->now->data, w->now->len) == 0;

	if (is_same_key) {
		if (ask_removed(w) || ask_parent(w) || ask_base(w) ||
		    ask_config(w) || ask_order(w))
			return;
	} else if (ask_version(w) || ask_platform(w) || ask_instruction(w) ||
		   ask_fields(w) || ask_only_files(w) || ask_flags(w) ||
		   ask_variables(w) || ask_command(w) || ask_run_config(w) ||
		   ask_content(w)) {
		return;
	}
	ask_any_field(w);
}

static void
find_and_compare(struct why *w)
{
	struct bld_build *b = w->st->b;
	struct cas_note_query q = {
		.place = b->place,
		.step = w->c->where,
		.preimage = w->now,
	};
	struct stv_err *e = NULL;
	int r;

	w->notes = STV_BUF_INIT(STV_MAX_EXPANDED_TOTAL);
	bld_why_notes(w->st, w->c, &q.title, &w->notes);
	r = cas_note_is_gone(b->o->store, &w->c->digest, &e);
	if (r == 1) {
		answer(w, "removed", NULL,
		       stv_xstrdup("its result was removed from the cache"));
		return;
	}
	if (r == 0)
		r = cas_note_find(b->o->store, &q, &w->old, &e);
	stv_err_free(e);
	if (r < 0)
		return;
	w->match = (enum cas_note_match)r;
	if (w->match == CAS_NOTE_NONE) {
		answer(w, "new", NULL, stv_xstrdup("never built here"));
		return;
	}
	compare(w);
}

void
bld_why_emit(struct bld_stage *st, struct bld_cached *c,
	     const struct stv_buf *preimage)
{
	struct why w = {.st = st, .c = c, .now = preimage};
	struct stv_reason reason;

	if (bld_is_uncached(st)) {
		const char *flag =
			st->b->o->no_cache ? "--no-cache" : "--no-cache-filter";

		answer(&w, "no-cache", flag, stv_xstrdup(flag));
	} else {
		find_and_compare(&w);
	}
	reason = (struct stv_reason){
		.kind = w.kind,
		.subject = w.subject,
		.old_value = w.old_value,
		.new_value = w.new_value,
	};
	bld_emit_started(st, c->step, w.kind == NULL ? NULL : &reason, w.text);
	cas_note_fini(&w.old);
	stv_buf_fini(&w.notes);
	free(w.subject);
	free(w.old_value);
	free(w.new_value);
	free(w.text);
}
