/*
 * builder/platforms.h - a build for several platforms, and the index of it.
 *
 * Each platform is a build of its own, one after the other: they share the
 * cache, so a stage that is built for this machine (FROM
 * --platform=$BUILDPLATFORM) is executed by the first of them only.  No image
 * is visible before the last one is done.
 */
#ifndef STAVE_BUILDER_PLATFORMS_H
#define STAVE_BUILDER_PLATFORMS_H

#include <stddef.h>
#include <stdint.h>

#include "core/oci.h"

#include "cache/meta.h"

struct bld_opts;     /* builder/build.h */
struct bld_result;   /* builder/build.h */
struct stv_digest;   /* core/digest.h */
struct stv_err;	     /* core/err.h */
struct stv_platform; /* core/oci.h */
struct stv_buf;	     /* core/buf.h */
struct stv_pairs;    /* core/oci.h */

/* What one target became. */
struct bld_index {
	/*
	 * The index, with the config and size for this machine, else the first
	 * platform's; zeroed with no_image and is_push_only.
	 */
	struct cas_image image;
	uint64_t manifest_size;
	/* As it was pushed last; no media type: it was not. */
	struct oci_descriptor pushed;
};

/* bld_index_fini(x): free what it holds. */
void bld_index_fini(struct bld_index *x);

/*
 * bld_build_platforms(o, platforms, n, ret, ret_index, err): the targets of
 * ${o} for each of the ${n} platforms, in the place of o->platform.  *ret has
 * for each target, in order, a result for each platform, in order, and
 * *ret_index an index for each target, which its tags name.  Of what is pushed
 * the images go out by digest, each when it is built, and the index under the
 * tag at the end.
 * Owns:   the results, bld_result_fini() each, and bld_index_fini(); untouched
 *         on failure.
 * Errors: those of bld_build(); STV_E_PRIVILEGE before anything is executed,
 *         where a RUN needs what this machine cannot run.  Nothing of a failed
 *         build is visible but what may serve as cache.
 */
int bld_build_platforms(const struct bld_opts *o,
			const struct stv_platform *platforms, size_t n,
			struct bld_result *ret, struct bld_index *ret_index,
			struct stv_err **err);

/*
 * bld_index_write(lines, n, annotations, ret): an index of descriptors that
 * have their platforms, as text, appended to ${ret}: OCI's, or docker's list of
 * docker's manifests.  Returns: its media type.
 */
const char *bld_index_write(const struct oci_descriptor *lines, size_t n,
			    const struct stv_pairs *annotations,
			    struct stv_buf *ret);

#endif /* STAVE_BUILDER_PLATFORMS_H */
