/* builder/copy_walk.c - what of a directory is copied. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "parser/ignore.h"

#include "builder/copy_internal.h"

/* The entries of one directory, while its walk is under way. */
struct name {
	char *name;
	struct bld_src_entry ent; /* link and xattrs are copies */
};

struct level {
	char *rel;
	STV_VEC(struct name) names;
	size_t next;
	struct df_ignore_dir *include; /* NULL: there are no such patterns */
	struct df_ignore_dir *exclude;
	bool is_item;		   /* else ${self} is the directory's entry */
	struct bld_src_entry self; /* link and xattrs are copies */
};

struct tree_walk {
	struct bld_copy_plan *p;
	struct bld_pick *pick;
	STV_VEC(struct level) levels;
};

void
bld_plan_own_entry(struct lay_entry *e)
{
	struct lay_xattr *x;

	e->path = NULL;
	if (e->link != NULL)
		e->link = stv_xstrdup(e->link);
	if (e->n_xattrs == 0) {
		e->xattrs = NULL;
		return;
	}
	x = stv_xcalloc(e->n_xattrs, sizeof(*x));
	for (size_t i = 0; i < e->n_xattrs; i++)
		x[i] = (struct lay_xattr){
			.name = stv_xstrdup(e->xattrs[i].name),
			.value = stv_xmemdup(e->xattrs[i].value,
					     e->xattrs[i].len),
			.len = e->xattrs[i].len,
		};
	e->xattrs = x;
}

/* The members are const because most entries only borrow. */
static void
free_const(const void *p)
{
	free((void *)(uintptr_t)p);
}

static void
disown_entry(struct lay_entry *e)
{
	free_const(e->link);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		free_const(e->xattrs[i].name);
		free_const(e->xattrs[i].value);
	}
	free_const(e->xattrs);
}

void
bld_plan_item_fini(struct bld_item *it)
{
	free(it->rel);
	disown_entry(&it->e);
}

int
bld_plan_add_item(struct bld_copy_plan *p, const char *path, const char *rel,
		  struct bld_src_entry *ent, struct stv_err **err)
{
	struct bld_item *it;

	if (ent->e.type == LAY_FILE &&
	    p->source->hash(p->source, path, ent, err) < 0) {
		disown_entry(&ent->e);
		return -1;
	}
	if (p->items.len >= STV_MAX_TAR_ENTRIES) {
		disown_entry(&ent->e);
		return stv_fail(err, STV_E_LIMIT,
				"more than %ju files are selected",
				(uintmax_t)STV_MAX_TAR_ENTRIES);
	}
	it = stv_vec_push(&p->items);
	*it = (struct bld_item){
		.rel = stv_xstrdup(rel),
		.e = ent->e,
		.leader = NO_ITEM,
		.pick = p->picks.len - 1,
		.is_socket = ent->is_socket,
		.is_linked = ent->is_linked,
		.dev = ent->dev,
		.ino = ent->ino,
	};
	return 0;
}

static int
collect_name(void *arg, const char *name, const struct bld_src_entry *ent,
	     struct stv_err **err)
{
	struct level *l = arg;
	struct name *n = stv_vec_push(&l->names);

	(void)err;
	n->name = stv_xstrdup(name);
	n->ent = *ent;
	bld_plan_own_entry(&n->ent.e);
	return 0;
}

static void
level_fini(struct level *l)
{
	for (size_t i = 0; i < l->names.len; i++) {
		free(l->names.v[i].name);
		if (i >= l->next)
			disown_entry(&l->names.v[i].ent.e);
	}
	stv_vec_fini(&l->names);
	df_ignore_dir_free(l->include);
	df_ignore_dir_free(l->exclude);
	if (!l->is_item)
		disown_entry(&l->self.e);
	free(l->rel);
}

/* What the patterns say of an entry, and of what is below it. */
struct verdict {
	bool is_selected;
	bool is_entered; /* a directory below which something may be */
	struct df_ignore_dir *include;
	struct df_ignore_dir *exclude;
};

static bool
matches(const struct df_ignore_dir *parent, const char *rel, bool is_dir,
	struct df_ignore_dir **ret)
{
	bool is_match;

	if (!is_dir)
		return df_ignore_match_in(parent, rel, NULL);
	*ret = df_ignore_enter(parent, rel, NULL, &is_match);
	return is_match;
}

/*
 * As BuildKit: both lists are asked of every path below the source, never of
 * the source itself; what matches --exclude is left out, but a '!' may bring
 * back what is below.
 */
