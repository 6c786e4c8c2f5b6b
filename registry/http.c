/* registry/http.c - requests: redirects, retries, what an answer means. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/err.h"
#include "core/event.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/http_internal.h"

#define MS INT64_C(1000000)

/* A request under way, over all its tries and hops. */
struct exchange {
	struct reg_http *h;
	const struct reg_http_request *req;
	struct reg_http_response *res;
	struct reg_try try;
	char *url;
	char *method;
	unsigned n_tries;
	unsigned n_redirects;
};

/* What to do after a hop. */
enum next { NEXT_DONE, NEXT_HOP, NEXT_RETRY, NEXT_FAIL };

bool
reg_http_is_cancelled(const struct reg_http *h)
{
	return h->opts.is_cancelled != NULL &&
	       h->opts.is_cancelled(h->opts.arg);
}

int
reg_http_open(const struct reg_http_opts *opts, struct reg_http **ret,
	      struct stv_err **err)
{
	const struct reg_curl *curl = reg_curl_load(err);
	struct reg_http *h;

	if (curl == NULL)
		return -1;
	h = stv_xcalloc(1, sizeof(*h));
	h->curl = curl;
	if (opts != NULL)
		h->opts = *opts;
	if (reg_http_opts_fill(&h->opts, err) < 0 ||
	    reg_engine_new(curl, &h->engine, err) < 0) {
		free(h);
		return -1;
	}
	(void)pthread_mutex_init(&h->answered.lock, NULL);
	*ret = h;
	return 0;
}

void
reg_http_close(struct reg_http *h)
{
	if (h == NULL)
		return;
	reg_engine_free(h->engine);
	(void)pthread_mutex_destroy(&h->answered.lock);
	stv_strs_clear(&h->answered.origins);
	free(h);
}

void
reg_http_response_fini(struct reg_http_response *r)
{
	stv_strs_clear(&r->headers);
	free(r->url);
	free(r->error_body);
	*r = (struct reg_http_response){0};
}

const char *
reg_http_header(const struct reg_http_response *r, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < r->headers.len; i++) {
		const char *line = r->headers.v[i];

		if (strncmp(line, name, n) == 0 && line[n] == ':')
			return line + n + 1 + strspn(line + n + 1, " \t");
	}
	return NULL;
}

static int
cancelled(struct stv_err **err)
{
	return stv_fail(err, STV_E_CANCELLED, "the request was cancelled");
}

/* Wait in small steps, so that an interrupt is heard. */
static int
wait_ms(struct reg_http *h, uint64_t ms, struct stv_err **err)
{
	int64_t end = stv_now_ns() + (int64_t)ms * MS;

	while (stv_now_ns() < end) {
		struct timespec step = {.tv_nsec = 50 * MS};
		int64_t left = end - stv_now_ns();

		if (reg_http_is_cancelled(h))
			return cancelled(err);
		if (left < step.tv_nsec)
			step.tv_nsec = left > 0 ? left : 0;
		(void)nanosleep(&step, NULL);
	}
	return 0;
}

/* Did we want something, or did we bring it? */
static bool
is_fetch(const struct exchange *x)
{
	return strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0;
}

/* "cannot fetch 'URL': reason", or "cannot send to 'URL': reason". */
static int
fail(struct exchange *x, enum stv_code code, const char *reason,
     struct stv_err **err)
{
	stv_auto_free char *shown = reg_http_redact(x->url);

	return stv_fail(err, code, "cannot %s '%s': %s",
			is_fetch(x) ? "fetch" : "send to", shown, reason);
}

/* Nobody listens; a reset is one that came while we were connecting. */
static bool
is_refused(const struct exchange *x, int code)
{
	return code == CURLE_COULDNT_CONNECT && x->try.os_errno != ECONNRESET;
}

