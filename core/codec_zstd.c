/* core/codec_zstd.c - zstd. */
#include <zstd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/codec_internal.h"

struct zstd_in {
	struct codec_in c;
	ZSTD_DStream *z;
	bool is_between; /* no frame is open */
};

static int64_t
zstd_decode(struct codec_in *c, void *buf, size_t n, struct stv_err **err)
{
	struct zstd_in *z = (struct zstd_in *)c;
	struct codec_feed *f = &c->feed;
	ZSTD_outBuffer out = {buf, n, 0};

	while (out.pos == 0) {
		ZSTD_inBuffer in;
		size_t r;

		if (stv_codec_fill(f, err) < 0)
			return -1;
		if (f->is_end && z->is_between)
			return 0;
		in = (ZSTD_inBuffer){f->buf, f->len, f->pos};
		r = ZSTD_decompressStream(z->z, &out, &in);
		if (ZSTD_isError(r))
			return stv_fail(err, STV_E_INPUT,
					"the zstd data is damaged: %s",
					ZSTD_getErrorName(r));
		if (f->is_end && out.pos == 0)
			return stv_fail(err, STV_E_INPUT,
					"the zstd data is cut off");
		f->pos = in.pos;
		z->is_between = r == 0;
	}
	return (int64_t)out.pos;
}

static void
zstd_fini(struct codec_in *c)
{
	(void)ZSTD_freeDStream(((struct zstd_in *)c)->z);
}

struct codec_in *
stv_codec_zstd_new(void)
{
	struct zstd_in *z = stv_xcalloc(1, sizeof(*z));

	z->z = ZSTD_createDStream();
	if (z->z == NULL ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(z->z, ZSTD_d_windowLogMax,
						STV_MAX_ZSTD_WINDOW_LOG)))
		STV_BUG("zstd cannot be set up");
	z->is_between = true;
	z->c.decode = zstd_decode;
	z->c.fini = zstd_fini;
	return &z->c;
}

/* What one frame holds; a constant of the output's form. */
#define FRAME_SIZE ((size_t)2 << 20)

struct zstd_packer {
	struct codec_packer p;
	ZSTD_CCtx *z;
};

static size_t
zstd_pack(struct codec_packer *p, const uint8_t *in, size_t n, uint8_t *out)
{
	size_t r = ZSTD_compress2(((struct zstd_packer *)p)->z, out, p->room,
				  in, n);

	return ZSTD_isError(r) ? 0 : r;
}

static void
zstd_free(struct codec_packer *p)
{
	(void)ZSTD_freeCCtx(((struct zstd_packer *)p)->z);
	free(p);
}

struct codec_packer *
stv_codec_zstd_packer(const struct stv_compression *c)
{
	struct zstd_packer *z = stv_xcalloc(1, sizeof(*z));
	int level = c->level == 0 ? STV_ZSTD_LEVEL : c->level;

	z->p = (struct codec_packer){FRAME_SIZE, ZSTD_compressBound(FRAME_SIZE),
				     zstd_pack, zstd_free};
	z->z = ZSTD_createCCtx();
	if (z->z == NULL ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->z, ZSTD_c_compressionLevel,
						level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->z, ZSTD_c_checksumFlag, 1)))
		STV_BUG("zstd cannot be set up");
	return &z->p;
}
