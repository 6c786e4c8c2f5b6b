/*
 * registry/test/test_threats.c - THREATS 1.3, from the inside: where a token is
 * not asked for, where no digest is, what floods.  The rest is in the tests of
 * each part, and in cmd/test/e2e-registry-security.sh.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/strs.h"

#include "registry/challenge.h"
#include "registry/client.h"
#include "registry/conf.h"
#include "registry/creds.h"
#include "registry/http.h"
#include "registry/ref.h"
#include "registry/test/httpd.h"
#include "registry/token.h"

/* ---- C03: realms ------------------------------------------------------- */

/* PORT is that of our server, which must not be connected to. */
static const char *const bad_realms[] = {
	"",
	"/token",
	"//registry.test/token",
	"registry.test/token",
	"http://registry.test:PORT/token",
	"http://127.0.0.1:PORT/token",
	"http://169.254.169.254/latest/meta-data",
	"https://127.0.0.1:PORT/token",
	"https://127.1:PORT/token",
	"https://0x7f000001:PORT/token",
	"https://2130706433:PORT/token",
	"https://0177.0.0.1:PORT/token",
	"https://0.0.0.0:PORT/token",
	"https://[::1]:PORT/token",
	"https://[::ffff:127.0.0.1]:PORT/token",
	"https://[::ffff:7f00:1]:PORT/token",
	"https://[::]:PORT/token",
	"https://localhost:PORT/token",
	"https://169.254.169.254/latest/meta-data",
	"https://10.0.0.1/token",
	"https://[fe80::1]/token",
	"https://[fd00:ec2::254]/token",
	"https://user:pw@registry.test/token",
	"https://registry.test@127.0.0.1:PORT/token",
	"https://registry.test:pw@127.0.0.1:PORT/token",
	"https://registry.test\\@127.0.0.1:PORT/token",
	"https:127.0.0.1:PORT/token",
	"https:///127.0.0.1:PORT/token",
	"https://",
	"https://:PORT/token",
	"https://127.0.0.1:99999/token",
	"file:///etc/passwd",
	"ftp://127.0.0.1:PORT/token",
	"gopher://127.0.0.1:PORT/token",
	"dict://127.0.0.1:PORT/token",
	"ldap://127.0.0.1:PORT/token",
	"unix:///run/docker.sock",
	"javascript:alert(1)",
};

static char *
put_port(const char *realm, int port)
{
	const char *at = strstr(realm, "PORT");

	return at == NULL ? stv_xstrdup(realm)
			  : stv_xasprintf("%.*s%d%s", (int)(at - realm), realm,
					  port, at + 4);
}

/* Ask as a registry with a public address would make us. */
static int
fetch(struct reg_http *http, const char *realm, struct stv_err **err)
{
	struct stv_strs scopes = {0};
	struct reg_creds creds = {.username = stv_xstrdup("me"),
				  .secret = stv_xstrdup("pw")};
	const struct reg_token_opts o = {.http = http,
					 .host = "registry.test",
					 .domain = "registry.test",
					 .scopes = &scopes,
					 .creds = &creds};
	struct reg_challenge ch = {.scheme = stv_xstrdup("bearer")};
	struct reg_challenges all = {0};
	struct reg_token token = {0};
	int rc;

	*stv_vec_push(&ch.params) = (struct reg_challenge_param){
		.name = stv_xstrdup("realm"), .value = stv_xstrdup(realm)};
	*stv_vec_push(&all.list) = ch;
	rc = reg_token_fetch(&o, &all.list.v[0], &token, err);
	reg_token_fini(&token);
	reg_challenges_fini(&all);
	reg_creds_fini(&creds);
	return rc;
}

Test(threats, C03_no_byte_goes_to_a_bad_realm)
{
	struct httpd server;
	struct reg_http_opts opts = {.max_tries = 1, .connect_ms = 2000};
	struct reg_http *http = NULL;
	struct stv_err *err = NULL;

	(void)setenv("no_proxy", "*", 1);
	httpd_open(&server);
	httpd_start(&server);
	cr_assert_eq(reg_http_open(&opts, &http, &err), 0);
	for (size_t i = 0; i < STV_ARRAY_LEN(bad_realms); i++) {
		stv_auto_free char *realm =
			put_port(bad_realms[i], server.port);

		cr_expect_eq(fetch(http, realm, &err), -1, "%s", realm);
		cr_expect(stv_err_code(err) == STV_E_AUTH ||
				  (stv_err_code(err) == STV_E_NET &&
				   strstr(stv_err_msg(stv_err_root(err)),
					  "private address") != NULL),
			  "%s: %s", realm, stv_err_msg(stv_err_root(err)));
		stv_err_clear(&err);
	}
	reg_http_close(http);
	httpd_end(&server);
	cr_expect_eq(server.n_connections, 0);
}

