/*
 * core/vec.h - a typed growable array.
 *
 *	STV_VEC(struct item) items = {0};
 *	*stv_vec_push(&items) = (struct item){ ... };
 *	for (size_t i = 0; i < items.len; i++) use(&items.v[i]);
 *	stv_vec_fini(&items);
 *
 * It aborts when memory is out; a vector whose length comes from input needs
 * a limit checked by its user.
 */
#ifndef STAVE_CORE_VEC_H
#define STAVE_CORE_VEC_H

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#define STV_VEC(type)                                                          \
	struct {                                                               \
		type *v;                                                       \
		size_t len;                                                    \
		size_t cap;                                                    \
	}

/* stv_vec_reserve(vec, n): room for ${n} elements in all. */
#define stv_vec_reserve(vec, n)                                                \
	do {                                                                   \
		if ((vec)->cap < (n)) {                                        \
			size_t stv_cap = (vec)->cap * 2 + 8;                   \
			if (stv_cap < (n))                                     \
				stv_cap = (n);                                 \
			(vec)->v = stv_xreallocarray((vec)->v, stv_cap,        \
						     sizeof((vec)->v[0]));     \
			(vec)->cap = stv_cap;                                  \
		}                                                              \
	} while (0)

/* stv_vec_push(vec): pointer to a new, zeroed last element. */
#define stv_vec_push(vec)                                                      \
	(__extension__({                                                       \
		stv_vec_reserve((vec), (vec)->len + 1);                        \
		memset(&(vec)->v[(vec)->len], 0, sizeof((vec)->v[0]));         \
		&(vec)->v[(vec)->len++];                                       \
	}))

/* stv_vec_fini(vec): free the array; the elements are the user's business. */
#define stv_vec_fini(vec)                                                      \
	do {                                                                   \
		free((vec)->v);                                                \
		(vec)->v = NULL;                                               \
		(vec)->len = (vec)->cap = 0;                                   \
	} while (0)

#endif /* STAVE_CORE_VEC_H */
