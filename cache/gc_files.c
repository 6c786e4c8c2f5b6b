/* cache/gc_files.c - what lies in the store's folders, and how large it is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cache/db.h"
#include "cache/layer_internal.h"
#include "cache/meta_internal.h"
#include "cache/store_internal.h"

#include "cache/gc_internal.h"

static int
cmp_digest(const void *a, const void *b)
{
	return stv_digest_cmp(a, b);
}

void
cas_set_sort(struct cas_set *set)
{
	if (set->list.len > 0)
		qsort(set->list.v, set->list.len, sizeof(set->list.v[0]),
		      cmp_digest);
}

bool
cas_set_has(const struct cas_set *set, const struct stv_digest *d)
{
	return set->list.len > 0 &&
	       bsearch(d, set->list.v, set->list.len, sizeof(set->list.v[0]),
		       cmp_digest) != NULL;
}

void
cas_set_fini(struct cas_set *set)
{
	stv_vec_fini(&set->list);
}

static int
read_set(struct cas_store *s, const char *sql, struct cas_set *ret,
	 struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(s, sql, err);
	int r = st == NULL ? -1 : 1;

	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r == 1)
			*stv_vec_push(&ret->list) = cas_db_col_digest(st, 0);
	}
	cas_set_sort(ret);
	return r;
}

int
cas_read_sets(struct cas_store *s, struct cas_set *layers,
	      struct cas_set *blobs, struct stv_err **err)
{
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = read_set(s, "SELECT DISTINCT diff_id FROM layer", layers, err);
	if (r == 0)
		r = read_set(s,
			     "SELECT blob FROM layer"
			     " UNION SELECT blob FROM image_blob",
			     blobs, err);
	cas_db_leave(s);
	return r;
}

int
cas_read_inputs(struct cas_store *s, struct cas_set *ret, struct stv_err **err)
{
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = read_set(s,
		     "SELECT DISTINCT inputs FROM record"
		     " WHERE inputs IS NOT NULL",
		     ret, err);
	cas_db_leave(s);
	return r;
}

int
cas_each_file(struct cas_store *s, const char *folder,
	      int (*fn)(struct cas_store *s, void *arg, int dirfd,
			const char *name, const struct stat *st,
			struct stv_err **err),
	      void *arg, struct stv_err **err)
{
	int fd = openat(s->root_fd, folder,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	struct stat st;
	int r = 0;

	if (dir == NULL) {
		/* Derived folders may be missing. */
		if (fd < 0 && errno == ENOENT)
			return 0;
		stv_fail_errno(err, errno, "cannot read '%s/%s'", s->root,
			       folder);
		stv_close_p(&fd);
		return -1;
	}
	while (r == 0 && (de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			r = fn(s, arg, fd, de->d_name, &st, err);
	}
	(void)closedir(dir);
	return r;
}

