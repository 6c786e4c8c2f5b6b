/* builder/test/test_sandbox_rig.c - see sandbox_rig.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "core/fsat.h"
#include "core/strs.h"

#include "builder/test/sandbox_rig.h"

#define MAX_OUTPUT ((size_t)1 << 20)

static const char *const busybox_paths[] = {"/bin/busybox", "/usr/bin/busybox"};

static const char *const applets[] = {
	"cat",	    "chmod",  "dd",	  "env",   "find",  "grep",    "head",
	"id",	    "ip",     "ls",	  "mkdir", "mknod", "mount",   "mv",
	"ps",	    "pwd",    "readlink", "rm",	   "sh",    "sleep",   "sort",
	"stat",	    "stty",   "touch",	  "true",  "tty",   "unshare", "wc",
	"hostname", "ulimit", "test",	  "false",
};

static char path_env[] = "PATH=/bin";
static char *default_env[] = {path_env, NULL};
static const char *const lowers[] = {"rootfs"};

static void
copy_file(const char *from, int dir, const char *name)
{
	stv_auto_fd in = open(from, O_RDONLY | O_CLOEXEC);
	stv_auto_fd out =
		openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n;

	cr_assert(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		cr_assert_eq(write(out, buf, (size_t)n), n);
}

static void
make_image(struct rig *r, const char *busybox)
{
	char path[64];

	cr_assert_eq(mkdirat(r->store, "rootfs", 0755), 0);
	r->rootfs =
		openat(r->store, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(r->rootfs, "bin", 0755), 0);
	copy_file(busybox, r->rootfs, "bin/busybox");
	for (size_t i = 0; i < STV_ARRAY_LEN(applets); i++) {
		(void)snprintf(path, sizeof(path), "bin/%s", applets[i]);
		cr_assert_eq(symlinkat("busybox", r->rootfs, path), 0);
	}
}

void
rig_open(struct rig *r)
{
	const char *busybox = NULL;
	char path[96];

	memset(r, 0, sizeof(*r));
	for (size_t i = 0; i < STV_ARRAY_LEN(busybox_paths); i++) {
		if (access(busybox_paths[i], X_OK) == 0)
			busybox = busybox_paths[i];
	}
	if (geteuid() != 0)
		cr_skip_test("the sandbox needs root");
	if (busybox == NULL)
		cr_skip_test("no busybox here (Debian: busybox-static)");
	(void)umask(022);
	(void)snprintf(r->dir, sizeof(r->dir), "/var/tmp/stave-test-XXXXXX");
	cr_assert_not_null(mkdtemp(r->dir));
	(void)snprintf(path, sizeof(path), "%s/store", r->dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	r->store = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_image(r, busybox);
	r->config.store_fd = r->store;
	r->spec = (struct sbx_spec){.lower_dirs = lowers,
				    .n_lowers = 1,
				    .upper = "upper",
				    .work = "work",
				    .argv = r->argv,
				    .envp = default_env};
	r->out = STV_BUF_INIT(MAX_OUTPUT);
	r->err_out = STV_BUF_INIT(MAX_OUTPUT);
	rig_reopen(r);
}

void
rig_reopen(struct rig *r)
{
	struct stv_err *err = NULL;
	char *why_not = NULL;

	if (r->sbx == NULL && !sbx_probe_root(r->store, &why_not)) {
		(void)fprintf(stderr, "%s\n", why_not);
		cr_skip_test("rung R1 cannot run here");
	}
	sbx_close(r->sbx);
	r->sbx = NULL;
	cr_assert_eq(sbx_open(&r->config, &r->sbx, &err), 0, "%s",
		     err != NULL ? stv_err_msg(err) : "");
}

void
rig_close(struct rig *r)
{
	struct stv_err *err = NULL;

	sbx_close(r->sbx);
	sbx_status_fini(&r->status);
	stv_buf_fini(&r->out);
	stv_buf_fini(&r->err_out);
	stv_err_clear(&r->err);
	(void)close(r->store);
	(void)close(r->rootfs);
	cr_expect_eq(stv_fsat_remove_tree(AT_FDCWD, r->dir, &err), 0);
}

void
rig_fresh(struct rig *r)
{
	struct stv_err *err = NULL;

	cr_assert_eq(stv_fsat_remove_tree(r->store, "upper", &err), 0);
	cr_assert_eq(stv_fsat_remove_tree(r->store, "work", &err), 0);
	cr_assert_eq(mkdirat(r->store, "upper", 0755), 0);
	cr_assert_eq(mkdirat(r->store, "work", 0755), 0);
	sbx_status_fini(&r->status);
	stv_buf_fini(&r->out);
	stv_buf_fini(&r->err_out);
	stv_err_clear(&r->err);
}

static void
drain(int fd, struct stv_buf *to)
{
	char buf[4096];

	while (fd >= 0) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n > 0)
			stv_buf_add(to, buf, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			(void)poll(&p, 1, -1);
		else
			break; /* EOF; EIO from a terminal */
	}
}

void
rig_collect(struct rig *r, struct sbx_proc *p)
{
	drain(sbx_proc_stdout_fd(p), &r->out);
	drain(sbx_proc_stderr_fd(p), &r->err_out);
	drain(sbx_proc_pty_fd(p), &r->out);
	r->result = sbx_finish(p, &r->status, &r->err);
	sbx_proc_free(p);
}

void
rig_run(struct rig *r)
{
	struct sbx_proc *p = NULL;

	rig_fresh(r);
	r->result = sbx_start(r->sbx, &r->spec, &p, &r->err);
	if (r->result == 0)
		rig_collect(r, p);
}

void
rig_sh(struct rig *r, const char *script)
{
	static char sh[] = "sh", c[] = "-c";
	char *copy = strdup(script);

	r->argv[0] = sh;
	r->argv[1] = c;
	r->argv[2] = copy;
	r->argv[3] = NULL;
	rig_run(r);
	free(copy);
}

void
rig_expect(struct rig *r, const char *script, const char *out)
{
	rig_sh(r, script);
	cr_expect_eq(r->result, 0, "'%s': %s", script,
		     r->err != NULL ? stv_err_msg(r->err) : "");
	cr_expect_eq(r->status.exit_code, 0, "'%s' exits with %d: %s", script,
		     r->status.exit_code, stv_buf_str(&r->err_out));
	cr_expect_str_eq(stv_buf_str(&r->out), out, "'%s' prints '%s'", script,
			 stv_buf_str(&r->out));
}

bool
rig_is_gone(pid_t pid)
{
	for (int i = 0; i < 500; i++) {
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		(void)poll(NULL, 0, 10);
	}
	return false;
}

pid_t
rig_pid(const struct sbx_proc *p)
{
	char path[64], line[128];
	long pid = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
		       sbx_proc_pidfd(p));
	f = fopen(path, "re");
	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "Pid:", 4) == 0)
			pid = strtol(line + 4, NULL, 10);
	}
	(void)fclose(f);
	return (pid_t)pid;
}

static void
list_into(int dir, const char *path, struct stv_strs *names)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		char sub[4096];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		stv_strs_add(names, sub);
		list_into(dir, sub, names);
	}
	(void)closedir(d);
}

char *
rig_list(int dir, const char *path)
{
	struct stv_strs names = {0};
	struct stv_buf b = STV_BUF_INIT(MAX_OUTPUT);

	list_into(dir, path, &names);
	stv_strs_sort(&names);
	for (size_t i = 0; i < names.len; i++)
		stv_buf_addf(&b, "%s\n", names.v[i] + strlen(path) + 1);
	stv_strs_clear(&names);
	return stv_buf_take(&b);
}
