/*
 * cache/platforms.h - an image of several platforms, as far as it is here.
 *
 * A tag names an index; any number of the images in it may be in the store.
 * One of them is here if its manifest, its config and all its layers are among
 * the blobs that the image keeps alive (cas_image_put()): what lies in the
 * store by chance may go with the next garbage collection.
 */
#ifndef STAVE_CACHE_PLATFORMS_H
#define STAVE_CACHE_PLATFORMS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/oci.h"

#include "cache/meta.h"

struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */

/* One image of an index. */
struct cas_part {
	/* As the index has it; of the config where that says no platform. */
	struct oci_descriptor manifest;
	bool is_here;
	struct stv_digest config; /* where it is here */
	bool is_attachment;	  /* it belongs to an image: no platform */
	bool is_index; /* an index in the index; its images stand before it */
};

struct cas_parts {
	struct cas_part *v;
	size_t len;
	size_t cap;
	bool is_index; /* false: the image is one manifest, the only part */
};

/*
 * cas_parts_read(s, manifest, ret, err): all images of the image ${manifest},
 * in the order of the index; indexes in it are looked into, where they are
 * here.
 * Owns:   *ret, cas_parts_fini().
 * Errors: STV_E_LIMIT (STV_MAX_INDEX_DEPTH, STV_MAX_INDEX_ENTRIES), those of
 *         cas_blob_read().
 */
int cas_parts_read(struct cas_store *s, const struct stv_digest *manifest,
		   struct cas_parts *ret, struct stv_err **err);

/* cas_part_is_image(p): is it an image for a platform, and here? */
bool cas_part_is_image(const struct cas_part *p);

/*
 * cas_parts_count(p): how many platforms of it are here.
 */
size_t cas_parts_count(const struct cas_parts *p);

/*
 * cas_parts_whole(p): is everything here that the index names?
 */
bool cas_parts_whole(const struct cas_parts *p);

/* cas_parts_fini(p): free it; ${p} is all zero afterwards. */
void cas_parts_fini(struct cas_parts *p);

/*
 * cas_image_for(s, img, want, ret, err): ${img} seen as what it is for the
 * platform ${want}: 1, and in *ret its config and size are those of that
 * platform, the manifest is still that of ${img}; 0 where it has nothing for
 * it, or not all of that is here.
 */
int cas_image_for(struct cas_store *s, const struct cas_image *img,
		  const struct stv_platform *want, struct cas_image *ret,
		  struct stv_err **err);

#define cas_auto_parts STV_CLEANUP(cas_parts_fini) struct cas_parts

#endif /* STAVE_CACHE_PLATFORMS_H */
