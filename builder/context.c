/* builder/context.c - the build context, seen through its ignore file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/cancel.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"

#include "cache/ctxindex.h"
#include "parser/ignore.h"

#include "builder/context.h"
#include "builder/source.h"

#define READ_SIZE ((size_t)256 << 10)

struct bld_context {
	struct bld_source base;
	struct bld_context_opts opts;
	struct cas_ctxindex *index; /* NULL without a store */
	char *path;
	int fd;
	char *link;   /* what the last look-up's entry points at */
	uint8_t *buf; /* READ_SIZE, for hashing */
};

static struct bld_context *
context_of(struct bld_source *s)
{
	return (struct bld_context *)s;
}

/* ${path} as openat() wants it: the root is ".". */
static const char *
at(const char *path)
{
	return *path == '\0' ? "." : path;
}

static int
fail_path(const struct bld_context *ctx, int errnum, const char *doing,
	  const char *path, struct stv_err **err)
{
	stv_fail_errno_as(err, STV_E_INPUT, errnum,
			  "cannot %s '%s' in the build context '%s'", doing,
			  at(path), ctx->path);
	if (errnum == EACCES || errnum == EPERM)
		stv_err_hint(*err,
			     "Change its permissions, or leave it out "
			     "with a line in %s.",
			     ctx->opts.ignore_name);
	return -1;
}

/* What a stat says, as an entry; ${link} is borrowed. */
static void
entry_of(const struct bld_context *ctx, const struct stat *st, const char *link,
	 struct bld_src_entry *ret)
{
	*ret = (struct bld_src_entry){
		.e = {.mode = st->st_mode & 07777,
		      .mtime_s = st->st_mtim.tv_sec,
		      .mtime_ns = (uint32_t)st->st_mtim.tv_nsec},
		.is_linked = st->st_nlink > 1 && S_ISREG(st->st_mode),
		.dev = st->st_dev,
		.ino = st->st_ino,
		.ctime_s = st->st_ctim.tv_sec,
		.ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
	};
	if (ctx->opts.has_owners) {
		ret->e.uid = st->st_uid;
		ret->e.gid = st->st_gid;
	}
	if (ctx->opts.has_mtime) {
		ret->e.mtime_s = ctx->opts.mtime_s;
		ret->e.mtime_ns = 0;
	}
	switch (st->st_mode & S_IFMT) {
	case S_IFDIR:
		ret->e.type = LAY_DIR;
		break;
	case S_IFLNK:
		ret->e.type = LAY_SYMLINK;
		ret->e.mode = 0777;
		ret->e.link = link;
		break;
	case S_IFIFO:
		ret->e.type = LAY_FIFO;
		break;
	case S_IFCHR:
	case S_IFBLK:
		ret->e.type = S_ISCHR(st->st_mode) ? LAY_CHAR : LAY_BLOCK;
		ret->e.rdev_major = major(st->st_rdev);
		ret->e.rdev_minor = minor(st->st_rdev);
		break;
	case S_IFSOCK: /* an empty file in the image (DOCKERFILE.md, COPY) */
		ret->e.type = LAY_FILE;
		ret->e.digest = stv_digest_of("", 0);
		ret->is_socket = true;
		ret->has_digest = true;
		break;
	default:
		ret->e.type = LAY_FILE;
		ret->e.size = (uint64_t)st->st_size;
	}
}

/* The target of the link ${name} in ${dirfd} becomes ctx->link. */
static int
read_link(struct bld_context *ctx, int dirfd, const char *name,
	  const char *path, struct stv_err **err)
{
	char target[STV_MAX_PATH + 1];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

	if (n < 0)
		return fail_path(ctx, errno, "read the link", path, err);
	if ((size_t)n == sizeof(target))
		return fail_path(ctx, ENAMETOOLONG, "read the link", path, err);
	free(ctx->link);
	ctx->link = stv_xstrndup(target, (size_t)n);
	return 0;
}

/*
 * Is there anything below the ignored directory ${path} that a '!' brings
 * back?  It calls itself through is_visible(): the depth is that of a path.
 */
