/* cmd/output.c - one --output of stave build. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/bool.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "parser/csv.h"
#include "parser/words.h"

#include "cmd/image.h"
#include "cmd/opts.h"

#include "cmd/output.h"

#define OF(type) (1U << (type))
#define OF_ARCHIVE (OF(CMD_OUTPUT_OCI) | OF(CMD_OUTPUT_DOCKER))
#define OF_PUSH (OF(CMD_OUTPUT_IMAGE) | OF(CMD_OUTPUT_REGISTRY))
#define OF_IMAGE (OF_ARCHIVE | OF_PUSH)
#define OF_FILES (OF(CMD_OUTPUT_TAR) | OF(CMD_OUTPUT_LOCAL))
#define OF_DEST (OF_ARCHIVE | OF_FILES)

static const char *const type_names[] = {
	[CMD_OUTPUT_IMAGE] = "image",	    [CMD_OUTPUT_OCI] = "oci",
	[CMD_OUTPUT_DOCKER] = "docker",	    [CMD_OUTPUT_TAR] = "tar",
	[CMD_OUTPUT_LOCAL] = "local",	    [CMD_OUTPUT_CACHE] = "cacheonly",
	[CMD_OUTPUT_REGISTRY] = "registry",
};

/* One field being taken. */
struct field {
	struct cmd_output *o;
	const char *name;
	const char *value;
};

static int
fail_field(const struct field *f, const char *hint, struct stv_err **err)
{
	stv_fail(err, STV_E_USAGE, "--output: %s=%s is not possible", f->name,
		 f->value);
	stv_err_hint(*err, "%s", hint);
	return -1;
}

/* Nothing at all is true. */
static int
parse_switch(const struct field *f, bool *ret, struct stv_err **err)
{
	int is = *f->value == '\0' ? 1
				   : stv_bool_parse(f->value, strlen(f->value));

	if (is < 0)
		return fail_field(f, "Write true or false.", err);
	*ret = is == 1;
	return 0;
}

static int
take_switch(const struct field *f, enum cmd_switch *ret, struct stv_err **err)
{
	bool is_on = false;

	if (parse_switch(f, &is_on, err) < 0)
		return -1;
	*ret = is_on ? CMD_ON : CMD_OFF;
	return 0;
}

static int
take_text(const struct field *f, char **ret, struct stv_err **err)
{
	if (*f->value == '\0')
		return stv_fail(err, STV_E_USAGE, "--output: %s= is empty",
				f->name);
	free(*ret);
	*ret = stv_xstrdup(f->value);
	return 0;
}

static int
take_dest(const struct field *f, struct stv_err **err)
{
	return take_text(f, &f->o->dest, err);
}

static int
take_target(const struct field *f, struct stv_err **err)
{
	return take_text(f, &f->o->target, err);
}

/* "a,b:2": as -t, but for this output. */
static int
take_name(const struct field *f, struct stv_err **err)
{
	const char *at = f->value;

	for (size_t n; *at != '\0'; at += n + (at[n] == ',')) {
		stv_auto_free char *word = NULL, *tag = NULL;

		n = strcspn(at, ",");
		word = stv_xstrndup(at, n);
		if (cmd_tag_normal(word, &tag, err) < 0)
			return stv_wrap(err, "--output: name=%s", f->value);
		if (!stv_strs_has(&f->o->names, tag))
			stv_strs_add(&f->o->names, tag);
	}
	return 0;
}

static int
take_tar(const struct field *f, struct stv_err **err)
{
	bool is_tar = true;

	if (parse_switch(f, &is_tar, err) < 0)
		return -1;
	f->o->is_dir = !is_tar;
	if (f->o->type == CMD_OUTPUT_DOCKER && f->o->is_dir)
		return fail_field(f,
				  "docker loads a tar only; write "
				  "type=oci,tar=false for a directory.",
				  err);
	return 0;
}

static int
take_compression(const struct field *f, struct stv_err **err)
{
	static const struct {
		const char *name;
		enum stv_codec codec;
	} all[] = {
		{"gzip", STV_CODEC_GZIP},
		{"zstd", STV_CODEC_ZSTD},
		{"uncompressed", STV_CODEC_NONE},
		{"none", STV_CODEC_NONE},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(all); i++)
		if (strcmp(all[i].name, f->value) == 0) {
			f->o->compression.codec = all[i].codec;
			f->o->has_compression = true;
			return 0;
		}
	return fail_field(f, "Choose gzip, zstd or none.", err);
}

