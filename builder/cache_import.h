/*
 * builder/cache_import.h - --cache-from: what others have found out.
 *
 * The documents are read when the store has no record for a step, so a build
 * that is cached here asks nobody.  What they say counts for this build only:
 * it is not written into the store, because who may write to a cache reference
 * would otherwise write the records of every project of this machine.  A layer
 * is believed when its bytes have the diff ID of the record.
 */
#ifndef STAVE_BUILDER_CACHE_IMPORT_H
#define STAVE_BUILDER_CACHE_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"

struct bld_build;	/* builder/build_internal.h */
struct bld_cache_doc;	/* builder/cache_doc.h */
struct bld_cache_from;	/* builder/build.h */
struct bld_cache_place; /* builder/cache_place.h */
struct cas_record;	/* cache/meta.h */
struct oci_descriptor;	/* core/oci.h */
struct stv_err;		/* core/err.h */

struct bld_import;

/*
 * bld_import_new(from, n): nothing is read yet.  It outlives the build that
 * asks it, which may have to be begun anew (bld_import_lose()).
 * Owns: bld_import_free().  Borrows: ${from}.
 */
struct bld_import *bld_import_new(const struct bld_cache_from *from, size_t n);

/* bld_import_free(im): NULL is ok. */
void bld_import_free(struct bld_import *im);

/*
 * bld_import_record(b, want, ret): a record with the key and parent of
 * ${want}: true and *ret.  The lock of ${b} is held, and let go while the
 * documents are read for the first time.  One that cannot be read is a warning.
 */
bool bld_import_record(struct bld_build *b, const struct cas_record *want,
		       struct cas_record *ret);

/* bld_import_answer(b, question, ret): likewise; builder/answer.h. */
bool bld_import_answer(struct bld_build *b, const struct stv_digest *question,
		       char ret[STV_DIGEST_STR_MAX]);

/*
 * bld_import_layer(im, diff_id, ret_place, ret): where a layer can be had.
 * Borrows from ${im}.
 */
bool bld_import_layer(const struct bld_import *im,
		      const struct stv_digest *diff_id,
		      struct bld_cache_place **ret_place,
		      const struct oci_descriptor **ret);

/*
 * bld_import_path(im, blob, domain): a repository of the registry ${domain}
 * that has the blob of a layer, or NULL.  Borrows from ${im}; NULL is ok.
 */
const char *bld_import_path(const struct bld_import *im,
			    const struct stv_digest *blob, const char *domain);

/* bld_import_diff_id(im, blob, ret): of the layer that the blob is. */
bool bld_import_diff_id(const struct bld_import *im,
			const struct stv_digest *blob, struct stv_digest *ret);

/*
 * bld_import_lose(im, diff_id): that layer is not to be had, though a record
 * of it has been taken for a hit: the build is to begin anew, without what
 * would need it.
 */
void bld_import_lose(struct bld_import *im, const struct stv_digest *diff_id);

/* What --cache-from did not spare a build, all attempts together. */
struct bld_fetched {
	uint64_t n_layers;
	uint64_t bytes;
};

/* bld_import_add_fetched(im, n_layers, bytes): so much was fetched. */
void bld_import_add_fetched(struct bld_import *im, uint64_t n_layers,
			    uint64_t bytes);

/* bld_import_fetched(im): so much was fetched until now. */
struct bld_fetched bld_import_fetched(const struct bld_import *im);

/* bld_import_take_lost(im): was a layer lost since this was last asked? */
bool bld_import_take_lost(struct bld_import *im);

/* What lies at a reference. */
struct bld_cache_found {
	bool is_cache; /* records, in whatever form */
	/* Something else than what --cache-to writes: an image. */
	bool is_other;
	size_t n_exports; /* that were not merged yet */
};

/*
 * bld_cache_read(place, ret, ret_found, err): all that lies at a place, also
 * exports which nobody has merged yet.
 * Owns:   *ret, bld_cache_doc_fini(), also after a failure.
 * Errors: STV_E_PROTOCOL, STV_E_DIGEST, STV_E_LIMIT where what lies there is
 *         damaged; those of the place.
 */
int bld_cache_read(struct bld_cache_place *place, struct bld_cache_doc *ret,
		   struct bld_cache_found *ret_found, struct stv_err **err);

/*
 * bld_cache_export_tag(tag, id): the tag of one export to the reference
 * ${tag}.  ${id} NULL: what all of them begin with.  Owns: the caller.
 */
char *bld_cache_export_tag(const char *tag, const struct stv_digest *id);

STV_DEFINE_CLEANUP(bld_import, bld_import_free);

#endif /* STAVE_BUILDER_CACHE_IMPORT_H */
