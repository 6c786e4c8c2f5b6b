/* cmd/cmd_check.c - stave check: what is doubtful in a Dockerfile. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/stream.h"
#include "core/vec.h"

#include "builder/context.h"
#include "cache/store.h"
#include "parser/ast.h"
#include "parser/ignore.h"
#include "parser/lint.h"
#include "parser/parse.h"

#include "cmd/build_input.h"
#include "cmd/build_request.h"
#include "cmd/check.h"
#include "cmd/ctx.h"
#include "cmd/dockerfile.h"
#include "cmd/files.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

#include "cmd/cmd_check.h"

struct check_values {
	struct stv_strs build_args;
	const char *file;
	const char *format;
	const char *image;
	const char *platform;
	const char *target;
	bool is_fix;
};

#define STR(long, short, meta, member, text)                                   \
	CMD_STR(long, short, meta, struct check_values, member, text)

static const struct cmd_opt opts[] = {
	CMD_LIST("build-arg", 0, "NAME[=VALUE]", struct check_values,
		 build_args, "as for stave build"),
	STR("file", 'f', "FILE", file,
	    "the Dockerfile (default PATH/Dockerfile); - is stdin"),
	CMD_FLAG("fix", 0, struct check_values, is_fix,
		 "correct in the file what can be corrected safely"),
	STR("format", 0, "FORMAT", format, "text (default), json or sarif"),
	STR("image", 0, "IMAGE", image,
	    "an image built from it: what its layers store twice"),
	STR("platform", 0, "OS/ARCH", platform, "the platform of the image"),
	STR("target", 0, "STAGE", target, "the stage that is built"),
	CMD_OPT_END,
};

/* One check of one version of the file. */
struct check {
	const struct cmd_check *c;
	char *file; /* as named in messages */
	struct stv_sources *sources;
	struct stv_diags diags;
	struct df_file *parsed;
	struct df_ignore *ignore;
	struct df_lint *l;
	struct check_input in;
};

static void
check_fini(struct check *k)
{
	df_lint_free(k->l);
	df_ignore_free(k->ignore);
	df_file_free(k->parsed);
	stv_diags_fini(&k->diags);
	stv_sources_free(k->sources);
	free(k->file);
}

/* The ignore file, where there is a context. */
static int
load_ignore(struct check *k, struct stv_err **err)
{
	stv_auto_free char *name = NULL;
	bool is_stdin = strcmp(k->file, "-") == 0;

	if (k->c->context == NULL)
		return 0;
	if (k->c->input == NULL &&
	    cmd_ignore_load(k->sources, k->c->context,
			    is_stdin ? NULL : k->file, &k->in.ignore_file,
			    &name, err) < 0)
		return -1;
	if (k->in.ignore_file == 0)
		return 0;
	return df_ignore_parse(k->sources, k->in.ignore_file, &k->ignore, err);
}

/* What an error says becomes one of the findings. */
static void
take_error(struct check *k, struct stv_err *e)
{
	struct stv_diag *f;

	f = stv_diags_add(&k->diags, STV_SEV_ERROR, stv_err_span(e), "%s",
			  stv_err_msg(e));
	if (stv_err_get_hint(e) != NULL)
		stv_diag_hint(f, "%s", stv_err_get_hint(e));
	stv_err_free(e);
}

/* A target that is none is the builder's to refuse, and so ours to tell. */
static void
check_target(struct check *k)
{
	STV_VEC(const char *) names = {0};
	struct stv_diag *f;
	const char *near;
	bool is_there = k->c->target == NULL || *k->c->target == '\0';

	for (size_t i = 0; i < k->parsed->n_nodes && !is_there; i++) {
		const struct df_node *n = &k->parsed->nodes[i];

		if (n->kind != DF_FROM || n->n_args < 3)
			continue;
		*stv_vec_push(&names) = n->args[2].text;
		is_there = strcasecmp(n->args[2].text, k->c->target) == 0;
	}
	*stv_vec_push(&names) = NULL;
	near = is_there ? NULL : df_nearest(k->c->target, names.v);
	stv_vec_fini(&names);
	if (is_there)
		return;
	f = stv_diags_add(&k->diags, STV_SEV_ERROR, (struct stv_span){0},
			  "there is no stage '%s'", k->c->target);
	if (near != NULL)
		stv_diag_hint(f, "Did you mean '--target %s'?", near);
}

