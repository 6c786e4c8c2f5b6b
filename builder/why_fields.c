/* builder/why_fields.c - comparing the fields of two notes. */
#include <stdlib.h>
#include <string.h>

#include "cache/key.h"
#include "core/mem.h"
#include "core/secret.h"
#include "core/strs.h"

#include "builder/build_internal.h"
#include "builder/why.h"

void
bld_change_fini(struct bld_change *c)
{
	free(c->name);
	free(c->old_value);
	free(c->new_value);
	*c = (struct bld_change){0};
}

static struct key_reader
reader(const struct stv_buf *b)
{
	return key_reader(stv_buf_str(b), b->len);
}

/* Has any field of that name exactly this value? */
static bool
has_value(const struct stv_buf *b, const char *field, const char *value,
	  size_t len)
{
	struct key_reader r = reader(b);
	struct key_field f;

	while (key_next(&r, &f))
		if (key_is_named(&f, field) && f.len == len &&
		    memcmp(f.value, value, len) == 0)
			return true;
	return false;
}

/* The first value of ${field} in ${b} that ${other} does not have, or NULL. */
static char *
only_in(const struct stv_buf *b, const struct stv_buf *other, const char *field)
{
	struct key_reader r = reader(b);
	struct key_field f;

	while (key_next(&r, &f))
		if (key_is_named(&f, field) &&
		    !has_value(other, field, f.value, f.len))
			return stv_xstrndup(f.value, f.len);
	return NULL;
}

bool
bld_fields_differ(const struct stv_buf *old, const struct stv_buf *now,
		  const char *field, struct bld_change *ret)
{
	*ret = (struct bld_change){
		.old_value = only_in(old, now, field),
		.new_value = only_in(now, old, field),
	};
	return ret->old_value != NULL || ret->new_value != NULL;
}

/* The value of NAME in the fields NAME=VALUE, or NULL. */
static char *
pair_value(const struct stv_buf *b, const char *field, const char *name)
{
	struct key_reader r = reader(b);
	size_t n = strlen(name);
	struct key_field f;

	while (key_next(&r, &f))
		if (key_is_named(&f, field) && f.len > n && f.value[n] == '=' &&
		    memcmp(f.value, name, n) == 0)
			return stv_xstrndup(f.value + n + 1, f.len - n - 1);
	return NULL;
}

bool
bld_pairs_differ(const struct stv_buf *old, const struct stv_buf *now,
		 const char *field, struct bld_change *ret)
{
	stv_auto_free char *name = stv_steal(&ret->name);

	*ret = (struct bld_change){0};
	if (name == NULL) {
		name = only_in(now, old, field);
		if (name == NULL)
			name = only_in(old, now, field);
		if (name == NULL)
			return false;
		name[strcspn(name, "=")] = '\0';
	}
	ret->old_value = pair_value(old, field, name);
	ret->new_value = pair_value(now, field, name);
	if (ret->old_value == NULL && ret->new_value == NULL)
		return false;
	if (ret->old_value != NULL && ret->new_value != NULL &&
	    strcmp(ret->old_value, ret->new_value) == 0) {
		bld_change_fini(ret);
		return false;
	}
	ret->name = stv_steal(&name);
	return true;
}

char *
bld_field_get(const struct stv_buf *b, const char *field)
{
	struct key_reader r = reader(b);
	struct key_field f;

	while (key_next(&r, &f))
		if (key_is_named(&f, field))
			return stv_xstrndup(f.value, f.len);
	return NULL;
}

/* What well-known services begin their tokens with, and URLs with a user. */
static bool
is_secret_value(const char *value)
{
	static const char *const begins[] = {
		"ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "AKIA",
		"xox",	"sk-",	"eyJ",	"-----BEGIN",  "npm_",	 "pypi-",
	};
	const char *host = strstr(value, "://");

	for (size_t i = 0; i < STV_ARRAY_LEN(begins); i++)
		if (strncmp(value, begins[i], strlen(begins[i])) == 0)
			return true;
	return host != NULL && strchr(host, '@') != NULL;
}

bool
bld_is_secret(const char *name, const char *value)
{
	return (name != NULL &&
		(stv_secret_is_name(name) || bld_is_proxy_arg(name))) ||
	       (value != NULL && is_secret_value(value));
}
