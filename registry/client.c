/* registry/client.c - places, and manifests. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/strs.h"

#include "registry/client_internal.h"

#define MAX_CA_PEM ((size_t)4 << 20)
#define BACKOFF_MS 200U

const char reg_accept_manifests[] = "Accept: " OCI_MT_INDEX ", " OCI_MT_MANIFEST
				    ", " DOCKER_MT_LIST ", " DOCKER_MT_MANIFEST;

int
reg_client_open(const struct reg_client_opts *o, struct reg_client **ret,
		struct stv_err **err)
{
	struct reg_client *c = stv_xcalloc(1, sizeof(*c));
	struct reg_http_opts http = {.is_cancelled = o->is_cancelled,
				     .arg = o->arg};

	c->o = *o;
	if (reg_http_open(&http, &c->http, err) < 0) {
		free(c);
		return -1;
	}
	(void)pthread_mutex_init(&c->lock, NULL);
	*ret = c;
	return 0;
}

void
reg_manifest_fini(struct reg_manifest *m)
{
	free(m->media_type);
	free(m->text);
	*m = (struct reg_manifest){0};
}

int
reg_client_places(struct reg_client *c, const struct reg_ref *ref,
		  bool is_for_push, struct reg_endpoints *ret,
		  struct stv_err **err)
{
	*ret = (struct reg_endpoints){0};
	return reg_conf_endpoints(c->o.conf, ref, is_for_push, ref->has_digest,
				  ret, err);
}

/* All authorities of certs.d in one text, as libcurl takes them. */
static int
read_cas(struct known_host *k, struct stv_err **err)
{
	struct stv_buf pem = STV_BUF_INIT(MAX_CA_PEM);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < k->certs.cas.len; i++) {
		rc = stv_fsat_read_file(AT_FDCWD, k->certs.cas.v[i], MAX_CA_PEM,
					&pem, err);
		stv_buf_addc(&pem, '\n');
	}
	if (rc == 0)
		rc = stv_buf_check(&pem, "certificates in certs.d", err);
	k->tls->ca_len = pem.len;
	k->tls->ca_pem = k->ca_pem = stv_buf_take(&pem);
	return rc;
}

static int
read_certs(struct reg_client *c, const char *domain, struct known_host *k,
	   struct stv_err **err)
{
	if (reg_conf_certs(c->o.conf, domain, &k->certs, err) < 0)
		return -1;
	if (k->certs.cas.len == 0 && k->certs.certs.len == 0)
		return 0;
	k->tls = stv_xcalloc(1, sizeof(*k->tls));
	if (k->certs.certs.len > 0) {
		k->tls->cert_file = k->certs.certs.v[0];
		k->tls->key_file = k->certs.keys.v[0];
	}
	return k->certs.cas.len > 0 ? read_cas(k, err) : 0;
}

static void
known_fini(struct known_host *k)
{
	reg_host_free(k->host);
	reg_certs_fini(&k->certs);
	free(k->tls);
	free(k->ca_pem);
}

void
reg_client_close(struct reg_client *c)
{
	if (c == NULL)
		return;
	reg_http_close(c->http);
	for (size_t i = 0; i < c->hosts.len; i++)
		known_fini(&c->hosts.v[i]);
	stv_vec_fini(&c->hosts);
	stv_strs_clear(&c->there);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

/* The lock is held. */
static struct reg_host *
add_host(struct reg_client *c, const struct reg_endpoint *p,
	 struct stv_err **err)
{
	struct known_host k = {.host = NULL};

	if (read_certs(c, p->domain, &k, err) < 0) {
		known_fini(&k);
		return NULL;
	}
	k.host = reg_host_new(
		&(struct reg_host_opts){.http = c->http,
					.name = p->host,
					.domain = p->domain,
					.is_insecure = p->is_insecure,
					.is_http_ok = p->is_http_ok,
					.must_login = c->o.must_login,
					.tls = k.tls,
					.creds = c->o.creds,
					.arg = c->o.arg});
	*stv_vec_push(&c->hosts) = k;
	return k.host;
}

struct reg_host *
reg_client_host(struct reg_client *c, const struct reg_endpoint *p,
		struct stv_err **err)
{
	struct reg_host *h = NULL;

	(void)pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->hosts.len && h == NULL; i++)
		if (reg_host_is(c->hosts.v[i].host, p->host, p->is_insecure))
			h = c->hosts.v[i].host;
	if (h == NULL)
		h = add_host(c, p, err);
	(void)pthread_mutex_unlock(&c->lock);
	return h;
}

