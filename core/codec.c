/* core/codec.c - compressed streams: which one it is, and its bounds. */
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/codec_internal.h"

enum stv_codec
stv_codec_detect(const void *p, size_t n)
{
	const uint8_t *b = p;

	if (n >= 3 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8)
		return STV_CODEC_GZIP;
	if (n >= 4 && memcmp(b, "\x28\xb5\x2f\xfd", 4) == 0)
		return STV_CODEC_ZSTD;
	/* A zstd stream may begin with a skippable frame. */
	if (n >= 4 && (b[0] & 0xf0) == 0x50 &&
	    memcmp(b + 1, "\x2a\x4d\x18", 3) == 0)
		return STV_CODEC_ZSTD;
	if (n >= 6 && memcmp(b,
			     "\xfd"
			     "7zXZ\0",
			     6) == 0)
		return STV_CODEC_XZ;
	if (n >= 10 && memcmp(b, "BZh", 3) == 0 && b[3] >= '1' && b[3] <= '9' &&
	    (memcmp(b + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
	     memcmp(b + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0))
		return STV_CODEC_BZIP2;
	return STV_CODEC_NONE;
}

const char *
stv_codec_name(enum stv_codec c)
{
	switch (c) {
	case STV_CODEC_NONE:
		break;
	case STV_CODEC_GZIP:
		return "gzip";
	case STV_CODEC_ZSTD:
		return "zstd";
	case STV_CODEC_XZ:
		return "xz";
	case STV_CODEC_BZIP2:
		return "bzip2";
	}
	return "plain";
}

int
stv_codec_fill(struct codec_feed *f, struct stv_err **err)
{
	int64_t got;

	if (f->pos < f->len || f->is_end)
		return 0;
	got = f->under->read(f->under, f->buf, CODEC_BUF, err);
	if (got < 0)
		return -1;
	f->pos = 0;
	f->len = (size_t)got;
	f->total += (uint64_t)got;
	f->is_end = got == 0;
	return 0;
}

/* Not compressed: first what was read to find that out. */
static int64_t
plain_decode(struct codec_in *c, void *buf, size_t n, struct stv_err **err)
{
	struct codec_feed *f = &c->feed;
	size_t have = f->len - f->pos;

	if (have == 0)
		return f->is_end ? 0 : f->under->read(f->under, buf, n, err);
	if (n > have)
		n = have;
	memcpy(buf, f->buf + f->pos, n);
	f->pos += n;
	return (int64_t)n;
}

static void
plain_fini(struct codec_in *c)
{
	(void)c;
}

static struct codec_in *
plain_new(void)
{
	struct codec_in *c = stv_xcalloc(1, sizeof(*c));

	c->decode = plain_decode;
	c->fini = plain_fini;
	return c;
}

/* A bomb is known by its growth: B17. */
static int64_t
bounded_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct codec_in *c = (struct codec_in *)in;
	int64_t got = c->decode(c, buf, n, err);

	if (got < 0)
		return -1;
	c->total += (uint64_t)got;
	if (c->decode != plain_decode && c->total > STV_RATIO_GRACE &&
	    c->total / STV_MAX_RATIO > c->feed.total)
		return stv_fail(err, STV_E_LIMIT,
				"the data grows to more than %d times its "
				"compressed size",
				STV_MAX_RATIO);
	return got;
}

static void
codec_close(struct stv_in *in)
{
	struct codec_in *c = (struct codec_in *)in;

	c->fini(c);
	free(c->feed.buf);
	free(c);
}

static struct codec_in *
codec_new(enum stv_codec codec)
{
	switch (codec) {
	case STV_CODEC_NONE:
		break;
	case STV_CODEC_GZIP:
		return stv_codec_gzip_new();
	case STV_CODEC_ZSTD:
		return stv_codec_zstd_new();
	case STV_CODEC_XZ:
	case STV_CODEC_BZIP2:
		return stv_codec_arch_new(codec);
	}
	return plain_new();
}

struct stv_in *
stv_in_decode(struct stv_in *under, enum stv_codec *ret, struct stv_err **err)
{
	uint8_t *buf = stv_xmalloc(CODEC_BUF);
	int64_t got = stv_in_read_full(under, buf, STV_CODEC_MAGIC_LEN, err);
	enum stv_codec codec;
	struct codec_in *c;

	if (got < 0) {
		free(buf);
		return NULL;
	}
	codec = stv_codec_detect(buf, (size_t)got);
	c = codec_new(codec);
	c->in = (struct stv_in){bounded_read, codec_close};
	c->feed.under = under;
	c->feed.buf = buf;
	c->feed.len = (size_t)got;
	c->feed.total = (uint64_t)got;
	c->feed.is_end = got == 0;
	if (ret != NULL)
		*ret = codec;
	return &c->in;
}
