/* builder/cache_import.c - --cache-from: what others have found out. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"

#include "registry/ref.h"

#include "builder/build_internal.h"
#include "builder/cache_doc.h"
#include "builder/cache_import.h"
#include "builder/cache_place.h"

/* One --cache-from, read. */
struct source {
	const struct bld_cache_from *from;
	struct bld_cache_place *place;
	struct bld_cache_doc doc;
};

struct bld_import {
	struct source *sources;
	size_t n;
	bool is_loading;
	bool is_loaded;
	STV_VEC(struct stv_digest) lost; /* diff IDs */
	bool is_lost;			 /* since it was last asked */
	struct bld_fetched fetched;
};

struct bld_import *
bld_import_new(const struct bld_cache_from *from, size_t n)
{
	struct bld_import *im = stv_xcalloc(1, sizeof(*im));

	im->sources = stv_xcalloc(n, sizeof(*im->sources));
	im->n = n;
	for (size_t i = 0; i < n; i++)
		im->sources[i].from = &from[i];
	return im;
}

void
bld_import_free(struct bld_import *im)
{
	if (im == NULL)
		return;
	for (size_t i = 0; i < im->n; i++) {
		bld_cache_doc_fini(&im->sources[i].doc);
		bld_cache_place_close(im->sources[i].place);
	}
	free(im->sources);
	stv_vec_fini(&im->lost);
	free(im);
}

static int
open_place(struct bld_build *b, struct source *s, struct stv_err **err)
{
	if (s->from->kind == BLD_CACHE_LOCAL)
		return bld_cache_place_dir(s->from->dir, s->from->tag, false,
					   &s->place, err);
	if (bld_registry(b, err) < 0)
		return -1;
	s->place = bld_cache_place_registry(b->client, s->from->ref, NULL);
	return 0;
}

/* One source; what is wrong with it is no reason to build nothing. */
static void
load_source(struct bld_build *b, struct source *s)
{
	struct stv_err *e = NULL;
	int r = open_place(b, s, &e);
	struct bld_cache_found found;

	if (r == 0) {
		bld_unlock(b);
		r = bld_cache_read(s->place, &s->doc, &found, &e);
		bld_lock(b);
	}
	if (r == 0 && found.is_cache)
		stv_emitf(b->o->listener, STV_EV_NOTE,
			  "cache: %zu records from %s", s->doc.records.len,
			  s->place->name);
	else if (r == 0 && found.is_other)
		stv_emitf(b->o->listener, STV_EV_WARNING,
			  "the cache is not used: %s holds no cache of stave's",
			  s->place->name);
	else if (r == 0)
		stv_emitf(b->o->listener, STV_EV_NOTE,
			  "cache: there is none at %s yet", s->place->name);
	else if (stv_err_code(e) != STV_E_CANCELLED)
		stv_emitf(b->o->listener, STV_EV_WARNING,
			  "the cache is not used: %s", stv_err_msg(e));
	if (r < 0)
		bld_cache_doc_fini(&s->doc);
	stv_err_free(e);
}

/* Read all documents, once, by one of the stages that ask. */
static void
load(struct bld_build *b)
{
	struct bld_import *im = b->import;

	while (im->is_loading)
		(void)pthread_cond_wait(&b->changed, &b->lock);
	if (im->is_loaded)
		return;
	im->is_loading = true;
	for (size_t i = 0; i < im->n && !bld_is_over(b); i++)
		load_source(b, &im->sources[i]);
	im->is_loaded = true;
	im->is_loading = false;
	(void)pthread_cond_broadcast(&b->changed);
}

static bool
is_lost(const struct bld_import *im, const struct stv_digest *diff_id)
{
	for (size_t i = 0; i < im->lost.len; i++)
		if (stv_digest_equal(&im->lost.v[i], diff_id))
			return true;
	return false;
}

/*
 * A layer that lies nowhere is as good as one that does until something needs
 * it; after the first such need none of them is.
 */
