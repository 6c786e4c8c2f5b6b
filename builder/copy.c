/* builder/copy.c - the plan of a COPY or ADD, and its key. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "parser/ignore.h"
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

/* "sha256:<hex>" of --checksum. */
static int
parse_checksum(const struct bld_copy_spec *s, struct stv_digest *ret,
	       struct stv_err **err)
{
	if (stv_digest_parse(s->checksum, ret, err) == 0)
		return 0;
	stv_err_clear(err);
	stv_fail(err, STV_E_CHECK, "invalid value '%s' of --checksum",
		 s->checksum);
	stv_err_hint(*err, "Write sha256: and 64 hexadecimal digits in lower "
			   "case, as sha256sum prints them.");
	return -1;
}

/* What is at ${url}, in ${f}, or what a --checksum promises of it. */
static void
add_fetched(struct bld_copy_plan *p, const char *url,
	    const struct bld_fetched *f)
{
	const struct bld_copy_spec *s = p->spec;
	struct lay_entry e = {
		.type = LAY_FILE,
		.mode = 0600,
		.size = f->size,
		.mtime_s = f->has_mtime ? f->mtime_s : s->now_s,
		.mtime_ns = f->has_mtime ? 0 : s->now_ns,
		.digest = f->digest,
	};
	struct bld_pick *pick;

	add_file_pick(p, f->name, f->fd, &e);
	pick = &p->picks.v[p->picks.len - 1];
	pick->is_archive_ok = s->unpack == BLD_UNPACK_ALL;
	if (f->fd < 0)
		pick->url = stv_xstrdup(url);
}

static int
add_url(struct bld_copy_plan *p, const char *url, struct stv_err **err)
{
	const struct bld_copy_spec *s = p->spec;
	struct bld_fetched f = {.fd = -1};
	int rc = 0;

	if (!s->is_add) {
		stv_auto_free char *shown = reg_http_redact(url);

		stv_fail(err, STV_E_CHECK, "COPY cannot take the URL '%s'",
			 shown);
		stv_err_hint(*err, "Use ADD for it.");
		return -1;
	}
	if (s->checksum == NULL)
		rc = bld_add_fetch(s->store, s->http, url, &f, err);
	else if (parse_checksum(s, &f.digest, err) < 0)
		rc = -1;
	else
		f.name = reg_http_url_name(url);
	if (rc < 0)
		return -1;
	add_fetched(p, url, &f);
	free(f.name);
	return 0;
}

static int
not_promised(const char *url, const struct stv_digest *got,
	     const struct stv_digest *want, struct stv_err **err)
{
	stv_auto_free char *shown = reg_http_redact(url);
	char got_str[STV_DIGEST_STR_MAX], want_str[STV_DIGEST_STR_MAX];

	stv_fail(err, STV_E_DIGEST,
		 "what '%s' gives is %s, not %s as --checksum says", shown,
		 stv_digest_str(got, got_str), stv_digest_str(want, want_str));
	stv_err_hint(*err, "If the new content is what you want, write its "
			   "digest into the Dockerfile.");
	return -1;
}

int
bld_plan_fetch(struct bld_copy_plan *p, struct stv_err **err)
{
	for (size_t i = 0; i < p->picks.len; i++) {
		struct bld_pick *pick = &p->picks.v[i];
		struct lay_entry *e = &p->items.v[pick->first].e;
		struct bld_fetched f = {.fd = -1};

		if (pick->url == NULL || pick->fd >= 0)
			continue;
		if (bld_add_fetch(p->spec->store, p->spec->http, pick->url, &f,
				  err) < 0)
			return -1;
		free(f.name);
		pick->fd = f.fd;
		if (!stv_digest_equal(&f.digest, &e->digest))
			return not_promised(pick->url, &f.digest, &e->digest,
					    err);
		e->size = f.size;
		if (f.has_mtime) {
			e->mtime_s = f.mtime_s;
			e->mtime_ns = 0;
		}
	}
	return 0;
}

static int
fill_plan(struct bld_copy_plan *p, struct stv_err **err)
{
	const struct bld_copy_spec *s = p->spec;

	if (s->checksum != NULL && s->srcs.len != 1) {
		stv_fail(err, STV_E_CHECK, "--checksum is for one source");
		stv_err_hint(*err, "Write an ADD for each source.");
		return -1;
	}
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
bld_plan_exclude(struct bld_copy_plan *p, struct stv_err **err)
{
	if (p->spec->excludes.len > 0 &&
	    df_ignore_from_patterns(&p->spec->excludes, &p->exclude, err) < 0)
		return stv_wrap(err, "--exclude");
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
	if (bld_plan_exclude(p, err) < 0 || fill_plan(p, err) < 0)
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
	hash_u64(h, c->n_cmds);
	for (size_t i = 0; i < c->n_cmds; i++) {
		const struct bld_chmod_cmd *k = &c->cmds[i];
		const uint8_t bytes[] = {(uint8_t)k->op, (uint8_t)k->copy,
					 k->is_cond};

		stv_hash_add(h, bytes, sizeof(bytes));
		hash_u64(h, k->bits);
	}
}

static void
hash_rules(struct stv_hash *h, const struct bld_copy_spec *s, const char *dest,
	   bool is_dest_dir)
{
	hash_str(h, "stave copy 1");
	hash_u64(h, s->is_add);
	hash_str(h, dest);
	hash_u64(h, is_dest_dir);
	hash_u64(h, s->has_chown);
	hash_u64(h, s->has_chown ? s->uid : 0);
	hash_u64(h, s->has_chown ? s->gid : 0);
	hash_u64(h, s->has_chmod);
	if (s->has_chmod)
		hash_chmod(h, &s->chmod);
}

void
bld_copy_rules(const struct bld_copy_spec *spec, struct stv_digest *ret)
{
	stv_auto(stv_hash) *h = stv_hash_new();
	bool is_dest_dir;
	stv_auto_free char *dest =
		bld_path_dest(spec->workdir, spec->dest, &is_dest_dir);

	hash_rules(h, spec, dest, is_dest_dir);
	*ret = stv_hash_end(h);
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
	hash_u64(h, (uint64_t)e->type | (uint64_t)it->is_passed << 8);
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

	hash_rules(h, plan->spec, plan->dest, plan->is_dest_dir);
	hash_u64(h, plan->picks.len);
	for (size_t i = 0; i < plan->picks.len; i++) {
		const struct bld_pick *pick = &plan->picks.v[i];
		bool is_dir = plan->items.v[pick->first].e.type == LAY_DIR;

		hash_u64(h, (uint64_t)pick->kind | (uint64_t)pick->is_archive_ok
							   << 8);
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
		free(pick->url);
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
	df_ignore_free(plan->exclude);
	free(plan->dest);
	free(plan);
}
