/*
 * parser/fmt_node.c - a Dockerfile in one form: one instruction.
 *
 * An instruction begins with words (keyword, flags, perhaps arguments), which
 * get one blank between them and, on continuation lines, four before them.
 * What comes then may be a JSON array, or text: it is copied.
 */
#include <ctype.h>
#include <string.h>

#include "core/buf.h"
#include "core/source.h"

#include "parser/fmt_internal.h"

#define INDENT "    "

/* How a stretch of an instruction is written. */
enum style { AS_WORDS, AS_JSON, AS_TEXT };

/* One instruction on its way out. */
struct node {
	struct df_fmt *s;
	const struct df_node *n;
	enum style arguments;
	enum style style; /* of the current piece */
	bool is_frozen;	  /* no blank behind the keyword may change */
	bool has_keyword;
	bool has_token; /* of the flags and arguments */
	bool goes_on;	/* the last line of text ended with a join */
	size_t pending; /* the first piece behind the last token */

	/* In JSON. */
	bool in_string;
	bool is_escaped; /* the last byte of the string was a backslash */
	bool has_comma;	 /* a blank is due before the next string */
	bool at_start;	 /* of a continuation line, not yet indented */
};

static const struct df_piece *
piece(const struct node *w, size_t i)
{
	return &w->s->f->pieces[i];
}

static bool
is_end(const struct node *w, size_t i)
{
	return i >= w->s->f->n_pieces;
}

static bool
is_kind(const struct node *w, size_t i, enum df_piece_kind kind)
{
	return !is_end(w, i) && piece(w, i)->kind == kind;
}

static const char *
bytes(const struct node *w, struct stv_span span)
{
	return w->s->f->source->text + span.begin;
}

/* ---- what may change -----------------------------------------------------*/

static bool
has_byte(const struct node *w, struct stv_span span, const char *any)
{
	const char *p = bytes(w, span);

	for (size_t i = 0; i < span.end - span.begin; i++)
		if (strchr(any, p[i]) != NULL)
			return true;
	return false;
}

/* Is each heredoc opened by a word that is one for the arguments, too? */
static bool
has_plain_tags(const struct df_node *n)
{
	for (size_t i = 0; i < n->n_heredocs; i++) {
		const struct stv_span *tag = &n->heredocs[i].tag_span;
		bool found = false;

		for (size_t k = 0; k < n->n_args && !found; k++)
			found = n->args[k].span.begin == tag->begin &&
				n->args[k].span.end == tag->end;
		if (!found)
			return false;
	}
	return true;
}

/*
 * Heredocs are found by the quotes and escapes of the whole line, whatever the
 * instruction makes of them; so where there are both, blanks may matter.
 */
static bool
may_open_heredoc(const struct node *w)
{
	const struct df_node *n = w->n;

	if ((n->kind != DF_COPY && n->kind != DF_ADD && n->kind != DF_RUN) ||
	    n->is_json || !has_byte(w, n->span, "<"))
		return false;
	for (size_t i = 0; i < n->n_flags; i++)
		if (has_byte(w, n->flags[i].span, "\\'\""))
			return true;
	if (n->kind == DF_RUN)
		return false; /* its text is copied anyway */
	for (size_t i = 0; i < n->n_args; i++)
		if (strchr(n->args[i].text, '\\') != NULL)
			return true;
	return !has_plain_tags(n);
}

/* Another blank could make JSON of it. */
static bool
is_near_json(const struct df_node *n)
{
	return !n->is_json && n->n_args > 0 && n->args[0].text[0] == '[';
}

static enum style
arguments_style(const struct df_node *n)
{
	switch (n->kind) {
	case DF_ARG:
	case DF_EXPOSE:
	case DF_FROM:
		return AS_WORDS;
	case DF_ADD:
	case DF_COPY:
	case DF_VOLUME:
		return n->is_json ? AS_JSON : AS_WORDS;
	case DF_ENV:
	case DF_LABEL: /* "ENV name rest of line" has no separator */
		return n->args[2].text[0] == '\0' ? AS_TEXT : AS_WORDS;
	case DF_CMD:
	case DF_ENTRYPOINT:
	case DF_HEALTHCHECK:
	case DF_RUN:
	case DF_SHELL:
		return n->is_json ? AS_JSON : AS_TEXT;
	case DF_MAINTAINER:
	case DF_ONBUILD: /* an image keeps the trigger as it is */
	case DF_STOPSIGNAL:
	case DF_USER:
	case DF_WORKDIR:
		break;
	}
	return AS_TEXT;
}

/* Is it AS of FROM, or the type of a HEALTHCHECK? */
static bool
is_keyword_argument(const struct df_node *n, struct stv_span span)
{
	size_t i = n->kind == DF_FROM ? 1 : 0;

	if (n->kind != DF_FROM && n->kind != DF_HEALTHCHECK)
		return false;
	return i < n->n_args && span.begin >= n->args[i].span.begin &&
	       span.end <= n->args[i].span.end;
}

