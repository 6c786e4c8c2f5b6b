/* registry/host.c - requests to a registry: scheme, login, errors. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/event.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"
#include "core/vec.h"

#include "registry/challenge.h"
#include "registry/creds.h"
#include "registry/token.h"

#include "registry/host.h"

#define MAX_SHOWN ((size_t)512)
/* A 401 in the middle is a token that ended; two are a refusal. */
#define MAX_LOGINS 2

/*
 * What is sent for some scopes.  A password too is kept for its scopes only: a
 * file of credentials may have others for other repositories of the host.
 */
struct grant {
	char *scope; /* all scopes, by a space */
	struct reg_token token;
	bool is_basic; /* the token is a login in base64 */
};

struct reg_host {
	struct reg_host_opts o;
	char *name;
	struct reg_tls unverified;
	char *domain;

	pthread_mutex_t lock;
	bool is_probed;		/* the scheme is known */
	atomic_uint n_unprobed; /* how often it could not be found out */
	char *why_unprobed;	/* the last time */
	bool is_plain;
	bool is_private;
	bool is_proxied;
	STV_VEC(struct grant) grants;
};

static void
erase(char *s)
{
	if (s == NULL)
		return;
	explicit_bzero(s, strlen(s));
	free(s);
}

struct reg_host *
reg_host_new(const struct reg_host_opts *o)
{
	struct reg_host *h = stv_xcalloc(1, sizeof(*h));

	h->o = *o;
	h->name = stv_xstrdup(o->name);
	h->domain = stv_xstrdup(o->domain);
	if (o->is_insecure) {
		if (o->tls != NULL)
			h->unverified = *o->tls;
		h->unverified.is_unverified = true;
		h->o.tls = &h->unverified;
	}
	(void)pthread_mutex_init(&h->lock, NULL);
	return h;
}

void
reg_host_free(struct reg_host *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->grants.len; i++) {
		free(h->grants.v[i].scope);
		reg_token_fini(&h->grants.v[i].token);
	}
	stv_vec_fini(&h->grants);
	free(h->name);
	free(h->domain);
	free(h->why_unprobed);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

bool
reg_host_is(const struct reg_host *h, const char *name, bool is_insecure)
{
	return strcmp(h->name, name) == 0 && h->o.is_insecure == is_insecure;
}

/*
 * Does the host speak TLS?  Where clear text is allowed at all it is asked
 * once; any answer will do, and any failure but "that is no TLS" and "nobody
 * answers there" is one of a server that does (THREATS C05).
 */
static int
probe(struct reg_host *h, struct stv_err **err)
{
	stv_auto_free char *url = stv_xasprintf("https://%s/v2/", h->name);
	struct reg_http_request req = {.url = url,
				       .tls = h->o.tls,
				       .is_error_ok = true,
				       .no_redirect = true,
				       .no_status_retry = true};
	reg_auto_response res = {0};

	if (!h->o.is_http_ok) {
		h->is_probed = true;
		return 0;
	}
	if (reg_http_do(h->o.http, &req, &res, err) < 0) {
		h->is_plain = res.is_no_tls || res.is_refused;
		if (!h->is_plain) {
			free(h->why_unprobed);
			h->why_unprobed =
				stv_xstrdup(stv_err_msg(stv_err_root(*err)));
			atomic_fetch_add(&h->n_unprobed, 1);
			return -1;
		}
		stv_err_clear(err);
	}
	h->is_private = res.is_private;
	h->is_proxied = res.is_proxied;
	h->is_probed = true;
	return 0;
}

/*
 * Lock the host, and see to it that its scheme is known.  Who waited while
 * another one could not find out does not try the same again: all blobs of an
 * image would do so, one after the other.
 */
static int
lock_probed(struct reg_host *h, struct stv_err **err)
{
	unsigned before = atomic_load(&h->n_unprobed);

	(void)pthread_mutex_lock(&h->lock);
	if (h->is_probed)
		return 0;
	if (atomic_load(&h->n_unprobed) != before)
		return stv_fail(err, STV_E_NET, "%s", h->why_unprobed);
	return probe(h, err);
}

static struct grant *
find_grant(struct reg_host *h, const char *scope)
{
	for (size_t i = 0; i < h->grants.len; i++)
		if (strcmp(h->grants.v[i].scope, scope) == 0)
			return &h->grants.v[i];
	return NULL;
}

