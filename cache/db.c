/* cache/db.c - the connection to meta.db: opening, schema, transactions. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cache/store_internal.h"

#include "cache/db.h"

#define SCHEMA_VERSION 4
/*
 * The WAL is copied into the database beyond so many pages, and at the end of
 * a command beyond so many: copying costs two flushes, but who opens the
 * store next has to read the WAL whole.
 */
#define WAL_PAGES 1000
#define WAL_PAGES_AT_END 64
/* How long another writer is waited for, and the longest single sleep. */
#define BUSY_LIMIT_MS 60000
#define BUSY_SLEEP_MS 25

/* f_type of statfs(2); linux/magic.h lacks some of these. */
#define FS_NFS 0x6969
#define FS_CIFS 0xff534d42
#define FS_SMB2 0xfe534d42
#define FS_FUSE 0x65735546

/* A statement that is kept prepared, found by the address of its text. */
struct prepared {
	const char *sql;
	sqlite3_stmt *st;
};

struct cas_db {
	sqlite3 *h;
	STV_VEC(struct prepared) stmts;
	int wal_pages;	   /* in the WAL after our last commit; 0: none */
	int64_t waited_ms; /* by the busy handler since it last got through */
};

/*
 * layer: the blobs that hold a diff ID, plain or compressed. image_blob: what
 * an image keeps alive. record: cache records; the newest of one key on one
 * parent stands. snapshot: sizes of unpacked directories, so that they are
 * measured once.
 */
static const char schema_1[] =
	"CREATE TABLE layer("
	" diff_id BLOB NOT NULL, blob BLOB NOT NULL,"
	" blob_size INTEGER NOT NULL, tar_size INTEGER NOT NULL,"
	" media_type TEXT NOT NULL, made_s INTEGER NOT NULL,"
	" PRIMARY KEY(diff_id, blob)) WITHOUT ROWID;"
	"CREATE TABLE image("
	" id INTEGER PRIMARY KEY, manifest BLOB NOT NULL UNIQUE,"
	" config BLOB NOT NULL, created_s INTEGER NOT NULL,"
	" size INTEGER NOT NULL, media_type TEXT NOT NULL,"
	" manifest_size INTEGER NOT NULL);"
	"CREATE INDEX image_config ON image(config);"
	"CREATE TABLE image_blob("
	" manifest BLOB NOT NULL, blob BLOB NOT NULL,"
	" PRIMARY KEY(manifest, blob)) WITHOUT ROWID;"
	"CREATE INDEX image_blob_blob ON image_blob(blob);"
	"CREATE TABLE tag("
	" name TEXT PRIMARY KEY, manifest BLOB NOT NULL,"
	" moved_s INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX tag_manifest ON tag(manifest);"
	"CREATE TABLE record("
	" id INTEGER PRIMARY KEY, key BLOB NOT NULL,"
	" parent_chain BLOB NOT NULL, parent_config BLOB NOT NULL,"
	" diff_id BLOB, created_s INTEGER NOT NULL, used_s INTEGER NOT NULL,"
	" step TEXT NOT NULL, preimage BLOB NOT NULL,"
	" UNIQUE(key, parent_chain, parent_config));"
	"CREATE INDEX record_step ON record(step, id);"
	"CREATE INDEX record_diff_id ON record(diff_id);"
	"CREATE TABLE snapshot("
	" name TEXT PRIMARY KEY, diff_id BLOB, size INTEGER NOT NULL,"
	" used_s INTEGER NOT NULL) WITHOUT ROWID;"
	"PRAGMA user_version=1;";

/* made_by: which compressor made a form here; empty where none did. */
static const char schema_2[] =
	"ALTER TABLE layer ADD COLUMN made_by TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version=2;";

/*
 * What a miss is explained by (cache/note.h): title names the instruction
 * wherever it stands, inputs the list of the files that a COPY took.  gone:
 * keys whose records were collected.
 */
static const char schema_3[] =
	"ALTER TABLE record ADD COLUMN title INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE record ADD COLUMN notes BLOB NOT NULL DEFAULT x'';"
	"ALTER TABLE record ADD COLUMN inputs BLOB;"
	"CREATE INDEX record_title ON record(title, id);"
	"CREATE TABLE gone("
	" key BLOB PRIMARY KEY, gone_s INTEGER NOT NULL) WITHOUT ROWID;"
	"PRAGMA user_version=3;";

