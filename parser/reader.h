/*
 * parser/reader.h - bytes to logical lines.
 *
 * A logical line is a physical one and those that it continues on: a line
 * whose last character but blanks is the escape character, unless another one
 * stands before it.  Comment lines and empty lines inside are dropped.  What
 * is no instruction text (comments, newlines, joins ...) is recorded in a list
 * of pieces.
 */
#ifndef STAVE_PARSER_READER_H
#define STAVE_PARSER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/vec.h"
#include "parser/ast.h"

struct stv_diags; /* core/diag.h */

/* Logical bytes from ${logical} on are source bytes from ${source} on. */
struct df_range {
	uint32_t logical;
	uint32_t source;
};

/* One logical line; reused from line to line. */
struct df_line {
	struct stv_buf text;
	STV_VEC(struct df_range) ranges; /* one for each physical line */
	uint32_t begin; /* source offset of its first physical line */
	uint32_t end;	/* of the end of its last one, newline excluded */
	bool has_empty; /* an empty line inside was dropped */
	struct stv_span empty; /* the first of them */
};

/* The reader of one file. */
struct df_reader {
	const char *text;
	uint32_t len;
	uint32_t pos;
	uint32_t file;
	char escape;
	bool is_directives_done;
	struct df_directive syntax;
	struct df_directive escape_directive;
	struct df_directive check;
	STV_VEC(struct df_piece) pieces; /* in order */
	STV_VEC(struct df_piece) tokens; /* of df_line_piece(), in order */
	struct df_arena *arena;
	struct stv_diags *diags;
};

/* One physical line. */
struct df_physical {
	uint32_t begin;
	uint32_t end;  /* without "\r" and "\n" */
	uint32_t next; /* where the next one begins */
};

/*
 * df_reader_next(r, line): the next logical line that is not blank, a comment
 * or a directive; false at the end of the file.  What is wrong with a line
 * (too long, a bad directive) goes to the diagnostics.
 */
bool df_reader_next(struct df_reader *r, struct df_line *line);

/*
 * df_reader_raw(r, ret): the next physical line, to which no rule applies;
 * false at the end of the file.
 */
bool df_reader_raw(struct df_reader *r, struct df_physical *ret);

/* df_reader_piece(r, kind, begin, end): record a stretch of the source. */
void df_reader_piece(struct df_reader *r, enum df_piece_kind kind,
		     uint32_t begin, uint32_t end);

/* df_reader_fini(r): free what it owns. */
void df_reader_fini(struct df_reader *r);

/*
 * df_line_span(line, file, begin, end): the source bytes of the logical bytes
 * [begin, end); a span over a join covers the join.
 */
struct stv_span df_line_span(const struct df_line *line, uint32_t file,
			     size_t begin, size_t end);

/*
 * df_line_piece(line, r, kind, begin, end): record logical bytes as tokens of
 * ${r}, one for each physical line that they touch.
 */
void df_line_piece(const struct df_line *line, struct df_reader *r,
		   enum df_piece_kind kind, size_t begin, size_t end);

/* df_line_fini(line): free what it owns. */
void df_line_fini(struct df_line *line);

#endif /* STAVE_PARSER_READER_H */
