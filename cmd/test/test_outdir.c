/* cmd/test/test_outdir.c - a directory that becomes a result. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"

#include "cmd/ctx.h"
#include "cmd/outdir.h"

static char dir[64];
static struct cmd_ctx cx = {.umask = 027};

static void
enter(void)
{
	(void)strcpy(dir, "/tmp/stave-outdir.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void
leave(void)
{
	struct stv_err *err = NULL;

	cr_expect_eq(stv_fsat_remove_tree(AT_FDCWD, dir, &err), 0);
}

TestSuite(outdir, .init = enter, .fini = leave);

static void
put(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	cr_assert_geq(fd, 0);
	(void)close(fd);
}

Test(outdir, a_new_one_appears_when_it_is_complete)
{
	struct cmd_outdir d = CMD_OUTDIR_INIT;
	struct stv_err *err = NULL;
	struct stat st;

	cr_assert_eq(cmd_outdir_open(&cx, "a/b/", false, &d, &err), 0);
	put(d.fd, "f");
	cr_expect_eq(access("a/b", F_OK), -1);
	cr_assert_eq(cmd_outdir_commit(&d, &err), 0);
	cmd_outdir_close(&d);
	cr_expect_eq(access("a/b/f", F_OK), 0);
	cr_assert_eq(stat("a/b", &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0750, "the user's umask counts");
}

Test(outdir, nothing_is_left_of_one_that_failed)
{
	struct cmd_outdir d = CMD_OUTDIR_INIT;
	struct stv_err *err = NULL;

	cr_assert_eq(mkdir("x", 0755), 0);
	cr_assert_eq(cmd_outdir_open(&cx, "x/new", false, &d, &err), 0);
	put(d.fd, "f");
	cmd_outdir_close(&d);
	cr_expect_eq(rmdir("x"), 0, "it is empty");
}

Test(outdir, one_that_is_there_keeps_its_files)
{
	struct cmd_outdir d = CMD_OUTDIR_INIT;
	struct stv_err *err = NULL;

	cr_assert_eq(mkdir("x", 0755), 0);
	put(AT_FDCWD, "x/old");
	cr_assert_eq(cmd_outdir_open(&cx, "x", false, &d, &err), 0);
	put(d.fd, "f");
	cr_assert_eq(cmd_outdir_commit(&d, &err), 0);
	cmd_outdir_close(&d);
	cr_expect_eq(access("x/old", F_OK), 0);
	cr_expect_eq(access("x/f", F_OK), 0);
}

Test(outdir, a_new_one_may_be_an_empty_one_that_is_there)
{
	struct cmd_outdir d = CMD_OUTDIR_INIT;
	struct stv_err *err = NULL;
	struct stat before, after;

	cr_assert_eq(mkdir("x", 0705), 0);
	cr_assert_eq(symlink("x", "link"), 0);
	cr_assert_eq(stat("x", &before), 0);
	put(AT_FDCWD, "x/old");
	cr_expect_eq(cmd_outdir_open(&cx, "x", true, &d, &err), -1);
	cr_expect_not_null(strstr(stv_err_msg(err), "x is not empty"));
	stv_err_clear(&err);
	cmd_outdir_close(&d);
	cr_expect_eq(access("x/old", F_OK), 0, "it is not ours to remove");
	cr_assert_eq(unlink("x/old"), 0);
	cr_assert_eq(cmd_outdir_open(&cx, "link", true, &d, &err), 0);
	put(d.fd, "f");
	cr_assert_eq(mkdirat(d.fd, "sub", 0755), 0);
	cmd_outdir_close(&d);
	cr_expect_eq(access("x/f", F_OK), -1,
		     "nothing is left after a failure");
	cr_expect_eq(access("x/sub", F_OK), -1);
	cr_assert_eq(cmd_outdir_open(&cx, "link", true, &d, &err), 0);
	put(d.fd, "f");
	cr_assert_eq(cmd_outdir_commit(&d, &err), 0);
	cmd_outdir_close(&d);
	cr_expect_eq(access("x/f", F_OK), 0);
	cr_assert_eq(stat("x", &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino, "it is the same directory");
	cr_expect_eq(before.st_mode, after.st_mode);
}

Test(outdir, a_file_is_none)
{
	struct cmd_outdir d = CMD_OUTDIR_INIT;
	struct stv_err *err = NULL;

	put(AT_FDCWD, "file");
	cr_expect_eq(cmd_outdir_open(&cx, "file", false, &d, &err), -1);
	cr_expect_not_null(strstr(stv_err_msg(err), "not a directory"));
	stv_err_clear(&err);
	cmd_outdir_close(&d);
}
