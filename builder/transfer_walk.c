/*
 * builder/transfer_walk.c - what belongs to a reference (THREATS C12).
 *
 * Level by level, since that is also the order in which it is put, backwards.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/oci.h"

#include "registry/ref.h"

#include "builder/parallel.h"
#include "builder/platform.h"
#include "builder/transfer_internal.h"

/*
 * A blob that is sent on holds two connections, and a host has eight
 * (registry/engine.c): more at a time would wait for each other within one.
 */
#define MAX_PARALLEL 4

/* Take the document; its media type stays what was promised. */
static int
keep(struct bld_transfer *t, struct bld_node *n, struct reg_manifest *m,
     struct stv_err **err)
{
	bool is_over;

	if (n->depth > 0 && m->len != n->size)
		return stv_fail(err, STV_E_DIGEST,
				"a manifest has %zu bytes, its descriptor says "
				"%llu",
				m->len, (unsigned long long)n->size);
	(void)pthread_mutex_lock(&t->lock);
	t->n_text += m->len;
	is_over = t->n_text > STV_MAX_INDEX_TEXT;
	(void)pthread_mutex_unlock(&t->lock);
	if (is_over)
		return stv_fail(err, STV_E_LIMIT,
				"the manifests of one index are larger than "
				"%zu bytes together",
				STV_MAX_INDEX_TEXT);
	n->text = stv_steal(&m->text);
	n->len = m->len;
	n->digest = m->digest;
	if (n->media_type == NULL)
		n->media_type = stv_steal(&m->media_type);
	return 0;
}

/* A node below the root: is it there, else what is it? */
static int
read_node(void *arg, size_t i, struct stv_err **err)
{
	struct bld_transfer *t = arg;
	struct bld_node *n = &t->nodes.v[t->begin + i];
	char which[STV_DIGEST_STR_MAX];
	struct reg_manifest m = {0};
	int r;

	r = reg_client_has_manifest(t->o->client, t->dst,
				    stv_digest_str(&n->digest, which),
				    &n->digest, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	r = reg_client_manifest(t->o->client, t->src, &n->digest, &m, err);
	if (r == 0) {
		r = keep(t, n, &m, err);
	} else if (stv_err_code(*err) == STV_E_NOT_FOUND &&
		   !oci_is_manifest_type(n->media_type)) {
		stv_err_clear(err);
		n->is_blob = true;
		r = 0;
	}
	reg_manifest_fini(&m);
	return r;
}

static bool
is_visited(const struct bld_transfer *t, const struct stv_digest *d)
{
	for (size_t i = 0; i < t->nodes.len; i++)
		if (stv_digest_equal(&t->nodes.v[i].digest, d))
			return true;
	return false;
}

static int
add_children(struct bld_transfer *t, int depth, struct oci_parts *parts,
	     struct stv_err **err)
{
	if (depth >= STV_MAX_INDEX_DEPTH)
		return stv_fail(err, STV_E_LIMIT,
				"indexes are nested more than %d deep",
				STV_MAX_INDEX_DEPTH);
	t->n_entries += parts->n;
	if (t->n_entries > STV_MAX_INDEX_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"the indexes have more than %d entries "
				"together",
				STV_MAX_INDEX_ENTRIES);
	for (size_t i = 0; i < parts->n; i++) {
		struct oci_descriptor *d = &parts->v[i].d;
		struct bld_node *n;

		if (is_visited(t, &d->digest))
			continue;
		n = stv_vec_push(&t->nodes);
		n->digest = d->digest;
		n->size = d->size;
		n->depth = depth + 1;
		n->media_type = stv_steal(&d->media_type);
	}
	return 0;
}

static void
add_blobs(struct bld_transfer *t, const struct oci_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		if (parts->v[i].is_foreign)
			t->ret->n_foreign++;
		else
			*stv_vec_push(&t->blobs) = (struct bld_piece){
				parts->v[i].d.digest, parts->v[i].d.size};
	}
}

/* What a document names. */
static int
expand(struct bld_transfer *t, size_t i, struct stv_err **err)
{
	struct bld_node *n = &t->nodes.v[i];
	char text[STV_DIGEST_STR_MAX];
	oci_auto_parts parts = {0};
	bool is_known =
		n->media_type == NULL || oci_is_manifest_type(n->media_type);

	if (n->is_blob)
		*stv_vec_push(&t->blobs) =
			(struct bld_piece){n->digest, n->size};
	if (n->text == NULL)
		return 0;
	if (oci_parts_parse(n->text, n->len, n->media_type, &parts, err) < 0) {
		if (is_known)
			return stv_wrap(err, "reading manifest %s",
					stv_digest_str(&n->digest, text));
		/* Of a kind that nobody here can know: it goes as it is. */
		stv_err_clear(err);
		return 0;
	}
	if (n->media_type == NULL)
		n->media_type = stv_steal(&parts.media_type);
	if (parts.is_index)
		return add_children(t, n->depth, &parts, err);
	add_blobs(t, &parts);
	return 0;
}

static int
by_digest(const void *a, const void *b)
{
	return stv_digest_cmp(&((const struct bld_piece *)a)->digest,
			      &((const struct bld_piece *)b)->digest);
}

/* The last one to be begun shall not be the one that takes longest. */
static int
by_size(const void *a, const void *b)
{
	uint64_t x = ((const struct bld_piece *)a)->size;
	uint64_t y = ((const struct bld_piece *)b)->size;

	return x < y ? 1 : x > y ? -1 : by_digest(a, b);
}

