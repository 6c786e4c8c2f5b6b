/* builder/pull_internal.h - what the files of a pull share. */
#ifndef STAVE_BUILDER_PULL_INTERNAL_H
#define STAVE_BUILDER_PULL_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/oci.h"
#include "core/vec.h"

#include "builder/pull.h"

struct lay_arrival; /* cache/layer.h */

/* A manifest that is pulled with all that it names. */
struct pull_manifest {
	struct oci_manifest *manifest;
	bool is_attachment; /* no image: its blobs are kept as they are */
};

struct bld_pulling {
	const struct bld_pull_opts *o;
	const struct reg_ref *ref;
	struct bld_pulled done;
	bool is_current;		  /* all of it was here */
	STV_VEC(struct stv_digest) blobs; /* what the image keeps alive */
	STV_VEC(struct pull_manifest) manifests;
	/* Of the one that is being pulled. */
	struct oci_manifest *manifest; /* borrowed from ->manifests */
	struct oci_config *config;
	struct lay_arrival **files; /* of each layer, until it is a snapshot */

	pthread_mutex_t lock; /* over ->done, the listener and what follows */
	uint64_t now;	      /* bytes of layers that are here */
	uint64_t total;
};

/*
 * bld_pull_manifests(p, err): read the manifests that are to be pulled, that of
 * the platform or all of them, through at most as many indexes as THREATS C12
 * allows.  All that is read is kept; p->done.image.manifest is the first one.
 */
int bld_pull_manifests(struct bld_pulling *p, struct stv_err **err);

#endif /* STAVE_BUILDER_PULL_INTERNAL_H */
