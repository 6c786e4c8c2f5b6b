/*
 * builder/fuzz/fuzz_chmod.c - the value of --chmod.
 *
 * What is accepted gives 12 bits of mode.  Bits change only where the text has
 * letters for it: no sticky bit without 't', and none is lost without '=' or
 * '-'; no set-id bit comes without 's'.  Digits are octal and say all.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "builder/chmod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(const char *text, const struct bld_chmod *c, uint32_t mode, bool is_dir)
{
	uint32_t got = bld_chmod_apply(c, mode, is_dir);

	assert(got <= 07777);
	if (c->is_octal) {
		assert(got == (uint32_t)strtoul(text, NULL, 8));
		return;
	}
	if (strchr(text, 't') == NULL)
		assert((got & 01000) == (mode & 01000));
	if (strchr(text, 's') == NULL)
		assert((got & ~mode & 06000) == 0);
	if (strpbrk(text, "=-") == NULL)
		assert((mode & ~got) == 0);
	if (strpbrk(text, "+=") == NULL)
		assert((got & ~mode) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint32_t modes[] = {0, 0644, 0711, 04755, 07777, 01070};
	stv_auto_free char *text = stv_xstrndup((const char *)data, n);
	struct stv_err *err = NULL;
	struct bld_chmod c;

	if (bld_chmod_parse(text, &c, &err) < 0) {
		assert(stv_err_code(err) == STV_E_CHECK);
		stv_err_free(err);
		return 0;
	}
	for (size_t i = 0; i < STV_ARRAY_LEN(modes); i++) {
		check(text, &c, modes[i], false);
		check(text, &c, modes[i], true);
	}
	return 0;
}
