/*
 * registry/engine.h - the transfers of a session: one curl multi handle, and
 * the thread that drives it.
 *
 * Whoever wants a transfer configures an easy handle, starts it, and moves the
 * bytes in a thread of its own: what arrives lies in a ring until it is taken,
 * and what is to be sent is put into another one.  A ring that is full (empty)
 * pauses its transfer and no other one, so a slow disk or a compressor holds up
 * nobody; connections, HTTP/2 streams and names are shared by all.
 */
#ifndef STAVE_REGISTRY_ENGINE_H
#define STAVE_REGISTRY_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/curl_dl.h"

struct stv_err; /* core/err.h */

/* Bytes on their way between two threads. */
struct reg_ring {
	char *data;
	size_t begin;
	size_t len;
	bool is_ended; /* nothing more will be put in */
};

#define REG_RING_SIZE ((size_t)1 << 20)

struct reg_engine; /* opaque */

/* One transfer; under the engine's lock but for the first part. */
struct reg_transfer {
	struct reg_engine *engine;
	CURL *easy; /* the caller's, in the engine's hands while it runs */

	pthread_cond_t changed; /* a ring, or is_done */
	struct reg_ring in;	/* what came; data NULL: no place for it */
	struct reg_ring out;	/* what goes; data NULL: nothing does */
	bool is_done;
	int code; /* CURLcode, once it is done */

	/* Asked of the engine's thread. */
	bool is_new;
	bool is_aborted;
	bool is_resumed;
	bool is_listed;
	struct reg_transfer *next;

	/* It waits for a ring, so that no bytes are no stall. */
	bool is_in_full;
	bool is_out_empty;
};

/*
 * reg_engine_new(curl, ret, err): the thread is started here, with all signals
 * blocked.  Owns: *ret, reg_engine_free().  Errors: STV_E_IO: no thread.
 */
int reg_engine_new(const struct reg_curl *curl, struct reg_engine **ret,
		   struct stv_err **err);

/* reg_engine_free(e): close all connections; no transfer runs.  NULL is ok. */
void reg_engine_free(struct reg_engine *e);

/*
 * reg_transfer_init(t, e, easy): get ready; rings come with
 * reg_transfer_receive() and reg_transfer_send().
 * Borrows: ${e}, ${easy}.
 */
void reg_transfer_init(struct reg_transfer *t, struct reg_engine *e,
		       CURL *easy);

/* reg_transfer_receive(t), reg_transfer_send(t): before the start, a ring. */
void reg_transfer_receive(struct reg_transfer *t);
void reg_transfer_send(struct reg_transfer *t);

/* reg_transfer_start(t): give it to the engine's thread. */
void reg_transfer_start(struct reg_transfer *t);

/* What happened, by reg_transfer_wait(). */
enum reg_moment {
	REG_MOMENT_DATA, /* reg_transfer_take() has something */
	REG_MOMENT_ROOM, /* reg_transfer_put() has room */
	REG_MOMENT_DONE, /* and everything that came was taken */
	REG_MOMENT_TIME	 /* a tenth of a second went by */
};

/* reg_transfer_wait(t): until there is something to do. */
enum reg_moment reg_transfer_wait(struct reg_transfer *t);

/*
 * reg_transfer_take(t, ret): the bytes that came, in one piece.  Returns: how
 * many.  Borrows: *ret stays until reg_transfer_taken(t, n) gives them back.
 */
size_t reg_transfer_take(struct reg_transfer *t, const char **ret);
void reg_transfer_taken(struct reg_transfer *t, size_t n);

/*
 * reg_transfer_room(t, ret): where to put what is sent next.  Returns: how
 * many bytes fit.  reg_transfer_put(t, n): so many are there; 0: that was all.
 */
size_t reg_transfer_room(struct reg_transfer *t, char **ret);
void reg_transfer_put(struct reg_transfer *t, size_t n);

/*
 * reg_transfer_abort(t): end it soon, with CURLE_ABORTED_BY_CALLBACK; what
 * came and was not taken is dropped.
 */
void reg_transfer_abort(struct reg_transfer *t);

/* reg_transfer_fini(t): free the rings; it was not started, or is done. */
void reg_transfer_fini(struct reg_transfer *t);

/*
 * For libcurl's callbacks, in the engine's thread: put ${n} bytes into the
 * ring of what came (false: no room, pause), take up to ${n} of what goes
 * (-1: nothing yet, pause; 0: the end).
 */
bool reg_transfer_arrived(struct reg_transfer *t, const char *p, size_t n);
int64_t reg_transfer_leaving(struct reg_transfer *t, char *p, size_t n);

/* reg_transfer_is_paused(t): does it wait for a ring?  Threads: the engine's.
 */
bool reg_transfer_is_paused(struct reg_transfer *t);

#endif /* STAVE_REGISTRY_ENGINE_H */
