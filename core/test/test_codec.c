/* core/test/test_codec.c - compressed streams. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/codec.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#define T_BUF STV_BUF_INIT((size_t)64 << 20)

/* "plain text\n" by xz and bzip2, which are only read here. */
static const unsigned char xz[] = {
	0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46,
	0x02, 0x00, 0x21, 0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3,
	0x01, 0x00, 0x0a, 0x70, 0x6c, 0x61, 0x69, 0x6e, 0x20, 0x74, 0x65, 0x78,
	0x74, 0x0a, 0x00, 0x00, 0x21, 0x90, 0xc7, 0x25, 0xbf, 0x73, 0xc4, 0xda,
	0x00, 0x01, 0x23, 0x0b, 0xc2, 0x1b, 0xfd, 0x09, 0x1f, 0xb6, 0xf3, 0x7d,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a};
static const unsigned char bz[] = {
	0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59,
	0xfc, 0x50, 0x0d, 0x2b, 0x00, 0x00, 0x03, 0xd1, 0x80, 0x00,
	0x10, 0x40, 0x00, 0x22, 0x25, 0x44, 0x40, 0x20, 0x00, 0x31,
	0x00, 0x30, 0x20, 0x06, 0xd4, 0x09, 0x4e, 0x06, 0xf1, 0xde,
	0x2e, 0xe4, 0x8a, 0x70, 0xa1, 0x21, 0xf8, 0xa0, 0x1a, 0x56};

/* Gives bytes one at a time: every boundary of a buffer is met. */
struct drip {
	struct stv_in in;
	struct stv_in *under;
};

static int64_t
drip_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct stv_in *under = ((struct drip *)in)->under;

	return under->read(under, buf, n > 1 ? 1 : n, err);
}

/* Decode ${n} bytes into ${out}: the error's code, or -1. */
static int
decode(const void *p, size_t n, bool is_drip, struct stv_buf *out,
       enum stv_codec *codec)
{
	struct stv_in *mem = stv_in_mem(p, n);
	struct drip drip = {.in = {drip_read, NULL}, .under = mem};
	struct stv_err *err = NULL;
	struct stv_sink *sink = stv_sink_buf(out, "test");
	stv_auto(stv_in) *in =
		stv_in_decode(is_drip ? &drip.in : mem, codec, &err);
	int code = -1;

	if (in != NULL)
		(void)stv_copy(in, sink, NULL, &err);
	if (err != NULL)
		code = (int)stv_err_code(err);
	stv_err_free(err);
	stv_sink_close(sink);
	stv_in_close(mem);
	return code;
}

static void
encode(const struct stv_buf *in, int how, size_t step, struct stv_buf *out)
{
	struct stv_sink *end = stv_sink_buf(out, "test"), *z;
	struct stv_err *err = NULL;

	z = how < 2 ? stv_sink_gzip(end, how == 1) : stv_sink_zstd(end, 3);
	for (size_t at = 0; at < in->len; at += step) {
		size_t n = in->len - at < step ? in->len - at : step;

		cr_assert_eq(z->write(z, in->data + at, n, &err), 0);
	}
	cr_assert_eq(stv_codec_end(z, &err), 0);
	stv_sink_close(z);
	stv_sink_close(end);
}

/* Bytes that compress somewhat. */
static void
fill(struct stv_buf *b, size_t n)
{
	unsigned int x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1103515245 + 12345;
		stv_buf_addc(
			b, (char)('a' + (x >> 16) % (i % 1000 < 500 ? 2 : 64)));
	}
}

Test(codec, what_went_in_comes_out)
{
	static const size_t sizes[] = {0, 1, 511, 65536, 1 << 20, 3000001};

	for (int how = 0; how < 3; how++) {
		for (size_t i = 0; i < STV_ARRAY_LEN(sizes); i++) {
			stv_auto_buf plain = T_BUF;
			stv_auto_buf z = T_BUF;
			stv_auto_buf back = T_BUF;
			enum stv_codec codec;

			fill(&plain, sizes[i]);
			encode(&plain, how, 10007, &z);
			cr_assert_eq(decode(z.data, z.len, sizes[i] < 70000,
					    &back, &codec),
				     -1);
			cr_assert_eq(codec,
				     how < 2 ? STV_CODEC_GZIP : STV_CODEC_ZSTD);
			cr_assert_eq(back.len, plain.len);
			cr_assert(plain.len == 0 ||
				  memcmp(back.data, plain.data, plain.len) ==
					  0);
		}
	}
}

Test(codec, plain_bytes_pass)
{
	static const char *const texts[] = {"", "x", "BZh", "\x1f\x8b",
					    "hello, this is plain"};

	for (size_t i = 0; i < STV_ARRAY_LEN(texts); i++) {
		stv_auto_buf back = T_BUF;
		enum stv_codec codec;

		cr_assert_eq(decode(texts[i], strlen(texts[i]), i % 2 == 0,
				    &back, &codec),
			     -1);
		cr_assert_eq(codec, STV_CODEC_NONE);
		cr_assert_str_eq(stv_buf_str(&back), texts[i]);
	}
}

