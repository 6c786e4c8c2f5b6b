/* registry/toml_text.c - the characters of TOML: places, UTF-8, strings. */
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "registry/toml_internal.h"

int
reg_toml_peek(const struct reg_toml_in *in)
{
	return in->pos < in->len ? (unsigned char)in->text[in->pos] : -1;
}

bool
reg_toml_is_at(const struct reg_toml_in *in, const char *s)
{
	size_t n = strlen(s);

	return in->len - in->pos >= n && memcmp(in->text + in->pos, s, n) == 0;
}

/* Line and column of a byte; continuation bytes of UTF-8 are no columns. */
static void
place(const struct reg_toml_in *in, size_t pos, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < pos; i++) {
		if (in->text[i] == '\n') {
			++*line;
			*column = 1;
		} else if (((unsigned char)in->text[i] & 0xc0) != 0x80) {
			++*column;
		}
	}
}

int
reg_toml_fail(const struct reg_toml_in *in, size_t pos, struct stv_err **err,
	      const char *fmt, ...)
{
	stv_auto_free char *why = NULL;
	size_t line, column;
	va_list ap;

	va_start(ap, fmt);
	why = stv_xvasprintf(fmt, ap);
	va_end(ap);
	place(in, pos, &line, &column);
	return stv_fail(err, STV_E_INPUT, "%s:%zu:%zu: %s", in->what, line,
			column, why);
}

int
reg_toml_fail_limit(const struct reg_toml_in *in, size_t pos,
		    struct stv_err **err)
{
	size_t line, column;

	place(in, pos, &line, &column);
	return stv_fail(err, STV_E_LIMIT,
			"%s:%zu:%zu: nested deeper than %d levels", in->what,
			line, column, STV_MAX_JSON_DEPTH);
}

/* The length of the UTF-8 sequence at ${p} of ${n} bytes; 0: it is none. */
static size_t
utf8_len(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80   ? 1
		     : p[0] < 0xc2 ? 0
		     : p[0] < 0xe0 ? 2
		     : p[0] < 0xf0 ? 3
		     : p[0] < 0xf5 ? 4
				   : 0;

	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, above U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

int
reg_toml_check_text(const struct reg_toml_in *in, struct stv_err **err)
{
	const unsigned char *p = (const unsigned char *)in->text;

	for (size_t i = 0; i < in->len;) {
		size_t n = utf8_len(p + i, in->len - i);

		if (n == 0)
			return reg_toml_fail(in, i, err, "this is not UTF-8");
		if (p[i] == '\r' && i + 1 < in->len && p[i + 1] == '\n')
			n = 2;
		else if ((p[i] < 0x20 && p[i] != '\t' && p[i] != '\n') ||
			 p[i] == 0x7f)
			return reg_toml_fail(in, i, err,
					     "there is a control character "
					     "(0x%02x)",
					     p[i]);
		i += n;
	}
	return 0;
}

static void
add_utf8(struct stv_buf *b, uint32_t c)
{
	if (c < 0x80) {
		stv_buf_addc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		stv_buf_addc(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			stv_buf_addc(b, (char)(0xe0 | c >> 12));
		} else {
			stv_buf_addc(b, (char)(0xf0 | c >> 18));
			stv_buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		stv_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	stv_buf_addc(b, (char)(0x80 | (c & 0x3f)));
}

/* Hexadecimal digits of \u and \U; the place is behind the letter. */
static int
unicode_escape(struct reg_toml_in *in, size_t start, size_t digits,
	       struct stv_buf *ret, struct stv_err **err)
{
	uint32_t c = 0;

	for (size_t i = 0; i < digits; i++, in->pos++) {
		int d = reg_toml_peek(in);

		if (d >= '0' && d <= '9')
			c = c << 4 | (uint32_t)(d - '0');
		else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
			c = c << 4 | (uint32_t)((d | 0x20) - 'a' + 10);
		else
			return reg_toml_fail(in, start, err,
					     "the escape needs %zu "
					     "hexadecimal digits",
					     digits);
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return reg_toml_fail(in, start, err,
				     "the escape is no character");
	add_utf8(ret, c);
	return 0;
}

/* A backslash at the end of a line: all white space behind it is skipped. */
static bool
skip_line_end(struct reg_toml_in *in)
{
	size_t i = in->pos;

	while (i < in->len && (in->text[i] == ' ' || in->text[i] == '\t'))
		i++;
	if (i >= in->len || (in->text[i] != '\n' && in->text[i] != '\r'))
		return false;
	while (i < in->len && strchr(" \t\r\n", in->text[i]) != NULL)
		i++;
	in->pos = i;
	return true;
}

static int
escape(struct reg_toml_in *in, bool is_multi, struct stv_buf *ret,
       struct stv_err **err)
{
	static const char letters[] = "btnfr\"\\";
	static const char values[] = "\b\t\n\f\r\"\\";
	size_t start = in->pos++;
	int c = reg_toml_peek(in);
	const char *at = c > 0 ? strchr(letters, c) : NULL;

	if (is_multi && skip_line_end(in))
		return 0;
	in->pos++;
	if (at != NULL) {
		stv_buf_addc(ret, values[at - letters]);
		return 0;
	}
	if (c == 'u' || c == 'U')
		return unicode_escape(in, start, c == 'u' ? 4 : 8, ret, err);
	return reg_toml_fail(in, start, err,
			     "there is no such escape; a backslash is written "
			     "'\\\\', or the string in single quotes");
}

/* The three quotes that end a long string; two more may stand before them. */
static bool
is_long_end(struct reg_toml_in *in, char quote, struct stv_buf *ret)
{
	size_t n = 0;

	while (in->pos + n < in->len && in->text[in->pos + n] == quote && n < 5)
		n++;
	if (n < 3)
		return false;
	in->pos += n;
	for (; n > 3; n--)
		stv_buf_addc(ret, quote);
	return true;
}

int
reg_toml_string(struct reg_toml_in *in, bool is_key, struct stv_buf *ret,
		struct stv_err **err)
{
	char quote = in->text[in->pos];
	size_t start = in->pos;
	bool is_multi = reg_toml_is_at(in, quote == '"' ? "\"\"\"" : "'''");

	if (is_multi && is_key)
		return reg_toml_fail(in, start, err,
				     "a key is no string of several lines");
	in->pos += is_multi ? 3 : 1;
	if (is_multi && reg_toml_is_at(in, "\r\n"))
		in->pos += 2;
	else if (is_multi && reg_toml_is_at(in, "\n"))
		in->pos++;
	for (;;) {
		int c = reg_toml_peek(in);

		if (c < 0 || (!is_multi && (c == '\n' || c == '\r')))
			return reg_toml_fail(in, start, err,
					     "the string has no end");
		if (c == quote && !is_multi) {
			in->pos++;
			return 0;
		}
		if (c == quote && is_long_end(in, quote, ret))
			return 0;
		if (c == '\\' && quote == '"') {
			if (escape(in, is_multi, ret, err) < 0)
				return -1;
			continue;
		}
		/* A line's end is LF in the value, whatever the file has. */
		if (c != '\r')
			stv_buf_addc(ret, (char)c);
		in->pos++;
	}
}
