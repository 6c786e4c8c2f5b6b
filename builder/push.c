/* builder/push.c - an image to a registry. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"

#include "cache/blob.h"
#include "cache/meta.h"
#include "cache/platforms.h"
#include "cache/repack.h"
#include "registry/ref.h"

#include "builder/base.h"
#include "builder/parallel.h"
#include "builder/push.h"
#include "builder/push_ahead.h"

#define DEFAULT_PARALLEL 4

struct push {
	const struct bld_push_opts *o;
	const struct reg_ref *ref;
	struct bld_pushed *ret;
	struct oci_manifest *manifest;
	struct bld_ahead *ahead; /* layers that are on their way, or NULL */
	pthread_mutex_t lock;	 /* over ->ret and the listener */
};

/* One blob, for who watches it. */
struct watched {
	struct push *push;
	const struct oci_descriptor *d;
};

static int
open_blob(void *arg, int *ret_fd, struct stv_err **err)
{
	struct watched *w = arg;
	const struct bld_push_opts *o = w->push->o;

	if (o->bring != NULL && !cas_blob_has(o->store, &w->d->digest) &&
	    o->bring(o->arg, &w->d->digest, err) < 0)
		return -1;
	return cas_blob_open(o->store, &w->d->digest, ret_fd, NULL, err);
}

