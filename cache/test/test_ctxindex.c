/* cache/test/test_ctxindex.c - the context index: never a stale digest. */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/ctxindex.h"
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

TestSuite(ctxindex, .init = begin, .fini = end);

static struct cas_ctxindex *
open_index(void)
{
	struct cas_ctxindex *x = NULL;
	struct stv_err *err = NULL;

	ok(cas_ctxindex_open(store, "/some/context", &x, &err), err);
	return x;
}

static void
save_close(struct cas_ctxindex *x)
{
	struct stv_err *err = NULL;

	ok(cas_ctxindex_save(x, &err), err);
	cas_ctxindex_close(x);
}

/* A file that was changed long ago. */
static struct stat
old_file(uint64_t ino)
{
	struct stat st = {0};

	st.st_mode = S_IFREG | 0644;
	st.st_size = 5;
	st.st_ino = ino;
	st.st_dev = 3;
	st.st_mtim = (struct timespec){1600000000, 123};
	st.st_ctim = (struct timespec){1600000001, 456};
	return st;
}

Test(ctxindex, what_was_recorded_is_found_again)
{
	struct cas_ctxindex *x = open_index();
	struct stv_digest d = stv_digest_of("x", 1), got;
	struct stat st = old_file(1);

	cr_expect_eq(cas_ctxindex_lookup(x, "a/b", &st, &got), 0);
	cas_ctxindex_record(x, "a/b", &st, &d);
	save_close(x);
	x = open_index();
	cr_assert_eq(cas_ctxindex_lookup(x, "a/b", &st, &got), 1);
	cr_expect(stv_digest_equal(&got, &d));
	cr_expect_eq(cas_ctxindex_lookup(x, "a", &st, &got), 0);
	cr_expect_eq(cas_ctxindex_lookup(x, "a/b/c", &st, &got), 0);
	cas_ctxindex_close(x);
}

