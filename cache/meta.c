/* cache/meta.c - layers and images in the database. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/vec.h"

#include "cache/blob.h"
#include "cache/db.h"
#include "cache/meta_internal.h"
#include "cache/store_internal.h"

#include "cache/meta.h"

/* Plain, and as other tools compressed it; more are not looked at. */
#define MAX_FORMS 16
#define IMAGE_COLUMNS "manifest, config, created_s, size"

static void
read_layer(sqlite3_stmt *st, struct cas_layer *ret)
{
	*ret = (struct cas_layer){
		.diff_id = cas_db_col_digest(st, 0),
		.blob = cas_db_col_digest(st, 1),
		.blob_size = (uint64_t)sqlite3_column_int64(st, 2),
		.tar_size = (uint64_t)sqlite3_column_int64(st, 3),
	};
	strncpy(ret->media_type, cas_db_col_text(st, 4),
		sizeof(ret->media_type) - 1);
	strncpy(ret->made_by, cas_db_col_text(st, 5), sizeof(ret->made_by) - 1);
}

/*
 * The forms of a layer in the order of preference: the plain one first; only
 * those that ${made_by} made, unless that is NULL.
 */
static int
find_layers(struct cas_store *s, const struct stv_digest *diff_id,
	    const char *made_by, struct cas_layer *ret, size_t max,
	    size_t *ret_n, struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	st = cas_db_stmt(s,
			 "SELECT diff_id, blob, blob_size, tar_size,"
			 " media_type, made_by FROM layer WHERE diff_id = ?1"
			 " AND (?2 IS NULL OR made_by = ?2)"
			 " ORDER BY blob <> diff_id, made_s, blob",
			 err);
	r = st == NULL ? -1 : 1;
	if (st != NULL) {
		cas_db_bind_digest(st, 1, diff_id);
		cas_db_bind_text(st, 2, made_by);
	}
	*ret_n = 0;
	while (r == 1 && *ret_n < max) {
		r = cas_db_step(s, st, err);
		if (r == 1)
			read_layer(st, &ret[(*ret_n)++]);
	}
	cas_db_leave(s);
	return r < 0 ? -1 : 0;
}

