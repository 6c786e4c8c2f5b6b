/* builder/copy.c - the plan of a COPY or ADD, and its key. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/http.h"

#include "builder/add.h"
#include "builder/add_git.h"
#include "builder/context.h"
#include "builder/copy_internal.h"

char *
bld_plan_item_path(const struct bld_copy_plan *p, size_t item)
{
	const struct bld_item *it = &p->items.v[item];

	return bld_path_join(p->picks.v[it->pick].path, it->rel);
}

/* A pick of one file whose bytes are in ${fd}, which it takes. */
static void
add_file_pick(struct bld_copy_plan *p, const char *name, int fd,
	      const struct lay_entry *e)
{
	struct bld_pick *pick = stv_vec_push(&p->picks);
	struct bld_item *it;

	*pick = (struct bld_pick){
		.kind = BLD_PICK_FILE,
		.path = stv_xstrdup(""),
		.base = stv_xstrdup(name),
		.fd = fd,
		.first = p->items.len,
		.n = 1,
	};
	it = stv_vec_push(&p->items);
	*it = (struct bld_item){
		.rel = stv_xstrdup(""),
		.e = *e,
		.leader = NO_ITEM,
		.pick = p->picks.len - 1,
	};
}

static int
add_inline(struct bld_copy_plan *p, const struct bld_copy_inline *in,
	   struct stv_err **err)
{
	stv_auto_fd fd = memfd_create("heredoc", MFD_CLOEXEC);
	struct lay_entry e = {
		.type = LAY_FILE,
		.mode = 0644,
		.size = in->len,
		.mtime_s = p->spec->now_s,
		.mtime_ns = p->spec->now_ns,
		.digest = stv_digest_of(in->data, in->len),
	};

	if (fd < 0 || stv_write_all(fd, in->data, in->len) < 0)
		return stv_fail_errno(err, errno,
				      "cannot keep the here-document '%s'",
				      in->name);
	add_file_pick(p, in->name, stv_steal_fd(&fd), &e);
	return 0;
}

static int
add_url(struct bld_copy_plan *p, const char *url, struct stv_err **err)
{
	struct bld_fetched f = {.fd = -1};
	struct lay_entry e;

	if (!p->spec->is_add) {
		stv_auto_free char *shown = reg_http_redact(url);

		stv_fail(err, STV_E_CHECK, "COPY cannot take the URL '%s'",
			 shown);
		stv_err_hint(*err, "Use ADD for it.");
		return -1;
	}
	if (bld_add_fetch(p->spec->store, p->spec->http, url, &f, err) < 0)
		return -1;
	e = (struct lay_entry){
		.type = LAY_FILE,
		.mode = 0600,
		.size = f.size,
		.mtime_s = f.has_mtime ? f.mtime_s : p->spec->now_s,
		.mtime_ns = f.has_mtime ? 0 : p->spec->now_ns,
		.digest = f.digest,
	};
	add_file_pick(p, f.name, f.fd, &e);
	free(f.name);
	return 0;
}

static int
fill_plan(struct bld_copy_plan *p, struct stv_err **err)
{
	const struct bld_copy_spec *s = p->spec;

	for (size_t i = 0; i < s->srcs.len; i++) {
		const char *src = s->srcs.v[i];
		int rc = bld_add_git(p, src, err);

		if (rc == 0)
			rc = reg_http_is_url(src)
				     ? add_url(p, src, err)
				     : bld_plan_select(p, src, err);
		if (rc < 0)
			return -1;
	}
	for (size_t i = 0; i < s->n_inlines; i++)
		if (add_inline(p, &s->inlines[i], err) < 0)
			return -1;
	return 0;
}

int
bld_copy_plan(const struct bld_copy_spec *spec, struct bld_copy_plan **ret,
	      struct stv_err **err)
{
	stv_auto(bld_copy_plan) *p = stv_xcalloc(1, sizeof(*p));

	p->spec = spec;
	if (spec->view != NULL)
		p->source = p->view_source = bld_source_view(spec->view);
	else if (spec->context != NULL)
		p->source = bld_context_source(spec->context);
	p->dest = bld_path_dest(spec->workdir, spec->dest, &p->is_dest_dir);
	if (fill_plan(p, err) < 0)
		return -1;
	*ret = stv_steal(&p);
	return 0;
}

static void
hash_u64(struct stv_hash *h, uint64_t n)
{
	uint8_t le[8];

	for (size_t i = 0; i < sizeof(le); i++)
		le[i] = (uint8_t)(n >> (8 * i));
	stv_hash_add(h, le, sizeof(le));
}

static void
hash_str(struct stv_hash *h, const char *s)
{
	stv_hash_add_field(h, s, strlen(s));
}

static void
hash_chmod(struct stv_hash *h, const struct bld_chmod *c)
{
	hash_u64(h, c->is_octal);
	hash_u64(h, c->mode);
	hash_u64(h, c->n_clauses);
	for (size_t i = 0; i < c->n_clauses; i++) {
		const struct bld_chmod_clause *k = &c->clauses[i];
		const uint8_t bytes[] = {
			k->who,	      (uint8_t)k->op, (uint8_t)k->copy, k->perm,
			k->is_cond_x, k->is_setid,    k->is_sticky,
		};

		stv_hash_add(h, bytes, sizeof(bytes));
	}
}