/* Manifest lists that are being put together (cache/list.h). */
static const char schema_4[] = "CREATE TABLE IF NOT EXISTS manifest_list("
			       " name TEXT PRIMARY KEY, text TEXT NOT NULL,"
			       " made_s INTEGER NOT NULL) WITHOUT ROWID;"
			       "CREATE TABLE IF NOT EXISTS manifest_list_image("
			       " manifest BLOB NOT NULL, name TEXT NOT NULL,"
			       " PRIMARY KEY(manifest, name)) WITHOUT ROWID;"
			       "PRAGMA user_version=4;";

/* From each format to the next one; from nothing to the first. */
static const char *const upgrades[SCHEMA_VERSION] = {schema_1, schema_2,
						     schema_3, schema_4};

int64_t
cas_now_s(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

/*
 * Wait for another writer: sleeps of random length that grow, so that many
 * waiting processes do not come back at the same time.
 */
static int
on_busy(void *arg, int count)
{
	struct cas_db *db = arg;
	unsigned int max = count < 5 ? 1U << count : BUSY_SLEEP_MS, us = 0;

	if (count == 0)
		db->waited_ms = 0;
	if (db->waited_ms > BUSY_LIMIT_MS)
		return 0;
	if (getrandom(&us, sizeof(us), GRND_NONBLOCK) != (ssize_t)sizeof(us))
		us = (unsigned int)getpid() * 7919;
	us = 200 + us % (max * 1000);
	(void)nanosleep(&(struct timespec){0, (long)us * 1000}, NULL);
	db->waited_ms += us / 1000 + 1;
	return 1;
}

/* What SQLite says, as our error. */
static int
fail_db(struct cas_store *s, struct stv_err **err)
{
	sqlite3 *h = s->db->h;
	int rc = sqlite3_errcode(h), num = sqlite3_system_errno(h);

	if ((rc & 0xff) == SQLITE_FULL)
		return stv_fail_errno_as(err, STV_E_IO, num != 0 ? num : ENOSPC,
					 "cannot write the store's database");
	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)
		return stv_fail(err, STV_E_IO,
				"the store's database is busy for more than "
				"%d seconds",
				BUSY_LIMIT_MS / 1000);
	/* It says ENOENT of a file that it could not make. */
	if ((rc & 0xff) == SQLITE_CANTOPEN && num == ENOENT &&
	    stv_fsat_is_full(s->root_fd))
		num = ENOSPC;
	if (((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN) &&
	    num != 0)
		return stv_fail_errno_as(err, STV_E_IO, num,
					 "cannot use '%s/%s'", s->root,
					 CAS_META);
	stv_fail(err, STV_E_IO, "the store's database '%s/%s': %s", s->root,
		 CAS_META, sqlite3_errmsg(h));
	if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
		stv_err_hint(*err, "The database is damaged; move it away and "
				   "run 'stave fsck'.");
	return -1;
}

int
cas_db_exec(struct cas_store *s, const char *sql, struct stv_err **err)
{
	if (sqlite3_exec(s->db->h, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail_db(s, err);
	return 0;
}

static int
read_version(struct cas_store *s, int *ret, struct stv_err **err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db->h, "PRAGMA user_version", -1, &st,
				    NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		fail_db(s, err);
		(void)sqlite3_finalize(st);
		return -1;
	}
	*ret = sqlite3_column_int(st, 0);
	(void)sqlite3_finalize(st);
	return 0;
}

/* WAL needs shared memory, which these do not give (RELIABILITY 2.3, 10). */
static bool
is_network_fs(int fd)
{
	struct statfs fs;
	unsigned int type;

	if (fstatfs(fd, &fs) < 0)
		return false;
	type = (unsigned int)fs.f_type;
	return type == FS_NFS || type == FS_CIFS || type == FS_SMB2 ||
	       type == FS_FUSE;
}

/* Bring the tables from format ${version} to the one that this program knows.
 */
static int
upgrade(struct cas_store *s, int version, struct stv_err **err)
{
	for (int v = version < 0 ? 0 : version; v < SCHEMA_VERSION; v++)
		if (cas_db_exec(s, upgrades[v], err) < 0)
			return -1;
	return 0;
}

/*
 * Make or upgrade the schema, one process at a time: changing the journal mode
 * answers BUSY at once where two try it, so a lock on the root's descriptor
 * goes before.
 */
static int
make_schema(struct cas_store *s, struct stv_err **err)
{
	stv_auto_fd lock =
		openat(s->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int version = 0;

	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return stv_fail_errno(err, errno, "cannot lock '%s'", s->root);
	if (!is_network_fs(s->root_fd) &&
	    cas_db_exec(s, "PRAGMA journal_mode=WAL", err) < 0)
		return -1;
	if (cas_db_exec(s, "BEGIN IMMEDIATE", err) < 0 ||
	    read_version(s, &version, err) < 0)
		return -1;
	/* Who came first has done it, or was a newer program. */
	if (upgrade(s, version, err) < 0)
		return -1;
	if (cas_db_exec(s, "COMMIT", err) < 0)
		return -1;
	return s->is_sync ? stv_fsat_sync_dir(s->root_fd, ".", err) : 0;
}

/* After each commit of ours, instead of SQLite's own checkpoints. */
static int
on_commit(void *arg, sqlite3 *h, const char *name, int n_pages)
{
	struct cas_db *db = arg;

	db->wal_pages = n_pages;
	if (n_pages >= WAL_PAGES)
		(void)sqlite3_wal_checkpoint_v2(
			h, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

/* Settings of this connection. */
static int
set_up(struct cas_store *s, struct stv_err **err)
{
	int persist = 1;

	(void)sqlite3_extended_result_codes(s->db->h, 1);
	(void)sqlite3_busy_handler(s->db->h, on_busy, s->db);
	(void)sqlite3_wal_hook(s->db->h, on_commit, s->db);
	(void)sqlite3_db_config(s->db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
				NULL);
	/* Deleting and making the WAL again with each command costs more. */
	(void)sqlite3_file_control(s->db->h, NULL, SQLITE_FCNTL_PERSIST_WAL,
				   &persist);
	return cas_db_exec(s,
			   s->is_sync ? "PRAGMA synchronous=FULL"
				      : "PRAGMA synchronous=OFF",
			   err);
}

static int
check_version(struct cas_store *s, int version, struct stv_err **err)
{
	if (version <= SCHEMA_VERSION)
		return 0;
	stv_fail(err, STV_E_INPUT,
		 "store '%s' has format %d, this program knows up to %d",
		 s->root, version, SCHEMA_VERSION);
	stv_err_hint(*err, "Use a newer stave, or another store "
			   "(STAVE_ROOT).");
	return -1;
}

/* Only looked at, and in an older format: the next build upgrades it. */
static int
fail_old(struct cas_store *s, int version, struct stv_err **err)
{
	stv_fail(err, STV_E_INPUT, "store '%s' has the old format %d", s->root,
		 version);
	stv_err_hint(*err, "It is upgraded by the next command that writes, "
			   "such as 'stave build' or 'stave prune'.");
	return -1;
}

/* For a store that has no database yet and may not be written: an empty one. */
static int
open_empty(struct cas_store *s, struct stv_err **err)
{
	if (sqlite3_open_v2(":memory:", &s->db->h,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return fail_db(s, err);
	return upgrade(s, 0, err);
}

static int
open_file(struct cas_store *s, const char *path, int flags,
	  struct stv_err **err)
{
	int version = 0;

	if (sqlite3_open_v2(path, &s->db->h, flags | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return fail_db(s, err);
	if (set_up(s, err) < 0 || read_version(s, &version, err) < 0 ||
	    check_version(s, version, err) < 0)
		return -1;
	if (version == SCHEMA_VERSION)
		return 0;
	if (!s->is_readonly)
		return make_schema(s, err);
	if (version != 0)
		return fail_old(s, version, err);
	/* Its maker died, or had no space, before the tables were there. */
	(void)sqlite3_close_v2(s->db->h);
	s->db->h = NULL;
	return open_empty(s, err);
}

/*
 * A medium that cannot be written has nobody who changes the database:
 * "immutable" spares the shared memory that WAL wants to make.
 */
static int
open_immutable(struct cas_store *s, struct stv_err **err)
{
	stv_auto_free char *uri = stv_xasprintf(
		"file:/proc/self/fd/%d/" CAS_META "?immutable=1", s->root_fd);

	(void)sqlite3_close_v2(s->db->h);
	s->db->h = NULL;
	return open_file(s, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
}

static int
open_db(struct cas_store *s, struct stv_err **err)
{
	stv_auto_free char *path = stv_xasprintf("%s/" CAS_META, s->root);

	s->db = stv_xcalloc(1, sizeof(*s->db));
	if (!s->is_readonly)
		return open_file(s, path,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				 err);
	if (faccessat(s->root_fd, CAS_META, F_OK, 0) < 0)
		return open_empty(s, err);
	if (open_file(s, path, SQLITE_OPEN_READWRITE, err) == 0)
		return 0;
	if (stv_err_code(*err) != STV_E_IO ||
	    faccessat(s->root_fd, ".", W_OK, 0) == 0)
		return -1;
	stv_err_clear(err);
	return open_immutable(s, err);
}

static void
free_db(struct cas_store *s)
{
	if (s->db == NULL)
		return;
	for (size_t i = 0; i < s->db->stmts.len; i++)
		(void)sqlite3_finalize(s->db->stmts.v[i].st);
	if (s->db->wal_pages > WAL_PAGES_AT_END) {
		/* Not at the price of waiting for others. */
		(void)sqlite3_busy_handler(s->db->h, NULL, NULL);
		(void)sqlite3_wal_checkpoint_v2(
			s->db->h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	}
	stv_vec_fini(&s->db->stmts);
	(void)sqlite3_close_v2(s->db->h);
	free(s->db);
	s->db = NULL;
}

int
cas_db_enter(struct cas_store *s, struct stv_err **err)
{
	(void)pthread_mutex_lock(&s->db_lock);
	if (s->db != NULL || open_db(s, err) == 0)
		return 0;
	free_db(s);
	(void)pthread_mutex_unlock(&s->db_lock);
	return -1;
}

void
cas_db_leave(struct cas_store *s)
{
	for (size_t i = 0; i < s->db->stmts.len; i++)
		if (sqlite3_stmt_busy(s->db->stmts.v[i].st))
			(void)sqlite3_reset(s->db->stmts.v[i].st);
	(void)pthread_mutex_unlock(&s->db_lock);
}

void
cas_db_close(struct cas_store *s)
{
	free_db(s);
}

sqlite3_stmt *
cas_db_stmt(struct cas_store *s, const char *sql, struct stv_err **err)
{
	struct cas_db *db = s->db;
	sqlite3_stmt *st = NULL;

	for (size_t i = 0; i < db->stmts.len; i++) {
		if (db->stmts.v[i].sql != sql)
			continue;
		st = db->stmts.v[i].st;
		(void)sqlite3_reset(st);
		(void)sqlite3_clear_bindings(st);
		return st;
	}
	if (sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &st,
			       NULL) != SQLITE_OK) {
		fail_db(s, err);
		return NULL;
	}
	*stv_vec_push(&db->stmts) = (struct prepared){sql, st};
	return st;
}

int
cas_db_step(struct cas_store *s, sqlite3_stmt *st, struct stv_err **err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	fail_db(s, err);
	(void)sqlite3_reset(st);
	return -1;
}

int
cas_db_run(struct cas_store *s, sqlite3_stmt *st, struct stv_err **err)
{
	int r;

	do {
		r = cas_db_step(s, st, err);
	} while (r > 0);
	return r;
}

int
cas_db_write(struct cas_store *s,
	     int (*fn)(struct cas_store *s, void *arg, struct stv_err **err),
	     void *arg, struct stv_err **err)
{
	int result;

	if (s->is_readonly)
		return stv_fail(err, STV_E_IO,
				"the store '%s' was opened for reading only",
				s->root);
	if (cas_db_exec(s, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	result = fn(s, arg, err);
	/* A statement that still runs would keep the transaction open. */
	for (size_t i = 0; i < s->db->stmts.len; i++)
		(void)sqlite3_reset(s->db->stmts.v[i].st);
	if (result >= 0 && cas_db_exec(s, "COMMIT", err) == 0)
		return result;
	/* Some errors have rolled back by themselves already. */
	if (sqlite3_get_autocommit(s->db->h) == 0)
		(void)sqlite3_exec(s->db->h, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

int
cas_db_changes(struct cas_store *s)
{
	return sqlite3_changes(s->db->h);
}

void
cas_db_bind_digest(sqlite3_stmt *st, int i, const struct stv_digest *d)
{
	(void)sqlite3_bind_blob(st, i, d->bytes, (int)sizeof(d->bytes),
				SQLITE_TRANSIENT);
}

void
cas_db_bind_int(sqlite3_stmt *st, int i, int64_t v)
{
	(void)sqlite3_bind_int64(st, i, v);
}

void
cas_db_bind_text(sqlite3_stmt *st, int i, const char *s)
{
	(void)sqlite3_bind_text(st, i, s, -1, SQLITE_TRANSIENT);
}

void
cas_db_bind_blob(sqlite3_stmt *st, int i, const void *p, size_t n)
{
	(void)sqlite3_bind_blob64(st, i, n == 0 ? "" : p, n, SQLITE_TRANSIENT);
}

struct stv_digest
cas_db_col_digest(sqlite3_stmt *st, int i)
{
	struct stv_digest d = {{0}};
	const void *p = sqlite3_column_blob(st, i);

	if (p != NULL && sqlite3_column_bytes(st, i) == (int)sizeof(d.bytes))
		memcpy(d.bytes, p, sizeof(d.bytes));
	return d;
}

const char *
cas_db_col_text(sqlite3_stmt *st, int i)
{
	const unsigned char *p = sqlite3_column_text(st, i);

	return p == NULL ? "" : (const char *)p;
}
