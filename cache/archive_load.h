/*
 * cache/archive_load.h - images from an archive of another tool, and a root
 * file system as an image: 'load', 'import'.
 */
#ifndef STAVE_CACHE_ARCHIVE_LOAD_H
#define STAVE_CACHE_ARCHIVE_LOAD_H

#include <stddef.h>

#include "core/strs.h"

#include "cache/meta.h"

struct cas_store;    /* cache/store.h */
struct oci_config;   /* core/oci.h */
struct stv_err;	     /* core/err.h */
struct stv_in;	     /* core/stream.h */
struct stv_listener; /* core/event.h */
struct stv_platform; /* core/oci.h */

struct cas_load_opts {
	/*
	 * The normal form of a name ("x:1" is "docker.io/library/x:1"), owned
	 * by the caller of it, or NULL with an error: no such name.
	 */
	char *(*normalize)(const char *name, struct stv_err **err);
	/* Told of each tag that moves (STV_EV_NOTE); may be NULL. */
	struct stv_listener *listener;
};

/* An image that was loaded. */
struct cas_loaded_image {
	struct cas_image image;
	struct stv_strs tags; /* normal form; the archive gave it these */
};

struct cas_loaded {
	struct cas_loaded_image *images;
	size_t n;
};

/*
 * cas_load(s, in, opts, ret, err): take every image of an OCI layout tar or of
 * a docker archive, compressed or not, in whatever order its files come.
 * Nothing of it is trusted: digests, sizes, diff IDs and layers are checked;
 * no tag is set but those that the archive lists by name.  It takes a lease.
 *
 * Owns:   *ret, cas_loaded_fini().
 * Errors: STV_E_INPUT (no such archive, damaged, hostile), STV_E_DIGEST,
 *         STV_E_LIMIT, STV_E_PROTOCOL, STV_E_IO; then no image is visible and
 *         no tag has moved.
 */
int cas_load(struct cas_store *s, struct stv_in *in,
	     const struct cas_load_opts *opts, struct cas_loaded *ret,
	     struct stv_err **err);

/*
 * cas_load_layout(s, dirfd, tag, want, platform, ret, err): one image of the
 * OCI layout that the directory ${dirfd} is: ${want}, or the one that its
 * index.json names ${tag}, or the only one there is.  Of an index what is for
 * ${platform}, which becomes an image by itself.  It gets no tag.  Checked as
 * cas_load() does; nothing but indexes is read where the store has it.  The
 * caller holds a lease.
 * Errors: STV_E_NOT_FOUND: no such image; else those of cas_load().
 */
int cas_load_layout(struct cas_store *s, int dirfd, const char *tag,
		    const struct stv_digest *want,
		    const struct stv_platform *platform, struct cas_image *ret,
		    struct stv_err **err);

/* cas_loaded_fini(l): free the members. */
void cas_loaded_fini(struct cas_loaded *l);

/*
 * cas_import(s, in, config, tags, ret, err): a tar of a root file system,
 * compressed or not, as an image of one layer.  ${config} gives all but diff
 * IDs, which are set here; ${tags} (normal form) may be empty.
 */
int cas_import(struct cas_store *s, struct stv_in *in,
	       struct oci_config *config, const struct stv_strs *tags,
	       struct cas_image *ret, struct stv_err **err);

/*
 * cas_commit_image(s, config, tags, ret, err): write config and manifest of an
 * image whose layers (the diff IDs of ${config}) are all in the store, and put
 * it there under ${tags}.
 * Errors: STV_E_NOT_FOUND where a layer is not here.
 */
int cas_commit_image(struct cas_store *s, const struct oci_config *config,
		     const struct stv_strs *tags, struct cas_image *ret,
		     struct stv_err **err);

#endif /* STAVE_CACHE_ARCHIVE_LOAD_H */
