/* cmd/cmd_load.c - stave load: images from a tar of another tool. */
#include <stdio.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/event.h"
#include "core/stream.h"

#include "cache/archive_load.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/files.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct load_values {
	const char *input;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_STR("input", 'i', "FILE", struct load_values, input,
		"read a file instead of stdin"),
	CMD_FLAG("quiet", 'q', struct load_values, is_quiet,
		 "do not print the images' names"),
	CMD_LATER_STR("platform", 0),
	CMD_OPT_END,
};

static char *
normalize(const char *name, struct stv_err **err)
{
	char *tag = NULL;

	return cmd_tag_normal(name, &tag, err) < 0 ? NULL : tag;
}

static void
on_event(struct stv_listener *self, const struct stv_event *ev)
{
	(void)self;
	if (ev->kind == STV_EV_NOTE || ev->kind == STV_EV_WARNING)
		cmd_warn("%s", ev->text);
}

static void
print_loaded(const struct cas_loaded *l)
{
	char id[STV_DIGEST_STR_MAX];

	for (size_t i = 0; i < l->n; i++) {
		const struct cas_loaded_image *img = &l->images[i];

		for (size_t k = 0; k < img->tags.len; k++) {
			stv_auto_free char *name =
				cmd_tag_familiar(img->tags.v[k]);

			printf("Loaded image: %s\n", name);
		}
		if (img->tags.len == 0)
			printf("Loaded image ID: %s\n",
			       stv_digest_str(&img->image.config, id));
	}
}

/*
 * A broken archive is wrong input, whatever the reason: PROTOCOL is what the
 * readers of manifests say of a registry's answer.
 */
static int
failed(const char *path, struct stv_err **err)
{
	stv_wrap(err, "loading %s", path);
	if (stv_err_code(*err) != STV_E_PROTOCOL)
		return -1;
	cmd_print_error(*err, NULL);
	stv_err_clear(err);
	return CMD_INPUT;
}

static int
load(struct cmd_ctx *cx, const struct load_values *o, struct stv_err **err)
{
	struct stv_listener listener = {.on_event = on_event};
	const char *path = o->input != NULL ? o->input : "-";
	stv_auto(cas_store) *store = NULL;
	stv_auto(stv_in) *in = NULL;
	stv_auto_fd fd = -1;
	struct cas_loaded loaded = {0};

	if (cmd_input_open(path, "an archive", &fd, err) < 0 ||
	    cmd_store_open(cx, &store, err) < 0)
		return -1;
	in = stv_in_fd(fd);
	if (cas_load(store, in,
		     &(struct cas_load_opts){.normalize = normalize,
					     .listener = &listener},
		     &loaded, err) < 0)
		return failed(o->input != NULL ? path : "from stdin", err);
	if (!o->is_quiet)
		print_loaded(&loaded);
	cas_loaded_fini(&loaded);
	return CMD_DONE;
}

static int
load_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct load_values o = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_load, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	return load(cx, &o, err);
}

const struct cmd_verb cmd_verb_load = {
	.name = "load",
	.args = "",
	.summary = "Read images from a tar",
	.opts = opts,
	.run = load_run,
};