/* "repository:PATH:ACTIONS", and one for where a blob is mounted from. */
static void
list_scopes(const struct reg_call *call, struct stv_strs *ret)
{
	if (call->path != NULL)
		stv_strs_take(ret, stv_xasprintf("repository:%s:%s", call->path,
						 call->actions));
	if (call->from != NULL)
		stv_strs_take(ret,
			      stv_xasprintf("repository:%s:pull", call->from));
}

static char *
join_scopes(const struct stv_strs *scopes)
{
	struct stv_buf b = STV_BUF_INIT(SIZE_MAX);

	for (size_t i = 0; i < scopes->len; i++)
		stv_buf_addf(&b, "%s%s", i == 0 ? "" : " ", scopes->v[i]);
	return stv_buf_take(&b);
}

/* What to send along, owned; NULL where nothing is known yet. */
static char *
authorization(struct reg_host *h, const char *scope)
{
	struct grant *g = find_grant(h, scope);

	if (g == NULL || g->token.text == NULL ||
	    g->token.until_s < stv_now_ns() / 1000000000)
		return NULL;
	return stv_xasprintf("%s %s", g->is_basic ? "Basic" : "Bearer",
			     g->token.text);
}

static int
want_login(const struct reg_host *h, struct stv_err **err)
{
	stv_fail(err, STV_E_AUTH, "%s wants a login", h->name);
	stv_err_hint(*err, "Log in with 'stave login %s'.", h->domain);
	return -1;
}

/* Keep what is sent for these scopes from now on.  Takes: ${token}. */
static void
put_grant(struct reg_host *h, const struct stv_strs *scopes,
	  struct reg_token token, bool is_basic)
{
	stv_auto_free char *scope = join_scopes(scopes);
	struct grant *g = find_grant(h, scope);

	if (g == NULL) {
		g = stv_vec_push(&h->grants);
		g->scope = stv_steal(&scope);
	}
	reg_token_fini(&g->token);
	g->token = token;
	g->is_basic = is_basic;
}

static int
take_basic(struct reg_host *h, const struct stv_strs *scopes,
	   const struct reg_creds *l, struct stv_err **err)
{
	stv_auto_free char *scope = join_scopes(scopes);
	struct stv_buf plain = STV_BUF_INIT(SIZE_MAX);
	struct stv_buf value = STV_BUF_INIT(SIZE_MAX);
	const struct grant *g = find_grant(h, scope);

	if (l == NULL || l->username == NULL || l->secret == NULL)
		return want_login(h, err);
	/* It was sent, and refused. */
	if (g != NULL && g->is_basic) {
		stv_fail(err, STV_E_AUTH, "%s does not accept the login",
			 h->name);
		stv_err_hint(*err, "Log in with 'stave login %s'.", h->domain);
		return -1;
	}
	stv_buf_addf(&plain, "%s:%s", l->username, l->secret);
	stv_buf_add_base64(&value, plain.data, plain.len);
	explicit_bzero(plain.data, plain.len);
	stv_buf_fini(&plain);
	put_grant(h, scopes,
		  (struct reg_token){.text = stv_buf_take(&value),
				     .until_s = INT64_MAX},
		  true);
	return 0;
}

static int
take_token(struct reg_host *h, const struct reg_challenge *ch,
	   const struct stv_strs *scopes, const struct reg_creds *l,
	   struct stv_err **err)
{
	const struct reg_token_opts o = {.http = h->o.http,
					 .host = h->name,
					 .domain = h->domain,
					 .is_plain = h->is_plain,
					 .is_private = h->is_private,
					 .is_proxied = h->is_proxied,
					 .tls = h->o.tls,
					 .scopes = scopes,
					 .creds = l,
					 .must_login = h->o.must_login};
	struct reg_token token = {0};

	if (l != NULL && l->registry_token != NULL)
		token = (struct reg_token){
			.text = stv_xstrdup(l->registry_token),
			.until_s = INT64_MAX};
	else if (reg_token_fetch(&o, ch, &token, err) < 0)
		return -1;
	put_grant(h, scopes, token, false);
	return 0;
}

