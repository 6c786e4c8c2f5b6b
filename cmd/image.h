/* cmd/image.h - finding an image by what the user typed, and reading it. */
#ifndef STAVE_CMD_IMAGE_H
#define STAVE_CMD_IMAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/digest.h"

#include "cache/meta.h"

struct cas_store;  /* cache/store.h */
struct oci_config; /* core/oci.h */
struct stv_err;	   /* core/err.h */

/* Digits of an image ID where it is cut. */
#define CMD_SHORT_ID 12

/*
 * cmd_tag_normal(name, ret, err): the normal form of a name that is to become
 * a tag ("docker.io/library/x:latest").
 * Owns:   *ret.
 * Errors: STV_E_USAGE, also where it has a digest.
 */
int cmd_tag_normal(const char *name, char **ret, struct stv_err **err);

/* cmd_tag_familiar(tag): "x:latest" for a normal form.  Owns: the caller. */
char *cmd_tag_familiar(const char *tag);

/*
 * cmd_image_find(s, name, ret, ret_tag, err): the image that ${name} means: a
 * tag, name@digest, "sha256:" and digits, or the first digits of its ID.  ${s}
 * may be NULL (no store yet).  *ret_tag (may be NULL) is the normal form of the
 * tag where it was found by one, else NULL.  A name without a registry that is
 * not here as docker understands it is looked for as registries.conf has it.
 * Owns:   *ret_tag.
 * Errors: STV_E_NOT_FOUND.
 */
int cmd_image_find(struct cas_store *s, const char *name, struct cas_image *ret,
		   char **ret_tag, struct stv_err **err);

/*
 * cmd_image_for(s, name, platform, img, err): ${img}, which ${name} means, as
 * it is for ${platform} ("linux/arm64", the value of --platform); where that is
 * NULL it stays as it is, for this machine.
 * Errors: STV_E_NOT_FOUND, with what it is here for; STV_E_USAGE.
 */
int cmd_image_for(struct cas_store *s, const char *name, const char *platform,
		  struct cas_image *img, struct stv_err **err);

/*
 * cmd_image_platforms(s, img, ret_n, err): "linux/amd64, linux/arm64": what it
 * is here for; *ret_n (may be NULL) is how many.  Owns: the caller; NULL: *err.
 */
char *cmd_image_platforms(struct cas_store *s, const struct cas_image *img,
			  size_t *ret_n, struct stv_err **err);

/* cmd_image_config(s, img, ret, err): its config.  Owns: oci_config_free(). */
int cmd_image_config(struct cas_store *s, const struct cas_image *img,
		     struct oci_config **ret, struct stv_err **err);

/* cmd_image_raw_config(s, img, err): its config as JSON.  Owns: the caller. */
json_t *cmd_image_raw_config(struct cas_store *s, const struct cas_image *img,
			     struct stv_err **err);

/*
 * cmd_id_str(d, is_full, buf): "sha256:..." or the short ID.  ${buf} is
 * returned.
 */
const char *cmd_id_str(const struct stv_digest *d, bool is_full,
		       char buf[STV_DIGEST_STR_MAX]);

#endif /* STAVE_CMD_IMAGE_H */
