/* parser/utf8.c - code points of text that may be no UTF-8. */
#include "core/cleanup.h"

#include "parser/utf8.h"

/* Blocks beyond ASCII that hold no letters. */
static const struct {
	uint32_t first;
	uint32_t last;
} no_letters[] = {
	{0x80, 0xa9},	    {0xab, 0xb4},	   {0xb6, 0xb9},
	{0xbb, 0xbf},	    {0xd7, 0xd7},	   {0xf7, 0xf7},
	{0x1680, 0x1680},   {0x2000, 0x2070},	   {0x2072, 0x207e},
	{0x2080, 0x208f},   {0x20a0, 0x2101},	   {0x2190, 0x2bff},
	{0x2e00, 0x2e2e},   {0x2e30, 0x3004},	   {0x3007, 0x3030},
	{0xd800, 0xf8ff},   {0xfe00, 0xfe6f},	   {0xff00, 0xff20},
	{0xff3b, 0xff40},   {0xff5b, 0xff65},	   {0xfff0, 0xffff},
	{0x1f000, 0x1faff}, {0xe0000, UINT32_MAX},
};

/* The code point of ${len} bytes, or -1 where they are no UTF-8. */
static int64_t
decode(const unsigned char *u, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = u[0] & (0xffU >> (len + 1));

	for (size_t i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (u[i] & 0x3fU);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	return c;
}

size_t
df_utf8_next(const char *p, size_t n, uint32_t *ret)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t len = 1;
	int64_t c;

	if (u[0] >= 0xf0 && u[0] < 0xf8)
		len = 4;
	else if (u[0] >= 0xe0 && u[0] < 0xf0)
		len = 3;
	else if (u[0] >= 0xc0 && u[0] < 0xe0)
		len = 2;
	c = u[0];
	if (len > 1 || u[0] >= 0x80)
		c = len > 1 && len <= n ? decode(u, len) : -1;
	if (c < 0) {
		*ret = DF_BAD_BYTE + u[0];
		return 1;
	}
	*ret = (uint32_t)c;
	return len;
}

bool
df_utf8_is_letter(uint32_t c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	for (size_t i = 0; i < STV_ARRAY_LEN(no_letters); i++)
		if (c >= no_letters[i].first && c <= no_letters[i].last)
			return false;
	return true;
}
