/* cmd/test/test_files.c - files that the user named. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"

#include "cmd/ctx.h"
#include "cmd/files.h"

static char dir[64];

static void
enter(void)
{
	(void)strcpy(dir, "/tmp/stave-files.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void
leave(void)
{
	struct stv_err *err = NULL;

	cr_expect_eq(stv_fsat_remove_tree(AT_FDCWD, dir, &err), 0);
}

static size_t
count_files(void)
{
	DIR *d = opendir(".");
	size_t n = 0;

	cr_assert_not_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static const char *
content(const char *path, struct stv_buf *ret)
{
	struct stv_err *err = NULL;

	stv_buf_truncate(ret, 0);
	cr_assert_eq(stv_fsat_read_file(AT_FDCWD, path, 4096, ret, &err), 0);
	return stv_buf_str(ret);
}

Test(files, replace_the_old_one, .init = enter, .fini = leave)
{
	struct cmd_ctx cx = {.umask = 027};
	stv_auto_buf b = STV_BUF_INIT(4096);
	struct stv_err *err = NULL;
	struct stat st;

	cr_assert_eq(cmd_file_write(&cx, "id", "old", 3, &err), 0);
	cr_assert_eq(cmd_file_write(&cx, "id", "new", 3, &err), 0);
	cr_expect_str_eq(content("id", &b), "new");
	cr_assert_eq(stat("id", &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0640, "the user's umask counts");
	cr_expect_eq(count_files(), 1);
}

Test(files, leave_nothing_behind_when_not_committed, .init = enter,
     .fini = leave)
{
	struct cmd_outfile f = CMD_OUTFILE_INIT;
	struct cmd_ctx cx = {.umask = 022};
	stv_auto_buf b = STV_BUF_INIT(4096);
	struct stv_err *err = NULL;

	cr_assert_eq(cmd_file_write(&cx, "x.tar", "old", 3, &err), 0);
	cr_assert_eq(cmd_outfile_open(&cx, "x.tar", &f, &err), 0);
	cr_assert_eq(write(f.fd, "half", 4), 4);
	cmd_outfile_close(&f);
	cr_expect_str_eq(content("x.tar", &b), "old");
	cr_expect_eq(count_files(), 1);
}

Test(files, a_pipe_is_written_in_place, .init = enter, .fini = leave)
{
	struct cmd_ctx cx = {.umask = 022};
	struct stv_err *err = NULL;
	struct stat st;
	char got[4] = "";
	int fd;

	cr_assert_eq(mkfifo("pipe", 0600), 0);
	fd = open("pipe", O_RDONLY | O_NONBLOCK);
	cr_assert_geq(fd, 0);
	cr_assert_eq(cmd_file_write(&cx, "pipe", "abc", 3, &err), 0);
	cr_expect_eq(read(fd, got, 3), 3);
	cr_expect_str_eq(got, "abc");
	cr_assert_eq(stat("pipe", &st), 0);
	cr_expect(S_ISFIFO(st.st_mode));
	(void)close(fd);
}

Test(files, a_missing_directory_is_named, .init = enter, .fini = leave)
{
	struct cmd_ctx cx = {.umask = 022};
	struct stv_err *err = NULL;
	int fd = -1;

	cr_assert_eq(cmd_file_write(&cx, "no/where", "x", 1, &err), -1);
	cr_expect_not_null(strstr(stv_err_msg(err), "no/where"));
	cr_expect_eq(cmd_exit_status(err), CMD_INPUT);
	stv_err_clear(&err);
	cr_assert_eq(cmd_input_open("nothing", "a tar", &fd, &err), -1);
	cr_expect_not_null(strstr(stv_err_msg(err), "nothing"));
	stv_err_free(err);
}

Test(files, a_link_keeps_its_name, .init = enter, .fini = leave)
{
	struct cmd_ctx cx = {.umask = 022};
	stv_auto_buf b = STV_BUF_INIT(4096);
	struct stv_err *err = NULL;
	struct stat st;

	cr_assert_eq(mkdir("d", 0755), 0);
	cr_assert_eq(symlink("d/next", "link"), 0);
	cr_assert_eq(symlink("file", "d/next"), 0);
	for (int i = 0; i < 2; i++) { /* dangling first */
		cr_assert_eq(cmd_file_write(&cx, "link", "text", 4, &err), 0);
		cr_expect_eq(lstat("link", &st), 0);
		cr_expect(S_ISLNK(st.st_mode));
		cr_expect_str_eq(content("d/file", &b), "text");
	}
	cr_assert_eq(symlink("loop", "loop"), 0);
	cr_expect_eq(cmd_file_write(&cx, "loop", "text", 4, &err), -1);
	stv_err_clear(&err);
}
