/* builder/image.c - the target's result as an image of the store. */
#include <stdlib.h>
#include <string.h>

#include "cache/blob.h"
#include "cache/key.h"
#include "cache/store.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "builder/build_internal.h"
#include "builder/cache_doc.h"
#include "builder/cache_export.h"
#include "builder/cache_import.h"
#include "builder/lazy.h"

/*
 * Where no layer gives a time, the image's own: what it was when the same
 * config was first made, so that building again gives the same image.
 */
static int
first_time(struct bld_build *b, const struct bld_stage *st,
	   const struct oci_config *c, char **ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(key) *k = key_new("stave-image/1");
	struct cas_record rec = {.created_s = b->now_s};
	stv_auto_buf preimage = STV_BUF_INIT(STV_MAX_CONFIG * 2);
	int r;

	oci_config_write(c, &text);
	key_add(k, "config", stv_buf_str(&text), text.len);
	key_end(k, &rec.key, &preimage);
	rec.parent_chain = st->chain;
	if (!b->o->has_epoch) {
		struct cas_record have;

		r = cas_record_get(b->o->store, &rec.key, &rec.parent_chain,
				   &rec.parent_config, &have, err);
		if (r < 0)
			return -1;
		if (r == 1 || bld_import_record(b, &rec, &have))
			rec.created_s = have.created_s;
		else if (cas_record_put(b->o->store, &rec,
					stv_buf_str(&preimage), preimage.len,
					"image", err) < 0)
			return -1;
	}
	bld_done_record(b->done, &rec);
	*ret = oci_time(rec.created_s, 0);
	return 0;
}

/*
 * Times of lines that have none, as BuildKit gives them: that of the layer
 * before, and before the first new layer that one's.  NULL: there is no time.
 */
static const char *
first_known(const struct oci_config *c)
{
	const char *found = NULL;
	bool is_missing = false;

	for (size_t i = 0; i < c->n_history; i++) {
		if (c->history[i].created == NULL) {
			is_missing = true;
			continue;
		}
		found = c->history[i].created;
		if (is_missing)
			break;
	}
	return found;
}

static void
fill_times(struct oci_config *c)
{
	const char *time = first_known(c);
	bool is_missing = false;

	if (time == NULL)
		time = c->created;
	for (size_t i = 0; i < c->n_history; i++) {
		struct oci_history *h = &c->history[i];

		if (h->created == NULL) {
			is_missing = true;
			h->created = stv_xstrdup(time);
		} else if (is_missing) {
			time = h->created;
		}
	}
}

static int
finish_config(struct bld_build *b, const struct bld_stage *st,
	      struct oci_config *c, struct stv_err **err)
{
	for (size_t i = 0; i < b->o->labels.len; i++)
		stv_pairs_set(&c->config.labels, b->o->labels.v[i].name,
			      b->o->labels.v[i].value);
	free(c->created);
	c->created = NULL;
	if (st->created != NULL)
		c->created = stv_xstrdup(st->created);
	else if (first_time(b, st, c, &c->created, err) < 0)
		return -1;
	fill_times(c);
	return 0;
}

/* A small blob, whose write is skipped where it is there already. */
static int
put_blob(struct cas_store *store, const struct stv_buf *text, const char *what,
	 struct oci_descriptor *ret, struct stv_err **err)
{
	if (stv_buf_check(text, what, err) < 0)
		return -1;
	ret->digest = stv_digest_of(stv_buf_str(text), text->len);
	ret->size = text->len;
	if (cas_blob_has(store, &ret->digest))
		return 0;
	return cas_blob_put(store, stv_buf_str(text), text->len, &ret->digest,
			    err);
}

/*
 * The manifest's layers, and the blobs that the image keeps alive.  The base's
 * are named as its manifest names them, whatever other forms of them are here:
 * so they are not uploaded again, and the manifest is the same elsewhere.
 */
