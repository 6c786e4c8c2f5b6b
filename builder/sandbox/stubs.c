/*
 * builder/sandbox/stubs.c - leave no trace of mounts in a layer (THREATS A10).
 *
 * What every sandbox mounts on lies in a lowest layer of our own, so that most
 * images need nothing else.  Where that is hidden (an image whose /etc is a
 * link, a whiteout) or the user mounts on something that is not there, stubs
 * are made in the upper directory and removed here afterwards.
 *
 * The command may have moved, filled or replaced what we made for mounts.
 * Everything is looked up again below the upper directory, through no link,
 * and removed only if it is still the same inode and empty.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"

#include "builder/sandbox/internal.h"

/* ---- the lowest layer -----------------------------------------------------
 */

/* What is inside another comes after it. */
static const char *const mountpoints[] = {
	"dev", "proc", "sys", "etc", "etc/hosts", "etc/resolv.conf",
};

/* Modes in full, whatever the umask is. */
static int
make_mountpoint(int dir, const char *path)
{
	bool is_file = strcmp(path, "etc/hosts") == 0 ||
		       strcmp(path, "etc/resolv.conf") == 0;
	int fd;

	if (!is_file)
		return mkdirat(dir, path, 0755) < 0
			       ? -1
			       : fchmodat(dir, path, 0755, 0);
	fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	(void)close(fd);
	return fchmodat(dir, path, 0644, 0);
}

/* A command sees these times in images without /etc: the same in all stores. */
static int
fill_mountpoints(int dir)
{
	static const struct timespec epoch[2];
	size_t n = STV_ARRAY_LEN(mountpoints);

	for (size_t i = 0; i < n; i++) {
		if (make_mountpoint(dir, mountpoints[i]) < 0)
			return -1;
	}
	for (size_t i = n; i-- > 0;) {
		if (utimensat(dir, mountpoints[i], epoch, 0) < 0)
			return -1;
	}
	return 0;
}

int
sbx_mountpoints_make(int store_fd, struct stv_err **err)
{
	struct stv_err *ignored = NULL;
	stv_auto_fd dir = -1;
	char tmp[64];
	int saved = 0;

	if (faccessat(store_fd, SBX_MOUNTPOINTS, F_OK, 0) == 0)
		return 0;
	(void)snprintf(tmp, sizeof(tmp), "tmp/mountpoints-%ld", (long)getpid());
	if ((mkdirat(store_fd, "tmp", 0700) < 0 && errno != EEXIST) ||
	    mkdirat(store_fd, tmp, 0755) < 0)
		return stv_fail_errno(err, errno, "making '%s' in the store",
				      tmp);
	dir = openat(store_fd, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fchmod(dir, 0755) < 0 || fill_mountpoints(dir) < 0 ||
	    renameat(store_fd, tmp, store_fd, SBX_MOUNTPOINTS) < 0)
		saved = errno;
	/* Another process was faster: as good. */
	if (saved == EEXIST || saved == ENOTEMPTY)
		saved = 0;
	if (stv_fsat_remove_tree(store_fd, tmp, &ignored) < 0)
		stv_err_free(ignored);
	if (saved != 0)
		return stv_fail_errno(err, saved, "making '%s' in the store",
				      SBX_MOUNTPOINTS);
	return 0;
}

/* ---- stubs --------------------------------------------------------------- */

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
