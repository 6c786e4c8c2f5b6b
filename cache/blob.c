/* cache/blob.c - immutable content-addressed blobs: written, found, read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/store_internal.h"

#include "cache/blob.h"

/* Small writes (tar headers) are gathered before they are hashed and sent. */
#define CHUNK ((size_t)256 << 10)
/*
 * Write-back is begun each time this much more is in the page cache: the
 * fdatasync at the end then finds little to do.
 */
#define WRITEBACK ((uint64_t)8 << 20)

/* The sink that stands for a writer. */
struct writer_sink {
	struct stv_sink base;
	struct cas_writer *w;
};

struct cas_writer {
	struct cas_store *store;
	struct stv_hash *hash;
	int fd;
	char name[64]; /* in the process's tmp directory */
	uint64_t limit;
	uint64_t size;	  /* also what is still in the buffer */
	uint64_t started; /* up to here write-back was begun */
	bool is_committed;
	struct writer_sink sink;
	size_t fill;
	uint8_t chunk[CHUNK];
};

static int
sink_write(struct stv_sink *sink, const void *p, size_t n, struct stv_err **err)
{
	struct writer_sink *ws = (struct writer_sink *)sink;

	return cas_writer_write(ws->w, p, n, err);
}

/* The sink belongs to the writer and goes with it. */
static void
sink_close(struct stv_sink *sink)
{
	(void)sink;
}

int
cas_writer_open(struct cas_store *store, uint64_t limit,
		struct cas_writer **ret, struct stv_err **err)
{
	struct cas_writer *w;
	int own = -1;

	if (cas_own_tmp(store, &own, err) < 0)
		return -1;
	/* Not zeroed: the chunk is large and written before it is read. */
	w = stv_xmalloc(sizeof(*w));
	memset(w, 0, offsetof(struct cas_writer, chunk));
	w->store = store;
	w->limit = limit;
	w->sink.base.write = sink_write;
	w->sink.base.close = sink_close;
	w->sink.w = w;
	cas_own_unique(store, "blob", w->name, sizeof(w->name));
	w->fd = openat(own, w->name,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0444);
	if (w->fd < 0) {
		stv_fail_errno(err, errno, "cannot make a blob in '%s/%s'",
			       store->root, store->own_name);
		free(w);
		return -1;
	}
	w->hash = stv_hash_new();
	*ret = w;
	return 0;
}

/* Hash and write ${n} bytes, and begin the write-back of what came before. */
static int
put(struct cas_writer *w, const void *p, size_t n, struct stv_err **err)
{
	uint64_t written = w->size - w->fill;

	if (stv_cancel_check(err) < 0)
		return -1;
	stv_hash_add(w->hash, p, n);
	if (stv_write_all(w->fd, p, n) < 0)
		return stv_fail_errno_as(err, STV_E_IO, errno,
					 "cannot write a blob to '%s'",
					 w->store->root);
	if (w->store->is_sync && written - w->started >= WRITEBACK) {
		(void)sync_file_range(w->fd, (off_t)w->started,
				      (off_t)(written - w->started),
				      SYNC_FILE_RANGE_WRITE);
		w->started = written;
	}
	return 0;
}

static int
flush(struct cas_writer *w, struct stv_err **err)
{
	size_t n = w->fill;

	w->fill = 0;
	return n == 0 ? 0 : put(w, w->chunk, n, err);
}

static int
check_limit(struct cas_writer *w, uint64_t n, struct stv_err **err)
{
	if (n <= w->limit && w->size <= w->limit - n)
		return 0;
	return stv_fail(err, STV_E_LIMIT, "blob is larger than %llu bytes",
			(unsigned long long)w->limit);
}

int
cas_writer_write(struct cas_writer *w, const void *p, size_t n,
		 struct stv_err **err)
{
	if (check_limit(w, n, err) < 0)
		return -1;
	if (n > CHUNK - w->fill && flush(w, err) < 0)
		return -1;
	w->size += n;
	if (n >= CHUNK)
		return put(w, p, n, err);
	memcpy(w->chunk + w->fill, p, n);
	w->fill += n;
	return 0;
}

