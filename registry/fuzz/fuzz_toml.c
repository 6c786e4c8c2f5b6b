/*
 * registry/fuzz/fuzz_toml.c - TOML: what is accepted is written again as one
 * inline value after another, and must be accepted as the same; what is
 * refused names a place inside of the text.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"

#include "registry/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define TEXT_MAX ((size_t)16 << 20)

static void
write_string(struct stv_buf *b, const char *s, size_t n)
{
	stv_buf_addc(b, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			stv_buf_addf(b, "\\u%04x", c);
		else
			stv_buf_addc(b, s[i]);
	}
	stv_buf_addc(b, '"');
}

/* As deep as the limit at most. */
static void
write_value(struct stv_buf *b, json_t *v, size_t depth)
{
	const char *name;
	json_t *m;
	size_t i;

	assert(depth <= STV_MAX_JSON_DEPTH + 1);
	if (json_is_string(v)) {
		write_string(b, json_string_value(v), json_string_length(v));
	} else if (json_is_integer(v)) {
		stv_buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	} else if (json_is_boolean(v)) {
		stv_buf_adds(b, json_is_true(v) ? "true" : "false");
	} else if (json_is_array(v)) {
		stv_buf_addc(b, '[');
		json_array_foreach (v, i, m) {
			write_value(b, m, depth + 1);
			stv_buf_addc(b, ',');
		}
		stv_buf_addc(b, ']');
	} else {
		const char *between = "";

		assert(json_is_object(v));
		stv_buf_addc(b, '{');
		json_object_foreach (v, name, m) {
			stv_buf_adds(b, between);
			write_string(b, name, strlen(name));
			stv_buf_addc(b, '=');
			write_value(b, m, depth + 1);
			between = ",";
		}
		stv_buf_addc(b, '}');
	}
}

/* "f:LINE:COLUMN: ..." of a place that the text has. */
static void
check_place(const uint8_t *data, size_t n, const char *msg)
{
	size_t lines = 1;
	char *end;
	unsigned long line, column;

	for (size_t i = 0; i < n; i++)
		lines += data[i] == '\n';
	assert(strncmp(msg, "f:", 2) == 0);
	line = strtoul(msg + 2, &end, 10);
	assert(*end == ':' && line >= 1 && line <= lines);
	column = strtoul(end + 1, &end, 10);
	assert(*end == ':' && column >= 1 && column <= n + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	stv_auto_buf b = STV_BUF_INIT(TEXT_MAX);
	struct stv_err *err = NULL;
	json_t *v = reg_toml_parse((const char *)data, n, "f", &err);
	json_t *again, *m;
	const char *name;

	if (v == NULL) {
		assert(err != NULL);
		if (stv_err_code(err) == STV_E_INPUT)
			check_place(data, n, stv_err_msg(err));
		stv_err_free(err);
		return 0;
	}
	assert(err == NULL && json_is_object(v));
	json_object_foreach (v, name, m) {
		write_string(&b, name, strlen(name));
		stv_buf_adds(&b, " = ");
		write_value(&b, m, 2);
		stv_buf_addc(&b, '\n');
	}
	assert(!b.is_over);
	/* Escapes make it longer than what may be read. */
	if (b.len <= REG_MAX_TOML) {
		again = reg_toml_parse(stv_buf_str(&b), b.len, "f", &err);
		assert(again != NULL && json_equal(v, again));
		json_decref(again);
	}
	json_decref(v);
	return 0;
}
