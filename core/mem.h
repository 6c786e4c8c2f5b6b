/*
 * core/mem.h - allocation that cannot fail.
 *
 * For things whose size we choose ourselves.  What grows with the input goes
 * through struct stv_buf, which has a maximum and an error.
 */
#ifndef STAVE_CORE_MEM_H
#define STAVE_CORE_MEM_H

#include <stdarg.h>
#include <stddef.h>

/* stv_xmalloc(n): ${n} bytes, or abort().  Owns: the caller. */
void *stv_xmalloc(size_t n) __attribute__((__malloc__, __returns_nonnull__));

/* stv_xcalloc(n, size): ${n} zeroed objects, or abort().  Owns: the caller. */
void *stv_xcalloc(size_t n, size_t size)
	__attribute__((__malloc__, __returns_nonnull__));

/*
 * stv_xreallocarray(p, n, size): ${p} resized to ${n} objects of ${size}, or
 * abort() (also where the product overflows).  Takes: ${p}.
 */
void *stv_xreallocarray(void *p, size_t n, size_t size)
	__attribute__((__returns_nonnull__));

/* stv_xstrdup(s): a copy of ${s}, or abort().  Owns: the caller. */
char *stv_xstrdup(const char *s)
	__attribute__((__malloc__, __returns_nonnull__));

/* stv_xstrndup(s, n): the first ${n} bytes of ${s} (which may hold no NUL). */
char *stv_xstrndup(const char *s, size_t n)
	__attribute__((__malloc__, __returns_nonnull__));

/* stv_xmemdup(p, n): a copy of ${n} bytes, or abort().  Owns: the caller. */
void *stv_xmemdup(const void *p, size_t n)
	__attribute__((__malloc__, __returns_nonnull__));

/* stv_xasprintf(fmt, ...): formatted text, or abort().  Owns: the caller. */
char *stv_xasprintf(const char *fmt, ...)
	__attribute__((__format__(__printf__, 1, 2), __malloc__,
		       __returns_nonnull__));

/* stv_xvasprintf(fmt, ap): the same from a list of arguments. */
char *stv_xvasprintf(const char *fmt, va_list ap)
	__attribute__((__format__(__printf__, 1, 0), __malloc__,
		       __returns_nonnull__));

#endif /* STAVE_CORE_MEM_H */
