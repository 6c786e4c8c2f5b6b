/* builder/copy_write.c - a plan of COPY or ADD becomes a layer. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "builder/add.h"
#include "builder/add_git.h"
#include "builder/copy_internal.h"
#include "builder/delta.h"

/* Where a plan is being put. */
struct place {
	struct bld_copy_plan *p;
	struct bld_delta *d;
	struct lay_entry dir; /* what a directory made on the way is like */
	size_t *groups;	      /* by item: its number in ${d} as a hard link */
};

/*
 * Directories on the way get --chown, and --chmod where that is octal
 * (DOCKERFILE.md, COPY).
 */
static struct lay_entry
made_dir(const struct bld_copy_spec *s)
{
	bool has_mode = s->has_chmod && s->chmod.is_octal;

	return (struct lay_entry){
		.type = LAY_DIR,
		.mode = has_mode ? s->chmod.mode : 0755,
		.uid = s->has_chown ? s->uid : 0,
		.gid = s->has_chown ? s->gid : 0,
		.mtime_s = s->now_s,
		.mtime_ns = s->now_ns,
	};
}

static size_t
parent_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path);
}

/* Follow the links of ${path}, then make the directories it names. */
static int
ensure_dirs(struct place *pl, const char *path, struct stv_err **err)
{
	stv_auto_free char *real = NULL;
	struct lay_entry e;

	if (bld_delta_resolve(pl->d, path, true, &real, &e, err) < 0)
		return -1;
	return bld_delta_mkdirs(pl->d, real, &pl->dir, err);
}

static int
ensure_parent(struct place *pl, const char *path, struct stv_err **err)
{
	stv_auto_free char *parent = stv_xstrndup(path, parent_len(path));

	return ensure_dirs(pl, parent, err);
}

/* The item as it will be: --chown and --chmod done. */
static struct lay_entry
dressed(const struct bld_copy_spec *s, const struct lay_entry *from)
{
	struct lay_entry e = *from;

	if (s->has_chown) {
		e.uid = s->uid;
		e.gid = s->gid;
	}
	if (s->has_chmod && e.type != LAY_SYMLINK)
		e.mode = bld_chmod_apply(&s->chmod, e.mode, e.type == LAY_DIR);
	return e;
}

/* The number in the delta of the hard links of item ${i}, 0 for none. */
static size_t
group_of(struct place *pl, size_t i)
{
	size_t leader = pl->p->items.v[i].leader;

	if (leader == NO_ITEM)
		return pl->groups[i];
	return pl->groups[leader];
}

/* Give all leaders of the pick a number before the first one is put. */
static void
number_links(struct place *pl, const struct bld_pick *pick)
{
	for (size_t i = pick->first; i < pick->first + pick->n; i++) {
		size_t leader = pl->p->items.v[i].leader;

		if (leader != NO_ITEM && pl->groups[leader] == 0)
			pl->groups[leader] = bld_delta_group(pl->d);
	}
}

/* Put item ${i} at ${path}, whose parent is there and holds no link. */
static int
put_item(struct place *pl, const struct bld_pick *pick, size_t i,
	 const char *path, struct stv_err **err)
{
	const struct bld_item *it = &pl->p->items.v[i];
	struct lay_entry e = dressed(pl->p->spec, &it->e), old;
	struct bld_body body = {
		.fd = pick->kind == BLD_PICK_FILE ? pick->fd : -1,
		.item = i,
	};
	int is_there = bld_delta_lookup(pl->d, path, &old);

	if (is_there == 1 && e.type == LAY_DIR && old.type != LAY_DIR) {
		stv_fail(err, STV_E_INPUT,
			 "cannot copy a directory to '/%s', which is %s", path,
			 old.type == LAY_SYMLINK ? "a link" : "a file");
		return -1;
	}
	if (is_there == 1 && e.type != LAY_DIR && old.type == LAY_DIR)
		return stv_fail(err, STV_E_INPUT,
				"cannot replace the directory '/%s' by a file",
				path);
	return bld_delta_put(pl->d, path, &e, body, group_of(pl, i), err);
}

/*
 * A directory on the way to what was selected: BuildKit gives one that is there
 * the source's mode, without --chmod, and nothing else.
 */
static int
put_passed(struct place *pl, const struct bld_pick *pick, size_t i,
	   const char *path, struct stv_err **err)
{
	const struct bld_item *it = &pl->p->items.v[i];
	struct bld_body body = {.fd = -1};
	struct lay_entry old;

	if (bld_delta_lookup(pl->d, path, &old) == 1 && old.type == LAY_DIR) {
		old.mode = it->e.mode;
		return bld_delta_put(pl->d, path, &old, body, 0, err);
	}
	if (put_item(pl, pick, i, path, err) < 0)
		return -1;
	/* It was changed when its entries were made. */
	bld_delta_set_mtime(pl->d, path, pl->dir.mtime_s, pl->dir.mtime_ns);
	return 0;
}

