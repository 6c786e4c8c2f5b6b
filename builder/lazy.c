/* builder/lazy.c - layers that are fetched only when something needs them. */
#include <stdlib.h>
#include <string.h>

#include "cache/layer.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/vec.h"

#include "registry/ref.h"

#include "builder/build_internal.h"
#include "builder/cache_import.h"
#include "builder/cache_place.h"
#include "builder/lazy.h"
#include "builder/parallel.h"
#include "builder/pull.h"

#define N_PARALLEL 4

/* A base image whose layers may still be elsewhere. */
struct base {
	struct reg_ref ref;
	struct stv_platform platform;
	struct bld_pull_opts o;
	struct bld_pulling *pulling; /* NULL: it is being asked for */
	bool is_done;
	bool is_failed;
};

struct bld_lazy {
	STV_VEC(struct base *) bases;
	bool is_busy; /* one stage fetches; the others wait */
	/* Whom the base's progress is shown for. */
	struct bld_stage *stage;
	const struct bld_step *step;
};

struct bld_lazy *
bld_lazy_new(void)
{
	return stv_xcalloc(1, sizeof(struct bld_lazy));
}

static void
base_free(struct base *s)
{
	bld_pull_close(s->pulling);
	reg_ref_fini(&s->ref);
	stv_platform_fini(&s->platform);
	free(s);
}

void
bld_lazy_free(struct bld_lazy *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->bases.len; i++)
		base_free(l->bases.v[i]);
	stv_vec_fini(&l->bases);
	free(l);
}

/* --- bases --- */

static bool
is_same_ref(const struct reg_ref *a, const struct reg_ref *b)
{
	stv_auto_free char *x = reg_ref_str(a), *y = reg_ref_str(b);

	return strcmp(x, y) == 0;
}

/* ${platform} NULL: any. */
static struct base *
find_base(const struct bld_build *b, const struct reg_ref *ref,
	  const struct stv_platform *platform)
{
	for (size_t i = 0; b->lazy != NULL && i < b->lazy->bases.len; i++) {
		struct base *s = b->lazy->bases.v[i];

		if (!s->is_failed && is_same_ref(&s->ref, ref) &&
		    (platform == NULL ||
		     stv_platform_match(platform, &s->platform)))
			return s;
	}
	return NULL;
}

static void
on_bytes(void *arg, uint64_t now, uint64_t total)
{
	struct bld_build *b = arg;

	bld_lock(b);
	if (b->lazy->stage != NULL)
		bld_emit_progress(b->lazy->stage, b->lazy->step, now, total);
	bld_unlock(b);
}

static int
open_base(struct bld_build *b, const struct reg_ref *ref,
	  const struct stv_platform *platform, struct base **ret,
	  struct stv_err **err)
{
	struct base *s;
	int rc;

	if (bld_registry(b, err) < 0)
		return -1;
	s = stv_xcalloc(1, sizeof(*s));
	s->ref = (struct reg_ref){
		.domain = stv_xstrdup(ref->domain),
		.path = stv_xstrdup(ref->path),
		.tag = ref->tag == NULL ? NULL : stv_xstrdup(ref->tag),
		.has_digest = ref->has_digest,
		.digest = ref->digest,
	};
	stv_platform_copy(&s->platform, platform);
	s->o = (struct bld_pull_opts){.store = b->o->store,
				      .client = b->client,
				      .platform = &s->platform,
				      .on_bytes = on_bytes,
				      .arg = b};
	*stv_vec_push(&b->lazy->bases) = s;
	bld_unlock(b);
	rc = bld_pull_open(&s->o, &s->ref, &s->pulling, err);
	bld_lock(b);
	s->is_failed = rc < 0;
	(void)pthread_cond_broadcast(&b->changed);
	*ret = s;
	return rc;
}

int
bld_lazy_base(struct bld_build *b, const struct reg_ref *ref,
	      const struct stv_platform *platform, struct cas_image *ret,
	      struct stv_err **err)
{
	struct base *s;

	for (;;) {
		s = find_base(b, ref, platform);
		if (s == NULL || s->pulling != NULL)
			break;
		(void)pthread_cond_wait(&b->changed, &b->lock);
	}
	if (s == NULL && open_base(b, ref, platform, &s, err) < 0)
		return -1;
	*ret = *bld_pull_image(s->pulling);
	return 0;
}

