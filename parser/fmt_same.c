/* parser/fmt_same.c - do two Dockerfiles say the same? */
#include <string.h>
#include <strings.h>

#include "core/source.h"

#include "parser/ast.h"
#include "parser/fmt.h"

/* Two texts, either of which may be NULL. */
static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool
same_flags(const struct df_node *a, const struct df_node *b)
{
	if (a->n_flags != b->n_flags)
		return false;
	for (size_t i = 0; i < a->n_flags; i++)
		if (strcmp(a->flags[i].name, b->flags[i].name) != 0 ||
		    strcmp(a->flags[i].value, b->flags[i].value) != 0 ||
		    a->flags[i].has_value != b->flags[i].has_value)
			return false;
	return true;
}

static bool
same_args(const struct df_node *a, const struct df_node *b)
{
	if (a->n_args != b->n_args)
		return false;
	for (size_t i = 0; i < a->n_args; i++) {
		bool is_keyword = (a->kind == DF_FROM && i == 1) ||
				  (a->kind == DF_HEALTHCHECK && i == 0);
		const char *x = a->args[i].text, *y = b->args[i].text;

		if ((is_keyword ? strcasecmp(x, y) : strcmp(x, y)) != 0)
			return false;
	}
	return true;
}

bool
df_same_heredocs(const struct df_node *a, const struct df_node *b)
{
	if (a->n_heredocs != b->n_heredocs)
		return false;
	for (size_t i = 0; i < a->n_heredocs; i++) {
		const struct df_heredoc *x = &a->heredocs[i];
		const struct df_heredoc *y = &b->heredocs[i];

		if (strcmp(x->name, y->name) != 0 ||
		    x->content_len != y->content_len ||
		    memcmp(x->content, y->content, x->content_len) != 0 ||
		    x->fd != y->fd || x->expand != y->expand ||
		    x->chomp != y->chomp)
			return false;
	}
	return true;
}

static bool
same_instruction(const struct df_node *a, const struct df_node *b)
{
	return a->kind == b->kind && a->is_json == b->is_json &&
	       same_flags(a, b) && same_args(a, b) && df_same_heredocs(a, b);
}

static bool
same_node(const struct df_node *a, const struct df_node *b)
{
	if (!same_instruction(a, b) || !same_text(a->trigger, b->trigger) ||
	    (a->onbuild == NULL) != (b->onbuild == NULL))
		return false;
	/* There is no ONBUILD below ONBUILD. */
	return a->onbuild == NULL || same_instruction(a->onbuild, b->onbuild);
}

/* The next comment from *at on; NULL: there is none. */
static const struct df_piece *
next_comment(const struct df_file *f, size_t *at)
{
	while (*at < f->n_pieces) {
		const struct df_piece *p = &f->pieces[(*at)++];

		if (p->kind == DF_P_COMMENT)
			return p;
	}
	return NULL;
}

bool
df_same_comments(const struct df_file *a, const struct df_file *b)
{
	const struct df_piece *x, *y;
	size_t i = 0, k = 0;

	for (;;) {
		x = next_comment(a, &i);
		y = next_comment(b, &k);
		if (x == NULL || y == NULL)
			return x == y;
		if (x->span.end - x->span.begin !=
			    y->span.end - y->span.begin ||
		    memcmp(a->source->text + x->span.begin,
			   b->source->text + y->span.begin,
			   x->span.end - x->span.begin) != 0)
			return false;
	}
}

bool
df_same(const struct df_file *a, const struct df_file *b)
{
	if (a->escape != b->escape || a->n_nodes != b->n_nodes ||
	    !same_text(a->syntax.value, b->syntax.value) ||
	    !same_text(a->escape_directive.value, b->escape_directive.value) ||
	    !same_text(a->check.value, b->check.value) ||
	    !df_same_comments(a, b))
		return false;
	for (size_t i = 0; i < a->n_nodes; i++)
		if (!same_node(&a->nodes[i], &b->nodes[i]))
			return false;
	return true;
}
