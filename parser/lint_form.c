/* parser/lint_form.c - rules about how instructions are written. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/lint_internal.h"
#include "parser/lint_same.h"
#include "parser/words.h"

/* ---- case ----------------------------------------------------------------*/

static bool
has_case(const char *s, int (*is)(int))
{
	for (; *s != '\0'; s++)
		if (is((unsigned char)*s) != 0)
			return true;
	return false;
}

/* Of all instructions from the first FROM on, which case do most have? */
static bool
is_majority_lower(const struct df_file *f)
{
	size_t n_lower = 0, n_upper = 0;
	bool is_in = false;

	for (size_t i = 0; i < f->n_nodes; i++) {
		const char *word = f->nodes[i].keyword;

		is_in |= f->nodes[i].kind == DF_FROM;
		if (!is_in)
			continue;
		if (!has_case(word, isupper))
			n_lower++;
		else if (!has_case(word, islower))
			n_upper++;
	}
	return n_lower > n_upper;
}

static char *
cased(const char *word, bool is_lower)
{
	char *s = stv_xstrdup(word);

	for (char *p = s; *p != '\0'; p++)
		*p = (char)(is_lower ? tolower((unsigned char)*p)
				     : toupper((unsigned char)*p));
	return s;
}

void
df_lint_casing(struct df_lint *l)
{
	const struct df_file *file = l->o.file;
	bool is_lower = is_majority_lower(file), is_in = false;

	for (size_t i = 0; i < file->n_nodes; i++) {
		const struct df_node *n = &file->nodes[i];
		struct stv_diag *f;
		char *word;

		is_in |= n->kind == DF_FROM;
		if (!is_in ||
		    !has_case(n->keyword, is_lower ? isupper : islower))
			continue;
		f = df_lint_add(l, DF_R_CONSISTENT_CASING, n->keyword_span,
				"'%s' is not in %s case as most instructions "
				"are",
				n->keyword, is_lower ? "lower" : "upper");
		word = cased(n->keyword, is_lower);
		stv_diag_hint(f, "Write %s.", word);
		df_lint_edit(l, n->keyword_span, word);
	}
}

/* ---- descriptions --------------------------------------------------------*/

/* The text of a comment without its '#' and blanks around. */
static char *
comment_text(const struct df_file *f, struct stv_span s)
{
	size_t len = s.end - s.begin;
	const char *text = df_trim(f->source->text + s.begin, &len);

	if (len > 0 && *text == '#') {
		text++;
		len--;
	}
	text = df_trim(text, &len);
	return stv_xstrndup(text, len);
}

/* Does the comment begin with one of the names that ${n} defines? */
static bool
describes(const struct df_node *n, const char *comment)
{
	size_t len = strcspn(comment, " ");

	if (n->kind == DF_FROM) {
		stv_auto_free char *name = cased(n->args[2].text, true);

		return strlen(name) == len && memcmp(name, comment, len) == 0;
	}
	for (size_t i = 0; i < n->n_args; i++)
		if (strcspn(n->args[i].text, "=") == len &&
		    memcmp(n->args[i].text, comment, len) == 0)
			return true;
	return false;
}

static void
check_description(struct df_lint *l, const struct df_node *n,
		  const char *comment, struct stv_span at)
{
	struct stv_diag *f;

	if (n->kind != DF_ARG && (n->kind != DF_FROM || n->n_args != 3))
		return;
	if (*comment == '\0' || describes(n, comment))
		return;
	f = df_lint_add(l, DF_R_DESCRIPTION,
			n->args[n->kind == DF_ARG ? 0 : 2].span,
			"the comment above %s does not begin with its name",
			n->kind == DF_ARG ? "an ARG" : "a stage");
	stv_diag_related(f, at, "the comment");
	stv_diag_hint(f, "Write '# name description', or put an empty comment "
			 "('#') between.");
}

