/* builder/mount_ready.c - RUN --mount: all that is there while it runs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/cachemount.h"
#include "cache/store.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "builder/build_internal.h"
#include "builder/mount.h"
#include "builder/ssh_proxy.h"

/* ---- secrets -------------------------------------------------------------*/

static const struct bld_secret *
find_secret(const struct bld_opts *o, const char *id)
{
	for (size_t i = 0; i < o->n_secrets; i++)
		if (strcmp(o->secrets[i].id, id) == 0)
			return &o->secrets[i];
	return NULL;
}

static int
set_variable(const struct bld_mount *m, const struct bld_secret *s,
	     struct stv_strs *env, struct stv_err **err)
{
	char *value;

	if (s != NULL && memchr(s->data, '\0', s->len) != NULL)
		return stv_fail(err, STV_E_INPUT,
				"the secret '%s' holds a NUL byte and cannot "
				"be a variable",
				m->id);
	value = s == NULL ? stv_xstrdup("") : stv_xstrndup(s->data, s->len);
	stv_env_set(env, m->o.env, value);
	explicit_bzero(value, strlen(value));
	free(value);
	return 0;
}

/* 1: there is something to mount. */
static int
ready_secret(struct bld_stage *st, struct bld_mount *m, struct sbx_mount *ret,
	     struct stv_strs *env, struct stv_err **err)
{
	const struct bld_secret *s = find_secret(st->b->o, m->id);

	if (s == NULL && m->o.is_required) {
		stv_fail(err, STV_E_INPUT, "the secret '%s' was not given",
			 m->id);
		stv_err_hint(*err, "Build with --secret id=%s,src=FILE.",
			     m->id);
		return -1;
	}
	if (m->o.env != NULL && set_variable(m, s, env, err) < 0)
		return -1;
	if (s == NULL || m->target == NULL)
		return 0;
	ret->kind = SBX_MOUNT_FILE;
	ret->data = s->data;
	ret->data_len = s->len;
	ret->mode = m->o.has_mode ? m->o.mode & 0777 : 0400;
	ret->uid = m->o.uid;
	ret->gid = m->o.gid;
	return 1;
}

/* ---- agents --------------------------------------------------------------*/

static const struct bld_ssh *
find_agent(const struct bld_opts *o, const char *id)
{
	for (size_t i = 0; i < o->n_ssh; i++)
		if (strcmp(o->ssh[i].id, id) == 0)
			return &o->ssh[i];
	return NULL;
}

static int
ready_ssh(struct bld_stage *st, struct bld_mount *m, struct sbx_mount *ret,
	  struct stv_strs *env, struct stv_err **err)
{
	const struct bld_ssh *s = find_agent(st->b->o, m->id);
	struct bld_ssh_proxy_opts opts = {
		.mode = m->o.has_mode ? m->o.mode & 0777 : 0600,
		.uid = m->o.uid,
		.gid = m->o.gid,
	};

	/* As BuildKit: also where there is no agent. */
	if (stv_env_get(env, "SSH_AUTH_SOCK") == NULL)
		stv_env_set(env, "SSH_AUTH_SOCK", m->target);
	if (s == NULL && !m->o.is_required)
		return 0;
	if (s == NULL) {
		stv_fail(err, STV_E_INPUT, "the ssh agent '%s' was not given",
			 m->id);
		stv_err_hint(*err, "Build with --ssh %s.", m->id);
		return -1;
	}
	opts.agent = s->socket;
	if (bld_ssh_proxy_start(st->b->o->store, &opts, &m->proxy, err) < 0)
		return -1;
	ret->kind = SBX_MOUNT_BIND;
	ret->source_fd = bld_ssh_proxy_fd(m->proxy);
	ret->is_readonly = false;
	return 1;
}

/* ---- all -----------------------------------------------------------------*/

/* 1: *ret is to be mounted; 0: there is nothing. */
static int
ready_one(struct bld_stage *st, struct bld_mount *m, struct sbx_mount *ret,
	  struct stv_strs *env, struct stv_err **err)
{
	*ret = (struct sbx_mount){.target = m->target,
				  .source_fd = -1,
				  .is_readonly = m->o.is_readonly};
	switch (m->o.type) {
	case DF_MOUNT_BIND:
		return bld_mount_bind(st, m, ret, err) < 0 ? -1 : 1;
	case DF_MOUNT_CACHE:
		ret->kind = SBX_MOUNT_BIND;
		ret->source_fd = m->fd;
		return 1;
	case DF_MOUNT_TMPFS:
		ret->kind = SBX_MOUNT_TMPFS;
		ret->size_bytes = m->o.size_bytes;
		return 1;
	case DF_MOUNT_SECRET:
		return ready_secret(st, m, ret, env, err);
	case DF_MOUNT_SSH:
		return ready_ssh(st, m, ret, env, err);
	}
	return 0;
}

int
bld_mounts_ready(struct bld_mounts *ms, struct stv_strs *env,
		 struct stv_err **err)
{
	for (size_t i = 0; i < ms->list.len; i++)
		if (bld_mount_open(ms, &ms->list.v[i], err) < 0)
			return -1;
	/* Copies first: nobody waits for a cache meanwhile. */
	for (size_t i = 0; i < ms->list.len; i++) {
		struct bld_mount *m = &ms->list.v[i];
		struct sbx_mount ready;
		int r;

		if (m->o.type == DF_MOUNT_CACHE)
			continue;
		r = ready_one(ms->st, m, &ready, env, err);
		if (r < 0 && stv_err_code(*err) != STV_E_CANCELLED)
			stv_err_at(*err, m->span);
		if (r < 0)
			return -1;
		if (r == 1)
			*stv_vec_push(&ms->ready) = ready;
	}
	if (bld_mount_caches(ms, err) < 0)
		return -1;
	for (size_t i = 0; i < ms->list.len; i++) {
		struct bld_mount *m = &ms->list.v[i];
		struct sbx_mount ready;

		if (m->o.type == DF_MOUNT_CACHE &&
		    ready_one(ms->st, m, &ready, env, err) == 1)
			*stv_vec_push(&ms->ready) = ready;
	}
	return 0;
}

void
bld_mounts_end(struct bld_mounts *ms)
{
	for (size_t i = 0; i < ms->list.len; i++) {
		struct bld_mount *m = &ms->list.v[i];
		struct bld_build *b = ms->st->b;
		struct stv_err *e = NULL;

		bld_unlock(b);
		stv_close_p(&m->fd);
		m->fd = -1;
		if (!m->is_cache_borrowed)
			cas_cachemount_release(m->cache);
		m->cache = NULL;
		bld_ssh_proxy_stop(stv_steal(&m->proxy));
		if (m->overlay.store != NULL)
			bld_overlay_fini(&m->overlay);
		if (m->copy != NULL &&
		    stv_fsat_remove_tree(cas_store_rootfd(b->o->store), m->copy,
					 &e) < 0)
			stv_err_clear(&e); /* the next command cleans tmp/ */
		free(stv_steal(&m->copy));
		bld_lock(b);
	}
	ms->ready.len = 0;
}
