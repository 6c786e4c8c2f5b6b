/* parser/lint_same.c - does a corrected Dockerfile still say the same? */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "parser/ast.h"
#include "parser/expand.h"
#include "parser/fmt.h"
#include "parser/lint_same.h"

/*
 * What variables are: once all are unset, once each has its name as value, once
 * a text in which the patterns of "${x/pattern/other}" are found.
 */
enum probe { UNSET, OWN_NAME, WHOLE_TEXT, N_PROBES };

struct values {
	enum probe probe;
	const char *text;
};

static const char *
look_up(void *arg, const char *name)
{
	const struct values *v = arg;

	if (v->probe == UNSET)
		return NULL;
	return v->probe == OWN_NAME ? name : v->text;
}

bool
df_lint_same_value(const char *a, const char *b, char escape)
{
	struct values values = {.text = a};
	bool ret = true;

	if (strcmp(a, b) == 0)
		return true;
	for (int i = 0; i < N_PROBES && ret; i++) {
		struct df_expander x = {
			.escape = escape, .lookup = look_up, .arg = &values};
		stv_auto_free char *va = NULL, *vb = NULL;
		struct stv_err *err = NULL;

		values.probe = (enum probe)i;
		ret = df_expand_word(&x, a, &va, &err) == 0 &&
		      df_expand_word(&x, b, &vb, &err) == 0 &&
		      strcmp(va, vb) == 0;
		stv_err_free(err);
	}
	return ret;
}

/* Does ${text} expand to exactly ${raw}? */
static bool
is_value(const char *text, const char *raw, char escape)
{
	struct df_expander x = {.escape = escape};
	stv_auto_free char *value = NULL;
	struct stv_err *err = NULL;
	bool ret = df_expand_word(&x, text, &value, &err) == 0 &&
		   strcmp(value, raw) == 0;

	stv_err_free(err);
	return ret;
}

static bool
same_flags(const struct df_node *a, const struct df_node *b)
{
	if (a->n_flags != b->n_flags)
		return false;
	for (size_t i = 0; i < a->n_flags; i++) {
		const struct df_flag *x = &a->flags[i], *y = &b->flags[i];
		bool is_stage =
			a->kind == DF_COPY && strcmp(x->name, "from") == 0;

		if (strcmp(x->name, y->name) != 0 ||
		    x->has_value != y->has_value ||
		    (is_stage ? strcasecmp(x->value, y->value)
			      : strcmp(x->value, y->value)) != 0)
			return false;
	}
	return true;
}

static bool
same_args(const struct df_node *a, const struct df_node *b, char escape)
{
	bool is_pair = a->kind == DF_ENV || a->kind == DF_LABEL;

	if (a->n_args != b->n_args || a->is_json != b->is_json)
		return false;
	for (size_t i = 0; i < a->n_args; i++) {
		const char *x = a->args[i].text, *y = b->args[i].text;
		bool is_free =
			(a->kind == DF_FROM && i > 0) || a->kind == DF_EXPOSE;

		if (is_pair && i % 3 == 2)
			continue; /* the separator */
		if (is_pair && i % 3 == 1 ? !df_lint_same_value(x, y, escape)
		    : is_free		  ? strcasecmp(x, y) != 0
					  : strcmp(x, y) != 0)
			return false;
	}
	return true;
}

static bool
same_node(const struct df_node *a, const struct df_node *b, char escape)
{
	if (a->kind == DF_MAINTAINER && b->kind == DF_LABEL)
		return b->n_args == 3 && b->n_flags == 0 &&
		       strcmp(b->args[0].text, DF_LABEL_AUTHORS) == 0 &&
		       is_value(b->args[1].text, a->args[0].text, escape);
	if (a->kind != b->kind || (a->onbuild == NULL) != (b->onbuild == NULL))
		return false;
	if (a->trigger != NULL && strcmp(a->trigger, b->trigger) != 0)
		return false;
	return same_flags(a, b) && same_args(a, b, escape) &&
	       df_same_heredocs(a, b);
}

static bool
same_directive(const struct df_directive *a, const struct df_directive *b)
{
	return (a->value == NULL) == (b->value == NULL) &&
	       (a->value == NULL || strcmp(a->value, b->value) == 0);
}

bool
df_lint_same(const struct df_file *a, const struct df_file *b)
{
	if (a->escape != b->escape || a->n_nodes != b->n_nodes ||
	    !same_directive(&a->syntax, &b->syntax) ||
	    !same_directive(&a->check, &b->check) || !df_same_comments(a, b))
		return false;
	for (size_t i = 0; i < a->n_nodes; i++)
		if (!same_node(&a->nodes[i], &b->nodes[i], a->escape))
			return false;
	return true;
}
