/* cmd/cmd_build.c - stave build. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bool.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/event.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/stream.h"

#include "builder/build.h"
#include "builder/deliver.h"
#include "builder/platforms.h"
#include "cache/gc.h"
#include "cache/store.h"
#include "parser/ast.h"
#include "parser/ignore.h"
#include "parser/lint.h"
#include "registry/http.h"

#include "cmd/build_input.h"
#include "cmd/build_opts.h"
#include "cmd/build_request.h"
#include "cmd/check.h"
#include "cmd/cmd_check.h"
#include "cmd/ctx.h"
#include "cmd/export.h"
#include "cmd/figures.h"
#include "cmd/files.h"
#include "cmd/image.h"
#include "cmd/metadata.h"
#include "cmd/opts.h"
#include "cmd/pushes.h"
#include "cmd/registry.h"
#include "cmd/ui.h"
#include "cmd/verbs.h"

/* One build, from the command line to its results. */
struct build {
	struct cmd_ctx *cx;
	const struct build_values *v;
	struct build_request r;
	struct build_input in;
	struct stv_sources *sources;
	struct stv_diags diags;
	size_t n_shown;	      /* of them */
	struct stv_strs args; /* --build-arg, NAME=VALUE, for the linter */
	struct cas_store *store;
	struct cas_lease *lease;
	struct stv_sink *sink;
	struct ui *ui;
	struct bld_target *targets; /* with the names of type=image */
	struct bld_result *results; /* of each target, for each platform */
	struct bld_index *indexes;  /* of several platforms: of each target */
	struct cmd_made made;
	struct cmd_pushes pushes;
	struct cmd_registry registry; /* once an image is fetched */
};

/* Findings that were not shown yet. */
static void
show_findings(struct build *b)
{
	for (; b->n_shown < b->diags.len; b->n_shown++)
		ui_finding(b->ui, &b->diags.v[b->n_shown]);
}

static int
open_store(struct build *b, struct stv_err **err)
{
	stv_auto_free char *root = NULL;

	if (b->store != NULL)
		return 0;
	root = cmd_root(b->cx);
	if (cas_store_open(root,
			   &(struct cas_store_opts){.is_sync = !b->v->no_sync},
			   &b->store, err) < 0)
		return -1;
	return cas_lease_take(b->store, &b->lease, err);
}

/* The context; what is no directory needs the store. */
static int
fetch(struct build *b, const char *context, struct stv_err **err)
{
	if (cmd_input_needs_store(context) && open_store(b, err) < 0)
		return -1;
	return cmd_input_fetch(
		&b->in, b->store, context,
		cmd_request_flag(&b->r, "BUILDKIT_CONTEXT_KEEP_GIT_DIR"), err);
}

/* Context, Dockerfile and ignore file. */
static int
load(struct build *b, const char *context, struct stv_err **err)
{
	int rc = fetch(b, context, err);

	if (rc == 0)
		rc = cmd_input_load(&b->in, b->v->file, b->sources, &b->diags,
				    err);
	/* Warnings wait until the linter has had a look at them. */
	if (rc < 0)
		show_findings(b);
	return rc;
}

static bool
is_call(const struct build *b)
{
	return b->r.call.kind != CMD_CALL_BUILD;
}

/* Are only files wanted, so that there is no image to make? */
static bool
wants_no_image(const struct build *b)
{
	if (b->r.outputs.len == 0 || b->v->tags.len > 0 || b->v->is_quiet ||
	    b->v->iidfile != NULL || b->v->metadata_file != NULL)
		return false;
	for (size_t i = 0; i < b->r.outputs.len; i++)
		if (cmd_output_needs_image(&b->r.outputs.v[i]))
			return false;
	return true;
}

/* Is nothing wanted but that the cache be filled? */
static bool
is_cache_only(const struct build *b)
{
	for (size_t i = 0; i < b->r.outputs.len; i++)
		if (b->r.outputs.v[i].type != CMD_OUTPUT_CACHE)
			return false;
	return wants_no_image(b);
}

/* The time of the context; an ARG of that name gets it as a number. */
static int
take_context_time(struct build *b, struct bld_opts *o, struct stv_err **err)
{
	stv_auto_free char *text = NULL;

	if (cmd_input_time(&b->in, &o->epoch, err) < 0)
		return -1;
	text = stv_xasprintf("%lld", (long long)o->epoch);
	stv_pairs_set(&b->r.args, "SOURCE_DATE_EPOCH", text);
	return 0;
}

