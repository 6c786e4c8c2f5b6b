/*
 * builder/push.h - an image of the store to a registry.
 *
 * What was pulled goes out byte for byte; layers that were made here are
 * compressed, once (cache/repack.h).  A blob that the repository has, or that
 * the registry has in the repository that the base image came from, is not
 * sent.
 */
#ifndef STAVE_BUILDER_PUSH_H
#define STAVE_BUILDER_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/codec.h"
#include "core/digest.h"

#include "registry/client.h"

struct cas_image;	/* cache/meta.h */
struct cas_repack_opts; /* cache/repack.h */
struct cas_store;	/* cache/store.h */
struct reg_client;	/* registry/client.h */
struct reg_ref;		/* registry/ref.h */
struct stv_err;		/* core/err.h */
struct stv_platform;	/* core/oci.h */

struct bld_push_opts {
	struct cas_store *store; /* the caller holds a lease */
	struct reg_client *client;
	/* Only the image for this one; NULL: all that are here. */
	const struct stv_platform *platform;
	struct stv_compression how; /* of layers that lie here plain */
	/*
	 * The image in another form than it has here; NULL: as it is, layers
	 * that lie here plain compressed as ${how} says.
	 */
	const struct cas_repack_opts *form;
	bool is_by_digest; /* no tag is set */
	/*
	 * A repository of the same host that has the blob, to mount it from, or
	 * NULL.  May be NULL.
	 */
	const char *(*from)(void *arg, const struct stv_digest *blob);
	/*
	 * A layer whose blob is not here, and which the registry lacks: bring
	 * it.  NULL: all are here.
	 */
	int (*bring)(void *arg, const struct stv_digest *blob,
		     struct stv_err **err);
	unsigned n_parallel; /* blobs at a time; 0: 4 */
	/* A blob is in the registry; by any thread, one at a time. */
	void (*on_blob)(void *arg, const struct stv_digest *blob,
			enum reg_uploaded how);
	/* Bytes of a blob that went out; likewise. */
	void (*on_progress)(void *arg, const struct stv_digest *blob,
			    uint64_t now, uint64_t total);
	void *arg;
};

struct bld_pushed {
	struct stv_digest manifest;
	uint64_t manifest_size;
	bool has_docker_types; /* of the manifest */
	uint64_t sent;	       /* bytes of blobs */
	/* Of an index that is not all here: how many of its images went. */
	size_t n_partial;
};

/*
 * bld_push(o, image, ref, ret, err): the image under the tag of ${ref}.  An
 * index goes out as it is where all that it names is here.  Where not, its only
 * image that is here goes alone, as docker has it; of several a new index is
 * made, with these, and ret->n_partial says so.
 * Errors: STV_E_NOT_FOUND: a part of the image is not here, or nothing of it is
 *         for the platform; and those of the registry.  The tag moves last:
 *         after a failure it is as it was.
 */
int bld_push(const struct bld_push_opts *o, const struct cas_image *image,
	     const struct reg_ref *ref, struct bld_pushed *ret,
	     struct stv_err **err);

#endif /* STAVE_BUILDER_PUSH_H */
