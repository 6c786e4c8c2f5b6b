/* builder/delta.c - the tree of changes on top of a chain of layers. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/toc.h"

#include "builder/delta_internal.h"
#include "builder/source.h"

/* As many as containerd's fs.RootPath follows. */
#define MAX_LINKS 255

struct bld_delta *
bld_delta_new(struct lay_view *below)
{
	struct bld_delta *d = stv_xcalloc(1, sizeof(*d));

	d->below = below;
	d->root.name = stv_xstrdup("");
	return d;
}

/* Free what the entry of ${n} owns. */
static void
drop_entry(struct bld_node *n)
{
	free(n->link);
	for (size_t i = 0; i < n->e.n_xattrs; i++) {
		free(n->xattr_names[i]);
		free(n->xattr_values[i]);
	}
	free(n->xattr_names);
	free(n->xattr_values);
	free(n->xattrs);
	n->link = NULL;
	n->xattr_names = NULL;
	n->xattr_values = NULL;
	n->xattrs = NULL;
	n->e = (struct lay_entry){0};
}

/* Free all below ${top}, bottom up; iterative, depth costs no stack (B20). */
static void
drop_kids(struct bld_node *top)
{
	struct bld_node *n = top;

	for (;;) {
		struct bld_node *up;

		if (n->n_kids > 0) {
			n = n->kids[--n->n_kids];
			continue;
		}
		free(n->kids);
		n->kids = NULL;
		n->cap = 0;
		if (n == top)
			return;
		up = n->parent;
		drop_entry(n);
		free(n->name);
		free(n);
		n = up;
	}
}

void
bld_delta_free(struct bld_delta *d)
{
	if (d == NULL)
		return;
	drop_kids(&d->root);
	drop_entry(&d->root);
	free(d->root.name);
	free(d);
}

/* Where ${name} stands among the children, or would: 1 there, 0 not. */
static int
find_kid(const struct bld_node *n, const char *name, size_t len, size_t *ret)
{
	size_t low = 0, high = n->n_kids;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const char *at = n->kids[mid]->name;
		int cmp = strncmp(at, name, len);

		if (cmp == 0 && at[len] != '\0')
			cmp = 1;
		if (cmp == 0) {
			*ret = mid;
			return 1;
		}
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret = low;
	return 0;
}

static struct bld_node *
make_kid(struct bld_node *parent, const char *name, size_t len, size_t at)
{
	struct bld_node *kid = stv_xcalloc(1, sizeof(*kid));

	kid->parent = parent;
	kid->name = stv_xstrndup(name, len);
	if (parent->n_kids == parent->cap) {
		parent->cap = parent->cap * 2 + 4;
		parent->kids = stv_xreallocarray(parent->kids, parent->cap,
						 sizeof(struct bld_node *));
	}
	memmove(parent->kids + at + 1, parent->kids + at,
		(parent->n_kids - at) * sizeof(struct bld_node *));
	parent->kids[at] = kid;
	parent->n_kids++;
	return kid;
}

static bool
is_closed(const struct bld_node *n)
{
	return n->is_set && n->e.type != LAY_DIR;
}

/*
 * The node at ${path}, or NULL.  *ret_is_hidden: what lies below cannot be
 * seen there.
 */
static struct bld_node *
find_node(const struct bld_delta *d, const char *path, bool *ret_is_hidden)
{
	const struct bld_node *n = &d->root;
	bool is_hidden = false;

	while (n != NULL && *path != '\0') {
		size_t len = strcspn(path, "/"), at;

		is_hidden = is_hidden || is_closed(n) || n->hides;
		n = find_kid(n, path, len, &at) == 1 ? n->kids[at] : NULL;
		path += len + (path[len] == '/');
	}
	*ret_is_hidden = is_hidden || (n != NULL && n->hides);
	/* Only the tree itself is const here, not what it points at. */
	return n == &d->root ? NULL : (struct bld_node *)(uintptr_t)n;
}

