/*
 * cmd/cmd_call.h - stave build --call: questions about a Dockerfile instead of
 * a build.  The answers, and how they look, are those of docker buildx.
 */
#ifndef STAVE_CMD_CALL_H
#define STAVE_CMD_CALL_H

#include <stdbool.h>

#include "cmd/cmd_check.h"

struct bld_opts; /* builder/build.h */
struct stv_err;	 /* core/err.h */

enum cmd_call_kind {
	CMD_CALL_BUILD, /* the default: build it */
	CMD_CALL_CHECK,
	CMD_CALL_OUTLINE,
	CMD_CALL_TARGETS,
	CMD_CALL_DESCRIBE
};

/* What is asked for. */
struct cmd_call {
	enum cmd_call_kind kind;
	bool is_json;
	enum check_format format; /* of CMD_CALL_CHECK */
	bool ignores_status;	  /* findings do not make the command fail */
};

/*
 * cmd_call_parse(text, ret, err): "METHOD[,format=json|text][,ignorestatus]",
 * of check also format=sarif.
 * Errors: STV_E_USAGE with the nearest method's name as a hint.
 */
int cmd_call_parse(const char *text, struct cmd_call *ret,
		   struct stv_err **err);

/*
 * cmd_call_run(call, o, err): answer on stdout; the kind is neither
 * CMD_CALL_BUILD nor CMD_CALL_CHECK, which is cmd_check_run().
 */
int cmd_call_run(const struct cmd_call *call, const struct bld_opts *o,
		 struct stv_err **err);

#endif /* STAVE_CMD_CALL_H */
