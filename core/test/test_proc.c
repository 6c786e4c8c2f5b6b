/* core/test/test_proc.c - running another program. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/cancel.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/proc.h"

static char *const no_env[] = {NULL};

static int
sh(const char *script, struct stv_proc_result *ret, struct stv_err **err)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct stv_proc_opts o = {
		.argv = argv, .env = no_env, .dirfd = -1};

	return stv_proc_run(&o, ret, err);
}

Test(proc, output_status_and_complaints)
{
	struct stv_proc_result r;
	struct stv_err *err = NULL;

	cr_assert_eq(sh("echo out; echo bad >&2; exit 7", &r, &err), 0);
	cr_expect_eq(r.status, 7);
	cr_expect_str_eq(stv_buf_str(&r.output), "out\n");
	cr_expect_str_eq(stv_buf_str(&r.errors), "bad\n");
	stv_proc_result_fini(&r);
	cr_assert_eq(sh("kill -9 $$", &r, &err), 0);
	cr_expect_eq(r.status, 137);
	stv_proc_result_fini(&r);
}

Test(proc, it_gets_nothing_but_what_is_given)
{
	char *const env[] = {(char[]){"A=b"}, NULL};
	const char *const argv[] = {"sh", "-c",
				    "echo $A $HOME; read x; echo $?; pwd; "
				    "ls /proc/self/fd | wc -l",
				    NULL};
	struct stv_proc_opts o = {.argv = argv, .env = env};
	int open_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stv_proc_result r;
	struct stv_err *err = NULL;

	setenv("HOME", "/secret", 1);
	o.dirfd = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(stv_proc_run(&o, &r, &err), 0);
	/* Three, and the one that ls itself reads. */
	cr_expect_str_eq(stv_buf_str(&r.output), "b\n1\n/usr\n4\n");
	stv_proc_result_fini(&r);
	close(o.dirfd);
	close(open_fd);
}

Test(proc, it_reads_what_it_is_given)
{
	const char *const argv[] = {"cat", NULL};
	struct stv_proc_opts o = {.argv = argv, .env = no_env, .dirfd = -1};
	struct stv_proc_result r;
	struct stv_err *err = NULL;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_eq(write(fds[1], "words", 5), 5);
	(void)close(fds[1]);
	o.input = fds[0];
	cr_assert_eq(stv_proc_run(&o, &r, &err), 0);
	cr_expect_str_eq(stv_buf_str(&r.output), "words");
	cr_expect_eq(close(fds[0]), 0, "it is the caller's");
	stv_proc_result_fini(&r);
}

Test(proc, of_its_last_words_nothing_acts_on_a_terminal)
{
	struct stv_proc_result r;
	struct stv_buf words = STV_BUF_INIT(4096);
	struct stv_err *err = NULL;

	cr_assert_eq(sh("printf 'a\nb\n\nc\033[2J\nd\n\n' >&2", &r, &err), 0);
	stv_proc_last_words(&r, &words);
	cr_expect_str_eq(stv_buf_str(&words), "b; c\\x1b[2J; d");
	stv_buf_fini(&words);
	stv_proc_result_fini(&r);
}