/* Add the entries of the directory ${path} below ${atfd}. */
static uint64_t
measure_dir(int atfd, const char *path, struct stv_strs *todo)
{
	int fd = openat(atfd, path,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	struct stat st;
	uint64_t sum = 0;

	if (dir == NULL) {
		stv_close_p(&fd);
		return 0;
	}
	while ((de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0 ||
		    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* A hard link's blocks are counted once. */
		if (S_ISDIR(st.st_mode) || st.st_nlink < 2)
			sum += (uint64_t)st.st_blocks * 512;
		else
			sum += (uint64_t)st.st_blocks * 512 / st.st_nlink;
		if (S_ISDIR(st.st_mode))
			stv_strs_take(todo,
				      stv_xasprintf("%s/%s", path, de->d_name));
	}
	(void)closedir(dir);
	return sum;
}

uint64_t
cas_tree_size(int atfd, const char *name)
{
	struct stv_strs todo = {0};
	uint64_t sum = 0;

	stv_strs_add(&todo, name);
	while (todo.len > 0) {
		char *path = todo.v[--todo.len];

		todo.v[todo.len] = NULL;
		sum += measure_dir(atfd, path, &todo);
		free(path);
	}
	stv_strs_clear(&todo);
	return sum;
}

static int
add_bytes(struct cas_store *s, void *arg, int dirfd, const char *name,
	  const struct stat *st, struct stv_err **err)
{
	uint64_t *sum = arg;

	(void)s;
	(void)err;
	*sum += (uint64_t)st->st_blocks * 512;
	if (S_ISDIR(st->st_mode))
		*sum += cas_tree_size(dirfd, name);
	return 0;
}

int
cas_folder_bytes(struct cas_store *s, const char *folder, uint64_t *sum,
		 struct stv_err **err)
{
	return cas_each_file(s, folder, add_bytes, sum, err);
}

int
cas_other_bytes(struct cas_store *s, uint64_t *sum, struct stv_err **err)
{
	static const char *const files[] = {CAS_META, CAS_META "-wal",
					    CAS_INDEX};
	struct stat st;

	for (size_t i = 0; i < STV_ARRAY_LEN(files); i++)
		if (fstatat(s->root_fd, files[i], &st, AT_SYMLINK_NOFOLLOW) ==
		    0)
			*sum += (uint64_t)st.st_blocks * 512;
	if (cas_folder_bytes(s, CAS_TOC, sum, err) < 0 ||
	    cas_folder_bytes(s, CAS_INPUTS, sum, err) < 0 ||
	    cas_folder_bytes(s, CAS_CONTEXT, sum, err) < 0)
		return -1;
	return cas_folder_bytes(s, CAS_LOGS, sum, err);
}

/* ---- snapshots -------------------------------------------------------- */

static struct cas_snapshot *
find_snapshot(struct cas_snapshots *all, const char *name)
{
	for (size_t i = 0; i < all->list.len; i++)
		if (strcmp(all->list.v[i].name, name) == 0)
			return &all->list.v[i];
	return NULL;
}

/*
 * Does <name>.ok say that the directory was finished in this boot?  Without
 * that nobody uses it any more (cache/snapshot.c).
 */
static bool
is_finished(int dirfd, const char *name)
{
	char mark[NAME_MAX + 8], boot[LAY_BOOT_ID_LEN];
	char got[LAY_BOOT_ID_LEN] = {0};
	stv_auto_fd fd = -1;

	(void)snprintf(mark, sizeof(mark), "%s" CAS_SNAPSHOT_MARK, name);
	lay_boot_id(boot);
	fd = openat(dirfd, mark, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && read(fd, got, sizeof(got)) == (ssize_t)sizeof(got) &&
	       memcmp(got, boot, sizeof(got)) == 0;
}

static int
note_name(struct cas_store *s, void *arg, int dirfd, const char *name,
	  const struct stat *st, struct stv_err **err)
{
	struct cas_snapshots *all = arg;
	struct cas_snapshot *snap;

	(void)s;
	(void)err;
	/* What else lies there belongs to the directory of its name. */
	if (!S_ISDIR(st->st_mode))
		return 0;
	snap = stv_vec_push(&all->list);
	snap->name = stv_xstrdup(name);
	snap->size = UINT64_MAX;
	snap->used_s = st->st_ctim.tv_sec;
	snap->is_doomed = !is_finished(dirfd, name);
	return 0;
}

/*
 * Sizes, last uses and fates from the database.  A snapshot of a layer that is
 * gone is doomed; one of an unknown layer is kept.
 */
static int
read_rows(struct cas_store *s, struct cas_snapshots *all, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT n.name, n.size, n.used_s,"
		" n.diff_id IS NOT NULL AND NOT EXISTS"
		" (SELECT 1 FROM layer l WHERE l.diff_id = n.diff_id),"
		" (SELECT max(r.used_s) FROM record r"
		"  WHERE r.diff_id = n.diff_id)"
		" FROM snapshot n",
		err);
	int r = st == NULL ? -1 : 1;

	while (r == 1) {
		struct cas_snapshot *snap;
		int64_t used;

		r = cas_db_step(s, st, err);
		if (r != 1)
			break;
		snap = find_snapshot(all, cas_db_col_text(st, 0));
		if (snap == NULL)
			continue;
		snap->size = (uint64_t)sqlite3_column_int64(st, 1);
		snap->is_doomed |= sqlite3_column_int(st, 3) != 0;
		used = sqlite3_column_int64(st, 2);
		if (sqlite3_column_int64(st, 4) > used)
			used = sqlite3_column_int64(st, 4);
		snap->used_s = used;
	}
	return r;
}

/* In a transaction: remember the sizes that were measured. */
static int
write_measured(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct cas_snapshots *all = arg;

	for (size_t i = 0; i < all->list.len; i++)
		if (cas_snapshot_write(s, all->list.v[i].name, NULL,
				       all->list.v[i].size, err) < 0)
			return -1;
	return 0;
}

/* Measure those that no row knows, and keep their sizes for the next time. */
static int
measure(struct cas_store *s, struct cas_snapshots *all, struct stv_err **err)
{
	struct cas_snapshots fresh = {0};
	stv_auto_fd fd = openat(s->root_fd, CAS_SNAPSHOTS,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	for (size_t i = 0; fd >= 0 && i < all->list.len; i++) {
		struct cas_snapshot *snap = &all->list.v[i];

		if (snap->size != UINT64_MAX)
			continue;
		snap->size = cas_tree_size(fd, snap->name);
		*stv_vec_push(&fresh.list) = *snap; /* borrows the name */
	}
	if (fresh.list.len > 0 && !s->is_readonly) {
		r = cas_db_enter(s, err);
		if (r == 0) {
			r = cas_db_write(s, write_measured, &fresh, err);
			cas_db_leave(s);
		}
	}
	stv_vec_fini(&fresh.list);
	return r;
}

int
cas_snapshots_read(struct cas_store *s, struct cas_snapshots *ret,
		   struct stv_err **err)
{
	int r;

	if (cas_each_file(s, CAS_SNAPSHOTS, note_name, ret, err) < 0 ||
	    cas_db_enter(s, err) < 0)
		return -1;
	r = read_rows(s, ret, err);
	cas_db_leave(s);
	return r < 0 ? -1 : measure(s, ret, err);
}

void
cas_snapshots_fini(struct cas_snapshots *list)
{
	for (size_t i = 0; i < list->list.len; i++)
		free(list->list.v[i].name);
	stv_vec_fini(&list->list);
}
