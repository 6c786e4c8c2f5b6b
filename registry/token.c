/* registry/token.c - bearer tokens. */
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

#include "registry/challenge.h"
#include "registry/creds.h"
#include "registry/curl_dl.h"
#include "registry/http.h"
#include "registry/psl_dl.h"

#include "registry/token.h"

#define MAX_ANSWER ((size_t)1 << 20)
#define MAX_URL ((size_t)8 << 10)
/* What the specification gives a token that does not say. */
#define DEFAULT_LIFE_S 60
/* Before its end: a request that begins now arrives later. */
#define MARGIN_S UINT64_C(5)

#define HUB_HOST "registry-1.docker.io"
#define HUB_REALM "auth.docker.io"

static char *
lower(const char *s, size_t n)
{
	char *copy = stv_xstrndup(s, n);

	for (char *p = copy; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return copy;
}

/* Is ${a} below ${b}, which is a name of at least two labels? */
static bool
is_below(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	return na > nb && strchr(b, '.') != NULL && a[na - nb - 1] == '.' &&
	       strcmp(a + na - nb, b) == 0;
}

bool
reg_token_may_login(const char *registry, const char *realm)
{
	stv_auto_free char *a = lower(registry, strlen(registry));
	stv_auto_free char *b = lower(realm, strlen(realm));

	if (strcmp(a, b) == 0)
		return true;
	/* Addresses have no domain. */
	if (strchr(a, ':') != NULL || strchr(b, ':') != NULL ||
	    strspn(a, "0123456789.") == strlen(a) ||
	    strspn(b, "0123456789.") == strlen(b))
		return false;
	if (strcmp(a, HUB_HOST) == 0 && strcmp(b, HUB_REALM) == 0)
		return true;
	/* "gitlab.example" answers for "registry.gitlab.example" only where
	 * that is a domain of its own, not a public suffix. */
	return is_below(b, a) || reg_psl_is_same_domain(a, b);
}

/* A part of a URL, owned; NULL where there is none. */
static char *
url_part(const struct reg_curl *c, CURLU *u, CURLUPart part)
{
	char *text = NULL, *copy;

	if (c->p_curl_url_get(u, part, &text, 0) != CURLUE_OK)
		return NULL;
	copy = stv_xstrdup(text);
	c->p_curl_free(text);
	return copy;
}

/* The name without its port; an IPv6 address keeps its brackets. */
static char *
host_only(const char *name)
{
	const char *end = *name == '[' ? strchr(name, ']') : NULL;

	if (end != NULL)
		return lower(name, (size_t)(end - name) + 1);
	return lower(name, strcspn(name, ":"));
}

static int
refuse_realm(const struct reg_token_opts *o, const char *why,
	     struct stv_err **err)
{
	return stv_fail(err, STV_E_AUTH,
			"%s sends us for a token to a place that %s", o->host,
			why);
}

/* What of a realm decides: its host, and whether the login may go there. */
static int
check_realm(const struct reg_token_opts *o, const struct reg_curl *c, CURLU *u,
	    char **ret_host, struct stv_err **err)
{
	stv_auto_free char *scheme = url_part(c, u, CURLUPART_SCHEME);
	stv_auto_free char *host = url_part(c, u, CURLUPART_HOST);
	stv_auto_free char *user = url_part(c, u, CURLUPART_USER);
	stv_auto_free char *mine = host_only(o->host);

	if (scheme == NULL || host == NULL || *host == '\0')
		return refuse_realm(o, "is no URL", err);
	if (user != NULL)
		return refuse_realm(o, "has a user in its URL", err);
	if (strcasecmp(scheme, "https") != 0 &&
	    (strcasecmp(scheme, "http") != 0 || !o->is_plain ||
	     strcasecmp(host, mine) != 0))
		return refuse_realm(o, "is not https", err);
	if (o->is_proxied && strcasecmp(host, mine) != 0 &&
	    reg_http_is_private_name(host))
		return refuse_realm(o, "has a private address", err);
	*ret_host = stv_steal(&host);
	return 0;
}

/* "name=value" of a query, escaped by libcurl. */
static int
add_query(const struct reg_curl *c, CURLU *u, const char *name,
	  const char *value, struct stv_err **err)
{
	stv_auto_free char *text = stv_xasprintf("%s=%s", name, value);

	if (c->p_curl_url_set(u, CURLUPART_QUERY, text,
			      CURLU_APPENDQUERY | CURLU_URLENCODE) != CURLUE_OK)
		return stv_fail(err, STV_E_PROTOCOL,
				"the token server's address is no URL");
	return 0;
}

static int
token_url(const struct reg_token_opts *o, const struct reg_curl *c, CURLU *u,
	  const struct reg_challenge *ch, char **ret, struct stv_err **err)
{
	const char *service = reg_challenge_get(ch, "service");

	if (service != NULL && add_query(c, u, "service", service, err) < 0)
		return -1;
	for (size_t i = 0; i < o->scopes->len; i++)
		if (add_query(c, u, "scope", o->scopes->v[i], err) < 0)
			return -1;
	*ret = url_part(c, u, CURLUPART_URL);
	if (*ret == NULL || strlen(*ret) > MAX_URL)
		return refuse_realm(o, "has too long a URL", err);
	return 0;
}

/* Parse what the server gave. */
static int
read_answer(const struct reg_token_opts *o, const struct stv_buf *text,
	    struct reg_token *ret, struct stv_err **err)
{
	json_t *doc =
		stv_json_parse(stv_buf_str(text), text->len, "the token", err);
	const char *token = NULL;
	uint64_t life = DEFAULT_LIFE_S;
	int rc = -1;

	if (doc == NULL)
		return stv_wrap(err, "logging in to %s", o->host);
	if (!json_is_object(doc))
		stv_fail(err, STV_E_PROTOCOL, "the token is no object");
	else if (stv_json_get_str(doc, "", "token", false, &token, err) == 0 &&
		 (token != NULL || stv_json_get_str(doc, "", "access_token",
						    true, &token, err) == 0) &&
		 stv_json_get_u64(doc, "", "expires_in", false, &life, err) ==
			 0)
		rc = 0;
	/* It becomes a header: no line may end in it. */
	if (rc == 0 && (*token == '\0' || strpbrk(token, "\r\n") != NULL))
		rc = stv_fail(err, STV_E_PROTOCOL, "the token is not one");
	if (rc == 0) {
		if (life > 86400)
			life = 86400;
		if (life > 2 * MARGIN_S)
			life -= MARGIN_S;
		*ret = (struct reg_token){.text = stv_xstrdup(token),
					  .until_s = stv_now_ns() / 1000000000 +
						     (int64_t)life};
	}
	json_decref(doc);
	return rc < 0 ? stv_wrap(err, "logging in to %s", o->host) : 0;
}

/* The login as a header's value, owned; to be erased. */
static char *
basic(const struct reg_creds *l)
{
	struct stv_buf plain = STV_BUF_INIT(MAX_URL);
	struct stv_buf value = STV_BUF_INIT(2 * MAX_URL);

	stv_buf_addf(&plain, "%s:%s", l->username, l->secret);
	stv_buf_adds(&value, "Basic ");
	stv_buf_add_base64(&value, plain.data, plain.len);
	explicit_bzero(plain.data, plain.len);
	stv_buf_fini(&plain);
	return stv_buf_take(&value);
}

static void
erase(char *s)
{
	if (s == NULL)
		return;
	explicit_bzero(s, strlen(s));
	free(s);
}

static bool
is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

/* "&name=value" of a form. */
static void
add_field(struct stv_buf *b, const char *name, const char *value)
{
	if (b->len > 0)
		stv_buf_addc(b, '&');
	stv_buf_addf(b, "%s=", name);
	for (; *value != '\0'; value++)
		if (is_unreserved(*value))
			stv_buf_addc(b, *value);
		else
			stv_buf_addf(b, "%%%02X", (unsigned char)*value);
}

/* The refresh token's request: RFC 6749, 6. */
static void
write_form(const struct reg_token_opts *o, const struct reg_challenge *ch,
	   struct stv_buf *form)
{
	const char *service = reg_challenge_get(ch, "service");
	stv_auto_buf scope = STV_BUF_INIT(MAX_URL);

	for (size_t i = 0; i < o->scopes->len; i++)
		stv_buf_addf(&scope, "%s%s", i == 0 ? "" : " ",
			     o->scopes->v[i]);
	add_field(form, "grant_type", "refresh_token");
	if (service != NULL)
		add_field(form, "service", service);
	add_field(form, "client_id", "stave");
	add_field(form, "scope", stv_buf_str(&scope));
	add_field(form, "refresh_token", o->creds->identity_token);
}

/* A form that can be sent again, and the answer, which can be lost. */
struct form {
	struct stv_buf text;
	struct stv_in *in;
	struct stv_buf *answer;
};

static struct stv_in *
rewind_form(void *arg, struct stv_err **err)
{
	struct form *f = arg;

	(void)err;
	stv_in_close(f->in);
	f->in = stv_in_mem(f->text.data, f->text.len);
	return f->in;
}

static int
drop_answer(void *arg, struct stv_err **err)
{
	const struct form *f = arg;

	(void)err;
	explicit_bzero(f->answer->data, f->answer->len);
	stv_buf_truncate(f->answer, 0);
	return 0;
}

static void
form_fini(struct form *f)
{
	stv_in_close(f->in);
	if (f->text.data != NULL)
		explicit_bzero(f->text.data, f->text.len);
	stv_buf_fini(&f->text);
}

/* May the login go there, by its name or because 'login' was told so? */
static bool
may_send(const struct reg_token_opts *o, const char *realm)
{
	stv_auto_free char *mine = host_only(o->host);

	return reg_token_may_login(mine, realm) ||
	       (o->creds->realm != NULL &&
		strcasecmp(o->creds->realm, realm) == 0);
}

/* Why there is no token. */
static int
refused(const struct reg_token_opts *o, const char *realm, bool is_anonymous,
	struct stv_err **err)
{
	if (is_anonymous && o->creds != NULL) {
		stv_fail(err, STV_E_AUTH,
			 "%s wants the login to be sent to '%s', which is of "
			 "another domain; it is not",
			 o->host, realm);
		stv_err_hint(*err,
			     "If you trust that host with it: 'stave login "
			     "--realm %s %s'.",
			     realm, o->domain);
		return -1;
	}
	stv_fail(err, STV_E_AUTH,
		 is_anonymous ? "%s gives nobody a token without a login"
			      : "%s does not accept the login",
		 o->host);
	stv_err_hint(*err, "Log in with 'stave login %s'.", o->domain);
	return -1;
}

static int
ask(const struct reg_token_opts *o, const struct reg_challenge *ch,
    const char *url, const char *realm, bool is_anonymous,
    struct stv_buf *answer, struct stv_err **err)
{
	bool is_refresh = !is_anonymous && o->creds->identity_token != NULL;
	struct form form = {.text = STV_BUF_INIT(64 * MAX_URL),
			    .answer = answer};
	struct stv_strs headers = {0};
	stv_auto(stv_sink) *sink = stv_sink_buf(answer, "the token");
	char *authorization = NULL;
	reg_auto_response res = {0};
	struct reg_http_request req = {
		.url = url,
		.sink = sink,
		.rewind_sink = drop_answer,
		.arg = &form,
		.max_size = MAX_ANSWER,
		.tls = o->tls,
		.is_private_denied = !o->is_private,
		.is_error_ok = true,
		.no_redirect = true,
	};
	int rc;

	if (is_refresh) {
		write_form(o, ch, &form.text);
		stv_strs_add(&headers,
			     "Content-Type: application/x-www-form-urlencoded");
		req.method = "POST";
		req.body = rewind_form(&form, err);
		req.body_size = form.text.len;
		req.headers = &headers;
		req.rewind_body = rewind_form;
	} else if (!is_anonymous) {
		authorization = basic(o->creds);
		req.authorization = authorization;
	}
	rc = reg_http_do(o->http, &req, &res, err);
	erase(authorization);
	form_fini(&form);
	stv_strs_clear(&headers);
	if (rc < 0)
		return stv_wrap(err, "logging in to %s", o->host);
	if (res.status >= 200 && res.status < 300)
		return 0;
	if (res.status == 401 || res.status == 403 ||
	    (is_refresh && res.status == 400))
		return refused(o, realm, is_anonymous, err);
	return stv_fail(err, STV_E_PROTOCOL,
			"the token server of %s answered %d", o->host,
			res.status);
}

int
reg_token_fetch(const struct reg_token_opts *o, const struct reg_challenge *ch,
		struct reg_token *ret, struct stv_err **err)
{
	const struct reg_curl *c = reg_curl_load(err);
	const char *realm = reg_challenge_get(ch, "realm");
	stv_auto_free char *host = NULL, *url = NULL;
	struct stv_buf answer = STV_BUF_INIT(MAX_ANSWER);
	bool is_anonymous;
	CURLU *u;
	int rc = -1;

	if (c == NULL)
		return -1;
	if (realm == NULL || strlen(realm) > MAX_URL)
		return refuse_realm(o, "has no name", err);
	u = c->p_curl_url();
	if (u == NULL)
		STV_BUG("no memory for a URL");
	if (c->p_curl_url_set(u, CURLUPART_URL, realm, 0) != CURLUE_OK)
		(void)refuse_realm(o, "is no URL", err);
	else if (check_realm(o, c, u, &host, err) == 0 &&
		 token_url(o, c, u, ch, &url, err) == 0)
		rc = 0;
	c->p_curl_url_cleanup(u);
	if (rc < 0)
		return -1;
	is_anonymous = o->creds == NULL || !may_send(o, host);
	if (is_anonymous && o->creds != NULL && o->must_login)
		return refused(o, host, true, err);
	rc = ask(o, ch, url, host, is_anonymous, &answer, err);
	if (rc == 0)
		rc = read_answer(o, &answer, ret, err);
	if (rc == 0 && is_anonymous && o->creds != NULL)
		ret->withheld_from = stv_steal(&host);
	if (answer.data != NULL)
		explicit_bzero(answer.data, answer.len);
	stv_buf_fini(&answer);
	return rc;
}

void
reg_token_fini(struct reg_token *t)
{
	erase(t->text);
	free(t->withheld_from);
	*t = (struct reg_token){0};
}
