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

struct zstd_sink {
	struct codec_sink s;
	struct stv_sink *under;
	ZSTD_CStream *z;
	uint8_t *out;
};

static int
zstd_run(struct zstd_sink *z, const void *buf, size_t n, ZSTD_EndDirective how,
	 struct stv_err **err)
{
	ZSTD_inBuffer in = {buf, n, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {z->out, CODEC_BUF, 0};

		left = ZSTD_compressStream2(z->z, &out, &in, how);
		if (ZSTD_isError(left))
			return stv_fail(err, STV_E_INTERNAL,
					"zstd compression failed: %s",
					ZSTD_getErrorName(left));
		if (out.pos > 0 &&
		    z->under->write(z->under, z->out, out.pos, err) < 0)
			return -1;
	} while (how == ZSTD_e_end ? left > 0 : in.pos < in.size);
	return 0;
}

static int
zstd_write(struct stv_sink *sink, const void *buf, size_t n,
	   struct stv_err **err)
{
	return zstd_run((struct zstd_sink *)sink, buf, n, ZSTD_e_continue, err);
}

static int
zstd_end(struct codec_sink *s, struct stv_err **err)
{
	return zstd_run((struct zstd_sink *)s, "", 0, ZSTD_e_end, err);
}

static void
zstd_close(struct stv_sink *sink)
{
	struct zstd_sink *z = (struct zstd_sink *)sink;

	(void)ZSTD_freeCStream(z->z);
	free(z->out);
	free(z);
}

struct stv_sink *
stv_sink_zstd(struct stv_sink *under, int level)
{
	struct zstd_sink *z = stv_xcalloc(1, sizeof(*z));

	z->s.sink = (struct stv_sink){zstd_write, zstd_close};
	z->s.end = zstd_end;
	z->under = under;
	z->out = stv_xmalloc(CODEC_BUF);
	z->z = ZSTD_createCStream();
	if (z->z == NULL ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->z, ZSTD_c_compressionLevel,
						level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->z, ZSTD_c_checksumFlag, 1)))
		STV_BUG("zstd cannot be set up");
	return &z->s.sink;
}
