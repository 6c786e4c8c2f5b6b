/* builder/copy_select.c - what a source of COPY selects. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "parser/ignore.h"

#include "builder/copy_internal.h"

/* Does BuildKit take this component for a pattern?  '\' hides what follows. */
static bool
is_pattern(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\\')
			i++;
		else if (p[i] == '*' || p[i] == '?' || p[i] == '[')
			return true;
	}
	return false;
}

/* Length of the part of ${path} in front of its first pattern. */
static size_t
literal_len(const char *path)
{
	const char *p = path;

	while (*p != '\0') {
		size_t n = strcspn(p, "/");

		if (is_pattern(p, n))
			return (size_t)(p - path);
		p += n + (p[n] == '/');
	}
	return (size_t)(p - path);
}

static int
not_found(struct bld_copy_plan *p, const char *path, struct stv_err **err)
{
	stv_fail(err, STV_E_INPUT, "\"/%s\": not found%s", path,
		 p->spec->context != NULL ? " in the build context"
					  : " in what it is copied from");
	if (p->source != NULL)
		p->source->explain(p->source, path, err);
	return -1;
}

/* The entries of one directory, while its walk is under way. */
struct name {
	char *name;
	struct bld_src_entry ent; /* link and xattrs are copies */
};

struct level {
	char *rel;
	STV_VEC(struct name) names;
	size_t next;
};

struct tree_walk {
	struct bld_copy_plan *p;
	struct bld_pick *pick;
	STV_VEC(struct level) levels;
};

/* Make what ${e} borrows its own. */
static void
own_entry(struct lay_entry *e)
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

/* Keep ${ent}, whose pointers the item takes over. */
static int
add_item(struct bld_copy_plan *p, const char *path, const char *rel,
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
	own_entry(&n->ent.e);
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
	free(l->rel);
}

/* Begin the directory ${rel} of the pick. */
static int
enter(struct tree_walk *w, const char *rel, struct stv_err **err)
{
	stv_auto_free char *path = bld_path_join(w->pick->path, rel);
	struct level *l;

	if (w->levels.len >= STV_MAX_TAR_DEPTH)
		return stv_fail(err, STV_E_LIMIT,
				"'%s' is more than %d directories deep", path,
				STV_MAX_TAR_DEPTH);
	l = stv_vec_push(&w->levels);
	l->rel = stv_xstrdup(rel);
	return w->p->source->list(w->p->source, path, collect_name, l, err);
}

/* The next name of the innermost directory. */
static int
walk_step(struct tree_walk *w, struct stv_err **err)
{
	struct level *l = &w->levels.v[w->levels.len - 1];
	struct name *n;
	stv_auto_free char *rel = NULL;
	stv_auto_free char *path = NULL;
	bool is_dir;

	if (l->next == l->names.len) {
		level_fini(l);
		w->levels.len--;
		return 0;
	}
	n = &l->names.v[l->next++];
	rel = bld_path_join(l->rel, n->name);
	path = bld_path_join(w->pick->path, rel);
	is_dir = n->ent.e.type == LAY_DIR;
	if (add_item(w->p, path, rel, &n->ent, err) < 0)
		return -1;
	return is_dir ? enter(w, rel, err) : 0;
}

/* All below the directory of ${pick}. */
static int
walk_tree(struct bld_copy_plan *p, struct bld_pick *pick, struct stv_err **err)
{
	struct tree_walk w = {.p = p, .pick = pick};
	int rc = enter(&w, "", err);

	while (rc == 0 && w.levels.len > 0)
		rc = walk_step(&w, err);
	while (w.levels.len > 0)
		level_fini(&w.levels.v[--w.levels.len]);
	stv_vec_fini(&w.levels);
	return rc < 0 ? -1 : 0;
}

static int
cmp_identity(const void *a, const void *b, void *arg)
{
	const struct bld_item *items = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct bld_item *x = &items[i], *y = &items[k];

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return i < k ? -1 : i > k;
}

/* Is item ${i} another name of item ${k}? */
static int
is_same_file(struct bld_copy_plan *p, size_t i, size_t k, struct stv_err **err)
{
	const struct bld_item *a = &p->items.v[i], *b = &p->items.v[k];
	stv_auto_free char *path_a = NULL;
	stv_auto_free char *path_b = NULL;

	if (a->dev != b->dev || a->ino != b->ino)
		return 0;
	if (p->source->is_same == NULL)
		return 1;
	path_a = bld_plan_item_path(p, i);
	path_b = bld_plan_item_path(p, k);
	return p->source->is_same(p->source, path_a, path_b, err);
}