Test(codec, reads_xz_and_bzip2)
{
	stv_auto_buf a = T_BUF;
	stv_auto_buf b = T_BUF;
	enum stv_codec codec;

	cr_assert_eq(decode(xz, sizeof(xz), false, &a, &codec), -1);
	cr_assert_eq(codec, STV_CODEC_XZ);
	cr_assert_str_eq(stv_buf_str(&a), "plain text\n");
	cr_assert_eq(decode(bz, sizeof(bz), true, &b, &codec), -1);
	cr_assert_eq(codec, STV_CODEC_BZIP2);
	cr_assert_str_eq(stv_buf_str(&b), "plain text\n");
}

/* Cut at every byte behind the magic number, it is an error, never an end. */
static void
check_cuts(const void *p, size_t n)
{
	for (size_t cut = STV_CODEC_MAGIC_LEN; cut < n; cut++) {
		stv_auto_buf back = T_BUF;

		cr_assert_eq(decode(p, cut, cut % 2 == 0, &back, NULL),
			     STV_E_INPUT, "cut at %zu of %zu", cut, n);
	}
}

/* Every optional field, met in the middle by the end of a buffer. */
Test(codec, gzip_headers_may_be_long)
{
	static const unsigned char gz[] = {
		0x1f, 0x8b, 0x08, 0x1e, 0x00, 0x00, 0x00, 0x00, 0x00,
		0xff, 0x05, 0x00, 0x65, 0x78, 0x74, 0x72, 0x61, 0x6e,
		0x61, 0x6d, 0x65, 0x00, 0x63, 0x6f, 0x6d, 0x6d, 0x65,
		0x6e, 0x74, 0x00, 0xa8, 0x4f, 0x2b, 0xc8, 0x49, 0xcc,
		0xcc, 0x53, 0x28, 0x49, 0xad, 0x28, 0xe1, 0x02, 0x00,
		0x22, 0x36, 0x29, 0xf7, 0x0b, 0x00, 0x00, 0x00};
	stv_auto_buf a = T_BUF;
	stv_auto_buf b = T_BUF;

	cr_assert_eq(decode(gz, sizeof(gz), false, &a, NULL), -1);
	cr_assert_str_eq(stv_buf_str(&a), "plain text\n");
	cr_assert_eq(decode(gz, sizeof(gz), true, &b, NULL), -1);
	cr_assert_str_eq(stv_buf_str(&b), "plain text\n");
	check_cuts(gz, sizeof(gz));
}

Test(codec, what_is_cut_off_is_an_error)
{
	stv_auto_buf plain = T_BUF;

	fill(&plain, 300);
	for (int how = 0; how < 3; how++) {
		stv_auto_buf z = T_BUF;

		encode(&plain, how, 300, &z);
		check_cuts(z.data, z.len);
	}
	check_cuts(xz, sizeof(xz));
	check_cuts(bz, sizeof(bz));
}

Test(codec, empty_streams_are_whole)
{
	/* xz and bzip2 of nothing. */
	static const unsigned char no_xz[] = {
		0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04,
		0xe6, 0xd6, 0xb4, 0x46, 0x00, 0x00, 0x00, 0x00,
		0x1c, 0xdf, 0x44, 0x21, 0x1f, 0xb6, 0xf3, 0x7d,
		0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a};
	static const unsigned char no_bz[] = {0x42, 0x5a, 0x68, 0x39, 0x17,
					      0x72, 0x45, 0x38, 0x50, 0x90,
					      0x00, 0x00, 0x00, 0x00};
	stv_auto_buf back = T_BUF;

	cr_assert_eq(decode(no_xz, sizeof(no_xz), false, &back, NULL), -1);
	cr_assert_eq(decode(no_bz, sizeof(no_bz), false, &back, NULL), -1);
	cr_assert_eq(back.len, 0);
	check_cuts(no_xz, sizeof(no_xz));
	check_cuts(no_bz, sizeof(no_bz));
}

Test(codec, members_follow_one_another_and_nothing_else)
{
	for (int how = 0; how < 3; how++) {
		stv_auto_buf plain = T_BUF;
		stv_auto_buf z = T_BUF;
		stv_auto_buf back = T_BUF;

		stv_buf_adds(&plain, "twice ");
		encode(&plain, how, 10, &z);
		encode(&plain, how, 10, &z);
		cr_assert_eq(decode(z.data, z.len, false, &back, NULL), -1);
		cr_assert_str_eq(stv_buf_str(&back), "twice twice ");
		stv_buf_adds(&z, "junk");
		cr_assert_eq(decode(z.data, z.len, false, &back, NULL),
			     STV_E_INPUT);
	}
}

