/* builder/test/test_transfer.c - copies between scripted registries. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/strs.h"

#include "registry/client.h"
#include "registry/conf.h"
#include "registry/ref.h"
#include "registry/test/httpd.h"

#include "builder/transfer.h"

/* Nobody answers once a script is over. */
TestSuite(transfer, .timeout = 20);

/* One server is both registries; answers come in the order of requests. */
struct rig {
	struct httpd server;
	struct reg_conf *conf;
	struct reg_client *client;
	struct reg_ref src;
	struct reg_ref dst;
	struct bld_transferred done;
	struct stv_err *err;
	struct stv_strs texts; /* of answers */
};

static void
rig_open(struct rig *r)
{
	struct reg_conf_opts conf = {.registries_conf = "/dev/null",
				     .etc = "/nonexistent"};
	struct reg_client_opts o = {.creds = NULL};
	stv_auto_free char *src = NULL, *dst = NULL;

	memset(r, 0, sizeof(*r));
	(void)setenv("no_proxy", "*", 1);
	httpd_open(&r->server);
	src = stv_xasprintf("127.0.0.1:%d/a/b:1", r->server.port);
	dst = stv_xasprintf("127.0.0.1:%d/c/d:2", r->server.port);
	cr_assert_eq(reg_ref_parse(src, &r->src, &r->err), 0);
	cr_assert_eq(reg_ref_parse(dst, &r->dst, &r->err), 0);
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
	reg_ref_fini(&r->src);
	reg_ref_fini(&r->dst);
	stv_err_free(r->err);
	stv_strs_clear(&r->texts);
}

#define NOT_THERE "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
#define FOUND "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"

/* A document with its type. */
static void
answer(struct rig *r, const char *type, const char *text)
{
	stv_strs_take(&r->texts,
		      stv_xasprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
				    "Content-Length: %zu\r\n\r\n%s",
				    type, strlen(text), text));
	httpd_answer(&r->server, r->texts.v[r->texts.len - 1]);
}

/* "{...}" of a descriptor, owned. */
static char *
descriptor(const char *type, const char *text, uint64_t size)
{
	struct stv_digest d = stv_digest_of(text, strlen(text));
	char buf[STV_DIGEST_STR_MAX];

	return stv_xasprintf(
		"{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu", type,
		stv_digest_str(&d, buf), (unsigned long long)size);
}

/* A manifest whose config is the blob ${blob}, owned. */
static char *
manifest(const char *blob)
{
	stv_auto_free char *d = descriptor("x/config", blob, strlen(blob));

	return stv_xasprintf("{\"schemaVersion\":2,\"config\":%s},"
			     "\"layers\":[]}",
			     d);
}

/* An index of the document ${text}, owned. */
static char *
index_of(const char *type, const char *text, uint64_t size)
{
	stv_auto_free char *d = descriptor(type, text, size);

	return stv_xasprintf("{\"schemaVersion\":2,\"manifests\":[%s}]}", d);
}

static int
transfer(struct rig *r)
{
	struct bld_transfer_opts o = {.client = r->client, .n_parallel = 1};

	httpd_start(&r->server);
	return bld_transfer(&o, &r->src, &r->dst, &r->done, &r->err);
}

static const char *
why(const struct rig *r)
{
	return r->err == NULL ? "" : stv_err_msg(stv_err_root(r->err));
}

/* Request ${i} begins with ${text}. */
static void
expect_request(const struct rig *r, size_t i, const char *text)
{
	cr_expect_eq(strncmp(r->server.requests[i], text, strlen(text)), 0,
		     "request %zu is '%.60s', not '%s'", i,
		     r->server.requests[i], text);
}

