/*
 * cache/db.h - the connection to meta.db, for the files of the store only.
 *
 *	if (cas_db_enter(s, err) < 0)
 *		return -1;
 *	st = cas_db_stmt(s, "SELECT ... WHERE a = ?1", err);
 *	cas_db_bind_digest(st, 1, d);
 *	result = cas_db_step(s, st, err);
 *	...
 *	cas_db_leave(s);
 *
 * One connection a store, guarded by a mutex between enter and leave.  No
 * function of meta.h may be called in between: collect first, then call.
 */
#ifndef STAVE_CACHE_DB_H
#define STAVE_CACHE_DB_H

#include <stdint.h>

#include <sqlite3.h>
#include <stddef.h>

struct cas_store;  /* cache/store.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/*
 * cas_db_enter(s, err): lock the connection, opened and its schema made where
 * this is the first use.  On failure it is not locked.
 */
int cas_db_enter(struct cas_store *s, struct stv_err **err);

/* cas_db_leave(s): reset what is still running and unlock. */
void cas_db_leave(struct cas_store *s);

/*
 * cas_db_stmt(s, sql, err): the prepared statement of ${sql}, a string
 * literal, ready for its values.  Borrows: kept by the connection.
 */
sqlite3_stmt *cas_db_stmt(struct cas_store *s, const char *sql,
			  struct stv_err **err);

/* cas_db_step(s, st, err): 1 for a row, 0 at the end, -1. */
int cas_db_step(struct cas_store *s, sqlite3_stmt *st, struct stv_err **err);

/* cas_db_run(s, st, err): step to the end; 0 or -1. */
int cas_db_run(struct cas_store *s, sqlite3_stmt *st, struct stv_err **err);

/* cas_db_exec(s, sql, err): statements without values or rows. */
int cas_db_exec(struct cas_store *s, const char *sql, struct stv_err **err);

/*
 * cas_db_write(s, fn, arg, err): ${fn} in one BEGIN IMMEDIATE transaction,
 * committed where it returns 0 or more, which is returned.
 */
int cas_db_write(struct cas_store *s,
		 int (*fn)(struct cas_store *s, void *arg,
			   struct stv_err **err),
		 void *arg, struct stv_err **err);

/* cas_db_changes(s): rows that the last statement changed. */
int cas_db_changes(struct cas_store *s);

/* cas_db_close(s): end the connection. */
void cas_db_close(struct cas_store *s);

/* cas_db_bind_*(st, i, ...): value ${i} (from 1).  Borrows until the step. */
void cas_db_bind_digest(sqlite3_stmt *st, int i, const struct stv_digest *d);
void cas_db_bind_int(sqlite3_stmt *st, int i, int64_t v);
void cas_db_bind_text(sqlite3_stmt *st, int i, const char *s);
void cas_db_bind_blob(sqlite3_stmt *st, int i, const void *p, size_t n);

/*
 * cas_db_col_digest(st, i): column ${i} (from 0); zero where it is NULL or not
 * 32 bytes.
 */
struct stv_digest cas_db_col_digest(sqlite3_stmt *st, int i);

/* cas_db_col_text(st, i): column ${i}, never NULL.  Borrows until the step. */
const char *cas_db_col_text(sqlite3_stmt *st, int i);

/* cas_now_s(): the wall clock in seconds. */
int64_t cas_now_s(void);

#endif /* STAVE_CACHE_DB_H */
