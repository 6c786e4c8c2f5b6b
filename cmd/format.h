/*
 * cmd/format.h - results as text that the user chooses.
 *
 * --format takes the part of Go's templates that scripts use: text with
 * {{.Field.Sub}}, {{json .Field}} and {{index .Field 0}} (or a quoted key), and
 * "json" for the whole.  Everything else is refused by name.
 */
#ifndef STAVE_CMD_FORMAT_H
#define STAVE_CMD_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct stv_buf; /* core/buf.h */
struct stv_err; /* core/err.h */

/* A parsed --format. */
struct cmd_format;

/*
 * cmd_format_new(text, err): parse; a leading "table " is kept as a property.
 * Owns:   the caller, cmd_format_free().
 * Errors: STV_E_USAGE naming the part that is not supported.
 */
struct cmd_format *cmd_format_new(const char *text, struct stv_err **err);

/* cmd_format_free(f): NULL is ok. */
void cmd_format_free(struct cmd_format *f);

/* cmd_format_is_table(f): did it begin with "table"? */
bool cmd_format_is_table(const struct cmd_format *f);

/*
 * cmd_format_apply(f, v, ret, err): ${f} filled from the object ${v}, without a
 * newline at the end, appended.  A member that is not there: STV_E_USAGE
 * naming it and those that are.
 */
int cmd_format_apply(const struct cmd_format *f, const json_t *v,
		     struct stv_buf *ret, struct stv_err **err);

/*
 * cmd_format_print(text, v, err): parse, apply, and print one line; on a
 * terminal with control bytes escaped.
 */
int cmd_format_print(const char *text, const json_t *v, struct stv_err **err);

/*
 * cmd_format_list(text, headings, rows, err): print each object of the array
 * ${rows} on a line; where ${text} begins with "table" as aligned columns with
 * the values of ${headings} as the first line.
 */
int cmd_format_list(const char *text, const json_t *headings,
		    const json_t *rows, struct stv_err **err);

STV_DEFINE_CLEANUP(cmd_format, cmd_format_free);

#endif /* STAVE_CMD_FORMAT_H */
