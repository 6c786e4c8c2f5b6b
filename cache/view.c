/*
 * cache/view.c - the merged view of a chain of layers.
 *
 * No merged map is built: a question goes from the top layer down until one
 * answers it or hides what is below.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/layer_internal.h"
#include "cache/store.h"

#include "cache/toc.h"

struct lay_view {
	struct cas_store *store;
	struct stv_digest *diff_ids;
	struct lay_toc **tocs; /* bottom first */
	size_t n;
	void *names; /* tree of strings that no table holds */
};

int
lay_view_open(struct cas_store *store, const struct stv_digest *diff_ids,
	      size_t n, struct lay_view **ret, struct stv_err **err)
{
	stv_auto(lay_view) *v = stv_xcalloc(1, sizeof(*v));

	v->store = store;
	v->tocs = stv_xcalloc(n + 1, sizeof(struct lay_toc *));
	v->diff_ids = stv_xcalloc(n + 1, sizeof(*v->diff_ids));
	if (n > 0)
		memcpy(v->diff_ids, diff_ids, n * sizeof(*v->diff_ids));
	v->n = n;
	for (size_t i = 0; i < n; i++)
		if (lay_toc_open(store, &diff_ids[i], &v->tocs[i], err) < 0)
			return -1;
	*ret = stv_steal(&v);
	return 0;
}

void
lay_view_close(struct lay_view *v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; i < v->n; i++)
		lay_toc_close(v->tocs[i]);
	tdestroy(v->names, free);
	free(v->tocs);
	free(v->diff_ids);
	free(v);
}

struct cas_store *
lay_view_store(const struct lay_view *v)
{
	return v->store;
}

const struct stv_digest *
lay_view_diff_ids(const struct lay_view *v)
{
	return v->diff_ids;
}

static int
cmp_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* ${path} as a string that lives as long as the view. */
static const char *
intern(struct lay_view *v, const char *path)
{
	char *copy;
	void *node = tfind(path, &v->names, cmp_names);

	if (node != NULL)
		return *(char **)node;
	copy = stv_xstrdup(path);
	if (tsearch(copy, &v->names, cmp_names) == NULL)
		STV_BUG("no memory for a path");
	return copy;
}

/* What one layer says about a path. */
enum probe {
	PROBE_NOTHING,
	PROBE_ENTRY,   /* listed, *ret_i */
	PROBE_IMPLIED, /* a directory that is not listed but not empty */
	PROBE_HIDDEN   /* deleted, or a part of the path is no directory */
};

/* The directory at entry ${i} carries an opaque mark. */
static bool
is_opaque_at(const struct lay_toc *t, size_t i)
{
	struct lay_entry e;
	const char *path = lay_toc_path(t, i);

	for (; i < lay_toc_len(t) && strcmp(lay_toc_path(t, i), path) == 0;
	     i++) {
		lay_toc_get(t, i, &e);
		if (e.type == LAY_OPAQUE)
			return true;
	}
	return false;
}

/*
 * What the directories above ${path} say: PROBE_HIDDEN, or PROBE_NOTHING with
 * *ret_stop set where nothing of the layers below shows through.
 */
static enum probe
probe_parents(const struct lay_toc *t, const char *path, bool *ret_stop)
{
	char part[STV_MAX_PATH + 1];
	size_t lo = 0, n = 0;

	for (;;) {
		struct lay_entry e;

		memcpy(part, path, n);
		part[n] = '\0';
		lo = lay_toc_lower_bound(t, part, lo);
		if (lo == lay_toc_len(t))
			return PROBE_NOTHING;
		if (strcmp(lay_toc_path(t, lo), part) == 0) {
			lay_toc_get(t, lo, &e);
			if (e.type != LAY_DIR && e.type != LAY_OPAQUE)
				return PROBE_HIDDEN;
			if (is_opaque_at(t, lo))
				*ret_stop = true;
		} else if (!lay_path_is_below(lay_toc_path(t, lo), part)) {
			return PROBE_NOTHING;
		}
		n += strspn(path + n, "/");
		n += strcspn(path + n, "/");
		if (path[n] == '\0')
			return PROBE_NOTHING;
	}
}

static enum probe
probe(const struct lay_toc *t, const char *path, size_t *ret_i, bool *ret_stop)
{
	struct lay_entry e;
	size_t i = lay_toc_lower_bound(t, path, 0);
	enum probe up;

	*ret_stop = false;
	*ret_i = i;
	if (i < lay_toc_len(t) && strcmp(lay_toc_path(t, i), path) == 0) {
		lay_toc_get(t, i, &e);
		if (e.type == LAY_WHITEOUT)
			return PROBE_HIDDEN;
		if (e.type != LAY_OPAQUE && e.type != LAY_DIR)
			return PROBE_ENTRY;
		if (*path != '\0')
			(void)probe_parents(t, path, ret_stop);
		return e.type == LAY_DIR ? PROBE_ENTRY : PROBE_IMPLIED;
	}
	up = *path == '\0' ? PROBE_NOTHING : probe_parents(t, path, ret_stop);
	if (up == PROBE_NOTHING && i < lay_toc_len(t) &&
	    lay_path_is_below(lay_toc_path(t, i), path))
		return PROBE_IMPLIED;
	return up;
}

