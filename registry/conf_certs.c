/* registry/conf_certs.c - certs.d: certificates for one registry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "registry/conf.h"
#include "registry/conf_internal.h"

/* ${path} with another ending. */
static char *
partner_of(const char *path, const char *old, const char *new)
{
	return stv_xasprintf("%.*s%s", (int)(strlen(path) - strlen(old)), path,
			     new);
}

/* Is there a ${new} for each ${old} of the list? */
static int
check_partners(const struct stv_strs *have, const char *old,
	       const struct stv_strs *others, const char *new,
	       struct stv_err **err)
{
	for (size_t i = 0; i < have->len; i++) {
		stv_auto_free char *partner = partner_of(have->v[i], old, new);

		if (!stv_strs_has(others, partner))
			return stv_fail(err, STV_E_INPUT,
					"'%s' has no '%s' beside it",
					have->v[i], strrchr(partner, '/') + 1);
	}
	return 0;
}

/* Returns: 1, or 0 where there is no such directory for us. */
static int
read_certs(const char *dir, struct reg_certs *c, struct stv_err **err)
{
	int rc = reg_conf_list_dir(dir, ".crt", &c->cas, err);

	if (rc < 0 && stv_err_errno(*err) == EACCES) {
		stv_err_clear(err);
		return 0;
	}
	if (rc <= 0)
		return rc;
	if (reg_conf_list_dir(dir, ".cert", &c->certs, err) < 0 ||
	    reg_conf_list_dir(dir, ".key", &c->keys, err) < 0 ||
	    check_partners(&c->certs, ".cert", &c->keys, ".key", err) < 0 ||
	    check_partners(&c->keys, ".key", &c->certs, ".cert", err) < 0)
		return -1;
	/* Sorted lists of certificates may differ in order from their keys. */
	stv_strs_clear(&c->keys);
	for (size_t i = 0; i < c->certs.len; i++)
		stv_strs_take(&c->keys,
			      partner_of(c->certs.v[i], ".cert", ".key"));
	return 1;
}

int
reg_conf_certs(const struct reg_conf *c, const char *domain,
	       struct reg_certs *ret, struct stv_err **err)
{
	const char *const dirs[][2] = {{c->user_dir, "certs.d"},
				       {c->etc, "containers/certs.d"},
				       {c->etc, "docker/certs.d"}};

	if (*domain == '\0' || *domain == '.' || strchr(domain, '/') != NULL)
		return stv_fail(err, STV_E_INPUT,
				"'%s' is not the name of a registry", domain);
	for (size_t i = 0; i < STV_ARRAY_LEN(dirs); i++) {
		reg_auto_certs found = {0};
		stv_auto_free char *dir = NULL;
		int rc;

		if (dirs[i][0] == NULL)
			continue;
		dir = stv_xasprintf("%s/%s/%s", dirs[i][0], dirs[i][1], domain);
		rc = read_certs(dir, &found, err);
		if (rc > 0) {
			*ret = found;
			found = (struct reg_certs){0};
		}
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	return 0;
}

void
reg_certs_fini(struct reg_certs *c)
{
	stv_strs_clear(&c->cas);
	stv_strs_clear(&c->certs);
	stv_strs_clear(&c->keys);
}
