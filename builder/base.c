/* builder/base.c - an image of the store as what a stage begins with. */
#include <stdlib.h>
#include <string.h>

#include "cache/blob.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "registry/ref.h"

#include "builder/build_internal.h"

/* By digest of manifest or config, else by tag: 1, 0 or -1. */
static int
find(struct cas_store *store, const struct reg_ref *ref, struct cas_image *ret,
     struct stv_err **err)
{
	stv_auto_free char *tag = NULL;
	char hex[STV_DIGEST_STR_MAX];

	if (ref->has_digest)
		return cas_image_find(store, stv_digest_hex(&ref->digest, hex),
				      ret, err);
	tag = reg_ref_tagged(ref);
	return tag == NULL ? 0 : cas_tag_get(store, tag, ret, err);
}

int
bld_base_find(struct cas_store *store, const char *reference,
	      struct cas_image *ret, struct stv_err **err)
{
	reg_auto_ref ref = {0};

	if (reg_ref_parse(reference, &ref, err) < 0)
		return -1;
	return find(store, &ref, ret, err);
}

int
bld_base_load(struct cas_store *store, const char *reference,
	      struct oci_config **ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	struct cas_image img;
	int r = bld_base_find(store, reference, &img, err);

	if (r < 0)
		return -1;
	if (r == 0) {
		stv_fail(err, STV_E_NOT_FOUND, "there is no image '%s' here",
			 reference);
		stv_err_hint(*err, "Bring it into the store first with 'stave "
				   "load' or 'stave import'; this version does "
				   "not pull.");
		return -1;
	}
	if (cas_blob_read(store, &img.config, STV_MAX_CONFIG, &text, err) < 0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, ret, err) < 0)
		return stv_wrap(err, "reading image '%s'", reference);
	return 0;
}
