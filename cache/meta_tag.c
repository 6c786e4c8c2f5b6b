/* cache/meta_tag.c - tags in the database. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/err.h"
#include "core/strs.h"

#include "cache/db.h"
#include "cache/meta_internal.h"
#include "cache/store_internal.h"

#include "cache/meta.h"

int
cas_tag_is(struct cas_store *s, const char *tag,
	   const struct stv_digest *manifest, struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s, "SELECT 1 FROM tag WHERE name = ?1 AND manifest = ?2", err);
	int r;

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, tag);
	cas_db_bind_digest(st, 2, manifest);
	r = cas_db_step(s, st, err);
	(void)sqlite3_reset(st);
	return r;
}

int
cas_tag_write(struct cas_store *s, const char *tag,
	      const struct stv_digest *manifest, struct stv_err **err)
{
	sqlite3_stmt *st =
		cas_db_stmt(s,
			    "INSERT INTO tag VALUES(?1, ?2, ?3)"
			    " ON CONFLICT(name) DO UPDATE SET manifest = ?2,"
			    " moved_s = ?3 WHERE manifest <> ?2",
			    err);

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, tag);
	cas_db_bind_digest(st, 2, manifest);
	cas_db_bind_int(st, 3, cas_now_s());
	return cas_db_run(s, st, err);
}

int
cas_tag_get(struct cas_store *s, const char *tag, struct cas_image *ret,
	    struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	st = cas_db_stmt(s,
			 "SELECT i.manifest, i.config, i.created_s, i.size"
			 " FROM tag t JOIN image i ON i.manifest = t.manifest"
			 " WHERE t.name = ?1",
			 err);
	r = st == NULL ? -1 : 0;
	if (r == 0) {
		cas_db_bind_text(st, 1, tag);
		r = cas_db_step(s, st, err);
	}
	if (r == 1)
		*ret = (struct cas_image){
			.manifest = cas_db_col_digest(st, 0),
			.config = cas_db_col_digest(st, 1),
			.created_s = sqlite3_column_int64(st, 2),
			.size = (uint64_t)sqlite3_column_int64(st, 3),
		};
	cas_db_leave(s);
	return r;
}

/* What cas_tag_set() and cas_tag_remove() hand to their transactions. */
struct change {
	const char *tag;
	const struct stv_digest *manifest;
};

static int
set_tag(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct change *c = arg;
	char str[STV_DIGEST_STR_MAX];
	sqlite3_stmt *st =
		cas_db_stmt(s, "SELECT 1 FROM image WHERE manifest = ?1", err);
	int r;

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, c->manifest);
	r = cas_db_step(s, st, err);
	if (r == 0)
		return stv_fail(err, STV_E_NOT_FOUND, "no image %s",
				stv_digest_str(c->manifest, str));
	return r < 0 ? -1 : cas_tag_write(s, c->tag, c->manifest, err);
}

int
cas_tag_set(struct cas_store *s, const char *tag,
	    const struct stv_digest *manifest, struct stv_err **err)
{
	struct change c = {tag, manifest};
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = cas_tag_is(s, tag, manifest, err);
	cas_db_leave(s);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (cas_layout_mark(s, err) < 0 || cas_db_enter(s, err) < 0)
		return -1;
	r = cas_db_write(s, set_tag, &c, err);
	cas_db_leave(s);
	if (r < 0)
		return -1;
	cas_layout_refresh(s);
	return 0;
}

static int
remove_tag(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct change *c = arg;
	sqlite3_stmt *st =
		cas_db_stmt(s, "DELETE FROM tag WHERE name = ?1", err);

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, c->tag);
	if (cas_db_run(s, st, err) < 0)
		return -1;
	return cas_db_changes(s) > 0 ? 1 : 0;
}

int
cas_tag_remove(struct cas_store *s, const char *tag, struct stv_err **err)
{
	struct change c = {tag, NULL};
	int r;

	cas_layout_try_mark(s);
	if (cas_db_enter(s, err) < 0)
		return -1;
	r = cas_db_write(s, remove_tag, &c, err);
	cas_db_leave(s);
	if (r == 1)
		cas_layout_refresh(s);
	return r;
}

int
cas_image_tags(struct cas_store *s, const struct stv_digest *manifest,
	       struct stv_strs *ret, struct stv_err **err)
{
	sqlite3_stmt *st;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	st = cas_db_stmt(
		s, "SELECT name FROM tag WHERE manifest = ?1 ORDER BY name",
		err);
	r = st == NULL ? -1 : 1;
	if (st != NULL)
		cas_db_bind_digest(st, 1, manifest);
	while (r == 1) {
		r = cas_db_step(s, st, err);
		if (r == 1)
			stv_strs_add(ret, cas_db_col_text(st, 0));
	}
	cas_db_leave(s);
	return r;
}