bool
reg_may_go_on(const struct reg_endpoints *p, size_t i, struct stv_err **err)
{
	enum stv_code code = stv_err_code(*err);

	if (i + 1 >= p->len || code == STV_E_CANCELLED)
		return false;
	/* A mirror may lack anything, and be down. */
	stv_err_clear(err);
	return true;
}

int
reg_client_ping(struct reg_client *c, const struct reg_ref *ref,
		struct stv_err **err)
{
	struct reg_call call = {.target = "/v2/", .what = "logging in"};
	reg_auto_endpoints places = {0};
	reg_auto_response res = {0};
	struct reg_host *host;

	if (reg_client_places(c, ref, true, &places, err) < 0)
		return -1;
	host = reg_client_host(c, &places.v[0], err);
	return host == NULL ? -1 : reg_host_do(host, &call, &res, err);
}

void
reg_back_off(unsigned n)
{
	uint32_t chance, ms = BACKOFF_MS << n;
	struct timespec t;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = 0;
	ms = ms / 2 + chance % (ms / 2 + 1);
	t = (struct timespec){.tv_sec = ms / 1000,
			      .tv_nsec = (long)(ms % 1000) * 1000000};
	(void)nanosleep(&t, NULL);
}

/* "manifest 'latest' of library/debian". */
static char *
manifest_name(const struct reg_endpoint *p, const char *which)
{
	return stv_xasprintf("manifest '%s' of %s", which, p->path);
}

static int
rewind_text(void *arg, struct stv_err **err)
{
	(void)err;
	stv_buf_truncate(arg, 0);
	return 0;
}

/* ${text}: where the manifest goes; NULL: HEAD. */
static int
ask_manifest(struct reg_client *c, const struct reg_endpoint *p,
	     const char *which, struct stv_buf *text,
	     struct reg_http_response *res, struct stv_err **err)
{
	stv_auto(stv_sink) *sink =
		text == NULL ? NULL : stv_sink_buf(text, "the manifest");
	stv_auto_free char *target =
		stv_xasprintf("/v2/%s/manifests/%s", p->path, which);
	stv_auto_free char *what = manifest_name(p, which);
	struct stv_strs headers = {0};
	struct reg_call call = {.path = p->path,
				.actions = "pull",
				.target = target,
				.what = what,
				.req = {.method = text == NULL ? "HEAD" : "GET",
					.sink = sink,
					.rewind_sink = rewind_text,
					.arg = text,
					.headers = &headers,
					.max_size = STV_MAX_MANIFEST}};
	struct reg_host *host = reg_client_host(c, p, err);
	int rc = -1;

	stv_strs_add(&headers, reg_accept_manifests);
	if (host != NULL)
		rc = reg_host_do(host, &call, res, err);
	stv_strs_clear(&headers);
	return rc;
}

/* The media type without its parameters, owned; NULL where there is none. */
static char *
media_type(const struct reg_http_response *res)
{
	const char *type = reg_http_header(res, "content-type");
	size_t n = type == NULL ? 0 : strcspn(type, "; \t");

	return n == 0 ? NULL : stv_xstrndup(type, n);
}

/* What is asked for: a digest goes before a tag. */
static void
which_manifest(const struct reg_ref *ref, const struct stv_digest *want,
	       char text[STV_DIGEST_STR_MAX], const char **ret)
{
	if (want == NULL && ref->has_digest)
		want = &ref->digest;
	*ret = want != NULL	  ? stv_digest_str(want, text)
	       : ref->tag != NULL ? ref->tag
				  : REG_DEFAULT_TAG;
}

