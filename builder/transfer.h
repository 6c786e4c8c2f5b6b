/*
 * builder/transfer.h - an image from one registry to another, past the store.
 *
 * All that a reference names goes along byte for byte, whatever it is: indexes
 * with all their platforms, attestations, artifacts of any media type.  So the
 * digest at the destination is that of the source.  A blob is sent on while it
 * arrives: none is ever here as a whole.
 *
 * Not copied: layers that the licence keeps from being distributed, which are
 * named by URLs (the reference stays, the URLs are not asked; THREATS C01); and
 * what only points at the image (referrers: signatures, SBOMs by "subject").
 */
#ifndef STAVE_BUILDER_TRANSFER_H
#define STAVE_BUILDER_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"

#include "registry/client.h"

struct reg_client;   /* registry/client.h */
struct reg_ref;	     /* registry/ref.h */
struct stv_err;	     /* core/err.h */
struct stv_platform; /* core/oci.h */

struct bld_transfer_opts {
	struct reg_client *client;
	/* Only the image for it, without the index; NULL: all there is. */
	const struct stv_platform *platform;
	unsigned n_parallel; /* requests at a time, 4 at most; 0: 4 */
	/* A blob is at the destination; by any thread, one at a time. */
	void (*on_blob)(void *arg, const struct stv_digest *blob,
			enum reg_uploaded how);
	void *arg;
};

/* What a transfer has done. */
struct bld_transferred {
	struct stv_digest digest; /* of what the destination names now */
	uint64_t sent;		  /* bytes of blobs */
	size_t n_manifests;	  /* that were sent, indexes too */
	size_t n_foreign;	  /* layers that are at their URLs only */
};

/*
 * bld_transfer(o, src, dst, ret, err): ${src} to the tag of ${dst}, or to its
 * digest, which must be that of ${src} then.  What the destination has is not
 * sent (a manifest that is there has its blobs there); blobs of another
 * repository of the same host are mounted.
 *
 * Errors: STV_E_NOT_FOUND (also: nothing for the platform), STV_E_DIGEST,
 *         STV_E_LIMIT (THREATS C12: STV_MAX_INDEX_DEPTH,
 *         STV_MAX_INDEX_ENTRIES, STV_MAX_INDEX_TEXT), STV_E_USAGE, and those of
 *         the registries.  The tag moves last: after a failure it is as it was.
 */
int bld_transfer(const struct bld_transfer_opts *o, const struct reg_ref *src,
		 const struct reg_ref *dst, struct bld_transferred *ret,
		 struct stv_err **err);

#endif /* STAVE_BUILDER_TRANSFER_H */
