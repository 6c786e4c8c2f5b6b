/* cmd/format.c - the part of Go's templates that scripts use. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cmd/table.h"

#include "cmd/format.h"

#define MAX_TEXT ((size_t)16 << 20)

/* A piece of the text: itself, or where to find its value. */
struct part {
	char *text;	      /* NULL: a field */
	bool is_json;	      /* {{json .X}} */
	struct stv_strs path; /* member names and array positions */
};

struct cmd_format {
	STV_VEC(struct part) parts;
	bool is_table;
};

static int
refuse(const char *what, size_t n, struct stv_err **err)
{
	stv_fail(err, STV_E_USAGE, "--format: '{{%.*s}}' is not supported",
		 (int)n, what);
	stv_err_hint(*err, "Write {{.Field}}, {{.Field.Sub}}, {{json .Field}}, "
			   "{{index .Field 0}} or json.");
	return -1;
}

static const char *
skip_blanks(const char *s, const char *end)
{
	while (s < end && *s == ' ')
		s++;
	return s;
}

/* ".A.B" to path members; NULL where it is not of that shape. */
static const char *
parse_path(const char *s, const char *end, struct stv_strs *path)
{
	if (s == end || *s != '.')
		return NULL;
	while (s < end && *s == '.') {
		const char *name = ++s;

		while (s < end && *s != '.' && *s != ' ')
			s++;
		if (s > name)
			stv_strs_add_n(path, name, (size_t)(s - name));
		else if (path->len > 0)
			return NULL;
	}
	return s;
}

/* The numbers and "keys" behind {{index .Field. */
static const char *
parse_keys(const char *s, const char *end, struct stv_strs *path)
{
	for (s = skip_blanks(s, end); s < end; s = skip_blanks(s, end)) {
		const char *key = s;

		if (*s == '"' || *s == '`') {
			char quote = *s++;

			while (s < end && *s != quote && *s != '\\')
				s++;
			if (s == end || *s != quote)
				return NULL;
			stv_strs_add_n(path, key + 1, (size_t)(s++ - key - 1));
			continue;
		}
		s += strspn(s, "0123456789");
		if (s == key)
			return NULL;
		stv_strs_add_n(path, key, (size_t)(s - key));
	}
	return s;
}

/* What stands between {{ and }}. */
static int
parse_action(struct part *p, const char *s, const char *end,
	     struct stv_err **err)
{
	const char *all = s;
	bool is_index = false;

	s = skip_blanks(s, end);
	if (end - s > 5 && strncmp(s, "json ", 5) == 0) {
		p->is_json = true;
		s = skip_blanks(s + 5, end);
	} else if (end - s > 6 && strncmp(s, "index ", 6) == 0) {
		is_index = true;
		s = skip_blanks(s + 6, end);
	}
	s = parse_path(s, end, &p->path);
	if (s != NULL && is_index)
		s = parse_keys(s, end, &p->path);
	if (s == NULL || skip_blanks(s, end) != end)
		return refuse(all, (size_t)(end - all), err);
	return 0;
}

/* Docker reads \t and \n in a format, which shells pass as they are. */
static char *
unescape(const char *s, size_t n)
{
	stv_auto_buf b = STV_BUF_INIT(MAX_TEXT);

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\' && i + 1 < n &&
		    (s[i + 1] == 't' || s[i + 1] == 'n'))
			stv_buf_addc(&b, s[++i] == 't' ? '\t' : '\n');
		else
			stv_buf_addc(&b, s[i]);
	}
	return stv_buf_take(&b);
}

static int
parse_parts(struct cmd_format *f, const char *s, struct stv_err **err)
{
	while (*s != '\0') {
		const char *open = strstr(s, "{{"), *close;
		size_t n = open != NULL ? (size_t)(open - s) : strlen(s);

		if (n > 0)
			stv_vec_push(&f->parts)->text = unescape(s, n);
		if (open == NULL)
			break;
		close = strstr(open, "}}");
		if (close == NULL)
			return stv_fail(err, STV_E_USAGE,
					"--format: '{{' without '}}'");
		if (parse_action(stv_vec_push(&f->parts), open + 2, close,
				 err) < 0)
			return -1;
		s = close + 2;
	}
	return 0;
}

struct cmd_format *
cmd_format_new(const char *text, struct stv_err **err)
{
	struct cmd_format *f = stv_xcalloc(1, sizeof(*f));

	if (strncmp(text, "table", 5) == 0 &&
	    (text[5] == ' ' || text[5] == '\0')) {
		f->is_table = true;
		text += 5 + (text[5] == ' ');
	}
	if (strcmp(text, "json") == 0)
		text = "{{json .}}";
	if (parse_parts(f, text, err) < 0) {
		cmd_format_free(f);
		return NULL;
	}
	return f;
}

void
cmd_format_free(struct cmd_format *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->parts.len; i++) {
		free(f->parts.v[i].text);
		stv_strs_clear(&f->parts.v[i].path);
	}
	stv_vec_fini(&f->parts);
	free(f);
}

bool
cmd_format_is_table(const struct cmd_format *f)
{
	return f->is_table;
}

