/* registry/test/test_client.c - manifests and blobs of a scripted registry. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"

#include "registry/client.h"
#include "registry/client_internal.h"
#include "registry/test/rig.h"

#define BLOB "hello, blob"

/* The blob, read in small pieces; ${text} gets what came. */
static int
get_blob(struct rig *r, uint64_t size, struct stv_buf *text)
{
	struct stv_digest d = stv_digest_of(BLOB, strlen(BLOB));
	stv_auto(stv_in) *in = NULL;
	char part[4];
	int64_t n;

	httpd_start(&r->server);
	if (reg_client_blob(r->client, &r->ref, &d, size, &in, &r->err) < 0)
		return -1;
	while ((n = in->read(in, part, sizeof(part), &r->err)) > 0)
		stv_buf_add(text, part, (size_t)n);
	return n < 0 ? -1 : 0;
}

Test(client, a_blob_is_taken_up_where_it_broke)
{
	stv_auto_buf text = STV_BUF_INIT(100);
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello");
	httpd_answer(&r.server, NULL);
	httpd_answer(&r.server, "HTTP/1.1 206 Partial Content\r\n"
				"Content-Range: bytes 5-10/11\r\n"
				"Content-Length: 6\r\n\r\n, blob");
	cr_assert_eq(get_blob(&r, strlen(BLOB), &text), 0, "%s",
		     r.err == NULL ? "" : stv_err_msg(stv_err_root(r.err)));
	cr_expect_str_eq(stv_buf_str(&text), BLOB);
	cr_expect_not_null(strstr(r.server.requests[2], "Range: bytes=5-\r\n"));
	cr_expect_null(strstr(r.server.requests[0], "Range:"));
	rig_close(&r);
}

Test(client, a_server_without_ranges_begins_anew)
{
	stv_auto_buf text = STV_BUF_INIT(100);
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello");
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" BLOB);
	cr_assert_eq(get_blob(&r, strlen(BLOB), &text), 0);
	cr_expect_str_eq(stv_buf_str(&text), BLOB);
	rig_close(&r);
}

struct bad_blob {
	const char *answer;
	enum stv_code code;
	const char *part;
};

Test(client, bytes_that_are_others_are_refused)
{
	static const struct bad_blob cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello, Blob",
		 STV_E_DIGEST, "are others"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, blob!",
		 STV_E_LIMIT, "larger than"},
		{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		 STV_E_NOT_FOUND, "answered 404"},
		{"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", STV_E_AUTH,
		 "answered 403"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stv_auto_buf text = STV_BUF_INIT(100);
		struct rig r;

		rig_open(&r);
		httpd_answer(&r.server, cases[i].answer);
		cr_assert_eq(get_blob(&r, strlen(BLOB), &text), -1, "case %zu",
			     i);
		cr_expect_eq(stv_err_code(r.err), cases[i].code, "case %zu: %s",
			     i, stv_err_msg(stv_err_root(r.err)));
		cr_expect_not_null(
			strstr(stv_err_msg(stv_err_root(r.err)), cases[i].part),
			"case %zu: %s", i, stv_err_msg(stv_err_root(r.err)));
		rig_close(&r);
	}
}

/* Who checks the digest gets all bytes. */
Test(client, a_digest_may_be_the_readers_to_check)
{
	struct stv_digest d = stv_digest_of(BLOB, strlen(BLOB));
	stv_auto(stv_in) *in = NULL;
	char text[20] = "";
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"
				"hello, Blob");
	httpd_start(&r.server);
	cr_assert_eq(reg_client_blob_unhashed(r.client, &r.ref, &d,
					      strlen(BLOB), &in, &r.err),
		     0);
	cr_expect_str_eq(reg_client_blob_host(in), r.ref.domain);
	cr_expect_eq(stv_in_read_full(in, text, sizeof(text), &r.err), 11);
	cr_expect_str_eq(text, "hello, Blob");
	stv_in_close(stv_steal(&in));
	rig_close(&r);
	/* How many they are is not. */
	rig_open(&r);
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "c\r\nhello, blob!\r\n0\r\n\r\n");
	httpd_start(&r.server);
	if (reg_client_blob_unhashed(r.client, &r.ref, &d, strlen(BLOB), &in,
				     &r.err) == 0)
		cr_expect_eq(stv_in_read_full(in, text, sizeof(text), &r.err),
			     -1);
	cr_expect_not_null(r.err);
	stv_in_close(stv_steal(&in));
	rig_close(&r);
}

