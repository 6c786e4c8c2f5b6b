/* builder/cache_export.c - --cache-to: what this build knows, for others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/blob.h"
#include "cache/layer_compress.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/ref.h"

#include "builder/build_internal.h"
#include "builder/cache_doc.h"
#include "builder/cache_export.h"
#include "builder/cache_import.h"
#include "builder/cache_place.h"
#include "builder/lazy.h"
#include "builder/parallel.h"

#define N_PARALLEL 4

struct bld_done {
	struct bld_cache_doc doc;
};

struct bld_done *
bld_done_new(void)
{
	return stv_xcalloc(1, sizeof(struct bld_done));
}

void
bld_done_free(struct bld_done *d)
{
	if (d == NULL)
		return;
	bld_cache_doc_fini(&d->doc);
	free(d);
}

void
bld_done_record(struct bld_done *d, const struct cas_record *r)
{
	struct bld_cache_doc one = {.records = {0}};

	if (d == NULL)
		return;
	*stv_vec_push(&one.records) = *r;
	bld_cache_doc_merge(&d->doc, &one);
	bld_cache_doc_fini(&one);
}

void
bld_done_answer(struct bld_done *d, const struct stv_digest *question,
		const char *text)
{
	struct bld_cache_doc one = {.records = {0}};
	struct bld_cache_answer *a = stv_vec_push(&one.answers);

	*a = (struct bld_cache_answer){.question = *question};
	memcpy(a->text, text, strnlen(text, sizeof(a->text) - 1));
	bld_cache_doc_merge(&d->doc, &one);
	bld_cache_doc_fini(&one);
}

void
bld_done_inline(const struct bld_done *d, struct stv_buf *ret)
{
	bld_cache_doc_write(&d->doc, ret);
}

/* One export under way. */
struct export
{
	struct bld_build *b;
	const struct bld_cache_to *to;
	struct bld_cache_place *place;
	struct bld_cache_doc known; /* what lies there */
	struct bld_cache_doc own;
	struct bld_cache_found found;
	pthread_mutex_t lock;
	uint64_t sent;
};

/* --- which layers --- */

static bool
is_wanted(const struct export *x, const struct stv_digest *diff_id,
	  const struct bld_result *results, size_t n)
{
	if (x->to->is_max)
		return true;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < results[i].n_diff_ids; k++)
			if (stv_digest_equal(&results[i].diff_ids[k], diff_id))
				return true;
	return false;
}

/*
 * The layers of the records, without their blobs where those must be made
 * first.  What the place has already is taken as it is.
 */
static void
choose_layers(struct export *x, const struct bld_result *results, size_t n)
{
	struct bld_cache_doc *own = &x->own;

	for (size_t i = 0; i < own->records.len; i++) {
		const struct cas_record *r = &own->records.v[i];
		const struct bld_cache_layer *have;
		struct bld_cache_layer *l;

		if (!r->has_layer ||
		    bld_cache_doc_layer(own, &r->diff_id) != NULL ||
		    !is_wanted(x, &r->diff_id, results, n))
			continue;
		have = bld_cache_doc_layer(&x->known, &r->diff_id);
		l = stv_vec_push(&own->layers);
		*l = (struct bld_cache_layer){.diff_id = r->diff_id};
		if (have != NULL)
			oci_descriptor_copy(&l->blob, &have->blob);
	}
}

/* --- sending --- */

static int
send(struct export *x, int fd, const struct stv_digest *digest, uint64_t size,
     struct stv_err **err)
{
	struct bld_cache_blob blob = {
		.fd = fd, .size = size, .digest = *digest};
	uint64_t sent = 0;
	int rc = x->place->put_blob(x->place, &blob, &sent, err);

	(void)pthread_mutex_lock(&x->lock);
	x->sent += sent;
	(void)pthread_mutex_unlock(&x->lock);
	return rc;
}

