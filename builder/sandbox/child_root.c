/*
 * builder/sandbox/child_root.c - the mounts of a sandbox, in order.
 *
 * Every file system is made detached (fsopen, fsmount) and attached to a
 * descriptor that was opened inside the root, never to a path; what is set up
 * in one (nodes of /dev, masks of /proc) is reached from the descriptor of
 * that very mount, whatever the image has in its place (THREATS A05 to A09).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/cleanup.h"

#include "builder/sandbox/child.h"
#include "builder/sandbox/sys_mount.h"

#define NOEXEC_ALL (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int
sbx_child_set_options(int fs, const struct sbx_mount_option *opts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned int cmd = opts[i].value != NULL ? FSCONFIG_SET_STRING
							 : FSCONFIG_SET_FLAG;

		if (sbx_fsconfig(fs, cmd, opts[i].key, opts[i].value) < 0)
			return -1;
	}
	return 0;
}

int
sbx_child_create_mount(int fs, unsigned int attrs)
{
	int mount = -1, saved;

	if (sbx_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) == 0)
		mount = sbx_fsmount(fs, attrs);
	saved = errno;
	(void)close(fs);
	errno = saved;
	return mount;
}

int
sbx_child_make_mount(const char *type, const struct sbx_mount_option *opts,
		     size_t n, unsigned int attrs)
{
	int fs = sbx_fsopen(type), saved;

	if (fs < 0)
		return -1;
	/* What /proc/mounts shows as the device; df and others pass "none". */
	if (sbx_fsconfig(fs, FSCONFIG_SET_STRING, "source", type) < 0 ||
	    sbx_child_set_options(fs, opts, n) < 0) {
		saved = errno;
		(void)close(fs);
		errno = saved;
		return -1;
	}
	return sbx_child_create_mount(fs, attrs);
}

/* ---- the root ------------------------------------------------------------ */