int
reg_client_resolve(struct reg_client *c, const struct reg_ref *ref,
		   struct reg_manifest *ret, struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];
	reg_auto_endpoints places = {0};
	const char *which, *digest;
	int rc = -1;

	*ret = (struct reg_manifest){0};
	which_manifest(ref, NULL, text, &which);
	if (reg_client_places(c, ref, false, &places, err) < 0)
		return -1;
	for (size_t i = 0; i < places.len; i++) {
		reg_auto_response res = {0};
		struct stv_err *ignored = NULL;

		rc = ask_manifest(c, &places.v[i], which, NULL, &res, err);
		if (rc < 0 && reg_may_go_on(&places, i, err))
			continue;
		if (rc < 0)
			break;
		digest = reg_http_header(&res, "docker-content-digest");
		ret->has_digest =
			digest != NULL &&
			stv_digest_parse(digest, &ret->digest, &ignored) == 0;
		stv_err_free(ignored);
		ret->media_type = media_type(&res);
		break;
	}
	return rc;
}

/*
 * What came is not what was asked for, or what the registry itself says that
 * it is: an answer that was cut off where nothing else tells.  With ${is_hint}
 * what it says does not count (THREATS C08).
 */
static int
check_manifest(const struct reg_endpoint *p, const char *which,
	       const struct stv_digest *want, const struct stv_digest *got,
	       const struct reg_http_response *res, bool is_hint,
	       struct stv_err **err)
{
	const char *text = reg_http_header(res, "docker-content-digest");
	char a[STV_DIGEST_STR_MAX], b[STV_DIGEST_STR_MAX];
	struct stv_err *ignored = NULL;
	struct stv_digest said;

	if (want != NULL && !stv_digest_equal(got, want))
		return stv_fail(err, STV_E_DIGEST,
				"%s: manifest '%s' of %s has the digest %s: it "
				"is not what was asked for",
				p->host, stv_digest_str(want, a), p->path,
				stv_digest_str(got, b));
	if (want != NULL || text == NULL || is_hint)
		return 0;
	if (stv_digest_parse(text, &said, &ignored) < 0) {
		stv_err_free(ignored);
		return 0;
	}
	if (stv_digest_equal(got, &said))
		return 0;
	return stv_fail(err, STV_E_DIGEST,
			"%s: manifest '%s' of %s has the digest %s, and the "
			"registry says %s",
			p->host, which, p->path, stv_digest_str(got, a),
			stv_digest_str(&said, b));
}

/* From one place, checked. */
static int
manifest_from(struct reg_client *c, const struct reg_endpoint *p,
	      const char *which, const struct stv_digest *want, bool is_again,
	      struct reg_manifest *ret, struct stv_err **err)
{
	struct stv_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	reg_auto_response res = {0};
	int rc;

	rc = ask_manifest(c, p, which, &text, &res, err);
	if (rc == 0) {
		ret->digest = stv_digest_of(stv_buf_str(&text), text.len);
		ret->has_digest = true;
		rc = check_manifest(p, which, want, &ret->digest, &res,
				    is_again, err);
	}
	if (rc == 0) {
		ret->media_type = media_type(&res);
		ret->len = text.len;
		ret->text = stv_buf_take(&text);
	}
	stv_buf_fini(&text);
	return rc;
}

int
reg_client_manifest(struct reg_client *c, const struct reg_ref *ref,
		    const struct stv_digest *want, struct reg_manifest *ret,
		    struct stv_err **err)
{
	char text[STV_DIGEST_STR_MAX];
	reg_auto_endpoints places = {0};
	const char *which;
	int rc = -1;

	*ret = (struct reg_manifest){0};
	if (want == NULL && ref->has_digest)
		want = &ref->digest;
	which_manifest(ref, want, text, &which);
	if (reg_client_places(c, ref, false, &places, err) < 0)
		return -1;
	for (size_t i = 0; i < places.len; i++) {
		rc = manifest_from(c, &places.v[i], which, want, false, ret,
				   err);
		/* It may have been cut off: once more. */
		if (rc < 0 && stv_err_code(*err) == STV_E_DIGEST) {
			stv_err_clear(err);
			rc = manifest_from(c, &places.v[i], which, want, true,
					   ret, err);
		}
		if (rc == 0 || !reg_may_go_on(&places, i, err))
			break;
	}
	return rc;
}
