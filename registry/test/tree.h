/* registry/test/tree.h - a directory with files that a test has written. */
#ifndef STAVE_REGISTRY_TEST_TREE_H
#define STAVE_REGISTRY_TEST_TREE_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

static char *tree_root;

/* The path of ${name} below the tree's root; owned by the caller. */
static inline char *
tree_path(const char *name)
{
	return stv_xasprintf("%s/%s", tree_root, name);
}

/* Write a file, and the directories that it needs. */
static inline void
tree_write(const char *name, const char *text, mode_t mode)
{
	stv_auto_free char *path = tree_path(name);
	stv_auto_free char *dir =
		stv_xstrndup(path, (size_t)(strrchr(path, '/') - path));
	struct stv_err *err = NULL;

	cr_assert_eq(stv_fsat_mkdirs(AT_FDCWD, dir, 0700, &err), 0);
	cr_assert_eq(stv_fsat_replace(AT_FDCWD, path, text, strlen(text), mode,
				      false, &err),
		     0);
	cr_assert_eq(fchmodat(AT_FDCWD, path, mode, 0), 0);
}

static inline void
tree_init(void)
{
	const char *tmp = getenv("TMPDIR");

	tree_root = stv_xasprintf("%s/stave-test-XXXXXX",
				  tmp != NULL ? tmp : "/tmp");
	cr_assert_not_null(mkdtemp(tree_root));
}

static inline void
tree_fini(void)
{
	struct stv_err *err = NULL;

	cr_assert_eq(stv_fsat_remove_tree(AT_FDCWD, tree_root, &err), 0);
	free(tree_root);
}

#endif /* STAVE_REGISTRY_TEST_TREE_H */
