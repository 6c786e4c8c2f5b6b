/*
 * builder/test/build_rig.h - a store, a context and Dockerfiles as text, for
 * the tests of whole builds.  All of it lies in one temporary directory.
 */
#ifndef STAVE_BUILDER_TEST_BUILD_RIG_H
#define STAVE_BUILDER_TEST_BUILD_RIG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "builder/build.h"
#include "cache/store.h"
#include "core/buf.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/event.h"

/* A stage 'sys' with a shell: for tests that called works_open_shell(). */
#define SYS                                                                    \
	"FROM scratch AS sys\n"                                                \
	"COPY busybox /bin/busybox\n"                                          \
	"RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n"

struct works {
	struct stv_listener listener; /* first: on_event() casts */
	char dir[64];		      /* holds "store" and "ctx" */
	char *context;
	struct cas_store *store;
	struct cas_lease *lease;
	struct bld_opts o;	  /* tests change it before works_build() */
	struct bld_target target; /* the one of ${o} */
	/* of the last build */
	struct stv_sources *sources;
	struct stv_diags diags;
	struct df_file *file;
	struct bld_result result;
	struct stv_err *err;
	int rc;
	struct stv_buf log;  /* "cached FROM scratch\n" */
	const char *kill_on; /* send SIGINT to ourselves at this output */
	char *output;	     /* of the last run, of descriptors 1 and 2 */
	int status;	     /* of the last run */
};

/* works_open(w): an empty store and an empty context. */
void works_open(struct works *w);

/*
 * works_open_shell(w): the same with a busybox in the context; skips the test
 * with a reason where no RUN can be run.
 */
void works_open_shell(struct works *w);

/* works_close(w): remove everything; nothing may be left in tmp/. */
void works_close(struct works *w);

/* works_file(w, name, text): a file of the context. */
void works_file(struct works *w, const char *name, const char *text);

/* works_build(w, text): build the Dockerfile ${text}, good or bad. */
void works_build(struct works *w, const char *text);

/* works_ok(w, text): it builds. */
void works_ok(struct works *w, const char *text);

/* works_fails(w, text, code, part): it fails so, and says ${part}. */
void works_fails(struct works *w, const char *text, enum stv_code code,
		 const char *part);

/* works_content(w, path): a file of the image's.  Owns: the result, or NULL. */
char *works_content(struct works *w, const char *path);

/* works_expect(w, path, text): the image has that file with that content. */
void works_expect(struct works *w, const char *path, const char *text);

/*
 * works_run(w, o, input): bld_run() with the last build's image, ${input} as
 * its standard input (NULL: nothing).  Sets rc, err, status, output.
 */
void works_run(struct works *w, struct bld_run_opts *o, const char *input);

#endif /* STAVE_BUILDER_TEST_BUILD_RIG_H */