Test(transfer, the_tag_moves_last)
{
	stv_auto_free char *m = manifest("blob");
	stv_auto_free char *x = index_of(OCI_MT_MANIFEST, m, strlen(m));
	struct stv_digest d = stv_digest_of(x, strlen(x));
	char digest[STV_DIGEST_STR_MAX];
	stv_auto_free char *child = NULL;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, FOUND); /* HEAD: it does not say the digest */
	answer(&r, OCI_MT_INDEX, x);
	httpd_answer(&r.server, NOT_THERE); /* the index at the destination */
	httpd_answer(&r.server, NOT_THERE); /* the manifest there */
	answer(&r, OCI_MT_MANIFEST, m);
	httpd_answer(&r.server, FOUND); /* its blob there */
	httpd_answer(&r.server, CREATED);
	httpd_answer(&r.server, CREATED);
	cr_assert_eq(transfer(&r), 0, "%s", why(&r));
	cr_expect_str_eq(stv_digest_str(&r.done.digest, digest),
			 stv_digest_str(&d, digest));
	cr_expect_eq(r.done.n_manifests, 2);
	d = stv_digest_of(m, strlen(m));
	child = stv_xasprintf("PUT /v2/c/d/manifests/%s ",
			      stv_digest_str(&d, digest));
	expect_request(&r, 0, "HEAD /v2/a/b/manifests/1 ");
	expect_request(&r, 1, "GET /v2/a/b/manifests/1 ");
	expect_request(&r, 5, "HEAD /v2/c/d/blobs/sha256:");
	expect_request(&r, 6, child);
	expect_request(&r, 7, "PUT /v2/c/d/manifests/2 ");
	cr_expect_not_null(strstr(r.server.requests[7],
				  "Content-Type: " OCI_MT_INDEX "\r\n"));
	rig_close(&r);
}

Test(transfer, what_has_not_moved_costs_two_requests)
{
	struct stv_digest d = stv_digest_of("{}", 2);
	char digest[STV_DIGEST_STR_MAX];
	stv_auto_free char *same =
		stv_xasprintf("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
			      "Docker-Content-Digest: %s\r\n\r\n",
			      stv_digest_str(&d, digest));
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, same);
	httpd_answer(&r.server, same);
	cr_assert_eq(transfer(&r), 0, "%s", why(&r));
	expect_request(&r, 1, "HEAD /v2/c/d/manifests/2 ");
	cr_expect(stv_digest_equal(&r.done.digest, &d));
	rig_close(&r);
}

/* Under another name: only the tag is missing. */
Test(transfer, a_manifest_that_is_there_has_its_blobs)
{
	stv_auto_free char *m = manifest("blob");
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, FOUND);
	answer(&r, OCI_MT_MANIFEST, m);
	httpd_answer(&r.server, FOUND);
	httpd_answer(&r.server, CREATED);
	cr_assert_eq(transfer(&r), 0, "%s", why(&r));
	expect_request(&r, 3, "PUT /v2/c/d/manifests/2 ");
	rig_close(&r);
}

Test(transfer, indexes_are_nested_four_deep_at_most)
{
	char *docs[STV_MAX_INDEX_DEPTH + 2];
	struct rig r;

	rig_open(&r);
	docs[0] = index_of(OCI_MT_MANIFEST, "{}", 2);
	for (int i = 1; i < STV_MAX_INDEX_DEPTH + 2; i++)
		docs[i] = index_of(OCI_MT_INDEX, docs[i - 1],
				   strlen(docs[i - 1]));
	httpd_answer(&r.server, FOUND);
	answer(&r, OCI_MT_INDEX, docs[STV_MAX_INDEX_DEPTH + 1]);
	httpd_answer(&r.server, NOT_THERE);
	for (int i = STV_MAX_INDEX_DEPTH; i >= 0; i--) {
		httpd_answer(&r.server, NOT_THERE);
		answer(&r, OCI_MT_INDEX, docs[i]);
	}
	cr_expect_eq(transfer(&r), -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_LIMIT, "%s", why(&r));
	cr_expect_not_null(strstr(why(&r), "nested"), "%s", why(&r));
	rig_close(&r);
	for (int i = 0; i < STV_MAX_INDEX_DEPTH + 2; i++)
		free(docs[i]);
}

/* An index of the same document ${n} times, owned. */
static char *
index_of_many(const char *text, int n)
{
	stv_auto_free char *d =
		descriptor(OCI_MT_INDEX, text, (uint64_t)strlen(text));
	struct stv_buf b = STV_BUF_INIT(STV_MAX_MANIFEST);

	stv_buf_adds(&b, "{\"schemaVersion\":2,\"manifests\":[");
	for (int i = 0; i < n; i++)
		stv_buf_addf(&b, "%s%s}", i > 0 ? "," : "", d);
	stv_buf_adds(&b, "]}");
	return stv_buf_take(&b);
}

