/* core/test/test_archive.c - what is an archive, and what is in it. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/archive.h"
#include "core/buf.h"
#include "core/codec.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/tarcheck.h"

#define T_BUF STV_BUF_INIT((size_t)64 << 20)

static void
put_octal(char *field, int n, uint64_t v)
{
	for (int i = n - 2; i >= 0; i--, v >>= 3)
		field[i] = (char)('0' + (v & 7));
}

/* ${mtime}: the 12 bytes of the field. */
static void
put_file_at(struct stv_buf *b, const char *name, const char *body,
	    const char *mtime)
{
	char h[512] = {0};
	static const char zeros[512];
	unsigned int sum = 0;

	memcpy(h, name, strlen(name));
	put_octal(h + 100, 8, 0644);
	put_octal(h + 108, 8, 1);
	put_octal(h + 116, 8, 2);
	put_octal(h + 124, 12, strlen(body));
	memcpy(h + 136, mtime, 12);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	put_octal(h + 148, 7, sum);
	h[154] = '\0';
	stv_buf_add(b, h, 512);
	stv_buf_adds(b, body);
	stv_buf_add(b, zeros, (512 - strlen(body) % 512) % 512);
}

static void
put_file(struct stv_buf *b, const char *name, const char *body)
{
	put_file_at(b, name, body, "00000000003");
}

static void
put_end(struct stv_buf *b)
{
	static const char zeros[1024];

	stv_buf_add(b, zeros, 1024);
}

static void
compress_gzip(const struct stv_buf *in, struct stv_buf *out)
{
	struct stv_sink *end = stv_sink_buf(out, "test");
	struct stv_sink *z = stv_sink_gzip(end, false);
	struct stv_err *err = NULL;

	cr_assert_eq(z->write(z, in->data, in->len, &err), 0);
	cr_assert_eq(stv_codec_end(z, &err), 0);
	stv_sink_close(z);
	stv_sink_close(end);
}

static int
sniff(const void *p, size_t n)
{
	struct stv_in *in = stv_in_mem(p, n);
	struct stv_err *err = NULL;
	int r = stv_archive_sniff(in, &err);

	cr_assert_null(err);
	stv_in_close(in);
	return r;
}

Test(archive, is_known_by_its_content)
{
	stv_auto_buf tar = T_BUF;
	stv_auto_buf gz = T_BUF;
	stv_auto_buf empty = T_BUF;
	stv_auto_buf text = T_BUF;

	put_file(&tar, "a", "body");
	cr_assert_eq(sniff(tar.data, tar.len), 1);
	put_end(&tar);
	cr_assert_eq(sniff(tar.data, tar.len), 1);
	compress_gzip(&tar, &gz);
	cr_assert_eq(sniff(gz.data, gz.len), 1);
	/* Cut off behind the first header: an archive, if a broken one. */
	cr_assert_eq(sniff(tar.data, 600), 1);
	cr_assert_eq(sniff(tar.data, 500), 0);
	cr_assert_eq(sniff(gz.data, 20), 0);
	put_end(&empty);
	cr_assert_eq(sniff(empty.data, empty.len), 0);
	cr_assert_eq(sniff("", 0), 0);
	cr_assert_eq(sniff("PK\x03\x04", 4), 0);
	stv_buf_adds(&text,
		     "gzip of a text that is no tar, and is long enough ");
	while (text.len < 2000)
		stv_buf_adds(&text, "to fill some blocks ");
	stv_buf_truncate(&gz, 0);
	compress_gzip(&text, &gz);
	cr_assert_eq(sniff(gz.data, gz.len), 0);
	cr_assert_eq(sniff(text.data, text.len), 0);
}

static int64_t
broken_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	(void)in;
	(void)buf;
	(void)n;
	return stv_fail(err, STV_E_IO, "the disk is broken");
}

