/* registry/creds.c - finding credentials: the sources and their order. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "registry/textfile.h"

#include "registry/creds.h"
#include "registry/creds_internal.h"

#define MODE_OTHERS 077

void
reg_creds_opts_from_env(struct reg_creds_opts *o)
{
	const struct {
		const char **member;
		const char *name;
	} vars[] = {
		{&o->registry_auth_file, "REGISTRY_AUTH_FILE"},
		{&o->docker_auth_config, "DOCKER_AUTH_CONFIG"},
		{&o->runtime_dir, "XDG_RUNTIME_DIR"},
		{&o->config_home, "XDG_CONFIG_HOME"},
		{&o->docker_config, "DOCKER_CONFIG"},
		{&o->home, "HOME"},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(vars); i++)
		if (*vars[i].member == NULL)
			*vars[i].member = getenv(vars[i].name);
}

void
reg_creds_fini(struct reg_creds *c)
{
	reg_secret_free(c->username);
	reg_secret_free(c->secret);
	reg_secret_free(c->identity_token);
	reg_secret_free(c->registry_token);
	free(c->realm);
	free(c->origin);
	free(c->warning);
	*c = (struct reg_creds){0};
}

/* "${dir}/${rest}", or "${home}/${fallback}/${rest}"; NULL: neither is set. */
static char *
path_in(const char *dir, const char *home, const char *fallback,
	const char *rest)
{
	if (reg_secret_is_set(dir))
		return stv_xasprintf("%s/%s", dir, rest);
	if (reg_secret_is_set(home) && fallback != NULL)
		return stv_xasprintf("%s/%s%s", home, fallback, rest);
	return NULL;
}

/* The file that is named in the place of all others, or NULL. */
static const char *
named_file(const struct reg_creds_opts *o)
{
	return reg_secret_is_set(o->authfile) ? o->authfile
	       : reg_secret_is_set(o->registry_auth_file)
		       ? o->registry_auth_file
		       : NULL;
}

char *
reg_creds_docker_file(const struct reg_creds_opts *o)
{
	return path_in(o->docker_config, o->home, ".docker/", "config.json");
}

char *
reg_creds_place(const struct reg_creds_opts *o, bool *ret_is_docker,
		struct stv_err **err)
{
	const char *named = named_file(o), *base;
	char *path =
		named != NULL ? stv_xstrdup(named) : reg_creds_docker_file(o);

	if (path == NULL) {
		stv_fail(err, STV_E_USAGE,
			 "there is no place for credentials: HOME is not set");
		return NULL;
	}
	base = strrchr(path, '/');
	base = base != NULL ? base + 1 : path;
	*ret_is_docker = strcmp(base, "config.json") == 0;
	return path;
}

/* Others may read ${path}: say so once. */
static void
note_readable(struct reg_creds *c, const char *path)
{
	if (c->warning == NULL)
		c->warning = stv_xasprintf("'%s' can be read by others; "
					   "correct that with 'chmod 600'",
					   path);
}

/* One source whose text is at hand. */
static int
look_up(const struct reg_creds_opts *o, const char *text, size_t len,
	const char *what, bool is_legacy, const char *domain, const char *path,
	struct reg_creds *ret, struct stv_err **err)
{
	reg_auto_auths a = {0};
	reg_auto_helper helper = {0};
	reg_auto_creds found = {0};
	int rc;

	if (reg_auths_parse(text, len, what, is_legacy, &a, err) < 0)
		return -1;
	rc = reg_auths_lookup(&a, domain, path, ret, &helper, err);
	if (rc != 2)
		return rc;
	rc = reg_helper_get(&helper, o->helper_ms, &found, err);
	if (rc < 0)
		return stv_wrap(err, "reading credentials, as %s says", what);
	if (rc == 0)
		return reg_auths_lookup(&a, domain, path, ret, NULL, err);
	if (reg_auths_realm(&a, domain, path, &found.realm, err) < 0)
		return -1;
	found.warning = stv_steal(&ret->warning);
	*ret = found;
	found = (struct reg_creds){0};
	return 1;
}

