/* builder/parallel.c - the same work on several things at a time. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/err.h"

#include "builder/parallel.h"

#define MAX_THREADS 16

struct work {
	pthread_mutex_t lock;
	size_t n;
	size_t next;
	int (*fn)(void *arg, size_t i, struct stv_err **err);
	void *arg;
	struct stv_err *err; /* the first failure */
};

static size_t
take(struct work *w)
{
	size_t i = SIZE_MAX;

	(void)pthread_mutex_lock(&w->lock);
	if (w->err == NULL && w->next < w->n)
		i = w->next++;
	(void)pthread_mutex_unlock(&w->lock);
	return i;
}

static void *
work_main(void *arg)
{
	struct work *w = arg;

	for (size_t i = take(w); i != SIZE_MAX; i = take(w)) {
		struct stv_err *err = NULL;

		if (w->fn(w->arg, i, &err) == 0)
			continue;
		(void)pthread_mutex_lock(&w->lock);
		if (w->err == NULL)
			w->err = stv_steal(&err);
		(void)pthread_mutex_unlock(&w->lock);
		stv_err_free(err);
	}
	return NULL;
}

int
bld_parallel(size_t n, size_t n_threads,
	     int (*fn)(void *arg, size_t i, struct stv_err **err), void *arg,
	     struct stv_err **err)
{
	struct work w = {.n = n, .fn = fn, .arg = arg};
	pthread_t threads[MAX_THREADS];
	size_t started = 0;
	sigset_t all, before;

	if (n_threads > n)
		n_threads = n;
	if (n_threads > MAX_THREADS)
		n_threads = MAX_THREADS;
	(void)pthread_mutex_init(&w.lock, NULL);
	/* Signals are for the threads that were there before. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started + 1 < n_threads &&
	       pthread_create(&threads[started], NULL, work_main, &w) == 0)
		started++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)work_main(&w);
	while (started > 0)
		(void)pthread_join(threads[--started], NULL);
	(void)pthread_mutex_destroy(&w.lock);
	if (w.err == NULL)
		return 0;
	*err = w.err;
	return -1;
}
