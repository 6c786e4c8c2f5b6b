/* registry/toml.c - the part of TOML 1.0 that registries.conf is written in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/strs.h"
#include "core/vec.h"

#include "registry/toml.h"
#include "registry/toml_internal.h"

/*
 * While the file is read, each table carries how it came to be, in a member
 * whose name no key can have because it is not UTF-8.
 */
#define HOW "\xff"
enum how {
	HOW_IMPLICIT = 1, /* [a.b] made a */
	HOW_HEADER = 2,	  /* [a], or the outermost */
	HOW_ELEMENT = 3,  /* [[a]] */
	HOW_DOTTED = 4,	  /* a.b = 1 made a */
	HOW_INLINE = 5	  /* { ... }: closed */
};

struct toml {
	struct reg_toml_in in;
	json_t *root;
	json_t *table; /* where keys go now */
	size_t depth;  /* its level; the root's is 1 */
	STV_VEC(json_t *) tables;
};

/* A dotted key, and where its parts begin. */
struct key {
	struct stv_strs parts;
	STV_VEC(size_t) at;
};

static void
key_fini(struct key *k)
{
	stv_strs_clear(&k->parts);
	stv_vec_fini(&k->at);
}

/* A part of a key, and where it stands. */
static const char *
part(const struct key *k, size_t i)
{
	if (k->parts.v == NULL || i >= k->parts.len)
		STV_BUG("a key without a part %zu", i);
	return k->parts.v[i];
}

static size_t
part_at(const struct key *k, size_t i)
{
	if (k->at.v == NULL || i >= k->at.len)
		STV_BUG("a key without a place %zu", i);
	return k->at.v[i];
}

static json_t *
new_table(struct toml *t, enum how how)
{
	json_t *o = json_object();

	if (o == NULL || json_object_set_new_nocheck(
				 o, HOW, json_integer((json_int_t)how)) < 0)
		abort();
	*stv_vec_push(&t->tables) = o;
	return o;
}

static enum how
how(const json_t *table)
{
	return (enum how)json_integer_value(json_object_get(table, HOW));
}

static void
set_how(json_t *table, enum how how)
{
	json_integer_set(json_object_get(table, HOW), (json_int_t)how);
}

/* Give ${table} the member; takes ${v}. */
static void
set(json_t *table, const char *name, json_t *v)
{
	if (json_object_set_new_nocheck(table, name, v) < 0)
		abort();
}

static void
append(json_t *array, json_t *v)
{
	if (json_array_append_new(array, v) < 0)
		abort();
}

/* The newest table of an array that [[name]] has made; NULL: it is not one. */
static json_t *
last_element(json_t *v)
{
	json_t *last = json_is_array(v) && json_array_size(v) > 0
			       ? json_array_get(v, json_array_size(v) - 1)
			       : NULL;

	return json_is_object(last) && how(last) == HOW_ELEMENT ? last : NULL;
}

static void
skip_blanks(struct reg_toml_in *in)
{
	while (reg_toml_peek(in) == ' ' || reg_toml_peek(in) == '\t')
		in->pos++;
}

/* A comment and the end of the line; 0 where something else stands there. */
static bool
skip_line_rest(struct reg_toml_in *in)
{
	skip_blanks(in);
	if (reg_toml_peek(in) == '#')
		while (in->pos < in->len && !reg_toml_is_at(in, "\n") &&
		       !reg_toml_is_at(in, "\r"))
			in->pos++;
	if (in->pos == in->len)
		return true;
	if (reg_toml_peek(in) == '\r')
		in->pos++;
	if (reg_toml_peek(in) != '\n')
		return false;
	in->pos++;
	return true;
}

/* Blanks, comments and line ends inside of an array. */
static void
skip_space(struct reg_toml_in *in)
{
	do
		skip_blanks(in);
	while (in->pos < in->len && strchr("#\r\n", in->text[in->pos]) &&
	       skip_line_rest(in));
}

static bool
is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static int
read_key_part(struct reg_toml_in *in, struct key *k, struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT(REG_MAX_TOML + 16);
	int c = reg_toml_peek(in);

	*stv_vec_push(&k->at) = in->pos;
	if (c == '"' || c == '\'') {
		if (reg_toml_string(in, true, &b, err) < 0)
			return -1;
	} else if (is_bare(c)) {
		for (; is_bare(reg_toml_peek(in)); in->pos++)
			stv_buf_addc(&b, in->text[in->pos]);
	} else {
		return reg_toml_fail(in, in->pos, err, "a key is missing");
	}
	stv_strs_add(&k->parts, stv_buf_str(&b));
	return 0;
}

