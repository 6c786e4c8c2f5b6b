/* cmd/targets.c - which images a build makes: --target and --tag. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "cmd/image.h"

#include "cmd/targets.h"

size_t
cmd_targets_find(const struct cmd_targets *t, const char *stage)
{
	size_t i;

	for (i = 0; i < t->list.len; i++) {
		const char *have = t->list.v[i].stage;

		if (stage == NULL
			    ? have == NULL
			    : have != NULL && strcasecmp(have, stage) == 0)
			break;
	}
	return i;
}

/* The target of a stage, a new one where there is none. */
static struct bld_target *
get(struct cmd_targets *t, const char *stage)
{
	size_t i = cmd_targets_find(t, stage);
	struct bld_target *new;

	if (i < t->list.len)
		return &t->list.v[i];
	new = stv_vec_push(&t->list);
	if (stage != NULL) {
		stv_strs_add(&t->stages, stage);
		new->stage = t->stages.v[t->stages.len - 1];
	}
	return new;
}

/* The target that a tag is for, and its name alone. */
static int
split_tag(const char *text, const struct stv_strs *stages,
	  struct cmd_targets *t, struct bld_target **ret, char **ret_name,
	  struct stv_err **err)
{
	const char *eq = strchr(text, '=');

	if (eq != NULL && eq[1] == '\0') {
		stv_fail(err, STV_E_USAGE, "--tag '%s' names no stage", text);
		stv_err_hint(*err, "Write NAME=STAGE, or NAME for the last "
				   "stage.");
		return -1;
	}
	if (eq != NULL) {
		*ret = get(t, eq + 1);
		*ret_name = stv_xstrndup(text, (size_t)(eq - text));
		return 0;
	}
	if (t->list.len > 1 && stages->len > 1) {
		stv_fail(err, STV_E_USAGE,
			 "--tag '%s' could be for each of several targets",
			 text);
		stv_err_hint(*err, "Write --tag %s=STAGE.", text);
		return -1;
	}
	*ret = get(t, stages->len > 0 ? stages->v[0] : NULL);
	*ret_name = stv_xstrdup(text);
	return 0;
}

static bool
is_used(const struct cmd_targets *t, const char *tag)
{
	for (size_t i = 0; i < t->list.len; i++)
		if (stv_strs_has(&t->list.v[i].tags, tag))
			return true;
	return false;
}

static int
add_tag(const char *text, const struct stv_strs *stages, struct cmd_targets *t,
	struct stv_err **err)
{
	stv_auto_free char *name = NULL, *tag = NULL;
	struct bld_target *target;

	if (split_tag(text, stages, t, &target, &name, err) < 0)
		return -1;
	if (cmd_tag_normal(name, &tag, err) < 0)
		return stv_wrap(err, "--tag '%s'", text);
	if (stv_strs_has(&target->tags, tag))
		return 0;
	if (is_used(t, tag))
		return stv_fail(err, STV_E_USAGE,
				"--tag '%s': another target has this name",
				text);
	stv_strs_add(&target->tags, tag);
	return 0;
}

/* Is there a tag of the form NAME? */
static bool
has_plain_tag(const struct stv_strs *tags)
{
	for (size_t i = 0; i < tags->len; i++)
		if (strchr(tags->v[i], '=') == NULL)
			return true;
	return false;
}

int
cmd_targets_make(const struct stv_strs *stages, const struct stv_strs *tags,
		 struct cmd_targets *ret, struct stv_err **err)
{
	struct stv_strs named = {0};
	int rc = 0;

	/* Docker's: scripts write --target "$T". */
	for (size_t i = 0; i < stages->len; i++)
		if (*stages->v[i] != '\0')
			stv_strs_add(&named, stages->v[i]);
	for (size_t i = 0; i < named.len; i++)
		(void)get(ret, named.v[i]);
	if (named.len == 0 && (tags->len == 0 || has_plain_tag(tags)))
		(void)get(ret, NULL);
	for (size_t i = 0; rc == 0 && i < tags->len; i++)
		rc = add_tag(tags->v[i], &named, ret, err);
	stv_strs_clear(&named);
	return rc;
}

void
cmd_targets_fini(struct cmd_targets *t)
{
	for (size_t i = 0; i < t->list.len; i++)
		stv_strs_clear(&t->list.v[i].tags);
	stv_vec_fini(&t->list);
	stv_strs_clear(&t->stages);
}
