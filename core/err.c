/* core/err.c - the error object. */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

#include "core/err.h"

struct stv_err {
	enum stv_code code;
	int errnum;
	int status;
	char *msg;
	char *hint;
	struct stv_span span;
	struct stv_err *cause;
};

/* Format into owned memory; a message that cannot be formatted is a bug. */
static char *
format(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		return stv_xstrdup(fmt);
	return s;
}

static struct stv_err *
frame_new(enum stv_code code, int errnum, char *msg)
{
	struct stv_err *e = stv_xcalloc(1, sizeof(*e));

	e->code = code;
	e->errnum = errnum;
	e->msg = msg;
	return e;
}

/* Append ": strerror" to a formatted text, which is consumed. */
static char *
with_errno(char *text, int errnum)
{
	char buf[128];
	char *msg = stv_xasprintf("%s: %s", text,
				  strerror_r(errnum, buf, sizeof(buf)));

	free(text);
	return msg;
}

int
stv_fail(struct stv_err **err, enum stv_code code, const char *fmt, ...)
{
	va_list ap;

	assert(err != NULL && *err == NULL);
	va_start(ap, fmt);
	*err = frame_new(code, 0, format(fmt, ap));
	va_end(ap);
	return -1;
}

/* Of a full disk only: ENOSPC of clone or mkdir of a cgroup means others. */
static void
hint_space(struct stv_err *e)
{
	if (e->code == STV_E_IO && (e->errnum == ENOSPC || e->errnum == EDQUOT))
		stv_err_hint(e, "Free some space ('stave prune' removes what "
				"no tag needs) and run the same command "
				"again.");
}

int
stv_fail_errno(struct stv_err **err, int errnum, const char *fmt, ...)
{
	enum stv_code code = errnum == ENOENT ? STV_E_NOT_FOUND : STV_E_IO;
	va_list ap;

	assert(err != NULL && *err == NULL);
	va_start(ap, fmt);
	*err = frame_new(code, errnum, with_errno(format(fmt, ap), errnum));
	va_end(ap);
	hint_space(*err);
	return -1;
}

int
stv_fail_errno_as(struct stv_err **err, enum stv_code code, int errnum,
		  const char *fmt, ...)
{
	va_list ap;

	assert(err != NULL && *err == NULL);
	va_start(ap, fmt);
	*err = frame_new(code, errnum, with_errno(format(fmt, ap), errnum));
	va_end(ap);
	hint_space(*err);
	return -1;
}

int
stv_wrap(struct stv_err **err, const char *fmt, ...)
{
	struct stv_err *e;
	va_list ap;

	assert(err != NULL && *err != NULL);
	va_start(ap, fmt);
	e = frame_new((*err)->code, (*err)->errnum, format(fmt, ap));
	va_end(ap);
	e->status = (*err)->status;
	e->cause = *err;
	*err = e;
	return -1;
}

int
stv_err_at(struct stv_err *e, struct stv_span span)
{
	e->span = span;
	return -1;
}

void
stv_err_hint(struct stv_err *e, const char *fmt, ...)
{
	va_list ap;

	free(e->hint);
	va_start(ap, fmt);
	e->hint = format(fmt, ap);
	va_end(ap);
}

void
stv_err_set_code(struct stv_err *e, enum stv_code code)
{
	e->code = code;
}

void
stv_err_set_status(struct stv_err *e, int status)
{
	e->status = status;
}

enum stv_code
stv_err_code(const struct stv_err *e)
{
	return e->code;
}

int
stv_err_errno(const struct stv_err *e)
{
	return e->errnum;
}

int
stv_err_status(const struct stv_err *e)
{
	return e->status;
}

const char *
stv_err_msg(const struct stv_err *e)
{
	return e->msg;
}

const char *
stv_err_get_hint(const struct stv_err *e)
{
	for (; e != NULL; e = e->cause)
		if (e->hint != NULL)
			return e->hint;
	return NULL;
}

struct stv_span
stv_err_span(const struct stv_err *e)
{
	for (; e != NULL; e = e->cause)
		if (e->span.file != 0)
			return e->span;
	return (struct stv_span){0};
}

const struct stv_err *
stv_err_cause(const struct stv_err *e)
{
	return e->cause;
}

const struct stv_err *
stv_err_root(const struct stv_err *e)
{
	while (e->cause != NULL)
		e = e->cause;
	return e;
}

void
stv_err_free(struct stv_err *e)
{
	while (e != NULL) {
		struct stv_err *cause = e->cause;

		free(e->msg);
		free(e->hint);
		free(e);
		e = cause;
	}
}

void
stv_err_clear(struct stv_err **err)
{
	stv_err_free(*err);
	*err = NULL;
}

void
stv_bug(const char *file, int line, const char *fmt, ...)
{
	char text[512], whole[700];
	va_list ap;
	int n;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(whole, sizeof(whole),
		     "stave: bug at %s:%d: %s\nstave: please report it\n", file,
		     line, text);
	if (n > 0 && write(STDERR_FILENO, whole, (size_t)n) < 0)
		_exit(70);
	_exit(70);
}
