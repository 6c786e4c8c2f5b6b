/*
 * core/codec.h - compressed streams.
 *
 * All in this process: gzip by ISA-L and libdeflate, zstd by libzstd, xz and
 * bzip2 (reading only) by libarchive.  No external program is ever run
 * (THREATS B18), and what is decompressed is not looked at for a second
 * compression.
 */
#ifndef STAVE_CORE_CODEC_H
#define STAVE_CORE_CODEC_H

#include <stdbool.h>
#include <stddef.h>

struct stv_err;	 /* core/err.h */
struct stv_in;	 /* core/stream.h */
struct stv_sink; /* core/stream.h */

enum stv_codec {
	STV_CODEC_NONE,
	STV_CODEC_GZIP,
	STV_CODEC_ZSTD,
	STV_CODEC_XZ,
	STV_CODEC_BZIP2
};

/* Bytes that stv_codec_detect() wants to see. */
#define STV_CODEC_MAGIC_LEN 10

/* stv_codec_detect(p, n): the codec whose magic number begins ${n} bytes. */
enum stv_codec stv_codec_detect(const void *p, size_t n);

/* stv_codec_name(c): "gzip", ...; "plain" for STV_CODEC_NONE. */
const char *stv_codec_name(enum stv_codec c);

/*
 * stv_in_decode(under, ret, err): the plain bytes of ${under}, whatever of the
 * five it is (*ret, may be NULL).  Several gzip members or zstd frames behind
 * one another are one stream; anything else behind the end is an error, and so
 * is a stream that is cut off.
 *
 * Borrows: ${under}.  Owns: the result, stv_in_close().
 * Errors:  STV_E_INPUT (damaged), STV_E_LIMIT: it grows by more than
 *          STV_MAX_RATIO beyond STV_RATIO_GRACE, or wants a larger zstd window
 *          than STV_MAX_ZSTD_WINDOW_LOG (THREATS B17).
 */
struct stv_in *stv_in_decode(struct stv_in *under, enum stv_codec *ret,
			     struct stv_err **err);

/* How to compress. */
struct stv_compression {
	enum stv_codec codec; /* STV_CODEC_GZIP or STV_CODEC_ZSTD */
	int level;	      /* 1 to stv_codec_max_level(); 0: the default */
	bool is_stable;	      /* the same bytes on every machine */
};

/* stv_codec_max_level(c): the highest level of gzip or zstd. */
int stv_codec_max_level(enum stv_codec c);

/*
 * stv_compression_name(c): the compressor with its parameters; equal names
 * give equal bytes (where is_stable or zstd: on every machine).  "" for
 * STV_CODEC_NONE.
 * Owns: the caller.
 */
char *stv_compression_name(const struct stv_compression *c);

/*
 * stv_sink_compress(under, how): compress in blocks, on all processors; what
 * comes out does not depend on their number.  gzip without level and without
 * is_stable is by ISA-L, whose output depends on the CPU's instruction set;
 * otherwise by libdeflate; zstd by libzstd.
 *
 * Borrows: ${under}.  Call stv_codec_end() before closing it.
 * Limits:  a few MiB for each of at most STV_MAX_PACKERS threads (zstd from
 *          level 10 on: up to 40), which are there only once a block is full.
 */
struct stv_sink *stv_sink_compress(struct stv_sink *under,
				   const struct stv_compression *how);

/* stv_sink_gzip(under, is_stable): gzip of the default level. */
struct stv_sink *stv_sink_gzip(struct stv_sink *under, bool is_stable);

/* stv_sink_zstd(under, level): zstd. */
struct stv_sink *stv_sink_zstd(struct stv_sink *under, int level);

/* stv_codec_end(sink, err): write what is left of a compressed stream. */
int stv_codec_end(struct stv_sink *sink, struct stv_err **err);

#endif /* STAVE_CORE_CODEC_H */
