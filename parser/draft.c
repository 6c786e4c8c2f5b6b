/* parser/draft.c - the instruction that the grammar is putting together. */
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/limits.h"

#include "parser/lex.h"

/* Where the next part goes. */
static struct df_draft *
current(struct df_lex *lex)
{
	return lex->has_inner ? &lex->inner : &lex->outer;
}

static void
reset(struct df_draft *d)
{
	d->node = (struct df_node){0};
	d->flags.len = 0;
	d->args.len = 0;
	d->heredocs.len = 0;
}

/* The instruction reaches to here. */
static void
extend(struct df_lex *lex, struct stv_span span)
{
	current(lex)->node.span.end = span.end;
	lex->outer.node.span.end = span.end;
}

void
df_draft_begin(struct df_lex *lex, const struct df_keyword *keyword,
	       struct stv_span span)
{
	struct df_draft *d;

	if (lex->outer.node.keyword != NULL)
		lex->has_inner = true;
	d = current(lex);
	reset(d);
	d->node.kind = keyword->kind;
	d->node.keyword = keyword->text;
	d->node.keyword_span = span;
	d->node.span = span;
	d->node.original = keyword->original;
	if (keyword->kind == DF_ONBUILD)
		d->node.trigger = keyword->rest;
	/* An ONBUILD reaches to its trigger's keyword at least. */
	extend(lex, span);
}

void
df_draft_flag(struct df_lex *lex, const struct df_flag *flag)
{
	*stv_vec_push(&current(lex)->flags) = *flag;
	extend(lex, flag->span);
}

void
df_draft_arg(struct df_lex *lex, const char *text, struct stv_span span)
{
	*stv_vec_push(&current(lex)->args) = (struct df_arg){
		.text = text,
		.span = span,
	};
	if (span.end > current(lex)->node.span.end)
		extend(lex, span);
}

void
df_draft_json(struct df_lex *lex)
{
	current(lex)->node.is_json = true;
}

void
df_draft_close(struct df_lex *lex, struct stv_span span)
{
	extend(lex, span);
}

void
df_draft_heredoc(struct df_lex *lex, const struct df_heredoc *h)
{
	/* Those of a trigger belong to the ONBUILD, as in the reference. */
	*stv_vec_push(&lex->outer.heredocs) = *h;
}

/* Copy ${n} objects into the arena. */
static const void *
keep(struct df_lex *lex, const void *v, size_t n, size_t size)
{
	void *p = df_arena_alloc(lex->arena, n * size + 1);

	if (n > 0)
		memcpy(p, v, n * size);
	return p;
}

/* Make the draft's lists part of the tree. */
static void
finish(struct df_lex *lex, struct df_draft *d)
{
	struct df_node *n = &d->node;

	n->flags = keep(lex, d->flags.v, d->flags.len, sizeof(*d->flags.v));
	n->n_flags = d->flags.len;
	n->args = keep(lex, d->args.v, d->args.len, sizeof(*d->args.v));
	n->n_args = d->args.len;
	n->heredocs = keep(lex, d->heredocs.v, d->heredocs.len,
			   sizeof(*d->heredocs.v));
	n->n_heredocs = d->heredocs.len;
}

/* Put the heredocs behind a trigger, as an image's config keeps it. */
static void
finish_trigger(struct df_lex *lex, struct df_draft *d)
{
	stv_auto_buf b = STV_BUF_INIT(2 * STV_MAX_SOURCE);

	if (d->heredocs.len == 0)
		return;
	stv_buf_adds(&b, d->node.trigger);
	for (size_t i = 0; i < d->heredocs.len; i++) {
		stv_buf_addc(&b, '\n');
		stv_buf_add(&b, d->heredocs.v[i].content,
			    d->heredocs.v[i].content_len);
		stv_buf_adds(&b, d->heredocs.v[i].name);
	}
	d->node.trigger = df_arena_strndup(lex->arena, stv_buf_str(&b), b.len);
}

void
df_draft_line(struct df_lex *lex)
{
	struct df_draft *outer = &lex->outer;

	if (lex->has_inner) {
		finish(lex, &lex->inner);
		outer->node.onbuild =
			keep(lex, &lex->inner.node, 1, sizeof(lex->inner.node));
	}
	if (outer->node.kind == DF_ONBUILD)
		finish_trigger(lex, outer);
	finish(lex, outer);
	*stv_vec_push(&lex->nodes) = outer->node;
	df_draft_drop(lex);
}

void
df_draft_drop(struct df_lex *lex)
{
	lex->has_inner = false;
	reset(&lex->outer);
	reset(&lex->inner);
}