Test(threats, C03_a_realm_of_8_KB_is_refused)
{
	stv_auto_buf realm = STV_BUF_INIT((size_t)16 << 10);
	struct reg_http *http = NULL;
	struct stv_err *err = NULL;

	cr_assert_eq(reg_http_open(NULL, &http, &err), 0);
	stv_buf_adds(&realm, "https://registry.test/");
	while (realm.len <= 8192)
		stv_buf_addc(&realm, 'a');
	cr_expect_eq(fetch(http, stv_buf_str(&realm), &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_AUTH);
	stv_err_free(err);
	reg_http_close(http);
}

/* Dots and letters that are others to DNS than to us. */
Test(threats, C03_a_name_that_only_looks_like_ours_is_not_ours)
{
	static const char *const names[] = {
		"registry\xe3\x80\x82test", /* an ideographic full stop */
		"registry\xef\xbc\x8etest", /* a fullwidth one */
		"registry\xef\xbd\xa1test",
		"r\xd0\xb5gistry.test", /* a Cyrillic letter */
		"registry.test.evil.example",
		"xregistry.test",
		"registry.test.",
		"registry.tes",
		"",
		".",
		"test",
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++)
		cr_expect_not(reg_token_may_login("registry.test", names[i]),
			      "%s", names[i]);
}

/* ---- C06, C07: what is no digest, wherever one may stand ---------------- */

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX63 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define UPPER "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
#define TAIL59 "56789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const bad_digests[] = {
	"",
	":",
	"a",
	"sha256",
	"sha256:",
	":" HEX,
	HEX,
	"256:" HEX,
	/* others' algorithms and our bytes, our name and others' lengths */
	"sha512:" HEX,
	"sha512:" HEX HEX,
	"sha384:" HEX,
	"sha384:" HEX HEX,
	"sha1:0123456789abcdef0123456789abcdef01234567",
	"md5:0123456789abcdef0123456789abcdef",
	"md5:" HEX,
	"sha224:" HEX,
	"blake3:" HEX,
	"sha3-256:" HEX,
	"sha256+b64u:" HEX,
	"sha256.x:" HEX,
	"sha-256:" HEX,
	"sha_256:" HEX,
	"sha2:" HEX,
	"sha:" HEX,
	"sha25:" HEX,
	"sha2566:" HEX,
	"xsha256:" HEX,
	"none:" HEX,
	"tarsum+sha256:" HEX,
	"tarsum.v1+sha256:" HEX,
	"multihash+base58:" HEX,
	/* its name */
	"SHA256:" HEX,
	"Sha256:" HEX,
	"sHA256:" HEX,
	" sha256:" HEX,
	"\tsha256:" HEX,
	"\nsha256:" HEX,
	"sha256 :" HEX,
	"sha256: " HEX,
	"sha256::" HEX,
	"sha256;" HEX,
	"sha256=" HEX,
	"sha256-" HEX,
	"sha256/" HEX,
	"sha256%3a" HEX,
	"sha256" HEX,
	"sha256:sha256:" HEX,
	"sha256:0x" HEX,
	"/sha256:" HEX,
	"../sha256:" HEX,
	"@sha256:" HEX,
	"\"sha256:" HEX "\"",
	/* its length */
	"sha256:" HEX63,
	"sha256:" HEX "0",
	"sha256:" HEX HEX,
	"sha256:0",
	"sha256:01234567",
	"sha256:0123456789abcdef0123456789abcdef",
	/* its digits */
	"sha256:" UPPER,
	"sha256:A" HEX63,
	"sha256:" HEX63 "F",
	"sha256:g" HEX63,
	"sha256:" HEX63 "g",
	"sha256: " HEX63,
	"sha256:" HEX63 " ",
	"sha256:" HEX63 "\n",
	"sha256:" HEX "\n",
	"sha256:" HEX " ",
	"sha256:" HEX63 "=",
	"sha256:" HEX63 "\xff",
	"sha256:\xef\xbc\x90" HEX63,
	"sha256:-" HEX63,
	"sha256:+" HEX63,
	/* ways to other places */
	"sha256:../../x",
	"sha256:../.." TAIL59,
	"sha256:/../" TAIL59 "0",
	"sha256:" HEX "/../x",
	"sha256:" HEX63 "/",
	"sha256:/" HEX63,
	"sha256:." HEX63,
	"sha256:.." TAIL59 "012",
	"sha256:%2e" TAIL59 "01",
	"sha256:" HEX63 "*",
	"sha256:~" HEX63,
	"sha256:\\" HEX63,
	"../../../../etc/passwd",
	"/etc/passwd",
	"latest",
	"sha256:latest",
	"sha256:" HEX "@sha256:" HEX,
	"sha256:" HEX "," HEX,
	"sha256:" HEX "?x=y",
	"sha256:" HEX "#x",
	"sha256:" HEX ":x",
};

