/* core/strs.c - an ordered list of owned strings. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/strs.h"

void
stv_strs_take(struct stv_strs *s, char *str)
{
	if (s->len + 2 > s->cap) {
		s->cap = s->cap * 2 + 8;
		s->v = stv_xreallocarray(s->v, s->cap, sizeof(s->v[0]));
	}
	s->v[s->len++] = str;
	s->v[s->len] = NULL;
}

void
stv_strs_add(struct stv_strs *s, const char *str)
{
	stv_strs_take(s, stv_xstrdup(str));
}

void
stv_strs_add_n(struct stv_strs *s, const char *str, size_t n)
{
	stv_strs_take(s, stv_xstrndup(str, n));
}

void
stv_strs_copy(struct stv_strs *dst, const struct stv_strs *src)
{
	for (size_t i = 0; i < src->len; i++)
		stv_strs_add(dst, src->v[i]);
}

bool
stv_strs_has(const struct stv_strs *s, const char *str)
{
	for (size_t i = 0; i < s->len; i++)
		if (strcmp(s->v[i], str) == 0)
			return true;
	return false;
}

static int
cmp_str(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
stv_strs_sort(struct stv_strs *s)
{
	if (s->len > 1)
		qsort(s->v, s->len, sizeof(s->v[0]), cmp_str);
}

void
stv_strs_sort_unique(struct stv_strs *s)
{
	size_t n = 0;

	stv_strs_sort(s);
	for (size_t i = 0; i < s->len; i++) {
		if (n > 0 && strcmp(s->v[n - 1], s->v[i]) == 0)
			free(s->v[i]);
		else
			s->v[n++] = s->v[i];
	}
	if (s->v != NULL)
		s->v[n] = NULL;
	s->len = n;
}

void
stv_strs_clear(struct stv_strs *s)
{
	for (size_t i = 0; i < s->len; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct stv_strs){0};
}

/* The index of NAME=... in ${env}, or its length. */
static size_t
env_find(const struct stv_strs *env, const char *name)
{
	size_t n = strlen(name), i;

	for (i = 0; i < env->len; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			break;
	return i;
}

const char *
stv_env_get(const struct stv_strs *env, const char *name)
{
	size_t i = env_find(env, name);

	return i < env->len ? env->v[i] + strlen(name) + 1 : NULL;
}

void
stv_env_set(struct stv_strs *env, const char *name, const char *value)
{
	size_t i = env_find(env, name);
	char *entry = stv_xasprintf("%s=%s", name, value);

	if (i == env->len) {
		stv_strs_take(env, entry);
		return;
	}
	free(env->v[i]);
	env->v[i] = entry;
}
