/* parser/fmt.c - a Dockerfile in one form: lines outside of instructions. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/fmt_internal.h"
#include "parser/parse.h"

#include "parser/fmt.h"

void
df_fmt_add(struct df_fmt *s, struct stv_span span)
{
	stv_buf_add(s->out, s->f->source->text + span.begin,
		    span.end - span.begin);
}

void
df_fmt_eol(struct df_fmt *s)
{
	stv_buf_adds(s->out, s->eol);
}

/* The end of the file's first line; what lies in heredocs does not count. */
static const char *
find_eol(const struct df_file *f)
{
	for (size_t i = 0; i < f->n_pieces; i++)
		if (f->pieces[i].kind == DF_P_NEWLINE)
			return f->source->text[f->pieces[i].span.begin] == '\r'
				       ? "\r\n"
				       : "\n";
	return "\n";
}

/* Is the comment one that would be a directive if it were the first line? */
static bool
may_be_directive(const struct df_fmt *s, const struct df_piece *p)
{
	return p->kind == DF_P_COMMENT &&
	       memchr(s->f->source->text + p->span.begin, '=',
		      p->span.end - p->span.begin) != NULL;
}

/* Write the empty line that waits before ${next}. */
static void
put_blank(struct df_fmt *s, const struct df_piece *next)
{
	if (s->has_blank && (s->out->len > 0 || may_be_directive(s, next))) {
		df_fmt_eol(s);
		s->block = s->out->len;
	}
	s->has_blank = false;
}

/* An own line: a comment or directive. */
static void
put_comment(struct df_fmt *s)
{
	const struct df_piece *p = &s->f->pieces[s->piece++];

	put_blank(s, p);
	df_fmt_add(s, p->span);
	df_fmt_eol(s);
	if (s->piece < s->f->n_pieces &&
	    s->f->pieces[s->piece].kind == DF_P_NEWLINE)
		s->piece++;
}

/* Put an empty line above the comments that belong to the next instruction. */
static void
open_block(struct df_fmt *s)
{
	size_t eol = strlen(s->eol), n = s->out->len - s->block;
	stv_auto_free char *block = NULL;

	if (s->block == 0 ||
	    (s->block >= 2 * eol &&
	     memcmp(s->out->data + s->block - 2 * eol, s->eol, eol) == 0 &&
	     memcmp(s->out->data + s->block - eol, s->eol, eol) == 0))
		return;
	block = stv_xstrndup(s->out->data + s->block, n);
	stv_buf_truncate(s->out, s->block);
	df_fmt_eol(s);
	stv_buf_add(s->out, block, n);
}

/* The bodies behind an instruction, as they are. */
static void
put_heredocs(struct df_fmt *s, const struct df_node *n)
{
	const struct df_piece *v = s->f->pieces;

	for (size_t i = 0; i < n->n_heredocs; i++) {
		const struct df_heredoc *h = &n->heredocs[i];

		df_fmt_add(s, h->body_span);
		df_fmt_add(s, h->end_span);
		df_fmt_eol(s);
		while (s->piece < s->f->n_pieces &&
		       v[s->piece].span.begin < h->end_span.end)
			s->piece++;
		if (s->piece < s->f->n_pieces &&
		    v[s->piece].kind == DF_P_NEWLINE)
			s->piece++;
	}
}

static void
put_instruction(struct df_fmt *s)
{
	const struct df_node *n = &s->f->nodes[s->node++];

	put_blank(s, &s->f->pieces[s->piece]);
	if (n->kind == DF_FROM) {
		if (s->has_from)
			open_block(s);
		s->has_from = true;
	}
	df_fmt_node(s);
	put_heredocs(s, n);
	s->block = s->out->len;
}

/* All of the file.  A newline that no line has taken is an empty line. */
static void
put_file(struct df_fmt *s)
{
	while (s->piece < s->f->n_pieces) {
		enum df_piece_kind kind = s->f->pieces[s->piece].kind;

		if (kind == DF_P_COMMENT || kind == DF_P_DIRECTIVE) {
			put_comment(s);
		} else if (kind == DF_P_JOIN || kind == DF_P_KEYWORD) {
			put_instruction(s);
		} else {
			s->has_blank |= kind == DF_P_NEWLINE;
			s->piece++;
		}
	}
}

/* Blanks that were added may have made a line too long. */
static int
check_lines(const struct stv_source *src, const struct stv_buf *b,
	    struct stv_err **err)
{
	const char *end = stv_buf_str(b) + b->len, *next;
	size_t n = 1;

	for (const char *p = stv_buf_str(b); p < end; p = next, n++) {
		next = memchr(p, '\n', (size_t)(end - p));
		next = next == NULL ? end : next + 1;
		if ((size_t)(next - p) > STV_MAX_PHYSICAL_LINE)
			return stv_fail(err, STV_E_LIMIT,
					"line %zu of %s would be longer than "
					"%zu bytes",
					n, src->name,
					STV_MAX_PHYSICAL_LINE - 1);
	}
	return 0;
}

/* Read the result again: it must say what the original says. */
static int
check_result(struct stv_sources *sources, const struct df_file *f,
	     const struct stv_buf *text, struct stv_err **err)
{
	stv_auto(df_file) *again = NULL;
	struct stv_diags diags = {0};
	struct stv_err *e = NULL;
	uint32_t no;
	bool ok;

	if (stv_sources_add(sources, f->source->name, stv_buf_str(text),
			    text->len, &no, err) < 0)
		return -1;
	ok = df_parse(sources, no, &again, &diags, &e) == 0 &&
	     df_same(f, again);
	stv_diags_fini(&diags);
	stv_err_free(e);
	if (ok)
		return 0;
	stv_fail(err, STV_E_INTERNAL, "formatting %s would change what it says",
		 f->source->name);
	stv_err_hint(*err, "Nothing was written; please report this with the "
			   "file.");
	return -1;
}

int
df_fmt(struct stv_sources *sources, const struct df_file *f,
       struct stv_buf *ret, struct stv_err **err)
{
	struct df_fmt s = {.f = f, .out = ret, .eol = find_eol(f)};

	put_file(&s);
	if (stv_buf_check(ret, "the formatted text", err) < 0 ||
	    check_lines(f->source, ret, err) < 0)
		return -1;
	return check_result(sources, f, ret, err);
}
