/*
 * cache/layer.h - layers: made, received, unpacked for an overlay.
 *
 * A layer is named by its diff ID (digest of the uncompressed tar).  What was
 * made here lies uncompressed as a blob of that digest; what was received
 * lies as received, and the store knows which diff ID it has.
 */
#ifndef STAVE_CACHE_LAYER_H
#define STAVE_CACHE_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"

#include "cache/entry.h"

struct cas_store; /* cache/store.h */
struct lay_view;  /* cache/toc.h */
struct stv_err;	  /* core/err.h */
struct stv_in;	  /* core/stream.h */

/* A layer tar being written: sorted, pax, no host state, deterministic. */
struct lay_writer;

struct lay_writer_opts {
	bool has_epoch; /* SOURCE_DATE_EPOCH: clamp mtimes to ${epoch} */
	int64_t epoch;
};

/* What a finished layer is. */
struct lay_result {
	struct stv_digest diff_id;
	uint64_t size;	    /* of the tar */
	uint64_t n_entries; /* 0: nothing changed (the diff ID is the empty
			       tar's) */
};

/*
 * lay_writer_open(store, opts, ret, err): start a layer.
 * Owns: *ret, lay_writer_close().  Threads: any; one writer, one thread.
 */
int lay_writer_open(struct cas_store *store, const struct lay_writer_opts *opts,
		    struct lay_writer **ret, struct stv_err **err);

/*
 * lay_writer_add(w, e, fd, offset, err): add an entry; the caller keeps to
 * lay_path_cmp() order (asserted).  For a LAY_FILE with e->size > 0 its bytes
 * are read from ${fd} at ${offset} and hashed; e->digest is not looked at, and
 * *ret_digest (may be NULL) gets what was read, which may differ from what the
 * caller expected when the file changes meanwhile.  A file that is shorter
 * than e->size is STV_E_INPUT.
 */
int lay_writer_add(struct lay_writer *w, const struct lay_entry *e, int fd,
		   uint64_t offset, struct stv_digest *ret_digest,
		   struct stv_err **err);

/*
 * lay_writer_commit(w, ret, err): end the tar, commit the blob and its table
 * of contents, and register the layer.
 */
int lay_writer_commit(struct lay_writer *w, struct lay_result *ret,
		      struct stv_err **err);

/* lay_writer_close(w): NULL is ok; not committed means nothing is kept. */
void lay_writer_close(struct lay_writer *w);

/*
 * An upper directory of an overlay as a list of changes (phase one of a
 * snapshot: metadata only, while nobody writes to it any more).
 */
struct lay_changes;

/*
 * lay_changes_scan(store, upper_fd, lower, opts, ret, err): compare ${upper_fd}
 * with the merged view below it.  An entry is a change if and only if type,
 * mode, owner, xattrs, link target, size, content or mtime differs from what
 * lies below; a directory also as parent of one that is (DESIGN.md, the way of
 * a build, 5).  Overlay's own whiteouts (0:0) and opaque xattrs become
 * LAY_WHITEOUT and LAY_OPAQUE, these only where something lies below.  The
 * root directory itself is in no layer.  Names of one file (hard links) are
 * changes together.
 *
 * ${upper_fd} is brought to what unpacking the layer gives, because it becomes
 * its snapshot: what is no change is removed from it, and so are sockets and
 * overlay's xattrs; times are clamped.  So scan before it is mounted as a
 * lower directory.
 *
 * Owns:    *ret, lay_changes_free().
 * Errors:  STV_E_LIMIT, STV_E_IO.
 * Borrows: ${lower} (NULL: nothing below) for the call only, ${upper_fd} as
 *          long as *ret.
 * Threads: any.
 */
int lay_changes_scan(struct cas_store *store, int upper_fd,
		     struct lay_view *lower, const struct lay_writer_opts *opts,
		     struct lay_changes **ret, struct stv_err **err);

/* lay_changes_len(c): number of entries that the layer will have. */
size_t lay_changes_len(const struct lay_changes *c);

/*
 * lay_changes_pack(c, ret, err): phase two: write the layer (hard links inside
 * the upper become LAY_HARDLINK) and commit it.
 */
int lay_changes_pack(struct lay_changes *c, struct lay_result *ret,
		     struct stv_err **err);

/* lay_changes_free(c): NULL is ok. */
void lay_changes_free(struct lay_changes *c);

/* The files of a layer that came, for lay_snapshot_arrived(). */
struct lay_arrival;

/* What a layer from outside has to be, and how it is taken. */
struct lay_wanted {
	const struct stv_digest *blob; /* of the bytes that come; NULL: any */
	const struct stv_digest *diff_id; /* NULL: any */
	bool is_ahead;	 /* a thread reads and decompresses: stv_in_ahead() */
	bool is_mounted; /* soon, so its files are written while it arrives */
};

