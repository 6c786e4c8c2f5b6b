/* cache/toc_save.c - a table of contents that was made, as a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/crc64.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cache/store.h"
#include "cache/toc_build.h"
#include "cache/toc_format.h"

/* The parts of the file as they grow. */
struct render {
	struct lay_toc_builder *b;
	STV_VEC(struct toc_rec) recs;
	STV_VEC(struct toc_xattr) xattrs;
	struct stv_buf strings;
	struct stv_buf path; /* of the directory being written */
};

static uint64_t
put_bytes(struct render *r, const void *p, size_t n)
{
	uint64_t at = r->strings.len;

	stv_buf_add(&r->strings, p, n);
	stv_buf_addc(&r->strings, '\0');
	return at;
}

static uint64_t
put_str(struct render *r, const char *s)
{
	return put_bytes(r, s, strlen(s));
}

/* One record; its path is what r->path holds. */
static void
put_entry(struct render *r, const struct lay_entry *e)
{
	struct toc_rec *t = stv_vec_push(&r->recs);

	t->path = put_bytes(r, stv_buf_str(&r->path), r->path.len);
	t->type = e->type;
	if (e->link != NULL)
		t->link = put_str(r, e->link);
	t->size = e->type == LAY_FILE ? e->size : 0;
	t->offset = e->offset;
	t->mtime_s = e->mtime_s;
	t->mtime_ns = e->mtime_ns;
	t->mode = e->mode;
	t->uid = e->uid;
	t->gid = e->gid;
	t->rdev_major = e->rdev_major;
	t->rdev_minor = e->rdev_minor;
	t->is_sparse = e->is_sparse;
	memcpy(t->digest, e->digest.bytes, sizeof(t->digest));
	t->xattr = (uint32_t)r->xattrs.len;
	t->n_xattrs = (uint32_t)e->n_xattrs;
	for (size_t i = 0; i < e->n_xattrs; i++) {
		struct toc_xattr *x = stv_vec_push(&r->xattrs);

		x->name = put_str(r, e->xattrs[i].name);
		x->value = put_bytes(r, e->xattrs[i].value, e->xattrs[i].len);
		x->len = e->xattrs[i].len;
	}
}

/* The second name of a file is a hard link to the first. */
static void
put_node_entry(struct render *r, struct toc_ent *ent)
{
	struct lay_entry link = ent->e;

	if (ent->e.type != LAY_FILE || ent->rec == 0) {
		put_entry(r, &ent->e);
		ent->rec = r->recs.len;
		return;
	}
	link.type = LAY_HARDLINK;
	put_entry(r, &link);
	r->recs.v[r->recs.len - 1].link = r->recs.v[ent->rec - 1].path;
}

/* All records of one node itself. */
static void
put_node(struct render *r, const struct toc_node *n)
{
	static const struct lay_entry white = {.type = LAY_WHITEOUT};
	static const struct lay_entry opaque = {.type = LAY_OPAQUE};
	static const struct lay_entry fresh = {.type = LAY_DIR, .mode = 0755};
	bool is_dir = n->dir_id != 0;

	if (!n->has_ent && !is_dir) {
		if (n->is_white)
			put_entry(r, &white);
		return;
	}
	if (n->has_ent)
		put_node_entry(r, &r->b->ents.v[n->ent]);
	else if (n->is_white)
		put_entry(r, &fresh); /* not what the deleted one was like */
	/* A whiteout acts on what lies below only, in whatever order the two
	 * came (B07): a directory beside its own whiteout is an opaque one. */
	if (is_dir && (n->is_opaque || n->is_white))
		put_entry(r, &opaque);
}

