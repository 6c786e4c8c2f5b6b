/* cmd/export.h - what --output writes besides the image in the store. */
#ifndef STAVE_CMD_EXPORT_H
#define STAVE_CMD_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/oci.h"

#include "builder/deliver.h"

#include "cmd/output.h"

struct bld_result; /* builder/build.h */
struct bld_target; /* builder/build.h */
struct cas_store;  /* cache/store.h */
struct cmd_ctx;	   /* cmd/ctx.h */
struct stv_err;	   /* core/err.h */

/* What a build made, and what became of it outside. */
struct cmd_made {
	const struct bld_target *targets;
	const struct bld_result *results;
	size_t n; /* of both */
	const struct cmd_annotations *annotations;
	bool is_stable; /* compress to the same bytes on every machine */
	/*
	 * For each target the image as the last archive has it; zeroed where
	 * there is none.
	 */
	struct oci_descriptor *written;
	bool is_delivered; /* to an engine: */
	struct bld_delivered delivered;
};

/*
 * cmd_export(cx, s, o, made, err): write the result of a build as ${o} says.
 * A file or a new directory is there when it is complete, or not at all; files
 * that are in a directory already stay there unless the image has one of that
 * name.  An archive holds the images of all targets, or that of ${o}.
 * An image for an engine goes to docker's, whose errors are bld_deliver()'s.
 * Signals: SIGINT, SIGTERM and SIGHUP are taken while a file or directory is
 *         written, or an image sent: STV_E_CANCELLED (status 130 or 143).
 */
int cmd_export(const struct cmd_ctx *cx, struct cas_store *s,
	       const struct cmd_output *o, struct cmd_made *made,
	       struct stv_err **err);

#endif /* STAVE_CMD_EXPORT_H */
