/*
 * cache/layer_scan.c - what of an upper directory is a change.
 *
 * An upper directory says too much: files that were opened for writing and
 * not changed are in it, and directories on the way to them.  What differs
 * from the merged view below is the layer (DESIGN.md, the way of a build, 5).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/layer_changes.h"
#include "cache/toc.h"

#define READ_SIZE ((size_t)256 << 10)

/* The digest of a file of the upper. */
static int
hash_file(const struct lay_changes *c, const struct upper_node *n,
	  struct stv_digest *ret, struct stv_err **err)
{
	stv_auto_free char *buf = stv_xmalloc(READ_SIZE);
	stv_auto(stv_hash) *hash = stv_hash_new();
	stv_auto_fd fd = lay_upper_open(c, n->e.path, O_RDONLY);
	uint64_t at = 0;

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '/%s'",
				      n->e.path);
	for (;;) {
		int64_t got = stv_pread_all(fd, buf, READ_SIZE, at);

		if (got < 0)
			return stv_fail_errno(err, errno, "cannot read '/%s'",
					      n->e.path);
		stv_hash_add(hash, buf, (size_t)got);
		at += (uint64_t)got;
		if ((size_t)got < READ_SIZE)
			break;
	}
	*ret = stv_hash_end(hash);
	return 0;
}

static int
stop_at_any(void *arg, const struct lay_entry *e)
{
	(void)arg;
	(void)e;
	return 1;
}

/* Is the node itself a change, whatever is in it? */
static int
compare(struct lay_changes *c, struct upper_node *n, struct lay_view *lower,
	struct stv_err **err)
{
	struct lay_entry low;
	struct stv_digest digest;
	bool is_below = !n->is_hidden && lower != NULL &&
			lay_view_lookup(lower, n->e.path, &low) == 1;

	if (n->e.type == LAY_WHITEOUT) {
		n->is_change = is_below;
		return 0;
	}
	n->is_hiding = n->is_opaque && is_below && low.type == LAY_DIR &&
		       lay_view_list(lower, n->e.path, stop_at_any, NULL) != 0;
	n->is_change =
		!is_below || n->is_hiding || !lay_entry_is_same(&n->e, &low);
	/* Only where all else is equal, mtime included, is content read. */
	if (n->is_change || n->e.type != LAY_FILE || n->e.size == 0)
		return 0;
	if (hash_file(c, n, &digest, err) < 0)
		return -1;
	n->is_change = !stv_digest_equal(&digest, &low.digest);
	return 0;
}

static int
cmp_inodes(const void *a, const void *b, void *arg)
{
	const struct upper_node *nodes = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;

	if (nodes[i].dev != nodes[j].dev)
		return nodes[i].dev < nodes[j].dev ? -1 : 1;
	if (nodes[i].ino != nodes[j].ino)
		return nodes[i].ino < nodes[j].ino ? -1 : 1;
	return i < j ? -1 : i > j;
}

/*
 * Names of one file stay names of one file: where one is a change, all are,
 * because a hard link must name a file of the same layer.
 */
static void
group_links(struct lay_changes *c)
{
	STV_VEC(size_t) links = {0};
	size_t n;

	for (size_t i = 0; i < c->nodes.len; i++) {
		c->nodes.v[i].first = i;
		if (c->nodes.v[i].is_linked)
			*stv_vec_push(&links) = i;
	}
	if (links.len > 1)
		qsort_r(links.v, links.len, sizeof(links.v[0]), cmp_inodes,
			c->nodes.v);
	for (size_t i = 0; i < links.len; i += n) {
		const struct upper_node *first = &c->nodes.v[links.v[i]];
		bool is_change = false;

		for (n = 0; i + n < links.len; n++) {
			struct upper_node *x = &c->nodes.v[links.v[i + n]];

			if (x->dev != first->dev || x->ino != first->ino)
				break;
			x->first = links.v[i];
			is_change = is_change || x->is_change;
		}
		for (size_t k = i; k < i + n; k++)
			c->nodes.v[links.v[k]].is_change = is_change;
	}
	stv_vec_fini(&links);
}