/*
 * SOURCE_DATE_EPOCH of the command line, or of the environment, which buildx
 * makes a build argument: it stands above an ARG's default.
 */
static int
take_epoch(struct build *b, struct bld_opts *o, struct stv_err **err)
{
	const char *arg = stv_pairs_get(&b->r.args, "SOURCE_DATE_EPOCH");
	const char *text = arg != NULL ? arg : getenv("SOURCE_DATE_EPOCH");

	o->keeps_times = b->r.rewrite_timestamp == CMD_OFF;
	if (text == NULL || *text == '\0') {
		if (b->r.rewrite_timestamp == CMD_ON)
			cmd_warn("rewrite-timestamp=true does nothing without "
				 "SOURCE_DATE_EPOCH");
		return 0;
	}
	o->has_epoch = b->made.is_stable = true;
	if (strcmp(text, "context") == 0)
		return take_context_time(b, o, err);
	if (arg == NULL)
		stv_pairs_set(&b->r.args, "SOURCE_DATE_EPOCH", text);
	return cmd_epoch_parse(text, &o->epoch, err);
}

/* The targets; name= of type=image is more tags, which archives do not name. */
static void
take_targets(struct build *b, struct bld_opts *o)
{
	const struct cmd_targets *t = &b->r.targets;

	b->made.n = t->list.len;
	b->made.targets = t->list.v;
	b->made.annotations = &b->r.annotations;
	b->made.written = stv_xcalloc(t->list.len, sizeof(*b->made.written));
	if (b->r.is_multi) {
		b->made.platforms = b->r.platforms.v;
		b->made.n_platforms = b->r.platforms.len;
		b->made.indexes = b->indexes =
			stv_xcalloc(t->list.len, sizeof(*b->indexes));
	}
	b->made.results = b->results =
		stv_xcalloc(cmd_made_results(&b->made), sizeof(*b->results));
	o->n_targets = t->list.len;
	o->targets = b->targets = stv_xcalloc(t->list.len, sizeof(*b->targets));
	for (size_t i = 0; i < t->list.len; i++) {
		b->targets[i].stage = t->list.v[i].stage;
		stv_strs_copy(&b->targets[i].tags, &t->list.v[i].tags);
	}
	for (size_t i = 0; i < b->r.outputs.len; i++) {
		const struct cmd_output *out = &b->r.outputs.v[i];
		bool is_stored = out->type == CMD_OUTPUT_IMAGE ||
				 out->type == CMD_OUTPUT_ENGINE;
		size_t at = out->target == NULL
				    ? 0
				    : cmd_targets_find(t, out->target);

		for (size_t k = 0; is_stored && k < out->names.len; k++)
			if (!stv_strs_has(&b->targets[at].tags,
					  out->names.v[k]))
				stv_strs_add(&b->targets[at].tags,
					     out->names.v[k]);
	}
}

/* The stage that is built; of several the first; NULL: the last one. */
static const char *
first_stage(const struct build *b)
{
	return b->r.targets.list.len > 0 ? b->r.targets.list.v[0].stage : NULL;
}

/*
 * BuildKit's rules, as it applies them in every build.  Their findings are
 * shown at the end; with "# check=error=true" nothing is built.
 */
static int
lint(struct build *b, struct stv_err **err)
{
	stv_auto(df_ignore) *ignore = NULL;
	stv_auto(df_lint) *l = NULL;
	struct stv_err *ignored = NULL;
	struct check_input in = {
		.file = b->in.file,
		.sources = b->sources,
		.store = b->store,
		.build_args = &b->args,
		.target = first_stage(b),
		.platform = b->r.has_platform ? &b->r.platform : NULL,
		.only_buildkit = true,
	};

	/* What is wrong in it is the builder's to say. */
	if (b->in.ignore_file != 0 &&
	    df_ignore_parse(b->sources, b->in.ignore_file, &ignore, &ignored) <
		    0)
		stv_err_free(ignored);
	in.ignore = ignore;
	if (cmd_check_begin(&in, &b->diags, &l, err) < 0)
		return -1;
	return df_lint_end(l, err);
}

