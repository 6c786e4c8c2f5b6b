/*
 * registry/host.h - a registry's host: how it is reached, and who we are to it.
 *
 * https always, and its certificate is checked.  Plain http, or a certificate
 * that nobody vouches for, only where the host is this machine or is called
 * insecure in registries.conf (THREATS C05); and https is tried first there, so
 * that only a server that does not speak TLS is spoken to in clear.
 *
 * The first answer of 401 says how to log in; tokens are fetched where it says,
 * kept for their time, and shared by all requests of one scope (distribution
 * token specification; THREATS C03).
 */
#ifndef STAVE_REGISTRY_HOST_H
#define STAVE_REGISTRY_HOST_H

#include <stdbool.h>

#include "registry/http.h"

struct reg_creds; /* registry/creds.h */
struct stv_err;	  /* core/err.h */

struct reg_host; /* opaque */

struct reg_host_opts {
	struct reg_http *http;
	const char *name;   /* "registry-1.docker.io", "localhost:5000" */
	const char *domain; /* as people call it: "docker.io" */
	bool is_insecure;
	bool is_http_ok; /* clear text may be spoken (registry/conf.h) */
	bool must_login; /* see registry/token.h */
	const struct reg_tls *tls; /* certs.d's; NULL: the default */
	/*
	 * The credentials for ${path} at ${domain}: 1, 0 where there are none,
	 * -1.  Called after a 401 only.  NULL: there are none.
	 */
	int (*creds)(void *arg, const char *domain, const char *path,
		     struct reg_creds *ret, struct stv_err **err);
	void *arg;
};

/*
 * reg_host_new(o): nothing is sent yet.  Borrows: o->http, o->tls,
 * o->arg.
 * Owns: the caller, reg_host_free().  Threads: any, all functions.
 */
struct reg_host *reg_host_new(const struct reg_host_opts *o);

/* reg_host_free(h): erase the tokens.  NULL is ok. */
void reg_host_free(struct reg_host *h);

/* reg_host_is(h, name, is_insecure): was it made with these? */
bool reg_host_is(const struct reg_host *h, const char *name, bool is_insecure);

/* A request to a host. */
struct reg_call {
	const char *path;    /* of the repository, "library/debian", or NULL */
	const char *actions; /* "pull", "pull,push" */
	const char *from;    /* another repository to pull from, or NULL */
	/*
	 * "/v2/..."; or an absolute URL that the registry gave (an upload's
	 * Location), to which a login goes only at the same host.
	 */
	const char *target;
	const char *what; /* for messages: "manifest 'latest' of 'debian'" */
	/* url, authorization, tls, is_error_ok are set here. */
	struct reg_http_request req;
};

/*
 * reg_host_do(h, call, ret, err): send it, logged in if the host asks for it.
 * An answer that is no 2xx is an error with what the registry says about it.
 *
 * Owns:   *ret, reg_http_response_fini(), filled in also on failure.
 * Errors: those of reg_http_do().
 */
int reg_host_do(struct reg_host *h, struct reg_call *call,
		struct reg_http_response *ret, struct stv_err **err);

/* reg_host_get(h, call, ret, ret_in, err): the same by reg_http_get(). */
int reg_host_get(struct reg_host *h, struct reg_call *call,
		 struct reg_http_response *ret, struct stv_in **ret_in,
		 struct stv_err **err);

STV_DEFINE_CLEANUP(reg_host, reg_host_free);

#endif /* STAVE_REGISTRY_HOST_H */
