/* cmd/cache_opts.c - --cache-from and --cache-to of stave build. */
#include <stdlib.h>
#include <string.h>

#include "core/bool.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "parser/csv.h"
#include "parser/words.h"

#include "cmd/opts.h"

#include "cmd/cache_opts.h"

#define FROM 1U
#define TO 2U

#define REGISTRY (1U << BLD_CACHE_REGISTRY)
#define LOCAL (1U << BLD_CACHE_LOCAL)
#define INLINE (1U << BLD_CACHE_INLINE)

static const char *const kind_names[] = {
	[BLD_CACHE_REGISTRY] = "registry",
	[BLD_CACHE_LOCAL] = "local",
	[BLD_CACHE_INLINE] = "inline",
};

/* One field being taken. */
struct field {
	struct cmd_cache *c;
	const char *option; /* "--cache-to" */
	const char *name;
	const char *value;
};

static int
fail_field(const struct field *f, const char *hint, struct stv_err **err)
{
	stv_fail(err, STV_E_USAGE, "%s: %s=%s is not possible", f->option,
		 f->name, f->value);
	stv_err_hint(*err, "%s", hint);
	return -1;
}

static int
parse_switch(const struct field *f, bool *ret, struct stv_err **err)
{
	int is = stv_bool_parse(f->value, strlen(f->value));

	if (is < 0)
		return fail_field(f, "Write true or false.", err);
	*ret = is == 1;
	return 0;
}

static int
take_ref(const struct field *f, struct stv_err **err)
{
	reg_ref_fini(&f->c->ref);
	if (reg_ref_parse(f->value, &f->c->ref, err) < 0)
		return stv_wrap(err, "%s", f->option);
	if (f->c->ref.has_digest && strcmp(f->option, "--cache-to") == 0)
		return fail_field(f, "A cache is written under a tag.", err);
	return 0;
}

static int
take_dir(const struct field *f, struct stv_err **err)
{
	if (*f->value == '\0')
		return fail_field(f, "Name a directory.", err);
	free(f->c->dir);
	f->c->dir = stv_xstrdup(f->value);
	return 0;
}

static int
take_tag(const struct field *f, struct stv_err **err)
{
	if (*f->value == '\0')
		return fail_field(f, "Name a tag, or leave it out.", err);
	free(f->c->tag);
	f->c->tag = stv_xstrdup(f->value);
	return 0;
}

static int
take_mode(const struct field *f, struct stv_err **err)
{
	f->c->is_max = strcmp(f->value, "max") == 0;
	if (f->c->is_max || strcmp(f->value, "min") == 0)
		return 0;
	return fail_field(f, "Choose min or max.", err);
}

static int
take_compression(const struct field *f, struct stv_err **err)
{
	if (strcmp(f->value, "gzip") == 0)
		f->c->how.codec = STV_CODEC_GZIP;
	else if (strcmp(f->value, "zstd") == 0)
		f->c->how.codec = STV_CODEC_ZSTD;
	else if (strcmp(f->value, "uncompressed") == 0 ||
		 strcmp(f->value, "none") == 0)
		f->c->how.codec = STV_CODEC_NONE;
	else
		return fail_field(f, "Choose gzip, zstd or none.", err);
	return 0;
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
	f->c->how.level = level;
	return 0;
}

static int
take_force(const struct field *f, struct stv_err **err)
{
	bool is_on = false;

	if (parse_switch(f, &is_on, err) < 0)
		return -1;
	return is_on ? fail_field(f,
				  "Layers that came compressed go on as they "
				  "are.",
				  err)
		     : 0;
}

static int
take_ignore(const struct field *f, struct stv_err **err)
{
	return parse_switch(f, &f->c->is_error_ignored, err);
}

/* What always is so can be asked for. */
static int
take_always(const struct field *f, struct stv_err **err)
{
	bool is_on = false;

	if (parse_switch(f, &is_on, err) < 0)
		return -1;
	return is_on ? 0
		     : fail_field(f, "A cache is always an OCI manifest.", err);
}

static const struct key {
	const char *name;
	unsigned kinds;
	unsigned options;
	int (*take)(const struct field *f, struct stv_err **err);
} keys[] = {
	{"ref", REGISTRY, FROM | TO, take_ref},
	{"src", LOCAL, FROM, take_dir},
	{"dest", LOCAL, TO, take_dir},
	{"tag", LOCAL, FROM | TO, take_tag},
	{"mode", REGISTRY | LOCAL, TO, take_mode},
	{"compression", REGISTRY | LOCAL, TO, take_compression},
	{"compression-level", REGISTRY | LOCAL, TO, take_level},
	{"force-compression", REGISTRY | LOCAL, TO, take_force},
	{"ignore-error", REGISTRY | LOCAL, TO, take_ignore},
	{"image-manifest", REGISTRY | LOCAL, TO, take_always},
	{"oci-mediatypes", REGISTRY | LOCAL, TO, take_always},
};

static int
take_field(const struct field *f, unsigned option, struct stv_err **err)
{
	const char *names[STV_ARRAY_LEN(keys)], *near;
	size_t n = 0;

	for (size_t i = 0; i < STV_ARRAY_LEN(keys); i++) {
		if ((keys[i].kinds & (1U << f->c->kind)) == 0 ||
		    (keys[i].options & option) == 0)
			continue;
		if (strcmp(keys[i].name, f->name) == 0)
			return keys[i].take(f, err);
		names[n++] = keys[i].name;
	}
	near = cmd_nearest(f->name, names, n);
	stv_fail(err, STV_E_USAGE, "%s: type=%s has no option '%s'", f->option,
		 kind_names[f->c->kind], f->name);
	if (near != NULL)
		stv_err_hint(*err, "Did you mean '%s'?", near);
	else
		stv_err_hint(*err, "stave-build(1) lists what each type "
				   "takes.");
	return -1;
}

