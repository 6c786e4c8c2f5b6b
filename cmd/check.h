/*
 * cmd/check.h - the linter with what only a command knows: the build context,
 * base images and images in the store.
 */
#ifndef STAVE_CMD_CHECK_H
#define STAVE_CMD_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/oci.h"
#include "core/strs.h"

struct bld_source;  /* builder/source.h */
struct cas_store;   /* cache/store.h */
struct df_file;	    /* parser/ast.h */
struct df_ignore;   /* parser/ignore.h */
struct df_lint;	    /* parser/lint.h */
struct stv_buf;	    /* core/buf.h */
struct stv_diags;   /* core/diag.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */

/* A parsed Dockerfile and all that is known about its build. */
struct check_input {
	const struct df_file *file;
	struct stv_sources *sources;
	struct cas_store *store;	     /* NULL: there is none yet */
	const struct stv_strs *build_args;   /* "NAME=VALUE" */
	const char *target;		     /* NULL: the last stage */
	const struct stv_platform *platform; /* NULL: this machine's */
	const struct df_ignore *ignore;	     /* NULL: nothing is left out */
	uint32_t ignore_file; /* its text among the sources; 0: none */
	bool only_buildkit;
};

/*
 * cmd_check_begin(in, diags, ret, err): df_lint_new() and df_lint_run() with
 * the store behind the hooks.
 * Owns:    *ret, df_lint_free().
 * Borrows: ${in} and ${diags} until then.
 * Errors:  STV_E_CHECK: a bad "# check=" line.
 */
int cmd_check_begin(const struct check_input *in, struct stv_diags *diags,
		    struct df_lint **ret, struct stv_err **err);

/*
 * cmd_check_files(l, in, source): the rules about the files of the build
 * context ${source}: keys and passwords that a COPY takes in, and patterns
 * that hold at the top only.  What cannot be read says nothing.
 * Limits: STV_MAX_LINT_ENTRIES files are looked at.
 */
void cmd_check_files(struct df_lint *l, const struct check_input *in,
		     struct bld_source *source);

/*
 * cmd_check_image(l, in, name, err): what the layers of the image ${name},
 * which was built from the file, store more than once.
 * Errors: STV_E_NOT_FOUND, STV_E_IO.
 */
int cmd_check_image(struct df_lint *l, const struct check_input *in,
		    const char *name, struct stv_err **err);

/*
 * cmd_check_text(d, src, name, has_color, ret): the findings as text, and
 * that the file ${name} was checked with how many of them.
 */
void cmd_check_text(const struct stv_diags *d, const struct stv_sources *src,
		    const char *name, bool has_color, struct stv_buf *ret);

/*
 * cmd_check_json(d, src): the findings as BuildKit's "--call=check,format=json"
 * has them, with members of ours.  Owns: the caller.
 */
json_t *cmd_check_json(const struct stv_diags *d,
		       const struct stv_sources *src);

/* cmd_check_sarif(d, src): the findings as SARIF 2.1.0.  Owns: the caller. */
json_t *cmd_check_sarif(const struct stv_diags *d,
			const struct stv_sources *src);

/*
 * cmd_check_metadata(d, src): the findings as buildx writes them as
 * "buildx.build.warnings".  Owns: the caller.
 */
json_t *cmd_check_metadata(const struct stv_diags *d,
			   const struct stv_sources *src);

#endif /* STAVE_CMD_CHECK_H */
