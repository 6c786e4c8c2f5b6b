/* cmd/cmd_pull.c - stave pull: an image from a registry into the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/strs.h"

#include "builder/pull.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/build_request.h"
#include "cmd/ctx.h"
#include "cmd/fetch.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/registry.h"
#include "cmd/transfer.h"
#include "cmd/verbs.h"

struct pull_values {
	const char *platform;
	const char *authfile;
	bool all_platforms;
	bool all_tags;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_FLAG("all-platforms", 0, struct pull_values, all_platforms,
		 "all images of an index, and what belongs to them"),
	CMD_FLAG("all-tags", 'a', struct pull_values, all_tags,
		 "all tags of the repository"),
	CMD_STR("authfile", 0, "FILE", struct pull_values, authfile,
		"where credentials are kept"),
	CMD_STR("platform", 0, "OS/ARCH", struct pull_values, platform,
		"the platform of the image"),
	CMD_FLAG("quiet", 'q', struct pull_values, is_quiet,
		 "print the image's name only"),
	CMD_MOOT("disable-content-trust"),
	CMD_OPT_END,
};

/* One pull, with all that it needs. */
struct pull {
	const struct pull_values *v;
	struct cas_store *store;
	struct cmd_registry registry;
	struct stv_platform platform;
};

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

/* An image that is no index is taken for whatever platform it is. */
static int
warn_of_platform(const struct pull *p, const struct cas_image *img,
		 struct stv_err **err)
{
	stv_auto_free char *want = NULL, *have = NULL;
	stv_auto(oci_config) *c = NULL;

	if (p->v->all_platforms)
		return 0;
	if (cmd_image_config(p->store, img, &c, err) < 0)
		return -1;
	if (stv_platform_match(&p->platform, &c->platform))
		return 0;
	want = stv_platform_str(&p->platform);
	have = stv_platform_str(&c->platform);
	cmd_warn("the image is for %s, not for %s", have, want);
	return 0;
}

/* One image by its whole name. */
static int
pull_name(struct pull *p, const char *name, struct stv_err **err)
{
	struct bld_pull_opts o = {
		.store = p->store,
		.client = p->registry.client,
		.platform = p->v->all_platforms ? NULL : &p->platform,
		.must_match = p->v->platform != NULL,
	};
	stv_auto(cmd_transfer) *shown = NULL;
	struct bld_pulled pulled = {.downloaded = 0};
	reg_auto_ref ref = {0};

	if (reg_ref_parse(name, &ref, err) < 0)
		return -1;
	if (!p->v->is_quiet) {
		printf("Pulling %s\n", name);
		(void)fflush(stdout);
		o.arg = shown = cmd_transfer_new(stdout);
		o.on_layer = cmd_fetch_on_layer;
	}
	if (bld_pull(&o, &ref, &pulled, err) < 0)
		return stv_wrap(err, "pulling %s", name);
	cmd_transfer_end(stv_steal(&shown));
	if (!p->v->is_quiet)
		print_result(&ref, &pulled);
	return warn_of_platform(p, &pulled.image, err);
}

/* The names that have a tag of ${repo} each, which has none. */
static int
list_tags(struct pull *p, const char *repo, struct stv_strs *ret,
	  struct stv_err **err)
{
	struct stv_strs tags = {0};
	reg_auto_ref ref = {0};
	int rc = reg_ref_parse(repo, &ref, err);

	if (rc == 0)
		rc = reg_client_tags(p->registry.client, &ref, &tags, err);
	if (rc == 0 && tags.len == 0)
		rc = stv_fail(err, STV_E_NOT_FOUND, "%s/%s has no tags",
			      ref.domain, ref.path);
	for (size_t i = 0; rc == 0 && i < tags.len; i++)
		stv_strs_take(ret, stv_xasprintf("%s/%s:%s", ref.domain,
						 ref.path, tags.v[i]));
	stv_strs_clear(&tags);
	return rc;
}

/* All tags of a repository, or the one image; the last line says which. */
static int
pull_whole(void *arg, const char *name, struct stv_err **err)
{
	struct pull *p = arg;
	struct stv_strs names = {0};
	reg_auto_ref ref = {0};
	int rc = 0;

	if (p->v->all_tags)
		rc = list_tags(p, name, &names, err);
	else
		stv_strs_add(&names, name);
	for (size_t i = 0; rc == 0 && i < names.len; i++)
		rc = pull_name(p, names.v[i], err);
	stv_strs_clear(&names);
	if (rc == 0)
		rc = reg_ref_parse(name, &ref, err);
	if (rc < 0)
		return -1;
	if (p->v->all_tags)
		printf("%s/%s\n", ref.domain, ref.path);
	else
		printf("%s\n", name);
	return 0;
}

static int
check(const struct pull_values *v, const char *name, struct stv_err **err)
{
	const char *base = strrchr(name, '/');

	base = base == NULL ? name : base + 1;
	if (v->all_tags && strpbrk(base, ":@") != NULL)
		return stv_fail(err, STV_E_USAGE,
				"--all-tags: '%s' names one image; leave out "
				"what is behind '%c'",
				name, *strpbrk(base, ":@"));
	if (v->all_platforms && v->platform != NULL)
		return stv_fail(err, STV_E_USAGE,
				"--platform and --all-platforms contradict "
				"each other");
	return 0;
}

static int
pull_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	stv_auto(cas_lease) *lease = NULL;
	struct pull_values v = {0};
	struct pull p = {.v = &v};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_pull, argc, argv, &v, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (check(&v, argv[1], err) < 0)
		return -1;
	rc = cmd_request_platform(v.platform, &p.platform, err);
	if (rc == 0)
		stv_platform_host(&p.platform);
	if (rc >= 0)
		rc = cmd_store_open(cx, &store, err);
	if (rc == 0)
		rc = cas_lease_take(store, &lease, err);
	if (rc == 0)
		rc = cmd_registry_open(v.authfile, &p.registry, err);
	if (rc == 0) {
		p.store = store;
		stv_cancel_catch(true);
		rc = cmd_fetch_first(store, argv[1], pull_whole, &p, err);
		rc = stv_cancel_end(rc, err);
	}
	cmd_registry_close(&p.registry);
	stv_platform_fini(&p.platform);
	return rc < 0 ? -1 : CMD_DONE;
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
