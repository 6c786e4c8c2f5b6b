/*
 * builder/context.h - the build context: a directory, seen through its ignore
 * file.
 *
 * The directory is opened once; everything below it is reached from that
 * descriptor, no link is followed by the kernel, and nothing outside can be
 * reached (THREATS D06).  FIFOs, sockets and devices are never opened for
 * reading (D07).  Owners and extended attributes are not looked at: what a
 * context holds belongs to 0:0, unless it came in an archive.
 *
 *	bld_context_open(path, &opts, &ctx, err);
 *	... bld_copy_plan() with ctx as its source ...
 *	bld_context_save(ctx, err);	remember the digests of this time
 *	bld_context_close(ctx);
 */
#ifndef STAVE_BUILDER_CONTEXT_H
#define STAVE_BUILDER_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct bld_source; /* builder/source.h */
struct cas_store;  /* cache/store.h */
struct df_ignore;  /* parser/ignore.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/* A build context.  Threads: one at a time. */
struct bld_context;

struct bld_context_opts {
	const struct df_ignore *ignore; /* NULL: nothing is left out */
	const char *ignore_name; /* for messages; NULL: ".dockerignore" */
	struct cas_store *store; /* keeps the index; NULL: hash every time */
	bool has_owners; /* files belong to whom they belong, not to 0:0 */
	bool hides_git;	 /* what is called .git is not there: git's own notes */
	bool has_mtime;	 /* all files are of that time */
	int64_t mtime_s;
};

/*
 * bld_context_open(path, opts, ret, err): open the directory ${path}.
 * ${opts} may be NULL.
 *
 * Owns:    *ret, bld_context_close().
 * Borrows: opts->ignore and opts->store, as long as *ret; opts is copied.
 * Errors:  STV_E_INPUT: not there, no directory, not readable.
 */
int bld_context_open(const char *path, const struct bld_context_opts *opts,
		     struct bld_context **ret, struct stv_err **err);

/*
 * bld_context_open_fd(fd, name, opts, ret, err): the same for a directory that
 * is open, called ${name} in messages.  opts->store is not looked at: what is
 * there for one build only needs no index.
 * Takes: ${fd}, also on failure.
 */
int bld_context_open_fd(int fd, const char *name,
			const struct bld_context_opts *opts,
			struct bld_context **ret, struct stv_err **err);

/* bld_context_close(ctx): NULL is ok. */
void bld_context_close(struct bld_context *ctx);

/*
 * bld_context_save(ctx, err): write the index of digests if it changed.
 * Errors: STV_E_IO; the build is none the worse for it.
 */
int bld_context_save(struct bld_context *ctx, struct stv_err **err);

/* bld_context_fd(ctx): the directory.  Borrows. */
int bld_context_fd(const struct bld_context *ctx);

/* bld_context_path(ctx): as it was given, for messages.  Borrows. */
const char *bld_context_path(const struct bld_context *ctx);

/*
 * bld_context_digest(ctx, path, ret, err): the digest of all that can be seen
 * at and below ${path} (cleaned, "" is the root; links in it are followed
 * inside the context): type, mode, link target and content, names relative to
 * ${path}.  For RUN --mount=type=bind.
 * Errors: STV_E_INPUT (not there, unreadable), STV_E_IO.
 */
int bld_context_digest(struct bld_context *ctx, const char *path,
		       struct stv_digest *ret, struct stv_err **err);

/*
 * bld_context_source(ctx): the context as a tree to copy from.
 * Borrows: lives as long as ${ctx}.
 */
struct bld_source *bld_context_source(struct bld_context *ctx);

/*
 * bld_context_hint(context_fd, path, err): *err says that ${path} (cleaned)
 * is not in the context; add a hint: a name like it, or a link that leads
 * nowhere.  No hint where there is nothing to say.
 */
void bld_context_hint(int context_fd, const char *path, struct stv_err **err);

STV_DEFINE_CLEANUP(bld_context, bld_context_close);

#endif /* STAVE_BUILDER_CONTEXT_H */
