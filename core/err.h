/*
 * core/err.h - the error object.
 *
 * A fallible function returns 0 / -1 (or a pointer / NULL) and takes
 * struct stv_err **err last.  err is never NULL and *err is NULL on entry
 * (asserted).  On success *err is untouched, on failure it is set, always.
 * A positive return is an ordinary answer that the header names.
 *
 *	if (open_it(path, &fd, err) < 0)
 *		return stv_wrap(err, "reading the build context");
 *
 * An error is a chain of frames: the first says what failed, each later one
 * (stv_wrap) adds a noun that the user knows.  A frame may carry a place in a
 * source file and a hint, which is a full sentence with an action.
 */
#ifndef STAVE_CORE_ERR_H
#define STAVE_CORE_ERR_H

#include "core/span.h"

/* What a caller can decide upon; the text is for people. */
enum stv_code {
	STV_E_USAGE,	 /* the command line is wrong */
	STV_E_SYNTAX,	 /* the Dockerfile cannot be parsed */
	STV_E_CHECK,	 /* parsed, but it makes no sense */
	STV_E_INPUT,	 /* the context, an archive or a named file is wrong */
	STV_E_NOT_FOUND, /* no such image, tag, blob, file */
	STV_E_DIGEST,	 /* bytes are not what their digest promised */
	STV_E_LIMIT,	 /* larger than a documented bound */
	STV_E_AUTH,	 /* not authorised */
	STV_E_NET,	 /* connection, TLS, DNS, time-out */
	STV_E_PROTOCOL,	 /* the other side broke its protocol */
	STV_E_STEP_FAILED, /* the user's command failed */
	STV_E_SANDBOX,	   /* the sandbox could not be set up */
	STV_E_PRIVILEGE,   /* this machine lacks a privilege */
	STV_E_IO,	   /* a system call on the store or a file failed */
	STV_E_CANCELLED,   /* interrupted by the user */
	STV_E_INTERNAL	   /* a bug in stave */
};

struct stv_err;

/*
 * stv_fail(err, code, fmt, ...): set *err and return -1.  The message is lower
 * case, has no full stop, and names what was done to which thing.
 */
int stv_fail(struct stv_err **err, enum stv_code code, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/*
 * stv_fail_errno(err, errnum, fmt, ...): the same with ": strerror(errnum)"
 * behind it.  The code is STV_E_IO, or STV_E_NOT_FOUND for ENOENT.
 */
int stv_fail_errno(struct stv_err **err, int errnum, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/*
 * stv_fail_errno_as(err, code, errnum, fmt, ...): stv_fail_errno() with a code
 * of the caller's choice.
 */
int stv_fail_errno_as(struct stv_err **err, enum stv_code code, int errnum,
		      const char *fmt, ...)
	__attribute__((__format__(__printf__, 4, 5)));

/*
 * stv_wrap(err, fmt, ...): put a frame in front of *err (which must be set);
 * the code stays.  Returns -1.
 */
int stv_wrap(struct stv_err **err, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/* stv_err_at(e, span): give the newest frame of ${e} a place.  Returns -1. */
int stv_err_at(struct stv_err *e, struct stv_span span);

/* stv_err_hint(e, fmt, ...): give the newest frame of ${e} a hint. */
void stv_err_hint(struct stv_err *e, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/*
 * stv_err_set_status(e, status): remember the exit code of the user's command
 * (STV_E_STEP_FAILED), for --propagate-exit.
 */
void stv_err_set_status(struct stv_err *e, int status);

/*
 * stv_err_set_code(e, code): the newest frame's code is another one: what is a
 * wrong word for the function that failed stands in a file for its caller.
 */
void stv_err_set_code(struct stv_err *e, enum stv_code code);

/* stv_err_code(e): the code of the first frame. */
enum stv_code stv_err_code(const struct stv_err *e);

/* stv_err_errno(e): the errno that the chain began with, or 0. */
int stv_err_errno(const struct stv_err *e);

/* stv_err_status(e): the user's command's exit code, or 0 where none is set. */
int stv_err_status(const struct stv_err *e);

/*
 * stv_err_msg(e): the text of the newest frame.
 * Borrows: lives as long as ${e}.
 */
const char *stv_err_msg(const struct stv_err *e);

/* stv_err_get_hint(e): the newest hint in the chain, or NULL.  Borrows. */
const char *stv_err_get_hint(const struct stv_err *e);

/* stv_err_span(e): the newest place in the chain; file 0 where there is none.
 */
struct stv_span stv_err_span(const struct stv_err *e);

/*
 * stv_err_cause(e): the frame behind ${e}, or NULL at the end of the chain.
 * The last one is the original failure.  Borrows: lives as long as ${e}.
 */
const struct stv_err *stv_err_cause(const struct stv_err *e);

/*
 * stv_err_root(e): the original failure at the end of the chain.
 * Borrows: lives as long as ${e}.
 */
const struct stv_err *stv_err_root(const struct stv_err *e);

/* stv_err_free(e): free the whole chain.  NULL is ok. */
void stv_err_free(struct stv_err *e);

/* stv_err_clear(err): free *err and set it to NULL, to go on after a failure.
 */
void stv_err_clear(struct stv_err **err);

/*
 * STV_BUG(fmt, ...): stop the program because of a mistake of ours (exit
 * status 70, DESIGN.md "Errors").
 */
#define STV_BUG(...) stv_bug(__FILE__, __LINE__, __VA_ARGS__)

/* stv_bug(file, line, fmt, ...): see STV_BUG. */
void stv_bug(const char *file, int line, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4), __noreturn__));

#endif /* STAVE_CORE_ERR_H */
