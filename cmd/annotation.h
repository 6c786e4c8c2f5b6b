/* cmd/annotation.h - annotations of an image, as --annotation names them. */
#ifndef STAVE_CMD_ANNOTATION_H
#define STAVE_CMD_ANNOTATION_H

#include "core/oci.h"

struct stv_err; /* core/err.h */

struct cmd_annotations {
	struct stv_pairs manifest;   /* in the manifest */
	struct stv_pairs descriptor; /* where an index (.json) names it */
	/* Of an image of several platforms. */
	struct stv_pairs index;
	struct stv_pairs index_descriptor; /* where an index.json names that */
};

/*
 * cmd_annotation_add(what, place, key, value, platform, ret, err): ${place} is
 * "", "manifest" or "manifest-descriptor", and may name the platform in
 * brackets, which must be ${platform}, the image's.  ${what} begins messages.
 * Where ${platform} is NULL there are several: then "index" and
 * "index-descriptor" are places too, and brackets are refused.
 * Errors: STV_E_USAGE; index annotations are refused, as BuildKit refuses them
 *         for an image of one platform.
 */
int cmd_annotation_add(const char *what, const char *place, const char *key,
		       const char *value, const struct stv_platform *platform,
		       struct cmd_annotations *ret, struct stv_err **err);

/*
 * cmd_annotation_parse(s, platform, ret, err): "[PLACE[,PLACE...]:]KEY=VALUE"
 * of --annotation, added to ${ret}.
 * Errors: STV_E_USAGE.
 */
int cmd_annotation_parse(const char *s, const struct stv_platform *platform,
			 struct cmd_annotations *ret, struct stv_err **err);

/* cmd_annotations_fini(a): free the members. */
void cmd_annotations_fini(struct cmd_annotations *a);

#endif /* STAVE_CMD_ANNOTATION_H */
