/* parser/lint_text.c - text that means something else than it looks like. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/lint_internal.h"
#include "parser/words.h"

/* ---- directives ----------------------------------------------------------*/

/* "# escape=`": the name of a directive, '=' and one word. */
static bool
is_directive(const char *text, size_t len)
{
	static const char *const names[] = {"syntax", "escape", "check"};

	if (len == 0 || *text != '#')
		return false;
	text++;
	len--;
	text = df_trim(text, &len);
	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]), rest;
		const char *value;

		if (len <= n || strncasecmp(text, names[i], n) != 0)
			continue;
		rest = len - n;
		value = df_trim(text + n, &rest);
		if (rest < 2 || *value != '=')
			return false;
		value++;
		rest--;
		value = df_trim(value, &rest);
		return rest > 0 && memchr(value, ' ', rest) == NULL;
	}
	return false;
}

void
df_lint_directive_late(struct df_lint *l)
{
	const struct df_file *f = l->o.file;

	for (size_t i = 0; i < f->n_pieces; i++) {
		struct stv_span s = f->pieces[i].span;
		struct stv_diag *d;
		size_t len = s.end - s.begin;
		const char *text = df_trim(f->source->text + s.begin, &len);

		if (f->pieces[i].kind != DF_P_COMMENT ||
		    !is_directive(text, len))
			continue;
		d = df_lint_add(l, DF_R_DIRECTIVE_LATE, s,
				"this is an ordinary comment, no directive");
		stv_diag_hint(d, "Directives stand at the top, before all "
				 "comments, empty lines and instructions, each "
				 "once.");
	}
}

/* ---- escape characters ---------------------------------------------------*/

/* Three or more at the end of a line inside an instruction. */
void
df_lint_escapes(struct df_lint *l)
{
	const struct df_file *f = l->o.file;

	for (size_t i = 0; i < f->n_nodes; i++) {
		struct stv_span s = f->nodes[i].span;
		struct stv_diag *d;
		uint32_t n = 0, end = s.end;

		while (n < end - s.begin &&
		       f->source->text[end - 1 - n] == f->escape)
			n++;
		if (n < 3 || n % 2 == 0 || s.file != f->source_no)
			continue;
		s.begin = end - n;
		d = df_lint_add(l, DF_R_ESCAPES, s,
				"this line is the last of its instruction");
		stv_diag_hint(d, "Only a single '%c' at the end continues it.",
			      f->escape);
	}
}

/* ---- heredocs ------------------------------------------------------------*/

/* A line that is the tag but for blanks around it. */
static bool
is_near_end(const char *line, size_t len, const char *tag)
{
	size_t n = len;
	const char *text = df_trim(line, &n);

	return n == strlen(tag) && memcmp(text, tag, n) == 0;
}

static void
check_heredoc(struct df_lint *l, const struct df_heredoc *h)
{
	const char *p = h->content, *end = h->content + h->content_len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl != NULL ? nl : end) - p);
		struct stv_span s = h->body_span;
		struct stv_diag *f;

		if (is_near_end(p, len, h->name)) {
			s.begin += (uint32_t)(p - h->content);
			s.end = s.begin + (uint32_t)len;
			f = df_lint_add(l, DF_R_HEREDOC_END, s,
					"the heredoc does not end here: there "
					"are blanks beside '%s'",
					h->name);
			stv_diag_related(f, h->end_span, "it ends here");
			stv_diag_hint(f, h->chomp
						 ? "Only tabs may stand before "
						   "it, nothing behind it."
						 : "Nothing may stand beside "
						   "it; '<<-' allows tabs "
						   "before it.");
		}
		p += len + 1;
	}
}

void
df_lint_heredoc_end(struct df_lint *l, const struct df_node *n)
{
	for (size_t i = 0; i < n->n_heredocs; i++)
		check_heredoc(l, &n->heredocs[i]);
}

/* ---- quotes --------------------------------------------------------------*/

/*
 * "say "hello" now": the quote behind "say " ends the text, a blank stands
 * before it, and a letter behind it.
 */
static bool
find_early_end(const char *text, char escape, size_t *ret)
{
	bool in_quotes = false;
	size_t n = 0;

	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '\'')
			return false;
		if (text[i] == escape && text[i + 1] != '\0') {
			i++;
			continue;
		}
		if (text[i] != '"')
			continue;
		if (in_quotes && i > 0 && text[i - 1] == ' ' &&
		    isalnum((unsigned char)text[i + 1]) && n++ == 0)
			*ret = i;
		in_quotes = !in_quotes;
	}
	return n > 0 && !in_quotes;
}

void
df_lint_quote_end(struct df_lint *l, const struct df_node *n)
{
	bool is_pair = n->kind == DF_ENV || n->kind == DF_LABEL;

	if (!is_pair && n->kind != DF_ARG)
		return;
	for (size_t i = is_pair ? 1 : 0; i < n->n_args; i += is_pair ? 3 : 1) {
		size_t at = 0;
		struct stv_diag *f;

		if (!find_early_end(n->args[i].text, l->o.file->escape, &at))
			continue;
		f = df_lint_add(l, DF_R_QUOTE_END,
				df_lint_part(l, &n->args[i], at, at + 1),
				"this quote ends the text, and is no part of "
				"it");
		stv_diag_hint(f, "Write %c\" for a quote inside of quotes.",
			      l->o.file->escape);
	}
}
