/* builder/parallel.h - the same work on several things at a time. */
#ifndef STAVE_BUILDER_PARALLEL_H
#define STAVE_BUILDER_PARALLEL_H

#include <stddef.h>

struct stv_err; /* core/err.h */

/*
 * bld_parallel(n, n_threads, fn, arg, err): call ${fn} for 0 to ${n} - 1 by at
 * most ${n_threads} threads, of which the caller's is one.  After the first
 * failure nothing new is begun, and that failure is the result.
 */
int bld_parallel(size_t n, size_t n_threads,
		 int (*fn)(void *arg, size_t i, struct stv_err **err),
		 void *arg, struct stv_err **err);

#endif /* STAVE_BUILDER_PARALLEL_H */
