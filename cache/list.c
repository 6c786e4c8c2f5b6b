/* cache/list.c - manifest lists that are being put together. */
#include <stdbool.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/limits.h"

#include "cache/db.h"
#include "cache/list.h"

/* In between cas_db_enter() and cas_db_leave(). */
static int
read_text(struct cas_store *s, const char *name, struct stv_buf *ret,
	  struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s, "SELECT text FROM manifest_list WHERE name = ?1", err);
	int r;

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, name);
	r = cas_db_step(s, st, err);
	if (r == 1)
		stv_buf_adds(ret, cas_db_col_text(st, 0));
	(void)sqlite3_reset(st);
	return r;
}

int
cas_list_get(struct cas_store *s, const char *name, struct stv_buf *ret,
	     struct stv_err **err)
{
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = read_text(s, name, ret, err);
	cas_db_leave(s);
	return r;
}

/* Run ${sql}, whose only value is the name. */
static int
run_named(struct cas_store *s, const char *sql, const char *name,
	  struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(s, sql, err);

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, name);
	return cas_db_run(s, st, err);
}

static int
forget_images(struct cas_store *s, const char *name, struct stv_err **err)
{
	return run_named(s, "DELETE FROM manifest_list_image WHERE name = ?1",
			 name, err);
}

static int
write_image(struct cas_store *s, const char *name, const struct stv_digest *d,
	    struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s, "INSERT OR IGNORE INTO manifest_list_image VALUES(?1, ?2)",
		err);

	if (st == NULL)
		return -1;
	cas_db_bind_digest(st, 1, d);
	cas_db_bind_text(st, 2, name);
	return cas_db_run(s, st, err);
}

static int
put(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct cas_list *l = arg;
	stv_auto_buf now = STV_BUF_INIT(STV_MAX_LIST);
	sqlite3_stmt *st;
	bool is_same;
	int r = read_text(s, l->name, &now, err);

	if (r < 0)
		return -1;
	is_same = l->before == NULL
			  ? r == 0
			  : r == 1 && strcmp(stv_buf_str(&now), l->before) == 0;
	if (!is_same)
		return 0;
	st = cas_db_stmt(
		s, "INSERT OR REPLACE INTO manifest_list VALUES(?1, ?2, ?3)",
		err);
	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, l->name);
	cas_db_bind_text(st, 2, l->text);
	cas_db_bind_int(st, 3, cas_now_s());
	if (cas_db_run(s, st, err) < 0 || forget_images(s, l->name, err) < 0)
		return -1;
	for (size_t i = 0; i < l->n_images; i++)
		if (write_image(s, l->name, &l->images[i], err) < 0)
			return -1;
	return 1;
}

int
cas_list_put(struct cas_store *s, const struct cas_list *l,
	     struct stv_err **err)
{
	struct cas_list copy = *l;
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = cas_db_write(s, put, &copy, err);
	cas_db_leave(s);
	return r;
}

struct removal {
	const char *name;
};

static int
remove_list(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct removal *r = arg;
	int n;

	if (run_named(s, "DELETE FROM manifest_list WHERE name = ?1", r->name,
		      err) < 0)
		return -1;
	n = cas_db_changes(s);
	return forget_images(s, r->name, err) < 0 ? -1 : n > 0;
}

int
cas_list_remove(struct cas_store *s, const char *name, struct stv_err **err)
{
	struct removal r = {name};
	int n;

	if (cas_db_enter(s, err) < 0)
		return -1;
	n = cas_db_write(s, remove_list, &r, err);
	cas_db_leave(s);
	return n;
}
