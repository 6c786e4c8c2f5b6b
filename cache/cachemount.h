/*
 * cache/cachemount.h - the directories of RUN --mount=type=cache.
 *
 * A cache is cachemounts/<name>.<n>/ with
 *
 *	data/	what the command sees
 *	lock	held as long as a command runs with it; its mtime is when it was
 *		used last
 *	label	what to call it for people
 *	size	what it took when it was last measured
 *
 * <name> is a digest (THREATS A12: what a Dockerfile says is never a part of a
 * path).  There are several with one name where commands that must not share
 * ran at the same time; whoever comes takes the first that is free.
 */
#ifndef STAVE_CACHE_CACHEMOUNT_H
#define STAVE_CACHE_CACHEMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/vec.h"

struct cas_store;  /* cache/store.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

enum cas_sharing {
	CAS_SHARING_SHARED,  /* with all others that share */
	CAS_SHARING_PRIVATE, /* another directory where it is in use */
	CAS_SHARING_LOCKED   /* wait until nobody uses it */
};

/* A cache in use. */
struct cas_cachemount;

struct cas_cachemount_opts {
	const struct stv_digest *name;
	const char *label;
	enum cas_sharing sharing;
	/*
	 * fill(arg, dir_fd, err): the content of a new one, which is empty and
	 * has mode 0755.  Others see it only once it is complete.
	 */
	int (*fill)(void *arg, int dir_fd, struct stv_err **err);
	void *arg;
};

/*
 * cas_cachemount_take(s, opts, ret, err): use a cache, made where it is
 * missing.  The caller holds a lease.
 *
 * Returns: 0 with *ret, or 1 where it is locked: try again within 100 ms.
 * Owns:    *ret, cas_cachemount_release().
 * Errors:  STV_E_IO, and those of opts->fill.
 * Threads: any.
 */
int cas_cachemount_take(struct cas_store *s,
			const struct cas_cachemount_opts *opts,
			struct cas_cachemount **ret, struct stv_err **err);

/* cas_cachemount_fd(m): the directory data/.  Borrows. */
int cas_cachemount_fd(const struct cas_cachemount *m);

/* cas_cachemount_release(m): others may have it.  NULL is ok. */
void cas_cachemount_release(struct cas_cachemount *m);

STV_DEFINE_CLEANUP(cas_cachemount, cas_cachemount_release);

/* What garbage collection and 'df' know of one. */
struct cas_cachemount_info {
	char *name; /* of its directory */
	char *label;
	uint64_t size;
	int64_t used_s;
	bool is_doomed; /* set by who collects */
};

struct cas_cachemounts {
	STV_VEC(struct cas_cachemount_info) list;
};

/*
 * cas_cachemounts_read(s, ret, err): all of them; those that were used since
 * they were measured are measured again.  Owns: cas_cachemounts_fini().
 */
int cas_cachemounts_read(struct cas_store *s, struct cas_cachemounts *ret,
			 struct stv_err **err);

/*
 * cas_cachemount_remove(s, name, err): remove one; nobody may be using it (the
 * caller holds the lease alone).
 */
int cas_cachemount_remove(struct cas_store *s, const char *name,
			  struct stv_err **err);

/* cas_cachemounts_fini(list): free the members. */
void cas_cachemounts_fini(struct cas_cachemounts *list);

#endif /* STAVE_CACHE_CACHEMOUNT_H */
