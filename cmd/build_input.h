/*
 * cmd/build_input.h - what a build reads: its context, its Dockerfile and its
 * ignore file, each of which may be here or somewhere else.
 *
 *	context		Dockerfile without --file	--file F
 *	a directory	in it				here; -: stdin; a URL
 *	- (archive)	in it				in it
 *	- (text)	that text			refused
 *	an archive	in it				in it; -: stdin; a URL
 *	a URL		in it, or that file		the same; /F: here
 *	a repository	in it				the same; /F: here
 */
#ifndef STAVE_CMD_BUILD_INPUT_H
#define STAVE_CMD_BUILD_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/remote.h"

struct cas_store;   /* cache/store.h */
struct df_file;	    /* parser/ast.h */
struct stv_diags;   /* core/diag.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */

struct build_input {
	const char *context; /* as given, without credentials */
	struct bld_remote remote;
	bool is_remote;	     /* then ${remote} is the context */
	char *dockerfile;    /* as named in messages; "-" is stdin */
	bool is_file_remote; /* a file of ${remote}, or a URL */
	struct df_file *file;
	uint32_t ignore_file; /* number in the sources; 0: none */
	char *ignore_name;
};

/* cmd_input_needs_store(context): has ${context} to be fetched first? */
bool cmd_input_needs_store(const char *context);

/*
 * cmd_input_fetch(in, store, context, keep_git_dir, err): begin zeroed ${in}:
 * fetch the context unless it is a directory.  SIGINT and the like end it.
 * Owns:    cmd_input_fini(), also after a failure.
 * Borrows: ${context}, ${store}.
 */
int cmd_input_fetch(struct build_input *in, struct cas_store *store,
		    const char *context, bool keep_git_dir,
		    struct stv_err **err);

/*
 * cmd_input_load(in, file, sources, diags, err): read and parse the
 * Dockerfile (${file}: what --file says, or NULL), find the ignore file.
 * Errors: STV_E_SYNTAX where ${diags} has errors that say it all.
 */
int cmd_input_load(struct build_input *in, const char *file,
		   struct stv_sources *sources, struct stv_diags *diags,
		   struct stv_err **err);

/*
 * cmd_input_time(in, ret, err): SOURCE_DATE_EPOCH=context: the time of the
 * commit, or when the server says that the file was last changed.
 * Errors: STV_E_USAGE: a context that has none.
 */
int cmd_input_time(const struct build_input *in, int64_t *ret,
		   struct stv_err **err);

/* cmd_input_fini(in): free it, and remove what was fetched. */
void cmd_input_fini(struct build_input *in);

#endif /* STAVE_CMD_BUILD_INPUT_H */
