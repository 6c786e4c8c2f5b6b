/* parser/words.c - cutting text into words and pairs. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/mem.h"
#include "core/strs.h"

#include "parser/words.h"

size_t
df_space_len(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	if (n == 0)
		return 0;
	if (u[0] == ' ' || (u[0] >= '\t' && u[0] <= '\r'))
		return 1;
	if (n >= 2 && u[0] == 0xc2 && (u[1] == 0x85 || u[1] == 0xa0))
		return 2;
	if (n < 3)
		return 0;
	if (u[0] == 0xe1 && u[1] == 0x9a && u[2] == 0x80)
		return 3;
	if (u[0] == 0xe2 && u[1] == 0x80 &&
	    ((u[2] >= 0x80 && u[2] <= 0x8a) || u[2] == 0xa8 || u[2] == 0xa9 ||
	     u[2] == 0xaf))
		return 3;
	if (u[0] == 0xe2 && u[1] == 0x81 && u[2] == 0x9f)
		return 3;
	return u[0] == 0xe3 && u[1] == 0x80 && u[2] == 0x80 ? 3 : 0;
}

/* The length of the blank that ends at ${end}, or 0. */
static size_t
space_before(const char *begin, const char *end)
{
	for (size_t n = 1; n <= 3 && end - begin >= (ptrdiff_t)n; n++)
		if (df_space_len(end - n, n) == n)
			return n;
	return 0;
}

const char *
df_trim(const char *text, size_t *len)
{
	const char *end = text + *len;
	size_t n;

	while ((n = df_space_len(text, (size_t)(end - text))) > 0)
		text += n;
	while ((n = space_before(text, end)) > 0)
		end -= n;
	*len = (size_t)(end - text);
	return text;
}

size_t
df_word_len(const char *p, size_t n, char escape)
{
	size_t i = 0;
	char quote = '\0';

	while (i < n) {
		if (quote == '\0' && df_space_len(p + i, n - i) > 0)
			break;
		if (p[i] == escape && quote != '\'') {
			size_t blank = df_space_len(p + i + 1, n - i - 1);

			i += 1 + (blank > 0 ? blank : i + 1 < n);
			continue;
		}
		if (quote == '\0' && (p[i] == '\'' || p[i] == '"'))
			quote = p[i];
		else if (p[i] == quote)
			quote = '\0';
		i++;
	}
	return i;
}

void
df_words_split(const char *text, char escape, struct stv_strs *ret)
{
	size_t n = strlen(text);

	while (n > 0) {
		size_t len = df_space_len(text, n);

		if (len == 0) {
			len = df_word_len(text, n, escape);
			stv_strs_add_n(ret, text, len);
		}
		text += len;
		n -= len;
	}
}

void
df_fields_split(const char *text, struct stv_strs *ret)
{
	size_t n = strlen(text), i, len;

	while (n > 0) {
		while ((len = df_space_len(text, n)) > 0) {
			text += len;
			n -= len;
		}
		for (i = 0; i < n && df_space_len(text + i, n - i) == 0; i++)
			;
		if (i > 0)
			stv_strs_add_n(ret, text, i);
		text += i;
		n -= i;
	}
}

const char *
df_pair_split(const char *text, char **ret_name)
{
	const char *eq = strchr(text, '=');

	if (eq == NULL) {
		*ret_name = stv_xstrdup(text);
		return NULL;
	}
	*ret_name = stv_xstrndup(text, (size_t)(eq - text));
	return eq + 1;
}

char *
df_unquote_flag(const char *text, size_t len)
{
	char *out = stv_xmalloc(len + 1);
	size_t n = 0;
	char quote = '\0';

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (quote == '\0' && (c == '\'' || c == '"')) {
			quote = c;
		} else if (quote != '\0' && c == quote) {
			quote = '\0';
		} else if (c != '\\') {
			out[n++] = c;
		} else if (i + 1 < len) {
			out[n++] = text[++i];
		}
	}
	out[n] = '\0';
	return out;
}

int
df_parse_bool(const char *text, bool *ret)
{
	if (strcasecmp(text, "true") == 0)
		*ret = true;
	else if (strcasecmp(text, "false") == 0)
		*ret = false;
	else
		return -1;
	return 0;
}
