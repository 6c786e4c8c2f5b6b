/* builder/platforms.c - a build for several platforms, and the index of it. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/vec.h"

#include "cache/blob.h"
#include "cache/repack.h"
#include "registry/client.h"
#include "registry/ref.h"

#include "builder/build_internal.h"
#include "builder/emulation.h"
#include "builder/platforms.h"

const char *
bld_index_write(const struct oci_descriptor *lines, size_t n,
		const struct stv_pairs *annotations, struct stv_buf *ret)
{
	stv_auto(oci_index) *x = stv_xcalloc(1, sizeof(*x));
	const char *type = strcmp(lines[0].media_type, DOCKER_MT_MANIFEST) == 0
				   ? DOCKER_MT_LIST
				   : OCI_MT_INDEX;

	x->media_type = stv_xstrdup(type);
	for (size_t i = 0; i < n; i++)
		oci_descriptor_copy(oci_index_add(x), &lines[i]);
	for (size_t i = 0; i < annotations->len; i++)
		stv_pairs_set(&x->annotations, annotations->v[i].name,
			      annotations->v[i].value);
	oci_index_write(x, ret);
	return type;
}

/* Nothing begins before it is clear that all of it can run. */
static int
check(const struct bld_opts *o, struct stv_err **err)
{
	struct bld_build b;
	int rc;

	bld_build_init(&b, o);
	rc = bld_plan(&b, err);
	/* what others have run is taken from their caches */
	if (rc == 0 && o->n_cache_from == 0)
		rc = bld_emulation_plan(&b, err);
	bld_build_fini(&b);
	return rc;
}

/* The descriptor of one platform's image. */
static void
make_line(const struct bld_result *r, const struct stv_platform *platform,
	  const struct stv_pairs *annotations, struct oci_descriptor *ret)
{
	*ret = (struct oci_descriptor){
		.media_type = stv_xstrdup(OCI_MT_MANIFEST),
		.digest = r->image.manifest,
		.size = r->manifest_size,
		.has_platform = true,
	};
	stv_platform_copy(&ret->platform, platform);
	for (size_t i = 0; i < annotations->len; i++)
		stv_pairs_set(&ret->annotations, annotations->v[i].name,
			      annotations->v[i].value);
}

/* Which of them 'stave run' takes. */
static size_t
find_host(const struct stv_platform *platforms, size_t n)
{
	struct stv_platform host = {0};
	size_t i = 0;

	stv_platform_host(&host);
	while (i < n && !stv_platform_match(&host, &platforms[i]))
		i++;
	stv_platform_fini(&host);
	return i < n ? i : 0;
}

/* The index of one target under its tags, in one transaction. */
static int
put_index(const struct bld_opts *o, const struct stv_platform *platforms,
	  size_t n, const struct bld_result *results,
	  const struct stv_strs *tags, struct bld_index *ret,
	  struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto_free struct oci_descriptor *lines =
		stv_xcalloc(n, sizeof(*lines));
	STV_VEC(struct stv_digest) blobs = {NULL};
	int rc;

	for (size_t i = 0; i < n; i++) {
		make_line(&results[i], &platforms[i], &o->line_annotations,
			  &lines[i]);
		for (size_t k = 0; k < results[i].n_blobs; k++)
			*stv_vec_push(&blobs) = results[i].blobs[k];
	}
	(void)bld_index_write(lines, n, &o->index_annotations, &text);
	for (size_t i = 0; i < n; i++)
		oci_descriptor_fini(&lines[i]);
	ret->image = results[find_host(platforms, n)].image;
	ret->manifest_size = text.len;
	rc = stv_buf_check(&text, "the image's index", err);
	if (rc == 0)
		rc = cas_blob_put(o->store, stv_buf_str(&text), text.len,
				  &ret->image.manifest, err);
	if (rc == 0)
		rc = cas_image_put(o->store, &ret->image, blobs.v, blobs.len,
				   tags, err);
	stv_vec_fini(&blobs);
	return rc;
}

static int
put_all(const struct bld_opts *o, const struct stv_platform *platforms,
	size_t n, const struct bld_result *results, struct bld_index *ret,
	struct stv_err **err)
{
	static const struct stv_strs no_tags;
	size_t n_targets = o->n_targets > 0 ? o->n_targets : 1;

	if (o->no_image || o->is_push_only)
		return 0;
	for (size_t t = 0; t < n_targets; t++)
		if (put_index(o, platforms, n, results + t * n,
			      o->n_targets > 0 ? &o->targets[t].tags : &no_tags,
			      &ret[t], err) < 0)
			return -1;
	return 0;
}

/* ---- what is pushed --------------------------------------------------- */

static bool
is_same_form(const struct cas_repack_opts *a, const struct cas_repack_opts *b)
{
	return a->how.codec == b->how.codec && a->how.level == b->how.level &&
	       a->is_forced == b->is_forced &&
	       a->has_docker_types == b->has_docker_types;
}

/* The images go by digest; an index can name them in one form only. */
static int
make_pushes(const struct bld_opts *o, struct bld_push_to *ret,
	    struct stv_err **err)
{
	for (size_t i = 0; i < o->n_pushes; i++) {
		const struct bld_push_to *to = &o->pushes[i];

		for (size_t k = 0; k < i; k++)
			if (o->pushes[k].target == to->target &&
			    !is_same_form(o->pushes[k].form, to->form))
				return stv_fail(
					err, STV_E_USAGE,
					"an image of several platforms can be "
					"pushed in one form only");
		ret[i] = *to;
		ret[i].is_by_digest = true;
	}
	return 0;
}