/* What is in a directory goes into the directory ${dest}. */
static int
put_tree(struct place *pl, const struct bld_pick *pick, const char *dest,
	 struct stv_err **err)
{
	const struct lay_entry *top = &pl->p->items.v[pick->first].e;
	struct lay_entry e;

	if (bld_delta_lookup(pl->d, dest, &e) == 1 && e.type != LAY_DIR)
		return stv_fail(err, STV_E_INPUT,
				"cannot copy a directory to '/%s', which is no "
				"directory",
				dest);
	if (bld_delta_mkdirs(pl->d, dest, &pl->dir, err) < 0)
		return -1;
	number_links(pl, pick);
	for (size_t i = pick->first + 1; i < pick->first + pick->n; i++) {
		const struct bld_item *it = &pl->p->items.v[i];
		stv_auto_free char *path = bld_path_join(dest, it->rel);
		int rc = it->is_passed ? put_passed(pl, pick, i, path, err)
				       : put_item(pl, pick, i, path, err);

		if (rc < 0)
			return -1;
	}
	if (bld_delta_is_made(pl->d, dest))
		bld_delta_set_mtime(pl->d, dest, top->mtime_s, top->mtime_ns);
	return 0;
}

/* A file goes to ${dest}, or into it where that is a directory. */
static int
put_file(struct place *pl, const struct bld_pick *pick, const char *dest,
	 struct stv_err **err)
{
	struct lay_entry e;
	bool is_in =
		bld_delta_lookup(pl->d, dest, &e) == 1 && e.type == LAY_DIR;
	stv_auto_free char *path =
		is_in ? bld_path_join(dest, pick->base) : stv_xstrdup(dest);

	if (ensure_parent(pl, path, err) < 0)
		return -1;
	return put_item(pl, pick, pick->first, path, err);
}

/* What was packed: where it is not what the key says, the key changes. */
static void
done_item(void *arg, size_t item, uint64_t size,
	  const struct stv_digest *digest)
{
	struct bld_copy_plan *p = arg;
	struct lay_entry *e = &p->items.v[item].e;

	if (stv_digest_equal(&e->digest, digest))
		return;
	e->digest = *digest;
	e->size = size;
	p->is_changed = true;
}

/*
 * Unpack the archive that item ${i} is, hashing it on the way: it may have
 * changed since the key was made.
 */
static int
unpack(struct place *pl, size_t i, int fd, uint64_t offset, uint64_t size,
       struct stv_err **err)
{
	stv_auto(stv_in) *file = stv_in_fd_range(fd, offset, size);
	stv_auto(stv_in) *hash = stv_in_hash(file);
	struct stv_digest got;
	int spool = -1;

	if (bld_add_unpack(pl->p->spec, hash, pl->p->dest, pl->d, &spool, err) <
	    0)
		return -1;
	*stv_vec_push(&pl->p->fds) = spool;
	got = stv_in_hash_end(hash, &size);
	done_item(pl->p, i, size, &got);
	return 1;
}

/* The bytes of what may be an archive; 1: it is gone. */
static int
open_archive(struct place *pl, const struct bld_pick *pick, const char *path,
	     int *ret_fd, uint64_t *ret_offset, uint64_t *ret_size,
	     struct stv_err **err)
{
	struct bld_source *source = pl->p->source;

	if (pick->kind == BLD_PICK_TREE)
		return source->open(source, path, ret_fd, ret_offset, ret_size,
				    err);
	*ret_fd = fcntl(pick->fd, F_DUPFD_CLOEXEC, 0);
	*ret_offset = 0;
	*ret_size = pl->p->items.v[pick->first].e.size;
	if (*ret_fd < 0)
		return stv_fail_errno(err, errno, "cannot keep '%s' open",
				      pick->base);
	return 0;
}

