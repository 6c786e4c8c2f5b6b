/* registry/creds_proxy.c - the proxies of docker's config.json. */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/strs.h"

#include "registry/textfile.h"

#include "registry/creds.h"
#include "registry/creds_internal.h"

/* docker's members, and the two variables that each becomes. */
static const struct {
	const char *member;
	const char *upper;
	const char *lower;
} proxies[] = {
	{"httpProxy", "HTTP_PROXY", "http_proxy"},
	{"httpsProxy", "HTTPS_PROXY", "https_proxy"},
	{"ftpProxy", "FTP_PROXY", "ftp_proxy"},
	{"noProxy", "NO_PROXY", "no_proxy"},
	{"allProxy", "ALL_PROXY", "all_proxy"},
};

static int
read_proxies(const struct reg_auths *a, struct stv_strs *ret,
	     struct stv_err **err)
{
	json_t *all = NULL, *o = NULL;

	if (stv_json_get_obj(a->root, "", "proxies", false, &all, err) < 0 ||
	    (all != NULL &&
	     stv_json_get_obj(all, "proxies", "default", false, &o, err) < 0))
		return -1;
	for (size_t i = 0; o != NULL && i < STV_ARRAY_LEN(proxies); i++) {
		const char *v = NULL;

		if (stv_json_get_str(o, "proxies.default", proxies[i].member,
				     false, &v, err) < 0)
			return -1;
		if (!reg_secret_is_set(v))
			continue;
		stv_env_set(ret, proxies[i].upper, v);
		stv_env_set(ret, proxies[i].lower, v);
	}
	return 0;
}

int
reg_creds_proxies(const struct reg_creds_opts *o, struct stv_strs *ret,
		  struct stv_err **err)
{
	reg_auto_textfile text = {0};
	reg_auto_auths a = {0};
	stv_auto_free char *path = reg_creds_docker_file(o);
	int rc;

	if (path == NULL)
		return 0;
	rc = reg_textfile_read(path, REG_MAX_CREDS, &text, err);
	if (rc <= 0)
		return rc;
	if (reg_auths_parse(text.text, text.len, path, false, &a, err) < 0)
		return -1;
	if (read_proxies(&a, ret, err) < 0) {
		stv_err_set_code(*err, STV_E_INPUT);
		return stv_wrap(err, "reading '%s'", path);
	}
	return 0;
}