Test(client, a_range_that_was_not_asked_for_is_refused)
{
	stv_auto_buf text = STV_BUF_INIT(100);
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello");
	httpd_answer(&r.server, "HTTP/1.1 206 Partial Content\r\n"
				"Content-Range: bytes 4-10/11\r\n"
				"Content-Length: 7\r\n\r\no, blob");
	cr_assert_eq(get_blob(&r, strlen(BLOB), &text), -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_PROTOCOL);
	rig_close(&r);
}

Test(client, a_password_goes_where_it_is_asked_for)
{
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n"
				"WWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		     "Content-Type: application/json; x=y\r\n\r\n{}");
	httpd_start(&r.server);
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err),
		     0);
	cr_expect_str_eq(m.text, "{}");
	cr_expect_str_eq(m.media_type, "application/json");
	cr_expect_null(strstr(r.server.requests[0], "Authorization"));
	cr_expect_not_null(strstr(r.server.requests[1],
				  "Authorization: Basic bWU6cHc=\r\n"));
	cr_expect_not_null(
		strstr(r.server.requests[1], "GET /v2/a/b/manifests/1 "));
	reg_manifest_fini(&m);
	rig_close(&r);
}

Test(client, a_registry_that_repeats_our_login_is_not_repeated)
{
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n"
				"WWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
	httpd_answer(&r.server, "HTTP/1.1 403 No\r\nContent-Length: 57\r\n\r\n"
				"{\"errors\":[{\"code\":\"DENIED\",\"message\":"
				"\"not bWU6cHc= !\"}]}");
	httpd_start(&r.server);
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err),
		     -1);
	cr_expect_not_null(
		strstr(stv_err_msg(stv_err_root(r.err)), "answered 403"));
	cr_expect_null(strstr(stv_err_msg(stv_err_root(r.err)), "bWU6cHc="));
	rig_close(&r);
}

Test(client, a_password_is_not_sent_to_another_domain)
{
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server,
		     "HTTP/1.1 401 No\r\nContent-Length: 0\r\n"
		     "WWW-Authenticate: Bearer realm=\"http://evil.test/t\","
		     "service=\"s\"\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err),
		     -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_AUTH);
	cr_expect_not_null(
		strstr(stv_err_msg(stv_err_root(r.err)), "is not https"));
	rig_close(&r);
}

Test(client, a_manifest_must_have_its_digest)
{
	static const char other[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{ }";
	struct stv_digest want = stv_digest_of("{}", 2);
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, other);
	httpd_answer(&r.server, other);
	httpd_start(&r.server);
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, &want, &m, &r.err),
		     -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_DIGEST);
	cr_expect_eq(r.server.n_requests, 2);
	rig_close(&r);
}

Test(client, an_upload_that_broke_goes_on_where_the_registry_is)
{
	struct reg_upload u = {.size = (size_t)2 << 20};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	u.fd = make_file(u.size);
	httpd_answer(&r.server,
		     "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"); /* HEAD */
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n");  /* POST */
	httpd_answer(&r.server, NULL); /* PATCH */
	httpd_answer(&r.server, "HTTP/1.1 204 No\r\nLocation: /up/2\r\n"
				"Range: 0-2000000\r\n\r\n"); /* GET */
	httpd_answer(&r.server, ACCEPTED "Location: /up/3?s=1\r\n\r\n");
	httpd_answer(&r.server,
		     "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		0, "%s", r.err == NULL ? "" : stv_err_msg(stv_err_root(r.err)));
	cr_expect_eq(how, REG_UPLOAD_SENT);
	cr_expect_not_null(strstr(r.server.requests[3], "GET /up/1 "));
	cr_expect_not_null(strstr(r.server.requests[4], "PATCH /up/2 "));
	cr_expect_not_null(strstr(r.server.requests[4],
				  "Content-Range: 2000001-2097151\r\n"));
	cr_expect_not_null(
		strstr(r.server.requests[5], "PUT /up/3?s=1&digest=sha256:"));
	(void)close(u.fd);
	rig_close(&r);
}

Test(client, an_upload_whose_last_answer_was_lost_is_not_sent_again)
{
	struct reg_upload u = {.size = 5};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	u.fd = make_file(u.size);
	httpd_answer(&r.server,
		     "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"); /* HEAD */
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n");  /* POST */
	httpd_answer(&r.server, NULL);				      /* PUT */
	httpd_answer(&r.server,
		     "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"); /* GET */
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"); /* HEAD */
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		0, "%s", r.err == NULL ? "" : stv_err_msg(stv_err_root(r.err)));
	cr_expect_eq(r.server.n_requests, 5);
	(void)close(u.fd);
	rig_close(&r);
}

