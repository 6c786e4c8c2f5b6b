/*
 * cmd/main.c - finding the command and ending with its status.
 *
 * setlocale() is never called: texts, sorting and numbers are those of the
 * C locale for everybody (THREATS D22).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"

#include "cmd/ctx.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

static int
print_usage(void)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)64 << 10);

	cmd_verbs_usage(&b);
	(void)fputs(stv_buf_str(&b), stdout);
	return CMD_DONE;
}

static int
run_version(struct cmd_ctx *cx, struct stv_err **err)
{
	char name[] = "version";
	char *argv[] = {name, NULL};

	return cmd_verb_version.run(cx, 1, argv, err);
}

/* "help" alone, or "help COMMAND" as "COMMAND --help". */
static int
run_help(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	const struct cmd_verb *verb;
	char flag[] = "--help";

	if (argc < 2)
		return print_usage();
	if (cmd_verb_find(argv + 1, argc - 1, &verb, err) < 0)
		return -1;
	argv[1] = flag;
	return verb->run(cx, 2, argv, err);
}

static int
dispatch(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	const struct cmd_verb *verb;
	const char *word;
	int at = cmd_opts_leading(cx, argc, argv, err), n;

	if (at < 0)
		return -1;
	if (at == argc) {
		stv_fail(err, STV_E_USAGE, "stave needs a command");
		stv_err_hint(*err, "'stave --help' lists them.");
		return -1;
	}
	word = argv[at];
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return print_usage();
	if (strcmp(word, "--version") == 0 || strcmp(word, "-v") == 0)
		return run_version(cx, err);
	if (strcmp(word, "help") == 0)
		return run_help(cx, argc - at, argv + at, err);
	n = cmd_verb_find(argv + at, argc - at, &verb, err);
	if (n < 0)
		return -1;
	at += n - 1;
	return verb->run(cx, argc - at, argv + at, err);
}

/* What was printed must have arrived; a reader that left early knows that. */
static int
flush_results(int status)
{
	struct stv_err *err = NULL;

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE && errno != 0) {
		stv_fail_errno_as(&err, STV_E_IO, errno,
				  "cannot write the result");
		cmd_print_error(err, NULL);
		stv_err_free(err);
	}
	return status != CMD_DONE ? status : CMD_STORE;
}

int
main(int argc, char **argv)
{
	struct cmd_ctx cx;
	struct stv_err *err = NULL;
	const char *self = argc > 0 ? strrchr(argv[0], '/') : NULL;
	int status;

	cmd_ctx_init(&cx);
	self = self != NULL ? self + 1 : argc > 0 ? argv[0] : "";
	if (strcmp(self, "build") == 0)
		status = cmd_verb_build.run(&cx, argc, argv, &err);
	else
		status = dispatch(&cx, argc, argv, &err);
	if (status < 0) {
		cmd_print_error(err, NULL);
		status = cmd_exit_status(err);
		stv_err_free(err);
	}
	return flush_results(status);
}