static void
tell_progress(void *arg, const struct stv_digest *blob, uint64_t now,
	      uint64_t total)
{
	struct push *p = arg;

	if (p->o->on_progress == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->o->on_progress(p->o->arg, blob, now, total);
	(void)pthread_mutex_unlock(&p->lock);
}

/* A blob is at its end. */
static void
tell_sent(void *arg, const struct stv_digest *blob, bool is_ok,
	  enum reg_uploaded how, uint64_t sent)
{
	struct push *p = arg;

	(void)pthread_mutex_lock(&p->lock);
	p->ret->sent += sent;
	if (is_ok && p->o->on_blob != NULL)
		p->o->on_blob(p->o->arg, blob, how);
	(void)pthread_mutex_unlock(&p->lock);
}

static void
on_progress(void *arg, uint64_t now, uint64_t total)
{
	struct watched *w = arg;

	tell_progress(w->push, &w->d->digest, now, total);
}

static int
push_blob(void *arg, size_t i, struct stv_err **err)
{
	struct push *p = arg;
	struct watched w = {.push = p,
			    .d = i < p->manifest->n_layers
					 ? &p->manifest->layers[i]
					 : &p->manifest->config};
	struct reg_upload u = {.fd = -1,
			       .open = open_blob,
			       .size = w.d->size,
			       .digest = w.d->digest,
			       .on_progress = on_progress,
			       .arg = &w};
	enum reg_uploaded how;
	uint64_t sent = 0;
	int rc;

	if (p->ahead != NULL && bld_ahead_has(p->ahead, &u.digest))
		return 0;
	if (p->o->from != NULL)
		u.from = p->o->from(p->o->arg, &u.digest);
	rc = reg_client_put_blob(p->o->client, p->ref, &u, &how, &sent, err);
	tell_sent(p, &u.digest, rc == 0, how, sent);
	return rc;
}

static bool
is_plain(const struct oci_descriptor *layer)
{
	return strcmp(layer->media_type, OCI_MT_LAYER) == 0 ||
	       strcmp(layer->media_type, DOCKER_MT_LAYER) == 0;
}

/* Is there a layer that would go out uncompressed? */
static bool
wants_repack(const struct push *p)
{
	if (p->o->how.codec == STV_CODEC_NONE)
		return false;
	for (size_t i = 0; i < p->manifest->n_layers; i++)
		if (is_plain(&p->manifest->layers[i]))
			return true;
	return false;
}

static unsigned
n_parallel(const struct push *p)
{
	return p->o->n_parallel != 0 ? p->o->n_parallel : DEFAULT_PARALLEL;
}

/* In the place of the image's own manifest, one without plain layers; large
 * ones are on their way then. */
static int
repack(struct push *p, struct stv_err **err)
{
	struct bld_ahead_opts ahead = {.client = p->o->client,
				       .ref = p->ref,
				       .n_parallel = n_parallel(p),
				       .on_sent = tell_sent,
				       .on_progress = tell_progress,
				       .arg = p};
	struct cas_repack_opts o = {
		.how = p->o->how,
		.has_docker_types = strcmp(p->manifest->media_type,
					   DOCKER_MT_MANIFEST) == 0,
	};
	struct oci_descriptor d = {.size = 0};

	if (p->o->form != NULL)
		o = *p->o->form;
	p->ahead = bld_ahead_new(&ahead);
	o.watch = bld_ahead_watch(p->ahead);
	if (cas_repack(p->o->store, &p->ret->manifest, &o, &d, err) < 0)
		return -1;
	p->ret->manifest = d.digest;
	oci_descriptor_fini(&d);
	return 0;
}

/* The manifest ${d} as it goes out, and its bytes. */
static int
prepare(struct push *p, const struct stv_digest *d, struct stv_buf *text,
	struct stv_err **err)
{
	p->ret->manifest = *d;
	for (int i = 0; i < 2; i++) {
		oci_manifest_free(p->manifest);
		p->manifest = NULL;
		stv_buf_truncate(text, 0);
		if (cas_blob_read(p->o->store, &p->ret->manifest,
				  STV_MAX_MANIFEST, text, err) < 0 ||
		    oci_manifest_parse(stv_buf_str(text), text->len, NULL,
				       &p->manifest, err) < 0)
			return -1;
		if (i > 0 || (p->o->form == NULL && !wants_repack(p)))
			break;
		if (repack(p, err) < 0)
			return -1;
	}
	p->ret->manifest_size = text->len;
	return 0;
}

/* The manifest, and in the registry all that it names. */
static int
push_blobs(struct push *p, const struct stv_digest *d, struct stv_buf *text,
	   struct stv_err **err)
{
	int rc = 0;

	if (prepare(p, d, text, err) < 0 ||
	    bld_parallel(p->manifest->n_layers + 1, n_parallel(p), push_blob, p,
			 err) < 0 ||
	    (p->ahead != NULL && bld_ahead_wait(p->ahead, err) < 0))
		rc = -1;
	bld_ahead_free(stv_steal(&p->ahead));
	return rc;
}

/* One manifest with its blobs; ${tag} is NULL where only an index names it. */
static int
push_manifest(struct push *p, const struct stv_digest *d, const char *tag,
	      struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	char str[STV_DIGEST_STR_MAX];

	if (push_blobs(p, d, &text, err) < 0)
		return -1;
	p->ret->has_docker_types =
		strcmp(p->manifest->media_type, DOCKER_MT_MANIFEST) == 0;
	if (tag == NULL || p->o->is_by_digest)
		tag = stv_digest_str(&p->ret->manifest, str);
	return reg_client_put_manifest(p->o->client, p->ref, tag,
				       p->manifest->media_type,
				       stv_buf_str(&text), text.len, err);
}

/* ---- an index --------------------------------------------------------- */

static int
read_index(struct push *p, const struct stv_digest *d, struct stv_buf *text,
	   struct oci_index **ret, struct stv_err **err)
{
	if (cas_blob_read(p->o->store, d, STV_MAX_MANIFEST, text, err) < 0)
		return -1;
	return oci_index_parse(stv_buf_str(text), text->len, NULL, ret, err);
}

static int
put_index(struct push *p, const char *which, const struct oci_index *x,
	  const struct stv_buf *text, struct stv_err **err)
{
	char str[STV_DIGEST_STR_MAX];

	p->ret->manifest = stv_digest_of(stv_buf_str(text), text->len);
	p->ret->manifest_size = text->len;
	if (p->o->is_by_digest)
		which = stv_digest_str(&p->ret->manifest, str);
	return reg_client_put_manifest(p->o->client, p->ref, which,
				       x->media_type, stv_buf_str(text),
				       text->len, err);
}

/* An index in the index, as it is. */
static int
push_inner(struct push *p, const struct stv_digest *d, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_index) *x = NULL;
	char str[STV_DIGEST_STR_MAX];

	if (read_index(p, d, &text, &x, err) < 0)
		return -1;
	return put_index(p, stv_digest_str(d, str), x, &text, err);
}