/* The first of them whose blob is there: 1, or 0. */
static int
get_layer(struct cas_store *s, const struct stv_digest *diff_id,
	  const char *made_by, struct cas_layer *ret, struct stv_err **err)
{
	struct cas_layer all[MAX_FORMS];
	size_t n = 0;

	if (find_layers(s, diff_id, made_by, all, MAX_FORMS, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (cas_blob_has(s, &all[i].blob)) {
			*ret = all[i];
			return 1;
		}
	return 0;
}

int
cas_layer_get(struct cas_store *s, const struct stv_digest *diff_id,
	      struct cas_layer *ret, struct stv_err **err)
{
	return get_layer(s, diff_id, NULL, ret, err);
}

int
cas_layer_get_form(struct cas_store *s, const struct stv_digest *diff_id,
		   const char *made_by, struct cas_layer *ret,
		   struct stv_err **err)
{
	return get_layer(s, diff_id, made_by, ret, err);
}

int
cas_layer_get_blob(struct cas_store *s, const struct stv_digest *diff_id,
		   const struct stv_digest *blob, struct cas_layer *ret,
		   struct stv_err **err)
{
	struct cas_layer all[MAX_FORMS];
	size_t n = 0;

	if (find_layers(s, diff_id, NULL, all, MAX_FORMS, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (stv_digest_equal(&all[i].blob, blob)) {
			*ret = all[i];
			return cas_blob_has(s, blob);
		}
	return 0;
}

static int
write_layer(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct cas_layer *l = arg;
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"INSERT OR REPLACE INTO layer(diff_id, blob, blob_size,"
		" tar_size, media_type, made_s, made_by)"
		" VALUES(?1,?2,?3,?4,?5,?6,?7)",
		err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, &l->diff_id);
	cas_db_bind_digest(st, 2, &l->blob);
	cas_db_bind_int(st, 3, (int64_t)l->blob_size);
	cas_db_bind_int(st, 4, (int64_t)l->tar_size);
	cas_db_bind_text(st, 5, l->media_type);
	cas_db_bind_int(st, 6, cas_now_s());
	cas_db_bind_text(st, 7, l->made_by);
	return cas_db_run(s, st, err);
}

static int
check_blob(struct cas_store *s, const struct stv_digest *d,
	   struct stv_err **err)
{
	char str[STV_DIGEST_STR_MAX];

	if (cas_blob_has(s, d))
		return 0;
	return stv_fail(err, STV_E_NOT_FOUND, "blob %s is not in the store",
			stv_digest_str(d, str));
}

/* Does this connection's view hold the row that the query finds? */
static int
has_row(struct cas_store *s, const char *sql, const struct stv_digest *a,
	const struct stv_digest *b, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(s, sql, err);
	int r;

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, a);
	cas_db_bind_digest(st, 2, b);
	r = cas_db_step(s, st, err);
	(void)sqlite3_reset(st);
	return r;
}

/*
 * Is exactly this form known?  That the same bytes were received before, or
 * made by another compressor, does not say that they are what this one gives.
 */
static int
has_layer(struct cas_store *s, const struct cas_layer *l, struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	st = cas_db_stmt(s,
			 "SELECT 1 FROM layer WHERE diff_id = ?1 AND blob = ?2"
			 " AND (?3 = '' OR made_by = ?3)",
			 err);
	r = st == NULL ? -1 : 0;
	if (r == 0) {
		cas_db_bind_digest(st, 1, &l->diff_id);
		cas_db_bind_digest(st, 2, &l->blob);
		cas_db_bind_text(st, 3, l->made_by);
		r = cas_db_step(s, st, err);
	}
	cas_db_leave(s);
	return r;
}

int
cas_layer_put(struct cas_store *s, const struct cas_layer *l,
	      struct stv_err **err)
{
	struct cas_layer copy = *l;
	int r;

	if (check_blob(s, &l->blob, err) < 0)
		return -1;
	r = has_layer(s, l, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (cas_store_sync(s, err) < 0 || cas_db_enter(s, err) < 0)
		return -1;
	r = cas_db_write(s, write_layer, &copy, err);
	cas_db_leave(s);
	return r;
}

/* ---- images ----------------------------------------------------------- */

static void
read_image(sqlite3_stmt *st, struct cas_image *ret)
{
	*ret = (struct cas_image){
		.manifest = cas_db_col_digest(st, 0),
		.config = cas_db_col_digest(st, 1),
		.created_s = sqlite3_column_int64(st, 2),
		.size = (uint64_t)sqlite3_column_int64(st, 3),
	};
}

/* What one cas_image_put() transaction writes. */
struct put_image {
	const struct cas_image *img;
	const struct stv_digest *blobs;
	size_t n_blobs;
	const struct stv_strs *tags;
	uint64_t manifest_size;
	char media_type[128];
};

/* The media type that a descriptor of this manifest or index must have. */
static int
read_media_type(struct cas_store *s, struct put_image *p, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	const char *type = NULL;
	json_t *doc;
	int r;

	if (cas_blob_read(s, &p->img->manifest, STV_MAX_MANIFEST, &text, err) <
	    0)
		return -1;
	doc = stv_json_parse(stv_buf_str(&text), text.len, "manifest", err);
	if (doc == NULL)
		return -1;
	r = stv_json_get_str(doc, "", "mediaType", false, &type, err);
	if (r == 0 && type == NULL)
		type = json_object_get(doc, "manifests") != NULL
			       ? OCI_MT_INDEX
			       : OCI_MT_MANIFEST;
	if (r == 0 && strlen(type) >= sizeof(p->media_type))
		r = stv_fail(err, STV_E_PROTOCOL, "media type is too long");
	if (r == 0)
		memcpy(p->media_type, type, strlen(type) + 1);
	p->manifest_size = text.len;
	json_decref(doc);
	return r;
}

static int
write_image_row(struct cas_store *s, const struct put_image *p,
		struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"INSERT INTO image(manifest, config, created_s, size,"
		" media_type, manifest_size) VALUES(?1,?2,?3,?4,?5,?6)"
		" ON CONFLICT(manifest) DO UPDATE SET config = ?2, size = ?4",
		err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, &p->img->manifest);
	cas_db_bind_digest(st, 2, &p->img->config);
	cas_db_bind_int(st, 3,
			p->img->created_s != 0 ? p->img->created_s
					       : cas_now_s());
	cas_db_bind_int(st, 4, (int64_t)p->img->size);
	cas_db_bind_text(st, 5, p->media_type);
	cas_db_bind_int(st, 6, (int64_t)p->manifest_size);
	return cas_db_run(s, st, err);
}

static int
write_image_blob(struct cas_store *s, const struct stv_digest *manifest,
		 const struct stv_digest *blob, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s, "INSERT OR IGNORE INTO image_blob VALUES(?1, ?2)", err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, manifest);
	cas_db_bind_digest(st, 2, blob);
	return cas_db_run(s, st, err);
}

static int
write_image(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct put_image *p = arg;
	const struct stv_digest *manifest = &p->img->manifest;

	if (write_image_row(s, p, err) < 0 ||
	    write_image_blob(s, manifest, manifest, err) < 0 ||
	    write_image_blob(s, manifest, &p->img->config, err) < 0)
		return -1;
	for (size_t i = 0; i < p->n_blobs; i++)
		if (write_image_blob(s, manifest, &p->blobs[i], err) < 0)
			return -1;
	for (size_t i = 0; p->tags != NULL && i < p->tags->len; i++)
		if (cas_tag_write(s, p->tags->v[i], manifest, err) < 0)
			return -1;
	return 0;
}

/*
 * Is all that the transaction would write there already?  Then a cached build
 * writes nothing (DESIGN.md, "The store").
 */
static int
is_put_already(struct cas_store *s, const struct put_image *p,
	       struct stv_err **err)
{
	int r = has_row(s,
			"SELECT 1 FROM image WHERE manifest = ?1"
			" AND config = ?2",
			&p->img->manifest, &p->img->config, err);

	for (size_t i = 0; r == 1 && i < p->n_blobs; i++)
		r = has_row(s,
			    "SELECT 1 FROM image_blob WHERE manifest = ?1"
			    " AND blob = ?2",
			    &p->img->manifest, &p->blobs[i], err);
	for (size_t i = 0; r == 1 && p->tags != NULL && i < p->tags->len; i++)
		r = cas_tag_is(s, p->tags->v[i], &p->img->manifest, err);
	return r;
}

/* Everything that the image names must be visible before it is. */
static int
check_blobs(struct cas_store *s, const struct put_image *p,
	    struct stv_err **err)
{
	if (check_blob(s, &p->img->manifest, err) < 0 ||
	    check_blob(s, &p->img->config, err) < 0)
		return -1;
	for (size_t i = 0; i < p->n_blobs; i++)
		if (check_blob(s, &p->blobs[i], err) < 0)
			return -1;
	return 0;
}

int
cas_image_put(struct cas_store *s, const struct cas_image *img,
	      const struct stv_digest *blobs, size_t n_blobs,
	      const struct stv_strs *tags, struct stv_err **err)
{
	struct put_image p = {
		.img = img,
		.blobs = blobs,
		.n_blobs = n_blobs,
		.tags = tags,
	};
	int r;

	if (check_blobs(s, &p, err) < 0 || cas_db_enter(s, err) < 0)
		return -1;
	r = is_put_already(s, &p, err);
	cas_db_leave(s);
	if (r != 0)
		return r < 0 ? -1 : cas_sync_unsynced(s, err);
	if (read_media_type(s, &p, err) < 0 || cas_store_sync(s, err) < 0 ||
	    cas_layout_mark(s, err) < 0 || cas_db_enter(s, err) < 0)
		return -1;
	r = cas_db_write(s, write_image, &p, err);
	cas_db_leave(s);
	if (r < 0)
		return -1;
	cas_layout_refresh(s);
	return 0;
}

/* Images whose config or manifest digest begins with ${hex}. */
static int
find_by_prefix(struct cas_store *s, const char *hex, struct cas_image *ret,
	       struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s,
		"SELECT " IMAGE_COLUMNS " FROM image"
		" WHERE substr(lower(hex(manifest)), 1, length(?1)) = ?1"
		" OR substr(lower(hex(config)), 1, length(?1)) = ?1"
		" ORDER BY created_s DESC, id DESC",
		err);
	struct cas_image next;
	int r;

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, hex);
	r = cas_db_step(s, st, err);
	if (r != 1)
		return r;
	read_image(st, ret);
	while ((r = cas_db_step(s, st, err)) == 1) {
		read_image(st, &next);
		/* Two manifests of one config are one image to the user. */
		if (stv_digest_equal(&next.config, &ret->config))
			continue;
		return stv_fail(err, STV_E_USAGE,
				"more than one image begins with '%s'", hex);
	}
	return r < 0 ? -1 : 1;
}

