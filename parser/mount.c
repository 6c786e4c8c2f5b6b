/* parser/mount.c - the value of RUN --mount. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/bool.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/size.h"

#include "parser/csv.h"
#include "parser/mount.h"
#include "parser/parse.h"

/* What holds one of these is changed by expansion. */
#define OPEN_CHARS "$\\`'\""

enum key {
	KEY_TYPE,
	KEY_FROM,
	KEY_SOURCE,
	KEY_TARGET,
	KEY_READONLY,
	KEY_READWRITE,
	KEY_ID,
	KEY_SHARING,
	KEY_REQUIRED,
	KEY_SIZE,
	KEY_MODE,
	KEY_UID,
	KEY_GID,
	KEY_ENV,
	KEY_NONE
};

static const char *const key_names[] = {
	"type", "from",	       "source",   "src",      "target",
	"dst",	"destination", "readonly", "ro",       "readwrite",
	"rw",	"id",	       "sharing",  "required", "size",
	"mode", "uid",	       "gid",	   "env",      NULL,
};

static const enum key keys[] = {
	KEY_TYPE,      KEY_FROM,   KEY_SOURCE,	 KEY_SOURCE,   KEY_TARGET,
	KEY_TARGET,    KEY_TARGET, KEY_READONLY, KEY_READONLY, KEY_READWRITE,
	KEY_READWRITE, KEY_ID,	   KEY_SHARING,	 KEY_REQUIRED, KEY_SIZE,
	KEY_MODE,      KEY_UID,	   KEY_GID,	 KEY_ENV,
};

/* In the order of enum df_mount_type and enum df_mount_sharing. */
static const char *const type_names[] = {"bind",   "cache", "tmpfs",
					 "secret", "ssh",   NULL};
static const char *const sharing_names[] = {"shared", "private", "locked",
					    NULL};

/* What is being read. */
struct reading {
	const struct df_mount_expander *x;
	struct df_mount *m;
	bool is_type_open;	/* the type is a variable: no rule holds yet */
	bool has_ro;		/* readonly or readwrite was given */
	bool is_something_open; /* some other value is */
};

const char *
df_mount_type_name(enum df_mount_type type)
{
	return type_names[type];
}

const char *
df_mount_sharing_name(enum df_mount_sharing sharing)
{
	return sharing_names[sharing];
}

static enum key
find_key(const char *name)
{
	for (size_t i = 0; key_names[i] != NULL; i++)
		if (strcmp(key_names[i], name) == 0)
			return keys[i];
	return KEY_NONE;
}

static int
unknown_key(const char *key, struct stv_err **err)
{
	const char *near = df_nearest(key, key_names);

	stv_fail(err, STV_E_CHECK, "unknown key '%s' of --mount", key);
	if (strcmp(key, "bind-propagation") == 0)
		stv_err_hint(*err, "Mounts of a RUN are private; there is "
				   "nothing to choose.");
	else if (strcmp(key, "tmpfs-size") == 0)
		stv_err_hint(*err, "Write size=64m.");
	else if (near != NULL)
		stv_err_hint(*err, "Did you mean '%s'?", near);
	return -1;
}

/* One of ${words} in any case: its number, or -1. */
static int
parse_word(const char *what, const char *value, const char *const *words,
	   struct stv_err **err)
{
	const char *near;

	for (int i = 0; words[i] != NULL; i++)
		if (strcasecmp(words[i], value) == 0)
			return i;
	near = df_nearest(value, words);
	stv_fail(err, STV_E_CHECK, "unknown %s '%s' of --mount", what, value);
	if (near != NULL)
		stv_err_hint(*err, "Did you mean '%s'?", near);
	return -1;
}

static int
parse_bool(const char *key, const char *value, bool *ret, struct stv_err **err)
{
	int is = stv_bool_parse(value, strlen(value));

	if (is < 0)
		return stv_fail(err, STV_E_CHECK,
				"'%s' of --mount is true or false, not '%s'",
				key, value);
	*ret = is == 1;
	return 0;
}

/* Digits of that base and nothing else, in 32 bits. */
static int
parse_number(const char *key, const char *value, unsigned base, uint32_t *ret,
	     struct stv_err **err)
{
	uint64_t n = 0;
	const char *p = value;

	for (; *p >= '0' && *p < (char)('0' + base); p++) {
		n = n * base + (uint64_t)(*p - '0');
		if (n > UINT32_MAX)
			break;
	}
	if (p == value || *p != '\0')
		return stv_fail(err, STV_E_CHECK,
				"'%s' of --mount is %s, not "
				"'%s'",
				key, base == 8 ? "an octal number" : "a number",
				value);
	*ret = (uint32_t)n;
	return 0;
}

