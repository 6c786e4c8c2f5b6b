/* parser/fmt_internal.h - what the files of the formatter share. */
#ifndef STAVE_PARSER_FMT_INTERNAL_H
#define STAVE_PARSER_FMT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "parser/ast.h"

struct stv_buf; /* core/buf.h */

/* One formatting. */
struct df_fmt {
	const struct df_file *f;
	struct stv_buf *out;
	const char *eol; /* "\n" or "\r\n", as the first line has it */
	size_t piece;	 /* the next one */
	size_t node;	 /* likewise */
	size_t block;	 /* in the output: where the comments directly above the
			    next instruction begin */
	bool has_blank;	 /* an empty line was read and is not yet written */
	bool has_from;	 /* a FROM was written */
};

/* df_fmt_add(s, span): the bytes of the source. */
void df_fmt_add(struct df_fmt *s, struct stv_span span);

/* df_fmt_eol(s): end a line. */
void df_fmt_eol(struct df_fmt *s);

/*
 * df_fmt_node(s): the instruction that begins at the next piece, up to the end
 * of its logical line.
 */
void df_fmt_node(struct df_fmt *s);

#endif /* STAVE_PARSER_FMT_INTERNAL_H */
