/*
 * core/stream_ahead.c - a stream that is read by a thread of its own.
 *
 * Blocks go through a ring: the thread fills the one behind the last full one
 * without the lock, the reader empties the first.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"

#include "core/stream.h"

#define BLOCK_SIZE ((size_t)256 << 10)
#define N_BLOCKS 4

struct block {
	uint8_t *data;
	size_t len;
};

struct ahead {
	struct stv_in in;
	struct stv_in *under;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct block blocks[N_BLOCKS];
	size_t first; /* the reader's */
	size_t n_full;
	bool is_ended;	 /* the thread is done with ${under} */
	bool is_closing; /* the reader wants no more */
	struct stv_err *err;

	size_t pos; /* in the first block; the reader's alone */
};

/* A block to fill, or NULL: nobody wants it. */
static struct block *
wait_for_room(struct ahead *a)
{
	struct block *b = NULL;

	(void)pthread_mutex_lock(&a->lock);
	while (a->n_full == N_BLOCKS && !a->is_closing)
		(void)pthread_cond_wait(&a->changed, &a->lock);
	if (!a->is_closing)
		b = &a->blocks[(a->first + a->n_full) % N_BLOCKS];
	(void)pthread_mutex_unlock(&a->lock);
	return b;
}

static void *
ahead_main(void *arg)
{
	struct ahead *a = arg;
	int64_t got = 1;

	while (got > 0) {
		struct stv_err *err = NULL;
		struct block *b = wait_for_room(a);

		if (b == NULL)
			break;
		got = a->under->read(a->under, b->data, BLOCK_SIZE, &err);
		(void)pthread_mutex_lock(&a->lock);
		b->len = got > 0 ? (size_t)got : 0;
		a->n_full += got > 0 ? 1 : 0;
		a->is_ended = got <= 0;
		a->err = err;
		(void)pthread_cond_signal(&a->changed);
		(void)pthread_mutex_unlock(&a->lock);
	}
	return NULL;
}

/* The first full block; NULL: there will be none. */
static struct block *
wait_for_block(struct ahead *a)
{
	struct block *b = NULL;

	(void)pthread_mutex_lock(&a->lock);
	while (a->n_full == 0 && !a->is_ended)
		(void)pthread_cond_wait(&a->changed, &a->lock);
	if (a->n_full > 0)
		b = &a->blocks[a->first];
	(void)pthread_mutex_unlock(&a->lock);
	return b;
}

static void
give_back(struct ahead *a)
{
	(void)pthread_mutex_lock(&a->lock);
	a->first = (a->first + 1) % N_BLOCKS;
	a->n_full--;
	(void)pthread_cond_signal(&a->changed);
	(void)pthread_mutex_unlock(&a->lock);
	a->pos = 0;
}

/* All was read that could be: the end, or the error that made it. */
static int64_t
finish(struct ahead *a, struct stv_err **err)
{
	if (a->err == NULL)
		return 0;
	*err = a->err;
	/* Who reads on after an error must not take it for the end. */
	a->err = NULL;
	stv_fail(&a->err, STV_E_IO, "the stream has failed before");
	return -1;
}

static int64_t
ahead_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct ahead *a = (struct ahead *)in;
	struct block *b;

	if (!a->has_thread)
		return a->under->read(a->under, buf, n, err);
	b = wait_for_block(a);
	if (b == NULL)
		return finish(a, err);
	if (n > b->len - a->pos)
		n = b->len - a->pos;
	memcpy(buf, b->data + a->pos, n);
	a->pos += n;
	if (a->pos == b->len)
		give_back(a);
	return (int64_t)n;
}

static void
ahead_close(struct stv_in *in)
{
	struct ahead *a = (struct ahead *)in;

	if (a->has_thread) {
		(void)pthread_mutex_lock(&a->lock);
		a->is_closing = true;
		(void)pthread_cond_signal(&a->changed);
		(void)pthread_mutex_unlock(&a->lock);
		(void)pthread_join(a->thread, NULL);
	}
	for (size_t i = 0; i < N_BLOCKS; i++)
		free(a->blocks[i].data);
	(void)pthread_cond_destroy(&a->changed);
	(void)pthread_mutex_destroy(&a->lock);
	stv_err_free(a->err);
	free(a);
}

struct stv_in *
stv_in_ahead(struct stv_in *under)
{
	struct ahead *a = stv_xcalloc(1, sizeof(*a));
	sigset_t all, before;

	a->in = (struct stv_in){ahead_read, ahead_close};
	a->under = under;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->changed, NULL);
	for (size_t i = 0; i < N_BLOCKS; i++)
		a->blocks[i].data = stv_xmalloc(BLOCK_SIZE);
	/* Signals are for the threads that were there before. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	a->has_thread = pthread_create(&a->thread, NULL, ahead_main, a) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return &a->in;
}
