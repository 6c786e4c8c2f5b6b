/*
 * builder/add.h - what ADD can do and COPY cannot: URLs and archives.
 *
 * Used by builder/copy.c only.
 */
#ifndef STAVE_BUILDER_ADD_H
#define STAVE_BUILDER_ADD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"

struct bld_copy_spec; /* builder/copy.h */
struct bld_delta;     /* builder/delta.h */
struct cas_store;     /* cache/store.h */
struct reg_http;      /* registry/http.h */
struct stv_err;	      /* core/err.h */
struct stv_in;	      /* core/stream.h */

/* A downloaded file. */
struct bld_fetched {
	int fd; /* of an unlinked file in the store's tmp/; -1: none */
	uint64_t size;
	struct stv_digest digest;
	bool has_mtime;
	int64_t mtime_s;
	char *name;
};

/*
 * bld_add_fetch(store, http, url, ret, err): download ${url}; ${http} may be
 * NULL.
 * Owns:   ret->fd and ret->name.
 * Errors: reg_http_do()'s, STV_E_IO.
 */
int bld_add_fetch(struct cas_store *store, struct reg_http *http,
		  const char *url, struct bld_fetched *ret,
		  struct stv_err **err);

/*
 * bld_add_is_archive(fd, offset, size, err): is it a tar with at least one
 * entry, plain or compressed?  By content (DOCKERFILE.md, ADD): 1, 0 or -1.
 */
int bld_add_is_archive(int fd, uint64_t offset, uint64_t size,
		       struct stv_err **err);

/*
 * bld_add_unpack(spec, in, dest, delta, ret_fd, err): unpack an archive below
 * the directory ${dest} (cleaned; links followed) of ${delta}, which is made
 * where it is missing.  Nothing leaves the root: names and links are resolved
 * in ${delta} only (THREATS B01 to B04).  ${in} is read to its end.
 *
 * Owns:   *ret_fd, which holds the content of the files until ${delta} has
 *         been written.
 * Errors: STV_E_INPUT: truncated or hostile; STV_E_LIMIT; STV_E_IO.
 */
int bld_add_unpack(const struct bld_copy_spec *spec, struct stv_in *in,
		   const char *dest, struct bld_delta *delta, int *ret_fd,
		   struct stv_err **err);

#endif /* STAVE_BUILDER_ADD_H */
