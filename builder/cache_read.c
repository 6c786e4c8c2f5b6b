/* builder/cache_read.c - what lies at a cache reference. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"

#include "builder/cache_doc.h"
#include "builder/cache_import.h"
#include "builder/cache_place.h"
#include "builder/parallel.h"

#define MAX_TAG 128 /* distribution-spec, <reference> */
#define ID_LEN 32   /* hexadecimal digits of an export's name */
#define INFIX ".stave-"
#define N_PARALLEL 4

/* What one manifest is. */
enum content {
	NOTHING,
	A_CACHE,
	AN_IMAGE, /* or anything else, without records */
	AN_IMAGE_WITH_CACHE
};

char *
bld_cache_export_tag(const char *tag, const struct stv_digest *id)
{
	char hex[STV_DIGEST_STR_MAX];
	struct stv_digest short_name;
	stv_auto_free char *head = stv_xstrdup(tag);

	if (strlen(tag) + strlen(INFIX) + ID_LEN > MAX_TAG) {
		short_name = stv_digest_of(tag, strlen(tag));
		free(head);
		head = stv_xstrndup(stv_digest_hex(&short_name, hex), ID_LEN);
	}
	if (id == NULL)
		return stv_xasprintf("%s%s", head, INFIX);
	return stv_xasprintf("%s%s%.*s", head, INFIX, ID_LEN,
			     stv_digest_hex(id, hex));
}

/* A small blob whole. */
static int
read_blob(struct bld_cache_place *p, const struct oci_descriptor *d,
	  struct stv_buf *ret, struct stv_err **err)
{
	stv_auto(stv_sink) *sink = stv_sink_buf(ret, "the cache");
	stv_auto(stv_in) *in = NULL;

	if (p->blob(p, d, &in, err) < 0)
		return -1;
	return stv_copy(in, sink, NULL, err);
}

/* The document of a manifest of ours. */
static int
read_config(struct bld_cache_place *p, const struct oci_manifest *m,
	    struct bld_cache_doc *ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);

	if (read_blob(p, &m->config, &text, err) < 0)
		return -1;
	return bld_cache_doc_parse(stv_buf_str(&text), text.len, ret, err);
}

/* An image that carries its records; its layers are those of the image. */
static int
read_inline(struct bld_cache_place *p, const struct oci_manifest *m,
	    const char *text, struct bld_cache_doc *ret, struct stv_err **err)
{
	stv_auto_buf config = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(oci_config) *c = NULL;

	if (bld_cache_doc_parse(text, strlen(text), ret, err) < 0 ||
	    read_blob(p, &m->config, &config, err) < 0 ||
	    oci_config_parse(stv_buf_str(&config), config.len, &c, err) < 0)
		return -1;
	if (c->n_diff_ids != m->n_layers)
		return stv_fail(err, STV_E_PROTOCOL,
				"the image has %zu layers and %zu diff IDs",
				m->n_layers, c->n_diff_ids);
	for (size_t i = 0; i < m->n_layers; i++) {
		struct bld_cache_layer *l = stv_vec_push(&ret->layers);

		*l = (struct bld_cache_layer){.diff_id = c->diff_ids[i]};
		oci_descriptor_copy(&l->blob, &m->layers[i]);
	}
	return AN_IMAGE_WITH_CACHE;
}

/* An enum content, or -1. */
static int read_at(struct bld_cache_place *p, const char *tag, int depth,
		   struct bld_cache_doc *ret, struct stv_err **err);

/* Of an index the images for all platforms may carry records. */
static int
read_index(struct bld_cache_place *p, const struct stv_buf *text, int depth,
	   struct bld_cache_doc *ret, struct stv_err **err)
{
	stv_auto(oci_index) *x = NULL;
	char which[STV_DIGEST_STR_MAX];
	int found = AN_IMAGE;