/* What a 401 asks for; the lock is held. */
static int
take_challenge(struct reg_host *h, const struct reg_call *call,
	       const struct reg_http_response *res,
	       const struct stv_strs *scopes, struct stv_err **err)
{
	struct reg_challenges list = {0};
	const struct reg_challenge *bearer, *basic;
	reg_auto_creds creds = {0};
	int rc = 0, has_login;

	for (size_t i = 0; rc == 0 && i < res->headers.len; i++)
		if (strncmp(res->headers.v[i], "www-authenticate:", 17) == 0)
			rc = reg_challenge_parse(res->headers.v[i] + 17, &list,
						 err);
	bearer = reg_challenge_find(&list, "bearer");
	basic = reg_challenge_find(&list, "basic");
	if (rc == 0 && bearer == NULL && basic == NULL)
		rc = stv_fail(err, STV_E_AUTH,
			      "%s wants a login of a kind that is not known",
			      h->name);
	has_login = rc < 0 || h->o.creds == NULL
			    ? rc
			    : h->o.creds(h->o.arg, h->domain, call->path,
					 &creds, err);
	if (has_login < 0)
		rc = -1;
	else if (bearer != NULL)
		rc = take_token(h, bearer, scopes,
				has_login > 0 ? &creds : NULL, err);
	else
		rc = take_basic(h, scopes, has_login > 0 ? &creds : NULL, err);
	reg_challenges_fini(&list);
	return rc;
}

/* The first error that the registry's JSON names, or NULL.  Owned. */
static char *
read_error(const char *text)
{
	struct stv_err *err = NULL;
	json_t *doc, *list = NULL, *first;
	const char *code = NULL, *message = NULL;
	struct stv_buf shown = STV_BUF_INIT(MAX_SHOWN);

	doc = text == NULL ? NULL
			   : stv_json_parse(text, strlen(text), "answer", &err);
	if (json_is_object(doc) &&
	    stv_json_get_arr(doc, "", "errors", true, &list, &err) == 0) {
		first = json_array_get(list, 0);
		if (json_is_object(first) &&
		    stv_json_get_str(first, "", "code", false, &code, &err) ==
			    0)
			(void)stv_json_get_str(first, "", "message", false,
					       &message, &err);
	}
	if (message != NULL)
		stv_buf_add_escaped(&shown, message, strlen(message));
	if (code != NULL) {
		stv_buf_adds(&shown, message != NULL ? " (" : "");
		stv_buf_add_escaped(&shown, code, strlen(code));
		stv_buf_adds(&shown, message != NULL ? ")" : "");
	}
	json_decref(doc);
	stv_err_free(err);
	return shown.len == 0 ? NULL : stv_buf_take(&shown);
}

/* How to get in: the reason may be that a login was not sent. */
static void
hint_login(struct reg_host *h, struct stv_err *err)
{
	const char *from = NULL;

	(void)pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->grants.len && from == NULL; i++)
		from = h->grants.v[i].token.withheld_from;
	if (from != NULL)
		stv_err_hint(err,
			     "The login was not sent to '%s', which is of "
			     "another domain. If you trust that host with it: "
			     "'stave login --realm %s %s'.",
			     from, from, h->domain);
	else
		stv_err_hint(err,
			     "Log in with 'stave login %s', or ask for access.",
			     h->domain);
	(void)pthread_mutex_unlock(&h->lock);
}

/* A registry that says what was sent to it is not repeated. */
static bool
has_secret(struct reg_host *h, const char *text)
{
	bool found = false;

	(void)pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->grants.len && !found; i++) {
		const char *token = h->grants.v[i].token.text;

		found = token != NULL && *token != '\0' &&
			strstr(text, token) != NULL;
	}
	(void)pthread_mutex_unlock(&h->lock);
	return found;
}

/* What an answer that is no success means. */
static int
fail_status(struct reg_host *h, const struct reg_call *call,
	    const struct reg_http_response *res, struct stv_err **err)
{
	stv_auto_free char *text = read_error(res->error_body);
	enum stv_code code = STV_E_PROTOCOL;

	if (text != NULL && has_secret(h, text))
		free(stv_steal(&text));
	if (res->status == 401 || res->status == 403)
		code = STV_E_AUTH;
	else if (res->status == 404)
		code = STV_E_NOT_FOUND;
	else if (res->status == 408 || res->status == 429 || res->status >= 500)
		code = STV_E_NET;
	stv_fail(err, code, "%s: %s: the registry answered %d%s%s", h->name,
		 call->what, res->status, text != NULL ? ": " : "",
		 text != NULL ? text : "");
	if (code == STV_E_AUTH)
		hint_login(h, *err);
	else if (res->status == 429)
		stv_err_hint(*err, "Log in, or wait: the registry counts "
				   "requests.");
	return -1;
}

/*
 * The URL to send to; a login goes along only to the host itself, and nothing
 * to another one in clear (THREATS C17).  A registry that does not know of the
 * TLS in front of it says http:// of itself.  Owned; NULL with an error.
 */
static char *
target_url(const struct reg_host *h, const char *target, bool *ret_is_own,
	   struct stv_err **err)
{
	const char *scheme = h->is_plain ? "http" : "https";
	size_t n = strlen(h->name);
	const char *name = strstr(target, "://");

