/* core/oci_manifest.c - manifests and indexes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/oci.h"
#include "core/oci_internal.h"

struct json_doc {
	json_t *v;
};

static void
json_doc_fini(struct json_doc *d)
{
	json_decref(d->v);
}

#define auto_json_doc STV_CLEANUP(json_doc_fini) struct json_doc

/* The document as an object, its size and version checked. */
static json_t *
load(const char *text, size_t len, const char *what, struct stv_err **err)
{
	uint64_t version = 0;
	json_t *o;

	if (len > STV_MAX_MANIFEST) {
		stv_fail(err, STV_E_LIMIT, "the %s is larger than %zu bytes",
			 what, (size_t)STV_MAX_MANIFEST);
		return NULL;
	}
	o = stv_json_parse(text, len, what, err);
	if (o == NULL)
		return NULL;
	if (!json_is_object(o)) {
		stv_fail(err, STV_E_PROTOCOL, "the %s is not an object", what);
	} else if (stv_json_get_u64(o, "", "schemaVersion", true, &version,
				    err) == 0) {
		if (version == 2)
			return o;
		stv_fail(err, STV_E_PROTOCOL,
			 "the %s has schema version %llu, only 2 is known",
			 what, (unsigned long long)version);
		if (version == 1)
			stv_err_hint(*err,
				     "The image is in the format of 2016; "
				     "push it again with a current tool.");
	}
	json_decref(o);
	return NULL;
}

/*
 * The document's media type: its own word, what was promised, or the first of
 * ${known}; they must agree (THREATS C09).
 */
static int
get_media_type(const json_t *o, const char *promised,
	       const char *const known[2], char **ret, struct stv_err **err)
{
	const char *own = NULL, *type;

	if (stv_json_get_str(o, "", "mediaType", false, &own, err) < 0)
		return -1;
	if (own != NULL && *own == '\0')
		own = NULL;
	if (own != NULL && promised != NULL && strcmp(own, promised) != 0)
		return stv_fail(err, STV_E_PROTOCOL,
				"the document says it is '%s', but '%s' was "
				"announced",
				own, promised);
	type = own != NULL ? own : promised != NULL ? promised : known[0];
	if (strcmp(type, known[0]) != 0 && strcmp(type, known[1]) != 0)
		return stv_fail(err, STV_E_PROTOCOL,
				"'%s' is not the media type that belongs here",
				type);
	*ret = stv_xstrdup(type);
	return 0;
}

/* All descriptors of the array ${name}. */
static int
get_descriptors(const json_t *o, const char *name, size_t max,
		struct oci_descriptor **ret, size_t *ret_n,
		struct stv_err **err)
{
	char where[OCI_WHERE_MAX];
	json_t *arr = NULL;
	size_t n;

