/* core/oci_parts.c - what a document refers to, whatever kind it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/oci.h"
#include "core/oci_internal.h"

/* Layers that the registry does not have: "the bytes are at these URLs". */
static bool
is_foreign_type(const char *type)
{
	return strncmp(type, OCI_MT_FOREIGN_LAYER,
		       strlen(OCI_MT_FOREIGN_LAYER)) == 0 ||
	       strncmp(type, DOCKER_MT_FOREIGN_LAYER,
		       strlen(DOCKER_MT_FOREIGN_LAYER)) == 0;
}

static int
add_part(const json_t *o, const char *where, struct oci_parts *ret,
	 struct stv_err **err)
{
	struct oci_part *p;
	json_t *urls = NULL;

	ret->v = stv_xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
	p = &ret->v[ret->n++];
	*p = (struct oci_part){.is_foreign = false};
	if (oci_get_descriptor(o, where, &p->d, err) < 0 ||
	    stv_json_get_arr(o, where, "urls", false, &urls, err) < 0)
		return -1;
	p->is_foreign =
		is_foreign_type(p->d.media_type) && json_array_size(urls) > 0;
	return 0;
}

/* All descriptors of the array ${name}, which may be absent. */
static int
add_parts(const json_t *o, const char *name, struct oci_parts *ret,
	  struct stv_err **err)
{
	json_t *arr = NULL;
	size_t n;

	if (stv_json_get_arr(o, "", name, false, &arr, err) < 0)
		return -1;
	n = json_array_size(arr);
	if (ret->is_index && n > STV_MAX_INDEX_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"%zu %s are more than the limit of %d", n, name,
				STV_MAX_INDEX_ENTRIES);
	for (size_t i = 0; i < n; i++) {
		char where[OCI_WHERE_MAX];

		(void)snprintf(where, sizeof(where), "%s[%zu]", name, i);
		if (add_part(json_array_get(arr, i), where, ret, err) < 0)
			return -1;
	}
	return 0;
}

static int
check_version(const json_t *o, struct stv_err **err)
{
	uint64_t version = 2;

	if (stv_json_get_u64(o, "", "schemaVersion", false, &version, err) < 0)
		return -1;
	if (version == 2)
		return 0;
	stv_fail(err, STV_E_PROTOCOL,
		 "the manifest has schema version %llu, only 2 is known",
		 (unsigned long long)version);
	if (version == 1)
		stv_err_hint(*err, "The image is in the format of 2016; push "
				   "it again with a current tool.");
	return -1;
}

/* Its own word and what was promised must agree (THREATS C09). */
static int
take_media_type(const json_t *o, const char *promised, struct oci_parts *ret,
		struct stv_err **err)
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
	type = own != NULL ? own : promised;
	if (type == NULL)
		type = ret->is_index ? OCI_MT_INDEX : OCI_MT_MANIFEST;
	ret->media_type = stv_xstrdup(type);
	return 0;
}

static int
check_kind(const json_t *o, const struct oci_parts *p, struct stv_err **err)
{
	const char *type = p->media_type;
	bool says_index = strcmp(type, OCI_MT_INDEX) == 0 ||
			  strcmp(type, DOCKER_MT_LIST) == 0;
	bool says_manifest = strcmp(type, OCI_MT_MANIFEST) == 0 ||
			     strcmp(type, DOCKER_MT_MANIFEST) == 0;

	if (p->is_index && (json_object_get(o, "layers") != NULL ||
			    json_object_get(o, "config") != NULL))
		return stv_fail(err, STV_E_PROTOCOL,
				"the document has both 'layers' and "
				"'manifests'");
	if (p->is_index ? says_manifest : says_index)
		return stv_fail(err, STV_E_PROTOCOL,
				"the document is not the '%s' that it says it "
				"is",
				type);
	return 0;
}

static int
fill(const json_t *o, const char *promised, struct oci_parts *ret,
     struct stv_err **err)
{
	json_t *config = NULL;

	if (!json_is_object(o))
		return stv_fail(err, STV_E_PROTOCOL,
				"the manifest is not an object");
	ret->is_index = json_object_get(o, "manifests") != NULL;
	if (check_version(o, err) < 0 ||
	    take_media_type(o, promised, ret, err) < 0 ||
	    check_kind(o, ret, err) < 0)
		return -1;
	if (ret->is_index)
		return add_parts(o, "manifests", ret, err);
	if (stv_json_get_obj(o, "", "config", false, &config, err) < 0 ||
	    (config != NULL && add_part(config, "config", ret, err) < 0) ||
	    add_parts(o, "layers", ret, err) < 0)
		return -1;
	return add_parts(o, "blobs", ret, err);
}

int
oci_parts_parse(const char *text, size_t len, const char *media_type,
		struct oci_parts *ret, struct stv_err **err)
{
	json_t *o;
	int rc;

	*ret = (struct oci_parts){.n = 0};
	if (len > STV_MAX_MANIFEST)
		return stv_fail(err, STV_E_LIMIT,
				"the manifest is larger than %zu bytes",
				(size_t)STV_MAX_MANIFEST);
	o = stv_json_parse(text, len, "manifest", err);
	if (o == NULL)
		return -1;
	rc = fill(o, media_type, ret, err);
	json_decref(o);
	if (rc < 0)
		oci_parts_fini(ret);
	return rc;
}

void
oci_parts_fini(struct oci_parts *p)
{
	for (size_t i = 0; i < p->n; i++)
		oci_descriptor_fini(&p->v[i].d);
	free(p->v);
	free(p->media_type);
	*p = (struct oci_parts){.n = 0};
}

bool
oci_is_manifest_type(const char *type)
{
	return strcmp(type, OCI_MT_INDEX) == 0 ||
	       strcmp(type, OCI_MT_MANIFEST) == 0 ||
	       strcmp(type, DOCKER_MT_LIST) == 0 ||
	       strcmp(type, DOCKER_MT_MANIFEST) == 0;
}
