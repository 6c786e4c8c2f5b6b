/*
 * builder/tree.h - a source (a context through its ignore file, a chain of
 * layers) as real files in a directory of our own.
 */
#ifndef STAVE_BUILDER_TREE_H
#define STAVE_BUILDER_TREE_H

struct bld_source; /* builder/source.h */
struct stv_err;	   /* core/err.h */

/*
 * bld_tree_write(s, path, dir_fd, name, err): what is at the cleaned ${path} of
 * ${s} (no link in it), and below, as ${name} in ${dir_fd}, where nothing of
 * that name is; "" writes into the directory ${dir_fd} itself, which gets the
 * attributes too.  Owners, modes, times and extended attributes are kept, hard
 * links are not; a socket becomes an empty file.
 *
 * Errors: STV_E_INPUT where a file went away meanwhile, STV_E_IO,
 *         STV_E_CANCELLED, and those of ${s}.
 */
int bld_tree_write(struct bld_source *s, const char *path, int dir_fd,
		   const char *name, struct stv_err **err);

#endif /* STAVE_BUILDER_TREE_H */
