/* cache/layer_compress.h - layers compressed on their way out. */
#ifndef STAVE_CACHE_LAYER_COMPRESS_H
#define STAVE_CACHE_LAYER_COMPRESS_H

#include "core/codec.h"

#include "cache/meta.h"

struct cas_store;  /* cache/store.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/*
 * Who wants the bytes of a form while it is made.  All calls come from the
 * thread that compresses; a form that is here already makes none.
 */
struct lay_watch {
	/* The first ${size} bytes can be read from ${fd}, which is borrowed. */
	void (*on_bytes)(void *arg, int fd, uint64_t size);
	/* It is whole and has this digest and size; NULL: it failed. */
	void (*on_end)(void *arg, const struct cas_layer *form);
	void *arg;
};

/*
 * lay_compress(store, diff_id, how, watch, ret, err): the layer in the form
 * that
 * ${how} gives; with STV_CODEC_NONE the plain one.  It is made once and kept as
 * one more form of the layer until garbage collection, so a second export finds
 * it; the caller holds a lease. Where a blob's bytes were compressed elsewhere
 * they do not count: whoever asks for a compression gets the bytes of this one.
 * ${watch} may be NULL.
 *
 * Errors:  STV_E_NOT_FOUND (no such layer), STV_E_IO.
 * Durable: as cas_layer_put().
 * Threads: any.
 */
int lay_compress(struct cas_store *store, const struct stv_digest *diff_id,
		 const struct stv_compression *how,
		 const struct lay_watch *watch, struct cas_layer *ret,
		 struct stv_err **err);

#endif /* STAVE_CACHE_LAYER_COMPRESS_H */
