/* core/size.c - sizes as people write them. */
#include <string.h>

#include "core/size.h"

/* The power of 1024 of a unit's first letter, -1 where there is none such. */
static int
unit_shift(const char *s)
{
	static const char letters[] = "bkmgtp";
	char lower = (char)(*s | 0x20);
	const char *at = strchr(letters, lower);

	if (*s == '\0')
		return 0;
	if (at == NULL || *at == '\0')
		return -1;
	s++;
	if (lower != 'b' && (*s | 0x20) == 'i' && (s[1] | 0x20) == 'b')
		s += 2;
	else if (lower != 'b' && (*s | 0x20) == 'b')
		s++;
	return *s == '\0' ? (int)(at - letters) * 10 : -1;
}

/* Digits with an optional fraction, scaled by 2^shift; false on overflow. */
static bool
scale(const char *s, const char *end, int shift, uint64_t *ret)
{
	uint64_t whole = 0, part = 0, div = 1;

	for (; s < end && *s != '.'; s++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return false;
	if (whole > (uint64_t)INT64_MAX >> shift)
		return false;
	for (s += s < end; s < end && div < 10000; s++) {
		part = part * 10 + (uint64_t)(*s - '0');
		div *= 10;
	}
	*ret = (whole << shift) + (part << shift) / div;
	return true;
}

bool
stv_size_parse(const char *text, uint64_t *ret)
{
	size_t n = strspn(text, "0123456789");
	const char *unit;
	int shift;

	if (n > 0 && text[n] == '.' && strspn(text + n + 1, "0123456789") > 0)
		n += 1 + strspn(text + n + 1, "0123456789");
	unit = text + n + strspn(text + n, " ");
	shift = unit_shift(unit);
	return n > 0 && shift >= 0 && scale(text, text + n, shift, ret);
}
