/* parser/reader.c - bytes to logical lines. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/diag.h"
#include "core/limits.h"

#include "parser/reader.h"
#include "parser/words.h"

static const char utf8_bom[] = "\xef\xbb\xbf";

static struct stv_span
span_of(const struct df_reader *r, uint32_t begin, uint32_t end)
{
	return (struct stv_span){.begin = begin, .end = end, .file = r->file};
}

void
df_reader_piece(struct df_reader *r, enum df_piece_kind kind, uint32_t begin,
		uint32_t end)
{
	if (begin >= end)
		return;
	*stv_vec_push(&r->pieces) = (struct df_piece){
		.kind = kind,
		.span = span_of(r, begin, end),
	};
}

void
df_reader_fini(struct df_reader *r)
{
	stv_vec_fini(&r->pieces);
	stv_vec_fini(&r->tokens);
}

void
df_line_fini(struct df_line *line)
{
	stv_buf_fini(&line->text);
	stv_vec_fini(&line->ranges);
}

/* Cut off one physical line; too long ones are reported. */
static bool
take_physical(struct df_reader *r, struct df_physical *ret)
{
	const char *nl;

	if (r->pos >= r->len)
		return false;
	ret->begin = r->pos;
	nl = memchr(r->text + r->pos, '\n', r->len - r->pos);
	ret->next = nl != NULL ? (uint32_t)(nl - r->text) + 1 : r->len;
	ret->end = ret->next;
	while (ret->end > ret->begin &&
	       (r->text[ret->end - 1] == '\n' || r->text[ret->end - 1] == '\r'))
		ret->end--;
	r->pos = ret->next;
	if (ret->next - ret->begin - (nl != NULL) >= STV_MAX_PHYSICAL_LINE)
		stv_diags_add(r->diags, STV_SEV_ERROR,
			      span_of(r, ret->begin, ret->begin + 1),
			      "line is longer than %zu bytes",
			      STV_MAX_PHYSICAL_LINE - 1);
	return true;
}

bool
df_reader_raw(struct df_reader *r, struct df_physical *ret)
{
	return take_physical(r, ret);
}

/* The first byte of [begin, end) that is no blank. */
static uint32_t
skip_blanks(const struct df_reader *r, uint32_t begin, uint32_t end)
{
	size_t n;

	while ((n = df_space_len(r->text + begin, end - begin)) > 0)
		begin += (uint32_t)n;
	return begin;
}

/* "name = value" of a directive; false where the line is no such thing. */
static bool
split_directive(const struct df_reader *r, uint32_t begin, uint32_t end,
		struct stv_span *name, struct stv_span *value)
{
	uint32_t p = skip_blanks(r, begin + 1, end);

	name->begin = p;
	if (p == end || !isalpha((unsigned char)r->text[p]))
		return false;
	while (p < end && isalnum((unsigned char)r->text[p]))
		p++;
	name->end = p;
	while (p < end && isspace((unsigned char)r->text[p]))
		p++;
	if (p == end || r->text[p] != '=')
		return false;
	p++;
	while (p < end && isspace((unsigned char)r->text[p]))
		p++;
	value->begin = p;
	while (end > p && isspace((unsigned char)r->text[end - 1]))
		end--;
	value->end = end;
	return p < end;
}

/* The directive of that name, or NULL. */
static struct df_directive *
find_directive(struct df_reader *r, const char *name, size_t len)
{
	if (len == 6 && strncasecmp(name, "syntax", len) == 0)
		return &r->syntax;
	if (len == 6 && strncasecmp(name, "escape", len) == 0)
		return &r->escape_directive;
	if (len == 5 && strncasecmp(name, "check", len) == 0)
		return &r->check;
	return NULL;
}

/* Set the escape character, or say why not. */
static void
set_escape(struct df_reader *r, const struct df_directive *d)
{
	struct stv_diag *f;

	if (strcmp(d->value, "\\") == 0 || strcmp(d->value, "`") == 0) {
		r->escape = d->value[0];
		return;
	}
	f = stv_diags_add(r->diags, STV_SEV_ERROR, d->value_span,
			  "invalid escape character '%s'", d->value);
	stv_diag_hint(f, "Write '# escape=\\' or '# escape=`'.");
}

/*
 * Is the comment at [begin, end) a directive?  Anything else closes the window
 * for good, wherever it stands.
 */
static bool
take_directive(struct df_reader *r, uint32_t begin, uint32_t end)
{
	struct stv_span name = {.file = r->file}, value = {.file = r->file};
	struct df_directive *d = NULL;

	if (r->is_directives_done)
		return false;
	if (split_directive(r, begin, end, &name, &value))
		d = find_directive(r, r->text + name.begin,
				   name.end - name.begin);
	if (d == NULL) {
		r->is_directives_done = true;
		return false;
	}
	if (d->value != NULL) {
		struct stv_diag *f = stv_diags_add(
			r->diags, STV_SEV_ERROR, name,
			"the directive '%.*s' is given twice",
			(int)(name.end - name.begin), r->text + name.begin);
		stv_diag_related(f, d->span, "first given here");
		return true;
	}
	d->span = span_of(r, begin, end);
	d->value_span = value;
	d->value = df_arena_strndup(r->arena, r->text + value.begin,
				    value.end - value.begin);
	if (d == &r->escape_directive)
		set_escape(r, d);
	return true;
}

/*
 * Where the text of a physical line ends: before the escape character that
 * joins it with the next one, or at its end.  Three of them are no join, as in
 * the reference.
 */
