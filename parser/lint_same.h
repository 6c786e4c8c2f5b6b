/* parser/lint_same.h - does a corrected Dockerfile still say the same? */
#ifndef STAVE_PARSER_LINT_SAME_H
#define STAVE_PARSER_LINT_SAME_H

#include <stdbool.h>

struct df_file; /* parser/ast.h */

/* The label that MAINTAINER is corrected to. */
#define DF_LABEL_AUTHORS "org.opencontainers.image.authors"

/*
 * df_lint_same(a, b): has ${b} the tree and the comments of ${a}, but for what
 * corrections change: the case of keywords, AS, stage names and protocols, ENV
 * and LABEL written with '=', and MAINTAINER as a label?  Values count as equal
 * where they expand to the same.
 */
bool df_lint_same(const struct df_file *a, const struct df_file *b);

/*
 * df_lint_same_value(a, b, escape): do both words expand to the same, whether
 * variables are set or not?  A few values are tried, which is no proof.  False
 * where one of the words is wrong.
 */
bool df_lint_same_value(const char *a, const char *b, char escape);

#endif /* STAVE_PARSER_LINT_SAME_H */
