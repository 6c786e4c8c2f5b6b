/*
 * builder/test/test_sandbox_hostile.c - images and commands that want out
 * (THREATS 1.1), and the traces that mounts must not leave in a layer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "core/fsat.h"

#include "builder/test/sandbox_rig.h"

static struct rig r;

static void
setup(void)
{
	rig_open(&r);
	r.spec.resolv_conf = "nameserver 192.0.2.1\n";
	r.spec.hosts = "127.0.0.1\tlocalhost\n";
}

static void
teardown(void)
{
	if (r.dir[0] != '\0')
		rig_close(&r);
}

TestSuite(hostile, .init = setup, .fini = teardown, .timeout = 120);

static void
expect_upper(const char *want)
{
	char *left = rig_list(r.store, "upper");

	cr_expect_str_eq(left, want, "upper has '%s'", left);
	free(left);
}

/* ---- no trace ------------------------------------------------------------ */

/* A top layer whose /etc hides all below it, also our mount points. */
static void
hide_etc(void)
{
	static const char *const two[] = {"top", "rootfs"};
	struct stv_err *err = NULL;
	stv_auto_fd etc = -1;

	cr_assert_eq(stv_fsat_mkdirs(r.store, "top/etc", 0755, &err), 0);
	etc = openat(r.store, "top/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(fsetxattr(etc, "trusted.overlay.opaque", "y", 1, 0), 0);
	r.spec.lower_dirs = two;
	r.spec.n_lowers = 2;
}

Test(hostile, mounts_leave_nothing_in_the_upper)
{
	struct stat before, after;

	rig_sh(&r, "true");
	cr_expect_eq(r.result, 0);
	expect_upper("");
	cr_assert_eq(mkdirat(r.rootfs, "etc", 0755), 0);
	rig_sh(&r, "cat /etc/hosts /etc/resolv.conf > /dev/null");
	cr_expect_eq(r.status.exit_code, 0);
	expect_upper("");
	hide_etc();
	cr_assert_eq(fstatat(r.store, "top/etc", &before, 0), 0);
	rig_sh(&r, "cat /etc/hosts /etc/resolv.conf > /dev/null");
	cr_expect_eq(r.status.exit_code, 0);
	/* Copied up to hold the stubs; as it was below, so not in the layer. */
	expect_upper("etc\n");
	cr_assert_eq(fstatat(r.store, "upper/etc", &after, 0), 0);
	cr_expect_eq(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	cr_expect_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	cr_expect_eq(before.st_mode, after.st_mode);
}

Test(hostile, stubs_that_the_command_changed_stay)
{
	hide_etc();
	rig_expect(&r, "touch /etc/mine; ls -A /etc",
		   "hosts\nmine\nresolv.conf\n");
	expect_upper("etc\netc/mine\n");
}

Test(hostile, the_roots_mtime_is_the_commands)
{
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct sbx_proc *p = NULL;
	struct stat st;

	r.argv[0] = (char[]){"true"};
	rig_fresh(&r);
	cr_assert_eq(utimensat(r.store, "upper", old, 0), 0);
	cr_assert_eq(sbx_start(r.sbx, &r.spec, &p, &r.err), 0);
	rig_collect(&r, p);
	expect_upper("");
	cr_assert_eq(fstatat(r.store, "upper", &st, 0), 0);
	cr_expect_eq(st.st_mtim.tv_sec, 1000);
	rig_sh(&r, "touch -d @2000 /");
	cr_assert_eq(fstatat(r.store, "upper", &st, 0), 0);
	cr_expect_eq(st.st_mtim.tv_sec, 2000);
}

Test(hostile, what_the_command_made_stays)
{
	rig_expect(&r,
		   "touch /etc/mine; ls -A /etc; stat -c %s /etc/hosts; "
		   "rm /etc/hosts 2>/dev/null || echo busy",
		   "hosts\nmine\nresolv.conf\n20\nbusy\n");
	expect_upper("etc\netc/mine\n");
}

Test(hostile, a_stub_behind_a_swapped_parent_is_not_followed)
{
	char path[128], script[256], *left;
	stv_auto_fd canary = -1;

	(void)snprintf(path, sizeof(path), "%s/canary", r.dir);
	cr_assert_eq(mkdir(path, 0755), 0);
	canary = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(canary, "etc", 0755), 0);
	(void)close(openat(canary, "etc/hosts", O_CREAT | O_WRONLY, 0644));
	cr_assert_eq(symlinkat("/private/etc", r.rootfs, "etc"), 0);
	(void)snprintf(script, sizeof(script),
		       "mv /private /away && ln -s %s /private", path);
	rig_expect(&r, script, "");
	left = rig_list(AT_FDCWD, path);
	cr_expect_str_eq(left, "etc\netc/hosts\n", "%s", left);
	free(left);
	/* Not ours any more where they were, so they stay where they are. */
	expect_upper("away\naway/etc\naway/etc/hosts\n"
		     "away/etc/resolv.conf\nprivate\n");
}

Test(hostile, what_replaced_a_stub_stays)
{
	cr_assert_eq(symlinkat("/private/etc", r.rootfs, "etc"), 0);
	rig_expect(&r,
		   "mv /private /away && mkdir -p /private/etc && "
		   "touch /private/etc/hosts",
		   "");
	expect_upper("away\naway/etc\naway/etc/hosts\n"
		     "away/etc/resolv.conf\nprivate\nprivate/etc\n"
		     "private/etc/hosts\n");
}

/* ---- images with links where directories should be ----------------------- */

static const char *const hostile_names[] = {"dev", "dev/pts", "dev/shm", "proc",
					    "sys", "etc",     "run"};

static char *
link_text(size_t kind, const char *canary, const char *name)
{
	char *text = NULL;

	switch (kind) {
	case 0: /* absolute, to a directory of the host */
		cr_assert(asprintf(&text, "%s", canary) > 0);
		break;
	case 1: /* relative, out of the root */
		cr_assert(asprintf(&text, "../../../../../../..%s", canary) >
			  0);
		break;
	case 2: /* to itself */
		cr_assert(asprintf(&text, "/%s", name) > 0);
		break;
	default: /* to nothing */
		cr_assert(asprintf(&text, "/no/such/place") > 0);
		break;
	}
	return text;
}

static void
try_hostile(size_t i, size_t kind, const char *canary)
{
	const char *name = hostile_names[i];
	char *text = link_text(kind, canary, name), *left;
	struct stv_err *err = NULL;
	bool must_fail = strcmp(name, "dev") == 0 ||
			 strcmp(name, "proc") == 0 || strcmp(name, "sys") == 0;

	if (strchr(name, '/') != NULL)
		cr_assert_eq(mkdirat(r.rootfs, "dev", 0755), 0);
	cr_assert_eq(symlinkat(text, r.rootfs, name), 0);
	rig_sh(&r, "mkdir -p /dev/shm/x; echo x > /etc/hosts; true");
	cr_expect(r.result == 0 || (stv_err_code(r.err) == STV_E_INPUT &&
				    stv_err_get_hint(r.err) != NULL),
		  "%s -> %s", name, text);
	cr_expect(!must_fail || r.result < 0, "%s -> %s", name, text);
	if (r.result < 0)
		expect_upper("");
	left = rig_list(AT_FDCWD, canary);
	cr_expect_str_eq(left, "", "%s -> %s: %s", name, text, left);
	free(left);
	free(text);
	cr_assert_eq(unlinkat(r.rootfs, name, 0), 0);
	cr_assert_eq(stv_fsat_remove_tree(r.rootfs, "dev", &err), 0);
}

Test(hostile, twenty_eight_images_with_links)
{
	char canary[128];

	(void)snprintf(canary, sizeof(canary), "%s/canary", r.dir);
	cr_assert_eq(mkdir(canary, 0755), 0);
	for (size_t i = 0; i < STV_ARRAY_LEN(hostile_names); i++) {
		for (size_t kind = 0; kind < 4; kind++)
			try_hostile(i, kind, canary);
	}
}

Test(hostile, a_link_of_etc_resolves_inside)
{
	cr_assert_eq(symlinkat("/private/./../private/etc", r.rootfs, "etc"),
		     0);
	rig_expect(&r, "cat /private/etc/hosts", "127.0.0.1\tlocalhost\n");
	expect_upper("");
}

Test(hostile, resolv_conf_may_be_a_link_to_what_is_missing)
{
	cr_assert_eq(mkdirat(r.rootfs, "etc", 0755), 0);
	cr_assert_eq(symlinkat("../run/systemd/resolve/stub-resolv.conf",
			       r.rootfs, "etc/resolv.conf"),
		     0);
	rig_expect(&r, "cat /etc/resolv.conf", "nameserver 192.0.2.1\n");
	expect_upper("");
}

Test(hostile, resolv_conf_cannot_cover_proc_or_dev)
{
	static const char *const targets[] = {"/proc/sys/kernel/core_pattern",
					      "/dev/null", "/proc/self/exe",
					      "/proc/1/fd/0"};

	cr_assert_eq(mkdirat(r.rootfs, "etc", 0755), 0);
	for (size_t i = 0; i < STV_ARRAY_LEN(targets); i++) {
		cr_assert_eq(symlinkat(targets[i], r.rootfs, "etc/resolv.conf"),
			     0);
		rig_sh(&r, "true");
		cr_expect_eq(r.result, -1, "%s", targets[i]);
		cr_expect_eq(stv_err_code(r.err), STV_E_INPUT, "%s",
			     targets[i]);
		cr_assert_eq(unlinkat(r.rootfs, "etc/resolv.conf", 0), 0);
	}
}

Test(hostile, a_device_node_of_the_image_is_not_used_for_masks)
{
	/* A05: null of the image is a link to something precious. */
	cr_assert_eq(mkdirat(r.rootfs, "dev", 0755), 0);
	cr_assert_eq(symlinkat("/proc/sys/kernel/core_pattern", r.rootfs,
			       "dev/null"),
		     0);
	rig_expect(&r,
		   "stat -c '%F %t:%T' /dev/null /proc/keys; cat /proc/keys; "
		   "echo x > /proc/keys; echo $?",
		   "character special file 1:3\n"
		   "character special file 1:3\n0\n");
}

Test(hostile, a_shell_that_is_the_runtime_does_not_start_it)
{
	/* A01: #!/proc/self/exe */
	static const char text[] = "#!/proc/self/exe\n";
	stv_auto_fd fd = openat(r.rootfs, "bin/evil",
				O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

	cr_assert_eq(write(fd, text, sizeof(text) - 1),
		     (ssize_t)sizeof(text) - 1);
	(void)close(fd);
	fd = -1;
	cr_assert_eq(symlinkat("/proc/self/exe", r.rootfs, "bin/evil2"), 0);
	for (size_t i = 0; i < 2; i++) {
		r.argv[0] =
			i == 0 ? (char[]){"/bin/evil"} : (char[]){"/bin/evil2"};
		r.argv[1] = NULL;
		rig_run(&r);
		/*
		 * /proc/self/exe is still our own binary at that moment: it may
		 * be executed, unprivileged, but not written to; it is not in
		 * the root, so the dynamic loader is missing.
		 */
		cr_expect_neq(r.status.exit_code, 0);
	}
}

Test(hostile, a_working_directory_cannot_be_a_magic_link)
{
	char cwd[64];

	for (int i = 0; i < 40; i++) {
		(void)snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", i);
		r.spec.cwd = cwd;
		rig_sh(&r, "pwd");
		cr_expect_eq(r.result, -1, "%s", cwd);
		cr_expect_eq(stv_err_code(r.err), STV_E_INPUT, "%s", cwd);
	}
	r.spec.cwd = "/proc/self/cwd";
	rig_sh(&r, "pwd");
	cr_expect_eq(r.result, -1);
	cr_assert_eq(symlinkat("/proc/self/root/etc", r.rootfs, "w"), 0);
	r.spec.cwd = "/w";
	rig_sh(&r, "pwd");
	cr_expect_eq(r.result, -1);
}

Test(hostile, a_mount_cannot_cover_proc_through_a_link)
{
	struct sbx_mount m = {.kind = SBX_MOUNT_TMPFS, .target = "/mnt/sys"};

	cr_assert_eq(symlinkat("/proc", r.rootfs, "mnt"), 0);
	r.spec.mounts = &m;
	r.spec.n_mounts = 1;
	rig_sh(&r, "true");
	cr_expect_eq(r.result, -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_INPUT);
	cr_expect_str_eq(stv_err_msg(r.err),
			 "mounting '/mnt/sys' in the sandbox: Invalid "
			 "cross-device link");
}

/* ---- commands that want out ---------------------------------------------- */

/*
 * A block device with "marker" on it that we can read, as a loop device would
 * be a disk of the host.  Skips the test where there is none to be had.
 */
struct loop {
	int control, loop;
	unsigned int number;
};

static struct loop
make_loop(void)
{
	struct loop l = {.control =
				 open("/dev/loop-control", O_RDWR | O_CLOEXEC),
			 .loop = -1};
	stv_auto_fd file = -1;
	char path[128], got[6] = "";
	int n;

	(void)snprintf(path, sizeof(path), "%s/disk", r.dir);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(file, 1 << 20), 0);
	cr_assert_eq(pwrite(file, "marker", 6, 0), 6);
	n = l.control < 0 ? -1 : ioctl(l.control, LOOP_CTL_GET_FREE);
	(void)snprintf(path, sizeof(path), "/dev/loop%d", n);
	if (n >= 0)
		l.loop = open(path, O_RDWR | O_CLOEXEC);
	if (l.loop < 0 || ioctl(l.loop, LOOP_SET_FD, file) < 0 ||
	    pread(l.loop, got, 6, 0) != 6 || memcmp(got, "marker", 6) != 0)
		cr_skip_test("no loop devices here");
	l.number = (unsigned int)n;
	return l;
}

static void
drop_loop(struct loop *l)
{
	(void)ioctl(l->loop, LOOP_CLR_FD, 0);
	(void)close(l->loop);
	(void)close(l->control);
}

/* Try to read the loop device through nodes made in several places. */
static void
expect_no_disk(const struct loop *l)
{
	char script[256];

	(void)snprintf(script, sizeof(script),
		       "for d in /d /dev/d /dev/shm/d; do mknod $d b 7 %u && "
		       "head -c 6 $d; done 2>/dev/null; echo refused",
		       l->number);
	rig_expect(&r, script, "refused\n");
}

Test(hostile, a_disk_of_the_host_cannot_be_read)
{
	struct loop l = make_loop();

	expect_no_disk(&l);
	drop_loop(&l);
}

Test(hostile, dockers_devices_and_no_others_can_be_used)
{
	stv_auto_fd control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (sbx_devices_in_use(r.sbx) == SBX_DEVICES_NONE)
		cr_skip_test("no guard before devices works here");
	rig_expect(&r,
		   "for n in '1 3' '1 5' '1 7' '1 8' '1 9'; do "
		   "mknod /n c $n && true < /n && echo $n; rm /n; done",
		   "1 3\n1 5\n1 7\n1 8\n1 9\n");
	rig_expect(&r,
		   "for n in '1 1' '1 2' '1 4' '1 11' '5 3' '4 0' '10 237' "
		   "'137 0'; do mknod /n c $n && true < /n && echo $n; rm /n; "
		   "done 2>/dev/null; true",
		   "");
	cr_expect(control >= 0, "the last test says little: /dev/loop-control "
				"(10:237) cannot be opened here anyway");
}

Test(hostile, without_a_guard_there_is_no_mknod)
{
	struct loop l = make_loop();

	r.config.devices = SBX_DEVICES_NONE;
	rig_reopen(&r);
	cr_expect_eq(sbx_devices_in_use(r.sbx), SBX_DEVICES_NONE);
	rig_expect(&r,
		   "mknod /n c 1 3 2>/dev/null || echo refused; "
		   "echo x > /dev/null && echo null; "
		   "grep CapBnd /proc/self/status",
		   "refused\nnull\nCapBnd:\t00000000a00425fb\n");
	/* A node that the image brings along is dead. */
	cr_assert_eq(
		mknodat(r.rootfs, "disk", S_IFBLK | 0666, makedev(7, l.number)),
		0);
	rig_expect(&r, "head -c 6 /disk 2>/dev/null || echo refused",
		   "refused\n");
	drop_loop(&l);
}

Test(hostile, cgroup_v1_guards_devices_too)
{
	struct sbx_config config = r.config;
	struct stv_err *err = NULL;
	struct sbx *sbx = NULL;
	struct loop l;

	config.devices = SBX_DEVICES_CGROUP1;
	if (sbx_open(&config, &sbx, &err) < 0) {
		stv_err_free(err);
		cr_skip_test("no writable devices controller of cgroup v1");
	}
	sbx_close(sbx);
	l = make_loop();
	r.config.devices = SBX_DEVICES_CGROUP1;
	rig_reopen(&r);
	expect_no_disk(&l);
	rig_expect(&r, "echo x > /dev/null && echo null", "null\n");
	drop_loop(&l);
}

Test(hostile, namespaces_and_mounts_are_refused)
{
	rig_expect(&r,
		   "for f in m u i p n U; do unshare -$f true 2>/dev/null || "
		   "echo no; done; mount -t tmpfs t /bin 2>/dev/null || echo "
		   "no; hostname x 2>/dev/null || echo no",
		   "no\nno\nno\nno\nno\nno\nno\nno\n");
}

Test(hostile, knobs_of_the_kernel_cannot_be_turned)
{
	static const char *const knobs[] = {
		"/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/modprobe",
		"/proc/sys/kernel/hostname",
		"/proc/sys/vm/drop_caches",
		"/proc/sys/fs/binfmt_misc/register",
		"/proc/sysrq-trigger",
		"/proc/irq/default_smp_affinity",
		"/proc/bus/pci/00/00.0",
		"/sys/kernel/uevent_helper",
		"/sys/power/state",
		"/sys/fs/cgroup/release_agent",
		"/sys/kernel/mm/transparent_hugepage/enabled",
		"/sys/module/printk/parameters/time",
	};
	struct stv_buf b = STV_BUF_INIT(65536);

	for (size_t i = 0; i < STV_ARRAY_LEN(knobs); i++)
		stv_buf_addf(&b, "test -e %s && echo x > %s && echo %s\n",
			     knobs[i], knobs[i], knobs[i]);
	stv_buf_adds(&b, "true");
	rig_expect(&r, stv_buf_str(&b), "");
	stv_buf_fini(&b);
}

Test(hostile, masked_paths_say_nothing)
{
	rig_expect(&r,
		   "for f in acpi asound interrupts keys latency_stats "
		   "sched_debug scsi timer_list timer_stats; do "
		   "test -d /proc/$f && ls -A /proc/$f; "
		   "test -f /proc/$f -o -c /proc/$f && cat /proc/$f; done; "
		   "ls -A /sys/firmware; "
		   "cat /sys/devices/system/cpu/cpu*/thermal_throttle/* "
		   "2>/dev/null; true",
		   "");
}

Test(hostile, the_file_behind_our_output_cannot_be_seen)
{
	char path[128];
	struct stat st;
	int saved = dup(1), log;

	(void)snprintf(path, sizeof(path), "%s/log", r.dir);
	log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	cr_assert_eq(write(log, "precious", 8), 8);
	(void)dup2(log, 1);
	rig_sh(&r, "readlink /proc/1/fd/1; : > /proc/self/fd/1");
	(void)dup2(saved, 1);
	(void)close(saved);
	cr_expect_eq(strncmp(stv_buf_str(&r.out), "pipe:[", 6), 0);
	cr_assert_eq(fstat(log, &st), 0);
	cr_expect_eq(st.st_size, 8);
	(void)close(log);
}
