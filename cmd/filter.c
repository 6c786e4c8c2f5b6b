/* cmd/filter.c - which images a list shows. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "cmd/figures.h"
#include "cmd/image.h"

#include "cmd/filter.h"

int64_t
cmd_created(const struct oci_config *c)
{
	int64_t t;

	if (c->created == NULL || cmd_time_parse(c->created, &t) < 0)
		return 0;
	return t;
}

int
cmd_until_parse(const char *text, int64_t *ret, struct stv_err **err)
{
	int64_t ago;
	size_t digits = strspn(text, "0123456789");

	if (cmd_time_parse(text, ret) == 0)
		return 0;
	if (digits > 0 && digits < 18 && text[digits] == '\0') {
		*ret = strtoll(text, NULL, 10);
		return 0;
	}
	if (cmd_duration_parse("until", text, &ago, err) < 0)
		return -1;
	*ret = (int64_t)time(NULL) - ago;
	return 0;
}

/* The creation time of the image that before= and since= name. */
static int
time_of_image(struct cas_store *s, const char *name, int64_t *ret,
	      struct stv_err **err)
{
	stv_auto(oci_config) *c = NULL;
	struct cas_image img;

	if (cmd_image_find(s, name, &img, NULL, err) < 0 ||
	    cmd_image_config(s, &img, &c, err) < 0)
		return -1;
	*ret = cmd_created(c);
	return 0;
}

static int
add_before(struct cmd_filter *f, int64_t t)
{
	if (!f->has_before || t < f->before_s)
		f->before_s = t;
	f->has_before = true;
	return 0;
}

static int
add_since(struct cmd_filter *f, int64_t t)
{
	if (!f->has_since || t > f->since_s)
		f->since_s = t;
	f->has_since = true;
	return 0;
}

static int
add_dangling(struct cmd_filter *f, const char *value, struct stv_err **err)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "1") != 0 &&
	    strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		return stv_fail(err, STV_E_USAGE,
				"--filter dangling is true or false, not '%s'",
				value);
	f->has_dangling = true;
	f->is_dangling = *value == 't' || *value == '1';
	return 0;
}

int
cmd_filter_add(struct cmd_filter *f, struct cas_store *s, const char *text,
	       struct stv_err **err)
{
	const char *eq = strchr(text, '=');
	size_t n = eq != NULL ? (size_t)(eq - text) : strlen(text);
	stv_auto_free char *key = stv_xstrndup(text, n);
	const char *value = eq != NULL ? eq + 1 : "";
	int64_t t;

	if (eq == NULL || *value == '\0')
		return stv_fail(err, STV_E_USAGE,
				"--filter needs NAME=VALUE, "
				"not '%s'",
				text);
	if (strcmp(key, "dangling") == 0)
		return add_dangling(f, value, err);
	if (strcmp(key, "reference") == 0 || strcmp(key, "label") == 0) {
		stv_strs_add(*key == 'r' ? &f->references : &f->labels, value);
		return 0;
	}
	if (strcmp(key, "before") == 0)
		return time_of_image(s, value, &t, err) < 0 ? -1
							    : add_before(f, t);
	if (strcmp(key, "since") == 0)
		return time_of_image(s, value, &t, err) < 0 ? -1
							    : add_since(f, t);
	if (strcmp(key, "until") == 0)
		return cmd_until_parse(value, &t, err) < 0 ? -1
							   : add_before(f, t);
	stv_fail(err, STV_E_USAGE, "there is no filter '%s'", key);
	stv_err_hint(*err, "Known are dangling, reference, label, before, "
			   "since and until.");
	return -1;
}

static bool
has_label(const struct oci_config *c, const char *want)
{
	const char *eq = strchr(want, '=');
	size_t n = eq != NULL ? (size_t)(eq - want) : strlen(want);
	stv_auto_free char *name = stv_xstrndup(want, n);
	const char *value = stv_pairs_get(&c->config.labels, name);

	return value != NULL && (eq == NULL || strcmp(value, eq + 1) == 0);
}

bool
cmd_filter_image(const struct cmd_filter *f, const struct oci_config *c,
		 bool is_dangling)
{
	int64_t created = cmd_created(c);

	if (f->has_dangling && f->is_dangling != is_dangling)
		return false;
	if (f->has_before && created >= f->before_s)
		return false;
	if (f->has_since && created <= f->since_s)
		return false;
	for (size_t i = 0; i < f->labels.len; i++)
		if (!has_label(c, f->labels.v[i]))
			return false;
	return true;
}

bool
cmd_filter_tag(const struct cmd_filter *f, const char *repo,
	       const char *familiar)
{
	for (size_t i = 0; i < f->references.len; i++) {
		const char *pattern = f->references.v[i];

		if (fnmatch(pattern, familiar, FNM_PATHNAME) == 0 ||
		    fnmatch(pattern, repo, FNM_PATHNAME) == 0)
			return true;
	}
	return f->references.len == 0;
}

void
cmd_filter_fini(struct cmd_filter *f)
{
	stv_strs_clear(&f->references);
	stv_strs_clear(&f->labels);
}
