/*
 * cache/layout.c - index.json, which makes the store an OCI image layout that
 * other tools read.  Derived from the database: not synced, and written again
 * by the next change if it was lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/oci.h"

#include "cache/db.h"
#include "cache/store_internal.h"

/* Far more than any store has images: some 100 000 descriptors. */
#define MAX_INDEX_JSON ((size_t)64 << 20)

static char *
dup_text(sqlite3_stmt *st, int col)
{
	return strdup(cas_db_col_text(st, col));
}

/*
 * One descriptor for each tag, named by it as "oci:DIR:NAME" expects, and one
 * without a name for each image that has no tag.
 */
static int
collect(struct cas_store *s, struct oci_index *x, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT i.manifest, i.media_type, i.manifest_size, t.name"
		" FROM image i LEFT JOIN tag t ON t.manifest = i.manifest"
		" ORDER BY i.manifest, t.name",
		err);
	int r = st == NULL ? -1 : 1;

	while (r == 1) {
		struct oci_descriptor *d;

		r = cas_db_step(s, st, err);
		if (r != 1)
			break;
		d = oci_index_add(x);
		d->digest = cas_db_col_digest(st, 0);
		d->media_type = dup_text(st, 1);
		d->size = (uint64_t)sqlite3_column_int64(st, 2);
		if (sqlite3_column_type(st, 3) == SQLITE_NULL)
			continue;
		stv_pairs_set(&d->annotations, "io.containerd.image.name",
			      cas_db_col_text(st, 3));
		stv_pairs_set(&d->annotations,
			      "org.opencontainers.image.ref.name",
			      cas_db_col_text(st, 3));
	}
	return r;
}

static int
make_text(struct cas_store *s, struct stv_buf *ret, struct stv_err **err)
{
	stv_auto(oci_index) *x = stv_xcalloc(1, sizeof(*x));
	int r;

	x->media_type = stv_xstrdup(OCI_MT_INDEX);
	if (cas_db_enter(s, err) < 0)
		return -1;
	r = collect(s, x, err);
	cas_db_leave(s);
	if (r < 0)
		return -1;
	oci_index_write(x, ret);
	return stv_buf_check(ret, CAS_INDEX, err);
}

/* Does index.json hold exactly this text? */
static bool
is_same(struct cas_store *s, const struct stv_buf *text)
{
	stv_auto_buf old = STV_BUF_INIT(MAX_INDEX_JSON);
	struct stv_err *err = NULL;

	if (stv_fsat_read_file(s->root_fd, CAS_INDEX, MAX_INDEX_JSON, &old,
			       &err) < 0) {
		stv_err_clear(&err);
		return false;
	}
	return old.len == text->len &&
	       memcmp(stv_buf_str(&old), stv_buf_str(text), old.len) == 0;
}

/*
 * Two writers, each with the state that it saw, could end in the wrong order:
 * the state is read under a lock on the root.
 */
static int
lock_root(struct cas_store *s, struct stv_err **err)
{
	stv_auto_fd lock = -1;

	/* Opening the database takes the same lock: it comes first. */
	if (cas_db_enter(s, err) < 0)
		return -1;
	cas_db_leave(s);
	lock = openat(s->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return stv_fail_errno(err, errno, "cannot lock '%s'", s->root);
	return stv_steal_fd(&lock);
}

int
cas_layout_write(struct cas_store *s, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(MAX_INDEX_JSON);
	stv_auto_fd lock = lock_root(s, err);

	if (lock < 0 || make_text(s, &text, err) < 0)
		return -1;
	if (is_same(s, &text))
		return 0;
	return cas_replace(s, CAS_INDEX, stv_buf_str(&text), text.len, false,
			   err);
}

int
cas_layout_check(struct cas_store *s, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(MAX_INDEX_JSON);
	stv_auto_fd lock = lock_root(s, err);

	if (lock < 0 || make_text(s, &text, err) < 0)
		return -1;
	return is_same(s, &text) ? 1 : 0;
}

int
cas_layout_mark(struct cas_store *s, struct stv_err **err)
{
	stv_auto_fd fd = -1;
	int own = -1;

	if (cas_own_tmp(s, &own, err) < 0)
		return -1;
	fd = openat(own, CAS_STALE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot write to '%s'",
				      s->root);
	return 0;
}

void
cas_layout_try_mark(struct cas_store *s)
{
	struct stv_err *err = NULL;

	if (cas_layout_mark(s, &err) < 0)
		stv_err_free(err);
}

void
cas_layout_refresh(struct cas_store *s)
{
	struct stv_err *err = NULL;

	if (cas_layout_write(s, &err) < 0)
		stv_err_clear(&err);
	else if (s->own_fd >= 0)
		(void)unlinkat(s->own_fd, CAS_STALE, 0);
}
