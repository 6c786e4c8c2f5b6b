/* cmd/diff.h - the difference of two texts, line by line. */
#ifndef STAVE_CMD_DIFF_H
#define STAVE_CMD_DIFF_H

#include <stddef.h>

struct stv_buf; /* core/buf.h */

/* A text and what it is called in the head of the difference. */
struct cmd_text {
	const char *name;
	const char *text;
	size_t len;
};

/*
 * cmd_diff(from, to, ret): what 'diff -u' shows, appended; nothing where the
 * texts are the same.  The result turns one into the other, and is not always
 * the shortest that does: lines are looked for not far from where they were.
 */
void cmd_diff(const struct cmd_text *from, const struct cmd_text *to,
	      struct stv_buf *ret);

#endif /* STAVE_CMD_DIFF_H */
