/*
 * cmd/cmd_explain_ignore.c - stave explain-ignore: which file of a build
 * context goes to which instruction, and which pattern leaves it out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/strs.h"

#include "builder/build.h"
#include "builder/selection.h"
#include "builder/source.h"
#include "cache/store.h"
#include "parser/ast.h"

#include "cmd/ctx.h"
#include "cmd/dockerfile.h"
#include "cmd/opts.h"
#include "cmd/table.h"
#include "cmd/ui_text.h"
#include "cmd/verbs.h"

struct explain_values {
	const char *file;
	const char *format;
	struct stv_strs build_args;
};

static const struct cmd_opt opts[] = {
	CMD_LIST("build-arg", 0, "NAME=VALUE", struct explain_values,
		 build_args, "the value of an ARG"),
	CMD_STR("file", 'f', "FILE", struct explain_values, file,
		"the Dockerfile, instead of that in the context"),
	CMD_STR("format", 0, "FORMAT", struct explain_values, format,
		"json: an object a line"),
	CMD_OPT_END,
};

/* One run of the command. */
struct explain {
	const struct explain_values *v;
	const char *context;
	struct stv_strs paths; /* cleaned */
	char *dockerfile;
	uint32_t ignore_file;
	char *ignore_name;
	struct stv_sources *sources;
	struct stv_diags diags;
	struct df_file *file;
	struct cas_store *store;
	struct cmd_table *table; /* NULL: JSON */
};

/* "Dockerfile:4", or the trigger of a base image. */
static char *
place_of(const struct explain *x, const struct df_node *node)
{
	const struct stv_source *src =
		stv_sources_get(x->sources, node->span.file);
	struct stv_place at = stv_source_place(src, node->span.begin);

	return stv_xasprintf("%s:%u", src->name, at.line);
}

static const char *
state_of(const struct bld_selected *s)
{
	if (!s->is_there)
		return "missing";
	if (s->is_left_out)
		return "left-out";
	return s->n_nodes > 0 ? "sent" : "unused";
}

static void
set_str(json_t *o, const char *name, const char *value)
{
	json_object_set_new(o, name, stv_json_str(value));
}

static void
print_json(const struct explain *x, const struct bld_selected *s)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_LINE * 64);
	json_t *v = json_object(), *nodes = json_array();

	set_str(v, "path", s->path);
	set_str(v, "type", s->is_dir ? "directory" : "file");
	set_str(v, "state", state_of(s));
	if (s->hit.pattern != NULL) {
		set_str(v, "pattern", s->hit.pattern);
		set_str(v, "file", x->ignore_name);
		json_object_set_new(v, "line", json_integer(s->hit.line));
	}
	for (size_t i = 0; i < s->n_nodes; i++) {
		stv_auto_free char *place = place_of(x, s->nodes[i]);
		json_t *node = json_object();

		set_str(node, "place", place);
		set_str(node, "instruction", s->nodes[i]->original);
		json_array_append_new(nodes, node);
	}
	json_object_set_new(v, "instructions", nodes);
	stv_json_dump(v, &text);
	puts(stv_buf_str(&text));
	json_decref(v);
}

/* ".dockerignore:3 '*.o'; Dockerfile:4 COPY . ." */
static void
add_why(const struct explain *x, const struct bld_selected *s,
	struct stv_buf *b)
{
	for (size_t i = 0; i < s->n_nodes; i++) {
		stv_auto_free char *place = place_of(x, s->nodes[i]);

		stv_buf_adds(b, b->len > 0 ? "; " : "");
		ui_text_name(place, b);
		stv_buf_addc(b, ' ');
		ui_text_name(s->nodes[i]->original, b);
	}
	if (s->hit.pattern != NULL) {
		stv_buf_adds(b, b->len > 0 ? "; " : "");
		ui_text_name(x->ignore_name, b);
		stv_buf_addf(b, ":%u '", s->hit.line);
		ui_text_name(s->hit.pattern, b);
		stv_buf_addc(b, '\'');
	}
	if (b->len == 0)
		stv_buf_adds(b, s->is_there ? "no COPY or ADD takes it" : "");
}

