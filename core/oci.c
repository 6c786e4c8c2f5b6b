/* core/oci.c - what all OCI documents are made of: pairs, descriptors, time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/vec.h"

#include "core/oci.h"
#include "core/oci_internal.h"

char *
oci_dup_or_null(const char *s)
{
	return s == NULL ? NULL : stv_xstrdup(s);
}

/* Append without looking for the name. */
static void
pairs_push(struct stv_pairs *p, const char *name, const char *value)
{
	*stv_vec_push(p) = (struct stv_pair){
		.name = stv_xstrdup(name),
		.value = stv_xstrdup(value),
	};
}

void
stv_pairs_set(struct stv_pairs *p, const char *name, const char *value)
{
	for (size_t i = 0; i < p->len; i++) {
		if (strcmp(p->v[i].name, name) == 0) {
			char *copy = stv_xstrdup(value);

			free(p->v[i].value);
			p->v[i].value = copy;
			return;
		}
	}
	pairs_push(p, name, value);
}

const char *
stv_pairs_get(const struct stv_pairs *p, const char *name)
{
	for (size_t i = 0; i < p->len; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return p->v[i].value;
	return NULL;
}

void
stv_pairs_clear(struct stv_pairs *p)
{
	for (size_t i = 0; i < p->len; i++) {
		free(p->v[i].name);
		free(p->v[i].value);
	}
	stv_vec_fini(p);
}

int
oci_get_dup(const json_t *o, const char *where, const char *name, char **ret,
	    struct stv_err **err)
{
	const char *s = NULL;

	if (stv_json_get_str(o, where, name, false, &s, err) < 0)
		return -1;
	if (s != NULL && *s != '\0')
		*ret = stv_xstrdup(s);
	return 0;
}

int
oci_get_digest(const json_t *o, const char *where, const char *name,
	       struct stv_digest *ret, struct stv_err **err)
{
	const char *s = NULL;

	if (stv_json_get_str(o, where, name, true, &s, err) < 0)
		return -1;
	if (stv_digest_parse(s, ret, err) < 0)
		return stv_wrap(err, "reading %s%s%s", where,
				*where != '\0' ? "." : "", name);
	return 0;
}

int
oci_get_pairs(const json_t *o, const char *where, const char *name,
	      struct stv_pairs *ret, struct stv_err **err)
{
	json_t *obj = NULL, *v;
	const char *key;

	if (stv_json_get_obj(o, where, name, false, &obj, err) < 0)
		return -1;
	json_object_foreach (obj, key, v) {
		/* Go decodes null into a string as "". */
		const char *s = json_is_null(v) ? "" : json_string_value(v);

		if (s == NULL)
			return stv_fail(err, STV_E_PROTOCOL,
					"a value in %s%s%s is not a string",
					where, *where != '\0' ? "." : "", name);
		/* The keys of a parsed object are unique: no need to look. */
		pairs_push(ret, key, s);
	}
	return 0;
}

int
oci_get_descriptor(const json_t *o, const char *where,
		   struct oci_descriptor *ret, struct stv_err **err)
{
	const char *media_type = NULL;
	char sub[OCI_WHERE_MAX + 16];
	json_t *platform = NULL;

	if (!json_is_object(o))
		return stv_fail(err, STV_E_PROTOCOL, "%s is not an object",
				where);
	if (stv_json_get_str(o, where, "mediaType", true, &media_type, err) <
		    0 ||
	    oci_get_digest(o, where, "digest", &ret->digest, err) < 0 ||
	    stv_json_get_u64(o, where, "size", true, &ret->size, err) < 0 ||
	    oci_get_pairs(o, where, "annotations", &ret->annotations, err) <
		    0 ||
	    oci_get_dup(o, where, "artifactType", &ret->artifact_type, err) <
		    0 ||
	    stv_json_get_obj(o, where, "platform", false, &platform, err) < 0)
		return -1;
	ret->media_type = stv_xstrdup(media_type);
	if (platform == NULL)
		return 0;
	(void)snprintf(sub, sizeof(sub), "%s.platform", where);
	ret->has_platform = true;
	return oci_get_platform(platform, sub, &ret->platform, err);
}

void
oci_set(json_t *o, const char *name, json_t *v)
{
	json_t *key = stv_json_str(name);

	if (json_object_set_new(o, json_string_value(key), v) < 0)
		STV_BUG("cannot add a member to a JSON object");
	json_decref(key);
}

void
oci_set_str(json_t *o, const char *name, const char *s)
{
	if (s != NULL && *s != '\0')
		oci_set(o, name, stv_json_str(s));
}

static int
cmp_pair(const void *a, const void *b)
{
	const struct stv_pair *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void
oci_set_pairs(json_t *o, const char *name, const struct stv_pairs *p)
{
	stv_auto_free const struct stv_pair **sorted = NULL;
	json_t *obj;

	if (p->len == 0)
		return;
	sorted = stv_xreallocarray(NULL, p->len, sizeof(const void *));
	for (size_t i = 0; i < p->len; i++)
		sorted[i] = &p->v[i];
	qsort(sorted, p->len, sizeof(sorted[0]), cmp_pair);
	obj = json_object();
	for (size_t i = 0; i < p->len; i++)
		oci_set(obj, sorted[i]->name, stv_json_str(sorted[i]->value));
	oci_set(o, name, obj);
}

/* Members in the order of the image-spec's Go structs. */
static json_t *
platform_json(const struct stv_platform *p)
{
	json_t *o = json_object();

	oci_set(o, "architecture", stv_json_str(p->arch ? p->arch : ""));
	oci_set(o, "os", stv_json_str(p->os ? p->os : ""));
	oci_set_str(o, "os.version", p->os_version);
	if (p->os_features.len > 0)
		oci_set(o, "os.features", stv_json_from_strs(&p->os_features));
	oci_set_str(o, "variant", p->variant);
	return o;
}

json_t *
oci_descriptor_json(const struct oci_descriptor *d)
{
	char digest[STV_DIGEST_STR_MAX];
	json_t *o = json_object();

	oci_set(o, "mediaType", stv_json_str(d->media_type));
	oci_set(o, "digest", stv_json_str(stv_digest_str(&d->digest, digest)));
	oci_set(o, "size", json_integer((json_int_t)d->size));
	oci_set_pairs(o, "annotations", &d->annotations);
	if (d->has_platform)
		oci_set(o, "platform", platform_json(&d->platform));
	oci_set_str(o, "artifactType", d->artifact_type);
	return o;
}

void
oci_descriptor_fini(struct oci_descriptor *d)
{
	free(d->media_type);
	free(d->artifact_type);
	stv_platform_fini(&d->platform);
	stv_pairs_clear(&d->annotations);
	*d = (struct oci_descriptor){0};
}

void
oci_descriptor_copy(struct oci_descriptor *dst,
		    const struct oci_descriptor *src)
{
	dst->media_type = oci_dup_or_null(src->media_type);
	dst->artifact_type = oci_dup_or_null(src->artifact_type);
	dst->digest = src->digest;
	dst->size = src->size;
	dst->has_platform = src->has_platform;
	stv_platform_copy(&dst->platform, &src->platform);
	for (size_t i = 0; i < src->annotations.len; i++)
		pairs_push(&dst->annotations, src->annotations.v[i].name,
			   src->annotations.v[i].value);
}

struct stv_digest
oci_chain_id(const struct stv_digest *parent, const struct stv_digest *diff_id)
{
	char text[2 * STV_DIGEST_STR_MAX], p[STV_DIGEST_STR_MAX],
		d[STV_DIGEST_STR_MAX];
	int n;

	if (parent == NULL)
		return *diff_id;
	n = snprintf(text, sizeof(text), "%s %s", stv_digest_str(parent, p),
		     stv_digest_str(diff_id, d));
	return stv_digest_of(text, (size_t)n);
}

char *
oci_time(int64_t seconds, uint32_t ns)
{
	/* Years 0 to 9999: what RFC 3339 can say and Go agrees to read. */
	const int64_t first = -62167219200, last = 253402300799;
	char text[40], frac[16] = "";
	struct tm tm;
	time_t t;

	if (seconds < first)
		seconds = first;
	if (seconds > last)
		seconds = last;
	t = (time_t)seconds;
	if (gmtime_r(&t, &tm) == NULL)
		STV_BUG("gmtime_r refuses %lld", (long long)seconds);
	if (ns % 1000000000 != 0) {
		(void)snprintf(frac, sizeof(frac), ".%09u", ns % 1000000000);
		for (size_t n = strlen(frac); frac[n - 1] == '0'; n--)
			frac[n - 1] = '\0';
	}
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d",
		       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		       tm.tm_min, tm.tm_sec);
	return stv_xasprintf("%s%sZ", text, frac);
}
