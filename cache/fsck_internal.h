/* cache/fsck_internal.h - what the files of the check share. */
#ifndef STAVE_CACHE_FSCK_INTERNAL_H
#define STAVE_CACHE_FSCK_INTERNAL_H

#include <stdbool.h>

#include "cache/fsck.h"
#include "cache/gc_internal.h"

struct cas_store;  /* cache/store.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/* One check. */
struct fsck {
	struct cas_store *store;
	const struct cas_fsck_opts *opts;
	struct cas_fsck_result *result;
	struct cas_set good; /* blobs whose bytes were right */
	struct cas_set bad;
	struct cas_set kept; /* blobs that images need */
};

/* What is known of a blob. */
enum fsck_state { FSCK_GOOD, FSCK_BAD, FSCK_NONE };

/* cas_fsck_find(f, kind, is_repaired, what, fmt, ...): report a finding. */
void cas_fsck_find(struct fsck *f, enum cas_finding_kind kind, bool is_repaired,
		   const char *what, const char *fmt, ...)
	__attribute__((__format__(__printf__, 5, 6)));

/*
 * cas_fsck_blob(f, d, ret, err): the state of a blob; one that came after the
 * blobs were read is read now.
 */
int cas_fsck_blob(struct fsck *f, const struct stv_digest *d,
		  enum fsck_state *ret, struct stv_err **err);

/* cas_fsck_blobs(f, err): read and hash every blob. */
int cas_fsck_blobs(struct fsck *f, struct stv_err **err);

/* cas_fsck_rows(f, err): the database, and what its rows name. */
int cas_fsck_rows(struct fsck *f, struct stv_err **err);

/* cas_fsck_derived(f, err): tables of contents, snapshots, index.json. */
int cas_fsck_derived(struct fsck *f, struct stv_err **err);

#endif /* STAVE_CACHE_FSCK_INTERNAL_H */
