/* cmd/cmd_pull.c - stave pull: an image from a registry into the store. */
#include <stdio.h>
#include <string.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/oci.h"

#include "builder/pull.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/registry.h"
#include "cmd/verbs.h"

struct pull_values {
	const char *platform;
	const char *authfile;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_STR("authfile", 0, "FILE", struct pull_values, authfile,
		"where credentials are kept"),
	CMD_STR("platform", 0, "OS/ARCH", struct pull_values, platform,
		"the platform of the image"),
	CMD_FLAG("quiet", 'q', struct pull_values, is_quiet,
		 "print the image's name only"),
	CMD_LATER("all-tags", 'a'),
	CMD_MOOT("disable-content-trust"),
	CMD_OPT_END,
};

static void
on_layer(void *arg, enum bld_pull_moment m, const struct stv_digest *blob,
	 uint64_t now, uint64_t size)
{
	char id[STV_DIGEST_STR_MAX];

	(void)arg;
	(void)now;
	(void)size;
	if (m == BLD_PULL_LAYER_HERE)
		printf("%s: Already exists\n", cmd_id_str(blob, false, id));
	else if (m == BLD_PULL_LAYER_DONE)
		printf("%s: Pull complete\n", cmd_id_str(blob, false, id));
	(void)fflush(stdout);
}

static void
print_result(const struct reg_ref *ref, const struct bld_pulled *p)
{
	stv_auto_free char *shown = reg_ref_familiar(ref);
	char digest[STV_DIGEST_STR_MAX];

	printf("Digest: %s\n", stv_digest_str(&p->image.manifest, digest));
	printf("Status: %s %s\n",
	       p->is_new ? "Downloaded newer image for"
			 : "Image is up to date for",
	       shown);
}

static int
pull(struct cmd_ctx *cx, const struct pull_values *o, const char *name,
     struct stv_err **err)
{
	cmd_auto_registry registry = {0};
	stv_auto(cas_store) *store = NULL;
	stv_auto(cas_lease) *lease = NULL;
	struct stv_platform platform = {0};
	stv_auto_free char *full = NULL;
	reg_auto_ref ref = {0};
	struct bld_pulled pulled = {.downloaded = 0};
	int rc;

	if (reg_ref_parse(name, &ref, err) < 0)
		return -1;
	if (o->platform == NULL)
		stv_platform_host(&platform);
	else if (stv_platform_parse(o->platform, &platform, err) < 0)
		return -1;
	full = reg_ref_str(&ref);
	rc = cmd_store_open(cx, &store, err);
	if (rc == 0)
		rc = cas_lease_take(store, &lease, err);
	if (rc == 0)
		rc = cmd_registry_open(o->authfile, &registry, err);
	if (rc == 0) {
		struct bld_pull_opts p = {.store = store,
					  .client = registry.client,
					  .platform = &platform,
					  .must_match = o->platform != NULL,
					  .on_layer = o->is_quiet ? NULL
								  : on_layer};

		if (!o->is_quiet)
			printf("Pulling %s\n", full);
		stv_cancel_catch(true);
		rc = bld_pull(&p, &ref, &pulled, err);
		rc = stv_cancel_end(rc, err);
	}
	if (rc == 0 && pulled.is_other) {
		stv_auto_free char *want = stv_platform_str(&platform);

		cmd_warn("the image is not for this machine's platform, %s",
			 want);
	}
	stv_platform_fini(&platform);
	if (rc < 0)
		return stv_wrap(err, "pulling %s", full);
	if (!o->is_quiet)
		print_result(&ref, &pulled);
	printf("%s\n", full);
	return CMD_DONE;
}

static int
pull_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct pull_values o = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_pull, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	return pull(cx, &o, argv[1], err);
}

const struct cmd_verb cmd_verb_pull = {
	.name = "pull",
	.args = "IMAGE",
	.summary = "Fetch an image from a registry",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.run = pull_run,
};