/* a."b".c, and the blanks behind it. */
static int
read_key(struct reg_toml_in *in, struct key *k, struct stv_err **err)
{
	for (;;) {
		if (k->parts.len == STV_MAX_JSON_DEPTH)
			return reg_toml_fail_limit(in, in->pos, err);
		skip_blanks(in);
		if (read_key_part(in, k, err) < 0)
			return -1;
		skip_blanks(in);
		if (reg_toml_peek(in) != '.')
			return 0;
		in->pos++;
	}
}

/* "'name' is there already" at the part ${i} of a key. */
static int
fail_twice(const struct reg_toml_in *in, const struct key *k, size_t i,
	   const char *what, struct stv_err **err)
{
	stv_auto_buf shown = STV_BUF_INIT(4096);

	stv_buf_add_escaped(&shown, part(k, i), strnlen(part(k, i), 200));
	return reg_toml_fail(in, part_at(k, i), err, "'%s' %s",
			     stv_buf_str(&shown), what);
}

/* Digits of an integer in ${base}, with single '_' between them. */
static int
read_digits(struct reg_toml_in *in, size_t start, unsigned base,
	    bool is_negative, json_int_t *ret, struct stv_err **err)
{
	uint64_t max = (uint64_t)INT64_MAX + is_negative, n = 0;
	bool is_digit_last = false;

	for (;; in->pos++) {
		int c = reg_toml_peek(in);
		unsigned d = 99;

		if (c == '_' && is_digit_last) {
			is_digit_last = false;
			continue;
		}
		if (c >= '0' && c <= '9')
			d = (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			d = (unsigned)((c | 0x20) - 'a' + 10);
		if (d >= base)
			break;
		if (n > (max - d) / base)
			return reg_toml_fail(in, start, err,
					     "the number is too large");
		n = n * base + d;
		is_digit_last = true;
	}
	if (!is_digit_last)
		return reg_toml_fail(in, start, err, "the number is not valid");
	*ret = (json_int_t)(is_negative ? 0 - n : n);
	return 0;
}

static json_t *
read_number(struct reg_toml_in *in, struct stv_err **err)
{
	size_t start = in->pos;
	bool is_negative = reg_toml_peek(in) == '-';
	bool is_signed = is_negative || reg_toml_peek(in) == '+';
	unsigned base = 10;
	json_int_t n;
	int next;

	in->pos += is_signed;
	if (!is_signed && reg_toml_is_at(in, "0x"))
		base = 16;
	else if (!is_signed && reg_toml_is_at(in, "0o"))
		base = 8;
	else if (!is_signed && reg_toml_is_at(in, "0b"))
		base = 2;
	in->pos += base != 10 ? 2 : 0;
	next = in->pos + 1 < in->len ? (unsigned char)in->text[in->pos + 1]
				     : -1;
	if (base == 10 && reg_toml_peek(in) == '0' &&
	    ((next >= '0' && next <= '9') || next == '_')) {
		reg_toml_fail(in, start, err,
			      "a number does not begin with 0, and dates are "
			      "not supported");
		return NULL;
	}
	if (read_digits(in, start, base, is_negative, &n, err) < 0)
		return NULL;
	next = reg_toml_peek(in);
	if (is_bare(next) || next == '.' || next == ':' || next == '+') {
		reg_toml_fail(in, start, err,
			      "this is no integer; floats and dates are not "
			      "supported");
		return NULL;
	}
	return json_integer(n);
}

static json_t *read_value(struct toml *t, size_t depth, struct stv_err **err);
static int read_pair(struct toml *t, json_t *table, size_t depth,
		     struct stv_err **err);

static json_t *
read_string(struct reg_toml_in *in, struct stv_err **err)
{
	stv_auto_buf b = STV_BUF_INIT(REG_MAX_TOML + 16);

	if (reg_toml_string(in, false, &b, err) < 0)
		return NULL;
	return json_stringn(stv_buf_str(&b), b.len);
}

/* "[ 1, 2, ]" at ${depth}: line ends and a last comma are allowed. */
static json_t *
read_array(struct toml *t, size_t depth, struct stv_err **err)
{
	struct reg_toml_in *in = &t->in;
	size_t start = in->pos++;
	json_t *a = json_array();

	for (;;) {
		json_t *v;

		skip_space(in);
		if (reg_toml_peek(in) == ']')
			break;
		if (in->pos == in->len) {
			reg_toml_fail(in, start, err, "the array has no end");
			goto fail;
		}
		v = read_value(t, depth + 1, err);
		if (v == NULL)
			goto fail;
		append(a, v);
		skip_space(in);
		if (reg_toml_peek(in) == ',')
			in->pos++;
		else if (reg_toml_peek(in) != ']' && in->pos < in->len) {
			reg_toml_fail(in, in->pos, err,
				      "a ',' or the array's ']' is missing");
			goto fail;
		}
	}
	in->pos++;
	return a;
fail:
	json_decref(a);
	return NULL;
}

/* "{ a = 1, b.c = 2 }" at ${depth}, on one line. */
static json_t *
read_inline(struct toml *t, size_t depth, struct stv_err **err)
{
	struct reg_toml_in *in = &t->in;
	json_t *o = new_table(t, HOW_IMPLICIT);
	size_t start = in->pos++;

	skip_blanks(in);
	while (reg_toml_peek(in) != '}' || json_object_size(o) > 1) {
		if (read_pair(t, o, depth, err) < 0)
			goto fail;
		skip_blanks(in);
		if (reg_toml_peek(in) == '}')
			break;
		if (reg_toml_peek(in) != ',') {
			reg_toml_fail(in, in->pos < in->len ? in->pos : start,
				      err,
				      "the inline table does not end on its "
				      "line with '}'");
			goto fail;
		}
		in->pos++;
	}
	in->pos++;
	set_how(o, HOW_INLINE);
	return o;
fail:
	/* The list of tables still has it, but a failure ends the reading. */
	json_decref(o);
	return NULL;
}

/* Any value, whose level is ${depth} where it is an array or a table. */
static json_t *
read_value(struct toml *t, size_t depth, struct stv_err **err)
{
	struct reg_toml_in *in = &t->in;
	int c = reg_toml_peek(in);

	if ((c == '[' || c == '{') && depth > STV_MAX_JSON_DEPTH) {
		reg_toml_fail_limit(in, in->pos, err);
		return NULL;
	}
	if (c == '[')
		return read_array(t, depth, err);
	if (c == '{')
		return read_inline(t, depth, err);
	if (c == '"' || c == '\'')
		return read_string(in, err);
	if ((c >= '0' && c <= '9') || c == '+' || c == '-')
		return read_number(in, err);
	for (int v = 0; v < 2; v++) {
		const char *word = v != 0 ? "true" : "false";
		size_t n = strlen(word);

		if (reg_toml_is_at(in, word) &&
		    (in->pos + n == in->len ||
		     !is_bare((unsigned char)in->text[in->pos + n]))) {
			in->pos += n;
			return json_boolean(v);
		}
	}
	reg_toml_fail(in, in->pos, err,
		      "this is no value: a string (in quotes), a number, "
		      "true, false, an array or an inline table");
	return NULL;
}

/* The table that the parts of a dotted key but the last one name. */
static json_t *
enter_dotted(struct toml *t, json_t *table, const struct key *k,
	     struct stv_err **err)
{
	for (size_t i = 0; i + 1 < k->parts.len; i++) {
		json_t *next = json_object_get(table, part(k, i));

		if (next == NULL) {
			next = new_table(t, HOW_DOTTED);
			set(table, part(k, i), next);
		} else if (!json_is_object(next) || how(next) != HOW_DOTTED) {
			fail_twice(
				&t->in, k, i,
				"is defined elsewhere and cannot be added to "
				"by a dotted key",
				err);
			return NULL;
		}
		table = next;
	}
	return table;
}

/* key = value, into ${table} of level ${depth}. */
static int
read_pair(struct toml *t, json_t *table, size_t depth, struct stv_err **err)
{
	STV_CLEANUP(key_fini) struct key k = {0};
	size_t last;
	json_t *v;

	if (read_key(&t->in, &k, err) < 0)
		return -1;
	last = k.parts.len - 1;
	if (depth + last > STV_MAX_JSON_DEPTH)
		return reg_toml_fail_limit(&t->in, part_at(&k, 0), err);
	if (reg_toml_peek(&t->in) != '=')
		return reg_toml_fail(&t->in, t->in.pos, err,
				     "a '=' is missing behind the key");
	t->in.pos++;
	skip_blanks(&t->in);
	table = enter_dotted(t, table, &k, err);
	if (table == NULL)
		return -1;
	if (json_object_get(table, part(&k, last)) != NULL)
		return fail_twice(&t->in, &k, last, "is there twice", err);
	v = read_value(t, depth + last + 1, err);
	if (v == NULL)
		return -1;
	set(table, part(&k, last), v);
	return 0;
}

/* The table that the parts of a header but the last one name. */
static json_t *
enter_header(struct toml *t, const struct key *k, size_t *depth,
	     struct stv_err **err)
{
	json_t *table = t->root;

	*depth = 1;
	for (size_t i = 0; i + 1 < k->parts.len; i++) {
		json_t *next = json_object_get(table, part(k, i));
		json_t *last = last_element(next);

		*depth += last != NULL ? 2 : 1;
		if (next == NULL) {
			next = new_table(t, HOW_IMPLICIT);
			set(table, part(k, i), next);
		} else if (last != NULL) {
			next = last;
		} else if (!json_is_object(next) || how(next) == HOW_INLINE) {
			fail_twice(&t->in, k, i, "is not a table that may grow",
				   err);
			return NULL;
		}
		table = next;
	}
	return table;
}

/* The table of [key]: new, or one that so far had only tables in it. */
static int
open_table(struct toml *t, json_t *parent, const struct key *k,
	   struct stv_err **err)
{
	size_t last = k->parts.len - 1;
	json_t *old = json_object_get(parent, part(k, last));

	if (old == NULL) {
		t->table = new_table(t, HOW_HEADER);
		set(parent, part(k, last), t->table);
		return 0;
	}
	if (!json_is_object(old) || how(old) != HOW_IMPLICIT)
		return fail_twice(&t->in, k, last, "is there twice", err);
	set_how(old, HOW_HEADER);
	t->table = old;
	return 0;
}

/* The table of [[key]]: one more of an array. */
static int
open_element(struct toml *t, json_t *parent, const struct key *k,
	     struct stv_err **err)
{
	size_t last = k->parts.len - 1;
	json_t *array = json_object_get(parent, part(k, last));

	if (array == NULL) {
		array = json_array();
		set(parent, part(k, last), array);
	} else if (last_element(array) == NULL) {
		return fail_twice(&t->in, k, last,
				  "is there already and no array of tables",
				  err);
	}
	t->table = new_table(t, HOW_ELEMENT);
	append(array, t->table);
	return 0;
}

/* [a.b] or [[a.b]] */
static int
read_header(struct toml *t, struct stv_err **err)
{
	struct reg_toml_in *in = &t->in;
	STV_CLEANUP(key_fini) struct key k = {0};
	bool is_array = reg_toml_is_at(in, "[[");
	const char *end = is_array ? "]]" : "]";
	json_t *parent;
	size_t depth;

	in->pos += strlen(end);
	if (read_key(in, &k, err) < 0)
		return -1;
	if (!reg_toml_is_at(in, end))
		return reg_toml_fail(in, in->pos, err, "a '%s' is missing",
				     end);
	in->pos += strlen(end);
	parent = enter_header(t, &k, &depth, err);
	if (parent == NULL)
		return -1;
	t->depth = depth + (is_array ? 2 : 1);
	if (t->depth > STV_MAX_JSON_DEPTH)
		return reg_toml_fail_limit(in, part_at(&k, 0), err);
	return is_array ? open_element(t, parent, &k, err)
			: open_table(t, parent, &k, err);
}

static int
read_file(struct toml *t, struct stv_err **err)
{
	struct reg_toml_in *in = &t->in;

	if (reg_toml_is_at(in, "\xef\xbb\xbf"))
		in->pos += 3;
	while (in->pos < in->len) {
		int c;

		skip_blanks(in);
		c = reg_toml_peek(in);
		if (c >= 0 && c != '#' && c != '\n' && c != '\r' &&
		    (c == '[' ? read_header(t, err)
			      : read_pair(t, t->table, t->depth, err)) < 0)
			return -1;
		if (!skip_line_rest(in))
			return reg_toml_fail(in, in->pos, err,
					     "the line should end here");
	}
	return 0;
}

json_t *
reg_toml_parse(const char *text, size_t len, const char *what,
	       struct stv_err **err)
{
	struct toml t = {.in = {text, len, 0, what}, .depth = 1};
	int rc;

	if (len > REG_MAX_TOML) {
		stv_fail(err, STV_E_LIMIT, "%s is larger than %zu bytes", what,
			 REG_MAX_TOML);
		return NULL;
	}
	if (reg_toml_check_text(&t.in, err) < 0)
		return NULL;
	t.root = t.table = new_table(&t, HOW_HEADER);
	rc = read_file(&t, err);
	for (size_t i = 0; rc == 0 && i < t.tables.len; i++)
		(void)json_object_del(t.tables.v[i], HOW);
	stv_vec_fini(&t.tables);
	if (rc == 0)
		return t.root;
	json_decref(t.root);
	return NULL;
}
