/* cmd/export.h - what --output writes besides the image in the store. */
#ifndef STAVE_CMD_EXPORT_H
#define STAVE_CMD_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/oci.h"

#include "builder/deliver.h"

#include "cmd/output.h"

struct bld_index;  /* builder/platforms.h */
struct bld_result; /* builder/build.h */
struct bld_target; /* builder/build.h */
struct cas_store;  /* cache/store.h */
struct cmd_ctx;	   /* cmd/ctx.h */
struct stv_err;	   /* core/err.h */

/* What a build made, and what became of it outside. */
struct cmd_made {
	const struct bld_target *targets;
	const struct bld_result *results;
	size_t n; /* targets */
	/*
	 * For several platforms: each target has a result for each of them, and
	 * an index.  0: one image a target.
	 */
	const struct stv_platform *platforms;
	size_t n_platforms;
	const struct bld_index *indexes;
	const struct cmd_annotations *annotations;
	bool is_stable; /* compress to the same bytes on every machine */
	/*
	 * For each target the image or index as the last archive has it; zeroed
	 * where there is none.
	 */
	struct oci_descriptor *written;
	bool is_delivered; /* to an engine: */
	struct bld_delivered delivered;
};

/*
 * cmd_made_id(made, i): what target ${i} is called by: its image's config, or
 * the index (DESIGN.md, Identity).  Borrows.
 */
const struct stv_digest *cmd_made_id(const struct cmd_made *made, size_t i);

/* cmd_made_results(made): how many results there are. */
size_t cmd_made_results(const struct cmd_made *made);

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
