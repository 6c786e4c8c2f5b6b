/* cache/test/test_blob.c - blobs: whole or not there, never something else. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/stream.h"

#include "cache/store_internal.h"
#include "cache/test/scratch.h"

static char *dir;
static struct cas_store *store;

static void
begin(void)
{
	dir = scratch_dir();
	store = scratch_open(dir);
}

static void
end(void)
{
	cas_store_close(store);
	scratch_end(dir);
}

TestSuite(blob, .init = begin, .fini = end);

Test(blob, is_found_under_the_digest_of_its_bytes)
{
	struct stv_buf got = STV_BUF_INIT(100);
	struct stv_err *err = NULL;
	struct stv_digest want = stv_digest_of("hello", 5);
	struct stv_digest d = scratch_blob(store, "hello");
	uint64_t size = 0;
	int fd = -1;

	cr_expect(stv_digest_equal(&d, &want));
	cr_expect(cas_blob_has(store, &d));
	ok(cas_blob_open(store, &d, &fd, &size, &err), err);
	cr_expect_eq(size, 5);
	(void)close(fd);
	ok(cas_blob_read(store, &d, 100, &got, &err), err);
	cr_expect_str_eq(stv_buf_str(&got), "hello");
	stv_buf_fini(&got);
}

Test(blob, nothing_is_visible_before_the_commit)
{
	struct stv_digest d = stv_digest_of("hello", 5);
	struct cas_writer *w = NULL;
	struct stv_err *err = NULL;

	ok(cas_writer_open(store, 100, &w, &err), err);
	ok(cas_writer_write(w, "hello", 5, &err), err);
	cr_expect_not(cas_blob_has(store, &d));
	cas_writer_close(w);
	cr_expect_not(cas_blob_has(store, &d));
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 0);
	cr_expect_eq(scratch_count(dir, store->own_name), 1, "only the lock");
}

Test(blob, a_wrong_digest_leaves_nothing_behind)
{
	struct stv_digest want = stv_digest_of("something else", 14), got;
	struct cas_writer *w = NULL;
	struct stv_err *err = NULL;

	ok(cas_writer_open(store, 100, &w, &err), err);
	ok(cas_writer_write(w, "hello", 5, &err), err);
	cr_assert_eq(cas_writer_commit(w, &want, &got, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_DIGEST);
	stv_err_free(err);
	cas_writer_close(w);
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 0);
	cr_expect_eq(scratch_count(dir, store->own_name), 1, "only the lock");
}

Test(blob, the_limit_is_a_byte_sharp)
{
	struct cas_writer *w = NULL;
	struct stv_err *err = NULL;

	ok(cas_writer_open(store, 5, &w, &err), err);
	ok(cas_writer_write(w, "hel", 3, &err), err);
	ok(cas_writer_write(w, "lo", 2, &err), err);
	cr_assert_eq(cas_writer_write(w, "!", 1, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_clear(&err);
	cr_expect_eq(cas_writer_size(w), 5);
	cr_expect_eq(cas_writer_copy_range(w, 0, 0, UINT64_MAX, &err), -1);
	stv_err_free(err);
	cas_writer_close(w);
}

/* Pieces of every size around the buffer's, by write, sink and copy. */
Test(blob, pieces_of_any_size_make_the_same_bytes)
{
	static const size_t sizes[] = {
		1, 511, 512, 262143, 262144, 262145, 524288, 3, 1000000, 7, 0};
	size_t total = 0, at = 0;
	struct cas_writer *w = NULL;
	struct stv_err *err = NULL;
	struct stv_digest got, want;
	uint8_t *data;
	FILE *f = tmpfile();

	for (size_t i = 0; i < STV_ARRAY_LEN(sizes); i++)
		total += sizes[i];
	data = stv_xmalloc(total);
	for (size_t i = 0; i < total; i++)
		data[i] = (uint8_t)(i * 2654435761U >> 13);
	cr_assert_eq(fwrite(data, 1, total, f), total);
	cr_assert_eq(fflush(f), 0);
	ok(cas_writer_open(store, total, &w, &err), err);
	for (size_t i = 0; i < STV_ARRAY_LEN(sizes); i++) {
		struct stv_sink *sink = cas_writer_sink(w);

		if (i % 3 == 0)
			ok(cas_writer_write(w, data + at, sizes[i], &err), err);
		else if (i % 3 == 1)
			ok(cas_writer_copy_range(w, fileno(f), at, sizes[i],
						 &err),
			   err);
		else
			ok(sink->write(sink, data + at, sizes[i], &err), err);
		at += sizes[i];
		cr_expect_eq(cas_writer_size(w), at);
	}
	want = stv_digest_of(data, total);
	ok(cas_writer_commit(w, &want, &got, &err), err);
	cas_writer_close(w);
	(void)fclose(f);
	free(data);
}

