/*
 * registry/http.h - HTTP requests: retries, redirects, limits, time-outs.
 *
 * Calling sequence:
 *
 *	reg_http_open(&opts, &http, err);	libcurl is loaded here
 *	reg_http_do(http, &request, &response, err);
 *	...
 *	reg_http_response_fini(&response); reg_http_close(http);
 *
 * A session keeps connections open between requests, and has a thread for its
 * transfers (registry/engine.h).  Any number of threads may send requests at
 * the same time; sinks, bodies and callbacks run in the thread of their
 *request. What it promises (THREATS C02, C05, C15, C19, C20, D02): only http
 *and https; certificates and host names are always checked; at most five
 *redirects, none from https to http, and nothing secret follows one to another
 *scheme, host or port; a server that stalls, floods or fails is left after a
 *documented time; no message shows a password or a query. Proxies come from the
 *environment by libcurl's rules, additional certificates from SSL_CERT_FILE and
 *SSL_CERT_DIR.
 */
#ifndef STAVE_REGISTRY_HTTP_H
#define STAVE_REGISTRY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/strs.h"

struct stv_err;	 /* core/err.h */
struct stv_sink; /* core/stream.h */
struct stv_in;	 /* core/stream.h */

struct reg_http; /* a session */

/* How a session behaves; zero means the default. */
struct reg_http_opts {
	const char *user_agent; /* "stave" */
	/*
	 * The environment has a say in these two, stave-registries(5).
	 * 30 000: until connected, TLS included.  60: less than 1 KiB moves.
	 */
	uint32_t connect_ms;
	uint32_t stall_s;
	uint32_t max_tries;	    /* 5, the first one included */
	uint32_t backoff_ms;	    /* 500: before the second try; doubles */
	uint32_t max_retry_after_s; /* 60: a longer Retry-After is not obeyed */
	bool is_private_denied;	    /* refuse loopback, private, link-local */
	/*
	 * Asked about ten times a second and before each try, by each thread
	 * that has a request; true ends it with STV_E_CANCELLED.  May be NULL.
	 */
	bool (*is_cancelled)(void *arg);
	void *arg;
};

/*
 * reg_http_open(opts, ret, err): start a session.  ${opts} may be NULL.
 * Owns:    *ret, reg_http_close().
 * Borrows: opts->user_agent and opts->arg.
 * Errors:  STV_E_NET where libcurl cannot be loaded; STV_E_USAGE where the
 *          environment's limits are none.
 */
int reg_http_open(const struct reg_http_opts *opts, struct reg_http **ret,
		  struct stv_err **err);

/* reg_http_close(h): close all connections.  NULL is ok. */
void reg_http_close(struct reg_http *h);

struct reg_http_response; /* below */

/* A body that ends where its stream does: chunked. */
#define REG_SIZE_UNKNOWN UINT64_MAX

/* What of TLS differs for one host; zero means the default. */
struct reg_tls {
	bool is_unverified; /* any certificate will do */
	const char *ca_pem; /* authorities besides the system's */
	size_t ca_len;
	const char *cert_file; /* PEM: who we are, with its key */
	const char *key_file;
};

/* One request.  All pointers are borrowed until reg_http_do() returns. */
struct reg_http_request {
	const char *method; /* NULL: GET */
	const char *url;    /* absolute; userinfo in it becomes Basic auth */
	const struct stv_strs *headers; /* "Name: value"; may be NULL */
	const char *authorization;	/* value of the header, or NULL */
	const struct reg_tls *tls;	/* of this host; NULL: the default */
	/*
	 * The path of a socket that is spoken to in the place of the URL's
	 * host, without a proxy; NULL: the host.
	 */
	const char *unix_socket;

	/*
	 * What is sent: ${body_size} bytes of ${body} or, REG_SIZE_UNKNOWN, all
	 * of it; or nothing.
	 */
	struct stv_in *body;
	uint64_t body_size;
	/* Give the body anew for a retry or a redirect; NULL: not possible. */
	struct stv_in *(*rewind_body)(void *arg, struct stv_err **err);

	/*
	 * Where the body of a 2xx answer goes; NULL throws it away.  Bodies of
	 * other answers go to response.error_body.
	 */
	struct stv_sink *sink;
	/*
	 * Throw away what ${sink} got so far, because the request begins anew.
	 * NULL: once a byte has reached the sink there is no further try.
	 */
	int (*rewind_sink)(void *arg, struct stv_err **err);
	uint64_t max_size; /* of the answer's body; 0: no limit */