static int has_visible(struct bld_context *ctx, const char *path,
		       struct stv_err **err);

/* 1: part of the context; 0: left out. */
static int
is_visible(struct bld_context *ctx, const char *path, bool is_dir,
	   struct stv_err **err)
{
	const struct df_ignore *ig = ctx->opts.ignore;

	if (ctx->opts.hides_git && strcmp(bld_path_base(path), ".git") == 0)
		return 0;
	if (ig == NULL || *path == '\0' ||
	    !df_ignore_match(ig, path, is_dir, NULL))
		return 1;
	if (!is_dir || !df_ignore_may_contain(ig, path))
		return 0;
	return has_visible(ctx, path, err);
}

/* Errors that mean "there is no such path", not "it cannot be read". */
static bool
is_absence(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP ||
	       errnum == EXDEV || errnum == ENAMETOOLONG;
}

static int
context_lookup(struct bld_source *s, const char *path,
	       struct bld_src_entry *ret, struct stv_err **err)
{
	struct bld_context *ctx = context_of(s);
	stv_auto_fd fd = stv_fsat_open_nolinks(ctx->fd, at(path),
					       O_PATH | O_NOFOLLOW, 0);
	struct stat st;
	int rc;

	if (fd < 0)
		return is_absence(errno)
			       ? 0
			       : fail_path(ctx, errno, "find", path, err);
	if (fstat(fd, &st) < 0)
		return fail_path(ctx, errno, "find", path, err);
	rc = is_visible(ctx, path, S_ISDIR(st.st_mode), err);
	if (rc != 1)
		return rc;
	if (S_ISLNK(st.st_mode) && read_link(ctx, fd, "", path, err) < 0)
		return -1;
	entry_of(ctx, &st, ctx->link, ret);
	return 1;
}

