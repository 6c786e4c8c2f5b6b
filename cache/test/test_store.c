/* cache/test/test_store.c - the store's directory, tmp/, leases, key locks. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/db.h"
#include "cache/store_internal.h"
#include "cache/test/scratch.h"

static char *dir;

static void
begin(void)
{
	dir = scratch_dir();
}

static void
end(void)
{
	scratch_end(dir);
}

TestSuite(store, .init = begin, .fini = end);

static enum stv_code
open_code(const char *root, bool is_readonly)
{
	struct cas_store_opts opts = {.is_readonly = is_readonly};
	struct cas_store *s = NULL;
	struct stv_err *err = NULL;
	enum stv_code code;

	cr_assert_eq(cas_store_open(root, &opts, &s, &err), -1);
	code = stv_err_code(err);
	stv_err_free(err);
	return code;
}

Test(store, is_made_private_and_as_an_oci_layout)
{
	char *root = stv_xasprintf("%s/a/b", dir);
	struct cas_store *s = scratch_open(root);
	struct stat st;

	cr_assert_eq(stat(root, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700U);
	cr_expect_eq(access(scratch_path(root, "oci-layout"), F_OK), 0);
	cr_expect_eq(access(scratch_path(root, "index.json"), F_OK), 0);
	cr_expect_eq(access(scratch_path(root, "blobs/sha256"), F_OK), 0);
	cas_store_close(s);
	free(root);
}

Test(store, one_that_others_may_write_to_is_refused)
{
	cr_assert_eq(chmod(dir, 0770), 0);
	cr_expect_eq(open_code(dir, false), STV_E_PRIVILEGE);
	cr_assert_eq(chmod(dir, 0700), 0);
}

Test(store, one_of_another_user_is_refused)
{
	if (geteuid() != 0)
		cr_skip_test("only root can give a directory away");
	cr_assert_eq(chown(dir, 4711, 4711), 0);
	cr_expect_eq(open_code(dir, false), STV_E_PRIVILEGE);
	cr_expect_eq(open_code(dir, true), STV_E_PRIVILEGE);
}

Test(store, a_link_of_another_user_is_refused)
{
	const char *path = scratch_path(dir, "link");

	if (geteuid() != 0)
		cr_skip_test("only root can give a link away");
	cr_assert_eq(mkdir(scratch_path(dir, "real"), 0700), 0);
	path = scratch_path(dir, "link");
	cr_assert_eq(symlink("real", path), 0);
	cr_assert_eq(lchown(path, 4711, 4711), 0);
	cr_expect_eq(open_code(path, false), STV_E_PRIVILEGE);
}

Test(store, a_directory_with_other_files_does_not_become_one)
{
	int fd =
		open(scratch_path(dir, "thesis.txt"), O_CREAT | O_WRONLY, 0600);

	cr_assert(fd >= 0);
	(void)close(fd);
	cr_expect_eq(open_code(dir, false), STV_E_INPUT);
	cr_expect_eq(access(scratch_path(dir, "blobs"), F_OK), -1);
}

Test(store, reading_only_needs_one_and_makes_none)
{
	struct cas_store_opts opts = {.is_readonly = true};
	struct cas_store *s = NULL;
	struct stv_err *err = NULL;
	struct cas_image img;
	char *root = stv_xasprintf("%s/none", dir);

	cr_expect_eq(open_code(root, true), STV_E_NOT_FOUND);
	cr_expect_eq(access(root, F_OK), -1);
	cas_store_close(scratch_open(root));
	ok(cas_store_open(root, &opts, &s, &err), err);
	cr_expect_eq(cas_tag_get(s, "docker.io/library/x:latest", &img, &err),
		     0, "a store without a database is an empty one");
	cr_expect_eq(access(scratch_path(root, "meta.db"), F_OK), -1);
	cas_store_close(s);
	free(root);
}

Test(store, a_newer_format_is_refused)
{
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;
	struct cas_image img;

	ok(cas_tag_get(s, "docker.io/library/x:latest", &img, &err), err);
	ok(cas_db_enter(s, &err), err);
	ok(cas_db_exec(s, "PRAGMA user_version=99", &err), err);
	cas_db_leave(s);
	cas_store_close(s);
	s = scratch_open(dir);
	cr_assert_eq(cas_tag_get(s, "docker.io/library/x:latest", &img, &err),
		     -1);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT);
	stv_err_free(err);
	cas_store_close(s);
}

Test(store, what_was_deleted_and_can_be_made_again_is)
{
	cas_store_close(scratch_open(dir));
	cr_assert_eq(rmdir(scratch_path(dir, "snapshots")), 0);
	cr_assert_eq(rmdir(scratch_path(dir, "tmp")), 0);
	cas_store_close(scratch_open(dir));
	cr_expect_eq(access(scratch_path(dir, "snapshots"), F_OK), 0);
	cr_expect_eq(access(scratch_path(dir, "tmp"), F_OK), 0);
}

Test(store, temporary_directories_go_with_their_process)
{
	struct stv_err *err = NULL;
	char *a = NULL, *b = NULL;
	int fd_a = -1, fd_b = -1;
	struct cas_store *s;

	cas_store_close(scratch_open(dir));
	s = scratch_open(dir);
	cr_expect_eq(scratch_count(dir, "tmp"), 0, "none until one is needed");
	ok(cas_store_tmpdir(s, &a, &fd_a, &err), err);
	ok(cas_store_tmpdir(s, &b, &fd_b, &err), err);
	cr_expect_str_neq(a, b);
	cr_expect_eq(access(scratch_path(dir, a), F_OK), 0);
	cr_expect_eq(scratch_count(dir, "tmp"), 1);
	(void)close(fd_a);
	(void)close(fd_b);
	free(a);
	free(b);
	cas_store_close(s);
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
}

/* A child that makes a temporary tree and waits to be killed. */
static pid_t
start_holder(void)
{
	struct stv_err *err = NULL;
	struct cas_store *s;
	char *name = NULL;
	int pipe_fds[2], fd = -1;
	pid_t pid;
	char c;

	cr_assert_eq(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		s = scratch_open(dir);
		if (cas_store_tmpdir(s, &name, &fd, &err) < 0 ||
		    mkdirat(fd, "deep", 0) < 0 ||
		    write(pipe_fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	cr_assert_eq(read(pipe_fds[0], &c, 1), 1);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return pid;
}

Test(store, the_next_command_removes_what_a_killed_one_left)
{
	pid_t pid = start_holder();

	cas_store_close(scratch_open(dir));
	cr_expect_eq(scratch_count(dir, "tmp"), 1, "it lives");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	cas_store_close(scratch_open(dir));
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
}

Test(store, a_directory_without_a_lock_file_is_removed)
{
	cas_store_close(scratch_open(dir));
	cr_assert_eq(mkdir(scratch_path(dir, "tmp/1-0-0"), 0700), 0);
	cr_assert_eq(symlink("/", scratch_path(dir, "tmp/link")), 0);
	cas_store_close(scratch_open(dir));
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
}

Test(store, a_lease_keeps_the_collector_out)
{
	struct cas_store *s = scratch_open(dir), *t = scratch_open(dir);
	struct cas_lease *a = NULL, *b = NULL;
	struct stv_err *err = NULL;
	int fd = -1;

	ok(cas_lease_take(s, &a, &err), err);
	ok(cas_lease_take(t, &b, &err), err);
	cr_expect_eq(cas_lease_exclusive(s, 0, &fd, &err), 1);
	cas_lease_drop(a);
	cr_expect_eq(cas_lease_exclusive(s, 60, &fd, &err), 1);
	cas_lease_drop(b);
	cr_assert_eq(cas_lease_exclusive(s, 0, &fd, &err), 0);
	(void)close(fd);
	cas_store_close(s);
	cas_store_close(t);
}

Test(store, one_holder_a_key_and_nothing_left_behind)
{
	struct cas_store *s = scratch_open(dir), *t = scratch_open(dir);
	struct stv_err *err = NULL;
	int a = -1, b = -1, c = -1;

	ok(cas_key_trylock(s, "aa", &a, &err), err);
	cr_expect_eq(cas_key_trylock(t, "aa", &b, &err), 1);
	cr_expect_eq(cas_key_trylock(t, "ab", &c, &err), 0);
	(void)close(a);
	cr_expect_eq(cas_key_trylock(t, "aa", &b, &err), 0);
	(void)close(b);
	(void)close(c);
	cas_store_close(s);
	cas_store_close(t);
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
}

Test(store, the_lock_of_a_key_dies_with_its_holder)
{
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;
	int pipe_fds[2], fd = -1;
	pid_t pid;
	char c;

	cr_assert_eq(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		struct cas_store *t = scratch_open(dir);

		if (cas_key_trylock(t, "k", &fd, &err) != 0 ||
		    write(pipe_fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	cr_assert_eq(read(pipe_fds[0], &c, 1), 1);
	cr_expect_eq(cas_key_trylock(s, "k", &fd, &err), 1);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	cr_expect_eq(cas_key_trylock(s, "k", &fd, &err), 0);
	(void)close(fd);
	cas_store_close(s);
}

Test(store, eight_processes_make_the_same_store_at_once)
{
	int failed = 0, status;
	pid_t pids[8];

	for (size_t i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct cas_store *s = scratch_open(dir);
			char text[32];

			(void)snprintf(text, sizeof(text), "layer %zu", i);
			(void)scratch_image(s, text, "docker.io/library/x:1");
			cas_store_close(s);
			_exit(0);
		}
	}
	for (size_t i = 0; i < 8; i++) {
		(void)waitpid(pids[i], &status, 0);
		failed += status != 0;
	}
	cr_expect_eq(failed, 0);
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 24);
}

/* How long a cleaner is kept busy, so that its steps can be watched. */
#define MANY_FILES 20000

/* A directory of a dead process: ${n} files and a lock that nobody holds. */
static int
dead_directory(const char *path, int n)
{
	int fd, file;

	cr_assert_eq(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	for (int i = 0; i <= n; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), i < n ? "f%d" : "lock", i);
		file = openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		cr_assert_geq(file, 0);
		(void)close(file);
	}
	return fd;
}

Test(store, a_directory_loses_its_name_before_its_lock_file)
{
	char path[4200];
	bool had_name = false;
	int fd, status = 1;
	pid_t pid;

	cas_store_close(scratch_open(dir));
	(void)snprintf(path, sizeof(path), "%s/tmp/1-dead-1", dir);
	fd = dead_directory(path, MANY_FILES);
	pid = fork();
	if (pid == 0) {
		cas_store_close(scratch_open(dir));
		_exit(0);
	}
	/* Without a lock file its maker could take it again: by no name then.
	 */
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (faccessat(fd, "lock", F_OK, 0) < 0 &&
		    access(path, F_OK) == 0)
			had_name = true;
	(void)close(fd);
	cr_expect_eq(status, 0);
	cr_expect_not(had_name);
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
}

/* Where index.json cannot be written: what else the dead one left is space. */
Test(store, what_a_dead_process_left_goes_before_its_index_is_written)
{
	struct rlimit none = {0, RLIM_INFINITY};
	char path[4200], index[4200];
	int fd, status = 1;
	pid_t pid;

	cas_store_close(scratch_open(dir));
	(void)snprintf(path, sizeof(path), "%s/tmp/1-dead-1", dir);
	(void)snprintf(index, sizeof(index), "%s/index.json", dir);
	fd = dead_directory(path, 10);
	(void)close(
		openat(fd, CAS_STALE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	cr_expect(unlink(index) == 0 || errno == ENOENT);
	pid = fork();
	if (pid == 0) {
		(void)signal(SIGXFSZ, SIG_IGN); /* as main() does */
		if (setrlimit(RLIMIT_FSIZE, &none) < 0)
			_exit(1);
		cas_store_close(scratch_open(dir));
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	cr_expect_eq(status, 0);
	cr_expect_eq(scratch_count(path, "."), 2, "the lock and the note");
	(void)close(fd);
	cas_store_close(scratch_open(dir));
	cr_expect_eq(access(index, F_OK), 0);
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
}

/* A process that opens and closes the store, as many short builds do. */
static int
come_and_go(size_t rounds)
{
	struct stv_err *err = NULL;

	for (size_t i = 0; i < rounds; i++) {
		struct cas_store *s = scratch_open(dir);
		char *name = NULL;
		int fd = -1;

		if (cas_store_tmpdir(s, &name, &fd, &err) < 0) {
			stv_err_free(err);
			cas_store_close(s);
			return 1;
		}
		(void)close(fd);
		free(name);
		cas_store_close(s);
	}
	return 0;
}

Test(store, nobody_cleans_away_what_a_starting_process_has_just_made)
{
	int failed = 0, status;
	pid_t pids[8];

	cas_store_close(scratch_open(dir));
	for (size_t i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(come_and_go(400));
	}
	for (size_t i = 0; i < 8; i++) {
		(void)waitpid(pids[i], &status, 0);
		failed += status != 0;
	}
	cr_expect_eq(failed, 0);
	cas_store_close(scratch_open(dir));
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
}

Test(store, default_root_follows_the_environment)
{
	char *root;

	(void)setenv("STAVE_ROOT", "/some/where", 1);
	root = cas_store_default_root();
	cr_expect_str_eq(root, "/some/where");
	free(root);
	(void)unsetenv("STAVE_ROOT");
	if (geteuid() == 0) {
		root = cas_store_default_root();
		cr_expect_str_eq(root, "/var/lib/stave");
		free(root);
		return;
	}
	(void)setenv("XDG_DATA_HOME", "relative", 1);
	(void)setenv("HOME", "/home/u", 1);
	root = cas_store_default_root();
	cr_expect_str_eq(root, "/home/u/.local/share/stave");
	free(root);
}