Test(blob, a_file_that_becomes_shorter_is_said)
{
	struct cas_writer *w = NULL;
	struct stv_err *err = NULL;
	FILE *f = tmpfile();

	cr_assert_eq(fputs("four", f) >= 0 && fflush(f) == 0, 1);
	ok(cas_writer_open(store, 100, &w, &err), err);
	cr_assert_eq(cas_writer_copy_range(w, fileno(f), 0, 5, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_INPUT);
	stv_err_free(err);
	cas_writer_close(w);
	(void)fclose(f);
}

Test(blob, the_same_twice_is_success)
{
	struct stv_digest a = scratch_blob(store, "x");
	struct cas_writer *w = NULL;
	struct stv_err *err = NULL;
	struct stv_digest b;

	ok(cas_writer_open(store, 1, &w, &err), err);
	ok(cas_writer_write(w, "x", 1, &err), err);
	ok(cas_writer_commit(w, &a, &b, &err), err);
	cas_writer_close(w);
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 1);
}

/* Replace the bytes of a blob behind the store's back. */
static void
damage(const struct stv_digest *d, const char *text)
{
	char hex[STV_DIGEST_STR_MAX];
	char *path = stv_xasprintf("%s/blobs/sha256/%s", dir,
				   stv_digest_hex(d, hex));
	int fd;

	cr_assert_eq(chmod(path, 0600), 0);
	fd = open(path, O_WRONLY | O_TRUNC);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	free(path);
}

Test(blob, a_damaged_one_is_not_given_out)
{
	struct stv_buf got = STV_BUF_INIT(100);
	struct stv_err *err = NULL;
	struct stv_digest d = scratch_blob(store, "hello");

	damage(&d, "hellp");
	cr_assert_eq(cas_blob_read(store, &d, 100, &got, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_DIGEST);
	cr_expect_eq(got.len, 0);
	stv_buf_fini(&got);
	stv_err_free(err);
}

Test(blob, a_truncated_one_is_replaced_when_it_is_made_again)
{
	struct stv_buf got = STV_BUF_INIT(100);
	struct stv_err *err = NULL;
	struct stv_digest d = scratch_blob(store, "hello");

	damage(&d, "hel");
	(void)scratch_blob(store, "hello");
	ok(cas_blob_read(store, &d, 100, &got, &err), err);
	stv_buf_fini(&got);
}

Test(blob, one_that_is_missing_is_not_found)
{
	struct stv_digest d = stv_digest_of("no", 2);
	struct stv_err *err = NULL;
	int fd = -1;

	cr_assert_eq(cas_blob_open(store, &d, &fd, NULL, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_free(err);
}

/* Write ${n} MiB; 0, or the errno that the failure began with. */
static int
write_much(struct cas_store *s, size_t n)
{
	static uint8_t mib[1 << 20];
	struct cas_writer *w = NULL;
	struct stv_err *err = NULL;
	struct stv_digest d;
	int result = 0;

	if (cas_writer_open(s, UINT64_MAX, &w, &err) < 0)
		return stv_err_errno(err);
	for (size_t i = 0; result == 0 && i < n; i++) {
		memset(mib, (int)i, sizeof(mib));
		result = cas_writer_write(w, mib, sizeof(mib), &err);
	}
	if (result == 0)
		result = cas_writer_commit(w, NULL, &d, &err);
	if (result < 0) {
		result = stv_err_errno(err);
		stv_err_free(err);
	}
	cas_writer_close(w);
	return result;
}

Test(blob, a_file_size_limit_is_an_error_and_no_signal)
{
	struct rlimit rl = {(rlim_t)2 << 20, (rlim_t)2 << 20};

	(void)signal(SIGXFSZ, SIG_IGN); /* as main() does */
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &rl), 0);
	cr_expect_eq(write_much(store, 4), EFBIG);
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 0);
	cr_expect_eq(scratch_count(dir, store->own_name), 1, "only the lock");
}

