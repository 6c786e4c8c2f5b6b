/*
 * cache/meta_internal.h - parts of transactions that several files of the
 * store use; all are called between cas_db_enter() and cas_db_leave().
 */
#ifndef STAVE_CACHE_META_INTERNAL_H
#define STAVE_CACHE_META_INTERNAL_H

#include <stdint.h>

struct cas_store;  /* cache/store.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/* cas_tag_is(s, tag, manifest, err): does ${tag} name ${manifest}? 1, 0, -1. */
int cas_tag_is(struct cas_store *s, const char *tag,
	       const struct stv_digest *manifest, struct stv_err **err);

/* cas_tag_write(s, tag, manifest, err): in a transaction: name or move. */
int cas_tag_write(struct cas_store *s, const char *tag,
		  const struct stv_digest *manifest, struct stv_err **err);

/*
 * cas_image_delete(s, manifest, err): in a transaction: the image's rows.
 * Returns: 1 removed, 0 was not there.
 */
int cas_image_delete(struct cas_store *s, const struct stv_digest *manifest,
		     struct stv_err **err);

/*
 * cas_snapshot_write(s, name, diff_id, size, err): in a transaction: note an
 * unpacked layer.  ${diff_id} is NULL where it is not known.
 */
int cas_snapshot_write(struct cas_store *s, const char *name,
		       const struct stv_digest *diff_id, uint64_t size,
		       struct stv_err **err);

#endif /* STAVE_CACHE_META_INTERNAL_H */
