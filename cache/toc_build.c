/*
 * cache/toc_build.c - a layer's table of contents being made.
 *
 * A model of the tree that unpacking the layer would give, without touching a
 * file: links in parent directories are followed inside the model, a later
 * entry replaces an earlier one, a directory that becomes something else
 * loses what was in it, a hard link shares the file that it names.  So what
 * is unpacked later has no links in its parents, whatever the tar said.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cache/toc_build.h"

/* Links followed in one path, as the kernel's MAXSYMLINKS. */
#define MAX_LINKS 40
#define ARENA_CHUNK ((size_t)64 << 10)
/* Names, links and xattrs of one layer in memory. */
#define MAX_ARENA ((size_t)2 << 30)

static void *
arena_alloc(struct lay_toc_builder *b, size_t n)
{
	char *p;

	n = (n + 7) & ~(size_t)7;
	if (n > b->chunk_left) {
		size_t size = n > ARENA_CHUNK / 4 ? n : ARENA_CHUNK;

		*stv_vec_push(&b->chunks) = stv_xmalloc(size);
		b->arena_size += size;
		if (size == n)
			return b->chunks.v[b->chunks.len - 1];
		b->chunk = b->chunks.v[b->chunks.len - 1];
		b->chunk_left = size;
	}
	p = b->chunk;
	b->chunk += n;
	b->chunk_left -= n;
	return p;
}