/* All names in ${path}, sorted; *ret_fd is the directory. */
static int
read_names(struct bld_context *ctx, const char *path, struct stv_strs *ret,
	   int *ret_fd, struct stv_err **err)
{
	int fd = stv_fsat_open_nolinks(ctx->fd, at(path),
				       O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (dir == NULL) {
		int saved = errno;

		stv_close_p(&fd);
		return fail_path(ctx, saved, "list", path, err);
	}
	for (;;) {
		errno = 0;
		de = readdir(dir);
		if (de == NULL)
			break;
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			stv_strs_add(ret, de->d_name);
	}
	if (errno != 0) {
		fail_path(ctx, errno, "list", path, err);
		closedir(dir);
		return -1;
	}
	stv_strs_sort(ret);
	*ret_fd = dup(fd);
	closedir(dir);
	if (*ret_fd < 0)
		return fail_path(ctx, errno, "list", path, err);
	return 0;
}

/* What ${name} in ${dirfd} is: 1 and *ret, 0 where it went or is left out. */
static int
stat_name(struct bld_context *ctx, int dirfd, const char *name,
	  const char *path, struct bld_src_entry *ret, struct stv_err **err)
{
	struct stat st;
	int rc;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT
			       ? 0
			       : fail_path(ctx, errno, "find", path, err);
	rc = is_visible(ctx, path, S_ISDIR(st.st_mode), err);
	if (rc != 1)
		return rc;
	if (S_ISLNK(st.st_mode) && read_link(ctx, dirfd, name, path, err) < 0)
		return -1;
	entry_of(ctx, &st, ctx->link, ret);
	return 1;
}

static int
context_list(struct bld_source *s, const char *path,
	     int (*fn)(void *arg, const char *name,
		       const struct bld_src_entry *ent, struct stv_err **err),
	     void *arg, struct stv_err **err)
{
	struct bld_context *ctx = context_of(s);
	STV_CLEANUP(stv_strs_clear) struct stv_strs names = {0};
	stv_auto_fd fd = -1;

	if (read_names(ctx, path, &names, &fd, err) < 0)
		return -1;
	for (size_t i = 0; i < names.len; i++) {
		stv_auto_free char *sub = bld_path_join(path, names.v[i]);
		struct bld_src_entry ent;
		int rc = stat_name(ctx, fd, names.v[i], sub, &ent, err);

		if (rc == 1)
			rc = fn(arg, names.v[i], &ent, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
has_visible(struct bld_context *ctx, const char *path, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs names = {0};
	stv_auto_fd fd = -1;

	if (read_names(ctx, path, &names, &fd, err) < 0)
		return -1;
	for (size_t i = 0; i < names.len; i++) {
		stv_auto_free char *sub = bld_path_join(path, names.v[i]);
		struct stat st;
		int rc;

		if (fstatat(fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		rc = is_visible(ctx, sub, S_ISDIR(st.st_mode), err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/*
 * Open the regular file ${path} without ever waiting for it (D07): 0 with
 * *ret_fd and *st, 1 where it is not one any more.
 */
static int
open_regular(struct bld_context *ctx, const char *path, int *ret_fd,
	     struct stat *st, struct stv_err **err)
{
	stv_auto_fd fd = stv_fsat_open_nolinks(
		ctx->fd, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY,
		0);

	if (fd < 0) {
		/* ENXIO: it became a socket or a FIFO nobody reads. */
		if (is_absence(errno) || errno == ENXIO)
			return 1;
		return fail_path(ctx, errno, "read", path, err);
	}
	if (fstat(fd, st) < 0)
		return fail_path(ctx, errno, "read", path, err);
	if (!S_ISREG(st->st_mode))
		return 1;
	*ret_fd = stv_steal_fd(&fd);
	return 0;
}

/* The digest of all bytes of ${fd} as they are now. */
static int
hash_fd(struct bld_context *ctx, int fd, const char *path,
	struct stv_digest *ret, struct stv_err **err)
{
	stv_auto(stv_hash) *h = stv_hash_new();

	if (ctx->buf == NULL)
		ctx->buf = stv_xmalloc(READ_SIZE);
	for (;;) {
		ssize_t n = read(fd, ctx->buf, READ_SIZE);

		if (stv_cancel_check(err) < 0)
			return -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_path(ctx, errno, "read", path, err);
		if (n == 0)
			break;
		stv_hash_add(h, ctx->buf, (size_t)n);
	}
	*ret = stv_hash_end(h);
	return 0;
}

/* The parts of a stat that the index looks at. */
static struct stat
index_stat(const struct bld_src_entry *ent)
{
	return (struct stat){
		.st_dev = ent->dev,
		.st_ino = ent->ino,
		.st_mode = S_IFREG | ent->e.mode,
		.st_size = (off_t)ent->e.size,
		.st_mtim = {ent->e.mtime_s, ent->e.mtime_ns},
		.st_ctim = {ent->ctime_s, ent->ctime_ns},
	};
}

static bool
is_same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Hash ${path} as it is now, and remember that if nobody wrote meanwhile. */
static int
hash_file(struct bld_context *ctx, const char *path, struct bld_src_entry *ent,
	  struct stv_err **err)
{
	stv_auto_fd fd = -1;
	struct stat before, after;
	int rc = open_regular(ctx, path, &fd, &before, err);

	if (rc < 0)
		return -1;
	if (rc == 1)
		return stv_fail(err, STV_E_INPUT,
				"'%s' in the build context went away while it "
				"was read",
				path);
	if (hash_fd(ctx, fd, path, &ent->e.digest, err) < 0)
		return -1;
	ent->e.size = (uint64_t)before.st_size;
	if (fstat(fd, &after) < 0)
		return fail_path(ctx, errno, "read", path, err);
	if (ctx->index != NULL && is_same_stat(&before, &after))
		cas_ctxindex_record(ctx->index, path, &before, &ent->e.digest);
	return 0;
}

static int
context_hash(struct bld_source *s, const char *path, struct bld_src_entry *ent,
	     struct stv_err **err)
{
	struct bld_context *ctx = context_of(s);
	struct stat st = index_stat(ent);

	if (ent->has_digest)
		return 0;
	if ((ctx->index == NULL ||
	     cas_ctxindex_lookup(ctx->index, path, &st, &ent->e.digest) == 0) &&
	    hash_file(ctx, path, ent, err) < 0)
		return -1;
	ent->has_digest = true;
	return 0;
}

static int
context_open(struct bld_source *s, const char *path, int *ret_fd,
	     uint64_t *ret_offset, uint64_t *ret_size, struct stv_err **err)
{
	struct bld_context *ctx = context_of(s);
	struct stat st;
	int rc = open_regular(ctx, path, ret_fd, &st, err);

	if (rc != 0)
		return rc;
	*ret_offset = 0;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

/* Which pattern left out ${path}, if one did. */
static void
context_explain(struct bld_source *s, const char *path, struct stv_err **err)
{
	struct bld_context *ctx = context_of(s);
	struct df_ignore_hit hit = {0};
	stv_auto_fd fd = -1;

	bld_context_hint(ctx->fd, path, err);
	if (ctx->opts.ignore == NULL || *path == '\0')
		return;
	fd = stv_fsat_open_beneath(ctx->fd, path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || !df_ignore_match(ctx->opts.ignore, path, false, &hit) ||
	    hit.pattern == NULL)
		return;
	stv_err_hint(*err,
		     "It is in the directory, but line %u of %s, '%s', leaves "
		     "it out; take that line away or add '!%s' behind it.",
		     hit.line, ctx->opts.ignore_name, hit.pattern, path);
}

struct bld_source *
bld_context_source(struct bld_context *ctx)
{
	return &ctx->base;
}

static int
fail_open(const char *path, int errnum, struct stv_err **err)
{
	stv_fail_errno_as(err, STV_E_INPUT, errnum,
			  "cannot open the build context '%s'", path);
	if (errnum == ENOTDIR)
		stv_err_hint(*err, "The context is a directory; name the "
				   "Dockerfile with -f.");
	return -1;
}

/* The index is kept by the real path, which names the directory. */
static int
open_index(struct bld_context *ctx, struct stv_err **err)
{
	stv_auto_free char *real = NULL;

	if (ctx->opts.store == NULL)
		return 0;
	real = realpath(ctx->path, NULL);
	if (real == NULL)
		return fail_open(ctx->path, errno, err);
	return cas_ctxindex_open(ctx->opts.store, real, &ctx->index, err);
}

static struct bld_context *
new_context(int fd, const char *path, const struct bld_context_opts *opts)
{
	struct bld_context *ctx = stv_xcalloc(1, sizeof(*ctx));

	ctx->base = (struct bld_source){
		.lookup = context_lookup,
		.list = context_list,
		.hash = context_hash,
		.open = context_open,
		.explain = context_explain,
	};
	if (opts != NULL)
		ctx->opts = *opts;
	if (ctx->opts.ignore_name == NULL)
		ctx->opts.ignore_name = ".dockerignore";
	ctx->path = stv_xstrdup(path);
	ctx->fd = fd;
	return ctx;
}

int
bld_context_open(const char *path, const struct bld_context_opts *opts,
		 struct bld_context **ret, struct stv_err **err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stv_auto(bld_context) *ctx = new_context(fd, path, opts);

	if (fd < 0)
		return fail_open(path, errno, err);
	if (open_index(ctx, err) < 0)
		return -1;
	*ret = stv_steal(&ctx);
	return 0;
}

int
bld_context_open_fd(int fd, const char *name,
		    const struct bld_context_opts *opts,
		    struct bld_context **ret, struct stv_err **err)
{
	if (fd < 0)
		return fail_open(name, errno, err);
	*ret = new_context(fd, name, opts);
	return 0;
}

void
bld_context_close(struct bld_context *ctx)
{
	if (ctx == NULL)
		return;
	cas_ctxindex_close(ctx->index);
	stv_close_p(&ctx->fd);
	free(ctx->path);
	free(ctx->link);
	free(ctx->buf);
	free(ctx);
}

int
bld_context_save(struct bld_context *ctx, struct stv_err **err)
{
	return ctx->index == NULL ? 0 : cas_ctxindex_save(ctx->index, err);
}

int
bld_context_fd(const struct bld_context *ctx)
{
	return ctx->fd;
}

const char *
bld_context_path(const struct bld_context *ctx)
{
	return ctx->path;
}
