/* builder/docker_host.c - where docker's engine is. */
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"

#include "builder/docker_host.h"

#define DEFAULT_HOST "unix:///var/run/docker.sock"
/* config.json holds logins too: as large as those may be. */
#define MAX_FILE ((size_t)1 << 20)

/* An engine's address before it is looked at. */
struct address {
	char *host;	/* "unix:///x", "tcp://h:1" */
	char *cert_dir; /* TLS with what lies here; NULL: no TLS */
	bool is_unverified;
};

static bool
is_set(const char *s)
{
	return s != NULL && *s != '\0';
}

void
bld_docker_env_get(struct bld_docker_env *ret)
{
	*ret = (struct bld_docker_env){
		.host = getenv("DOCKER_HOST"),
		.context = getenv("DOCKER_CONTEXT"),
		.config = getenv("DOCKER_CONFIG"),
		.cert_path = getenv("DOCKER_CERT_PATH"),
		.tls_verify = getenv("DOCKER_TLS_VERIFY"),
		.home = getenv("HOME"),
	};
}

/* The folder of docker's configuration, or NULL where nothing says it. */
static char *
config_dir(const struct bld_docker_env *env)
{
	if (is_set(env->config))
		return stv_xstrdup(env->config);
	if (is_set(env->home))
		return stv_xasprintf("%s/.docker", env->home);
	return NULL;
}

/* A JSON file: 1 and *ret (owned), 0 where it is not there. */
static int
read_json(const char *path, json_t **ret, struct stv_err **err)
{
	reg_auto_textfile f = {0};
	int r = reg_textfile_read(path, MAX_FILE, &f, err);

	if (r != 1)
		return r;
	*ret = stv_json_parse(f.text, f.len, path, err);
	if (*ret == NULL)
		stv_err_set_code(*err, STV_E_INPUT);
	return *ret == NULL ? -1 : 1;
}

/* The context that is in use: owned, or NULL for docker's default. */
static int
context_name(const struct bld_docker_env *env, const char *dir, char **ret,
	     struct stv_err **err)
{
	stv_auto_free char *path = NULL;
	const char *name = NULL;
	json_t *config = NULL;
	int r = 0;

	if (is_set(env->context)) {
		name = env->context;
	} else if (dir != NULL) {
		path = stv_xasprintf("%s/config.json", dir);
		r = read_json(path, &config, err);
	}
	if (r == 1)
		r = stv_json_get_str(config, "", "currentContext", false, &name,
				     err);
	if (r == 0 && is_set(name) && strcmp(name, "default") != 0)
		*ret = stv_xstrdup(name);
	json_decref(config);
	return r < 0 ? -1 : 0;
}

static int
take_meta(const json_t *meta, struct address *ret, struct stv_err **err)
{
	json_t *ends = NULL, *docker = NULL;
	const char *host = NULL;

	if (stv_json_get_obj(meta, "", "Endpoints", true, &ends, err) < 0 ||
	    stv_json_get_obj(ends, "Endpoints", "docker", true, &docker, err) <
		    0 ||
	    stv_json_get_str(docker, "Endpoints.docker", "Host", true, &host,
			     err) < 0 ||
	    stv_json_get_bool(docker, "Endpoints.docker", "SkipTLSVerify",
			      &ret->is_unverified, err) < 0)
		return -1;
	ret->host = stv_xstrdup(host);
	return 0;
}

/* contexts/meta/<SHA-256 of the name>/meta.json, contexts/tls/<...>/docker */
static int
read_context(const char *dir, const char *name, struct address *ret,
	     struct stv_err **err)
{
	struct stv_digest d = stv_digest_of(name, strlen(name));
	char hex[STV_DIGEST_STR_MAX];
	stv_auto_free char *path = stv_xasprintf(
		"%s/contexts/meta/%s/meta.json", dir, stv_digest_hex(&d, hex));
	stv_auto_free char *ca =
		stv_xasprintf("%s/contexts/tls/%s/docker/ca.pem", dir, hex);
	reg_auto_textfile f = {0};
	json_t *meta = NULL;
	int r = read_json(path, &meta, err);

