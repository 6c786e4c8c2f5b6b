/* cache/fsck.c - checking the store: blobs, and the whole of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/stream.h"

#include "cache/blob.h"
#include "cache/db.h"
#include "cache/fsck_internal.h"
#include "cache/store_internal.h"

#include "cache/fsck.h"

void
cas_fsck_find(struct fsck *f, enum cas_finding_kind kind, bool is_repaired,
	      const char *what, const char *fmt, ...)
{
	char text[512];
	struct cas_finding finding = {
		.kind = kind,
		.what = what,
		.text = text,
		.is_repaired = is_repaired,
	};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f->result->n_findings++;
	if (is_repaired)
		f->result->n_repaired++;
	if (f->opts->on_finding != NULL)
		f->opts->on_finding(f->opts->arg, &finding);
}

/* The digest of a blob's bytes; a read error counts as damage (EIO). */
static int
hash_blob(struct fsck *f, const struct stv_digest *d, struct stv_digest *ret,
	  struct stv_err **err)
{
	stv_auto_fd fd = -1;
	stv_auto(stv_in) *in = NULL;
	stv_auto(stv_sink) *hash = NULL;
	uint64_t n = 0;

	if (cas_blob_open(f->store, d, &fd, NULL, err) < 0)
		return -1;
	in = stv_in_fd(fd);
	hash = stv_sink_hash(NULL);
	if (stv_copy(in, hash, &n, err) < 0)
		return -1;
	*ret = stv_sink_hash_end(hash, &n);
	f->result->n_bytes += n;
	return 0;
}

/*
 * A cached layer that no image has can be built again: its rows and its bytes
 * go.
 */
static int
drop_cached(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct stv_digest *blob = arg;
	sqlite3_stmt *st =
		cas_db_stmt(s, "DELETE FROM layer WHERE blob = ?1", err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, blob);
	return cas_db_run(s, st, err);
}

static int
repair_blob(struct fsck *f, const struct stv_digest *d, struct stv_err **err)
{
	struct stv_digest copy = *d;
	char hex[STV_DIGEST_STR_MAX];
	int r;

	if (cas_db_enter(f->store, err) < 0)
		return -1;
	r = cas_db_write(f->store, drop_cached, &copy, err);
	cas_db_leave(f->store);
	if (r < 0)
		return -1;
	if (unlinkat(f->store->blobs_fd, stv_digest_hex(d, hex), 0) < 0 &&
	    errno != ENOENT)
		return stv_fail_errno(err, errno, "cannot remove blob %s", hex);
	return 0;
}

/* Read one blob; a damaged one is reported and, if only cache, removed. */
static int
check_blob(struct fsck *f, const struct stv_digest *d, struct stv_err **err)
{
	char what[STV_DIGEST_STR_MAX + 8] = "blob ", is[STV_DIGEST_STR_MAX];
	bool can_go = f->opts->is_repair && !cas_set_has(&f->kept, d);
	struct stv_err *why = NULL;
	struct stv_digest got;

	(void)stv_digest_str(d, what + strlen("blob "));
	f->result->n_blobs++;
	if (hash_blob(f, d, &got, &why) == 0 && stv_digest_equal(&got, d)) {
		*stv_vec_push(&f->good.list) = *d;
		return 0;
	}
	*stv_vec_push(&f->bad.list) = *d;
	if (can_go && repair_blob(f, d, err) < 0) {
		stv_err_free(why);
		return -1;
	}
	if (why != NULL)
		cas_fsck_find(f, CAS_FSCK_DAMAGED, can_go, what, "%s",
			      stv_err_msg(why));
	else
		cas_fsck_find(f, CAS_FSCK_DAMAGED, can_go, what,
			      "its bytes are %s", stv_digest_str(&got, is));
	stv_err_free(why);
	return 0;
}

static int
on_blob(struct cas_store *s, void *arg, int dirfd, const char *name,
	const struct stat *st, struct stv_err **err)
{
	struct fsck *f = arg;
	char what[300];
	struct stv_digest d;

	(void)s;
	(void)dirfd;
	if (S_ISREG(st->st_mode) &&
	    stv_digest_parse_hex(name, strlen(name), &d) == 0)
		return check_blob(f, &d, err);
	(void)snprintf(what, sizeof(what), "%s/%s", CAS_BLOBS, name);
	cas_fsck_find(f, CAS_FSCK_STRANGE, false, what, "it is no blob");
	return 0;
}

static int
read_kept(struct fsck *f, struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(f->store, err) < 0)
		return -1;
	st = cas_db_stmt(f->store, "SELECT DISTINCT blob FROM image_blob", err);
	r = st == NULL ? -1 : 1;
	while (r == 1) {
		r = cas_db_step(f->store, st, err);
		if (r == 1)
			*stv_vec_push(&f->kept.list) = cas_db_col_digest(st, 0);
	}
	cas_db_leave(f->store);
	cas_set_sort(&f->kept);
	return r;
}

int
cas_fsck_blobs(struct fsck *f, struct stv_err **err)
{
	if (read_kept(f, err) < 0 ||
	    cas_each_file(f->store, CAS_BLOBS, on_blob, f, err) < 0)
		return -1;
	cas_set_sort(&f->good);
	cas_set_sort(&f->bad);
	return 0;
}

int
cas_fsck_blob(struct fsck *f, const struct stv_digest *d, enum fsck_state *ret,
	      struct stv_err **err)
{
	if (!cas_set_has(&f->good, d) && !cas_set_has(&f->bad, d) &&
	    cas_blob_has(f->store, d)) {
		/* A build that runs beside us has just made it. */
		if (check_blob(f, d, err) < 0)
			return -1;
		cas_set_sort(&f->good);
		cas_set_sort(&f->bad);
	}
	*ret = cas_set_has(&f->good, d)	 ? FSCK_GOOD
	       : cas_set_has(&f->bad, d) ? FSCK_BAD
					 : FSCK_NONE;
	return 0;
}

/* SQLite's own check; with a broken file the rest would say nothing. */
static int
check_database(struct fsck *f, struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(f->store, err) < 0)
		return -1;
	st = cas_db_stmt(f->store, "PRAGMA quick_check(1)", err);
	r = st == NULL ? -1 : cas_db_step(f->store, st, err);
	if (r == 1 && strcmp(cas_db_col_text(st, 0), "ok") != 0)
		cas_fsck_find(f, CAS_FSCK_DAMAGED, false, CAS_META, "%s",
			      cas_db_col_text(st, 0));
	cas_db_leave(f->store);
	return r < 0 ? -1 : 0;
}

static int
check_all(struct fsck *f, struct stv_err **err)
{
	if (check_database(f, err) < 0 || cas_fsck_blobs(f, err) < 0 ||
	    cas_fsck_rows(f, err) < 0)
		return -1;
	return cas_fsck_derived(f, err);
}

int
cas_fsck(struct cas_store *s, const struct cas_fsck_opts *opts,
	 struct cas_fsck_result *ret, struct stv_err **err)
{
	struct fsck f = {.store = s, .opts = opts, .result = ret};
	stv_auto(cas_lease) *lease = NULL;
	stv_auto_fd alone = -1;
	int r;

	*ret = (struct cas_fsck_result){0};
	r = opts->is_repair ? cas_lease_exclusive(s, opts->wait_ms, &alone, err)
			    : cas_lease_take(s, &lease, err);
	if (r != 0)
		return r;
	r = check_all(&f, err);
	cas_set_fini(&f.good);
	cas_set_fini(&f.bad);
	cas_set_fini(&f.kept);
	return r < 0 ? stv_wrap(err, "checking the store '%s'", s->root) : 0;
}