	if (depth >= STV_MAX_INDEX_DEPTH)
		return stv_fail(err, STV_E_LIMIT,
				"indexes are nested more than %d deep",
				STV_MAX_INDEX_DEPTH);
	if (oci_index_parse(stv_buf_str(text), text->len, NULL, &x, err) < 0)
		return -1;
	for (size_t i = 0; i < x->n_manifests; i++) {
		struct bld_cache_doc one = {.merged = {0}};
		int r = read_at(p,
				stv_digest_str(&x->manifests[i].digest, which),
				depth + 1, &one, err);

		if (r == AN_IMAGE_WITH_CACHE) {
			bld_cache_doc_merge(ret, &one);
			found = r;
		}
		bld_cache_doc_fini(&one);
		if (r < 0)
			return -1;
	}
	return found;
}

static int
read_at(struct bld_cache_place *p, const char *tag, int depth,
	struct bld_cache_doc *ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_manifest) *m = NULL;
	const char *carried;
	int r = p->manifest(p, tag, &text, err);

	*ret = (struct bld_cache_doc){.merged = {0}};
	if (r <= 0)
		return r;
	if (oci_is_index(stv_buf_str(&text), text.len) == 1)
		return read_index(p, &text, depth, ret, err);
	if (oci_manifest_parse(stv_buf_str(&text), text.len, NULL, &m, err) < 0)
		return -1;
	if (strcmp(m->config.media_type, BLD_CACHE_MT) == 0)
		return read_config(p, m, ret, err) < 0 ? -1 : A_CACHE;
	carried = stv_pairs_get(&m->annotations, BLD_CACHE_ANNOTATION);
	return carried == NULL ? AN_IMAGE
			       : read_inline(p, m, carried, ret, err);
}

/* Exports that nobody has merged. */
struct exports {
	struct bld_cache_place *place;
	struct stv_strs tags;
	struct bld_cache_doc *docs; /* of each */
};

static int
read_export(void *arg, size_t i, struct stv_err **err)
{
	struct exports *x = arg;

	return read_at(x->place, x->tags.v[i], 0, &x->docs[i], err) < 0 ? -1
									: 0;
}

/* Which exports to the place are not in ${doc}? */
static int
find_exports(struct bld_cache_place *p, const struct bld_cache_doc *doc,
	     struct stv_strs *ret, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs tags = {0};
	stv_auto_free char *head = bld_cache_export_tag(p->tag, NULL);

	if (p->tags(p, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.len; i++)
		if (strncmp(tags.v[i], head, strlen(head)) == 0 &&
		    strlen(tags.v[i]) == strlen(head) + ID_LEN &&
		    !stv_strs_has(&doc->merged, tags.v[i]))
			stv_strs_add(ret, tags.v[i]);
	return 0;
}

static int
add_exports(struct bld_cache_place *p, struct bld_cache_doc *doc, size_t *ret_n,
	    struct stv_err **err)
{
	struct exports x = {.place = p};
	int rc = find_exports(p, doc, &x.tags, err);

	x.docs = stv_xcalloc(x.tags.len + 1, sizeof(*x.docs));
	if (rc == 0 && x.tags.len > 0)
		rc = bld_parallel(x.tags.len, N_PARALLEL, read_export, &x, err);
	for (size_t i = 0; i < x.tags.len; i++) {
		if (rc == 0) {
			bld_cache_doc_merge(doc, &x.docs[i]);
			stv_strs_add(&doc->merged, x.tags.v[i]);
		}
		bld_cache_doc_fini(&x.docs[i]);
	}
	*ret_n = x.tags.len;
	free(x.docs);
	stv_strs_clear(&x.tags);
	return rc;
}

int
bld_cache_read(struct bld_cache_place *place, struct bld_cache_doc *ret,
	       struct bld_cache_found *ret_found, struct stv_err **err)
{
	int r = read_at(place, place->tag, 0, ret, err);

	*ret_found = (struct bld_cache_found){
		.is_other = r == AN_IMAGE || r == AN_IMAGE_WITH_CACHE};
	if (r < 0 || (place->tags != NULL &&
		      add_exports(place, ret, &ret_found->n_exports, err) < 0))
		return -1;
	ret_found->is_cache = r == A_CACHE || r == AN_IMAGE_WITH_CACHE ||
			      ret_found->n_exports > 0;
	return 0;
}
