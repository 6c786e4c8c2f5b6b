/*
 * parser/fuzz/fuzz_expand.c - quotes, escapes and variables.
 *
 * The first byte gives the escape character and the flags.  The results keep
 * to their limits; words hold no unquoted blank of their own; what has no
 * special character expands to itself; expanding twice gives the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/strs.h"

#include "parser/expand.h"
#include "parser/expand_internal.h"
#include "parser/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

/* A few variables with values of different kinds. */
static const char *
look_up(void *arg, const char *name)
{
	(void)arg;
	if (strcmp(name, "A") == 0)
		return "value";
	if (strcmp(name, "B") == 0)
		return "";
	if (strcmp(name, "C") == 0)
		return "two words\nand a line of aaabbbaaabbb $A ${A} \"'";
	if (strcmp(name, "D") == 0)
		return "h\xc3\xa9llo \xff\xfe";
	return NULL;
}

/* Both ways to expand agree on what is wrong, and keep to the limits. */
static void
check_word(const struct df_expander *like, const char *text)
{
	struct df_expander x = *like, y = *like;
	struct stv_err *err = NULL, *err2 = NULL;
	char *one = NULL, *two = NULL;
	int rc = df_expand_word(&x, text, &one, &err);

	expect(df_expand_word(&y, text, &two, &err2) == rc);
	if (rc < 0) {
		expect(stv_err_code(err) == STV_E_CHECK ||
		       stv_err_code(err) == STV_E_LIMIT);
	} else {
		expect(strcmp(one, two) == 0);
		expect(strlen(one) <= STV_MAX_EXPANDED);
		if (strpbrk(text, "$'\"\\`") == NULL)
			expect(strcmp(one, text) == 0);
	}
	free(one);
	free(two);
	stv_err_free(err);
	stv_err_free(err2);
}

static void
check_words(const struct df_expander *like, const char *text)
{
	struct df_expander x = *like;
	struct stv_strs words = {0};
	df_word_places places = {0};
	struct stv_err *err = NULL;
	size_t at = 0, len = strlen(text);

	if (df_expand_places(&x, text, &words, &places, &err) == 0) {
		expect(words.len == places.len);
		for (size_t i = 0; i < words.len; i++) {
			expect(*words.v[i] != '\0');
			expect(places.v[i].begin >= at);
			expect(places.v[i].end > places.v[i].begin);
			expect(places.v[i].end <= len);
			at = places.v[i].begin;
		}
	}
	stv_vec_fini(&places);
	stv_strs_clear(&words);
	stv_err_free(err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct df_expander x = {.lookup = look_up};
	struct stv_err *err = NULL;
	char *text, *out = NULL;

	if (size == 0 || memchr(data, '\0', size) != NULL)
		return 0;
	x.escape = (data[0] & 0x10) != 0 ? '`' : '\\';
	x.flags = data[0] & 0x0f;
	text = stv_xstrndup((const char *)data + 1, size - 1);
	check_word(&x, text);
	check_words(&x, text);
	if (df_expand_heredoc(&x, text, &out, &err) < 0)
		expect(err != NULL);
	free(out);
	stv_err_free(err);
	free(text);
	return 0;
}
