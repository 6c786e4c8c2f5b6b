/* parser/expand_internal.h - expansion that remembers where words stood. */
#ifndef STAVE_PARSER_EXPAND_INTERNAL_H
#define STAVE_PARSER_EXPAND_INTERNAL_H

#include <stddef.h>

#include "core/vec.h"

struct df_expander; /* parser/expand.h */
struct stv_err;	    /* core/err.h */
struct stv_strs;    /* core/strs.h */

/* Bytes [begin, end) of the text that a word came from. */
struct df_word_place {
	size_t begin;
	size_t end;
};

typedef STV_VEC(struct df_word_place) df_word_places;

/*
 * df_expand_places(x, text, ret, places, err): df_expand_words(), with one
 * place for each word.
 */
int df_expand_places(struct df_expander *x, const char *text,
		     struct stv_strs *ret, df_word_places *places,
		     struct stv_err **err);

#endif /* STAVE_PARSER_EXPAND_INTERNAL_H */
