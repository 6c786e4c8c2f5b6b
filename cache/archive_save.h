/*
 * cache/archive_save.h - images as an archive for other tools: 'save' and
 * --output type=oci|docker.
 */
#ifndef STAVE_CACHE_ARCHIVE_SAVE_H
#define STAVE_CACHE_ARCHIVE_SAVE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/digest.h"
#include "core/oci.h"
#include "core/strs.h"

struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */
struct stv_sink;  /* core/stream.h */

enum cas_archive_format {
	/* An OCI layout that carries docker's manifest.json: for everybody. */
	CAS_ARCHIVE_BOTH,
	CAS_ARCHIVE_OCI,
	/* <config>.json, <diff ID>.tar (plain) and manifest.json only. */
	CAS_ARCHIVE_DOCKER
};

/* An image to save. */
struct cas_save_image {
	/*
	 * Of an image of the store, or of one of its platforms; or a manifest
	 * or index of which everything is in the store.
	 */
	struct stv_digest manifest;
	struct stv_strs names;	      /* normal form; may be empty */
	struct stv_pairs annotations; /* of its descriptors in index.json */
	/*
	 * For each layer of the manifest whether its bytes are left out,
	 * because who reads the archive has them; NULL: none is.
	 */
	const bool *left_out;
};

/*
 * cas_save(s, images, n, format, out, err): one tar of ${n} images.  The same
 * images give the same bytes.
 * Errors: STV_E_NOT_FOUND where a blob is missing, STV_E_DIGEST where one is
 *         damaged, and those of ${out}.
 */
int cas_save(struct cas_store *s, const struct cas_save_image *images, size_t n,
	     enum cas_archive_format format, struct stv_sink *out,
	     struct stv_err **err);

/*
 * cas_save_dir(s, images, n, dirfd, err): the same as an OCI layout in the
 * empty directory ${dirfd}.
 */
int cas_save_dir(struct cas_store *s, const struct cas_save_image *images,
		 size_t n, int dirfd, struct stv_err **err);

/*
 * cas_save_view(s, images, n, ret_name, ret_fd, err): an OCI layout of these
 * images alone, whose blobs are a symbolic link to the store's, in a new
 * directory as of cas_store_tmpdir().  It is good as long as the caller's
 * lease; left_out means nothing in it.
 * Owns: *ret_name and *ret_fd, also the directory; unset on failure.
 */
int cas_save_view(struct cas_store *s, const struct cas_save_image *images,
		  size_t n, char **ret_name, int *ret_fd, struct stv_err **err);

#endif /* STAVE_CACHE_ARCHIVE_SAVE_H */
