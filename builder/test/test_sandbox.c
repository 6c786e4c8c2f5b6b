/* builder/test/test_sandbox.c - what a command in the sandbox sees. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"

#include "builder/sandbox/internal.h"
#include "builder/test/sandbox_rig.h"

static struct rig r;

static void
setup(void)
{
	rig_open(&r);
}

static void
teardown(void)
{
	if (r.dir[0] != '\0')
		rig_close(&r);
}

TestSuite(sandbox, .init = setup, .fini = teardown, .timeout = 60);

Test(sandbox, the_probe_says_what_is_missing)
{
	char *why_not = NULL, *left;
	int status;
	pid_t pid;

	cr_expect(sbx_probe_root(r.store, &why_not));
	left = rig_list(r.store, "tmp");
	cr_expect_str_eq(left, "", "%s", left);
	free(left);
	pid = fork();
	if (pid == 0) {
		bool is_possible =
			setuid(1000) != 0 || sbx_probe_root(r.store, &why_not);

		_exit(is_possible || why_not == NULL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}

/* ---- status -------------------------------------------------------------- */

Test(sandbox, the_exit_code_is_the_commands)
{
	static const int codes[] = {0, 1, 3, 125, 255};
	char script[32];

	for (size_t i = 0; i < STV_ARRAY_LEN(codes); i++) {
		(void)snprintf(script, sizeof(script), "exit %d", codes[i]);
		rig_sh(&r, script);
		cr_expect_eq(r.result, 0);
		cr_expect_eq(r.status.exit_code, codes[i]);
		cr_expect_eq(r.status.signal, 0);
		cr_expect_null(r.status.exec_error);
	}
}

/* Start "sh -c script" and wait for its first output. */
static struct sbx_proc *
start_sh(char *script)
{
	struct sbx_proc *p = NULL;
	struct pollfd pfd;

	r.argv[0] = (char[]){"sh"};
	r.argv[1] = (char[]){"-c"};
	r.argv[2] = script;
	r.argv[3] = NULL;
	rig_fresh(&r);
	cr_assert_eq(sbx_start(r.sbx, &r.spec, &p, &r.err), 0);
	pfd = (struct pollfd){.fd = sbx_proc_stdout_fd(p), .events = POLLIN};
	cr_assert_eq(poll(&pfd, 1, 10000), 1);
	return p;
}

Test(sandbox, a_kill_is_told_as_a_signal)
{
	struct sbx_proc *p = start_sh((char[]){"echo; sleep 100; echo"});

	sbx_kill(p, SIGKILL);
	rig_collect(&r, p);
	cr_expect_eq(r.status.signal, SIGKILL);
	cr_expect_eq(r.status.exit_code, 137);
	cr_expect_not(r.status.is_oom);
}

Test(sandbox, a_kill_during_the_set_up_is_a_signal_too)
{
	struct sbx_proc *p = NULL;

	r.argv[0] = (char[]){"sleep"};
	r.argv[1] = (char[]){"100"};
	rig_fresh(&r);
	cr_assert_eq(sbx_start(r.sbx, &r.spec, &p, &r.err), 0);
	sbx_kill(p, SIGKILL);
	rig_collect(&r, p);
	cr_expect_eq(r.result, 0);
	cr_expect_eq(r.status.signal, SIGKILL);
}