/* The last comment between two instructions is about the second one. */
void
df_lint_description(struct df_lint *l)
{
	const struct df_file *f = l->o.file;
	size_t piece = 0;

	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct df_node *n = &f->nodes[i];
		stv_auto_free char *comment = stv_xstrdup("");
		struct stv_span at = n->span;

		for (; piece < f->n_pieces &&
		       f->pieces[piece].span.begin < n->span.begin;
		     piece++) {
			if (f->pieces[piece].kind != DF_P_COMMENT ||
			    (i > 0 && f->pieces[piece].span.begin <
					      f->nodes[i - 1].span.end))
				continue;
			free(comment);
			at = f->pieces[piece].span;
			comment = comment_text(f, at);
		}
		check_description(l, n, comment, at);
	}
}

/* ---- forms ---------------------------------------------------------------*/

void
df_lint_json_args(struct df_lint *l, const struct df_node *n)
{
	struct stv_diag *f;

	if ((n->kind != DF_CMD && n->kind != DF_ENTRYPOINT) || n->is_json ||
	    l->stage->has_shell)
		return;
	f = df_lint_add(l, DF_R_JSON_ARGS,
			n->n_args > 0 ? n->args[0].span : n->keyword_span,
			"%s in the shell form: the shell gets the signals, not "
			"the program",
			df_kind_name(n->kind));
	stv_diag_hint(f,
		      "Write it as a JSON array, like %s [\"program\", "
		      "\"argument\"], or give the shell by SHELL.",
		      df_kind_name(n->kind));
}

void
df_lint_multiple(struct df_lint *l, const struct df_node *n)
{
	const struct df_node *before;
	struct stv_diag *f;

	if (l->stage == NULL)
		return;
	if (n->kind == DF_CMD)
		before = l->stage->cmd;
	else if (n->kind == DF_ENTRYPOINT)
		before = l->stage->entrypoint;
	else if (n->kind == DF_HEALTHCHECK)
		before = l->stage->healthcheck;
	else
		return;
	if (before == NULL)
		return;
	f = df_lint_add(l, DF_R_MULTIPLE, before->span, "this %s has no effect",
			df_kind_name(n->kind));
	stv_diag_related(f, n->span, "the last one of the stage counts");
}

/*
 * Escape the blanks between quoted parts; NULL where there is one inside of
 * "${...}": what an escape means there depends on the operator.
 */
static char *
escape_blanks(const char *value, char escape)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);
	const char *open = strstr(value, "${"), *close = strrchr(value, '}');
	bool in_quotes = false;

	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\'' || *p == escape)
			return NULL;
		in_quotes ^= *p == '"';
		if (!in_quotes && (*p == ' ' || *p == '\t')) {
			if (open != NULL && close != NULL && p > open &&
			    p < close)
				return NULL;
			stv_buf_addc(&b, escape);
		}
		stv_buf_addc(&b, *p);
	}
	return in_quotes || b.is_over ? NULL : stv_buf_take(&b);
}

/* The word behind "name=" that is the same value; NULL: that is not sure. */
static char *
quote_value(const struct df_lint *l, const char *value)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);
	char escape = l->o.file->escape;
	char special[] = {'"', '\'', escape, '\0'};
	size_t len = strlen(value);

	/* Words end at other blanks too, and nobody writes them. */
	for (size_t i = 0; i < len; i++)
		if (value[i] != ' ' && value[i] != '\t' &&
		    df_space_len(value + i, len - i) > 0)
			return NULL;
	if (strpbrk(value, " \t") == NULL)
		return stv_xstrdup(value);
	if (strpbrk(value, special) == NULL) {
		stv_buf_addf(&b, "\"%s\"", value);
		return b.is_over ? NULL : stv_buf_take(&b);
	}
	return escape_blanks(value, escape);
}

/* A name that is one word without quotes, however it is read. */
static bool
is_plain_name(const char *name)
{
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) &&
		    strchr("_.-/", *name) == NULL)
			return false;
	return true;
}

