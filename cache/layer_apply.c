/*
 * cache/layer_apply.c - creating what a layer's table of contents lists.
 *
 * The table is a tree whose directories are directories: no name in it leads
 * through a link, whatever the tar looked like.  Everything is made relative
 * to directory descriptors that were opened without following links.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/archive.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"

#include "cache/blob.h"
#include "cache/layer.h"
#include "cache/layer_apply.h"
#include "cache/layer_dirs.h"
#include "cache/layer_internal.h"
#include "cache/meta.h"
#include "cache/snapshot_id.h"
#include "cache/store.h"
#include "cache/toc.h"

#define COPY_SIZE ((size_t)256 << 10)

struct apply {
	struct cas_store *store;
	const struct stv_digest *diff_id;
	int tar_fd; /* the tar itself, where it is none of the store; -1 */
	uint64_t tar_size;
	const struct lay_toc *toc;
	const size_t *places; /* of each entry; NULL: its own */
	struct lay_view *below;
	bool has_files; /* they are made already */
	bool is_merge;
	int rootfd;
	struct lay_dirs dirs;
	struct stv_strs implied; /* directories that the table does not list */
	struct stv_in *tar;	 /* what ->src.in stands on */
	struct apply_source src;
	size_t *files; /* entries with content in one piece, by offset */
	size_t n_files;
	size_t *sparse; /* and those with holes */
	size_t n_sparse;
};

/* Is entry ${i} not to be made? */
static bool
is_left_out(const struct apply *a, size_t i)
{
	return a->places != NULL && a->places[i] == LAY_NOWHERE;
}

/* The path at which entry ${i} is made. */
static const char *
place_of(const struct apply *a, size_t i)
{
	return lay_toc_path(a->toc, a->places == NULL ? i : a->places[i]);
}

/* As lay_dirs_parent(), and nothing is at the name any more. */
static int
open_place(struct apply *a, const char *path, int *ret_fd,
	   const char **ret_name, struct stv_err **err)
{
	if (lay_dirs_parent(&a->dirs, path, ret_fd, ret_name, err) < 0)
		return -1;
	if (!a->is_merge)
		return 0;
	if (stv_fsat_remove_tree(*ret_fd, *ret_name, err) < 0)
		return -1;
	return 0;
}

static int
put_dir(struct apply *a, const struct lay_entry *e, struct stv_err **err)
{
	const char *name;
	int fd, sub;

	if (*e->path == '\0')
		return 0;
	if (lay_dirs_parent(&a->dirs, e->path, &fd, &name, err) < 0)
		return -1;
	sub = dup(fd);
	if (sub < 0 || lay_dirs_enter(&a->dirs, &sub, name, err) < 0) {
		if (sub < 0)
			return stv_fail_errno(err, errno, "cannot open '%s'",
					      e->path);
		(void)close(sub);
		return -1;
	}
	(void)close(sub);
	return 0;
}

static int
put_node(struct apply *a, const struct lay_entry *e, struct stv_err **err)
{
	const char *name;
	int fd, r;

	if (open_place(a, e->path, &fd, &name, err) < 0)
		return -1;
	switch (e->type) {
	case LAY_SYMLINK:
		r = symlinkat(e->link, fd, name);
		break;
	case LAY_FIFO:
		r = mknodat(fd, name, S_IFIFO | 0600, 0);
		break;
	case LAY_CHAR:
		r = mknodat(fd, name, S_IFCHR | 0600,
			    makedev(e->rdev_major, e->rdev_minor));
		break;
	case LAY_BLOCK:
		r = mknodat(fd, name, S_IFBLK | 0600,
			    makedev(e->rdev_major, e->rdev_minor));
		break;
	case LAY_FILE:
	case LAY_DIR:
	case LAY_HARDLINK:
	case LAY_WHITEOUT:
	case LAY_OPAQUE:
	default:
		STV_BUG("'%s' is not a link or device", e->path);
	}
	if (r < 0)
		return stv_fail_errno(err, errno, "cannot make '%s'", e->path);
	return lay_apply_set_at(fd, name, e, err);
}

static int
put_whiteout(struct apply *a, const struct lay_entry *e, struct stv_err **err)
{
	struct lay_entry old;
	const char *name;
	int fd;

	/* Without anything below, overlayfs would list it as a file. */
	if (!a->is_merge && (a->below == NULL ||
			     lay_view_lookup(a->below, e->path, &old) == 0)) {
		/* Its directory exists all the same. */
		return lay_dirs_parent(&a->dirs, e->path, &fd, &name, err);
	}
	if (lay_dirs_parent(&a->dirs, e->path, &fd, &name, err) < 0)
		return -1;
	if (a->is_merge)
		return stv_fsat_remove_tree(fd, name, err);
	if (mknodat(fd, name, S_IFCHR, makedev(0, 0)) < 0)
		return stv_fail_errno(err, errno, "cannot make a whiteout '%s'",
				      e->path);
	return 0;
}

