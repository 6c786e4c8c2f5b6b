/* builder/base.c - an image as what a stage begins with. */
#include <stdlib.h>
#include <string.h>

#include "cache/blob.h"
#include "cache/platforms.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "registry/ref.h"

#include "builder/base.h"
#include "builder/build_internal.h"
#include "builder/lazy.h"
#include "builder/pull.h"

/* By digest of manifest or config, else by tag: 1, 0 or -1. */
static int
find(struct cas_store *store, const struct reg_ref *ref, struct cas_image *ret,
     struct stv_err **err)
{
	stv_auto_free char *tag = NULL;
	char hex[STV_DIGEST_STR_MAX];

	if (ref->has_digest)
		return cas_image_find(store, stv_digest_hex(&ref->digest, hex),
				      ret, err);
	tag = reg_ref_tagged(ref);
	return tag == NULL ? 0 : cas_tag_get(store, tag, ret, err);
}

int
bld_base_find(struct cas_store *store, const char *reference,
	      struct cas_image *ret, struct stv_err **err)
{
	reg_auto_ref ref = {0};

	if (reg_ref_parse(reference, &ref, err) < 0)
		return -1;
	return find(store, &ref, ret, err);
}

static int
not_here(const char *reference, struct stv_err **err)
{
	stv_fail(err, STV_E_NOT_FOUND, "there is no image '%s' here",
		 reference);
	stv_err_hint(*err, "Bring it into the store first with 'stave pull', "
			   "'stave load' or 'stave import'.");
	return -1;
}

static int
read_config(struct bld_build *b, const struct cas_image *img,
	    struct oci_config **ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);

	if (cas_blob_read(b->o->store, &img->config, STV_MAX_CONFIG, &text,
			  err) < 0)
		return -1;
	return oci_config_parse(stv_buf_str(&text), text.len, ret, err);
}

static void
on_bytes(void *arg, uint64_t now, uint64_t total)
{
	struct bld_stage *st = arg;

	bld_lock(st->b);
	bld_emit_progress(st, NULL, now, total);
	bld_unlock(st->b);
}

int
bld_registry(struct bld_build *b, struct stv_err **err)
{
	if (b->client == NULL)
		b->client = b->o->registry(b->o->registry_arg, err);
	return b->client == NULL ? -1 : 0;
}

/* Fetch it; the lock is let go of meanwhile. */
static int
pull(struct bld_build *b, const struct reg_ref *ref,
     const struct bld_origin *from, const struct stv_platform *platform,
     struct cas_image *ret, struct stv_err **err)
{
	struct bld_stage *shown = from->shown;
	struct bld_pull_opts o = {.store = b->o->store,
				  .platform = platform,
				  .is_mounted = from->is_mounted,
				  .on_bytes = shown != NULL ? on_bytes : NULL,
				  .arg = shown};
	struct bld_pulled pulled;
	int rc;

	if (bld_registry(b, err) < 0)
		return -1;
	o.client = b->client;
	if (shown != NULL) {
		shown->is_fetched = true;
		bld_emit(shown, NULL, STV_EV_STEP_STARTED, NULL);
	}
	if (b->lazy != NULL)
		return bld_lazy_base(b, ref, platform, ret, err);
	bld_unlock(b);
	rc = bld_pull(&o, ref, &pulled, err);
	bld_lock(b);
	if (rc < 0)
		return -1;
	*ret = pulled.image;
	if (pulled.is_other) {
		stv_auto_free char *shown_ref = reg_ref_familiar(ref);
		stv_auto_free char *want = stv_platform_str(platform);

		stv_emitf(b->o->listener, STV_EV_WARNING,
			  "the image '%s' is not for %s", shown_ref, want);
	}
	return 0;
}

static void
forget(struct stv_strs *s, const char *text)
{
	for (size_t i = 0; i < s->len; i++)
		if (strcmp(s->v[i], text) == 0) {
			free(s->v[i]);
			s->v[i] = s->v[--s->len];
			return;
		}
}

/* Is the store's image good enough?  1, 0, -1. */
static int
find_good(struct bld_build *b, const struct reg_ref *ref, const char *name,
	  const struct stv_platform *want, struct cas_image *ret,
	  struct stv_err **err)
{
	struct cas_image img;
	int r = find(b->o->store, ref, &img, err);

	if (r != 1)
		return r;
	/* With a digest there is nothing newer. */
	if (b->o->registry != NULL && b->o->pulls_always && !ref->has_digest &&
	    !stv_strs_has(&b->pulled, name))
		return 0;
	*ret = img;
	if (want == NULL)
		return 1;
	r = cas_image_for(b->o->store, &img, want, ret, err);
	return r == 0 ? b->o->registry == NULL : r;
}

/* What was fetched in vain; and is it here for another platform? */
static void
wrap_failure(struct bld_build *b, const char *reference,
	     const struct stv_platform *want, const struct reg_ref *ref,
	     struct stv_err **err)
{
	stv_auto(oci_config) *c = NULL;
	struct stv_err *ignored = NULL;
	struct cas_image img;