static int
fail_transfer(struct exchange *x, int code, struct stv_err **err)
{
	stv_auto_free char *shown = reg_http_redact(x->url);
	const char *reason = x->try.reason;

	if (x->try.why != NULL) {
		/* What a callback failed with keeps its code. */
		*err = stv_steal(&x->try.why);
		return stv_wrap(err, "%s '%s'",
				is_fetch(x) ? "fetching" : "sending to", shown);
	}
	if (x->try.is_cancelled)
		return cancelled(err);
	if (x->try.is_denied)
		return fail(x, STV_E_NET,
			    "it is at a private address, which is not allowed",
			    err);
	x->res->is_no_tls = code == CURLE_SSL_CONNECT_ERROR &&
			    strstr(reason, "wrong version number") != NULL;
	x->res->is_refused = is_refused(x, code);
	if (x->try.is_stalled)
		reason = x->try.n_moved == 0 ? "the server is silent"
					     : "the connection is too slow";
	else if (*reason == '\0')
		reason = x->h->curl->p_curl_easy_strerror((CURLcode)code);
	fail(x, STV_E_NET, reason, err);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		stv_err_hint(*err, "If the certificate is signed by an "
				   "authority of your own, name it in "
				   "SSL_CERT_FILE.");
	else if (code == CURLE_COULDNT_RESOLVE_HOST)
		stv_err_hint(*err, "Check the name, the network and "
				   "HTTP_PROXY, HTTPS_PROXY, NO_PROXY.");
	return -1;
}

static int
fail_status(struct exchange *x, struct stv_err **err)
{
	int status = x->res->status;
	enum stv_code code = STV_E_PROTOCOL;
	stv_auto_free char *reason =
		stv_xasprintf("the server answered %d", status);

	if (status == 401 || status == 403)
		code = STV_E_AUTH;
	else if (status == 404 || status == 410)
		code = STV_E_NOT_FOUND;
	else if (reg_retry_is_status(status))
		code = STV_E_NET;
	return fail(x, code, reason, err);
}

/* What was sunk does not count any more: 0, or -1 where it cannot be undone. */
static int
rewind_sink(struct exchange *x, struct stv_err **err)
{
	if (x->try.n_sunk == 0 || x->req->sink == NULL) {
		x->try.n_sunk = 0;
		return 0;
	}
	if (x->req->rewind_sink == NULL)
		return fail(x, STV_E_NET,
			    "the connection was lost in the middle", err);
	if (x->req->rewind_sink(x->req->arg, err) < 0)
		return -1;
	x->try.n_sunk = 0;
	return 0;
}

/* The body from its beginning, for another try. */
static int
rewind_body(struct exchange *x, struct stv_err **err)
{
	if (x->try.body == NULL)
		return 0;
	if (x->req->rewind_body == NULL)
		return fail(x, STV_E_NET, "the upload cannot be repeated", err);
	x->try.body = x->req->rewind_body(x->req->arg, err);
	return x->try.body == NULL ? -1 : 0;
}

/* A part of a URL, owned; "" where it has none. */
static char *
url_part(const struct reg_curl *c, const CURLU *u, CURLUPart part)
{
	/* Older headers take a URL that is not const, to read from it. */
	CURLU *from = (CURLU *)(uintptr_t)u;
	char *text = NULL;
	char *copy;

	if (c->p_curl_url_get(from, part, &text, CURLU_DEFAULT_PORT) !=
	    CURLUE_OK)
		return stv_xstrdup("");
	copy = stv_xstrdup(text);
	c->p_curl_free(text);
	return copy;
}

static bool
is_same_part(const struct reg_curl *c, const CURLU *a, const CURLU *b,
	     CURLUPart part)
{
	stv_auto_free char *x = url_part(c, a, part);
	stv_auto_free char *y = url_part(c, b, part);

	return strcasecmp(x, y) == 0;
}

/* Check the step from ${from} to ${to} and take it. */
static int
take_redirect(struct exchange *x, const CURLU *from, const CURLU *to,
	      struct stv_err **err)
{
	const struct reg_curl *c = x->h->curl;
	stv_auto_free char *old_scheme = url_part(c, from, CURLUPART_SCHEME);
	stv_auto_free char *scheme = url_part(c, to, CURLUPART_SCHEME);

	if (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0)
		return fail(x, STV_E_PROTOCOL,
			    "it redirects to something that is not http", err);
	if (strcasecmp(old_scheme, "https") == 0 &&
	    strcasecmp(scheme, "http") == 0)
		return fail(x, STV_E_PROTOCOL,
			    "it redirects from https to http", err);
	/* Once away, nothing secret is sent again, even back home (C02). */
	if (!is_same_part(c, from, to, CURLUPART_SCHEME) ||
	    !is_same_part(c, from, to, CURLUPART_HOST) ||
	    !is_same_part(c, from, to, CURLUPART_PORT))
		x->try.is_foreign = true;
	free(x->url);
	x->url = url_part(c, to, CURLUPART_URL);
	return 0;
}

