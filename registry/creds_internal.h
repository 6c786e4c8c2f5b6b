/* registry/creds_internal.h - the parts of finding and keeping credentials. */
#ifndef STAVE_REGISTRY_CREDS_INTERNAL_H
#define STAVE_REGISTRY_CREDS_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/err.h"

struct reg_creds;      /* registry/creds.h */
struct reg_creds_opts; /* registry/creds.h */

/* Docker Hub's key in docker's files, and what helpers know it by. */
#define REG_HUB_KEY "https://index.docker.io/v1/"

/* A file of credentials in memory. */
struct reg_auths {
	json_t *root;
	const char *what; /* its name; borrowed */
	bool is_legacy;	  /* ~/.dockercfg: the entries are the outermost */
};

/*
 * reg_auths_parse(text, len, what, is_legacy, ret, err): read a file; nothing
 * but white space is an empty one.  Borrows: ${what}.
 * Owns:   *ret, reg_auths_fini().
 * Errors: STV_E_INPUT, STV_E_LIMIT.
 */
int reg_auths_parse(const char *text, size_t len, const char *what,
		    bool is_legacy, struct reg_auths *ret,
		    struct stv_err **err);

/* reg_auths_fini(a): erase the secrets in it, and free it. */
void reg_auths_fini(struct reg_auths *a);

/* Which helper to ask, and about what. */
struct reg_helper {
	char *name;
	char *server;
};

/* reg_helper_fini(h): free the members. */
void reg_helper_fini(struct reg_helper *h);

/*
 * reg_auths_lookup(a, domain, path, ret, ret_helper, err): the entry for a
 * repository.  ${ret_helper} NULL: look at auths alone.
 * Returns: 1: *ret is filled in; 2: *ret_helper is; 0: there is nothing.
 * Errors:  STV_E_INPUT.
 */
int reg_auths_lookup(const struct reg_auths *a, const char *domain,
		     const char *path, struct reg_creds *ret,
		     struct reg_helper *ret_helper, struct stv_err **err);

/*
 * reg_auths_find_helper(a, domain, ret, err): the helper for all of ${domain}.
 * Returns: 2: *ret is filled in; 0: there is none.
 * Errors:  STV_E_INPUT.
 */
int reg_auths_find_helper(const struct reg_auths *a, const char *domain,
			  struct reg_helper *ret, struct stv_err **err);

/*
 * reg_auths_realm(a, domain, path, ret, err): the realm that stands in the
 * entry for a repository, whose secret a helper keeps; *ret stays NULL where
 * there is none.  Owns: *ret.
 * Errors:  STV_E_INPUT.
 */
int reg_auths_realm(const struct reg_auths *a, const char *domain,
		    const char *path, char **ret, struct stv_err **err);

/* reg_auths_is_key(a, key, domain): does ${key} of auths mean all of ${domain}?
 */
bool reg_auths_is_key(const struct reg_auths *a, const char *key,
		      const char *domain);

/* reg_auths_is_hub(domain): is it one of Docker Hub's names? */
bool reg_auths_is_hub(const char *domain);

/* reg_helper_is_name(s): is it [a-z0-9-]+, 64 at most (THREATS C18)? */
bool reg_helper_is_name(const char *s);

/*
 * reg_helper_of_all(name, domain, ret): a helper of credential-helpers, as what
 * is asked for ${domain}.  Owns: *ret.
 */
void reg_helper_of_all(const char *name, const char *domain,
		       struct reg_helper *ret);

/*
 * reg_creds_docker_file(o): ${DOCKER_CONFIG:-~/.docker}/config.json.
 * Owns: the caller; NULL where there is no HOME.
 */
char *reg_creds_docker_file(const struct reg_creds_opts *o);

/*
 * reg_creds_has_helpers(o): are the helpers of registries.conf to be asked?
 */
bool reg_creds_has_helpers(const struct reg_creds_opts *o);

/*
 * reg_helper_get(h, ms, ret, err): ask a helper.
 * Returns: 1, or 0 where it knows nothing.
 * Errors:  STV_E_AUTH, STV_E_LIMIT, STV_E_CANCELLED, STV_E_IO; STV_E_INPUT
 *          where its name is not allowed.
 */
int reg_helper_get(const struct reg_helper *h, uint32_t ms,
		   struct reg_creds *ret, struct stv_err **err);

/*
 * reg_helper_store(h, ms, user, secret, err): give a helper something to keep.
 * Errors: as reg_helper_get().
 */
int reg_helper_store(const struct reg_helper *h, uint32_t ms, const char *user,
		     const char *secret, struct stv_err **err);

/* reg_helper_erase(h, ms, err): make it forget.  Errors: as reg_helper_get().
 */
int reg_helper_erase(const struct reg_helper *h, uint32_t ms,
		     struct stv_err **err);

/*
 * reg_secret_json(text, len, what, code, err): stv_json_parse() whose message
 * shows nothing of the text.
 * Errors: ${code}, STV_E_LIMIT.
 */
json_t *reg_secret_json(const char *text, size_t len, const char *what,
			enum stv_code code, struct stv_err **err);

/* reg_secret_free(s): erase a string and free it.  NULL is ok. */
void reg_secret_free(char *s);

/* reg_secret_is_set(s): is it neither NULL nor empty? */
bool reg_secret_is_set(const char *s);

/*
 * reg_creds_place(o, ret_is_docker, err): the file that login writes, and
 * whether its keys are docker's.  Owns: the caller; NULL on failure.
 * Errors: STV_E_USAGE.
 */
char *reg_creds_place(const struct reg_creds_opts *o, bool *ret_is_docker,
		      struct stv_err **err);

#define reg_auto_auths STV_CLEANUP(reg_auths_fini) struct reg_auths
#define reg_auto_helper STV_CLEANUP(reg_helper_fini) struct reg_helper

#endif /* STAVE_REGISTRY_CREDS_INTERNAL_H */