static int
take_level(const struct field *f, struct stv_err **err)
{
	size_t n = strspn(f->value, "0123456789");
	int level = n > 2 ? 0 : (int)strtol(f->value, NULL, 10);

	if (f->value[n] != '\0' || level == 0)
		return fail_field(f,
				  "Write 1 (fast) to 9 for gzip, to 22 for "
				  "zstd.",
				  err);
	f->o->compression.level = level;
	return 0;
}

static int
take_force(const struct field *f, struct stv_err **err)
{
	return parse_switch(f, &f->o->is_forced, err);
}

static int
take_rewrite(const struct field *f, struct stv_err **err)
{
	return take_switch(f, &f->o->rewrite_timestamp, err);
}

static int
take_oci_types(const struct field *f, struct stv_err **err)
{
	return take_switch(f, &f->o->oci_types, err);
}

static int
take_split(const struct field *f, struct stv_err **err)
{
	return take_switch(f, &f->o->split, err);
}

/* Only what happens anyway can be asked for. */
static int
take_push(const struct field *f, struct stv_err **err)
{
	if (parse_switch(f, &f->o->is_pushed, err) < 0)
		return -1;
	if (f->o->type == CMD_OUTPUT_REGISTRY && !f->o->is_pushed)
		return fail_field(f,
				  "type=registry is a push: write "
				  "type=image.",
				  err);
	return 0;
}

static int
take_by_digest(const struct field *f, struct stv_err **err)
{
	return parse_switch(f, &f->o->is_by_digest, err);
}

/* NAME@DIGEST is what a push by digest is called anyway. */
static int
take_canonical(const struct field *f, struct stv_err **err)
{
	bool is_on = false;

	if (parse_switch(f, &is_on, err) < 0)
		return -1;
	f->o->has_canonical = is_on;
	return 0;
}

static const struct key {
	const char *name;
	unsigned int types;
	int (*take)(const struct field *f, struct stv_err **err);
} keys[] = {
	{"dest", OF_DEST, take_dest},
	{"target", OF_IMAGE | OF_FILES, take_target},
	{"name", OF_IMAGE, take_name},
	{"tar", OF_ARCHIVE, take_tar},
	{"compression", OF_IMAGE, take_compression},
	{"compression-level", OF_IMAGE, take_level},
	{"force-compression", OF_IMAGE, take_force},
	{"oci-mediatypes", OF_IMAGE, take_oci_types},
	{"rewrite-timestamp", OF_IMAGE | OF_FILES, take_rewrite},
	{"platform-split", OF_FILES, take_split},
	{"push", OF_PUSH, take_push},
	{"push-by-digest", OF_PUSH, take_by_digest},
	{"name-canonical", OF_PUSH, take_canonical},
};

static int
unknown_key(const struct field *f, struct stv_err **err)
{
	const char *names[STV_ARRAY_LEN(keys)], *near;
	bool is_elsewhere = false;
	size_t n = 0;

	for (size_t i = 0; i < STV_ARRAY_LEN(keys); i++) {
		if ((keys[i].types & OF(f->o->type)) != 0)
			names[n++] = keys[i].name;
		else if (strcmp(keys[i].name, f->name) == 0)
			is_elsewhere = true;
	}
	near = cmd_nearest(f->name, names, n);
	stv_fail(err, STV_E_USAGE, "--output: type=%s has no option '%s'",
		 type_names[f->o->type], f->name);
	if (is_elsewhere)
		stv_err_hint(*err, "Other types have it: see stave-build(1).");
	else if (near != NULL)
		stv_err_hint(*err, "Did you mean '%s'?", near);
	else
		stv_err_hint(*err, "stave-build(1) lists what each type "
				   "takes.");
	return -1;
}

/* annotation.KEY, annotation-PLACE.KEY, annotation-PLACE[PLATFORM].KEY */
static int
take_annotation(const struct field *f, const struct stv_platform *platform,
		struct stv_err **err)
{
	const char *place = f->name + strlen("annotation");
	size_t n = strcspn(place, ".[");
	stv_auto_free char *where = NULL;

	if (place[n] == '[')
		n += strcspn(place + n, "]") + 1;
	if (n >= strlen(place) || place[n] != '.')
		return unknown_key(f, err);
	if (*place == '-') {
		place++;
		n--;
	}
	where = stv_xstrndup(place, n);
	return cmd_annotation_add("--output", where, place + n + 1, f->value,
				  platform, &f->o->annotations, err);
}

