/* cache/toc_build.h - inside of struct lay_toc_builder. */
#ifndef STAVE_CACHE_TOC_BUILD_H
#define STAVE_CACHE_TOC_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vec.h"

#include "cache/layer_internal.h"
#include "cache/toc.h"

/*
 * A name in a directory.  Children are found by their directory's id; a
 * directory that is replaced loses its id, so that what was in it is out of
 * reach without being searched for.
 */
struct toc_node {
	const char *name;
	uint32_t parent; /* node; the root's is itself */
	uint32_t in_dir; /* dir_id of the parent when this was made */
	uint32_t dir_id; /* 0: no directory */
	uint32_t ent;	 /* where has_ent */
	uint16_t depth;
	bool has_ent; /* the layer lists it; else an implied directory */
	bool is_white;
	bool is_opaque;
};

/* What the names stand for; hard links share one. */
struct toc_ent {
	struct lay_entry e; /* without path */
	uint64_t rec;	    /* of its first name, + 1; while rendering */
};

struct lay_toc_builder {
	STV_VEC(struct toc_node) nodes; /* 0 is the root */
	STV_VEC(struct toc_ent) ents;
	STV_VEC(char *) chunks;
	char *chunk;
	size_t chunk_left;
	size_t arena_size;
	uint32_t *slots; /* hash table of node number + 1, or 0 */
	size_t n_slots;
	uint64_t seed;
	uint64_t n_added;
	uint32_t n_dirs;
	bool is_odd; /* an entry went elsewhere, or in another's place */
};

#endif /* STAVE_CACHE_TOC_BUILD_H */
