/* cmd/cmd_rmi.c - stave rmi: remove names, and images without any left. */
#include <stdio.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/strs.h"

#include "cache/gc.h"
#include "cache/meta.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct rmi_values {
	bool is_forced;
};

static const struct cmd_opt opts[] = {
	CMD_FLAG("force", 'f', struct rmi_values, is_forced,
		 "also an ID that has several names; no error where there is "
		 "no such image"),
	CMD_MOOT("no-prune"),
	CMD_LATER_STR("platform", 0),
	CMD_OPT_END,
};

static void
say_untagged(const char *tag)
{
	stv_auto_free char *name = cmd_tag_familiar(tag);

	printf("Untagged: %s\n", name);
}

static int
delete_image(struct cas_store *s, const struct cas_image *img,
	     const struct stv_strs *tags, struct stv_err **err)
{
	char d[STV_DIGEST_STR_MAX];

	if (cas_image_remove(s, &img->manifest, err) < 0)
		return -1;
	for (size_t i = 0; i < tags->len; i++)
		say_untagged(tags->v[i]);
	printf("Deleted: %s\n", stv_digest_str(&img->config, d));
	return 0;
}

/* By a tag: the tag, and the image if it was the last one.  By an ID: all. */
static int
remove_one(struct cas_store *s, const char *name, bool is_forced,
	   struct stv_err **err)
{
	stv_auto_free char *tag = NULL;
	struct stv_strs tags = {0};
	struct cas_image img;
	int rc = -1;

	if (cmd_image_find(s, name, &img, &tag, err) < 0 ||
	    cas_image_tags(s, &img.manifest, &tags, err) < 0)
		goto out;
	if (tag != NULL && tags.len > 1) {
		rc = cas_tag_remove(s, tag, err) < 0 ? -1 : 0;
		if (rc == 0)
			say_untagged(tag);
	} else if (tag == NULL && tags.len > 1 && !is_forced) {
		stv_fail(err, STV_E_INPUT,
			 "cannot delete %s: %zu names refer to it", name,
			 tags.len);
		stv_err_hint(*err, "Name the ones to remove, or use --force to "
				   "remove all of them.");
	} else {
		rc = delete_image(s, &img, &tags, err);
	}
out:
	stv_strs_clear(&tags);
	return rc;
}

static int
rmi_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	struct cas_gc_result swept = {0};
	struct rmi_values o = {0};
	int n, rc, status = CMD_DONE;

	rc = cmd_opts_parse(cx, &cmd_verb_rmi, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_store_open(cx, &store, err) < 0)
		return -1;
	for (int i = 1; i <= n; i++) {
		struct stv_err *failed = NULL;

		if (remove_one(store, argv[i], o.is_forced, &failed) == 0)
			continue;
		if (!o.is_forced || stv_err_code(failed) != STV_E_NOT_FOUND)
			status = cmd_exit_status(failed);
		cmd_print_error(failed, NULL);
		stv_err_free(failed);
	}
	/* gives the space back, unless a build is running: then it does */
	if (cas_gc(store, &(struct cas_gc_opts){0}, &swept, err) < 0)
		return -1;
	return status;
}

const struct cmd_verb cmd_verb_rmi = {
	.name = "rmi",
	.args = "IMAGE [IMAGE...]",
	.summary = "Remove images",
	.opts = opts,
	.min_args = 1,
	.max_args = CMD_ANY_NUMBER,
	.run = rmi_run,
};
