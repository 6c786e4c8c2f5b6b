/* builder/ship.c - the images of a build on their way to registries. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache/blob.h"
#include "cache/layer_compress.h"
#include "cache/repack.h"
#include "core/cancel.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/vec.h"

#include "registry/client.h"
#include "registry/ref.h"

#include "builder/build_internal.h"
#include "builder/cache_import.h"
#include "builder/lazy.h"
#include "builder/push.h"
#include "builder/push_ahead.h"
#include "builder/ship.h"

#define STACK_SIZE ((size_t)512 << 10)

/* One thread sends: the steps of the build have the other processors. */
struct bld_ship {
	struct bld_build *b;
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t changed;
	STV_VEC(struct stv_digest) queue; /* diff IDs */
	size_t n_taken;
	bool is_ending;
	pthread_t thread;
	bool has_thread;
	struct reg_client *client;
	uint64_t sent; /* while steps ran */
};

struct bld_ship *
bld_ship_new(struct bld_build *b)
{
	struct bld_ship *s = stv_xcalloc(1, sizeof(*s));

	s->b = b;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->changed, NULL);
	return s;
}

/* --- while steps run --- */

static void
on_sent(void *arg, const struct stv_digest *blob, bool is_ok,
	enum reg_uploaded how, uint64_t sent)
{
	struct bld_ship *s = arg;

	(void)blob;
	(void)is_ok;
	(void)how;
	(void)pthread_mutex_lock(&s->lock);
	s->sent += sent;
	(void)pthread_mutex_unlock(&s->lock);
}

/* The form and the place of the first push; others mount from it. */
static int
send_layer(struct bld_ship *s, const struct stv_digest *diff_id,
	   struct stv_err **err)
{
	const struct bld_push_to *to = &s->b->o->pushes[0];
	struct cas_store *store = s->b->o->store;
	struct bld_ahead_opts o = {.client = s->client,
				   .ref = to->ref,
				   .n_parallel = 1,
				   .on_sent = on_sent,
				   .arg = s};
	stv_auto(bld_ahead) *ahead = bld_ahead_new(&o);
	struct reg_upload u = {.fd = -1};
	enum reg_uploaded how;
	struct cas_layer l;
	stv_auto_fd fd = -1;
	uint64_t sent = 0;
	int rc;

	if (lay_compress(store, diff_id, &to->form->how, bld_ahead_watch(ahead),
			 &l, err) < 0)
		return -1;
	if (bld_ahead_has(ahead, &l.blob))
		return bld_ahead_wait(ahead, err);
	if (cas_blob_open(store, &l.blob, &fd, &u.size, err) < 0)
		return -1;
	u.fd = fd;
	u.digest = l.blob;
	rc = reg_client_put_blob(s->client, to->ref, &u, &how, &sent, err);
	on_sent(s, &u.digest, rc == 0, how, sent);
	return rc;
}

