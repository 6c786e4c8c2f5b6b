/*
 * builder/test/test_sandbox_mounts.c - mounts of layers and of bytes, and the
 * insecure mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "core/err.h"

#include "builder/sandbox/internal.h"
#include "builder/test/sandbox_rig.h"

static struct rig r;

static void
begin(void)
{
	rig_open(&r);
}

static void
end(void)
{
	rig_close(&r);
}

TestSuite(sandbox_mounts, .init = begin, .fini = end);

/* A file below the store, its directories made. */
static void
put(const char *path, const char *text)
{
	char dir[128];
	int fd;

	for (const char *p = strchr(path, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)(p - path), path);
		(void)mkdirat(r.store, dir, 0755);
	}
	fd = openat(r.store, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static const char *const two[] = {"upper-layer", "lower-layer"};
static const char *const one[] = {"lower-layer"};

static void
make_layers(void)
{
	put("lower-layer/a/b/f", "low\n");
	put("lower-layer/gone", "");
	put("upper-layer/a/b/g", "up\n");
	cr_assert_eq(mknodat(r.store, "upper-layer/gone", S_IFCHR, 0), 0);
	cr_assert_eq(symlinkat("/a", r.store, "upper-layer/link"), 0);
	cr_assert_eq(symlinkat("../../../../..", r.store, "upper-layer/up"), 0);
	cr_assert_eq(mkdirat(r.store, "mnt-upper", 0755), 0);
	cr_assert_eq(mkdirat(r.store, "mnt-work", 0755), 0);
}

static void
layers_case(void)
{
	struct sbx_mount mounts[] = {
		{.kind = SBX_MOUNT_OVERLAY,
		 .target = "/m/two",
		 .lower_dirs = two,
		 .n_lowers = 2,
		 .source = "/",
		 .is_readonly = true},
		{.kind = SBX_MOUNT_OVERLAY,
		 .target = "/m/one",
		 .lower_dirs = one,
		 .n_lowers = 1,
		 .source = "a/b",
		 .is_readonly = true},
		{.kind = SBX_MOUNT_OVERLAY,
		 .target = "/m/rw",
		 .lower_dirs = two,
		 .n_lowers = 2,
		 .upper = "mnt-upper",
		 .work = "mnt-work",
		 .source = "link/b"},
		{.kind = SBX_MOUNT_OVERLAY,
		 .target = "/m/file",
		 .lower_dirs = two,
		 .n_lowers = 2,
		 .source = "/up/a/b/g",
		 .is_readonly = true},
	};
	char *left;

	r.spec.mounts = mounts;
	r.spec.n_mounts = STV_ARRAY_LEN(mounts);
	rig_expect(&r,
		   "ls /m/two /m/one; cat /m/file; echo x > /m/rw/new; "
		   "ls /m/rw; for d in two/a/b one; do "
		   "echo x > /m/$d/f || echo refused; done; "
		   "grep -c ' overlay ' /proc/mounts; "
		   "grep ' /m/' /proc/mounts | grep -vc nosuid,nodev; "
		   "ls -d /m/two/dev /m/two/etc 2>/dev/null; true",
		   "/m/one:\nf\n\n/m/two:\na\nlink\nup\nup\nf\ng\nnew\n"
		   "refused\nrefused\n4\n0\n");
	left = rig_list(r.store, "upper");
	cr_expect_str_eq(left, "", "%s", left);
	free(left);
	left = rig_list(r.store, "lower-layer");
	cr_expect_str_eq(left, "a\na/b\na/b/f\ngone\n", "%s", left);
	free(left);
}

Test(sandbox_mounts, layers_show_a_place_inside_of_them)
{
	make_layers();
	layers_case();
}

Test(sandbox_mounts, layers_are_mounted_by_older_kernels_too)
{
	make_layers();
	r.config.force_mount2 = true;
	rig_reopen(&r);
	layers_case();
}

/* The layers of a mount are layers, whatever the root has of them. */
Test(sandbox_mounts, the_roots_own_layer_can_be_mounted)
{
	static const char *const root[] = {"rootfs"};
	static const char *const both[] = {"rootfs", "lower-layer"};
	struct sbx_mount mounts[] = {
		{.kind = SBX_MOUNT_OVERLAY,
		 .target = "/m",
		 .lower_dirs = root,
		 .n_lowers = 1,
		 .source = "/",
		 .is_readonly = true},
		{.kind = SBX_MOUNT_OVERLAY,
		 .target = "/n",
		 .lower_dirs = both,
		 .n_lowers = 2,
		 .source = "/",
		 .is_readonly = true},
	};

	make_layers();
	r.spec.mounts = mounts;
	r.spec.n_mounts = 2;
	rig_expect(&r,
		   "touch /new; ls /m/new /n/new 2>/dev/null; ls /n/a/b; "
		   "[ /m/.. -ef / ] && [ /n/.. -ef / ] && echo inside",
		   "f\ninside\n");
}

/*
 * Where the host's mounts are shared, as systemd makes them, a copy of one is
 * too: what is mounted on it appears on the host's as well.
 */
Test(sandbox_mounts, nothing_is_mounted_on_the_host)
{
	struct sbx_mount mounts[] = {
		{.kind = SBX_MOUNT_BIND, .target = "/m", .is_readonly = true},
		{.kind = SBX_MOUNT_TMPFS, .target = "/m/in"},
	};
	char *path, *left;

	cr_assert(asprintf(&path, "%s/store/shared", r.dir) > 0);
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mkdir(path, 0755), 0);
	cr_assert_eq(mount("none", path, "tmpfs", 0, NULL), 0);
	cr_assert_eq(mount(NULL, path, NULL, MS_SHARED, NULL), 0);
	mounts[0].source_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(mounts[0].source_fd, "in", 0755), 0);
	r.spec.mounts = mounts;
	r.spec.n_mounts = STV_ARRAY_LEN(mounts);
	rig_expect(&r,
		   "touch /m/in/f && "
		   "grep ' /m' /proc/self/mountinfo | grep -c ' shared:'; true",
		   "0\n");
	left = rig_list(AT_FDCWD, path);
	cr_expect_str_eq(left, "in\n", "%s", left);
	free(left);
	(void)close(mounts[0].source_fd);
	(void)umount2(path, MNT_DETACH);
	free(path);
}

