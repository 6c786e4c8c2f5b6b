/*
 * builder/sandbox/stubs.c - leave no trace of mounts in a layer (THREATS A10).
 *
 * The command may have moved, filled or replaced what we made for mounts.
 * Everything is looked up again below the upper directory, through no link,
 * and removed only if it is still the same inode and empty.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fsat.h"
#include "core/limits.h"

#include "builder/sandbox/internal.h"

/* Is ${name} in ${dir} what we made, and untouched? */
static bool
is_ours(int dir, const char *name, const struct sbx_stub *stub)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (st.st_dev != stub->dev || st.st_ino != stub->ino)
		return false;
	if (stub->is_dir)
		return S_ISDIR(st.st_mode); /* rmdir sees to "empty" */
	return S_ISREG(st.st_mode) && st.st_size == 0 && st.st_nlink == 1;
}

static void
remove_stub(int upper_fd, const char *path, const struct sbx_stub *stub)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	const char *name = strrchr(path, '/');
	char parent[STV_MAX_PATH + 1];
	stv_auto_fd dir = -1;
	struct stat st;
	size_t n;

	n = name == NULL ? 0 : (size_t)(name - path);
	name = name == NULL ? path : name + 1;
	if (n >= sizeof(parent))
		return;
	memcpy(parent, path, n);
	parent[n] = '\0';
	dir = stv_fsat_open_nolinks(upper_fd, n > 0 ? parent : ".",
				    O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 || fstat(dir, &st) < 0 || !is_ours(dir, name, stub))
		return;
	if (unlinkat(dir, name, stub->is_dir ? AT_REMOVEDIR : 0) < 0)
		return;
	/*
	 * The mtime was put back when the stub was made, so what it is now is
	 * what the command left.
	 */
	times[1] = st.st_mtim;
	(void)futimens(dir, times);
}

void
sbx_stubs_remove(int upper_fd, const struct sbx_report *report)
{
	/* Backwards: what is inside a directory was made after it. */
	for (uint32_t i = report->n_stubs; i-- > 0;)
		remove_stub(upper_fd, report->paths + report->stubs[i].path,
			    &report->stubs[i]);
}
