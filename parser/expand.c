/*
 * parser/expand.c - quotes, escapes and $VARIABLES.
 *
 * Follows the observed behaviour of BuildKit's shell lexer, odd corners
 * included; testdata/e2e/{vars,quote} has recorded results.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/strs.h"

#include "parser/expand.h"
#include "parser/expand_internal.h"
#include "parser/subst.h"
#include "parser/utf8.h"
#include "parser/words.h"

/* The words that are being collected; NULL members: nobody asked. */
struct words {
	struct stv_buf cur;
	bool in_word;
	struct df_word_place place;
	struct stv_strs *ret;
	df_word_places *places;
};

/* One expansion. */
struct scan {
	struct df_expander *x;
	const char *text;
	size_t len;
	size_t pos;
	unsigned depth;
	bool raw_escapes;
	struct words *words; /* NULL inside braces, or where nobody asked */
	struct stv_err **err;
};

static int expand_until(struct scan *s, char stop, bool raw_escapes,
			struct words *words, struct stv_buf *out);

static bool
at_end(const struct scan *s)
{
	return s->pos >= s->len;
}

/* The byte at the position, NUL at the end (texts hold none). */
static char
peek(const struct scan *s)
{
	return at_end(s) ? '\0' : s->text[s->pos];
}

static int
syntax_error(struct scan *s, const char *what)
{
	return stv_fail(s->err, STV_E_CHECK, "%s", what);
}

static int
missing_brace(struct scan *s)
{
	(void)syntax_error(s, "missing '}'");
	stv_err_hint(*s->err, "Close the ${ in the same word; a word ends at a "
			      "blank that is not quoted.");
	return -1;
}

/* ---- words ---------------------------------------------------------------*/

/* End the current word, if there is anything in it. */
static void
words_flush(struct words *w)
{
	if (w->cur.len == 0)
		return;
	stv_strs_add_n(w->ret, w->cur.data, w->cur.len);
	if (w->places != NULL)
		*stv_vec_push(w->places) = w->place;
	stv_buf_truncate(&w->cur, 0);
	w->in_word = false;
}

/* Text that belongs to a word whatever it is; it came from [begin, end). */
static void
words_add_raw(struct words *w, const char *p, size_t n, size_t begin,
	      size_t end)
{
	if (w == NULL)
		return;
	if (w->cur.len == 0)
		w->place.begin = begin;
	w->place.end = end;
	stv_buf_add(&w->cur, p, n);
	w->in_word = true;
}

/* Text whose blanks end words. */
static void
words_add(struct words *w, const char *p, size_t n, size_t begin, size_t end)
{
	size_t i = 0, blank, from;

	if (w == NULL)
		return;
	while (i < n) {
		blank = df_space_len(p + i, n - i);
		if (blank > 0) {
			words_flush(w);
			i += blank;
			continue;
		}
		from = i;
		while (i < n && df_space_len(p + i, n - i) == 0)
			i++;
		words_add_raw(w, p + from, i - from, begin, end);
	}
}

/* ---- variables -----------------------------------------------------------*/

/* The value of a variable, or NULL; it is noted which it was. */
static const char *
look_up(struct scan *s, const char *name)
{
	const char *value =
		s->x->lookup != NULL ? s->x->lookup(s->x->arg, name) : NULL;
	struct stv_strs *list = value != NULL ? s->x->used : s->x->unset;

	if (list != NULL)
		stv_strs_add(list, name);
	return value;
}

/* Read a name: letters, digits and '_'; all digits; or one of @*#?-$!0. */
static void
read_name(struct scan *s, struct stv_buf *name)
{
	size_t begin = s->pos;
	uint32_t c;

	if (!at_end(s) && strchr("@*#?-$!", peek(s)) != NULL) {
		s->pos++;
	} else if (peek(s) >= '0' && peek(s) <= '9') {
		while (peek(s) >= '0' && peek(s) <= '9')
			s->pos++;
	} else {
		while (!at_end(s)) {
			size_t n = df_utf8_next(s->text + s->pos,
						s->len - s->pos, &c);

			if (!df_utf8_is_letter(c) && c != '_' &&
			    !(c >= '0' && c <= '9'))
				break;
			s->pos += n;
		}
	}
	stv_buf_add(name, s->text + begin, s->pos - begin);
}

/* What a modifier works on. */
struct modifier {
	const char *name;
	const char *value;  /* NULL: unset */
	bool null_is_unset; /* there was a ':' */
	char op;	    /* - + ? # % */
	const char *word;   /* expanded */
};