/* The builder needs a registry: the configuration is read now. */
static struct reg_client *
open_registry(void *arg, struct stv_err **err)
{
	struct build *b = arg;

	if (b->registry.client != NULL)
		return b->registry.client;
	if (cmd_registry_open(NULL, &b->registry, err) < 0)
		return NULL;
	return b->registry.client;
}

/* Build it, or answer a question about it. */
static int
execute(struct build *b, struct stv_err **err)
{
	struct bld_opts o = {
		.store = b->store,
		.listener = ui_listener(b->ui),
		.sources = b->sources,
		.diags = &b->diags,
		.file = b->in.file,
		.file_name = b->in.dockerfile,
		.is_file_remote = b->in.is_file_remote,
		.context_path = b->in.context,
		.remote = b->in.is_remote ? &b->in.remote : NULL,
		.ignore_file = b->in.ignore_file,
		.ignore_name = b->in.ignore_name,
		.contexts = b->r.contexts,
		.labels = b->r.labels,
		.annotations = b->r.annotations.manifest,
		.index_annotations = b->r.annotations.index,
		.line_annotations = b->r.annotations.descriptor,
		.no_cache_filters = b->r.no_cache_stages,
		.add_hosts = b->r.hosts,
		.platform = b->r.platform,
		.net = b->r.net,
		.shm_size = b->r.shm_size,
		.rlimits = b->r.rlimits.v,
		.n_rlimits = b->r.rlimits.len,
		.caller_nofile = &b->cx->nofile,
		.secrets = b->r.secrets.secrets.v,
		.n_secrets = b->r.secrets.secrets.len,
		.ssh = b->r.secrets.ssh.v,
		.n_ssh = b->r.secrets.ssh.len,
		.allow_insecure = b->r.allow_insecure,
		.allow_host_net = b->r.allow_host_net,
		.registry = open_registry,
		.registry_arg = b,
		.cache_from = b->r.caches.from.v,
		.n_cache_from = b->r.caches.from.len,
		.cache_to = b->r.caches.to.v,
		.n_cache_to = b->r.caches.to.len,
		.short_names = cmd_registry_names,
		.pulls_always = b->v->pull,
		.no_cache = b->v->no_cache,
		.no_image = wants_no_image(b),
		.is_cache_only = is_cache_only(b),
	};

	int rc;

	take_targets(b, &o);
	if (take_epoch(b, &o, err) < 0 ||
	    cmd_pushes_make(&b->r, b->made.is_stable, &b->pushes, err) < 0)
		return -1;
	o.pushes = b->pushes.to.v;
	o.n_pushes = b->pushes.to.len;
	o.is_push_only = b->pushes.is_only;
	for (size_t i = 0; i < b->r.args.len; i++)
		stv_strs_take(&o.build_args,
			      stv_xasprintf("%s=%s", b->r.args.v[i].name,
					    b->r.args.v[i].value));
	if (is_call(b))
		rc = cmd_call_run(&b->r.call, &o, err);
	else if (b->r.is_multi)
		rc = bld_build_platforms(&o, b->r.platforms.v,
					 b->r.platforms.len, b->results,
					 b->indexes, err);
	else
		rc = bld_build(&o, b->results, err);
	stv_strs_clear(&o.build_args);
	return rc;
}

static int
write_iidfile(const struct build *b, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);

	if (b->v->iidfile == NULL)
		return 0;
	cmd_metadata_ids(&b->made, &text);
	return cmd_file_write(b->cx, b->v->iidfile, stv_buf_str(&text),
			      text.len, err);
}

static int
write_metadata(const struct build *b, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)64 << 20);
	const char *wanted = getenv("BUILDX_METADATA_WARNINGS");
	json_t *warnings = NULL;

	if (b->v->metadata_file == NULL)
		return 0;
	if (wanted != NULL && stv_bool_parse(wanted, strlen(wanted)) == 1)
		warnings = cmd_check_metadata(&b->diags, b->sources);
	cmd_metadata_json(&b->made, warnings, &text);
	return cmd_file_write(b->cx, b->v->metadata_file, stv_buf_str(&text),
			      text.len, err);
}

