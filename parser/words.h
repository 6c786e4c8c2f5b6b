/* parser/words.h - cutting text into words and pairs. */
#ifndef STAVE_PARSER_WORDS_H
#define STAVE_PARSER_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct stv_strs; /* core/strs.h */

/*
 * df_space_len(p, n): the bytes of the blank character that ${p} begins with,
 * 0 where it is none.  Blanks are what Unicode calls white space (U+00A0 is
 * one), as in BuildKit.
 */
size_t df_space_len(const char *p, size_t n);

/*
 * df_trim(text, len): remove blanks at both ends of ${*len} bytes.
 * Returns: the new beginning; *len is the new length.
 */
const char *df_trim(const char *text, size_t *len);

/*
 * df_word_len(p, n, escape): the bytes up to the first blank that is neither
 * quoted nor escaped.
 */
size_t df_word_len(const char *p, size_t n, char escape);

/*
 * df_words_split(text, escape, ret): words between blanks, where quotes and
 * the escape character protect blanks; both stay in the words.
 */
void df_words_split(const char *text, char escape, struct stv_strs *ret);

/* df_fields_split(text, ret): words between blanks, quotes mean nothing. */
void df_fields_split(const char *text, struct stv_strs *ret);

/*
 * df_pair_split(text, ret_name): "NAME=VALUE" at the first '='.  *ret_name is
 * the caller's to free.
 * Returns: the value (borrowed from ${text}), or NULL where there is no '='.
 */
const char *df_pair_split(const char *text, char **ret_name);

/*
 * df_unquote_flag(text, len): remove the quotes and backslashes of a flag
 * word.  Owns: the caller frees the result.
 */
char *df_unquote_flag(const char *text, size_t len);

/*
 * df_parse_bool(text, ret): "true" and "false" in any case; -1 for others.
 */
int df_parse_bool(const char *text, bool *ret);

#endif /* STAVE_PARSER_WORDS_H */
