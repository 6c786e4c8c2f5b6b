/* cmd/registry.c - how all commands speak to registries. */
#include "core/cancel.h"
#include "core/strs.h"

#include "cache/meta.h"
#include "registry/conf.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/registry.h"

bool
cmd_registry_is_cancelled(void *arg)
{
	(void)arg;
	return stv_is_cancelled();
}

int
cmd_registry_names(void *arg, const char *text, struct stv_strs *ret,
		   struct stv_err **err)
{
	struct reg_conf_opts o = {.registries_conf = NULL};
	stv_auto(reg_conf) *conf = NULL;

	(void)arg;
	reg_conf_opts_from_env(&o);
	if (reg_conf_load(&o, &conf, err) < 0)
		return -1;
	return reg_conf_short_name(conf, text, ret, err);
}

int
cmd_registry_list(struct cas_store *s, const char *text, struct stv_strs *ret,
		  struct stv_err **err)
{
	stv_auto_free char *tag = NULL;
	reg_auto_ref ref = {0};
	struct cas_image img;
	int r;

	if (reg_ref_parse(text, &ref, err) < 0)
		return -1;
	tag = reg_ref_tagged(&ref);
	r = tag == NULL ? 0 : cas_tag_get(s, tag, &img, err);
	if (r == 0)
		return cmd_registry_names(NULL, text, ret, err);
	stv_strs_take(ret, reg_ref_str(&ref));
	return r < 0 ? -1 : 0;
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