	if (stv_json_get_arr(o, "", name, true, &arr, err) < 0)
		return -1;
	n = json_array_size(arr);
	if (n > max)
		return stv_fail(err, STV_E_LIMIT,
				"%zu %s are more than the limit of %zu", n,
				name, max);
	*ret = stv_xcalloc(n > 0 ? n : 1, sizeof(**ret));
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(where, sizeof(where), "%s[%zu]", name, i);
		*ret_n = i + 1;
		if (oci_get_descriptor(json_array_get(arr, i), where,
				       &(*ret)[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Nothing may be read as a manifest by one and as an index by another. */
static int
check_unambiguous(const json_t *o, const char *other, struct stv_err **err)
{
	if (json_object_get(o, other) == NULL)
		return 0;
	return stv_fail(err, STV_E_PROTOCOL,
			"the document has both 'layers' and 'manifests'");
}

/*
 * A layer that is not in the registry but where "urls" say: fetching it from
 * there is how a credential leaks (THREATS C01, CVE-2020-15157).  The "urls" of
 * other layers are not looked at.
 */
static bool
is_foreign(const char *media_type)
{
	return strstr(media_type, ".nondistributable.") != NULL ||
	       strstr(media_type, ".foreign.") != NULL;
}

static int
check_layers(const struct oci_manifest *m, struct stv_err **err)
{
	for (size_t i = 0; i < m->n_layers; i++) {
		if (!is_foreign(m->layers[i].media_type))
			continue;
		stv_fail(err, STV_E_PROTOCOL,
			 "layers[%zu] is a foreign layer ('%s'), which is not "
			 "fetched",
			 i, m->layers[i].media_type);
		stv_err_hint(*err, "Have the image pushed anew with all of its "
				   "layers: foreign ones lie outside of the "
				   "registry.");
		return -1;
	}
	return 0;
}

static int
fill_manifest(const json_t *o, const char *promised, struct oci_manifest *m,
	      struct stv_err **err)
{
	static const char *const known[2] = {OCI_MT_MANIFEST,
					     DOCKER_MT_MANIFEST};
	json_t *config = NULL;

	if (get_media_type(o, promised, known, &m->media_type, err) < 0 ||
	    check_unambiguous(o, "manifests", err) < 0 ||
	    stv_json_get_obj(o, "", "config", true, &config, err) < 0 ||
	    oci_get_descriptor(config, "config", &m->config, err) < 0 ||
	    get_descriptors(o, "layers", STV_MAX_LAYERS, &m->layers,
			    &m->n_layers, err) < 0 ||
	    check_layers(m, err) < 0)
		return -1;
	return oci_get_pairs(o, "", "annotations", &m->annotations, err);
}

int
oci_manifest_parse(const char *text, size_t len, const char *media_type,
		   struct oci_manifest **ret, struct stv_err **err)
{
	stv_auto(oci_manifest) *m = NULL;
	auto_json_doc doc = {load(text, len, "manifest", err)};

	if (doc.v == NULL)
		return -1;
	m = stv_xcalloc(1, sizeof(*m));
	if (fill_manifest(doc.v, media_type, m, err) < 0)
		return stv_wrap(err, "reading an image manifest");
	*ret = stv_steal(&m);
	return 0;
}

/* An array of descriptors. */
static json_t *
descriptors_json(const struct oci_descriptor *v, size_t n)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(arr, oci_descriptor_json(&v[i]));
	return arr;
}

void
oci_manifest_write(const struct oci_manifest *m, struct stv_buf *ret)
{
	auto_json_doc doc = {json_object()};

	oci_set(doc.v, "schemaVersion", json_integer(2));
	oci_set_str(doc.v, "mediaType", m->media_type);
	oci_set(doc.v, "config", oci_descriptor_json(&m->config));
	oci_set(doc.v, "layers", descriptors_json(m->layers, m->n_layers));
	oci_set_pairs(doc.v, "annotations", &m->annotations);
	stv_json_dump(doc.v, ret);
}

struct oci_manifest *
oci_manifest_copy(const struct oci_manifest *src)
{
	struct oci_manifest *m = stv_xcalloc(1, sizeof(*m));

	m->media_type = stv_xstrdup(src->media_type);
	oci_descriptor_copy(&m->config, &src->config);
	m->layers = stv_xcalloc(src->n_layers, sizeof(m->layers[0]));
	for (size_t i = 0; i < src->n_layers; i++)
		oci_descriptor_copy(&m->layers[m->n_layers++], &src->layers[i]);
	for (size_t i = 0; i < src->annotations.len; i++)
		stv_pairs_set(&m->annotations, src->annotations.v[i].name,
			      src->annotations.v[i].value);
	return m;
}

void
oci_manifest_free(struct oci_manifest *m)
{
	if (m == NULL)
		return;
	free(m->media_type);
	oci_descriptor_fini(&m->config);
	for (size_t i = 0; i < m->n_layers; i++)
		oci_descriptor_fini(&m->layers[i]);
	free(m->layers);
	stv_pairs_clear(&m->annotations);
	free(m);
}

static int
fill_index(const json_t *o, const char *promised, struct oci_index *x,
	   struct stv_err **err)
{
	static const char *const known[2] = {OCI_MT_INDEX, DOCKER_MT_LIST};

	if (get_media_type(o, promised, known, &x->media_type, err) < 0 ||
	    check_unambiguous(o, "layers", err) < 0 ||
	    get_descriptors(o, "manifests", STV_MAX_INDEX_ENTRIES,
			    &x->manifests, &x->n_manifests, err) < 0)
		return -1;
	return oci_get_pairs(o, "", "annotations", &x->annotations, err);
}

int
oci_index_parse(const char *text, size_t len, const char *media_type,
		struct oci_index **ret, struct stv_err **err)
{
	stv_auto(oci_index) *x = NULL;
	auto_json_doc doc = {load(text, len, "index", err)};

	if (doc.v == NULL)
		return -1;
	x = stv_xcalloc(1, sizeof(*x));
	if (fill_index(doc.v, media_type, x, err) < 0)
		return stv_wrap(err, "reading an image index");
	*ret = stv_steal(&x);
	return 0;
}

void
oci_index_write(const struct oci_index *x, struct stv_buf *ret)
{
	auto_json_doc doc = {json_object()};

	oci_set(doc.v, "schemaVersion", json_integer(2));
	oci_set_str(doc.v, "mediaType", x->media_type);
	oci_set(doc.v, "manifests",
		descriptors_json(x->manifests, x->n_manifests));
	oci_set_pairs(doc.v, "annotations", &x->annotations);
	stv_json_dump(doc.v, ret);
}

struct oci_descriptor *
oci_index_add(struct oci_index *x)
{
	struct oci_descriptor *d;

	x->manifests = stv_xreallocarray(x->manifests, x->n_manifests + 1,
					 sizeof(*x->manifests));
	d = &x->manifests[x->n_manifests++];
	*d = (struct oci_descriptor){0};
	return d;
}

const struct oci_descriptor *
oci_index_choose(const struct oci_index *x, const struct stv_platform *want)
{
	const struct oci_descriptor *best = NULL, *any = NULL;

	for (size_t i = 0; i < x->n_manifests; i++) {
		const struct oci_descriptor *d = &x->manifests[i];

		if (!d->has_platform && any == NULL)
			any = d;
		if (!d->has_platform || !stv_platform_match(want, &d->platform))
			continue;
		/* What serves the best so far is older than it. */
		if (best == NULL ||
		    !stv_platform_match(&best->platform, &d->platform))
			best = d;
	}
	return best != NULL ? best : any;
}

bool
oci_is_attachment(const struct oci_descriptor *d)
{
	return d->has_platform && d->platform.os != NULL &&
	       strcmp(d->platform.os, "unknown") == 0;
}

void
oci_index_free(struct oci_index *x)
{
	if (x == NULL)
		return;
	free(x->media_type);
	for (size_t i = 0; i < x->n_manifests; i++)
		oci_descriptor_fini(&x->manifests[i]);
	free(x->manifests);
	stv_pairs_clear(&x->annotations);
	free(x);
}

int
oci_is_index(const char *text, size_t len)
{
	struct stv_err *err = NULL;
	auto_json_doc doc = {load(text, len, "document", &err)};
	bool has_manifests, has_layers;

	stv_err_free(err);
	if (doc.v == NULL)
		return -1;
	has_manifests = json_is_array(json_object_get(doc.v, "manifests"));
	has_layers = json_is_array(json_object_get(doc.v, "layers"));
	if (has_manifests == has_layers)
		return -1;
	return has_manifests ? 1 : 0;
}