/* Which items of the pick are hard links of which. */
static int
find_links(struct bld_copy_plan *p, const struct bld_pick *pick,
	   struct stv_err **err)
{
	STV_VEC(size_t) linked = {0};
	int rc = 0;

	for (size_t i = pick->first; i < p->items.len; i++)
		if (p->items.v[i].is_linked)
			*stv_vec_push(&linked) = i;
	if (linked.len > 1)
		qsort_r(linked.v, linked.len, sizeof(size_t), cmp_identity,
			p->items.v);
	for (size_t i = 1; rc >= 0 && i < linked.len; i++) {
		size_t last = linked.v[i - 1];
		size_t leader = p->items.v[last].leader;

		rc = is_same_file(p, linked.v[i], last, err);
		if (rc == 1)
			p->items.v[linked.v[i]].leader =
				leader != NO_ITEM ? leader : last;
	}
	stv_vec_fini(&linked);
	return rc;
}

int
bld_plan_add(struct bld_copy_plan *p, const char *path, struct stv_err **err)
{
	struct bld_pick *pick;
	struct bld_src_entry ent;
	stv_auto_free char *real = NULL;
	int rc = bld_source_resolve(p->source, path, &real, &ent, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return not_found(p, path, err);
	pick = stv_vec_push(&p->picks);
	*pick = (struct bld_pick){
		.kind = BLD_PICK_TREE,
		.path = stv_xstrdup(real),
		.base = stv_xstrdup(bld_path_base(path)),
		.fd = -1,
		.is_archive_ok = p->spec->is_add && ent.e.type == LAY_FILE,
		.first = p->items.len,
	};
	own_entry(&ent.e);
	rc = add_item(p, real, "", &ent, err);
	if (rc == 0 && ent.e.type == LAY_DIR)
		rc = walk_tree(p, pick, err);
	pick->n = p->items.len - pick->first;
	if (rc == 0 && find_links(p, pick, err) < 0)
		rc = -1;
	return rc;
}

/* Names in one directory that match one component of a pattern. */
struct glob {
	const char *pattern;
	bool is_last;
	struct stv_strs names;
};

static int
collect_match(void *arg, const char *name, const struct bld_src_entry *ent,
	      struct stv_err **err)
{
	struct glob *g = arg;

	(void)err;
	/* Links on the way are not followed (filepath.Walk). */
	if ((g->is_last || ent->e.type == LAY_DIR) &&
	    df_glob_match(g->pattern, name) == 1)
		stv_strs_add(&g->names, name);
	return 0;
}

/* All matches of ${pattern} below ${dir}, in order, into ${ret}. */
static int
glob_below(struct bld_copy_plan *p, const char *dir, const char *pattern,
	   struct stv_strs *ret, struct stv_err **err)
{
	size_t n = strcspn(pattern, "/");
	stv_auto_free char *part = stv_xstrndup(pattern, n);
	struct glob g = {.pattern = part, .is_last = pattern[n] == '\0'};
	int rc = p->source->list(p->source, dir, collect_match, &g, err);

	for (size_t i = 0; rc == 0 && i < g.names.len; i++) {
		char *sub = bld_path_join(dir, g.names.v[i]);

		if (g.is_last) {
			stv_strs_take(ret, sub);
			continue;
		}
		rc = glob_below(p, sub, pattern + n + 1, ret, err);
		free(sub);
	}
	stv_strs_clear(&g.names);
	return rc;
}

static int
select_pattern(struct bld_copy_plan *p, const char *path, size_t literal,
	       struct stv_err **err)
{
	stv_auto_free char *dir = stv_xstrndup(path, literal);
	stv_auto_free char *clean = bld_path_clean(dir);
	stv_auto_free char *real = NULL;
	STV_CLEANUP(stv_strs_clear) struct stv_strs found = {0};
	struct bld_src_entry ent;
	int rc;

	if (df_glob_check(path, err) < 0)
		return -1;
	rc = bld_source_resolve(p->source, clean, &real, &ent, err);
	if (rc <= 0 || ent.e.type != LAY_DIR)
		return rc < 0 ? -1 : 0;
	if (glob_below(p, real, path + literal, &found, err) < 0)
		return -1;
	for (size_t i = 0; i < found.len; i++)
		if (bld_plan_add(p, found.v[i], err) < 0)
			return -1;
	return 0;
}

int
bld_plan_select(struct bld_copy_plan *p, const char *src, struct stv_err **err)
{
	stv_auto_free char *path = bld_path_clean(src);
	size_t literal = literal_len(path);

	if (p->source == NULL)
		return not_found(p, path, err);
	if (path[literal] != '\0')
		return select_pattern(p, path, literal, err);
	return bld_plan_add(p, path, err);
}
