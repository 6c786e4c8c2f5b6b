/*
 * registry/token.h - fetching a bearer token: where from, and who gets to see
 * the password for it (THREATS C03).
 */
#ifndef STAVE_REGISTRY_TOKEN_H
#define STAVE_REGISTRY_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

struct reg_challenge; /* registry/challenge.h */
struct reg_http;      /* registry/http.h */
struct reg_creds;     /* registry/creds.h */
struct stv_err;	      /* core/err.h */
struct reg_tls;	      /* registry/http.h */
struct stv_strs;      /* core/strs.h */

struct reg_token_opts {
	struct reg_http *http;
	const char *host;   /* of the registry, with its port */
	const char *domain; /* as people call it, for hints */
	bool is_plain;	    /* it is spoken to by http */
	bool is_private;    /* its address is loopback, private, link-local */
	bool is_proxied;    /* ${is_private} is about a proxy before it */
	const struct reg_tls *tls;
	const struct stv_strs *scopes;
	const struct reg_creds *creds; /* NULL: anonymously */
	bool must_login; /* rather none than one that is anonymous */
};

struct reg_token {
	char *text;	 /* owned */
	int64_t until_s; /* CLOCK_MONOTONIC: not to be used behind that */
	/* The host that the login was not sent to, so that it is anonymous. */
	char *withheld_from; /* owned; or NULL */
};

/*
 * reg_token_fetch(o, challenge, ret, err): ask the realm of
 * a Bearer challenge for a token.
 *
 * The realm is an absolute https URL without userinfo (http: only at the
 * registry's own host where that is spoken to by http), and its address is a
 * private one only if the registry's is; behind a proxy, which alone knows
 * addresses, it is no private one as far as its name says.  A login goes to it
 * only if it is the registry's own host, a name above or below it, one of the
 * same registrable domain (public suffix list), Docker Hub's, or the realm that
 * is kept with the login; to another one goes an anonymous request, or none
 * with ${o->must_login}.
 *
 * Owns:   *ret, reg_token_fini().
 * Errors: STV_E_AUTH (the login is wrong, the realm is not allowed),
 *         STV_E_PROTOCOL, STV_E_LIMIT, STV_E_NET.
 */
int reg_token_fetch(const struct reg_token_opts *o,
		    const struct reg_challenge *challenge,
		    struct reg_token *ret, struct stv_err **err);

/* reg_token_fini(t): erase and free. */
void reg_token_fini(struct reg_token *t);

/*
 * reg_token_may_login(registry, realm): may the login for the host ${registry}
 * be sent to the host ${realm}?  Both without port, in any case.
 */
bool reg_token_may_login(const char *registry, const char *realm);

#endif /* STAVE_REGISTRY_TOKEN_H */