/* ---- between words -------------------------------------------------------*/

/* The bytes in upper case. */
static void
add_upper(struct node *w, struct stv_span span)
{
	for (const char *p = bytes(w, span), *end = p + span.end - span.begin;
	     p < end; p++)
		stv_buf_addc(w->s->out, (char)toupper((unsigned char)*p));
}

static void
add_join(struct node *w)
{
	stv_buf_addc(w->s->out, w->s->f->escape);
}

/*
 * Is the newline at ${i} that of an empty line inside an instruction, behind
 * which there is another one, or the end of the file?
 */
static bool
is_spare_line(const struct node *w, size_t i)
{
	size_t before = i - 1, after = i + 1;

	while (is_kind(w, before, DF_P_BLANK))
		before--;
	while (is_kind(w, after, DF_P_BLANK))
		after++;
	return is_kind(w, before, DF_P_NEWLINE) &&
	       (is_end(w, after) || is_kind(w, after, DF_P_NEWLINE));
}

static void
put_newline(struct node *w, size_t i)
{
	if (!is_spare_line(w, i))
		df_fmt_eol(w->s);
}

/* Do the pieces before ${end} hold blanks that separate words? */
static bool
has_space(const struct node *w, size_t end)
{
	for (size_t i = w->pending; i < end; i++)
		if (is_kind(w, i, DF_P_SPACE) &&
		    !is_kind(w, i + 1, DF_P_COMMENT))
			return true;
	return false;
}

/* The blanks before a word on a continuation line. */
static void
add_indent(struct node *w, size_t i)
{
	if (w->arguments != AS_TEXT)
		stv_buf_adds(w->s->out, INDENT);
	else if (is_kind(w, i, DF_P_SPACE))
		df_fmt_add(w->s, piece(w, i)->span);
}

/* One of the pieces between two words that stand on different lines. */
static void
put_between(struct node *w, size_t i, size_t first_join, bool is_apart)
{
	if (is_kind(w, i, DF_P_JOIN)) {
		if (is_apart && i == first_join)
			stv_buf_addc(w->s->out, ' ');
		else if (is_apart)
			add_indent(w, i - 1);
		add_join(w);
	} else if (is_kind(w, i, DF_P_COMMENT)) {
		add_indent(w, i - 1);
		df_fmt_add(w->s, piece(w, i)->span);
	} else if (is_kind(w, i, DF_P_NEWLINE)) {
		put_newline(w, i);
	}
}

/* Write what stands before piece ${end}, the next word or the end. */
static void
flush(struct node *w, size_t end)
{
	bool is_apart = w->has_keyword && has_space(w, end);
	size_t join = w->pending;

	while (join < end && !is_kind(w, join, DF_P_JOIN))
		join++;
	if (join == end) {
		if (is_apart)
			stv_buf_addc(w->s->out, ' ');
		return;
	}
	for (size_t i = w->pending; i < end; i++)
		put_between(w, i, join, is_apart);
	if (is_apart && !is_end(w, end))
		add_indent(w, end - 1);
}

/* ---- JSON ----------------------------------------------------------------*/

/* What precedes the next member or bracket. */
static void
json_space(struct node *w)
{
	if (w->at_start)
		stv_buf_adds(w->s->out, INDENT);
	else if (w->has_comma)
		stv_buf_addc(w->s->out, ' ');
	w->at_start = w->has_comma = false;
}

static void
put_json_byte(struct node *w, char c)
{
	if (w->in_string) {
		stv_buf_addc(w->s->out, c);
		if (c == '"' && !w->is_escaped)
			w->in_string = false;
		w->is_escaped = c == '\\' && !w->is_escaped;
		return;
	}
	if (strchr(" \t\r\n", c) != NULL)
		return;
	if (c != ',' || w->at_start)
		json_space(w);
	stv_buf_addc(w->s->out, c);
	w->has_comma = c == ',';
	w->in_string = c == '"';
}

static void
put_json(struct node *w, size_t i)
{
	struct stv_span span = piece(w, i)->span;

	if (is_kind(w, i, DF_P_ARG)) {
		for (uint32_t k = span.begin; k < span.end; k++)
			put_json_byte(w, w->s->f->source->text[k]);
	} else if (is_kind(w, i, DF_P_JOIN)) {
		if (!w->in_string)
			stv_buf_adds(w->s->out, w->at_start ? INDENT : " ");
		add_join(w);
	} else if (is_kind(w, i, DF_P_COMMENT)) {
		stv_buf_adds(w->s->out, INDENT);
		df_fmt_add(w->s, span);
	} else if (is_kind(w, i, DF_P_NEWLINE)) {
		put_newline(w, i);
		w->at_start = !w->in_string;
	}
}

/* ---- text ----------------------------------------------------------------*/

