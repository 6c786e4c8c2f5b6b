/* core/buf.c - growable bytes with a hard maximum. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "core/buf.h"

/* Make room for ${n} more bytes and the NUL; false where the maximum forbids.
 */
static bool
reserve(struct stv_buf *b, size_t n)
{
	size_t need, cap;

	if (b->is_over || n > b->max || b->len > b->max - n) {
		b->is_over = true;
		return false;
	}
	need = b->len + n + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap * 2 + 64;
	if (cap < need)
		cap = need;
	b->data = stv_xreallocarray(b->data, cap, 1);
	b->cap = cap;
	return true;
}

void
stv_buf_add(struct stv_buf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n > 0)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
stv_buf_adds(struct stv_buf *b, const char *s)
{
	stv_buf_add(b, s, strlen(s));
}

void
stv_buf_addc(struct stv_buf *b, char c)
{
	stv_buf_add(b, &c, 1);
}

void
stv_buf_addf(struct stv_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n)) {
		b->is_over = true;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* The length of the valid, printable UTF-8 sequence at ${p}, or 0. */
static size_t
utf8_printable(const unsigned char *p, size_t n)
{
	uint32_t cp;
	size_t len;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2, cp = p[0] & 0x1fU;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3, cp = p[0] & 0x0fU;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4, cp = p[0] & 0x07U;
	else
		return 0;
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = (cp << 6) | (p[i] & 0x3fU);
	}
	if (cp < 0xa0 || (len == 3 && cp < 0x800) ||
	    (len == 4 && (cp < 0x10000 || cp > 0x10ffff)) ||
	    (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	/* Bidirectional overrides can make a line read as another one. */
	if ((cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) ||
	    cp == 0x2028 || cp == 0x2029)
		return 0;
	return len;
}

void
stv_buf_add_escaped(struct stv_buf *b, const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	for (size_t i = 0; i < n;) {
		size_t len = utf8_printable(u + i, n - i);

		if (len == 0) {
			stv_buf_addf(b, "\\x%02x", (unsigned int)u[i]);
			i++;
		} else {
			stv_buf_add(b, p + i, len);
			i += len;
		}
	}
}

void
stv_buf_add_base64(struct stv_buf *b, const void *p, size_t n)
{
	stv_auto_free unsigned char *out = stv_xmalloc(n / 3 * 4 + 5);
	int len = EVP_EncodeBlock(out, p, (int)n);

	stv_buf_add(b, out, (size_t)len);
}

void
stv_buf_truncate(struct stv_buf *b, size_t len)
{
	if (len < b->len) {
		b->len = len;
		b->data[len] = '\0';
	}
}

const char *
stv_buf_str(const struct stv_buf *b)
{
	return b->data == NULL ? "" : b->data;
}

char *
stv_buf_take(struct stv_buf *b)
{
	char *data = b->data == NULL ? stv_xstrdup("") : b->data;

	b->data = NULL;
	b->len = b->cap = 0;
	return data;
}

int
stv_buf_check(const struct stv_buf *b, const char *what, struct stv_err **err)
{
	if (!b->is_over)
		return 0;
	return stv_fail(err, STV_E_LIMIT, "%s is larger than %zu bytes", what,
			b->max);
}

void
stv_buf_fini(struct stv_buf *b)
{
	free(b->data);
	*b = STV_BUF_INIT(b->max);
}