Test(archive, a_failing_disk_is_no_answer)
{
	struct stv_in in = {broken_read, NULL};
	struct stv_err *err = NULL;
	struct stv_archive *a = NULL;
	struct stv_archive_entry e;

	cr_assert_eq(stv_archive_sniff(&in, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_IO);
	stv_err_clear(&err);
	if (stv_archive_open_tar(&in, &a, &err) == 0)
		cr_assert_eq(stv_archive_next(a, &e, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_IO);
	cr_assert_str_eq(stv_err_msg(err), "the disk is broken");
	stv_err_free(err);
	stv_archive_close(a);
}

Test(archive, gives_entries_and_their_content)
{
	stv_auto_buf tar = T_BUF;
	stv_auto_buf gz = T_BUF;
	struct stv_in *in;
	struct stv_archive *a = NULL;
	struct stv_archive_entry e;
	struct stv_archive_block b;
	struct stv_err *err = NULL;
	char path[] = "/tmp/stave-test-XXXXXX", text[8] = "";
	int fd = mkstemp(path);

	put_file(&tar, "first", "one");
	put_file(&tar, "sub/second", "two!");
	put_file(&tar, "empty", "");
	put_end(&tar);
	compress_gzip(&tar, &gz);
	in = stv_in_mem(gz.data, gz.len);
	cr_assert_eq(stv_archive_open(in, &a, &err), 0);
	cr_assert_eq(stv_archive_next(a, &e, &err), 1);
	cr_assert_str_eq(e.path, "first");
	cr_assert_eq(e.type, S_IFREG);
	cr_assert(e.mode == 0644 && e.uid == 1 && e.gid == 2 && e.mtime_s == 3);
	cr_assert_eq(e.offset, 512);
	cr_assert_eq(stv_archive_read(a, &b, &err), 1);
	cr_assert(b.n == 3 && b.offset == 0 && memcmp(b.p, "one", 3) == 0);
	cr_assert_eq(stv_archive_read(a, &b, &err), 0);
	cr_assert_eq(stv_archive_next(a, &e, &err), 1);
	cr_assert_str_eq(e.path, "sub/second");
	cr_assert_eq(e.offset, 3 * 512);
	cr_assert_eq(stv_archive_read_to(a, fd, &err), 0);
	cr_assert_eq(pread(fd, text, sizeof(text), 0), 4);
	cr_assert_str_eq(text, "two!");
	cr_assert_eq(stv_archive_next(a, &e, &err), 1);
	cr_assert_eq(e.size, 0);
	cr_assert_eq(stv_archive_next(a, &e, &err), 0);
	cr_assert_eq(stv_archive_drain(a, &err), 0);
	stv_archive_close(a);
	stv_in_close(in);
	(void)close(fd);
	(void)unlink(path);
}

struct time_case {
	char field[13];
	int result; /* of stv_archive_next() */
	int64_t mtime_s;
};

/* Base-256 holds 95 bits; libarchive makes of what an int64_t does not hold
 * its ends, and reads INT64_MIN in a pax record as a second later. */
Test(archive, refuses_times_that_64_bits_cannot_hold)
{
	static const struct time_case cases[] = {
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 1, -2},
		{"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xfe", 1,
		 INT64_MAX - 1},
		{"\xff\xff\xff\xff\x80\0\0\0\0\0\0\x01", 1, INT64_MIN + 1},
		{"\x80\0\0\x01\0\0\0\0\0\0\0\0", -1, 0},
		{"\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff", -1, 0},
		{"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", -1, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stv_auto_buf tar = T_BUF;
		struct stv_archive *a = NULL;
		struct stv_archive_entry e;
		struct stv_err *err = NULL;
		struct stv_in *in;

		put_file_at(&tar, "file", "", cases[i].field);
		put_end(&tar);
		in = stv_in_mem(tar.data, tar.len);
		cr_assert_eq(stv_archive_open_tar(in, &a, &err), 0);
		cr_assert_eq(stv_archive_next(a, &e, &err), cases[i].result,
			     "case %zu", i);
		if (cases[i].result == 1)
			cr_assert_eq(e.mtime_s, cases[i].mtime_s, "case %zu",
				     i);
		else
			cr_assert_eq(stv_err_code(err), STV_E_INPUT, "case %zu",
				     i);
		stv_err_free(err);
		stv_archive_close(a);
		stv_in_close(in);
	}
}

struct pax_case {
	char text[64];
	int result; /* 0, or the error's code */
};

Test(archive, pax_records_are_strict)
{
	static const struct pax_case cases[] = {
		{"", 0},
		{"9 path=a\n", 0},
		{"9 path=a\n9 size=3\n", 0},
		{"11 path=a\n", STV_E_INPUT},
		{"8 path=a\n", STV_E_INPUT},
		{"9 path=a", STV_E_INPUT},
		{" 9 path=a\n", STV_E_INPUT},
		{"09 path=a\n", STV_E_INPUT},
		{"9path==a\n", STV_E_INPUT},
		{"9 pathha\n", STV_E_INPUT},
		{"6 =ab\n", STV_E_INPUT},
		{"9 path=a\n9 path=b\n", STV_E_INPUT},
		{"8 path=\n", STV_E_INPUT},
		{"10 size=-1\n", STV_E_INPUT},
		{"10 size=0x\n", STV_E_INPUT},
		{"28 size=9999999999999999999\n", STV_E_INPUT},
		{"99999999999999 a=b\n", STV_E_INPUT},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(cases); i++) {
		struct stv_err *err = NULL;
		uint64_t size = 0;
		bool has_size;
		int r = stv_paxcheck(cases[i].text, strlen(cases[i].text),
				     &size, &has_size, &err);

		cr_assert_eq(r, cases[i].result == 0 ? 0 : -1, "'%s'",
			     cases[i].text);
		if (r < 0)
			cr_assert_eq((int)stv_err_code(err), cases[i].result);
		stv_err_free(err);
	}
}