int
bld_delta_lookup(struct bld_delta *d, const char *path, struct lay_entry *ret)
{
	bool is_hidden;
	const struct bld_node *n = find_node(d, path, &is_hidden);

	if (n != NULL && n->is_set) {
		*ret = n->e;
		return 1;
	}
	if (*path == '\0' && d->below == NULL) {
		*ret = (struct lay_entry){
			.path = "", .type = LAY_DIR, .mode = 0755};
		return 1;
	}
	if (is_hidden || d->below == NULL)
		return 0;
	return lay_view_lookup(d->below, path, ret);
}

/* State of a walk along a path that may hold links. */
struct walk {
	char *done; /* resolved, without links */
	char *todo; /* owned text that ${p} points into */
	const char *p;
	unsigned n_links;
	bool is_missing; /* ${done} is not there: take the rest as it is */
};

static void
append(struct walk *w, const char *p, size_t len)
{
	char *part = stv_xstrndup(p, len);
	char *joined = stv_xasprintf("%s/%s", w->done, part);
	char *clean = bld_path_clean(joined);

	free(part);
	free(joined);
	free(w->done);
	w->done = clean;
}

/* w->done is a link to ${link}: go on from there. */
static int
follow(struct walk *w, const char *link, const char *rest, const char *path,
       struct stv_err **err)
{
	char *next, *slash = strrchr(w->done, '/');

	if (++w->n_links > MAX_LINKS ||
	    strlen(link) + strlen(rest) > STV_MAX_PATH)
		return stv_fail(err, STV_E_INPUT,
				"too many links on the way to '/%s'", path);
	if (*link == '/' || slash == NULL)
		w->done[0] = '\0';
	else
		*slash = '\0';
	next = stv_xasprintf("%s/%s", link, rest);
	free(w->todo);
	w->p = w->todo = next;
	return 0;
}

static int
not_a_directory(const char *path, struct stv_err **err)
{
	return stv_fail(err, STV_E_INPUT, "'/%s' is not a directory", path);
}

/* One component of the walk. */
static int
walk_step(struct bld_delta *d, struct walk *w, const char *path,
	  bool follow_last, struct stv_err **err)
{
	size_t len = strcspn(w->p, "/");
	const char *rest = w->p + len + strspn(w->p + len, "/");
	bool is_last = *rest == '\0';
	struct lay_entry e;

	if (len == 2 && strncmp(w->p, "..", 2) == 0)
		w->is_missing = false;
	append(w, w->p, len);
	if (w->is_missing || bld_delta_lookup(d, w->done, &e) == 0)
		w->is_missing = true;
	else if (e.type == LAY_SYMLINK && (!is_last || follow_last))
		return follow(w, e.link, rest, path, err);
	else if (e.type != LAY_DIR && !is_last)
		return not_a_directory(w->done, err);
	w->p = rest;
	return 0;
}

int
bld_delta_resolve(struct bld_delta *d, const char *path, bool follow_last,
		  char **ret_path, struct lay_entry *ret, struct stv_err **err)
{
	struct walk w = {.done = stv_xstrdup(""), .todo = stv_xstrdup(path)};
	int rc = 0;

	w.p = w.todo;
	while (rc == 0 && *w.p != '\0')
		rc = walk_step(d, &w, path, follow_last, err);
	if (rc == 0) {
		rc = bld_delta_lookup(d, w.done, ret);
		*ret_path = stv_steal(&w.done);
	}
	free(w.done);
	free(w.todo);
	return rc;
}

/* The node at ${path}, made where it is not there. */
static struct bld_node *
reach(struct bld_delta *d, const char *path, struct stv_err **err)
{
	struct bld_node *n = &d->root;
	size_t depth = 0, total = strlen(path);

	if (total > STV_MAX_PATH) {
		stv_fail(err, STV_E_LIMIT,
			 "a path of %zu bytes is too long for a layer", total);
		return NULL;
	}
	while (*path != '\0') {
		size_t len = strcspn(path, "/"), at;

		if (len > STV_MAX_NAME || ++depth > STV_MAX_TAR_DEPTH) {
			stv_fail(err, STV_E_LIMIT,
				 "the path '/%s' is too deep or has a name "
				 "longer than %zu bytes",
				 path, STV_MAX_NAME);
			return NULL;
		}
		n = find_kid(n, path, len, &at) == 1
			    ? n->kids[at]
			    : make_kid(n, path, len, at);
		path += len + (path[len] == '/');
	}
	return n;
}