static int
empty_dir(int fd, struct stv_err **err)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int r = 0;

	if (d == NULL) {
		(void)close(fd);
		return stv_fail_errno(err, errno, "cannot read a directory");
	}
	while (r == 0 && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			r = stv_fsat_remove_tree(dirfd(d), de->d_name, err);
	(void)closedir(d);
	return r;
}

static int
put_opaque(struct apply *a, const struct lay_entry *e, struct stv_err **err)
{
	stv_auto_fd dir = -1;
	int fd;

	if (lay_dirs_open(&a->dirs, e->path, &dir, err) < 0)
		return -1;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'", e->path);
	if (a->is_merge)
		return empty_dir(fd, err);
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0) {
		int saved = errno;

		(void)close(fd);
		return stv_fail_errno(err, saved, "cannot make '%s' opaque",
				      e->path);
	}
	return close(fd) < 0 ? stv_fail_errno(err, errno, "cannot close") : 0;
}

/* A new file for the content of entry ${i}. */
static int
open_new(struct apply *a, size_t i, int *ret, struct stv_err **err)
{
	const char *path = place_of(a, i), *name;
	int fd;

	if (open_place(a, path, &fd, &name, err) < 0)
		return -1;
	*ret = openat(fd, name,
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      0600);
	if (*ret < 0)
		return stv_fail_errno(err, errno, "cannot make '%s'", path);
	return 0;
}

static int
close_new(int fd, const struct lay_entry *e, struct stv_err **err)
{
	if (lay_apply_set_fd(fd, e, err) < 0) {
		(void)close(fd);
		return -1;
	}
	if (close(fd) < 0)
		return stv_fail_errno(err, errno, "cannot write '%s'", e->path);
	return 0;
}

static int
put_file(struct apply *a, size_t i, struct stv_err **err)
{
	struct lay_entry e;
	int fd = -1;

	lay_toc_get(a->toc, i, &e);
	if (open_new(a, i, &fd, err) < 0)
		return -1;
	if (e.size > 0 && lay_apply_copy(&a->src, &e, fd, err) < 0) {
		(void)close(fd);
		return -1;
	}
	return close_new(fd, &e, err);
}

/* The directory of ${path}, which is there, and its name in it; -1: errno. */
static int
open_dir_of(const struct apply *a, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	stv_auto_free char *dir =
		stv_xstrndup(path, slash == NULL ? 0 : (size_t)(slash - path));

	*ret_name = slash == NULL ? path : slash + 1;
	return stv_fsat_open_nolinks(a->rootfd, *dir == '\0' ? "." : dir,
				     O_PATH | O_DIRECTORY, 0);
}

/*
 * To the table the first name of a file is the file and all others are links,
 * but it may have come under another one.
 */
static int
put_first_name(struct apply *a, const struct lay_entry *e, struct stv_err **err)
{
	const char *came, *name;
	stv_auto_fd from = open_dir_of(a, e->path, &came);
	int fd;

	if (from < 0)
		return 0;
	if (lay_dirs_parent(&a->dirs, e->link, &fd, &name, err) < 0)
		return -1;
	if (linkat(from, came, fd, name, 0) < 0 && errno != ENOENT &&
	    errno != EEXIST)
		return stv_fail_errno(err, errno, "cannot link '%s' to '%s'",
				      e->link, e->path);
	return 0;
}

static int
put_link(struct apply *a, const struct lay_entry *e, struct stv_err **err)
{
	const char *link = place_of(a, lay_toc_lower_bound(a->toc, e->link, 0));
	const char *target, *name;
	stv_auto_fd from = open_dir_of(a, link, &target);
	int fd;

	if (from < 0)
		return stv_fail_errno(err, errno,
				      "cannot open the directory "
				      "of '%s'",
				      link);
	if (open_place(a, e->path, &fd, &name, err) < 0)
		return -1;
	if (linkat(from, target, fd, name, 0) < 0 &&
	    !(a->has_files && errno == EEXIST))
		return stv_fail_errno(err, errno, "cannot link '%s' to '%s'",
				      e->path, link);
	return 0;
}

