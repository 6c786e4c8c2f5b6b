/* cmd/annotation.c - annotations of an image, as --annotation names them. */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "cmd/annotation.h"

static int
check_platform(const char *what, const char *text,
	       const struct stv_platform *platform, struct stv_err **err)
{
	struct stv_platform want = {0};
	bool is_ours;

	if (platform == NULL) {
		stv_fail(err, STV_E_USAGE,
			 "%s: one of several platforms cannot be annotated "
			 "alone",
			 what);
		stv_err_hint(*err, "Leave out what is in brackets.");
		return -1;
	}
	if (stv_platform_parse(text, &want, err) < 0)
		return stv_wrap(err, "%s", what);
	is_ours = stv_platform_match(&want, platform);
	stv_platform_fini(&want);
	if (is_ours)
		return 0;
	return stv_fail(err, STV_E_USAGE,
			"%s: the image is not built for platform %s", what,
			text);
}

static int
refuse_index(const char *what, const char *place, struct stv_err **err)
{
	stv_fail(err, STV_E_USAGE,
		 "%s: an image of one platform has no index that '%s' could "
		 "annotate",
		 what, place);
	stv_err_hint(*err, "Annotate the manifest or the "
			   "manifest-descriptor.");
	return -1;
}

int
cmd_annotation_add(const char *what, const char *place, const char *key,
		   const char *value, const struct stv_platform *platform,
		   struct cmd_annotations *ret, struct stv_err **err)
{
	size_t n = strcspn(place, "["), len = strlen(place);
	stv_auto_free char *name = stv_xstrndup(place, n);

	if (*key == '\0')
		return stv_fail(err, STV_E_USAGE, "%s: there is no key", what);
	if (place[n] == '[') {
		stv_auto_free char *text = NULL;

		if (place[len - 1] != ']')
			return stv_fail(err, STV_E_USAGE,
					"%s: '%s' lacks its ']'", what, place);
		text = stv_xstrndup(place + n + 1, len - n - 2);
		if (check_platform(what, text, platform, err) < 0)
			return -1;
	}
	if (strcmp(name, "index") == 0 ||
	    strcmp(name, "index-descriptor") == 0) {
		if (platform != NULL)
			return refuse_index(what, name, err);
		stv_pairs_set(name[5] == '-' ? &ret->index_descriptor
					     : &ret->index,
			      key, value);
		return 0;
	}
	if (*name == '\0' || strcmp(name, "manifest") == 0) {
		stv_pairs_set(&ret->manifest, key, value);
		return 0;
	}
	if (strcmp(name, "manifest-descriptor") == 0) {
		stv_pairs_set(&ret->descriptor, key, value);
		return 0;
	}
	stv_fail(err, STV_E_USAGE, "%s: there is no annotation type '%s'", what,
		 name);
	stv_err_hint(*err, "Choose manifest or manifest-descriptor.");
	return -1;
}

int
cmd_annotation_parse(const char *s, const struct stv_platform *platform,
		     struct cmd_annotations *ret, struct stv_err **err)
{
	size_t n = strcspn(s, "="), n_places = strcspn(s, ":=");
	const char *key = s[n_places] == ':' ? s + n_places + 1 : s;
	const char *at = s[n_places] == ':' ? s : ":";
	stv_auto_free char *name = NULL;

	if (s[n] == '\0') {
		stv_fail(err, STV_E_USAGE, "--annotation: '%s' has no value",
			 s);
		stv_err_hint(*err, "Write KEY=VALUE.");
		return -1;
	}
	name = stv_xstrndup(key, (size_t)(s + n - key));
	for (;;) {
		size_t len = strcspn(at, ",:");
		stv_auto_free char *place = stv_xstrndup(at, len);

		if (cmd_annotation_add("--annotation", place, name, s + n + 1,
				       platform, ret, err) < 0)
			return -1;
		if (at[len] != ',')
			return 0;
		at += len + 1;
	}
}

void
cmd_annotations_fini(struct cmd_annotations *a)
{
	stv_pairs_clear(&a->manifest);
	stv_pairs_clear(&a->descriptor);
	stv_pairs_clear(&a->index);
	stv_pairs_clear(&a->index_descriptor);
}