/* ${n} gets a copy of ${e}. */
static void
set_entry(struct bld_node *n, const struct lay_entry *e)
{
	size_t k = e->n_xattrs;
	/* ${e} may be what ${n} has already. */
	struct bld_node old = *n;

	n->e = *e;
	n->e.path = NULL;
	n->link = e->link == NULL ? NULL : stv_xstrdup(e->link);
	n->e.link = n->link;
	n->xattrs = k == 0 ? NULL : stv_xcalloc(k, sizeof(*n->xattrs));
	n->xattr_names = k == 0 ? NULL : stv_xcalloc(k, sizeof(char *));
	n->xattr_values = k == 0 ? NULL : stv_xcalloc(k, sizeof(void *));
	for (size_t i = 0; i < k; i++) {
		n->xattr_names[i] = stv_xstrdup(e->xattrs[i].name);
		n->xattr_values[i] =
			stv_xmemdup(e->xattrs[i].value, e->xattrs[i].len);
		n->xattrs[i] = (struct lay_xattr){
			.name = n->xattr_names[i],
			.value = n->xattr_values[i],
			.len = e->xattrs[i].len,
		};
	}
	n->e.xattrs = n->xattrs;
	n->is_set = true;
	drop_entry(&old);
}

int
bld_delta_put(struct bld_delta *d, const char *path, const struct lay_entry *e,
	      struct bld_body body, size_t group, struct stv_err **err)
{
	struct bld_node *n = reach(d, path, err);

	if (n == NULL)
		return -1;
	/* "" is always there and never in a layer. */
	if (n == &d->root)
		return 0;
	set_entry(n, e);
	n->body = body;
	n->group = group;
	n->is_made = false;
	if (e->type != LAY_DIR) {
		drop_kids(n);
		n->hides = true;
	}
	return 0;
}

size_t
bld_delta_group(struct bld_delta *d)
{
	return ++d->n_groups;
}

int
bld_delta_link(struct bld_delta *d, const char *path, const char *target,
	       struct stv_err **err)
{
	bool is_hidden;
	struct bld_node *t = find_node(d, target, &is_hidden);

	if (t == NULL || !t->is_set || t->e.type == LAY_DIR)
		return stv_fail(err, STV_E_INPUT,
				"the hard link '/%s' points at '/%s', which is "
				"no earlier file of the archive",
				path, target);
	if (t->group == 0 && t->e.type == LAY_FILE)
		t->group = bld_delta_group(d);
	if (strcmp(path, target) == 0)
		return 0;
	return bld_delta_put(d, path, &t->e, t->body, t->group, err);
}

/* Make the directory ${path}, whose parents are there, unless it is there. */
static int
mkdir_one(struct bld_delta *d, const char *path, const struct lay_entry *like,
	  struct stv_err **err)
{
	struct bld_node *n;
	struct lay_entry e;

	if (bld_delta_lookup(d, path, &e) == 1)
		return e.type == LAY_DIR ? 0 : not_a_directory(path, err);
	n = reach(d, path, err);
	if (n == NULL)
		return -1;
	set_entry(n, like);
	n->is_made = true;
	return 0;
}

int
bld_delta_mkdirs(struct bld_delta *d, const char *path,
		 const struct lay_entry *like, struct stv_err **err)
{
	stv_auto_free char *part = stv_xstrdup(path);

	for (char *p = part; *p != '\0'; p++) {
		int rc;

		if (*p != '/')
			continue;
		*p = '\0';
		rc = mkdir_one(d, part, like, err);
		*p = '/';
		if (rc < 0)
			return -1;
	}
	return mkdir_one(d, part, like, err);
}

bool
bld_delta_is_made(const struct bld_delta *d, const char *path)
{
	bool is_hidden;
	const struct bld_node *n = find_node(d, path, &is_hidden);

	return n != NULL && n->is_set && n->is_made;
}

void
bld_delta_set_mtime(struct bld_delta *d, const char *path, int64_t s,
		    uint32_t ns)
{
	bool is_hidden;
	struct bld_node *n = find_node(d, path, &is_hidden);

	if (n == NULL || !n->is_set)
		return;
	n->e.mtime_s = s;
	n->e.mtime_ns = ns;
}
