/* cache/tar_write.h - the headers of a deterministic pax tar. */
#ifndef STAVE_CACHE_TAR_WRITE_H
#define STAVE_CACHE_TAR_WRITE_H

#include <stdint.h>

#include "cache/entry.h"

struct stv_buf; /* core/buf.h */
struct stv_err; /* core/err.h */

#define TAR_BLOCK 512

/*
 * lay_tar_header(e, ret, err): what stands before the content of ${e}: a pax
 * header where ustar's fields do not hold it, and the ustar header, appended
 * to ${ret}.  Nothing of the machine is in it: no names of users, no access
 * times, no device or inode numbers.
 *
 * Errors: STV_E_INPUT where a name cannot be stored (it begins with ".wh.",
 *         an xattr's name has a '='), STV_E_LIMIT.
 */
int lay_tar_header(const struct lay_entry *e, struct stv_buf *ret,
		   struct stv_err **err);

/* lay_tar_padding(size): zeros behind ${size} bytes of content. */
uint64_t lay_tar_padding(uint64_t size);

#endif /* STAVE_CACHE_TAR_WRITE_H */
