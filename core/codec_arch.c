/*
 * core/codec_arch.c - xz and bzip2, by libarchive.
 *
 * One filter is named explicitly and the format is "raw": libarchive does not
 * look at the data to guess, and xz inside of xz stays as it is.  Its filters
 * take the end of the input for the end of the data (3.6.2), so whether that
 * was all is judged here, by how the input ends.
 */
#include <errno.h>
#include <string.h>

#include <isa-l/crc.h>

#include "core/archive_lib.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "core/codec_internal.h"

/* What an xz stream ends with, and room for a bzip2 stream's end. */
#define TAIL 12

struct arch_in {
	struct codec_in c;
	enum stv_codec codec;
	const struct stv_archive_lib *lib;
	struct archive *a;
	struct stv_err *read_err; /* of the stream below */
	const char *block;	  /* decoded, not yet given out; libarchive's */
	size_t left;
	bool is_end;
	uint8_t tail[TAIL]; /* the last bytes that were read */
};

static void
keep_tail(struct arch_in *x, const uint8_t *p, size_t n)
{
	if (n < TAIL) {
		memmove(x->tail, x->tail + n, TAIL - n);
		memcpy(x->tail + TAIL - n, p, n);
	} else {
		memcpy(x->tail, p + n - TAIL, TAIL);
	}
}

/* "Stream Footer" of the .xz format: CRC32, six bytes that it covers, "YZ". */
static bool
xz_is_whole(const uint8_t *tail)
{
	uint32_t crc = crc32_gzip_refl(0, tail + 4, 6);

	for (int i = 0; i < 4; i++)
		if (tail[i] != (uint8_t)(crc >> (8 * i)))
			return false;
	return tail[10] == 'Y' && tail[11] == 'Z';
}

/* 48 bits of magic number, 32 of CRC and up to seven zeros to a whole byte. */
static bool
bzip2_is_whole(const uint8_t *tail)
{
	for (unsigned int pad = 0; pad < 8; pad++) {
		uint64_t magic = 0;
		/* The bit, counted in the tail, that the magic begins at. */
		unsigned int at = 8 * TAIL - 80 - pad;

		for (unsigned int i = at; i < at + 48; i++)
			magic = magic << 1 | (tail[i / 8] >> (7 - i % 8) & 1U);
		if (magic == UINT64_C(0x177245385090) &&
		    (tail[TAIL - 1] & ((1U << pad) - 1)) == 0)
			return true;
	}
	return false;
}

/* libarchive asks for compressed bytes. */
static la_ssize_t
arch_feed(struct archive *a, void *arg, const void **ret)
{
	struct arch_in *x = arg;
	struct codec_feed *f = &x->c.feed;
	size_t n;

	if (stv_codec_fill(f, &x->read_err) < 0) {
		x->lib->archive_set_error(a, EIO, "cannot read");
		return ARCHIVE_FATAL;
	}
	n = f->len - f->pos;
	*ret = f->buf + f->pos;
	f->pos = f->len;
	keep_tail(x, *ret, n);
	return (la_ssize_t)n;
}

static int64_t
arch_fail(struct arch_in *x, struct stv_err **err)
{
	const char *why =
		x->a != NULL ? x->lib->archive_error_string(x->a) : NULL;

	if (x->read_err != NULL) {
		*err = stv_steal(&x->read_err);
		return -1;
	}
	return stv_fail(err, STV_E_INPUT, "the %s data is damaged: %s",
			stv_codec_name(x->codec),
			why != NULL ? why : "unknown");
}

/* libarchive sees no more data. */
static int64_t
arch_end(struct arch_in *x, struct stv_err **err)
{
	bool is_whole = x->codec == STV_CODEC_XZ ? xz_is_whole(x->tail)
						 : bzip2_is_whole(x->tail);

	if (x->read_err != NULL)
		return arch_fail(x, err);
	if (!x->c.feed.is_end || !is_whole)
		return stv_fail(err, STV_E_INPUT, "the %s data is cut off",
				stv_codec_name(x->codec));
	x->is_end = true;
	return 0;
}

static int64_t
arch_open(struct arch_in *x, struct stv_err **err)
{
	int filter = x->codec == STV_CODEC_XZ ? ARCHIVE_FILTER_XZ
					      : ARCHIVE_FILTER_BZIP2;
	struct archive_entry *entry;
	int r;

	x->lib = stv_archive_lib(err);
	if (x->lib == NULL)
		return -1;
	x->a = x->lib->archive_read_new();
	/* ARCHIVE_WARN would mean: by an external program. */
	if (x->a == NULL ||
	    x->lib->archive_read_append_filter(x->a, filter) != ARCHIVE_OK ||
	    x->lib->archive_read_support_format_raw(x->a) != ARCHIVE_OK ||
	    x->lib->archive_read_support_format_empty(x->a) != ARCHIVE_OK ||
	    x->lib->archive_read_open2(x->a, x, NULL, arch_feed, NULL, NULL) !=
		    ARCHIVE_OK)
		return arch_fail(x, err);
	r = x->lib->archive_read_next_header(x->a, &entry);
	if (r == ARCHIVE_EOF)
		return arch_end(x, err);
	return r == ARCHIVE_OK ? 1 : arch_fail(x, err);
}

static int64_t
arch_decode(struct codec_in *c, void *buf, size_t n, struct stv_err **err)
{
	struct arch_in *x = (struct arch_in *)c;
	la_int64_t offset;
	const void *block;

	if (x->is_end)
		return 0;
	if (x->a == NULL) {
		int64_t r = arch_open(x, err);

		if (r <= 0)
			return r;
	}
	while (x->left == 0) {
		int r = x->lib->archive_read_data_block(x->a, &block, &x->left,
							&offset);

		if (r == ARCHIVE_EOF)
			return arch_end(x, err);
		if (r != ARCHIVE_OK)
			return arch_fail(x, err);
		x->block = block;
	}
	if (n > x->left)
		n = x->left;
	memcpy(buf, x->block, n);
	x->block += n;
	x->left -= n;
	return (int64_t)n;
}

static void
arch_fini(struct codec_in *c)
{
	struct arch_in *x = (struct arch_in *)c;

	if (x->a != NULL)
		(void)x->lib->archive_read_free(x->a);
	stv_err_free(x->read_err);
}

struct codec_in *
stv_codec_arch_new(enum stv_codec codec)
{
	struct arch_in *x = stv_xcalloc(1, sizeof(*x));

	x->codec = codec;
	x->c.decode = arch_decode;
	x->c.fini = arch_fini;
	return &x->c;
}
