/*
 * builder/pull.h - an image from a registry into the store.
 *
 * Manifest, config and compressed layers stay byte for byte as they came, so
 * that the image can be pushed elsewhere under the same digest.  A layer is
 * checked, stored and listed while it arrives, several at a time; what the
 * store has is not fetched again.
 */
#ifndef STAVE_BUILDER_PULL_H
#define STAVE_BUILDER_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"

#include "cache/meta.h"

struct cas_store;    /* cache/store.h */
struct oci_config;   /* core/oci.h */
struct oci_manifest; /* core/oci.h */
struct reg_client;   /* registry/client.h */
struct reg_ref;	     /* registry/ref.h */
struct stv_err;	     /* core/err.h */
struct stv_platform; /* core/oci.h */

/* Where a pull stands; called by any thread, one at a time. */
enum bld_pull_moment {
	BLD_PULL_LAYER_HERE, /* it was in the store */
	BLD_PULL_LAYER_STARTED,
	BLD_PULL_LAYER_MOVED, /* ${now} of ${size} bytes came */
	BLD_PULL_LAYER_DONE
};

struct bld_pull_opts {
	struct cas_store *store; /* the caller holds a lease */
	struct reg_client *client;
	const struct stv_platform *platform; /* NULL: all of them */
	bool must_match;     /* another platform's image is an error */
	unsigned n_parallel; /* layers at a time; 0: 4 */
	bool is_mounted;     /* soon: layers are unpacked while they arrive */
	void (*on_layer)(void *arg, enum bld_pull_moment m,
			 const struct stv_digest *blob, uint64_t now,
			 uint64_t size);
	/* How much of all layers is here; likewise.  Each may be NULL. */
	void (*on_bytes)(void *arg, uint64_t now, uint64_t total);
	void *arg;
};

/* What a pull has done. */
struct bld_pulled {
	/* As it is for the platform (cas_image_for()). */
	struct cas_image image;
	bool is_new;   /* the tag did not name it before, or not all was here */
	bool is_other; /* it is for another platform: its only one */
	uint64_t downloaded; /* bytes of manifests, config and layers */
};

/*
 * bld_pull(o, ref, ret, err): the image of ${ref} for the platform, under its
 * tag if it has one.  A tag that has not moved costs one HEAD.  Of an index all
 * that was pulled before for other platforms stays; all platforms are all that
 * it names, attestations too.
 *
 * Errors: STV_E_NOT_FOUND (no such image, or none for the platform; the
 *         message lists those that there are), STV_E_DIGEST, STV_E_INPUT, and
 *         those of the registry.  Then nothing of it is visible.
 */
int bld_pull(const struct bld_pull_opts *o, const struct reg_ref *ref,
	     struct bld_pulled *ret, struct stv_err **err);

/*
 * The same in two parts, for who wants to know what an image is before its
 * layers are fetched, if they ever are.
 */
struct bld_pulling;

/*
 * bld_pull_open(o, ref, ret, err): manifest and config, which are in the store
 * then; the caller's lease keeps them.
 * Owns:    *ret, bld_pull_close().
 * Borrows: ${o}, ${ref} and what they point at, as long as *ret.
 */
int bld_pull_open(const struct bld_pull_opts *o, const struct reg_ref *ref,
		  struct bld_pulling **ret, struct stv_err **err);

/*
 * bld_pull_manifest(p), bld_pull_config(p): of the image for the platform (the
 * first one, and NULL, where all are pulled);
 * NULL where the image of the tag was here already.  Borrows from ${p}.
 */
const struct oci_manifest *bld_pull_manifest(const struct bld_pulling *p);
const struct oci_config *bld_pull_config(const struct bld_pulling *p);

/* bld_pull_image(p): what it is; the size of its layers is not known yet. */
const struct cas_image *bld_pull_image(const struct bld_pulling *p);

/* bld_pull_finish(p, ret, err): the layers, and the tag.  Once. */
int bld_pull_finish(struct bld_pulling *p, struct bld_pulled *ret,
		    struct stv_err **err);

/* bld_pull_close(p): NULL is ok. */
void bld_pull_close(struct bld_pulling *p);

STV_DEFINE_CLEANUP(bld_pulling, bld_pull_close);

#endif /* STAVE_BUILDER_PULL_H */
