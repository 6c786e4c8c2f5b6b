/* cmd/image.c - finding an image by what the user typed, and reading it. */
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"

#include "cache/blob.h"
#include "cache/meta.h"
#include "cache/platforms.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/image.h"
#include "cmd/registry.h"

/* Fewer digits than this are no ID that anybody means. */
#define MIN_ID_DIGITS 4

int
cmd_tag_normal(const char *name, char **ret, struct stv_err **err)
{
	reg_auto_ref ref = {0};

	if (reg_ref_parse(name, &ref, err) < 0)
		return -1;
	if (ref.has_digest) {
		stv_fail(err, STV_E_USAGE,
			 "'%s' has a digest, which is no part of a new name",
			 name);
		stv_err_hint(*err, "Leave out what is behind the '@'.");
		return -1;
	}
	*ret = reg_ref_tagged(&ref);
	return 0;
}

char *
cmd_tag_familiar(const char *tag)
{
	struct stv_err *err = NULL;
	reg_auto_ref ref = {0};

	if (reg_ref_parse(tag, &ref, &err) == 0)
		return reg_ref_familiar(&ref);
	stv_err_free(err);
	return stv_xstrdup(tag);
}

static bool
is_hex(const char *s, size_t *ret_len)
{
	size_t n = strspn(s, "0123456789abcdef");

	*ret_len = n;
	return n >= MIN_ID_DIGITS && n <= STV_SHA256_HEX_LEN && s[n] == '\0';
}

/* 1 where ${name} is a name and it or its digest is here. */
static int
find_by_ref(struct cas_store *s, const char *name, struct cas_image *ret,
	    char **ret_tag, struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX];
	stv_auto_free char *tag = NULL;
	struct stv_err *not_a_name = NULL;
	reg_auto_ref ref = {0};
	int found;

	if (reg_ref_parse(name, &ref, &not_a_name) < 0) {
		stv_err_free(not_a_name);
		return 0;
	}
	if (ref.has_digest)
		return cas_image_find(s, stv_digest_hex(&ref.digest, hex), ret,
				      err);
	tag = reg_ref_tagged(&ref);
	found = cas_tag_get(s, tag, ret, err);
	if (found == 1 && ret_tag != NULL)
		*ret_tag = stv_steal(&tag);
	return found;
}

/* As registries.conf has it: an alias, or on one of several registries. */
static int
find_by_short_name(struct cas_store *s, const char *name, struct cas_image *ret,
		   char **ret_tag, struct stv_err **err)
{
	struct stv_err *ignored = NULL;
	struct stv_strs names = {0};
	int found = 0;

	/* What is wrong with name or file is said by who asks a registry. */
	if (cmd_registry_names(NULL, name, &names, &ignored) < 0)
		stv_err_clear(&ignored);
	for (size_t i = 0; i < names.len && found == 0; i++)
		found = find_by_ref(s, names.v[i], ret, ret_tag, err);
	stv_strs_clear(&names);
	return found;
}

int
cmd_image_find(struct cas_store *s, const char *name, struct cas_image *ret,
	       char **ret_tag, struct stv_err **err)
{
	bool is_digest = strncmp(name, "sha256:", 7) == 0;
	const char *digits = is_digest ? name + 7 : name;
	size_t n;
	int found = 0;

	if (ret_tag != NULL)
		*ret_tag = NULL;
	if (s != NULL && !is_digest)
		found = find_by_ref(s, name, ret, ret_tag, err);
	if (found == 0 && s != NULL && is_hex(digits, &n))
		found = cas_image_find(s, digits, ret, err);
	if (found == 0 && s != NULL && !is_digest)
		found = find_by_short_name(s, name, ret, ret_tag, err);
	if (found != 0)
		return found < 0 ? -1 : 0;
	stv_fail(err, STV_E_NOT_FOUND, "no such image: %s", name);
	stv_err_hint(*err, "'stave images' lists those that are here.");
	return -1;
}

char *
cmd_image_platforms(struct cas_store *s, const struct cas_image *img,
		    size_t *ret_n, struct stv_err **err)
{
	struct stv_buf b = STV_BUF_INIT((size_t)64 << 10);
	cas_auto_parts parts = {NULL};
	size_t n = 0;

	if (cas_parts_read(s, &img->manifest, &parts, err) < 0)
		return NULL;
	for (size_t i = 0; i < parts.len; i++) {
		stv_auto_free char *one = NULL;

		if (!cas_part_is_image(&parts.v[i]))
			continue;
		one = stv_platform_str(&parts.v[i].manifest.platform);
		stv_buf_addf(&b, "%s%s", n++ > 0 ? ", " : "", one);
	}
	if (ret_n != NULL)
		*ret_n = n;
	return stv_buf_take(&b);
}

int
cmd_image_for(struct cas_store *s, const char *name, const char *platform,
	      struct cas_image *img, struct stv_err **err)
{
	stv_auto_free char *want = NULL, *have = NULL;
	struct stv_platform p = {0};
	int r;

	if (platform == NULL)
		return 0;
	if (stv_platform_parse(platform, &p, err) < 0)
		return stv_wrap(err, "--platform");
	want = stv_platform_str(&p);
	r = cas_image_for(s, img, &p, img, err);
	stv_platform_fini(&p);
	if (r != 0)
		return r < 0 ? -1 : 0;
	have = cmd_image_platforms(s, img, NULL, err);
	if (have == NULL)
		return -1;
	stv_fail(err, STV_E_NOT_FOUND, "'%s' is here for %s, not for %s", name,
		 have, want);
	stv_err_hint(*err, "'stave pull --platform %s %s' fetches it.", want,
		     name);
	return -1;
}

static int
read_config(struct cas_store *s, const struct cas_image *img,
	    struct stv_buf *ret, struct stv_err **err)
{
	char d[STV_DIGEST_STR_MAX];

	if (cas_blob_read(s, &img->config, STV_MAX_CONFIG, ret, err) < 0)
		return stv_wrap(err, "reading the config %s",
				stv_digest_str(&img->config, d));
	return 0;
}

int
cmd_image_config(struct cas_store *s, const struct cas_image *img,
		 struct oci_config **ret, struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_CONFIG);

	if (read_config(s, img, &b, err) < 0)
		return -1;
	return oci_config_parse(stv_buf_str(&b), b.len, ret, err);
}

json_t *
cmd_image_raw_config(struct cas_store *s, const struct cas_image *img,
		     struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_CONFIG);

	if (read_config(s, img, &b, err) < 0)
		return NULL;
	return stv_json_parse(stv_buf_str(&b), b.len, "the image config", err);
}

const char *
cmd_id_str(const struct stv_digest *d, bool is_full,
	   char buf[STV_DIGEST_STR_MAX])
{
	if (is_full)
		return stv_digest_str(d, buf);
	stv_digest_hex(d, buf);
	buf[CMD_SHORT_ID] = '\0';
	return buf;
}