/* A document with ${digest} in the place of %s. */
static char *
with_digest(const char *form, const char *digest)
{
	json_t *s = stv_json_str(digest);
	char *quoted = json_dumps(s, JSON_ENCODE_ANY);
	const char *at = strstr(form, "%s");
	char *text = stv_xasprintf("%.*s%s%s", (int)(at - form), form, quoted,
				   at + 2);

	free(quoted);
	json_decref(s);
	return text;
}

#define GOOD "{\"mediaType\":\"m\",\"size\":1,\"digest\":\"sha256:" HEX "\"}"
#define BAD "{\"mediaType\":\"m\",\"size\":1,\"digest\":%s}"

static void
expect_no_document(const char *digest)
{
	stv_auto_free char *config = with_digest(
		"{\"schemaVersion\":2,\"config\":" BAD ",\"layers\":[]}",
		digest);
	stv_auto_free char *layer =
		with_digest("{\"schemaVersion\":2,\"config\":" GOOD
			    ",\"layers\":[" GOOD "," BAD "]}",
			    digest);
	stv_auto_free char *index = with_digest(
		"{\"schemaVersion\":2,\"manifests\":[" GOOD "," BAD "]}",
		digest);
	stv_auto_free char *diff_id = with_digest(
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}", digest);
	struct oci_manifest *m = NULL;
	struct oci_index *x = NULL;
	struct oci_config *c = NULL;
	struct stv_err *err = NULL;

	cr_expect_eq(oci_manifest_parse(config, strlen(config), NULL, &m, &err),
		     -1, "config: '%s'", digest);
	stv_err_clear(&err);
	cr_expect_eq(oci_manifest_parse(layer, strlen(layer), NULL, &m, &err),
		     -1, "layer: '%s'", digest);
	stv_err_clear(&err);
	cr_expect_eq(oci_index_parse(index, strlen(index), NULL, &x, &err), -1,
		     "index: '%s'", digest);
	stv_err_clear(&err);
	cr_expect_eq(oci_config_parse(diff_id, strlen(diff_id), &c, &err), -1,
		     "diff ID: '%s'", digest);
	stv_err_free(err);
}

Test(threats, C06_C07_what_is_no_digest_is_one_nowhere)
{
	cr_assert_geq(STV_ARRAY_LEN(bad_digests), (size_t)80);
	for (size_t i = 0; i < STV_ARRAY_LEN(bad_digests); i++) {
		const char *d = bad_digests[i];
		stv_auto_free char *name = stv_xasprintf("h.test/a@%s", d);
		struct reg_ref ref = {0};
		struct stv_err *err = NULL;
		struct stv_digest digest;

		cr_expect_eq(stv_digest_parse(d, &digest, &err), -1, "'%s'", d);
		stv_err_clear(&err);
		cr_expect_eq(reg_ref_parse(name, &ref, &err), -1, "'%s'", name);
		stv_err_free(err);
		reg_ref_fini(&ref);
		expect_no_document(d);
	}
}

/* ---- a client and a registry -------------------------------------------- */

struct rig {
	struct httpd server;
	struct reg_conf *conf;
	struct reg_client *client;
	struct reg_ref ref;
	struct stv_err *err;
};

static void
rig_open(struct rig *r)
{
	struct reg_conf_opts conf = {.registries_conf = "/dev/null",
				     .etc = "/nonexistent"};
	struct reg_client_opts o = {.conf = NULL};
	stv_auto_free char *name = NULL;

	memset(r, 0, sizeof(*r));
	(void)setenv("no_proxy", "*", 1);
	httpd_open(&r->server);
	name = stv_xasprintf("127.0.0.1:%d/a/b:1", r->server.port);
	cr_assert_eq(reg_ref_parse(name, &r->ref, &r->err), 0);
	cr_assert_eq(reg_conf_load(&conf, &r->conf, &r->err), 0);
	o.conf = r->conf;
	cr_assert_eq(reg_client_open(&o, &r->client, &r->err), 0);
}