int
cas_writer_copy_range(struct cas_writer *w, int fd, uint64_t offset, uint64_t n,
		      struct stv_err **err)
{
	if (check_limit(w, n, err) < 0)
		return -1;
	while (n > 0) {
		size_t want = CHUNK - w->fill;
		int64_t got;

		if (want > n)
			want = (size_t)n;
		got = stv_pread_all(fd, w->chunk + w->fill, want, offset);
		if (got < 0)
			return stv_fail_errno(err, errno, "cannot read a file");
		if ((size_t)got < want)
			return stv_fail(err, STV_E_INPUT,
					"the file became shorter while it was "
					"read");
		w->fill += want;
		w->size += want;
		offset += want;
		n -= want;
		if (w->fill == CHUNK && flush(w, err) < 0)
			return -1;
	}
	return 0;
}

struct stv_sink *
cas_writer_sink(struct cas_writer *w)
{
	return &w->sink.base;
}

uint64_t
cas_writer_size(const struct cas_writer *w)
{
	return w->size;
}

int
cas_writer_peek(const struct cas_writer *w, uint64_t *ret_size)
{
	*ret_size = w->size - w->fill;
	return w->fd;
}

static int
check_digest(const struct stv_digest *got, const struct stv_digest *want,
	     struct stv_err **err)
{
	char got_str[STV_DIGEST_STR_MAX], want_str[STV_DIGEST_STR_MAX];

	if (want == NULL || stv_digest_equal(got, want))
		return 0;
	return stv_fail(err, STV_E_DIGEST, "blob is %s, expected %s",
			stv_digest_str(got, got_str),
			stv_digest_str(want, want_str));
}

/*
 * Is the blob there with the right length?  One of another length was damaged
 * and is replaced.  Its directory entry may be another process's that has not
 * synced it yet, so it counts as dirty too.
 */
