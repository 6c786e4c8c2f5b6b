/* cmd/cmd_push.c - stave push: an image of the store to a registry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"

#include "builder/push.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/registry.h"
#include "cmd/verbs.h"

struct push_values {
	const char *authfile;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_STR("authfile", 0, "FILE", struct push_values, authfile,
		"where credentials are kept"),
	CMD_FLAG("quiet", 'q', struct push_values, is_quiet,
		 "print nothing but errors"),
	CMD_LATER("all-tags", 'a'),
	CMD_LATER_STR("platform", 0),
	CMD_MOOT("disable-content-trust"),
	CMD_OPT_END,
};

static void
on_blob(void *arg, const struct stv_digest *blob, enum reg_uploaded how)
{
	static const char *const words[] = {"Layer already exists", "Mounted",
					    "Pushed"};
	char id[STV_DIGEST_STR_MAX];

	(void)arg;
	printf("%s: %s\n", cmd_id_str(blob, false, id), words[how]);
	(void)fflush(stdout);
}

static int
push_one(const struct push_values *o, struct cas_store *store,
	 struct reg_client *client, const char *name, struct stv_err **err)
{
	struct bld_push_opts p = {.store = store,
				  .client = client,
				  .how = {.codec = STV_CODEC_GZIP},
				  .on_blob = o->is_quiet ? NULL : on_blob};
	char digest[STV_DIGEST_STR_MAX];
	struct cas_image image;
	struct bld_pushed pushed;
	reg_auto_ref ref = {0};
	int rc;

	if (reg_ref_parse(name, &ref, err) < 0)
		return -1;
	if (ref.has_digest)
		return stv_fail(err, STV_E_USAGE,
				"an image is pushed by a tag, not by a digest");
	if (cmd_image_find(store, name, &image, NULL, err) < 0)
		return -1;
	if (!o->is_quiet)
		printf("The push refers to repository [%s/%s]\n", ref.domain,
		       ref.path);
	rc = bld_push(&p, &image, &ref, &pushed, err);
	if (rc == 0 && !o->is_quiet)
		printf("%s: digest: %s size: %llu\n", ref.tag,
		       stv_digest_str(&pushed.manifest, digest),
		       (unsigned long long)pushed.manifest_size);
	return rc;
}

static int
push(struct cmd_ctx *cx, const struct push_values *o, char **names, int n,
     struct stv_err **err)
{
	cmd_auto_registry registry = {0};
	stv_auto(cas_store) *store = NULL;
	stv_auto(cas_lease) *lease = NULL;
	int rc = cmd_store_open(cx, &store, err);

	if (rc == 0)
		rc = cas_lease_take(store, &lease, err);
	if (rc == 0)
		rc = cmd_registry_open(o->authfile, &registry, err);
	if (rc < 0)
		return -1;
	stv_cancel_catch(true);
	for (int i = 0; rc == 0 && i < n; i++)
		if (push_one(o, store, registry.client, names[i], err) < 0)
			rc = stv_wrap(err, "pushing %s", names[i]);
	rc = stv_cancel_end(rc, err);
	return rc < 0 ? -1 : CMD_DONE;
}

static int
push_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct push_values o = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_push, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	return push(cx, &o, argv + 1, n, err);
}

const struct cmd_verb cmd_verb_push = {
	.name = "push",
	.args = "IMAGE [IMAGE...]",
	.summary = "Send images to a registry",
	.opts = opts,
	.min_args = 1,
	.max_args = CMD_ANY_NUMBER,
	.run = push_run,
};
