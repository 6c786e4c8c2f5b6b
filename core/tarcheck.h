/* core/tarcheck.h - a strict look at tar headers that only refuses. */
#ifndef STAVE_CORE_TARCHECK_H
#define STAVE_CORE_TARCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stv_err; /* core/err.h */
struct stv_in;	/* core/stream.h */

/*
 * stv_in_tarcheck(under): pass an uncompressed tar through and fail where two
 * tar programs could read different entries out of it (THREATS B14: sizes in
 * the pax and in the ustar header that disagree, a pax header before anything
 * but a file, keys twice, links and directories with content, junk between
 * entries, no end) or where a header is larger than its bound (B15).  Nothing
 * is changed; libarchive does the reading behind it.
 *
 * Borrows: ${under}.
 * Errors:  STV_E_INPUT (ambiguous, damaged, cut off), STV_E_LIMIT.
 */
struct stv_in *stv_in_tarcheck(struct stv_in *under);

/*
 * stv_tar_is_header(block): do 512 bytes begin an entry (their checksum is
 * right)?  A block of zeros does not.
 */
bool stv_tar_is_header(const void *block);

/*
 * stv_paxcheck(p, n, ret_size, ret_has_size, err): the records of one pax
 * header; *ret_size is its "size", if *ret_has_size.
 */
int stv_paxcheck(const char *p, size_t n, uint64_t *ret_size,
		 bool *ret_has_size, struct stv_err **err);

/* stv_paxcheck_global(p, n, err): the same for a global header, which may
 * hold nothing but comments: readers differ in what they make of the rest. */
int stv_paxcheck_global(const char *p, size_t n, struct stv_err **err);

#endif /* STAVE_CORE_TARCHECK_H */
