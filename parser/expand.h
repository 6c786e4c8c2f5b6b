/*
 * parser/expand.h - quotes, escapes and $VARIABLES, as BuildKit expands them.
 *
 *	struct df_expander x = {
 *		.escape = file->escape, .lookup = get, .arg = scope,
 *	};
 *	char *s;
 *
 *	if (df_expand_word(&x, arg->text, &s, err) < 0) {
 *		stv_err_at(*err, arg->span);
 *		...
 *
 * Known: $V ${V} ${V:-w} ${V-w} ${V:+w} ${V+w} ${V:?w} ${V?w} ${V#p} ${V##p}
 * ${V%p} ${V%%p} ${V/p/r} ${V//p/r}; words and patterns are expanded
 * themselves.  An unset variable is "" ($$, $1 and $@ too).
 */
#ifndef STAVE_PARSER_EXPAND_H
#define STAVE_PARSER_EXPAND_H

#include <stddef.h>

struct stv_err;	 /* core/err.h */
struct stv_strs; /* core/strs.h */

enum df_expand_flags {
	DF_EXPAND_RAW_QUOTES = 1,  /* quotes work and stay in the result */
	DF_EXPAND_RAW_ESCAPES = 2, /* escape characters likewise */
	DF_EXPAND_SKIP_QUOTES = 4, /* quotes are ordinary characters */
	DF_EXPAND_SKIP_UNSET = 8   /* $V stays as it is where V is unset */
};

/* How to expand; zero bytes but ${lookup} and ${escape} are the usual way. */
struct df_expander {
	char escape;	/* '\\' or '`' */
	unsigned flags; /* enum df_expand_flags */
	/*
	 * lookup(arg, name): the value, or NULL where it is unset.  The value
	 * need only live until the next call.  NULL: all is unset.
	 */
	const char *(*lookup)(void *arg, const char *name);
	void *arg;
	struct stv_strs *used;	/* names that were found are added, each time
				  they are; or NULL */
	struct stv_strs *unset; /* names that were not; or NULL */
	size_t total;	/* bytes made so far with this expander (the limit) */
	size_t *shared; /* those of several, counted atomically; or NULL */
};

/*
 * df_expand_word(x, text, ret, err): expand to one string (blanks stay).
 *
 * Owns:   the caller frees *ret.
 * Errors: STV_E_CHECK: bad syntax, or ${V:?message} with its message;
 *         STV_E_LIMIT.  The text is not named: add a place with stv_err_at().
 * Limits: STV_MAX_EXPANDED, STV_MAX_EXPANDED_TOTAL, STV_MAX_NESTING.
 */
int df_expand_word(struct df_expander *x, const char *text, char **ret,
		   struct stv_err **err);

/*
 * df_expand_words(x, text, ret, err): expand, then split at the blanks that
 * were neither quoted nor escaped, those in the values of variables included
 * (EXPOSE, FROM).  The words are appended to ${ret}; on failure those before
 * the mistake may be.  Errors, Limits: as df_expand_word().
 */
int df_expand_words(struct df_expander *x, const char *text,
		    struct stv_strs *ret, struct stv_err **err);

/*
 * df_expand_heredoc(x, text, ret, err): the body of a COPY or ADD heredoc with
 * ${expand} set: quotes mean nothing, the escape character is always the
 * backslash.  ${x}'s own escape and flags do not count.
 * Owns, Errors, Limits: as df_expand_word().
 */
int df_expand_heredoc(struct df_expander *x, const char *text, char **ret,
		      struct stv_err **err);

#endif /* STAVE_PARSER_EXPAND_H */