Test(sandbox, a_signal_reaches_its_handler)
{
	struct sbx_proc *p = start_sh((char[]){
		"trap 'exit 5' TERM; echo; while :; do sleep 0.05; done"});

	sbx_kill(p, SIGTERM);
	rig_collect(&r, p);
	cr_expect_eq(r.status.exit_code, 5);
	cr_expect_eq(r.status.signal, 0);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	stv_auto_fd fd = openat(r.rootfs, path,
				O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	cr_assert(fd >= 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void
expect_exec(const char *name, int code, const char *text)
{
	char buf[64];

	(void)snprintf(buf, sizeof(buf), "%s", name);
	r.argv[0] = buf;
	r.argv[1] = NULL;
	rig_run(&r);
	cr_assert_eq(r.result, 0);
	cr_expect_eq(r.status.exit_code, code, "%s: %d", name,
		     r.status.exit_code);
	cr_assert_not_null(r.status.exec_error, "%s", name);
	cr_expect_str_eq(r.status.exec_error, text, "%s: %s", name,
			 r.status.exec_error);
}

Test(sandbox, what_cannot_be_executed_says_why)
{
	write_file("bin/plain", "#!/bin/sh\n", 0644);
	write_file("bin/orphan", "#!/lib/no-such-interpreter\n", 0755);
	write_file("bin/garbage", "\1\2\3\4", 0755);
	expect_exec("nosuch", 127,
		    "cannot execute 'nosuch': executable file not found in "
		    "$PATH");
	expect_exec("/bin/nosuch", 127,
		    "cannot execute '/bin/nosuch': No such file or directory");
	expect_exec("", 127,
		    "cannot execute '': executable file not found in $PATH");
	expect_exec("plain", 126, "cannot execute 'plain': Permission denied");
	expect_exec("/bin", 126, "cannot execute '/bin': Permission denied");
	expect_exec("garbage", 126,
		    "cannot execute 'garbage': Exec format error");
	expect_exec("orphan", 127,
		    "cannot execute 'orphan': it exists, but the interpreter "
		    "or dynamic loader that it names does not");
}

Test(sandbox, path_is_the_images)
{
	char *env[] = {(char[]){"PATH=/nowhere:/bin/busybox:/opt/x:/bin"},
		       NULL};

	cr_assert_eq(mkdirat(r.rootfs, "opt", 0755), 0);
	cr_assert_eq(mkdirat(r.rootfs, "opt/x", 0755), 0);
	write_file("opt/x/hello", "#!/bin/sh\necho opt\n", 0755);
	write_file("bin/hello", "#!/bin/sh\necho bin\n", 0755);
	r.spec.envp = env;
	r.argv[0] = (char[]){"hello"};
	rig_run(&r);
	cr_expect_str_eq(stv_buf_str(&r.out), "opt\n");
}

/* ---- the process --------------------------------------------------------- */

Test(sandbox, the_environment_is_exactly_the_given_one)
{
	char *env[] = {(char[]){"PATH=/bin"}, (char[]){"B=2 3"},
		       (char[]){"EMPTY="}, NULL};

	cr_assert_eq(setenv("SECRET_OF_THE_CALLER", "x", 1), 0);
	r.spec.envp = env;
	r.argv[0] = (char[]){"env"};
	rig_run(&r);
	cr_expect_str_eq(stv_buf_str(&r.out), "PATH=/bin\nB=2 3\nEMPTY=\n");
}

Test(sandbox, root_has_dockers_capabilities_and_the_filter)
{
	rig_expect(&r, "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status",
		   "CapInh:\t0000000000000000\n"
		   "CapPrm:\t00000000a80425fb\n"
		   "CapEff:\t00000000a80425fb\n"
		   "CapBnd:\t00000000a80425fb\n"
		   "CapAmb:\t0000000000000000\n"
		   "NoNewPrivs:\t0\n"
		   "Seccomp:\t2\n");
}

Test(sandbox, another_user_has_no_capabilities)
{
	r.spec.uid = 1000;
	r.spec.gid = 1000;
	r.spec.no_new_privs = true;
	rig_expect(&r, "grep -E '^(Cap|NoNew|Uid|Gid)' /proc/self/status",
		   "Uid:\t1000\t1000\t1000\t1000\n"
		   "Gid:\t1000\t1000\t1000\t1000\n"
		   "CapInh:\t0000000000000000\n"
		   "CapPrm:\t0000000000000000\n"
		   "CapEff:\t0000000000000000\n"
		   "CapBnd:\t00000000a80425fb\n"
		   "CapAmb:\t0000000000000000\n"
		   "NoNewPrivs:\t1\n");
}

Test(sandbox, groups_are_exactly_the_given_ones)
{
	static const uint32_t groups[] = {1000, 27, 4000000000U};

	rig_expect(&r, "id -G", "0\n");
	r.spec.uid = r.spec.gid = 1000;
	r.spec.groups = groups;
	r.spec.n_groups = STV_ARRAY_LEN(groups);
	rig_expect(&r, "grep Groups: /proc/self/status",
		   "Groups:\t27 1000 4000000000 \n");
}

Test(sandbox, only_three_descriptors_are_open)
{
	int fds[] = {open("/etc/passwd", O_RDONLY), 0, 0};

	/* Without close-on-exec, as a careless caller leaves them. */
	fds[1] = fcntl(fds[0], F_DUPFD, 30);
	fds[2] = fcntl(fds[0], F_DUPFD, 300);
	cr_assert(fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0);
	/* The shell is PID 1 and has opened nothing itself. */
	rig_expect(&r, "ls /proc/1/fd; true", "0\n1\n2\n");
	for (size_t i = 0; i < STV_ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
}

Test(sandbox, closed_standard_descriptors_of_ours_do_no_harm)
{
	int status;
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0) {
		(void)close(0);
		(void)close(1);
		(void)close(2);
		rig_sh(&r, "echo out; echo err >&2");
		_exit(r.result == 0 && r.status.exit_code == 0 &&
				      strcmp(stv_buf_str(&r.out), "out\n") ==
					      0 &&
				      strcmp(stv_buf_str(&r.err_out),
					     "err\n") == 0
			      ? 0
			      : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}

Test(sandbox, output_goes_through_pipes_and_input_is_null)
{
	rig_expect(&r, "readlink /proc/1/fd/0", "/dev/null\n");
	rig_expect(&r,
		   "for i in 1 2; do readlink /proc/1/fd/$i; done | "
		   "grep -c '^pipe:'",
		   "2\n");
	rig_expect(&r, "cat; echo $?", "0\n");
	rig_sh(&r, "echo to-out; echo to-err >&2");
	cr_expect_str_eq(stv_buf_str(&r.out), "to-out\n");
	cr_expect_str_eq(stv_buf_str(&r.err_out), "to-err\n");
	/* Also for a user, who owns neither by itself. */
	r.spec.uid = r.spec.gid = 1000;
	rig_expect(&r, "echo x > /dev/stdout; echo y > /dev/stderr", "x\n");
}

Test(sandbox, stdin_can_be_a_pipe)
{
	struct sbx_proc *p = NULL;

	r.spec.stdio = SBX_STDIO_PIPES;
	r.argv[0] = (char[]){"cat"};
	rig_fresh(&r);
	cr_assert_eq(sbx_start(r.sbx, &r.spec, &p, &r.err), 0);
	cr_assert_eq(write(sbx_proc_stdin_fd(p), "hello", 5), 5);
	sbx_proc_close_stdin(p);
	cr_expect_eq(sbx_proc_stdin_fd(p), -1);
	rig_collect(&r, p);
	cr_expect_str_eq(stv_buf_str(&r.out), "hello");
}

Test(sandbox, a_terminal_is_the_inner_one)
{
	r.spec.stdio = SBX_STDIO_PTY;
	r.spec.rows = 33;
	r.spec.cols = 111;
	rig_sh(&r, "tty; stty size; test -t 0 -a -t 1 -a -t 2 && echo ttys; "
		   "stat -c '%t:%T' /dev/console /dev/pts/0; echo > /dev/tty; "
		   "ls /dev/pts");
	cr_expect_eq(r.result, 0, "%s",
		     r.err != NULL ? stv_err_msg(r.err) : "");
	cr_expect_str_eq(stv_buf_str(&r.out),
			 "/dev/pts/0\r\n33 111\r\nttys\r\n88:0\r\n88:0\r\n"
			 "\r\n0     ptmx\r\n",
			 "%s", stv_buf_str(&r.out));
}

Test(sandbox, no_signal_is_ignored_or_blocked)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGRTMIN + 3, SIG_IGN);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r.argv[0] = (char[]){"grep"};
	r.argv[1] = (char[]){"^Sig[BI]"};
	r.argv[2] = (char[]){"/proc/self/status"};
	r.argv[3] = NULL;
	rig_run(&r);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	cr_expect_str_eq(stv_buf_str(&r.out), "SigBlk:\t0000000000000000\n"
					      "SigIgn:\t0000000000000000\n");
}

Test(sandbox, limits_are_the_callers_and_the_users)
{
	static const struct sbx_rlimit user[] = {
		{.resource = RLIMIT_NOFILE, .soft = 100, .hard = 200},
	};
	struct rlimit callers = {.rlim_cur = 1000, .rlim_max = 4000};

	r.config.caller_nofile = &callers;
	rig_reopen(&r);
	rig_expect(&r, "ulimit -n; ulimit -Hn; ulimit -c; umask",
		   "1000\n4000\n0\n0022\n");
	r.spec.rlimits = user;
	r.spec.n_rlimits = STV_ARRAY_LEN(user);
	rig_expect(&r, "ulimit -n; ulimit -Hn", "100\n200\n");
}

/*
 * As without CAP_SYS_RESOURCE: what there is is kept.  More than fs.nr_open
 * nobody may have.
 */
Test(sandbox, a_limit_that_may_not_be_raised_is_no_failure)
{
	struct sbx_rlimit user = {.resource = RLIMIT_NOFILE};
	char text[32] = "";
	int fd = open("/proc/sys/fs/nr_open", O_RDONLY | O_CLOEXEC);

	cr_assert(read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	user.soft = user.hard = strtoull(text, NULL, 10) + 1;
	r.spec.rlimits = &user;
	r.spec.n_rlimits = 1;
	rig_sh(&r, "test $(ulimit -n) -ge 64 && echo fine");
	cr_assert_eq(r.result, 0);
	cr_expect_str_eq(stv_buf_str(&r.out), "fine\n");
	cr_expect_eq(r.status.warnings.len, 1);
}

Test(sandbox, the_working_directory_is_entered_or_made)
{
	r.spec.cwd = "/bin/";
	rig_expect(&r, "pwd", "/bin\n");
	r.spec.cwd = "/a/b";
	rig_expect(&r, "pwd; stat -c '%a %u' /a", "/a/b\n755 0\n");
	r.spec.cwd = "/bin/busybox";
	rig_sh(&r, "pwd");
	cr_assert_eq(r.result, -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_INPUT);
	cr_expect_str_eq(stv_err_msg(r.err),
			 "entering the working directory '/bin/busybox' in the "
			 "sandbox: Not a directory");
}

/* ---- the machine --------------------------------------------------------- */

Test(sandbox, it_is_pid_one_in_its_own_namespaces)
{
	rig_expect(&r, "echo $$; hostname; ls -d /proc/[0-9]* | wc -l",
		   "1\nbuildkitsandbox\n3\n");
	r.spec.hostname = "other";
	rig_expect(&r, "hostname", "other\n");
}

Test(sandbox, without_a_network_there_is_loopback)
{
	r.spec.net = SBX_NET_NONE;
	rig_expect(&r, "ls /sys/class/net; ip -o addr | grep -c 127.0.0.1",
		   "lo\n1\n");
}

Test(sandbox, host_files_are_bound_read_only)
{
	r.spec.resolv_conf = "nameserver 192.0.2.1\n";
	r.spec.hosts = "127.0.0.1\tlocalhost\n";
	rig_expect(&r,
		   "cat /etc/resolv.conf /etc/hosts; echo x >> /etc/hosts || "
		   "echo refused",
		   "nameserver 192.0.2.1\n127.0.0.1\tlocalhost\nrefused\n");
}

Test(sandbox, shm_has_the_asked_size)
{
	rig_expect(&r, "grep ' /dev/shm ' /proc/mounts | grep -c size=65536k",
		   "1\n");
	r.spec.shm_size = 1 << 20;
	rig_expect(&r, "grep ' /dev/shm ' /proc/mounts | grep -c size=1024k",
		   "1\n");
}

Test(sandbox, an_older_kernels_overlay_works_too)
{
	r.config.force_mount2 = true;
	rig_reopen(&r);
	rig_expect(&r,
		   "echo new > /new; cat /new; grep -c '^overlay / ' "
		   "/proc/mounts",
		   "new\n1\n");
}

Test(sandbox, several_layers_lie_over_each_other)
{
	static const char *const three[] = {"top", "mid", "rootfs"};
	stv_auto_fd top = -1, mid = -1;
	int fd;

	cr_assert_eq(mkdirat(r.store, "top", 0755), 0);
	cr_assert_eq(mkdirat(r.store, "mid", 0755), 0);
	top = openat(r.store, "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mid = openat(r.store, "mid", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(mid, "f", O_WRONLY | O_CREAT, 0644);
	cr_assert_eq(write(fd, "mid\n", 4), 4);
	(void)close(fd);
	r.spec.lower_dirs = three;
	r.spec.n_lowers = 3;
	rig_expect(&r, "cat /f", "mid\n");
	cr_assert_eq(mknodat(top, "f", S_IFCHR, 0), 0);
	rig_expect(&r, "cat /f 2>&1 || echo gone",
		   "cat: can't open '/f': No such file or directory\ngone\n");
}

Test(sandbox, a_missing_layer_is_named)
{
	static const char *const two[] = {"nosuch", "rootfs"};

	r.spec.lower_dirs = two;
	r.spec.n_lowers = 2;
	rig_sh(&r, "true");
	cr_assert_eq(r.result, -1);
	cr_expect_str_eq(stv_err_msg(r.err),
			 "opening a layer in the sandbox: No such file or "
			 "directory");
}

Test(sandbox, the_root_can_be_read_only)
{
	static const char *const two[] = {"empty", "rootfs"};

	cr_assert_eq(mkdirat(r.store, "empty", 0755), 0);
	r.spec.upper = r.spec.work = NULL;
	rig_expect(&r, "touch /x || echo refused", "refused\n");
	r.spec.lower_dirs = two;
	r.spec.n_lowers = 2;
	rig_expect(&r, "touch /x || echo refused", "refused\n");
}

Test(sandbox, host_directories_and_tmpfs_can_be_mounted)
{
	struct sbx_mount mounts[] = {
		{.kind = SBX_MOUNT_TMPFS,
		 .target = "/deep/in/tmp",
		 .size_bytes = 1 << 20,
		 .mode = 0700},
		{.kind = SBX_MOUNT_BIND,
		 .target = "/deep/ro",
		 .is_readonly = true},
		{.kind = SBX_MOUNT_BIND, .target = "/deep"},
		{.kind = SBX_MOUNT_BIND, .target = "/one-file"},
	};
	stv_auto_fd host = -1, file = -1;
	char *left;

	cr_assert_eq(mkdirat(r.store, "host", 0755), 0);
	host = openat(r.store, "host", O_PATH | O_DIRECTORY | O_CLOEXEC);
	file = openat(host, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	cr_assert_eq(write(file, "text\n", 5), 5);
	mounts[1].source_fd = mounts[2].source_fd = host;
	mounts[3].source_fd = file;
	r.spec.mounts = mounts;
	r.spec.n_mounts = STV_ARRAY_LEN(mounts);
	rig_expect(&r,
		   "cat /deep/f /deep/ro/f /one-file; echo x > /deep/new; "
		   "echo x > /deep/ro/no || echo refused; "
		   "stat -c %a /deep/in/tmp",
		   "text\ntext\ntext\nrefused\n700\n");
	left = rig_list(r.store, "upper");
	cr_expect_str_eq(left, "", "%s", left);
	free(left);
	left = rig_list(r.store, "host");
	/* The inner targets were made in what was mounted, as Docker does. */
	cr_expect_str_eq(left, "f\nin\nin/tmp\nnew\nro\n", "%s", left);
	free(left);
}

/* ---- nothing is left ----------------------------------------------------- */

Test(sandbox, background_processes_end_with_the_command)
{
	struct sbx_proc *p = start_sh(
		(char[]){"(trap '' TERM HUP; sleep 1; echo late > /late) & "
			 "sleep 100 & echo; exit 4"});
	char *left;

	rig_collect(&r, p);
	cr_expect_eq(r.status.exit_code, 4);
	(void)poll(NULL, 0, 1200);
	left = rig_list(r.store, "upper");
	cr_expect_str_eq(left, "", "%s", left);
	free(left);
}

Test(sandbox, freeing_a_running_command_ends_it)
{
	struct sbx_proc *p = start_sh((char[]){"echo; sleep 100; echo"});
	pid_t pid = rig_pid(p);

	cr_assert(pid > 0);
	sbx_proc_free(p);
	cr_expect(kill(pid, 0) < 0 && errno == ESRCH);
}

Test(sandbox, the_command_dies_with_us)
{
	int fds[2], status;
	pid_t inner = 0, outer;

	cr_assert_eq(pipe(fds), 0);
	outer = fork();
	cr_assert(outer >= 0);
	if (outer == 0) {
		/* also after its credentials changed */
		r.spec.uid = r.spec.gid = 1000;
		inner = rig_pid(start_sh((char[]){"echo; sleep 100; echo"}));
		(void)!write(fds[1], &inner, sizeof(inner));
		for (;;)
			(void)pause();
	}
	cr_assert_eq(read(fds[0], &inner, sizeof(inner)),
		     (ssize_t)sizeof(inner));
	cr_assert_eq(kill(inner, 0), 0);
	cr_assert_eq(kill(outer, SIGKILL), 0);
	cr_assert_eq(waitpid(outer, &status, 0), outer);
	cr_expect(rig_is_gone(inner));
	/* What it left of cgroups goes with the next one. */
	rig_reopen(&r);
}

static int
count_fds(void)
{
	char *names = rig_list(AT_FDCWD, "/proc/self/fd");
	int n = 0;

	for (const char *p = names; *p != '\0'; p++)
		n += *p == '\n';
	free(names);
	return n;
}

Test(sandbox, no_descriptor_or_cgroup_is_left)
{
	char *groups, name[32];
	int before;

	rig_sh(&r, "true");
	before = count_fds();
	for (int i = 0; i < 5; i++)
		rig_sh(&r, "true");
	r.spec.cwd = "/bin/busybox"; /* a failing set-up */
	rig_sh(&r, "true");
	cr_expect_eq(r.result, -1);
	r.spec.cwd = NULL;
	r.spec.stdio = SBX_STDIO_PTY;
	rig_sh(&r, "true");
	cr_expect_eq(r.result, 0);
	cr_expect_eq(count_fds(), before);
	(void)snprintf(name, sizeof(name), "stave-%d-", (int)getpid());
	groups = rig_list(r.sbx->cgroup2_base, ".");
	cr_expect_null(strstr(groups, name), "%s", groups);
	free(groups);
}

/*
 * A process of another pid namespace seems dead here, and its new cgroup, in
 * which it has not put anything yet, abandoned.
 */
Test(sandbox, only_what_the_dead_left_is_swept)
{
	char dead[80], foreign[80];
	struct sbx_config config = {.store_fd = r.store};
	struct sbx *other = NULL;
	int base = r.sbx->cgroup2_base;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	(void)waitpid(pid, NULL, 0);
	if (base < 0)
		cr_skip("no cgroup v2 here");
	(void)snprintf(dead, sizeof(dead), "stave-%d-%llu-0", (int)pid,
		       (unsigned long long)r.sbx->pid_ns);
	(void)snprintf(foreign, sizeof(foreign), "stave-%d-1-0", (int)pid);
	cr_assert_eq(mkdirat(base, dead, 0755), 0);
	cr_assert_eq(mkdirat(base, foreign, 0755), 0);
	cr_assert_eq(sbx_open(&config, &other, &r.err), 0);
	sbx_close(other);
	cr_expect_eq(unlinkat(base, foreign, AT_REMOVEDIR), 0);
	cr_expect_eq(unlinkat(base, dead, AT_REMOVEDIR), -1);
}

Test(sandbox, several_run_at_once)
{
	static const char *const uppers[] = {"u0", "u1", "u2", "u3"};
	static const char *const works[] = {"w0", "w1", "w2", "w3"};
	struct sbx_proc *p[4] = {NULL};
	char script[4][48];

	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(mkdirat(r.store, uppers[i], 0755), 0);
		cr_assert_eq(mkdirat(r.store, works[i], 0755), 0);
		(void)snprintf(script[i], sizeof(script[i]),
			       "echo %zu > /f; cat /f; exit %zu", i, i);
		r.argv[0] = (char[]){"sh"};
		r.argv[1] = (char[]){"-c"};
		r.argv[2] = script[i];
		r.spec.upper = uppers[i];
		r.spec.work = works[i];
		cr_assert_eq(sbx_start(r.sbx, &r.spec, &p[i], &r.err), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		char want[8];

		stv_buf_fini(&r.out);
		rig_collect(&r, p[i]);
		(void)snprintf(want, sizeof(want), "%zu\n", i);
		cr_expect_str_eq(stv_buf_str(&r.out), want);
		cr_expect_eq(r.status.exit_code, (int)i);
		sbx_status_fini(&r.status);
	}
}
