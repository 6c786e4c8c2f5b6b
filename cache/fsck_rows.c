/* cache/fsck_rows.c - checking what the rows of the database name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/strs.h"
#include "core/vec.h"

#include "core/codec.h"

#include "cache/blob.h"
#include "cache/db.h"
#include "cache/fsck_internal.h"
#include "cache/meta.h"
#include "cache/store_internal.h"

/* "${noun} sha256:<hex>" in ${buf}. */
static const char *
name_it(char buf[STV_DIGEST_STR_MAX + 16], const char *noun,
	const struct stv_digest *d)
{
	char str[STV_DIGEST_STR_MAX];

	(void)snprintf(buf, STV_DIGEST_STR_MAX + 16, "%s %s", noun,
		       stv_digest_str(d, str));
	return buf;
}

/* ---- layers ----------------------------------------------------------- */

struct layers {
	STV_VEC(struct cas_layer) list;
};

static int
read_layers(struct fsck *f, struct layers *ret, struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(f->store, err) < 0)
		return -1;
	st = cas_db_stmt(f->store,
			 "SELECT diff_id, blob, blob_size, tar_size FROM layer",
			 err);
	r = st == NULL ? -1 : 1;
	while (r == 1) {
		r = cas_db_step(f->store, st, err);
		if (r == 1)
			*stv_vec_push(&ret->list) = (struct cas_layer){
				.diff_id = cas_db_col_digest(st, 0),
				.blob = cas_db_col_digest(st, 1),
				.blob_size =
					(uint64_t)sqlite3_column_int64(st, 2),
				.tar_size =
					(uint64_t)sqlite3_column_int64(st, 3),
			};
	}
	cas_db_leave(f->store);
	return r;
}

static int
delete_layer(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct cas_layer *l = arg;
	sqlite3_stmt *st = cas_db_stmt(
		s, "DELETE FROM layer WHERE diff_id = ?1 AND blob = ?2", err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, &l->diff_id);
	cas_db_bind_digest(st, 2, &l->blob);
	return cas_db_run(s, st, err);
}

/* One transaction of a repair. */
static int
repair(struct fsck *f,
       int (*fn)(struct cas_store *s, void *arg, struct stv_err **err),
       void *arg, struct stv_err **err)
{
	int r;

	if (!f->opts->is_repair)
		return 0;
	if (cas_db_enter(f->store, err) < 0)
		return -1;
	r = cas_db_write(f->store, fn, arg, err);
	cas_db_leave(f->store);
	return r;
}

/* Does the compressed blob unpack to its diff ID? */
static int
unpacks_to(struct fsck *f, const struct cas_layer *l, bool *ret,
	   struct stv_err **err)
{
	stv_auto_fd fd = -1;
	stv_auto(stv_in) *in = NULL;
	stv_auto(stv_in) *plain = NULL;
	stv_auto(stv_sink) *hash = NULL;
	struct stv_err *why = NULL;
	struct stv_digest got;
	uint64_t n = 0;

	*ret = false;
	if (cas_blob_open(f->store, &l->blob, &fd, NULL, err) < 0)
		return -1;
	in = stv_in_fd(fd);
	plain = stv_in_decode(in, NULL, &why);
	hash = stv_sink_hash(NULL);
	if (plain == NULL || stv_copy(plain, hash, &n, &why) < 0) {
		stv_err_free(why);
		return 0;
	}
	got = stv_sink_hash_end(hash, &n);
	*ret = n == l->tar_size && stv_digest_equal(&got, &l->diff_id);
	return 0;
}

static int
check_layer(struct fsck *f, struct cas_layer *l, struct stv_err **err)
{
	char what[STV_DIGEST_STR_MAX + 16];
	bool is_plain = stv_digest_equal(&l->blob, &l->diff_id);
	bool is_right = true;
	enum fsck_state state;

	f->result->n_layers++;
	if (cas_fsck_blob(f, &l->blob, &state, err) < 0)
		return -1;
	if (state == FSCK_NONE) {
		if (repair(f, delete_layer, l, err) < 0)
			return -1;
		cas_fsck_find(f, CAS_FSCK_DANGLING, f->opts->is_repair,
			      name_it(what, "layer", &l->diff_id),
			      "its blob is not there");
		return 0;
	}
	if (state == FSCK_GOOD && !is_plain && f->opts->is_thorough &&
	    unpacks_to(f, l, &is_right, err) < 0)
		return -1;
	if (!is_right)
		cas_fsck_find(f, CAS_FSCK_DAMAGED, false,
			      name_it(what, "layer", &l->diff_id),
			      "its blob does not unpack to it");
	return 0;
}