static struct verdict
judge(const struct bld_copy_plan *p, const struct level *l, const char *rel,
      bool is_dir)
{
	struct verdict v = {0};
	bool is_in = l->include == NULL ||
		     matches(l->include, rel, is_dir, &v.include);
	bool is_out = l->exclude != NULL &&
		      matches(l->exclude, rel, is_dir, &v.exclude);

	v.is_selected = is_in && !is_out;
	v.is_entered = is_dir &&
		       (is_in || df_ignore_may_match_below(p->include, rel)) &&
		       (!is_out || df_ignore_may_contain(p->exclude, rel));
	return v;
}

/*
 * Begin the directory ${rel} of the pick.  Takes: what ${v} holds, and
 * ${self}, which is NULL where the directory is an item already.
 */
static int
enter(struct tree_walk *w, const char *rel, const struct verdict *v,
      const struct bld_src_entry *self, struct stv_err **err)
{
	stv_auto_free char *path = bld_path_join(w->pick->path, rel);
	struct level *l = stv_vec_push(&w->levels);

	*l = (struct level){
		.rel = stv_xstrdup(rel),
		.include = v->include,
		.exclude = v->exclude,
		.is_item = self == NULL,
	};
	if (self != NULL)
		l->self = *self;
	if (w->levels.len > STV_MAX_TAR_DEPTH)
		return stv_fail(err, STV_E_LIMIT,
				"'%s' is more than %d directories deep", path,
				STV_MAX_TAR_DEPTH);
	return w->p->source->list(w->p->source, path, collect_name, l, err);
}

/* The directories on the way to something selected come along. */
static int
add_passed(struct tree_walk *w, struct stv_err **err)
{
	for (size_t i = 0; i < w->levels.len; i++) {
		struct level *l = &w->levels.v[i];
		stv_auto_free char *path = NULL;

		if (l->is_item)
			continue;
		l->is_item = true;
		path = bld_path_join(w->pick->path, l->rel);
		if (bld_plan_add_item(w->p, path, l->rel, &l->self, err) < 0)
			return -1;
		w->p->items.v[w->p->items.len - 1].is_passed = true;
	}
	return 0;
}

/* Decide on one entry.  Takes: what ${ent} points at. */
static int
take_entry(struct tree_walk *w, const char *rel, struct bld_src_entry *ent,
	   struct stv_err **err)
{
	const struct level *l = &w->levels.v[w->levels.len - 1];
	stv_auto_free char *path = bld_path_join(w->pick->path, rel);
	struct verdict v = judge(w->p, l, rel, ent->e.type == LAY_DIR);
	int rc = 0;

	if (v.is_selected) {
		rc = add_passed(w, err);
		if (rc < 0)
			disown_entry(&ent->e);
		else
			rc = bld_plan_add_item(w->p, path, rel, ent, err);
	}
	if (rc == 0 && v.is_entered)
		return enter(w, rel, &v, v.is_selected ? NULL : ent, err);
	if (!v.is_selected)
		disown_entry(&ent->e);
	df_ignore_dir_free(v.include);
	df_ignore_dir_free(v.exclude);
	return rc;
}

/* The next name of the innermost directory. */
static int
walk_step(struct tree_walk *w, struct stv_err **err)
{
	struct level *l = &w->levels.v[w->levels.len - 1];
	struct name *n;
	stv_auto_free char *rel = NULL;

	if (l->next == l->names.len) {
		level_fini(l);
		w->levels.len--;
		return 0;
	}
	n = &l->names.v[l->next++];
	rel = bld_path_join(l->rel, n->name);
	return take_entry(w, rel, &n->ent, err);
}

int
bld_plan_walk(struct bld_copy_plan *p, struct bld_pick *pick,
	      struct stv_err **err)
{
	struct tree_walk w = {.p = p, .pick = pick};
	struct verdict top = {0};
	int rc;

	if (p->include != NULL)
		top.include = df_ignore_root(p->include);
	if (p->exclude != NULL)
		top.exclude = df_ignore_root(p->exclude);
	rc = enter(&w, "", &top, NULL, err);
	while (rc == 0 && w.levels.len > 0)
		rc = walk_step(&w, err);
	while (w.levels.len > 0)
		level_fini(&w.levels.v[--w.levels.len]);
	stv_vec_fini(&w.levels);
	return rc < 0 ? -1 : 0;
}
