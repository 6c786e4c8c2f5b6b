/* parser/heredoc.c - recognising "<<EOF" words and taking their bodies. */
#include <stdlib.h>
#include <string.h>

#include "core/diag.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "parser/expand.h"
#include "parser/expand_internal.h"
#include "parser/heredoc.h"
#include "parser/lex.h"
#include "parser/scanner.h"

/* The tag between "<<" and the end of the word; quotes kept with ${flags}. */
static bool
expand_tag(const char *text, unsigned flags, struct stv_strs *ret)
{
	/* The reference uses the backslash here whatever '# escape' says. */
	struct df_expander x = {
		.escape = '\\',
		.flags = flags | DF_EXPAND_SKIP_UNSET,
	};
	struct stv_err *err = NULL;

	if (df_expand_words(&x, text, ret, &err) == 0)
		return true;
	stv_err_free(err);
	return false;
}

static size_t
count_quotes(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\'' || *s == '"';
	return n;
}

/* The digits, "<<", "-" and blanks before the tag; NULL: no heredoc. */
static const char *
skip_head(const char *word, struct df_tag *tag)
{
	unsigned long fd = 0;

	for (; *word >= '0' && *word <= '9'; word++)
		if (fd < 1000000)
			fd = fd * 10 + (unsigned long)(*word - '0');
	if (strncmp(word, "<<", 2) != 0)
		return NULL;
	word += 2;
	if (*word == '-') {
		tag->chomp = true;
		word++;
	}
	word += strspn(word, " \t\n\f\r");
	if (*word == '\0' || strchr(word, '<') != NULL)
		return NULL;
	tag->fd = (unsigned)fd;
	return word;
}

bool
df_tag_parse(const char *word, struct df_tag *ret)
{
	struct stv_strs plain = {0}, raw = {0};
	const char *text;
	bool is_tag = false;

	*ret = (struct df_tag){0};
	text = skip_head(word, ret);
	if (text == NULL)
		return false;
	if (expand_tag(text, 0, &plain) && plain.len == 1 &&
	    expand_tag(text, DF_EXPAND_RAW_QUOTES, &raw) && raw.len == 1) {
		ret->name = stv_xstrdup(plain.v[0]);
		/* Any quoting in the tag turns expansion off. */
		ret->expand =
			count_quotes(plain.v[0]) == count_quotes(raw.v[0]);
		is_tag = true;
	}
	stv_strs_clear(&plain);
	stv_strs_clear(&raw);
	return is_tag;
}

void
df_tag_fini(struct df_tag *tag)
{
	free(tag->name);
	tag->name = NULL;
}

typedef STV_VEC(struct df_tag) tag_list;

/*
 * The tags of a logical line.  All of it is looked at, flags too, and a quote
 * that is not closed means that there are none: as in the reference.
 */
static void
find_tags(const char *line, tag_list *ret)
{
	struct df_expander x = {
		.escape = '\\',
		.flags = DF_EXPAND_RAW_QUOTES | DF_EXPAND_RAW_ESCAPES |
			 DF_EXPAND_SKIP_UNSET,
	};
	struct stv_strs words = {0};
	df_word_places places = {0};
	struct stv_err *err = NULL;

	if (df_expand_places(&x, line, &words, &places, &err) < 0) {
		stv_err_free(err);
		words.len = words.v == NULL ? 0 : words.len;
		stv_strs_clear(&words);
	}
	for (size_t i = 0; i < words.len; i++) {
		struct df_tag tag;

		if (!df_tag_parse(words.v[i], &tag))
			continue;
		tag.begin = places.v[i].begin;
		tag.end = places.v[i].end;
		*stv_vec_push(ret) = tag;
	}
	stv_strs_clear(&words);
	stv_vec_fini(&places);
}

static void
free_tags(tag_list *tags)
{
	for (size_t i = 0; i < tags->len; i++)
		df_tag_fini(&tags->v[i]);
	stv_vec_fini(tags);
}

