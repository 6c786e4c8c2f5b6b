/* builder/platform.h - which image of an index is meant, and what one is for.
 */
#ifndef STAVE_BUILDER_PLATFORM_H
#define STAVE_BUILDER_PLATFORM_H

struct oci_descriptor; /* core/oci.h */
struct oci_index;      /* core/oci.h */
struct oci_manifest;   /* core/oci.h */
struct reg_client;     /* registry/client.h */
struct reg_ref;	       /* registry/ref.h */
struct stv_err;	       /* core/err.h */
struct stv_platform;   /* core/oci.h */

/*
 * bld_platform_choose(x, want, err): the first entry for ${want}; else the
 * first one that says no platform (THREATS C13: never one for another).
 * Borrows: from ${x}.
 * Returns: NULL with STV_E_NOT_FOUND, which lists the platforms there are.
 */
const struct oci_descriptor *
bld_platform_choose(const struct oci_index *x, const struct stv_platform *want,
		    struct stv_err **err);

/*
 * bld_platform_fetch(c, ref, m, ret, err): what the config of a manifest in the
 * repository of ${ref} says; it is fetched.
 * Owns:    *ret, stv_platform_fini().
 * Returns: 1, or 0 where that is no image's config but an artifact's.
 * Errors:  those of reg_client_blob() and oci_config_parse().
 */
int bld_platform_fetch(struct reg_client *c, const struct reg_ref *ref,
		       const struct oci_manifest *m, struct stv_platform *ret,
		       struct stv_err **err);

#endif /* STAVE_BUILDER_PLATFORM_H */
