/* core/diag.c - showing an error or a finding with its place in the source. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/secret.h"
#include "core/source.h"
#include "core/vec.h"

#include "core/diag.h"

/* Bytes of a line that are shown; a longer one is cut around the place. */
#define SHOWN_MAX ((size_t)240)
/* Bytes shown before the place where a line is cut. */
#define SHOWN_BEFORE ((size_t)60)

static const struct {
	const char *name;
	const char *color;
} severities[] = {
	[STV_SEV_ERROR] = {"error", "\033[1;31m"},
	[STV_SEV_WARNING] = {"warning", "\033[1;33m"},
	[STV_SEV_NOTE] = {"note", "\033[1;36m"},
};

/* Where and how text is shown. */
struct page {
	const struct stv_sources *src;
	struct stv_buf *out;
	bool color;
};

/* Text in a color, where colors are wanted. */
static void
put(const struct page *pg, const char *color, const char *text)
{
	if (pg->color)
		stv_buf_adds(pg->out, color);
	stv_buf_add_escaped(pg->out, text, strlen(text));
	if (pg->color)
		stv_buf_adds(pg->out, "\033[0m");
}

/* Free what a finding owns. */
static void
diag_fini(struct stv_diag *f)
{
	free(f->msg);
	free(f->hint);
	for (size_t i = 0; i < f->n_related; i++)
		free(f->related[i].label);
	*f = (struct stv_diag){0};
}

/* Two more; all behind the last one are zero, but for the scratch one. */
static void
make_room(struct stv_diags *d)
{
	size_t had = d->cap;

	stv_vec_reserve(d, d->len + 2);
	if (d->cap > had)
		memset(&d->v[had], 0, (d->cap - had) * sizeof(d->v[0]));
}

struct stv_diag *
stv_diags_add(struct stv_diags *d, enum stv_severity severity,
	      struct stv_span span, const char *fmt, ...)
{
	size_t max = d->max != 0 ? d->max : STV_MAX_DIAGS;
	struct stv_diag *f;
	char *msg = NULL;
	va_list ap;

	if (severity == STV_SEV_ERROR)
		d->n_errors++;
	else if (severity == STV_SEV_WARNING)
		d->n_warnings++;
	/* One beyond the maximum is the scratch one that nobody shows. */
	if (d->len < max) {
		make_room(d);
		f = &d->v[d->len++];
		/* Something may have been dropped since there was no room. */
		diag_fini(f);
	} else {
		f = &d->v[max];
		diag_fini(f);
	}
	va_start(ap, fmt);
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = stv_xstrdup(fmt);
	va_end(ap);
	*f = (struct stv_diag){
		.severity = severity,
		.span = span,
		.msg = msg,
	};
	return f;
}

void
stv_diag_hint(struct stv_diag *f, const char *fmt, ...)
{
	char *hint = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&hint, fmt, ap) < 0)
		hint = stv_xstrdup(fmt);
	va_end(ap);
	free(f->hint);
	f->hint = hint;
}

void
stv_diag_related(struct stv_diag *f, struct stv_span span, const char *label)
{
	if (f->n_related == STV_ARRAY_LEN(f->related))
		return;
	f->related[f->n_related++] = (struct stv_related){
		.span = span,
		.label = stv_xstrdup(label),
	};
}

void
stv_diags_drop(struct stv_diags *d, size_t i)
{
	if (d->v[i].severity == STV_SEV_WARNING)
		d->n_warnings--;
	diag_fini(&d->v[i]);
	/* The scratch one behind the last moves along. */
	memmove(&d->v[i], &d->v[i + 1], (d->len - i) * sizeof(d->v[0]));
	d->v[d->len--] = (struct stv_diag){0};
}

/* Does ${a} stand behind ${b}? */
static bool
is_behind(struct stv_span a, struct stv_span b)
{
	return a.file != b.file ? a.file > b.file : a.begin > b.begin;
}

