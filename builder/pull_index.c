/* builder/pull_index.c - which manifests a pull is of. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/blob.h"
#include "registry/client.h"
#include "registry/ref.h"

#include "builder/platform.h"
#include "builder/pull_internal.h"

/* A document that something names: where it is, and what was promised. */
struct named {
	struct stv_digest digest;
	uint64_t size;
	char *media_type; /* or NULL */
	int depth;	  /* 0: the reference names it */
	bool is_attachment;
};

/* What is still to be read; one more is only looked at once. */
struct todo {
	STV_VEC(struct named) list;
};

static void
todo_fini(struct todo *t)
{
	for (size_t i = 0; i < t->list.len; i++)
		free(t->list.v[i].media_type);
	stv_vec_fini(&t->list);
}

#define auto_todo STV_CLEANUP(todo_fini) struct todo

static int
add(struct todo *t, const struct oci_descriptor *d, int depth,
    struct stv_err **err)
{
	struct named *n;

	for (size_t i = 0; i < t->list.len; i++)
		if (stv_digest_equal(&t->list.v[i].digest, &d->digest))
			return 0;
	if (t->list.len > STV_MAX_INDEX_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"an index names more than %d manifests",
				STV_MAX_INDEX_ENTRIES);
	n = stv_vec_push(&t->list);
	n->digest = d->digest;
	n->size = d->size;
	n->media_type = stv_xstrdup(d->media_type);
	n->depth = depth;
	n->is_attachment = oci_is_attachment(d);
	return 0;
}

static int
read_index(struct bld_pulling *p, const struct stv_buf *text,
	   const struct named *at, struct todo *t, struct stv_err **err)
{
	int depth = at->depth + 1;
	const struct oci_descriptor *d;
	stv_auto(oci_index) *x = NULL;

	if (at->depth >= STV_MAX_INDEX_DEPTH)
		return stv_fail(err, STV_E_LIMIT,
				"indexes are nested more than %d deep",
				STV_MAX_INDEX_DEPTH);
	if (oci_index_parse(stv_buf_str(text), text->len, at->media_type, &x,
			    err) < 0)
		return -1;
	if (p->o->platform != NULL) {
		d = bld_platform_choose(x, p->o->platform, err);
		return d == NULL ? -1 : add(t, d, depth, err);
	}
	for (size_t i = 0; i < x->n_manifests; i++)
		if (add(t, &x->manifests[i], depth, err) < 0)
			return -1;
	return 0;
}

/* Is it the config of an image, and not that of something beside images? */
static bool
is_image(const struct oci_manifest *m)
{
	return strcmp(m->config.media_type, OCI_MT_CONFIG) == 0 ||
	       strcmp(m->config.media_type, DOCKER_MT_CONFIG) == 0;
}

static int
read_manifest(struct bld_pulling *p, const struct stv_buf *text,
	      const struct named *at, struct stv_err **err)
{
	struct pull_manifest *m = stv_vec_push(&p->manifests);

	if (oci_manifest_parse(stv_buf_str(text), text->len, at->media_type,
			       &m->manifest, err) < 0)
		return -1;
	m->is_attachment = p->o->platform == NULL &&
			   (at->is_attachment || !is_image(m->manifest));
	return 0;
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

/* Of the registry, checked; ${at} is filled in where it is the first one. */
static int
fetch(struct bld_pulling *p, struct named *at, struct stv_buf *text,
      struct stv_err **err)
{
	struct reg_manifest m = {0};
	int rc;

	rc = reg_client_manifest(p->o->client, p->ref,
				 at->depth > 0 ? &at->digest : NULL, &m, err);
	if (rc == 0 && at->depth > 0 && m.len != at->size)
		rc = stv_fail(err, STV_E_DIGEST,
			      "a manifest has %zu bytes, its descriptor says "
			      "%llu",
			      m.len, (unsigned long long)at->size);
	if (rc == 0)
		rc = check_announced(&m, at->media_type, err);
	if (rc == 0) {
		stv_buf_add(text, m.text, m.len);
		at->digest = m.digest;
		p->done.downloaded += m.len;
		if (at->media_type == NULL)
			at->media_type = stv_steal(&m.media_type);
		rc = cas_blob_put(p->o->store, m.text, m.len, &at->digest, err);
	}
	reg_manifest_fini(&m);
	return rc;
}

/* One document; what it names is added to ${t}. */
static int
read_doc(struct bld_pulling *p, size_t i, struct todo *t, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	struct named at = t->list.v[i]; /* the list moves when it grows */
	int rc;

	if (at.depth > 0 && cas_blob_has(p->o->store, &at.digest))
		rc = cas_blob_read(p->o->store, &at.digest, STV_MAX_MANIFEST,
				   &text, err);
	else
		rc = fetch(p, &at, &text, err);
	t->list.v[i] = at;
	if (rc < 0)
		return -1;
	*stv_vec_push(&p->blobs) = at.digest;
	if (oci_is_index(stv_buf_str(&text), text.len) == 1)
		return read_index(p, &text, &at, t, err);
	return read_manifest(p, &text, &at, err);
}

int
bld_pull_manifests(struct bld_pulling *p, struct stv_err **err)
{
	auto_todo t = {{NULL}};

	*stv_vec_push(&t.list) = (struct named){.depth = 0};
	for (size_t i = 0; i < t.list.len; i++)
		if (read_doc(p, i, &t, err) < 0)
			return -1;
	p->done.image.manifest = t.list.v[0].digest;
	return 0;
}
