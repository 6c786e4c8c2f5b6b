/* cache/archive_import.c - an image from its config and layers. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"

#include "cache/blob.h"
#include "cache/layer.h"
#include "cache/store.h"

#include "cache/archive_load.h"

/* The manifest's descriptors of the layers; *ret_size sums the plain tars. */
static int
add_layers(struct cas_store *s, const struct oci_config *config,
	   struct oci_manifest *m, uint64_t *ret_size, struct stv_err **err)
{
	char str[STV_DIGEST_STR_MAX];

	m->layers = stv_xcalloc(config->n_diff_ids + 1, sizeof(m->layers[0]));
	for (size_t i = 0; i < config->n_diff_ids; i++) {
		struct cas_layer l;
		int r = cas_layer_get(s, &config->diff_ids[i], &l, err);

		if (r == 0)
			return stv_fail(
				err, STV_E_NOT_FOUND,
				"layer %s is not in the store",
				stv_digest_str(&config->diff_ids[i], str));
		if (r < 0)
			return -1;
		m->layers[i].media_type = stv_xstrdup(l.media_type);
		m->layers[i].digest = l.blob;
		m->layers[i].size = l.blob_size;
		m->n_layers++;
		*ret_size += l.tar_size;
	}
	return 0;
}

static int
put_config(struct cas_store *s, const struct oci_config *config,
	   struct oci_manifest *m, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);

	oci_config_write(config, &text);
	if (stv_buf_check(&text, "image config", err) < 0)
		return -1;
	m->config.media_type = stv_xstrdup(OCI_MT_CONFIG);
	m->config.size = text.len;
	return cas_blob_put(s, stv_buf_str(&text), text.len, &m->config.digest,
			    err);
}

static int
put_image(struct cas_store *s, const struct oci_manifest *m, uint64_t size,
	  const struct stv_strs *tags, struct cas_image *ret,
	  struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	struct cas_image img = {.config = m->config.digest, .size = size};
	struct stv_digest *blobs;
	int r;

	oci_manifest_write(m, &text);
	if (stv_buf_check(&text, "image manifest", err) < 0 ||
	    cas_blob_put(s, stv_buf_str(&text), text.len, &img.manifest, err) <
		    0)
		return -1;
	blobs = stv_xcalloc(m->n_layers + 1, sizeof(blobs[0]));
	for (size_t i = 0; i < m->n_layers; i++)
		blobs[i] = m->layers[i].digest;
	r = cas_image_put(s, &img, blobs, m->n_layers, tags, err);
	free(blobs);
	if (r == 0)
		*ret = img;
	return r;
}

int
cas_commit_image(struct cas_store *s, const struct oci_config *config,
		 const struct stv_strs *tags, struct cas_image *ret,
		 struct stv_err **err)
{
	stv_auto(oci_manifest) *m = stv_xcalloc(1, sizeof(*m));
	uint64_t size = 0;

	m->media_type = stv_xstrdup(OCI_MT_MANIFEST);
	if (add_layers(s, config, m, &size, err) < 0 ||
	    put_config(s, config, m, err) < 0)
		return -1;
	return put_image(s, m, size, tags, ret, err);
}

int
cas_import(struct cas_store *s, struct stv_in *in, struct oci_config *config,
	   const struct stv_strs *tags, struct cas_image *ret,
	   struct stv_err **err)
{
	stv_auto(cas_lease) *lease = NULL;
	struct lay_received got;

	if (cas_lease_take(s, &lease, err) < 0 ||
	    lay_receive(s, in, NULL, &got, err) < 0)
		return -1;
	free(config->diff_ids);
	config->diff_ids = NULL;
	config->n_diff_ids = 0;
	oci_config_add_diff_id(config, &got.layer.diff_id);
	return cas_commit_image(s, config, tags, ret, err);
}
