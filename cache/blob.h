/* cache/blob.h - immutable content-addressed blobs. */
#ifndef STAVE_CACHE_BLOB_H
#define STAVE_CACHE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct cas_store;  /* cache/store.h */
struct stv_buf;	   /* core/buf.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */
struct stv_sink;   /* core/stream.h */

/* A blob being written; readers cannot see it before the commit. */
struct cas_writer;

/*
 * cas_writer_open(store, limit, ret, err):
 * Start a blob in ${store}.  Writing more than ${limit} bytes fails.  It is
 * hashed while written and its write-back is begun early.
 *
 * Owns:    *ret is the caller's; end it with cas_writer_close().
 * Borrows: ${store}, which must outlive *ret.
 * Errors:  STV_E_IO, STV_E_LIMIT.  *ret is untouched on failure.
 * Threads: any; one writer belongs to one thread.
 */
int cas_writer_open(struct cas_store *store, uint64_t limit,
		    struct cas_writer **ret, struct stv_err **err);

/* cas_writer_write(w, p, n, err): append ${n} bytes. */
int cas_writer_write(struct cas_writer *w, const void *p, size_t n,
		     struct stv_err **err);

/*
 * cas_writer_copy_range(w, fd, offset, n, err): append ${n} bytes of a file.
 * They are hashed as they pass.  A file that ends early is STV_E_INPUT.
 */
int cas_writer_copy_range(struct cas_writer *w, int fd, uint64_t offset,
			  uint64_t n, struct stv_err **err);

/* cas_writer_sink(w): ${w} as a sink.  Borrows; freed with ${w}. */
struct stv_sink *cas_writer_sink(struct cas_writer *w);

/* cas_writer_size(w): bytes written so far. */
uint64_t cas_writer_size(const struct cas_writer *w);

/*
 * cas_writer_peek(w, ret_size): its file, of which the first *ret_size bytes
 * can be read by pread() already, also by other threads.  Borrows; who reads on
 * after the commit or the end needs a descriptor of his own.
 */
int cas_writer_peek(const struct cas_writer *w, uint64_t *ret_size);

/*
 * cas_writer_commit(w, want, ret, err):
 * Make the blob visible under the digest of its bytes, which *ret gets.  If
 * ${want} is non-NULL the digest must equal it.  A blob that is already there
 * is success: same digest, same bytes.
 *
 * Errors:  STV_E_DIGEST (the bytes are not ${want}; nothing is kept),
 *          STV_E_IO.
 * Durable: the bytes are synced; the directory entry is with the next
 *          cas_store_sync(), which every metadata transaction does first.
 */
int cas_writer_commit(struct cas_writer *w, const struct stv_digest *want,
		      struct stv_digest *ret, struct stv_err **err);

/* cas_writer_close(w): free ${w}; discard it unless committed.  NULL is ok. */
void cas_writer_close(struct cas_writer *w);

/* cas_store_sync(s, err): the blob directory's new entries become durable. */
int cas_store_sync(struct cas_store *s, struct stv_err **err);

/* cas_blob_has(s, d): is the blob there?  Threads: any. */
bool cas_blob_has(struct cas_store *s, const struct stv_digest *d);

/*
 * cas_blob_open(s, d, ret_fd, ret_size, err): the blob for reading.
 * Owns: *ret_fd.  ${ret_size} may be NULL.  Threads: any.
 * Errors: STV_E_NOT_FOUND, STV_E_IO.
 */
int cas_blob_open(struct cas_store *s, const struct stv_digest *d, int *ret_fd,
		  uint64_t *ret_size, struct stv_err **err);

/*
 * cas_blob_read(s, d, max, ret, err): a small blob (config, manifest) whole,
 * its digest checked.
 */
int cas_blob_read(struct cas_store *s, const struct stv_digest *d, size_t max,
		  struct stv_buf *ret, struct stv_err **err);

/* cas_blob_put(s, p, n, ret, err): store ${n} bytes; *ret is their digest. */
int cas_blob_put(struct cas_store *s, const void *p, size_t n,
		 struct stv_digest *ret, struct stv_err **err);

STV_DEFINE_CLEANUP(cas_writer, cas_writer_close);

#endif /* STAVE_CACHE_BLOB_H */
