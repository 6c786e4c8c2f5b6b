/* cache/fsck_derived.c - checking what can be made again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cache/db.h"
#include "cache/fsck_internal.h"
#include "cache/layer_internal.h"
#include "cache/meta.h"
#include "cache/store_internal.h"
#include "cache/toc.h"
#include "cache/toc_format.h"

/* A table of a layer of 10 million entries is some 2 GiB; this is more. */
#define MAX_TOC ((size_t)8 << 30)
/* How often index.json is looked at while others write to the store. */
#define TRIES 5

/* ---- tables of contents ----------------------------------------------- */

/* Is the file a sound table?  1, 0 or -1. */
static int
is_sound_toc(int dirfd, const char *name, struct stv_err **err)
{
	struct stv_buf text = STV_BUF_INIT(MAX_TOC);
	struct lay_toc *toc = NULL;
	struct stv_err *why = NULL;
	char *data;
	size_t n;
	int r;

	if (stv_fsat_read_file(dirfd, name, MAX_TOC, &text, err) < 0) {
		stv_buf_fini(&text);
		/* A collection beside us may have taken it. */
		if (stv_err_code(*err) != STV_E_NOT_FOUND)
			return -1;
		stv_err_clear(err);
		return 1;
	}
	n = text.len;
	data = stv_buf_take(&text);
	/* One of this boot is taken on trust: let it look like an older one. */
	if (n >= sizeof(struct toc_head))
		memset(data + offsetof(struct toc_head, boot_id), 0,
		       LAY_BOOT_ID_LEN);
	r = lay_toc_load(data, n, &toc, &why);
	lay_toc_close(toc);
	stv_err_free(why);
	return r == 0 ? 1 : 0;
}

static int
on_toc(struct cas_store *s, void *arg, int dirfd, const char *name,
       const struct stat *st, struct stv_err **err)
{
	struct fsck *f = arg;
	char what[300];
	struct stv_digest d;
	int r;

	(void)s;
	(void)st;
	/* What a running build writes has no digest's name yet. */
	if (stv_digest_parse_hex(name, strlen(name), &d) < 0)
		return 0;
	r = is_sound_toc(dirfd, name, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (f->opts->is_repair && unlinkat(dirfd, name, 0) < 0)
		return stv_fail_errno(err, errno, "cannot remove '%s/%s'",
				      CAS_TOC, name);
	(void)snprintf(what, sizeof(what), "%s/%s", CAS_TOC, name);
	cas_fsck_find(f, CAS_FSCK_DERIVED, f->opts->is_repair, what,
		      "the table of contents is damaged");
	return 0;
}

/* ---- lists of what COPYs took ----------------------------------------- */

static int
on_inputs(struct cas_store *s, void *arg, int dirfd, const char *name,
	  const struct stat *st, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_INPUTS);
	struct fsck *f = arg;
	struct stv_digest d, is;
	char what[300];

	(void)s;
	(void)st;
	if (stv_digest_parse_hex(name, strlen(name), &d) < 0)
		return 0;
	if (stv_fsat_read_file(dirfd, name, STV_MAX_INPUTS, &text, err) < 0) {
		/* A collection beside us may have taken it. */
		if (stv_err_code(*err) != STV_E_NOT_FOUND)
			return -1;
		stv_err_clear(err);
		return 0;
	}
	is = stv_digest_of(stv_buf_str(&text), text.len);
	if (stv_digest_equal(&d, &is))
		return 0;
	if (f->opts->is_repair && unlinkat(dirfd, name, 0) < 0)
		return stv_fail_errno(err, errno, "cannot remove '%s/%s'",
				      CAS_INPUTS, name);
	(void)snprintf(what, sizeof(what), "%s/%s", CAS_INPUTS, name);
	cas_fsck_find(f, CAS_FSCK_DERIVED, f->opts->is_repair, what,
		      "the list of files is damaged");
	return 0;
}

/* ---- snapshots -------------------------------------------------------- */

/* A row of an unpacked layer. */
struct row {
	char *name;
	struct stv_digest diff_id;
};

struct rows {
	STV_VEC(struct row) list;
};

static int
read_rows(struct fsck *f, struct rows *ret, struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(f->store, err) < 0)
		return -1;
	st = cas_db_stmt(f->store,
			 "SELECT name, diff_id FROM snapshot"
			 " WHERE diff_id IN (SELECT diff_id FROM layer)",
			 err);
	r = st == NULL ? -1 : 1;
	while (r == 1) {
		r = cas_db_step(f->store, st, err);
		if (r == 1)
			*stv_vec_push(&ret->list) = (struct row){
				stv_xstrdup(cas_db_col_text(st, 0)),
				cas_db_col_digest(st, 1),
			};
	}
	cas_db_leave(f->store);
	return r;
}

