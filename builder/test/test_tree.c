/* builder/test/test_tree.c - a source as real files. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "builder/source.h"
#include "builder/test/copy_bench.h"
#include "builder/tree.h"

#define BIG ((size_t)3 << 20)

/* A file of BIG bytes in the context. */
static char *
big_file(struct bench *b)
{
	char *text = stv_xmalloc(BIG + 1);

	for (size_t i = 0; i < BIG; i++)
		text[i] = (char)('a' + i % 23);
	text[BIG] = '\0';
	bench_open(b);
	ctx_file(b, "big", text, 0640);
	(void)bench_context(b);
	return text;
}

/*
 * In a child, as Criterion's process has threads: write the context into
 * another file system, where the kernel moves no bytes.  ${options} say how
 * large it is.  0; an errno; 77: there is no mount namespace here.
 */
static int
write_there(struct bench *b, const char *options, const char *text)
{
	stv_auto_free char *path = stv_xasprintf("%s/other", b->dir);
	struct stv_buf got = STV_BUF_INIT(BIG + 1);
	int dir, fd;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mkdir(path, 0700) < 0 ||
	    mount("none", path, "tmpfs", 0, options) < 0)
		return 77;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bld_tree_write(bld_context_source(b->ctx), "", dir, "t", &b->err) <
	    0)
		return stv_err_errno(b->err);
	fd = openat(dir, "t/big", O_RDONLY | O_CLOEXEC);
	if (stv_fsat_read_fd(fd, BIG, "t/big", &got, &b->err) < 0 ||
	    got.len != BIG || memcmp(got.data, text, BIG) != 0)
		return 78;
	return 0;
}

static void
expect_written(const char *options, int want)
{
	struct bench b;
	char *text = big_file(&b);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(write_there(&b, options, text));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) != 77)
		cr_expect_eq(WEXITSTATUS(status), want, "%d",
			     WEXITSTATUS(status));
	free(text);
	bench_end(&b);
}

Test(tree, a_file_goes_to_another_file_system)
{
	expect_written("size=8m", 0);
}

Test(tree, a_full_disk_is_told_as_that)
{
	expect_written("size=1536k", ENOSPC);
}
