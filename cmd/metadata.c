/* cmd/metadata.c - a build's results for programs. */
#include <jansson.h>
#include <string.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/json.h"

#include "builder/build.h"
#include "builder/platforms.h"

#include "cmd/export.h"

#include "cmd/metadata.h"

#define MAX_NAMES ((size_t)1 << 20)

void
cmd_metadata_ids(const struct cmd_made *made, struct stv_buf *ret)
{
	char id[STV_DIGEST_STR_MAX];

	for (size_t i = 0; i < made->n; i++)
		stv_buf_addf(ret, "%s%s", i > 0 ? "\n" : "",
			     stv_digest_str(cmd_made_id(made, i), id));
}

/* The image as an output has it, else as the store has it. */
static json_t *
descriptor_json(const struct cmd_made *made, size_t i)
{
	const struct oci_descriptor *w = &made->written[i];
	bool is_written = w->media_type != NULL;
	bool is_index = made->n_platforms > 0;
	char digest[STV_DIGEST_STR_MAX];
	json_t *v, *annotations;

	stv_digest_str(is_written ? &w->digest
		       : is_index ? &made->indexes[i].image.manifest
				  : &made->results[i].image.manifest,
		       digest);
	v = json_object();
	(void)json_object_set_new(v, "mediaType",
				  json_string(is_written ? w->media_type
					      : is_index ? OCI_MT_INDEX
							 : OCI_MT_MANIFEST));
	(void)json_object_set_new(v, "digest", json_string(digest));
	(void)json_object_set_new(
		v, "size",
		json_integer((
			json_int_t)(is_written ? w->size
				    : is_index
					    ? made->indexes[i].manifest_size
					    : made->results[i].manifest_size)));
	if (w->annotations.len == 0)
		return v;
	annotations = json_object();
	for (size_t k = 0; k < w->annotations.len; k++)
		(void)json_object_set_new(
			annotations, w->annotations.v[k].name,
			stv_json_str(w->annotations.v[k].value));
	(void)json_object_set_new(v, "annotations", annotations);
	return v;
}

static json_t *
target_json(const struct cmd_made *made, size_t i)
{
	stv_auto_buf text = STV_BUF_INIT(MAX_NAMES);
	const struct stv_strs *tags = &made->targets[i].tags;
	const struct bld_result *r =
		&made->results[i * (cmd_made_results(made) / made->n)];
	json_t *v = json_object(), *d = descriptor_json(made, i);
	char config[STV_DIGEST_STR_MAX];

	if (r->build_id != NULL) {
		stv_buf_addf(&text, "stave/local/%s", r->build_id);
		(void)json_object_set_new(v, "buildx.build.ref",
					  json_string(stv_buf_str(&text)));
		stv_buf_truncate(&text, 0);
	}
	if (made->n_platforms == 0)
		(void)json_object_set_new(
			v, "containerimage.config.digest",
			json_string(stv_digest_str(&r->image.config, config)));
	(void)json_object_set(v, "containerimage.digest",
			      json_object_get(d, "digest"));
	(void)json_object_set_new(v, "containerimage.descriptor", d);
	for (size_t k = 0; k < tags->len; k++)
		stv_buf_addf(&text, "%s%s", k > 0 ? "," : "", tags->v[k]);
	if (text.len > 0)
		(void)json_object_set_new(v, "image.name",
					  json_string(stv_buf_str(&text)));
	return v;
}

void
cmd_metadata_json(const struct cmd_made *made, json_t *warnings,
		  struct stv_buf *ret)
{
	json_t *v;

	if (made->n == 1) {
		v = target_json(made, 0);
	} else {
		v = json_object();
		for (size_t i = 0; i < made->n; i++) {
			const char *stage = made->targets[i].stage;

			(void)json_object_set_new(
				v, stage != NULL ? stage : "default",
				target_json(made, i));
		}
	}
	if (warnings != NULL)
		(void)json_object_set_new(v, "buildx.build.warnings", warnings);
	stv_json_dump(v, ret);
	stv_buf_addc(ret, '\n');
	json_decref(v);
}
