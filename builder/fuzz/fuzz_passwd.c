/*
 * builder/fuzz/fuzz_passwd.c - an image's passwd and group.
 *
 * The input is "spec NUL passwd NUL group".  A number never becomes another
 * number, nobody becomes root who did not say so, and groups are listed once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "builder/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Digits only, and small enough to be a number of a user. */
static int
is_number(const char *s, uint32_t *ret)
{
	uint64_t id = 0;

	if (*s == '\0')
		return 0;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return 0;
		id = id * 10 + (uint64_t)(*s - '0');
		if (id > 2147483647)
			return 0;
	}
	*ret = (uint32_t)id;
	return 1;
}

static void
check_user(const char *spec, const struct bld_user *u)
{
	uint32_t id;

	assert(u->home != NULL && u->n_groups > 0 &&
	       u->n_groups <= STV_MAX_GROUPS);
	assert(u->groups[0] == u->gid);
	assert(u->uid <= 2147483647 && u->gid <= 2147483647);
	for (size_t i = 0; i < u->n_groups; i++)
		for (size_t k = 0; k < i; k++)
			assert(u->groups[i] != u->groups[k]);
	if (is_number(spec, &id))
		assert(u->uid == id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	stv_auto_free char *spec = stv_xstrndup((const char *)data, n);
	size_t at = strlen(spec) + 1;
	struct bld_user_files f = {0};
	bld_auto_user u = {0};
	struct stv_err *err = NULL;
	uint32_t uid, gid, id;

	if (at < n) {
		const char *p = (const char *)data + at;
		const char *cut = memchr(p, '\0', n - at);

		f.passwd = p;
		f.passwd_len = cut == NULL ? n - at : (size_t)(cut - p);
		if (cut != NULL) {
			f.group = cut + 1;
			f.group_len = n - at - f.passwd_len - 1;
		}
	}
	if (bld_user_from(&f, spec, &u, &err) == 0)
		check_user(spec, &u);
	stv_err_clear(&err);
	if (bld_chown_from(&f, spec, &uid, &gid, &err) == 0 &&
	    is_number(spec, &id))
		assert(uid == id && gid == id);
	stv_err_clear(&err);
	return 0;
}