static uint32_t
find_join(const struct df_reader *r, uint32_t begin, uint32_t end)
{
	uint32_t p = end;

	while (p > begin && (r->text[p - 1] == ' ' || r->text[p - 1] == '\t'))
		p--;
	if (p == begin || r->text[p - 1] != r->escape)
		return end;
	p--;
	if (p > begin && r->text[p - 1] == r->escape)
		return end;
	return p;
}

/* Add the text of a physical line; true where the next one continues it. */
static bool
add_physical(struct df_reader *r, struct df_line *line, uint32_t begin,
	     const struct df_physical *ph)
{
	uint32_t text_end = find_join(r, begin, ph->end);

	*stv_vec_push(&line->ranges) = (struct df_range){
		.logical = (uint32_t)line->text.len,
		.source = begin,
	};
	stv_buf_add(&line->text, r->text + begin, text_end - begin);
	line->end = text_end;
	df_reader_piece(r, DF_P_JOIN, text_end, ph->end);
	df_reader_piece(r, DF_P_NEWLINE, ph->end, ph->next);
	return text_end < ph->end;
}

/* Read on until a line ends that continues on no other. */
static void
add_continuations(struct df_reader *r, struct df_line *line)
{
	struct df_physical ph;
	bool goes_on = true;

	while (goes_on && take_physical(r, &ph)) {
		uint32_t first = skip_blanks(r, ph.begin, ph.end);

		if (first < ph.end && r->text[first] != '#') {
			goes_on = add_physical(r, line, ph.begin, &ph);
			continue;
		}
		if (first < ph.end) {
			df_reader_piece(r, DF_P_SPACE, ph.begin, first);
			df_reader_piece(r, DF_P_COMMENT, first, ph.end);
		} else {
			if (!line->has_empty)
				line->empty = span_of(r, ph.begin, ph.end);
			line->has_empty = true;
			df_reader_piece(r, DF_P_BLANK, ph.begin, ph.end);
		}
		df_reader_piece(r, DF_P_NEWLINE, ph.end, ph.next);
	}
}

/* A blank line, comment or directive: record it. */
static bool
take_trivia(struct df_reader *r, const struct df_physical *ph, uint32_t first)
{
	enum df_piece_kind kind;

	if (first == ph->end)
		kind = DF_P_BLANK;
	else if (r->text[first] != '#')
		kind = DF_P_SPACE;
	else if (take_directive(r, first, ph->end))
		kind = DF_P_DIRECTIVE;
	else
		kind = DF_P_COMMENT;

	if (kind == DF_P_BLANK || kind == DF_P_SPACE)
		r->is_directives_done = true;
	df_reader_piece(r, kind == DF_P_BLANK ? DF_P_BLANK : DF_P_SPACE,
			ph->begin, first);
	if (kind == DF_P_SPACE)
		return false;
	df_reader_piece(r, kind, first, ph->end);
	df_reader_piece(r, DF_P_NEWLINE, ph->end, ph->next);
	return true;
}

/* Begin ${line} anew. */
static void
reset_line(struct df_line *line, uint32_t begin)
{
	stv_buf_truncate(&line->text, 0);
	line->text.max = STV_MAX_LINE;
	line->text.is_over = false;
	line->ranges.len = 0;
	line->begin = begin;
	line->end = begin;
	line->has_empty = false;
}

bool
df_reader_next(struct df_reader *r, struct df_line *line)
{
	struct df_physical ph;
	uint32_t first;

	if (r->pos == 0 && r->len >= 3 && memcmp(r->text, utf8_bom, 3) == 0) {
		df_reader_piece(r, DF_P_BOM, 0, 3);
		r->pos = 3;
	}
	do {
		if (!take_physical(r, &ph))
			return false;
		first = skip_blanks(r, ph.begin, ph.end);
	} while (take_trivia(r, &ph, first));

	reset_line(line, first);
	if (add_physical(r, line, first, &ph))
		add_continuations(r, line);
	if (line->text.is_over)
		stv_diags_add(r->diags, STV_SEV_ERROR,
			      span_of(r, first, first + 1),
			      "instruction is longer than %zu bytes",
			      (size_t)STV_MAX_LINE);
	return true;
}

/* The index of the range that holds the logical byte ${offset}. */
static size_t
range_of(const struct df_line *line, size_t offset)
{
	size_t lo = 0, hi = line->ranges.len;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (line->ranges.v[mid].logical <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* The source offset of a logical one. */
static uint32_t
source_of(const struct df_line *line, size_t offset)
{
	const struct df_range *range;

	if (line->ranges.len == 0)
		return line->begin;
	range = &line->ranges.v[range_of(line, offset)];
	return range->source + (uint32_t)offset - range->logical;
}

struct stv_span
df_line_span(const struct df_line *line, uint32_t file, size_t begin,
	     size_t end)
{
	struct stv_span s = {.file = file};

	s.begin = source_of(line, begin);
	/* The end of a token lies behind its last byte, before any join. */
	s.end = end > begin ? source_of(line, end - 1) + 1 : s.begin;
	return s;
}

void
df_line_piece(const struct df_line *line, struct df_reader *r,
	      enum df_piece_kind kind, size_t begin, size_t end)
{
	size_t i;

	if (begin >= end)
		return;
	for (i = range_of(line, begin); begin < end; i++) {
		size_t stop = i + 1 < line->ranges.len
				      ? line->ranges.v[i + 1].logical
				      : line->text.len;
		uint32_t source;

		if (stop > end)
			stop = end;
		if (stop <= begin)
			continue;
		source = line->ranges.v[i].source + (uint32_t)begin -
			 line->ranges.v[i].logical;
		*stv_vec_push(&r->tokens) = (struct df_piece){
			.kind = kind,
			.span = span_of(r, source,
					source + (uint32_t)(stop - begin)),
		};
		begin = stop;
	}
}