/* ${V?word}: the value, or an error with the word. */
static int
require(struct scan *s, const struct modifier *m, struct stv_buf *out)
{
	const char *why;

	if (m->value != NULL && (*m->value != '\0' || !m->null_is_unset)) {
		stv_buf_adds(out, m->value);
		return 0;
	}
	why = m->value == NULL ? "is not allowed to be unset"
			       : "is not allowed to be empty";
	return stv_fail(s->err, STV_E_CHECK, "%s: %s", m->name,
			*m->word != '\0' ? m->word : why);
}

static int
unsupported(struct scan *s, const struct modifier *m)
{
	stv_fail(s->err, STV_E_CHECK,
		 "unsupported modifier (%s%c) in substitution",
		 m->null_is_unset ? ":" : "", m->op);
	stv_err_hint(*s->err, "Behind the name there may be :- - :+ + :? ? "
			      "# ## %% %%%% / or //.");
	return -1;
}

static int
apply(struct scan *s, const struct modifier *m, struct stv_buf *out)
{
	bool is_set =
		m->value != NULL && (*m->value != '\0' || !m->null_is_unset);
	const char *value = m->value != NULL ? m->value : "";
	const char *word = m->word;
	bool is_longest;

	switch (m->op) {
	case '-':
		stv_buf_adds(out, is_set ? m->value : word);
		return 0;
	case '+':
		stv_buf_adds(out, is_set ? word : "");
		return 0;
	case '?':
		return require(s, m, out);
	case '#':
	case '%':
		is_longest = *word == m->op;
		return df_subst_trim(value, word + is_longest, m->op == '%',
				     is_longest, out, s->err);
	default:
		return unsupported(s, m);
	}
}

/* ${V:-w} and its kin; the position is behind the name. */
static int
modified(struct scan *s, const char *name, struct stv_buf *out)
{
	struct modifier m = {.name = name};
	stv_auto_buf word = STV_BUF_INIT(STV_MAX_EXPANDED);

	if (peek(s) == ':') {
		m.null_is_unset = true;
		s->pos++;
	}
	if (at_end(s))
		return missing_brace(s);
	m.op = s->text[s->pos++];
	if (!m.null_is_unset && strchr("+-?#%", m.op) == NULL)
		return unsupported(s, &m);
	if (expand_until(s, '}', m.op == '#' || m.op == '%', NULL, &word) < 0 ||
	    stv_buf_check(&word, "an expanded word", s->err) < 0)
		return -1;
	m.word = stv_buf_str(&word);
	m.value = look_up(s, name);
	if (m.value == NULL && (s->x->flags & DF_EXPAND_SKIP_UNSET) != 0) {
		stv_buf_addf(out, "${%s%s%c%s}", name,
			     m.null_is_unset ? ":" : "", m.op, m.word);
		return 0;
	}
	return apply(s, &m, out);
}

/* ${V/p/r} and ${V//p/r}; the position is behind the first slash. */
static int
replaced(struct scan *s, const char *name, struct stv_buf *out)
{
	stv_auto_buf pattern = STV_BUF_INIT(STV_MAX_EXPANDED);
	stv_auto_buf with = STV_BUF_INIT(STV_MAX_EXPANDED);
	bool all = peek(s) == '/';
	const char *value;

	if (all)
		s->pos++;
	if (expand_until(s, '/', true, NULL, &pattern) < 0 ||
	    expand_until(s, '}', true, NULL, &with) < 0 ||
	    stv_buf_check(&pattern, "an expanded word", s->err) < 0 ||
	    stv_buf_check(&with, "an expanded word", s->err) < 0)
		return -1;
	value = look_up(s, name);
	if (value == NULL && (s->x->flags & DF_EXPAND_SKIP_UNSET) != 0) {
		stv_buf_addf(out, "${%s/%s%s/%s}", name, all ? "/" : "",
			     stv_buf_str(&pattern), stv_buf_str(&with));
		return 0;
	}
	return df_subst_replace(value != NULL ? value : "",
				stv_buf_str(&pattern), stv_buf_str(&with), all,
				out, s->err);
}

/* ${...}; the position is behind the brace. */
static int
braced(struct scan *s, struct stv_buf *out)
{
	stv_auto_buf name = STV_BUF_INIT(STV_MAX_EXPANDED);
	const char *value;

	if (at_end(s))
		return missing_brace(s);
	if (strchr("{}:", peek(s)) != NULL)
		return syntax_error(s, "bad substitution");
	read_name(s, &name);
	if (at_end(s))
		return missing_brace(s);
	if (peek(s) == '/') {
		s->pos++;
		return replaced(s, stv_buf_str(&name), out);
	}
	if (peek(s) != '}')
		return modified(s, stv_buf_str(&name), out);
	s->pos++;
	value = look_up(s, stv_buf_str(&name));
	if (value != NULL)
		stv_buf_adds(out, value);
	else if ((s->x->flags & DF_EXPAND_SKIP_UNSET) != 0)
		stv_buf_addf(out, "${%s}", stv_buf_str(&name));
	return 0;
}