/* The rules that look at the files of the context. */
static int
look_at_context(struct check *k, struct stv_err **err)
{
	stv_auto(bld_context) *ctx = NULL;
	struct bld_context_opts o = {.ignore = k->ignore};
	const struct build_input *in = k->c->input;
	int rc;

	if (k->c->context == NULL)
		return 0;
	rc = in != NULL && in->is_remote
		     ? bld_remote_context(&in->remote, &o, &ctx, err)
		     : bld_context_open(k->c->context, &o, &ctx, err);
	if (rc < 0)
		return -1;
	cmd_check_files(k->l, &k->in, bld_context_source(ctx));
	return 0;
}

/* The Dockerfile of a directory, or one alone. */
static int
load_file(struct check *k, struct stv_err **err)
{
	const struct cmd_check *c = k->c;

	k->file = c->file != NULL ? stv_xstrdup(c->file)
				  : cmd_dockerfile_find(c->context, err);
	if (k->file == NULL)
		return -1;
	if (strncmp(k->file, "./", 2) == 0 && c->file == NULL)
		memmove(k->file, k->file + 2, strlen(k->file + 2) + 1);
	return cmd_dockerfile_load(k->sources, k->file, &k->diags, &k->parsed,
				   err);
}

/* Where it or the context had to be fetched, with the ignore file. */
static int
load_input(struct check *k, struct stv_err **err)
{
	struct build_input *in = k->c->input;
	int rc = cmd_input_load(in, k->c->file, k->sources, &k->diags, err);

	/* Findings are told by its name also where it cannot be parsed. */
	k->file = stv_xstrdup(in->dockerfile != NULL ? in->dockerfile : "-");
	if (rc < 0)
		return -1;
	k->parsed = stv_steal(&in->file);
	k->in.ignore_file = in->ignore_file;
	return 0;
}

/* Check the file; mistakes in it are findings. */
static int
check_init(struct check *k, const struct cmd_check *c, struct cas_store *store,
	   struct stv_err **err)
{
	struct stv_err *bad = NULL;
	int rc;

	*k = (struct check){.c = c, .sources = stv_sources_new()};
	k->diags.max = STV_MAX_FINDINGS;
	rc = c->input != NULL ? load_input(k, err) : load_file(k, err);
	if (rc < 0 && k->diags.n_errors > 0) {
		stv_err_clear(err);
		return 0;
	}
	if (rc < 0)
		return -1;
	if (load_ignore(k, &bad) < 0) {
		take_error(k, bad);
		return 0;
	}
	check_target(k);
	k->in.file = k->parsed;
	k->in.sources = k->sources;
	k->in.store = store;
	k->in.build_args = &c->build_args;
	k->in.target = c->target;
	k->in.platform = c->platform.os != NULL ? &c->platform : NULL;
	k->in.ignore = k->ignore;
	if (cmd_check_begin(&k->in, &k->diags, &k->l, &bad) < 0) {
		take_error(k, bad);
		return 0;
	}
	if (look_at_context(k, err) < 0 ||
	    (c->image != NULL &&
	     cmd_check_image(k->l, &k->in, c->image, err) < 0))
		return -1;
	/* error=true: the findings say it themselves. */
	if (df_lint_end(k->l, &bad) < 0)
		stv_err_free(bad);
	return 0;
}

/* ---- correcting ----------------------------------------------------------*/

static size_t
count(const struct stv_diags *d, const char *rule)
{
	size_t n = 0;

	for (size_t i = 0; i < d->len; i++)
		n += d->v[i].rule != NULL && strcmp(d->v[i].rule, rule) == 0;
	return n;
}

/* What is not found any more. */
static void
tell_fixed(const struct check *before, const struct check *after)
{
	for (size_t i = 0; i < DF_N_RULES; i++) {
		size_t old = count(&before->diags, df_rules[i].id);
		size_t now = count(&after->diags, df_rules[i].id);

		if (df_rules[i].has_fix && old > now)
			fprintf(stderr, "%s: corrected %zu %s\n", before->file,
				old - now, df_rules[i].id);
	}
}

/* Correct the file, and check what it has become into ${k}. */
static int
fix(const struct cmd_ctx *cx, struct check *k, struct cas_store *store,
    struct stv_err **err)
{
	stv_auto_free char *text = NULL;
	struct check after;
	size_t len = 0;
	int n;

	if (k->l == NULL)
		return 0;
	n = df_lint_fix(k->l, &text, &len, err);
	if (n <= 0)
		return n;
	if (cmd_file_rewrite(cx, k->file, text, len, err) < 0)
		return -1;
	if (check_init(&after, k->c, store, err) < 0) {
		check_fini(&after);
		return -1;
	}
	tell_fixed(k, &after);
	check_fini(k);
	*k = after;
	return 0;
}

/* ---- the command ---------------------------------------------------------*/