static int
check_layers(struct fsck *f, struct stv_err **err)
{
	struct layers all = {0};
	int r = read_layers(f, &all, err);

	for (size_t i = 0; r == 0 && i < all.list.len; i++)
		r = check_layer(f, &all.list.v[i], err);
	stv_vec_fini(&all.list);
	return r;
}

/* ---- images ----------------------------------------------------------- */

/* One blob that an image names. */
static int
check_part(struct fsck *f, const char *what, const char *noun,
	   const struct stv_digest *d, struct stv_err **err)
{
	char str[STV_DIGEST_STR_MAX];
	enum fsck_state state;

	if (cas_fsck_blob(f, d, &state, err) < 0)
		return -1;
	if (state == FSCK_NONE)
		cas_fsck_find(f, CAS_FSCK_MISSING, false, what,
			      "its %s %s is not there", noun,
			      stv_digest_str(d, str));
	return 0;
}

/* Read a document that was found good; NULL text where it is not. */
static int
read_doc(struct fsck *f, const struct stv_digest *d, struct stv_buf *ret,
	 bool *ret_is_there, struct stv_err **err)
{
	enum fsck_state state;

	*ret_is_there = false;
	if (cas_fsck_blob(f, d, &state, err) < 0)
		return -1;
	if (state != FSCK_GOOD)
		return 0;
	*ret_is_there = true;
	return cas_blob_read(f->store, d, STV_MAX_CONFIG, ret, err);
}

/* The manifest's own list, which the image's rows must agree with. */
static int
check_manifest(struct fsck *f, const char *what, const struct cas_image *img,
	       const struct stv_buf *text, struct stv_err **err)
{
	stv_auto(oci_manifest) *m = NULL;
	struct stv_err *why = NULL;

	if (oci_is_index(stv_buf_str(text), text->len) == 1)
		return 0;
	if (oci_manifest_parse(stv_buf_str(text), text->len, NULL, &m, &why) <
	    0) {
		cas_fsck_find(f, CAS_FSCK_DAMAGED, false, what, "%s",
			      stv_err_msg(stv_err_root(why)));
		stv_err_free(why);
		return 0;
	}
	if (!stv_digest_equal(&m->config.digest, &img->config))
		cas_fsck_find(f, CAS_FSCK_DAMAGED, false, what,
			      "its config is not what its manifest says");
	for (size_t i = 0; i < m->n_layers; i++)
		if (check_part(f, what, "layer", &m->layers[i].digest, err) < 0)
			return -1;
	return 0;
}

static int
check_image(struct fsck *f, const struct cas_image *img, struct stv_err **err)
{
	stv_auto_buf manifest = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto_buf config = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(oci_config) *parsed = NULL;
	char what[STV_DIGEST_STR_MAX + 16];
	struct stv_err *why = NULL;
	bool is_there;

	f->result->n_images++;
	(void)name_it(what, "image", &img->config);
	if (check_part(f, what, "manifest", &img->manifest, err) < 0 ||
	    check_part(f, what, "config", &img->config, err) < 0 ||
	    read_doc(f, &img->manifest, &manifest, &is_there, err) < 0)
		return -1;
	if (is_there && check_manifest(f, what, img, &manifest, err) < 0)
		return -1;
	if (read_doc(f, &img->config, &config, &is_there, err) < 0)
		return -1;
	if (is_there && oci_config_parse(stv_buf_str(&config), config.len,
					 &parsed, &why) < 0) {
		cas_fsck_find(f, CAS_FSCK_DAMAGED, false, what, "%s",
			      stv_err_msg(stv_err_root(why)));
		stv_err_free(why);
	}
	return 0;
}

