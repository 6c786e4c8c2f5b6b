/*
 * cache/meta.h - what the store knows: layers, images, tags, cache records.
 *
 * SQLite (WAL).  Each writing function is one BEGIN IMMEDIATE transaction,
 * prepared before it begins and without file work inside; the blobs that it
 * names are visible and synced before it (cas_store_sync()).
 */
#ifndef STAVE_CACHE_META_H
#define STAVE_CACHE_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/strs.h"

struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */

/*
 * A layer that is in the store.  One diff ID may lie here in several forms:
 * plain, compressed as it was received, and compressed here.
 */
struct cas_layer {
	struct stv_digest diff_id;
	struct stv_digest blob; /* == diff_id where made here */
	uint64_t blob_size;
	uint64_t tar_size;
	char media_type[96]; /* of the blob */
	char made_by[24]; /* stv_compression_name(), "": not compressed here */
};

/* cas_layer_put(s, l, err): register a form; the same again is success. */
int cas_layer_put(struct cas_store *s, const struct cas_layer *l,
		  struct stv_err **err);

/*
 * cas_layer_get(s, diff_id, ret, err): 1 and *ret, or 0 where not here.  Of
 * several forms the plain one, else the first.
 * Threads: any.
 */
int cas_layer_get(struct cas_store *s, const struct stv_digest *diff_id,
		  struct cas_layer *ret, struct stv_err **err);

/*
 * cas_layer_get_form(s, diff_id, made_by, ret, err): 1 and the form that the
 * compressor ${made_by} made here, or 0.
 * Threads: any.
 */
int cas_layer_get_form(struct cas_store *s, const struct stv_digest *diff_id,
		       const char *made_by, struct cas_layer *ret,
		       struct stv_err **err);

/*
 * cas_layer_get_blob(s, diff_id, blob, ret, err): 1 and the form of the layer
 * whose bytes have the digest ${blob}; 0 where it is not here, or is known as
 * no form of this layer.
 * Threads: any.
 */
int cas_layer_get_blob(struct cas_store *s, const struct stv_digest *diff_id,
		       const struct stv_digest *blob, struct cas_layer *ret,
		       struct stv_err **err);

/* An image: a manifest with its config, or an index. */
struct cas_image {
	struct stv_digest manifest; /* digest of manifest or index */
	struct stv_digest config;   /* of the image for this machine */
	int64_t created_s;	    /* when it came into this store */
	uint64_t size;		    /* sum of its layers, unpacked tar bytes */
};

/*
 * cas_image_put(s, img, blobs, n_blobs, tags, err): the image, the blobs that
 * it keeps alive (manifest, config, layer blobs), and its tags (normal form,
 * "docker.io/library/x:latest") in one transaction.  A tag that named another
 * image moves; it is rewritten only if it moves.
 * Durable: on return (P1) unless the store was opened without is_sync.
 */
int cas_image_put(struct cas_store *s, const struct cas_image *img,
		  const struct stv_digest *blobs, size_t n_blobs,
		  const struct stv_strs *tags, struct stv_err **err);

/* cas_tag_get(s, tag, ret, err): 1 and *ret, or 0. */
int cas_tag_get(struct cas_store *s, const char *tag, struct cas_image *ret,
		struct stv_err **err);

/* cas_tag_set(s, tag, manifest, err): name an image that is here. */
int cas_tag_set(struct cas_store *s, const char *tag,
		const struct stv_digest *manifest, struct stv_err **err);

/* cas_tag_remove(s, tag, err): 1 removed, 0 was not there. */
int cas_tag_remove(struct cas_store *s, const char *tag, struct stv_err **err);

/*
 * cas_image_find(s, hex_prefix, ret, err): by the first digits (>= 4, or all
 * 64) of config or manifest digest.  1 found, 0 none; STV_E_USAGE where more
 * than one image begins so.
 */
int cas_image_find(struct cas_store *s, const char *hex_prefix,
		   struct cas_image *ret, struct stv_err **err);

/* cas_image_remove(s, manifest, err): with all its tags. */
int cas_image_remove(struct cas_store *s, const struct stv_digest *manifest,
		     struct stv_err **err);

/* cas_image_tags(s, manifest, ret, err): its tags, sorted, appended. */
int cas_image_tags(struct cas_store *s, const struct stv_digest *manifest,
		   struct stv_strs *ret, struct stv_err **err);

/*
 * cas_image_each(s, fn, arg, err): call ${fn} for each image, newest first; a
 * non-zero result stops and is returned.
 */
int cas_image_each(struct cas_store *s,
		   int (*fn)(void *arg, const struct cas_image *img), void *arg,
		   struct stv_err **err);

/*
 * A cache record: what executing the step with this key upon this parent gave.
 */
struct cas_record {
	struct stv_digest key;
	struct stv_digest parent_chain;	 /* zero: nothing below */
	struct stv_digest parent_config; /* digest of the parent's run config */
	bool has_layer;			 /* false: the step made no layer */
	struct stv_digest diff_id;
	int64_t created_s; /* what the image says; 0 is 1970 */
};

/*
 * cas_record_has_key(s, key, err): 1 if any record has the key (then it is
 * worth waiting for the parent's result), else 0.
 */
int cas_record_has_key(struct cas_store *s, const struct stv_digest *key,
		       struct stv_err **err);

/*
 * cas_record_get(s, key, parent_chain, parent_config, ret, err): the newest
 * record on exactly this parent whose layer is in the store: 1, or 0.  It
 * does not write; its use is noted with cas_record_touch().
 */
int cas_record_get(struct cas_store *s, const struct stv_digest *key,
		   const struct stv_digest *parent_chain,
		   const struct stv_digest *parent_config,
		   struct cas_record *ret, struct stv_err **err);

/*
 * cas_record_put(s, r, preimage, n, step, err): add or replace.  ${preimage}
 * is what the key is the SHA-256 of, kept so that a miss can be explained;
 * ${step} names where the step stands ("Dockerfile path|stage|position").
 * What a build knows besides: cas_record_put_noted() of cache/note.h.
 */
int cas_record_put(struct cas_store *s, const struct cas_record *r,
		   const void *preimage, size_t n, const char *step,
		   struct stv_err **err);

/*
 * cas_record_touch(s, keys, n, err): these were used now.  Skips the write
 * where all were used within the last hour, so that a cached build writes
 * nothing.
 */
int cas_record_touch(struct cas_store *s, const struct stv_digest *keys,
		     size_t n, struct stv_err **err);

/*
 * cas_snapshot_put(s, name, diff_id, size, err): snapshots/${name} is layer
 * ${diff_id} unpacked and takes ${size} bytes.  With it garbage collection
 * knows when the directory is of no more use; one without it is only measured,
 * and goes when the store is too large.  Says nothing about being complete.
 */
int cas_snapshot_put(struct cas_store *s, const char *name,
		     const struct stv_digest *diff_id, uint64_t size,
		     struct stv_err **err);

#endif /* STAVE_CACHE_META_H */
