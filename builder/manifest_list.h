/*
 * builder/manifest_list.h - an index put together of images that are somewhere.
 *
 * A list lies in the store under the name that it is to be pushed to, as an
 * index whose entries know where they are from: a repository, where the entry
 * is named by its digest, or the store, whose image is pushed along (and has
 * the digest that it has in a registry only then).
 */
#ifndef STAVE_BUILDER_MANIFEST_LIST_H
#define STAVE_BUILDER_MANIFEST_LIST_H

#include <stdbool.h>

#include "core/digest.h"
#include "core/oci.h"

struct cas_store;  /* cache/store.h */
struct reg_client; /* registry/client.h */
struct reg_ref;	   /* registry/ref.h */
struct stv_err;	   /* core/err.h */

/* The caller holds a lease on the store. */
struct bld_lists {
	struct cas_store *store;
	struct reg_client *client;
};

/*
 * bld_list_get(store, name, ret, err): the list ${name} ("docker.io/x/y:1").
 * Owns:    *ret, oci_index_free().
 * Returns: 1, or 0 where there is none.
 */
int bld_list_get(struct cas_store *store, const char *name,
		 struct oci_index **ret, struct stv_err **err);

/*
 * bld_list_resolve(l, ref, is_remote, ret, err): append what a name stands for:
 * the image of the store that has this name, unless ${is_remote}; else what a
 * registry has, an index with all its entries.
 * Owns:   the entries, by ${ret}.
 * Errors: STV_E_NOT_FOUND and those of the registry; STV_E_LIMIT.
 */
int bld_list_resolve(const struct bld_lists *l, const struct reg_ref *ref,
		     bool is_remote, struct oci_index *ret,
		     struct stv_err **err);

/*
 * bld_list_add(store, name, is_amended, members, err): entries in the place of
 * those of the same name or digest, in one transaction.
 * Errors: STV_E_USAGE where there is a list, unless ${is_amended}.
 */
int bld_list_add(struct cas_store *store, const char *name, bool is_amended,
		 const struct oci_index *members, struct stv_err **err);

/*
 * bld_list_annotate(store, name, member, p, err): members of ${p} that are set
 * go into the platform of the entry ${member}, which is meant by its digest, or
 * by the name that it was added by.
 * Errors: STV_E_NOT_FOUND, STV_E_USAGE (several are meant; os or architecture
 *         would be missing).
 */
int bld_list_annotate(struct cas_store *store, const char *name,
		      const struct reg_ref *member,
		      const struct stv_platform *p, struct stv_err **err);

/*
 * bld_list_index(list): the index as it is pushed: docker's where all entries
 * are docker's, else OCI's.  Entries of the store have the digest that they
 * have here.
 * Owns: the caller, oci_index_free().
 */
struct oci_index *bld_list_index(const struct oci_index *list);

/*
 * bld_list_from(d): the repository that an entry of a list is in, or NULL: the
 * store.  Borrows.
 */
const char *bld_list_from(const struct oci_descriptor *d);

/*
 * bld_list_push(l, list, ref, ret, err): first the images, each copied, mounted
 * or pushed into the repository of ${ref}, and then the index under its tag;
 * *ret is its digest.
 * Errors: those of bld_push() and bld_transfer().
 */
int bld_list_push(const struct bld_lists *l, const struct oci_index *list,
		  const struct reg_ref *ref, struct stv_digest *ret,
		  struct stv_err **err);

#endif /* STAVE_BUILDER_MANIFEST_LIST_H */
