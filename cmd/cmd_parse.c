/* cmd/cmd_parse.c - stave parse: a Dockerfile as its tree. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/source.h"
#include "core/stream.h"

#include "parser/parse.h"

#include "cmd/ctx.h"
#include "cmd/dockerfile.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct parse_values {
	const char *format;
};

static const struct cmd_opt opts[] = {
	CMD_STR("format", 0, "FORMAT", struct parse_values, format,
		"json (default)"),
	CMD_OPT_END,
};

static int
parse_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	stv_auto(df_file) *file = NULL;
	stv_auto_buf b = STV_BUF_INIT((size_t)256 << 20);
	struct stv_diags diags = {0};
	struct parse_values o = {.format = "json"};
	json_t *tree;
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_parse, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (strcmp(o.format, "json") != 0)
		return stv_fail(err, STV_E_USAGE,
				"there is no format '%s', only json", o.format);
	rc = cmd_dockerfile_load(sources, argv[1], &diags, &file, err);
	cmd_print_diags(&diags, sources);
	n = diags.n_errors > 0;
	stv_diags_fini(&diags);
	if (rc < 0) {
		if (n > 0)
			stv_err_clear(err);
		return n > 0 ? CMD_INPUT : -1;
	}
	tree = df_to_json(file);
	stv_json_dump(tree, &b);
	json_decref(tree);
	if (stv_buf_check(&b, "the tree", err) < 0)
		return -1;
	puts(stv_buf_str(&b));
	return CMD_DONE;
}

const struct cmd_verb cmd_verb_parse = {
	.name = "parse",
	.args = "FILE | -",
	.summary = "Print a Dockerfile as its syntax tree",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.run = parse_run,
};
