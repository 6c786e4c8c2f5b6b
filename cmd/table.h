/* cmd/table.h - aligned columns. */
#ifndef STAVE_CMD_TABLE_H
#define STAVE_CMD_TABLE_H

#include <stddef.h>

#include "core/cleanup.h"

struct stv_buf; /* core/buf.h */

/* A table; its cells are in text.  Columns are as wide as docker makes them. */
struct cmd_table;

/* cmd_table_new(): Owns: cmd_table_free(). */
struct cmd_table *cmd_table_new(void);

/*
 * cmd_table_new_as(min_width, padding): with other columns than docker's
 * lists.  Owns: cmd_table_free().
 */
struct cmd_table *cmd_table_new_as(size_t min_width, size_t padding);

/* cmd_table_cell(t, text): the next cell of the current line. */
void cmd_table_cell(struct cmd_table *t, const char *text);

/* cmd_table_line(t, text): a whole line, its cells separated by tabs. */
void cmd_table_line(struct cmd_table *t, const char *text);

/* cmd_table_end(t): end the current line. */
void cmd_table_end(struct cmd_table *t);

/* cmd_table_render(t, ret): the aligned text, appended. */
void cmd_table_render(const struct cmd_table *t, struct stv_buf *ret);

/* cmd_table_print(t): render to stdout. */
void cmd_table_print(const struct cmd_table *t);

/* cmd_table_free(t): NULL is ok. */
void cmd_table_free(struct cmd_table *t);

STV_DEFINE_CLEANUP(cmd_table, cmd_table_free);

#endif /* STAVE_CMD_TABLE_H */
