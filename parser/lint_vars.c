/*
 * parser/lint_vars.c - variables that nobody sets.
 *
 * Expanded, and so looked at, is what BuildKit expands and reports: not EXPOSE,
 * --exclude and --from, nor what the shell expands.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/csv.h"
#include "parser/lint_internal.h"
#include "parser/parse.h"

/* The nearest variable that there is. */
static void
hint_near(struct df_lint *l, struct stv_diag *f, const char *name)
{
	const struct stv_strs *env = &l->stage->env;
	const struct stv_strs *args = &l->stage->declared;
	const char *names[2 * LINT_MAX_NAMES + 1] = {NULL};
	struct stv_strs known = {0};
	const char *near;
	size_t n = 0;

	if (l->diags->len >= STV_MAX_FINDINGS)
		return; /* nobody sees it */
	for (size_t i = 0; i < env->len && i < LINT_MAX_NAMES; i++)
		stv_strs_add_n(&known, env->v[i], strcspn(env->v[i], "="));
	for (; n < known.len; n++)
		names[n] = known.v[n];
	for (size_t i = 0; i < args->len && i < LINT_MAX_NAMES; i++)
		names[n++] = args->v[i];
	near = df_nearest(name, names);
	if (near != NULL)
		stv_diag_hint(f, "Did you mean $%s?", near);
	else
		stv_diag_hint(f, "Set it by ARG or ENV before this place.");
	stv_strs_clear(&known);
}

/* Where "$name" or "${name" stands in ${span}, else all of it. */
static struct stv_span
narrow(const struct df_lint *l, struct stv_span span, const char *name)
{
	const char *text = l->o.file->source->text;
	size_t len = strlen(name);

	if (span.file != l->o.file->source_no)
		return span;
	for (uint32_t i = span.begin; i < span.end; i++) {
		uint32_t at = i + 1 + (text[i + 1] == '{');

		if (text[i] != '$' || at + len > span.end ||
		    memcmp(text + at, name, len) != 0 ||
		    isalnum((unsigned char)text[at + len]) ||
		    text[at + len] == '_')
			continue;
		span.begin = i;
		span.end = at + (uint32_t)len;
		break;
	}
	return span;
}

/* Expand ${text}, which stands at ${span}. */
static void
check_text(struct df_lint *l, const char *text, struct stv_span span,
	   const struct stv_strs *also, bool is_body)
{
	struct df_expander x = df_lint_expander(l, &l->stage->env);
	struct stv_strs unset = {0};
	struct stv_err *err = NULL;
	char *ret = NULL;
	int rc;

	if (strchr(text, '$') == NULL)
		return;
	x.unset = &unset;
	rc = is_body ? df_expand_heredoc(&x, text, &ret, &err)
		     : df_expand_word(&x, text, &ret, &err);
	if (rc < 0)
		stv_err_free(err);
	else
		free(ret);
	for (size_t i = 0; i < unset.len && i < LINT_MAX_UNSET; i++) {
		const char *name = unset.v[i];
		bool is_known = stv_strs_has(&l->stage->declared, name) ||
				(also != NULL && stv_strs_has(also, name));

		for (size_t k = 0; k < i; k++)
			is_known |= strcmp(unset.v[k], name) == 0;
		if (!is_known)
			hint_near(l,
				  df_lint_add(l, DF_R_UNDEFINED_VAR,
					      narrow(l, span, name),
					      "the variable '$%s' is not set",
					      name),
				  name);
	}
	stv_strs_clear(&unset);
}

/* The values of a --mount. */
static void
check_mount(struct df_lint *l, const struct df_flag *flag)
{
	struct stv_strs fields = {0};
	struct stv_err *err = NULL;

	if (df_csv_split(flag->value, &fields, &err) < 0)
		stv_err_free(err);
	for (size_t i = 0; i < fields.len; i++) {
		const char *eq = strchr(fields.v[i], '=');

		if (eq != NULL && strncmp(fields.v[i], "from=", 5) != 0)
			check_text(l, eq + 1, flag->value_span, NULL, false);
	}
	stv_strs_clear(&fields);
}

static void
check_flags(struct df_lint *l, const struct df_node *n)
{
	for (size_t i = 0; i < n->n_flags; i++) {
		const struct df_flag *f = &n->flags[i];

		if (n->kind == DF_RUN && strcmp(f->name, "mount") == 0)
			check_mount(l, f);
		else if (n->kind != DF_RUN &&
			 (strcmp(f->name, "chown") == 0 ||
			  strcmp(f->name, "chmod") == 0 ||
			  strcmp(f->name, "checksum") == 0))
			check_text(l, f->value, f->value_span, NULL, false);
	}
}

static void
check_copy(struct df_lint *l, const struct df_node *n)
{
	check_flags(l, n);
	for (size_t i = 0; i < n->n_args; i++)
		if (df_node_heredoc(n, n->args[i].text) == NULL)
			check_text(l, n->args[i].text, n->args[i].span, NULL,
				   false);
	for (size_t i = 0; i < n->n_heredocs; i++)
		if (n->heredocs[i].expand)
			check_text(l, n->heredocs[i].content,
				   n->heredocs[i].body_span, NULL, true);
}

/* Defaults; each name is known to those behind it. */
static void
check_arg(struct df_lint *l, const struct df_node *n)
{
	struct stv_strs before = {0};

	for (size_t i = 0; i < n->n_args; i++) {
		const char *text = n->args[i].text;
		const char *eq = strchr(text, '=');
		stv_auto_free char *name =
			stv_xstrndup(text, strcspn(text, "="));

		if (eq != NULL && (l->o.build_args == NULL ||
				   stv_env_get(l->o.build_args, name) == NULL))
			check_text(l, eq + 1, n->args[i].span, &before, false);
		stv_strs_add(&before, name);
	}
	stv_strs_clear(&before);
}

void
df_lint_undefined_var(struct df_lint *l, const struct df_node *n)
{
	size_t step;

	if (l->stage == NULL || !l->stage->knows_base)
		return;
	switch (n->kind) {
	case DF_ADD:
	case DF_COPY:
		check_copy(l, n);
		break;
	case DF_RUN:
		check_flags(l, n);
		break;
	case DF_ARG:
		check_arg(l, n);
		break;
	case DF_ENV:
	case DF_LABEL:
	case DF_STOPSIGNAL:
	case DF_USER:
	case DF_VOLUME:
	case DF_WORKDIR:
		step = n->kind == DF_ENV || n->kind == DF_LABEL ? 3 : 1;
		for (size_t i = 0; i < n->n_args; i++)
			if (step == 1 || i % step != 2)
				check_text(l, n->args[i].text, n->args[i].span,
					   NULL, false);
		break;
	case DF_CMD:
	case DF_ENTRYPOINT:
	case DF_EXPOSE:
	case DF_FROM:
	case DF_HEALTHCHECK:
	case DF_MAINTAINER:
	case DF_ONBUILD:
	case DF_SHELL:
		break;
	}
}