static void
hash_rules(struct stv_hash *h, const struct bld_copy_plan *p)
{
	const struct bld_copy_spec *s = p->spec;

	hash_str(h, "stave copy 1");
	hash_u64(h, s->is_add);
	hash_str(h, p->dest);
	hash_u64(h, p->is_dest_dir);
	hash_u64(h, s->has_chown);
	hash_u64(h, s->has_chown ? s->uid : 0);
	hash_u64(h, s->has_chown ? s->gid : 0);
	hash_u64(h, s->has_chmod);
	if (s->has_chmod)
		hash_chmod(h, &s->chmod);
}

/* The directory that a source names is only a place: its attributes stay. */
static bool
is_place(const struct bld_item *it)
{
	return *it->rel == '\0' && it->e.type == LAY_DIR;
}

static void
hash_item(struct stv_hash *h, const struct bld_copy_plan *p,
	  const struct bld_pick *pick, const struct bld_item *it)
{
	const struct lay_entry *e = &it->e;

	hash_str(h, it->rel);
	hash_u64(h, (uint64_t)e->type);
	if (is_place(it))
		return;
	hash_u64(h, e->mode);
	hash_u64(h, p->spec->has_chown ? 0 : e->uid);
	hash_u64(h, p->spec->has_chown ? 0 : e->gid);
	hash_u64(h, e->rdev_major);
	hash_u64(h, e->rdev_minor);
	hash_str(h, e->link != NULL ? e->link : "");
	hash_u64(h, it->leader == NO_ITEM ? 0 : it->leader - pick->first + 1);
	hash_u64(h, e->n_xattrs);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		hash_str(h, e->xattrs[i].name);
		stv_hash_add_field(h, e->xattrs[i].value, e->xattrs[i].len);
	}
	if (e->type == LAY_FILE)
		stv_hash_add(h, e->digest.bytes, sizeof(e->digest.bytes));
}

void
bld_copy_key(const struct bld_copy_plan *plan, struct stv_digest *ret)
{
	stv_auto(stv_hash) *h = stv_hash_new();

	hash_rules(h, plan);
	hash_u64(h, plan->picks.len);
	for (size_t i = 0; i < plan->picks.len; i++) {
		const struct bld_pick *pick = &plan->picks.v[i];
		bool is_dir = plan->items.v[pick->first].e.type == LAY_DIR;

		hash_u64(h, (uint64_t)pick->kind);
		if (pick->git != NULL) {
			bld_git_pick_hash(pick->git, h);
			continue;
		}
		hash_str(h, is_dir ? "" : pick->base);
		hash_u64(h, pick->n);
		for (size_t k = 0; k < pick->n; k++)
			hash_item(h, plan, pick,
				  &plan->items.v[pick->first + k]);
	}
	*ret = stv_hash_end(h);
}

/* All at and below ${path}, as a mount shows it. */
static int
digest_of(const struct bld_copy_spec *spec, const char *path,
	  struct stv_digest *ret, struct stv_err **err)
{
	stv_auto(bld_copy_plan) *p = NULL;
	stv_auto(stv_hash) *h = NULL;
	struct stv_digest key;

	if (bld_copy_plan(spec, &p, err) < 0 || bld_plan_add(p, path, err) < 0)
		return -1;
	/* A mount shows the directory itself, which a copy does not. */
	h = stv_hash_new();
	bld_copy_key(p, &key);
	hash_str(h, "stave bind 1");
	hash_u64(h, p->items.v[0].e.mode);
	hash_u64(h, p->items.v[0].e.uid);
	hash_u64(h, p->items.v[0].e.gid);
	stv_hash_add(h, key.bytes, sizeof(key.bytes));
	*ret = stv_hash_end(h);
	return 0;
}

int
bld_context_digest(struct bld_context *ctx, const char *path,
		   struct stv_digest *ret, struct stv_err **err)
{
	const struct bld_copy_spec spec = {.context = ctx, .dest = "/"};

	return digest_of(&spec, path, ret, err);
}

int
bld_view_digest(struct lay_view *view, const char *path, struct stv_digest *ret,
		struct stv_err **err)
{
	const struct bld_copy_spec spec = {.view = view, .dest = "/"};

	return digest_of(&spec, path, ret, err);
}

size_t
bld_copy_plan_len(const struct bld_copy_plan *plan)
{
	return plan->items.len;
}

void
bld_copy_plan_free(struct bld_copy_plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t i = 0; i < plan->picks.len; i++) {
		struct bld_pick *pick = &plan->picks.v[i];

		free(pick->path);
		free(pick->base);
		bld_git_pick_free(pick->git);
		stv_close_p(&pick->fd);
	}
	for (size_t i = 0; i < plan->items.len; i++)
		bld_plan_item_fini(&plan->items.v[i]);
	for (size_t i = 0; i < plan->fds.len; i++)
		stv_close_p(&plan->fds.v[i]);
	stv_vec_fini(&plan->picks);
	stv_vec_fini(&plan->items);
	stv_vec_fini(&plan->fds);
	bld_source_view_free(plan->view_source);
	free(plan->dest);
	free(plan);
}
