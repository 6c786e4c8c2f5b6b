/* cache/platforms.c - an image of several platforms, as far as it is here. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cache/blob.h"
#include "cache/db.h"
#include "cache/gc_internal.h"
#include "cache/platforms.h"

/* What is known of an image while it is looked through. */
struct look {
	struct cas_store *store;
	struct cas_set held; /* the blobs that the image keeps alive */
	struct cas_parts *parts;
};

/* A manifest or index that was read. */
struct doc {
	struct oci_manifest *manifest; /* or */
	struct oci_index *index;
	uint64_t size;
};

#define auto_doc STV_CLEANUP(doc_fini) struct doc

static void
doc_fini(struct doc *d)
{
	oci_manifest_free(d->manifest);
	oci_index_free(d->index);
}

static int
read_held(struct look *l, const struct stv_digest *manifest,
	  struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(l->store, err) < 0)
		return -1;
	st = cas_db_stmt(l->store,
			 "SELECT blob FROM image_blob WHERE manifest = ?1",
			 err);
	r = st == NULL ? -1 : 1;
	if (st != NULL)
		cas_db_bind_digest(st, 1, manifest);
	while (r == 1) {
		r = cas_db_step(l->store, st, err);
		if (r == 1)
			*stv_vec_push(&l->held.list) = cas_db_col_digest(st, 0);
	}
	cas_db_leave(l->store);
	cas_set_sort(&l->held);
	return r;
}

static int
read_doc(struct look *l, const struct stv_digest *d, struct doc *ret,
	 struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);

	if (cas_blob_read(l->store, d, STV_MAX_MANIFEST, &text, err) < 0)
		return -1;
	ret->size = text.len;
	if (oci_is_index(stv_buf_str(&text), text.len) == 1)
		return oci_index_parse(stv_buf_str(&text), text.len, NULL,
				       &ret->index, err);
	return oci_manifest_parse(stv_buf_str(&text), text.len, NULL,
				  &ret->manifest, err);
}

static int
read_config(struct look *l, const struct stv_digest *d, struct oci_config **ret,
	    struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);

	if (cas_blob_read(l->store, d, STV_MAX_CONFIG, &text, err) < 0)
		return -1;
	return oci_config_parse(stv_buf_str(&text), text.len, ret, err);
}

static bool
is_held(const struct look *l, const struct oci_manifest *m)
{
	if (!cas_set_has(&l->held, &m->config.digest))
		return false;
	for (size_t i = 0; i < m->n_layers; i++)
		if (!cas_set_has(&l->held, &m->layers[i].digest))
			return false;
	return true;
}

/* ---- all of them ------------------------------------------------------ */

static int
check_number(const struct look *l, struct stv_err **err)
{
	if (l->parts->len < STV_MAX_INDEX_ENTRIES)
		return 0;
	return stv_fail(err, STV_E_LIMIT,
			"an index names more than %d manifests",
			STV_MAX_INDEX_ENTRIES);
}

/* ${m} is NULL where it is not here. */
static int
add_part(struct look *l, const struct oci_descriptor *d,
	 const struct oci_manifest *m, struct stv_err **err)
{
	stv_auto(oci_config) *c = NULL;
	struct cas_part *p;

	if (check_number(l, err) < 0)
		return -1;
	p = stv_vec_push(l->parts);
	oci_descriptor_copy(&p->manifest, d);
	p->is_attachment = oci_is_attachment(d);
	p->is_here = m != NULL && is_held(l, m);
	if (!p->is_here)
		return 0;
	p->config = m->config.digest;
	if (d->has_platform)
		return 0;
	if (read_config(l, &p->config, &c, err) < 0)
		return -1;
	stv_platform_copy(&p->manifest.platform, &c->platform);
	p->manifest.has_platform = true;
	return 0;
}

static int add_all(struct look *l, const struct oci_descriptor *d, int depth,
		   struct stv_err **err);

static int
add_index(struct look *l, const struct oci_index *x, int depth,
	  struct stv_err **err)
{
	if (depth >= STV_MAX_INDEX_DEPTH)
		return stv_fail(err, STV_E_LIMIT,
				"indexes are nested more than %d deep",
				STV_MAX_INDEX_DEPTH);
	for (size_t i = 0; i < x->n_manifests; i++)
		if (add_all(l, &x->manifests[i], depth + 1, err) < 0)
			return -1;
	return 0;
}

/* At most STV_MAX_INDEX_DEPTH deep. */
static int
add_all(struct look *l, const struct oci_descriptor *d, int depth,
	struct stv_err **err)
{
	auto_doc doc = {NULL};
	struct cas_part *p;