int
cas_image_find(struct cas_store *s, const char *hex_prefix,
	       struct cas_image *ret, struct stv_err **err)
{
	size_t len = strlen(hex_prefix);
	int r;

	if (len < 4 || len > STV_SHA256_HEX_LEN ||
	    strspn(hex_prefix, "0123456789abcdef") != len)
		return 0;
	if (cas_db_enter(s, err) < 0)
		return -1;
	r = find_by_prefix(s, hex_prefix, ret, err);
	cas_db_leave(s);
	return r;
}

/* One DELETE by manifest digest. */
static int
delete_by_manifest(struct cas_store *s, const char *sql,
		   const struct stv_digest *manifest, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(s, sql, err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, manifest);
	return cas_db_run(s, st, err);
}

int
cas_image_delete(struct cas_store *s, const struct stv_digest *manifest,
		 struct stv_err **err)
{
	if (delete_by_manifest(s, "DELETE FROM tag WHERE manifest = ?1",
			       manifest, err) < 0 ||
	    delete_by_manifest(s, "DELETE FROM image_blob WHERE manifest = ?1",
			       manifest, err) < 0 ||
	    delete_by_manifest(s, "DELETE FROM image WHERE manifest = ?1",
			       manifest, err) < 0)
		return -1;
	return cas_db_changes(s) > 0 ? 1 : 0;
}

