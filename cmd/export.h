/* cmd/export.h - what --output writes besides the image in the store. */
#ifndef STAVE_CMD_EXPORT_H
#define STAVE_CMD_EXPORT_H

#include "cmd/values.h"

struct bld_result; /* builder/build.h */
struct cas_store;  /* cache/store.h */
struct cmd_ctx;	   /* cmd/ctx.h */
struct stv_err;	   /* core/err.h */
struct stv_strs;   /* core/strs.h */

/*
 * cmd_export(cx, s, o, r, tags, err): write the result of a build as ${o}
 * says.  Files that are in a directory already stay there unless the image has
 * one of that name.
 */
int cmd_export(const struct cmd_ctx *cx, struct cas_store *s,
	       const struct cmd_output *o, const struct bld_result *r,
	       const struct stv_strs *tags, struct stv_err **err);

/* cmd_export_needs_image(o): is it the image that is written, or its files? */
bool cmd_export_needs_image(const struct cmd_output *o);

#endif /* STAVE_CMD_EXPORT_H */