static int
find_changes(struct lay_changes *c, struct lay_view *lower,
	     struct stv_err **err)
{
	for (size_t i = 1; i < c->nodes.len; i++) {
		struct upper_node *n = &c->nodes.v[i];
		const struct upper_node *p = &c->nodes.v[n->parent];

		n->is_hidden = p->is_hidden || p->is_opaque;
		if (compare(c, n, lower, err) < 0)
			return -1;
	}
	group_links(c);
	/* Inside out: a directory comes with what changed in it. */
	for (size_t i = c->nodes.len - 1; i > 0; i--)
		if (c->nodes.v[i].is_change)
			c->nodes.v[c->nodes.v[i].parent].is_change = true;
	for (size_t i = 1; i < c->nodes.len; i++)
		c->n_entries += (c->nodes.v[i].is_change ? 1 : 0) +
				(c->nodes.v[i].is_hiding ? 1 : 0);
	return 0;
}

int
lay_changes_scan(struct cas_store *store, int upper_fd, struct lay_view *lower,
		 const struct lay_writer_opts *opts, struct lay_changes **ret,
		 struct stv_err **err)
{
	stv_auto(lay_changes) *c = stv_xcalloc(1, sizeof(*c));

	c->store = store;
	c->opts = *opts;
	c->upper_fd = upper_fd;
	if (lay_upper_read(c, err) < 0 || find_changes(c, lower, err) < 0 ||
	    lay_upper_settle(c, err) < 0)
		return stv_wrap(err, "taking a snapshot");
	*ret = stv_steal(&c);
	return 0;
}

size_t
lay_changes_len(const struct lay_changes *c)
{
	return c->n_entries;
}

void
lay_changes_free(struct lay_changes *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->nodes.len; i++) {
		struct lay_entry *e = &c->nodes.v[i].e;

		for (size_t k = 0; k < e->n_xattrs; k++) {
			free((void *)(uintptr_t)e->xattrs[k].name);
			free((void *)(uintptr_t)e->xattrs[k].value);
		}
		free((void *)(uintptr_t)e->xattrs);
		free((void *)(uintptr_t)e->path);
		free((void *)(uintptr_t)e->link);
	}
	stv_vec_fini(&c->nodes);
	free(c);
}

/* The entry of one node; the second name of a file is a hard link. */
static int
pack_node(const struct lay_changes *c, size_t i, struct lay_writer *w,
	  struct stv_err **err)
{
	const struct upper_node *n = &c->nodes.v[i];
	struct lay_entry e = n->e;
	struct lay_entry opaque = {.path = n->e.path, .type = LAY_OPAQUE};
	stv_auto_fd fd = -1;

	if (n->first != i) {
		e.type = LAY_HARDLINK;
		e.link = c->nodes.v[n->first].e.path;
	} else if (e.type == LAY_FILE && e.size > 0) {
		fd = lay_upper_open(c, e.path, O_RDONLY);
		if (fd < 0)
			return stv_fail_errno(err, errno, "cannot open '/%s'",
					      e.path);
	}
	if (lay_writer_add(w, &e, fd, 0, NULL, err) < 0)
		return -1;
	return n->is_hiding ? lay_writer_add(w, &opaque, -1, 0, NULL, err) : 0;
}

int
lay_changes_pack(struct lay_changes *c, struct lay_result *ret,
		 struct stv_err **err)
{
	stv_auto(lay_writer) *w = NULL;

	if (lay_writer_open(c->store, &c->opts, &w, err) < 0)
		return -1;
	for (size_t i = 1; i < c->nodes.len; i++)
		if (c->nodes.v[i].is_change && pack_node(c, i, w, err) < 0)
			return stv_wrap(err, "packing a layer");
	return lay_writer_commit(w, ret, err);
}