/* A hard link is answered as the file that it names. */
static int
answer(struct lay_toc *t, size_t i, struct lay_entry *ret)
{
	const char *path;

	lay_toc_get(t, i, ret);
	if (ret->type != LAY_HARDLINK)
		return 1;
	path = ret->path;
	if (lay_toc_find(t, ret->link, ret) == 0 || ret->type != LAY_FILE)
		return 0;
	ret->path = path;
	return 1;
}

int
lay_view_locate(struct lay_view *v, const char *path, struct lay_entry *ret,
		size_t *ret_layer)
{
	bool is_implied = *path == '\0', is_stop = false;

	if (strlen(path) > STV_MAX_PATH)
		return 0;
	for (size_t k = v->n; k > 0 && !is_stop; k--) {
		struct lay_toc *t = v->tocs[k - 1];
		struct lay_entry e;
		size_t i;

		switch (probe(t, path, &i, &is_stop)) {
		case PROBE_NOTHING:
			break;
		case PROBE_IMPLIED:
			is_implied = true;
			break;
		case PROBE_HIDDEN:
			is_stop = true;
			break;
		case PROBE_ENTRY:
			*ret_layer = k - 1;
			if (answer(t, i, &e) == 0)
				return 0;
			if (!is_implied || e.type == LAY_DIR) {
				*ret = e;
				return 1;
			}
			is_stop = true;
			break;
		}
	}
	if (!is_implied)
		return 0;
	*ret = (struct lay_entry){
		.path = intern(v, path), .type = LAY_DIR, .mode = 0755};
	return 1;
}

int
lay_view_lookup(struct lay_view *v, const char *path, struct lay_entry *ret)
{
	size_t layer;

	return lay_view_locate(v, path, ret, &layer);
}

/* One layer's part of a listing: entries [at, end) are below the directory. */
struct part {
	const struct lay_toc *toc;
	size_t at;
	size_t end;
};

/* The layers that have something in ${path}, topmost first; their number. */
static size_t
list_parts(struct lay_view *v, const char *path, struct part *parts)
{
	bool is_stop = false;
	size_t n = 0;

	for (size_t k = v->n; k > 0 && !is_stop; k--) {
		const struct lay_toc *t = v->tocs[k - 1];
		struct lay_entry e;
		size_t i;
		enum probe p = probe(t, path, &i, &is_stop);

		if (p == PROBE_HIDDEN)
			break;
		if (p == PROBE_NOTHING && *path != '\0')
			continue;
		if (p == PROBE_ENTRY) {
			lay_toc_get(t, i, &e);
			if (e.type != LAY_DIR)
				break;
		}
		if (i < lay_toc_len(t) &&
		    strcmp(lay_toc_path(t, i), path) == 0 && is_opaque_at(t, i))
			is_stop = true;
		parts[n] = (struct part){t, i, lay_toc_subtree_end(t, path, i)};
		while (parts[n].at < parts[n].end &&
		       strcmp(lay_toc_path(t, parts[n].at), path) == 0)
			parts[n].at++;
		n++;
	}
	return n;
}

/* The name of the next child in a part, cut out of its path. */
static void
part_child(const struct part *p, const char *dir, char child[])
{
	const char *path = lay_toc_path(p->toc, p->at);
	size_t skip = *dir == '\0' ? 0 : strlen(dir) + 1;
	size_t n = skip + strcspn(path + skip, "/");

	memcpy(child, path, n);
	child[n] = '\0';
}

/* The smallest next child of all parts, as a full path; false at the end. */
static bool
next_child(struct part *parts, size_t n, const char *dir, char child[])
{
	char other[STV_MAX_PATH + 1];
	bool is_found = false;

	for (size_t i = 0; i < n; i++) {
		if (parts[i].at == parts[i].end)
			continue;
		part_child(&parts[i], dir, other);
		if (is_found && lay_path_cmp(other, child) >= 0)
			continue;
		is_found = true;
		memcpy(child, other, strlen(other) + 1);
	}
	for (size_t i = 0; is_found && i < n; i++)
		if (parts[i].at < parts[i].end)
			parts[i].at = lay_toc_subtree_end(parts[i].toc, child,
							  parts[i].at);
	return is_found;
}

int
lay_view_list(struct lay_view *v, const char *path,
	      int (*fn)(void *arg, const struct lay_entry *e), void *arg)
{
	struct part *parts = stv_xcalloc(v->n + 1, sizeof(*parts));
	stv_auto_free char *child = stv_xmalloc(STV_MAX_PATH + 1);
	size_t n = strlen(path) > STV_MAX_PATH ? 0 : list_parts(v, path, parts);
	int r = 0;

	while (r == 0 && next_child(parts, n, path, child)) {
		struct lay_entry e;

		/* A whiteout is among them, but nothing is there. */
		if (lay_view_lookup(v, child, &e) == 1)
			r = fn(arg, &e);
	}
	free(parts);
	return r;
}
