/* core/codec_gzip.c - gzip: inflate and deflate by ISA-L, or by libdeflate. */
#include <string.h>

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "core/codec_internal.h"

/* What one libdeflate member holds; a constant of the output's form. */
#define MEMBER_SIZE ((size_t)1 << 20)
#define STABLE_LEVEL 6
#define FAST_LEVEL 2

struct gzip_in {
	struct codec_in c;
	struct inflate_state state;
	struct isal_gzip_header header;
	bool is_between; /* no member is open */
	bool is_header;	 /* its header is being read */
	uint8_t *out;	 /* CODEC_BUF bytes: decoded, not yet given out */
	size_t out_pos;
	size_t out_len;
};

static int
cut_off(struct stv_err **err)
{
	return stv_fail(err, STV_E_INPUT, "the gzip data is cut off");
}

/*
 * Begin or go on with a member's header.  isal_inflate() would read it, too,
 * but forgets which optional fields are to come when its input ends inside of
 * one (2.30): so the header is read into a structure that stays.
 */
static int
gzip_header(struct gzip_in *g, struct stv_err **err)
{
	struct codec_feed *f = &g->c.feed;
	int r;

	if (g->is_between) {
		if (f->buf[f->pos] != 0x1f)
			return stv_fail(err, STV_E_INPUT,
					"the gzip data is followed by "
					"something else");
		isal_inflate_reset(&g->state);
		isal_gzip_header_init(&g->header);
		g->header.flags = 0;
		g->state.crc_flag = ISAL_GZIP;
		g->is_between = false;
		g->is_header = true;
	}
	g->state.next_in = f->buf + f->pos;
	g->state.avail_in = (uint32_t)(f->len - f->pos);
	r = isal_read_gzip_header(&g->state, &g->header);
	f->pos = f->len - g->state.avail_in;
	if (r < 0)
		return stv_fail(err, STV_E_INPUT,
				"the gzip data has a damaged header");
	g->is_header = r != ISAL_DECOMP_OK;
	return 0;
}

static int64_t
gzip_inflate(struct codec_in *c, void *buf, size_t n, struct stv_err **err)
{
	struct gzip_in *g = (struct gzip_in *)c;
	struct codec_feed *f = &c->feed;
	uint32_t room = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;

	g->state.next_out = buf;
	g->state.avail_out = room;
	while (g->state.avail_out == room) {
		int r;

		if (stv_codec_fill(f, err) < 0)
			return -1;
		if (f->is_end && g->is_between)
			return 0;
		if (f->is_end && g->is_header)
			return cut_off(err);
		if ((g->is_between || g->is_header) && gzip_header(g, err) < 0)
			return -1;
		if (g->is_header)
			continue;
		/* Also without input: it may hold back output. */
		g->state.next_in = f->buf + f->pos;
		g->state.avail_in = (uint32_t)(f->len - f->pos);
		r = isal_inflate(&g->state);
		f->pos = f->len - g->state.avail_in;
		if (r < 0)
			return stv_fail(err, STV_E_INPUT,
					"the gzip data is damaged");
		if (g->state.block_state == ISAL_BLOCK_FINISH)
			g->is_between = true;
		else if (f->is_end && g->state.avail_out == room)
			return cut_off(err);
	}
	return (int64_t)(room - g->state.avail_out);
}

/* ISA-L keeps its history by copying it on every call: a few bytes at a time
 * would cost more than the inflating. */
static int64_t
gzip_decode(struct codec_in *c, void *buf, size_t n, struct stv_err **err)
{
	struct gzip_in *g = (struct gzip_in *)c;
	int64_t got;

	if (g->out_pos == g->out_len && n >= CODEC_BUF)
		return gzip_inflate(c, buf, n, err);
	if (g->out_pos == g->out_len) {
		got = gzip_inflate(c, g->out, CODEC_BUF, err);
		if (got <= 0)
			return got;
		g->out_pos = 0;
		g->out_len = (size_t)got;
	}
	if (n > g->out_len - g->out_pos)
		n = g->out_len - g->out_pos;
	memcpy(buf, g->out + g->out_pos, n);
	g->out_pos += n;
	return (int64_t)n;
}

static void
gzip_fini(struct codec_in *c)
{
	free(((struct gzip_in *)c)->out);
}

struct codec_in *
stv_codec_gzip_new(void)
{
	struct gzip_in *g = stv_xcalloc(1, sizeof(*g));

	isal_inflate_init(&g->state);
	g->is_between = true;
	g->c.decode = gzip_decode;
	g->c.fini = gzip_fini;
	g->out = stv_xmalloc(CODEC_BUF);
	return &g->c;
}

/* ISA-L, one long member. */
struct fast_sink {
	struct codec_sink s;
	struct stv_sink *under;
	struct isal_zstream z;
	uint8_t *level_buf;
	uint8_t *out;
};

