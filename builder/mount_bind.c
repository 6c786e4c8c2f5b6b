/*
 * builder/mount_bind.c - RUN --mount=type=bind: from the context, a stage or
 * an image.
 *
 * Nothing that a command writes reaches the context or a layer (THREATS A14):
 * either the mount is read-only, or it is over an upper directory, or of a
 * copy, that are thrown away.  A context is bound as it is where nothing in it
 * would look other than BuildKit shows it, or by a map of its one owner to
 * root; else a copy shows what is selected: all owned by root, without what the
 * ignore file names, without sockets.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/store.h"
#include "cache/toc.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/strs.h"

#include "builder/build_internal.h"
#include "builder/context.h"
#include "builder/copy.h"
#include "builder/mount.h"
#include "builder/source.h"
#include "builder/tree.h"

/* ---- what it shows -------------------------------------------------------*/

/* As in copy_step.c: the context belongs to one thread at a time. */
static void
begin_work(const struct bld_mount *m)
{
	bld_unlock(m->b);
	if (m->context != NULL)
		(void)pthread_mutex_lock(&m->b->context_lock);
}

static void
end_work(const struct bld_mount *m)
{
	if (m->context != NULL)
		(void)pthread_mutex_unlock(&m->b->context_lock);
	bld_lock(m->b);
}

int
bld_mount_digest(const struct bld_mount *m, const char *path,
		 struct stv_digest *ret, struct stv_err **err)
{
	int r;

	if (m->view == NULL && m->context == NULL)
		return stv_fail(err, STV_E_INPUT,
				"there is no build context to mount");
	begin_work(m);
	r = m->context != NULL ? bld_context_digest(m->context, path, ret, err)
			       : bld_view_digest(m->view, path, ret, err);
	end_work(m);
	return r;
}

int
bld_mounts_is_same(struct bld_mounts *ms, struct stv_err **err)
{
	for (size_t i = 0; i < ms->list.len; i++) {
		const struct bld_mount *m = &ms->list.v[i];
		struct stv_digest now;

		if (m->o.type != DF_MOUNT_BIND || m->context == NULL)
			continue;
		if (bld_mount_digest(m, m->source, &now, err) < 0) {
			/* What went away is another content, too. */
			if (stv_err_code(*err) != STV_E_INPUT)
				return -1;
			stv_err_clear(err);
			return 0;
		}
		if (stv_digest_cmp(&now, &m->content) != 0)
			return 0;
	}
	return 1;
}

/* ---- from the context ----------------------------------------------------*/

/* The directories that are still to be looked at. */
struct look {
	struct bld_context *ctx;
	struct stv_strs todo;
	uid_t uid; /* of all of them */
	gid_t gid;
	size_t n_visible; /* in the one that is looked at */
};

static bool
is_plain(const struct look *l, const struct stat *st)
{
	return st->st_uid == l->uid && st->st_gid == l->gid &&
	       (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) ||
		S_ISLNK(st->st_mode));
}

static int
count_name(void *arg, const char *name, const struct bld_src_entry *ent,
	   struct stv_err **err)
{
	struct look *l = arg;

	(void)name;
	(void)ent;
	(void)err;
	l->n_visible++;
	return 0;
}

/* 1: all names of the directory ${path} are shown, and plain; 0 or -1. */
static int
look_at_names(struct look *l, const char *path, int fd, struct stv_err **err)
{
	struct bld_source *s = bld_context_source(l->ctx);
	DIR *dir = fdopendir(fd);
	struct dirent *de;
	size_t n = 0;
	int r = 1;

	if (dir == NULL) {
		(void)close(fd);
		return 0;
	}
	while (r == 1 && (de = readdir(dir)) != NULL) {
		struct stat st;

		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		n++;
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !is_plain(l, &st))
			r = 0;
		else if (S_ISDIR(st.st_mode))
			stv_strs_take(&l->todo,
				      bld_path_join(path, de->d_name));
	}
	(void)closedir(dir);
	l->n_visible = 0;
	if (r == 1 && s->list(s, path, count_name, l, err) < 0)
		return -1;
	return r == 1 && l->n_visible == n;
}

/*
 * Does the kernel show at ${fd}, which is ${path}, and below what the context
 * shows, but for the owner?  1 with *top, 0 or -1.
 */
static int
is_as_it_is(struct bld_context *ctx, const char *path, int top_fd,
	    struct stat *top, struct stv_err **err)
{
	struct look l = {.ctx = ctx};
	int r = 1;

