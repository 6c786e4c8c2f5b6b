/* cmd/cmd_fmt.c - stave fmt: Dockerfiles in one form. */
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/fmt.h"
#include "parser/parse.h"

#include "cmd/ctx.h"
#include "cmd/diff.h"
#include "cmd/dockerfile.h"
#include "cmd/files.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct fmt_values {
	bool is_check;
	bool is_diff;
};

static const struct cmd_opt opts[] = {
	CMD_FLAG("check", 0, struct fmt_values, is_check,
		 "write nothing; name the files that would change, exit with "
		 "1"),
	CMD_FLAG("diff", 0, struct fmt_values, is_diff,
		 "write nothing; show what would change"),
	CMD_OPT_END,
};

/* One file. */
struct fmt_job {
	const struct cmd_ctx *cx;
	const struct fmt_values *v;
	const char *path;
	struct stv_sources *sources;
	const struct stv_source *before;
	struct stv_buf after;
	bool is_changed;
};

static void
print_diff(const struct fmt_job *j)
{
	stv_auto_buf b = STV_BUF_INIT(4 * STV_MAX_SOURCE);
	stv_auto_free char *old = stv_xasprintf("%s.orig", j->before->name);
	struct cmd_text from = {old, j->before->text, j->before->len};
	struct cmd_text to = {j->before->name, stv_buf_str(&j->after),
			      j->after.len};

	cmd_diff(&from, &to, &b);
	(void)fwrite(stv_buf_str(&b), 1, b.len, stdout);
}

/* What was asked for: a difference, a name, or the file. */
static int
deliver(const struct fmt_job *j, struct stv_err **err)
{
	bool is_stdin = strcmp(j->path, "-") == 0;

	if (j->v->is_diff && j->is_changed)
		print_diff(j);
	else if (j->v->is_check && j->is_changed)
		puts(j->before->name);
	if (j->v->is_diff || j->v->is_check)
		return 0;
	if (is_stdin)
		(void)fwrite(stv_buf_str(&j->after), 1, j->after.len, stdout);
	else if (j->is_changed)
		return cmd_file_rewrite(j->cx, j->path, stv_buf_str(&j->after),
					j->after.len, err);
	return 0;
}

/* Read, format, deliver; mistakes of the file are shown here. */
static int
format(struct fmt_job *j, struct stv_err **err)
{
	stv_auto(df_file) *file = NULL;
	struct stv_diags diags = {0};
	int rc = cmd_dockerfile_load(j->sources, j->path, &diags, &file, err);
	bool is_shown = rc < 0 && diags.n_errors > 0;

	if (is_shown) {
		cmd_print_diags(&diags, j->sources);
		stv_err_clear(err);
	}
	stv_diags_fini(&diags);
	if (rc < 0)
		return is_shown ? 1 : -1;
	j->before = file->source;
	if (df_fmt(j->sources, file, &j->after, err) < 0)
		return -1;
	j->is_changed = j->after.len != j->before->len ||
			memcmp(stv_buf_str(&j->after), j->before->text,
			       j->after.len) != 0;
	return deliver(j, err);
}

/* One file of several: a mistake in it does not keep us from the others. */
static int
format_path(const struct cmd_ctx *cx, const struct fmt_values *v,
	    const char *path)
{
	stv_auto(stv_sources) *sources = stv_sources_new();
	struct fmt_job j = {
		.cx = cx,
		.v = v,
		.path = path,
		.sources = sources,
		.after = STV_BUF_INIT(STV_MAX_SOURCE),
	};
	struct stv_err *err = NULL;
	int status = format(&j, &err);

	if (status < 0) {
		cmd_print_error(err, sources);
		status = cmd_exit_status(err);
		stv_err_free(err);
	} else if (status > 0 || (v->is_check && j.is_changed)) {
		status = CMD_INPUT;
	}
	stv_buf_fini(&j.after);
	return status;
}

static int
fmt_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct fmt_values v = {0};
	stv_auto_free char *found = NULL;
	int n, rc, status = CMD_DONE;

	rc = cmd_opts_parse(cx, &cmd_verb_fmt, argc, argv, &v, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (n == 0) {
		found = cmd_dockerfile_find(".", err);
		if (found == NULL)
			return -1;
		/* Not "./Dockerfile": it is a name to read. */
		return format_path(cx, &v, found + strlen("./"));
	}
	for (int i = 1; i <= n; i++) {
		int one = format_path(cx, &v, argv[i]);

		if (one > status)
			status = one;
	}
	return status;
}

const struct cmd_verb cmd_verb_fmt = {
	.name = "fmt",
	.args = "[FILE | -]...",
	.summary = "Format Dockerfiles",
	.opts = opts,
	.min_args = 0,
	.max_args = CMD_ANY_NUMBER,
	.run = fmt_run,
};