	if (want != NULL && find(b->o->store, ref, &img, &ignored) == 1 &&
	    cas_image_for(b->o->store, &img, want, &img, &ignored) == 0 &&
	    read_config(b, &img, &c, &ignored) == 0) {
		stv_auto_free char *want_str = stv_platform_str(want);
		stv_auto_free char *have_str = stv_platform_str(&c->platform);

		stv_wrap(err, "'%s' is here for %s, not for %s", reference,
			 have_str, want_str);
	} else {
		stv_wrap(err, "there is no image '%s' here; fetching it",
			 reference);
	}
	stv_err_free(ignored);
}

/* Wait until nobody else fetches it. */
static int
wait_for_others(struct bld_build *b, const char *name, struct stv_err **err)
{
	while (stv_strs_has(&b->pulling, name) && !bld_is_over(b))
		(void)pthread_cond_wait(&b->changed, &b->lock);
	if (bld_is_over(b))
		return stv_fail(err, STV_E_CANCELLED, "cancelled");
	return 0;
}

/*
 * An image of the store, or of a registry, by its whole name; two stages fetch
 * one only once.
 */
static int
find_or_pull(struct bld_build *b, const struct bld_origin *from,
	     const char *reference, struct cas_image *ret, struct stv_err **err)
{
	const struct stv_platform *want = from->platform;
	stv_auto_free char *name = NULL;
	struct stv_platform host = {0};
	reg_auto_ref ref = {0};
	int r;

	if (reg_ref_parse(reference, &ref, err) < 0)
		return -1;
	if (want == NULL && b->o->platform.os != NULL)
		want = &b->o->platform;
	name = reg_ref_str(&ref);
	if (wait_for_others(b, name, err) < 0)
		return -1;
	r = find_good(b, &ref, name, want, ret, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (b->o->registry == NULL)
		return not_here(from->reference, err);
	stv_strs_add(&b->pulling, name);
	stv_platform_host(&host);
	r = pull(b, &ref, from, want != NULL ? want : &host, ret, err);
	if (r < 0)
		wrap_failure(b, from->reference, want, &ref, err);
	stv_platform_fini(&host);
	forget(&b->pulling, name);
	if (r == 0)
		stv_strs_add(&b->pulled, name);
	(void)pthread_cond_broadcast(&b->changed);
	return r;
}

/*
 * What a name as it is written can mean: itself where it names a registry or is
 * here as docker understands it, else what registries.conf says.
 */
static int
list_names(const struct bld_build *b, const char *reference,
	   struct stv_strs *ret, struct stv_err **err)
{
	struct cas_image img;
	int r = b->o->short_names == NULL
			? 1
			: bld_base_find(b->o->store, reference, &img, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return b->o->short_names(b->o->registry_arg, reference, ret,
					 err);
	stv_strs_add(ret, reference);
	return 0;
}

/* The first of ${names} that is here, else the first that can be fetched. */
static int
find_first(struct bld_build *b, const struct bld_origin *from,
	   const struct stv_strs *names, struct cas_image *ret,
	   struct stv_err **err)
{
	struct cas_image img;
	int r = 0;

	for (size_t i = 0; i < names->len && r == 0; i++) {
		r = bld_base_find(b->o->store, names->v[i], &img, err);
		if (r == 1)
			return find_or_pull(b, from, names->v[i], ret, err);
	}
	for (size_t i = 0; i < names->len && r == 0; i++) {
		struct stv_err *why = NULL;

		if (find_or_pull(b, from, names->v[i], ret, &why) == 0)
			return 0;
		if (i + 1 == names->len ||
		    stv_err_code(why) == STV_E_CANCELLED) {
			*err = why;
			return -1;
		}
		stv_emitf(b->o->listener, STV_EV_WARNING, "%s: %s", names->v[i],
			  stv_err_msg(stv_err_root(why)));
		stv_err_free(why);
	}
	return -1;
}

static int
find_image(struct bld_build *b, const struct bld_origin *from,
	   struct cas_image *ret, struct stv_err **err)
{
	struct stv_strs names = {0};
	int rc = list_names(b, from->reference, &names, err);

	if (rc == 0)
		rc = find_first(b, from, &names, ret, err);
	stv_strs_clear(&names);
	return rc;
}

int
bld_base_load(struct bld_build *b, const struct bld_origin *from,
	      struct oci_config **ret, struct stv_err **err)
{
	struct cas_image img;
	int r = from->named != NULL ? bld_named_image(b, from->named, &img, err)
				    : find_image(b, from, &img, err);

	if (r < 0)
		return -1;
	if (read_config(b, &img, ret, err) < 0)
		return stv_wrap(err, "reading image '%s'", from->reference);
	return 0;
}

/* The manifest of an image: itself, or that of its index that has its config.
 */
static int
read_manifest(struct cas_store *store, const struct stv_digest *d,
	      const struct stv_digest *config, struct stv_digest *ret_digest,
	      struct oci_manifest **ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_manifest) *m = NULL;
	stv_auto(oci_index) *x = NULL;
	int r = 0;

	if (cas_blob_read(store, d, STV_MAX_MANIFEST, &text, err) < 0)
		return -1;
	if (oci_is_index(stv_buf_str(&text), text.len) != 1) {
		if (oci_manifest_parse(stv_buf_str(&text), text.len, NULL, &m,
				       err) < 0)
			return -1;
		if (!stv_digest_equal(&m->config.digest, config))
			return 0;
		*ret_digest = *d;
		*ret = stv_steal(&m);
		return 1;
	}
	if (oci_index_parse(stv_buf_str(&text), text.len, NULL, &x, err) < 0)
		return -1;
	/* an index in an index is not looked into */
	for (size_t i = 0; i < x->n_manifests && r == 0; i++)
		if (cas_blob_has(store, &x->manifests[i].digest) &&
		    strcmp(x->manifests[i].media_type, OCI_MT_INDEX) != 0 &&
		    strcmp(x->manifests[i].media_type, DOCKER_MT_LIST) != 0)
			r = read_manifest(store, &x->manifests[i].digest,
					  config, ret_digest, ret, err);
	return r;
}

int
bld_image_manifest(struct cas_store *store, const struct cas_image *image,
		   struct stv_digest *ret_digest, struct oci_manifest **ret,
		   struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];
	int r = read_manifest(store, &image->manifest, &image->config,
			      ret_digest, ret, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	return stv_fail(err, STV_E_NOT_FOUND,
			"the manifest of image %s is not "
			"here",
			stv_digest_str(&image->config, text));
}

/* Do the layers of an image lie below the stage? */
static int
is_below(struct cas_store *store, const struct stv_digest *config,
	 const struct oci_config *above, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(oci_config) *c = NULL;

	if (cas_blob_read(store, config, STV_MAX_CONFIG, &text, err) < 0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, &c, err) < 0)
		return -1;
	if (c->n_diff_ids > above->n_diff_ids)
		return 0;
	for (size_t i = 0; i < c->n_diff_ids; i++)
		if (!stv_digest_equal(&c->diff_ids[i], &above->diff_ids[i]))
			return 0;
	return 1;
}