const struct oci_manifest *
bld_lazy_manifest(const struct bld_build *b, const struct reg_ref *ref)
{
	const struct base *s = find_base(b, ref, NULL);

	return s == NULL || s->pulling == NULL ? NULL
					       : bld_pull_manifest(s->pulling);
}

/* --- what is needed --- */

static int
is_layer_here(const struct bld_build *b, const struct stv_digest *diff_id,
	      struct stv_err **err)
{
	struct cas_layer l;

	return cas_layer_get(b->o->store, diff_id, &l, err);
}

int
bld_lazy_is_here(const struct bld_build *b, const struct stv_digest *diff_ids,
		 size_t n, struct stv_err **err)
{
	int r = 1;

	for (size_t i = 0; b->lazy != NULL && r == 1 && i < n; i++)
		r = is_layer_here(b, &diff_ids[i], err);
	return r;
}

/* The base that has the layer, if its layers were not fetched yet. */
static struct base *
base_of(const struct bld_build *b, const struct stv_digest *diff_id)
{
	for (size_t i = 0; i < b->lazy->bases.len; i++) {
		struct base *s = b->lazy->bases.v[i];
		const struct oci_config *c =
			s->pulling == NULL ? NULL : bld_pull_config(s->pulling);

		for (size_t k = 0;
		     c != NULL && !s->is_done && k < c->n_diff_ids; k++)
			if (stv_digest_equal(&c->diff_ids[k], diff_id))
				return s;
	}
	return NULL;
}

/* All layers of a base; it becomes an image of the store under its tag. */
static int
fetch_base(struct bld_build *b, struct base *s, struct stv_err **err)
{
	struct bld_pulled pulled;
	int rc;

	s->o.is_mounted =
		b->lazy->step != NULL && b->lazy->step->node->kind == DF_RUN;
	bld_unlock(b);
	rc = bld_pull_finish(s->pulling, &pulled, err);
	bld_lock(b);
	if (rc < 0) {
		stv_auto_free char *name = reg_ref_familiar(&s->ref);

		return stv_wrap(err, "fetching '%s'", name);
	}
	s->is_done = true;
	bld_import_add_fetched(b->import,
			       bld_pull_config(s->pulling)->n_diff_ids,
			       pulled.downloaded);
	return 0;
}

/* Layers of caches. */
struct wanted {
	struct bld_build *b;
	STV_VEC(struct stv_digest) diff_ids;
};

/* What is wrong with the store or with us is no fault of the cache. */
static bool
is_cache_fault(const struct stv_err *e)
{
	enum stv_code code = stv_err_code(e);

	return code != STV_E_CANCELLED && code != STV_E_IO &&
	       code != STV_E_INTERNAL;
}

static int
receive(struct bld_build *b, const struct stv_digest *diff_id,
	struct bld_cache_place *place, const struct oci_descriptor *blob,
	struct stv_err **err)
{
	const struct lay_wanted want = {
		.blob = &blob->digest, .diff_id = diff_id, .is_ahead = true};
	stv_auto(stv_in) *in = NULL;
	struct lay_received got;

	if (place->blob(place, blob, &in, err) < 0 ||
	    lay_receive(b->o->store, in, &want, &got, err) < 0)
		return -1;
	bld_lock(b);
	bld_import_add_fetched(b->import, 1, got.blob_size);
	bld_unlock(b);
	return 0;
}

static int
fetch_layer(void *arg, size_t i, struct stv_err **err)
{
	struct wanted *w = arg;
	struct bld_build *b = w->b;
	const struct stv_digest *diff_id = &w->diff_ids.v[i];
	const struct oci_descriptor *blob;
	struct bld_cache_place *place;
	char text[STV_DIGEST_STR_MAX];
	struct stv_err *e = NULL;
	bool is_known;

	bld_lock(b);
	is_known = bld_import_layer(b->import, diff_id, &place, &blob);
	bld_unlock(b);
	if (is_known && receive(b, diff_id, place, blob, &e) == 0)
		return 0;
	if (e != NULL && !is_cache_fault(e)) {
		*err = e;
		return -1;
	}
	bld_lock(b);
	/* In a cache of mode=min most layers are not there, as they should. */
	if (e != NULL)
		stv_emitf(b->o->listener, STV_EV_WARNING,
			  "the cache at %s: %s; what needs it is built anew",
			  place->name, stv_err_msg(e));
	bld_import_lose(b->import, diff_id);
	bld_unlock(b);
	stv_err_free(e);
	return stv_fail(err, STV_E_CANCELLED, "layer %s is not to be had",
			stv_digest_str(diff_id, text));
}