/* A layer that the place lacks: compressed, once, and sent. */
static int
send_layer(void *arg, size_t i, struct stv_err **err)
{
	struct export *x = arg;
	struct cas_store *store = x->b->o->store;
	struct bld_cache_layer *l = &x->own.layers.v[i];
	stv_auto_fd fd = -1;
	struct cas_layer form;
	uint64_t size;
	int r;

	if (l->blob.media_type != NULL)
		return 0;
	r = cas_layer_get(store, &l->diff_id, &form, err);
	/* What came compressed goes on as it came. */
	if (r == 1 && stv_digest_equal(&form.blob, &form.diff_id))
		r = lay_compress(store, &l->diff_id, &x->to->how, NULL, &form,
				 err) < 0
			    ? -1
			    : 1;
	if (r <= 0)
		return r;
	if (cas_blob_open(store, &form.blob, &fd, &size, err) < 0 ||
	    send(x, fd, &form.blob, size, err) < 0)
		return -1;
	l->blob.media_type = stv_xstrdup(form.media_type);
	l->blob.digest = form.blob;
	l->blob.size = size;
	return 0;
}

/* Records of layers that could not be had go out without them. */
static void
drop_missing(struct bld_cache_doc *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->layers.len; i++)
		if (d->layers.v[i].blob.media_type != NULL)
			d->layers.v[n++] = d->layers.v[i];
	d->layers.len = n;
}

static int
send_text(struct export *x, const struct stv_buf *text,
	  struct oci_descriptor *ret, struct stv_err **err)
{
	stv_auto_fd fd = memfd_create("stave-cache", MFD_CLOEXEC);

	if (fd < 0 || stv_write_all(fd, stv_buf_str(text), text->len) < 0)
		return stv_fail_errno(err, errno, "cannot make a file");
	ret->digest = stv_digest_of(stv_buf_str(text), text->len);
	ret->size = text->len;
	return send(x, fd, &ret->digest, ret->size, err);
}

/* A document under a tag, or under one that its own content names. */
static int
send_doc(struct export *x, const struct bld_cache_doc *d, const char *tag,
	 char **ret_tag, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto_buf manifest = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto_free char *own_tag = NULL;
	char type[] = BLD_CACHE_MT;
	struct oci_descriptor config = {.media_type = type};

	bld_cache_doc_write(d, &text);
	if (stv_buf_check(&text, "the cache", err) < 0 ||
	    send_text(x, &text, &config, err) < 0)
		return -1;
	bld_cache_doc_manifest(d, &config, &manifest);
	if (stv_buf_check(&manifest, "the cache's manifest", err) < 0)
		return -1;
	if (tag == NULL)
		own_tag = bld_cache_export_tag(x->place->tag, &config.digest);
	if (x->place->put_manifest(x->place, tag != NULL ? tag : own_tag,
				   stv_buf_str(&manifest), manifest.len,
				   err) < 0)
		return -1;
	if (ret_tag != NULL)
		*ret_tag = stv_steal(&own_tag);
	return 0;
}

/* What is new under a tag of its own; then everything under the reference. */
static int
send_docs(struct export *x, struct stv_err **err)
{
	struct bld_cache_doc fresh = {.records = {0}};
	struct bld_cache_doc head = {.records = {0}};
	char *tag = NULL;
	int rc = 0;

	bld_cache_doc_merge(&fresh, &x->own);
	bld_cache_doc_subtract(&fresh, &x->known);
	bld_cache_doc_merge(&head, &x->own);
	bld_cache_doc_merge(&head, &x->known);
	if (fresh.records.len + fresh.answers.len > 0) {
		if (x->place->is_shared)
			rc = send_doc(x, &fresh, NULL, &tag, err);
		if (tag != NULL)
			stv_strs_take(&head.merged, tag);
	} else if (x->found.n_exports == 0) {
		goto out; /* all of it is there */
	}
	bld_cache_doc_trim(&head);
	if (rc == 0)
		rc = send_doc(x, &head, x->place->tag, NULL, err);
out:
	bld_cache_doc_fini(&fresh);
	bld_cache_doc_fini(&head);
	return rc;
}

