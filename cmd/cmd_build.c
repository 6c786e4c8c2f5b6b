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
#include "cache/gc.h"
#include "cache/store.h"
#include "parser/ast.h"
#include "parser/ignore.h"
#include "parser/lint.h"

#include "cmd/build_opts.h"
#include "cmd/build_request.h"
#include "cmd/check.h"
#include "cmd/cmd_check.h"
#include "cmd/ctx.h"
#include "cmd/dockerfile.h"
#include "cmd/export.h"
#include "cmd/files.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/ui.h"
#include "cmd/verbs.h"

/* One build, from the command line to its results. */
struct build {
	struct cmd_ctx *cx;
	const struct build_values *v;
	struct build_request r;
	const char *context;
	char *dockerfile; /* as named in messages; "-" is stdin */
	uint32_t ignore_file;
	char *ignore_name;
	struct stv_sources *sources;
	struct stv_diags diags;
	size_t n_shown; /* of them */
	struct df_file *file;
	struct stv_strs args; /* --build-arg, NAME=VALUE */
	struct cas_store *store;
	struct cas_lease *lease;
	struct stv_sink *sink;
	struct ui *ui;
	struct bld_result result;
};

static int
check_context(const char *context, struct stv_err **err)
{
	if (strcmp(context, "-") == 0) {
		stv_fail(err, STV_E_USAGE,
			 "a build context on standard input is not supported "
			 "yet by this version");
		stv_err_hint(*err, "Give a directory; its Dockerfile may come "
				   "from standard input: -f - DIR.");
		return -1;
	}
	if (strstr(context, "://") != NULL ||
	    strncmp(context, "git@", 4) == 0 ||
	    strncmp(context, "github.com/", 11) == 0)
		return stv_fail(err, STV_E_USAGE,
				"a build context from the network ('%s') is "
				"not supported yet by this version",
				context);
	return 0;
}

/* Findings that were not shown yet. */
static void
show_findings(struct build *b)
{
	for (; b->n_shown < b->diags.len; b->n_shown++)
		ui_finding(b->ui, &b->diags.v[b->n_shown]);
}

/* Dockerfile and ignore file, read and parsed. */
static int
load(struct build *b, struct stv_err **err)
{
	bool is_stdin;
	int rc;

	if (check_context(b->context, err) < 0)
		return -1;
	b->dockerfile = b->v->file != NULL
				? stv_xstrdup(b->v->file)
				: cmd_dockerfile_find(b->context, err);
	if (b->dockerfile == NULL)
		return -1;
	/* Warnings wait until the linter has had a look at them. */
	rc = cmd_dockerfile_load(b->sources, b->dockerfile, &b->diags, &b->file,
				 err);
	if (rc < 0) {
		show_findings(b);
		return -1;
	}
	is_stdin = strcmp(b->dockerfile, "-") == 0;
	return cmd_ignore_load(b->sources, b->context,
			       is_stdin ? NULL : b->dockerfile, &b->ignore_file,
			       &b->ignore_name, err);
}

/* Are only files wanted, so that there is no image to make? */
static bool
wants_no_image(const struct build *b)
{
	if (b->r.outputs.len == 0 || b->r.tags.len > 0 || b->v->is_quiet ||
	    b->v->iidfile != NULL || b->v->metadata_file != NULL)
		return false;
	for (size_t i = 0; i < b->r.outputs.len; i++)
		if (cmd_export_needs_image(&b->r.outputs.v[i]))
			return false;
	return true;
}

/* SOURCE_DATE_EPOCH of the command line or of the environment. */
static int
take_epoch(const struct build *b, struct bld_opts *o, struct stv_err **err)
{
	const char *arg = stv_pairs_get(&b->r.args, "SOURCE_DATE_EPOCH");
	const char *text = arg != NULL ? arg : getenv("SOURCE_DATE_EPOCH");

	if (text == NULL || *text == '\0')
		return 0;
	o->has_epoch = true;
	return cmd_epoch_parse(text, &o->epoch, err);
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
		.file = b->file,
		.sources = b->sources,
		.store = b->store,
		.build_args = &b->args,
		.target = b->v->target,
		.platform = b->r.has_platform ? &b->r.platform : NULL,
		.only_buildkit = true,
	};

	/* What is wrong in it is the builder's to say. */
	if (b->ignore_file != 0 &&
	    df_ignore_parse(b->sources, b->ignore_file, &ignore, &ignored) < 0)
		stv_err_free(ignored);
	in.ignore = ignore;
	if (cmd_check_begin(&in, &b->diags, &l, err) < 0)
		return -1;
	return df_lint_end(l, err);
}

