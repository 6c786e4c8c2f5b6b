/* cmd/cmd_copy.c - stave copy: from one registry to another. */
#include <stdio.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/oci.h"

#include "builder/transfer.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/registry.h"
#include "cmd/verbs.h"

struct copy_values {
	const char *platform;
	const char *authfile;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_STR("authfile", 0, "FILE", struct copy_values, authfile,
		"where credentials are kept"),
	CMD_STR("platform", 0, "OS/ARCH", struct copy_values, platform,
		"only the image for this platform"),
	CMD_FLAG("quiet", 'q', struct copy_values, is_quiet,
		 "print nothing but errors"),
	CMD_LATER("all-tags", 'a'),
	CMD_OPT_END,
};

static void
on_blob(void *arg, const struct stv_digest *blob, enum reg_uploaded how)
{
	static const char *const words[] = {"Already exists", "Mounted",
					    "Copied"};
	char id[STV_DIGEST_STR_MAX];

	(void)arg;
	printf("%s: %s\n", cmd_id_str(blob, false, id), words[how]);
	(void)fflush(stdout);
}

static void
print_result(const char *name, const struct bld_transferred *t)
{
	char digest[STV_DIGEST_STR_MAX];

	if (t->n_foreign > 0)
		cmd_warn("%zu layers are only at their URLs and were not "
			 "copied",
			 t->n_foreign);
	printf("Digest: %s\n%s\n", stv_digest_str(&t->digest, digest), name);
}

static int
copy(const struct copy_values *o, const struct reg_ref *src,
     const struct reg_ref *dst, struct stv_err **err)
{
	stv_auto_free char *from = reg_ref_str(src), *to = reg_ref_str(dst);
	cmd_auto_registry registry = {0};
	struct stv_platform platform = {0};
	struct bld_transfer_opts t = {.on_blob = o->is_quiet ? NULL : on_blob};
	struct bld_transferred done = {.sent = 0};
	int rc;

	if (o->platform != NULL) {
		if (stv_platform_parse(o->platform, &platform, err) < 0)
			return -1;
		t.platform = &platform;
	}
	rc = cmd_registry_open(o->authfile, &registry, err);
	if (rc == 0) {
		t.client = registry.client;
		if (!o->is_quiet)
			printf("Copying %s to %s\n", from, to);
		stv_cancel_catch(true);
		rc = bld_transfer(&t, src, dst, &done, err);
		rc = stv_cancel_end(rc, err);
	}
	stv_platform_fini(&platform);
	if (rc < 0)
		return stv_wrap(err, "copying %s to %s", from, to);
	if (!o->is_quiet)
		print_result(to, &done);
	return CMD_DONE;
}

static int
copy_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct copy_values o = {0};
	reg_auto_ref src = {0}, dst = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_copy, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_registry_ref(argv[1], &src, err) < 0 ||
	    cmd_registry_ref(argv[2], &dst, err) < 0)
		return -1;
	return copy(&o, &src, &dst, err);
}

const struct cmd_verb cmd_verb_copy = {
	.name = "copy",
	.args = "SOURCE DESTINATION",
	.summary = "Copy an image from one registry to another",
	.opts = opts,
	.min_args = 2,
	.max_args = 2,
	.run = copy_run,
};
