/* core/test/test_stream.c - stacking streams. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/limits.h"

#include "core/stream.h"

/* A memory file with the given text, at position 0. */
static int
file_with(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(stv_write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Gives its bytes one at a time, then fails if told so. */
struct drip {
	struct stv_in in;
	const char *text;
	bool is_failing;
};

static int64_t
drip_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct drip *d = (struct drip *)in;

	cr_assert_gt(n, 0);
	if (*d->text == '\0')
		return d->is_failing ? stv_fail(err, STV_E_NET, "cut off") : 0;
	*(char *)buf = *d->text++;
	return 1;
}

Test(stream, one_pass_through_a_stack)
{
	struct stv_digest want = stv_digest_of("hello", 5), a, b;
	struct drip d = {.in = {drip_read, NULL}, .text = "hello"};
	stv_auto(stv_in) *hash = stv_in_hash(&d.in);
	stv_auto(stv_in) *limit = stv_in_limit(hash, 5, "text");
	stv_auto_buf one = STV_BUF_INIT(100), two = STV_BUF_INIT(100);
	stv_auto(stv_sink) *s1 = stv_sink_buf(&one, "one");
	stv_auto(stv_sink) *s2 = stv_sink_buf(&two, "two");
	stv_auto(stv_sink) *tee = stv_sink_tee(s1, s2);
	stv_auto(stv_sink) *out = stv_sink_hash(tee);
	struct stv_err *err = NULL;
	uint64_t size = 0, in_size = 0, out_size = 0;

	cr_assert_eq(stv_copy(limit, out, &size, &err), 0);
	cr_expect_eq(size, 5);
	cr_expect_str_eq(stv_buf_str(&one), "hello");
	cr_expect_str_eq(stv_buf_str(&two), "hello");
	a = stv_in_hash_end(hash, &in_size);
	b = stv_sink_hash_end(out, &out_size);
	cr_expect(stv_digest_equal(&a, &want));
	cr_expect(stv_digest_equal(&b, &want));
	cr_expect_eq(in_size, 5);
	cr_expect_eq(out_size, 5);
}

Test(stream, one_byte_above_the_limit)
{
	stv_auto(stv_in) *mem = stv_in_mem("123456", 6);
	stv_auto(stv_in) *limit = stv_in_limit(mem, 5, "the layer");
	stv_auto(stv_sink) *out = stv_sink_hash(NULL);
	struct stv_err *err = NULL;

	cr_assert_eq(stv_copy(limit, out, NULL, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	cr_expect_str_eq(stv_err_msg(err), "the layer is larger than 5 bytes");
	stv_err_free(err);
}

Test(stream, an_error_below_comes_up)
{
	struct drip d = {
		.in = {drip_read, NULL}, .text = "ab", .is_failing = true};
	stv_auto(stv_in) *hash = stv_in_hash(&d.in);
	stv_auto(stv_in) *limit = stv_in_limit(hash, 100, "x");
	struct stv_err *err = NULL;
	char buf[8];

	cr_assert_eq(stv_in_read_full(limit, buf, sizeof(buf), &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NET);
	stv_err_free(err);
}

Test(stream, read_full_gathers_until_the_end)
{
	struct drip d = {.in = {drip_read, NULL}, .text = "abc"};
	struct stv_err *err = NULL;
	char buf[8] = "";

	cr_expect_eq(stv_in_read_full(&d.in, buf, 2, &err), 2);
	cr_expect_eq(stv_in_read_full(&d.in, buf, sizeof(buf), &err), 1);
	cr_expect_eq(buf[0], 'c');
	cr_expect_eq(stv_in_read_full(&d.in, buf, sizeof(buf), &err), 0);
}

Test(stream, a_descriptor_is_read_from_where_it_stands)
{
	stv_auto_fd fd = file_with("0123456789");
	stv_auto(stv_in) *in = stv_in_fd(fd);
	struct stv_err *err = NULL;
	char buf[16] = "";

	cr_assert_eq(lseek(fd, 4, SEEK_SET), 4);
	cr_expect_eq(stv_in_read_full(in, buf, sizeof(buf), &err), 6);
	cr_expect_str_eq(buf, "456789");
}

Test(stream, a_range_needs_no_position)
{
	stv_auto_fd fd = file_with("0123456789");
	stv_auto(stv_in) *in = stv_in_fd_range(fd, 3, 4);
	struct stv_err *err = NULL;
	char buf[16] = "";

	cr_assert_eq(lseek(fd, 9, SEEK_SET), 9);
	cr_expect_eq(stv_in_read_full(in, buf, sizeof(buf), &err), 4);
	cr_expect_str_eq(buf, "3456");
	cr_expect_eq(lseek(fd, 0, SEEK_CUR), 9);
}

Test(stream, a_range_that_is_cut_short_is_an_error)
{
	stv_auto_fd fd = file_with("0123");
	stv_auto(stv_in) *in = stv_in_fd_range(fd, 2, 4);
	struct stv_err *err = NULL;
	char buf[16];

	cr_expect_eq(stv_in_read_full(in, buf, sizeof(buf), &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_IO);
	cr_expect_str_eq(stv_err_msg(err), "the file ends 2 bytes too early");
	stv_err_free(err);
}

Test(stream, a_bad_descriptor_is_an_error)
{
	stv_auto(stv_in) *in = stv_in_fd(-1);
	stv_auto(stv_in) *range = stv_in_fd_range(-1, 0, 1);
	stv_auto(stv_sink) *out = stv_sink_fd(-1);
	struct stv_err *err = NULL;
	char c;

	cr_expect_eq(in->read(in, &c, 1, &err), -1);
	cr_expect_eq(stv_err_errno(err), EBADF);
	stv_err_clear(&err);
	cr_expect_eq(range->read(range, &c, 1, &err), -1);
	stv_err_clear(&err);
	cr_expect_eq(out->write(out, "x", 1, &err), -1);
	cr_expect_eq(stv_err_errno(err), EBADF);
	stv_err_free(err);
}

Test(stream, a_sink_writes_to_a_descriptor)
{
	stv_auto_fd fd = file_with("");
	stv_auto(stv_sink) *out = stv_sink_fd(fd);
	struct stv_err *err = NULL;
	char buf[8] = "";

	cr_assert_eq(out->write(out, "abc", 3, &err), 0);
	cr_expect_eq(stv_pread_all(fd, buf, 7, 0), 3);
	cr_expect_str_eq(buf, "abc");
	cr_expect_eq(stv_pread_all(fd, buf, 1, 100), 0);
	cr_expect_eq(stv_pread_all(-1, buf, 1, 0), -1);
}

Test(stream, a_full_buffer_stops_the_copy)
{
	stv_auto(stv_in) *mem = stv_in_mem("123456", 6);
	stv_auto_buf b = STV_BUF_INIT(3);
	stv_auto(stv_sink) *out = stv_sink_buf(&b, "the answer");
	struct stv_err *err = NULL;

	cr_expect_eq(stv_copy(mem, out, NULL, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
}

Test(stream, a_tee_stops_where_one_fails)
{
	stv_auto_buf b = STV_BUF_INIT(10);
	stv_auto(stv_sink) *good = stv_sink_buf(&b, "b");
	stv_auto(stv_sink) *bad = stv_sink_fd(-1);
	stv_auto(stv_sink) *t1 = stv_sink_tee(good, bad);
	stv_auto(stv_sink) *t2 = stv_sink_tee(bad, good);
	struct stv_err *err = NULL;

	cr_expect_eq(t1->write(t1, "x", 1, &err), -1);
	stv_err_clear(&err);
	cr_expect_eq(t2->write(t2, "y", 1, &err), -1);
	stv_err_clear(&err);
	cr_expect_str_eq(stv_buf_str(&b), "x");
	stv_in_close(NULL);
	stv_sink_close(NULL);
}
