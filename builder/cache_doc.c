/* builder/cache_doc.c - cache records on their way between machines. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"

#include "builder/cache_doc.h"

#define VERSION 1

/* --- reading --- */

/* One object of a list being read, and its name for messages. */
struct item {
	const json_t *o;
	char where[48];
};

/* A digest that may be missing: 1, 0 where it is not there, -1. */
static int
get_digest(const struct item *i, const char *name, bool is_required,
	   struct stv_digest *ret, struct stv_err **err)
{
	const char *text = NULL;

	if (stv_json_get_str(i->o, i->where, name, is_required, &text, err) < 0)
		return -1;
	if (text == NULL)
		return 0;
	if (stv_digest_parse(text, ret, err) < 0)
		return stv_wrap(err, "%s.%s", i->where, name);
	return 1;
}

static int
parse_record(const struct item *i, struct bld_cache_doc *d,
	     struct stv_err **err)
{
	struct cas_record r = {.created_s = 0};
	uint64_t created = 0;
	int has_layer;

	if (get_digest(i, "key", true, &r.key, err) < 0 ||
	    get_digest(i, "chain", false, &r.parent_chain, err) < 0 ||
	    get_digest(i, "config", false, &r.parent_config, err) < 0 ||
	    stv_json_get_u64(i->o, i->where, "created", false, &created, err) <
		    0)
		return -1;
	has_layer = get_digest(i, "layer", false, &r.diff_id, err);
	if (has_layer < 0)
		return -1;
	r.has_layer = has_layer == 1;
	r.created_s = (int64_t)created;
	*stv_vec_push(&d->records) = r;
	return 0;
}

static int
parse_layer(const struct item *i, struct bld_cache_doc *d, struct stv_err **err)
{
	struct bld_cache_layer *l = stv_vec_push(&d->layers);
	const char *type = NULL;

	*l = (struct bld_cache_layer){.blob = {.size = 0}};
	if (get_digest(i, "diffID", true, &l->diff_id, err) < 0 ||
	    get_digest(i, "digest", true, &l->blob.digest, err) < 0 ||
	    stv_json_get_u64(i->o, i->where, "size", true, &l->blob.size, err) <
		    0 ||
	    stv_json_get_str(i->o, i->where, "mediaType", true, &type, err) < 0)
		return -1;
	l->blob.media_type = stv_xstrdup(type);
	return 0;
}

static int
parse_answer(const struct item *i, struct bld_cache_doc *d,
	     struct stv_err **err)
{
	struct bld_cache_answer *a = stv_vec_push(&d->answers);
	const char *text = NULL;

	*a = (struct bld_cache_answer){.text = ""};
	if (get_digest(i, "question", true, &a->question, err) < 0 ||
	    stv_json_get_str(i->o, i->where, "answer", true, &text, err) < 0)
		return -1;
	if (strlen(text) >= sizeof(a->text))
		return stv_fail(err, STV_E_LIMIT, "%s.answer is too long",
				i->where);
	memcpy(a->text, text, strlen(text) + 1);
	return 0;
}

/* Each object of the array ${name}, which may be missing. */
static int
parse_list(const json_t *root, const char *name, size_t max,
	   int (*fn)(const struct item *i, struct bld_cache_doc *d,
		     struct stv_err **err),
	   struct bld_cache_doc *d, struct stv_err **err)
{
	json_t *list = NULL;

	if (stv_json_get_arr(root, "", name, false, &list, err) < 0)
		return -1;
	if (json_array_size(list) > max)
		return stv_fail(err, STV_E_LIMIT,
				"%s has more than %zu entries", name, max);
	for (size_t k = 0; k < json_array_size(list); k++) {
		struct item i = {.o = json_array_get(list, k)};

		(void)snprintf(i.where, sizeof(i.where), "%s[%zu]", name, k);
		if (!json_is_object(i.o))
			return stv_fail(err, STV_E_PROTOCOL,
					"%s is not an object", i.where);
		if (fn(&i, d, err) < 0)
			return -1;
	}
	return 0;
}

static int
parse(const json_t *root, struct bld_cache_doc *d, struct stv_err **err)
{
	uint64_t version = 0;

	if (!json_is_object(root))
		return stv_fail(err, STV_E_PROTOCOL, "it is not an object");
	if (stv_json_get_u64(root, "", "version", true, &version, err) < 0)
		return -1;
	if (version != VERSION)
		return stv_fail(err, STV_E_PROTOCOL,
				"it has version %llu, which this stave does "
				"not know",
				(unsigned long long)version);
	if (parse_list(root, "records", BLD_CACHE_MAX_RECORDS, parse_record, d,
		       err) < 0 ||
	    parse_list(root, "layers", BLD_CACHE_MAX_LAYERS, parse_layer, d,
		       err) < 0 ||
	    parse_list(root, "answers", BLD_CACHE_MAX_ANSWERS, parse_answer, d,
		       err) < 0 ||
	    stv_json_get_strs(root, "", "merged", &d->merged, NULL, err) < 0)
		return -1;
	if (d->merged.len > BLD_CACHE_MAX_MERGED)
		return stv_fail(err, STV_E_LIMIT,
				"merged has more than %zu entries",
				BLD_CACHE_MAX_MERGED);
	return 0;
}

