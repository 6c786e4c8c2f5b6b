/* cmd/cmd_manifest.c - stave manifest create, annotate, push, rm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"

#include "builder/manifest_list.h"
#include "cache/list.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/manifest.h"
#include "cmd/opts.h"
#include "cmd/registry.h"
#include "cmd/verbs.h"

struct manifest_values {
	const char *authfile;
	const char *arch;
	const char *os;
	const char *os_version;
	const char *variant;
	struct stv_strs os_features;
	bool is_amended;
	bool is_purged;
	bool is_insecure;
};

#define AUTHFILE                                                               \
	CMD_STR("authfile", 0, "FILE", struct manifest_values, authfile,       \
		"where credentials are kept")
#define INSECURE                                                               \
	CMD_FLAG("insecure", 0, struct manifest_values, is_insecure,           \
		 "refused: registries.conf says it")

static const struct cmd_opt create_opts[] = {
	CMD_FLAG("amend", 'a', struct manifest_values, is_amended,
		 "add to a list that is there"),
	AUTHFILE,
	INSECURE,
	CMD_OPT_END,
};

static const struct cmd_opt annotate_opts[] = {
	CMD_STR("arch", 0, "ARCH", struct manifest_values, arch,
		"the architecture"),
	CMD_STR("os", 0, "OS", struct manifest_values, os,
		"the operating system"),
	CMD_LIST("os-features", 0, "FEATURE", struct manifest_values,
		 os_features, "a feature that it needs; repeatable"),
	CMD_STR("os-version", 0, "VERSION", struct manifest_values, os_version,
		"its version"),
	CMD_STR("variant", 0, "VARIANT", struct manifest_values, variant,
		"the variant of the architecture"),
	CMD_OPT_END,
};

static const struct cmd_opt push_opts[] = {
	AUTHFILE,
	INSECURE,
	CMD_FLAG("purge", 'p', struct manifest_values, is_purged,
		 "remove the list here once it is pushed"),
	CMD_OPT_END,
};

static const struct cmd_opt rm_opts[] = {CMD_OPT_END};

int
cmd_manifest_refuse_insecure(bool is_insecure, struct stv_err **err)
{
	if (!is_insecure)
		return 0;
	stv_fail(err, STV_E_USAGE, "--insecure is not for one command");
	stv_err_hint(*err, "Say 'insecure = true' for the registry in "
			   "registries.conf, stave-registries(5); the "
			   "registries of this machine need nothing.");
	return -1;
}

/* What all of them need: a store, a lease on it, perhaps registries. */
struct desk {
	struct cas_store *store;
	struct cas_lease *lease;
	struct cmd_registry registry;
	struct bld_lists lists;
};

static int
desk_open(struct cmd_ctx *cx, struct desk *d, struct stv_err **err)
{
	if (cmd_store_open(cx, &d->store, err) < 0 ||
	    cas_lease_take(d->store, &d->lease, err) < 0)
		return -1;
	d->lists.store = d->store;
	return 0;
}

static int
desk_connect(const char *authfile, struct desk *d, struct stv_err **err)
{
	if (cmd_registry_open(authfile, &d->registry, err) < 0)
		return -1;
	d->lists.client = d->registry.client;
	return 0;
}

static void
desk_fini(struct desk *d)
{
	cmd_registry_close(&d->registry);
	cas_lease_drop(d->lease);
	cas_store_close(d->store);
}

#define auto_desk STV_CLEANUP(desk_fini) struct desk
#define auto_index STV_CLEANUP(index_fini) struct oci_index

static void
index_fini(struct oci_index *x)
{
	for (size_t i = 0; i < x->n_manifests; i++)
		oci_descriptor_fini(&x->manifests[i]);
	free(x->manifests);
}

static int
resolve_all(struct desk *d, char **names, int n, struct oci_index *ret,
	    struct stv_err **err)
{
	for (int i = 0; i < n; i++) {
		reg_auto_ref ref = {0};
		int r = cmd_registry_ref(names[i], &ref, err);

		if (r < 0 ||
		    bld_list_resolve(&d->lists, &ref, r == 1, ret, err) < 0)
			return stv_wrap(err, "looking for %s", names[i]);
	}
	return 0;
}

static int
create_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct manifest_values o = {0};
	stv_auto_free char *name = NULL;
	auto_desk d = {.store = NULL};
	auto_index members = {.media_type = NULL};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_manifest_create, argc, argv, &o, &n,
			    err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_manifest_refuse_insecure(o.is_insecure, err) < 0 ||
	    cmd_tag_normal(argv[1], &name, err) < 0 ||
	    desk_open(cx, &d, err) < 0 || desk_connect(o.authfile, &d, err) < 0)
		return -1;
	stv_cancel_catch(true);
	rc = resolve_all(&d, argv + 2, n - 1, &members, err);
	rc = stv_cancel_end(rc, err);
	if (rc < 0 ||
	    bld_list_add(d.store, name, o.is_amended, &members, err) < 0)
		return -1;
	printf("Created manifest list %s\n", name);
	return CMD_DONE;
}

