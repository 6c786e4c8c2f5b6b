/*
 * cache/toc.h - a layer's table of contents, and the merged view of a chain.
 *
 * Written while a layer is packed or unpacked, mmapped when read.  Through it
 * are answered: what a COPY's destination is, names in /etc/passwd, what
 * COPY --from selects, implied parents, whiteouts - without a directory being
 * unpacked.
 */
#ifndef STAVE_CACHE_TOC_H
#define STAVE_CACHE_TOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

#include "cache/entry.h"

struct cas_store; /* cache/store.h */
struct stv_buf;	  /* core/buf.h */
struct stv_err;	  /* core/err.h */
struct stv_in;	  /* core/stream.h */

/* A table of contents, read-only; all its pointers live as long as it. */
struct lay_toc;

/* A table being made; entries come in lay_path_cmp() order. */
struct lay_toc_builder;

/* lay_toc_builder_new(): empty.  Owns: lay_toc_builder_free(). */
struct lay_toc_builder *lay_toc_builder_new(void);

/*
 * lay_toc_builder_add(b, e, err): add a copy of ${e}.  In any order; a path
 * that comes twice replaces the earlier one (the last entry of a tar wins).
 * Errors: STV_E_LIMIT.
 */
int lay_toc_builder_add(struct lay_toc_builder *b, const struct lay_entry *e,
			struct stv_err **err);

/*
 * lay_toc_builder_save(b, store, diff_id, err): sort it and write
 * toc/<diff-id> (atomically; derived data: not synced, guarded by a
 * checksum).
 */
int lay_toc_builder_save(struct lay_toc_builder *b, struct cas_store *store,
			 const struct stv_digest *diff_id,
			 struct stv_err **err);

/* lay_toc_builder_free(b): NULL is ok. */
void lay_toc_builder_free(struct lay_toc_builder *b);

/*
 * lay_toc_open(store, diff_id, ret, err): the layer's table; where the file is
 * missing or damaged it is made again from the layer's blob.
 * Owns: *ret, lay_toc_close().
 * Errors: STV_E_NOT_FOUND (no such layer), STV_E_IO, STV_E_INPUT.
 */
int lay_toc_open(struct cas_store *store, const struct stv_digest *diff_id,
		 struct lay_toc **ret, struct stv_err **err);

/* lay_toc_len(t): number of entries. */
size_t lay_toc_len(const struct lay_toc *t);

/* lay_toc_get(t, i, ret): entry ${i} in path order.  Borrows from ${t}. */
void lay_toc_get(const struct lay_toc *t, size_t i, struct lay_entry *ret);

/* lay_toc_find(t, path, ret): 1 and the entry, or 0. */
int lay_toc_find(const struct lay_toc *t, const char *path,
		 struct lay_entry *ret);

/* lay_toc_close(t): NULL is ok. */
void lay_toc_close(struct lay_toc *t);

/* What a chain of layers looks like from above. */
struct lay_view;

/*
 * lay_view_open(store, diff_ids, n, ret, err): the merged view of ${n} layers,
 * bottom first; ${n} may be 0 (an empty root).
 * Owns: *ret, lay_view_close().  Threads: any, one at a time.
 */
int lay_view_open(struct cas_store *store, const struct stv_digest *diff_ids,
		  size_t n, struct lay_view **ret, struct stv_err **err);

/* lay_view_close(v): NULL is ok. */
void lay_view_close(struct lay_view *v);

/*
 * lay_view_lookup(v, path, ret): the entry at ${path}, no link followed.  A
 * LAY_HARDLINK is answered as the file that it names.  A directory that no
 * layer lists but that something lies in ("implied") is root's, mode 0755.
 * The root "" always exists.
 * Returns: 1 and *ret (borrows from ${v}), or 0 where there is nothing.
 */
int lay_view_lookup(struct lay_view *v, const char *path,
		    struct lay_entry *ret);

/*
 * lay_view_resolve(v, path, follow_last, ret_path, ret, err): follow symbolic
 * links inside the root as the kernel would with RESOLVE_IN_ROOT.  *ret_path
 * is the real path (also where nothing is there: as far as it goes, links
 * resolved, the rest appended).
 * Owns:    *ret_path.
 * Returns: 1 found, 0 not there.
 * Errors:  STV_E_INPUT: too many links, or a component is no directory.
 */
int lay_view_resolve(struct lay_view *v, const char *path, bool follow_last,
		     char **ret_path, struct lay_entry *ret,
		     struct stv_err **err);

/*
 * lay_view_list(v, path, fn, arg): call ${fn} for each name directly below the
 * directory ${path}, ascending by byte; e->path is the full path.  A non-zero
 * result of ${fn} stops and is returned.
 */
int lay_view_list(struct lay_view *v, const char *path,
		  int (*fn)(void *arg, const struct lay_entry *e), void *arg);

/*
 * lay_view_open_file(v, path, ret_fd, ret_offset, ret_size, err): where the
 * content of the regular file ${path} can be read: from the uncompressed
 * layer blob at an offset, or from its unpacked snapshot.  Owns: *ret_fd.
 */
int lay_view_open_file(struct lay_view *v, const char *path, int *ret_fd,
		       uint64_t *ret_offset, uint64_t *ret_size,
		       struct stv_err **err);

/*
 * lay_view_read(v, path, max, ret, err): a small regular file whole (links in
 * the path followed in the root): /etc/passwd.  STV_E_NOT_FOUND, STV_E_INPUT
 * (no regular file), STV_E_LIMIT.
 */
int lay_view_read(struct lay_view *v, const char *path, size_t max,
		  struct stv_buf *ret, struct stv_err **err);

STV_DEFINE_CLEANUP(lay_toc, lay_toc_close);
STV_DEFINE_CLEANUP(lay_toc_builder, lay_toc_builder_free);
STV_DEFINE_CLEANUP(lay_view, lay_view_close);

#endif /* STAVE_CACHE_TOC_H */
