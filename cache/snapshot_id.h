/* cache/snapshot_id.h - what a snapshot is, besides its layer. */
#ifndef STAVE_CACHE_SNAPSHOT_ID_H
#define STAVE_CACHE_SNAPSHOT_ID_H

#include <stdbool.h>

#include "core/digest.h"

struct lay_toc;	 /* cache/toc.h */
struct lay_view; /* cache/toc.h */

/*
 * lay_toc_each_implied(toc, fn, arg): call ${fn} for each directory that the
 * table implies but does not list, parents first.  A non-zero result of ${fn}
 * stops and is returned.
 */
int lay_toc_each_implied(const struct lay_toc *toc,
			 int (*fn)(void *arg, const char *path), void *arg);

/*
 * lay_snapshot_needs_below(toc): does the unpacked form of the layer depend on
 * the layers below (implied directories, whiteouts)?
 */
bool lay_snapshot_needs_below(const struct lay_toc *toc);

/*
 * lay_snapshot_id(diff_id, toc, below): SHA-256 over the diff ID, how owners
 * are stored, the attributes of the implied directories in ${below} (NULL:
 * nothing there) and which of the whiteouts hide something.
 */
struct stv_digest lay_snapshot_id(const struct stv_digest *diff_id,
				  const struct lay_toc *toc,
				  struct lay_view *below);

#endif /* STAVE_CACHE_SNAPSHOT_ID_H */