Test(transfer, the_entries_of_all_indexes_count_together)
{
	const int n = STV_MAX_INDEX_ENTRIES / 2 + 1;
	stv_auto_free char *inner = index_of_many("{}", n);
	stv_auto_free char *outer = index_of_many(inner, n);
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, FOUND);
	answer(&r, OCI_MT_INDEX, outer);
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server, NOT_THERE);
	answer(&r, OCI_MT_INDEX, inner); /* asked for once */
	cr_expect_eq(transfer(&r), -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_LIMIT, "%s", why(&r));
	cr_expect_not_null(strstr(why(&r), "entries"), "%s", why(&r));
	rig_close(&r);
}

Test(transfer, a_descriptor_that_lies_about_the_size_is_refused)
{
	stv_auto_free char *m = manifest("blob");
	stv_auto_free char *x = index_of(OCI_MT_MANIFEST, m, strlen(m) + 1);
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, FOUND);
	answer(&r, OCI_MT_INDEX, x);
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server, NOT_THERE);
	answer(&r, OCI_MT_MANIFEST, m);
	cr_expect_eq(transfer(&r), -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_DIGEST, "%s", why(&r));
	rig_close(&r);
}

Test(transfer, a_blob_has_one_size)
{
	stv_auto_free char *a = descriptor("x/a", "blob", 4);
	stv_auto_free char *b = descriptor("x/b", "blob", 5);
	stv_auto_free char *m =
		stv_xasprintf("{\"schemaVersion\":2,\"config\":%s},"
			      "\"layers\":[%s}]}",
			      a, b);
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, FOUND);
	answer(&r, OCI_MT_MANIFEST, m);
	httpd_answer(&r.server, NOT_THERE);
	cr_expect_eq(transfer(&r), -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_DIGEST, "%s", why(&r));
	rig_close(&r);
}

/* THREATS C01: neither the URL nor the registry is asked for it. */
Test(transfer, a_foreign_layer_is_left_where_it_is)
{
	stv_auto_free char *config = descriptor("x/c", "blob", 4);
	stv_auto_free char *layer =
		descriptor(DOCKER_MT_FOREIGN_LAYER ".gzip", "layer", 5);
	stv_auto_free char *m = NULL;
	struct rig r;

	rig_open(&r);
	m = stv_xasprintf("{\"schemaVersion\":2,\"config\":%s},\"layers\":"
			  "[%s,\"urls\":[\"http://127.0.0.1:%d/secret\"]}]}",
			  config, layer, r.server.port);
	httpd_answer(&r.server, FOUND);
	answer(&r, DOCKER_MT_MANIFEST, m);
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server, FOUND); /* the config */
	httpd_answer(&r.server, CREATED);
	cr_assert_eq(transfer(&r), 0, "%s", why(&r));
	cr_expect_eq(r.done.n_foreign, 1);
	expect_request(&r, 4, "PUT /v2/c/d/manifests/2 ");
	rig_close(&r);
}

/* Of a type that nobody knows, and no manifest at the source. */
Test(transfer, an_entry_may_be_a_blob)
{
	stv_auto_free char *x = index_of("x/blob", "blob", 4);
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, FOUND);
	answer(&r, OCI_MT_INDEX, x);
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server, NOT_THERE); /* there as a manifest? */
	httpd_answer(&r.server, NOT_THERE); /* here as one? */
	httpd_answer(&r.server, FOUND);	    /* there as a blob? */
	httpd_answer(&r.server, CREATED);
	cr_assert_eq(transfer(&r), 0, "%s", why(&r));
	expect_request(&r, 4, "GET /v2/a/b/manifests/sha256:");
	expect_request(&r, 5, "HEAD /v2/c/d/blobs/sha256:");
	expect_request(&r, 6, "PUT /v2/c/d/manifests/2 ");
	rig_close(&r);
}

Test(transfer, the_digest_of_the_destination_must_be_that_of_the_source)
{
	stv_auto_free char *m = manifest("blob");
	struct rig r;

	rig_open(&r);
	r.dst.has_digest = true;
	httpd_answer(&r.server, FOUND);
	answer(&r, OCI_MT_MANIFEST, m);
	httpd_answer(&r.server, NOT_THERE);
	cr_expect_eq(transfer(&r), -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_USAGE, "%s", why(&r));
	rig_close(&r);
}