	*ret_is_own = *target == '/';
	if (*ret_is_own)
		return stv_xasprintf("%s://%s%s", scheme, h->name, target);
	if (name != NULL && strncasecmp(name + 3, h->name, n) == 0 &&
	    name[3 + n] == '/') {
		*ret_is_own = true;
		return stv_xasprintf("%s://%s%s", scheme, h->name,
				     name + 3 + n);
	}
	if (strncasecmp(target, "https://", 8) == 0)
		return stv_xstrdup(target);
	(void)stv_fail(err, STV_E_PROTOCOL,
		       "%s sends us to another place that is not https",
		       h->name);
	return NULL;
}

/* By reg_http_do(), or reg_http_get() where ${ret_in} is given. */
static int
send_once(struct reg_host *h, struct reg_call *call,
	  struct reg_http_response *ret, struct stv_in **ret_in,
	  struct stv_err **err)
{
	return ret_in != NULL
		       ? reg_http_get(h->o.http, &call->req, ret, ret_in, err)
		       : reg_http_do(h->o.http, &call->req, ret, err);
}

/* A 401: 1 to send it again, with what that gave; else 0 or -1. */
static int
log_in(struct reg_host *h, struct reg_call *call,
       const struct reg_http_response *res, const struct stv_strs *scopes,
       const char *sent, struct stv_err **err)
{
	stv_auto_free char *scope = join_scopes(scopes);
	char *now;
	int rc = 1;

	if (call->req.body != NULL) {
		if (call->req.rewind_body == NULL)
			return 0;
		call->req.body = call->req.rewind_body(call->req.arg, err);
		if (call->req.body == NULL)
			return -1;
	}
	(void)pthread_mutex_lock(&h->lock);
	h->is_private = h->is_private || res->is_private;
	h->is_proxied = h->is_proxied || res->is_proxied;
	/* Somebody else may have done it meanwhile. */
	now = authorization(h, scope);
	if (now == NULL || (sent != NULL && strcmp(now, sent) == 0))
		rc = take_challenge(h, call, res, scopes, err) < 0 ? -1 : 1;
	(void)pthread_mutex_unlock(&h->lock);
	erase(now);
	return rc;
}

static int
send_all(struct reg_host *h, struct reg_call *call,
	 struct reg_http_response *ret, struct stv_in **ret_in,
	 struct stv_err **err)
{
	struct stv_strs scopes = {0};
	stv_auto_free char *scope = NULL;
	int rc;

	*ret = (struct reg_http_response){0};
	list_scopes(call, &scopes);
	scope = join_scopes(&scopes);
	for (int n = 0;; n++) {
		stv_auto_free char *url = NULL;
		char *auth = NULL;
		bool is_own = false;

		rc = lock_probed(h, err);
		if (rc == 0)
			url = target_url(h, call->target, &is_own, err);
		if (is_own)
			auth = authorization(h, scope);
		(void)pthread_mutex_unlock(&h->lock);
		call->req.url = url;
		call->req.authorization = auth;
		call->req.tls = is_own ? h->o.tls : NULL;
		call->req.is_error_ok = true;
		if (rc == 0)
			rc = url == NULL ? -1
					 : send_once(h, call, ret, ret_in, err);
		call->req.url = call->req.authorization = NULL;
		/* Where we were sent to has no say in who we are here. */
		if (rc == 0 && ret->status == 401 && is_own &&
		    !ret->is_foreign && n < MAX_LOGINS)
			rc = log_in(h, call, ret, &scopes, auth, err);
		erase(auth);
		if (rc != 1)
			break;
		if (ret_in != NULL) {
			stv_in_close(*ret_in);
			*ret_in = NULL;
		}
		reg_http_response_fini(ret);
	}
	stv_strs_clear(&scopes);
	if (rc == 0 && (ret->status < 200 || ret->status > 299))
		rc = fail_status(h, call, ret, err);
	else if (rc < 0)
		stv_wrap(err, "%s: %s", h->name, call->what);
	if (rc < 0 && ret_in != NULL) {
		stv_in_close(*ret_in);
		*ret_in = NULL;
	}
	return rc;
}

int
reg_host_do(struct reg_host *h, struct reg_call *call,
	    struct reg_http_response *ret, struct stv_err **err)
{
	return send_all(h, call, ret, NULL, err);
}

int
reg_host_get(struct reg_host *h, struct reg_call *call,
	     struct reg_http_response *ret, struct stv_in **ret_in,
	     struct stv_err **err)
{
	*ret_in = NULL;
	return send_all(h, call, ret, ret_in, err);
}
