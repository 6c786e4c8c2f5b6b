/*
 * builder/remote.h - a build context that is no directory of this machine: an
 * archive (a file, or on standard input), a URL, a repository.
 *
 * It is fetched into the store's tmp/ for one build, and seen as a directory
 * then.  What nobody removes is removed by the next command.
 */
#ifndef STAVE_BUILDER_REMOTE_H
#define STAVE_BUILDER_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bld_context;	 /* builder/context.h */
struct bld_context_opts; /* builder/context.h */
struct cas_store;	 /* cache/store.h */
struct stv_err;		 /* core/err.h */

/* What a context argument is. */
enum bld_place {
	BLD_PLACE_DIR, /* a directory; what is none of the others, too */
	BLD_PLACE_STDIN,
	BLD_PLACE_FILE,
	BLD_PLACE_GIT,
	BLD_PLACE_HTTP
};

/*
 * bld_place_of(text): what ${text} names.  A directory or file that is there
 * comes before the repository of the same name.
 */
enum bld_place bld_place_of(const char *text);

struct bld_remote_opts {
	struct cas_store *store;
	const char *text; /* what the user wrote */
	int stdin_fd;	  /* of BLD_PLACE_STDIN */
	bool keep_git_dir;
};

/* What was fetched. */
struct bld_remote {
	struct cas_store *store; /* borrowed */
	enum bld_place place;
	char *shown;	 /* for messages: no credentials */
	char *tmp;	 /* relative to the store's root */
	int fd;		 /* the directory */
	bool has_owners; /* as struct bld_context_opts */
	bool hides_git;
	bool has_mtime;
	bool has_time; /* of the commit, or Last-Modified */
	int64_t time_s;
	const char *dockerfile; /* the name that it has there */
	/* What came was a Dockerfile, and the directory is empty. */
	bool is_text;
	char *text;
	size_t text_len;
};

/*
 * bld_remote_open(o, ret, err): fetch it; anything but BLD_PLACE_DIR.
 *
 * Owns:    *ret, bld_remote_close().
 * Borrows: o->store as long as *ret.
 * Errors:  those of HTTP, git and archives; STV_E_INPUT: a file that is no
 *          archive; STV_E_LIMIT; STV_E_CANCELLED (core/cancel.h).
 */
int bld_remote_open(const struct bld_remote_opts *o, struct bld_remote *ret,
		    struct stv_err **err);

/* bld_remote_close(r): remove it; a zeroed one is ok. */
void bld_remote_close(struct bld_remote *r);

/*
 * bld_remote_context(r, opts, ret, err): as a context; ${opts} gives what is
 * left out.  Borrows: ${r}'s files as long as *ret.  Owns: *ret.
 */
int bld_remote_context(const struct bld_remote *r,
		       const struct bld_context_opts *opts,
		       struct bld_context **ret, struct stv_err **err);

#endif /* STAVE_BUILDER_REMOTE_H */