/* Is the physical line [begin, end) the end of that heredoc? */
static bool
is_end(const struct df_lex *lex, const struct df_tag *tag,
       const struct df_physical *ph)
{
	const char *p = lex->reader.text + ph->begin;
	const char *end = lex->reader.text + ph->end;
	size_t n = strlen(tag->name);

	while (tag->chomp && p < end && *p == '\t')
		p++;
	return (size_t)(end - p) == n && memcmp(p, tag->name, n) == 0;
}

/* Is it the end but for blanks around it? */
static bool
is_nearly_end(const struct df_lex *lex, const struct df_tag *tag,
	      const struct df_physical *ph)
{
	size_t len = ph->end - ph->begin;
	const char *p = lex->reader.text + ph->begin;

	while (len > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	return len == strlen(tag->name) && memcmp(p, tag->name, len) == 0;
}

/* The closing line was not found: say so, and what looks like it. */
static void
report_open(struct df_lex *lex, const struct df_tag *tag, uint32_t nearly)
{
	struct stv_diag *f;
	struct stv_span near_span = {
		.begin = nearly,
		.end = nearly,
		.file = lex->reader.file,
	};

	f = stv_diags_add(lex->diags, STV_SEV_ERROR,
			  df_lex_at(lex, tag->begin, tag->end),
			  "heredoc '%s' has no end", tag->name);
	if (nearly == UINT32_MAX) {
		stv_diag_hint(f,
			      "It ends with a line that holds nothing but "
			      "'%s'.",
			      tag->name);
		return;
	}
	stv_diag_hint(f,
		      "The closing line must be exactly '%s', without "
		      "blanks around it.",
		      tag->name);
	stv_diag_related(f, near_span, "this line has blanks around it");
}

/* Read one body and queue its token. */
static bool
take_one(struct df_lex *lex, const struct df_tag *tag, bool must_end)
{
	struct df_reader *r = &lex->reader;
	uint32_t begin = r->pos, nearly = UINT32_MAX;
	struct df_physical ph = {.begin = begin, .end = begin};
	struct df_token *token;
	struct df_heredoc *h;

	for (;;) {
		if (!df_reader_raw(r, &ph)) {
			if (must_end)
				report_open(lex, tag, nearly);
			return false;
		}
		if (is_end(lex, tag, &ph))
			break;
		if (nearly == UINT32_MAX && is_nearly_end(lex, tag, &ph))
			nearly = ph.begin;
	}
	df_reader_piece(r, DF_P_HEREDOC, begin, ph.begin);
	df_reader_piece(r, DF_P_HEREDOC_END, ph.begin, ph.end);
	df_reader_piece(r, DF_P_NEWLINE, ph.end, ph.next);

	token = stv_vec_push(&lex->queue);
	token->kind = TOK_HEREDOC;
	token->span = (struct stv_span){begin, ph.end, r->file};
	h = df_arena_alloc(lex->arena, sizeof(*h));
	token->value.heredoc = h;
	h->name = df_arena_strndup(lex->arena, tag->name, strlen(tag->name));
	h->content_len = ph.begin - begin;
	h->content =
		df_arena_strndup(lex->arena, r->text + begin, h->content_len);
	h->fd = tag->fd;
	h->expand = tag->expand;
	h->chomp = tag->chomp;
	h->tag_span = df_lex_at(lex, tag->begin, tag->end);
	h->body_span = (struct stv_span){begin, ph.begin, r->file};
	h->end_span = (struct stv_span){ph.begin, ph.end, r->file};
	return true;
}

void
df_heredocs_take(struct df_lex *lex, bool must_end)
{
	uint32_t pos = lex->reader.pos;
	size_t n_pieces = lex->reader.pieces.len;
	size_t n_queue = lex->queue.len;
	tag_list tags = {0};

	find_tags(stv_buf_str(&lex->line.text), &tags);
	for (size_t i = 0; i < tags.len; i++) {
		if (take_one(lex, &tags.v[i], must_end))
			continue;
		if (!must_end) {
			lex->reader.pos = pos;
			lex->reader.pieces.len = n_pieces;
			lex->queue.len = n_queue;
		}
		break;
	}
	free_tags(&tags);
}
