/*
 * core/source.h - the text files that spans point into.
 *
 * A table of loaded texts, numbered from 1.  The bytes are kept, so that a
 * message can show a line of a file that has changed or came from a pipe.
 */
#ifndef STAVE_CORE_SOURCE_H
#define STAVE_CORE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct stv_err;	    /* core/err.h */
struct stv_sources; /* opaque */

/* One loaded text. */
struct stv_source {
	char *name; /* as the user named it, for messages */
	char *text; /* len bytes and a NUL */
	size_t len;
	uint32_t *lines; /* offset of the first byte of each line */
	size_t n_lines;
};

/* A place for people: both count from 1, the column counts code points. */
struct stv_place {
	uint32_t line;
	uint32_t column;
};

/* stv_sources_new(): an empty table.  Owns: stv_sources_free(). */
struct stv_sources *stv_sources_new(void);

/* stv_sources_free(s): free the table and its texts.  NULL is ok. */
void stv_sources_free(struct stv_sources *s);

/*
 * stv_sources_add(s, name, text, len, ret, err): copy a text into the table;
 * *ret is its number (from 1).
 * Errors: STV_E_LIMIT above STV_MAX_SOURCE (core/limits.h).
 */
int stv_sources_add(struct stv_sources *s, const char *name, const char *text,
		    size_t len, uint32_t *ret, struct stv_err **err);

/* stv_sources_get(s, file): text number ${file}, or NULL.  Borrows. */
const struct stv_source *stv_sources_get(const struct stv_sources *s,
					 uint32_t file);

/* stv_source_place(src, offset): line and column of a byte offset. */
struct stv_place stv_source_place(const struct stv_source *src,
				  uint32_t offset);

/*
 * stv_source_line(src, line, ret_len): the bytes of line ${line} (from 1)
 * without its end.  Borrows: lives as long as the table.
 */
const char *stv_source_line(const struct stv_source *src, uint32_t line,
			    size_t *ret_len);

STV_DEFINE_CLEANUP(stv_sources, stv_sources_free);

#endif /* STAVE_CORE_SOURCE_H */
