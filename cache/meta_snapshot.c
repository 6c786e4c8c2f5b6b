/* cache/meta_snapshot.c - what garbage collection knows of unpacked layers. */
#include <stdlib.h>

#include "core/digest.h"
#include "core/err.h"

#include "cache/db.h"
#include "cache/meta_internal.h"
#include "cache/store_internal.h"

#include "cache/meta.h"

int
cas_snapshot_write(struct cas_store *s, const char *name,
		   const struct stv_digest *diff_id, uint64_t size,
		   struct stv_err **err)
{
	sqlite3_stmt *st = cas_db_stmt(
		s, "INSERT OR REPLACE INTO snapshot VALUES(?1, ?2, ?3, ?4)",
		err);

	if (st == NULL)
		return -1;
	cas_db_bind_text(st, 1, name);
	if (diff_id != NULL)
		cas_db_bind_digest(st, 2, diff_id);
	cas_db_bind_int(st, 3, (int64_t)size);
	cas_db_bind_int(st, 4, cas_now_s());
	return cas_db_run(s, st, err);
}

/* What cas_snapshot_put() hands to its transaction. */
struct put_snapshot {
	const char *name;
	const struct stv_digest *diff_id;
	uint64_t size;
};

static int
write_put(struct cas_store *s, void *arg, struct stv_err **err)
{
	const struct put_snapshot *p = arg;

	return cas_snapshot_write(s, p->name, p->diff_id, p->size, err);
}

int
cas_snapshot_put(struct cas_store *s, const char *name,
		 const struct stv_digest *diff_id, uint64_t size,
		 struct stv_err **err)
{
	struct put_snapshot p = {name, diff_id, size};
	int r;

	if (cas_db_enter(s, err) < 0)
		return -1;
	r = cas_db_write(s, write_put, &p, err);
	cas_db_leave(s);
	return r;
}
