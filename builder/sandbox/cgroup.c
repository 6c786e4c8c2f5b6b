/*
 * builder/sandbox/cgroup.c - a cgroup for each command, and its device filter.
 *
 * cgroup v2 takes a BPF program, also where the controllers are v1 and v2 is
 * mounted beside them; v1 has files; where neither can be had the sandbox does
 * without CAP_MKNOD and device nodes (THREATS A19).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "builder/sandbox/internal.h"

/* /proc/self/mountinfo of a machine with very many mounts. */
#define MAX_PROC_FILE ((size_t)4 << 20)
/* stave-PID-PIDNS-N: the number of a process says nothing elsewhere. */
#define NAME_PREFIX "stave-"
/* How old a directory from another pid namespace is before it is swept. */
#define FOREIGN_AGE_S 3600
/* How long the kernel may take to let go of dead processes: 2 ms a try. */
#define MAX_REMOVE_TRIES 500
/* How many names of others may be in the way. */
#define MAX_NAME_TRIES 256

/* ---- the device filter --------------------------------------------------- */

#define INSN(op, d, s, o, i)                                                   \
	{                                                                      \
		.code = (op), .dst_reg = (d), .src_reg = (s), .off = (o),      \
		.imm = (i)                                                     \
	}
#define LOAD(d, member)                                                        \
	INSN(BPF_LDX | BPF_MEM | BPF_W, d, BPF_REG_1,                          \
	     (short)offsetof(struct bpf_cgroup_dev_ctx, member), 0)
#define SKIP_UNLESS(reg, value, n)                                             \
	INSN(BPF_JMP | BPF_JNE | BPF_K, reg, 0, n, value)
#define SKIP_IF(reg, value, n) INSN(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, n, value)
#define RETURN(value)                                                          \
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value),             \
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/*
 * As runc's default for Docker: mknod of everything, use of null, zero, full,
 * random, urandom (1:3,5,7,8,9), tty, console, ptmx (5:0,1,2), pts (136:*).
 */
static const struct bpf_insn device_insns[] = {
	LOAD(BPF_REG_2, access_type),
	LOAD(BPF_REG_4, major),
	LOAD(BPF_REG_5, minor),
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0),
	INSN(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_3, 0, 0, 0xffff),
	INSN(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_2, 0, 0, 16),
	SKIP_IF(BPF_REG_2, BPF_DEVCG_ACC_MKNOD, 14),	/* allow */
	SKIP_UNLESS(BPF_REG_3, BPF_DEVCG_DEV_CHAR, 11), /* deny */
	SKIP_IF(BPF_REG_4, 136, 12),
	SKIP_UNLESS(BPF_REG_4, 1, 5),
	SKIP_IF(BPF_REG_5, 3, 10),
	SKIP_IF(BPF_REG_5, 5, 9),
	SKIP_IF(BPF_REG_5, 7, 8),
	SKIP_IF(BPF_REG_5, 8, 7),
	SKIP_IF(BPF_REG_5, 9, 6),
	SKIP_UNLESS(BPF_REG_4, 5, 3), /* deny */
	SKIP_IF(BPF_REG_5, 0, 4),
	SKIP_IF(BPF_REG_5, 1, 3),
	SKIP_IF(BPF_REG_5, 2, 2),
	RETURN(0),
	RETURN(1),
};

/* The same for cgroup v1, whose file takes one line a write. */
static const char *const device_lines[] = {
	"c *:* m",   "b *:* m",	  "c 1:3 rwm",	 "c 1:5 rwm",
	"c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",	 "c 5:0 rwm",
	"c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
};

static int
load_device_program(void)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uint64_t)(uintptr_t)device_insns,
		.insn_cnt = STV_ARRAY_LEN(device_insns),
		.license = (uint64_t)(uintptr_t) "Apache-2.0",
	};

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int
attach_program(int cgroup, int prog)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)cgroup,
		.attach_bpf_fd = (uint32_t)prog,
		.attach_type = BPF_CGROUP_DEVICE,
		/* Those of the groups above us stay in force. */
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr));
}

