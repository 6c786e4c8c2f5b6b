/* cmd/dockerfile.h - loading a Dockerfile and showing what is wrong with it. */
#ifndef STAVE_CMD_DOCKERFILE_H
#define STAVE_CMD_DOCKERFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/diag.h"

struct df_file;	    /* parser/ast.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */

/*
 * cmd_dockerfile_load(sources, path, diags, ret, err): read ("-": stdin) and
 * parse a file.
 *
 * Owns:   *ret, df_file_free(); the findings in ${diags}, also on failure.
 * Errors: STV_E_SYNTAX where ${diags} has errors that say it all, STV_E_INPUT
 *         where the file cannot be read, is no file, or a pipe that nobody
 *         named as one.
 */
int cmd_dockerfile_load(struct stv_sources *sources, const char *path,
			struct stv_diags *diags, struct df_file **ret,
			struct stv_err **err);

/*
 * cmd_dockerfile_parse(sources, name, text, n, diags, ret, err): the same for
 * a text that is called ${name}.
 */
int cmd_dockerfile_parse(struct stv_sources *sources, const char *name,
			 const char *text, size_t n, struct stv_diags *diags,
			 struct df_file **ret, struct stv_err **err);

/*
 * cmd_dockerfile_load_in(sources, dirfd, name, is_default, ret_name, diags,
 * ret, err): the same for the file ${name} in a directory that nobody trusts;
 * links stay inside.  With ${is_default} one of the default names will do,
 * too.
 * Owns: *ret_name, as it was found.
 */
int cmd_dockerfile_load_in(struct stv_sources *sources, int dirfd,
			   const char *name, bool is_default, char **ret_name,
			   struct stv_diags *diags, struct df_file **ret,
			   struct stv_err **err);

/*
 * cmd_dockerfile_find(context, err): "Dockerfile", "dockerfile" or
 * "Containerfile" in the directory ${context}.
 * Owns: the caller.  Errors: STV_E_INPUT.
 */
char *cmd_dockerfile_find(const char *context, struct stv_err **err);

/*
 * cmd_ignore_load(sources, context, dockerfile, ret_file, ret_name, err): the
 * ignore file: FILE.dockerignore beside ${dockerfile} (NULL: it came from
 * stdin), else .dockerignore in ${context}.  Where there is none *ret_file is
 * 0.
 * Owns: *ret_name (NULL where there is none).
 */
int cmd_ignore_load(struct stv_sources *sources, const char *context,
		    const char *dockerfile, uint32_t *ret_file, char **ret_name,
		    struct stv_err **err);

/*
 * cmd_ignore_load_in(sources, dirfd, dockerfile, ret_file, ret_name, err): the
 * same in a directory that nobody trusts; ${dockerfile} is in it, or NULL.
 */
int cmd_ignore_load_in(struct stv_sources *sources, int dirfd,
		       const char *dockerfile, uint32_t *ret_file,
		       char **ret_name, struct stv_err **err);

/* cmd_print_diags(d, src): all findings on stderr, and how many more. */
void cmd_print_diags(const struct stv_diags *d, const struct stv_sources *src);

#endif /* STAVE_CMD_DOCKERFILE_H */