/* Everything but the files: directories before what is in them. */
static int
put_skeleton(struct apply *a, struct stv_err **err)
{
	for (size_t i = 0; i < lay_toc_len(a->toc); i++) {
		struct lay_entry e;
		int r = 0;

		if (is_left_out(a, i))
			continue;
		lay_toc_get(a->toc, i, &e);
		switch (e.type) {
		case LAY_DIR:
			r = put_dir(a, &e, err);
			break;
		case LAY_SYMLINK:
		case LAY_FIFO:
		case LAY_CHAR:
		case LAY_BLOCK:
			r = put_node(a, &e, err);
			break;
		case LAY_WHITEOUT:
			r = put_whiteout(a, &e, err);
			break;
		case LAY_OPAQUE:
			r = put_opaque(a, &e, err);
			break;
		case LAY_FILE:
			if (a->has_files)
				break;
			if (e.is_sparse)
				a->sparse[a->n_sparse++] = i;
			else
				a->files[a->n_files++] = i;
			break;
		case LAY_HARDLINK:
			break;
		}
		if (r < 0)
			return -1;
	}
	return 0;
}

static int
cmp_offsets(const void *x, const void *y, void *toc)
{
	struct lay_entry a, b;

	lay_toc_get(toc, *(const size_t *)x, &a);
	lay_toc_get(toc, *(const size_t *)y, &b);
	return a.offset < b.offset ? -1 : a.offset > b.offset;
}

/* In the order of the tar, which may be one long decompression. */
static int
put_files(struct apply *a, struct stv_err **err)
{
	void *toc = (void *)(uintptr_t)a->toc; /* only read */

	qsort_r(a->files, a->n_files, sizeof(*a->files), cmp_offsets, toc);
	for (size_t i = 0; i < a->n_files; i++)
		if (put_file(a, a->files[i], err) < 0)
			return -1;
	return 0;
}

static int
open_tar(struct apply *a, struct stv_in **ret, struct stv_err **err)
{
	if (a->tar_fd < 0)
		return lay_open_tar(a->store, a->diff_id, ret, NULL, err);
	*ret = stv_in_fd_range(a->tar_fd, 0, a->tar_size);
	return 0;
}

/* Files with holes: libarchive knows where their pieces belong. */
static int
put_sparse(struct apply *a, struct stv_err **err)
{
	stv_auto(stv_in) *tar = NULL;
	stv_auto(stv_archive) *archive = NULL;
	struct stv_archive_entry t;
	size_t i = 0;
	int r = 0;

	if (a->n_sparse == 0)
		return 0;
	qsort_r(a->sparse, a->n_sparse, sizeof(*a->sparse), cmp_offsets,
		(void *)(uintptr_t)a->toc);
	if (open_tar(a, &tar, err) < 0 ||
	    stv_archive_open_tar(tar, &archive, err) < 0)
		return -1;
	while (i < a->n_sparse &&
	       (r = stv_archive_next(archive, &t, err)) == 1) {
		struct lay_entry e;
		int fd = -1;

		lay_toc_get(a->toc, a->sparse[i], &e);
		if (t.offset != e.offset)
			continue;
		if (open_new(a, a->sparse[i++], &fd, err) < 0)
			return -1;
		if (stv_archive_read_to(archive, fd, err) < 0) {
			(void)close(fd);
			return stv_wrap(err, "unpacking '%s'", e.path);
		}
		if (close_new(fd, &e, err) < 0)
			return -1;
	}
	if (r == 0 && i < a->n_sparse)
		return stv_fail(err, STV_E_IO,
				"the table of contents does not fit the layer");
	return r < 0 ? -1 : 0;
}

static int
each_link(struct apply *a,
	  int (*put)(struct apply *a, const struct lay_entry *e,
		     struct stv_err **err),
	  struct stv_err **err)
{
	for (size_t i = 0; i < lay_toc_len(a->toc); i++) {
		struct lay_entry e;

		lay_toc_get(a->toc, i, &e);
		if (e.type == LAY_HARDLINK && !is_left_out(a, i) &&
		    put(a, &e, err) < 0)
			return -1;
	}
	return 0;
}

static int
put_links(struct apply *a, struct stv_err **err)
{
	if (a->has_files && each_link(a, put_first_name, err) < 0)
		return -1;
	return each_link(a, put_link, err);
}

static int
add_implied(void *arg, const char *path)
{
	stv_strs_add(arg, path);
	return 0;
}

/* An implied directory is what the layers below have there (B24). */
static int
set_implied(struct apply *a, const char *path, struct stv_err **err)
{
	struct lay_entry e;

	if (a->below == NULL || lay_view_lookup(a->below, path, &e) == 0 ||
	    e.type != LAY_DIR)
		e = (struct lay_entry){
			.path = path, .type = LAY_DIR, .mode = 0755};
	return lay_apply_set_dir(a->rootfd, path, &e, err);
}

