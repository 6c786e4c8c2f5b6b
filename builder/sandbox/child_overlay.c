/*
 * builder/sandbox/child_overlay.c - mount layers: the root, and the mounts of
 * a RUN that come from an image or a stage.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/cleanup.h"

#include "builder/sandbox/child.h"
#include "builder/sandbox/sys_mount.h"

/*
 * Where overlays are attached: directories of the store that are never a layer
 * themselves, so that the names of layers go on meaning the layers.  The root
 * has one of its own: what is attached to that of the others lies on the one
 * before, and ends with the old root.
 */
static const char *
attach_at(const struct sbx_overlay *o)
{
	return o->is_root ? SBX_MOUNTPOINTS "/dev" : SBX_MOUNTPOINTS "/proc";
}

static const struct sbx_mount_option overlay_options[] = {
	{"index", "off"},
	{"metacopy", "off"},
	{"redirect_dir", "off"},
};

/* Without a guard before devices the root itself allows none. */
static bool
is_nodev(const struct sbx_child *c, const struct sbx_overlay *o)
{
	return !o->is_root || (c->plan->sbx->devices == SBX_DEVICES_NONE &&
			       !c->plan->spec->is_insecure);
}

static int
set_layers(int fs, const struct sbx_overlay *o)
{
	for (size_t i = 0; i < o->n_lowers; i++) {
		if (sbx_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+",
				 o->lower_dirs[i]) < 0)
			return -1;
	}
	if (o->is_root && sbx_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+",
				       SBX_MOUNTPOINTS) < 0)
		return -1;
	if (o->upper == NULL)
		return 0;
	if (sbx_fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", o->upper) < 0 ||
	    sbx_fsconfig(fs, FSCONFIG_SET_STRING, "workdir", o->work) < 0)
		return -1;
	return sbx_fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL);
}

static int
new_api(const struct sbx_child *c, const struct sbx_overlay *o)
{
	int fs = sbx_fsopen("overlay"), mount;

	if (fs < 0)
		return -1;
	if (sbx_fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay") < 0 ||
	    set_layers(fs, o) < 0 ||
	    sbx_child_set_options(fs, overlay_options,
				  STV_ARRAY_LEN(overlay_options)) < 0) {
		(void)close(fs);
		return -1;
	}
	mount = sbx_child_create_mount(fs,
				       is_nodev(c, o) ? MOUNT_ATTR_NODEV : 0);
	/* Only what is attached can be cloned, or become the root. */
	if (mount >= 0 && sbx_move_mount(mount, c->store_fd, attach_at(o)) < 0)
		sbx_child_fail(c, SBX_ST_ATTACH, 0);
	return mount;
}

/* Before Linux 6.7 (no lowerdir+): mounted where it is attached. */
static int
old_api(const struct sbx_child *c, const struct sbx_overlay *o)
{
	if (o->legacy_data == NULL) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (syscall(SYS_mount, "overlay", attach_at(o), "overlay",
		    is_nodev(c, o) ? MS_NODEV : 0, o->legacy_data) < 0)
		return -1;
	return openat(c->store_fd, attach_at(o),
		      O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool
is_no_space(int errnum)
{
	return errnum == ENOSPC || errnum == EDQUOT;
}

/*
 * Where overlay cannot make its work directory it goes on without the upper
 * one, and what it mounts is read-only.
 */
static bool
is_writable(const struct sbx_child *c, int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0 || (st.f_flags & ST_RDONLY) == 0)
		return true;
	errno = EROFS;
	if (fstatfs(c->store_fd, &st) == 0 &&
	    (st.f_bavail == 0 || (st.f_files > 0 && st.f_ffree == 0)))
		errno = ENOSPC;
	return false;
}

int
sbx_child_overlay(const struct sbx_child *c, const struct sbx_overlay *o)
{
	int fd = -1;

	/* One layer that nobody writes to needs no overlay (nor gets one). */
	if (!o->is_root && o->n_lowers == 1 && o->upper == NULL)
		return openat(c->store_fd, o->lower_dirs[0],
			      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	errno = 0;
	if (!c->plan->sbx->force_mount2)
		fd = new_api(c, o);
	/* A second try would only meet what the first has left behind. */
	if (fd < 0 && !is_no_space(errno))
		fd = old_api(c, o);
	if (fd >= 0 && o->upper != NULL && !is_writable(c, fd))
		return -1;
	return fd;
}
