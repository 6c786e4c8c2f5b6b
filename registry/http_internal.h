/* registry/http_internal.h - one try of a request, shared by its two files. */
#ifndef STAVE_REGISTRY_HTTP_INTERNAL_H
#define STAVE_REGISTRY_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/buf.h"

#include "registry/curl_dl.h"
#include "registry/engine.h"
#include "registry/http.h"

#define REG_MAX_REDIRECTS 5
/* THREATS C15, CVE-2023-38039: header floods. */
#define REG_MAX_HEADER ((size_t)64 << 10)
#define REG_MAX_HEADERS 100
/* What is kept of an error's body, and read of one before we hang up. */
#define REG_MAX_ERROR_BODY ((size_t)8 << 10)
#define REG_MAX_SKIPPED_BODY ((uint64_t)1 << 20)
/* A connection that moves less within the stall time is given up: a byte now
 * and then is no transfer (THREATS C15). */
#define REG_MIN_MOVED ((curl_off_t)1024)

/* Who answered in a session: "https://host:port". */
struct reg_answered {
	pthread_mutex_t lock;
	struct stv_strs origins;
};

struct reg_http {
	const struct reg_curl *curl;
	struct reg_engine *engine;
	struct reg_http_opts opts;
	struct reg_answered answered;
	atomic_int_fast64_t
		stalled_at_ns; /* when a transfer was last given up */
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
	bool is_stream; /* the answer is read, it goes to no sink */
	CURL *easy;
	struct curl_slist *list; /* the headers that are sent */
	uint64_t n_sunk; /* bytes in the sink, of all tries since a rewind */
	uint64_t n_sent; /* bytes of the body, of this try */
	uint64_t n_expected; /* bytes of the answer, 0: unknown */
	bool is_begun; /* the first byte of this try's answer was looked at */
	bool is_cancelled;
	struct stv_err *why; /* what the sink, the body or a limit said */

	/* Of libcurl's callbacks, and so the engine's until it is done. */
	struct reg_transfer transfer;
	struct stv_buf error_body;
	uint64_t n_skipped;
	uint64_t n_arrived; /* bytes of a 2xx answer, on top of n_sunk */
	bool has_body;	    /* headers are over: what comes is a trailer */
	bool is_denied;	    /* a private address */
	bool is_stalled;
	curl_off_t moved; /* bytes both ways, when enough had last moved */
	int64_t moved_at_ns;
	curl_off_t n_moved; /* and since then */
	struct stv_err *limit;
	long os_errno; /* why nobody could be connected to */
	bool is_kept;  /* the connection had served an earlier request */
	char reason[CURL_ERROR_SIZE];
};

/* The body of a 2xx answer has begun, and waits in the ring. */
#define REG_TRY_STREAMS (-2)

/*
 * reg_try_perform(t, err): send t->url and take the answer into t->res.
 * Returns: the CURLcode, as an int; -1 where the request could not be set up;
 * REG_TRY_STREAMS of a stream: reg_try_end() comes behind it then.
 */
int reg_try_perform(struct reg_try *t, struct stv_err **err);

/*
 * reg_try_read(t, buf, n): some of a stream's body: the count; 0 once the
 * transfer is done, well or not; -1 where the request was cancelled.
 */
int64_t reg_try_read(struct reg_try *t, void *buf, size_t n);

/*
 * reg_try_end(t, is_wanted): end a stream; unless ${is_wanted} it may still
 * run.  Returns: its CURLcode.  Once more is harmless.
 */
int reg_try_end(struct reg_try *t, bool is_wanted);

/*
 * reg_http_opts_fill(o, err): what is zero becomes what the environment says
 * (STAVE_HTTP_CONNECT_TIMEOUT, STAVE_HTTP_STALL_TIMEOUT, in seconds), else the
 * default.  Errors: STV_E_USAGE: that is no number of seconds.
 */
int reg_http_opts_fill(struct reg_http_opts *o, struct stv_err **err);

/*
 * reg_answered_add(a, url), reg_answered_has(a, url): note that the scheme,
 * host and port of ${url} gave an answer, of whatever kind; did they?
 * Threads: any.
 */
void reg_answered_add(struct reg_answered *a, const char *url);
bool reg_answered_has(struct reg_answered *a, const char *url);

/* reg_retry_is_status(status): is it one that another try may not get? */
bool reg_retry_is_status(int status);

/*
 * reg_retry_is_broken(code, reason): did the connection break, which another
 * one may not?  ${reason} is libcurl's text for the CURLcode ${code}.
 */
bool reg_retry_is_broken(int code, const char *reason);

/*
 * reg_retry_backoff_ms(first_ms, n_tries): the wait after that many tries:
 * doubled each time, half of it by chance.
 */
uint64_t reg_retry_backoff_ms(uint32_t first_ms, unsigned n_tries);

/*
 * reg_retry_after_ms(curl, value): a Retry-After (NULL: none) in milliseconds,
 * given in seconds or as a date; -1 where it is neither.
 */
int64_t reg_retry_after_ms(const struct reg_curl *curl, const char *value);

/* reg_http_is_cancelled(h): does somebody want all requests to end? */
bool reg_http_is_cancelled(const struct reg_http *h);

#endif /* STAVE_REGISTRY_HTTP_INTERNAL_H */