Test(sandbox_mounts, a_missing_source_names_its_mount)
{
	struct sbx_mount m = {.kind = SBX_MOUNT_OVERLAY,
			      .target = "/m",
			      .lower_dirs = two,
			      .n_lowers = 2,
			      .source = "/nope",
			      .is_readonly = true};

	make_layers();
	r.spec.mounts = &m;
	r.spec.n_mounts = 1;
	rig_sh(&r, "true");
	cr_assert_eq(r.result, -1);
	cr_expect_str_eq(stv_err_msg(r.err),
			 "preparing the mount '/m' in the sandbox: No such "
			 "file or directory");
	cr_expect_eq(stv_err_code(r.err), STV_E_INPUT);
}

Test(sandbox_mounts, a_full_disk_is_no_fault_of_the_image)
{
	static const uint32_t stages[] = {SBX_ST_OVERLAY, SBX_ST_RESOLV_CONF,
					  SBX_ST_MOUNT, SBX_ST_CWD};
	struct sbx_report report = {.index = 1, .errnum = ENOSPC};
	struct sbx_proc p = {.report = &report};

	for (size_t i = 0; i < STV_ARRAY_LEN(stages); i++) {
		report.stage = stages[i];
		cr_expect_eq(sbx_report_setup_error(&p, &r.err), -1);
		cr_expect_eq(stv_err_code(r.err), STV_E_IO, "%s",
			     stv_err_msg(r.err));
		stv_err_clear(&r.err);
	}
}

Test(sandbox_mounts, a_place_that_cannot_be_made_is_told)
{
	struct sbx_mount mounts[] = {
		{.kind = SBX_MOUNT_TMPFS, .target = "/m", .is_readonly = true},
		{.kind = SBX_MOUNT_TMPFS, .target = "/m/below"},
	};

	r.spec.mounts = mounts;
	r.spec.n_mounts = STV_ARRAY_LEN(mounts);
	rig_sh(&r, "true");
	cr_assert_eq(r.result, -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_INPUT);
	cr_expect_str_eq(stv_err_msg(r.err),
			 "mounting '/m/below' in the sandbox: Read-only file "
			 "system");
	cr_expect_str_eq(stv_err_get_hint(r.err),
			 "what it lies in is read-only and lacks this path; "
			 "make it there before");
}

