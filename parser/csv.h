/*
 * parser/csv.h - one line of comma-separated fields, as Go's encoding/csv
 * reads it: what RUN --mount, --secret and their like are made of.
 */
#ifndef STAVE_PARSER_CSV_H
#define STAVE_PARSER_CSV_H

#include <stddef.h>

#include "core/vec.h"

struct stv_err;	 /* core/err.h */
struct stv_strs; /* core/strs.h */

/* A field, its quotes taken away. */
struct df_csv_field {
	char *text;
	size_t begin, end; /* where it stands in the line, with its quotes */
};

/* A line.  Zeroed before use. */
struct df_csv {
	STV_VEC(struct df_csv_field) fields;
};

/*
 * df_csv_parse(text, ret, ret_at, err): split at the commas that stand outside
 * of quotes.  A field is quoted as a whole ("a=b,c"); "" in it is one quote.
 *
 * Owns:   *ret, df_csv_fini(), also on failure.
 * Errors: STV_E_CHECK: the line is empty, a quote inside of a field without
 *         quotes, or one that does not end; *ret_at is the offset.
 */
int df_csv_parse(const char *text, struct df_csv *ret, size_t *ret_at,
		 struct stv_err **err);

/*
 * df_csv_split(text, ret, err): the fields alone, behind those of ${ret}; an
 * empty line has none.
 * Errors: as df_csv_parse(); ${ret} is as it was.
 */
int df_csv_split(const char *text, struct stv_strs *ret, struct stv_err **err);

/* df_csv_fini(c): free what it owns. */
void df_csv_fini(struct df_csv *c);

#endif /* STAVE_PARSER_CSV_H */
