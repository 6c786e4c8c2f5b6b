/* parser/lint.c - applying the rules. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bool.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/lint_internal.h"
#include "parser/parse.h"
#include "parser/words.h"

/* ---- "# check=" ----------------------------------------------------------*/

/* A part "name=value" of the line, at most so many of them. */
#define MAX_PARTS 3

/* Names between commas, or "all"; those that no rule has are remembered. */
static void
take_names(struct df_lint *l, const char *text, size_t len, bool is_off)
{
	bool is_known;
	enum df_rule_no no;

	text = df_trim(text, &len);
	if (len == 3 && memcmp(text, "all", 3) == 0) {
		for (size_t i = 0; i < DF_N_RULES; i++)
			if (df_rules[i].is_experimental != is_off)
				l->is_off[i] = is_off;
		return;
	}
	for (size_t at = 0; at <= len;) {
		const char *comma = memchr(text + at, ',', len - at);
		size_t end = comma != NULL ? (size_t)(comma - text) : len;
		size_t n = end - at;
		const char *name = df_trim(text + at, &n);
		stv_auto_free char *id = stv_xstrndup(name, n);

		is_known = df_rule_find(id, &no);
		if (is_known)
			l->is_off[no] = is_off;
		else if (*id != '\0')
			stv_strs_add(&l->unknown, id);
		at = end + 1;
	}
}

static int
bad_option(const struct df_lint *l, const char *part, size_t len,
	   const char *why, struct stv_err **err)
{
	stv_fail(err, STV_E_CHECK, "invalid check option '%.*s'%s", (int)len,
		 part, why);
	stv_err_hint(*err, "Write '# check=skip=RULE,RULE;experimental=RULE;"
			   "error=true'.");
	return stv_err_at(*err, l->check_span);
}

static int
take_part(struct df_lint *l, const char *part, size_t len, struct stv_err **err)
{
	const char *eq = memchr(part, '=', len);
	const char *value = eq != NULL ? eq + 1 : NULL;
	size_t rest = eq != NULL ? len - (size_t)(value - part) : 0;
	size_t n = eq != NULL ? (size_t)(eq - part) : 0;
	const char *name;
	int is;

	if (eq == NULL)
		return bad_option(l, part, len, ": there is no '='", err);
	name = df_trim(part, &n);
	if (n == 4 && memcmp(name, "skip", 4) == 0) {
		take_names(l, value, rest, true);
		return 0;
	}
	if (n == 12 && memcmp(name, "experimental", 12) == 0) {
		take_names(l, value, rest, false);
		return 0;
	}
	if (n != 5 || memcmp(name, "error", 5) != 0)
		return bad_option(l, name, n, "", err);
	value = df_trim(value, &rest);
	is = stv_bool_parse(value, rest);
	if (is < 0)
		return bad_option(l, part, len, ": true or false is meant",
				  err);
	l->is_error = is == 1;
	return 0;
}

/* The text behind "check=". */
static int
take_options(struct df_lint *l, const char *text, struct stv_err **err)
{
	size_t len = strlen(text);

	text = df_trim(text, &len);
	if (len == 0)
		return 0;
	for (size_t part = 1, at = 0; at <= len; part++) {
		const char *semi = part < MAX_PARTS
					   ? memchr(text + at, ';', len - at)
					   : NULL;
		size_t end = semi != NULL ? (size_t)(semi - text) : len;

		if (take_part(l, text + at, end - at, err) < 0)
			return -1;
		at = end + 1;
	}
	return 0;
}

/* Names that no rule has; what was meant is the hint. */
static void
report_unknown(struct df_lint *l)
{
	const char *ids[DF_N_RULES + 1] = {NULL};

	for (size_t i = 0; i < DF_N_RULES; i++)
		ids[i] = df_rules[i].id;
	for (size_t i = 0; i < l->unknown.len; i++) {
		const char *near = df_nearest(l->unknown.v[i], ids);
		struct stv_diag *f =
			df_lint_add(l, DF_R_UNKNOWN_RULE, l->check_span,
				    "there is no rule '%s'", l->unknown.v[i]);

		if (near != NULL)
			stv_diag_hint(f, "Did you mean %s?", near);
		else
			stv_diag_hint(f, "stave-rules(7) has all of them.");
	}
}

/* ---- findings ------------------------------------------------------------*/

bool
df_lint_wants(const struct df_lint *l, enum df_rule_no rule)
{
	return !l->is_off[rule];
}

struct stv_diag *
df_lint_add(struct df_lint *l, enum df_rule_no rule, struct stv_span span,
	    const char *fmt, ...)
{
	char *msg = NULL;
	struct stv_diag *f;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = stv_xstrdup(fmt);
	va_end(ap);
	f = stv_diags_add(l->diags, df_rules[rule].severity, span, "%s", msg);
	f->rule = df_rules[rule].id;
	l->is_found[rule] = true;
	free(msg);
	return f;
}

