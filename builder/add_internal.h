/* builder/add_internal.h - what downloads and archives share. */
#ifndef STAVE_BUILDER_ADD_INTERNAL_H
#define STAVE_BUILDER_ADD_INTERNAL_H

struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */

/*
 * bld_spool_open(store, ret, err): an empty file without a name on the store's
 * file system.  Owns: *ret.
 */
int bld_spool_open(struct cas_store *store, int *ret, struct stv_err **err);

#endif /* STAVE_BUILDER_ADD_INTERNAL_H */
