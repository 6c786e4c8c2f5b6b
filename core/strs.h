/* core/strs.h - an ordered list of owned strings (argv, environment, names). */
#ifndef STAVE_CORE_STRS_H
#define STAVE_CORE_STRS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A list of strings.  ${v} is NULL-terminated once anything was added, so
 * that it can be handed to execve(); zero bytes are an empty list.
 */
struct stv_strs {
	char **v;
	size_t len;
	size_t cap;
};

/* stv_strs_add(s, str): append a copy of ${str}. */
void stv_strs_add(struct stv_strs *s, const char *str);

/* stv_strs_add_n(s, str, n): append a copy of ${n} bytes of ${str}. */
void stv_strs_add_n(struct stv_strs *s, const char *str, size_t n);

/* stv_strs_take(s, str): append ${str} itself.  Takes: ${str}. */
void stv_strs_take(struct stv_strs *s, char *str);

/* stv_strs_copy(dst, src): append copies of all of ${src} to ${dst}. */
void stv_strs_copy(struct stv_strs *dst, const struct stv_strs *src);

/* stv_strs_has(s, str): is ${str} in the list? */
bool stv_strs_has(const struct stv_strs *s, const char *str);

/* stv_strs_sort(s): bytewise ascending. */
void stv_strs_sort(struct stv_strs *s);

/* stv_strs_sort_unique(s): the same, and each string only once. */
void stv_strs_sort_unique(struct stv_strs *s);

/* stv_strs_clear(s): free everything; ${s} is an empty list again. */
void stv_strs_clear(struct stv_strs *s);

/*
 * stv_env_get(env, name): the value in a list of NAME=value, or NULL.
 * Borrows: the result lives as long as the list is not changed.
 */
const char *stv_env_get(const struct stv_strs *env, const char *name);

/*
 * stv_env_set(env, name, value): replace NAME=... in place, or append it.
 * The place of an existing entry is kept, as Docker does.
 */
void stv_env_set(struct stv_strs *env, const char *name, const char *value);

#endif /* STAVE_CORE_STRS_H */