static int
cmp_nodes(const void *a, const void *b)
{
	const struct toc_node *x = *(struct toc_node *const *)a;
	const struct toc_node *y = *(struct toc_node *const *)b;

	if (x->in_dir != y->in_dir)
		return x->in_dir < y->in_dir ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The children of each directory: order.v[first[id]] up to first[id + 1]. */
struct order {
	struct toc_node **v;
	size_t *first;
};

static void
order_init(struct order *o, struct lay_toc_builder *b)
{
	size_t n = b->nodes.len - 1, id = 0;

	o->v = stv_xcalloc(n + 1, sizeof(struct toc_node *));
	o->first = stv_xcalloc((size_t)b->n_dirs + 2, sizeof(*o->first));
	for (size_t i = 0; i < n; i++)
		o->v[i] = &b->nodes.v[i + 1];
	qsort(o->v, n, sizeof(struct toc_node *), cmp_nodes);
	for (size_t i = 0; i < n; i++)
		while (id <= o->v[i]->in_dir)
			o->first[id++] = i;
	while (id <= (size_t)b->n_dirs + 1)
		o->first[id++] = n;
}

struct level {
	size_t next;
	size_t end;
	size_t path_len;
};

/* Depth first, so that the records come out in lay_path_cmp() order. */
static void
put_tree(struct render *r, const struct order *o)
{
	const struct toc_node *root = &r->b->nodes.v[0];
	STV_VEC(struct level) stack = {0};

	put_node(r, root);
	*stv_vec_push(&stack) = (struct level){o->first[root->dir_id],
					       o->first[root->dir_id + 1], 0};
	while (stack.len > 0) {
		struct level *top = &stack.v[stack.len - 1];
		const struct toc_node *n;

		stv_buf_truncate(&r->path, top->path_len);
		if (top->next == top->end) {
			stack.len--;
			continue;
		}
		n = o->v[top->next++];
		if (r->path.len > 0)
			stv_buf_addc(&r->path, '/');
		stv_buf_adds(&r->path, n->name);
		put_node(r, n);
		if (n->dir_id != 0)
			*stv_vec_push(&stack) = (struct level){
				o->first[n->dir_id], o->first[n->dir_id + 1],
				r->path.len};
	}
	stv_vec_fini(&stack);
}

static void
put_file(struct render *r, struct stv_buf *ret)
{
	struct toc_head h = {.magic = TOC_MAGIC};
	size_t at = ret->len;

	h.n_entries = r->recs.len;
	h.n_xattrs = r->xattrs.len;
	h.n_strings = r->strings.len;
	lay_boot_id(h.boot_id);
	stv_buf_add(ret, &h, sizeof(h));
	stv_buf_add(ret, r->recs.v, r->recs.len * sizeof(r->recs.v[0]));
	stv_buf_add(ret, r->xattrs.v, r->xattrs.len * sizeof(r->xattrs.v[0]));
	stv_buf_add(ret, stv_buf_str(&r->strings), r->strings.len);
	if (ret->is_over)
		return;
	h.body_crc = crc64_ecma_refl(
		0, (const unsigned char *)ret->data + at + sizeof(h),
		ret->len - at - sizeof(h));
	h.head_crc = crc64_ecma_refl(0, (const unsigned char *)&h,
				     offsetof(struct toc_head, head_crc));
	memcpy(ret->data + at, &h, sizeof(h));
}

int
lay_toc_builder_render(struct lay_toc_builder *b, struct stv_buf *ret,
		       struct stv_err **err)
{
	struct render r = {.b = b};
	struct order o;
	int result = 0;

	r.strings = STV_BUF_INIT(TOC_MAX_STRINGS);
	r.path = STV_BUF_INIT(STV_MAX_PATH);
	for (size_t i = 0; i < b->ents.len; i++)
		b->ents.v[i].rec = 0;
	order_init(&o, b);
	put_tree(&r, &o);
	if (stv_buf_check(&r.path, "a path in the layer", err) < 0 ||
	    stv_buf_check(&r.strings, "the layer's table of contents", err) < 0)
		result = -1;
	if (result == 0) {
		put_file(&r, ret);
		result = stv_buf_check(ret, "the layer's table of contents",
				       err);
	}
	free(o.v);
	free(o.first);
	stv_vec_fini(&r.recs);
	stv_vec_fini(&r.xattrs);
	stv_buf_fini(&r.strings);
	stv_buf_fini(&r.path);
	return result;
}

int
lay_toc_builder_save(struct lay_toc_builder *b, struct cas_store *store,
		     const struct stv_digest *diff_id, struct stv_err **err)
{
	stv_auto_buf file = STV_BUF_INIT(SIZE_MAX / 2);
	char hex[STV_DIGEST_STR_MAX], path[STV_DIGEST_STR_MAX + 8];
	int rootfd = cas_store_rootfd(store);

	if (lay_toc_builder_render(b, &file, err) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "toc/%s",
		       stv_digest_hex(diff_id, hex));
	if (stv_fsat_mkdirs(rootfd, "toc", 0700, err) < 0)
		return -1;
	return stv_fsat_replace(rootfd, path, file.data, file.len, 0600, false,
				err);
}