void
df_lint_note(struct df_lint *l, struct stv_diag *f)
{
	if (f->severity == STV_SEV_WARNING)
		l->diags->n_warnings--;
	f->severity = STV_SEV_NOTE;
}

void
df_lint_warn(struct df_lint *l, struct stv_diag *f)
{
	if (f->severity == STV_SEV_NOTE)
		l->diags->n_warnings++;
	f->severity = STV_SEV_WARNING;
}

/* ---- changes -------------------------------------------------------------*/

/* The first piece that ends behind ${at}. */
static size_t
find_piece(const struct df_file *f, uint32_t at)
{
	size_t low = 0, high = f->n_pieces;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (f->pieces[mid].span.end <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Does a comment stand in ${span}, between the lines of an instruction? */
static bool
has_comment(const struct df_file *f, struct stv_span span)
{
	for (size_t i = find_piece(f, span.begin);
	     i < f->n_pieces && f->pieces[i].span.begin < span.end; i++)
		if (f->pieces[i].kind == DF_P_COMMENT)
			return true;
	return false;
}

void
df_lint_edit(struct df_lint *l, struct stv_span span, char *text)
{
	struct lint_edit *e;

	if (has_comment(l->o.file, span)) {
		free(text);
		return;
	}
	e = stv_vec_push(&l->edits);
	e->span = span;
	e->text = text;
}

/* The empty line at ${at} is removed whole. */
static void
edit_empty(struct df_lint *l, uint32_t at)
{
	const struct stv_source *src = l->o.file->source;
	struct stv_span line = {at, at, l->o.file->source_no};

	while (line.begin > 0 && src->text[line.begin - 1] != '\n')
		line.begin--;
	while (line.end < src->len && src->text[line.end] != '\n')
		line.end++;
	if (line.end < src->len)
		line.end++;
	df_lint_edit(l, line, stv_xstrdup(""));
}

/* All empty lines of an instruction, of which ${first} is the first one. */
static void
edit_all_empty(struct df_lint *l, struct stv_span first)
{
	const struct df_file *f = l->o.file;
	bool goes_on = true, is_empty = true;

	edit_empty(l, first.begin);
	for (size_t i = find_piece(f, first.begin); i < f->n_pieces; i++) {
		enum df_piece_kind kind = f->pieces[i].kind;

		if (kind == DF_P_NEWLINE) {
			if (!goes_on)
				return;
			if (is_empty)
				edit_empty(l, f->pieces[i].span.begin);
			is_empty = true;
		} else if (kind != DF_P_BLANK) {
			is_empty = false;
			/* Neither comments nor blanks end an instruction. */
			if (kind != DF_P_COMMENT && kind != DF_P_SPACE)
				goes_on = kind == DF_P_JOIN;
		}
	}
}

/* Warnings of the parser are a rule's findings. */
static void
take_parsed(struct df_lint *l)
{
	size_t n_left = l->o.file->n_empty;
	size_t n_over = l->diags->n_warnings;
	enum df_rule_no no;

	for (size_t i = 0; i < l->diags->len;) {
		const struct stv_diag *d = &l->diags->v[i];

		n_over -= d->severity == STV_SEV_WARNING;
		if (d->rule == NULL || !df_rule_find(d->rule, &no)) {
			i++;
		} else if (l->is_off[no]) {
			stv_diags_drop(l->diags, i);
			n_left -= n_left > 0;
		} else {
			l->is_found[no] = true;
			if (no == DF_R_EMPTY_CONTINUATION)
				edit_all_empty(l, d->span);
			i++;
		}
	}
	/* Those beyond the maximum were not kept, but counted. */
	if (l->is_off[DF_R_EMPTY_CONTINUATION])
		l->diags->n_warnings -= n_left < n_over ? n_left : n_over;
}

/* ---- places --------------------------------------------------------------*/

bool
df_lint_is_verbatim(const struct df_lint *l, const struct df_arg *arg)
{
	const struct stv_source *src = l->o.file->source;
	size_t len = strlen(arg->text);

	return arg->span.file == l->o.file->source_no &&
	       arg->span.end - arg->span.begin == len &&
	       memcmp(src->text + arg->span.begin, arg->text, len) == 0;
}

/* The offset in the file of byte ${at} of an argument's text. */
static uint32_t
text_offset(const struct df_file *f, const struct df_arg *arg, size_t at)
{
	for (size_t i = find_piece(f, arg->span.begin); i < f->n_pieces; i++) {
		struct stv_span s = f->pieces[i].span;

		if (s.begin >= arg->span.end)
			break;
		if (f->pieces[i].kind != DF_P_ARG)
			continue;
		if (s.begin < arg->span.begin)
			s.begin = arg->span.begin;
		if (at < s.end - s.begin)
			return s.begin + (uint32_t)at;
		at -= s.end - s.begin;
	}
	return arg->span.end;
}

struct stv_span
df_lint_part(const struct df_lint *l, const struct df_arg *arg, size_t begin,
	     size_t end)
{
	struct stv_span s = arg->span;

	if (s.file != l->o.file->source_no || begin >= end)
		return s;
	s.begin = text_offset(l->o.file, arg, begin);
	s.end = text_offset(l->o.file, arg, end - 1) + 1;
	return s.begin < s.end && s.end <= arg->span.end ? s : arg->span;
}

/* ---- running -------------------------------------------------------------*/

int
df_lint_new(const struct df_lint_opts *o, struct stv_diags *diags,
	    struct df_lint **ret, struct stv_err **err)
{
	stv_auto(df_lint) *l = stv_xcalloc(1, sizeof(*l));
	const char *given = o->build_args != NULL
				    ? stv_env_get(o->build_args,
						  "BUILDKIT_DOCKERFILE_CHECK")
				    : NULL;
	const char *text = given != NULL ? given : o->file->check.value;

	l->o = *o;
	l->diags = diags;
	if (given == NULL)
		l->check_span = o->file->check.value_span;
	for (size_t i = 0; i < DF_N_RULES; i++)
		l->is_off[i] = df_rules[i].is_experimental;
	if (text != NULL && take_options(l, text, err) < 0)
		return given == NULL
			       ? -1
			       : stv_wrap(err, "BUILDKIT_DOCKERFILE_CHECK");
	for (size_t i = DF_N_BUILDKIT_RULES; i < DF_N_RULES; i++)
		l->is_off[i] |= o->only_buildkit;
	if (o->platform != NULL)
		stv_platform_copy(&l->platform, o->platform);
	else
		stv_platform_host(&l->platform);
	*ret = stv_steal(&l);
	return 0;
}

/* All rules about one instruction, then what it changes for the next. */
static void
look_at(struct df_lint *l, const struct df_node *n)
{
	for (size_t i = 0; i < DF_N_RULES; i++)
		if (!l->is_off[i] && df_rules[i].node != NULL)
			df_rules[i].node(l, n);
	df_lint_step(l, n);
}

void
df_lint_run(struct df_lint *l)
{
	const struct df_file *f = l->o.file;
	size_t stage = 0;

	take_parsed(l);
	df_lint_scopes(l);
	if (!l->is_off[DF_R_UNKNOWN_RULE])
		report_unknown(l);
	for (size_t i = 0; i < DF_N_RULES; i++)
		if (!l->is_off[i] && df_rules[i].file != NULL)
			df_rules[i].file(l);
	for (size_t i = 0; i < f->n_nodes; i++) {
		if (f->nodes[i].kind == DF_FROM)
			df_lint_begin_stage(l, stage++);
		look_at(l, &f->nodes[i]);
	}
}

bool
df_lint_is_shipped(const struct df_lint *l, const struct df_node *node)
{
	for (size_t i = l->stages.len; i-- > 0;)
		if (l->stages.v[i].from <= node)
			return l->stages.v[i].is_shipped;
	return false;
}

int
df_lint_end(struct df_lint *l, struct stv_err **err)
{
	stv_auto_buf names = STV_BUF_INIT(4096);

	stv_diags_sort(l->diags, 0);
	for (size_t i = 0; i < DF_N_BUILDKIT_RULES; i++)
		if (l->is_found[i])
			stv_buf_addf(&names, "%s%s", names.len > 0 ? ", " : "",
				     df_rules[i].id);
	if (!l->is_error || names.len == 0)
		return 0;
	stv_fail(err, STV_E_CHECK, "lint violation found for rules: %s",
		 stv_buf_str(&names));
	stv_err_hint(*err, "Warnings are errors because of 'error=true'.");
	return stv_err_at(*err, l->check_span);
}

void
df_lint_base_fini(struct df_lint_base *b)
{
	stv_strs_clear(&b->env);
	stv_strs_clear(&b->on_build);
	stv_platform_fini(&b->platform);
	free(b->user);
	free(b->workdir);
	free(b->shell);
}

void
df_lint_free(struct df_lint *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->stages.len; i++)
		df_lint_fini_stage(&l->stages.v[i]);
	for (size_t i = 0; i < l->edits.len; i++)
		free(l->edits.v[i].text);
	stv_vec_fini(&l->stages);
	stv_vec_fini(&l->edits);
	stv_strs_clear(&l->unknown);
	stv_strs_clear(&l->auto_args);
	stv_strs_clear(&l->global);
	stv_strs_clear(&l->global_names);
	stv_platform_fini(&l->platform);
	df_script_fini(&l->script);
	free(l);
}