	if (fstat(top_fd, top) < 0)
		return 0;
	l.uid = top->st_uid;
	l.gid = top->st_gid;
	stv_strs_add(&l.todo, path);
	while (r == 1 && l.todo.len > 0) {
		stv_auto_free char *at = l.todo.v[--l.todo.len];
		struct stat st;
		int fd;

		l.todo.v[l.todo.len] = NULL;
		fd = stv_fsat_open_nolinks(bld_context_fd(ctx),
					   *at == '\0' ? "." : at,
					   O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
		if (fd < 0 || fstat(fd, &st) < 0 || !is_plain(&l, &st))
			r = 0;
		else if (S_ISDIR(st.st_mode)) {
			r = look_at_names(&l, at, fd, err);
			continue;
		}
		stv_close_p(&fd);
	}
	stv_strs_clear(&l.todo);
	return r;
}

/* A copy of ${path} in the store's tmp/. */
static int
copy_context(struct bld_mount *m, const char *path, struct stv_err **err)
{
	stv_auto_fd dir = -1;

	if (cas_store_tmpdir(m->b->o->store, &m->copy, &dir, err) < 0)
		return -1;
	if (bld_tree_write(bld_context_source(m->context), path, dir, "copy",
			   err) < 0)
		return stv_wrap(err, "copying the context for a mount");
	m->fd = openat(dir, "copy", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return m->fd < 0 ? stv_fail_errno(err, errno,
					  "cannot open the copy of "
					  "the context")
			 : 0;
}

/* 1: m->fd is the context itself; 0: only a copy will do. */
static int
open_as_it_is(struct bld_context *ctx, struct bld_mount *m, const char *path,
	      struct stv_err **err)
{
	stv_auto_fd fd = stv_fsat_open_nolinks(
		bld_context_fd(ctx), *path == '\0' ? "." : path, O_PATH, 0);
	struct stat st;
	int r = fd < 0 ? 0 : is_as_it_is(ctx, path, fd, &st, err);

	if (r != 1)
		return r;
	if (st.st_uid == 0 && st.st_gid == 0) {
		m->fd = stv_steal_fd(&fd);
		return 1;
	}
	/* All of one owner: BuildKit shows it as root's. */
	m->fd = sbx_idmapped(fd, st.st_uid, st.st_gid);
	m->is_tree = m->fd >= 0;
	return m->is_tree;
}

static int
open_context(struct bld_mount *m, struct stv_err **err)
{
	struct bld_context *ctx = m->context;
	struct bld_source *s = bld_context_source(ctx);
	stv_auto_free char *real = NULL;
	struct bld_src_entry ent;
	int r = bld_source_resolve(s, m->source, &real, &ent, err);

	if (r == 0)
		return stv_fail(err, STV_E_INPUT,
				"'/%s' went away from the build context",
				m->source);
	if (r == 1)
		r = m->o.is_readonly ? open_as_it_is(ctx, m, real, err) : 0;
	return r == 0 ? copy_context(m, real, err) : r < 0 ? -1 : 0;
}

/* ---- all -----------------------------------------------------------------*/

static int
bind_layers(struct bld_stage *st, struct bld_mount *m, struct sbx_mount *ret,
	    struct stv_err **err)
{
	const struct oci_config *c = m->config;

	if (bld_overlay_init(&m->overlay, st->b->o->store,
			     c != NULL ? c->diff_ids : NULL,
			     c != NULL ? c->n_diff_ids : 0, m->view,
			     m->o.is_readonly, err) < 0)
		return -1;
	ret->kind = SBX_MOUNT_OVERLAY;
	ret->lower_dirs = (const char *const *)m->overlay.lowers.v;
	ret->n_lowers = m->overlay.lowers.len;
	ret->upper = m->overlay.upper;
	ret->work = m->overlay.work;
	ret->source = *m->source == '\0' ? "/" : m->source;
	return 0;
}

int
bld_mount_bind(struct bld_stage *st, struct bld_mount *m, struct sbx_mount *ret,
	       struct stv_err **err)
{
	int r;

	begin_work(m);
	r = m->context != NULL ? open_context(m, err)
			       : bind_layers(st, m, ret, err);
	end_work(m);
	ret->source_fd = m->fd;
	ret->is_tree = m->is_tree;
	return r;
}