static int
write_device_lines(int dir)
{
	int fd = openat(dir, "devices.deny", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (write(fd, "a", 1) != 1) {
		(void)close(fd);
		return -1;
	}
	(void)close(fd);
	fd = openat(dir, "devices.allow", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	for (size_t i = 0; i < STV_ARRAY_LEN(device_lines); i++) {
		size_t n = strlen(device_lines[i]);

		if (write(fd, device_lines[i], n) != (ssize_t)n) {
			(void)close(fd);
			return -1;
		}
	}
	(void)close(fd);
	return 0;
}

/* ---- where we are -------------------------------------------------------- */

/* Is ${word} one of the comma-separated ${list}? */
static bool
list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p != '\0'; p += strcspn(p, ",")) {
		p += *p == ',';
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

/*
 * Our path in the hierarchy with ${controller}, from /proc/self/cgroup; NULL
 * for the v2 one.  Owns: the result, or NULL.
 */
static char *
own_path(const char *text, const char *controller)
{
	char *copy = stv_xstrdup(text), *save = NULL, *found = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l != NULL && found == NULL;
	     l = strtok_r(NULL, "\n", &save)) {
		char *names = strchr(l, ':'), *path;

		path = names == NULL ? NULL : strchr(names + 1, ':');
		if (path == NULL)
			continue;
		*path++ = '\0';
		names++;
		if (controller == NULL ? names[0] == '\0'
				       : list_has(names, controller))
			found = stv_xstrdup(path);
	}
	free(copy);
	return found;
}

/* Does a mountinfo line's tail ("cgroup cgroup rw,devices") fit? */
static bool
is_wanted_mount(const char *tail, const char *controller)
{
	const char *options;

	if (controller == NULL)
		return strncmp(tail, "cgroup2 ", 8) == 0;
	options = strrchr(tail, ' ');
	return strncmp(tail, "cgroup ", 7) == 0 && options != NULL &&
	       list_has(options + 1, controller);
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void
unescape_octal(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++, to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
		    s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				     (s[3] - '0'));
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = '\0';
}

/* Open our own directory below the mount at ${point} that shows ${root}. */
static int
open_below(char *root, char *point, const char *own)
{
	size_t n;
	char *path;
	int fd;

	unescape_octal(root);
	unescape_octal(point);
	n = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(own, root, n) != 0 || (own[n] != '/' && own[n] != '\0'))
		return -1;
	path = stv_xasprintf("%s%s", point, own + n);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	return fd;
}

/* Open our own directory of one hierarchy, or -1. */
static int
open_own_dir(const char *cgroups, const char *mounts, const char *controller)
{
	char *own = own_path(cgroups, controller);
	char *copy = stv_xstrdup(mounts), *save = NULL;
	int fd = -1;

	for (char *l = strtok_r(copy, "\n", &save);
	     own != NULL && l != NULL && fd < 0;
	     l = strtok_r(NULL, "\n", &save)) {
		char *tail = strstr(l, " - ");
		char *root, *point;

		if (tail == NULL || !is_wanted_mount(tail + 3, controller))
			continue;
		/* id parent major:minor root mountpoint ... */
		root = l;
		for (int i = 0; i < 3 && root != NULL; i++) {
			root = strchr(root, ' ');
			root = root == NULL ? NULL : root + 1;
		}
		point = root == NULL ? NULL : strchr(root, ' ');
		if (point == NULL)
			continue;
		*point++ = '\0';
		point[strcspn(point, " ")] = '\0';
		fd = open_below(root, point, own);
	}
	free(copy);
	free(own);
	return fd;
}

/* ---- making and removing ------------------------------------------------- */