static int
execute(struct build *b, struct stv_err **err)
{
	struct bld_opts o = {
		.store = b->store,
		.listener = ui_listener(b->ui),
		.sources = b->sources,
		.diags = &b->diags,
		.file = b->file,
		.file_name = b->dockerfile,
		.context_path = b->context,
		.ignore_file = b->ignore_file,
		.ignore_name = b->ignore_name,
		.tags = b->r.tags,
		.build_args = b->args,
		.labels = b->r.labels,
		.no_cache_filters = b->r.no_cache_stages,
		.add_hosts = b->r.hosts,
		.target = b->v->target,
		.platform = b->r.platform,
		.net = b->r.net,
		.shm_size = b->r.shm_size,
		.rlimits = b->r.rlimits.v,
		.n_rlimits = b->r.rlimits.len,
		.caller_nofile = &b->cx->nofile,
		.no_cache = b->v->no_cache,
		.no_image = wants_no_image(b),
	};

	if (take_epoch(b, &o, err) < 0)
		return -1;
	return bld_build(&o, &b->result, err);
}

static int
write_iidfile(const struct build *b, struct stv_err **err)
{
	char id[STV_DIGEST_STR_MAX];

	if (b->v->iidfile == NULL)
		return 0;
	stv_digest_str(&b->result.image.config, id);
	return cmd_file_write(b->cx, b->v->iidfile, id, strlen(id), err);
}

/* The same members as buildx writes, for the tools that read them. */
static int
write_metadata(const struct build *b, struct stv_err **err)
{
	stv_auto_buf names = STV_BUF_INIT((size_t)1 << 20);
	stv_auto_buf text = STV_BUF_INIT((size_t)64 << 20);
	const char *warnings = getenv("BUILDX_METADATA_WARNINGS");
	char config[STV_DIGEST_STR_MAX], manifest[STV_DIGEST_STR_MAX];
	json_t *v;

	if (b->v->metadata_file == NULL)
		return 0;
	stv_digest_str(&b->result.image.config, config);
	stv_digest_str(&b->result.image.manifest, manifest);
	for (size_t i = 0; i < b->r.tags.len; i++)
		stv_buf_addf(&names, "%s%s", i > 0 ? "," : "", b->r.tags.v[i]);
	v = json_pack("{s:s,s:{s:s,s:s,s:I},s:s}",
		      "containerimage.config.digest", config,
		      "containerimage.descriptor", "mediaType", OCI_MT_MANIFEST,
		      "digest", manifest, "size",
		      (json_int_t)b->result.manifest_size,
		      "containerimage.digest", manifest);
	if (names.len > 0)
		json_object_set_new(v, "image.name",
				    json_string(stv_buf_str(&names)));
	if (warnings != NULL && stv_bool_parse(warnings, strlen(warnings)) == 1)
		json_object_set_new(v, "buildx.build.warnings",
				    cmd_check_metadata(&b->diags, b->sources));
	stv_json_dump(v, &text);
	stv_buf_addc(&text, '\n');
	json_decref(v);
	return cmd_file_write(b->cx, b->v->metadata_file, stv_buf_str(&text),
			      text.len, err);
}

/* Everything that the user asked for besides the image in the store. */
static int
write_results(struct build *b, struct stv_err **err)
{
	for (size_t i = 0; i < b->r.outputs.len; i++)
		if (cmd_export(b->cx, b->store, &b->r.outputs.v[i], &b->result,
			       &b->r.tags, err) < 0)
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

	if (b->result.n_executed == 0 && !b->r.has_store_max)
		return;
	g.max_bytes = b->r.has_store_max ? b->r.store_max
					 : cas_gc_default_max(b->store);
	if (cas_gc(b->store, &g, &res, &err) >= 0)
		return;
	cmd_warn("the store's size is not kept: %s", stv_err_msg(err));
	stv_err_free(err);
}

