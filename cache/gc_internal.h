/* cache/gc_internal.h - what the files of garbage collection share. */
#ifndef STAVE_CACHE_GC_INTERNAL_H
#define STAVE_CACHE_GC_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/digest.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cache/cachemount.h"
#include "cache/gc.h"

struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */

/* Digests, sorted once they are complete. */
struct cas_set {
	STV_VEC(struct stv_digest) list;
};

/* cas_set_sort(set), cas_set_has(set, d), cas_set_fini(set). */
void cas_set_sort(struct cas_set *set);
bool cas_set_has(const struct cas_set *set, const struct stv_digest *d);
void cas_set_fini(struct cas_set *set);

/* Behind the name of a finished snapshot (cache/snapshot.c). */
#define CAS_SNAPSHOT_MARK ".ok"

/* An unpacked layer that the database knows, or that was measured now. */
struct cas_snapshot {
	char *name;
	uint64_t size;
	int64_t used_s;
	bool is_doomed; /* its layer is gone, or the cap wants it to go */
};

struct cas_snapshots {
	STV_VEC(struct cas_snapshot) list;
};

/*
 * cas_snapshots_read(s, ret, err): all directories below snapshots/ with their
 * sizes; those that the database does not know are measured and noted there.
 * Rows whose directory is gone are removed.  Owns: cas_snapshots_fini().
 */
int cas_snapshots_read(struct cas_store *s, struct cas_snapshots *ret,
		       struct stv_err **err);

/* cas_snapshots_fini(list): free the members. */
void cas_snapshots_fini(struct cas_snapshots *list);

/*
 * cas_each_file(s, folder, fn, arg, err): call ${fn} with each name in
 * ${folder} (below the root) and what fstatat says of it; -1 of ${fn} stops.
 */
int cas_each_file(struct cas_store *s, const char *folder,
		  int (*fn)(struct cas_store *s, void *arg, int dirfd,
			    const char *name, const struct stat *st,
			    struct stv_err **err),
		  void *arg, struct stv_err **err);

/* cas_tree_size(atfd, name): bytes that a directory tree takes. */
uint64_t cas_tree_size(int atfd, const char *name);

/*
 * cas_read_sets(s, layers, blobs, err): diff IDs of all layers, and all blobs
 * that a row names, both sorted.
 */
int cas_read_sets(struct cas_store *s, struct cas_set *layers,
		  struct cas_set *blobs, struct stv_err **err);

/* cas_read_inputs(s, ret, err): the lists that records name, sorted. */
int cas_read_inputs(struct cas_store *s, struct cas_set *ret,
		    struct stv_err **err);

/* cas_folder_bytes(s, folder, sum, err): add what a folder's files take. */
int cas_folder_bytes(struct cas_store *s, const char *folder, uint64_t *sum,
		     struct stv_err **err);

/*
 * cas_other_bytes(s, sum, err): add what the store takes beside blobs and
 * snapshots.
 */
int cas_other_bytes(struct cas_store *s, uint64_t *sum, struct stv_err **err);

/* Something removed, told to the caller once the transaction stands. */
struct removed {
	enum cas_gc_kind kind;
	char *name;
	uint64_t size;
};

/* One collection. */
struct gc {
	const struct cas_gc_opts *opts;
	struct cas_gc_result *result;
	STV_VEC(struct removed) removed;
	struct stv_strs doomed;	       /* snapshots that the cap wants to go */
	struct cas_cachemounts mounts; /* is_doomed: they go in the sweep */
	uint64_t need;		       /* bytes to free for the cap */
	uint64_t freed;		       /* of them, so far */
	struct cas_set layers;
	struct cas_set blobs;
	struct cas_set inputs; /* lists that records name */
};

/* cas_gc_note(g, kind, name, size): something that the caller will be told. */
void cas_gc_note(struct gc *g, enum cas_gc_kind kind, const char *name,
		 uint64_t size);

/*
 * cas_gc_read_mounts(s, g, err): all cache mounts into ${g}, used longest ago
 * first.
 */
int cas_gc_read_mounts(struct cas_store *s, struct gc *g, struct stv_err **err);

/* cas_gc_choose_mounts(s, g, err): doom those that the caller asked for. */
int cas_gc_choose_mounts(struct cas_store *s, struct gc *g,
			 struct stv_err **err);

/*
 * cas_gc_doom_mounts(g, until_s): for the cap, doom those last used until
 * then, as long as there is need.
 */
void cas_gc_doom_mounts(struct gc *g, int64_t until_s);

/* cas_gc_sweep_mounts(s, g, err): remove the doomed ones. */
int cas_gc_sweep_mounts(struct cas_store *s, struct gc *g,
			struct stv_err **err);

/* cas_gc_sweep(s, g, err): remove the files that no row needs. */
int cas_gc_sweep(struct cas_store *s, struct gc *g, struct stv_err **err);

#endif /* STAVE_CACHE_GC_INTERNAL_H */
