/*
 * builder/docker_host.h - where docker's engine is, as docker's own command
 * finds it:
 *
 *	DOCKER_HOST
 *	the context that DOCKER_CONTEXT or config.json's currentContext names
 *	unix:///var/run/docker.sock
 *
 * config.json and the contexts lie in ${DOCKER_CONFIG:-~/.docker}.  Known are
 * unix:// and tcp://; over TLS, with ca.pem, cert.pem and key.pem of the
 * context or of ${DOCKER_CERT_PATH:-~/.docker}, where there is such a context
 * or DOCKER_TLS_VERIFY is set.
 */
#ifndef STAVE_BUILDER_DOCKER_HOST_H
#define STAVE_BUILDER_DOCKER_HOST_H

#include "core/cleanup.h"

#include "registry/http.h"
#include "registry/textfile.h"

struct stv_err; /* core/err.h */

/* What the environment says; borrowed, NULL or "" is not set. */
struct bld_docker_env {
	const char *host;	/* DOCKER_HOST */
	const char *context;	/* DOCKER_CONTEXT */
	const char *config;	/* DOCKER_CONFIG */
	const char *cert_path;	/* DOCKER_CERT_PATH */
	const char *tls_verify; /* DOCKER_TLS_VERIFY */
	const char *home;	/* HOME */
};

/* bld_docker_env_get(ret): all of it.  Borrows from the environment. */
void bld_docker_env_get(struct bld_docker_env *ret);

/* Where requests go. */
struct bld_docker_host {
	char *url;    /* "http://docker", "https://host:2376": no '/' behind */
	char *socket; /* the path, or NULL */
	struct reg_tls tls; /* borrows from what follows */
	struct reg_textfile ca;
	char *cert_file;
	char *key_file;
};

/*
 * bld_docker_host_find(env, ret, err): see above; nothing is sent.
 * Owns:   bld_docker_host_fini(ret), also after a failure.
 * Errors: STV_E_USAGE: ssh:// and other ways that we do not have;
 *         STV_E_NOT_FOUND: no such context; STV_E_INPUT: a file is not what it
 *         should be.
 */
int bld_docker_host_find(const struct bld_docker_env *env,
			 struct bld_docker_host *ret, struct stv_err **err);

/* bld_docker_host_fini(h): free the members. */
void bld_docker_host_fini(struct bld_docker_host *h);

#endif /* STAVE_BUILDER_DOCKER_HOST_H */