/* Directories last, from the inside out: making what is in them changed their
 * times. */
static int
set_dirs(struct apply *a, struct stv_err **err)
{
	if (a->is_merge)
		stv_strs_copy(&a->implied, &a->dirs.made);
	else
		(void)lay_toc_each_implied(a->toc, add_implied, &a->implied);
	for (size_t i = a->implied.len; i > 0; i--)
		if (set_implied(a, a->implied.v[i - 1], err) < 0)
			return -1;
	for (size_t i = lay_toc_len(a->toc); i > 0; i--) {
		struct lay_entry e;

		lay_toc_get(a->toc, i - 1, &e);
		if (e.type != LAY_DIR || is_left_out(a, i - 1) ||
		    (*e.path == '\0' && a->is_merge))
			continue;
		if (a->is_merge) {
			stv_auto_fd fd = stv_fsat_open_nolinks(
				a->rootfd, e.path, O_RDONLY | O_DIRECTORY, 0);

			if (fd >= 0)
				lay_apply_clear_xattrs(fd);
		}
		if (lay_apply_set_dir(a->rootfd, e.path, &e, err) < 0)
			return -1;
	}
	return 0;
}

static int
open_source(struct apply *a, struct stv_err **err)
{
	struct cas_layer layer;
	int r;

	a->src.buf = stv_xmalloc(COPY_SIZE);
	if (a->n_files == 0)
		return 0;
	if (a->tar_fd >= 0) {
		a->src.fd = dup(a->tar_fd);
		return a->src.fd < 0 ? stv_fail_errno(err, errno,
						      "cannot read an archive")
				     : 0;
	}
	r = cas_layer_get(a->store, a->diff_id, &layer, err);
	if (r < 0)
		return -1;
	if (r == 1 && stv_digest_equal(&layer.blob, a->diff_id))
		return cas_blob_open(a->store, &layer.blob, &a->src.fd, NULL,
				     err);
	if (lay_open_tar(a->store, a->diff_id, &a->tar, NULL, err) < 0)
		return -1;
	/* One thread decompresses, one makes files. */
	a->src.in = stv_in_ahead(a->tar);
	return 0;
}

static int
apply(struct apply *a, struct stv_err **err)
{
	int r = 0;

	a->src.fd = -1;
	lay_dirs_init(&a->dirs, a->rootfd, a->is_merge);
	a->files = stv_xcalloc(lay_toc_len(a->toc) + 1, sizeof(*a->files));
	a->sparse = stv_xcalloc(lay_toc_len(a->toc) + 1, sizeof(*a->sparse));
	if (put_skeleton(a, err) < 0 || open_source(a, err) < 0 ||
	    put_files(a, err) < 0 || put_sparse(a, err) < 0 ||
	    put_links(a, err) < 0 || set_dirs(a, err) < 0)
		r = -1;
	lay_dirs_fini(&a->dirs);
	stv_strs_clear(&a->implied);
	stv_in_close(a->src.in);
	stv_in_close(a->tar);
	stv_close_p(&a->src.fd);
	free(a->src.buf);
	free(a->files);
	free(a->sparse);
	return r;
}

int
lay_apply(struct cas_store *store, const struct stv_digest *diff_id,
	  const struct lay_toc *toc, struct lay_view *below, bool has_files,
	  int rootfd, struct stv_err **err)
{
	struct apply a = {.store = store,
			  .diff_id = diff_id,
			  .tar_fd = -1,
			  .toc = toc,
			  .below = below,
			  .has_files = has_files,
			  .rootfd = rootfd};

	return apply(&a, err);
}

int
lay_apply_merge(struct cas_store *store, const struct stv_digest *diff_id,
		const struct lay_toc *toc, const size_t *places, int rootfd,
		struct stv_err **err)
{
	struct apply a = {.store = store,
			  .diff_id = diff_id,
			  .tar_fd = -1,
			  .toc = toc,
			  .places = places,
			  .is_merge = true,
			  .rootfd = rootfd};

	return apply(&a, err);
}

int
lay_apply_tar(int tar_fd, uint64_t size, const struct lay_toc *toc, int rootfd,
	      struct stv_err **err)
{
	struct apply a = {.tar_fd = tar_fd,
			  .tar_size = size,
			  .toc = toc,
			  .is_merge = true,
			  .rootfd = rootfd};

	return apply(&a, err);
}
