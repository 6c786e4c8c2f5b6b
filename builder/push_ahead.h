/*
 * builder/push_ahead.h - layers that are sent while they are compressed.
 *
 * Compressing and sending take about as long as each other, so a large layer
 * goes to the registry while it is made.  What is small waits for its digest,
 * by which the registry may have it already.
 */
#ifndef STAVE_BUILDER_PUSH_AHEAD_H
#define STAVE_BUILDER_PUSH_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"

#include "cache/layer_compress.h"
#include "registry/client.h"

struct reg_ref;	   /* registry/ref.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

struct bld_ahead_opts {
	struct reg_client *client;
	const struct reg_ref *ref;
	unsigned n_parallel; /* layers at a time; others are not begun */
	/*
	 * A layer is at its end, well or not; ${sent} bytes of it went out.  By
	 * any thread, several at a time; so is on_progress(), which hears of a
	 * layer only once it is whole.
	 */
	void (*on_sent)(void *arg, const struct stv_digest *blob, bool is_ok,
			enum reg_uploaded how, uint64_t sent);
	void (*on_progress)(void *arg, const struct stv_digest *blob,
			    uint64_t now, uint64_t total);
	void *arg;
};

struct bld_ahead; /* opaque */

/*
 * bld_ahead_new(o): nothing is sent yet.  Owns: the caller, bld_ahead_free().
 * Borrows: what ${o} points at, until then.
 */
struct bld_ahead *bld_ahead_new(const struct bld_ahead_opts *o);

/* bld_ahead_watch(a): for cas_repack(); sends what that compresses.  Borrows.
 */
const struct lay_watch *bld_ahead_watch(struct bld_ahead *a);

/*
 * bld_ahead_has(a, blob): has it gone out, or is it on its way?  Asked when
 * nothing is compressed any more.
 */
bool bld_ahead_has(struct bld_ahead *a, const struct stv_digest *blob);

/* bld_ahead_wait(a, err): for all that is on its way.  The first failure. */
int bld_ahead_wait(struct bld_ahead *a, struct stv_err **err);

/* bld_ahead_free(a): waits too, where nobody did.  NULL is ok. */
void bld_ahead_free(struct bld_ahead *a);

STV_DEFINE_CLEANUP(bld_ahead, bld_ahead_free);

#endif /* STAVE_BUILDER_PUSH_AHEAD_H */
