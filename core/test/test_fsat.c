/* core/test/test_fsat.c - files below a root that nobody can lead us out of. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "core/fsat.h"

/* A directory of our own: "in" is the root of the tests, "out" beside it. */
struct area {
	char path[64];
	int top;
	int in;
};

static void
put(int dirfd, const char *path, const char *text)
{
	int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			0644);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(stv_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
}

static void
area_init(struct area *a)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(a->path, sizeof(a->path), "%.40s/stave-fsat-XXXXXX",
		       tmp != NULL ? tmp : "/tmp");
	cr_assert_not_null(mkdtemp(a->path));
	a->top = open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(a->top, "in", 0755), 0);
	cr_assert_eq(mkdirat(a->top, "out", 0755), 0);
	a->in = openat(a->top, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(a->in, 0);
	put(a->top, "out/canary", "canary");
}

static void
area_fini(struct area *a)
{
	struct stv_err *err = NULL;

	(void)close(a->in);
	(void)close(a->top);
	cr_expect_eq(stv_fsat_remove_tree(AT_FDCWD, a->path, &err), 0);
	cr_expect_eq(access(a->path, F_OK), -1);
	stv_err_free(err);
}

#define auto_area STV_CLEANUP(area_fini) struct area

/* How a path is opened, and which errno is wanted (0 = it opens). */
struct open_case {
	char path[32];
	int in_root;
	int beneath;
	int nolinks;
};

ParameterizedTestParameters(fsat, no_path_leads_out)
{
	static struct open_case cases[] = {
		{"file", 0, 0, 0},
		{"dir/file", 0, 0, 0},
		{"rel", 0, 0, ELOOP},
		{"linkdir/file", 0, 0, ELOOP},
		{"abs", 0, EXDEV, ELOOP},
		{"up", ENOENT, EXDEV, ELOOP},
		{"updir/canary", ENOENT, EXDEV, ELOOP},
		{"../out/canary", ENOENT, EXDEV, EXDEV},
		{"dir/../../out/canary", ENOENT, EXDEV, EXDEV},
		{"/file", 0, EXDEV, EXDEV},
		{"loop", ELOOP, ELOOP, ELOOP},
		{"missing", ENOENT, ENOENT, ENOENT},
	};

	return cr_make_param_array(struct open_case, cases,
				   STV_ARRAY_LEN(cases));
}

static void
expect_open(int fd, int want_errno, const char *path, const char *how)
{
	char buf[16] = "";
	int got = fd < 0 ? errno : 0;

	cr_expect_eq(got, want_errno, "%s %s: %s", how, path, strerror(got));
	if (fd < 0)
		return;
	cr_expect_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_expect_gt(stv_pread_all(fd, buf, sizeof(buf) - 1, 0), 0);
	cr_expect_str_neq(buf, "canary");
	(void)close(fd);
}

ParameterizedTest(struct open_case *c, fsat, no_path_leads_out)
{
	auto_area a;
	int flags = O_RDONLY;

	area_init(&a);
	put(a.in, "file", "inside");
	cr_assert_eq(mkdirat(a.in, "dir", 0755), 0);
	put(a.in, "dir/file", "inside");
	cr_assert_eq(symlinkat("dir/file", a.in, "rel"), 0);
	cr_assert_eq(symlinkat("dir", a.in, "linkdir"), 0);
	cr_assert_eq(symlinkat("/dir/file", a.in, "abs"), 0);
	cr_assert_eq(symlinkat("../out/canary", a.in, "up"), 0);
	cr_assert_eq(symlinkat("../out", a.in, "updir"), 0);
	cr_assert_eq(symlinkat("loop", a.in, "loop"), 0);

	expect_open(stv_fsat_open_in_root(a.in, c->path, flags, 0), c->in_root,
		    c->path, "in_root");
	expect_open(stv_fsat_open_beneath(a.in, c->path, flags, 0), c->beneath,
		    c->path, "beneath");
	expect_open(stv_fsat_open_nolinks(a.in, c->path, flags, 0), c->nolinks,
		    c->path, "nolinks");
}

Test(fsat, magic_links_are_refused)
{
	stv_auto_fd proc = open("/proc/self", O_PATH | O_CLOEXEC);
	int fd;

	cr_assert_geq(proc, 0);
	fd = stv_fsat_open_beneath(proc, "fd/0", O_RDONLY, 0);
	cr_expect_eq(fd, -1);
	fd = stv_fsat_open_in_root(proc, "root/etc", O_RDONLY, 0);
	cr_expect_eq(fd, -1);
}

Test(fsat, create_has_the_mode_that_was_asked_for)
{
	struct stat st;
	auto_area a;
	int fd;

	area_init(&a);
	(void)umask(0);
	fd = stv_fsat_open_beneath(a.in, "new", O_WRONLY | O_CREAT | O_EXCL,
				   0640);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	(void)close(fd);
}

