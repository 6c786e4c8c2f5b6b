/* builder/copy_internal.h - what a plan of COPY or ADD holds. */
#ifndef STAVE_BUILDER_COPY_INTERNAL_H
#define STAVE_BUILDER_COPY_INTERNAL_H

#include "core/vec.h"

#include "builder/copy.h"
#include "builder/source.h"

struct df_ignore; /* parser/ignore.h */

#define NO_ITEM ((size_t)-1)

/* An entry that was selected. */
struct bld_item {
	char *rel;	    /* below its pick, "" is the pick itself */
	struct lay_entry e; /* path unset; link and xattrs are the item's */
	size_t leader;	    /* the item it is a hard link of, or NO_ITEM */
	size_t pick;
	bool is_socket;
	bool is_linked;
	/* A directory that only lies on the way to what was selected. */
	bool is_passed;
	uint64_t dev;
	uint64_t ino;
};

enum bld_pick_kind {
	BLD_PICK_TREE, /* from the context or the view, at ${path} */
	BLD_PICK_FILE, /* one item, its bytes in ${fd}: a URL or an inline */
	BLD_PICK_GIT   /* a tree of its own: that of ${git} */
};

struct bld_git_pick; /* builder/add_git.h */

/* What one source, or one match of its wildcard, gave. */
struct bld_pick {
	enum bld_pick_kind kind;
	char *path; /* in the source, links followed */
	char *base; /* the name it has in a destination directory */
	int fd;
	struct bld_git_pick *git; /* owned; NULL but for BLD_PICK_GIT */
	char *url;	    /* to be fetched before it is written; or NULL */
	bool is_archive_ok; /* ADD may unpack it */
	size_t first;	    /* its items: sorted by path, parents first */
	size_t n;
};

struct bld_copy_plan {
	const struct bld_copy_spec *spec;
	struct bld_source *source;
	struct bld_source *view_source; /* owned: is ${source}, or NULL */
	struct df_ignore *exclude;	/* --exclude; NULL: nothing */
	/* --parents, of the source that is being selected; NULL: all. */
	struct df_ignore *include;
	char *dest;
	bool is_dest_dir;
	STV_VEC(struct bld_pick) picks;
	STV_VEC(struct bld_item) items;
	STV_VEC(int) fds; /* unpacked archives; closed with the plan */
	bool is_changed;  /* some digest is not what the first key said */
};

/* bld_plan_item_path(p, item): where an item of a tree is in the source. */
char *bld_plan_item_path(const struct bld_copy_plan *p, size_t item);

/*
 * bld_plan_exclude(p, err): take over --exclude, before anything is selected.
 * Errors: STV_E_SYNTAX: a malformed pattern.
 */
int bld_plan_exclude(struct bld_copy_plan *p, struct stv_err **err);

/*
 * bld_plan_select(p, src, err): add the picks of one source that is no URL.
 * In copy_select.c.
 */
int bld_plan_select(struct bld_copy_plan *p, const char *src,
		    struct stv_err **err);

/*
 * bld_plan_add(p, path, err): add what is at the cleaned ${path}, a link being
 * followed.  Its name at the destination is that of ${path}.
 */
int bld_plan_add(struct bld_copy_plan *p, const char *path,
		 struct stv_err **err);

/*
 * bld_plan_walk(p, pick, err): add what of the directory that ${pick} is is
 * copied: all, or what p->include and p->exclude leave.  In copy_walk.c.
 */
int bld_plan_walk(struct bld_copy_plan *p, struct bld_pick *pick,
		  struct stv_err **err);

/*
 * bld_plan_add_item(p, path, rel, ent, err): add an item to the newest pick.
 * Takes: what ${ent} points at (bld_plan_own_entry()).
 */
int bld_plan_add_item(struct bld_copy_plan *p, const char *path,
		      const char *rel, struct bld_src_entry *ent,
		      struct stv_err **err);

/* bld_plan_own_entry(e): make what ${e} borrows its own. */
void bld_plan_own_entry(struct lay_entry *e);

/* bld_plan_item_fini(it): free what an item owns. */
void bld_plan_item_fini(struct bld_item *it);

/*
 * bld_plan_fetch(p, err): download what a --checksum only promised, and
 * compare.
 * Errors: STV_E_DIGEST with both digests; those of a download.
 */
int bld_plan_fetch(struct bld_copy_plan *p, struct stv_err **err);

#endif /* STAVE_BUILDER_COPY_INTERNAL_H */