static int
not_for_type(const struct reading *r, const char *key, struct stv_err **err)
{
	return stv_fail(err, STV_E_CHECK, "'%s' is no key of --mount=type=%s%s",
			key, type_names[r->m->type],
			r->m->type == DF_MOUNT_BIND
				? "; the type must stand before it"
				: "");
}

static bool
is_secret_or_ssh(const struct df_mount *m)
{
	return m->type == DF_MOUNT_SECRET || m->type == DF_MOUNT_SSH;
}

static void
set_string(char **to, const char *value)
{
	free(*to);
	*to = *value == '\0' ? NULL : stv_xstrdup(value);
}

static int
set_sharing(struct df_mount *m, const char *value, struct stv_err **err)
{
	int n = parse_word("sharing", value, sharing_names, err);

	if (n < 0)
		return -1;
	m->sharing = (enum df_mount_sharing)n;
	m->has_sharing = true;
	return 0;
}

static int
set_type(struct df_mount *m, const char *value, struct stv_err **err)
{
	int n = parse_word("type", value, type_names, err);

	if (n < 0)
		return -1;
	m->type = (enum df_mount_type)n;
	return 0;
}

static int
set_readonly(struct reading *r, const char *key, const char *value,
	     bool is_inverted, struct stv_err **err)
{
	bool b = true;

	if (value != NULL && parse_bool(key, value, &b, err) < 0)
		return -1;
	r->m->is_readonly = b != is_inverted;
	r->has_ro = true;
	return 0;
}

static int
set_required(struct reading *r, const char *value, struct stv_err **err)
{
	if (!r->is_type_open && !is_secret_or_ssh(r->m))
		return not_for_type(r, "required", err);
	r->m->is_required = true;
	return value == NULL
		       ? 0
		       : parse_bool("required", value, &r->m->is_required, err);
}

static int
set_size(struct reading *r, const char *value, struct stv_err **err)
{
	if (!r->is_type_open && r->m->type != DF_MOUNT_TMPFS)
		return not_for_type(r, "size", err);
	if (stv_size_parse(value, &r->m->size_bytes))
		return 0;
	stv_fail(err, STV_E_CHECK, "'size' of --mount is a size, not '%s'",
		 value);
	stv_err_hint(*err, "Write a number and a unit: 64m, 1.5g.");
	return -1;
}

/* A key with its value. */
static int
set_value(struct reading *r, enum key k, const char *key, const char *value,
	  struct stv_err **err)
{
	struct df_mount *m = r->m;

	switch (k) {
	case KEY_TYPE:
		r->is_type_open = false;
		return set_type(m, value, err);
	case KEY_FROM:
		set_string(&m->from, value);
		return 0;
	case KEY_SOURCE:
		set_string(&m->source, value);
		return 0;
	case KEY_TARGET:
		set_string(&m->target, value);
		return 0;
	case KEY_READONLY:
		return set_readonly(r, key, value, false, err);
	case KEY_READWRITE:
		return set_readonly(r, key, value, true, err);
	case KEY_ID:
		set_string(&m->id, value);
		return 0;
	case KEY_SHARING:
		return set_sharing(m, value, err);
	case KEY_REQUIRED:
		return set_required(r, value, err);
	case KEY_SIZE:
		return set_size(r, value, err);
	case KEY_MODE:
		m->has_mode = true;
		return parse_number(key, value, 8, &m->mode, err);
	case KEY_UID:
		m->has_uid = true;
		return parse_number(key, value, 10, &m->uid, err);
	case KEY_GID:
		m->has_gid = true;
		return parse_number(key, value, 10, &m->gid, err);
	case KEY_ENV:
		free(m->env);
		m->env = stv_xstrdup(value);
		return 0;
	case KEY_NONE:
		break;
	}
	return unknown_key(key, err);
}

/* A key that needs no value. */
static int
set_alone(struct reading *r, enum key k, const char *key, struct stv_err **err)
{
	if (k == KEY_READONLY || k == KEY_READWRITE)
		return set_readonly(r, key, NULL, k == KEY_READWRITE, err);
	if (k == KEY_REQUIRED)
		return set_required(r, NULL, err);
	if (k == KEY_NONE)
		return unknown_key(key, err);
	return stv_fail(err, STV_E_CHECK, "'%s' of --mount needs a value", key);
}

static int
check_from(const char *value, struct stv_err **err)
{
	const char *dollar = strchr(value, '$');

	if (dollar == NULL || dollar[1] == '\0')
		return 0;
	stv_fail(err, STV_E_CHECK,
		 "'from' of --mount cannot hold a variable ('%s')", value);
	stv_err_hint(*err,
		     "Give the image a name: 'FROM %s AS name', and "
		     "write from=name.",
		     value);
	return -1;
}