static bool
is_usable(const struct bld_build *b, const struct cas_record *r)
{
	const struct bld_import *im = b->import;
	struct bld_cache_place *place;
	const struct oci_descriptor *blob;
	struct stv_err *ignored = NULL;
	struct cas_layer l;
	int is_here;

	if (!r->has_layer || im->lost.len == 0)
		return true;
	is_here = cas_layer_get(b->o->store, &r->diff_id, &l, &ignored);
	stv_err_free(ignored);
	return is_here == 1 ||
	       (!is_lost(im, &r->diff_id) &&
		bld_import_layer(im, &r->diff_id, &place, &blob));
}

bool
bld_import_record(struct bld_build *b, const struct cas_record *want,
		  struct cas_record *ret)
{
	struct bld_import *im = b->import;

	if (im == NULL)
		return false;
	load(b);
	for (size_t i = 0; i < im->n; i++)
		for (size_t k = 0; k < im->sources[i].doc.records.len; k++) {
			const struct cas_record *r =
				&im->sources[i].doc.records.v[k];

			if (!stv_digest_equal(&r->key, &want->key) ||
			    !stv_digest_equal(&r->parent_chain,
					      &want->parent_chain) ||
			    !stv_digest_equal(&r->parent_config,
					      &want->parent_config) ||
			    !is_usable(b, r))
				continue;
			*ret = *r;
			return true;
		}
	return false;
}

bool
bld_import_answer(struct bld_build *b, const struct stv_digest *question,
		  char ret[STV_DIGEST_STR_MAX])
{
	struct bld_import *im = b->import;

	if (im == NULL)
		return false;
	load(b);
	for (size_t i = 0; i < im->n; i++)
		for (size_t k = 0; k < im->sources[i].doc.answers.len; k++) {
			const struct bld_cache_answer *a =
				&im->sources[i].doc.answers.v[k];

			if (!stv_digest_equal(&a->question, question))
				continue;
			memcpy(ret, a->text, sizeof(a->text));
			return true;
		}
	return false;
}

bool
bld_import_layer(const struct bld_import *im, const struct stv_digest *diff_id,
		 struct bld_cache_place **ret_place,
		 const struct oci_descriptor **ret)
{
	for (size_t i = 0; i < im->n; i++) {
		const struct bld_cache_layer *l =
			bld_cache_doc_layer(&im->sources[i].doc, diff_id);

		if (l == NULL)
			continue;
		*ret_place = im->sources[i].place;
		*ret = &l->blob;
		return true;
	}
	return false;
}

/* The layer whose blob has this digest. */
static const struct bld_cache_layer *
find_blob(const struct bld_cache_doc *d, const struct stv_digest *blob)
{
	for (size_t i = 0; i < d->layers.len; i++)
		if (stv_digest_equal(&d->layers.v[i].blob.digest, blob))
			return &d->layers.v[i];
	return NULL;
}

const char *
bld_import_path(const struct bld_import *im, const struct stv_digest *blob,
		const char *domain)
{
	for (size_t i = 0; im != NULL && i < im->n; i++) {
		const struct source *s = &im->sources[i];

		if (s->from->kind == BLD_CACHE_REGISTRY &&
		    strcmp(s->from->ref->domain, domain) == 0 &&
		    find_blob(&s->doc, blob) != NULL)
			return s->from->ref->path;
	}
	return NULL;
}

bool
bld_import_diff_id(const struct bld_import *im, const struct stv_digest *blob,
		   struct stv_digest *ret)
{
	for (size_t i = 0; i < im->n; i++) {
		const struct bld_cache_layer *l =
			find_blob(&im->sources[i].doc, blob);

		if (l == NULL)
			continue;
		*ret = l->diff_id;
		return true;
	}
	return false;
}

void
bld_import_lose(struct bld_import *im, const struct stv_digest *diff_id)
{
	*stv_vec_push(&im->lost) = *diff_id;
	im->is_lost = true;
}

void
bld_import_add_fetched(struct bld_import *im, uint64_t n_layers, uint64_t bytes)
{
	im->fetched.n_layers += n_layers;
	im->fetched.bytes += bytes;
}

struct bld_fetched
bld_import_fetched(const struct bld_import *im)
{
	return im->fetched;
}

bool
bld_import_take_lost(struct bld_import *im)
{
	bool is = im->is_lost;

	im->is_lost = false;
	return is;
}
