/*
 * registry/fuzz/fuzz_creds.c - files of credentials: what is found is complete
 * and fit for a header, what holds for a host holds for all below it, and an
 * entry for one namespace is never found for another host or beside it.  The
 * first byte chooses between config.json and .dockercfg.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"

#include "registry/creds.h"
#include "registry/creds_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_token(const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		assert(*s > 0x20 && *s < 0x7f);
}

/* Look for one; the answer's rules hold. */
static int
look(const struct reg_auths *a, const char *domain, const char *path,
     bool with_helpers, struct reg_creds *c)
{
	reg_auto_helper h = {0};
	struct stv_err *err = NULL;
	int rc = reg_auths_lookup(a, domain, path, c, with_helpers ? &h : NULL,
				  &err);

	assert((rc < 0) == (err != NULL));
	assert((rc == 2) == (h.name != NULL && h.server != NULL));
	assert((rc == 1) == (c->origin != NULL));
	if (rc == 1) {
		assert(reg_secret_is_set(c->secret) || c->identity_token ||
		       c->registry_token);
		check_token(c->identity_token);
		check_token(c->registry_token);
	} else {
		assert(c->username == NULL && c->secret == NULL &&
		       c->identity_token == NULL && c->registry_token == NULL);
	}
	assert(rc != 2 || with_helpers);
	if (rc < 0)
		assert(strncmp(stv_err_msg(err), "f: ", 3) == 0);
	stv_err_free(err);
	return rc;
}

static void
check_repository(const struct reg_auths *a, const char *domain,
		 const char *path)
{
	reg_auto_creds all = {0}, one = {0}, ignored = {0};
	int host = look(a, domain, NULL, false, &all);
	int rc = look(a, domain, path, false, &one);

	assert(host != 1 || rc != 0);
	(void)look(a, domain, path, true, &ignored);
}

/* Take away what is for the repository or wider: nothing may be left. */
static void
check_nothing_else(struct reg_auths *a, const char *domain, const char *path)
{
	reg_auto_creds c = {0};
	json_t *auths = a->is_legacy ? a->root
				     : json_object_get(a->root, "auths"),
	       *v;
	const char *key;
	void *next;
	size_t d = strlen(domain);

	json_object_foreach_safe(auths, next, key, v)
	{
		size_t n = strlen(key);
		bool is_for =
			n > d && strncmp(key, domain, d) == 0 &&
			key[d] == '/' &&
			strncmp(key + d + 1, path, n - d - 1) == 0 &&
			(path[n - d - 1] == '\0' || path[n - d - 1] == '/');

		if (is_for || reg_auths_is_key(a, key, domain))
			(void)json_object_del(auths, key);
	}
	assert(look(a, domain, path, false, &c) != 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	reg_auto_auths a = {0};
	struct stv_err *err = NULL;

	if (n == 0)
		return 0;
	if (reg_auths_parse((const char *)data + 1, n - 1, "f", data[0] == 'l',
			    &a, &err) < 0) {
		assert(a.root == NULL && err != NULL);
		stv_err_free(err);
		return 0;
	}
	check_repository(&a, "docker.io", "library/a");
	check_repository(&a, "h.example", "n/r");
	check_repository(&a, "h.example:5000", "n/r/s");
	check_nothing_else(&a, "h.example", "n/r");
	check_nothing_else(&a, "docker.io", "library/a");
	return 0;
}
