/* parser/nearest.c - what a typing mistake was meant to be. */
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "parser/parse.h"

/* Longer words are no typing mistakes of anything. */
#define MAX_WORD 32

static uint8_t
min3(int a, int b, int c)
{
	if (b < a)
		a = b;
	return (uint8_t)(c < a ? c : a);
}

/* Insertions, deletions, changes and swaps from one word to the other. */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb)
{
	uint8_t d[MAX_WORD + 1][MAX_WORD + 1];

	for (size_t i = 0; i <= na; i++)
		d[i][0] = (uint8_t)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			int x = toupper((unsigned char)a[i - 1]);
			int y = toupper((unsigned char)b[j - 1]);

			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				       d[i - 1][j - 1] + (x != y));
			if (i > 1 && j > 1 &&
			    x == toupper((unsigned char)b[j - 2]) &&
			    y == toupper((unsigned char)a[i - 2]) &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = (uint8_t)(d[i - 2][j - 2] + 1);
		}
	}
	return d[na][nb];
}

const char *
df_nearest(const char *word, const char *const *names)
{
	size_t n = strlen(word), best = MAX_WORD + 1;
	const char *found = NULL;

	if (n == 0 || n > MAX_WORD)
		return NULL;
	for (; *names != NULL; names++) {
		size_t len = strlen(*names), d;
		size_t apart = len > n ? len - n : n - len;

		/* It is no nearer than the lengths are. */
		if (len > MAX_WORD || apart >= best)
			continue;
		if (apart == 0 && strcasecmp(word, *names) == 0)
			return *names;
		d = distance(word, n, *names, len);
		/* A third of the word may be wrong. */
		if (d < best && d * 3 <= (len > n ? len : n)) {
			best = d;
			found = *names;
		}
	}
	return found;
}