static int
open_store(struct build *b, struct stv_err **err)
{
	stv_auto_free char *root = cmd_root(b->cx);

	if (cas_store_open(root,
			   &(struct cas_store_opts){.is_sync = !b->v->no_sync},
			   &b->store, err) < 0)
		return -1;
	return cas_lease_take(b->store, &b->lease, err);
}

/* The last lines of the display: what the image is called. */
static void
tell_names(struct build *b)
{
	char id[STV_DIGEST_STR_MAX];

	if (wants_no_image(b))
		return;
	stv_emitf(ui_listener(b->ui), STV_EV_NOTE, "image %s",
		  stv_digest_str(&b->result.image.config, id));
	for (size_t i = 0; i < b->r.tags.len; i++) {
		stv_auto_free char *name = cmd_tag_familiar(b->r.tags.v[i]);

		stv_emitf(ui_listener(b->ui), STV_EV_NOTE, "tagged %s", name);
	}
}

static int
build(struct build *b, struct stv_err **err)
{
	char id[STV_DIGEST_STR_MAX];
	int rc = load(b, err);

	if (rc == 0)
		rc = open_store(b, err);
	if (rc == 0)
		rc = lint(b, err);
	if (rc == 0)
		rc = execute(b, err);
	if (rc == 0)
		rc = write_results(b, err);
	cas_lease_drop(stv_steal(&b->lease));
	if (rc == 0)
		tell_names(b);
	ui_end(b->ui, rc < 0 ? *err : NULL);
	show_findings(b);
	if (rc < 0)
		return -1;
	if (b->v->is_quiet)
		printf("%s\n", stv_digest_str(&b->result.image.config, id));
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
	bld_result_fini(&b->result);
	cas_store_close(b->store);
	df_file_free(b->file);
	stv_strs_clear(&b->args);
	stv_diags_fini(&b->diags);
	ui_free(b->ui);
	stv_sink_close(b->sink);
	stv_sources_free(b->sources);
	free(b->dockerfile);
	free(b->ignore_name);
}

/* --check and --call=check: 1 where the build is that. */
static int
wants_check(const struct build_values *v, enum check_format *ret,
	    struct stv_err **err)
{
	int rc;

	*ret = CHECK_TEXT;
	if (v->is_check)
		return 1;
	if (v->call == NULL || strcmp(v->call, "build") == 0)
		return 0;
	rc = cmd_check_call(v->call, ret, err);
	if (rc != 0)
		return rc;
	return stv_fail(err, STV_E_USAGE,
			"--call: there is no method '%s' in this version",
			v->call);
}

/* The same as 'stave check'; the exit status or -1. */
static int
run_check(struct build *b, enum check_format format, struct stv_err **err)
{
	const struct cmd_check c = {
		.context = b->context,
		.file = b->v->file,
		.build_args = b->args,
		.target = b->v->target,
		.platform = b->r.platform,
		.format = format,
	};

	if (check_context(b->context, err) < 0)
		return -1;
	return cmd_check_run(b->cx, &c, err);
}

static int
build_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct build_values v = {0};
	struct build b = {.cx = cx, .v = &v};
	struct stv_err *failed = NULL;
	enum check_format format;
	int n, status = CMD_DONE, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_build, argc, argv, &v, &n, err);
	if (rc == CMD_PARSED)
		rc = cmd_request_make(&v, &b.r, err);
	if (rc == 0) {
		b.context = argv[1];
		begin(&b);
		rc = wants_check(&v, &format, err);
		if (rc == 1)
			rc = status = run_check(&b, format, err);
		else if (rc == 0 && build(&b, &failed) < 0)
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
	.args = "PATH",
	.summary = "Build an image from a Dockerfile",
	.opts = cmd_build_opts,
	.min_args = 1,
	.max_args = 1,
	.run = build_run,
};
