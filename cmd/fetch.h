/* cmd/fetch.h - an image that is not in the store, from a registry. */
#ifndef STAVE_CMD_FETCH_H
#define STAVE_CMD_FETCH_H

#include "builder/pull.h"

struct cas_image;    /* cache/meta.h */
struct cas_store;    /* cache/store.h */
struct stv_digest;   /* core/digest.h */
struct stv_err;	     /* core/err.h */
struct stv_platform; /* core/oci.h */

/* cmd_fetch_on_layer(arg, ...): on_layer of a pull; ${arg}: cmd/transfer.h. */
void cmd_fetch_on_layer(void *arg, enum bld_pull_moment m,
			const struct stv_digest *blob, uint64_t now,
			uint64_t size);

/*
 * cmd_fetch_first(s, name, fn, arg, err): call ${fn} with each whole name that
 * ${name} can mean (cmd_registry_list()), until it returns 0.  A failure that
 * is not the last one is a warning.
 */
int cmd_fetch_first(struct cas_store *s, const char *name,
		    int (*fn)(void *arg, const char *whole,
			      struct stv_err **err),
		    void *arg, struct stv_err **err);

/*
 * cmd_fetch(s, name, platform, ret, err): pull ${name} for the platform (NULL:
 * this machine's), with the user's configuration and the layers on standard
 * error.  The caller holds a lease on ${s}.
 * Errors: those of bld_pull(); STV_E_CANCELLED (status 130 or 143).
 */
int cmd_fetch(struct cas_store *s, const char *name, const char *platform,
	      struct cas_image *ret, struct stv_err **err);

#endif /* STAVE_CMD_FETCH_H */