void
stv_diags_sort(struct stv_diags *d, size_t from)
{
	for (size_t i = from + 1; i < d->len; i++) {
		struct stv_diag one = d->v[i];
		size_t k = i;

		for (; k > from && is_behind(d->v[k - 1].span, one.span); k--)
			d->v[k] = d->v[k - 1];
		d->v[k] = one;
	}
}

void
stv_diags_fini(struct stv_diags *d)
{
	if (d->v != NULL)
		for (size_t i = 0; i <= d->len; i++)
			diag_fini(&d->v[i]);
	stv_vec_fini(d);
	d->n_errors = d->n_warnings = 0;
}

/* Is ${c} the inner byte of a UTF-8 sequence? */
static bool
is_inner(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The columns that ${n} bytes take as add_source() shows them. */
static size_t
width(const char *p, size_t n)
{
	stv_auto_buf b = STV_BUF_INIT(8 * SHOWN_MAX);
	size_t w = 0;

	stv_buf_add_escaped(&b, p, n);
	for (size_t i = 0; i < b.len; i++)
		w += !is_inner(b.data[i]);
	return w;
}

/* Bytes of the source: escaped, tabs kept. */
static void
add_source(struct stv_buf *out, const char *p, size_t n)
{
	size_t begin = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && p[i] != '\t')
			continue;
		stv_buf_add_escaped(out, p + begin, i - begin);
		if (i < n)
			stv_buf_addc(out, '\t');
		begin = i + 1;
	}
}

/* As much blank as ${n} bytes take: a tab for a tab, else spaces. */
static void
add_blank(struct stv_buf *out, const char *p, size_t n)
{
	size_t begin = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && p[i] != '\t')
			continue;
		stv_buf_addf(out, "%*s", (int)width(p + begin, i - begin), "");
		if (i < n)
			stv_buf_addc(out, '\t');
		begin = i + 1;
	}
}

/* Cut a long line so that the place stays in view; true where it was cut. */
static void
cut_line(const char **line, size_t *len, size_t *from, size_t *to,
	 bool is_cut[2])
{
	size_t skip = 0;

	if (*len > SHOWN_MAX && *from > SHOWN_BEFORE)
		skip = *from - SHOWN_BEFORE;
	while (skip > 0 && is_inner((*line)[skip]))
		skip--;
	*line += skip;
	*len -= skip;
	*from -= skip;
	*to -= skip;
	is_cut[0] = skip > 0;
	is_cut[1] = *len > SHOWN_MAX;
	if (is_cut[1]) {
		*len = SHOWN_MAX;
		while (*len > 0 && is_inner((*line)[*len]))
			(*len)--;
	}
	if (*to > *len)
		*to = *len;
}

/* The line of ${span} and, below it, marks under the place. */
static void
add_excerpt(const struct page *pg, const struct stv_source *src,
	    struct stv_span span, char first_mark)
{
	uint32_t line_no = stv_source_place(src, span.begin).line;
	size_t len, from, to, marks;
	const char *line = stv_source_line(src, line_no, &len);
	stv_auto_free char *masked = stv_xmemdup(line, len);
	bool is_cut[2];

	/* A message is read by more people than the file. */
	stv_secret_mask_urls(masked, len);
	line = masked;
	from = span.begin - src->lines[line_no - 1];
	if (from > len)
		from = len;
	/* Where several lines are spanned the first is marked to its end. */
	to = span.end > span.begin ? from + (span.end - span.begin) : from + 1;
	cut_line(&line, &len, &from, &to, is_cut);

	stv_buf_addf(pg->out, "%5u | %s", line_no, is_cut[0] ? "..." : "");
	add_source(pg->out, line, len);
	stv_buf_addf(pg->out, "%s\n      | %s", is_cut[1] ? "..." : "",
		     is_cut[0] ? "   " : "");
	add_blank(pg->out, line, from);
	marks = to > from ? width(line + from, to - from) : 0;
	if (pg->color)
		stv_buf_adds(pg->out, "\033[1;32m");
	stv_buf_addc(pg->out, first_mark);
	for (size_t i = 1; i < marks; i++)
		stv_buf_addc(pg->out, '~');
	stv_buf_adds(pg->out, pg->color ? "\033[0m\n" : "\n");
}

