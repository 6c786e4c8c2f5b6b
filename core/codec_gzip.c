/* core/codec_gzip.c - gzip: inflate and deflate by ISA-L, or by libdeflate. */
#include <string.h>

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "core/codec_internal.h"

/* What one member holds; a constant of the output's form. */
#define MEMBER_SIZE ((size_t)1 << 20)
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

/* ISA-L. */
struct fast_packer {
	struct codec_packer p;
	struct isal_zstream z;
	uint8_t *level_buf;
};

static size_t
fast_pack(struct codec_packer *p, const uint8_t *in, size_t n, uint8_t *out)
{
	struct fast_packer *g = (struct fast_packer *)p;

	isal_deflate_init(&g->z);
	g->z.level = FAST_LEVEL;
	g->z.level_buf = g->level_buf;
	g->z.level_buf_size = ISAL_DEF_LVL2_DEFAULT;
	g->z.gzip_flag = IGZIP_GZIP;
	g->z.flush = NO_FLUSH;
	g->z.end_of_stream = 1;
	g->z.next_in = (uint8_t *)(uintptr_t)in; /* it is only read */
	g->z.avail_in = (uint32_t)n;
	g->z.next_out = out;
	g->z.avail_out = (uint32_t)p->room;
	if (isal_deflate(&g->z) != COMP_OK ||
	    g->z.internal_state.state != ZSTATE_END)
		return 0;
	return p->room - g->z.avail_out;
}

static void
fast_free(struct codec_packer *p)
{
	free(((struct fast_packer *)p)->level_buf);
	free(p);
}

static struct codec_packer *
fast_new(void)
{
	struct fast_packer *g = stv_xcalloc(1, sizeof(*g));

	/* A Huffman code never adds an eighth. */
	g->p = (struct codec_packer){MEMBER_SIZE, MEMBER_SIZE / 8 * 9,
				     fast_pack, fast_free};
	g->level_buf = stv_xmalloc(ISAL_DEF_LVL2_DEFAULT);
	return &g->p;
}

/* libdeflate. */
struct stable_packer {
	struct codec_packer p;
	struct libdeflate_compressor *z;
};

static size_t
stable_pack(struct codec_packer *p, const uint8_t *in, size_t n, uint8_t *out)
{
	return libdeflate_gzip_compress(((struct stable_packer *)p)->z, in, n,
					out, p->room);
}

static void
stable_free(struct codec_packer *p)
{
	libdeflate_free_compressor(((struct stable_packer *)p)->z);
	free(p);
}

static struct codec_packer *
stable_new(int level)
{
	struct stable_packer *g = stv_xcalloc(1, sizeof(*g));

	g->z = libdeflate_alloc_compressor(level);
	if (g->z == NULL)
		STV_BUG("no memory for a compressor");
	g->p = (struct codec_packer){
		MEMBER_SIZE, libdeflate_gzip_compress_bound(g->z, MEMBER_SIZE),
		stable_pack, stable_free};
	return &g->p;
}

struct codec_packer *
stv_codec_gzip_packer(const struct stv_compression *c)
{
	if (c->level == 0 && !c->is_stable)
		return fast_new();
	return stable_new(c->level == 0 ? STV_GZIP_LEVEL : c->level);
}
