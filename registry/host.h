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

struct stv_err; /* core/err.h */

struct reg_host; /* opaque */

/* Who we are; all owned by the one who gets it. */
struct reg_login {
	char *user;
	char *secret;
	char *identity_token; /* instead of both: a refresh token */
	char *registry_token; /* instead of all: a bearer token */
};

/* reg_login_fini(l): erase and free; ${l} is all zero afterwards. */
void reg_login_fini(struct reg_login *l);

struct reg_host_opts {
	struct reg_http *http;
	const char *name; /* "registry-1.docker.io", "localhost:5000" */
	bool is_insecure;
	const struct reg_tls *tls; /* certs.d's; NULL: the default */
	/*
	 * The login for ${path} at this host: 1, 0 where there is none, -1.
	 * Called at most once for each path and only after a 401.
	 */
	int (*login)(void *arg, const char *name, const char *path,
		     struct reg_login *ret, struct stv_err **err);
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

/* reg_host_name(h): as in the options.  Borrows. */
const char *reg_host_name(const struct reg_host *h);

/* A request to a host. */
struct reg_call {
	const char *path;    /* of the repository, "library/debian" */
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
 * An answer that is no 2xx (and no 3xx where redirects are not followed) is an
 * error with what the registry says about it.
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

/* reg_host_is_local(name): "localhost", 127/8 or ::1, with or without port? */
bool reg_host_is_local(const char *name);

STV_DEFINE_CLEANUP(reg_host, reg_host_free);

#endif /* STAVE_REGISTRY_HOST_H */