/* Is the entry in the unpacked directory what the table says? */
static bool
is_as_listed(int dirfd, const struct lay_entry *e)
{
	struct stat st;
	stv_auto_fd fd = -1;

	switch (e->type) {
	case LAY_FILE:
	case LAY_DIR:
	case LAY_SYMLINK:
	case LAY_HARDLINK:
		break;
	case LAY_FIFO:
	case LAY_CHAR:
	case LAY_BLOCK:
	case LAY_WHITEOUT:
	case LAY_OPAQUE:
		/* Not made on every rung, or not as an entry. */
		return true;
	}
	if (e->path[0] == '\0')
		return true;
	fd = stv_fsat_open_nolinks(dirfd, e->path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	if (e->type == LAY_DIR)
		return S_ISDIR(st.st_mode);
	if (e->type == LAY_SYMLINK)
		return S_ISLNK(st.st_mode);
	if (e->type == LAY_HARDLINK)
		return !S_ISDIR(st.st_mode);
	return S_ISREG(st.st_mode) && (uint64_t)st.st_size == e->size;
}

/* The first path that is not as it should be, NULL where all are. */
static int
find_wrong(struct fsck *f, const struct row *row, char **ret,
	   struct stv_err **err)
{
	char path[300];
	stv_auto(lay_toc) *toc = NULL;
	stv_auto_fd fd = -1;
	struct stv_err *why = NULL;

	(void)snprintf(path, sizeof(path), "%s/%s", CAS_SNAPSHOTS, row->name);
	fd = openat(f->store->root_fd, path,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		*ret = stv_xstrdup("");
		return 0;
	}
	/* Without its table, which was reported already, nothing is known. */
	if (lay_toc_open(f->store, &row->diff_id, &toc, &why) < 0) {
		stv_err_free(why);
		return 0;
	}
	(void)err;
	for (size_t i = 0; i < lay_toc_len(toc); i++) {
		struct lay_entry e;

		lay_toc_get(toc, i, &e);
		if (!is_as_listed(fd, &e)) {
			*ret = stv_xstrdup(e.path);
			return 0;
		}
	}
	return 0;
}

static int
delete_row(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct row *row = arg;
	sqlite3_stmt *st =
		cas_db_stmt(s, "DELETE FROM snapshot WHERE name = ?1", err);

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, row->name);
	return cas_db_run(s, st, err);
}

/* First the mark that says that it is whole, then the rest. */
static int
drop_snapshot(struct fsck *f, struct row *row, struct stv_err **err)
{
	stv_auto_free char *path =
		stv_xasprintf("%s/%s", CAS_SNAPSHOTS, row->name);
	stv_auto_free char *mark =
		stv_xasprintf("%s%s", path, CAS_SNAPSHOT_MARK);
	int r;

	if (unlinkat(f->store->root_fd, mark, 0) < 0 && errno != ENOENT)
		return stv_fail_errno(err, errno, "cannot remove '%s'", mark);
	if (cas_discard(f->store, f->store->root_fd, path, err) < 0 ||
	    cas_db_enter(f->store, err) < 0)
		return -1;
	r = cas_db_write(f->store, delete_row, row, err);
	cas_db_leave(f->store);
	return r;
}

static int
check_snapshot(struct fsck *f, struct row *row, struct stv_err **err)
{
	stv_auto_free char *wrong = NULL;
	stv_auto_fd lock = -1;
	char what[300];
	int r = cas_key_trylock(f->store, row->name, &lock, err);

	/* Somebody is making it just now. */
	if (r != 0)
		return r < 0 ? -1 : 0;
	f->result->n_snapshots++;
	if (find_wrong(f, row, &wrong, err) < 0)
		return -1;
	if (wrong == NULL)
		return 0;
	if (f->opts->is_repair && drop_snapshot(f, row, err) < 0)
		return -1;
	(void)snprintf(what, sizeof(what), "%s/%s", CAS_SNAPSHOTS, row->name);
	if (wrong[0] == '\0')
		cas_fsck_find(f, CAS_FSCK_DERIVED, f->opts->is_repair, what,
			      "the unpacked layer is not there");
	else
		cas_fsck_find(f, CAS_FSCK_DERIVED, f->opts->is_repair, what,
			      "'%.300s' is not as its layer has it", wrong);
	return 0;
}

static int
check_snapshots(struct fsck *f, struct stv_err **err)
{
	struct rows all = {0};
	int r = read_rows(f, &all, err);

	for (size_t i = 0; r == 0 && i < all.list.len; i++)
		r = check_snapshot(f, &all.list.v[i], err);
	for (size_t i = 0; i < all.list.len; i++)
		free(all.list.v[i].name);
	stv_vec_fini(&all.list);
	return r;
}

/* ---- index.json ------------------------------------------------------- */

/*
 * A writer commits first and writes the file then: while others work it is
 * looked at a few times.
 */
static int
check_index(struct fsck *f, struct stv_err **err)
{
	int r = 0;

	for (int i = 0; i < TRIES && r == 0; i++) {
		if (i > 0)
			(void)nanosleep(&(struct timespec){0, 50000000}, NULL);
		r = cas_layout_check(f->store, err);
	}
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (f->opts->is_repair && cas_layout_write(f->store, err) < 0)
		return -1;
	cas_fsck_find(f, CAS_FSCK_DERIVED, f->opts->is_repair, CAS_INDEX,
		      "it does not list the images that are here");
	return 0;
}

int
cas_fsck_derived(struct fsck *f, struct stv_err **err)
{
	if (cas_each_file(f->store, CAS_TOC, on_toc, f, err) < 0 ||
	    cas_each_file(f->store, CAS_INPUTS, on_inputs, f, err) < 0 ||
	    check_snapshots(f, err) < 0)
		return -1;
	return check_index(f, err);
}
