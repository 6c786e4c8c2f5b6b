/*
 * cache/store_internal.h - what the files of the store share; nobody outside
 * cache/ includes it.
 */
#ifndef STAVE_CACHE_STORE_INTERNAL_H
#define STAVE_CACHE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cache/store.h"

struct cas_db;	   /* cache/db.c */
struct stv_buf;	   /* core/buf.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/* Names below the store's root; DESIGN.md, "The store". */
#define CAS_BLOBS "blobs/sha256"
#define CAS_TMP "tmp"
#define CAS_SNAPSHOTS "snapshots"
#define CAS_TOC "toc"
#define CAS_CONTEXT "context"
#define CAS_LOGS "logs"
#define CAS_CACHEMOUNTS "cachemounts"
#define CAS_INPUTS "inputs"
#define CAS_META "meta.db"
#define CAS_LAYOUT "oci-layout"
#define CAS_INDEX "index.json"
#define CAS_LEASE "lease"
#define CAS_KEYS "keys"
#define CAS_RESERVE "reserve"
/* Present while blobs may be unsynced because of --no-sync. */
#define CAS_UNSYNCED "unsynced"
/* In a process's tmp directory; see cas_layout_mark(). */
#define CAS_STALE "index-is-stale"

struct cas_store {
	char *root;
	int root_fd;
	int blobs_fd; /* blobs/sha256 */
	bool is_sync;
	bool is_readonly;

	/* New blobs whose directory entry is not synced yet. */
	atomic_bool is_dirty;
	/* A flush failed: what was written is lost, nothing may be named. */
	atomic_bool is_broken;

	/* This process's directory below tmp/, made when first needed. */
	pthread_mutex_t own_lock;
	char *own_name; /* "tmp/<pid>-<boot>-<rand>", or NULL */
	int own_fd;
	int own_lock_fd;
	pid_t own_pid;	  /* a forked child must not remove it */
	uint64_t n_names; /* for names that were never used before */

	/* The database; opened when first needed. */
	pthread_mutex_t db_lock;
	struct cas_db *db;
};

/*
 * cas_own_tmp(s, ret_fd, err): this process's directory below tmp/, made and
 * locked where needed.  Borrows: *ret_fd lives as long as ${s}.  Threads: any.
 */
int cas_own_tmp(struct cas_store *s, int *ret_fd, struct stv_err **err);

/*
 * cas_own_unique(s, prefix, buf, n): a name in that directory that was never
 * used before.  Threads: any.
 */
void cas_own_unique(struct cas_store *s, const char *prefix, char *buf,
		    size_t n);

/* cas_own_close(s): remove the directory and let its lock go. */
void cas_own_close(struct cas_store *s);

/*
 * cas_tmp_clean(s): remove what dead processes left in tmp/.  What cannot be
 * removed stays: it is tried again by the next command.
 */
void cas_tmp_clean(struct cas_store *s);

/*
 * cas_discard(s, atfd, name, err): make ${name} vanish at once by a rename
 * into our tmp directory, and remove it there, so that a kill in between
 * leaves garbage and never half a tree.  What is not there is success.
 */
int cas_discard(struct cas_store *s, int atfd, const char *name,
		struct stv_err **err);

/*
 * cas_replace(s, name, data, n, is_durable, err): write ${name} below the root
 * through our tmp directory, so that a kill leaves nothing beside it.  What
 * can be made again need not be durable.
 */
int cas_replace(struct cas_store *s, const char *name, const void *data,
		size_t n, bool is_durable, struct stv_err **err);

/*
 * cas_lease_exclusive(s, wait_ms, ret_fd, err): the right to collect garbage.
 * Returns: 0 with *ret_fd (close it to let go), 1 where builds held a lease
 * all the time.
 */
int cas_lease_exclusive(struct cas_store *s, unsigned int wait_ms, int *ret_fd,
			struct stv_err **err);

/*
 * cas_reserve_make(s), cas_reserve_free(s): the file that is given up on a
 * full disk so that rows can still be deleted (RELIABILITY 2.3 rule 9).
 * Neither can fail the command that calls it.
 */
void cas_reserve_make(struct cas_store *s);
void cas_reserve_free(struct cas_store *s);

/*
 * cas_sync_unsynced(s, err): make durable what commands with --no-sync left
 * behind, unless this one is such a command itself.
 */
int cas_sync_unsynced(struct cas_store *s, struct stv_err **err);

/*
 * cas_layout_write(s, err): write index.json from the database where it
 * differs.  Not called with the database locked.
 */
int cas_layout_write(struct cas_store *s, struct stv_err **err);

/* cas_layout_check(s, err): is index.json what it should be?  1, 0 or -1. */
int cas_layout_check(struct cas_store *s, struct stv_err **err);

/*
 * cas_layout_mark(s, err): before a transaction that adds images or tags: say
 * in our tmp directory that index.json is about to be old.  Who cleans up after
 * a kill, or finds space where we found none, then writes it again.
 */
int cas_layout_mark(struct cas_store *s, struct stv_err **err);

/*
 * cas_layout_try_mark(s): the same before one that removes some, which must go
 * on a full disk, too.
 */
void cas_layout_try_mark(struct cas_store *s);

/*
 * cas_layout_refresh(s): the same after a committed transaction, which stands
 * whatever becomes of a derived file: a failure is left to the next change,
 * and 'fsck' reports it.
 */
void cas_layout_refresh(struct cas_store *s);

#endif /* STAVE_CACHE_STORE_INTERNAL_H */