/*
 * What lies there already.  Something damaged is of no use to anybody, and is
 * written anew; but an image is not.
 */
static int
read_known(struct export *x, struct stv_err **err)
{
	enum stv_code code;

	if (bld_cache_read(x->place, &x->known, &x->found, err) < 0) {
		code = stv_err_code(*err);
		if (code != STV_E_PROTOCOL && code != STV_E_DIGEST &&
		    code != STV_E_LIMIT)
			return -1;
		stv_err_clear(err);
		bld_cache_doc_fini(&x->known);
		return 0;
	}
	if (!x->found.is_other)
		return 0;
	stv_fail(err, STV_E_USAGE, "%s is no cache but an image",
		 x->place->name);
	stv_err_hint(*err, "Give the cache a tag of its own.");
	return -1;
}

/* All that is done without the build's lock. */
static int
export_unlocked(struct export *x, const struct bld_result *results, size_t n,
		struct stv_err **err)
{
	if (read_known(x, err) < 0)
		return -1;
	choose_layers(x, results, n);
	if (bld_parallel(x->own.layers.len, N_PARALLEL, send_layer, x, err) < 0)
		return -1;
	drop_missing(&x->own);
	return send_docs(x, err);
}

static int
open_place(struct export *x, struct stv_err **err)
{
	struct bld_build *b = x->b;

	if (x->to->kind == BLD_CACHE_LOCAL)
		return bld_cache_place_dir(x->to->dir, x->to->tag, true,
					   &x->place, err);
	if (bld_registry(b, err) < 0)
		return -1;
	x->place = bld_cache_place_registry(b->client, x->to->ref, NULL);
	return 0;
}

static int
export_to(struct export *x, const struct bld_result *results, size_t n,
	  struct stv_err **err)
{
	struct bld_build *b = x->b;
	int rc;

	bld_cache_doc_merge(&x->own, &b->done->doc);
	if (open_place(x, err) < 0)
		return -1;
	bld_unlock(b);
	rc = x->place->lock == NULL ? 0 : x->place->lock(x->place, err);
	if (rc == 0) {
		rc = export_unlocked(x, results, n, err);
		if (x->place->unlock != NULL)
			x->place->unlock(x->place);
	}
	bld_lock(b);
	if (rc == 0)
		stv_emitf(b->o->listener, STV_EV_NOTE,
			  "cache: %zu records at %s, %llu bytes sent",
			  x->own.records.len, x->place->name,
			  (unsigned long long)x->sent);
	return rc;
}

/* What it is called, for messages. */
static char *
name_of(const struct bld_cache_to *to)
{
	return to->kind == BLD_CACHE_LOCAL ? stv_xstrdup(to->dir)
					   : reg_ref_familiar(to->ref);
}

int
bld_cache_export(struct bld_build *b, const struct bld_result *results,
		 size_t n, struct stv_err **err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < b->o->n_cache_to; i++) {
		struct export x = {.b = b, .to = &b->o->cache_to[i]};
		stv_auto_free char *name = NULL;

		if (x.to->kind == BLD_CACHE_INLINE)
			continue;
		(void)pthread_mutex_init(&x.lock, NULL);
		rc = export_to(&x, results, n, err);
		(void)pthread_mutex_destroy(&x.lock);
		bld_cache_place_close(x.place);
		bld_cache_doc_fini(&x.known);
		bld_cache_doc_fini(&x.own);
		if (rc == 0)
			continue;
		name = name_of(x.to);
		stv_wrap(err, "exporting the cache to %s", name);
		if (!x.to->is_error_ignored ||
		    stv_err_code(*err) == STV_E_CANCELLED)
			break;
		stv_emitf(b->o->listener, STV_EV_WARNING, "%s",
			  stv_err_msg(*err));
		stv_err_clear(err);
		rc = 0;
	}
	return rc;
}
