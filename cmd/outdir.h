/* cmd/outdir.h - a directory that becomes a result. */
#ifndef STAVE_CMD_OUTDIR_H
#define STAVE_CMD_OUTDIR_H

#include <stdbool.h>

struct cmd_ctx; /* cmd/ctx.h */
struct stv_err; /* core/err.h */

/* A directory being filled. */
struct cmd_outdir {
	int fd;
	char *path;
	char *tmp;	/* where it grows, or NULL: in place */
	bool was_empty; /* in place: what is in it now is ours */
	unsigned mode;
};

#define CMD_OUTDIR_INIT                                                        \
	(struct cmd_outdir)                                                    \
	{                                                                      \
		.fd = -1                                                       \
	}

/*
 * cmd_outdir_open(cx, path, is_new, d, err): a directory that is not there
 * grows beside its place and takes its name when it is complete.  One that is
 * there (it may be a mount, or where somebody works) is filled in place; with
 * ${is_new} it must be empty.  ${d} is CMD_OUTDIR_INIT.
 * Owns:   cmd_outdir_close(), also after a failure.
 * Errors: STV_E_INPUT.
 */
int cmd_outdir_open(const struct cmd_ctx *cx, const char *path, bool is_new,
		    struct cmd_outdir *d, struct stv_err **err);

/* cmd_outdir_commit(d, err): it is complete: it takes its name. */
int cmd_outdir_commit(struct cmd_outdir *d, struct stv_err **err);

/*
 * cmd_outdir_close(d): not committed means that nothing new is left behind but
 * in a directory that held something already.
 */
void cmd_outdir_close(struct cmd_outdir *d);

#endif /* STAVE_CMD_OUTDIR_H */
