/* builder/delta_write.c - a tree of changes as a layer. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/layer.h"
#include "cache/toc.h"

#include "builder/delta_internal.h"

/* A walk in path order, with the path of where it stands. */
struct walk {
	struct bld_delta *d;
	const struct bld_delta_opts *opts;
	struct lay_writer *w;
	struct stv_buf path;
	char **leaders; /* by group: the path that was written as a file */
	size_t n_written;
};

/* A modification time as the writer will store it. */
static bool
is_same_time(const struct bld_delta_opts *o, const struct lay_entry *a,
	     const struct lay_entry *b)
{
	int64_t s = a->mtime_s;
	uint32_t ns = a->mtime_ns;

	if (o->has_epoch && (s > o->epoch || (s == o->epoch && ns > 0))) {
		s = o->epoch;
		ns = 0;
	}
	return s == b->mtime_s && ns == b->mtime_ns;
}

static bool
are_same_xattrs(const struct lay_entry *a, const struct lay_entry *b)
{
	if (a->n_xattrs != b->n_xattrs)
		return false;
	for (size_t i = 0; i < a->n_xattrs; i++) {
		const struct lay_xattr *x = &a->xattrs[i], *y = &b->xattrs[i];

		if (strcmp(x->name, y->name) != 0 || x->len != y->len ||
		    memcmp(x->value, y->value, x->len) != 0)
			return false;
	}
	return true;
}

static bool
is_same_content(const struct lay_entry *a, const struct lay_entry *b)
{
	switch (a->type) {
	case LAY_FILE:
		return a->size == b->size &&
		       stv_digest_equal(&a->digest, &b->digest);
	case LAY_SYMLINK:
		return strcmp(a->link, b->link) == 0;
	case LAY_CHAR:
	case LAY_BLOCK:
		return a->rdev_major == b->rdev_major &&
		       a->rdev_minor == b->rdev_minor;
	case LAY_DIR:
	case LAY_FIFO:
		return true;
	case LAY_HARDLINK:
	case LAY_WHITEOUT:
	case LAY_OPAQUE:
		break;
	}
	return false;
}

/* Would the entry say anything that is not so already? (DESIGN.md, 5) */
static bool
is_same(const struct bld_delta_opts *o, const struct lay_entry *a,
	const struct lay_entry *below)
{
	return a->type == below->type && a->mode == below->mode &&
	       a->uid == below->uid && a->gid == below->gid &&
	       is_same_time(o, a, below) && are_same_xattrs(a, below) &&
	       is_same_content(a, below);
}

/* A name that means something else in a layer (DOCKERFILE.md, COPY). */
static bool
is_whiteout_name(const char *name)
{
	return strncmp(name, ".wh.", 4) == 0;
}

static void
push_path(struct stv_buf *path, const char *name)
{
	if (path->len > 0)
		stv_buf_addc(path, '/');
	stv_buf_adds(path, name);
}

static void
pop_path(struct stv_buf *path, const char *name)
{
	size_t n = strlen(name);

	stv_buf_truncate(path, path->len > n ? path->len - n - 1 : 0);
}

static bool
has_hiding_parent(const struct bld_node *n)
{
	for (n = n->parent; n != NULL; n = n->parent)
		if (n->hides)
			return true;
	return false;
}

/* What lies below at the walk's path: 1 or 0. */
static int
lookup_below(struct walk *k, const struct bld_node *n, struct lay_entry *ret)
{
	if (k->d->below == NULL || has_hiding_parent(n))
		return 0;
	return lay_view_lookup(k->d->below, stv_buf_str(&k->path), ret);
}

static void
mark_down(struct walk *k, struct bld_node *n)
{
	struct lay_entry below;
	int is_there = lookup_below(k, n, &below);

	if (n->is_set) {
		/* A file that is replaced is removed first, as in BuildKit. */
		n->is_renamed = is_there == 0 || n->e.type != LAY_DIR ||
				below.type != LAY_DIR;
		n->is_different =
			is_there == 0 || !is_same(k->opts, &n->e, &below);
		n->is_opaque = n->hides && n->e.type == LAY_DIR &&
			       is_there == 1 && below.type == LAY_DIR;
		if (n->is_opaque)
			n->is_different = true;
	}
}

static void
mark_up(struct bld_node *n)
{
	n->is_emitted = n->is_emitted || n->is_different;
	if (n->parent == NULL || !n->is_emitted)
		return;
	n->parent->is_emitted = true;
	if (n->is_different && n->is_renamed)
		n->parent->has_changed_names = true;
}

