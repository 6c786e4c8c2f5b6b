/*
 * parser/json_args.c - the exec form: ["cmd", "arg"].
 *
 * jansson decides what is JSON.  It gives no positions, so the text, which is
 * known to be good then, is walked once more for the places of the members.
 */
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/limits.h"

#include "parser/json_args.h"
#include "parser/utf8.h"

static const char replacement[] = "\xef\xbf\xbd";

/* How many bytes of ASCII there are. */
static size_t
ascii_len(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (unsigned char)p[i] < 0x80)
		i++;
	return i;
}

/*
 * Go's decoder replaces bytes that are no UTF-8, where jansson refuses the
 * whole text.
 */
static void
sanitize(const char *text, size_t len, struct stv_buf *out)
{
	for (size_t i = 0; i < len;) {
		uint32_t c = 0;
		size_t n = ascii_len(text + i, len - i);

		if (n == 0)
			n = df_utf8_next(text + i, len - i, &c);
		if (c >= DF_BAD_BYTE)
			stv_buf_adds(out, replacement);
		else
			stv_buf_add(out, text + i, n);
		i += n;
	}
}

/* The end of the string that begins at ${i}, behind its closing quote. */
static size_t
string_end(const char *text, size_t len, size_t i)
{
	for (i++; i < len && text[i] != '"'; i++)
		if (text[i] == '\\')
			i++;
	return i < len ? i + 1 : len;
}

/* The end of any member that begins at ${i}. */
static size_t
member_end(const char *text, size_t len, size_t i)
{
	size_t depth = 0;

	while (i < len) {
		char c = text[i];

		if (depth == 0 && (c == ',' || c == ']'))
			break;
		if (c == '"') {
			i = string_end(text, len, i);
			continue;
		}
		if (c == '[' || c == '{')
			depth++;
		else if (c == ']' || c == '}')
			depth--;
		i++;
	}
	while (i > 0 && strchr(" \t\r\n", text[i - 1]) != NULL)
		i--;
	return i;
}

/* Note where the ${n} members of a well-formed array stand. */
static void
walk(const char *text, size_t len, size_t n, struct df_json_items *ret)
{
	size_t i = 1;

	for (size_t k = 0; k < n; k++) {
		struct df_json_item *item = stv_vec_push(&ret->places);

		while (i < len && strchr(" \t\r\n,", text[i]) != NULL)
			i++;
		item->begin = i;
		item->end = i = member_end(text, len, i);
	}
}

/* Copy the members; see df_json_args() for the answer. */
static int
collect(const json_t *array, struct df_json_items *ret)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *v = json_array_get(array, i);
		int rc = 1;

		if (!json_is_string(v))
			rc = -1;
		else if (strlen(json_string_value(v)) != json_string_length(v))
			rc = -2;
		if (rc < 0) {
			ret->places.len = i + 1;
			return rc;
		}
		stv_strs_add(&ret->texts, json_string_value(v));
	}
	return 1;
}

int
df_json_args(const char *text, size_t len, struct df_json_items *ret)
{
	stv_auto_buf clean = STV_BUF_INIT(4 * STV_MAX_LINE);
	json_t *array;
	int rc;

	*ret = (struct df_json_items){0};
	if (len == 0 || text[0] != '[')
		return 0;
	sanitize(text, len, &clean);
	array = json_loadb(stv_buf_str(&clean), clean.len,
			   JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
	if (array == NULL)
		return 0;
	walk(text, len, json_array_size(array), ret);
	rc = collect(array, ret);
	json_decref(array);
	return rc;
}

void
df_json_items_fini(struct df_json_items *items)
{
	stv_strs_clear(&items->texts);
	stv_vec_fini(&items->places);
}