/* "key=value" or "key". */
static int
read_field(struct reading *r, const char *text, struct stv_err **err)
{
	size_t n = strcspn(text, "=");
	stv_auto_free char *key = stv_xstrndup(text, n), *value = NULL;
	enum key k;

	for (char *p = key; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	k = find_key(key);
	if (text[n] == '\0')
		return set_alone(r, k, key, err);
	text += n + 1;
	if (k == KEY_NONE)
		return unknown_key(key, err);
	if (k == KEY_FROM)
		return check_from(text, err) < 0
			       ? -1
			       : set_value(r, k, key, text, err);
	if (r->x != NULL) {
		if (r->x->expand(r->x->arg, text, &value, err) < 0)
			return -1;
		return set_value(r, k, key, value, err);
	}
	if (strpbrk(text, OPEN_CHARS) == NULL)
		return set_value(r, k, key, text, err);
	if (k == KEY_TYPE)
		r->is_type_open = true;
	r->is_something_open = true;
	return 0;
}

static int
check_secret(const struct reading *r, struct stv_err **err)
{
	const struct df_mount *m = r->m;

	if (m->from != NULL)
		return stv_fail(err, STV_E_CHECK, "a secret has no 'from'");
	if (m->source != NULL && m->id != NULL)
		return stv_fail(err, STV_E_CHECK,
				"a secret has 'id' or "
				"'source', not both");
	if (r->is_something_open || m->source != NULL || m->id != NULL ||
	    (m->target != NULL && m->target[strspn(m->target, "/")] != '\0'))
		return 0;
	stv_fail(err, STV_E_CHECK, "the secret has no 'id'");
	stv_err_hint(*err, "Write --mount=type=secret,id=NAME, and build with "
			   "--secret id=NAME,src=FILE.");
	return -1;
}

/* What no field alone can say. */
static int
check_whole(struct reading *r, struct stv_err **err)
{
	struct df_mount *m = r->m;

	if (r->is_type_open)
		return 0;
	/* The type may have been another one when they were read. */
	if (m->type != DF_MOUNT_TMPFS)
		m->size_bytes = 0;
	if (!is_secret_or_ssh(m))
		m->is_required = false;
	if ((m->type == DF_MOUNT_BIND || m->type == DF_MOUNT_TMPFS) &&
	    (m->has_mode || m->has_uid || m->has_gid))
		return not_for_type(r,
				    m->has_mode	 ? "mode"
				    : m->has_uid ? "uid"
						 : "gid",
				    err);
	if (m->has_sharing && m->type != DF_MOUNT_CACHE)
		return not_for_type(r, "sharing", err);
	if (m->type == DF_MOUNT_SSH && m->source != NULL)
		return not_for_type(r, "source", err);
	if (m->type == DF_MOUNT_SECRET && check_secret(r, err) < 0)
		return -1;
	if (!r->has_ro)
		m->is_readonly =
			m->type != DF_MOUNT_CACHE && m->type != DF_MOUNT_TMPFS;
	return 0;
}

/* A part of the value: as long in the file as it is here, or all of it. */
static struct stv_span
part_span(const char *text, struct stv_span span, size_t begin, size_t end)
{
	if (span.end - span.begin != strlen(text))
		return span;
	return (struct stv_span){span.begin + (uint32_t)begin,
				 span.begin + (uint32_t)end, span.file};
}

static int
read_fields(struct reading *r, const char *text, struct stv_span span,
	    struct df_csv *csv, struct stv_err **err)
{
	size_t at;

	if (df_csv_parse(text, csv, &at, err) < 0)
		return stv_err_at(*err,
				  part_span(text, span, at, strlen(text)));
	for (size_t i = 0; i < csv->fields.len; i++) {
		const struct df_csv_field *f = &csv->fields.v[i];

		if (read_field(r, f->text, err) < 0)
			return stv_err_at(
				*err, part_span(text, span, f->begin, f->end));
	}
	return check_whole(r, err) < 0 ? stv_err_at(*err, span) : 0;
}

int
df_mount_parse(const char *text, struct stv_span span,
	       const struct df_mount_expander *x, struct df_mount *ret,
	       struct stv_err **err)
{
	struct reading r = {.x = x, .m = ret};
	struct df_csv csv = {0};
	int rc;

	*ret = (struct df_mount){0};
	rc = read_fields(&r, text, span, &csv, err);
	df_csv_fini(&csv);
	return rc;
}

void
df_mount_fini(struct df_mount *m)
{
	free(m->from);
	free(m->source);
	free(m->target);
	free(m->id);
	free(m->env);
	*m = (struct df_mount){0};
}