/* What it is. */
struct lay_received {
	struct lay_result layer;
	struct stv_digest blob; /* the bytes as they came */
	uint64_t blob_size;
	/* The caller's, lay_arrival_free(); NULL where there are none. */
	struct lay_arrival *files;
};

/*
 * lay_receive(store, in, want, ret, err): take a layer from outside as it
 * arrives: tar, or tar compressed by gzip, zstd, xz or bzip2 (by content).  One
 * pass: it is checked (every bound and rule of THREATS 1.2), stored byte for
 * byte as received, its table of contents is made, and both its digests are
 * computed and compared with ${want}, which may be NULL.
 *
 * Errors: STV_E_INPUT (hostile or truncated), STV_E_LIMIT, STV_E_DIGEST,
 *         STV_E_IO; then nothing is visible.
 */
int lay_receive(struct cas_store *store, struct stv_in *in,
		const struct lay_wanted *want, struct lay_received *ret,
		struct stv_err **err);

/* lay_arrival_free(a): remove what became no snapshot.  NULL is ok. */
void lay_arrival_free(struct lay_arrival *a);

/*
 * lay_open_tar(store, diff_id, ret, ret_size, err): the uncompressed tar of a
 * layer, decompressed on the way where needed.  Owns: *ret, stv_in_close().
 */
int lay_open_tar(struct cas_store *store, const struct stv_digest *diff_id,
		 struct stv_in **ret, uint64_t *ret_size, struct stv_err **err);

/*
 * lay_snapshot(store, diff_ids, n, ret_name, err): make sure that layer
 * ${diff_ids}[n-1], upon the layers before it, is unpacked for an overlay
 * mount (whiteouts as 0:0, opaque xattr, implied parents with the attributes
 * of the chain, THREATS B24), and name its directory relative to the store's
 * root ("snapshots/<id>").  Two processes that need the same one wait for one
 * another.  Owns: *ret_name.  Threads: any.
 */
int lay_snapshot(struct cas_store *store, const struct stv_digest *diff_ids,
		 size_t n, char **ret_name, struct stv_err **err);

/*
 * lay_snapshot_find(store, diff_ids, n, ret_name, err): the same where it is
 * unpacked already: 1 and *ret_name, or 0.
 */
int lay_snapshot_find(struct cas_store *store,
		      const struct stv_digest *diff_ids, size_t n,
		      char **ret_name, struct stv_err **err);

/*
 * lay_snapshot_arrived(store, diff_ids, n, files, err): as lay_snapshot(), from
 * the files that came with lay_receive(); the layers below are in the store by
 * now.  Once for each ${files}, which stay the caller's.
 */
int lay_snapshot_arrived(struct cas_store *store,
			 const struct stv_digest *diff_ids, size_t n,
			 const struct lay_arrival *files, struct stv_err **err);

/*
 * lay_snapshot_adopt(store, diff_ids, n, upper_name, err): the packed upper
 * directory ${upper_name} (relative to the store's root, in tmp/) is what
 * unpacking layer ${diff_ids}[n-1] would give: move it to its place among the
 * snapshots; where one is there already, remove ${upper_name} instead (so it
 * must not be mounted then).
 */
int lay_snapshot_adopt(struct cas_store *store,
		       const struct stv_digest *diff_ids, size_t n,
		       const char *upper_name, struct stv_err **err);

/*
 * lay_unpack(store, diff_ids, n, dirfd, err): the merged tree of a chain as
 * plain files below the directory ${dirfd} (output type=local, a mount without
 * overlay).  What is there already stays, unless the tree has something else
 * than a directory of that name, or has a directory where there is none.
 */
int lay_unpack(struct cas_store *store, const struct stv_digest *diff_ids,
	       size_t n, int dirfd, struct stv_err **err);

/*
 * lay_extract(store, in, dirfd, err): a tar, compressed or not, as plain files
 * below the empty directory ${dirfd}, under every rule that holds for a layer
 * from outside (so names ".wh.*" are no files).  Nothing of it stays in the
 * store.  Threads: any.
 * Errors: STV_E_INPUT (hostile or truncated), STV_E_LIMIT, STV_E_IO.
 */
int lay_extract(struct cas_store *store, struct stv_in *in, int dirfd,
		struct stv_err **err);

STV_DEFINE_CLEANUP(lay_writer, lay_writer_close);
STV_DEFINE_CLEANUP(lay_changes, lay_changes_free);
STV_DEFINE_CLEANUP(lay_arrival, lay_arrival_free);

#endif /* STAVE_CACHE_LAYER_H */
