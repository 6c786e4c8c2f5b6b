/*
 * registry/creds.h - credentials: finding them, and login and logout.
 *
 * Sources, the first that has an entry wins:
 *
 *	--authfile, else REGISTRY_AUTH_FILE: that file alone is read
 *	DOCKER_AUTH_CONFIG, JSON
 *	$XDG_RUNTIME_DIR/containers/auth.json
 *	${XDG_CONFIG_HOME:-~/.config}/containers/auth.json
 *	${DOCKER_CONFIG:-~/.docker}/config.json
 *	~/.dockercfg
 *
 * In a source the most specific key wins, by whole components: host/ns/repo,
 * host/ns, host; so an entry for one namespace is never sent for another.  For
 * each of these the order is: credHelpers; for the host then credsStore; auths.
 * A helper that knows nothing lets auths have its turn.  Docker Hub's keys
 * are "https://index.docker.io/v1/", "docker.io", "index.docker.io" and
 * "registry-1.docker.io"; of other registries also "https://host/..." is taken
 * for the host, as docker does.  An entry without content ({}) is none.
 *
 * A helper is docker-credential-NAME, NAME of [a-z0-9-]+, in an absolute part
 * of PATH, with our environment, its own standard error thrown away, killed
 * after 30 s or 1 MiB.  No message shows a secret.
 */
#ifndef STAVE_REGISTRY_CREDS_H
#define STAVE_REGISTRY_CREDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"

struct stv_err;	 /* core/err.h */
struct stv_strs; /* core/strs.h */

/* In credential-helpers: what is said above, without a helper of that name. */
#define REG_AUTH_FILES "containers-auth.json"

/* A file, and what a helper says. */
#define REG_MAX_CREDS ((size_t)1 << 20)

/* Where to look; all borrowed.  NULL: not set, as an empty string is. */
struct reg_creds_opts {
	const char *authfile;		/* --authfile */
	const char *registry_auth_file; /* REGISTRY_AUTH_FILE */
	const char *docker_auth_config; /* DOCKER_AUTH_CONFIG */
	const char *runtime_dir;	/* XDG_RUNTIME_DIR */
	const char *config_home;	/* XDG_CONFIG_HOME */
	const char *docker_config;	/* DOCKER_CONFIG */
	const char *home;		/* HOME */
	/*
	 * credential-helpers of registries.conf, tried in order; NULL or empty:
	 * the files alone.  With a file that is named they are not asked.
	 */
	const struct stv_strs *helpers;
	uint32_t helper_ms; /* 0: 30 000 */
};

/*
 * reg_creds_opts_from_env(o): what is NULL is taken from the environment.
 * Borrows from the environment.
 */
void reg_creds_opts_from_env(struct reg_creds_opts *o);

/* What is known for a repository; NULL where there is none. */
struct reg_creds {
	char *username;
	char *secret; /* a password, for Basic and for a token's realm */
	char *identity_token; /* an OAuth2 refresh token */
	char *registry_token; /* a bearer token for the registry itself */
	/*
	 * The host of another domain that may be asked for tokens with this
	 * login, because 'login --realm' said so: "auth.example.net".
	 */
	char *realm;
	char *origin;  /* for messages: "/home/u/.docker/config.json" */
	char *warning; /* for the user; may be set without the others */
};

/*
 * reg_creds_find(o, domain, path, ret, err): the credentials for the repository
 * ${path} ("" or NULL: the registry alone) on ${domain} (of a reference:
 * "docker.io", "host:5000").  ret->warning tells of files that others may read.
 *
 * Owns:    *ret, reg_creds_fini(), also where the answer is 0.
 * Returns: 1, or 0 where there are none.
 * Errors:  STV_E_INPUT where a file is no JSON or an entry no credentials;
 *          STV_E_NOT_FOUND where --authfile or REGISTRY_AUTH_FILE is not
 *          there; STV_E_AUTH where a helper is missing or fails; STV_E_LIMIT;
 *          STV_E_CANCELLED; STV_E_IO.
 * Limits:  REG_MAX_CREDS.
 */
int reg_creds_find(const struct reg_creds_opts *o, const char *domain,
		   const char *path, struct reg_creds *ret,
		   struct stv_err **err);

/* reg_creds_fini(c): erase and free it; ${c} is all zero afterwards. */
void reg_creds_fini(struct reg_creds *c);

/*
 * reg_creds_store(o, domain, login, ret_where, err): what login does: remember
 * ${login}'s name with one of its secret and identity token (the other is
 * NULL), and its realm.  The place is --authfile, else REGISTRY_AUTH_FILE, else
 * ${DOCKER_CONFIG:-~/.docker}/config.json, which is made if need be; where it
 * or registries.conf names a helper for ${domain} the secret goes there, and
 * only an empty entry into the file.  All other members are kept, their order
 * too.  The key is the one that the file already has for ${domain}, else
 * docker's for its own file and "docker.io" for others.
 *
 * A symbolic link at the place is followed, as docker does, and its target
 * replaced; one that belongs neither to us nor to root is refused.
 *
 * Owns:    *ret_where, the file or the helper for messages; it may be NULL.
 * Errors:  as reg_creds_find(); STV_E_USAGE where ${user} has a ':' or there is
 *          no place (no HOME).
 * Durable: a file of mode 0600 replaces the old one at once and synced.
 */
int reg_creds_store(const struct reg_creds_opts *o, const char *domain,
		    const struct reg_creds *login, char **ret_where,
		    struct stv_err **err);

/*
 * reg_creds_erase(o, domain, ret_was_there, err): what logout does: forget the
 * credentials of ${domain} (not those of its namespaces), in the place of
 * reg_creds_store() and in the helper that it names.  *ret_was_there tells
 * whether there were any; a file without them is left alone.
 * Errors:  as reg_creds_store().
 */
int reg_creds_erase(const struct reg_creds_opts *o, const char *domain,
		    bool *ret_was_there, struct stv_err **err);

/*
 * reg_creds_proxies(o, ret, err): what "proxies.default" in docker's own
 * config.json says, as NAME=VALUE in both spellings (HTTP_PROXY, http_proxy),
 * put into ${ret}: docker makes build arguments of them.  Those for single
 * daemons concern nobody here, and neither do "HttpHeaders", which docker sends
 * to its daemon.  No file: nothing.
 * Errors:  STV_E_INPUT, STV_E_LIMIT, STV_E_IO.
 */
int reg_creds_proxies(const struct reg_creds_opts *o, struct stv_strs *ret,
		      struct stv_err **err);

#define reg_auto_creds STV_CLEANUP(reg_creds_fini) struct reg_creds

#endif /* STAVE_REGISTRY_CREDS_H */