static int
add_layers(struct bld_build *b, const struct oci_config *c,
	   const struct oci_manifest *base, struct oci_manifest *m,
	   struct stv_digest *blobs, uint64_t *ret_size, struct stv_err **err)
{
	m->layers = stv_xcalloc(c->n_diff_ids, sizeof(m->layers[0]));
	for (size_t i = 0; i < c->n_diff_ids; i++) {
		const struct oci_descriptor *elsewhere;
		struct cas_layer l;
		int r = cas_layer_get(b->o->store, &c->diff_ids[i], &l, err);

		if (r < 0)
			return -1;
		if (r == 0 && b->o->is_push_only &&
		    bld_lazy_blob(b, &c->diff_ids[i], &elsewhere)) {
			oci_descriptor_copy(&m->layers[m->n_layers++],
					    elsewhere);
			blobs[i] = elsewhere->digest;
			continue;
		}
		if (r == 0)
			return stv_fail(err, STV_E_IO,
					"layer %zu of the image is gone from "
					"the store",
					i + 1);
		if (base != NULL && i < base->n_layers &&
		    cas_blob_has(b->o->store, &base->layers[i].digest)) {
			oci_descriptor_copy(&m->layers[i], &base->layers[i]);
		} else {
			m->layers[i].media_type = stv_xstrdup(l.media_type);
			m->layers[i].digest = l.blob;
			m->layers[i].size = l.blob_size;
		}
		m->n_layers++;
		blobs[i] = m->layers[i].digest;
		*ret_size += l.tar_size;
	}
	return 0;
}

/* Shall the image carry the records of its steps? */
static bool
is_inline(const struct bld_build *b)
{
	for (size_t i = 0; i < b->o->n_cache_to; i++)
		if (b->o->cache_to[i].kind == BLD_CACHE_INLINE)
			return true;
	return false;
}

static void
add_inline(const struct bld_build *b, struct oci_manifest *m)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);

	bld_done_inline(b->done, &text);
	stv_pairs_set(&m->annotations, BLD_CACHE_ANNOTATION,
		      stv_buf_str(&text));
}

int
bld_image_finish(struct bld_build *b, const struct bld_stage *st,
		 const struct stv_strs *tags, struct bld_result *ret,
		 struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(oci_manifest) *m = stv_xcalloc(1, sizeof(*m));
	stv_auto(oci_manifest) *base = NULL;
	struct oci_config *c = ret->config;
	stv_auto_free struct stv_digest *blobs = NULL;
	struct oci_descriptor self = {0};
	size_t n = c->n_diff_ids;

	if (bld_base_manifest(b, st, &base, err) < 0 ||
	    finish_config(b, st, c, err) < 0)
		return -1;
	blobs = stv_xcalloc(n + 2, sizeof(*blobs));
	m->media_type = stv_xstrdup(OCI_MT_MANIFEST);
	m->config.media_type = stv_xstrdup(OCI_MT_CONFIG);
	for (size_t i = 0; i < b->o->annotations.len; i++)
		stv_pairs_set(&m->annotations, b->o->annotations.v[i].name,
			      b->o->annotations.v[i].value);
	if (is_inline(b))
		add_inline(b, m);
	oci_config_write(c, &text);
	if (put_blob(b->o->store, &text, "the image's config", &m->config,
		     err) < 0 ||
	    add_layers(b, c, base, m, blobs, &ret->image.size, err) < 0)
		return -1;
	stv_buf_truncate(&text, 0);
	oci_manifest_write(m, &text);
	if (put_blob(b->o->store, &text, "the image's manifest", &self, err) <
	    0)
		return -1;
	blobs[n] = m->config.digest;
	blobs[n + 1] = self.digest;
	ret->image.manifest = self.digest;
	ret->image.config = m->config.digest;
	ret->image.created_s = b->now_s;
	ret->manifest_size = self.size;
	if (b->o->is_push_only)
		return 0;
	if (b->o->part > 0) {
		ret->n_blobs = n + 2;
		ret->blobs = stv_steal(&blobs);
		return 0;
	}
	return cas_image_put(b->o->store, &ret->image, blobs, n + 2, tags, err);
}
