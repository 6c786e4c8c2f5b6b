/*
 * cache/list.h - manifest lists that are being put together.
 *
 * A document of the builder's under the name that it is to be pushed to.  The
 * images of the store that it names stay as long as it does: garbage collection
 * takes them for tagged.
 */
#ifndef STAVE_CACHE_LIST_H
#define STAVE_CACHE_LIST_H

#include <stddef.h>

struct cas_store;  /* cache/store.h */
struct stv_buf;	   /* core/buf.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/* cas_list_get(s, name, ret, err): 1 and its text, appended; or 0. */
int cas_list_get(struct cas_store *s, const char *name, struct stv_buf *ret,
		 struct stv_err **err);

/* A list as it shall be. */
struct cas_list {
	const char *name;
	const char *before; /* the text as it was read; NULL: there was none */
	const char *text;
	const struct stv_digest *images; /* manifests that it keeps alive */
	size_t n_images;
};

/*
 * cas_list_put(s, l, err): write it, in one transaction.
 * Returns: 1; 0 where somebody else changed it since, and nothing was written.
 */
int cas_list_put(struct cas_store *s, const struct cas_list *l,
		 struct stv_err **err);

/* cas_list_remove(s, name, err): 1 removed, 0 was not there. */
int cas_list_remove(struct cas_store *s, const char *name,
		    struct stv_err **err);

#endif /* STAVE_CACHE_LIST_H */
