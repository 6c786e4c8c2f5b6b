/* builder/manifest_list_push.c - what a list is made of, and its push. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/blob.h"
#include "cache/meta.h"
#include "registry/client.h"
#include "registry/ref.h"

#include "builder/base.h"
#include "builder/manifest_list.h"
#include "builder/manifest_list_internal.h"
#include "builder/platform.h"
#include "builder/push.h"
#include "builder/transfer.h"

/* Where an entry is from. */
static void
sign(struct oci_descriptor *d, const struct reg_ref *ref, bool is_here)
{
	stv_auto_free char *name = reg_ref_str(ref);
	stv_auto_free char *from =
		stv_xasprintf("%s/%s", ref->domain, ref->path);

	stv_pairs_set(&d->annotations, BLD_LIST_NAME, name);
	if (!is_here)
		stv_pairs_set(&d->annotations, BLD_LIST_FROM, from);
}

static int
add_image(const struct bld_lists *l, const struct reg_ref *ref,
	  const struct cas_image *image, struct oci_index *ret,
	  struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(oci_manifest) *m = NULL;
	stv_auto(oci_config) *c = NULL;
	struct oci_descriptor *d;
	struct stv_digest digest;
	stv_auto_fd fd = -1;

	if (bld_image_manifest(l->store, image, &digest, &m, err) < 0 ||
	    cas_blob_read(l->store, &image->config, STV_MAX_CONFIG, &text,
			  err) < 0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, &c, err) < 0)
		return -1;
	d = oci_index_add(ret);
	d->media_type = stv_xstrdup(m->media_type);
	d->digest = digest;
	d->has_platform = true;
	stv_platform_copy(&d->platform, &c->platform);
	sign(d, ref, true);
	return cas_blob_open(l->store, &digest, &fd, &d->size, err);
}

static int
add_manifest(const struct bld_lists *l, const struct reg_ref *ref,
	     const struct reg_manifest *m, struct oci_index *ret,
	     struct stv_err **err)
{
	stv_auto(oci_manifest) *parsed = NULL;
	struct oci_descriptor *d;
	int r;

	if (oci_manifest_parse(m->text, m->len, m->media_type, &parsed, err) <
	    0)
		return -1;
	d = oci_index_add(ret);
	d->media_type = stv_xstrdup(parsed->media_type);
	d->digest = m->digest;
	d->size = m->len;
	r = bld_platform_fetch(l->client, ref, parsed, &d->platform, err);
	d->has_platform = r == 1;
	sign(d, ref, false);
	return r < 0 ? -1 : 0;
}

static int
add_entries(const struct reg_ref *ref, const struct reg_manifest *m,
	    struct oci_index *ret, struct stv_err **err)
{
	stv_auto(oci_index) *x = NULL;

	if (oci_index_parse(m->text, m->len, m->media_type, &x, err) < 0)
		return -1;
	if (ret->n_manifests + x->n_manifests > STV_MAX_INDEX_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"a manifest list has at most %d entries",
				STV_MAX_INDEX_ENTRIES);
	for (size_t i = 0; i < x->n_manifests; i++) {
		struct oci_descriptor *d = oci_index_add(ret);

		bld_list_copy_bare(d, &x->manifests[i]);
		sign(d, ref, false);
	}
	return 0;
}

/* An image of the store by its name: 1, 0, -1. */
static int
find_here(const struct bld_lists *l, const struct reg_ref *ref,
	  struct cas_image *ret, struct stv_err **err)
{
	stv_auto_free char *tag = NULL;

	if (ref->has_digest)
		return 0;
	tag = reg_ref_tagged(ref);
	return cas_tag_get(l->store, tag, ret, err);
}

int
bld_list_resolve(const struct bld_lists *l, const struct reg_ref *ref,
		 bool is_remote, struct oci_index *ret, struct stv_err **err)
{
	struct reg_manifest m = {0};
	struct cas_image image;
	int r = is_remote ? 0 : find_here(l, ref, &image, err);

	if (r == 1)
		return add_image(l, ref, &image, ret, err);
	if (r < 0 || reg_client_manifest(l->client, ref, NULL, &m, err) < 0)
		return -1;
	if (oci_is_index(m.text, m.len) == 1)
		r = add_entries(ref, &m, ret, err);
	else
		r = add_manifest(l, ref, &m, ret, err);
	reg_manifest_fini(&m);
	return r;
}

/* The image of the store with exactly this manifest, whatever else names it. */
static int
push_image(const struct bld_lists *l, struct oci_descriptor *d,
	   const struct reg_ref *to, struct stv_err **err)
{
	struct bld_push_opts o = {.store = l->store,
				  .client = l->client,
				  .how = {.codec = STV_CODEC_GZIP},
				  .is_by_digest = true};
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_manifest) *m = NULL;
	struct cas_image image = {.manifest = d->digest};
	struct bld_pushed pushed;

	if (cas_blob_read(l->store, &d->digest, STV_MAX_MANIFEST, &text, err) <
		    0 ||
	    oci_manifest_parse(stv_buf_str(&text), text.len, NULL, &m, err) < 0)
		return -1;
	image.config = m->config.digest;
	if (bld_push(&o, &image, to, &pushed, err) < 0)
		return -1;
	d->digest = pushed.manifest;
	d->size = pushed.manifest_size;
	return 0;
}

static int
copy_image(const struct bld_lists *l, const struct oci_descriptor *d,
	   const char *from, const struct reg_ref *to, struct stv_err **err)
{
	struct bld_transfer_opts o = {.client = l->client};
	struct bld_transferred done;
	struct reg_ref dst = *to;
	char digest[STV_DIGEST_STR_MAX];
	stv_auto_free char *name = stv_xasprintf(
		"%s@%s", from, stv_digest_str(&d->digest, digest));
	reg_auto_ref src = {0};

	dst.has_digest = true;
	dst.digest = d->digest;
	if (reg_ref_parse(name, &src, err) < 0)
		return -1;
	return bld_transfer(&o, &src, &dst, &done, err);
}

int
bld_list_push(const struct bld_lists *l, const struct oci_index *list,
	      const struct reg_ref *ref, struct stv_digest *ret,
	      struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_index) *x = bld_list_index(list);
	struct reg_ref to = {.domain = ref->domain, .path = ref->path};

	for (size_t i = 0; i < x->n_manifests; i++) {
		const char *from = bld_list_from(&list->manifests[i]);
		char digest[STV_DIGEST_STR_MAX];
		int rc = from == NULL
				 ? push_image(l, &x->manifests[i], &to, err)
				 : copy_image(l, &x->manifests[i], from, &to,
					      err);

		if (rc < 0)
			return stv_wrap(
				err, "entry %s",
				stv_digest_str(&list->manifests[i].digest,
					       digest));
	}
	oci_index_write(x, &text);
	if (stv_buf_check(&text, "the index", err) < 0)
		return -1;
	*ret = stv_digest_of(stv_buf_str(&text), text.len);
	return reg_client_put_manifest(l->client, ref, ref->tag, x->media_type,
				       stv_buf_str(&text), text.len, err);
}
