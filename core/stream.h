/*
 * core/stream.h - stacking byte streams.
 *
 * A source gives bytes, a sink takes them.  Each wrapper stands on another
 * one, so that "download, check the digest, store, unpack" is one pass.  A
 * wrapper does not own what it stands on unless its comment says so.
 * Streams belong to one thread at a time.
 */
#ifndef STAVE_CORE_STREAM_H
#define STAVE_CORE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/* Something that bytes can be read from. */
struct stv_in {
	/*
	 * read(in, buf, n, err): up to ${n} (> 0) bytes; the count, 0 at the
	 * end, -1 on error.
	 */
	int64_t (*read)(struct stv_in *in, void *buf, size_t n,
			struct stv_err **err);
	/* close(in): free it and what it owns. */
	void (*close)(struct stv_in *in);
};

/* Something that bytes can be written to. */
struct stv_sink {
	/* write(sink, buf, n, err): all ${n} bytes, or an error. */
	int (*write)(struct stv_sink *sink, const void *buf, size_t n,
		     struct stv_err **err);
	/* close(sink): free it; says nothing about whether data was kept. */
	void (*close)(struct stv_sink *sink);
};

/* stv_in_close(in), stv_sink_close(sink): end a stream.  NULL is ok. */
void stv_in_close(struct stv_in *in);
void stv_sink_close(struct stv_sink *sink);

STV_DEFINE_CLEANUP(stv_in, stv_in_close);
STV_DEFINE_CLEANUP(stv_sink, stv_sink_close);

/*
 * stv_in_read_full(in, buf, n, err): read until ${n} bytes or the end came;
 * the count, or -1.
 */
int64_t stv_in_read_full(struct stv_in *in, void *buf, size_t n,
			 struct stv_err **err);

/*
 * stv_in_fd(fd): read a descriptor from where it stands; EINTR is retried.
 * Borrows: ${fd}.  Owns: the caller, stv_in_close().
 */
struct stv_in *stv_in_fd(int fd);

/*
 * stv_in_fd_range(fd, offset, size): ${size} bytes of ${fd} from ${offset} by
 * pread, whatever the position of ${fd} is.  The end before that is an error.
 */
struct stv_in *stv_in_fd_range(int fd, uint64_t offset, uint64_t size);

/* stv_in_mem(p, n): read ${n} bytes of memory.  Borrows: ${p}. */
struct stv_in *stv_in_mem(const void *p, size_t n);

/*
 * stv_in_hash(under, ret): pass through and count what is read; the digest is
 * taken with stv_in_hash_end().  Borrows: ${under}.
 */
struct stv_in *stv_in_hash(struct stv_in *under);

/* stv_in_hash_end(in, ret_size): the digest of all that was read so far. */
struct stv_digest stv_in_hash_end(struct stv_in *in, uint64_t *ret_size);

/*
 * stv_in_limit(under, max, what): STV_E_LIMIT naming ${what} once more than
 * ${max} bytes came.  Borrows: ${under}, ${what}.
 */
struct stv_in *stv_in_limit(struct stv_in *under, uint64_t max,
			    const char *what);

/*
 * stv_in_after(head, n, under): ${n} bytes that were looked at already, and
 * then the rest.  Borrows: both.
 */
struct stv_in *stv_in_after(const void *head, size_t n, struct stv_in *under);

/*
 * stv_in_ahead(under): a thread of its own reads ${under}, with all that it
 * stands on, up to 1 MiB ahead of whoever reads the result; where there is no
 * thread to be had, that one reads it.  Closing waits for a read that is under
 * way: it has to end when the user cancels, also in a thread that sees no
 * signal, so ${under} is no pipe.
 *
 * Borrows: ${under}; nobody else touches it until the result is closed, or gave
 * its end or an error.
 */
struct stv_in *stv_in_ahead(struct stv_in *under);

/* stv_sink_fd(fd): write to a descriptor; EINTR retried.  Borrows: ${fd}. */
struct stv_sink *stv_sink_fd(int fd);

/* stv_sink_tee(a, b): write everything to both.  Borrows: both. */
struct stv_sink *stv_sink_tee(struct stv_sink *a, struct stv_sink *b);

/* stv_sink_hash(under): pass through and hash; ${under} may be NULL. */
struct stv_sink *stv_sink_hash(struct stv_sink *under);

/* stv_sink_hash_end(sink, ret_size): the digest of all written so far. */
struct stv_digest stv_sink_hash_end(struct stv_sink *sink, uint64_t *ret_size);

struct stv_buf; /* core/buf.h */

/* stv_sink_buf(b, what): append to ${b}; STV_E_LIMIT at its maximum. */
struct stv_sink *stv_sink_buf(struct stv_buf *b, const char *what);

/*
 * stv_copy(in, out, ret_size, err): everything from ${in} to ${out}.
 * ${ret_size} may be NULL.
 */
int stv_copy(struct stv_in *in, struct stv_sink *out, uint64_t *ret_size,
	     struct stv_err **err);

/*
 * stv_write_all(fd, p, n): write() until all is written; 0, or -1 with errno.
 */
int stv_write_all(int fd, const void *p, size_t n);

/*
 * stv_pread_all(fd, p, n, offset): the count read (less than ${n} only at the
 * end of the file), or -1 with errno.
 */
int64_t stv_pread_all(int fd, void *p, size_t n, uint64_t offset);

#endif /* STAVE_CORE_STREAM_H */