Test(ctxindex, any_change_of_the_stat_is_a_miss)
{
	struct cas_ctxindex *x = open_index();
	struct stv_digest d = stv_digest_of("x", 1), got;
	struct stat st = old_file(1), t;

	cas_ctxindex_record(x, "f", &st, &d);
	save_close(x);
	x = open_index();
#define MISS(change)                                                           \
	t = st;                                                                \
	change;                                                                \
	cr_expect_eq(cas_ctxindex_lookup(x, "f", &t, &got), 0, #change)
	MISS(t.st_size++);
	MISS(t.st_ino++);
	MISS(t.st_dev++);
	MISS(t.st_mode ^= 1);
	MISS(t.st_mtim.tv_nsec++);
	MISS(t.st_mtim.tv_sec++);
	MISS(t.st_ctim.tv_nsec++);
	MISS(t.st_ctim.tv_sec++);
	cr_expect_eq(cas_ctxindex_lookup(x, "f", &st, &got), 1);
	cas_ctxindex_close(x);
}

static int
is_kept_after(const struct stat *st)
{
	struct cas_ctxindex *x = open_index();
	struct stv_digest d = stv_digest_of("x", 1);
	int r;

	cas_ctxindex_record(x, "f", st, &d);
	save_close(x);
	x = open_index();
	r = cas_ctxindex_lookup(x, "f", st, &d);
	cas_ctxindex_close(x);
	return r;
}

Test(ctxindex, what_has_just_changed_is_not_remembered)
{
	struct stat st = old_file(1);
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	st.st_ctim = now;
	cr_expect_eq(is_kept_after(&st), 0, "changed now");
	st = old_file(2);
	st.st_mtim = now;
	st.st_mtim.tv_sec += 1000;
	cr_expect_eq(is_kept_after(&st), 0, "mtime in the future");
	st = old_file(3);
	st.st_ctim = (struct timespec){now.tv_sec - 1, 0};
	cr_expect_eq(is_kept_after(&st), 0, "the clock of FAT");
	st = old_file(4);
	cr_expect_eq(is_kept_after(&st), 1);
}

Test(ctxindex, only_regular_files_are_kept)
{
	struct stat st = old_file(1);

	st.st_mode = S_IFIFO | 0644;
	cr_expect_eq(is_kept_after(&st), 0);
}

Test(ctxindex, new_entries_join_the_old_ones)
{
	struct stv_digest d, got;
	struct stat st;

	/* In an order that makes each save merge before, between and behind. */
	for (unsigned int round = 0; round < 7; round++) {
		struct cas_ctxindex *x = open_index();

		for (unsigned int i = round; i < 200; i += 7) {
			char path[16];

			(void)snprintf(path, sizeof(path), "f%u", i * 37 % 200);
			st = old_file(i * 37 % 200);
			d = stv_digest_of(path, strlen(path));
			cas_ctxindex_record(x, path, &st, &d);
			/* Twice: the last one stands. */
			cas_ctxindex_record(x, path, &st, &d);
		}
		save_close(x);
	}
	for (unsigned int i = 0; i < 200; i++) {
		struct cas_ctxindex *x = open_index();
		char path[16];

		(void)snprintf(path, sizeof(path), "f%u", i);
		st = old_file(i);
		d = stv_digest_of(path, strlen(path));
		cr_assert_eq(cas_ctxindex_lookup(x, path, &st, &got), 1, "%s",
			     path);
		cr_expect(stv_digest_equal(&d, &got));
		cas_ctxindex_close(x);
	}
}

Test(ctxindex, a_new_record_replaces_the_old_one)
{
	struct stv_digest d = stv_digest_of("new", 3), got;
	struct stat st = old_file(1), t = old_file(2);
	struct cas_ctxindex *x;

	cr_expect_eq(is_kept_after(&st), 1);
	x = open_index();
	cas_ctxindex_record(x, "f", &t, &d);
	save_close(x);
	x = open_index();
	cr_expect_eq(cas_ctxindex_lookup(x, "f", &st, &got), 0);
	cr_expect_eq(cas_ctxindex_lookup(x, "f", &t, &got), 1);
	cr_expect(stv_digest_equal(&got, &d));
	cas_ctxindex_close(x);
}

static int64_t
changed_at(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	return (int64_t)st.st_ino;
}

/* The one file below context/. */
static const char *
index_file(void)
{
	struct stv_digest d = stv_digest_of("/some/context", 13);
	char hex[STV_DIGEST_STR_MAX], name[STV_DIGEST_STR_MAX + 16];

	(void)snprintf(name, sizeof(name), "context/%s",
		       stv_digest_hex(&d, hex));
	return scratch_path(dir, name);
}

Test(ctxindex, it_is_written_only_when_something_changed)
{
	struct stat st = old_file(1);
	struct stv_digest got;
	struct cas_ctxindex *x;
	int64_t before;

	x = open_index();
	save_close(x);
	cr_expect_eq(access(index_file(), F_OK), -1);
	cr_expect_eq(is_kept_after(&st), 1);
	before = changed_at(index_file());
	x = open_index();
	cr_expect_eq(cas_ctxindex_lookup(x, "f", &st, &got), 1);
	save_close(x);
	cr_expect_eq(changed_at(index_file()), before);
}

Test(ctxindex, entries_that_nobody_asks_for_are_forgotten)
{
	struct stat st = old_file(1), t = old_file(2);
	struct stv_digest d = stv_digest_of("x", 1), got;
	struct cas_ctxindex *x;

	cr_expect_eq(is_kept_after(&st), 1);
	for (int i = 0; i < 20; i++) {
		x = open_index();
		cas_ctxindex_record(x, "g", &t, &d);
		save_close(x);
	}
	x = open_index();
	cr_expect_eq(cas_ctxindex_lookup(x, "f", &st, &got), 0);
	cr_expect_eq(cas_ctxindex_lookup(x, "g", &t, &got), 1);
	cas_ctxindex_close(x);
}

/* Truncated anywhere, or with any byte flipped, it is an empty index. */
Test(ctxindex, a_damaged_file_is_an_empty_index)
{
	struct stat st = old_file(1), file;
	struct cas_ctxindex *x;
	struct stv_digest got;
	char data[4096];
	ssize_t n;
	int fd;

	cr_expect_eq(is_kept_after(&st), 1);
	fd = open(index_file(), O_RDWR);
	n = read(fd, data, sizeof(data));
	cr_assert(n > 0 && fstat(fd, &file) == 0);
	for (ssize_t i = 0; i < n; i++) {
		data[i] = (char)(data[i] ^ 0x10);
		cr_assert_eq(pwrite(fd, data, (size_t)n, 0), n);
		data[i] = (char)(data[i] ^ 0x10);
		x = open_index();
		cr_expect_eq(cas_ctxindex_lookup(x, "f", &st, &got), 0,
			     "byte %zd", i);
		cas_ctxindex_close(x);
	}
	cr_assert_eq(pwrite(fd, data, (size_t)n, 0), n);
	for (ssize_t i = n - 1; i >= 0; i--) {
		cr_assert_eq(ftruncate(fd, i), 0);
		x = open_index();
		cr_expect_eq(cas_ctxindex_lookup(x, "f", &st, &got), 0);
		cas_ctxindex_close(x);
	}
	(void)close(fd);
}
