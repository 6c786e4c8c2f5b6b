/* builder/mount_cache.c - RUN --mount=type=cache: which directory it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/cachemount.h"
#include "cache/toc.h"
#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "builder/build_internal.h"
#include "builder/context.h"
#include "builder/mount.h"
#include "builder/source.h"
#include "builder/tree.h"

#define MAX_LABEL ((size_t)2048)
/* How long to wait before asking again for a cache that is locked. */
#define POLL_NS 50000000L

/* Does it begin as an empty directory with attributes of its own? */
static bool
has_attributes(const struct bld_mount *m)
{
	return *m->source == '\0' &&
	       (m->o.has_uid || m->o.has_gid || m->o.has_mode);
}

static uint32_t
mode_of(const struct bld_mount *m)
{
	return m->o.has_mode ? m->o.mode & 0777 : 0755;
}

static void
add_number(struct stv_hash *h, uint64_t n)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++, n >>= 8)
		bytes[i] = (uint8_t)n;
	stv_hash_add(h, bytes, sizeof(bytes));
}

struct stv_digest
bld_mount_cache_name(const struct bld_stage *st, const struct bld_mount *m)
{
	static const char version[] = "stave cache mount 1";
	const char *ns =
		stv_env_get(&st->b->o->build_args, "BUILDKIT_CACHE_MOUNT_NS");
	stv_auto(stv_hash) *h = stv_hash_new();
	const struct oci_config *c = m->config;

	stv_hash_add_field(h, version, strlen(version));
	stv_hash_add_field(h, ns != NULL ? ns : "",
			   ns != NULL ? strlen(ns) : 0);
	stv_hash_add_field(h, m->id, strlen(m->id));
	add_number(h, m->has_from);
	add_number(h, c != NULL ? c->n_diff_ids : 0);
	for (size_t i = 0; c != NULL && i < c->n_diff_ids; i++)
		stv_hash_add(h, c->diff_ids[i].bytes,
			     sizeof(c->diff_ids[i].bytes));
	if (m->context != NULL)
		stv_hash_add(h, m->content.bytes, sizeof(m->content.bytes));
	add_number(h, has_attributes(m));
	if (has_attributes(m)) {
		add_number(h, m->o.uid);
		add_number(h, m->o.gid);
		add_number(h, mode_of(m));
	}
	return stv_hash_end(h);
}

/* What a new one begins with. */
static int
fill(void *arg, int dir, struct stv_err **err)
{
	const struct bld_mount *m = arg;
	struct bld_source *s;
	int r = 0;

	if (has_attributes(m)) {
		if (fchown(dir, m->o.uid, m->o.gid) < 0 ||
		    fchmod(dir, (mode_t)mode_of(m)) < 0)
			return stv_fail_errno(err, errno,
					      "cannot set up a cache mount");
		return 0;
	}
	if (m->context != NULL) {
		(void)pthread_mutex_lock(&m->b->context_lock);
		r = bld_tree_write(bld_context_source(m->context), "", dir, "",
				   err);
		(void)pthread_mutex_unlock(&m->b->context_lock);
	} else if (m->view != NULL) {
		s = bld_source_view(m->view);
		r = bld_tree_write(s, "", dir, "", err);
		bld_source_view_free(s);
	}
	return r < 0 ? stv_wrap(err, "filling the cache mount '%s'", m->id) : 0;
}

/* THREATS A11: found once, and what was found is what is mounted. */
static int
open_source(struct bld_mount *m, struct stv_err **err)
{
	int saved;

	m->fd = stv_fsat_open_in_root(cas_cachemount_fd(m->cache),
				      *m->source == '\0' ? "/" : m->source,
				      O_PATH, 0);
	if (m->fd >= 0)
		return 0;
	saved = errno;
	stv_fail_errno_as(err, STV_E_INPUT, saved,
			  "cannot mount '/%s' of the cache '%s'", m->source,
			  m->id);
	if (saved == ENOENT)
		stv_err_hint(*err, "'source' of a cache names what is in it; "
				   "a new one is empty unless it has 'from'.");
	return -1;
}

/* 0, or 1 where another one holds it. */
static int
take(struct bld_stage *st, struct bld_mount *m, struct stv_err **err)
{
	static const enum cas_sharing sharing[] = {
		[DF_SHARING_SHARED] = CAS_SHARING_SHARED,
		[DF_SHARING_PRIVATE] = CAS_SHARING_PRIVATE,
		[DF_SHARING_LOCKED] = CAS_SHARING_LOCKED,
	};
	stv_auto_buf label = STV_BUF_INIT(MAX_LABEL * 4);
	struct cas_cachemount_opts opts = {
		.name = &m->name,
		.sharing = sharing[m->o.sharing],
		.fill = fill,
		.arg = m,
	};
	size_t n = strlen(m->id);
	int r;

	stv_buf_add_escaped(&label, m->id, n > MAX_LABEL ? MAX_LABEL : n);
	opts.label = stv_buf_str(&label);
	bld_unlock(st->b);
	r = cas_cachemount_take(st->b->o->store, &opts, &m->cache, err);
	bld_lock(st->b);
	return r;
}

static int
wait_for(struct bld_stage *st, struct bld_mount *m, struct stv_err **err)
{
	int r;

	while ((r = take(st, m, err)) == 1) {
		bld_unlock(st->b);
		(void)nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
		bld_lock(st->b);
		if (bld_is_over(st->b))
			return stv_fail(err, STV_E_CANCELLED, "cancelled");
	}
	return r;
}

static int
cmp_name(const void *a, const void *b)
{
	const struct bld_mount *const *x = a, *const *y = b;

	return stv_digest_cmp(&(*x)->name, &(*y)->name);
}

/*
 * In the order of their names, as everybody does: nobody waits in a circle.
 * Two mounts of one cache in one RUN are one.
 */
int
bld_mount_caches(struct bld_mounts *ms, struct stv_err **err)
{
	STV_VEC(struct bld_mount *) all = {0};
	int r = 0;

	for (size_t i = 0; i < ms->list.len; i++)
		if (ms->list.v[i].o.type == DF_MOUNT_CACHE)
			*stv_vec_push(&all) = &ms->list.v[i];
	if (all.len > 0)
		qsort(all.v, all.len, sizeof(struct bld_mount *), cmp_name);
	for (size_t i = 0; r == 0 && i < all.len; i++) {
		if (i > 0 && cmp_name(&all.v[i - 1], &all.v[i]) == 0) {
			all.v[i]->cache = all.v[i - 1]->cache;
			all.v[i]->is_cache_borrowed = true;
		} else {
			r = wait_for(ms->st, all.v[i], err);
		}
		if (r == 0)
			r = open_source(all.v[i], err);
		if (r < 0 && stv_err_code(*err) != STV_E_CANCELLED)
			stv_err_at(*err, all.v[i]->span);
	}
	stv_vec_fini(&all);
	return r;
}