/* $V or ${...}; the position is at the dollar. */
static int
dollar(struct scan *s, struct stv_buf *out)
{
	stv_auto_buf name = STV_BUF_INIT(STV_MAX_EXPANDED);
	const char *value;
	int rc;

	s->pos++;
	if (peek(s) == '{') {
		s->pos++;
		if (s->depth >= STV_MAX_NESTING)
			return stv_fail(s->err, STV_E_LIMIT,
					"more than %d nested substitutions",
					STV_MAX_NESTING);
		s->depth++;
		rc = braced(s, out);
		s->depth--;
		return rc;
	}
	read_name(s, &name);
	if (name.len == 0) {
		stv_buf_addc(out, '$');
		return 0;
	}
	value = look_up(s, stv_buf_str(&name));
	if (value != NULL)
		stv_buf_adds(out, value);
	else if ((s->x->flags & DF_EXPAND_SKIP_UNSET) != 0)
		stv_buf_addf(out, "$%s", stv_buf_str(&name));
	return 0;
}

/* ---- quotes --------------------------------------------------------------*/

/* A quote that is never closed; one that is meant itself must be escaped. */
static int
unclosed(struct scan *s, const char *kind, char quote)
{
	stv_fail(s->err, STV_E_CHECK,
		 "unexpected end of statement while looking for matching "
		 "%s-quote",
		 kind);
	stv_err_hint(*s->err,
		     "Close the quote in the same word, or write %c%c for one "
		     "that is part of the text; names with blanks in COPY, "
		     "ADD and VOLUME need the JSON form.",
		     s->x->escape, quote);
	return -1;
}

static int
single_quoted(struct scan *s, struct stv_buf *out)
{
	bool is_raw = (s->x->flags & DF_EXPAND_RAW_QUOTES) != 0;
	const char *begin = s->text + s->pos + 1;
	const char *end = memchr(begin, '\'', s->len - s->pos - 1);

	if (end == NULL) {
		s->pos = s->len;
		return unclosed(s, "single", '\'');
	}
	stv_buf_add(out, begin - is_raw,
		    (size_t)(end - begin) + (is_raw ? 2 : 0));
	s->pos += (size_t)(end - begin) + 2;
	return 0;
}

/* The escape character between double quotes; it was consumed. */
static void
escaped_in_quotes(struct scan *s, struct stv_buf *out)
{
	char c = peek(s);

	if (s->raw_escapes)
		stv_buf_addc(out, s->x->escape);
	if (at_end(s))
		return;
	if (c == '"' || c == '$' || c == s->x->escape) {
		stv_buf_addc(out, c);
		s->pos++;
	} else {
		/* It protects nothing else and stays (twice where it is raw,
		 * as in the reference). */
		stv_buf_addc(out, s->x->escape);
	}
}

static int
double_quoted(struct scan *s, struct stv_buf *out)
{
	bool is_raw = (s->x->flags & DF_EXPAND_RAW_QUOTES) != 0;

	s->pos++;
	if (is_raw)
		stv_buf_addc(out, '"');
	while (!at_end(s)) {
		char c = peek(s);

		if (c == '$') {
			if (dollar(s, out) < 0)
				return -1;
			continue;
		}
		s->pos++;
		if (c == '"') {
			if (is_raw)
				stv_buf_addc(out, '"');
			return 0;
		}
		if (c == s->x->escape)
			escaped_in_quotes(s, out);
		else
			stv_buf_addc(out, c);
	}
	return unclosed(s, "double", '"');
}

/* "<<" and the blanks behind it belong to one word (a heredoc's tag). */
static void
angle(struct scan *s, struct stv_buf *out)
{
	size_t begin = s->pos++, blank;

	if (peek(s) == '<') {
		s->pos++;
		while ((blank = df_space_len(s->text + s->pos,
					     s->len - s->pos)) > 0)
			s->pos += blank;
	}
	stv_buf_add(out, s->text + begin, s->pos - begin);
}

/* ---- the main loop -------------------------------------------------------*/

/* A character that means nothing by itself, or an escaped one. */
static void
plain(struct scan *s, struct words *words, struct stv_buf *out)
{
	size_t begin = s->pos, n;
	uint32_t c;

	n = df_utf8_next(s->text + s->pos, s->len - s->pos, &c);
	s->pos += n;
	if (s->text[begin] != s->x->escape) {
		stv_buf_add(out, s->text + begin, n);
		words_add(words, s->text + begin, n, begin, s->pos);
		return;
	}
	if (s->raw_escapes) {
		stv_buf_addc(out, s->x->escape);
		words_add_raw(words, &s->x->escape, 1, begin, s->pos);
	}
	if (at_end(s))
		return;
	n = df_utf8_next(s->text + s->pos, s->len - s->pos, &c);
	stv_buf_add(out, s->text + s->pos, n);
	words_add_raw(words, s->text + s->pos, n, begin, s->pos + n);
	s->pos += n;
}

