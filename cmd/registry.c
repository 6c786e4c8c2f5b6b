/* cmd/registry.c - how all commands speak to registries. */
#include <string.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
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

/* containers-transports(5); some of them could be names with a tag. */
static const char *const elsewhere[] = {
	"containers-storage:",
	"dir:",
	"docker-archive:",
	"docker-daemon:",
	"oci:",
	"oci-archive:",
	"oci-layout:",
	"ostree:",
	"sif:",
	"tarball:",
};

int
cmd_registry_ref(const char *text, struct reg_ref *ret, struct stv_err **err)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(elsewhere); i++) {
		size_t n = strlen(elsewhere[i]);

		if (strncmp(text, elsewhere[i], n) != 0)
			continue;
		stv_fail(err, STV_E_USAGE,
			 "'%s' is no image in a registry: '%.*s' names "
			 "another place",
			 text, (int)n, elsewhere[i]);
		stv_err_hint(*err, "'stave save' writes archives and OCI "
				   "layouts, 'stave load' reads them, and "
				   "'stave push' sends what is in the store.");
		return -1;
	}
	if (strncmp(text, "docker://", 9) != 0)
		return reg_ref_parse(text, ret, err);
	return reg_ref_parse(text + 9, ret, err) < 0 ? -1 : 1;
}