/* The image that a stage began with, as it is for the stage's platform. */
static int
find_root(const struct bld_build *b, const char *reference,
	  const struct stv_platform *platform, struct cas_image *ret,
	  struct stv_err **err)
{
	struct stv_strs names = {0};
	struct cas_image img;
	int r = list_names(b, reference, &names, err) < 0 ? -1 : 0;

	for (size_t i = 0; i < names.len && r == 0; i++)
		r = bld_base_find(b->o->store, names.v[i], &img, err);
	stv_strs_clear(&names);
	if (r != 1)
		return r;
	*ret = img;
	r = cas_image_for(b->o->store, &img, platform, ret, err);
	return r < 0 ? -1 : 1;
}

/* The manifest of an image whose layers are still elsewhere, or NULL. */
static int
find_elsewhere(const struct bld_build *b, const char *reference,
	       const struct oci_manifest **ret, struct stv_err **err)
{
	struct stv_strs names = {0};
	int rc = b->lazy == NULL ? 0 : list_names(b, reference, &names, err);

	*ret = NULL;
	for (size_t i = 0; rc == 0 && *ret == NULL && i < names.len; i++) {
		reg_auto_ref ref = {0};

		rc = reg_ref_parse(names.v[i], &ref, err);
		if (rc == 0)
			*ret = bld_lazy_manifest(b, &ref);
	}
	stv_strs_clear(&names);
	return rc;
}

int
bld_base_manifest(const struct bld_build *b, const struct bld_stage *st,
		  struct oci_manifest **ret, struct stv_err **err)
{
	const struct bld_stage *root = st;
	const struct oci_manifest *elsewhere;
	struct stv_digest ignored;
	struct cas_image img;
	int r;

	while (root->base.kind == BLD_BASE_STAGE)
		root = b->stages.v[root->base.stage];
	if (root->base.kind != BLD_BASE_IMAGE || root->base.named != NULL)
		return 0;
	if (find_elsewhere(b, root->base.reference, &elsewhere, err) < 0)
		return -1;
	if (elsewhere != NULL) {
		*ret = oci_manifest_copy(elsewhere);
		return 1;
	}
	r = find_root(b, root->base.reference, &st->config->platform, &img,
		      err);
	/* somebody may have moved the tag since the stage began */
	if (r == 1)
		r = is_below(b->o->store, &img.config, st->config, err);
	if (r == 1)
		r = read_manifest(b->o->store, &img.manifest, &img.config,
				  &ignored, ret, err);
	return r;
}