static int
print_json(json_t *v, struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)64 << 20);

	stv_json_dump(v, &b);
	json_decref(v);
	stv_buf_addc(&b, '\n');
	if (stv_buf_check(&b, "the findings", err) < 0)
		return -1;
	if (stv_write_all(STDOUT_FILENO, stv_buf_str(&b), b.len) < 0)
		return stv_fail_errno(err, errno, "writing to stdout");
	return 0;
}

static int
print_text(const struct check *k, struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)64 << 20);

	cmd_check_text(&k->diags, k->sources,
		       strcmp(k->file, "-") == 0 ? "<stdin>" : k->file,
		       cmd_use_color(STDOUT_FILENO), &b);
	if (stv_write_all(STDOUT_FILENO, stv_buf_str(&b), b.len) < 0)
		return stv_fail_errno(err, errno, "writing to stdout");
	return 0;
}

static int
print(const struct check *k, struct stv_err **err)
{
	switch (k->c->format) {
	case CHECK_TEXT:
		return print_text(k, err);
	case CHECK_JSON:
		return print_json(cmd_check_json(&k->diags, k->sources), err);
	case CHECK_SARIF:
		return print_json(cmd_check_sarif(&k->diags, k->sources), err);
	}
	return 0;
}

int
cmd_check_run(const struct cmd_ctx *cx, const struct cmd_check *c,
	      struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	struct check k;
	int rc;

	if (c->is_fix && c->file != NULL && strcmp(c->file, "-") == 0)
		return stv_fail(err, STV_E_USAGE,
				"--fix needs a file that it can write");
	if (cmd_store_look(cx, &store, err) < 0)
		return -1;
	rc = check_init(&k, c, store, err);
	if (rc == 0 && c->is_fix)
		rc = fix(cx, &k, store, err);
	if (rc == 0)
		rc = print(&k, err);
	if (rc == 0 && k.diags.n_errors + k.diags.n_warnings > 0)
		rc = CMD_INPUT;
	check_fini(&k);
	return rc;
}

int
cmd_check_format(const char *text, enum check_format *ret, struct stv_err **err)
{
	static const char *const words[] = {"text", "json", "sarif"};

	for (size_t i = 0; i < STV_ARRAY_LEN(words); i++)
		if (strcmp(words[i], text) == 0) {
			*ret = (enum check_format)i;
			return 0;
		}
	stv_fail(err, STV_E_USAGE, "there is no format '%s'", text);
	stv_err_hint(*err, "It is text, json or sarif.");
	return -1;
}

/* A directory is the context, everything else a Dockerfile. */
static int
take_argument(const char *arg, struct cmd_check *c, struct stv_err **err)
{
	struct stat st;
	bool is_dir = strcmp(arg, "-") != 0 &&
		      fstatat(AT_FDCWD, arg, &st, 0) == 0 &&
		      S_ISDIR(st.st_mode);

	if (is_dir) {
		c->context = arg;
		return 0;
	}
	if (c->file != NULL)
		return stv_fail(err, STV_E_USAGE,
				"'%s' is no directory, and --file is given",
				arg);
	c->file = arg;
	return 0;
}

static int
make_request(const struct check_values *v, const char *arg, struct cmd_check *c,
	     struct stv_err **err)
{
	struct stv_pairs args = {0};
	int rc;

	c->file = v->file;
	c->target = v->target;
	c->image = v->image;
	c->is_fix = v->is_fix;
	if (take_argument(arg, c, err) < 0 ||
	    (v->format != NULL &&
	     cmd_check_format(v->format, &c->format, err) < 0) ||
	    cmd_request_platform(v->platform, &c->platform, err) < 0)
		return -1;
	rc = cmd_request_args(&v->build_args, &args, err);
	for (size_t i = 0; i < args.len; i++)
		stv_env_set(&c->build_args, args.v[i].name, args.v[i].value);
	stv_pairs_clear(&args);
	return rc;
}

static int
check_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct check_values v = {0};
	struct cmd_check c = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_check, argc, argv, &v, &n, err);
	if (rc == CMD_PARSED)
		rc = make_request(&v, n > 0 ? argv[1] : ".", &c, err);
	else if (rc == CMD_PARSED_HELP)
		rc = 1;
	if (rc == 0)
		rc = cmd_check_run(cx, &c, err);
	else if (rc == 1)
		rc = CMD_DONE;
	stv_strs_clear(&c.build_args);
	stv_platform_fini(&c.platform);
	cmd_opts_fini(opts, &v);
	return rc;
}

const struct cmd_verb cmd_verb_check = {
	.name = "check",
	.args = "[PATH | FILE | -]",
	.summary = "Look for mistakes in a Dockerfile",
	.opts = opts,
	.min_args = 0,
	.max_args = 1,
	.run = check_run,
};
