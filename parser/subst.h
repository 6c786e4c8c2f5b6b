/* parser/subst.h - the patterns of ${V#p}, ${V%p} and ${V/p/r}. */
#ifndef STAVE_PARSER_SUBST_H
#define STAVE_PARSER_SUBST_H

#include <stdbool.h>

struct stv_buf; /* core/buf.h */
struct stv_err; /* core/err.h */

/*
 * A pattern knows '*' (any text within a line), '?' (one character) and a
 * backslash before these, before itself and before '}' and '/'.  Errors of all
 * of them: STV_E_CHECK for another escape, STV_E_LIMIT where matching would
 * take too long.
 */

/*
 * df_subst_trim(value, pattern, at_end, is_longest, ret, err): append ${value}
 * to ${ret} without what ${pattern} matches at its beginning or end.
 */
int df_subst_trim(const char *value, const char *pattern, bool at_end,
		  bool is_longest, struct stv_buf *ret, struct stv_err **err);

/*
 * df_subst_replace(value, pattern, with, all, ret, err): append ${value} with
 * the first match of ${pattern} (the longest at the leftmost place), or all of
 * them, replaced.
 */
int df_subst_replace(const char *value, const char *pattern, const char *with,
		     bool all, struct stv_buf *ret, struct stv_err **err);

#endif /* STAVE_PARSER_SUBST_H */
