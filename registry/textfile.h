/* registry/textfile.h - small files of the user's own: configuration, secrets.
 */
#ifndef STAVE_REGISTRY_TEXTFILE_H
#define STAVE_REGISTRY_TEXTFILE_H

#include <stddef.h>
#include <sys/types.h>

#include "core/cleanup.h"

struct stv_err; /* core/err.h */

/* What is in a file; NUL behind it. */
struct reg_textfile {
	char *text;
	size_t len;
	mode_t mode; /* permission bits */
};

/*
 * reg_textfile_read(path, max, ret, err): a regular file by its path, links
 * followed; "/dev/null" is an empty one.  A FIFO or device never hangs us.
 *
 * Owns:    *ret, reg_textfile_fini(); untouched where there is no file.
 * Returns: 1, or 0 where there is no such file.
 * Errors:  STV_E_INPUT where it is not regular, STV_E_LIMIT above ${max}
 *          bytes, STV_E_IO; all name the file.
 */
int reg_textfile_read(const char *path, size_t max, struct reg_textfile *ret,
		      struct stv_err **err);

/* reg_textfile_fini(f): erase the text (it may be secret) and free it. */
void reg_textfile_fini(struct reg_textfile *f);

#define reg_auto_textfile STV_CLEANUP(reg_textfile_fini) struct reg_textfile

#endif /* STAVE_REGISTRY_TEXTFILE_H */