static int
make_dir(struct sbx *sbx, int base, struct sbx_cgroup *ret)
{
	int rc = -1;

	/* A dead stave had our pid. */
	for (int i = 0; i < MAX_NAME_TRIES && rc < 0; i++) {
		(void)snprintf(ret->name, sizeof(ret->name),
			       NAME_PREFIX "%ld-%llu-%lu", (long)getpid(),
			       (unsigned long long)sbx->pid_ns,
			       sbx->next_cgroup++);
		rc = mkdirat(base, ret->name, 0755);
		if (rc < 0 && errno != EEXIST)
			break;
	}
	if (rc < 0) {
		ret->name[0] = '\0';
		return -1;
	}
	ret->base_fd = base;
	ret->dir_fd = openat(base, ret->name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return ret->dir_fd < 0 ? -1 : 0;
}

static int
try_make(struct sbx *sbx, bool is_open, struct sbx_cgroup *ret)
{
	*ret = (struct sbx_cgroup){.base_fd = -1, .dir_fd = -1};
	if (sbx->devices == SBX_DEVICES_BPF) {
		ret->is_v2 = true;
		if (make_dir(sbx, sbx->cgroup2_base, ret) < 0)
			return -1;
		return is_open ? 0
			       : attach_program(ret->dir_fd, sbx->devices_prog);
	}
	if (sbx->devices == SBX_DEVICES_CGROUP1) {
		if (make_dir(sbx, sbx->cgroup1_base, ret) < 0)
			return -1;
		return is_open ? 0 : write_device_lines(ret->dir_fd);
	}
	return 0;
}

int
sbx_cgroup_make(struct sbx *sbx, bool is_open, struct sbx_cgroup *ret,
		struct stv_err **err)
{
	int saved;

	if (try_make(sbx, is_open, ret) == 0)
		return 0;
	saved = errno;
	sbx_cgroup_remove(ret);
	return stv_fail_errno_as(err, STV_E_SANDBOX, saved,
				 "cannot make a cgroup for the sandbox");
}

/* Kill what is left: nothing should be, but a stuck directory helps nobody. */
static void
kill_group(const struct sbx_cgroup *cg)
{
	int fd = openat(cg->dir_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "1", 1);
	(void)close(fd);
}

/* The name of some group in the directory ${fd}, or false.  Takes: ${fd}. */
static bool
find_group(int fd, char *ret, size_t size)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	bool found = false;

	if (dir == NULL) {
		(void)close(fd);
		return false;
	}
	while (!found && (e = readdir(dir)) != NULL) {
		found = e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 &&
			strcmp(e->d_name, "..") != 0;
		if (found)
			(void)snprintf(ret, size, "%s", e->d_name);
	}
	(void)closedir(dir);
	return found;
}

/*
 * Remove one group that has none below it, ${name} in ${base} or one that a
 * command made in it; only an insecure command can.  0, or -1 with errno.
 */
static int
remove_lowest(int base, const char *name)
{
	stv_auto_fd at = fcntl(base, F_DUPFD_CLOEXEC, 3);
	char last[NAME_MAX + 1], below[NAME_MAX + 1];
	int fd;

	(void)snprintf(last, sizeof(last), "%s", name);
	while ((fd = openat(at, last,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) >=
	       0) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		if (copy < 0 || !find_group(copy, below, sizeof(below))) {
			(void)close(fd);
			break;
		}
		(void)close(at);
		at = fd;
		memcpy(last, below, sizeof(last));
	}
	return unlinkat(at, last, AT_REMOVEDIR);
}

/* ${name} in ${base} and all below it, as far as nothing is in use. */
static int
remove_group(int base, const char *name)
{
	int r = unlinkat(base, name, AT_REMOVEDIR);

	while (r < 0 && errno == EBUSY && remove_lowest(base, name) == 0)
		r = unlinkat(base, name, AT_REMOVEDIR);
	return r;
}

void
sbx_cgroup_remove(struct sbx_cgroup *cg)
{
	if (cg->name[0] == '\0')
		return;
	for (int i = 0; i < MAX_REMOVE_TRIES; i++) {
		if (remove_group(cg->base_fd, cg->name) == 0 || errno != EBUSY)
			break;
		if (i == 1)
			kill_group(cg);
		(void)poll(NULL, 0, 2);
	}
	if (cg->dir_fd >= 0)
		(void)close(cg->dir_fd);
	*cg = (struct sbx_cgroup){.base_fd = -1, .dir_fd = -1};
}

/* Old enough that its maker has long put its process into it? */
static bool
is_old(int dir, const char *name)
{
	struct stat st;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.tv_sec - st.st_ctim.tv_sec > FOREIGN_AGE_S;
}

/*
 * Is ${name} a directory of a stave that is no more?  Of one from another pid
 * namespace that is not certain.
 */
