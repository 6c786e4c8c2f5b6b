/* builder/context_hint.c - why a path is not in the build context. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/strs.h"

#include "parser/parse.h"

#include "builder/context.h"

/* In a directory of so many names none is proposed. */
#define MAX_NAMES 4096

/* The names in a directory, as far as they are compared. */
static void
read_names(int dir, struct stv_strs *ret)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while (ret->len < MAX_NAMES &&
	       (e = readdir(d)) != NULL) // NOLINT(concurrency-mt-unsafe)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			stv_strs_add(ret, e->d_name);
	(void)closedir(d);
	stv_strs_sort(ret);
}

/* ${name} is not in ${dir}, which is ${parent} ("" or "d/"). */
static void
hint_missing(int dir, const char *parent, const char *name,
	     struct stv_err **err)
{
	struct stv_strs names = {0};
	const char *near;

	read_names(dir, &names);
	near = names.len > 0 && names.len < MAX_NAMES
		       ? df_nearest(name, (const char *const *)names.v)
		       : NULL;
	if (near != NULL)
		stv_err_hint(*err,
			     "There is '%s%s'; mind upper and lower case "
			     "too.",
			     parent, near);
	else if (*parent == '\0')
		stv_err_hint(*err, "A source is a path in the build context; "
				   "what lies outside of it cannot be copied.");
	stv_strs_clear(&names);
}

/* What there is to say of the link ${name}, where it leads to nothing. */
static char *
link_hint(int dir, const char *parent, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir, name, target, sizeof(target));

	return len < 0 ? NULL
		       : stv_xasprintf("'%s%s' is a link to '%.*s', which is "
				       "not in the build context.",
				       parent, name, (int)len, target);
}

void
bld_context_hint(int context_fd, const char *path, struct stv_err **err)
{
	stv_auto_fd dir =
		stv_fsat_open_beneath(context_fd, ".", O_PATH | O_DIRECTORY, 0);
	stv_auto_free char *link = NULL;
	bool leads_nowhere = false;
	const char *rest = path;

	while (dir >= 0 && *rest != '\0') {
		size_t n = strcspn(rest, "/"), at = (size_t)(rest - path);
		stv_auto_free char *name = stv_xstrndup(rest, n);
		stv_auto_free char *parent = stv_xstrndup(path, at);
		stv_auto_free char *whole = stv_xstrndup(path, at + n);
		struct stat st;
		int next;

		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			hint_missing(dir, parent, name, err);
			return;
		}
		if (S_ISLNK(st.st_mode)) {
			free(link);
			link = link_hint(dir, parent, name);
		}
		next = stv_fsat_open_in_root(context_fd, whole,
					     O_PATH | O_DIRECTORY, 0);
		leads_nowhere = next < 0 && errno != ENOTDIR;
		rest += n + (rest[n] == '/');
		(void)close(dir);
		dir = next;
	}
	/* Where all is there, what a link leads to is left out. */
	if (link != NULL && (leads_nowhere || *rest == '\0'))
		stv_err_hint(*err, "%s", link);
}