static int
remove_image(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct stv_digest *manifest = arg;
	char str[STV_DIGEST_STR_MAX];
	int r = cas_image_delete(s, manifest, err);

	if (r == 0)
		return stv_fail(err, STV_E_NOT_FOUND, "no image %s",
				stv_digest_str(manifest, str));
	return r < 0 ? -1 : 0;
}

int
cas_image_remove(struct cas_store *s, const struct stv_digest *manifest,
		 struct stv_err **err)
{
	struct stv_digest copy = *manifest;
	int r;

	cas_layout_try_mark(s);
	if (cas_db_enter(s, err) < 0)
		return -1;
	r = cas_db_write(s, remove_image, &copy, err);
	cas_db_leave(s);
	if (r < 0)
		return -1;
	cas_layout_refresh(s);
	return 0;
}

int
cas_image_each(struct cas_store *s,
	       int (*fn)(void *arg, const struct cas_image *img), void *arg,
	       struct stv_err **err)
{
	STV_VEC(struct cas_image) all = {0};
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	st = cas_db_stmt(s,
			 "SELECT " IMAGE_COLUMNS " FROM image"
			 " ORDER BY created_s DESC, id DESC",
			 err);
	r = st == NULL ? -1 : 1;
	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r == 1)
			read_image(st, stv_vec_push(&all));
	}
	cas_db_leave(s);
	/* ${fn} may look things up itself: the connection is free again. */
	for (size_t i = 0; r == 0 && i < all.len; i++)
		r = fn(arg, &all.v[i]);
	stv_vec_fini(&all);
	return r;
}
