/*
 * builder/fuzz/fuzz_cache_doc.c - documents of caches: what parses is written
 * and read again as the same, and has nothing that is news to itself.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"

#include "builder/cache_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	stv_auto_buf one = STV_BUF_INIT(STV_MAX_CONFIG * 4);
	stv_auto_buf two = STV_BUF_INIT(STV_MAX_CONFIG * 4);
	struct bld_cache_doc d, again;
	struct stv_err *err = NULL;

	if (bld_cache_doc_parse((const char *)data, n, &d, &err) < 0) {
		bld_cache_doc_fini(&d);
		stv_err_free(err);
		return 0;
	}
	bld_cache_doc_write(&d, &one);
	assert(bld_cache_doc_parse(stv_buf_str(&one), one.len, &again, &err) ==
	       0);
	bld_cache_doc_write(&again, &two);
	assert(strcmp(stv_buf_str(&one), stv_buf_str(&two)) == 0);
	bld_cache_doc_merge(&again, &d);
	bld_cache_doc_trim(&again);
	bld_cache_doc_subtract(&d, &again);
	assert(d.answers.len == 0);
	bld_cache_doc_fini(&d);
	bld_cache_doc_fini(&again);
	return 0;
}
