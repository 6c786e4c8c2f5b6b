/*
 * parser/fmt.h - a Dockerfile in one form.
 *
 *	struct stv_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
 *
 *	if (df_fmt(sources, file, &text, err) < 0) ...
 *
 * Changed are only keywords, blanks between words, empty lines and line ends;
 * comments, heredocs and what a shell reads stay byte for byte.
 */
#ifndef STAVE_PARSER_FMT_H
#define STAVE_PARSER_FMT_H

#include <stdbool.h>

struct df_file;	    /* parser/ast.h */
struct df_node;	    /* parser/ast.h */
struct stv_buf;	    /* core/buf.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */

/*
 * df_fmt(sources, f, ret, err): the formatted text of ${f}, appended to the
 * empty ${ret}.  The text is added to ${sources} and parsed again: nothing is
 * given back that says anything else than ${f} does.
 *
 * Formatting the result once more gives the same bytes.
 * Errors: STV_E_LIMIT: the text or one of its lines would be too long;
 *         STV_E_INTERNAL: it would not say the same.
 */
int df_fmt(struct stv_sources *sources, const struct df_file *f,
	   struct stv_buf *ret, struct stv_err **err);

/*
 * df_same(a, b): do both files say the same?  Compared are directives and
 * comments, and of each instruction its kind, flags, arguments, heredocs and
 * trigger; the case of keywords (AS of FROM, the type of a HEALTHCHECK) does
 * not count.
 */
bool df_same(const struct df_file *a, const struct df_file *b);

/* df_same_heredocs(a, b): have two instructions the same here-documents? */
bool df_same_heredocs(const struct df_node *a, const struct df_node *b);

/*
 * df_same_comments(a, b): have both files the same comments in the same order,
 * wherever they stand?
 */
bool df_same_comments(const struct df_file *a, const struct df_file *b);

#endif /* STAVE_PARSER_FMT_H */
