/* cache/load_layout.h - one image out of an OCI layout; inside of the loader.
 */
#ifndef STAVE_CACHE_LOAD_LAYOUT_H
#define STAVE_CACHE_LOAD_LAYOUT_H

struct cas_image;      /* cache/meta.h */
struct cas_store;      /* cache/store.h */
struct oci_descriptor; /* core/oci.h */
struct stv_err;	       /* core/err.h */
struct stv_platform;   /* core/oci.h */

/*
 * cas_load_image(s, dirfd, d, platform, ret, err): the image that ${d}, a line
 * of the layout's index without annotations, describes.
 */
int cas_load_image(struct cas_store *s, int dirfd,
		   const struct oci_descriptor *d,
		   const struct stv_platform *platform, struct cas_image *ret,
		   struct stv_err **err);

#endif /* STAVE_CACHE_LOAD_LAYOUT_H */
