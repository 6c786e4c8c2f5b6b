/* registry/http_internal.h - one try of a request, shared by its two files. */
#ifndef STAVE_REGISTRY_HTTP_INTERNAL_H
#define STAVE_REGISTRY_HTTP_INTERNAL_H

#include "core/buf.h"

#include "registry/curl_dl.h"
#include "registry/http.h"

#define REG_MAX_REDIRECTS 5
/* THREATS C15, CVE-2023-38039: header floods. */
#define REG_MAX_HEADER ((size_t)64 << 10)
#define REG_MAX_HEADERS 100
/* What is kept of an error's body, and read of one before we hang up. */
#define REG_MAX_ERROR_BODY ((size_t)8 << 10)
#define REG_MAX_SKIPPED_BODY ((uint64_t)1 << 20)

struct reg_http {
	const struct reg_curl *curl;
	CURL *easy;
	struct reg_http_opts opts;
};

/* One hop of one try. */
struct reg_try {
	struct reg_http *h;
	const struct reg_http_request *req;
	struct reg_http_response *res;
	const char *url;
	const char *method;
	bool is_foreign; /* no longer the scheme, host and port of the request
			  */
	struct stv_in *body;

	struct stv_buf error_body;
	uint64_t n_skipped;
	uint64_t n_sunk; /* bytes in the sink, of all tries since a rewind */
	bool is_cancelled;
	bool is_denied;	     /* a private address */
	struct stv_err *why; /* what a callback failed with */
	char reason[CURL_ERROR_SIZE];
};

/*
 * reg_try_perform(t, err): send t->url and take the answer into t->res.
 * Returns: the CURLcode, as an int; -1 where the request could not be set up.
 */
int reg_try_perform(struct reg_try *t, struct stv_err **err);

#endif /* STAVE_REGISTRY_HTTP_INTERNAL_H */