Test(sandbox_mounts, bytes_are_a_file_that_is_on_no_disk)
{
	static char big[600 * 1024];
	struct sbx_mount mounts[] = {
		{.kind = SBX_MOUNT_FILE,
		 .target = "/run/secrets/a",
		 .data = "secret",
		 .data_len = 6,
		 .mode = 0440,
		 .uid = 3,
		 .gid = 4},
		{.kind = SBX_MOUNT_FILE, .target = "/empty", .mode = 04777},
		{.kind = SBX_MOUNT_FILE,
		 .target = "/big",
		 .data = big,
		 .data_len = sizeof(big)},
		{.kind = SBX_MOUNT_FILE,
		 .target = "/big2",
		 .data = big,
		 .data_len = sizeof(big)},
	};
	char *left;

	memset(big, 'x', sizeof(big));
	r.spec.mounts = mounts;
	r.spec.n_mounts = STV_ARRAY_LEN(mounts);
	rig_expect(&r,
		   "cat /run/secrets/a; echo; "
		   "stat -c '%a %u %g %s' /run/secrets/a /empty; "
		   "stat -c '%s' /big /big2; "
		   "echo x > /run/secrets/a || echo refused; "
		   "grep -c '^tmpfs /run/secrets/a tmpfs "
		   "ro,nosuid,nodev,noexec' /proc/mounts",
		   "secret\n440 3 4 6\n4777 0 0 0\n614400\n614400\nrefused\n"
		   "1\n");
	left = rig_list(r.store, "upper");
	cr_expect_str_eq(left, "", "%s", left);
	free(left);
}

Test(sandbox_mounts, insecure_takes_every_guard_away)
{
	r.spec.is_insecure = true;
	rig_expect(&r,
		   "grep -c 'Seccomp:.0' /proc/self/status; "
		   "mkdir /x && mount -t tmpfs none /x && echo mounted; "
		   "[ -w /proc/sys/kernel/hostname ] && echo writable; "
		   "grep -c ' /proc/' /proc/mounts; ls /dev/loop-control",
		   "1\nmounted\nwritable\n0\n/dev/loop-control\n");
	r.spec.uid = r.spec.gid = 1000;
	rig_expect(&r,
		   "grep Cap /proc/self/status | cut -f2 | sort -u | wc -l; "
		   "chown 5 /bin && echo may",
		   "1\nmay\n");
	r.spec.is_insecure = false;
	rig_expect(&r, "grep CapEff /proc/self/status",
		   "CapEff:\t0000000000000000\n");
	r.spec.uid = r.spec.gid = 0;
	rig_expect(&r, "grep CapBnd /proc/self/status",
		   "CapBnd:\t00000000a80425fb\n");
}

/* An insecure command may make groups below its own; so do container engines.
 */
Test(sandbox_mounts, groups_of_an_insecure_command_go_with_it)
{
	char name[32], dead[80], path[112], *groups;
	struct sbx_config config = {.store_fd = r.store};
	struct sbx *other = NULL;
	int base = r.sbx->cgroup2_base;
	pid_t pid;

	if (base < 0)
		cr_skip("no cgroup v2 here");
	r.spec.is_insecure = true;
	rig_expect(&r,
		   "mkdir /x && mount -t cgroup2 none /x && "
		   "mkdir -p /x/a/b/c /x/a/d /x/e && echo made",
		   "made\n");
	(void)snprintf(name, sizeof(name), "stave-%d-", (int)getpid());
	groups = rig_list(base, ".");
	cr_expect_null(strstr(groups, name), "%s", groups);
	free(groups);
	/* What a killed one left goes with the next one. */
	pid = fork();
	if (pid == 0)
		_exit(0);
	(void)waitpid(pid, NULL, 0);
	(void)snprintf(dead, sizeof(dead), "stave-%d-%llu-0", (int)pid,
		       (unsigned long long)r.sbx->pid_ns);
	cr_assert_eq(mkdirat(base, dead, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/a", dead);
	cr_assert_eq(mkdirat(base, path, 0755), 0);
	cr_assert_eq(sbx_open(&config, &other, &r.err), 0);
	sbx_close(other);
	cr_expect_eq(faccessat(base, dead, F_OK, 0), -1);
}
