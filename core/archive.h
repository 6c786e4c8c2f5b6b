/*
 * core/archive.h - reading tar archives.
 *
 *	stv_archive_open(in, &a, err);
 *	while ((r = stv_archive_next(a, &entry, err)) == 1)
 *		while ((r = stv_archive_read(a, &block, err)) == 1)
 *			... block.p, block.n, at block.offset ...
 *	stv_archive_close(a);
 *
 * libarchive reads, with no other format than tar; a strict checker of ours
 * stands before it (core/tarcheck.h).  Names come as they are in the archive:
 * bytes, not cleaned, not trusted.
 */
#ifndef STAVE_CORE_ARCHIVE_H
#define STAVE_CORE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct stv_archive;
struct stv_err; /* core/err.h */
struct stv_in;	/* core/stream.h */

struct stv_archive_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/* An entry; everything it points at lives until the next call. */
struct stv_archive_entry {
	const char *path;
	uint32_t type; /* S_IFREG, S_IFDIR, S_IFLNK ...; 0: a hard link */
	uint32_t mode; /* 07777 */
	int64_t uid;
	int64_t gid;
	uint64_t size; /* of a regular file, holes included */
	int64_t mtime_s;
	uint32_t mtime_ns;
	const char *link; /* target of a symbolic or hard link */
	uint32_t rdev_major;
	uint32_t rdev_minor;
	const struct stv_archive_xattr *xattrs;
	size_t n_xattrs;
	uint64_t offset; /* of the content in the uncompressed tar */
	bool is_sparse;	 /* the content has holes that the tar leaves out */
};

/* A piece of a file's content; between pieces there are zeros. */
struct stv_archive_block {
	const void *p;
	size_t n;
	uint64_t offset; /* in the file; never before the end of the last */
};

/*
 * stv_archive_open(in, ret, err): a tar, or one compressed by gzip, zstd, xz
 * or bzip2 (by content).  Borrows: ${in}.  Owns: *ret, stv_archive_close().
 */
int stv_archive_open(struct stv_in *in, struct stv_archive **ret,
		     struct stv_err **err);

/* stv_archive_open_tar(in, ret, err): the same, uncompressed only. */
int stv_archive_open_tar(struct stv_in *in, struct stv_archive **ret,
			 struct stv_err **err);

/*
 * stv_archive_next(a, ret, err): the next entry; what was not read of the last
 * one is skipped.
 * Returns: 1, or 0 at the end (what lies behind it is not looked at).
 * Errors:  STV_E_INPUT (damaged, ambiguous, cut off), STV_E_LIMIT, and those
 *          of the stream below.
 */
int stv_archive_next(struct stv_archive *a, struct stv_archive_entry *ret,
		     struct stv_err **err);

/*
 * stv_archive_read(a, ret, err): the next piece of the entry's content: 1, or
 * 0 at its end.  All pieces lie inside the entry's size.
 */
int stv_archive_read(struct stv_archive *a, struct stv_archive_block *ret,
		     struct stv_err **err);

/*
 * stv_archive_read_to(a, fd, err): the content of the entry into ${fd}, an
 * empty regular file; holes stay holes.
 */
int stv_archive_read_to(struct stv_archive *a, int fd, struct stv_err **err);

/*
 * stv_archive_drain(a, err): read the stream to its end, so that all of it
 * passed through what ${in} stands on (a digest).
 */
int stv_archive_drain(struct stv_archive *a, struct stv_err **err);

/* stv_archive_close(a): NULL is ok. */
void stv_archive_close(struct stv_archive *a);

/*
 * stv_archive_sniff(in, err): does ${in}, compressed or not, begin with an
 * entry of a tar?  This is ADD's question: an empty tar is no archive, and what
 * cannot be read as one is none either.  ${in} is used up (64 KiB or so).
 * Returns: 1 yes, 0 no.  Errors: those of the stream below only.
 */
int stv_archive_sniff(struct stv_in *in, struct stv_err **err);

STV_DEFINE_CLEANUP(stv_archive, stv_archive_close);

#endif /* STAVE_CORE_ARCHIVE_H */