static void *
ship_main(void *arg)
{
	struct bld_ship *s = arg;

	(void)pthread_mutex_lock(&s->lock);
	for (;;) {
		struct stv_err *ignored = NULL;
		struct stv_digest d;

		while (s->n_taken == s->queue.len && !s->is_ending)
			(void)pthread_cond_wait(&s->changed, &s->lock);
		if (s->is_ending)
			break;
		d = s->queue.v[s->n_taken++];
		(void)pthread_mutex_unlock(&s->lock);
		(void)send_layer(s, &d, &ignored);
		stv_err_free(ignored);
		(void)pthread_mutex_lock(&s->lock);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Is the stage the target of a push, or does such a one stand upon it? */
static bool
is_shipped(const struct bld_stage *st)
{
	const struct bld_build *b = st->b;

	for (size_t i = 0; i < b->o->n_pushes; i++) {
		size_t at = b->targets.v[b->o->pushes[i].target];

		while (at != st->index &&
		       b->stages.v[at]->base.kind == BLD_BASE_STAGE)
			at = b->stages.v[at]->base.stage;
		if (at == st->index)
			return true;
	}
	return false;
}

/* The thread, once there is something for it; without it all goes later. */
static void
start(struct bld_ship *s)
{
	struct stv_err *ignored = NULL;
	pthread_attr_t attr;

	if (s->client != NULL)
		return;
	if (bld_registry(s->b, &ignored) < 0) {
		stv_err_free(ignored);
		return;
	}
	s->client = s->b->client;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	s->has_thread = pthread_create(&s->thread, &attr, ship_main, s) == 0;
	(void)pthread_attr_destroy(&attr);
}

void
bld_ship_layer(struct bld_stage *st, const struct stv_digest *diff_id)
{
	struct bld_ship *s = st->b->ship;
	struct stv_err *ignored = NULL;
	struct cas_layer l;
	int r;

	if (s == NULL || !is_shipped(st))
		return;
	/* What is elsewhere, or came compressed, is mounted if it can be. */
	r = cas_layer_get(st->b->o->store, diff_id, &l, &ignored);
	stv_err_free(ignored);
	if (r != 1 || !stv_digest_equal(&l.blob, diff_id))
		return;
	start(s);
	(void)pthread_mutex_lock(&s->lock);
	*stv_vec_push(&s->queue) = *diff_id;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

void
bld_ship_stop(struct bld_ship *s)
{
	if (s == NULL || !s->has_thread)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->is_ending = true;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
	s->has_thread = false;
}

void
bld_ship_free(struct bld_ship *s)
{
	if (s == NULL)
		return;
	bld_ship_stop(s);
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_mutex_destroy(&s->lock);
	stv_vec_fini(&s->queue);
	free(s);
}

/* --- at the end --- */

/* One push, for its callbacks. */
struct shipping {
	struct bld_build *b;
	const struct bld_push_to *to;
	size_t i;		   /* its number */
	struct oci_manifest *base; /* of the target, or NULL */
	struct reg_ref base_ref;
};

static bool
has_blob(const struct oci_manifest *m, const struct stv_digest *blob)
{
	for (size_t i = 0; i < m->n_layers; i++)
		if (stv_digest_equal(&m->layers[i].digest, blob))
			return true;
	return false;
}

/* Who at the same registry has the blob?  The lock is not held. */
static const char *
mount_from(void *arg, const struct stv_digest *blob)
{
	struct shipping *s = arg;
	const struct reg_ref *ref = s->to->ref;
	const char *path = NULL;

	if (s->base != NULL && strcmp(s->base_ref.domain, ref->domain) == 0 &&
	    has_blob(s->base, blob))
		path = s->base_ref.path;
	if (path == NULL)
		path = bld_import_path(s->b->import, blob, ref->domain);
	for (size_t i = 0; path == NULL && i < s->i; i++)
		if (strcmp(s->b->o->pushes[i].ref->domain, ref->domain) == 0)
			path = s->b->o->pushes[i].ref->path;
	return path != NULL && strcmp(path, ref->path) == 0 ? NULL : path;
}

static int
bring(void *arg, const struct stv_digest *blob, struct stv_err **err)
{
	struct shipping *s = arg;

	return bld_lazy_bring(s->b, blob, err);
}

/* The image upon which the target stands, if there is one. */
static int
find_base(struct shipping *s, struct stv_err **err)
{
	struct bld_build *b = s->b;
	const struct bld_stage *st = b->stages.v[b->targets.v[s->to->target]];
	int r = bld_base_manifest(b, st, &s->base, err);

	if (r <= 0)
		return r;
	while (st->base.kind == BLD_BASE_STAGE)
		st = b->stages.v[st->base.stage];
	return reg_ref_parse(st->base.reference, &s->base_ref, err);
}

static int
ship_image(struct shipping *s, struct bld_result *r, struct stv_err **err)
{
	struct bld_build *b = s->b;
	const struct bld_push_to *to = s->to;
	stv_auto_free char *name = reg_ref_familiar(to->ref);
	struct bld_push_opts o = {.store = b->o->store,
				  .client = b->client,
				  .form = to->form,
				  .is_by_digest = to->is_by_digest,
				  .from = mount_from,
				  .bring = b->lazy != NULL ? bring : NULL,
				  .arg = s};
	char text[STV_DIGEST_STR_MAX];
	struct bld_pushed pushed;
	unsigned long long sent;
	int rc;

	bld_unlock(b);
	rc = bld_push(&o, &r->image, to->ref, &pushed, err);
	bld_lock(b);
	if (rc < 0)
		return stv_wrap(err, "pushing %s", name);
	oci_descriptor_fini(&r->pushed);
	r->pushed = (struct oci_descriptor){
		.media_type =
			stv_xstrdup(pushed.has_docker_types ? DOCKER_MT_MANIFEST
							    : OCI_MT_MANIFEST),
		.digest = pushed.manifest,
		.size = pushed.manifest_size,
	};
	sent = pushed.sent + b->ship->sent;
	stv_emitf(b->o->listener, STV_EV_NOTE, "pushed %s, %s, %llu bytes sent",
		  name, stv_digest_str(&pushed.manifest, text), sent);
	b->ship->sent = 0;
	return 0;
}

int
bld_ship_images(struct bld_build *b, struct bld_result *results,
		struct stv_err **err)
{
	int rc = 0;

	if (b->ship == NULL)
		return 0;
	if (bld_registry(b, err) < 0)
		return -1;
	stv_cancel_catch(true);
	/* What is queued still goes with the rest, several at a time. */
	bld_unlock(b);
	bld_ship_stop(b->ship);
	bld_lock(b);
	for (size_t i = 0; rc == 0 && i < b->o->n_pushes; i++) {
		struct shipping s = {.b = b, .to = &b->o->pushes[i], .i = i};

		rc = find_base(&s, err);
		if (rc == 0)
			rc = ship_image(&s, &results[s.to->target], err);
		oci_manifest_free(s.base);
		reg_ref_fini(&s.base_ref);
	}
	return stv_cancel_end(rc, err);
}