static void
rig_close(struct rig *r)
{
	reg_client_close(r->client);
	httpd_end(&r->server);
	reg_conf_free(r->conf);
	reg_ref_fini(&r->ref);
	stv_err_free(r->err);
}

/* A header's digest is a hint, and one that is none is not even that. */
Test(threats, C06_a_header_that_is_no_digest_says_nothing)
{
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				"Docker-Content-Digest: sha256:../../x\r\n"
				"\r\n");
	httpd_start(&r.server);
	cr_assert_eq(reg_client_resolve(r.client, &r.ref, &m, &r.err), 0);
	cr_expect_not(m.has_digest);
	reg_manifest_fini(&m);
	rig_close(&r);
}

/* ---- C15: floods --------------------------------------------------------- */

/* ${n} headers of ${size} bytes each: refused, and the memory is ours. */
static void
expect_flood(size_t n, size_t size)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)16 << 20);
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	stv_buf_adds(&text, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
	for (size_t i = 0; i < n; i++) {
		stv_buf_addf(&text, "X-%zu: ", i);
		for (size_t k = 0; k < size; k++)
			stv_buf_addc(&text, 'x');
		stv_buf_adds(&text, "\r\n");
	}
	stv_buf_adds(&text, "\r\n{}");
	httpd_answer(&r.server, stv_buf_str(&text));
	httpd_start(&r.server);
	cr_expect_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err),
		     -1, "%zu headers of %zu bytes", n, size);
	cr_expect_eq(stv_err_code(r.err), STV_E_LIMIT, "%zu of %zu: %s", n,
		     size, stv_err_msg(stv_err_root(r.err)));
	/* Once is enough. */
	cr_expect_eq(r.server.n_requests, 1);
	rig_close(&r);
}

Test(threats, C15_floods_of_headers_are_refused)
{
	expect_flood(101, 10);
	expect_flood(10000, 10);
	expect_flood(1, (size_t)64 << 10);
	expect_flood(1, (size_t)1 << 20);
	expect_flood(90, (size_t)60 << 10);
}

/* ---- C17: where an upload is led ---------------------------------------- */

struct location {
	const char *text; /* PORT: our server's */
	const char *part; /* of the message; NULL: our server is asked */
};

Test(threats, C17_an_upload_goes_nowhere_in_clear)
{
	static const struct location cases[] = {
		{"/up?a=b", NULL},
		{"up?a=b", NULL},
		{"http://127.0.0.1:PORT/up?a=b", NULL},
		{"HTTP://127.0.0.1:PORT/up?a=b", NULL},
		{"https://127.0.0.1:PORT/up?a=b", NULL},
		{"//evil.test/up?a=b", NULL}, /* a path of ours */
		{"http://127.0.0.2:PORT/up", "not https"},
		{"http://127.0.0.1:1/up", "not https"},
		{"http://127.0.0.1:PORT@evil.test/up", "not https"},
		{"http://127.0.0.1:PORT.evil.test/up", "not https"},
		{"ftp://127.0.0.1:PORT/up?a=b", NULL}, /* spoken to as we do */
		{"ftp://127.0.0.2/up", "not https"},
		{"file:///etc/passwd", "not https"},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(cases); i++) {
		stv_auto_fd fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		struct reg_upload u = {.fd = fd, .size = 0};
		stv_auto_free char *where = NULL;
		stv_auto_free char *answer = NULL;
		enum reg_uploaded how;
		uint64_t sent;
		struct rig r;

		rig_open(&r);
		where = put_port(cases[i].text, r.server.port);
		answer = stv_xasprintf("HTTP/1.1 202 A\r\nContent-Length: 0\r\n"
				       "Location: %s\r\n\r\n",
				       where);
		httpd_answer(&r.server, "HTTP/1.1 404 No\r\n"
					"Content-Length: 0\r\n\r\n");
		httpd_answer(&r.server, answer);
		httpd_answer(&r.server, "HTTP/1.1 201 Created\r\n"
					"Content-Length: 0\r\n\r\n");
		httpd_start(&r.server);
		cr_expect_eq(reg_client_put_blob(r.client, &r.ref, &u, &how,
						 &sent, &r.err),
			     cases[i].part == NULL ? 0 : -1, "%s", where);
		if (cases[i].part != NULL)
			cr_expect_not_null(
				strstr(stv_err_msg(stv_err_root(r.err)),
				       cases[i].part),
				"%s", stv_err_msg(stv_err_root(r.err)));
		else
			cr_expect_not_null(strstr(r.server.requests[2],
						  "up?a=b&digest=sha256:"),
					   "%s: %s", where,
					   r.server.requests[2]);
		rig_close(&r);
	}
}
