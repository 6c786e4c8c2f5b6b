/* cache/repack.c - an image of the store in the form that an export wants. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cache/blob.h"
#include "cache/layer_compress.h"
#include "cache/meta.h"

#include "cache/repack.h"

/* The same things in both languages. */
static const struct {
	const char *oci;
	const char *docker;
	enum stv_codec codec;
} layer_types[] = {
	{OCI_MT_LAYER, DOCKER_MT_LAYER, STV_CODEC_NONE},
	{OCI_MT_LAYER_GZIP, DOCKER_MT_LAYER_GZIP, STV_CODEC_GZIP},
	{OCI_MT_LAYER_ZSTD, DOCKER_MT_LAYER_ZSTD, STV_CODEC_ZSTD},
};

/* The row of a media type, or -1: something foreign, which stays as it is. */
static int
type_row(const char *media_type)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(layer_types); i++)
		if (strcmp(layer_types[i].oci, media_type) == 0 ||
		    strcmp(layer_types[i].docker, media_type) == 0)
			return (int)i;
	return -1;
}

static void
set_type(char **type, const char *value)
{
	free(*type);
	*type = stv_xstrdup(value);
}

/* One layer in the form that is asked for. */
static int
convert(struct cas_store *s, const struct cas_repack_opts *o,
	const struct stv_digest *diff_id, struct oci_descriptor *layer,
	struct stv_err **err)
{
	struct cas_layer l;
	int row = type_row(layer->media_type);
	enum stv_codec have = row < 0 ? STV_CODEC_NONE : layer_types[row].codec;

	if (row < 0)
		return 0;
	if (have == STV_CODEC_NONE ? o->how.codec != have : o->is_forced) {
		if (lay_compress(s, diff_id, &o->how, o->watch, &l, err) < 0)
			return -1;
		layer->digest = l.blob;
		layer->size = l.blob_size;
		row = type_row(l.media_type);
	}
	if (row >= 0)
		set_type(&layer->media_type, o->has_docker_types
						     ? layer_types[row].docker
						     : layer_types[row].oci);
	return 0;
}

static int
read_both(struct cas_store *s, const struct stv_digest *manifest,
	  struct oci_manifest **m, struct oci_config **c, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);

	if (cas_blob_read(s, manifest, STV_MAX_MANIFEST, &text, err) < 0 ||
	    oci_manifest_parse(stv_buf_str(&text), text.len, NULL, m, err) < 0)
		return -1;
	stv_buf_truncate(&text, 0);
	if (cas_blob_read(s, &(*m)->config.digest, STV_MAX_CONFIG, &text, err) <
		    0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, c, err) < 0)
		return -1;
	if ((*c)->n_diff_ids != (*m)->n_layers)
		return stv_fail(err, STV_E_PROTOCOL,
				"the image has %zu layers and %zu diff IDs",
				(*m)->n_layers, (*c)->n_diff_ids);
	return 0;
}

int
cas_repack(struct cas_store *s, const struct stv_digest *manifest,
	   const struct cas_repack_opts *o, struct oci_descriptor *ret,
	   struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_manifest) *m = NULL;
	stv_auto(oci_config) *c = NULL;
	struct stv_digest digest;

	if (read_both(s, manifest, &m, &c, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_layers; i++)
		if (convert(s, o, &c->diff_ids[i], &m->layers[i], err) < 0)
			return -1;
	set_type(&m->media_type,
		 o->has_docker_types ? DOCKER_MT_MANIFEST : OCI_MT_MANIFEST);
	set_type(&m->config.media_type,
		 o->has_docker_types ? DOCKER_MT_CONFIG : OCI_MT_CONFIG);
	for (size_t i = 0; i < o->annotations.len; i++)
		stv_pairs_set(&m->annotations, o->annotations.v[i].name,
			      o->annotations.v[i].value);
	oci_manifest_write(m, &text);
	if (stv_buf_check(&text, "image manifest", err) < 0 ||
	    cas_blob_put(s, stv_buf_str(&text), text.len, &digest, err) < 0)
		return -1;
	*ret = (struct oci_descriptor){
		.media_type = stv_xstrdup(m->media_type),
		.digest = digest,
		.size = text.len,
	};
	return 0;
}