static int
push_index(const struct bld_opts *o, const struct bld_push_to *to,
	   const struct stv_platform *platforms, size_t n,
	   const struct bld_result *results, struct oci_descriptor *ret,
	   struct stv_err **err)
{
	struct reg_client *client = o->registry(o->registry_arg, err);
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto_free char *name = reg_ref_familiar(to->ref);
	stv_auto_free struct oci_descriptor *lines =
		stv_xcalloc(n, sizeof(*lines));
	char str[STV_DIGEST_STR_MAX];
	const char *type;

	if (client == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		make_line(&results[i], &platforms[i], &o->line_annotations,
			  &lines[i]);
		lines[i].digest = results[i].pushed.digest;
		lines[i].size = results[i].pushed.size;
		free(lines[i].media_type);
		lines[i].media_type = stv_xstrdup(results[i].pushed.media_type);
	}
	type = bld_index_write(lines, n, &o->index_annotations, &text);
	for (size_t i = 0; i < n; i++)
		oci_descriptor_fini(&lines[i]);
	oci_descriptor_fini(ret);
	*ret = (struct oci_descriptor){
		.media_type = stv_xstrdup(type),
		.digest = stv_digest_of(stv_buf_str(&text), text.len),
		.size = text.len,
	};
	stv_digest_str(&ret->digest, str);
	if (reg_client_put_manifest(client, to->ref,
				    to->is_by_digest ? str : to->ref->tag, type,
				    stv_buf_str(&text), text.len, err) < 0)
		return stv_wrap(err, "pushing %s", name);
	stv_emitf(o->listener, STV_EV_NOTE, "pushed %s, %s", name, str);
	return 0;
}

static int
push_all(const struct bld_opts *o, const struct stv_platform *platforms,
	 size_t n, const struct bld_result *results, struct bld_index *ret,
	 struct stv_err **err)
{
	int rc = 0;

	if (o->n_pushes > 0)
		stv_cancel_catch(true);
	for (size_t i = 0; rc == 0 && i < o->n_pushes; i++) {
		size_t t = o->pushes[i].target;

		rc = push_index(o, &o->pushes[i], platforms, n, results + t * n,
				&ret[t].pushed, err);
		/* it is nowhere else: that is what it is called by */
		if (rc == 0 && o->is_push_only)
			ret[t].image.manifest = ret[t].pushed.digest;
	}
	return o->n_pushes > 0 ? stv_cancel_end(rc, err) : rc;
}

void
bld_index_fini(struct bld_index *x)
{
	oci_descriptor_fini(&x->pushed);
	*x = (struct bld_index){.manifest_size = 0};
}

/* ---- the build -------------------------------------------------------- */

/* One platform; its results go where those of the targets are. */
static int
build_one(struct bld_opts *o, const struct stv_platform *platforms, size_t i,
	  size_t n, struct bld_result *results, struct stv_err **err)
{
	size_t n_targets = o->n_targets > 0 ? o->n_targets : 1;
	stv_auto_free struct bld_result *mine =
		stv_xcalloc(n_targets, sizeof(*mine));

	o->platform = platforms[i];
	o->part = i + 1;
	if (bld_build(o, mine, err) < 0) {
		stv_auto_free char *name = stv_platform_str(&platforms[i]);

		return stv_wrap(err, "building for %s", name);
	}
	for (size_t t = 0; t < n_targets; t++)
		results[t * n + i] = mine[t];
	return 0;
}

int
bld_build_platforms(const struct bld_opts *o,
		    const struct stv_platform *platforms, size_t n,
		    struct bld_result *ret, struct bld_index *ret_index,
		    struct stv_err **err)
{
	size_t n_all = n * (o->n_targets > 0 ? o->n_targets : 1);
	stv_auto_free struct bld_result *results =
		stv_xcalloc(n_all, sizeof(*results));
	size_t n_targets = n_all / n;
	stv_auto_free struct bld_index *indexes =
		stv_xcalloc(n_targets, sizeof(*indexes));
	stv_auto_free struct bld_push_to *pushes =
		stv_xcalloc(o->n_pushes + 1, sizeof(*pushes));
	struct bld_opts part = *o;
	uint32_t n_ids = 0;
	int rc = make_pushes(o, pushes, err);

	part.n_ids = &n_ids;
	part.pushes = pushes;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		part.platform = platforms[i];
		rc = check(&part, err);
	}
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = build_one(&part, platforms, i, n, results, err);
	if (rc == 0)
		rc = put_all(o, platforms, n, results, indexes, err);
	if (rc == 0)
		rc = push_all(o, platforms, n, results, indexes, err);
	for (size_t t = 0; t < n_targets; t++) {
		if (rc == 0)
			ret_index[t] = indexes[t];
		else
			bld_index_fini(&indexes[t]);
	}
	for (size_t i = 0; i < n_all; i++) {
		if (rc == 0)
			ret[i] = results[i];
		else
			bld_result_fini(&results[i]);
	}
	return rc;
}
