/*
 * cache/repack.h - an image of the store in the form that an export wants:
 * layers compressed or not, media types, annotations.
 */
#ifndef STAVE_CACHE_REPACK_H
#define STAVE_CACHE_REPACK_H

#include <stdbool.h>

#include "core/codec.h"
#include "core/oci.h"

struct cas_store;  /* cache/store.h */
struct lay_watch;  /* cache/layer_compress.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

struct cas_repack_opts {
	/*
	 * What layers become that lie here plain, which are those made here;
	 * STV_CODEC_NONE leaves them plain.
	 */
	struct stv_compression how;
	/* Also those that were compressed when they were received. */
	bool is_forced;
	bool has_docker_types; /* docker's media types instead of OCI's */
	struct stv_pairs annotations;  /* of the manifest, added.  Borrowed. */
	const struct lay_watch *watch; /* of layers compressed here, or NULL */
};

/*
 * cas_repack(s, manifest, o, ret, err): make the manifest, and the blobs that
 * it names, as ${o} says.  It is no image of the store: the caller's lease
 * keeps it, and the forms of its layers are remembered (lay_compress()).
 * The same image and options give the same manifest.  *ret is its descriptor.
 *
 * Owns:   oci_descriptor_fini(ret).
 * Errors: STV_E_NOT_FOUND, STV_E_IO, STV_E_LIMIT.
 */
int cas_repack(struct cas_store *s, const struct stv_digest *manifest,
	       const struct cas_repack_opts *o, struct oci_descriptor *ret,
	       struct stv_err **err);

#endif /* STAVE_CACHE_REPACK_H */
