/* builder/mounts.c - a chain of layers as lower directories of an overlay. */
#include <stdlib.h>

#include "cache/layer.h"
#include "cache/store.h"
#include "core/err.h"
#include "core/fsat.h"

#include "builder/build_internal.h"

/* The directory that stands for "no layers at all"; never written to. */
#define EMPTY_DIR "snapshots/empty"

int
bld_lowers(struct cas_store *store, const struct stv_digest *diff_ids, size_t n,
	   struct stv_strs *ret, struct stv_err **err)
{
	if (n == 0) {
		if (stv_fsat_mkdirs(cas_store_rootfd(store), EMPTY_DIR, 0755,
				    err) < 0)
			return -1;
		stv_strs_add(ret, EMPTY_DIR);
		return 0;
	}
	for (size_t i = n; i > 0; i--) {
		char *name = NULL;

		if (lay_snapshot(store, diff_ids, i, &name, err) < 0)
			return stv_wrap(err, "unpacking layer %zu of %zu", i,
					n);
		stv_strs_take(ret, name);
	}
	return 0;
}