/* One file.  Returns: 1, 0, or 2 where it is not there. */
static int
look_up_file(const struct reg_creds_opts *o, const char *file, bool is_legacy,
	     const char *domain, const char *path, struct reg_creds *ret,
	     struct stv_err **err)
{
	reg_auto_textfile text = {0};
	int rc = reg_textfile_read(file, REG_MAX_CREDS, &text, err);

	if (rc <= 0)
		return rc < 0 ? -1 : 2;
	rc = look_up(o, text.text, text.len, file, is_legacy, domain, path, ret,
		     err);
	/* A file of no secrets (helpers alone) may be everybody's. */
	if ((text.mode & MODE_OTHERS) != 0 && rc == 1 &&
	    strcmp(ret->origin, file) == 0)
		note_readable(ret, file);
	return rc;
}

/* The file that was named, and no other. */
static int
look_up_named(const struct reg_creds_opts *o, const char *file,
	      const char *domain, const char *path, struct reg_creds *ret,
	      struct stv_err **err)
{
	int rc = look_up_file(o, file, false, domain, path, ret, err);

	if (rc != 2)
		return rc;
	return stv_fail(err, STV_E_NOT_FOUND, "there is no file '%s' (%s)",
			file,
			reg_secret_is_set(o->authfile) ? "--authfile"
						       : "REGISTRY_AUTH_FILE");
}

static int
find_in_files(const struct reg_creds_opts *o, const char *domain,
	      const char *path, struct reg_creds *ret, struct stv_err **err)
{
	char *const files[] = {
		path_in(o->runtime_dir, NULL, NULL, "containers/auth.json"),
		path_in(o->config_home, o->home, ".config/",
			"containers/auth.json"),
		reg_creds_docker_file(o),
		path_in(NULL, o->home, "", ".dockercfg"),
	};
	const size_t n = STV_ARRAY_LEN(files);
	const char *named = named_file(o);
	int rc = 0;

	if (named != NULL)
		rc = look_up_named(o, named, domain, path, ret, err);
	else if (reg_secret_is_set(o->docker_auth_config))
		rc = look_up(
			o, o->docker_auth_config, strlen(o->docker_auth_config),
			"DOCKER_AUTH_CONFIG", false, domain, path, ret, err);
	for (size_t i = 0; rc == 0 && named == NULL && i < n; i++) {
		if (files[i] == NULL)
			continue;
		rc = look_up_file(o, files[i], i + 1 == n, domain, path, ret,
				  err);
		rc = rc == 2 ? 0 : rc;
	}
	for (size_t i = 0; i < n; i++)
		free(files[i]);
	return rc;
}

bool
reg_creds_has_helpers(const struct reg_creds_opts *o)
{
	return o->helpers != NULL && o->helpers->len > 0 &&
	       named_file(o) == NULL;
}

/* One of credential-helpers: the files, or a program. */
static int
find_in_helper(const struct reg_creds_opts *o, const char *name,
	       const char *domain, const char *path, struct reg_creds *ret,
	       struct stv_err **err)
{
	reg_auto_helper h = {0};
	int rc;

	if (strcmp(name, REG_AUTH_FILES) == 0)
		return find_in_files(o, domain, path, ret, err);
	reg_helper_of_all(name, domain, &h);
	rc = reg_helper_get(&h, o->helper_ms, ret, err);
	return rc < 0 ? stv_wrap(err, "reading credentials, as "
				      "registries.conf says")
		      : rc;
}

int
reg_creds_find(const struct reg_creds_opts *o, const char *domain,
	       const char *path, struct reg_creds *ret, struct stv_err **err)
{
	struct stv_err *first = NULL;
	int rc = 0;

	*ret = (struct reg_creds){0};
	if (!reg_creds_has_helpers(o))
		rc = find_in_files(o, domain, path, ret, err);
	else
		/* One that fails may not be the one that knows. */
		for (size_t i = 0; rc <= 0 && i < o->helpers->len; i++) {
			struct stv_err *why = NULL;

			rc = find_in_helper(o, o->helpers->v[i], domain, path,
					    ret, &why);
			if (rc < 0 && first == NULL)
				first = stv_steal(&why);
			stv_err_free(why);
		}
	if (first != NULL && rc <= 0) {
		*err = stv_steal(&first);
		rc = -1;
	}
	stv_err_free(first);
	if (rc < 0)
		reg_creds_fini(ret);
	return rc;
}