/* The attributes of a directory that only lies on the way. */
static void
fill_passed(struct walk *k, struct bld_node *n, struct lay_entry *e)
{
	if (lookup_below(k, n, e) != 1)
		STV_BUG("a directory on the way to a change is missing");
	if (n->has_changed_names) {
		e->mtime_s = k->opts->now_s;
		e->mtime_ns = k->opts->now_ns;
	}
}

/* Add a file whose bytes are in a source that somebody may be writing to. */
static int
write_item(struct walk *k, struct bld_node *n, struct lay_entry *e,
	   struct stv_err **err)
{
	stv_auto_fd fd = -1;
	uint64_t offset = 0;
	struct stv_digest got;
	struct stat st;
	int rc = k->opts->open_item(k->opts->arg, n->body.item, &fd, &offset,
				    &e->size, err);

	if (rc != 0)
		return rc;
	if (lay_writer_add(k->w, e, fd, offset, &got, err) < 0) {
		if (stv_err_code(*err) != STV_E_INPUT || fstat(fd, &st) < 0 ||
		    (uint64_t)st.st_size >= offset + e->size)
			return -1;
		stv_err_clear(err);
		return 1;
	}
	k->opts->done_item(k->opts->arg, n->body.item, e->size, &got);
	return 0;
}

static int
write_file(struct walk *k, struct bld_node *n, struct lay_entry *e,
	   struct stv_err **err)
{
	char **leader = n->group == 0 ? NULL : &k->leaders[n->group];

	if (leader != NULL && *leader != NULL) {
		e->type = LAY_HARDLINK;
		e->link = *leader;
		e->size = 0;
		return lay_writer_add(k->w, e, -1, 0, NULL, err);
	}
	if (leader != NULL)
		*leader = stv_xstrdup(stv_buf_str(&k->path));
	if (n->body.fd < 0)
		return write_item(k, n, e, err);
	return lay_writer_add(k->w, e, n->body.fd, n->body.offset, NULL, err);
}

static int
write_opaque(struct walk *k, struct stv_err **err)
{
	struct lay_entry e = {
		.path = stv_buf_str(&k->path),
		.type = LAY_OPAQUE,
	};

	k->n_written++;
	return lay_writer_add(k->w, &e, -1, 0, NULL, err);
}

static int
write_node(struct walk *k, struct bld_node *n, struct stv_err **err)
{
	struct lay_entry e = n->e;
	int rc;

	if (!n->is_set)
		fill_passed(k, n, &e);
	e.path = stv_buf_str(&k->path);
	k->n_written++;
	rc = e.type == LAY_FILE ? write_file(k, n, &e, err)
				: lay_writer_add(k->w, &e, -1, 0, NULL, err);
	if (rc == 0 && n->is_opaque)
		rc = write_opaque(k, err);
	return rc;
}

/* The next child of ${n} that can be in a layer, or NULL. */
static struct bld_node *
next_kid(struct bld_node *n)
{
	while (n->cursor < n->n_kids) {
		struct bld_node *kid = n->kids[n->cursor++];

		if (!is_whiteout_name(kid->name))
			return kid;
	}
	n->cursor = 0;
	return NULL;
}

static void
mark_all(struct walk *k)
{
	struct bld_node *n = &k->d->root;

	while (n != NULL) {
		struct bld_node *kid = next_kid(n);

		if (kid != NULL) {
			n = kid;
			push_path(&k->path, n->name);
			mark_down(k, n);
			continue;
		}
		mark_up(n);
		pop_path(&k->path, n->name);
		n = n->parent;
	}
}

static int
write_all(struct walk *k, struct stv_err **err)
{
	struct bld_node *n = &k->d->root;
	int rc = 0;

	while (n != NULL && rc == 0) {
		struct bld_node *kid = next_kid(n);

		if (kid == NULL) {
			pop_path(&k->path, n->name);
			n = n->parent;
		} else if (kid->is_emitted) {
			n = kid;
			push_path(&k->path, n->name);
			rc = write_node(k, n, err);
		}
	}
	return rc;
}

int
bld_delta_write(struct bld_delta *d, const struct bld_delta_opts *opts,
		struct lay_writer *w, size_t *ret_n, struct stv_err **err)
{
	struct walk k = {
		.d = d,
		.opts = opts,
		.w = w,
		.path = STV_BUF_INIT(STV_MAX_PATH + 1),
		.leaders = stv_xcalloc(d->n_groups + 1, sizeof(char *)),
	};
	int rc;

	mark_all(&k);
	rc = write_all(&k, err);
	for (size_t i = 0; i <= d->n_groups; i++)
		free(k.leaders[i]);
	free(k.leaders);
	stv_buf_fini(&k.path);
	if (rc == 0 && ret_n != NULL)
		*ret_n = k.n_written;
	return rc;
}
