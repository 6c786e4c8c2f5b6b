/* cmd/cmd_check.h - stave check, also as 'stave build --check'. */
#ifndef STAVE_CMD_CMD_CHECK_H
#define STAVE_CMD_CMD_CHECK_H

#include <stdbool.h>

#include "core/oci.h"
#include "core/strs.h"

struct build_input; /* cmd/build_input.h */
struct cmd_ctx;	    /* cmd/ctx.h */
struct stv_err;	    /* core/err.h */

enum check_format { CHECK_TEXT, CHECK_JSON, CHECK_SARIF };

/* What to check and how to tell. */
struct cmd_check {
	const char *context; /* a directory; NULL: there is none */
	/* NULL, or where context or file are fetched; not loaded yet. */
	struct build_input *input;
	const char *file; /* "-": stdin; NULL: the one in the context */
	struct stv_strs build_args; /* "NAME=VALUE" */
	const char *target;
	struct stv_platform platform; /* os NULL: this machine's */
	const char *image;	      /* compare with its layers; or NULL */
	enum check_format format;
	bool is_fix;
};

/*
 * cmd_check_run(cx, c, err): check, print the findings on stdout, correct.
 * Returns: the exit status: 0, 1 where there is an error or a warning; or -1
 *          where there was no check.
 */
int cmd_check_run(const struct cmd_ctx *cx, const struct cmd_check *c,
		  struct stv_err **err);

/*
 * cmd_check_format(text, ret, err): "text", "json" or "sarif".
 * Errors: STV_E_USAGE.
 */
int cmd_check_format(const char *text, enum check_format *ret,
		     struct stv_err **err);

#endif /* STAVE_CMD_CMD_CHECK_H */
