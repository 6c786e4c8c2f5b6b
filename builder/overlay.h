/*
 * builder/overlay.h - what one command is run over: the unpacked layers of an
 * image, and an upper directory that takes its changes.
 */
#ifndef STAVE_BUILDER_OVERLAY_H
#define STAVE_BUILDER_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/strs.h"

struct cas_store;  /* cache/store.h */
struct lay_view;   /* cache/toc.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/* All paths are relative to the store. */
struct bld_overlay {
	struct cas_store *store;
	struct stv_strs lowers; /* topmost first, at least one */
	char *dir;   /* holds all that follows; NULL where it is read-only */
	int fd;	     /* of ${dir} */
	char *upper; /* used for one command only */
	char *work;
	int upper_fd;
};

#define BLD_OVERLAY_INIT                                                       \
	(struct bld_overlay)                                                   \
	{                                                                      \
		.fd = -1, .upper_fd = -1                                       \
	}

/*
 * bld_overlay_init(o, store, diff_ids, n, view, is_readonly, err): unpack what
 * of the chain (bottom first) is not there yet, and make an upper directory in
 * the store's tmp/ with the attributes of the root of ${view}, the chain's
 * merged view.  Takes long where layers must be unpacked.
 *
 * Owns:    what *o holds; bld_overlay_fini(), also on failure.
 * Borrows: ${store}, as long as *o.
 * Threads: any.
 */
int bld_overlay_init(struct bld_overlay *o, struct cas_store *store,
		     const struct stv_digest *diff_ids, size_t n,
		     struct lay_view *view, bool is_readonly,
		     struct stv_err **err);

/*
 * bld_overlay_fini(o): remove the upper directory with all in it, unless it
 * became a snapshot (lay_snapshot_adopt()).
 */
void bld_overlay_fini(struct bld_overlay *o);

#endif /* STAVE_BUILDER_OVERLAY_H */
