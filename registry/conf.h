/*
 * registry/conf.h - what registries.conf and certs.d say about a registry.
 *
 *	struct reg_conf_opts o = {.registries_conf = option};
 *
 *	reg_conf_opts_from_env(&o);
 *	reg_conf_load(&o, &conf, err);
 *	reg_conf_short_name(conf, text, &texts, err);	each: reg_ref_parse()
 *	reg_conf_endpoints(conf, &ref, false, &eps, err);	each in turn:
 *	reg_conf_certs(conf, eps.v[0].domain, &certs, err);
 *
 * The format is version 2 of containers-registries.conf(5).  Of it are obeyed:
 * unqualified-search-registries, short-name-mode, credential-helpers,
 * [aliases], [[registry]] with prefix, location, insecure, blocked,
 * mirror-by-digest-only, and [[registry.mirror]] with location, insecure,
 * pull-from-mirror.  Keys that we do not know are ignored, as containers does;
 * a known key of a wrong type is an error, and so is version 1
 * ("[registries.search]").
 *
 * Differences from containers, on purpose: a prefix that is only a host does
 * not match that host with a port; a prefix has no tag and no digest; nobody
 * is asked to choose, so short-name-mode "enforcing" with several
 * unqualified-search-registries is an error.
 */
#ifndef STAVE_REGISTRY_CONF_H
#define STAVE_REGISTRY_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "core/cleanup.h"
#include "core/strs.h"

struct reg_conf; /* all that was read; not changed afterwards */
struct reg_ref;	 /* registry/ref.h */
struct stv_err;	 /* core/err.h */

/* As many as a file may have (prefixes, and mirrors in all). */
#define REG_MAX_CONF_ENTRIES 4096

/* Where the files are; all borrowed until reg_conf_load() has returned. */
struct reg_conf_opts {
	const char *registries_conf; /* --registries-conf; NULL: look for it */
	const char *home;	     /* NULL: there is none */
	const char *etc;	     /* NULL: "/etc" */
};

/*
 * reg_conf_opts_from_env(o): what is NULL is taken from the environment:
 * registries_conf from CONTAINERS_REGISTRIES_CONF, else from
 * REGISTRIES_CONFIG_PATH; home from HOME.  Borrows from the environment.
 */
void reg_conf_opts_from_env(struct reg_conf_opts *o);

/*
 * reg_conf_load(o, ret, err): read the configuration: the file that is named
 * in ${o}, else HOME/.config/containers/registries.conf, else
 * ETC/containers/registries.conf; then all *.conf, sorted, in
 * ETC/containers/registries.conf.d (not where HOME's file was taken) and in
 * HOME/.config/containers/registries.conf.d.  A later file replaces a list, a
 * mode, an alias, and a [[registry]] with the same prefix as a whole.  Files
 * that are not there are none, but one that ${o} names must be; "/dev/null" is
 * an empty one.
 *
 * Owns:    *ret, reg_conf_free().
 * Errors:  STV_E_INPUT, STV_E_NOT_FOUND, STV_E_LIMIT, STV_E_IO, all with the
 *          file's name.
 * Limits:  REG_MAX_TOML a file, REG_MAX_CONF_ENTRIES.
 * Threads: *ret may be read by any number of threads.
 */
int reg_conf_load(const struct reg_conf_opts *o, struct reg_conf **ret,
		  struct stv_err **err);

/* reg_conf_free(c): free it.  NULL is ok. */
void reg_conf_free(struct reg_conf *c);

/*
 * A place to try.  What the caller has to do for THREATS C05: connect by
 * https first, always.  With ${is_insecure} certificates are not checked.
 * Only with ${is_http_ok} may plain http follow, and only where the connection
 * was refused or the other side did not speak TLS at all; a certificate that
 * was looked at and found wrong is never followed by http.
 */
struct reg_endpoint {
	char *domain;	  /* for credentials and certs.d: "docker.io" */
	char *host;	  /* to connect to: "registry-1.docker.io", "h:5000" */
	char *path;	  /* of the repository there */
	bool is_insecure; /* registries.conf says insecure = true */
	bool is_http_ok;  /* is_insecure, or localhost or a loopback literal */
	bool is_mirror;
};

