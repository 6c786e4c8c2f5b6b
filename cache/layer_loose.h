/*
 * cache/layer_loose.h - the files of a layer while it arrives.
 *
 * Where a path of a tar leads to is known when all of the tar is: a later entry
 * may replace a directory on the way, or the file.  So nothing is written to a
 * place that the tar names.  Each file goes into one directory in tmp/, under
 * the offset of its content, with all its attributes; once the table of
 * contents is made and the digests hold, it moves to its place by a rename.
 * What no entry of the table stands for goes with the directory.
 *
 * It spares the second reading and decompressing of a layer that is going to
 * be mounted, and no more: what cannot be written is given up without a word,
 * and the step that mounts the layer tries again and says why.
 */
#ifndef STAVE_CACHE_LAYER_LOOSE_H
#define STAVE_CACHE_LAYER_LOOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cas_store; /* cache/store.h */
struct lay_entry; /* cache/entry.h */
struct lay_loose; /* cache/layer.h */

/* A name among them: 20 digits and a NUL. */
#define LAY_LOOSE_NAME 21

/*
 * lay_loose_new(store): none yet.  Owns: the caller, lay_loose_free() (in
 * cache/layer.h), which removes those that did not move to their places.
 * Threads: one at a time.
 */
struct lay_loose *lay_loose_new(struct cas_store *store);

/*
 * lay_loose_begin(l, e): a new file for ${e}, a LAY_FILE whose digest is not
 * looked at.  Pieces of its content follow in their order, between them and
 * behind them there are holes; lay_loose_end() then gives it the attributes.
 * ${l} may be NULL.
 */
void lay_loose_begin(struct lay_loose *l, const struct lay_entry *e);
void lay_loose_write(struct lay_loose *l, const void *p, size_t n,
		     uint64_t offset);
void lay_loose_end(struct lay_loose *l, const struct lay_entry *e);

/* lay_loose_is_whole(l): are all that were begun there? */
bool lay_loose_is_whole(const struct lay_loose *l);

/* lay_loose_fd(l): of their directory.  Borrows. */
int lay_loose_fd(const struct lay_loose *l);

/* lay_loose_name(e, buf): what ${e} is called among them. */
const char *lay_loose_name(const struct lay_entry *e, char buf[LAY_LOOSE_NAME]);

#endif /* STAVE_CACHE_LAYER_LOOSE_H */