/* Tell a missing layer from an overlay that does not want to mount. */
static void
check_lowers(const struct sbx_child *c)
{
	const struct sbx_spec *spec = c->plan->spec;

	for (size_t i = 0; i < spec->n_lowers; i++) {
		int fd = openat(c->store_fd, spec->lower_dirs[i],
				O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			sbx_child_fail(c, SBX_ST_LOWER, (uint32_t)i);
		(void)close(fd);
	}
}

static void
fail_overlay(const struct sbx_child *c)
{
	int saved = errno;

	check_lowers(c);
	errno = saved;
	sbx_child_fail(c, SBX_ST_OVERLAY, 0);
}

/*
 * Descriptors from before clone3 lie in the parent's mount namespace, and
 * nothing of that can be mounted in ours: open the store again.
 */
static void
open_store(struct sbx_child *c)
{
	const struct sbx *sbx = c->plan->sbx;
	struct stat st;

	c->store_fd = open(sbx->store_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->store_fd < 0 || fstat(c->store_fd, &st) < 0)
		sbx_child_fail(c, SBX_ST_STORE, 0);
	if (st.st_dev != sbx->store_dev || st.st_ino != sbx->store_ino) {
		errno = ESTALE;
		sbx_child_fail(c, SBX_ST_STORE, 0);
	}
	/* The names of layers are relative to it. */
	if (fchdir(c->store_fd) < 0)
		sbx_child_fail(c, SBX_ST_STORE, 0);
}

static void
mount_root(struct sbx_child *c)
{
	struct statx st;

	c->root_fd = sbx_child_overlay(c, &c->plan->root);
	if (c->root_fd < 0)
		fail_overlay(c);
	if (syscall(SYS_statx, c->root_fd, "", AT_EMPTY_PATH, STATX_MNT_ID,
		    &st) < 0)
		sbx_child_fail(c, SBX_ST_ATTACH, 0);
	c->root_mnt_id = st.stx_mnt_id;
}

/* ---- our own files ------------------------------------------------------- */

int
sbx_child_write_file(struct sbx_child *c, const char *name, const void *data,
		     size_t n, enum sbx_stage stage, uint32_t index)
{
	int fd = openat(c->scratch_fd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		sbx_child_fail(c, stage, index);
	for (size_t done = 0; done < n;) {
		ssize_t m = write(fd, (const char *)data + done, n - done);

		if (m < 0)
			sbx_child_fail(c, stage, index);
		done += (size_t)m;
	}
	return fd;
}

static void
write_text(struct sbx_child *c, const char *name, const char *text,
	   enum sbx_stage stage)
{
	(void)close(
		sbx_child_write_file(c, name, text, strlen(text), stage, 0));
}

/*
 * A tmpfs with the files to be bound into the root and an empty directory for
 * masks.  Only attached mounts can be cloned (before Linux 6.15), so it is
 * hung over the store, which goes away with the old root.
 */
static void
mount_scratch(struct sbx_child *c)
{
	const struct sbx_mount_option opts[] = {
		{"mode", "755"}, {"size", c->plan->scratch_size}};
	const struct sbx_spec *spec = c->plan->spec;

	c->scratch_fd = sbx_child_make_mount("tmpfs", opts, STV_ARRAY_LEN(opts),
					     NOEXEC_ALL);
	if (c->scratch_fd < 0 ||
	    sbx_move_mount(c->scratch_fd, c->store_fd, "") < 0 ||
	    mkdirat(c->scratch_fd, "mask", 0755) < 0)
		sbx_child_fail(c, SBX_ST_SCRATCH, 0);
	if (spec->resolv_conf != NULL)
		write_text(c, "resolv.conf", spec->resolv_conf,
			   SBX_ST_RESOLV_CONF);
	if (spec->hosts != NULL)
		write_text(c, "hosts", spec->hosts, SBX_ST_HOSTS);
}

/* ---- proc, dev, sys ------------------------------------------------------ */

/* Mount ${type} at the top directory ${name}; returns its descriptor. */
static int
mount_top(struct sbx_child *c, const char *type, const char *name,
	  const struct sbx_mount_option *opts, size_t n, unsigned int attrs,
	  enum sbx_stage stage)
{
	int mount = sbx_child_make_mount(type, opts, n, attrs), target;

	if (mount < 0)
		sbx_child_fail(c, stage, 0);
	target = sbx_child_top_dir(c, name);
	if (target < 0)
		sbx_child_fail(c, stage, 1);
	if (sbx_move_mount(mount, target, "") < 0)
		sbx_child_fail(c, stage, 0);
	(void)close(target);
	return mount;
}

static const struct dev_node {
	const char *name;
	unsigned int major, minor;
} dev_nodes[] = {
	{"null", 1, 3},	  {"zero", 1, 5},    {"full", 1, 7},
	{"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct dev_link {
	const char *name, *text;
} dev_links[] = {
	{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
};

static void
fill_dev(struct sbx_child *c)
{
	struct stat st;

	for (size_t i = 0; i < STV_ARRAY_LEN(dev_nodes); i++) {
		const struct dev_node *n = &dev_nodes[i];

		if (mknodat(c->dev_fd, n->name, S_IFCHR | 0666,
			    makedev(n->major, n->minor)) < 0)
			sbx_child_fail(c, SBX_ST_DEV_NODE, (uint32_t)i);
	}
	for (size_t i = 0; i < STV_ARRAY_LEN(dev_links); i++) {
		if (symlinkat(dev_links[i].text, c->dev_fd, dev_links[i].name) <
		    0)
			sbx_child_fail(c, SBX_ST_DEV, 0);
	}
	c->null_fd = openat(c->dev_fd, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (c->null_fd < 0 || fstat(c->null_fd, &st) < 0)
		sbx_child_fail(c, SBX_ST_DEV_NODE, 0);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
		errno = ENODEV;
		sbx_child_fail(c, SBX_ST_DEV_NODE, 0);
	}
}

/* Mount ${type} on a new directory ${name} of /dev. */
static int
mount_below_dev(struct sbx_child *c, const char *type, const char *name,
		const struct sbx_mount_option *opts, size_t n,
		unsigned int attrs, enum sbx_stage stage)
{
	int mount = sbx_child_make_mount(type, opts, n, attrs);

	if (mount < 0 || mkdirat(c->dev_fd, name, 0755) < 0 ||
	    sbx_move_mount(mount, c->dev_fd, name) < 0)
		sbx_child_fail(c, stage, 0);
	return mount;
}

static void
mount_dev(struct sbx_child *c)
{
	static const struct sbx_mount_option dev[] = {{"mode", "755"},
						      {"size", "65536k"}};
	static const struct sbx_mount_option pts[] = {{"newinstance", NULL},
						      {"ptmxmode", "0666"},
						      {"mode", "0620"},
						      {"gid", "5"}};

	c->dev_fd = mount_top(c, "tmpfs", "dev", dev, STV_ARRAY_LEN(dev),
			      MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME,
			      SBX_ST_DEV);
	fill_dev(c);
	c->pts_fd = mount_below_dev(c, "devpts", "pts", pts, STV_ARRAY_LEN(pts),
				    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
				    SBX_ST_DEVPTS);
}

static void
mount_sys(struct sbx_child *c)
{
	const unsigned int attrs =
		NOEXEC_ALL |
		(c->plan->spec->is_insecure ? 0 : MOUNT_ATTR_RDONLY);
	int mount;

	c->sys_fd = mount_top(c, "sysfs", "sys", NULL, 0, attrs, SBX_ST_SYS);
	if (!c->plan->sbx->has_cgroup2_root)
		return;
	mount = sbx_child_make_mount("cgroup2", NULL, 0, attrs);
	if (mount < 0 || sbx_move_mount(mount, c->sys_fd, "fs/cgroup") < 0)
		sbx_child_fail(c, SBX_ST_CGROUP2, 0);
	(void)close(mount);
}

static void
mount_ipc(struct sbx_child *c)
{
	const struct sbx_mount_option shm[] = {{"mode", "1777"},
					       {"size", c->plan->shm_size}};

	(void)close(mount_below_dev(c, "mqueue", "mqueue", NULL, 0, NOEXEC_ALL,
				    SBX_ST_MQUEUE));
	(void)close(mount_below_dev(c, "tmpfs", "shm", shm, STV_ARRAY_LEN(shm),
				    NOEXEC_ALL, SBX_ST_SHM));
}

/*
 * The devices that BuildKit adds for --security=insecure; a node may stand for
 * a driver that is not there.
 */
static const struct insecure_node {
	const char *name;
	mode_t type;
	unsigned int major, minor;
} insecure_nodes[] = {
	{"kmsg", S_IFCHR, 1, 11},      {"cuse", S_IFCHR, 10, 203},
	{"fuse", S_IFCHR, 10, 229},    {"kvm", S_IFCHR, 10, 232},
	{"net/tun", S_IFCHR, 10, 200}, {"loop-control", S_IFCHR, 10, 237},
	{"loop0", S_IFBLK, 7, 0},      {"loop1", S_IFBLK, 7, 1},
	{"loop2", S_IFBLK, 7, 2},      {"loop3", S_IFBLK, 7, 3},
	{"loop4", S_IFBLK, 7, 4},      {"loop5", S_IFBLK, 7, 5},
	{"loop6", S_IFBLK, 7, 6},      {"loop7", S_IFBLK, 7, 7},
};

static void
add_devices(struct sbx_child *c)
{
	if (mkdirat(c->dev_fd, "net", 0755) < 0)
		sbx_child_fail(c, SBX_ST_DEV, 0);
	for (size_t i = 0; i < STV_ARRAY_LEN(insecure_nodes); i++) {
		const struct insecure_node *n = &insecure_nodes[i];

		if (mknodat(c->dev_fd, n->name, n->type | 0666,
			    makedev(n->major, n->minor)) < 0)
			sbx_child_fail(c, SBX_ST_DEV_NODE, (uint32_t)i);
	}
}

/* ---- read-only and masked paths ------------------------------------------ */

/* Open ${path} below our own mount, following nothing and leaving it never. */
static int
open_own(int mount, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve =
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, mount, path, &how, sizeof(how));
}

static void
set_readonly(struct sbx_child *c)
{
	for (size_t i = 0; i < sbx_n_readonly_paths; i++) {
		int at = open_own(c->proc_fd, sbx_readonly_paths[i]), tree;

		if (at < 0 && errno == ENOENT)
			continue;
		tree = at < 0 ? -1 : sbx_clone_tree(at, "", 1);
		if (tree < 0 ||
		    sbx_set_attrs(tree, NOEXEC_ALL | MOUNT_ATTR_RDONLY, 1) <
			    0 ||
		    sbx_move_mount(tree, at, "") < 0)
			sbx_child_fail(c, SBX_ST_READONLY, (uint32_t)i);
		(void)close(tree);
		(void)close(at);
	}
}

/* Cover ${path} below ${mount}: a directory by an empty one, else by null. */
static int
mask(struct sbx_child *c, int mount, const char *path)
{
	int at = open_own(mount, path), cover;
	struct stat st;

	/* RUN could not read what is not there: the one error to overlook. */
	if (at < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(at, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		cover = sbx_clone_tree(c->scratch_fd, "mask", 0);
		if (cover >= 0 &&
		    sbx_set_attrs(cover, NOEXEC_ALL | MOUNT_ATTR_RDONLY, 0) < 0)
			return -1;
	} else {
		cover = sbx_clone_tree(c->null_fd, "", 0);
	}
	if (cover < 0 || sbx_move_mount(cover, at, "") < 0)
		return -1;
	(void)close(cover);
	(void)close(at);
	return 0;
}

static void
mask_all(struct sbx_child *c)
{
	const struct stv_strs *proc = &c->plan->sbx->masks_proc;
	const struct stv_strs *sys = &c->plan->sbx->masks_sys;

	for (size_t i = 0; i < proc->len; i++) {
		if (mask(c, c->proc_fd, proc->v[i]) < 0)
			sbx_child_fail(c, SBX_ST_MASK, (uint32_t)i);
	}
	for (size_t i = 0; i < sys->len; i++) {
		if (mask(c, c->sys_fd, sys->v[i]) < 0)
			sbx_child_fail(c, SBX_ST_MASK,
				       (uint32_t)(proc->len + i));
	}
}

/* ---- files --------------------------------------------------------------- */

/* Bind scratch's ${name} over ${path}, which must lie in the image itself. */
static void
bind_file(struct sbx_child *c, const char *name, const char *path,
	  enum sbx_stage stage)
{
	int tree, target;

	target = sbx_child_target(c, path, SBX_TARGET_FILE, true);
	if (target >= 0 && !sbx_child_is_on_root(c, target)) {
		errno = EXDEV;
		target = -1;
	}
	if (target < 0)
		sbx_child_fail(c, stage, 1);
	tree = sbx_clone_tree(c->scratch_fd, name, 0);
	if (tree < 0 ||
	    sbx_set_attrs(tree, NOEXEC_ALL | MOUNT_ATTR_RDONLY, 0) < 0 ||
	    sbx_move_mount(tree, target, "") < 0)
		sbx_child_fail(c, stage, 0);
	(void)close(tree);
	(void)close(target);
}

void
sbx_child_mounts(struct sbx_child *c)
{
	const struct sbx_spec *spec = c->plan->spec;

	open_store(c);
	mount_root(c);
	mount_scratch(c);
	c->proc_fd =
		mount_top(c, "proc", "proc", NULL, 0, NOEXEC_ALL, SBX_ST_PROC);
	mount_dev(c);
	mount_sys(c);
	mount_ipc(c);
	if (spec->is_insecure) {
		add_devices(c);
	} else {
		set_readonly(c);
		mask_all(c);
	}
	if (spec->resolv_conf != NULL)
		bind_file(c, "resolv.conf", "/etc/resolv.conf",
			  SBX_ST_RESOLV_CONF);
	if (spec->hosts != NULL)
		bind_file(c, "hosts", "/etc/hosts", SBX_ST_HOSTS);
	sbx_child_users(c);
}
