/* cmd/cmd_deliver.c - stave deliver: an image into a running engine's store. */
#include <stdio.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/strs.h"

#include "builder/deliver.h"
#include "cache/meta.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct deliver_values {
	const char *name_space;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_STR("namespace", 0, "NAME", struct deliver_values, name_space,
		"containerd's namespace (default: $CONTAINERD_NAMESPACE)"),
	CMD_FLAG("quiet", 'q', struct deliver_values, is_quiet,
		 "print nothing but errors"),
	CMD_OPT_END,
};

static void
on_layer(void *arg, const struct stv_digest *diff_id, bool is_sent)
{
	char id[STV_DIGEST_STR_MAX];

	(void)arg;
	printf("%s: %s\n", cmd_id_str(diff_id, false, id),
	       is_sent ? "Sent" : "Layer already exists");
	(void)fflush(stdout);
}

static void
report(const struct bld_deliver_opts *o, const struct cas_image *image,
       const char *tag, const struct bld_delivered *d)
{
	stv_auto_free char *name = tag == NULL ? NULL : cmd_tag_familiar(tag);
	char id[STV_DIGEST_STR_MAX];

	printf("%s has %s%s%s: %zu of %zu layers sent, %llu bytes\n",
	       bld_engine_name(o->engine), name != NULL ? name : "",
	       name != NULL ? " " : "", stv_digest_str(&image->config, id),
	       d->n_sent, d->n_layers, (unsigned long long)d->sent);
}

static int
deliver(struct cas_store *store, const struct deliver_values *v,
	const char *name, enum bld_engine engine, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs names = {0};
	struct bld_deliver_opts o = {.store = store,
				     .engine = engine,
				     .name_space = v->name_space,
				     .on_layer = v->is_quiet ? NULL : on_layer};
	stv_auto_free char *tag = NULL;
	struct bld_delivered d;
	struct cas_image image;

	if (cmd_image_find(store, name, &image, &tag, err) < 0)
		return -1;
	if (tag != NULL)
		stv_strs_add(&names, tag);
	if (bld_deliver(&o, &image, &names, &d, err) < 0)
		return -1;
	if (!v->is_quiet)
		report(&o, &image, tag, &d);
	return 0;
}

/* The image is the first word, which is easily mistaken. */
static int
take_engine(char *const *words, const struct deliver_values *v,
	    enum bld_engine *ret, struct stv_err **err)
{
	struct stv_err *ignored = NULL;
	enum bld_engine other;

	if (bld_engine_parse(words[1], ret, err) < 0) {
		if (bld_engine_parse(words[0], &other, &ignored) == 0)
			stv_err_hint(*err, "Write: stave deliver %s %s.",
				     words[1], words[0]);
		stv_err_free(ignored);
		return -1;
	}
	if (v->name_space != NULL && *ret != BLD_ENGINE_CONTAINERD)
		return stv_fail(err, STV_E_USAGE,
				"--namespace: %s has no namespaces",
				bld_engine_name(*ret));
	return 0;
}

static int
deliver_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	stv_auto(cas_lease) *lease = NULL;
	struct deliver_values v = {0};
	enum bld_engine engine;
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_deliver, argc, argv, &v, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (take_engine(argv + 1, &v, &engine, err) < 0 ||
	    cmd_store_open(cx, &store, err) < 0 ||
	    cas_lease_take(store, &lease, err) < 0)
		return -1;
	stv_cancel_catch(true);
	rc = deliver(store, &v, argv[1], engine, err);
	rc = stv_cancel_end(rc, err);
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_deliver = {
	.name = "deliver",
	.args = "IMAGE docker|podman|containerd",
	.summary = "Put an image into a running engine",
	.opts = opts,
	.min_args = 2,
	.max_args = 2,
	.run = deliver_run,
};
