/*
 * registry/replay.h - a stream of which the last bytes can be had again.
 *
 * What is sent on while it arrives may break off at the other end; what went
 * out since the beginning of the piece under way is kept for that, in memory.
 * Anything before it is asked for anew.
 */
#ifndef STAVE_REGISTRY_REPLAY_H
#define STAVE_REGISTRY_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

struct stv_err; /* core/err.h */
struct stv_in;	/* core/stream.h */

/*
 * What is kept at most, and so the size of a piece: several uploads at a time
 * fit into memory, and no registry wants larger ones (ECR: 5 MiB at least).
 */
#define REG_MAX_REPLAY ((size_t)16 << 20)

struct reg_replay {
	struct stv_in *(*open)(void *arg, struct stv_err **err);
	void *arg;
	uint64_t size;
	struct stv_in *in;   /* NULL: not opened */
	uint64_t pos;	     /* of ->in */
	uint64_t base;	     /* of the first byte that is kept */
	struct stv_buf kept; /* up to ->pos */
	bool is_broken;	     /* the stream failed: it is over */
};

/*
 * reg_replay_init(r, open, arg, size): a stream of ${size} bytes; ${open} gives
 * it from its first byte, also a second time.  Nothing is opened yet.
 * Owns: ${r}, reg_replay_fini().  Borrows: ${arg}.
 */
void reg_replay_init(struct reg_replay *r,
		     struct stv_in *(*open)(void *arg, struct stv_err **err),
		     void *arg, uint64_t size);

/*
 * reg_replay_from(r, offset, n): its bytes from ${offset} on, ${n} of them.  A
 * new piece begins where that is where the last one ended: what is before it is
 * kept no longer.  Before the last byte of all is handed out the stream was
 * read to its end, so that what it checks there was checked.
 * Owns: the caller, stv_in_close().  Borrows: ${r}; one at a time.
 */
struct stv_in *reg_replay_from(struct reg_replay *r, uint64_t offset,
			       uint64_t n);

/* reg_replay_fini(r): close it and forget what is kept. */
void reg_replay_fini(struct reg_replay *r);

#endif /* STAVE_REGISTRY_REPLAY_H */