	if (r == 0) {
		stv_fail(err, STV_E_NOT_FOUND,
			 "there is no docker context '%s'", name);
		stv_err_hint(*err, "'docker context ls' lists them.");
		return -1;
	}
	if (r == 1)
		r = take_meta(meta, ret, err);
	json_decref(meta);
	if (r == 0)
		r = reg_textfile_read(ca, MAX_FILE, &f, err);
	if (r == 1 || ret->is_unverified)
		ret->cert_dir =
			stv_xasprintf("%s/contexts/tls/%s/docker", dir, hex);
	return r < 0 ? stv_wrap(err, "docker context '%s'", name) : 0;
}

static int
find_address(const struct bld_docker_env *env, struct address *ret,
	     struct stv_err **err)
{
	stv_auto_free char *dir = config_dir(env), *name = NULL;

	if (!is_set(env->host) && context_name(env, dir, &name, err) < 0)
		return -1;
	if (name != NULL && dir != NULL)
		return read_context(dir, name, ret, err);
	ret->host = stv_xstrdup(is_set(env->host) ? env->host : DEFAULT_HOST);
	if (!is_set(env->tls_verify))
		return 0;
	ret->cert_dir = is_set(env->cert_path) ? stv_xstrdup(env->cert_path)
					       : stv_steal(&dir);
	if (ret->cert_dir == NULL)
		return stv_fail(err, STV_E_USAGE,
				"DOCKER_TLS_VERIFY is set, but neither "
				"DOCKER_CERT_PATH nor HOME");
	return 0;
}

/* ca.pem, cert.pem and key.pem; each may be missing. */
static int
take_certs(const struct address *a, struct bld_docker_host *ret,
	   struct stv_err **err)
{
	stv_auto_free char *ca = stv_xasprintf("%s/ca.pem", a->cert_dir);
	stv_auto_free char *cert = stv_xasprintf("%s/cert.pem", a->cert_dir);
	reg_auto_textfile f = {0};
	int r = reg_textfile_read(ca, MAX_FILE, &ret->ca, err);

	if (r >= 0)
		r = reg_textfile_read(cert, MAX_FILE, &f, err);
	if (r < 0)
		return -1;
	if (r == 1) {
		ret->cert_file = stv_steal(&cert);
		ret->key_file = stv_xasprintf("%s/key.pem", a->cert_dir);
	}
	ret->tls = (struct reg_tls){
		.is_unverified = a->is_unverified,
		.ca_pem = ret->ca.text,
		.ca_len = ret->ca.len,
		.cert_file = ret->cert_file,
		.key_file = ret->key_file,
	};
	return 0;
}

static int
fail_scheme(const char *host, struct stv_err **err)
{
	stv_auto_free char *shown = reg_http_redact(host);

	stv_fail(err, STV_E_USAGE, "docker's engine cannot be reached by '%s'",
		 shown);
	if (strncmp(host, "ssh://", 6) == 0)
		stv_err_hint(*err,
			     "Forward its socket (ssh -L /tmp/docker.sock:"
			     "/var/run/docker.sock) and write "
			     "DOCKER_HOST=unix:///tmp/docker.sock.");
	else
		stv_err_hint(*err, "Write unix:///PATH or tcp://HOST:PORT.");
	return -1;
}

static int
take_address(const struct address *a, struct bld_docker_host *ret,
	     struct stv_err **err)
{
	const char *host = a->host;
	size_t n;

	if (strncmp(host, "unix://", 7) == 0 && host[7] == '/') {
		ret->socket = stv_xstrdup(host + 7);
		ret->url = stv_xstrdup("http://docker");
		return 0;
	}
	if (strncmp(host, "tcp://", 6) != 0 || host[6] == '\0')
		return fail_scheme(host, err);
	host += 6;
	n = strlen(host);
	while (n > 0 && host[n - 1] == '/')
		n--;
	ret->url = stv_xasprintf("http%s://%.*s",
				 a->cert_dir != NULL ? "s" : "", (int)n, host);
	return a->cert_dir != NULL ? take_certs(a, ret, err) : 0;
}

int
bld_docker_host_find(const struct bld_docker_env *env,
		     struct bld_docker_host *ret, struct stv_err **err)
{
	struct address a = {0};
	int rc;

	*ret = (struct bld_docker_host){0};
	rc = find_address(env, &a, err);
	if (rc == 0)
		rc = take_address(&a, ret, err);
	free(a.host);
	free(a.cert_dir);
	return rc;
}

void
bld_docker_host_fini(struct bld_docker_host *h)
{
	free(h->url);
	free(h->socket);
	reg_textfile_fini(&h->ca);
	free(h->cert_file);
	free(h->key_file);
	*h = (struct bld_docker_host){0};
}