static int
take_field(const struct field *f, const struct stv_platform *platform,
	   struct stv_err **err)
{
	if (strncmp(f->name, "annotation", 10) == 0 &&
	    strchr(".-[", f->name[10]) != NULL && f->name[10] != '\0') {
		if ((OF(f->o->type) & OF_IMAGE) != 0)
			return take_annotation(f, platform, err);
		stv_fail(err, STV_E_USAGE,
			 "--output: type=%s has no annotations of its own",
			 type_names[f->o->type]);
		stv_err_hint(*err, "Write --annotation KEY=VALUE.");
		return -1;
	}
	for (size_t i = 0; i < STV_ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, f->name) == 0 &&
		    (keys[i].types & OF(f->o->type)) != 0)
			return keys[i].take(f, err);
	return unknown_key(f, err);
}

static int
take_type(const char *name, struct cmd_output *o, struct stv_err **err)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(type_names); i++)
		if (strcmp(type_names[i], name) == 0) {
			o->type = (enum cmd_output_type)i;
			return 0;
		}
	stv_fail(err, STV_E_USAGE, "--output: there is no type '%s'", name);
	stv_err_hint(*err, "Choose one of oci, docker, tar, local, image, "
			   "registry, cacheonly.");
	return -1;
}

/* "key=value" with the key as buildx sees it; an annotation's keeps its case.
 */
static const char *
split_field(const char *text, char **ret_name)
{
	const char *value = df_pair_split(text, ret_name);
	char *name = *ret_name, *end;
	size_t blanks;

	if (value == NULL)
		return NULL;
	blanks = strspn(name, " \t");
	memmove(name, name + blanks, strlen(name + blanks) + 1);
	end = name + strlen(name);
	while (end > name && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	for (char *p = name; *p != '\0' && *p != '.'; p++)
		*p = (char)tolower((unsigned char)*p);
	return value;
}

static int
check_compression(const struct cmd_output *o, struct stv_err **err)
{
	const struct stv_compression *c = &o->compression;

	if (c->level != 0 && c->codec == STV_CODEC_NONE)
		return stv_fail(err, STV_E_USAGE,
				"--output: compression=none has no "
				"compression-level");
	if (c->level > stv_codec_max_level(c->codec)) {
		stv_fail(err, STV_E_USAGE,
			 "--output: compression-level=%d is above %s's %d",
			 c->level, stv_codec_name(c->codec),
			 stv_codec_max_level(c->codec));
		stv_err_hint(*err, "Write at most %d.",
			     stv_codec_max_level(c->codec));
		return -1;
	}
	if (o->oci_types == CMD_OFF &&
	    (c->codec == STV_CODEC_ZSTD || o->annotations.manifest.len > 0)) {
		stv_fail(err, STV_E_USAGE,
			 "--output: docker's media types know neither zstd nor "
			 "annotations");
		stv_err_hint(*err, "Leave oci-mediatypes=false out.");
		return -1;
	}
	return 0;
}

/* Is there something that only a push can do? */
static int
check_push(const struct cmd_output *o, struct stv_err **err)
{
	if (o->type == CMD_OUTPUT_IMAGE && !o->is_pushed &&
	    (o->has_compression || o->is_forced || o->compression.level != 0 ||
	     o->oci_types != CMD_UNSET || o->is_by_digest ||
	     o->annotations.manifest.len + o->annotations.descriptor.len > 0)) {
		stv_fail(err, STV_E_USAGE,
			 "--output: type=image without push=true is the store, "
			 "where nothing is compressed or annotated for an "
			 "output");
		stv_err_hint(*err, "Add push=true, or write "
				   "type=oci,dest=FILE.");
		return -1;
	}
	if (o->has_canonical && !o->is_by_digest)
		return stv_fail(
			err, STV_E_USAGE,
			"--output: name-canonical=true is possible with "
			"push-by-digest=true only");
	return 0;
}

/* docker without a place: its engine gets the image as it is in the store. */
static int
check_engine(struct cmd_output *o, struct stv_err **err)
{
	if (o->has_compression || o->is_forced || o->compression.level != 0 ||
	    o->oci_types != CMD_UNSET ||
	    o->annotations.manifest.len + o->annotations.descriptor.len > 0) {
		stv_fail(err, STV_E_USAGE,
			 "--output: type=docker without dest= is docker's "
			 "engine, for which nothing is compressed, annotated "
			 "or given other media types");
		stv_err_hint(*err, "Write dest=FILE.");
		return -1;
	}
	o->type = CMD_OUTPUT_ENGINE;
	return 0;
}

static int
check_output(struct cmd_output *o, struct stv_err **err)
{
	o->is_pushed |= o->type == CMD_OUTPUT_REGISTRY;
	if (check_push(o, err) < 0)
		return -1;
	if (o->type == CMD_OUTPUT_DOCKER && o->dest == NULL)
		return check_engine(o, err);
	if ((o->type == CMD_OUTPUT_LOCAL || o->is_dir) &&
	    (o->dest == NULL || strcmp(o->dest, "-") == 0))
		return stv_fail(err, STV_E_USAGE,
				"--output: type=%s%s needs a directory as "
				"dest=",
				type_names[o->type],
				o->is_dir ? ",tar=false" : "");
	if ((OF(o->type) & OF_DEST) != 0 && o->dest == NULL)
		o->dest = stv_xstrdup("-");
	return check_compression(o, err);
}

/* The fields of one --output: first the type, which says what others mean. */
static int
take_fields(const struct stv_strs *fields, const struct stv_platform *platform,
	    struct cmd_output *o, struct stv_err **err)
{
	bool has_type = false;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < fields->len; i++) {
			stv_auto_free char *name = NULL;
			const char *value = split_field(fields->v[i], &name);
			struct field f = {o, name, value};
			bool is_type;

			if (value == NULL)
				return stv_fail(err, STV_E_USAGE,
						"--output: '%s' is not "
						"NAME=VALUE",
						fields->v[i]);
			is_type = strcmp(name, "type") == 0;
			has_type |= is_type;
			if (is_type && pass == 0 &&
			    take_type(value, o, err) < 0)
				return -1;
			if (!is_type && pass == 1 &&
			    take_field(&f, platform, err) < 0)
				return -1;
		}
		if (!has_type)
			return stv_fail(err, STV_E_USAGE,
					"--output needs a type=");
	}
	return check_output(o, err);
}

