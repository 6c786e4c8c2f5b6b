/* cmd/cmd_import.c - stave import: an image of the files in a tar. */
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/strs.h"

#include "cache/archive_load.h"
#include "cache/store.h"

#include "cmd/changes.h"
#include "cmd/ctx.h"
#include "cmd/files.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct import_values {
	struct stv_strs changes;
	const char *message;
	const char *platform;
};

static const struct cmd_opt opts[] = {
	CMD_LIST("change", 'c', "INSTRUCTION", struct import_values, changes,
		 "apply an instruction of a Dockerfile to the config"),
	CMD_STR("message", 'm', "TEXT", struct import_values, message,
		"the comment in the history"),
	CMD_STR("platform", 0, "OS/ARCH", struct import_values, platform,
		"the platform of the image (default: this one)"),
	CMD_OPT_END,
};

/* The config but for its layer: platform, history, changes. */
static int
make_config(const struct import_values *o, const char *file,
	    struct oci_config *c, struct stv_err **err)
{
	struct oci_history *h;
	int64_t now;

	if (o->platform == NULL)
		stv_platform_host(&c->platform);
	else if (stv_platform_parse(o->platform, &c->platform, err) < 0)
		return -1;
	for (size_t i = 0; i < o->changes.len; i++)
		if (cmd_change_apply(&c->config, o->changes.v[i], err) < 0)
			return -1;
	if (cmd_now(&now, err) < 0)
		return -1;
	c->created = oci_time(now, 0);
	h = oci_config_add_history(c);
	h->created = stv_xstrdup(c->created);
	h->comment = o->message != NULL
			     ? stv_xstrdup(o->message)
			     : stv_xasprintf("Imported from %s", file);
	return 0;
}

/* Everything that can be wrong is found before the tar is read. */
static int
import(struct cmd_ctx *cx, const struct import_values *o, const char *file,
       const struct stv_strs *tags, struct stv_err **err)
{
	stv_auto(oci_config) *config = stv_xcalloc(1, sizeof(*config));
	stv_auto(cas_store) *store = NULL;
	stv_auto(stv_in) *in = NULL;
	char id[STV_DIGEST_STR_MAX];
	struct cas_image img;
	stv_auto_fd fd = -1;

	if (strstr(file, "://") != NULL)
		return stv_fail(err, STV_E_USAGE,
				"importing from a URL is not supported yet by "
				"this version");
	if (make_config(o, file, config, err) < 0 ||
	    cmd_input_open(file, "a tar", &fd, err) < 0 ||
	    cmd_store_open(cx, &store, err) < 0)
		return -1;
	in = stv_in_fd(fd);
	if (cas_import(store, in, config, tags, &img, err) < 0)
		return stv_wrap(err, "importing %s", file);
	printf("%s\n", stv_digest_str(&img.config, id));
	return 0;
}

static int
import_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct import_values o = {0};
	struct stv_strs tags = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_import, argc, argv, &o, &n, err);
	if (rc == CMD_PARSED && n > 1) {
		char *tag = NULL;

		rc = cmd_tag_normal(argv[2], &tag, err);
		if (rc == 0)
			stv_strs_take(&tags, tag);
	}
	if (rc == CMD_PARSED)
		rc = import(cx, &o, argv[1], &tags, err);
	stv_strs_clear(&tags);
	cmd_opts_fini(opts, &o);
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_import = {
	.name = "import",
	.args = "FILE | - [NAME[:TAG]]",
	.summary = "Make an image of the files in a tar",
	.opts = opts,
	.min_args = 1,
	.max_args = 2,
	.run = import_run,
};