/* Is the image for docker's engine too? */
static bool
is_loaded(const struct build *b)
{
	for (size_t i = 0; i < b->r.outputs.len; i++)
		if (b->r.outputs.v[i].type == CMD_OUTPUT_ENGINE)
			return true;
	return false;
}

/* Everything that the user asked for besides the image in the store. */
static int
write_results(struct build *b, struct stv_err **err)
{
	for (size_t i = 0; i < b->made.n; i++) {
		const struct oci_descriptor *pushed =
			b->r.is_multi ? &b->indexes[i].pushed
				      : &b->results[i].pushed;

		if (pushed->media_type != NULL)
			oci_descriptor_copy(&b->made.written[i], pushed);
	}
	if (is_loaded(b))
		stv_emitf(ui_listener(b->ui), STV_EV_NOTE,
			  "delivering to docker");
	for (size_t i = 0; i < b->r.outputs.len; i++)
		if (cmd_export(b->cx, b->store, &b->r.outputs.v[i], &b->made,
			       err) < 0)
			return -1;
	if (write_iidfile(b, err) < 0)
		return stv_wrap(err, "--iidfile");
	if (write_metadata(b, err) < 0)
		return stv_wrap(err, "--metadata-file");
	return 0;
}

/*
 * Keep the store's cap.  A build that executed nothing has added nothing; one
 * that others run beside leaves it to the last of them.
 */
static void
keep_cap(struct build *b)
{
	struct cas_gc_opts g = {0};
	struct cas_gc_result res = {0};
	struct stv_err *err = NULL;
	size_t n_executed = 0;

	for (size_t i = 0; i < cmd_made_results(&b->made); i++)
		n_executed += b->results[i].n_executed;
	if (n_executed == 0 && !b->r.has_store_max)
		return;
	g.max_bytes = b->r.has_store_max ? b->r.store_max
					 : cas_gc_default_max(b->store);
	if (cas_gc(b->store, &g, &res, &err) >= 0)
		return;
	cmd_warn("the store's size is not kept: %s", stv_err_msg(err));
	stv_err_free(err);
}

static void
tell_delivered(struct build *b)
{
	const struct bld_delivered *d = &b->made.delivered;
	char size[CMD_SIZE_MAX];

	if (b->made.is_delivered)
		stv_emitf(ui_listener(b->ui), STV_EV_NOTE,
			  "docker has it: %zu of %zu layers sent, %s",
			  d->n_sent, d->n_layers,
			  cmd_size_str(d->sent, 3, size));
}

/* The last lines of the display: what the images are called. */
static void
tell_names(struct build *b)
{
	char id[STV_DIGEST_STR_MAX];

	if (wants_no_image(b))
		return;
	for (size_t i = 0; i < b->made.n; i++) {
		const struct bld_target *t = &b->targets[i];

		stv_emitf(ui_listener(b->ui), STV_EV_NOTE, "image %s",
			  stv_digest_str(cmd_made_id(&b->made, i), id));
		for (size_t k = 0; !b->pushes.is_only && k < t->tags.len; k++) {
			stv_auto_free char *name =
				cmd_tag_familiar(t->tags.v[k]);

			stv_emitf(ui_listener(b->ui), STV_EV_NOTE, "tagged %s",
				  name);
		}
	}
}

static void
print_ids(const struct build *b)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);

	cmd_metadata_ids(&b->made, &text);
	printf("%s\n", stv_buf_str(&text));
}

static int
build(struct build *b, const char *context, struct stv_err **err)
{
	int rc = load(b, context, err);

	if (rc == 0 && !is_call(b))
		rc = open_store(b, err);
	if (rc == 0 && !is_call(b))
		rc = lint(b, err);
	/* Better now than when all is built. */
	if (rc == 0 && !is_call(b) && is_loaded(b))
		rc = bld_engine_check(BLD_ENGINE_DOCKER, err);
	if (rc == 0)
		rc = execute(b, err);
	if (rc == 0 && !is_call(b))
		rc = write_results(b, err);
	cmd_registry_close(&b->registry);
	cas_lease_drop(stv_steal(&b->lease));
	if (rc == 0 && !is_call(b)) {
		tell_names(b);
		tell_delivered(b);
	}
	/* A reader of events has done with the last one. */
	if (b->r.ui == UI_JSON || b->r.ui == UI_RAWJSON)
		show_findings(b);
	ui_end(b->ui, rc < 0 ? *err : NULL);
	show_findings(b);
	if (rc < 0 || is_call(b))
		return rc;
	if (b->v->is_quiet)
		print_ids(b);
	keep_cap(b);
	return 0;
}