Test(client, a_password_is_for_its_repository_only)
{
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n"
				"WWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	httpd_start(&r.server);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(
			reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err),
			0);
		reg_manifest_fini(&m);
	}
	cr_expect_not_null(strstr(r.server.requests[2], "Authorization"));
	r.ref.path[0] = 'z';
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err),
		     0);
	reg_manifest_fini(&m);
	cr_expect_null(strstr(r.server.requests[3], "Authorization"));
	rig_close(&r);
}

Test(client, a_blob_that_can_be_mounted_is_not_sent)
{
	struct reg_upload u = {.size = 5, .from = "base/image"};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	u.fd = make_file(u.size);
	httpd_answer(&r.server, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
	httpd_answer(&r.server,
		     "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		0);
	cr_expect_eq(how, REG_UPLOAD_MOUNTED);
	cr_expect_eq(sent, 0);
	cr_expect_not_null(strstr(r.server.requests[1], "from=base/image"));
	(void)close(u.fd);
	rig_close(&r);
}

/* A blob that has a thousand bytes more each time, and is whole at the third.
 */
static int
grow(struct reg_upload *u, uint64_t beyond, struct stv_err **err)
{
	unsigned *n = u->arg;

	cr_expect_gt(beyond, u->size);
	if (++*n > 3)
		return stv_fail(err, STV_E_IO, "nothing more");
	u->size = 1000 * (uint64_t)*n;
	u->is_growing = *n < 3;
	u->digest = stv_digest_of("x", 1);
	return 0;
}

/* What a registry says to two pieces of such a blob, and then ${answer} to the
 * question whether it has it. */
static void
answer_pieces(struct rig *r, const char *answer)
{
	httpd_answer(&r->server, ACCEPTED "Location: /up/1\r\n\r\n"); /* POST */
	httpd_answer(&r->server, ACCEPTED "Location: /up/2\r\n\r\n");
	httpd_answer(&r->server, ACCEPTED "Location: /up/3\r\n\r\n");
	httpd_answer(&r->server, answer); /* HEAD */
}

Test(client, what_is_being_made_is_sent_as_it_grows)
{
	unsigned n = 0;
	struct reg_upload u = {.is_growing = true, .grow = grow, .arg = &n};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	u.fd = make_file(3000);
	answer_pieces(&r, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
	httpd_answer(&r.server, ACCEPTED "Location: /up/4\r\n\r\n");
	httpd_answer(&r.server,
		     "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		0, "%s", r.err == NULL ? "" : stv_err_msg(stv_err_root(r.err)));
	cr_expect_eq(how, REG_UPLOAD_SENT);
	cr_expect_eq(sent, 3000);
	cr_expect_not_null(strstr(r.server.requests[0], "POST "));
	cr_expect_not_null(strstr(r.server.requests[2], "PATCH /up/2 "));
	cr_expect_not_null(
		strstr(r.server.requests[2], "Range: 1000-1999\r\n"));
	cr_expect_not_null(strstr(r.server.requests[3], "HEAD "));
	cr_expect_not_null(
		strstr(r.server.requests[4], "Range: 2000-2999\r\n"));
	cr_expect_not_null(
		strstr(r.server.requests[5], "PUT /up/4?digest=sha256:"));
	(void)close(u.fd);
	rig_close(&r);
}

Test(client, what_turns_out_to_be_there_is_not_sent_to_its_end)
{
	unsigned n = 0;
	struct reg_upload u = {.is_growing = true, .grow = grow, .arg = &n};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	u.fd = make_file(3000);
	answer_pieces(&r, "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n");
	httpd_answer(&r.server, "HTTP/1.1 204 No\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		0);
	cr_expect_eq(how, REG_UPLOAD_HAD);
	cr_expect_eq(sent, 2000);
	cr_expect_not_null(strstr(r.server.requests[4], "DELETE /up/3 "));
	(void)close(u.fd);
	rig_close(&r);
}

Test(client, what_is_not_made_to_its_end_is_given_up)
{
	unsigned n = 3;
	struct reg_upload u = {.is_growing = true, .grow = grow, .arg = &n};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	u.fd = make_file(3000);
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n");
	httpd_answer(&r.server, "HTTP/1.1 204 No\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		-1);
	cr_expect_eq(stv_err_code(r.err), STV_E_IO);
	cr_expect_not_null(strstr(r.server.requests[1], "DELETE /up/1 "));
	(void)close(u.fd);
	rig_close(&r);
}

Test(client, a_manifest_that_is_sent_elsewhere_is_not_put)
{
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server,
		     "HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\n"
		     "Location: /v2/other\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(reg_client_put_manifest(r.client, &r.ref, "1",
					     "application/json", "{}", 2,
					     &r.err),
		     -1);
	cr_expect_eq(stv_err_code(r.err), STV_E_PROTOCOL);
	rig_close(&r);
}

/* All tags as one text, or NULL. */
static char *
get_tags(struct rig *r)
{
	struct stv_buf text = STV_BUF_INIT((size_t)1000);
	struct stv_strs tags = {0};
	int rc;

	httpd_start(&r->server);
	rc = reg_client_tags(r->client, &r->ref, &tags, &r->err);
	for (size_t i = 0; i < tags.len; i++)
		stv_buf_addf(&text, "%s%s", i > 0 ? " " : "", tags.v[i]);
	stv_strs_clear(&tags);
	if (rc == 0)
		return stv_buf_take(&text);
	stv_buf_fini(&text);
	return NULL;
}

#define PAGE(link, body)                                                       \
	"HTTP/1.1 200 OK\r\n" link "Connection: close\r\n\r\n" body

Test(client, tags_come_page_by_page)
{
	struct rig r;
	stv_auto_free char *tags = NULL;

	rig_open(&r);
	httpd_answer(&r.server,
		     PAGE("Link: </v2/a/b/tags/list?last=2&n=2>; rel=\"next\""
			  "\r\n",
			  "{\"tags\":[\"1\",\"2\"]}"));
	/* what stands behind another host counts, here */
	httpd_answer(&r.server,
		     PAGE("Link: <https://evil/v2/a/b/tags/list?last=3>; "
			  "rel=\"next\"\r\n",
			  "{\"tags\":[\"3\"]}"));
	httpd_answer(&r.server, PAGE("", "{\"tags\":null}"));
	tags = get_tags(&r);
	cr_assert_not_null(tags, "%s", stv_err_msg(stv_err_root(r.err)));
	cr_expect_str_eq(tags, "1 2 3");
	cr_expect_not_null(strstr(r.server.requests[1],
				  "GET /v2/a/b/tags/list?last=2&n=2 "));
	cr_expect_not_null(
		strstr(r.server.requests[2], "GET /v2/a/b/tags/list?last=3 "));
	rig_close(&r);
}

Test(client, a_page_that_leads_to_itself_is_the_end)
{
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server,
		     PAGE("Link: </v2/a/b/tags/list?n=1000>; rel=\"next\"\r\n",
			  "{\"tags\":[\"1\"]}"));
	cr_expect_null(get_tags(&r));
	cr_expect_eq(stv_err_code(r.err), STV_E_PROTOCOL);
	rig_close(&r);
}

Test(client, what_is_no_tag_is_refused)
{
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, PAGE("", "{\"tags\":[\"../x\"]}"));
	cr_expect_null(get_tags(&r));
	cr_expect_eq(stv_err_code(r.err), STV_E_PROTOCOL);
	rig_close(&r);
}

Test(client, a_link_of_another_kind_is_none)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{NULL, NULL},
		{"", NULL},
		{"</v2/x>; rel=\"prev\"", NULL},
		{"</v2/x>; rel=prev, </v2/y>; title=a; rel=next", "/v2/y"},
		{"</other>; rel=next", NULL},
		{"</v2/a b>; rel=next", NULL},
		{"</v2/a", NULL},
		{"<http://h>; rel=next", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stv_auto_free char *got = reg_next_page(cases[i].value);

		if (cases[i].want == NULL)
			cr_expect_null(got, "%zu", i);
		else
			cr_expect_str_eq(got, cases[i].want, "%zu", i);
	}
}
