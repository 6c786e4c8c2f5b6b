/*
 * cache/archive_load.c - what the files of an image archive mean: an OCI
 * layout (index.json), else a docker archive (manifest.json).
 *
 * Everything is checked before the first image is put; documents go into the
 * store as they are found, under the digest of their bytes, where nothing
 * names them until then.
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/event.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/vec.h"

#include "cache/blob.h"
#include "cache/load_layout.h"
#include "cache/load_stage.h"
#include "cache/store.h"

#include "cache/archive_load.h"

/* An image that was checked and waits to be put. */
struct pending {
	struct cas_image image;
	bool has_config; /* an image of this platform was chosen */
	bool is_host;	 /* and it is really this machine's */
	int n_documents; /* manifests and indexes that were read for it */
	STV_VEC(struct stv_digest) blobs;
	struct stv_strs tags;
};

struct load {
	struct cas_store *store;
	const struct cas_load_opts *opts;
	struct load_stage stage;
	struct stv_platform host;
	STV_VEC(struct pending) images;
};

/* ---- parts of images -------------------------------------------------- */

static int
lacks(const char *what, const struct stv_digest *d, struct stv_err **err)
{
	char str[STV_DIGEST_STR_MAX];

	return stv_fail(err, STV_E_INPUT, "the archive lacks %s %s", what,
			stv_digest_str(d, str));
}

/* A blob is as long as its descriptor says (THREATS C08). */
static int
check_size(const struct load_file *f, const struct oci_descriptor *d,
	   const char *what, struct stv_err **err)
{
	if (f->blob_size == d->size)
		return 0;
	return stv_fail(err, STV_E_INPUT,
			"the %s of the archive has %llu bytes, its descriptor "
			"says %llu",
			what, (unsigned long long)f->blob_size,
			(unsigned long long)d->size);
}

/* A document of the layout, kept in the store and by the image. */
static int
take_doc(struct load *ld, const struct oci_descriptor *d, const char *what,
	 struct pending *p, const struct load_file **ret, struct stv_err **err)
{
	const struct load_file *f = cas_stage_blob(&ld->stage, &d->digest);
	struct stv_digest got;

	if (f == NULL || f->kind != LOAD_DOC)
		return lacks(what, &d->digest, err);
	if (check_size(f, d, what, err) < 0)
		return -1;
	if (cas_blob_put(ld->store, stv_buf_str(&f->text), f->text.len, &got,
			 err) < 0)
		return -1;
	*stv_vec_push(&p->blobs) = got;
	*ret = f;
	return 0;
}

/* The layer must be what the config says it is (THREATS C10). */
static int
check_layer(const struct load_file *f, const struct stv_digest *diff_id,
	    struct stv_err **err)
{
	char a[STV_DIGEST_STR_MAX], b[STV_DIGEST_STR_MAX];

	if (stv_digest_equal(&f->diff_id, diff_id))
		return 0;
	return stv_fail(err, STV_E_DIGEST,
			"a layer of the archive has the diff ID %s, its config "
			"says %s",
			stv_digest_str(&f->diff_id, a),
			stv_digest_str(diff_id, b));
}

static int
check_counts(size_t n_layers, const struct oci_config *config,
	     struct stv_err **err)
{
	if (n_layers == config->n_diff_ids)
		return 0;
	return stv_fail(err, STV_E_INPUT,
			"an image of the archive has %zu layers and %zu diff "
			"IDs",
			n_layers, config->n_diff_ids);
}

/* Is this config's image the one that the user sees, of those found so far? */
static void
choose(struct load *ld, struct pending *p, const struct oci_config *config,
       const struct stv_digest *digest, uint64_t size)
{
	bool is_host = stv_platform_match(&ld->host, &config->platform);

	if (p->has_config && (p->is_host || !is_host))
		return;
	p->has_config = true;
	p->is_host = is_host;
	p->image.config = *digest;
	p->image.size = size;
}

/* ---- OCI layout ------------------------------------------------------- */

