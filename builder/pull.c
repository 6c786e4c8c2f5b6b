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
#define DRAIN_SIZE ((size_t)64 << 10)

static int
keep(struct bld_pulling *p, const void *text, size_t n, struct stv_err **err)
{
	return cas_blob_put(p->o->store, text, n, stv_vec_push(&p->blobs), err);
}

/*
 * An image without an index, and one that its index says nothing of, is of the
 * platform that its config says (THREATS C13).
 */
static int
check_platform(struct bld_pulling *p, struct stv_err **err)
{
	const struct stv_platform *have = &p->config->platform;
	stv_auto_free char *want_str = NULL, *have_str = NULL;

	/* Old images and artifacts say nothing. */
	if (p->o->platform == NULL || have->os == NULL || have->arch == NULL ||
	    stv_platform_match(p->o->platform, have))
		return 0;
	p->done.is_other = true;
	if (!p->o->must_match)
		return 0;
	want_str = stv_platform_str(p->o->platform);
	have_str = stv_platform_str(have);
	return stv_fail(err, STV_E_NOT_FOUND,
			"the image has nothing for %s, but for: %s", want_str,
			have_str);
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
		if (text.len != d->size)
			return stv_fail(err, STV_E_DIGEST,
					"the config has %zu bytes, its "
					"descriptor says %llu",
					text.len, (unsigned long long)d->size);
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
	return check_platform(p, err);
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

/*
 * Are these very bytes here, and known to unpack to that diff ID?  That both
 * are here does not say that they belong together (THREATS C10).
 */
static bool
has_layer(struct bld_pulling *p, const struct oci_descriptor *d,
	  const struct stv_digest *diff_id, struct cas_layer *ret)
{
	struct stv_err *err = NULL;
	int r = cas_layer_get_blob(p->o->store, diff_id, &d->digest, ret, &err);

	if (r == 1 && ret->blob_size != d->size)
		r = 0;

	stv_err_free(err);
	return r == 1;
}

/*
 * What cannot be unpacked may not be what was asked for: then that is the
 * reason, and it is known at the blob's end only.
 */
static void
blame_blob(struct stv_in *in, struct stv_err **err)
{
	stv_auto_free char *part = NULL;
	struct stv_err *why = NULL;
	int64_t n;

	if (stv_err_code(*err) != STV_E_INPUT)
		return;
	part = stv_xmalloc(DRAIN_SIZE);
	do
		n = in->read(in, part, DRAIN_SIZE, &why);
	while (n > 0);
	if (n < 0 && stv_err_code(why) == STV_E_DIGEST) {
		stv_err_clear(err);
		*err = stv_steal(&why);
	}
	stv_err_free(why);
}

/*
 * A layer from its first byte into the store.  With ${is_checked} the stream
 * itself knows its digest, so that it can be blamed; else the store hashes it.
 */
static int
receive_layer(struct bld_pulling *p, size_t i, struct watch_in *w,
	      bool is_checked, struct lay_received *ret, struct stv_err **err)
{
	const struct oci_descriptor *d = w->d;
	const struct lay_wanted want = {.blob = &d->digest,
					.diff_id = &p->config->diff_ids[i],
					.is_ahead = true,
					.is_mounted = p->o->is_mounted};
	int rc = (is_checked ? reg_client_blob : reg_client_blob_unhashed)(
		p->o->client, p->ref, &d->digest, d->size, &w->under, err);

	if (rc < 0)
		return -1;
	rc = lay_receive(p->o->store, &w->base, &want, ret, err);
	if (rc < 0 && is_checked)
		blame_blob(w->under, err);
	if (rc < 0)
		stv_wrap(err, "unpacking layer %zu of %zu, which came from %s",
			 i + 1, p->manifest->n_layers,
			 reg_client_blob_host(w->under));
	stv_in_close(w->under);
	w->under = NULL;
	return rc;
}

/* Bytes that may be others than those that were asked for. */
static bool
is_doubtful(const struct stv_err *e)
{
	return stv_err_code(e) == STV_E_DIGEST ||
	       stv_err_code(e) == STV_E_INPUT;
}

static int
fetch_layer(void *arg, size_t i, struct stv_err **err)
{
	struct bld_pulling *p = arg;
	const struct oci_descriptor *d = &p->manifest->layers[i];
	struct watch_in w = {.base = {.read = watch_read}, .pull = p, .d = d};
	struct lay_received got;
	struct cas_layer have;
	int rc;

	if (has_layer(p, d, &p->config->diff_ids[i], &have)) {
		tell(p, BLD_PULL_LAYER_HERE, d, d->size, d->size);
		add_sizes(p, have.tar_size, 0);
		return 0;
	}
	tell(p, BLD_PULL_LAYER_STARTED, d, 0, 0);
	rc = receive_layer(p, i, &w, false, &got, err);
	/* The pieces of one that broke off may not belong together (THREATS
	 * C16): once more, from the beginning. */
	if (rc < 0 && is_doubtful(*err)) {
		stv_err_clear(err);
		tell(p, BLD_PULL_LAYER_MOVED, d, 0, 0 - w.told);
		w.now = w.told = 0;
		rc = receive_layer(p, i, &w, true, &got, err);
	}
	if (rc < 0)
		return -1;
	add_sizes(p, got.layer.size, got.blob_size);
	p->files[i] = got.files;
	tell(p, BLD_PULL_LAYER_DONE, d, d->size, w.now - w.told);
	return 0;
}

/*
 * A layer becomes a directory when all below it are here.  Where that fails,
 * the step that mounts it tries once more and says why.
 */
static int
place_layer(void *arg, size_t i, struct stv_err **err)
{
	struct bld_pulling *p = arg;
	struct stv_err *ignored = NULL;

	(void)err;
	if (p->files[i] == NULL)
		return 0;
	if (lay_snapshot_arrived(p->o->store, p->config->diff_ids, i + 1,
				 p->files[i], &ignored) < 0)
		stv_err_free(ignored);
	lay_arrival_free(stv_steal(&p->files[i]));
	return 0;
}

static int
read_layers(struct bld_pulling *p, struct stv_err **err)
{
	size_t n = p->o->n_parallel != 0 ? p->o->n_parallel : DEFAULT_PARALLEL;
	int rc;

	p->files = stv_xcalloc(p->manifest->n_layers + 1, sizeof(p->files[0]));
	rc = bld_parallel(p->manifest->n_layers, n, fetch_layer, p, err);
	if (rc == 0)
		rc = bld_parallel(p->manifest->n_layers, n, place_layer, p,
				  err);
	for (size_t i = 0; i < p->manifest->n_layers; i++)
		lay_arrival_free(p->files[i]);
	free(p->files);
	p->files = NULL;
	if (rc < 0)
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

/* Is the image of the store for the platform that is wanted? 1, 0, -1. */
static int
is_for(const struct bld_pull_opts *o, const struct cas_image *image,
       struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(oci_config) *c = NULL;

	if (cas_blob_read(o->store, &image->config, STV_MAX_CONFIG, &text,
			  err) < 0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, &c, err) < 0)
		return -1;
	return stv_platform_match(o->platform, &c->platform);
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
	/* What is for another platform is looked at again (THREATS C13). */
	return r == 1 && o->platform != NULL ? is_for(o, ret, err) : r;
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
