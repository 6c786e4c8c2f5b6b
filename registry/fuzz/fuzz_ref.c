/*
 * registry/fuzz/fuzz_ref.c - references: whatever parses has a normal form
 * that parses to itself and that cannot leave a path or a URL.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"

#include "registry/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	stv_auto_free char *text = stv_xstrndup((const char *)data, n);
	stv_auto_free char *normal = NULL;
	stv_auto_free char *again = NULL;
	reg_auto_ref r = {0};
	reg_auto_ref s = {0};
	struct stv_err *err = NULL;

	if (reg_ref_parse(text, &r, &err) < 0) {
		assert(r.domain == NULL && r.path == NULL && r.tag == NULL);
		stv_err_free(err);
		return 0;
	}
	normal = reg_ref_str(&r);
	assert(strstr(normal, "..") == NULL || r.tag != NULL);
	assert(strpbrk(normal, "%?#\\ \n\r\t") == NULL);
	assert(strstr(r.path, "..") == NULL && strstr(r.path, "//") == NULL);
	assert(r.path[0] != '/' && r.path[strlen(r.path) - 1] != '/');
	assert(reg_ref_parse(normal, &s, &err) == 0);
	again = reg_ref_str(&s);
	assert(strcmp(normal, again) == 0);
	return 0;
}