static int
on_entry(void *arg, const struct bld_selected *s, struct stv_err **err)
{
	const struct explain *x = arg;
	stv_auto_buf why = STV_BUF_INIT(STV_MAX_LINE * 64);
	stv_auto_buf path = STV_BUF_INIT(STV_MAX_PATH * 4 + 2);

	(void)err;
	if (x->table == NULL) {
		print_json(x, s);
		return 0;
	}
	/* Directories say nothing that their files do not, but for these. */
	if (s->is_dir && !s->is_left_out)
		return 0;
	ui_text_name(s->path, &path);
	if (s->is_dir)
		stv_buf_addc(&path, '/');
	add_why(x, s, &why);
	cmd_table_cell(x->table, state_of(s));
	cmd_table_cell(x->table, stv_buf_str(&path));
	cmd_table_cell(x->table, stv_buf_str(&why));
	cmd_table_end(x->table);
	return 0;
}

static int
load(struct explain *x, struct stv_err **err)
{
	bool is_stdin;

	x->dockerfile = x->v->file != NULL
				? stv_xstrdup(x->v->file)
				: cmd_dockerfile_find(x->context, err);
	if (x->dockerfile == NULL)
		return -1;
	if (cmd_dockerfile_load(x->sources, x->dockerfile, &x->diags, &x->file,
				err) < 0)
		return -1;
	is_stdin = strcmp(x->dockerfile, "-") == 0;
	return cmd_ignore_load(x->sources, x->context,
			       is_stdin ? NULL : x->dockerfile, &x->ignore_file,
			       &x->ignore_name, err);
}

static int
explain(struct explain *x, const struct cmd_ctx *cx, struct stv_err **err)
{
	struct bld_opts o = {0};

	if (load(x, err) < 0 || cmd_store_look(cx, &x->store, err) < 0)
		return -1;
	o = (struct bld_opts){
		.store = x->store,
		.sources = x->sources,
		.diags = &x->diags,
		.file = x->file,
		.file_name = x->dockerfile,
		.context_path = x->context,
		.ignore_file = x->ignore_file,
		.ignore_name = x->ignore_name,
		.build_args = x->v->build_args,
	};
	return bld_selection(&o, &x->paths, on_entry, x, err);
}

static int
report(const struct explain *x, const struct stv_err *e)
{
	cmd_print_diags(&x->diags, x->sources);
	if (x->diags.n_errors == 0 || stv_err_code(e) != STV_E_SYNTAX)
		cmd_print_error(e, x->sources);
	return cmd_exit_status(e);
}

static void
fini(struct explain *x)
{
	cmd_table_free(x->table);
	cas_store_close(x->store);
	df_file_free(x->file);
	stv_diags_fini(&x->diags);
	stv_sources_free(x->sources);
	stv_strs_clear(&x->paths);
	free(x->dockerfile);
	free(x->ignore_name);
}

static int
check_values(const struct explain_values *v, struct stv_err **err)
{
	for (size_t i = 0; i < v->build_args.len; i++)
		if (strchr(v->build_args.v[i], '=') == NULL)
			return stv_fail(err, STV_E_USAGE,
					"--build-arg: '%s' has no value",
					v->build_args.v[i]);
	if (v->format != NULL && strcmp(v->format, "json") != 0)
		return stv_fail(err, STV_E_USAGE,
				"--format: there is only 'json', not '%s'",
				v->format);
	return 0;
}

static int
explain_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct explain_values v = {0};
	struct explain x = {.v = &v, .context = "."};
	struct stv_err *failed = NULL;
	int n, status = CMD_DONE, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_explain_ignore, argc, argv, &v, &n,
			    err);
	if (rc == CMD_PARSED)
		rc = check_values(&v, err);
	if (rc == 0) {
		x.sources = stv_sources_new();
		x.table = v.format != NULL ? NULL : cmd_table_new();
		if (n > 0)
			x.context = argv[1];
		for (int i = 2; i <= n; i++)
			stv_strs_take(&x.paths, bld_path_clean(argv[i]));
		if (explain(&x, cx, &failed) < 0)
			status = report(&x, failed);
		else if (x.table != NULL)
			cmd_table_print(x.table);
		stv_err_free(failed);
		fini(&x);
	}
	cmd_opts_fini(opts, &v);
	return rc < 0 ? -1 : status;
}

const struct cmd_verb cmd_verb_explain_ignore = {
	.name = "explain-ignore",
	.args = "[CONTEXT [PATH...]]",
	.summary = "Show what of a build context goes where, and why not",
	.opts = opts,
	.max_args = CMD_ANY_NUMBER,
	.run = explain_run,
};
