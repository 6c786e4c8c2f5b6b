/*
 * builder/cache_place.h - where a cache that travels lies: a repository of a
 * registry, or a directory that is an OCI image layout.
 */
#ifndef STAVE_BUILDER_CACHE_PLACE_H
#define STAVE_BUILDER_CACHE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/digest.h"

struct oci_descriptor; /* core/oci.h */
struct reg_client;     /* registry/client.h */
struct reg_ref;	       /* registry/ref.h */
struct stv_buf;	       /* core/buf.h */
struct stv_err;	       /* core/err.h */
struct stv_in;	       /* core/stream.h */
struct stv_strs;       /* core/strs.h */

/* A blob that a place is to have; it is all of the file. */
struct bld_cache_blob {
	int fd;
	uint64_t size;
	struct stv_digest digest;
};

/*
 * A place.  Each function returns 0 or -1; ${tag} is a tag, or a digest's text.
 * Threads: any, also several at a time.
 */
struct bld_cache_place {
	/* "registry.test/me/app:cache", for messages. */
	char *name;
	/* The tag that was asked for. */
	char *tag;
	/* May a tag be moved by several at a time?  Else lock() is there. */
	bool is_shared;

	/* A manifest as text: 1, 0 where there is none, -1. */
	int (*manifest)(struct bld_cache_place *p, const char *tag,
			struct stv_buf *ret, struct stv_err **err);
	/*
	 * A blob as a stream that ends well only if it has size and digest of
	 * ${d}.  Owns: *ret, stv_in_close().
	 */
	int (*blob)(struct bld_cache_place *p, const struct oci_descriptor *d,
		    struct stv_in **ret, struct stv_err **err);
	/* Make sure that it is there; *ret_sent counts what went out. */
	int (*put_blob)(struct bld_cache_place *p,
			const struct bld_cache_blob *b, uint64_t *ret_sent,
			struct stv_err **err);
	/* An OCI manifest under a tag. */
	int (*put_manifest)(struct bld_cache_place *p, const char *tag,
			    const char *text, size_t n, struct stv_err **err);
	/* All tags, appended.  NULL: see lock(). */
	int (*tags)(struct bld_cache_place *p, struct stv_strs *ret,
		    struct stv_err **err);
	/*
	 * Until unlock() nobody else writes; waits.  NULL where that cannot be
	 * had.
	 */
	int (*lock)(struct bld_cache_place *p, struct stv_err **err);
	void (*unlock)(struct bld_cache_place *p);
	void (*close)(struct bld_cache_place *p);
};

/*
 * bld_cache_place_registry(client, ref, from): a tag of a repository; blobs are
 * mounted from the repository ${from} of the same host where it has them (NULL:
 * from none).
 * Owns: bld_cache_place_close().  Borrows: ${client}.
 */
struct bld_cache_place *bld_cache_place_registry(struct reg_client *client,
						 const struct reg_ref *ref,
						 const char *from);

/*
 * bld_cache_place_dir(path, tag, is_made, ret, err): a directory; with
 * ${is_made} it is made where it is missing.
 * Owns:   *ret, bld_cache_place_close().
 * Errors: STV_E_NOT_FOUND, STV_E_IO.
 */
int bld_cache_place_dir(const char *path, const char *tag, bool is_made,
			struct bld_cache_place **ret, struct stv_err **err);

/* bld_cache_place_close(p): NULL is ok. */
void bld_cache_place_close(struct bld_cache_place *p);

STV_DEFINE_CLEANUP(bld_cache_place, bld_cache_place_close);

#endif /* STAVE_BUILDER_CACHE_PLACE_H */
