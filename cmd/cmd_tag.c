/* cmd/cmd_tag.c - stave tag: another name for an image. */
#include "core/cleanup.h"
#include "core/err.h"

#include "cache/meta.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

static const struct cmd_opt opts[] = {CMD_OPT_END};

static int
tag_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_lease) *lease = NULL;
	stv_auto(cas_store) *store = NULL;
	stv_auto_free char *tag = NULL;
	struct cas_image img;
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_tag, argc, argv, NULL, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_tag_normal(argv[2], &tag, err) < 0 ||
	    cmd_store_open(cx, &store, err) < 0 ||
	    cas_lease_take(store, &lease, err) < 0 ||
	    cmd_image_find(store, argv[1], &img, NULL, err) < 0)
		return -1;
	rc = cas_tag_set(store, tag, &img.manifest, err);
	cas_lease_drop(stv_steal(&lease));
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_tag = {
	.name = "tag",
	.args = "IMAGE NAME[:TAG]",
	.summary = "Give an image another name",
	.opts = opts,
	.min_args = 2,
	.max_args = 2,
	.run = tag_run,
};