/* Something that a quote, a dollar or '<' begins. */
static int
special(struct scan *s, struct words *words, struct stv_buf *out)
{
	char c = peek(s);
	size_t begin = s->pos;
	size_t before = out->len;

	if (c == '$') {
		if (dollar(s, out) < 0)
			return -1;
		words_add(words, stv_buf_str(out) + before, out->len - before,
			  begin, s->pos);
		return 0;
	}
	if (c == '\'' && single_quoted(s, out) < 0)
		return -1;
	if (c == '"' && double_quoted(s, out) < 0)
		return -1;
	if (c == '<')
		angle(s, out);
	words_add_raw(words, stv_buf_str(out) + before, out->len - before,
		      begin, s->pos);
	return 0;
}

/*
 * Expand up to the character ${stop}, which is consumed ('\0': up to the end).
 * What it gives is appended to ${out}.
 */
static int
expand_until(struct scan *s, char stop, bool raw_escapes, struct words *words,
	     struct stv_buf *out)
{
	const char *specials =
		(s->x->flags & DF_EXPAND_SKIP_QUOTES) != 0 ? "$" : "$'\"<";
	bool outer_raw = s->raw_escapes;
	int rc = 0;

	s->raw_escapes = raw_escapes;
	while (rc == 0 && !at_end(s) && !out->is_over) {
		char c = peek(s);

		if (stop != '\0' && c == stop) {
			s->pos++;
			s->raw_escapes = outer_raw;
			return 0;
		}
		if (strchr(specials, c) != NULL)
			rc = special(s, words, out);
		else
			plain(s, words, out);
	}
	s->raw_escapes = outer_raw;
	if (rc < 0 || stv_buf_check(out, "the expanded text", s->err) < 0)
		return -1;
	if (stop == '/')
		return syntax_error(s, "missing '/' in a ${V/p/r}");
	if (stop != '\0')
		return missing_brace(s);
	return 0;
}

static int
expand(struct df_expander *x, const char *text, struct words *words,
       struct stv_buf *out, struct stv_err **err)
{
	struct scan s = {
		.x = x,
		.text = text,
		.len = strlen(text),
		.raw_escapes = (x->flags & DF_EXPAND_RAW_ESCAPES) != 0,
		.err = err,
	};
	size_t total;

	if (expand_until(&s, '\0', s.raw_escapes, words, out) < 0)
		return -1;
	x->total += out->len;
	if (x->shared != NULL)
		total = __atomic_add_fetch(x->shared, out->len,
					   __ATOMIC_RELAXED);
	else
		total = x->total;
	if (total > STV_MAX_EXPANDED_TOTAL)
		return stv_fail(err, STV_E_LIMIT,
				"all expanded text together is larger than %zu "
				"bytes",
				(size_t)STV_MAX_EXPANDED_TOTAL);
	return 0;
}

int
df_expand_word(struct df_expander *x, const char *text, char **ret,
	       struct stv_err **err)
{
	stv_auto_buf out = STV_BUF_INIT(STV_MAX_EXPANDED);

	if (expand(x, text, NULL, &out, err) < 0)
		return -1;
	*ret = stv_buf_take(&out);
	return 0;
}

int
df_expand_places(struct df_expander *x, const char *text, struct stv_strs *ret,
		 df_word_places *places, struct stv_err **err)
{
	stv_auto_buf out = STV_BUF_INIT(STV_MAX_EXPANDED);
	struct words words = {
		.cur = STV_BUF_INIT(STV_MAX_EXPANDED),
		.ret = ret,
		.places = places,
	};
	int rc = expand(x, text, &words, &out, err);

	if (rc == 0)
		words_flush(&words);
	stv_buf_fini(&words.cur);
	return rc;
}

int
df_expand_words(struct df_expander *x, const char *text, struct stv_strs *ret,
		struct stv_err **err)
{
	return df_expand_places(x, text, ret, NULL, err);
}

int
df_expand_heredoc(struct df_expander *x, const char *text, char **ret,
		  struct stv_err **err)
{
	struct df_expander inner = *x;
	int rc;

	inner.escape = '\\';
	inner.flags = DF_EXPAND_SKIP_QUOTES;
	rc = df_expand_word(&inner, text, ret, err);
	x->total = inner.total;
	return rc;
}
