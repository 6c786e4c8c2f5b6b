/* builder/pull.c - an image from a registry. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cache/blob.h"
#include "cache/layer.h"
#include "cache/platforms.h"
#include "registry/client.h"
#include "registry/ref.h"

#include "builder/parallel.h"
#include "builder/pull_internal.h"

#define DEFAULT_PARALLEL 4

static int
keep(struct bld_pulling *p, const void *text, size_t n, struct stv_err **err)
{
	return cas_blob_put(p->o->store, text, n, stv_vec_push(&p->blobs), err);
}

/* The config, which says what the layers are. */
static int
read_config(struct bld_pulling *p, struct stv_err **err)
{
	const struct oci_descriptor *d = &p->manifest->config;
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(stv_sink) *sink = stv_sink_buf(&text, "the config");
	stv_auto(stv_in) *in = NULL;

	if (cas_blob_has(p->o->store, &d->digest)) {
		if (cas_blob_read(p->o->store, &d->digest, STV_MAX_CONFIG,
				  &text, err) < 0)
			return -1;
		*stv_vec_push(&p->blobs) = d->digest;
	} else {
		if (reg_client_blob(p->o->client, p->ref, &d->digest, d->size,
				    &in, err) < 0 ||
		    stv_copy(in, sink, NULL, err) < 0 ||
		    keep(p, stv_buf_str(&text), text.len, err) < 0)
			return -1;
		p->done.downloaded += text.len;
	}
	if (oci_config_parse(stv_buf_str(&text), text.len, &p->config, err) < 0)
		return -1;
	if (p->config->n_diff_ids != p->manifest->n_layers)
		return stv_fail(err, STV_E_PROTOCOL,
				"the image has %zu layers and %zu diff IDs",
				p->manifest->n_layers, p->config->n_diff_ids);
	p->done.image.config = d->digest;
	return 0;
}

/* ${more} of layer ${d}, which makes ${now}. */
static void
tell(struct bld_pulling *p, enum bld_pull_moment m,
     const struct oci_descriptor *d, uint64_t now, uint64_t more)
{
	(void)pthread_mutex_lock(&p->lock);
	p->now += more;
	if (p->o->on_layer != NULL)
		p->o->on_layer(p->o->arg, m, &d->digest, now, d->size);
	if (p->o->on_bytes != NULL)
		p->o->on_bytes(p->o->arg, p->now, p->total);
	(void)pthread_mutex_unlock(&p->lock);
}

/* Counts what passes, for whoever watches. */
struct watch_in {
	struct stv_in base;
	struct stv_in *under;
	struct bld_pulling *pull;
	const struct oci_descriptor *d;
	uint64_t now;
	uint64_t told;
};

static int64_t
watch_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct watch_in *w = (struct watch_in *)in;
	int64_t got = w->under->read(w->under, buf, n, err);

	if (got <= 0)
		return got;
	w->now += (uint64_t)got;
	if (w->now - w->told >= (uint64_t)1 << 20) {
		tell(w->pull, BLD_PULL_LAYER_MOVED, w->d, w->now,
		     w->now - w->told);
		w->told = w->now;
	}
	return got;
}

static void
add_sizes(struct bld_pulling *p, uint64_t unpacked, uint64_t downloaded)
{
	(void)pthread_mutex_lock(&p->lock);
	p->done.image.size += unpacked;
	p->done.downloaded += downloaded;
	(void)pthread_mutex_unlock(&p->lock);
}

static bool
has_layer(struct bld_pulling *p, const struct oci_descriptor *d,
	  const struct stv_digest *diff_id, struct cas_layer *ret)
{
	struct stv_err *err = NULL;
	int r = cas_blob_has(p->o->store, &d->digest)
			? cas_layer_get(p->o->store, diff_id, ret, &err)
			: 0;

	stv_err_free(err);
	return r == 1;
}

static int
fetch_layer(void *arg, size_t i, struct stv_err **err)
{
	struct bld_pulling *p = arg;
	const struct oci_descriptor *d = &p->manifest->layers[i];
	struct watch_in w = {.base = {.read = watch_read}, .pull = p, .d = d};
	struct stv_digest blob;
	struct lay_result result;
	struct cas_layer have;
	uint64_t size;
	int rc;

	if (has_layer(p, d, &p->config->diff_ids[i], &have)) {
		tell(p, BLD_PULL_LAYER_HERE, d, d->size, d->size);
		add_sizes(p, have.tar_size, 0);
		return 0;
	}
	tell(p, BLD_PULL_LAYER_STARTED, d, 0, 0);
	if (reg_client_blob(p->o->client, p->ref, &d->digest, d->size, &w.under,
			    err) < 0)
		return -1;
	rc = lay_receive(p->o->store, &w.base, &p->config->diff_ids[i], &result,
			 &blob, &size, err);
	stv_in_close(w.under);
	if (rc < 0)
		return stv_wrap(err, "unpacking layer %zu of %zu", i + 1,
				p->manifest->n_layers);
	add_sizes(p, result.size, size);
	tell(p, BLD_PULL_LAYER_DONE, d, d->size, w.now - w.told);
	return 0;
}

