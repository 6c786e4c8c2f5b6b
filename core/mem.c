/* core/mem.c - allocation that cannot fail. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

/* There is nothing to unwind to: say it without allocating and stop. */
static void __attribute__((__noreturn__)) out_of_memory(void)
{
	static const char msg[] = "stave: out of memory\n";

	if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
		abort();
	abort();
}

void *
stv_xmalloc(size_t n)
{
	void *p = malloc(n == 0 ? 1 : n);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *
stv_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size == 0 ? 1 : size);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *
stv_xreallocarray(void *p, size_t n, size_t size)
{
	void *q;

	if (size != 0 && n > SIZE_MAX / size)
		out_of_memory();
	q = realloc(p, n * size == 0 ? 1 : n * size);
	if (q == NULL)
		out_of_memory();
	return q;
}

char *
stv_xstrdup(const char *s)
{
	return stv_xmemdup(s, strlen(s) + 1);
}

char *
stv_xstrndup(const char *s, size_t n)
{
	char *p = stv_xmalloc(n + 1);

	if (n > 0)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

void *
stv_xmemdup(const void *p, size_t n)
{
	void *q = stv_xmalloc(n);

	if (n > 0)
		memcpy(q, p, n);
	return q;
}

char *
stv_xvasprintf(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0 || s == NULL)
		out_of_memory();
	return s;
}

char *
stv_xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = stv_xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}