int
cmd_output_parse(const char *s, const struct stv_platform *platform,
		 struct cmd_output *ret, struct stv_err **err)
{
	struct stv_strs fields = {0};
	int rc;

	*ret = (struct cmd_output){.compression = {.codec = STV_CODEC_GZIP}};
	if (*s == '\0')
		return stv_fail(err, STV_E_USAGE, "--output is empty");
	if (df_csv_split(s, &fields, err) < 0) {
		stv_err_clear(err);
		rc = stv_fail(err, STV_E_USAGE,
			      "--output: a quote in '%s' is misplaced", s);
	} else if (fields.len == 1 && strcmp(fields.v[0], s) == 0 &&
		   strchr(s, '=') == NULL) {
		ret->type =
			strcmp(s, "-") == 0 ? CMD_OUTPUT_TAR : CMD_OUTPUT_LOCAL;
		ret->dest = stv_xstrdup(s);
		rc = 0;
	} else {
		rc = take_fields(&fields, platform, ret, err);
	}
	stv_strs_clear(&fields);
	return rc;
}

void
cmd_output_load(struct cmd_output *ret)
{
	*ret = (struct cmd_output){.type = CMD_OUTPUT_ENGINE};
}

void
cmd_output_fini(struct cmd_output *o)
{
	free(o->dest);
	free(o->target);
	stv_strs_clear(&o->names);
	cmd_annotations_fini(&o->annotations);
}

bool
cmd_output_needs_image(const struct cmd_output *o)
{
	return o->type == CMD_OUTPUT_IMAGE || o->type == CMD_OUTPUT_OCI ||
	       o->type == CMD_OUTPUT_DOCKER || o->type == CMD_OUTPUT_REGISTRY ||
	       o->type == CMD_OUTPUT_ENGINE;
}

bool
cmd_output_has_docker_types(const struct cmd_output *o)
{
	if (o->oci_types != CMD_UNSET)
		return o->oci_types == CMD_OFF;
	return o->type == CMD_OUTPUT_DOCKER &&
	       o->compression.codec != STV_CODEC_ZSTD &&
	       o->annotations.manifest.len == 0;
}
