/*
 * cmd/transfer.h - the layers of a pull or push, for people.
 *
 *	0f1e2d3c4b5a: Already exists
 *	5a4b3c2d1e0f: Downloading [=======>            ]  12.5MB/40MB
 *
 * A layer that is done has a line of its own, which stays; on a terminal those
 * that move stand below it and are drawn again in place, ten times a second at
 * most.
 */
#ifndef STAVE_CMD_TRANSFER_H
#define STAVE_CMD_TRANSFER_H

#include <stdint.h>
#include <stdio.h>

#include "core/cleanup.h"
#include "core/digest.h"

struct cmd_transfer;

/*
 * cmd_transfer_new(out): a display on ${out}, stdout or stderr; nothing is
 * printed yet.  Owns: cmd_transfer_end().
 */
struct cmd_transfer *cmd_transfer_new(FILE *out);

/*
 * cmd_transfer_move(t, blob, word, now, total): ${now} of ${total} bytes of a
 * blob have moved; ${word} is what is done with it ("Pushing"), a string that
 * stays.  Threads: one at a time.
 */
void cmd_transfer_move(struct cmd_transfer *t, const struct stv_digest *blob,
		       const char *word, uint64_t now, uint64_t total);

/* cmd_transfer_done(t, blob, text): its last line.  Threads: likewise. */
void cmd_transfer_done(struct cmd_transfer *t, const struct stv_digest *blob,
		       const char *text);

/*
 * cmd_transfer_line(id, word, now, total, width): how a blob that moves is
 * shown on a terminal of ${width} cells.  Owns: the caller.
 */
char *cmd_transfer_line(const char *id, const char *word, uint64_t now,
			uint64_t total, unsigned width);

/* cmd_transfer_end(t): what still moves is taken off the screen. */
void cmd_transfer_end(struct cmd_transfer *t);

STV_DEFINE_CLEANUP(cmd_transfer, cmd_transfer_end);

#endif /* STAVE_CMD_TRANSFER_H */
