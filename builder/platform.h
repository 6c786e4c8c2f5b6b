/* builder/platform.h - which image of an index is meant. */
#ifndef STAVE_BUILDER_PLATFORM_H
#define STAVE_BUILDER_PLATFORM_H

struct oci_descriptor; /* core/oci.h */
struct oci_index;      /* core/oci.h */
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

#endif /* STAVE_BUILDER_PLATFORM_H */