int
bld_cache_doc_parse(const char *text, size_t n, struct bld_cache_doc *ret,
		    struct stv_err **err)
{
	json_t *root;
	int rc;

	*ret = (struct bld_cache_doc){.merged = {0}};
	root = stv_json_parse(text, n, "the cache", err);
	rc = root == NULL ? -1 : parse(root, ret, err);
	json_decref(root);
	return rc;
}

/* --- writing --- */

static void
set_digest(json_t *o, const char *name, const struct stv_digest *d)
{
	char text[STV_DIGEST_STR_MAX];

	(void)json_object_set_new(o, name,
				  stv_json_str(stv_digest_str(d, text)));
}

static bool
is_zero(const struct stv_digest *d)
{
	static const struct stv_digest zero;

	return stv_digest_equal(d, &zero);
}

static json_t *
record_json(const struct cas_record *r)
{
	json_t *o = json_object();

	set_digest(o, "key", &r->key);
	if (!is_zero(&r->parent_chain))
		set_digest(o, "chain", &r->parent_chain);
	if (!is_zero(&r->parent_config))
		set_digest(o, "config", &r->parent_config);
	if (r->has_layer)
		set_digest(o, "layer", &r->diff_id);
	if (r->created_s > 0)
		(void)json_object_set_new(o, "created",
					  json_integer(r->created_s));
	return o;
}

static json_t *
layer_json(const struct bld_cache_layer *l)
{
	json_t *o = json_object();

	set_digest(o, "diffID", &l->diff_id);
	(void)json_object_set_new(o, "mediaType",
				  stv_json_str(l->blob.media_type));
	set_digest(o, "digest", &l->blob.digest);
	(void)json_object_set_new(o, "size",
				  json_integer((json_int_t)l->blob.size));
	return o;
}

void
bld_cache_doc_write(const struct bld_cache_doc *d, struct stv_buf *ret)
{
	json_t *root = json_object();
	json_t *records = json_array(), *layers = json_array();
	json_t *answers = json_array();

	(void)json_object_set_new(root, "version", json_integer(VERSION));
	for (size_t i = 0; i < d->records.len; i++)
		(void)json_array_append_new(records,
					    record_json(&d->records.v[i]));
	for (size_t i = 0; i < d->layers.len; i++)
		(void)json_array_append_new(layers,
					    layer_json(&d->layers.v[i]));
	for (size_t i = 0; i < d->answers.len; i++) {
		json_t *o = json_object();

		set_digest(o, "question", &d->answers.v[i].question);
		(void)json_object_set_new(o, "answer",
					  stv_json_str(d->answers.v[i].text));
		(void)json_array_append_new(answers, o);
	}
	(void)json_object_set_new(root, "records", records);
	(void)json_object_set_new(root, "layers", layers);
	(void)json_object_set_new(root, "answers", answers);
	if (d->merged.len > 0)
		(void)json_object_set_new(root, "merged",
					  stv_json_from_strs(&d->merged));
	stv_json_dump(root, ret);
	json_decref(root);
}

void
bld_cache_doc_manifest(const struct bld_cache_doc *d,
		       const struct oci_descriptor *config, struct stv_buf *ret)
{
	stv_auto(oci_manifest) *m = stv_xcalloc(1, sizeof(*m));

	m->media_type = stv_xstrdup(OCI_MT_MANIFEST);
	oci_descriptor_copy(&m->config, config);
	m->layers = stv_xcalloc(d->layers.len, sizeof(m->layers[0]));
	for (size_t i = 0; i < d->layers.len; i++)
		oci_descriptor_copy(&m->layers[m->n_layers++],
				    &d->layers.v[i].blob);
	oci_manifest_write(m, ret);
}

void
bld_cache_doc_fini(struct bld_cache_doc *d)
{
	for (size_t i = 0; i < d->layers.len; i++)
		oci_descriptor_fini(&d->layers.v[i].blob);
	stv_vec_fini(&d->records);
	stv_vec_fini(&d->layers);
	stv_vec_fini(&d->answers);
	stv_strs_clear(&d->merged);
	*d = (struct bld_cache_doc){.merged = {0}};
}

/* --- sets --- */

