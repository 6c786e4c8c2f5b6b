/* builder/delta_internal.h - the nodes of a tree of changes. */
#ifndef STAVE_BUILDER_DELTA_INTERNAL_H
#define STAVE_BUILDER_DELTA_INTERNAL_H

#include "builder/delta.h"

/* A path that changed, or a directory on the way to one. */
struct bld_node {
	struct bld_node *parent;
	char *name;
	struct bld_node **kids; /* ascending by name */
	size_t n_kids;
	size_t cap;
	size_t cursor; /* of a walk that is under way */

	bool is_set;  /* ${e} holds; else it is as it lies below */
	bool is_made; /* a directory that bld_delta_mkdirs() made */
	bool hides;   /* nothing below shines through, here and under it */
	struct lay_entry e; /* path unset; the rest points at what follows */
	char *link;
	struct lay_xattr *xattrs;
	char **xattr_names;
	void **xattr_values;
	struct bld_body body;
	size_t group;

	/* Found out before the layer is written. */
	bool is_different; /* from what lies below */
	bool is_renamed;   /* its name is new in its directory */
	bool is_emitted;
	bool has_changed_names; /* a direct child is new or different */
	bool is_opaque;
};

struct bld_delta {
	struct lay_view *below;
	struct bld_node root; /* never set */
	size_t n_groups;
};

#endif /* STAVE_BUILDER_DELTA_INTERNAL_H */
