/* cmd/cmd_push.c - stave push: images of the store to a registry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/strs.h"

#include "builder/push.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/registry.h"
#include "cmd/transfer.h"
#include "cmd/verbs.h"

struct push_values {
	const char *authfile;
	const char *platform;
	bool all_tags;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_FLAG("all-tags", 'a', struct push_values, all_tags,
		 "all tags of the repository that are here"),
	CMD_STR("authfile", 0, "FILE", struct push_values, authfile,
		"where credentials are kept"),
	CMD_STR("platform", 0, "OS/ARCH", struct push_values, platform,
		"only the image for this platform (default: all)"),
	CMD_FLAG("quiet", 'q', struct push_values, is_quiet,
		 "print nothing but errors"),
	CMD_MOOT("disable-content-trust"),
	CMD_OPT_END,
};

/* One push, with all that it needs. */
struct push {
	const struct push_values *v;
	struct cas_store *store;
	struct cmd_registry registry;
	struct stv_platform platform; /* of --platform, or os NULL */
};

static void
on_blob(void *arg, const struct stv_digest *blob, enum reg_uploaded how)
{
	static const char *const words[] = {"Layer already exists", "Mounted",
					    "Pushed"};

	cmd_transfer_done(arg, blob, words[how]);
}

static void
on_progress(void *arg, const struct stv_digest *blob, uint64_t now,
	    uint64_t total)
{
	cmd_transfer_move(arg, blob, "Pushing", now, total);
}

static void
print_result(const struct reg_ref *ref, const struct bld_pushed *pushed)
{
	char digest[STV_DIGEST_STR_MAX];

	if (pushed->n_partial > 0)
		cmd_warn("not all platforms of the index are here: %zu %s "
			 "pushed",
			 pushed->n_partial,
			 pushed->n_partial == 1 ? "image was" : "images were");
	printf("%s: digest: %s size: %llu\n", ref->tag,
	       stv_digest_str(&pushed->manifest, digest),
	       (unsigned long long)pushed->manifest_size);
	(void)fflush(stdout);
}

/* The whole name that an image is pushed under. */
static int
push_image(struct push *p, const struct cas_image *image,
	   const struct reg_ref *ref, struct stv_err **err)
{
	stv_auto(cmd_transfer) *shown = NULL;
	struct bld_push_opts o = {.store = p->store,
				  .client = p->registry.client,
				  .how = {.codec = STV_CODEC_GZIP}};
	struct bld_pushed pushed;

	if (p->platform.os != NULL)
		o.platform = &p->platform;
	if (!p->v->is_quiet) {
		printf("The push refers to repository [%s/%s]\n", ref->domain,
		       ref->path);
		(void)fflush(stdout);
		o.arg = shown = cmd_transfer_new(stdout);
		o.on_blob = on_blob;
		o.on_progress = on_progress;
	}
	if (bld_push(&o, image, ref, &pushed, err) < 0)
		return -1;
	cmd_transfer_end(stv_steal(&shown));
	if (!p->v->is_quiet)
		print_result(ref, &pushed);
	return 0;
}

static int
push_one(struct push *p, const char *name, struct stv_err **err)
{
	stv_auto_free char *tag = NULL;
	struct cas_image image;
	reg_auto_ref ref = {0};

	if (reg_ref_parse(name, &ref, err) < 0)
		return -1;
	if (ref.has_digest)
		return stv_fail(err, STV_E_USAGE,
				"an image is pushed by a tag, not by a digest");
	if (cmd_image_find(p->store, name, &image, &tag, err) < 0)
		return -1;
	/* A short name goes where the image came from. */
	if (tag != NULL) {
		reg_ref_fini(&ref);
		if (reg_ref_parse(tag, &ref, err) < 0)
			return -1;
	}
	return push_image(p, &image, &ref, err);
}

/* The tags of one repository, as the images of the store have them. */
struct search {
	struct cas_store *store;
	char *prefix; /* "docker.io/library/x:" */
	struct stv_strs found;
	struct stv_err **err;
};

static int
on_image(void *arg, const struct cas_image *img)
{
	struct search *s = arg;
	struct stv_strs tags = {0};
	int rc = cas_image_tags(s->store, &img->manifest, &tags, s->err);

	for (size_t i = 0; rc == 0 && i < tags.len; i++)
		if (strncmp(tags.v[i], s->prefix, strlen(s->prefix)) == 0)
			stv_strs_add(&s->found, tags.v[i]);
	stv_strs_clear(&tags);
	return rc;
}

static int
push_all_tags(struct push *p, const char *name, struct stv_err **err)
{
	const char *base = strrchr(name, '/');
	struct search s = {.store = p->store, .err = err};
	reg_auto_ref ref = {0};
	int rc;

	base = base == NULL ? name : base + 1;
	if (strpbrk(base, ":@") != NULL)
		return stv_fail(err, STV_E_USAGE,
				"--all-tags: '%s' names one image; leave out "
				"what is behind '%c'",
				name, *strpbrk(base, ":@"));
	if (reg_ref_parse(name, &ref, err) < 0)
		return -1;
	s.prefix = stv_xasprintf("%s/%s:", ref.domain, ref.path);
	rc = cas_image_each(p->store, on_image, &s, err);
	if (rc == 0 && s.found.len == 0)
		rc = stv_fail(err, STV_E_NOT_FOUND,
			      "no image here has a tag of %s", name);
	stv_strs_sort(&s.found);
	for (size_t i = 0; rc == 0 && i < s.found.len; i++)
		rc = push_one(p, s.found.v[i], err);
	stv_strs_clear(&s.found);
	free(s.prefix);
	return rc;
}

static int
push(struct push *p, char **names, int n, struct stv_err **err)
{
	for (int i = 0; i < n; i++) {
		int rc = p->v->all_tags ? push_all_tags(p, names[i], err)
					: push_one(p, names[i], err);

		if (rc < 0)
			return stv_wrap(err, "pushing %s", names[i]);
	}
	return 0;
}

static int
push_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	stv_auto(cas_lease) *lease = NULL;
	struct push_values v = {0};
	struct push p = {.v = &v};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_push, argc, argv, &v, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (v.platform != NULL &&
	    stv_platform_parse(v.platform, &p.platform, err) < 0)
		return stv_wrap(err, "--platform");
	rc = cmd_store_open(cx, &store, err);
	if (rc == 0)
		rc = cas_lease_take(store, &lease, err);
	if (rc == 0)
		rc = cmd_registry_open(v.authfile, &p.registry, err);
	if (rc == 0) {
		p.store = store;
		stv_cancel_catch(true);
		rc = stv_cancel_end(push(&p, argv + 1, n, err), err);
	}
	cmd_registry_close(&p.registry);
	stv_platform_fini(&p.platform);
	return rc < 0 ? -1 : CMD_DONE;
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
