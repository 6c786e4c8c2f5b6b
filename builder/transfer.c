/* builder/transfer.c - an image from one registry to another. */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/stream.h"

#include "registry/ref.h"

#include "builder/parallel.h"
#include "builder/transfer_internal.h"

/* One blob, and where it comes from. */
struct source {
	struct bld_transfer *t;
	const struct bld_piece *blob;
};

static struct stv_in *
open_blob(void *arg, struct stv_err **err)
{
	struct source *s = arg;
	struct stv_in *in = NULL;

	if (reg_client_blob(s->t->o->client, s->t->src, &s->blob->digest,
			    s->blob->size, &in, err) < 0)
		return NULL;
	return in;
}

/* A repository of the same host, which has it. */
static const char *
mount_from(const struct bld_transfer *t)
{
	return strcmp(t->src->domain, t->dst->domain) == 0 &&
			       strcmp(t->src->path, t->dst->path) != 0
		       ? t->src->path
		       : NULL;
}

static int
send_blob(void *arg, size_t i, struct stv_err **err)
{
	struct bld_transfer *t = arg;
	struct source s = {.t = t, .blob = &t->blobs.v[i]};
	struct reg_upload u = {.fd = -1,
			       .stream = open_blob,
			       .arg = &s,
			       .size = s.blob->size,
			       .digest = s.blob->digest,
			       .from = mount_from(t)};
	enum reg_uploaded how;
	uint64_t sent = 0;
	int rc;

	rc = reg_client_put_blob(t->o->client, t->dst, &u, &how, &sent, err);
	(void)pthread_mutex_lock(&t->lock);
	t->ret->sent += sent;
	if (rc == 0 && t->o->on_blob != NULL)
		t->o->on_blob(t->o->arg, &u.digest, how);
	(void)pthread_mutex_unlock(&t->lock);
	return rc;
}

static int
put_node(struct bld_transfer *t, const struct bld_node *n, const char *which,
	 struct stv_err **err)
{
	if (reg_client_put_manifest(t->o->client, t->dst, which, n->media_type,
				    n->text, n->len, err) < 0)
		return -1;
	(void)pthread_mutex_lock(&t->lock);
	t->ret->n_manifests++;
	(void)pthread_mutex_unlock(&t->lock);
	return 0;
}

static int
put_child(void *arg, size_t i, struct stv_err **err)
{
	struct bld_transfer *t = arg;
	const struct bld_node *n = &t->nodes.v[t->begin + i];
	char which[STV_DIGEST_STR_MAX];

	if (n->text == NULL)
		return 0;
	return put_node(t, n, stv_digest_str(&n->digest, which), err);
}

/* The deepest level first: a registry wants to have what an index names. */
static int
put_children(struct bld_transfer *t, struct stv_err **err)
{
	for (size_t end = t->nodes.len; end > 1; end = t->begin) {
		t->begin = end - 1;
		while (t->nodes.v[t->begin - 1].depth ==
		       t->nodes.v[end - 1].depth)
			t->begin--;
		if (bld_parallel(end - t->begin, bld_transfer_parallel(t),
				 put_child, t, err) < 0)
			return -1;
	}
	return 0;
}

static int
check_digest(const struct bld_transfer *t, const struct bld_node *root,
	     struct stv_err **err)
{
	char got[STV_DIGEST_STR_MAX];

	if (!t->dst->has_digest ||
	    stv_digest_equal(&t->dst->digest, &root->digest))
		return 0;
	return stv_fail(err, STV_E_USAGE,
			"the destination names another digest than that of the "
			"source, %s",
			stv_digest_str(&root->digest, got));
}

/* The name at the destination: its tag, else its digest. */
static const char *
name_of(const struct reg_ref *dst, char buf[STV_DIGEST_STR_MAX])
{
	return dst->tag != NULL ? dst->tag : stv_digest_str(&dst->digest, buf);
}

static int
transfer(struct bld_transfer *t, struct stv_err **err)
{
	char which[STV_DIGEST_STR_MAX];
	const struct bld_node *root;

	if (bld_transfer_walk(t, err) < 0)
		return -1;
	root = &t->nodes.v[0];
	t->ret->digest = root->digest;
	if (check_digest(t, root, err) < 0 ||
	    bld_parallel(t->blobs.len, bld_transfer_parallel(t), send_blob, t,
			 err) < 0 ||
	    put_children(t, err) < 0)
		return -1;
	return put_node(t, root, name_of(t->dst, which), err);
}

/* Does the destination name it already?  Two requests, then. */
static int
is_there(const struct bld_transfer_opts *o, const struct reg_ref *src,
	 const struct reg_ref *dst, struct bld_transferred *ret,
	 struct stv_err **err)
{
	struct reg_manifest m = {0};
	char which[STV_DIGEST_STR_MAX];
	int r = 0;

	if (o->platform != NULL)
		return 0;
	if (reg_client_resolve(o->client, src, &m, err) < 0)
		return -1;
	if (m.has_digest &&
	    (!dst->has_digest || stv_digest_equal(&dst->digest, &m.digest)))
		r = reg_client_has_manifest(o->client, dst, name_of(dst, which),
					    &m.digest, err);
	ret->digest = m.digest;
	reg_manifest_fini(&m);
	return r;
}

int
bld_transfer(const struct bld_transfer_opts *o, const struct reg_ref *src,
	     const struct reg_ref *dst, struct bld_transferred *ret,
	     struct stv_err **err)
{
	struct bld_transfer t = {.o = o, .src = src, .dst = dst, .ret = ret};
	int rc;

	*ret = (struct bld_transferred){.sent = 0};
	rc = is_there(o, src, dst, ret, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	(void)pthread_mutex_init(&t.lock, NULL);
	rc = transfer(&t, err);
	(void)pthread_mutex_destroy(&t.lock);
	for (size_t i = 0; i < t.nodes.len; i++) {
		free(t.nodes.v[i].text);
		free(t.nodes.v[i].media_type);
	}
	stv_vec_fini(&t.nodes);
	stv_vec_fini(&t.blobs);
	return rc;
}