/* The source of a span, or NULL where there is none to show. */
static const struct stv_source *
source_of(const struct page *pg, struct stv_span span)
{
	return pg->src == NULL ? NULL : stv_sources_get(pg->src, span.file);
}

/* "FILE:LINE:COLUMN: ". */
static void
add_place(const struct page *pg, const struct stv_source *src,
	  struct stv_span span)
{
	struct stv_place at = stv_source_place(src, span.begin);

	stv_buf_add_escaped(pg->out, src->name, strlen(src->name));
	stv_buf_addf(pg->out, ":%u:%u: ", at.line, at.column);
}

/* A text of several lines: each further one is indented. */
static void
add_lines(const struct page *pg, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "\n");

		add_source(pg->out, text, n);
		stv_buf_addc(pg->out, '\n');
		if (text[n] == '\0' || text[n + 1] == '\0')
			return;
		text += n + 1;
		stv_buf_adds(pg->out, "    ");
	}
}

/* Place, severity, message, and the excerpt. */
static void
add_head(const struct page *pg, enum stv_severity severity, const char *rule,
	 struct stv_span span, const char *msg)
{
	const struct stv_source *src = source_of(pg, span);

	if (src != NULL)
		add_place(pg, src, span);
	put(pg, severities[severity].color, severities[severity].name);
	stv_buf_adds(pg->out, ": ");
	if (rule != NULL)
		stv_buf_addf(pg->out, "%s: ", rule);
	add_lines(pg, msg);
	if (src != NULL)
		add_excerpt(pg, src, span, '^');
}

/* "  hint: ..." */
static void
add_hint(const struct page *pg, const char *hint)
{
	if (hint == NULL)
		return;
	stv_buf_adds(pg->out, "  ");
	put(pg, "\033[1m", "hint");
	stv_buf_adds(pg->out, ": ");
	add_lines(pg, hint);
}

void
stv_diag_render(const struct stv_diag *f, const struct stv_sources *src,
		bool color, struct stv_buf *ret)
{
	struct page pg = {.src = src, .out = ret, .color = color};

	add_head(&pg, f->severity, f->rule, f->span, f->msg);
	for (size_t i = 0; i < f->n_related; i++) {
		const struct stv_related *r = &f->related[i];
		const struct stv_source *s = source_of(&pg, r->span);

		if (s == NULL)
			continue;
		add_place(&pg, s, r->span);
		put(&pg, severities[STV_SEV_NOTE].color, "note");
		stv_buf_adds(ret, ": ");
		add_lines(&pg, r->label);
		add_excerpt(&pg, s, r->span, '~');
	}
	add_hint(&pg, f->hint);
}

/*
 * The root says what failed and comes first; the frames around it tell what
 * it was done for, the nearest first.
 */
static void
add_frames(const struct page *pg, const struct stv_err *e)
{
	STV_VEC(const char *) frames = {0};

	for (; stv_err_cause(e) != NULL; e = stv_err_cause(e))
		*stv_vec_push(&frames) = stv_err_msg(e);
	for (size_t i = frames.len; i > 0; i--) {
		stv_buf_adds(pg->out, "  while: ");
		add_lines(pg, frames.v[i - 1]);
	}
	stv_vec_fini(&frames);
}

void
stv_err_render(const struct stv_err *e, const struct stv_sources *src,
	       bool color, struct stv_buf *ret)
{
	struct page pg = {.src = src, .out = ret, .color = color};

	add_head(&pg, STV_SEV_ERROR, NULL, stv_err_span(e),
		 stv_err_msg(stv_err_root(e)));
	add_hint(&pg, stv_err_get_hint(e));
	add_frames(&pg, e);
}