	if (!cas_set_has(&l->held, &d->digest))
		return add_part(l, d, NULL, err);
	if (read_doc(l, &d->digest, &doc, err) < 0)
		return -1;
	if (doc.manifest != NULL)
		return add_part(l, d, doc.manifest, err);
	if (add_index(l, doc.index, depth, err) < 0 || check_number(l, err) < 0)
		return -1;
	p = stv_vec_push(l->parts);
	oci_descriptor_copy(&p->manifest, d);
	p->is_here = p->is_index = true;
	return 0;
}

int
cas_parts_read(struct cas_store *s, const struct stv_digest *manifest,
	       struct cas_parts *ret, struct stv_err **err)
{
	cas_auto_parts parts = {NULL};
	struct look l = {.store = s, .parts = &parts};
	struct oci_descriptor self = {.digest = *manifest};
	auto_doc doc = {NULL};
	int rc = read_held(&l, manifest, err);

	if (rc == 0)
		rc = read_doc(&l, manifest, &doc, err);
	if (rc == 0 && doc.index != NULL) {
		parts.is_index = true;
		rc = add_index(&l, doc.index, 0, err);
	} else if (rc == 0) {
		self.media_type = doc.manifest->media_type;
		self.size = doc.size;
		rc = add_part(&l, &self, doc.manifest, err);
	}
	cas_set_fini(&l.held);
	if (rc < 0)
		return -1;
	*ret = parts;
	parts = (struct cas_parts){NULL};
	return 0;
}

bool
cas_part_is_image(const struct cas_part *p)
{
	return p->is_here && !p->is_attachment && !p->is_index;
}

size_t
cas_parts_count(const struct cas_parts *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->len; i++)
		n += cas_part_is_image(&p->v[i]);
	return n;
}

bool
cas_parts_whole(const struct cas_parts *p)
{
	for (size_t i = 0; i < p->len; i++)
		if (!p->v[i].is_here)
			return false;
	return true;
}

void
cas_parts_fini(struct cas_parts *p)
{
	for (size_t i = 0; i < p->len; i++)
		oci_descriptor_fini(&p->v[i].manifest);
	free(p->v);
	*p = (struct cas_parts){NULL};
}

/* ---- one platform ----------------------------------------------------- */

/* The manifest for ${want}: 1, or 0 where there is none or it is not here. */
static int
choose(struct look *l, const struct stv_digest *manifest,
       const struct stv_platform *want, struct doc *ret, struct stv_err **err)
{
	struct stv_digest at = *manifest;

	for (int depth = 0; depth <= STV_MAX_INDEX_DEPTH; depth++) {
		auto_doc doc = {NULL};
		const struct oci_descriptor *d;

		if (!cas_set_has(&l->held, &at))
			return 0;
		if (read_doc(l, &at, &doc, err) < 0)
			return -1;
		if (doc.manifest != NULL) {
			*ret = doc;
			doc = (struct doc){NULL};
			return is_held(l, ret->manifest);
		}
		d = oci_index_choose(doc.index, want);
		if (d == NULL)
			return 0;
		at = d->digest;
	}
	return 0;
}

/* What its layers are unpacked. */
static int
sum_layers(struct cas_store *s, const struct oci_config *c, uint64_t *ret,
	   struct stv_err **err)
{
	*ret = 0;
	for (size_t i = 0; i < c->n_diff_ids; i++) {
		struct cas_layer layer;
		int r = cas_layer_get(s, &c->diff_ids[i], &layer, err);

		if (r < 0)
			return -1;
		if (r == 1)
			*ret += layer.tar_size;
	}
	return 0;
}

int
cas_image_for(struct cas_store *s, const struct cas_image *img,
	      const struct stv_platform *want, struct cas_image *ret,
	      struct stv_err **err)
{
	stv_auto(oci_config) *c = NULL;
	struct look l = {.store = s};
	auto_doc doc = {NULL};
	struct cas_image found = *img;
	int r = read_held(&l, &img->manifest, err);

	if (r == 0)
		r = choose(&l, &img->manifest, want, &doc, err);
	cas_set_fini(&l.held);
	if (r != 1 || doc.manifest == NULL)
		return r;
	found.config = doc.manifest->config.digest;
	if (read_config(&l, &found.config, &c, err) < 0)
		return -1;
	if (!stv_platform_match(want, &c->platform))
		return 0;
	if (!stv_digest_equal(&found.config, &img->config) &&
	    sum_layers(s, c, &found.size, err) < 0)
		return -1;
	*ret = found;
	return 1;
}
