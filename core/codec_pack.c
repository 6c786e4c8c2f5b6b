/*
 * core/codec_pack.c - compressing in blocks, by as many threads as there are
 * processors.
 *
 * The blocks lie in a ring: the writer fills them in order, each thread takes
 * the next filled one, and the writer gives them on in order.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/codec_internal.h"

#define MAX_BLOCKS (STV_MAX_PACKERS + 2)
#define GZIP_MAX_LEVEL 9
#define ZSTD_MAX_LEVEL 22

struct block {
	uint8_t *in;
	uint8_t *out;
	size_t n_in;
	size_t n_out; /* 0 once it is packed: it failed */
	bool is_packed;
};

struct pack_sink {
	struct stv_sink sink;
	struct stv_sink *under;
	struct stv_compression how;
	struct codec_packer *packer; /* the writer's own; has the sizes */
	struct block blocks[MAX_BLOCKS];
	size_t n_blocks;
	/* Numbers of blocks; each one's place is its number modulo n_blocks. */
	uint64_t filling;
	uint64_t given_out;
	uint64_t next; /* for a thread to take; under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work;   /* filling moved on, or is_over */
	pthread_cond_t packed; /* a block is */
	pthread_t threads[STV_MAX_PACKERS];
	size_t n_threads;
	bool is_started;
	bool is_over;
};

static struct codec_packer *
packer_new(const struct stv_compression *how)
{
	return how->codec == STV_CODEC_ZSTD ? stv_codec_zstd_packer(how)
					    : stv_codec_gzip_packer(how);
}

static struct block *
block_at(struct pack_sink *s, uint64_t number)
{
	return &s->blocks[number % s->n_blocks];
}

static void
pack_block(struct codec_packer *p, struct block *b)
{
	b->n_out = p->pack(p, b->in, b->n_in, b->out);
}

static void *
thread_main(void *arg)
{
	struct pack_sink *s = arg;
	struct codec_packer *p = packer_new(&s->how);

	(void)pthread_mutex_lock(&s->lock);
	for (;;) {
		struct block *b;

		while (s->next == s->filling && !s->is_over)
			(void)pthread_cond_wait(&s->work, &s->lock);
		if (s->is_over)
			break;
		b = block_at(s, s->next++);
		(void)pthread_mutex_unlock(&s->lock);
		pack_block(p, b);
		(void)pthread_mutex_lock(&s->lock);
		b->is_packed = true;
		(void)pthread_cond_signal(&s->packed);
	}
	(void)pthread_mutex_unlock(&s->lock);
	p->free(p);
	return NULL;
}

/* Where none can be started, the writer does the work. */
static void
start_threads(struct pack_sink *s)
{
	s->is_started = true;
	while (s->n_threads + 2 < s->n_blocks &&
	       pthread_create(&s->threads[s->n_threads], NULL, thread_main,
			      s) == 0)
		s->n_threads++;
}

/* Give on the oldest block. */
static int
give_out(struct pack_sink *s, struct stv_err **err)
{
	struct block *b = block_at(s, s->given_out);

	if (s->n_threads == 0) {
		pack_block(s->packer, b);
	} else {
		(void)pthread_mutex_lock(&s->lock);
		while (!b->is_packed)
			(void)pthread_cond_wait(&s->packed, &s->lock);
		(void)pthread_mutex_unlock(&s->lock);
	}
	s->given_out++;
	if (b->n_out == 0)
		return stv_fail(err, STV_E_INTERNAL, "%s compression failed",
				stv_codec_name(s->how.codec));
	b->n_in = 0;
	b->is_packed = false;
	return s->under->write(s->under, b->out, b->n_out, err);
}

/* The block being filled is full, or the last one. */
static int
submit(struct pack_sink *s, struct stv_err **err)
{
	(void)pthread_mutex_lock(&s->lock);
	s->filling++;
	(void)pthread_cond_signal(&s->work);
	(void)pthread_mutex_unlock(&s->lock);
	if (s->filling - s->given_out < s->n_blocks)
		return 0;
	return give_out(s, err);
}