static int
take_layers(struct load *ld, const struct oci_manifest *m,
	    const struct oci_config *config, struct pending *p,
	    uint64_t *ret_size, struct stv_err **err)
{
	if (check_counts(m->n_layers, config, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct load_file *f =
			cas_stage_blob(&ld->stage, &m->layers[i].digest);

		if (f == NULL || f->kind != LOAD_LAYER)
			return lacks("layer", &m->layers[i].digest, err);
		if (check_size(f, &m->layers[i], "layer", err) < 0 ||
		    check_layer(f, &config->diff_ids[i], err) < 0)
			return -1;
		*stv_vec_push(&p->blobs) = f->blob;
		*ret_size += f->tar_size;
	}
	return 0;
}

static int
take_manifest(struct load *ld, const struct oci_descriptor *d,
	      struct pending *p, struct stv_err **err)
{
	const struct load_file *f, *fc;
	stv_auto(oci_manifest) *m = NULL;
	stv_auto(oci_config) *config = NULL;
	uint64_t size = 0;

	if (take_doc(ld, d, "manifest", p, &f, err) < 0 ||
	    oci_manifest_parse(stv_buf_str(&f->text), f->text.len,
			       d->media_type, &m, err) < 0 ||
	    take_doc(ld, &m->config, "config", p, &fc, err) < 0 ||
	    oci_config_parse(stv_buf_str(&fc->text), fc->text.len, &config,
			     err) < 0 ||
	    take_layers(ld, m, config, p, &size, err) < 0)
		return -1;
	choose(ld, p, config, &m->config.digest, size);
	return 0;
}

/*
 * A manifest beside the images (BuildKit's attestations): its parts are kept,
 * and nothing is made of them.
 */
static int
take_attachment(struct load *ld, const struct oci_descriptor *d,
		struct pending *p, struct stv_err **err)
{
	const struct load_file *f, *part;
	stv_auto(oci_manifest) *m = NULL;

	if (take_doc(ld, d, "manifest", p, &f, err) < 0 ||
	    oci_manifest_parse(stv_buf_str(&f->text), f->text.len,
			       d->media_type, &m, err) < 0)
		return -1;
	if (cas_stage_blob(&ld->stage, &m->config.digest) != NULL &&
	    take_doc(ld, &m->config, "config", p, &part, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_layers; i++) {
		part = cas_stage_blob(&ld->stage, &m->layers[i].digest);
		if (part == NULL)
			continue;
		if (part->kind == LOAD_DOC) {
			if (take_doc(ld, &m->layers[i], "blob", p, &part, err) <
			    0)
				return -1;
		} else if (check_size(part, &m->layers[i], "blob", err) < 0) {
			return -1;
		} else {
			*stv_vec_push(&p->blobs) = part->blob;
		}
	}
	return 0;
}

static bool
has_blob(const struct pending *p, const struct stv_digest *d)
{
	for (size_t i = 0; i < p->blobs.len; i++)
		if (stv_digest_equal(&p->blobs.v[i], d))
			return true;
	return false;
}

static int take_image(struct load *ld, const struct oci_descriptor *d,
		      struct pending *p, unsigned int depth,
		      struct stv_err **err);

/*
 * An index: what of it the archive holds ('docker save' leaves the other
 * platforms out).  Depth and number are bounded, and what was taken is not
 * taken again (C12).
 */
static int
take_index(struct load *ld, const struct oci_descriptor *d, struct pending *p,
	   unsigned int depth, struct stv_err **err)
{
	const struct load_file *f;
	stv_auto(oci_index) *x = NULL;

	if (depth >= STV_MAX_INDEX_DEPTH)
		return stv_fail(err, STV_E_LIMIT,
				"indexes of the archive are nested more than "
				"%d deep",
				STV_MAX_INDEX_DEPTH);
	if (take_doc(ld, d, "index", p, &f, err) < 0 ||
	    oci_index_parse(stv_buf_str(&f->text), f->text.len, d->media_type,
			    &x, err) < 0)
		return -1;
	for (size_t i = 0; i < x->n_manifests; i++) {
		const struct oci_descriptor *child = &x->manifests[i];

		if (cas_stage_blob(&ld->stage, &child->digest) == NULL)
			continue;
		if (take_image(ld, child, p, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

static int
take_image(struct load *ld, const struct oci_descriptor *d, struct pending *p,
	   unsigned int depth, struct stv_err **err)
{
	const struct load_file *f = cas_stage_blob(&ld->stage, &d->digest);

	if (f == NULL || f->kind != LOAD_DOC)
		return lacks("manifest", &d->digest, err);
	if (has_blob(p, &d->digest))
		return 0;
	if (p->n_documents++ >= STV_MAX_INDEX_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"an index of the archive names more than %d "
				"manifests",
				STV_MAX_INDEX_ENTRIES);
	if (oci_is_attachment(d))
		return take_attachment(ld, d, p, err);
	if (oci_is_index(stv_buf_str(&f->text), f->text.len) == 1)
		return take_index(ld, d, p, depth, err);
	return take_manifest(ld, d, p, err);
}

/* A name of the archive in its normal form. */
static int
add_name(struct load *ld, struct pending *p, const char *name,
	 struct stv_err **err)
{
	stv_auto_free char *tag = ld->opts->normalize(name, err);

	if (tag == NULL)
		return stv_wrap(err, "reading the names in the archive");
	if (!stv_strs_has(&p->tags, tag))
		stv_strs_add(&p->tags, tag);
	return 0;
}

/*
 * The name of a descriptor: containerd's, else the specification's, where it
 * is a whole one and not just the tag (which says nothing of the repository).
 */
static const char *
name_of(const struct oci_descriptor *d)
{
	const char *name =
		stv_pairs_get(&d->annotations, "io.containerd.image.name");

	if (name != NULL)
		return name;
	name = stv_pairs_get(&d->annotations,
			     "org.opencontainers.image.ref.name");
	return name != NULL && strpbrk(name, ":/") != NULL ? name : NULL;
}

static struct pending *
find_pending(struct load *ld, const struct stv_digest *manifest)
{
	for (size_t i = 0; i < ld->images.len; i++)
		if (stv_digest_equal(&ld->images.v[i].image.manifest, manifest))
			return &ld->images.v[i];
	return NULL;
}

/* An image that is not among those found so far. */
static int
read_new(struct load *ld, const struct oci_descriptor *d, struct pending **ret,
	 struct stv_err **err)
{
	struct pending *p = stv_vec_push(&ld->images);

	*ret = p;
	p->image.manifest = d->digest;
	if (take_image(ld, d, p, 0, err) < 0)
		return -1;
	if (!p->has_config)
		return stv_fail(err, STV_E_INPUT,
				"the archive lacks every image of an index");
	return 0;
}

/* One line of index.json; one image may stand there under several names. */
static int
read_descriptor(struct load *ld, const struct oci_descriptor *d,
		struct stv_err **err)
{
	struct pending *p = find_pending(ld, &d->digest);
	const char *name = name_of(d);

	if (p == NULL && read_new(ld, d, &p, err) < 0)
		return -1;
	return name == NULL ? 0 : add_name(ld, p, name, err);
}

static int
read_layout(struct load *ld, const struct load_file *index,
	    struct stv_err **err)
{
	stv_auto(oci_index) *x = NULL;

	if (oci_index_parse(stv_buf_str(&index->text), index->text.len, NULL,
			    &x, err) < 0)
		return stv_wrap(err, "reading the archive's index.json");
	for (size_t i = 0; i < x->n_manifests; i++)
		if (read_descriptor(ld, &x->manifests[i], err) < 0)
			return -1;
	return 0;
}

/* ---- docker archive --------------------------------------------------- */

/* One entry of manifest.json while its OCI manifest is made. */
struct docker_image {
	const struct load_file *config_file;
	struct stv_strs layers;
	struct stv_strs tags;
};

static int
parse_entry(struct load *ld, const json_t *o, struct docker_image *ret,
	    struct stv_err **err)
{
	const char *name = NULL;

	if (!json_is_object(o))
		return stv_fail(err, STV_E_PROTOCOL,
				"an entry of manifest.json is not an object");
	if (stv_json_get_str(o, "", "Config", true, &name, err) < 0 ||
	    stv_json_get_strs(o, "", "Layers", &ret->layers, NULL, err) < 0 ||
	    stv_json_get_strs(o, "", "RepoTags", &ret->tags, NULL, err) < 0)
		return -1;
	ret->config_file = cas_stage_find(&ld->stage, name);
	if (ret->config_file == NULL || ret->config_file->kind != LOAD_DOC)
		return stv_fail(err, STV_E_INPUT,
				"the archive lacks the config '%.200s'", name);
	return 0;
}

/* The descriptor of one layer, checked against the config. */
static int
add_docker_layer(struct load *ld, const char *name,
		 const struct stv_digest *diff_id, struct oci_manifest *m,
		 struct pending *p, struct stv_err **err)
{
	const struct load_file *f = cas_stage_find(&ld->stage, name);
	struct oci_descriptor *d = &m->layers[m->n_layers];

	if (f == NULL || f->kind != LOAD_LAYER)
		return stv_fail(err, STV_E_INPUT,
				"the archive lacks the layer '%.200s'", name);
	if (check_layer(f, diff_id, err) < 0)
		return -1;
	d->media_type = stv_xstrdup(f->media_type);
	d->digest = f->blob;
	d->size = f->blob_size;
	m->n_layers++;
	p->image.size += f->tar_size;
	*stv_vec_push(&p->blobs) = f->blob;
	return 0;
}

static int
put_docker_manifest(struct load *ld, const struct oci_manifest *m,
		    struct pending *p, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);

	oci_manifest_write(m, &text);
	if (stv_buf_check(&text, "image manifest", err) < 0)
		return -1;
	return cas_blob_put(ld->store, stv_buf_str(&text), text.len,
			    &p->image.manifest, err);
}

static int
read_docker_image(struct load *ld, const struct docker_image *di,
		  struct pending *p, struct stv_err **err)
{
	const struct stv_buf *text = &di->config_file->text;
	stv_auto(oci_manifest) *m = stv_xcalloc(1, sizeof(*m));
	stv_auto(oci_config) *config = NULL;

	if (oci_config_parse(stv_buf_str(text), text->len, &config, err) < 0 ||
	    check_counts(di->layers.len, config, err) < 0 ||
	    cas_blob_put(ld->store, stv_buf_str(text), text->len,
			 &m->config.digest, err) < 0)
		return -1;
	p->image.config = m->config.digest;
	m->media_type = stv_xstrdup(OCI_MT_MANIFEST);
	m->config.media_type = stv_xstrdup(OCI_MT_CONFIG);
	m->config.size = text->len;
	m->layers = stv_xcalloc(di->layers.len + 1, sizeof(m->layers[0]));
	for (size_t i = 0; i < di->layers.len; i++)
		if (add_docker_layer(ld, di->layers.v[i], &config->diff_ids[i],
				     m, p, err) < 0)
			return -1;
	for (size_t i = 0; i < di->tags.len; i++)
		if (add_name(ld, p, di->tags.v[i], err) < 0)
			return -1;
	return put_docker_manifest(ld, m, p, err);
}

static int
read_docker_entry(struct load *ld, const json_t *o, struct stv_err **err)
{
	struct docker_image di = {0};
	int r = parse_entry(ld, o, &di, err);

	if (r == 0)
		r = read_docker_image(ld, &di, stv_vec_push(&ld->images), err);
	stv_strs_clear(&di.layers);
	stv_strs_clear(&di.tags);
	return r;
}

static int
read_docker(struct load *ld, const struct load_file *f, struct stv_err **err)
{
	json_t *doc = stv_json_parse(stv_buf_str(&f->text), f->text.len,
				     "manifest.json", err);
	int r = 0;

	if (doc == NULL)
		return -1;
	if (!json_is_array(doc) || json_array_size(doc) > STV_MAX_INDEX_ENTRIES)
		r = stv_fail(err, STV_E_PROTOCOL,
			     "manifest.json is not a list of images");
	for (size_t i = 0; r == 0 && i < json_array_size(doc); i++)
		r = read_docker_entry(ld, json_array_get(doc, i), err);
	json_decref(doc);
	return r;
}

/* ---- all together ----------------------------------------------------- */

static int
read_images(struct load *ld, struct stv_err **err)
{
	const struct load_file *f = cas_stage_find(&ld->stage, "index.json");

	if (f != NULL && f->kind == LOAD_DOC)
		return read_layout(ld, f, err);
	f = cas_stage_find(&ld->stage, "manifest.json");
	if (f != NULL && f->kind == LOAD_DOC)
		return read_docker(ld, f, err);
	stv_fail(err, STV_E_INPUT,
		 "this is no image archive: it has neither index.json nor "
		 "manifest.json");
	stv_err_hint(*err, "A tar of a root file system becomes an image by "
			   "'stave import'.");
	return -1;
}

/* Say which tags of the archive named something else until now (C21). */
static int
tell_moves(struct load *ld, const struct pending *p, struct stv_err **err)
{
	char was[STV_DIGEST_STR_MAX], now[STV_DIGEST_STR_MAX];

	for (size_t i = 0; i < p->tags.len; i++) {
		struct cas_image old;
		int r = cas_tag_get(ld->store, p->tags.v[i], &old, err);

		if (r < 0)
			return -1;
		/* Another manifest of the same config is the same image. */
		if (r == 0 || stv_digest_equal(&old.config, &p->image.config))
			continue;
		stv_emitf(ld->opts->listener, STV_EV_NOTE,
			  "%s moves from %s to %s", p->tags.v[i],
			  stv_digest_str(&old.config, was),
			  stv_digest_str(&p->image.config, now));
	}
	return 0;
}

static int
put_images(struct load *ld, struct cas_loaded *ret, struct stv_err **err)
{
	ret->images = stv_xcalloc(ld->images.len + 1, sizeof(ret->images[0]));
	for (size_t i = 0; i < ld->images.len; i++) {
		struct pending *p = &ld->images.v[i];

		if (tell_moves(ld, p, err) < 0 ||
		    cas_image_put(ld->store, &p->image, p->blobs.v,
				  p->blobs.len, &p->tags, err) < 0)
			return -1;
		ret->images[ret->n].image = p->image;
		stv_strs_copy(&ret->images[ret->n].tags, &p->tags);
		ret->n++;
	}
	return 0;
}

static int
load_all(struct load *ld, struct stv_in *in, struct cas_loaded *ret,
	 struct stv_err **err)
{
	if (cas_stage_read(ld->store, in, &ld->stage, err) < 0 ||
	    read_images(ld, err) < 0)
		return -1;
	return put_images(ld, ret, err);
}

static void
load_fini(struct load *ld)
{
	for (size_t i = 0; i < ld->images.len; i++) {
		stv_vec_fini(&ld->images.v[i].blobs);
		stv_strs_clear(&ld->images.v[i].tags);
	}
	stv_vec_fini(&ld->images);
	cas_stage_fini(&ld->stage);
	stv_platform_fini(&ld->host);
}

int
cas_load(struct cas_store *s, struct stv_in *in,
	 const struct cas_load_opts *opts, struct cas_loaded *ret,
	 struct stv_err **err)
{
	struct load ld = {.store = s, .opts = opts};
	stv_auto(cas_lease) *lease = NULL;
	int r;

	*ret = (struct cas_loaded){0};
	if (cas_lease_take(s, &lease, err) < 0)
		return -1;
	stv_platform_host(&ld.host);
	r = load_all(&ld, in, ret, err);
	load_fini(&ld);
	if (r < 0)
		cas_loaded_fini(ret);
	return r;
}

/* What is in ${stage} as one image.  Takes: what it and ${host} hold. */
static int
load_one(struct cas_store *s, const struct load_stage *stage,
	 const struct stv_platform *host, const struct oci_descriptor *d,
	 struct cas_image *ret, struct stv_err **err)
{
	const struct cas_load_opts opts = {.listener = NULL};
	struct load ld = {
		.store = s, .opts = &opts, .stage = *stage, .host = *host};
	struct cas_loaded got = {0};
	struct pending *p;
	int r = read_new(&ld, d, &p, err);

	if (r == 0)
		r = put_images(&ld, &got, err);
	if (r == 0)
		*ret = got.images[0].image;
	load_fini(&ld);
	cas_loaded_fini(&got);
	return r;
}

int
cas_load_image(struct cas_store *s, int dirfd, const struct oci_descriptor *d,
	       const struct stv_platform *platform, struct cas_image *ret,
	       struct stv_err **err)
{
	struct load_stage stage = {.docs_size = 0};
	struct stv_platform host = {0};

	if (cas_stage_layout(s, dirfd, &d->digest, platform, &stage, err) < 0) {
		cas_stage_fini(&stage);
		return -1;
	}
	stv_platform_copy(&host, platform);
	return load_one(s, &stage, &host, d, ret, err);
}

void
cas_loaded_fini(struct cas_loaded *l)
{
	for (size_t i = 0; i < l->n; i++)
		stv_strs_clear(&l->images[i].tags);
	free(l->images);
	*l = (struct cas_loaded){0};
}
