/* cmd/files.h - files that the user named for input and results. */
#ifndef STAVE_CMD_FILES_H
#define STAVE_CMD_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct cmd_ctx; /* cmd/ctx.h */
struct stv_err; /* core/err.h */

/*
 * cmd_input_open(path, what, ret_fd, err): ${path} for reading, stdin for "-",
 * which must not be a terminal; ${what} says what is expected there.
 * Owns:   *ret_fd.
 * Errors: STV_E_INPUT, STV_E_USAGE.
 */
int cmd_input_open(const char *path, const char *what, int *ret_fd,
		   struct stv_err **err);

/* A file being written; the old one stays until it is complete. */
struct cmd_outfile {
	int fd;
	char *path;
	char *tmp;	/* name of the new file, or NULL where it has none */
	bool is_direct; /* stdout by any name, a device or a pipe: written in
			   place */
	unsigned mode;
};

#define CMD_OUTFILE_INIT                                                       \
	(struct cmd_outfile)                                                   \
	{                                                                      \
		.fd = -1                                                       \
	}

/*
 * cmd_outfile_open(cx, path, f, err): begin a file, stdout for "-", which must
 * not be a terminal.  A link keeps its name, and what it leads to is replaced.
 * ${f} is CMD_OUTFILE_INIT.
 * Owns:   cmd_outfile_close(), also after a failure.
 * Errors: STV_E_INPUT, STV_E_USAGE.
 */
int cmd_outfile_open(const struct cmd_ctx *cx, const char *path,
		     struct cmd_outfile *f, struct stv_err **err);

/* cmd_outfile_commit(f, err): the file is complete: it takes its name. */
int cmd_outfile_commit(struct cmd_outfile *f, struct stv_err **err);

/* cmd_outfile_close(f): not committed means that nothing is left behind. */
void cmd_outfile_close(struct cmd_outfile *f);

/* cmd_file_write(cx, path, p, n, err): a small file whole, as above. */
int cmd_file_write(const struct cmd_ctx *cx, const char *path, const void *p,
		   size_t n, struct stv_err **err);

/*
 * cmd_file_rewrite(cx, path, p, n, err): other text for the user's file
 * ${path}: through symbolic links, with the owner and mode that it has, all or
 * nothing, also where the machine stops.
 * Errors: STV_E_INPUT; the file is as before.
 */
int cmd_file_rewrite(const struct cmd_ctx *cx, const char *path, const void *p,
		     size_t n, struct stv_err **err);

#endif /* STAVE_CMD_FILES_H */
