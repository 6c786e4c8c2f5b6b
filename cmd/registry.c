/* cmd/registry.c - how all commands speak to registries. */
#include "core/cancel.h"

#include "registry/conf.h"

#include "cmd/ctx.h"
#include "cmd/registry.h"

bool
cmd_registry_is_cancelled(void *arg)
{
	(void)arg;
	return stv_is_cancelled();
}

static int
find_creds(void *arg, const char *domain, const char *path,
	   struct reg_creds *ret, struct stv_err **err)
{
	const struct cmd_registry *r = arg;
	int found = reg_creds_find(&r->creds, domain, path, ret, err);

	if (found >= 0 && ret->warning != NULL)
		cmd_warn("%s", ret->warning);
	return found;
}

int
cmd_registry_open(const char *authfile, struct cmd_registry *ret,
		  struct stv_err **err)
{
	struct reg_conf_opts conf = {.registries_conf = NULL};
	struct reg_client_opts o = {.is_cancelled = cmd_registry_is_cancelled,
				    .creds = find_creds,
				    .arg = ret};

	*ret = (struct cmd_registry){.creds = {.authfile = authfile}};
	reg_conf_opts_from_env(&conf);
	reg_creds_opts_from_env(&ret->creds);
	if (reg_conf_load(&conf, &ret->conf, err) < 0)
		return -1;
	ret->creds.helpers = reg_conf_credential_helpers(ret->conf);
	o.conf = ret->conf;
	return reg_client_open(&o, &ret->client, err);
}

void
cmd_registry_close(struct cmd_registry *r)
{
	reg_client_close(r->client);
	reg_conf_free(r->conf);
	*r = (struct cmd_registry){.conf = NULL};
}
