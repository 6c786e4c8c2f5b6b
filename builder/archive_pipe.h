/*
 * builder/archive_pipe.h - an archive that is read while a thread writes it.
 *
 *	bld_archive_pipe_open(store, &image, format, &p, err);
 *	... bld_archive_pipe_fd(p) is another program's standard input ...
 *	rc = bld_archive_pipe_end(p, rc, &n, err);
 *
 * Nothing of it lies on a disk.  Whoever reads sees the end of the stream also
 * where the writer failed: the list of an archive's content comes last in it,
 * so one that broke off is no archive.
 */
#ifndef STAVE_BUILDER_ARCHIVE_PIPE_H
#define STAVE_BUILDER_ARCHIVE_PIPE_H

#include <stdint.h>

#include "cache/archive_save.h"

struct stv_in; /* core/stream.h */

struct bld_archive_pipe;

/*
 * bld_archive_pipe_open(store, image, format, ret, err): start the thread.
 * Owns:    *ret, bld_archive_pipe_end().
 * Borrows: ${store}, which nobody else uses until then, and ${image}.
 * Errors:  STV_E_IO: no pipe, no thread.
 */
int bld_archive_pipe_open(struct cas_store *store,
			  const struct cas_save_image *image,
			  enum cas_archive_format format,
			  struct bld_archive_pipe **ret, struct stv_err **err);

/* bld_archive_pipe_fd(p): where it is read.  Borrows. */
int bld_archive_pipe_fd(const struct bld_archive_pipe *p);

/*
 * bld_archive_pipe_in(p): the same as a stream, which ends only where the
 * archive is whole; else it fails as the writer did.  Borrows: it is part of
 * ${p}.
 */
struct stv_in *bld_archive_pipe_in(struct bld_archive_pipe *p);

/*
 * bld_archive_pipe_end(p, rc, ret_size, err): stop reading, wait for the
 * thread, free ${p}.  ${rc} is what became of the reading, with *err where it
 * is negative; where the writer failed and not because nobody read any more,
 * its error takes the place of that one.  *ret_size gets the bytes written.
 * Returns: 0 or -1.
 */
int bld_archive_pipe_end(struct bld_archive_pipe *p, int rc, uint64_t *ret_size,
			 struct stv_err **err);

#endif /* STAVE_BUILDER_ARCHIVE_PIPE_H */