/* The line of a manifest that went out, for the index that is made. */
static void
add_line(struct push *p, const struct cas_part *part, struct oci_index *x)
{
	struct oci_descriptor *d = oci_index_add(x);

	oci_descriptor_copy(d, &part->manifest);
	d->digest = p->ret->manifest;
	d->size = p->ret->manifest_size;
	free(d->media_type);
	d->media_type = stv_xstrdup(p->manifest->media_type);
}

/*
 * All images of an index, and the index that names them: itself where nothing
 * of it is missing, and nothing is other than it says.
 */
static int
push_index(struct push *p, const struct stv_digest *manifest,
	   const struct cas_parts *parts, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_index) *x = NULL, *made = stv_xcalloc(1, sizeof(*made));
	bool is_same = cas_parts_whole(parts);

	if (read_index(p, manifest, &text, &x, err) < 0)
		return -1;
	for (size_t i = 0; i < parts->len; i++) {
		const struct stv_digest *d = &parts->v[i].manifest.digest;

		if (!parts->v[i].is_here)
			continue;
		if (parts->v[i].is_index) {
			if (is_same && push_inner(p, d, err) < 0)
				return -1;
			continue;
		}
		if (push_manifest(p, d, NULL, err) < 0)
			return -1;
		is_same &= stv_digest_equal(d, &p->ret->manifest);
		add_line(p, &parts->v[i], made);
	}
	if (is_same)
		return put_index(p, p->ref->tag, x, &text, err);
	made->media_type = stv_xstrdup(x->media_type);
	for (size_t i = 0; i < x->annotations.len; i++)
		stv_pairs_set(&made->annotations, x->annotations.v[i].name,
			      x->annotations.v[i].value);
	stv_buf_truncate(&text, 0);
	oci_index_write(made, &text);
	return put_index(p, p->ref->tag, made, &text, err);
}

/* The image for the platform that was asked for. */
static int
push_platform(struct push *p, const struct cas_image *image,
	      struct stv_err **err)
{
	stv_auto_free char *name = stv_platform_str(p->o->platform);
	stv_auto(oci_manifest) *m = NULL;
	struct stv_digest d;
	struct cas_image img;
	int r = cas_image_for(p->o->store, image, p->o->platform, &img, err);

	if (r == 0)
		return stv_fail(err, STV_E_NOT_FOUND,
				"the image is not here for %s", name);
	if (r < 0 || bld_image_manifest(p->o->store, &img, &d, &m, err) < 0)
		return -1;
	return push_manifest(p, &d, p->ref->tag, err);
}

static int
push_all(struct push *p, const struct cas_image *image, struct stv_err **err)
{
	stv_auto(oci_manifest) *m = NULL;
	cas_auto_parts parts = {NULL};
	struct stv_digest d;
	size_t n;

	if (p->o->platform != NULL)
		return push_platform(p, image, err);
	if (cas_parts_read(p->o->store, &image->manifest, &parts, err) < 0)
		return -1;
	n = cas_parts_count(&parts);
	if (!cas_parts_whole(&parts))
		p->ret->n_partial = n;
	if (parts.is_index && (n > 1 || cas_parts_whole(&parts)))
		return push_index(p, &image->manifest, &parts, err);
	if (bld_image_manifest(p->o->store, image, &d, &m, err) < 0)
		return -1;
	return push_manifest(p, &d, p->ref->tag, err);
}

int
bld_push(const struct bld_push_opts *o, const struct cas_image *image,
	 const struct reg_ref *ref, struct bld_pushed *ret,
	 struct stv_err **err)
{
	struct push p = {.o = o, .ref = ref, .ret = ret};
	int rc;

	*ret = (struct bld_pushed){.sent = 0};
	(void)pthread_mutex_init(&p.lock, NULL);
	rc = push_all(&p, image, err);
	(void)pthread_mutex_destroy(&p.lock);
	oci_manifest_free(p.manifest);
	return rc;
}
