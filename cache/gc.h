/*
 * cache/gc.h - what may go: pruning, the store's cap, and how full it is.
 *
 * Nothing is collected while anybody else holds a lease (cache/store.h): a
 * collection takes the lease's lock alone, deletes rows in one transaction and
 * then files, so that a kill at any point leaves at most files that no row
 * names, which the next collection removes.
 */
#ifndef STAVE_CACHE_GC_H
#define STAVE_CACHE_GC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */

/* What a collection removed, one call for each. */
enum cas_gc_kind {
	CAS_GC_TAG,    /* name: the tag in its normal form */
	CAS_GC_IMAGE,  /* name: its config digest, "sha256:..." */
	CAS_GC_RECORD, /* name: the step's, as cas_record_put() got it */
	/* all its forms; name: its diff ID; size: last form and snapshots */
	CAS_GC_LAYER,
	CAS_GC_SNAPSHOT,  /* name: of the directory; size */
	CAS_GC_CACHEMOUNT /* name: for people (a RUN's cache mount); size */
};

/*
 * What to remove.  Whatever no image and no record needs goes in any case
 * (all members zero: a sweep).
 */
struct cas_gc_opts {
	bool dangling_images; /* images without a tag */
	bool all_images;      /* images, tagged or not */
	bool cache;	/* records whose layer no image has, cache mounts */
	bool all_cache; /* all records, cache mounts */
	/* Only images made, records last used before this time; 0: any. */
	int64_t until_s;
	/*
	 * Then remove unpacked layers, records, untagged images and cache
	 * mounts, those used longest ago first, until the store is not larger;
	 * 0: no cap.
	 */
	uint64_t max_bytes;
	/* How long to wait for builds to end; 0: not at all. */
	unsigned int wait_ms;
	/* May be NULL. */
	void (*on_removed)(void *arg, enum cas_gc_kind kind, const char *name,
			   uint64_t size);
	void *arg;
};

struct cas_gc_result {
	uint64_t bytes; /* given back to the file system */
	uint64_t n_tags;
	uint64_t n_images;
	uint64_t n_records;
	uint64_t n_layers;
	uint64_t n_snapshots;
	uint64_t n_blobs;
	uint64_t n_cachemounts;
};

/*
 * cas_gc(s, opts, ret, err): collect.  The caller has dropped its own lease.
 * Returns: 0 with *ret, or 1 where builds were running all the time and
 * nothing was removed.
 */
int cas_gc(struct cas_store *s, const struct cas_gc_opts *opts,
	   struct cas_gc_result *ret, struct stv_err **err);

/*
 * cas_gc_default_max(s): the default cap: the smaller of a fifth of the disk
 * and 50 GB.
 */
uint64_t cas_gc_default_max(const struct cas_store *s);

/* How full the store is; sizes in bytes. */
struct cas_df {
	uint64_t n_images;
	uint64_t n_tagged;
	uint64_t image_bytes;	    /* all blobs that images need */
	uint64_t image_reclaimable; /* of them: needed by untagged ones only */
	uint64_t n_records;
	uint64_t cache_bytes; /* blobs that only records need */
	uint64_t n_layers;
	uint64_t layer_bytes; /* blobs of all layers */
	uint64_t n_snapshots;
	uint64_t snapshot_bytes;
	uint64_t n_cachemounts;
	uint64_t cachemount_bytes;
	uint64_t garbage_bytes; /* blobs that nothing needs */
	uint64_t other_bytes;	/* database, tables of contents, logs ... */
};

/* cas_df(s, ret, err): measure. */
int cas_df(struct cas_store *s, struct cas_df *ret, struct stv_err **err);

#endif /* STAVE_CACHE_GC_H */
