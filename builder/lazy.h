/*
 * builder/lazy.h - layers that are fetched only when something needs them.
 *
 * In a build with --cache-from a base image is known by its config, and the
 * result of a step by the record of another machine; their layers stay where
 * they are until a step mounts them, or the output has them in it.
 */
#ifndef STAVE_BUILDER_LAZY_H
#define STAVE_BUILDER_LAZY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"

struct bld_build;      /* builder/build_internal.h */
struct bld_stage;      /* builder/build_internal.h */
struct bld_step;       /* builder/build_internal.h */
struct cas_image;      /* cache/meta.h */
struct oci_descriptor; /* core/oci.h */
struct oci_manifest;   /* core/oci.h */
struct reg_ref;	       /* registry/ref.h */
struct stv_err;	       /* core/err.h */
struct stv_platform;   /* core/oci.h */

struct bld_lazy;

/* bld_lazy_new(): nothing is elsewhere.  Owns: bld_lazy_free(). */
struct bld_lazy *bld_lazy_new(void);

/* bld_lazy_free(l): NULL is ok. */
void bld_lazy_free(struct bld_lazy *l);

/*
 * bld_lazy_base(b, ref, platform, ret, err): the image of a registry, of which
 * only manifest and config are fetched.  The lock is let go of meanwhile; the
 * same image is asked for once.
 */
int bld_lazy_base(struct bld_build *b, const struct reg_ref *ref,
		  const struct stv_platform *platform, struct cas_image *ret,
		  struct stv_err **err);

/*
 * bld_lazy_manifest(b, ref): the manifest of such an image, or NULL.  Borrows.
 */
const struct oci_manifest *bld_lazy_manifest(const struct bld_build *b,
					     const struct reg_ref *ref);

/*
 * bld_lazy_is_here(b, diff_ids, n, err): 1 where all these layers are in the
 * store, 0, or -1.
 */
int bld_lazy_is_here(const struct bld_build *b,
		     const struct stv_digest *diff_ids, size_t n,
		     struct stv_err **err);

/*
 * bld_lazy_need(st, step, diff_ids, n, err): fetch what of these layers is not
 * in the store.  The lock is held, and let go of meanwhile.  ${step} shows how
 * far it is; NULL: none does.  In a build without --cache-from it does nothing.
 *
 * Errors: those of a pull; STV_E_CANCELLED where a layer of a cache is not to
 *         be had: the build begins anew without it (bld_import_lose()).
 */
int bld_lazy_need(struct bld_stage *st, const struct bld_step *step,
		  const struct stv_digest *diff_ids, size_t n,
		  struct stv_err **err);

/*
 * bld_lazy_blob(b, diff_id, ret): the blob of a layer that is not here, as it
 * lies elsewhere.  Borrows: *ret lives as long as ${b}.
 */
bool bld_lazy_blob(const struct bld_build *b, const struct stv_digest *diff_id,
		   const struct oci_descriptor **ret);

/*
 * bld_lazy_bring(b, blob, err): bld_lazy_need() by the digest of the blob.  The
 * lock is not held.
 */
int bld_lazy_bring(struct bld_build *b, const struct stv_digest *blob,
		   struct stv_err **err);

#endif /* STAVE_BUILDER_LAZY_H */