/* The block to fill, its memory made when it is first used. */
static struct block *
to_fill(struct pack_sink *s)
{
	struct block *b = block_at(s, s->filling);

	if (b->in == NULL) {
		b->in = stv_xmalloc(s->packer->block);
		b->out = stv_xmalloc(s->packer->room);
	}
	return b;
}

static int
pack_write(struct stv_sink *sink, const void *buf, size_t n,
	   struct stv_err **err)
{
	struct pack_sink *s = (struct pack_sink *)sink;
	const uint8_t *p = buf;

	while (n > 0) {
		struct block *b = to_fill(s);
		size_t part = s->packer->block - b->n_in;

		if (part > n)
			part = n;
		memcpy(b->in + b->n_in, p, part);
		b->n_in += part;
		p += part;
		n -= part;
		if (b->n_in < s->packer->block)
			continue;
		if (!s->is_started)
			start_threads(s);
		if (submit(s, err) < 0)
			return -1;
	}
	return 0;
}

int
stv_codec_end(struct stv_sink *sink, struct stv_err **err)
{
	struct pack_sink *s = (struct pack_sink *)sink;

	if ((to_fill(s)->n_in > 0 || s->filling == 0) && submit(s, err) < 0)
		return -1;
	while (s->given_out < s->filling)
		if (give_out(s, err) < 0)
			return -1;
	return 0;
}

static void
pack_close(struct stv_sink *sink)
{
	struct pack_sink *s = (struct pack_sink *)sink;

	(void)pthread_mutex_lock(&s->lock);
	s->is_over = true;
	(void)pthread_cond_broadcast(&s->work);
	(void)pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_threads; i++)
		(void)pthread_join(s->threads[i], NULL);
	for (size_t i = 0; i < s->n_blocks; i++) {
		free(s->blocks[i].in);
		free(s->blocks[i].out);
	}
	s->packer->free(s->packer);
	(void)pthread_cond_destroy(&s->packed);
	(void)pthread_cond_destroy(&s->work);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

struct stv_sink *
stv_sink_compress(struct stv_sink *under, const struct stv_compression *how)
{
	struct pack_sink *s = stv_xcalloc(1, sizeof(*s));
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	s->sink = (struct stv_sink){pack_write, pack_close};
	s->under = under;
	s->how = *how;
	s->packer = packer_new(how);
	/* One being filled and one being given on, besides those at work. */
	s->n_blocks = n < 1 ? 1 : (size_t)n;
	if (s->n_blocks > STV_MAX_PACKERS)
		s->n_blocks = STV_MAX_PACKERS;
	s->n_blocks += 2;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->work, NULL);
	(void)pthread_cond_init(&s->packed, NULL);
	return &s->sink;
}

struct stv_sink *
stv_sink_gzip(struct stv_sink *under, bool is_stable)
{
	return stv_sink_compress(
		under, &(struct stv_compression){.codec = STV_CODEC_GZIP,
						 .is_stable = is_stable});
}

struct stv_sink *
stv_sink_zstd(struct stv_sink *under, int level)
{
	return stv_sink_compress(
		under, &(struct stv_compression){.codec = STV_CODEC_ZSTD,
						 .level = level});
}

int
stv_codec_max_level(enum stv_codec c)
{
	return c == STV_CODEC_ZSTD ? ZSTD_MAX_LEVEL : GZIP_MAX_LEVEL;
}

char *
stv_compression_name(const struct stv_compression *c)
{
	if (c->codec == STV_CODEC_NONE)
		return stv_xstrdup("");
	if (c->codec == STV_CODEC_ZSTD)
		return stv_xasprintf("zstd-%d",
				     c->level == 0 ? STV_ZSTD_LEVEL : c->level);
	if (c->level == 0 && !c->is_stable)
		return stv_xstrdup("isal");
	return stv_xasprintf("deflate-%d",
			     c->level == 0 ? STV_GZIP_LEVEL : c->level);
}
