/* cmd/ui_text.c - text of strangers made fit for a terminal. */
#include <stdint.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/limits.h"

#include "cmd/ui_text.h"

/* More parameters than any colour needs: such a sequence is dropped. */
#define MAX_SGR 64
#define ESC 0x1b

static const char cut_mark[] = " [line cut, the log has all of it]";

/* The code point at ${s}; its length, or 0 where it is no valid UTF-8. */
static size_t
utf8_next(const unsigned char *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80		   ? 1
		     : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		     : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		     : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						   : 0;
	uint32_t cp;

	if (len == 0 || len > n)
		return 0;
	cp = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3fu);
	}
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 0;
	*ret = cp;
	return len;
}

/* Does it act on the terminal or reorder text instead of showing something? */
static bool
is_active(uint32_t cp)
{
	return (cp < 0x20 && cp != '\t') || (cp >= 0x7f && cp < 0xa0) ||
	       cp == 0x61c || (cp >= 0x200b && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff ||
	       (cp >= 0xfff9 && cp <= 0xfffb) ||
	       (cp >= 0xe0000 && cp < 0xe1000);
}

/*
 * The length of a complete CSI sequence at ${s} (which begins with ESC), 0
 * where there is none.  ${final} gets its last byte.
 */
static size_t
csi_length(const unsigned char *s, size_t n, unsigned char *final)
{
	size_t i = 2;

	if (n < 3 || s[1] != '[')
		return 0;
	while (i < n && s[i] >= 0x20 && s[i] < 0x40)
		i++;
	if (i == n || s[i] < 0x40 || s[i] > 0x7e)
		return 0;
	*final = s[i];
	return i + 1;
}

static bool
is_sgr(const unsigned char *s, size_t len, unsigned char final)
{
	if (final != 'm' || len > MAX_SGR)
		return false;
	for (size_t i = 2; i + 1 < len; i++)
		if ((s[i] < '0' || s[i] > '9') && s[i] != ';' && s[i] != ':')
			return false;
	return true;
}

void
ui_text_clean(const char *s, size_t n, bool has_color, struct stv_buf *ret)
{
	const unsigned char *at = (const unsigned char *)s;
	bool needs_reset = false;

	while (n > 0) {
		unsigned char final = 0;
		uint32_t cp = 0;
		size_t len = *at == ESC ? csi_length(at, n, &final) : 0;

		if (len > 0 && has_color && is_sgr(at, len, final)) {
			stv_buf_add(ret, at, len);
			needs_reset = true;
		} else if (len == 0) {
			len = utf8_next(at, n, &cp);
			if (len > 0 && !is_active(cp)) {
				stv_buf_add(ret, at, len);
			} else {
				len = len > 0 ? len : 1;
				for (size_t i = 0; i < len; i++)
					stv_buf_addf(ret, "\\x%02x", at[i]);
			}
		}
		at += len;
		n -= len;
	}
	if (needs_reset)
		stv_buf_adds(ret, "\033[0m");
}

/* Cells of a code point: the blocks that terminals draw two cells wide. */
static size_t
cell_width(uint32_t cp)
{
	if ((cp >= 0x300 && cp < 0x370) || (cp >= 0x1ab0 && cp < 0x1b00) ||
	    (cp >= 0x20d0 && cp < 0x2100) || (cp >= 0xfe00 && cp < 0xfe10))
		return 0;
	if ((cp >= 0x1100 && cp < 0x1160) || (cp >= 0x2e80 && cp < 0xa4d0) ||
	    (cp >= 0xac00 && cp < 0xd7a4) || (cp >= 0xf900 && cp < 0xfb00) ||
	    (cp >= 0xfe30 && cp < 0xfe70) || (cp >= 0xff00 && cp < 0xff61) ||
	    (cp >= 0xffe0 && cp < 0xffe7) || (cp >= 0x1f300 && cp < 0x1fb00) ||
	    (cp >= 0x20000 && cp < 0x40000))
		return 2;
	return 1;
}

size_t
ui_text_fit(const char *s, size_t cells, struct stv_buf *ret)
{
	const unsigned char *at = (const unsigned char *)s;
	size_t n = strlen(s), used = 0;
	bool is_full = false;

	while (n > 0) {
		unsigned char final = 0;
		uint32_t cp = *at;
		size_t len = *at == ESC ? csi_length(at, n, &final) : 0, w = 0;

		if (len == 0) {
			len = utf8_next(at, n, &cp);
			w = cp == '\t' ? 8 - used % 8 : cell_width(cp);
			len = len > 0 ? len : 1;
			is_full |= used + w > cells;
			if (!is_full && cp == '\t')
				stv_buf_add(ret, "        ", w);
			else if (!is_full)
				stv_buf_add(ret, at, len);
			used += is_full ? 0 : w;
		} else {
			/* also behind the cut: a reset must not get lost */
			stv_buf_add(ret, at, len);
		}
		at += len;
		n -= len;
	}
	return used;
}

void
ui_text_name(const char *s, struct stv_buf *ret)
{
	for (; *s != '\0'; s++) {
		size_t n = strcspn(s, "\n\t");

		ui_text_clean(s, n, false, ret);
		s += n;
		if (*s == '\0')
			break;
		stv_buf_addc(ret, ' ');
	}
}

static void
line_add(struct ui_line *l, const char *p, size_t n)
{
	if (l->raw.max == 0)
		l->raw = STV_BUF_INIT(STV_MAX_LOG_LINE + sizeof(cut_mark));
	if (n > STV_MAX_LOG_LINE - l->raw.len) {
		n = STV_MAX_LOG_LINE - l->raw.len;
		l->is_cut = true;
	}
	stv_buf_add(&l->raw, p, n);
}

static void
line_end(struct ui_line *l, void (*fn)(void *arg, const char *line, size_t len),
	 void *arg)
{
	if (l->is_cut)
		stv_buf_adds(&l->raw, cut_mark);
	fn(arg, stv_buf_str(&l->raw), l->raw.len);
	stv_buf_truncate(&l->raw, 0);
	l->is_cut = false;
	l->has_cr = false;
}

void
ui_line_feed(struct ui_line *l, const char *p, size_t n,
	     void (*fn)(void *arg, const char *line, size_t len), void *arg)
{
	const char *end = p + n;

	while (p < end) {
		const char *stop = p;

		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		if (stop > p && l->has_cr) {
			stv_buf_truncate(&l->raw, 0);
			l->is_cut = false;
			l->has_cr = false;
		}
		line_add(l, p, (size_t)(stop - p));
		if (stop < end && *stop == '\n')
			line_end(l, fn, arg);
		else if (stop < end)
			l->has_cr = true;
		p = stop + 1;
	}
}

void
ui_line_flush(struct ui_line *l,
	      void (*fn)(void *arg, const char *line, size_t len), void *arg)
{
	if (l->raw.len > 0)
		line_end(l, fn, arg);
}

void
ui_line_fini(struct ui_line *l)
{
	stv_buf_fini(&l->raw);
}
