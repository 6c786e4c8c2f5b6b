/* core/codec_internal.h - what the codecs share. */
#ifndef STAVE_CORE_CODEC_INTERNAL_H
#define STAVE_CORE_CODEC_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/codec.h"
#include "core/stream.h"

#define CODEC_BUF ((size_t)128 << 10)
/* Levels where none is asked for. */
#define STV_GZIP_LEVEL 6
#define STV_ZSTD_LEVEL 3

/* Compressed bytes on their way into a decoder. */
struct codec_feed {
	struct stv_in *under;
	uint8_t *buf; /* CODEC_BUF bytes */
	size_t pos;
	size_t len;
	uint64_t total; /* read from under */
	bool is_end;
};

/* stv_codec_fill(f, err): have at least one byte, or f->is_end. */
int stv_codec_fill(struct codec_feed *f, struct stv_err **err);

/*
 * A decoder behind stv_in_decode(); each kind has this in front.  decode()
 * is as stv_in's read; fini() frees what the kind owns, not the structure.
 */
struct codec_in {
	struct stv_in in;
	struct codec_feed feed;
	uint64_t total; /* given out */
	int64_t (*decode)(struct codec_in *c, void *buf, size_t n,
			  struct stv_err **err);
	void (*fini)(struct codec_in *c);
};

/* A decoder of each kind, not yet fed.  Owns: the caller. */
struct codec_in *stv_codec_gzip_new(void);
struct codec_in *stv_codec_zstd_new(void);
/* stv_codec_arch_new(codec): xz or bzip2. */
struct codec_in *stv_codec_arch_new(enum stv_codec codec);

/*
 * What compresses one block to a gzip member or zstd frame of its own; each
 * kind has this in front.  Threads: one packer belongs to one thread.
 */
struct codec_packer {
	size_t block; /* bytes that go into one member: part of the format */
	size_t room;  /* the most that comes out */
	/*
	 * pack(p, in, n, out): up to block bytes to at most room: how many,
	 * 0 where it failed.
	 */
	size_t (*pack)(struct codec_packer *p, const uint8_t *in, size_t n,
		       uint8_t *out);
	void (*free)(struct codec_packer *p);
};

/* Packers of each kind.  Owns: the caller, p->free(). */
struct codec_packer *stv_codec_gzip_packer(const struct stv_compression *c);
struct codec_packer *stv_codec_zstd_packer(const struct stv_compression *c);

#endif /* STAVE_CORE_CODEC_INTERNAL_H */