/* The bases first: what of them is missing is in no cache. */
static int
fetch(struct bld_build *b, const struct stv_digest *diff_ids, size_t n,
      struct stv_err **err)
{
	struct wanted w = {.b = b};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct base *s;

		r = is_layer_here(b, &diff_ids[i], err);
		if (r != 0)
			continue;
		s = base_of(b, &diff_ids[i]);
		if (s != NULL)
			r = fetch_base(b, s, err);
		else
			*stv_vec_push(&w.diff_ids) = diff_ids[i];
	}
	if (r >= 0 && w.diff_ids.len > 0) {
		bld_unlock(b);
		r = bld_parallel(w.diff_ids.len, N_PARALLEL, fetch_layer, &w,
				 err);
		bld_lock(b);
	}
	stv_vec_fini(&w.diff_ids);
	return r < 0 ? -1 : 0;
}

int
bld_lazy_need(struct bld_stage *st, const struct bld_step *step,
	      const struct stv_digest *diff_ids, size_t n, struct stv_err **err)
{
	struct bld_build *b = st->b;
	struct bld_lazy *l = b->lazy;
	int r = bld_lazy_is_here(b, diff_ids, n, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	while (l->is_busy)
		(void)pthread_cond_wait(&b->changed, &b->lock);
	if (bld_is_over(b))
		return stv_fail(err, STV_E_CANCELLED, "cancelled");
	l->is_busy = true;
	l->stage = step == NULL ? NULL : st;
	l->step = step;
	r = fetch(b, diff_ids, n, err);
	l->stage = NULL;
	l->is_busy = false;
	(void)pthread_cond_broadcast(&b->changed);
	return r;
}

/* Which layer has this blob? */
static bool
find_blob(const struct bld_build *b, const struct stv_digest *blob,
	  struct stv_digest *ret)
{
	for (size_t i = 0; i < b->lazy->bases.len; i++) {
		const struct bld_pulling *p = b->lazy->bases.v[i]->pulling;
		const struct oci_config *c =
			p == NULL ? NULL : bld_pull_config(p);

		for (size_t k = 0; c != NULL && k < c->n_diff_ids; k++)
			if (stv_digest_equal(
				    &bld_pull_manifest(p)->layers[k].digest,
				    blob)) {
				*ret = c->diff_ids[k];
				return true;
			}
	}
	return bld_import_diff_id(b->import, blob, ret);
}

int
bld_lazy_bring(struct bld_build *b, const struct stv_digest *blob,
	       struct stv_err **err)
{
	struct stv_digest diff_id;
	char text[STV_DIGEST_STR_MAX];
	int rc;

	bld_lock(b);
	rc = find_blob(b, blob, &diff_id)
		     ? bld_lazy_need(b->stages.v[b->targets.v[0]], NULL,
				     &diff_id, 1, err)
		     : stv_fail(err, STV_E_NOT_FOUND, "blob %s is nowhere",
				stv_digest_str(blob, text));
	bld_unlock(b);
	return rc;
}

bool
bld_lazy_blob(const struct bld_build *b, const struct stv_digest *diff_id,
	      const struct oci_descriptor **ret)
{
	struct bld_cache_place *place;

	if (b->lazy == NULL)
		return false;
	for (size_t i = 0; i < b->lazy->bases.len; i++) {
		const struct bld_pulling *p = b->lazy->bases.v[i]->pulling;
		const struct oci_config *c =
			p == NULL ? NULL : bld_pull_config(p);

		for (size_t k = 0; c != NULL && k < c->n_diff_ids; k++)
			if (stv_digest_equal(&c->diff_ids[k], diff_id)) {
				*ret = &bld_pull_manifest(p)->layers[k];
				return true;
			}
	}
	return bld_import_layer(b->import, diff_id, &place, ret);
}
