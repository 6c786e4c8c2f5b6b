/* cache/layer_changes.h - inside of struct lay_changes. */
#ifndef STAVE_CACHE_LAYER_CHANGES_H
#define STAVE_CACHE_LAYER_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vec.h"

#include "cache/layer.h"
#include "cache/layer_internal.h"

/* A file of the upper directory. */
struct upper_node {
	struct lay_entry e; /* path, link and xattrs are owned */
	size_t parent;	    /* node; the root's is itself */
	size_t end;	    /* first node that is not below it */
	uint64_t dev;
	uint64_t ino;
	int64_t mtime_s; /* as it is in the upper, not clamped */
	uint32_t mtime_ns;
	size_t first;	 /* of its names, a node; itself where it has one */
	bool is_linked;	 /* it has other names */
	bool is_opaque;	 /* overlay's mark */
	bool is_hiding;	 /* LAY_OPAQUE: something lies below */
	bool is_hidden;	 /* below an opaque or new directory */
	bool is_change;	 /* it comes into the layer */
	bool has_marks;	 /* it carries overlay's xattrs */
	bool is_touched; /* names in it were removed */
};

struct lay_changes {
	struct cas_store *store;
	struct lay_writer_opts opts;
	int upper_fd;			  /* borrowed */
	STV_VEC(struct upper_node) nodes; /* in path order; 0 is the root */
	size_t n_entries;
};

/*
 * lay_upper_read(c, err): all of the upper directory, metadata only.  Sockets
 * are removed from it.
 */
int lay_upper_read(struct lay_changes *c, struct stv_err **err);

/* lay_upper_open(c, path, flags): below the upper, no links; -1 with errno. */
int lay_upper_open(const struct lay_changes *c, const char *path, int flags);

/*
 * lay_upper_settle(c, err): make the upper what unpacking its layer gives:
 * without what is no change, overlay's xattrs but the needed opaque marks,
 * times clamped.
 */
int lay_upper_settle(struct lay_changes *c, struct stv_err **err);

#endif /* STAVE_CACHE_LAYER_CHANGES_H */
