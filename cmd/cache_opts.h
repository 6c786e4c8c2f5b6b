/* cmd/cache_opts.h - --cache-from and --cache-to of stave build. */
#ifndef STAVE_CMD_CACHE_OPTS_H
#define STAVE_CMD_CACHE_OPTS_H

#include <stddef.h>

#include "builder/build.h"
#include "core/vec.h"
#include "registry/ref.h"

struct stv_err;	 /* core/err.h */
struct stv_strs; /* core/strs.h */

/* One of them, parsed.  All owned. */
struct cmd_cache {
	enum bld_cache_kind kind;
	struct reg_ref ref; /* registry */
	char *dir;	    /* local */
	char *tag;
	bool is_max;
	bool is_error_ignored;
	struct stv_compression how;
};

/* All of a command line, as typed and as the builder takes them. */
struct cmd_caches {
	STV_VEC(struct cmd_cache) list;
	STV_VEC(struct bld_cache_from) from;
	STV_VEC(struct bld_cache_to) to;
};

/*
 * cmd_caches_make(from, to, ret, err): "type=registry,ref=REF,mode=max",
 * "type=local,src=DIR", "type=inline", or REF alone, fields as buildx reads
 * them.
 * Owns:   *ret, cmd_caches_fini(), also after a failure.
 * Errors: STV_E_USAGE, naming the field and the way out.
 */
int cmd_caches_make(const struct stv_strs *from, const struct stv_strs *to,
		    struct cmd_caches *ret, struct stv_err **err);

/* cmd_caches_has_inline(c): is there a --cache-to type=inline? */
bool cmd_caches_has_inline(const struct cmd_caches *c);

/* cmd_caches_fini(c): free the members. */
void cmd_caches_fini(struct cmd_caches *c);

#endif /* STAVE_CMD_CACHE_OPTS_H */