static int
take_type(const struct field *f, struct stv_err **err)
{
	static const char *const foreign[] = {"gha", "s3", "azblob"};

	for (size_t i = 0; i < STV_ARRAY_LEN(kind_names); i++)
		if (strcmp(kind_names[i], f->value) == 0) {
			f->c->kind = (enum bld_cache_kind)i;
			return 0;
		}
	for (size_t i = 0; i < STV_ARRAY_LEN(foreign); i++)
		if (strcmp(foreign[i], f->value) == 0)
			return fail_field(f,
					  "stave keeps caches in registries "
					  "and directories: choose registry, "
					  "local or inline.",
					  err);
	return fail_field(f, "Choose registry, local or inline.", err);
}

/* Is all there that the type needs? */
static int
check(const struct cmd_cache *c, const char *option, unsigned which,
      struct stv_err **err)
{
	if (c->kind == BLD_CACHE_REGISTRY && c->ref.path == NULL) {
		stv_fail(err, STV_E_USAGE,
			 "%s: type=registry needs a ref=", option);
		stv_err_hint(*err, "Write type=registry,ref=NAME:TAG.");
		return -1;
	}
	if (c->kind == BLD_CACHE_LOCAL && c->dir == NULL)
		return stv_fail(err, STV_E_USAGE,
				"%s: type=local needs a %s=", option,
				which == FROM ? "src" : "dest");
	if (c->kind == BLD_CACHE_INLINE && which == FROM) {
		stv_fail(err, STV_E_USAGE,
			 "--cache-from: type=inline does not say where");
		stv_err_hint(*err, "Write type=registry,ref=IMAGE.");
		return -1;
	}
	if (c->how.level > stv_codec_max_level(c->how.codec))
		return stv_fail(err, STV_E_USAGE,
				"%s: compression-level=%d is above %s's %d",
				option, c->how.level,
				stv_codec_name(c->how.codec),
				stv_codec_max_level(c->how.codec));
	return 0;
}

/* The fields: first the type, which says what others mean. */
static int
take_fields(const struct stv_strs *fields, struct cmd_cache *c,
	    const char *option, unsigned which, struct stv_err **err)
{
	bool has_type = false;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < fields->len; i++) {
			stv_auto_free char *name = NULL;
			struct field f = {.c = c, .option = option};
			bool is_type;

			f.value = df_pair_split(fields->v[i], &name);
			f.name = name;
			if (f.value == NULL)
				return stv_fail(err, STV_E_USAGE,
						"%s: '%s' is not NAME=VALUE",
						option, fields->v[i]);
			is_type = strcmp(name, "type") == 0;
			has_type |= is_type;
			if (is_type && pass == 0 && take_type(&f, err) < 0)
				return -1;
			if (!is_type && pass == 1 &&
			    take_field(&f, which, err) < 0)
				return -1;
		}
		if (!has_type)
			return stv_fail(err, STV_E_USAGE,
					"%s needs a type=", option);
	}
	return check(c, option, which, err);
}

static int
parse(const char *s, const char *option, unsigned which, struct cmd_cache *c,
      struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs fields = {0};
	struct field alone = {
		.c = c, .option = option, .name = "ref", .value = s};

	*c = (struct cmd_cache){.how = {.codec = STV_CODEC_GZIP}};
	if (*s == '\0')
		return stv_fail(err, STV_E_USAGE, "%s is empty", option);
	if (strchr(s, '=') == NULL)
		return take_ref(&alone, err);
	if (df_csv_split(s, &fields, err) < 0) {
		stv_err_clear(err);
		return stv_fail(err, STV_E_USAGE,
				"%s: a quote in '%s' is misplaced", option, s);
	}
	return take_fields(&fields, c, option, which, err);
}

int
cmd_caches_make(const struct stv_strs *from, const struct stv_strs *to,
		struct cmd_caches *ret, struct stv_err **err)
{
	for (size_t i = 0; i < from->len; i++)
		if (parse(from->v[i], "--cache-from", FROM,
			  stv_vec_push(&ret->list), err) < 0)
			return -1;
	for (size_t i = 0; i < to->len; i++)
		if (parse(to->v[i], "--cache-to", TO, stv_vec_push(&ret->list),
			  err) < 0)
			return -1;
	/* The list does not move any more. */
	for (size_t i = 0; i < ret->list.len; i++) {
		const struct cmd_cache *c = &ret->list.v[i];

		if (i < from->len)
			*stv_vec_push(&ret->from) =
				(struct bld_cache_from){.kind = c->kind,
							.ref = &c->ref,
							.dir = c->dir,
							.tag = c->tag};
		else
			*stv_vec_push(&ret->to) = (struct bld_cache_to){
				.kind = c->kind,
				.ref = &c->ref,
				.dir = c->dir,
				.tag = c->tag,
				.is_max = c->is_max,
				.how = c->how,
				.is_error_ignored = c->is_error_ignored};
	}
	return 0;
}

bool
cmd_caches_has_inline(const struct cmd_caches *c)
{
	for (size_t i = 0; i < c->to.len; i++)
		if (c->to.v[i].kind == BLD_CACHE_INLINE)
			return true;
	return false;
}

void
cmd_caches_fini(struct cmd_caches *c)
{
	for (size_t i = 0; i < c->list.len; i++) {
		reg_ref_fini(&c->list.v[i].ref);
		free(c->list.v[i].dir);
		free(c->list.v[i].tag);
	}
	stv_vec_fini(&c->list);
	stv_vec_fini(&c->from);
	stv_vec_fini(&c->to);
}