static bool
is_there(struct cas_store *s, const char *hex, uint64_t size)
{
	struct stat st;

	return fstatat(s->blobs_fd, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

/*
 * Say that blobs may be unsynced, before one becomes visible: a later command
 * that promises durability then syncs the file system once.
 */
static int
mark_unsynced(struct cas_store *s, struct stv_err **err)
{
	stv_auto_fd fd =
		openat(s->root_fd, CAS_UNSYNCED,
		       O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot make '%s/%s'",
				      s->root, CAS_UNSYNCED);
	return 0;
}

static int
publish(struct cas_writer *w, const char *hex, struct stv_err **err)
{
	struct cas_store *s = w->store;
	int own = -1;

	if (cas_own_tmp(s, &own, err) < 0)
		return -1;
	if (s->is_sync) {
		/* A failed flush means the data is gone: never tried again. */
		if (fdatasync(w->fd) < 0)
			return stv_fail_errno(err, errno,
					      "cannot flush blob %s", hex);
	} else if (mark_unsynced(s, err) < 0) {
		return -1;
	}
	if (close(stv_steal_fd(&w->fd)) < 0 && errno != EINTR)
		return stv_fail_errno(err, errno, "cannot write blob %s", hex);
	atomic_store(&s->is_dirty, true);
	if (renameat(own, w->name, s->blobs_fd, hex) < 0)
		return stv_fail_errno_as(err, STV_E_IO, errno,
					 "cannot publish blob %s", hex);
	w->is_committed = true;
	return 0;
}

int
cas_writer_commit(struct cas_writer *w, const struct stv_digest *want,
		  struct stv_digest *ret, struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX];
	struct stv_digest got;

	if (flush(w, err) < 0)
		return -1;
	got = stv_hash_end(w->hash);
	if (check_digest(&got, want, err) < 0)
		return -1;
	stv_digest_hex(&got, hex);
	if (is_there(w->store, hex, w->size))
		atomic_store(&w->store->is_dirty, true);
	else if (publish(w, hex, err) < 0)
		return -1;
	if (ret != NULL)
		*ret = got;
	return 0;
}

void
cas_writer_close(struct cas_writer *w)
{
	if (w == NULL)
		return;
	stv_close_p(&w->fd);
	if (!w->is_committed)
		(void)unlinkat(w->store->own_fd, w->name, 0);
	stv_hash_free(w->hash);
	free(w);
}

int
cas_sync_unsynced(struct cas_store *s, struct stv_err **err)
{
	if (!s->is_sync || unlinkat(s->root_fd, CAS_UNSYNCED, 0) < 0)
		return 0;
	if (syncfs(s->root_fd) < 0) {
		atomic_store(&s->is_broken, true);
		return stv_fail_errno(err, errno, "cannot flush '%s'", s->root);
	}
	return 0;
}

int
cas_store_sync(struct cas_store *s, struct stv_err **err)
{
	if (!s->is_sync)
		return 0;
	if (atomic_load(&s->is_broken))
		return stv_fail(err, STV_E_IO,
				"an earlier flush of the store failed");
	if (cas_sync_unsynced(s, err) < 0)
		return -1;
	if (!atomic_exchange(&s->is_dirty, false))
		return 0;
	if (fsync(s->blobs_fd) < 0) {
		atomic_store(&s->is_broken, true);
		return stv_fail_errno(err, errno, "cannot flush '%s/%s'",
				      s->root, CAS_BLOBS);
	}
	return 0;
}

bool
cas_blob_has(struct cas_store *s, const struct stv_digest *d)
{
	char hex[STV_DIGEST_STR_MAX];

	return faccessat(s->blobs_fd, stv_digest_hex(d, hex), F_OK,
			 AT_SYMLINK_NOFOLLOW) == 0;
}

int
cas_blob_open(struct cas_store *s, const struct stv_digest *d, int *ret_fd,
	      uint64_t *ret_size, struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX];
	struct stat st;
	stv_auto_fd fd = openat(s->blobs_fd, stv_digest_hex(d, hex),
				O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot open blob sha256:%s",
				      hex);
	if (fstat(fd, &st) < 0)
		return stv_fail_errno(err, errno, "cannot stat blob sha256:%s",
				      hex);
	if (ret_size != NULL)
		*ret_size = (uint64_t)st.st_size;
	*ret_fd = stv_steal_fd(&fd);
	return 0;
}

int
cas_blob_read(struct cas_store *s, const struct stv_digest *d, size_t max,
	      struct stv_buf *ret, struct stv_err **err)
{
	char what[STV_DIGEST_STR_MAX + 8] = "blob ";
	size_t before = ret->len;
	struct stv_digest got;
	stv_auto_fd fd = -1;

	if (cas_blob_open(s, d, &fd, NULL, err) < 0)
		return -1;
	(void)stv_digest_str(d, what + strlen("blob "));
	if (stv_fsat_read_fd(fd, max, what, ret, err) < 0)
		return -1;
	got = stv_digest_of(stv_buf_str(ret) + before, ret->len - before);
	if (!stv_digest_equal(&got, d)) {
		stv_buf_truncate(ret, before);
		stv_fail(err, STV_E_DIGEST, "%s in the store is damaged", what);
		stv_err_hint(*err, "'stave fsck' lists all that is damaged.");
		return -1;
	}
	return 0;
}

int
cas_blob_put(struct cas_store *s, const void *p, size_t n,
	     struct stv_digest *ret, struct stv_err **err)
{
	struct stv_digest d = stv_digest_of(p, n);
	char hex[STV_DIGEST_STR_MAX];
	stv_auto(cas_writer) *w = NULL;

	/* A cached build puts the same config again and writes nothing. */
	if (is_there(s, stv_digest_hex(&d, hex), n)) {
		atomic_store(&s->is_dirty, true);
		*ret = d;
		return 0;
	}
	if (cas_writer_open(s, n, &w, err) < 0 ||
	    cas_writer_write(w, p, n, err) < 0)
		return -1;
	return cas_writer_commit(w, NULL, ret, err);
}
