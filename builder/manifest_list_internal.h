/* builder/manifest_list_internal.h - what an entry of a list knows. */
#ifndef STAVE_BUILDER_MANIFEST_LIST_INTERNAL_H
#define STAVE_BUILDER_MANIFEST_LIST_INTERNAL_H

/*
 * Annotations of the list as it lies here; bld_list_index() leaves them out,
 * and nobody else can have set them.  The name that an entry was added by, and
 * "host/path" of the repository that it is in.
 */
#define BLD_LIST_NAME "stave.list.name"
#define BLD_LIST_FROM "stave.list.from"

struct oci_descriptor; /* core/oci.h */

/* bld_list_copy_bare(dst, src): into zeroed ${dst}, without those. */
void bld_list_copy_bare(struct oci_descriptor *dst,
			const struct oci_descriptor *src);

#endif /* STAVE_BUILDER_MANIFEST_LIST_INTERNAL_H */