/* cas_image_each() has no error of ours: it is carried in here. */
struct each {
	struct fsck *f;
	struct stv_err **err;
};

static int
on_image(void *arg, const struct cas_image *img)
{
	struct each *each = arg;

	return check_image(each->f, img, each->err);
}

/* ---- rows that nothing can come of ------------------------------------ */

/* A query for them, and how they are deleted. */
struct dangling {
	const char *noun;
	const char *text;
	const char *find; /* gives one column for the message */
	const char *drop;
};

static const struct dangling danglings[] = {
	{
		"tag",
		"it names an image that is not there",
		"SELECT name FROM tag t WHERE NOT EXISTS"
		" (SELECT 1 FROM image i WHERE i.manifest = t.manifest)",
		"DELETE FROM tag WHERE NOT EXISTS"
		" (SELECT 1 FROM image i WHERE i.manifest = tag.manifest)",
	},
	{
		"blob of an image",
		"it belongs to an image that is not there",
		"SELECT lower(hex(blob)) FROM image_blob b WHERE NOT EXISTS"
		" (SELECT 1 FROM image i WHERE i.manifest = b.manifest)",
		"DELETE FROM image_blob WHERE NOT EXISTS (SELECT 1 FROM image i"
		" WHERE i.manifest = image_blob.manifest)",
	},
	{
		"cache record",
		"its layer is not there",
		"SELECT step FROM record r WHERE diff_id IS NOT NULL AND NOT"
		" EXISTS (SELECT 1 FROM layer l WHERE l.diff_id = r.diff_id)",
		"DELETE FROM record WHERE diff_id IS NOT NULL AND NOT EXISTS"
		" (SELECT 1 FROM layer l WHERE l.diff_id = record.diff_id)",
	},
};

static int
drop_dangling(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct dangling *d = arg;
	sqlite3_stmt *st = cas_db_stmt(s, d->drop, err);

	return st == NULL ? -1 : cas_db_run(s, st, err);
}

static int
check_dangling(struct fsck *f, const struct dangling *d, struct stv_err **err)
{
	struct dangling copy = *d;
	struct stv_strs found = {0};
	sqlite3_stmt *st;
	char what[300];
	int r;

	if (cas_db_enter(f->store, err) < 0)
		return -1;
	st = cas_db_stmt(f->store, d->find, err);
	r = st == NULL ? -1 : 1;
	while (r == 1) {
		r = cas_db_step(f->store, st, err);
		if (r == 1)
			stv_strs_add(&found, cas_db_col_text(st, 0));
	}
	cas_db_leave(f->store);
	if (r == 0 && found.len > 0)
		r = repair(f, drop_dangling, &copy, err);
	for (size_t i = 0; r == 0 && i < found.len; i++) {
		(void)snprintf(what, sizeof(what), "%s %s", d->noun,
			       found.v[i]);
		cas_fsck_find(f, CAS_FSCK_DANGLING, f->opts->is_repair, what,
			      "%s", d->text);
	}
	stv_strs_clear(&found);
	return r;
}

static int
count_records(struct fsck *f, struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(f->store, err) < 0)
		return -1;
	st = cas_db_stmt(f->store, "SELECT COUNT(*) FROM record", err);
	r = st == NULL ? -1 : cas_db_step(f->store, st, err);
	if (r == 1)
		f->result->n_records = (uint64_t)sqlite3_column_int64(st, 0);
	cas_db_leave(f->store);
	return r < 0 ? -1 : 0;
}

int
cas_fsck_rows(struct fsck *f, struct stv_err **err)
{
	struct each each = {f, err};

	/* Layers first: a row of theirs that goes makes records dangle. */
	if (check_layers(f, err) < 0)
		return -1;
	if (cas_image_each(f->store, on_image, &each, err) < 0)
		return -1;
	for (size_t i = 0; i < STV_ARRAY_LEN(danglings); i++)
		if (check_dangling(f, &danglings[i], err) < 0)
			return -1;
	return count_records(f, err);
}
