/* cmd/dockerfile.h - loading a Dockerfile and showing what is wrong with it. */
#ifndef STAVE_CMD_DOCKERFILE_H
#define STAVE_CMD_DOCKERFILE_H

#include "core/diag.h"

struct df_file;	    /* parser/ast.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */

/*
 * cmd_dockerfile_load(sources, path, ret, err): read ("-": stdin) and parse a
 * file.  Its findings are printed to stderr.
 *
 * Owns:    *ret, df_file_free().
 * Returns: 0; CMD_INPUT where the findings were printed and say it all; -1
 *          with *err where the file cannot be read.
 */
int cmd_dockerfile_load(struct stv_sources *sources, const char *path,
			struct df_file **ret, struct stv_err **err);

/* cmd_print_diags(d, src): all findings on stderr, and how many more. */
void cmd_print_diags(const struct stv_diags *d, const struct stv_sources *src);

#endif /* STAVE_CMD_DOCKERFILE_H */
