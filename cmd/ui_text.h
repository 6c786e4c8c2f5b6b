/*
 * cmd/ui_text.h - text of strangers made fit for a terminal (THREATS D16, D17).
 *
 * The allowed bytes of everything that a display prints: printable UTF-8, tab,
 * newline, and SGR sequences "ESC [ digits ; : m" of a command's own output.
 */
#ifndef STAVE_CMD_UI_TEXT_H
#define STAVE_CMD_UI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

/*
 * ui_text_clean(s, n, has_color, ret): one line of a command's output,
 * appended: SGR passes if ${has_color} (and is reset at the end), other well
 * formed control sequences are dropped, what remains of control bytes, C1
 * codes, direction marks and invalid UTF-8 is shown as \xNN.
 */
void ui_text_clean(const char *s, size_t n, bool has_color,
		   struct stv_buf *ret);

/*
 * ui_text_fit(s, cells, ret): as much of the cleaned line ${s} as fits into
 * ${cells} terminal cells, tabs as blanks.  Returns: the cells used.
 */
size_t ui_text_fit(const char *s, size_t cells, struct stv_buf *ret);

/* ui_text_name(s, ret): a name on one line: escaped, newlines as blanks. */
void ui_text_name(const char *s, struct stv_buf *ret);

/* A line that arrives in pieces. */
struct ui_line {
	struct stv_buf raw;
	bool is_cut; /* longer than STV_MAX_LOG_LINE; the rest is dropped */
	bool has_cr; /* the last byte was a carriage return */
};

/*
 * ui_line_feed(l, p, n, fn, arg): take ${n} bytes; ${fn} is called with each
 * line that they end, without its newline.  A carriage return alone starts the
 * line afresh, as on a terminal.
 */
void ui_line_feed(struct ui_line *l, const char *p, size_t n,
		  void (*fn)(void *arg, const char *line, size_t len),
		  void *arg);

/* ui_line_flush(l, fn, arg): a last line that has no newline, if any. */
void ui_line_flush(struct ui_line *l,
		   void (*fn)(void *arg, const char *line, size_t len),
		   void *arg);

/* ui_line_fini(l): free the bytes. */
void ui_line_fini(struct ui_line *l);

#endif /* STAVE_CMD_UI_TEXT_H */