/* In a child of its own: Criterion's process has threads. */
static int
on_full_disk(void)
{
	struct cas_store_opts opts = {.is_sync = true};
	struct cas_store *s = NULL;
	struct stv_err *err = NULL;
	struct stv_digest d;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=4m,mode=0700") < 0)
		return 77;
	if (cas_store_open(dir, &opts, &s, &err) < 0)
		return 1;
	if (write_much(s, 8) != ENOSPC)
		return 2;
	if (scratch_count(dir, "blobs/sha256") != 0)
		return 3;
	/* The space is free again, in the same process. */
	if (cas_blob_put(s, "x", 1, &d, &err) < 0)
		return 4;
	cas_store_close(s);
	return scratch_count(dir, "tmp") == 0 ? 0 : 5;
}

Test(blob, a_full_disk_is_an_error_and_gives_its_space_back)
{
	int status = 0;
	pid_t pid;

	cas_store_close(store);
	store = NULL;
	pid = fork();
	if (pid == 0)
		_exit(on_full_disk());
	(void)waitpid(pid, &status, 0);
	store = scratch_open(dir);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("mounts are not allowed here");
	cr_expect_eq(status, 0, "status 0x%x", (unsigned int)status);
}

Test(blob, eight_processes_write_the_same_ones)
{
	struct stv_err *err = NULL;
	int failed = 0, status;
	pid_t pids[8];

	for (size_t i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct cas_store *s = scratch_open(dir);
			int r = 0;

			for (size_t j = 0; r == 0 && j < 3; j++)
				r = write_much(s, j + 1);
			cas_store_close(s);
			_exit(r != 0);
		}
	}
	for (size_t i = 0; i < 8; i++) {
		(void)waitpid(pids[i], &status, 0);
		failed += status != 0;
	}
	cr_expect_eq(failed, 0);
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 3);
	ok(cas_store_sync(store, &err), err);
}

/* Kill a writer at many moments; what is visible is always whole. */
Test(blob, a_kill_leaves_whole_blobs_only)
{
	for (unsigned int i = 0; i < 12; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct cas_store *s = scratch_open(dir);

			for (size_t n = 1;; n++)
				(void)write_much(s, n % 3 + 1);
		}
		(void)usleep(2000 + i * 700);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	cas_store_close(store);
	store = scratch_open(dir);
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
	for (size_t n = 1; n <= 3; n++) {
		struct stv_buf got = STV_BUF_INIT((size_t)4 << 20);
		struct stv_err *err = NULL;
		uint8_t *mib = stv_xmalloc(n << 20);
		struct stv_digest d;

		for (size_t i = 0; i < n; i++)
			memset(mib + (i << 20), (int)i, 1 << 20);
		d = stv_digest_of(mib, n << 20);
		if (cas_blob_has(store, &d))
			ok(cas_blob_read(store, &d, (size_t)4 << 20, &got,
					 &err),
			   err);
		stv_buf_fini(&got);
		free(mib);
	}
}

Test(blob, what_a_no_sync_command_left_is_flushed_by_the_next)
{
	struct cas_store_opts opts = {.is_sync = true};
	struct cas_store *s = NULL;
	struct stv_err *err = NULL;

	(void)scratch_blob(store, "loose");
	cr_expect_eq(access(scratch_path(dir, "unsynced"), F_OK), 0);
	ok(cas_store_open(dir, &opts, &s, &err), err);
	ok(cas_store_sync(s, &err), err);
	cr_expect_eq(access(scratch_path(dir, "unsynced"), F_OK), -1);
	cas_store_close(s);
}