/* Would a line that ends here go on in the next one? */
static bool
ends_with_join(const struct node *w)
{
	const struct stv_buf *b = w->s->out;
	char escape = w->s->f->escape;

	return b->len > 0 && b->data[b->len - 1] == escape &&
	       (b->len == 1 || b->data[b->len - 2] != escape);
}

/* Blanks at the end of the instruction go, unless they hold it together. */
static void
put_last_space(struct node *w, size_t i)
{
	if (w->n->kind == DF_ONBUILD || ends_with_join(w))
		df_fmt_add(w->s, piece(w, i)->span);
}

static void
put_text(struct node *w, size_t i)
{
	const struct df_piece *p = piece(w, i);

	if (p->kind == DF_P_JOIN)
		add_join(w);
	else if (p->kind == DF_P_NEWLINE)
		put_newline(w, i);
	else if (p->kind == DF_P_SPACE &&
		 (is_end(w, i + 1) || is_kind(w, i + 1, DF_P_NEWLINE)))
		put_last_space(w, i);
	else if (p->kind != DF_P_BLANK)
		df_fmt_add(w->s, p->span);
}

/* ---- the instruction -----------------------------------------------------*/

/* A keyword, flag or argument that is a word. */
static void
put_word(struct node *w, size_t i)
{
	const struct df_piece *p = piece(w, i);

	flush(w, i);
	if (p->kind == DF_P_KEYWORD || is_keyword_argument(w->n, p->span))
		add_upper(w, p->span);
	else
		df_fmt_add(w->s, p->span);
	w->has_keyword = true;
	w->pending = i + 1;
}

/* Does text or JSON begin with this token? */
static enum style
style_at(const struct node *w, const struct df_piece *p)
{
	if (!w->has_keyword ||
	    (p->kind == DF_P_KEYWORD && w->n->kind != DF_ONBUILD))
		return AS_WORDS;
	if (w->n->kind == DF_ONBUILD)
		return p->span.begin < w->n->keyword_span.end ? AS_WORDS
							      : AS_TEXT;
	if (p->kind == DF_P_FLAG || is_keyword_argument(w->n, p->span))
		return AS_WORDS;
	return w->arguments;
}

static void
put_token(struct node *w, size_t i)
{
	w->style = style_at(w, piece(w, i));
	if (w->style == AS_WORDS) {
		put_word(w, i);
		return;
	}
	flush(w, i);
	w->pending = i + 1;
	if (w->style == AS_JSON)
		put_json(w, i);
	else
		put_text(w, i);
}

/* A piece of any kind. */
static void
put_piece(struct node *w, size_t i)
{
	const struct df_piece *p = piece(w, i);
	bool is_token = p->kind == DF_P_KEYWORD || p->kind == DF_P_FLAG ||
			p->kind == DF_P_ARG;

	if (w->style == AS_TEXT) {
		put_text(w, i);
		w->pending = i + 1;
	} else if (w->style == AS_JSON) {
		put_json(w, i);
		w->pending = i + 1;
	} else if (is_token) {
		put_token(w, i);
	} else if (w->is_frozen && w->has_keyword) {
		w->style = AS_TEXT;
		put_text(w, i);
		w->pending = i + 1;
	}
	if (p->kind == DF_P_JOIN)
		w->goes_on = true;
	else if (is_token)
		w->goes_on = false;
}

/* Can the blanks behind ONBUILD be one?  Others belong to its trigger. */
static bool
has_odd_blanks(const struct node *w)
{
	size_t i = w->s->piece;

	while (!is_kind(w, i, DF_P_KEYWORD))
		i++;
	while (is_kind(w, i, DF_P_KEYWORD) &&
	       piece(w, i)->span.begin < w->n->keyword_span.end)
		i++;
	return !is_kind(w, i, DF_P_SPACE) ||
	       has_byte(w, piece(w, i)->span, "\v\xc2\xe1\xe2\xe3") ||
	       is_kind(w, i + 1, DF_P_JOIN);
}

void
df_fmt_node(struct df_fmt *s)
{
	struct node w = {
		.s = s,
		.n = &s->f->nodes[s->node - 1],
		.style = AS_WORDS,
		.pending = s->piece,
	};
	size_t end;

	w.arguments = arguments_style(w.n);
	w.is_frozen = may_open_heredoc(&w) ||
		      (w.arguments == AS_WORDS && is_near_json(w.n)) ||
		      (w.n->kind == DF_ONBUILD && has_odd_blanks(&w));
	for (; !is_end(&w, s->piece); s->piece++) {
		if (is_kind(&w, s->piece, DF_P_NEWLINE) && !w.goes_on)
			break;
		put_piece(&w, s->piece);
	}
	end = s->piece;
	s->piece += end < s->f->n_pieces;
	if (w.style == AS_WORDS && w.goes_on)
		flush(&w, end);
	else if (w.style == AS_WORDS && end > w.pending)
		put_last_space(&w, end - 1);
	/* At the end of the file the last line may have been a join. */
	if (s->out->len == 0 || s->out->data[s->out->len - 1] != '\n')
		df_fmt_eol(s);
}