/* A word of a platform, as registries and runtimes compare it. */
static int
take_word(const char *option, const char *value, char **ret,
	  struct stv_err **err)
{
	static const char known[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

	if (value == NULL)
		return 0;
	if (*value == '\0' || value[strspn(value, known)] != '\0')
		return stv_fail(err, STV_E_USAGE,
				"%s: '%s' is no name of that kind: it has "
				"lower case, digits, '.', '_' and '-'",
				option, value);
	*ret = stv_xstrdup(value);
	return 0;
}

static int
take_platform(const struct manifest_values *o, struct stv_platform *ret,
	      struct stv_err **err)
{
	if (take_word("--arch", o->arch, &ret->arch, err) < 0 ||
	    take_word("--os", o->os, &ret->os, err) < 0 ||
	    take_word("--variant", o->variant, &ret->variant, err) < 0 ||
	    take_word("--os-version", o->os_version, &ret->os_version, err) < 0)
		return -1;
	for (size_t i = 0; i < o->os_features.len; i++) {
		char *word = NULL;

		if (take_word("--os-features", o->os_features.v[i], &word,
			      err) < 0)
			return -1;
		stv_strs_take(&ret->os_features, word);
	}
	return 0;
}

static int
annotate(struct cmd_ctx *cx, const struct manifest_values *o, char **argv,
	 struct stv_err **err)
{
	struct stv_platform platform = {.os = NULL};
	stv_auto_free char *name = NULL;
	auto_desk d = {.store = NULL};
	reg_auto_ref member = {0};
	int rc = -1;

	if (cmd_tag_normal(argv[1], &name, err) == 0 &&
	    cmd_registry_ref(argv[2], &member, err) >= 0 &&
	    take_platform(o, &platform, err) == 0 &&
	    desk_open(cx, &d, err) == 0)
		rc = bld_list_annotate(d.store, name, &member, &platform, err);
	stv_platform_fini(&platform);
	return rc < 0 ? -1 : CMD_DONE;
}

static int
annotate_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct manifest_values o = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_manifest_annotate, argc, argv, &o, &n,
			    err);
	if (rc == CMD_PARSED)
		rc = annotate(cx, &o, argv, err);
	else if (rc == CMD_PARSED_HELP)
		rc = CMD_DONE;
	cmd_opts_fini(annotate_opts, &o);
	return rc;
}

static int
no_such_list(const char *name, struct stv_err **err)
{
	stv_fail(err, STV_E_NOT_FOUND, "there is no manifest list %s", name);
	stv_err_hint(*err, "'stave manifest create' makes one.");
	return -1;
}

static int
push(struct desk *d, const struct manifest_values *o, const char *name,
     struct stv_err **err)
{
	stv_auto(oci_index) *list = NULL;
	char text[STV_DIGEST_STR_MAX];
	struct stv_digest digest;
	reg_auto_ref ref = {0};
	int rc = bld_list_get(d->store, name, &list, err);

	if (rc == 0)
		return no_such_list(name, err);
	if (rc < 0 || reg_ref_parse(name, &ref, err) < 0)
		return -1;
	stv_cancel_catch(true);
	rc = bld_list_push(&d->lists, list, &ref, &digest, err);
	rc = stv_cancel_end(rc, err);
	if (rc < 0)
		return stv_wrap(err, "pushing %s", name);
	puts(stv_digest_str(&digest, text));
	if (o->is_purged && cas_list_remove(d->store, name, err) < 0)
		return -1;
	return CMD_DONE;
}

static int
push_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct manifest_values o = {0};
	stv_auto_free char *name = NULL;
	auto_desk d = {.store = NULL};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_manifest_push, argc, argv, &o, &n,
			    err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_manifest_refuse_insecure(o.is_insecure, err) < 0 ||
	    cmd_tag_normal(argv[1], &name, err) < 0 ||
	    desk_open(cx, &d, err) < 0 || desk_connect(o.authfile, &d, err) < 0)
		return -1;
	return push(&d, &o, name, err);
}

static int
rm_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	auto_desk d = {.store = NULL};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_manifest_rm, argc, argv, NULL, &n,
			    err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (desk_open(cx, &d, err) < 0)
		return -1;
	for (int i = 1; i <= n; i++) {
		stv_auto_free char *name = NULL;

		if (cmd_tag_normal(argv[i], &name, err) < 0)
			return -1;
		rc = cas_list_remove(d.store, name, err);
		if (rc == 0)
			return no_such_list(name, err);
		if (rc < 0)
			return -1;
	}
	return CMD_DONE;
}

const struct cmd_verb cmd_verb_manifest_create = {
	.name = "manifest create",
	.args = "LIST IMAGE [IMAGE...]",
	.summary = "Begin a manifest list of several images",
	.opts = create_opts,
	.min_args = 2,
	.max_args = CMD_ANY_NUMBER,
	.run = create_run,
};

const struct cmd_verb cmd_verb_manifest_annotate = {
	.name = "manifest annotate",
	.args = "LIST IMAGE",
	.summary = "Say which platform an image of a list is for",
	.opts = annotate_opts,
	.min_args = 2,
	.max_args = 2,
	.run = annotate_run,
};

const struct cmd_verb cmd_verb_manifest_push = {
	.name = "manifest push",
	.args = "LIST",
	.summary = "Send a manifest list and its images to a registry",
	.opts = push_opts,
	.min_args = 1,
	.max_args = 1,
	.run = push_run,
};

const struct cmd_verb cmd_verb_manifest_rm = {
	.name = "manifest rm",
	.args = "LIST [LIST...]",
	.summary = "Forget manifest lists",
	.opts = rm_opts,
	.min_args = 1,
	.max_args = CMD_ANY_NUMBER,
	.run = rm_run,
};