static int
fast_run(struct fast_sink *g, const void *buf, size_t n, bool is_end,
	 struct stv_err **err)
{
	g->z.next_in = (uint8_t *)(uintptr_t)buf; /* it is only read */
	g->z.avail_in = (uint32_t)n;
	g->z.end_of_stream = is_end;
	do {
		g->z.next_out = g->out;
		g->z.avail_out = (uint32_t)CODEC_BUF;
		if (isal_deflate(&g->z) != COMP_OK)
			return stv_fail(err, STV_E_INTERNAL,
					"gzip compression failed");
		if (g->under->write(g->under, g->out,
				    CODEC_BUF - g->z.avail_out, err) < 0)
			return -1;
	} while (g->z.avail_out == 0 ||
		 (is_end && g->z.internal_state.state != ZSTATE_END));
	return 0;
}

static int
fast_write(struct stv_sink *sink, const void *buf, size_t n,
	   struct stv_err **err)
{
	struct fast_sink *g = (struct fast_sink *)sink;
	const uint8_t *p = buf;

	while (n > 0) {
		size_t part = n > UINT32_MAX / 2 ? UINT32_MAX / 2 : n;

		if (fast_run(g, p, part, false, err) < 0)
			return -1;
		p += part;
		n -= part;
	}
	return 0;
}

static int
fast_end(struct codec_sink *s, struct stv_err **err)
{
	return fast_run((struct fast_sink *)s, "", 0, true, err);
}

static void
fast_close(struct stv_sink *sink)
{
	struct fast_sink *g = (struct fast_sink *)sink;

	free(g->level_buf);
	free(g->out);
	free(g);
}

static struct stv_sink *
fast_new(struct stv_sink *under)
{
	struct fast_sink *g = stv_xcalloc(1, sizeof(*g));

	g->s.sink = (struct stv_sink){fast_write, fast_close};
	g->s.end = fast_end;
	g->under = under;
	g->out = stv_xmalloc(CODEC_BUF);
	g->level_buf = stv_xmalloc(ISAL_DEF_LVL2_DEFAULT);
	isal_deflate_init(&g->z);
	g->z.level = FAST_LEVEL;
	g->z.level_buf = g->level_buf;
	g->z.level_buf_size = ISAL_DEF_LVL2_DEFAULT;
	g->z.gzip_flag = IGZIP_GZIP;
	g->z.flush = NO_FLUSH;
	return &g->s.sink;
}

/* libdeflate, a member for each MiB. */
struct stable_sink {
	struct codec_sink s;
	struct stv_sink *under;
	struct libdeflate_compressor *z;
	uint8_t *in;
	size_t len;
	uint8_t *out;
	size_t out_size;
	bool has_member;
};

static int
stable_flush(struct stable_sink *g, struct stv_err **err)
{
	size_t n = libdeflate_gzip_compress(g->z, g->in, g->len, g->out,
					    g->out_size);

	if (n == 0)
		return stv_fail(err, STV_E_INTERNAL, "gzip compression failed");
	g->len = 0;
	g->has_member = true;
	return g->under->write(g->under, g->out, n, err);
}

static int
stable_write(struct stv_sink *sink, const void *buf, size_t n,
	     struct stv_err **err)
{
	struct stable_sink *g = (struct stable_sink *)sink;
	const uint8_t *p = buf;

	while (n > 0) {
		size_t part = MEMBER_SIZE - g->len;

		if (part > n)
			part = n;
		memcpy(g->in + g->len, p, part);
		g->len += part;
		p += part;
		n -= part;
		if (g->len == MEMBER_SIZE && stable_flush(g, err) < 0)
			return -1;
	}
	return 0;
}

static int
stable_end(struct codec_sink *s, struct stv_err **err)
{
	struct stable_sink *g = (struct stable_sink *)s;

	return g->len > 0 || !g->has_member ? stable_flush(g, err) : 0;
}

static void
stable_close(struct stv_sink *sink)
{
	struct stable_sink *g = (struct stable_sink *)sink;

	libdeflate_free_compressor(g->z);
	free(g->in);
	free(g->out);
	free(g);
}

static struct stv_sink *
stable_new(struct stv_sink *under)
{
	struct stable_sink *g = stv_xcalloc(1, sizeof(*g));

	g->s.sink = (struct stv_sink){stable_write, stable_close};
	g->s.end = stable_end;
	g->under = under;
	g->z = libdeflate_alloc_compressor(STABLE_LEVEL);
	if (g->z == NULL)
		STV_BUG("no memory for a compressor");
	g->in = stv_xmalloc(MEMBER_SIZE);
	g->out_size = libdeflate_gzip_compress_bound(g->z, MEMBER_SIZE);
	g->out = stv_xmalloc(g->out_size);
	return &g->s.sink;
}

struct stv_sink *
stv_sink_gzip(struct stv_sink *under, bool is_stable)
{
	return is_stable ? stable_new(under) : fast_new(under);
}
