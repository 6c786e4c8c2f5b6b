/* parser/json_args.h - the exec form: ["cmd", "arg"]. */
#ifndef STAVE_PARSER_JSON_ARGS_H
#define STAVE_PARSER_JSON_ARGS_H

#include <stddef.h>

#include "core/strs.h"
#include "core/vec.h"

/* One member of an array: its text, and bytes [begin, end) with the quotes. */
struct df_json_item {
	size_t begin;
	size_t end;
};

/* The members of an array. */
struct df_json_items {
	struct stv_strs texts;
	STV_VEC(struct df_json_item) places;
};

/*
 * df_json_args(text, len, ret): is the whole text a JSON array of strings?
 * Returns: 1 it is; 0 it is no JSON array (the shell form then); -1 it is one
 * with a member that is no string, which is the last of ret->places; -2 it
 * holds a NUL character ("\u0000"), likewise.
 * Owns: df_json_items_fini(), whatever was returned.
 */
int df_json_args(const char *text, size_t len, struct df_json_items *ret);

/* df_json_items_fini(items): free what it owns. */
void df_json_items_fini(struct df_json_items *items);

#endif /* STAVE_PARSER_JSON_ARGS_H */