static int
read_layers(struct bld_pulling *p, struct stv_err **err)
{
	size_t n = p->o->n_parallel != 0 ? p->o->n_parallel : DEFAULT_PARALLEL;

	if (bld_parallel(p->manifest->n_layers, n, fetch_layer, p, err) < 0)
		return -1;
	for (size_t i = 0; i < p->manifest->n_layers; i++)
		*stv_vec_push(&p->blobs) = p->manifest->layers[i].digest;
	return 0;
}

/* A blob that nothing is made of. */
static int
fetch_blob(struct bld_pulling *p, const struct oci_descriptor *d,
	   struct stv_err **err)
{
	stv_auto(cas_writer) *w = NULL;
	stv_auto(stv_in) *in = NULL;
	struct stv_digest got;

	*stv_vec_push(&p->blobs) = d->digest;
	if (cas_blob_has(p->o->store, &d->digest)) {
		tell(p, BLD_PULL_LAYER_HERE, d, d->size, d->size);
		return 0;
	}
	tell(p, BLD_PULL_LAYER_STARTED, d, 0, 0);
	if (reg_client_blob(p->o->client, p->ref, &d->digest, d->size, &in,
			    err) < 0 ||
	    cas_writer_open(p->o->store, d->size, &w, err) < 0 ||
	    stv_copy(in, cas_writer_sink(w), NULL, err) < 0 ||
	    cas_writer_commit(w, &d->digest, &got, err) < 0)
		return -1;
	p->done.downloaded += d->size;
	tell(p, BLD_PULL_LAYER_DONE, d, d->size, d->size);
	return 0;
}

static int
pull_attachment(struct bld_pulling *p, struct stv_err **err)
{
	if (fetch_blob(p, &p->manifest->config, err) < 0)
		return -1;
	for (size_t i = 0; i < p->manifest->n_layers; i++)
		if (fetch_blob(p, &p->manifest->layers[i], err) < 0)
			return -1;
	return 0;
}

/*
 * Each image in turn.  *best is that for this machine, else the first one; 1
 * where it is for this machine.
 */
static int
pull_images(struct bld_pulling *p, struct cas_image *best, struct stv_err **err)
{
	struct stv_platform host = {0};
	bool has_best = false, has_host = false;
	int rc = 0;

	stv_platform_host(&host);
	for (size_t i = 0; rc == 0 && i < p->manifests.len; i++) {
		p->manifest = p->manifests.v[i].manifest;
		p->done.image.size = 0;
		if (p->manifests.v[i].is_attachment) {
			rc = pull_attachment(p, err);
			continue;
		}
		/* that of the one platform was read, and stays */
		if (p->o->platform == NULL) {
			oci_config_free(p->config);
			p->config = NULL;
		}
		if ((p->config == NULL && read_config(p, err) < 0) ||
		    read_layers(p, err) < 0) {
			rc = -1;
			break;
		}
		if (!has_best ||
		    (!has_host &&
		     stv_platform_match(&host, &p->config->platform))) {
			*best = p->done.image;
			has_best = true;
			has_host =
				stv_platform_match(&host, &p->config->platform);
		}
	}
	stv_platform_fini(&host);
	if (rc == 0 && !has_best)
		rc = stv_fail(err, STV_E_NOT_FOUND, "there is no image in it");
	return rc < 0 ? -1 : has_host;
}

/* Is what is wanted of ${img} here?  1 and *ret, 0, -1. */
static int
is_here(const struct bld_pull_opts *o, const struct cas_image *img,
	struct cas_image *ret, struct stv_err **err)
{
	cas_auto_parts parts = {NULL};
	int r = o->platform == NULL
			? 0
			: cas_image_for(o->store, img, o->platform, ret, err);

	if (r != 0)
		return r;
	if (cas_parts_read(o->store, &img->manifest, &parts, err) < 0)
		return -1;
	*ret = *img;
	/* what is no index is for one platform, whatever was asked for */
	return cas_parts_whole(&parts) &&
	       (o->platform == NULL || !parts.is_index);
}

/* What the tag names is what it named, and was whole. */
static int
is_known(struct bld_pulling *p, const char *tag, struct stv_err **err)
{
	struct cas_image before;
	int r = tag == NULL ? 0 : cas_tag_get(p->o->store, tag, &before, err);

	if (r != 1)
		return r;
	if (!stv_digest_equal(&before.manifest, &p->done.image.manifest))
		return 0;
	return is_here(p->o, &before, &before, err);
}