Test(codec, compressed_twice_is_decompressed_once)
{
	stv_auto_buf plain = T_BUF;
	stv_auto_buf once = T_BUF;
	stv_auto_buf twice = T_BUF;
	stv_auto_buf back = T_BUF;

	stv_buf_adds(&plain, "text");
	encode(&plain, 0, 10, &once);
	encode(&once, 2, 10, &twice);
	cr_assert_eq(decode(twice.data, twice.len, false, &back, NULL), -1);
	cr_assert_eq(back.len, once.len);
	cr_assert_arr_eq(back.data, once.data, once.len);
}

/* Counts what comes and keeps nothing. */
struct drain {
	struct stv_sink sink;
	uint64_t n;
};

static int
drain_write(struct stv_sink *sink, const void *buf, size_t n,
	    struct stv_err **err)
{
	(void)buf;
	(void)err;
	((struct drain *)sink)->n += n;
	return 0;
}

/* B17: zeros without end are stopped at the ratio, not at the disk. */
Test(codec, a_bomb_is_stopped)
{
	stv_auto_buf zeros = T_BUF;
	stv_auto_buf z = T_BUF;
	struct stv_err *err = NULL;
	struct drain drain = {.sink = {drain_write, NULL}};
	struct stv_in *mem, *in;
	size_t n = (size_t)16 << 20;
	char *block = stv_xcalloc(1, n);

	stv_buf_add(&zeros, block, n);
	for (uint64_t total = 0; total <= STV_RATIO_GRACE + 2 * n; total += n)
		encode(&zeros, 2, n, &z);
	mem = stv_in_mem(z.data, z.len);
	in = stv_in_decode(mem, NULL, &err);
	cr_assert_eq(stv_copy(in, &drain.sink, NULL, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_LIMIT);
	cr_assert(drain.n <= STV_RATIO_GRACE);
	stv_err_free(err);
	stv_in_close(in);
	stv_in_close(mem);
	free(block);
}

/* Each block compressed alone, one behind the other. */
static void
encode_blocks(const struct stv_buf *in, int how, size_t block,
	      struct stv_buf *out)
{
	for (size_t at = 0; at < in->len; at += block) {
		size_t n = in->len - at < block ? in->len - at : block;
		struct stv_buf part = {
			.data = in->data + at, .len = n, .max = n};

		encode(&part, how, n, out);
	}
}

Test(codec, what_comes_out_does_not_depend_on_the_threads)
{
	static const size_t blocks[] = {1 << 20, 1 << 20, 2 << 20};

	for (int how = 0; how < 3; how++) {
		stv_auto_buf plain = T_BUF;
		stv_auto_buf whole = T_BUF;
		stv_auto_buf parts = T_BUF;

		fill(&plain, 23 * ((size_t)1 << 20) + 5);
		encode(&plain, how, 300007, &whole);
		/* one block is compressed without any thread */
		encode_blocks(&plain, how, blocks[how], &parts);
		cr_assert_eq(whole.len, parts.len, "%d", how);
		cr_assert_eq(memcmp(whole.data, parts.data, whole.len), 0);
	}
}

Test(codec, a_sink_that_fails_ends_the_compression)
{
	stv_auto_buf plain = T_BUF;
	stv_auto_buf small = STV_BUF_INIT(100000);
	struct stv_sink *end = stv_sink_buf(&small, "test");
	struct stv_sink *z = stv_sink_gzip(end, true);
	struct stv_err *err = NULL;
	int r = 0;

	fill(&plain, 1 << 20);
	for (int i = 0; i < 100 && r == 0; i++)
		r = z->write(z, plain.data, plain.len, &err);
	cr_expect_eq(r, -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_sink_close(z);
	stv_sink_close(end);
	stv_err_free(err);
}

Test(codec, equal_names_mean_equal_compressors)
{
	static const struct {
		struct stv_compression how;
		const char *name;
	} rows[] = {
		{{STV_CODEC_NONE, 0, true}, ""},
		{{STV_CODEC_GZIP, 0, false}, "isal"},
		{{STV_CODEC_GZIP, 0, true}, "deflate-6"},
		{{STV_CODEC_GZIP, 6, false}, "deflate-6"},
		{{STV_CODEC_GZIP, 9, false}, "deflate-9"},
		{{STV_CODEC_ZSTD, 0, false}, "zstd-3"},
		{{STV_CODEC_ZSTD, 19, true}, "zstd-19"},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(rows); i++) {
		stv_auto_free char *name = stv_compression_name(&rows[i].how);

		cr_expect_str_eq(name, rows[i].name);
	}
	cr_expect_eq(stv_codec_max_level(STV_CODEC_GZIP), 9);
	cr_expect_eq(stv_codec_max_level(STV_CODEC_ZSTD), 22);
}
