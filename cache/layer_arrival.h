/*
 * cache/layer_arrival.h - the files of a layer while it arrives.
 *
 * They grow in a tree in tmp/ that has nothing but directories and files, so
 * that no name leads through a link; all else comes when the table of contents
 * is made and the digests hold.  Where an entry goes is known for certain only
 * then: a layer whose table is not plain (lay_toc_builder_is_plain()) loses
 * what was written.
 *
 * It spares the second reading and decompressing of a layer that is going to
 * be mounted, and no more: what cannot be written is given up without a word,
 * and the step that mounts the layer tries again and says why.
 */
#ifndef STAVE_CACHE_LAYER_ARRIVAL_H
#define STAVE_CACHE_LAYER_ARRIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cas_store;   /* cache/store.h */
struct lay_arrival; /* cache/layer.h */
struct lay_entry;   /* cache/entry.h */

/*
 * lay_arrival_new(store): no files yet.  Owns: the caller, lay_arrival_free()
 * (in cache/layer.h).  Threads: one at a time.
 */
struct lay_arrival *lay_arrival_new(struct cas_store *store);

/*
 * lay_arrival_begin(a, e): a new file for ${e}, a LAY_FILE whose digest is not
 * looked at.  Pieces of its content follow in their order, between them and
 * behind them there are holes; lay_arrival_end() then gives it the attributes.
 * ${a} may be NULL.
 */
void lay_arrival_begin(struct lay_arrival *a, const struct lay_entry *e);
void lay_arrival_write(struct lay_arrival *a, const void *p, size_t n,
		       uint64_t offset);
void lay_arrival_end(struct lay_arrival *a, const struct lay_entry *e);

/* lay_arrival_is_whole(a): are all that were begun there? */
bool lay_arrival_is_whole(const struct lay_arrival *a);

/*
 * lay_arrival_name(a), lay_arrival_fd(a): the tree's root, relative to the
 * store's.  Borrow from ${a}.
 */
const char *lay_arrival_name(const struct lay_arrival *a);
int lay_arrival_fd(const struct lay_arrival *a);

#endif /* STAVE_CACHE_LAYER_ARRIVAL_H */
