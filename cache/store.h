/*
 * cache/store.h - the store: blobs, layers, images and cache records on disk.
 *
 * Calling sequence:
 *
 *	cas_store_open(root, &opts, &store, err);   create or open
 *	cas_lease_take(store, &lease, err);         before the first look-up
 *	... cas_blob_*, cas_layer_*, cas_image_*, cas_record_* ...
 *	cas_lease_drop(lease); cas_store_close(store);
 *
 * The layout on disk is DESIGN.md's "The store".  Many processes share it;
 * a struct cas_store may be used by several threads where a function's
 * comment says "Threads: any", else by the main thread.
 */
#ifndef STAVE_CACHE_STORE_H
#define STAVE_CACHE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"

struct stv_err; /* core/err.h */
struct cas_store;
struct cas_lease;

struct cas_store_opts {
	bool is_sync; /* P1: fsync what is committed; --no-sync turns it off */
	bool is_readonly; /* never create or write (inspect, images) */
};

/*
 * cas_store_default_root(): $STAVE_ROOT, else /var/lib/stave for root, else
 * $XDG_DATA_HOME/stave, else ~/.local/share/stave.  Owns: the caller.
 */
char *cas_store_default_root(void);

/*
 * cas_store_open(root, opts, ret, err): open the store, made where missing
 * (mode 0700).  Dead processes' leftovers in tmp/ are removed.
 *
 * Owns:   *ret, cas_store_close().
 * Errors: STV_E_IO; STV_E_PRIVILEGE where it is owned by somebody else or
 *         others may write to it (THREATS D13); STV_E_NOT_FOUND with
 *         is_readonly and no store; STV_E_INPUT where its format is newer
 *         than this program.
 */
int cas_store_open(const char *root, const struct cas_store_opts *opts,
		   struct cas_store **ret, struct stv_err **err);

/* cas_store_close(s): NULL is ok. */
void cas_store_close(struct cas_store *s);

/* cas_store_rootfd(s): the store's directory.  Borrows.  Threads: any. */
int cas_store_rootfd(const struct cas_store *s);

/* cas_store_root(s): its path, for messages.  Borrows.  Threads: any. */
const char *cas_store_root(const struct cas_store *s);

/*
 * cas_store_tmpdir(s, ret_name, ret_fd, err): a new empty directory of this
 * process below tmp/ (same file system as blobs and snapshots).  It lies in
 * tmp/<this process>/, whose lock makes it ours; whoever can take that lock
 * may delete it (RELIABILITY 2.3 rule 1).
 *
 * Owns: *ret_name (path relative to the store's root) and *ret_fd.
 * Threads: any.
 */
int cas_store_tmpdir(struct cas_store *s, char **ret_name, int *ret_fd,
		     struct stv_err **err);

/*
 * cas_lease_take(s, ret, err): from now on nothing that this process looks up
 * or makes is collected by another one's prune (a shared lock: nothing is
 * written).  Owns: *ret, cas_lease_drop().
 */
int cas_lease_take(struct cas_store *s, struct cas_lease **ret,
		   struct stv_err **err);

/* cas_lease_drop(l): NULL is ok. */
void cas_lease_drop(struct cas_lease *l);

/*
 * cas_key_trylock(s, name, ret_fd, err): the right to execute what ${name} (a
 * digest's hex) stands for, between processes.
 * Returns: 0 with *ret_fd (close it to let go), 1 where another process holds
 * it (try again within 100 ms, then look up first).
 */
int cas_key_trylock(struct cas_store *s, const char *name, int *ret_fd,
		    struct stv_err **err);

STV_DEFINE_CLEANUP(cas_store, cas_store_close);
STV_DEFINE_CLEANUP(cas_lease, cas_lease_drop);

#endif /* STAVE_CACHE_STORE_H */
