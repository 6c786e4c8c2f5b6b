/* builder/base.h - the manifest of an image of the store. */
#ifndef STAVE_BUILDER_BASE_H
#define STAVE_BUILDER_BASE_H

struct cas_image;    /* cache/meta.h */
struct cas_store;    /* cache/store.h */
struct oci_manifest; /* core/oci.h */
struct stv_digest;   /* core/digest.h */
struct stv_err;	     /* core/err.h */

/*
 * bld_image_manifest(store, image, ret_digest, ret, err): the manifest that
 * has the image's config: its own, or that of its index.
 * Owns:   *ret, oci_manifest_free().
 * Errors: STV_E_NOT_FOUND: it is not in the store.
 */
int bld_image_manifest(struct cas_store *store, const struct cas_image *image,
		       struct stv_digest *ret_digest, struct oci_manifest **ret,
		       struct stv_err **err);

#endif /* STAVE_BUILDER_BASE_H */
