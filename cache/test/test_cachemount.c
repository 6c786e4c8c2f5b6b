/* cache/test/test_cachemount.c - who gets which directory, and when it goes. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/cachemount.h"
#include "cache/gc.h"
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

TestSuite(cachemount, .init = begin, .fini = end);

static int n_fills;

static int
fill(void *arg, int fd, struct stv_err **err)
{
	int f;

	n_fills++;
	if (arg != NULL)
		return stv_fail(err, STV_E_INPUT, "no content");
	f = openat(fd, "first", O_WRONLY | O_CREAT, 0600);
	cr_assert(f >= 0);
	(void)close(f);
	return 0;
}

static struct cas_cachemount *
take(const char *name, enum cas_sharing sharing)
{
	struct stv_digest d = stv_digest_of(name, strlen(name));
	struct cas_cachemount_opts o = {
		.name = &d, .label = name, .sharing = sharing, .fill = fill};
	struct cas_cachemount *m = NULL;
	struct stv_err *err = NULL;
	int r = cas_cachemount_take(store, &o, &m, &err);

	ok(r, err);
	cr_expect_eq(r == 1, m == NULL);
	return m;
}

static ino_t
inode(const struct cas_cachemount *m)
{
	struct stat st;

	cr_assert_eq(fstat(cas_cachemount_fd(m), &st), 0);
	return st.st_ino;
}

static size_t
count(void)
{
	struct cas_cachemounts all = {0};
	struct stv_err *err = NULL;
	size_t n;

	ok(cas_cachemounts_read(store, &all, &err), err);
	n = all.list.len;
	cas_cachemounts_fini(&all);
	return n;
}

Test(cachemount, is_filled_once_and_kept)
{
	struct cas_cachemount *m = take("a", CAS_SHARING_SHARED);
	ino_t ino = inode(m);

	cr_expect_eq(faccessat(cas_cachemount_fd(m), "first", F_OK, 0), 0);
	cas_cachemount_release(m);
	for (int how = CAS_SHARING_SHARED; how <= CAS_SHARING_LOCKED; how++) {
		m = take("a", (enum cas_sharing)how);
		cr_expect_eq(inode(m), ino);
		cas_cachemount_release(m);
	}
	cr_expect_eq(n_fills, 1);
	m = take("b", CAS_SHARING_SHARED);
	cr_expect_neq(inode(m), ino);
	cas_cachemount_release(m);
	cas_cachemount_release(NULL);
}

Test(cachemount, sharing_decides_who_meets)
{
	struct cas_cachemount *a = take("a", CAS_SHARING_SHARED);
	struct cas_cachemount *b = take("a", CAS_SHARING_SHARED), *c;

	cr_expect_eq(inode(a), inode(b));
	cr_expect_null(take("a", CAS_SHARING_LOCKED));
	c = take("a", CAS_SHARING_PRIVATE);
	cr_expect_neq(inode(a), inode(c));
	cas_cachemount_release(a);
	cr_expect_null(take("a", CAS_SHARING_LOCKED));
	cas_cachemount_release(b);
	a = take("a", CAS_SHARING_LOCKED);
	cr_expect_not_null(a);
	cas_cachemount_release(c);
	/* The second directory is there, and free. */
	c = take("a", CAS_SHARING_LOCKED);
	cr_expect_not_null(c);
	cr_expect_neq(inode(a), inode(c));
	cas_cachemount_release(a);
	cas_cachemount_release(c);
	cr_expect_eq(count(), 2);
}

/* A process that was forked meanwhile has the lock's descriptor, too. */
Test(cachemount, what_is_released_is_free_at_once)
{
	struct cas_cachemount *m = take("a", CAS_SHARING_PRIVATE);
	ino_t ino = inode(m);
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			(void)pause();
	cas_cachemount_release(m);
	m = take("a", CAS_SHARING_PRIVATE);
	cr_expect_eq(inode(m), ino);
	cas_cachemount_release(m);
	cr_expect_eq(count(), 1);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

Test(cachemount, a_failed_fill_leaves_nothing)
{
	struct stv_digest d = stv_digest_of("x", 1);
	struct cas_cachemount_opts o = {
		.name = &d, .label = "x", .fill = fill, .arg = &d};
	struct cas_cachemount *m = NULL;
	struct stv_err *err = NULL;

	cr_assert_eq(cas_cachemount_take(store, &o, &m, &err), -1);
	cr_expect_str_eq(stv_err_msg(err), "no content");
	stv_err_clear(&err);
	cr_expect_eq(count(), 0);
	m = take("x", CAS_SHARING_SHARED);
	cr_expect_eq(n_fills, 2);
	cas_cachemount_release(m);
}

static void
set_age(const char *label, int64_t age_s)
{
	struct cas_cachemounts all = {0};
	struct timespec times[2] = {{.tv_sec = time(NULL) - age_s},
				    {.tv_sec = time(NULL) - age_s}};
	struct stv_err *err = NULL;
	char path[300];

	ok(cas_cachemounts_read(store, &all, &err), err);
	for (size_t i = 0; i < all.list.len; i++) {
		if (strcmp(all.list.v[i].label, label) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/lock",
			       CAS_CACHEMOUNTS, all.list.v[i].name);
		cr_assert_eq(utimensat(store->root_fd, path, times, 0), 0);
	}
	cas_cachemounts_fini(&all);
}

static void
put_bytes(struct cas_cachemount *m, size_t n)
{
	int fd =
		openat(cas_cachemount_fd(m), "bytes", O_WRONLY | O_CREAT, 0600);

	cr_assert_eq(posix_fallocate(fd, 0, (off_t)n), 0);
	(void)close(fd);
	cas_cachemount_release(m);
}

Test(cachemount, what_was_used_longest_ago_goes_first)
{
	struct cas_gc_opts o = {.cache = true, .until_s = time(NULL) - 1000};
	struct cas_gc_result res;
	struct stv_err *err = NULL;
	struct cas_df df;

	put_bytes(take("old", CAS_SHARING_SHARED), (size_t)4 << 20);
	put_bytes(take("older", CAS_SHARING_SHARED), (size_t)4 << 20);
	put_bytes(take("new", CAS_SHARING_SHARED), (size_t)4 << 20);
	set_age("old", 500);
	set_age("older", 2000);
	ok(cas_df(store, &df, &err), err);
	cr_expect_eq(df.n_cachemounts, 3);
	cr_expect_geq(df.cachemount_bytes, (uint64_t)12 << 20);
	ok(cas_gc(store, &o, &res, &err), err);
	cr_expect_eq(res.n_cachemounts, 1);
	cr_expect_geq(res.bytes, (uint64_t)4 << 20);
	cr_expect_eq(count(), 2);
	o = (struct cas_gc_opts){.max_bytes = (uint64_t)6 << 20};
	ok(cas_gc(store, &o, &res, &err), err);
	cr_expect_eq(res.n_cachemounts, 1);
	cas_cachemount_release(take("new", CAS_SHARING_SHARED));
	cr_expect_eq(n_fills, 3, "the newest one went");
	o = (struct cas_gc_opts){.dangling_images = true};
	ok(cas_gc(store, &o, &res, &err), err);
	cr_expect_eq(count(), 1);
}