/* Places in the order in which they are to be tried. */
struct reg_endpoints {
	struct reg_endpoint *v;
	size_t len;
	size_t cap;
};

/*
 * reg_conf_endpoints(c, ref, is_for_push, has_digest, ret, err): where the
 * repository of ${ref} is to be found.  The longest prefix wins; "*.host"
 * matches hosts below that one.  To pull: the mirrors that apply
 * (pull-from-mirror and mirror-by-digest-only look at ${has_digest}), then the
 * location, all with the prefix replaced.  To push: the name as it is written
 * alone, as containers does; insecure and blocked hold there too.
 *
 * Owns:   *ret, reg_endpoints_fini(); one at least.
 * Errors: STV_E_USAGE where it is blocked (the message names the file);
 *         STV_E_INPUT where the replaced name is not valid.
 */
int reg_conf_endpoints(const struct reg_conf *c, const struct reg_ref *ref,
		       bool is_for_push, bool has_digest,
		       struct reg_endpoints *ret, struct stv_err **err);

/* reg_endpoints_fini(e): free them; ${e} is all zero afterwards. */
void reg_endpoints_fini(struct reg_endpoints *e);

/*
 * reg_conf_is_loopback(host): is "host[:port]" localhost, 127.x.y.z or [::1]?
 */
bool reg_conf_is_loopback(const char *host);

/*
 * reg_conf_short_name(c, text, ret, err): which names a user can have meant by
 * ${text}, the most probable first, appended to ${ret} in the normal form of
 * reg_ref_str().  A name with a registry in front is itself.  A name without
 * one is its alias, if there is one (the only name then; tag and digest are
 * taken over); else it is looked for in each of unqualified-search-registries;
 * else, where there are none, on docker.io.
 *
 * Errors: STV_E_USAGE where ${text} is no reference, or where short-name-mode
 *         is "enforcing" and it could be on several registries.
 */
int reg_conf_short_name(const struct reg_conf *c, const char *text,
			struct stv_strs *ret, struct stv_err **err);

/*
 * reg_conf_credential_helpers(c): where credentials are, in order: names of
 * helpers, and REG_AUTH_FILES for the files; empty where nothing is said, which
 * means the files alone.  Borrows from ${c}; for struct reg_creds_opts.
 */
const struct stv_strs *reg_conf_credential_helpers(const struct reg_conf *c);

/* Files of certs.d for one host: paths. */
struct reg_certs {
	struct stv_strs cas;   /* *.crt, sorted */
	struct stv_strs certs; /* *.cert, sorted: a certificate for us */
	struct stv_strs keys;  /* the key of certs.v[i] */
};

/*
 * reg_conf_certs(c, domain, ret, err): the certificates for "host[:port]", the
 * port taken literally.  Of HOME/.config/containers/certs.d/DOMAIN,
 * ETC/containers/certs.d/DOMAIN and ETC/docker/certs.d/DOMAIN the first that
 * is there counts, as in containers; one that we may not look into is none.
 * Other files than *.crt, *.cert and *.key are ignored.
 *
 * Owns:   *ret, reg_certs_fini(); empty where there are none.
 * Errors: STV_E_INPUT where a *.cert has no *.key or the other way round, or
 *         ${domain} is no name of a directory; STV_E_LIMIT, STV_E_IO.
 */
int reg_conf_certs(const struct reg_conf *c, const char *domain,
		   struct reg_certs *ret, struct stv_err **err);

/* reg_certs_fini(c): free the lists; ${c} is all zero afterwards. */
void reg_certs_fini(struct reg_certs *c);

STV_DEFINE_CLEANUP(reg_conf, reg_conf_free);
#define reg_auto_endpoints STV_CLEANUP(reg_endpoints_fini) struct reg_endpoints
#define reg_auto_certs STV_CLEANUP(reg_certs_fini) struct reg_certs

#endif /* STAVE_REGISTRY_CONF_H */