/* 303, and 301 and 302 of a POST, ask for the other page with GET. */
static int
redirect_method(struct exchange *x, struct stv_err **err)
{
	int status = x->res->status;
	bool is_post = strcmp(x->method, "POST") == 0;

	if (strcmp(x->method, "HEAD") != 0 &&
	    (status == 303 || (is_post && status <= 302))) {
		free(x->method);
		x->method = stv_xstrdup("GET");
		x->try.body = NULL;
	}
	return rewind_body(x, err);
}

static int
follow_redirect(struct exchange *x, const char *location, struct stv_err **err)
{
	const struct reg_curl *c = x->h->curl;
	CURLU *from, *to;
	int rc;

	if (++x->n_redirects > REG_MAX_REDIRECTS)
		return fail(x, STV_E_PROTOCOL, "too many redirects", err);
	from = c->p_curl_url();
	to = c->p_curl_url();
	if (from == NULL || to == NULL)
		STV_BUG("no memory for a URL");
	/* Setting a relative URL on top of an absolute one resolves it. */
	if (c->p_curl_url_set(from, CURLUPART_URL, x->url, 0) != CURLUE_OK ||
	    c->p_curl_url_set(to, CURLUPART_URL, x->url, 0) != CURLUE_OK ||
	    c->p_curl_url_set(to, CURLUPART_URL, location,
			      CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		rc = fail(x, STV_E_PROTOCOL,
			  "it redirects to something that is no URL", err);
	else
		rc = take_redirect(x, from, to, err);
	c->p_curl_url_cleanup(from);
	c->p_curl_url_cleanup(to);
	return rc < 0 ? -1 : redirect_method(x, err);
}

/* Get ready for another try after ${ms}; -1 where there can be none. */
static int
prepare_retry(struct exchange *x, uint64_t ms, struct stv_err **err)
{
	if (rewind_sink(x, err) < 0 || rewind_body(x, err) < 0)
		return -1;
	return wait_ms(x->h, ms, err);
}

static bool
may_retry(const struct exchange *x)
{
	unsigned most = x->req->max_tries != 0 ? x->req->max_tries
					       : x->h->opts.max_tries;

	return x->n_tries < most &&
	       (x->try.n_sunk == 0 || x->req->sink == NULL ||
		x->req->rewind_sink != NULL) &&
	       (x->try.body == NULL || x->req->rewind_body != NULL);
}

/* May another try do better?  Who answered us and refuses now is being
 * restarted; who refuses from the beginning is not there. */
static bool
is_passing(const struct exchange *x, int code)
{
	if (code == CURLE_COULDNT_CONNECT)
		return !is_refused(x, code) ||
		       reg_answered_has(&x->h->answered, x->url);
	/* No HTTP: on a kept connection the end of an answer before, which was
	 * longer than it said. */
	if (code == CURLE_UNSUPPORTED_PROTOCOL ||
	    code == CURLE_WEIRD_SERVER_REPLY)
		return x->try.is_kept;
	return reg_retry_is_broken(code, x->try.reason);
}

static uint64_t
backoff_ms(const struct exchange *x)
{
	return reg_retry_backoff_ms(x->h->opts.backoff_ms, x->n_tries);
}

/* After a transfer that did not come to its end. */
static int
after_failure(struct exchange *x, int code, struct stv_err **err)
{
	if (x->try.why != NULL || x->try.is_cancelled || x->try.is_denied ||
	    !is_passing(x, code) || !may_retry(x))
		return fail_transfer(x, code, err);
	return prepare_retry(x, backoff_ms(x), err) < 0 ? -1 : 1;
}

/* After an answer: 1 to go on, 0 done, -1. */
static int
after_answer(struct exchange *x, struct stv_err **err)
{
	int status = x->res->status;
	const char *location = reg_http_header(x->res, "location");

	if (status >= 200 && status < 300)
		return 0;
	if (status >= 301 && status <= 308 && status != 304 &&
	    location != NULL && !x->req->no_redirect)
		return follow_redirect(x, location, err) < 0 ? -1 : 1;
	if (reg_retry_is_status(status) && !x->req->no_status_retry &&
	    may_retry(x)) {
		int64_t after = reg_retry_after_ms(
			x->h->curl, reg_http_header(x->res, "retry-after"));
		int64_t most = (int64_t)x->h->opts.max_retry_after_s * 1000;

		if (after <= most)
			return prepare_retry(x,
					     after >= 0 ? (uint64_t)after
							: backoff_ms(x),
					     err) < 0
				       ? -1
				       : 1;
	}
	if (x->req->is_error_ok || (status < 400 && x->req->no_redirect))
		return 0;
	return fail_status(x, err);
}

/* One hop: 1 there is another one, 0 done, -1. */
static int
one_hop(struct exchange *x, struct stv_err **err)
{
	unsigned n_before = x->n_redirects;
	int code, rc;

	if (reg_http_is_cancelled(x->h))
		return cancelled(err);
	x->try.url = x->url;
	x->try.method = x->method;
	x->n_tries++;
	code = reg_try_perform(&x->try, err);
	if (code == -1)
		return -1;
	if (x->res->status != 0)
		reg_answered_add(&x->h->answered, x->url);
	rc = code == CURLE_OK || code == REG_TRY_STREAMS
		     ? after_answer(x, err)
		     : after_failure(x, code, err);
	/* A redirect is no further try. */
	if (x->n_redirects != n_before)
		x->n_tries--;
	return rc;
}

static void
exchange_init(struct exchange *x, struct reg_http *h,
	      const struct reg_http_request *req, struct reg_http_response *ret)
{
	*ret = (struct reg_http_response){0};
	*x = (struct exchange){
		.h = h,
		.req = req,
		.res = ret,
		.try = {.h = h,
			.req = req,
			.res = ret,
			.body = req->body,
			.error_body = STV_BUF_INIT(REG_MAX_ERROR_BODY)},
		.url = stv_xstrdup(req->url),
		.method =
			stv_xstrdup(req->method != NULL ? req->method : "GET"),
	};
}

static int
exchange_run(struct exchange *x, struct stv_err **err)
{
	int rc;

	do
		rc = one_hop(x, err);
	while (rc == 1);
	x->res->url = stv_xstrdup(x->url);
	x->res->is_foreign = x->try.is_foreign;
	x->res->size = x->try.n_sunk;
	x->res->error_body = stv_buf_take(&x->try.error_body);
	return rc;
}

static void
exchange_fini(struct exchange *x)
{
	(void)reg_try_end(&x->try, false);
	stv_buf_fini(&x->try.error_body);
	free(x->url);
	free(x->method);
	stv_err_free(x->try.why);
	stv_err_free(x->try.limit);
}

int
reg_http_do(struct reg_http *h, const struct reg_http_request *req,
	    struct reg_http_response *ret, struct stv_err **err)
{
	struct exchange x;
	int rc;

	exchange_init(&x, h, req, ret);
	rc = exchange_run(&x, err);
	exchange_fini(&x);
	return rc;
}

/* An answer that is being read. */
struct http_in {
	struct stv_in base;
	struct exchange x;
};

static int64_t
http_in_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct http_in *h = (struct http_in *)in;
	struct exchange *x = &h->x;
	int64_t got;
	int code;

	/* An answer without a body, or one that is read already. */
	if (x->try.easy == NULL && x->try.why == NULL)
		return 0;
	got = x->try.easy == NULL ? -1 : reg_try_read(&x->try, buf, n);
	if (got > 0)
		return got;
	code = reg_try_end(&x->try, got == 0);
	if (code == CURLE_OK && x->try.why == NULL && !x->try.is_cancelled)
		return 0;
	return fail_transfer(x, code, err);
}

static void
http_in_close(struct stv_in *in)
{
	struct http_in *h = (struct http_in *)in;

	exchange_fini(&h->x);
	free(h);
}

int
reg_http_get(struct reg_http *h, const struct reg_http_request *req,
	     struct reg_http_response *ret, struct stv_in **ret_in,
	     struct stv_err **err)
{
	struct http_in *in = stv_xcalloc(1, sizeof(*in));

	in->base =
		(struct stv_in){.read = http_in_read, .close = http_in_close};
	exchange_init(&in->x, h, req, ret);
	in->x.try.is_stream = true;
	if (exchange_run(&in->x, err) < 0) {
		http_in_close(&in->base);
		return -1;
	}
	*ret_in = &in->base;
	return 0;
}