/* What mkdirs_in_root is asked for, and where the directory must be then. */
struct mkdirs_case {
	char path[32];
	char want[32]; /* below "in"; empty: an error is wanted */
};

ParameterizedTestParameters(fsat, missing_directories_are_made_inside)
{
	static struct mkdirs_case cases[] = {
		{"a/b/c", "a/b/c"},
		{"/a//b/./c/", "a/b/c"},
		{"../../a", "a"},
		{"dir/../../../x", "x"},
		{"abs/x", "target/x"},
		{"dir/abs/x", "target/x"},
		{"dangling/x", "not/there/x"},
		{"updir/x", "out/x"},
		{".", "."},
		{"", "."},
		{"file/x", ""},
		{"loop/x", ""},
	};

	return cr_make_param_array(struct mkdirs_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct mkdirs_case *c, fsat,
		  missing_directories_are_made_inside)
{
	struct stv_err *err = NULL;
	struct stat got, want;
	auto_area a;
	int fd = -1, rc;

	area_init(&a);
	cr_assert_eq(mkdirat(a.in, "dir", 0755), 0);
	put(a.in, "file", "x");
	cr_assert_eq(symlinkat("/target", a.in, "abs"), 0);
	cr_assert_eq(symlinkat("/target", a.in, "dir/abs"), 0);
	cr_assert_eq(symlinkat("not/there", a.in, "dangling"), 0);
	cr_assert_eq(symlinkat("../out", a.in, "updir"), 0);
	cr_assert_eq(symlinkat("loop", a.in, "loop"), 0);

	rc = stv_fsat_mkdirs_in_root(a.in, c->path, 0755, &fd, &err);
	if (*c->want == '\0') {
		cr_assert_eq(rc, -1);
		cr_expect_eq(stv_err_code(err), STV_E_INPUT);
		stv_err_free(err);
		return;
	}
	cr_assert_eq(rc, 0, "%s", err ? stv_err_msg(err) : "");
	cr_assert_eq(fstat(fd, &got), 0);
	cr_assert_eq(fstatat(a.in, c->want, &want, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect_eq(got.st_ino, want.st_ino);
	cr_expect_eq(faccessat(a.top, "out/x", F_OK, 0), -1);
	(void)close(fd);
}

Test(fsat, mkdirs_of_our_own)
{
	struct stv_err *err = NULL;
	auto_area a;

	area_init(&a);
	cr_expect_eq(stv_fsat_mkdirs(a.in, "a/b/c", 0755, &err), 0);
	cr_expect_eq(stv_fsat_mkdirs(a.in, "a/b/c", 0755, &err), 0);
	cr_expect_eq(faccessat(a.in, "a/b/c", F_OK, 0), 0);
	put(a.in, "file", "x");
	cr_expect_eq(stv_fsat_mkdirs(a.in, "file/x", 0755, &err), -1);
	cr_expect_eq(stv_err_errno(err), ENOTDIR);
	stv_err_free(err);
}

Test(fsat, reads_only_regular_files, .timeout = 10)
{
	stv_auto_buf b = STV_BUF_INIT(100);
	struct stv_err *err = NULL;
	auto_area a;

	area_init(&a);
	put(a.in, "file", "hello");
	cr_assert_eq(mkfifoat(a.in, "fifo", 0644), 0);
	cr_assert_eq(symlinkat("file", a.in, "link"), 0);
	cr_expect_eq(stv_fsat_read_file(a.in, "file", 100, &b, &err), 0);
	cr_expect_str_eq(stv_buf_str(&b), "hello");
	cr_expect_eq(stv_fsat_read_file(a.in, "fifo", 100, &b, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT, "and it does not hang");
	stv_err_clear(&err);
	cr_expect_eq(stv_fsat_read_file(a.in, ".", 100, &b, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT);
	stv_err_clear(&err);
	cr_expect_eq(stv_fsat_read_file(a.in, "link", 100, &b, &err), -1);
	cr_expect_eq(stv_err_errno(err), ELOOP);
	stv_err_clear(&err);
	cr_expect_eq(stv_fsat_read_file(a.in, "gone", 100, &b, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_clear(&err);
	cr_expect_eq(stv_fsat_read_file(a.in, "file", 4, &b, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
}

Test(fsat, replaces_a_file_and_leaves_nothing_beside_it)
{
	stv_auto_buf b = STV_BUF_INIT(100);
	struct stv_err *err = NULL;
	struct stat st;
	auto_area a;

	area_init(&a);
	cr_assert_eq(mkdirat(a.in, "d", 0755), 0);
	put(a.in, "d/file", "old");
	cr_expect_eq(
		stv_fsat_replace(a.in, "d/file", "new!", 4, 0600, true, &err),
		0);
	cr_expect_eq(stv_fsat_replace(a.in, "plain", "x", 1, 0600, true, &err),
		     0);
	cr_expect_eq(stv_fsat_read_file(a.in, "d/file", 100, &b, &err), 0);
	cr_expect_str_eq(stv_buf_str(&b), "new!");
	cr_assert_eq(fstatat(a.in, "d/file", &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(unlinkat(a.in, "d/file", 0), 0);
	cr_expect_eq(unlinkat(a.in, "d", AT_REMOVEDIR), 0, "it was alone");
	cr_expect_eq(stv_fsat_replace(a.in, "d/x", "x", 1, 0600, false, &err),
		     -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_clear(&err);
	cr_assert_eq(stv_fsat_mkdirs(a.in, "d/sub", 0755, &err), 0);
	cr_expect_eq(stv_fsat_replace(a.in, "d/sub", "x", 1, 0600, false, &err),
		     -1, "a directory is in the way");
	stv_err_clear(&err);
	cr_expect_eq(unlinkat(a.in, "d/sub", AT_REMOVEDIR), 0);
	cr_expect_eq(unlinkat(a.in, "d", AT_REMOVEDIR), 0, "it was alone");
	cr_assert_eq(mkdirat(a.in, "d", 0755), 0);
	cr_expect_eq(stv_fsat_sync_dir(a.in, "d", &err), 0);
	cr_expect_eq(stv_fsat_sync_dir(a.in, "gone", &err), -1);
	stv_err_free(err);
}

Test(fsat, a_failed_write_keeps_the_old_and_leaves_nothing)
{
	struct rlimit none = {.rlim_cur = 1, .rlim_max = 1};
	stv_auto_buf b = STV_BUF_INIT(100);
	struct stv_err *err = NULL;
	auto_area a;

	area_init(&a);
	cr_assert_eq(mkdirat(a.in, "d", 0755), 0);
	put(a.in, "d/file", "old");
	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	cr_expect_eq(
		stv_fsat_replace(a.in, "d/file", "newer", 5, 0600, false, &err),
		-1);
	cr_expect_eq(stv_err_errno(err), EFBIG);
	stv_err_clear(&err);
	cr_expect_eq(stv_fsat_read_file(a.in, "d/file", 100, &b, &err), 0);
	cr_expect_str_eq(stv_buf_str(&b), "old");
	cr_expect_eq(unlinkat(a.in, "d/file", 0), 0);
	cr_expect_eq(unlinkat(a.in, "d", AT_REMOVEDIR), 0, "it was alone");
}

/* 300 directories below each other, each with a file. */
static void
dig(int dirfd, int depth)
{
	int fd = dup(dirfd), next;

	for (int i = 0; i < depth; i++) {
		cr_assert_eq(mkdirat(fd, "d", 0755), 0);
		put(fd, "f", "x");
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert_geq(next, 0);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
}

Test(fsat, removes_what_is_deep_without_following_links)
{
	struct stv_err *err = NULL;
	auto_area a;

	area_init(&a);
	cr_assert_eq(mkdirat(a.in, "t", 0755), 0);
	cr_assert_eq(symlinkat("../../out", a.in, "t/link"), 0);
	cr_assert_eq(mkdirat(a.in, "t/e", 0), 0);
	{
		stv_auto_fd t = openat(a.in, "t", O_RDONLY | O_DIRECTORY);

		dig(t, 300);
	}
	cr_expect_eq(stv_fsat_remove_tree(a.in, "t", &err), 0, "%s",
		     err ? stv_err_msg(err) : "");
	cr_expect_eq(faccessat(a.in, "t", F_OK, 0), -1);
	cr_expect_eq(faccessat(a.top, "out/canary", F_OK, 0), 0);
	cr_expect_eq(stv_fsat_remove_tree(a.in, "t", &err), 0, "gone is gone");
	put(a.in, "file", "x");
	cr_expect_eq(stv_fsat_remove_tree(a.in, "file", &err), 0);
	cr_assert_eq(symlinkat("../out", a.in, "l"), 0);
	cr_expect_eq(stv_fsat_remove_tree(a.in, "l", &err), 0);
	cr_expect_eq(faccessat(a.top, "out/canary", F_OK, 0), 0);
}

Test(fsat, what_cannot_be_removed_is_named)
{
	struct stv_err *err = NULL;

	cr_expect_eq(stv_fsat_remove_tree(-1, "x", &err), -1);
	cr_expect_str_eq(stv_err_msg(err),
			 "cannot remove 'x': Bad file descriptor");
	stv_err_free(err);
}

Test(fsat, join_knows_its_room)
{
	char buf[8];

	cr_expect_eq(stv_fsat_join(buf, sizeof(buf), "abc", "def"), 0);
	cr_expect_str_eq(buf, "abc/def");
	cr_expect_eq(stv_fsat_join(buf, sizeof(buf), "abc", "defg"), -1);
	cr_expect_eq(errno, ENAMETOOLONG);
}
