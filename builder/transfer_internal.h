/* builder/transfer_internal.h - what a transfer found at its source. */
#ifndef STAVE_BUILDER_TRANSFER_INTERNAL_H
#define STAVE_BUILDER_TRANSFER_INTERNAL_H

#include <pthread.h>

#include "core/vec.h"

#include "registry/client.h"

#include "builder/transfer.h"

/* A manifest or index on its way. */
struct bld_node {
	struct stv_digest digest;
	uint64_t size; /* what its descriptor says */
	int depth;     /* below the root */
	char *media_type;
	/* NULL: the destination has it, with all that is below. */
	char *text;
	size_t len;
	bool is_blob; /* no manifest at the source: copied as a blob */
};

struct bld_piece {
	struct stv_digest digest;
	uint64_t size;
};

struct bld_transfer {
	const struct bld_transfer_opts *o;
	const struct reg_ref *src;
	const struct reg_ref *dst;
	struct bld_transferred *ret;
	STV_VEC(struct bld_node) nodes; /* the root first, by depth */
	STV_VEC(struct bld_piece) blobs;
	size_t n_entries; /* of all indexes */
	size_t begin;	  /* of the nodes under way */

	pthread_mutex_t lock; /* over ->ret, the listener and what follows */
	size_t n_text;	      /* bytes of all documents */
};

/*
 * bld_transfer_walk(t, err): read the root, and all documents below it that the
 * destination lacks; list the blobs that they name, each once, the largest
 * first.
 * Owns: in ${t}, also after a failure.
 */
int bld_transfer_walk(struct bld_transfer *t, struct stv_err **err);

/* bld_transfer_parallel(t): how many requests at a time. */
size_t bld_transfer_parallel(const struct bld_transfer *t);

#endif /* STAVE_BUILDER_TRANSFER_INTERNAL_H */