Test(proc, what_is_not_there_is_said)
{
	const char *const argv[] = {"no-such-program-anywhere", NULL};
	const struct stv_proc_opts o = {
		.argv = argv, .env = no_env, .dirfd = -1};
	struct stv_proc_result r;
	struct stv_err *err = NULL;

	cr_assert_eq(stv_proc_run(&o, &r, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	cr_expect(strstr(stv_err_msg(err), "no-such-program-anywhere") != NULL);
	stv_err_clear(&err);
	/* A part that is no absolute path is no place to take programs from. */
	setenv("PATH", ".:", 1);
	cr_expect_eq(sh("true", &r, &err), -1);
	stv_err_clear(&err);
}

Test(proc, only_programs_are_found)
{
	char dir[] = "/tmp/stave-proc.XXXXXX", path[64];
	char *found = NULL;
	struct stv_err *err = NULL;

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sh", dir);
	cr_assert_eq(mkdir(path, 0755), 0);
	/* Neither a directory of that name, nor what lies in the root. */
	(void)setenv("PATH", dir, 1);
	cr_expect_eq(stv_proc_find("sh", &found, &err), -1);
	stv_err_clear(&err);
	(void)setenv("PATH", ":", 1);
	cr_expect_eq(stv_proc_find("bin/sh", &found, &err), -1);
	stv_err_clear(&err);
	(void)setenv("PATH", "/bin", 1);
	cr_expect_eq(stv_proc_find("sh", &found, &err), 0);
	cr_expect_str_eq(found, "/bin/sh");
	free(found);
	(void)rmdir(path);
	(void)rmdir(dir);
}

/* A status of 127 would not say whose it is. */
Test(proc, why_it_cannot_be_executed_is_told)
{
	char dir[] = "/tmp/stave-proc.XXXXXX", path[64];
	const char *const argv[] = {"bad", NULL};
	struct stv_proc_opts o = {.argv = argv, .env = no_env, .dirfd = -1};
	struct stv_proc_result r;
	struct stv_err *err = NULL;
	int fd;

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/bad", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	cr_assert_eq(write(fd, "no program\n", 11), 11);
	close(fd);
	(void)setenv("PATH", dir, 1);
	cr_assert_eq(stv_proc_run(&o, &r, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_IO);
	cr_expect_eq(strncmp(stv_err_msg(err), "cannot run /tmp/", 16), 0);
	cr_expect(strstr(stv_err_msg(err), ": Exec format error") != NULL);
	stv_err_clear(&err);
	(void)unlink(path);
	(void)rmdir(dir);
}

Test(proc, output_is_bounded)
{
	const char *const argv[] = {"sh", "-c", "while :; do echo yes; done",
				    NULL};
	const struct stv_proc_opts o = {
		.argv = argv, .env = no_env, .dirfd = -1, .max_output = 100000};
	struct stv_proc_result r;
	struct stv_err *err = NULL;

	cr_assert_eq(stv_proc_run(&o, &r, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_clear(&err);
}

Test(proc, of_complaints_the_end_is_kept)
{
	struct stv_proc_result r;
	struct stv_err *err = NULL;

	cr_assert_eq(sh("i=0; while [ $i -lt 5000 ]; do echo line $i >&2; "
			"i=$((i+1)); done",
			&r, &err),
		     0);
	cr_expect_leq(r.errors.len, STV_MAX_PROC_ERRORS);
	cr_expect(strstr(stv_buf_str(&r.errors), "line 4999\n") != NULL);
	stv_proc_result_fini(&r);
}

/* It may be the zombie of an init that takes its time. */
static bool
is_alive(pid_t pid)
{
	char path[64], state = 'Z';
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	cr_assert_eq(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
	(void)fclose(f);
	return state != 'Z' && state != 'X';
}

/* A daemon that keeps the pipes open is ended, and nobody waits for it. */
Test(proc, what_it_leaves_behind_goes, .timeout = 20)
{
	struct stv_proc_result r;
	struct stv_err *err = NULL;
	pid_t pid;

	cr_assert_eq(sh("sleep 1000 & echo $!", &r, &err), 0);
	pid = (pid_t)strtol(stv_buf_str(&r.output), NULL, 10);
	cr_assert_gt(pid, 1);
	for (int i = 0; i < 100 && is_alive(pid); i++)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	cr_expect_not(is_alive(pid));
	cr_expect_eq(r.status, 0);
	stv_proc_result_fini(&r);
}

static void *
cancel_soon(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	stv_cancel_set(true);
	return NULL;
}

Test(proc, the_wish_to_end_ends_it, .timeout = 20)
{
	struct stv_proc_result r;
	struct stv_err *err = NULL;
	struct timespec a, b;
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, cancel_soon, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	cr_assert_eq(sh("trap '' TERM; sleep 1000; sleep 1000", &r, &err), -1);
	clock_gettime(CLOCK_MONOTONIC, &b);
	cr_expect_eq(stv_err_code(err), STV_E_CANCELLED);
	cr_expect_lt(b.tv_sec - a.tv_sec, 5);
	pthread_join(t, NULL);
	stv_cancel_set(false);
	stv_err_clear(&err);
}

Test(proc, signals_are_caught_and_let_go)
{
	struct stv_err *err = NULL;
	struct sigaction before, after;

	sigaction(SIGTERM, NULL, &before);
	stv_cancel_catch(true);
	cr_assert_eq(raise(SIGTERM), 0);
	cr_expect_eq(stv_cancel_check(&err), -1);
	cr_expect_eq(stv_cancel_signal(), SIGTERM);
	stv_err_clear(&err);
	stv_cancel_catch(false);
	cr_expect_eq(stv_cancel_check(&err), 0);
	sigaction(SIGTERM, NULL, &after);
	cr_expect_eq(before.sa_handler, after.sa_handler);
}