/* An ADD of a file that turns out to be an archive: 1 unpacked, 0 not. */
static int
try_unpack(struct place *pl, const struct bld_pick *pick, struct stv_err **err)
{
	const struct bld_item *it = &pl->p->items.v[pick->first];
	stv_auto_free char *path = bld_plan_item_path(pl->p, pick->first);
	stv_auto_fd fd = -1;
	uint64_t offset = 0, size = 0;
	int rc;

	if (!pick->is_archive_ok || it->e.size == 0)
		return 0;
	rc = open_archive(pl, pick, path, &fd, &offset, &size, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = bld_add_is_archive(fd, offset, size, err);
	if (rc == 1)
		rc = unpack(pl, pick->first, fd, offset, size, err);
	return rc < 0 ? stv_wrap(err, "unpacking '%s'",
				 pick->kind == BLD_PICK_FILE ? pick->base
							     : path)
		      : rc;
}

static int
put_pick(struct place *pl, const struct bld_pick *pick, struct stv_err **err)
{
	const struct bld_copy_plan *p = pl->p;
	stv_auto_free char *dest = NULL;
	struct lay_entry e;
	int rc = try_unpack(pl, pick, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = p->is_dest_dir ? ensure_dirs(pl, p->dest, err)
			    : ensure_parent(pl, p->dest, err);
	if (rc < 0 ||
	    bld_delta_resolve(pl->d, p->dest, true, &dest, &e, err) < 0)
		return -1;
	if (p->items.v[pick->first].e.type == LAY_DIR)
		return put_tree(pl, pick, dest, err);
	return put_file(pl, pick, dest, err);
}

/* The bytes of an item of a tree, as they are now. */
static int
open_item(void *arg, size_t item, int *ret_fd, uint64_t *ret_offset,
	  uint64_t *ret_size, struct stv_err **err)
{
	struct bld_copy_plan *p = arg;
	const struct bld_git_pick *git = p->picks.v[p->items.v[item].pick].git;
	struct bld_source *source =
		git != NULL ? bld_git_pick_source(git) : p->source;
	stv_auto_free char *path = bld_plan_item_path(p, item);

	/* A socket of the context became an empty file. */
	if (p->items.v[item].is_socket) {
		*ret_fd = -1;
		*ret_offset = *ret_size = 0;
		return 0;
	}
	return source->open(source, path, ret_fd, ret_offset, ret_size, err);
}

static struct bld_delta_opts
write_opts(const struct bld_copy_spec *s)
{
	return (struct bld_delta_opts){
		.has_epoch = s->has_epoch,
		.epoch = s->epoch,
		.now_s = s->now_s,
		.now_ns = s->now_ns,
		.open_item = open_item,
		.done_item = done_item,
	};
}

static int
write_plan(struct bld_copy_plan *plan, struct lay_view *below,
	   struct lay_writer *w, struct stv_err **err)
{
	stv_auto(bld_delta) *d = bld_delta_new(below);
	stv_auto_free size_t *groups =
		stv_xcalloc(plan->items.len + 1, sizeof(size_t));
	struct place pl = {
		.p = plan,
		.d = d,
		.dir = made_dir(plan->spec),
		.groups = groups,
	};
	struct bld_delta_opts opts = write_opts(plan->spec);
	int rc;

	if (bld_plan_fetch(plan, err) < 0)
		return -1;
	plan->is_changed = false;
	opts.arg = plan;
	for (size_t i = 0; i < plan->picks.len; i++)
		if (put_pick(&pl, &plan->picks.v[i], err) < 0)
			return -1;
	rc = bld_delta_write(d, &opts, w, NULL, err);
	if (rc == 1)
		return BLD_COPY_STALE;
	if (rc < 0)
		return -1;
	return plan->is_changed ? BLD_COPY_CHANGED : BLD_COPY_SAME;
}

int
bld_copy_write(struct bld_copy_plan *plan, struct lay_view *below,
	       struct lay_writer *w, struct stv_err **err)
{
	if (bld_add_git_checkout(plan, err) < 0)
		return -1;
	return write_plan(plan, below, w, err);
}

int
bld_copy_mkdir(struct lay_view *below, const char *path, uint32_t uid,
	       uint32_t gid, uint32_t mode, const struct bld_copy_spec *times,
	       struct lay_writer *w, struct stv_err **err)
{
	stv_auto(bld_delta) *d = bld_delta_new(below);
	stv_auto_free char *clean = bld_path_clean(path);
	stv_auto_free char *real = NULL;
	struct bld_delta_opts opts = write_opts(times);
	struct lay_entry e, like = {
				    .type = LAY_DIR,
				    .mode = mode,
				    .uid = uid,
				    .gid = gid,
				    .mtime_s = times->now_s,
				    .mtime_ns = times->now_ns,
			    };
	size_t n = 0;

	if (bld_delta_resolve(d, clean, true, &real, &e, err) < 0 ||
	    bld_delta_mkdirs(d, real, &like, err) < 0 ||
	    bld_delta_write(d, &opts, w, &n, err) < 0)
		return -1;
	return (int)n;
}