static int
unite_blobs(struct bld_transfer *t, struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];
	size_t n = 0;

	if (t->blobs.len == 0)
		return 0;
	qsort(t->blobs.v, t->blobs.len, sizeof(t->blobs.v[0]), by_digest);
	for (size_t i = 1; i < t->blobs.len; i++) {
		struct bld_piece *last = &t->blobs.v[n];

		if (by_digest(last, &t->blobs.v[i]) != 0)
			t->blobs.v[++n] = t->blobs.v[i];
		else if (last->size != t->blobs.v[i].size)
			return stv_fail(err, STV_E_DIGEST,
					"blob %s is said to have %llu and %llu "
					"bytes",
					stv_digest_str(&last->digest, text),
					(unsigned long long)last->size,
					(unsigned long long)t->blobs.v[i].size);
	}
	t->blobs.len = n + 1;
	qsort(t->blobs.v, t->blobs.len, sizeof(t->blobs.v[0]), by_size);
	return 0;
}

/* An image that no index has told the platform of: its config does. */
static int
check_platform(struct bld_transfer *t, const struct bld_node *n,
	       struct stv_err **err)
{
	stv_auto_free char *want = stv_platform_str(t->o->platform);
	stv_auto_free char *have = NULL;
	struct stv_platform p = {.os = NULL};
	stv_auto(oci_manifest) *m = NULL;
	bool is_it;
	int r;

	if (oci_manifest_parse(n->text, n->len, n->media_type, &m, err) < 0)
		return -1;
	r = bld_platform_fetch(t->o->client, t->src, m, &p, err);
	if (r == 0)
		return stv_fail(err, STV_E_NOT_FOUND,
				"this is an artifact, which is for no "
				"platform");
	if (r < 0)
		return -1;
	is_it = stv_platform_match(t->o->platform, &p);
	have = stv_platform_str(&p);
	stv_platform_fini(&p);
	if (is_it)
		return 0;
	return stv_fail(err, STV_E_NOT_FOUND,
			"the image has nothing for %s, but for: %s", want,
			have);
}

/* The document that the platform is to be looked for in, or its manifest. */
static int
read_root(struct bld_transfer *t, const struct oci_descriptor *d, int depth,
	  struct stv_err **err)
{
	struct bld_node *n = stv_vec_push(&t->nodes);
	struct reg_manifest m = {0};
	int rc = reg_client_manifest(t->o->client, t->src,
				     d != NULL ? &d->digest : NULL, &m, err);

	n->depth = depth;
	if (d != NULL) {
		n->size = d->size;
		n->media_type = stv_xstrdup(d->media_type);
	}
	if (rc == 0)
		rc = keep(t, n, &m, err);
	reg_manifest_fini(&m);
	return rc;
}

/* In the place of an index, the image for the platform. */
static int
choose(struct bld_transfer *t, struct stv_err **err)
{
	struct bld_node *n = &t->nodes.v[0];
	bool is_told = false;

	for (int depth = 0; oci_is_index(n->text, n->len) == 1; depth++) {
		stv_auto(oci_index) *x = NULL;
		struct bld_node before = *n;
		const struct oci_descriptor *d = NULL;
		int rc = oci_index_parse(n->text, n->len, n->media_type, &x,
					 err);

		if (rc == 0 && depth >= STV_MAX_INDEX_DEPTH)
			rc = stv_fail(err, STV_E_LIMIT,
				      "indexes are nested more than %d deep",
				      STV_MAX_INDEX_DEPTH);
		if (rc == 0)
			d = bld_platform_choose(x, t->o->platform, err);
		if (d == NULL)
			return -1;
		is_told = d->has_platform;
		t->nodes.len = 0;
		rc = read_root(t, d, depth + 1, err);
		free(before.text);
		free(before.media_type);
		if (rc < 0)
			return -1;
		n = &t->nodes.v[0];
	}
	n->depth = 0;
	return is_told ? 0 : check_platform(t, n, err);
}

size_t
bld_transfer_parallel(const struct bld_transfer *t)
{
	size_t n = t->o->n_parallel;

	return n == 0 || n > MAX_PARALLEL ? MAX_PARALLEL : n;
}

/* Is it there under another name?  Then so is all that is below it. */
static int
prune(struct bld_transfer *t, struct stv_err **err)
{
	char which[STV_DIGEST_STR_MAX];
	const struct stv_digest *d = &t->nodes.v[0].digest;
	int r = reg_client_has_manifest(t->o->client, t->dst,
					stv_digest_str(d, which), d, err);

	if (r != 1)
		return r;
	while (t->nodes.len > 1)
		free(t->nodes.v[--t->nodes.len].media_type);
	t->blobs.len = 0;
	return 0;
}

int
bld_transfer_walk(struct bld_transfer *t, struct stv_err **err)
{
	if (read_root(t, NULL, 0, err) < 0 ||
	    (t->o->platform != NULL && choose(t, err) < 0) ||
	    expand(t, 0, err) < 0 || prune(t, err) < 0)
		return -1;
	for (size_t at = 1; at < t->nodes.len;) {
		size_t end = t->nodes.len;

		t->begin = at;
		if (bld_parallel(end - at, bld_transfer_parallel(t), read_node,
				 t, err) < 0)
			return -1;
		for (; at < end; at++)
			if (expand(t, at, err) < 0)
				return -1;
	}
	return unite_blobs(t, err);
}
