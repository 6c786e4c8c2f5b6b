/* builder/outline_comment.c - what the comments above an instruction say. */
#include <stdbool.h>
#include <string.h>

#include "core/mem.h"
#include "core/source.h"
#include "parser/ast.h"
#include "parser/words.h"

#include "builder/outline_comment.h"

void
bld_comments_index(const struct df_file *f, bld_comments *ret)
{
	size_t begin = 0;

	for (size_t i = 0; i < f->n_pieces && ret->len < f->n_nodes; i++) {
		const struct df_node *n = &f->nodes[ret->len];

		if (f->pieces[i].span.begin != n->span.begin)
			continue;
		*stv_vec_push(ret) = begin;
		begin = i + 1;
	}
}

/* A comment that begins in the first column, and is not inside ${before}. */
static bool
counts(const struct df_file *f, size_t i, const struct df_node *before)
{
	const struct df_piece *p = &f->pieces[i];

	if (p->kind != DF_P_COMMENT && p->kind != DF_P_DIRECTIVE)
		return false;
	if (before != NULL && p->span.begin < before->span.end)
		return false;
	return i == 0 || f->pieces[i - 1].kind == DF_P_BOM ||
	       f->source->text[p->span.begin - 1] == '\n';
}

char *
bld_comments_find(const bld_comments *c, const struct df_file *f, size_t node,
		  const char *name)
{
	const struct df_node *n = &f->nodes[node];
	const struct df_node *before = node > 0 ? n - 1 : NULL;
	size_t name_len = strlen(name);

	for (size_t i = c->v[node]; f->pieces[i].span.begin < n->span.begin;
	     i++) {
		struct stv_span s = f->pieces[i].span;
		size_t len = s.end - s.begin - 1;
		const char *text;

		if (!counts(f, i, before))
			continue;
		text = df_trim(f->source->text + s.begin + 1, &len);
		if (len > name_len && memcmp(text, name, name_len) == 0 &&
		    text[name_len] == ' ')
			return stv_xstrndup(text + name_len + 1,
					    len - name_len - 1);
	}
	return NULL;
}

void
bld_node_lines(const struct df_file *f, const struct df_node *node,
	       uint32_t *ret_first, uint32_t *ret_last)
{
	uint32_t last = node->span.end - 1;

	if (node->n_heredocs > 0)
		last = node->heredocs[node->n_heredocs - 1].end_span.begin;
	*ret_first = stv_source_place(f->source, node->span.begin).line;
	*ret_last = stv_source_place(f->source, last).line;
}
