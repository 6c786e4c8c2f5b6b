/* cache/layer_internal.h - what the files of the layer code share. */
#ifndef STAVE_CACHE_LAYER_INTERNAL_H
#define STAVE_CACHE_LAYER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"

#include "cache/entry.h"

struct cas_store;	/* cache/store.h */
struct lay_arrival;	/* cache/layer.h */
struct lay_toc;		/* cache/toc.h */
struct lay_toc_builder; /* cache/toc.h */
struct lay_view;	/* cache/toc.h */
struct stv_buf;		/* core/buf.h */
struct stv_err;		/* core/err.h */
struct stv_in;		/* core/stream.h */

/* "/proc/sys/kernel/random/boot_id" and a NUL. */
#define LAY_BOOT_ID_LEN 40

/*
 * lay_boot_id(buf): which boot of the machine this is.  Derived data is not
 * synced, so a crash may tear it; it is trusted as it lies only within the
 * boot that wrote it (RELIABILITY 2.3 rule 6).  ${buf} is empty where /proc
 * cannot be read: then nothing matches.
 */
void lay_boot_id(char buf[LAY_BOOT_ID_LEN]);

/* lay_toc_lower_bound(t, path, lo): first entry >= ${path} from ${lo} on. */
size_t lay_toc_lower_bound(const struct lay_toc *t, const char *path,
			   size_t lo);

/*
 * lay_toc_subtree_end(t, path, lo): first entry from ${lo} on that is neither
 * ${path} nor below it; entry ${lo} is.
 */
size_t lay_toc_subtree_end(const struct lay_toc *t, const char *path,
			   size_t lo);

/* lay_toc_path(t, i): the path of entry ${i}.  Borrows from ${t}. */
const char *lay_toc_path(const struct lay_toc *t, size_t i);

/* lay_path_is_below(path, dir): is it inside (and not equal to) ${dir}? */
bool lay_path_is_below(const char *path, const char *dir);

/*
 * lay_toc_builder_render(b, ret, err): the table as the bytes of its file,
 * appended to ${ret}.
 */
int lay_toc_builder_render(struct lay_toc_builder *b, struct stv_buf *ret,
			   struct stv_err **err);

/* lay_toc_builder_len(b): entries that came in, replaced ones too. */
uint64_t lay_toc_builder_len(const struct lay_toc_builder *b);

/*
 * lay_toc_load(data, n, ret, err): a table from the bytes of its file, checked.
 * Takes: ${data} (from malloc), also on failure.  Owns: *ret.
 */
int lay_toc_load(void *data, size_t n, struct lay_toc **ret,
		 struct stv_err **err);

/*
 * lay_toc_builder_is_plain(b): is each entry at the path that it names, and
 * none in the place of an earlier one?  Then the tree could be made in the
 * order of the entries.
 */
bool lay_toc_builder_is_plain(const struct lay_toc_builder *b);

/*
 * lay_read_tar(tar, b, files, err): every entry of an uncompressed layer tar
 * into ${b}, checked by the rules of THREATS 1.2, and its files into ${files},
 * which may be NULL.  Reads up to the end of ${tar}.
 */
int lay_read_tar(struct stv_in *tar, struct lay_toc_builder *b,
		 struct lay_arrival *files, struct stv_err **err);

/*
 * lay_toc_rebuild(store, diff_id, err): make toc/<diff-id> from the blob.
 */
int lay_toc_rebuild(struct cas_store *store, const struct stv_digest *diff_id,
		    struct stv_err **err);

/* lay_view_store(v): the store it was opened on.  Borrows. */
struct cas_store *lay_view_store(const struct lay_view *v);

/*
 * lay_view_locate(v, path, ret, ret_layer): as lay_view_lookup(), and the
 * number of the layer (from 0) that lists it; undefined for a directory that
 * none lists.
 */
int lay_view_locate(struct lay_view *v, const char *path, struct lay_entry *ret,
		    size_t *ret_layer);

/* lay_view_diff_ids(v): of its layers, bottom first.  Borrows. */
const struct stv_digest *lay_view_diff_ids(const struct lay_view *v);

/*
 * lay_apply(store, diff_id, toc, below, has_files, rootfd, err): create what
 * ${toc} lists below ${rootfd} for an overlay, the content from the layer's
 * blob: whiteouts as 0:0, opaque xattrs, implied directories as they are in
 * ${below} (NULL: nothing); whiteouts of what ${below} lacks are left out.
 * ${has_files}: the files, but no hard links to them, are there already.
 */
int lay_apply(struct cas_store *store, const struct stv_digest *diff_id,
	      const struct lay_toc *toc, struct lay_view *below, bool has_files,
	      int rootfd, struct stv_err **err);

/* In ${places} below: this entry is not made. */
#define LAY_NOWHERE SIZE_MAX

/*
 * lay_apply_merge(store, diff_id, toc, places, rootfd, err): the same as plain
 * files upon what is there already.  ${places} has for each entry the number
 * of that in whose place it is made (its own but for a file of which only a
 * hard link is to be made), or LAY_NOWHERE.
 */
int lay_apply_merge(struct cas_store *store, const struct stv_digest *diff_id,
		    const struct lay_toc *toc, const size_t *places, int rootfd,
		    struct stv_err **err);

/*
 * lay_apply_tar(tar_fd, size, toc, rootfd, err): all of an uncompressed tar
 * that is none of the store as plain files into the empty directory ${rootfd}.
 */
int lay_apply_tar(int tar_fd, uint64_t size, const struct lay_toc *toc,
		  int rootfd, struct stv_err **err);

#endif /* STAVE_CACHE_LAYER_INTERNAL_H */
