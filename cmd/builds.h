/* cmd/builds.h - the builds of which the store keeps something. */
#ifndef STAVE_CMD_BUILDS_H
#define STAVE_CMD_BUILDS_H

struct stv_err;	 /* core/err.h */
struct stv_strs; /* core/strs.h */

/*
 * cmd_names_list(dirfd, path, ret, err): the names in a directory, sorted,
 * appended; those that begin with '.' are left out.  What is not there has
 * none.
 */
int cmd_names_list(int dirfd, const char *path, struct stv_strs *ret,
		   struct stv_err **err);

/*
 * cmd_builds_list(rootfd, ret, err): the IDs of the builds, the oldest first,
 * appended.  ${rootfd} is the store's.
 */
int cmd_builds_list(int rootfd, struct stv_strs *ret, struct stv_err **err);

#endif /* STAVE_CMD_BUILDS_H */