static const struct cas_record *
find_record(const struct bld_cache_doc *d, const struct cas_record *r)
{
	for (size_t i = 0; i < d->records.len; i++) {
		const struct cas_record *x = &d->records.v[i];

		if (stv_digest_equal(&x->key, &r->key) &&
		    stv_digest_equal(&x->parent_chain, &r->parent_chain) &&
		    stv_digest_equal(&x->parent_config, &r->parent_config))
			return x;
	}
	return NULL;
}

static bool
has_answer(const struct bld_cache_doc *d, const struct stv_digest *question)
{
	for (size_t i = 0; i < d->answers.len; i++)
		if (stv_digest_equal(&d->answers.v[i].question, question))
			return true;
	return false;
}

const struct bld_cache_layer *
bld_cache_doc_layer(const struct bld_cache_doc *d,
		    const struct stv_digest *diff_id)
{
	for (size_t i = 0; i < d->layers.len; i++)
		if (stv_digest_equal(&d->layers.v[i].diff_id, diff_id))
			return &d->layers.v[i];
	return NULL;
}

static void
add_layer(struct bld_cache_doc *d, const struct bld_cache_layer *l)
{
	struct bld_cache_layer *copy = stv_vec_push(&d->layers);

	*copy = (struct bld_cache_layer){.diff_id = l->diff_id};
	oci_descriptor_copy(&copy->blob, &l->blob);
}

void
bld_cache_doc_merge(struct bld_cache_doc *dst, const struct bld_cache_doc *src)
{
	for (size_t i = 0; i < src->records.len; i++)
		if (find_record(dst, &src->records.v[i]) == NULL)
			*stv_vec_push(&dst->records) = src->records.v[i];
	for (size_t i = 0; i < src->layers.len; i++)
		if (bld_cache_doc_layer(dst, &src->layers.v[i].diff_id) == NULL)
			add_layer(dst, &src->layers.v[i]);
	for (size_t i = 0; i < src->answers.len; i++)
		if (!has_answer(dst, &src->answers.v[i].question))
			*stv_vec_push(&dst->answers) = src->answers.v[i];
	for (size_t i = 0; i < src->merged.len; i++)
		if (!stv_strs_has(&dst->merged, src->merged.v[i]))
			stv_strs_add(&dst->merged, src->merged.v[i]);
}

static bool
is_needed(const struct bld_cache_doc *d, const struct stv_digest *diff_id)
{
	for (size_t i = 0; i < d->records.len; i++)
		if (d->records.v[i].has_layer &&
		    stv_digest_equal(&d->records.v[i].diff_id, diff_id))
			return true;
	return false;
}

/* Layers that no record needs go. */
static void
drop_layers(struct bld_cache_doc *d, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < d->layers.len; i++) {
		if (n < max && is_needed(d, &d->layers.v[i].diff_id))
			d->layers.v[n++] = d->layers.v[i];
		else
			oci_descriptor_fini(&d->layers.v[i].blob);
	}
	d->layers.len = n;
}

/* Has ${known} the layer that this record needs as well? */
static bool
is_known(const struct bld_cache_doc *known, const struct bld_cache_doc *d,
	 const struct cas_record *r)
{
	const struct cas_record *k = find_record(known, r);

	if (k == NULL || k->has_layer != r->has_layer ||
	    (r->has_layer && !stv_digest_equal(&k->diff_id, &r->diff_id)))
		return false;
	return !r->has_layer || bld_cache_doc_layer(d, &r->diff_id) == NULL ||
	       bld_cache_doc_layer(known, &r->diff_id) != NULL;
}

void
bld_cache_doc_subtract(struct bld_cache_doc *d,
		       const struct bld_cache_doc *known)
{
	size_t n = 0;

	for (size_t i = 0; i < d->records.len; i++)
		if (!is_known(known, d, &d->records.v[i]))
			d->records.v[n++] = d->records.v[i];
	d->records.len = n;
	n = 0;
	for (size_t i = 0; i < d->answers.len; i++)
		if (!has_answer(known, &d->answers.v[i].question))
			d->answers.v[n++] = d->answers.v[i];
	d->answers.len = n;
	drop_layers(d, SIZE_MAX);
}

void
bld_cache_doc_trim(struct bld_cache_doc *d)
{
	if (d->records.len > BLD_CACHE_MAX_RECORDS)
		d->records.len = BLD_CACHE_MAX_RECORDS;
	if (d->answers.len > BLD_CACHE_MAX_ANSWERS)
		d->answers.len = BLD_CACHE_MAX_ANSWERS;
	while (d->merged.len > BLD_CACHE_MAX_MERGED)
		free(d->merged.v[--d->merged.len]);
	drop_layers(d, BLD_CACHE_MAX_LAYERS);
}