/* The image's row: its config is that for this machine, else the first one. */
static int
put_image(struct bld_pulling *p, struct cas_image row, bool is_host,
	  const char *tag, struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX];
	struct stv_strs tags = {0};
	struct cas_image before;
	int r = cas_image_find(p->o->store, stv_digest_hex(&row.manifest, hex),
			       &before, err);

	if (r < 0)
		return -1;
	if (r == 1 && !is_host &&
	    stv_digest_equal(&before.manifest, &row.manifest)) {
		row.config = before.config;
		row.size = before.size;
	}
	row.created_s = p->done.image.created_s = (int64_t)time(NULL);
	if (tag != NULL)
		stv_strs_add(&tags, tag);
	r = cas_image_put(p->o->store, &row, p->blobs.v, p->blobs.len, &tags,
			  err);
	stv_strs_clear(&tags);
	return r;
}

/* Is what the tag names in the registry now what it names here? 1, 0, -1. */
static int
is_current(const struct bld_pull_opts *o, const struct reg_ref *ref,
	   struct cas_image *ret, struct stv_err **err)
{
	stv_auto_free char *tag = reg_ref_tagged(ref);
	struct reg_manifest m = {0};
	struct cas_image img;
	int r;

	if (tag == NULL || ref->has_digest)
		return 0;
	r = cas_tag_get(o->store, tag, &img, err);
	if (r == 1)
		r = is_here(o, &img, ret, err);
	if (r != 1)
		return r;
	if (reg_client_resolve(o->client, ref, &m, err) < 0)
		return -1;
	r = m.has_digest && stv_digest_equal(&m.digest, &ret->manifest);
	reg_manifest_fini(&m);
	return r;
}

int
bld_pull_open(const struct bld_pull_opts *o, const struct reg_ref *ref,
	      struct bld_pulling **ret, struct stv_err **err)
{
	stv_auto(bld_pulling) *p = stv_xcalloc(1, sizeof(*p));
	int rc;

	p->o = o;
	p->ref = ref;
	(void)pthread_mutex_init(&p->lock, NULL);
	rc = is_current(o, ref, &p->done.image, err);
	if (rc < 0)
		return -1;
	p->is_current = rc == 1;
	if (!p->is_current) {
		p->done.image = (struct cas_image){.size = 0};
		if (bld_pull_manifests(p, err) < 0)
			return -1;
		p->manifest = p->manifests.v[0].manifest;
		if (o->platform != NULL && read_config(p, err) < 0)
			return -1;
	}
	*ret = stv_steal(&p);
	return 0;
}

const struct oci_manifest *
bld_pull_manifest(const struct bld_pulling *p)
{
	return p->manifest;
}

const struct oci_config *
bld_pull_config(const struct bld_pulling *p)
{
	return p->config;
}

const struct cas_image *
bld_pull_image(const struct bld_pulling *p)
{
	return &p->done.image;
}

/* How much all of it is. */
static void
sum_sizes(struct bld_pulling *p)
{
	for (size_t i = 0; i < p->manifests.len; i++) {
		const struct oci_manifest *m = p->manifests.v[i].manifest;

		for (size_t k = 0; k < m->n_layers; k++)
			p->total += m->layers[k].size;
		if (p->manifests.v[i].is_attachment)
			p->total += m->config.size;
	}
}

static int
pull_all(struct bld_pulling *p, struct stv_err **err)
{
	stv_auto_free char *tag = reg_ref_tagged(p->ref);
	struct cas_image best = {.size = 0};
	int is_host, r;

	sum_sizes(p);
	is_host = pull_images(p, &best, err);
	if (is_host < 0)
		return -1;
	p->done.image = best;
	r = is_known(p, tag, err);
	if (r < 0)
		return -1;
	p->done.is_new = r == 0;
	return put_image(p, best, is_host == 1, tag, err);
}

int
bld_pull_finish(struct bld_pulling *p, struct bld_pulled *ret,
		struct stv_err **err)
{
	if (!p->is_current && pull_all(p, err) < 0)
		return -1;
	*ret = p->done;
	return 0;
}

void
bld_pull_close(struct bld_pulling *p)
{
	if (p == NULL)
		return;
	(void)pthread_mutex_destroy(&p->lock);
	stv_vec_fini(&p->blobs);
	for (size_t i = 0; i < p->manifests.len; i++)
		oci_manifest_free(p->manifests.v[i].manifest);
	stv_vec_fini(&p->manifests);
	oci_config_free(p->config);
	free(p);
}

int
bld_pull(const struct bld_pull_opts *o, const struct reg_ref *ref,
	 struct bld_pulled *ret, struct stv_err **err)
{
	stv_auto(bld_pulling) *p = NULL;

	*ret = (struct bld_pulled){.downloaded = 0};
	if (bld_pull_open(o, ref, &p, err) < 0)
		return -1;
	return bld_pull_finish(p, ret, err);
}
