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
#include "registry/client.h"
#include "registry/ref.h"

#include "builder/parallel.h"
#include "builder/platform.h"
#include "builder/pull.h"

#define DEFAULT_PARALLEL 4
#define DRAIN_SIZE ((size_t)64 << 10)

struct bld_pulling {
	const struct bld_pull_opts *o;
	const struct reg_ref *ref;
	struct bld_pulled done;
	bool is_current;		  /* all of it was here */
	STV_VEC(struct stv_digest) blobs; /* what the image keeps alive */
	struct oci_manifest *manifest;
	struct oci_config *config;
	struct lay_arrival **files; /* of each layer, until it is a snapshot */

	pthread_mutex_t lock; /* over ->done, the listener and what follows */
	uint64_t now;	      /* bytes of layers that are here */
	uint64_t total;
};

static int
keep(struct bld_pulling *p, const void *text, size_t n, struct stv_err **err)
{
	return cas_blob_put(p->o->store, text, n, stv_vec_push(&p->blobs), err);
}

/* What an index and the registry call a manifest must agree (THREATS C09). */
static int
check_announced(const struct reg_manifest *m, const char *promised,
		struct stv_err **err)
{
	if (promised == NULL || m->media_type == NULL ||
	    strcmp(promised, m->media_type) == 0)
		return 0;
	return stv_fail(err, STV_E_PROTOCOL,
			"a manifest comes as '%.100s', its index says '%.100s'",
			m->media_type, promised);
}

/*
 * The manifest for the platform, through at most as many indexes as THREATS
 * C12 allows.  All that is read is kept.
 */
static int
read_manifests(struct bld_pulling *p, struct stv_err **err)
{
	struct reg_manifest m = {0};
	const struct stv_digest *want = NULL;
	struct stv_digest child;
	uint64_t size = 0;
	stv_auto_free char *promised = NULL;
	int rc;

	for (int depth = 0;; depth++) {
		stv_auto(oci_index) *x = NULL;
		const struct oci_descriptor *d;

		rc = reg_client_manifest(p->o->client, p->ref, want, &m, err);
		if (rc == 0 && want != NULL && m.len != size)
			rc = stv_fail(err, STV_E_DIGEST,
				      "a manifest has %zu bytes, its "
				      "descriptor says %llu",
				      m.len, (unsigned long long)size);
		if (rc == 0)
			rc = keep(p, m.text, m.len, err);
		if (rc < 0)
			break;
		if (depth == 0)
			p->done.image.manifest = m.digest;
		p->done.downloaded += m.len;
		if (check_announced(&m, promised, err) < 0) {
			rc = -1;
			break;
		}
		if (promised == NULL)
			promised = stv_steal(&m.media_type);
		if (oci_is_index(m.text, m.len) != 1) {
			rc = oci_manifest_parse(m.text, m.len, promised,
						&p->manifest, err);
			break;
		}
		if (depth >= STV_MAX_INDEX_DEPTH) {
			rc = stv_fail(err, STV_E_LIMIT,
				      "indexes are nested more than %d deep",
				      STV_MAX_INDEX_DEPTH);
			break;
		}
		rc = oci_index_parse(m.text, m.len, promised, &x, err);
		d = rc < 0 ? NULL : bld_platform_choose(x, p->o->platform, err);
		if (d == NULL) {
			rc = -1;
			break;
		}
		child = d->digest;
		size = d->size;
		want = &child;
		free(promised);
		promised = stv_xstrdup(d->media_type);
		reg_manifest_fini(&m);
	}
	reg_manifest_fini(&m);
	return rc;
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
	if (have->os == NULL || have->arch == NULL ||
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

	for (size_t i = 0; i < p->manifest->n_layers; i++)
		p->total += p->manifest->layers[i].size;
	p->files = stv_xcalloc(p->manifest->n_layers + 1, sizeof(p->files[0]));
	if (bld_parallel(p->manifest->n_layers, n, fetch_layer, p, err) < 0 ||
	    bld_parallel(p->manifest->n_layers, n, place_layer, p, err) < 0)
		return -1;
	for (size_t i = 0; i < p->manifest->n_layers; i++)
		*stv_vec_push(&p->blobs) = p->manifest->layers[i].digest;
	return 0;
}

/* The image under its tag, which names it when all of it is here. */
static int
put_image(struct bld_pulling *p, struct stv_err **err)
{
	stv_auto_free char *tag = reg_ref_tagged(p->ref);
	struct stv_strs tags = {0};
	struct cas_image before;
	int rc, had = 0;

	if (tag != NULL) {
		had = cas_tag_get(p->o->store, tag, &before, err);
		stv_strs_add(&tags, tag);
	}
	p->done.image.created_s = (int64_t)time(NULL);
	p->done.is_new = had != 1 || !stv_digest_equal(&before.manifest,
						       &p->done.image.manifest);
	rc = had < 0 ? -1
		     : cas_image_put(p->o->store, &p->done.image, p->blobs.v,
				     p->blobs.len, &tags, err);
	stv_strs_clear(&tags);
	return rc;
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
	int r;

	if (tag == NULL || ref->has_digest)
		return 0;
	r = cas_tag_get(o->store, tag, ret, err);
	if (r != 1)
		return r;
	if (reg_client_resolve(o->client, ref, &m, err) < 0)
		return -1;
	r = m.has_digest && stv_digest_equal(&m.digest, &ret->manifest);
	reg_manifest_fini(&m);
	/* An index has images for other platforms too (THREATS C13). */
	return r == 1 ? is_for(o, ret, err) : 0;
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
		if (read_manifests(p, err) < 0 || read_config(p, err) < 0)
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

int
bld_pull_finish(struct bld_pulling *p, struct bld_pulled *ret,
		struct stv_err **err)
{
	if (!p->is_current &&
	    (read_layers(p, err) < 0 || put_image(p, err) < 0))
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
	for (size_t i = 0; p->files != NULL && i < p->manifest->n_layers; i++)
		lay_arrival_free(p->files[i]);
	free(p->files);
	stv_vec_fini(&p->blobs);
	oci_manifest_free(p->manifest);
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