/* Go finds struct fields that JSON spells otherwise: .ID and "Id". */
static const json_t *
member(const json_t *v, const char *name)
{
	const json_t *found = json_object_get(v, name);
	const char *key;
	json_t *m;

	if (found != NULL)
		return found;
	json_object_foreach ((json_t *)(uintptr_t)v, key, m) {
		if (strcasecmp(key, name) == 0)
			return m;
	}
	return NULL;
}

static int
no_member(const json_t *v, const char *name, struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT(4096);
	const char *key;
	json_t *m;

	stv_fail(err, STV_E_USAGE, "--format: there is no '%s'", name);
	json_object_foreach ((json_t *)(uintptr_t)v, key, m) {
		stv_buf_addf(&b, " %s", key);
	}
	if (b.len > 0)
		stv_err_hint(*err, "There is:%s.", stv_buf_str(&b));
	return -1;
}

static int
walk(const struct part *p, const json_t *v, const json_t **ret,
     struct stv_err **err)
{
	for (size_t i = 0; i < p->path.len; i++) {
		const char *name = p->path.v[i];
		const json_t *in = v;

		if (json_is_array(in))
			v = json_array_get(in, strtoul(name, NULL, 10));
		else
			v = member(in, name);
		if (v == NULL)
			return no_member(in, name, err);
	}
	*ret = v;
	return 0;
}

/* A value as Go's fmt prints it; nesting is bounded by our own objects. */
static void
print_value(const json_t *v, struct stv_buf *ret)
{
	const char *key;
	json_t *m;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_STRING:
		stv_buf_adds(ret, json_string_value(v));
		break;
	case JSON_INTEGER:
		stv_buf_addf(ret, "%" JSON_INTEGER_FORMAT,
			     json_integer_value(v));
		break;
	case JSON_REAL:
		stv_buf_addf(ret, "%g", json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		stv_buf_adds(ret, json_is_true(v) ? "true" : "false");
		break;
	case JSON_NULL:
		stv_buf_adds(ret, "[]");
		break;
	case JSON_ARRAY:
		stv_buf_addc(ret, '[');
		json_array_foreach (v, i, m) {
			if (i > 0)
				stv_buf_addc(ret, ' ');
			print_value(m, ret);
		}
		stv_buf_addc(ret, ']');
		break;
	case JSON_OBJECT:
		stv_buf_adds(ret, "map[");
		json_object_foreach ((json_t *)(uintptr_t)v, key, m) {
			if (ret->data[ret->len - 1] != '[')
				stv_buf_addc(ret, ' ');
			stv_buf_addf(ret, "%s:", key);
			print_value(m, ret);
		}
		stv_buf_addc(ret, ']');
		break;
	}
}

int
cmd_format_apply(const struct cmd_format *f, const json_t *v,
		 struct stv_buf *ret, struct stv_err **err)
{
	for (size_t i = 0; i < f->parts.len; i++) {
		const struct part *p = &f->parts.v[i];
		const json_t *value = NULL;

		if (p->text != NULL) {
			stv_buf_adds(ret, p->text);
			continue;
		}
		if (walk(p, v, &value, err) < 0)
			return -1;
		if (p->is_json || (p->path.len == 0 && json_is_object(value)))
			stv_json_dump(value, ret);
		else
			print_value(value, ret);
	}
	return stv_buf_check(ret, "formatted text", err);
}

/*
 * A program gets the bytes as they are; a terminal no control bytes but line
 * ends and tabs, which may come from somebody's label (THREATS C22).
 */
static void
print_line(const struct stv_buf *b)
{
	stv_auto_buf shown = STV_BUF_INIT(5 * MAX_TEXT);
	const char *p = stv_buf_str(b);

	if (isatty(STDOUT_FILENO) == 0) {
		puts(p);
		return;
	}
	for (;;) {
		size_t n = strcspn(p, "\n\t");

		stv_buf_add_escaped(&shown, p, n);
		if (p[n] == '\0')
			break;
		stv_buf_addc(&shown, p[n]);
		p += n + 1;
	}
	puts(stv_buf_str(&shown));
}

int
cmd_format_print(const char *text, const json_t *v, struct stv_err **err)
{
	stv_auto(cmd_format) *f = cmd_format_new(text, err);
	stv_auto_buf b = STV_BUF_INIT(MAX_TEXT);

	if (f == NULL || cmd_format_apply(f, v, &b, err) < 0)
		return -1;
	print_line(&b);
	return 0;
}

static int
add_line(const struct cmd_format *f, const json_t *v, struct cmd_table *t,
	 struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT(MAX_TEXT);

	if (cmd_format_apply(f, v, &b, err) < 0)
		return -1;
	if (t != NULL)
		cmd_table_line(t, stv_buf_str(&b));
	else
		print_line(&b);
	return 0;
}

int
cmd_format_list(const char *text, const json_t *headings, const json_t *rows,
		struct stv_err **err)
{
	stv_auto(cmd_format) *f = cmd_format_new(text, err);
	stv_auto(cmd_table) *t = NULL;
	json_t *v;
	size_t i;

	if (f == NULL)
		return -1;
	if (f->is_table) {
		t = cmd_table_new();
		if (add_line(f, headings, t, err) < 0)
			return -1;
	}
	json_array_foreach (rows, i, v) {
		if (add_line(f, v, t, err) < 0)
			return -1;
	}
	if (t != NULL)
		cmd_table_print(t);
	return 0;
}
