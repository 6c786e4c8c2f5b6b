/*
 * core/proc.h - running another program and taking what it says.
 *
 *	const struct stv_proc_opts o = {.argv = argv, .env = env, .dirfd = fd,
 *					.what = "git fetch"};
 *	struct stv_proc_result r;
 *
 *	if (stv_proc_run(&o, &r, err) < 0) ...
 *	if (r.status != 0) ... r.errors ...
 *	stv_proc_result_fini(&r);
 *
 * There is no shell, and nothing but the three standard descriptors and the
 * environment that is given.  The program gets a process group of its own, is
 * killed with everything in it by stv_cancel_set(), and dies with the thread
 * that started it.
 */
#ifndef STAVE_CORE_PROC_H
#define STAVE_CORE_PROC_H

#include <stddef.h>

#include "core/buf.h"

struct stv_err; /* core/err.h */

struct stv_proc_opts {
	const char *const *argv; /* argv[0]: looked for in PATH */
	char *const *env;	 /* NAME=value, all of it */
	int dirfd;		 /* its working directory; -1: ours */
	int input;		 /* its standard input; 0: it is empty */
	size_t max_output;	 /* 0: STV_MAX_PROC_OUTPUT */
	const char *what;	 /* for messages; NULL: argv[0] */
};

struct stv_proc_result {
	int status;	       /* exit status, or 128 + signal */
	struct stv_buf output; /* all that came on its standard output */
	struct stv_buf errors; /* the last of what came on the other one */
};

/*
 * stv_proc_find(name, ret, err): the program ${name} in our PATH, of which only
 * absolute parts are looked at.  Owns: *ret.
 * Errors: STV_E_NOT_FOUND.
 */
int stv_proc_find(const char *name, char **ret, struct stv_err **err);

/*
 * stv_proc_run(o, ret, err): run it to its end.  That it failed is no error
 * here: look at ret->status.
 *
 * Owns:   *ret, stv_proc_result_fini(); untouched on failure.
 * Borrows: o->input, which stays open here.
 * Errors: STV_E_NOT_FOUND: no such program; STV_E_LIMIT: more output than
 *         allowed; STV_E_CANCELLED; STV_E_IO, also where it cannot be executed.
 * Threads: any, which waits.
 */
int stv_proc_run(const struct stv_proc_opts *o, struct stv_proc_result *ret,
		 struct stv_err **err);

/* stv_proc_result_fini(r): free the members. */
void stv_proc_result_fini(struct stv_proc_result *r);

/*
 * stv_proc_last_words(r, ret): the last lines of what it wrote to its standard
 * error, in one line and escaped, appended.
 */
void stv_proc_last_words(const struct stv_proc_result *r, struct stv_buf *ret);

#endif /* STAVE_CORE_PROC_H */