static char *
arena_str(struct lay_toc_builder *b, const char *s, size_t n)
{
	char *p = arena_alloc(b, n + 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

/* Seeded, so that names from outside cannot be chosen to collide. */
static uint64_t
hash_name(const struct lay_toc_builder *b, uint32_t dir_id, const char *name,
	  size_t n)
{
	uint64_t h =
		b->seed ^ ((uint64_t)dir_id * UINT64_C(0x9e3779b97f4a7c15));

	for (size_t i = 0; i < n; i += 8) {
		uint64_t w = 0;

		memcpy(&w, name + i, n - i < 8 ? n - i : 8);
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return h * UINT64_C(0xc4ceb9fe1a85ec53) >> 20;
}

static void
table_insert(struct lay_toc_builder *b, uint32_t node)
{
	const struct toc_node *n = &b->nodes.v[node];
	uint64_t h = hash_name(b, n->in_dir, n->name, strlen(n->name));
	size_t mask = b->n_slots - 1, i = (size_t)h & mask;

	while (b->slots[i] != 0)
		i = (i + 1) & mask;
	b->slots[i] = node + 1;
}

static void
table_grow(struct lay_toc_builder *b)
{
	free(b->slots);
	b->n_slots = b->n_slots == 0 ? 256 : b->n_slots * 2;
	b->slots = stv_xcalloc(b->n_slots, sizeof(*b->slots));
	for (size_t i = 1; i < b->nodes.len; i++)
		table_insert(b, (uint32_t)i);
}

/* The child of a directory by name, or 0 (the root is nobody's child). */
static uint32_t
find_child(const struct lay_toc_builder *b, uint32_t dir_id, const char *name,
	   size_t n)
{
	uint64_t h = hash_name(b, dir_id, name, n);
	size_t mask = b->n_slots - 1;

	for (size_t i = (size_t)h & mask; b->slots[i] != 0;
	     i = (i + 1) & mask) {
		uint32_t node = b->slots[i] - 1;
		const struct toc_node *c = &b->nodes.v[node];

		if (c->in_dir == dir_id && strncmp(c->name, name, n) == 0 &&
		    c->name[n] == '\0')
			return node;
	}
	return 0;
}

static uint32_t
add_child(struct lay_toc_builder *b, uint32_t parent, const char *name,
	  size_t n)
{
	uint32_t node = (uint32_t)b->nodes.len;
	struct toc_node *c;

	if (b->nodes.len * 2 >= b->n_slots)
		table_grow(b);
	c = stv_vec_push(&b->nodes);
	c->parent = parent;
	c->in_dir = b->nodes.v[parent].dir_id;
	c->depth = b->nodes.v[parent].depth + 1;
	c->name = arena_str(b, name, n);
	table_insert(b, node);
	return node;
}

struct lay_toc_builder *
lay_toc_builder_new(void)
{
	struct lay_toc_builder *b = stv_xcalloc(1, sizeof(*b));
	struct toc_node *root;

	if (getrandom(&b->seed, sizeof(b->seed), 0) != (ssize_t)sizeof(b->seed))
		b->seed = (uint64_t)(uintptr_t)b;
	root = stv_vec_push(&b->nodes);
	root->name = "";
	root->dir_id = ++b->n_dirs;
	table_grow(b);
	return b;
}

void
lay_toc_builder_free(struct lay_toc_builder *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->chunks.len; i++)
		free(b->chunks.v[i]);
	stv_vec_fini(&b->chunks);
	stv_vec_fini(&b->nodes);
	stv_vec_fini(&b->ents);
	free(b->slots);
	free(b);
}

uint64_t
lay_toc_builder_len(const struct lay_toc_builder *b)
{
	return b->n_added;
}

bool
lay_toc_builder_is_plain(const struct lay_toc_builder *b)
{
	return !b->is_odd;
}

/* A path being walked in the model. */
struct walk {
	uint32_t at; /* node; a directory */
	char *todo;  /* what is left of the path */
	char *pos;
	int n_links;
};

static int
walk_link(struct walk *w, const char *path, const char *target,
	  struct stv_err **err)
{
	char *joined;

	if (++w->n_links > MAX_LINKS)
		return stv_fail(err, STV_E_INPUT,
				"'%s' leads through too many symbolic links",
				path);
	if (target[0] == '/')
		w->at = 0;
	joined = stv_xasprintf("%s/%s", target, w->pos);
	free(w->todo);
	w->todo = w->pos = joined;
	return 0;
}

/*
 * Enter one directory.  Returns 1 where it is missing and ${is_make} is off.
 */
static int
walk_enter(struct lay_toc_builder *b, struct walk *w, const char *path,
	   const char *name, size_t n, bool is_make, struct stv_err **err)
{
	uint32_t c = find_child(b, b->nodes.v[w->at].dir_id, name, n);
	struct toc_node *node;

	if (c == 0 || (b->nodes.v[c].dir_id == 0 && !b->nodes.v[c].has_ent)) {
		if (!is_make)
			return 1;
		if (b->nodes.v[w->at].depth >= STV_MAX_TAR_DEPTH)
			return stv_fail(err, STV_E_LIMIT,
					"'%.200s...' is nested more than %d "
					"directories deep",
					path, STV_MAX_TAR_DEPTH);
		if (c == 0)
			c = add_child(b, w->at, name, n);
		b->nodes.v[c].dir_id = ++b->n_dirs;
	}
	node = &b->nodes.v[c];
	if (node->dir_id != 0) {
		w->at = c;
		return 0;
	}
	b->is_odd = b->is_odd || is_make;
	if (b->ents.v[node->ent].e.type == LAY_SYMLINK)
		return walk_link(w, path, b->ents.v[node->ent].e.link, err);
	return stv_fail(err, STV_E_INPUT,
			"'%s' lies below something that is not a directory",
			path);
}

/*
 * Walk to the directory that ${path} lies in; *ret_name is its last component
 * inside ${path}, empty for the root itself.  Returns 1 as walk_enter() does.
 */
static int
walk_parent(struct lay_toc_builder *b, const char *path, bool is_make,
	    uint32_t *ret_dir, const char **ret_name, struct stv_err **err)
{
	const char *slash = strrchr(path, '/');
	struct walk w = {0};
	int r = 0;

	*ret_name = slash == NULL ? path : slash + 1;
	w.todo = w.pos = stv_xstrndup(path, (size_t)(*ret_name - path));
	while (r == 0) {
		const char *name;
		size_t n;

		w.pos += strspn(w.pos, "/");
		if (*w.pos == '\0')
			break;
		name = w.pos;
		n = strcspn(name, "/");
		w.pos += n;
		if (n == 1 && name[0] == '.')
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			w.at = b->nodes.v[w.at].parent;
			continue;
		}
		if (n > STV_MAX_NAME)
			r = stv_fail(err, STV_E_LIMIT,
				     "a name in '%.300s...' is longer than %zu "
				     "bytes",
				     path, STV_MAX_NAME);
		else
			r = walk_enter(b, &w, path, name, n, is_make, err);
	}
	free(w.todo);
	*ret_dir = w.at;
	return r;
}

/* Copy the xattrs that a layer keeps, sorted by name. */
static void
copy_xattrs(struct lay_toc_builder *b, struct lay_entry *dst,
	    const struct lay_entry *src)
{
	struct lay_xattr *x;
	size_t n = 0;

	dst->xattrs = NULL;
	dst->n_xattrs = 0;
	if (src->n_xattrs == 0)
		return;
	x = arena_alloc(b, src->n_xattrs * sizeof(*x));
	for (size_t i = 0; i < src->n_xattrs; i++) {
		const struct lay_xattr *s = &src->xattrs[i];
		size_t at = n;

		if (!lay_xattr_is_kept(s->name, src->type))
			continue;
		while (at > 0 && strcmp(x[at - 1].name, s->name) > 0)
			at--;
		memmove(&x[at + 1], &x[at], (n - at) * sizeof(*x));
		x[at].name = arena_str(b, s->name, strlen(s->name));
		x[at].value = arena_str(b, s->len > 0 ? s->value : "", s->len);
		x[at].len = s->len;
		n++;
	}
	dst->xattrs = x;
	dst->n_xattrs = n;
}

/* A copy of ${e} without its path among the builder's entries. */
static uint32_t
add_ent(struct lay_toc_builder *b, const struct lay_entry *e)
{
	struct toc_ent *t = stv_vec_push(&b->ents);

	t->e = *e;
	t->e.path = NULL;
	t->e.link = e->type == LAY_SYMLINK
			    ? arena_str(b, e->link, strlen(e->link))
			    : NULL;
	copy_xattrs(b, &t->e, e);
	return (uint32_t)(b->ents.len - 1);
}

/* The entry that a hard link names: a file of this layer, or a copy of its
 * link, FIFO or device (tar stores hard-linked symbolic links so). */
static int
find_link(struct lay_toc_builder *b, const struct lay_entry *e, uint32_t *ret,
	  struct stv_err **err)
{
	const char *name;
	uint32_t dir, c = 0;
	int r = walk_parent(b, e->link, false, &dir, &name, err);

	if (r < 0)
		return stv_wrap(err, "hard link '%s'", e->path);
	if (r == 0)
		c = find_child(b, b->nodes.v[dir].dir_id, name, strlen(name));
	if (c == 0 || !b->nodes.v[c].has_ent || b->nodes.v[c].dir_id != 0)
		return stv_fail(err, STV_E_INPUT,
				"hard link '%s' names '%s', which is no "
				"earlier file of the same layer",
				e->path, e->link);
	*ret = b->nodes.v[c].ent;
	return 0;
}

/* Put the entry where it belongs; the node exists. */
static int
place(struct lay_toc_builder *b, uint32_t node, const struct lay_entry *e,
      struct stv_err **err)
{
	struct toc_node *n = &b->nodes.v[node];
	uint32_t ent = 0;

	if (e->type == LAY_WHITEOUT) {
		n->is_white = true;
		return 0;
	}
	if (e->type == LAY_HARDLINK) {
		if (find_link(b, e, &ent, err) < 0)
			return -1;
		n = &b->nodes.v[node];
		/* A link to itself: nothing changes. */
		if (n->has_ent && n->dir_id == 0 && n->ent == ent)
			return 0;
	} else {
		ent = add_ent(b, e);
	}
	if (n->dir_id != 0 ? e->type != LAY_DIR : n->has_ent)
		b->is_odd = true;
	n->has_ent = true;
	n->ent = ent;
	if (e->type != LAY_DIR)
		n->dir_id = 0;
	else if (n->dir_id == 0)
		n->dir_id = ++b->n_dirs;
	if (n->dir_id == 0)
		n->is_opaque = false;
	return 0;
}

/* An opaque mark on a directory; the directory exists in the layer then. */
static int
place_opaque(struct lay_toc_builder *b, const char *path, struct stv_err **err)
{
	stv_auto_free char *below = stv_xasprintf("%s/.", path);
	const char *name;
	uint32_t dir;

	if (walk_parent(b, below, true, &dir, &name, err) < 0)
		return -1;
	b->nodes.v[dir].is_opaque = true;
	return 0;
}

int
lay_toc_builder_add(struct lay_toc_builder *b, const struct lay_entry *e,
		    struct stv_err **err)
{
	const char *name;
	uint32_t dir, node;

	if (++b->n_added > STV_MAX_TAR_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"the layer has more than %llu entries",
				(unsigned long long)STV_MAX_TAR_ENTRIES);
	if (b->arena_size > MAX_ARENA)
		return stv_fail(err, STV_E_LIMIT,
				"the layer's names and attributes are larger "
				"than %zu bytes",
				MAX_ARENA);
	if (e->type == LAY_OPAQUE)
		return place_opaque(b, e->path, err);
	if (walk_parent(b, e->path, true, &dir, &name, err) < 0)
		return -1;
	if (*name == '\0') {
		if (e->type != LAY_DIR)
			return stv_fail(err, STV_E_INPUT,
					"the layer's root is not a directory");
		return place(b, 0, e, err);
	}
	if (strlen(name) > STV_MAX_NAME)
		return stv_fail(err, STV_E_LIMIT,
				"a name in '%.300s...' is longer than %zu "
				"bytes",
				e->path, STV_MAX_NAME);
	if (b->nodes.v[dir].depth >= STV_MAX_TAR_DEPTH)
		return stv_fail(err, STV_E_LIMIT,
				"'%.200s...' is nested more than %d "
				"directories deep",
				e->path, STV_MAX_TAR_DEPTH);
	node = find_child(b, b->nodes.v[dir].dir_id, name, strlen(name));
	if (node == 0)
		node = add_child(b, dir, name, strlen(name));
	return place(b, node, e, err);
}