/* Say what went wrong, where nothing has said it yet; the exit status. */
static int
report(const struct build *b, const struct stv_err *e)
{
	if (!ui_shows_errors(b->ui) &&
	    (b->diags.n_errors == 0 || stv_err_code(e) != STV_E_SYNTAX))
		cmd_print_error(e, b->sources);
	if (b->v->propagate_exit && stv_err_code(e) == STV_E_STEP_FAILED &&
	    stv_err_status(e) > 0)
		return stv_err_status(e);
	return cmd_exit_status(e);
}

static void
begin(struct build *b)
{
	b->sources = stv_sources_new();
	b->diags.max = STV_MAX_FINDINGS;
	for (size_t i = 0; i < b->r.args.len; i++)
		stv_env_set(&b->args, b->r.args.v[i].name,
			    b->r.args.v[i].value);
	b->sink = stv_sink_fd(STDERR_FILENO);
	b->ui = ui_new(&(struct ui_opts){
		.mode = b->r.ui,
		.sink = b->sink,
		.tty_fd = STDERR_FILENO,
		.has_color = cmd_use_color(STDERR_FILENO),
		.is_verbose = b->cx->is_debug,
		.is_ticking = true,
	});
	ui_set_sources(b->ui, b->sources);
}

static void
end(struct build *b)
{
	for (size_t i = 0; i < cmd_made_results(&b->made); i++)
		bld_result_fini(&b->results[i]);
	for (size_t i = 0; i < b->made.n; i++) {
		oci_descriptor_fini(&b->made.written[i]);
		if (b->indexes != NULL)
			bld_index_fini(&b->indexes[i]);
		stv_strs_clear(&b->targets[i].tags);
	}
	free(b->targets);
	free(b->results);
	free(b->indexes);
	free(b->made.written);
	cmd_pushes_fini(&b->pushes);
	cmd_input_fini(&b->in);
	cas_store_close(b->store);
	stv_strs_clear(&b->args);
	stv_diags_fini(&b->diags);
	ui_free(b->ui);
	stv_sink_close(b->sink);
	stv_sources_free(b->sources);
}

/* The same as 'stave check'; the exit status or -1. */
static int
run_check(struct build *b, const char *context, struct stv_err **err)
{
	struct cmd_check c = {
		.context = context,
		.file = b->v->file,
		.build_args = b->args,
		.target = first_stage(b),
		.platform = b->r.platform,
		.format = b->r.call.format,
	};
	bool is_fetched = cmd_input_needs_store(context) ||
			  (c.file != NULL && reg_http_is_url(c.file));
	int status = is_fetched ? fetch(b, context, err) : 0;

	if (is_fetched)
		c.input = &b->in;
	if (status == 0)
		status = cmd_check_run(b->cx, &c, err);
	cas_lease_drop(stv_steal(&b->lease));
	return b->r.call.ignores_status && status > 0 ? CMD_DONE : status;
}

static int
build_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct build_values v = {0};
	struct build b = {.cx = cx, .v = &v};
	struct stv_err *failed = NULL;
	int n, status = CMD_DONE, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_build, argc, argv, &v, &n, err);
	if (rc == CMD_PARSED)
		rc = cmd_request_make(&v, &b.r, err);
	if (rc == 0) {
		begin(&b);
		if (b.r.call.kind == CMD_CALL_CHECK)
			rc = status = run_check(&b, argv[1], err);
		else if (build(&b, argv[1], &failed) < 0)
			status = report(&b, failed);
		stv_err_free(failed);
		end(&b);
	}
	cmd_request_fini(&b.r);
	cmd_opts_fini(cmd_build_opts, &v);
	return rc < 0 ? -1 : status;
}

const struct cmd_verb cmd_verb_build = {
	.name = "build",
	.args = "PATH|URL|-",
	.summary = "Build an image from a Dockerfile",
	.opts = cmd_build_opts,
	.min_args = 1,
	.max_args = 1,
	.run = build_run,
};
