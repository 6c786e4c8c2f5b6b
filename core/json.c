/* core/json.c - reading JSON from outside, and writing it deterministically. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/strs.h"

#include "core/json.h"

/* Is the text nested deeper than we follow?  Strings are skipped. */
static bool
is_too_deep(const char *text, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > STV_MAX_JSON_DEPTH)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

json_t *
stv_json_parse(const char *text, size_t len, const char *what,
	       struct stv_err **err)
{
	json_error_t je;
	json_t *v;

	if (is_too_deep(text, len)) {
		stv_fail(err, STV_E_LIMIT, "%s is nested deeper than %d levels",
			 what, STV_MAX_JSON_DEPTH);
		return NULL;
	}
	v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (v == NULL)
		stv_fail(err, STV_E_PROTOCOL,
			 "%s is not valid JSON: %s (line %d)", what, je.text,
			 je.line);
	return v;
}

/* The member, NULL where absent or null; *${failed} where it must be there. */
static json_t *
member(const json_t *o, const char *where, const char *name, bool is_required,
       bool *failed, struct stv_err **err)
{
	json_t *v = json_object_get(o, name);

	if (v != NULL && !json_is_null(v))
		return v;
	*failed = is_required;
	if (is_required)
		stv_fail(err, STV_E_PROTOCOL, "%s%s%s is missing", where,
			 *where != '\0' ? "." : "", name);
	return NULL;
}

static int
wrong_type(const char *where, const char *name, const char *want,
	   struct stv_err **err)
{
	return stv_fail(err, STV_E_PROTOCOL, "%s%s%s is not %s", where,
			*where != '\0' ? "." : "", name, want);
}

int
stv_json_get_str(const json_t *o, const char *where, const char *name,
		 bool is_required, const char **ret, struct stv_err **err)
{
	bool failed = false;
	json_t *v = member(o, where, name, is_required, &failed, err);

	if (v == NULL)
		return failed ? -1 : 0;
	if (!json_is_string(v) ||
	    strlen(json_string_value(v)) != json_string_length(v))
		return wrong_type(where, name, "a string", err);
	*ret = json_string_value(v);
	return 0;
}

int
stv_json_get_u64(const json_t *o, const char *where, const char *name,
		 bool is_required, uint64_t *ret, struct stv_err **err)
{
	bool failed = false;
	json_t *v = member(o, where, name, is_required, &failed, err);

	if (v == NULL)
		return failed ? -1 : 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return wrong_type(where, name, "a number from 0", err);
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

int
stv_json_get_bool(const json_t *o, const char *where, const char *name,
		  bool *ret, struct stv_err **err)
{
	bool failed = false;
	json_t *v = member(o, where, name, false, &failed, err);

	if (v == NULL)
		return 0;
	if (!json_is_boolean(v))
		return wrong_type(where, name, "true or false", err);
	*ret = json_is_true(v);
	return 0;
}

int
stv_json_get_obj(const json_t *o, const char *where, const char *name,
		 bool is_required, json_t **ret, struct stv_err **err)
{
	bool failed = false;
	json_t *v = member(o, where, name, is_required, &failed, err);

	if (v == NULL)
		return failed ? -1 : 0;
	if (!json_is_object(v))
		return wrong_type(where, name, "an object", err);
	*ret = v;
	return 0;
}

int
stv_json_get_arr(const json_t *o, const char *where, const char *name,
		 bool is_required, json_t **ret, struct stv_err **err)
{
	bool failed = false;
	json_t *v = member(o, where, name, is_required, &failed, err);

	if (v == NULL)
		return failed ? -1 : 0;
	if (!json_is_array(v))
		return wrong_type(where, name, "an array", err);
	*ret = v;
	return 0;
}

int
stv_json_get_strs(const json_t *o, const char *where, const char *name,
		  struct stv_strs *ret, bool *ret_is_set, struct stv_err **err)
{
	json_t *arr = NULL, *v;
	size_t i;

	if (stv_json_get_arr(o, where, name, false, &arr, err) < 0)
		return -1;
	if (ret_is_set != NULL)
		*ret_is_set = arr != NULL;
	json_array_foreach (arr, i, v) {
		if (!json_is_string(v) ||
		    strlen(json_string_value(v)) != json_string_length(v))
			return stv_fail(err, STV_E_PROTOCOL,
					"%s%s%s[%zu] is not a string", where,
					*where != '\0' ? "." : "", name, i);
		stv_strs_add(ret, json_string_value(v));
	}
	return 0;
}

/* Replace each byte that is no part of valid UTF-8 by U+FFFD. */
static json_t *
str_replaced(const char *s)
{
	stv_auto_buf b = STV_BUF_INIT(SIZE_MAX / 8);
	json_t *v;

	for (size_t n = strlen(s); n > 0;) {
		size_t len = 1;
		json_t *probe = NULL;

		while (len <= 4 && len <= n &&
		       (probe = json_stringn(s, len)) == NULL)
			len++;
		if (probe == NULL) {
			stv_buf_adds(&b, "\xef\xbf\xbd");
			len = 1;
		} else {
			stv_buf_add(&b, s, len);
			json_decref(probe);
		}
		s += len;
		n -= len;
	}
	v = json_string(stv_buf_str(&b));
	if (v == NULL)
		STV_BUG("a cleaned string is not UTF-8");
	return v;
}

json_t *
stv_json_str(const char *s)
{
	json_t *v = json_string(s);

	return v != NULL ? v : str_replaced(s);
}

json_t *
stv_json_from_strs(const struct stv_strs *s)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < s->len; i++)
		json_array_append_new(arr, stv_json_str(s->v[i]));
	return arr;
}

json_t *
stv_json_base64(const void *p, size_t n)
{
	stv_auto_buf b = STV_BUF_INIT(SIZE_MAX / 8);

	stv_buf_add_base64(&b, p, n);
	return json_stringn(stv_buf_str(&b), b.len);
}

void
stv_json_dump(const json_t *v, struct stv_buf *ret)
{
	char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text == NULL)
		STV_BUG("JSON cannot be written");
	stv_buf_adds(ret, text);
	free(text);
}
