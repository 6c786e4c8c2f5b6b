/*
 * builder/fuzz/fuzz_git_ref.c - names of repositories: whatever gets through
 * is no option, no other transport and no second line to git, and what is
 * shown has no password in it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"

#include "builder/git_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_plain(const char *s)
{
	assert(*s != '-');
	for (; *s != '\0'; s++)
		assert((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void
check_remote(const struct bld_git_ref *r)
{
	static const char *const schemes[] = {"http://", "https://", "ssh://",
					      "git://"};
	const char *host = strchr(r->remote, ':');
	size_t i;

	check_plain(r->remote);
	assert(host != NULL && host[1] != ':' &&
	       strncmp(r->remote, "ext:", 4) != 0 &&
	       strncmp(r->remote, "file:", 5) != 0);
	for (i = 0; i < STV_ARRAY_LEN(schemes); i++)
		if (strncmp(r->remote, schemes[i], strlen(schemes[i])) == 0)
			break;
	if (i < 2)
		assert(memchr(r->remote, '@',
			      strcspn(r->remote + 8, "/") + 8) == NULL);
	if (i == STV_ARRAY_LEN(schemes))
		assert(strstr(r->remote, "://") == NULL ||
		       strstr(r->remote, "://") > host);
}

static void
check_ref(const char *ref)
{
	if (ref == NULL)
		return;
	check_plain(ref);
	assert(strpbrk(ref, " ~^:?*[\\") == NULL && strstr(ref, "..") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	stv_auto_free char *text = stv_xstrndup((const char *)data, n);
	bld_auto_git_ref r = {0};
	struct stv_err *err = NULL;
	int rc = bld_git_ref_parse(text, &r, &err);

	assert((rc < 0) == (err != NULL));
	stv_err_free(err);
	if (rc != 1) {
		assert(r.remote == NULL && r.ref == NULL && r.subdir == NULL);
		return 0;
	}
	check_remote(&r);
	check_ref(r.ref);
	if (r.checksum != NULL)
		assert(r.checksum[strspn(r.checksum,
					 "0123456789abcdefABCDEF")] == '\0');
	if (r.userinfo != NULL && strlen(r.userinfo) > 8)
		assert(strstr(r.shown, r.userinfo) == NULL ||
		       strstr(r.remote, r.userinfo) != NULL);
	return 0;
}