	/*
	 * Before the first byte of a 2xx answer goes to the sink: status and
	 * headers.  -1 ends the request.  May be NULL.
	 */
	int (*on_answer)(void *arg, const struct reg_http_response *r,
			 struct stv_err **err);

	/*
	 * Told how far the body or the answer is, whichever moves; total 0:
	 * unknown.  May be NULL.
	 */
	void (*on_progress)(void *arg, uint64_t now, uint64_t total);
	void *arg;

	bool is_error_ok;	/* 4xx and 5xx are answers, not errors */
	bool no_redirect;	/* 3xx is an answer */
	bool no_status_retry;	/* and so is 408, 429, 500 ..., at once */
	bool is_private_denied; /* as in the options, for this one */
	uint32_t max_tries;	/* 0: what the options say */
};

/* The answer.  It owns its strings. */
struct reg_http_response {
	int status;
	struct stv_strs
		headers;  /* of the last hop, "name: value", name lower */
	char *url;	  /* of the last hop; for use, not for show */
	char *error_body; /* the beginning of a body that is no 2xx */
	uint64_t size;	  /* bytes that went to the sink */
	bool has_last_modified;
	int64_t last_modified; /* seconds since 1970 */
	bool is_private;       /* the peer's address is no public one */
	bool is_proxied;       /* the peer was a proxy that led us on */
	bool is_foreign; /* a redirect led to another scheme, host or port */
	/* After STV_E_NET: what answers does not speak TLS; nobody answers. */
	bool is_no_tls;
	bool is_refused;
};

/*
 * reg_http_do(h, req, ret, err): send a request and take the answer, with
 * redirects and retries (connection lost, or refused by who answered before;
 * 408, 429, 500, 502, 503, 504; the time doubles with jitter, or is what
 * Retry-After says).
 *
 * Owns:   *ret, reg_http_response_fini(); filled in also on an HTTP error.
 * Errors: STV_E_NET (connection, TLS, DNS, time-out), STV_E_AUTH (401, 403),
 *         STV_E_NOT_FOUND (404, 410), STV_E_PROTOCOL (other statuses, a
 *         forbidden redirect, a short body), STV_E_LIMIT, STV_E_CANCELLED;
 *         also what the sink or the body failed with.
 * Limits: headers 64 KiB a line and 100 lines (core of THREATS C15).
 */
int reg_http_do(struct reg_http *h, const struct reg_http_request *req,
		struct reg_http_response *ret, struct stv_err **err);

/*
 * reg_http_get(h, req, ret, ret_in, err): the same, and the body of a 2xx
 * answer is read from *ret_in instead of going to a sink.  A connection that
 * breaks while it is read is an error of that reader, STV_E_NET: what was read
 * stands, and nothing is asked again.
 * Owns: *ret as above, *ret_in, stv_in_close(), also in the middle.
 * Borrows: ${h} and ${req} with all that it points at, as long as *ret_in.
 */
int reg_http_get(struct reg_http *h, const struct reg_http_request *req,
		 struct reg_http_response *ret, struct stv_in **ret_in,
		 struct stv_err **err);

/* reg_http_response_fini(r): free it; ${r} is all zero afterwards. */
void reg_http_response_fini(struct reg_http_response *r);

/*
 * reg_http_header(r, name): the value of the first header of that name (lower
 * case), or NULL.  Borrows from ${r}.
 */
const char *reg_http_header(const struct reg_http_response *r,
			    const char *name);

/*
 * reg_http_redact(url): the URL without userinfo, query and fragment, control
 * bytes escaped, for messages and logs (THREATS C19).  Owns: the caller.
 */
char *reg_http_redact(const char *url);

/*
 * reg_http_url_name(url): the file name that ADD gives to a URL: the last
 * segment of its path, unescaped; "__unnamed__" where there is none or it
 * would not be one plain name.  Owns: the caller.
 */
char *reg_http_url_name(const char *url);

/*
 * reg_http_is_private_name(host): is it localhost, or the literal of an address
 * that is no public one ("10.0.0.1", "[::1]")?  Of other names it is not known.
 */
bool reg_http_is_private_name(const char *host);

/* reg_http_is_url(s): does it begin with http:// or https://? */
bool reg_http_is_url(const char *s);

STV_DEFINE_CLEANUP(reg_http, reg_http_close);
#define reg_auto_response                                                      \
	STV_CLEANUP(reg_http_response_fini) struct reg_http_response

#endif /* STAVE_REGISTRY_HTTP_H */