void
df_lint_legacy_pair(struct df_lint *l, const struct df_node *n)
{
	const char *kind = df_kind_name(n->kind);
	struct stv_span both;
	struct stv_diag *f;
	char *value;

	if ((n->kind != DF_ENV && n->kind != DF_LABEL) || n->n_args != 3 ||
	    *n->args[2].text != '\0')
		return;
	both = n->args[0].span;
	both.end = n->args[1].span.end;
	f = df_lint_add(l, DF_R_LEGACY_PAIR, both,
			"%s with a blank between name and value", kind);
	stv_diag_hint(f, "Write %s name=value.", kind);
	if (!is_plain_name(n->args[0].text) ||
	    !df_lint_is_verbatim(l, &n->args[0]) ||
	    !df_lint_is_verbatim(l, &n->args[1]))
		return;
	value = quote_value(l, n->args[1].text);
	both.begin = n->args[0].span.end;
	/* What is wrong stays as it is. */
	if (value != NULL &&
	    df_lint_same_value(n->args[1].text, value, l->o.file->escape))
		df_lint_edit(l, both, stv_xasprintf("=%s", value));
	free(value);
}

/* Does a LABEL name the authors already, or may it?  Looked for once. */
static bool
sets_authors(struct df_lint *l)
{
	const struct df_file *f = l->o.file;

	if (l->sets_authors != 0)
		return l->sets_authors > 0;
	l->sets_authors = -1;
	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct df_node *n = &f->nodes[i];

		for (size_t k = 0; n->kind == DF_LABEL && k < n->n_args;
		     k += 3) {
			const char *text = n->args[k].text;
			stv_auto_free char *name = df_lint_expand(l, text);

			if (strchr(text, '$') != NULL || name == NULL ||
			    strcmp(name, DF_LABEL_AUTHORS) == 0)
				l->sets_authors = 1;
		}
	}
	return l->sets_authors > 0;
}

void
df_lint_maintainer(struct df_lint *l, const struct df_node *n)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);
	char escape = l->o.file->escape;
	struct stv_span all;
	struct stv_diag *f;

	if (n->kind != DF_MAINTAINER)
		return;
	f = df_lint_add(l, DF_R_MAINTAINER, n->keyword_span,
			"MAINTAINER is deprecated");
	stv_diag_hint(f, "Write LABEL " DF_LABEL_AUTHORS "=\"%s\".",
		      n->args[0].text);
	/* Of two labels the later one counts: which is meant? */
	if (!df_lint_is_verbatim(l, &n->args[0]) || sets_authors(l))
		return;
	stv_buf_addf(&b, "%s " DF_LABEL_AUTHORS "=\"",
		     has_case(n->keyword, isupper) ? "LABEL" : "label");
	for (const char *p = n->args[0].text; *p != '\0'; p++) {
		if (*p == '"' || *p == '$' || *p == escape)
			stv_buf_addc(&b, escape);
		stv_buf_addc(&b, *p);
	}
	stv_buf_addc(&b, '"');
	all = n->keyword_span;
	all.end = n->args[0].span.end;
	df_lint_edit(l, all, stv_buf_take(&b));
}

/* ---- what is nearly JSON -------------------------------------------------*/

/*
 * "['a', 'b']", "["a", "b",]", "["a" "b"]" or "['a']": an array of quoted
 * words.  "[ "$a" = b ]" of the shell is none.
 */
static bool
looks_like_array(const char *text)
{
	size_t len = strlen(text), n;
	const char *p = df_trim(text, &len);
	const char *close;
	char quote;

	if (len < 4 || p[0] != '[' || p[len - 1] != ']')
		return false;
	n = strspn(p + 1, " \t");
	quote = p[1 + n];
	if (quote != '"' && quote != '\'')
		return false;
	close = memchr(p + n + 2, quote, len - n - 2);
	if (close == NULL)
		return false;
	close++;
	close += strspn(close, " \t");
	return *close == ',' || close == p + len - 1;
}

void
df_lint_exec_form(struct df_lint *l, const struct df_node *n)
{
	const struct df_arg *arg;
	struct stv_diag *f;

	if (n->is_json ||
	    (n->kind != DF_RUN && n->kind != DF_CMD &&
	     n->kind != DF_ENTRYPOINT && n->kind != DF_HEALTHCHECK) ||
	    n->n_args == 0)
		return;
	arg = &n->args[n->n_args - 1];
	if (!looks_like_array(arg->text))
		return;
	f = df_lint_add(l, DF_R_EXEC_FORM, arg->span,
			"this is no JSON: the shell gets it as a command");
	stv_diag_hint(f, "A JSON array has double quotes, commas between its "
			 "members and none behind the last one.");
}
