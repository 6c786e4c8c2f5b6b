/*
 * cmd/fuzz/ui_grammar.h - the bytes that a display may send to a terminal, for
 * the fuzz target and the unit tests; written apart from the code that it
 * judges.
 */
#ifndef STAVE_CMD_FUZZ_UI_GRAMMAR_H
#define STAVE_CMD_FUZZ_UI_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* grammar_escape(s, n, is_tty): length of an allowed sequence, or 0. */
static inline size_t
grammar_escape(const unsigned char *s, size_t n, bool is_tty)
{
	size_t i = 2;

	if (n < 3 || s[0] != 0x1b || s[1] != '[')
		return 0;
	while (i < n &&
	       ((s[i] >= '0' && s[i] <= '9') || s[i] == ';' || s[i] == ':'))
		i++;
	if (i == n)
		return 0;
	if (s[i] == 'm' || (is_tty && (s[i] == 'A' || s[i] == 'J')))
		return i + 1;
	return 0;
}

/* grammar_utf8(s, n): length of a printable UTF-8 character, or 0. */
static inline size_t
grammar_utf8(const unsigned char *s, size_t n)
{
	uint32_t cp;

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (n >= 2 && (s[0] & 0xe0) == 0xc0 && (s[1] & 0xc0) == 0x80) {
		cp = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
		return cp >= 0xa0 && cp != 0x61c ? 2 : 0;
	}
	if (n >= 3 && (s[0] & 0xf0) == 0xe0 && (s[1] & 0xc0) == 0x80 &&
	    (s[2] & 0xc0) == 0x80) {
		cp = (uint32_t)(s[0] & 0xf) << 12 |
		     (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
		/* surrogates; direction marks and separators */
		if (cp < 0x800 || (cp >= 0xd800 && cp <= 0xdfff) ||
		    (cp >= 0x200b && cp <= 0x200f) ||
		    (cp >= 0x2028 && cp <= 0x202e) ||
		    (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff)
			return 0;
		return 3;
	}
	if (n >= 4 && (s[0] & 0xf8) == 0xf0 && (s[1] & 0xc0) == 0x80 &&
	    (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80) {
		cp = (uint32_t)(s[0] & 7) << 18 | (uint32_t)(s[1] & 0x3f) << 12;
		return cp >= 0x10000 && cp < 0x110000 &&
				       (cp & 0x1ff000) != 0xe0000
			       ? 4
			       : 0;
	}
	return 0;
}

/*
 * grammar_bad(text, n, is_tty): the offset of the first byte that is not
 * allowed, or ${n}.
 */
static inline size_t
grammar_bad(const char *text, size_t n, bool is_tty)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i = 0;

	while (i < n) {
		size_t len = 0;

		if (s[i] == '\n' || s[i] == '\t' || (is_tty && s[i] == '\r'))
			len = 1;
		else if (s[i] == 0x1b)
			len = grammar_escape(s + i, n - i, is_tty);
		else
			len = grammar_utf8(s + i, n - i);
		if (len == 0)
			return i;
		i += len;
	}
	return n;
}

#endif /* STAVE_CMD_FUZZ_UI_GRAMMAR_H */
