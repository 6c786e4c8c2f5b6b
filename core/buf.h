/*
 * core/buf.h - growable bytes with a hard maximum.
 *
 * Adding beyond the maximum sets a sticky flag instead of failing each call,
 * so that a writer is checked once at its end:
 *
 *	struct stv_buf b = STV_BUF_INIT(LIMIT);
 *	stv_buf_addf(&b, "%s", x); ...
 *	if (stv_buf_check(&b, "expanded string", err) < 0) ...
 *	stv_buf_fini(&b);
 *
 * The bytes are always followed by a NUL that is not counted.
 */
#ifndef STAVE_CORE_BUF_H
#define STAVE_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stv_err; /* core/err.h */

struct stv_buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	bool is_over; /* something did not fit; data holds what did before */
};

#define STV_BUF_INIT(limit)                                                    \
	(struct stv_buf)                                                       \
	{                                                                      \
		.max = (limit)                                                 \
	}

/* stv_buf_add(b, p, n): append ${n} bytes, or set is_over and add nothing. */
void stv_buf_add(struct stv_buf *b, const void *p, size_t n);

/* stv_buf_adds(b, s): append the string ${s}. */
void stv_buf_adds(struct stv_buf *b, const char *s);

/* stv_buf_addc(b, c): append one byte. */
void stv_buf_addc(struct stv_buf *b, char c);

/* stv_buf_addf(b, fmt, ...): append formatted text. */
void stv_buf_addf(struct stv_buf *b, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/*
 * stv_buf_add_escaped(b, p, n): append bytes that come from outside so that a
 * terminal shows them inert: control bytes and bytes that are not UTF-8 as
 * \xNN (THREATS D16, B20).
 */
void stv_buf_add_escaped(struct stv_buf *b, const char *p, size_t n);

/*
 * stv_buf_add_base64(b, p, n): append ${n} bytes as base64, with its '='.
 * Limits: what a length in int can count.
 */
void stv_buf_add_base64(struct stv_buf *b, const void *p, size_t n);

/* stv_buf_truncate(b, len): keep the first ${len} bytes. */
void stv_buf_truncate(struct stv_buf *b, size_t len);

/* stv_buf_str(b): the bytes as a string, never NULL.  Borrows. */
const char *stv_buf_str(const struct stv_buf *b);

/*
 * stv_buf_take(b): the bytes, NUL behind them; ${b} is empty afterwards.
 * Owns: the caller frees the result, which is never NULL.
 */
char *stv_buf_take(struct stv_buf *b);

/*
 * stv_buf_check(b, what, err): 0, or -1 with STV_E_LIMIT "${what} is larger
 * than N bytes" where something did not fit.
 */
int stv_buf_check(const struct stv_buf *b, const char *what,
		  struct stv_err **err);

/* stv_buf_fini(b): free the bytes; ${b} may be used again. */
void stv_buf_fini(struct stv_buf *b);

#define stv_auto_buf STV_CLEANUP(stv_buf_fini) struct stv_buf

#endif /* STAVE_CORE_BUF_H */