static bool
is_stale(const struct sbx *sbx, int dir, const char *name, bool *ret_is_certain)
{
	unsigned long long ns;
	char *end;
	long pid;

	if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
		return false;
	pid = strtol(name + strlen(NAME_PREFIX), &end, 10);
	if (pid <= 0 || *end != '-')
		return false;
	ns = strtoull(end + 1, &end, 10);
	if (*end != '-')
		return false;
	*ret_is_certain = ns == sbx->pid_ns;
	if (!*ret_is_certain)
		return is_old(dir, name);
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/*
 * Remove what a killed process left; rmdir refuses what is in use.  One that
 * was just made, and has no process yet, must not go.
 */
static void
sweep(const struct sbx *sbx, int base)
{
	int fd = base < 0 ? -1
			  : openat(base, ".",
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		bool is_certain;

		if (!is_stale(sbx, fd, e->d_name, &is_certain))
			continue;
		if (is_certain)
			(void)remove_group(fd, e->d_name);
		else
			(void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
	}
	(void)closedir(dir);
}

/* Does ${way} work here?  Tried, not guessed. */
static bool
devices_work(struct sbx *sbx, enum sbx_devices way)
{
	struct sbx_cgroup cg;
	bool is_ok;

	sbx->devices = way;
	if (way == SBX_DEVICES_BPF) {
		if (sbx->cgroup2_base < 0)
			return false;
		if (sbx->devices_prog < 0)
			sbx->devices_prog = load_device_program();
		if (sbx->devices_prog < 0)
			return false;
	}
	if (way == SBX_DEVICES_CGROUP1 && sbx->cgroup1_base < 0)
		return false;
	is_ok = try_make(sbx, false, &cg) == 0;
	sbx_cgroup_remove(&cg);
	return is_ok;
}

static int
choose_devices(struct sbx *sbx, enum sbx_devices want, struct stv_err **err)
{
	if (want == SBX_DEVICES_AUTO) {
		if (!devices_work(sbx, SBX_DEVICES_BPF) &&
		    !devices_work(sbx, SBX_DEVICES_CGROUP1))
			sbx->devices = SBX_DEVICES_NONE;
		return 0;
	}
	if (devices_work(sbx, want))
		return 0;
	return stv_fail(err, STV_E_PRIVILEGE,
			"the device guard that was asked for does not work "
			"here");
}

static int
read_proc(const char *path, struct stv_buf *ret, struct stv_err **err)
{
	stv_auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return stv_fail_errno(err, errno, "opening %s", path);
	return stv_fsat_read_fd(fd, MAX_PROC_FILE, path, ret, err);
}

int
sbx_cgroup_open(struct sbx *sbx, enum sbx_devices want, struct stv_err **err)
{
	stv_auto_buf cgroups = STV_BUF_INIT(MAX_PROC_FILE);
	stv_auto_buf mounts = STV_BUF_INIT(MAX_PROC_FILE);
	struct stat ns;

	sbx->cgroup2_base = sbx->cgroup1_base = sbx->devices_prog = -1;
	if (read_proc("/proc/self/cgroup", &cgroups, err) < 0 ||
	    read_proc("/proc/self/mountinfo", &mounts, err) < 0)
		return -1;
	sbx->cgroup2_base =
		open_own_dir(stv_buf_str(&cgroups), stv_buf_str(&mounts), NULL);
	sbx->cgroup1_base = open_own_dir(stv_buf_str(&cgroups),
					 stv_buf_str(&mounts), "devices");
	if (stat("/proc/self/ns/pid", &ns) == 0)
		sbx->pid_ns = ns.st_ino;
	sweep(sbx, sbx->cgroup2_base);
	sweep(sbx, sbx->cgroup1_base);
	return choose_devices(sbx, want, err);
}

void
sbx_cgroup_close(struct sbx *sbx)
{
	int *fds[] = {&sbx->cgroup2_base, &sbx->cgroup1_base,
		      &sbx->devices_prog};

	for (size_t i = 0; i < STV_ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
}

/* ---- out of memory ------------------------------------------------------- */

/* The number behind "${key} " at the beginning of a line, or 0. */
static uint64_t
find_count(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; p != NULL && *p != '\0';) {
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return strtoull(p + n + 1, NULL, 10);
		p = strchr(p, '\n');
		p = p == NULL ? NULL : p + 1;
	}
	return 0;
}

uint64_t
sbx_cgroup_oom_kills(const struct sbx *sbx, const struct sbx_cgroup *cg,
		     bool *ret_certain)
{
	char text[16384];
	ssize_t n = -1;
	int fd = -1;

	if (cg->is_v2 && cg->dir_fd >= 0)
		fd = openat(cg->dir_fd, "memory.events", O_RDONLY | O_CLOEXEC);
	*ret_certain = fd >= 0;
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		(void)close(fd);
	} else if (sbx->vmstat_fd >= 0) {
		n = pread(sbx->vmstat_fd, text, sizeof(text) - 1, 0);
	}
	if (n < 0)
		return 0;
	text[n] = '\0';
	return find_count(text, "oom_kill");
}
