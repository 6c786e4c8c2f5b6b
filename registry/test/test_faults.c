/* registry/test/test_faults.c - what a bad network does to single requests;
 * the whole is cmd/test/e2e-faults.sh. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/http_internal.h"
#include "registry/test/rig.h"

struct failure {
	int code;
	const char *reason;
	bool want;
};

Test(faults, a_broken_connection_is_no_refusal)
{
	static const struct failure cases[] = {
		{CURLE_RECV_ERROR, "", true},
		{CURLE_GOT_NOTHING, "", true},
		{CURLE_HTTP2_STREAM, "", true},
		/* A kept connection was gone, with a body half sent. */
		{CURLE_SEND_FAIL_REWIND, "", true},
		{CURLE_SSL_CONNECT_ERROR,
		 "OpenSSL SSL_connect: Connection reset by peer", true},
		{CURLE_SSL_CONNECT_ERROR,
		 "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x",
		 true},
		{CURLE_SSL_CONNECT_ERROR, "wrong version number", false},
		{CURLE_SSL_CONNECT_ERROR, "sslv3 alert handshake failure",
		 false},
		{CURLE_PEER_FAILED_VERIFICATION, "", false},
		{CURLE_COULDNT_RESOLVE_HOST, "", false},
		{CURLE_WRITE_ERROR, "", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(
			reg_retry_is_broken(cases[i].code, cases[i].reason),
			cases[i].want, "%d %s", cases[i].code, cases[i].reason);
}

Test(faults, who_answered_is_told_from_who_did_not)
{
	struct reg_answered a = {.lock = PTHREAD_MUTEX_INITIALIZER};

	reg_answered_add(&a, "https://a.test:5000/v2/x?y");
	reg_answered_add(&a, "https://a.test:5000");
	reg_answered_add(&a, "no URL");
	cr_expect_eq(a.origins.len, 1);
	cr_expect(reg_answered_has(&a, "https://a.test:5000/"));
	cr_expect(reg_answered_has(&a, "https://a.test:5000"));
	cr_expect_not(reg_answered_has(&a, "https://a.test:50001/"));
	cr_expect_not(reg_answered_has(&a, "http://a.test:5000/"));
	cr_expect_not(reg_answered_has(&a, "https://a.test/"));
	stv_strs_clear(&a.origins);
}

Test(faults, the_environment_sets_limits)
{
	static const char *const bad[] = {"0", "-1", "3601", "1s", "x", "1.5"};
	struct reg_http_opts o = {.max_tries = 2};
	struct stv_err *err = NULL;

	(void)setenv("STAVE_HTTP_CONNECT_TIMEOUT", "7", 1);
	(void)setenv("STAVE_HTTP_STALL_TIMEOUT", "", 1);
	cr_assert_eq(reg_http_opts_fill(&o, &err), 0);
	cr_expect_eq(o.connect_ms, 7000);
	cr_expect_eq(o.stall_s, 60);
	cr_expect_eq(o.max_tries, 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)setenv("STAVE_HTTP_STALL_TIMEOUT", bad[i], 1);
		cr_assert_eq(reg_http_opts_fill(&o, &err), -1, "%s", bad[i]);
		cr_expect_eq(stv_err_code(err), STV_E_USAGE);
		cr_expect_not_null(
			strstr(stv_err_msg(err), "STAVE_HTTP_STALL_TIMEOUT"));
		stv_err_clear(&err);
	}
}

/* One try against a server that gives a byte every ${drip_ms}. */
static int
get_dripping(const char *answer, int drip_ms, struct stv_err **err)
{
	struct reg_http_opts o = {.stall_s = 1, .max_tries = 1};
	struct stv_buf body = STV_BUF_INIT(10000);
	stv_auto(stv_sink) *sink = stv_sink_buf(&body, "body");
	stv_auto(reg_http) *http = NULL;
	stv_auto_free char *url = NULL;
	reg_auto_response res = {0};
	struct reg_http_request req = {.sink = sink};
	struct httpd s;
	int rc;

	(void)setenv("no_proxy", "*", 1);
	httpd_open(&s);
	s.drip_ms = drip_ms;
	httpd_answer(&s, answer);
	httpd_start(&s);
	cr_assert_eq(reg_http_open(&o, &http, err), 0);
	req.url = url = httpd_url(&s, "/x");
	rc = reg_http_do(http, &req, &res, err);
	httpd_end(&s);
	stv_buf_fini(&body);
	return rc;
}

Test(faults, a_byte_now_and_then_is_no_transfer)
{
#define DOTS "........................................"
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" DOTS DOTS DOTS
			DOTS DOTS DOTS DOTS DOTS DOTS DOTS,
		"HTTP/1.1 200 OK\r\nX: " DOTS DOTS DOTS DOTS DOTS DOTS DOTS};
	static const char *const reasons[] = {"too slow", "silent"};

	for (size_t i = 0; i < 2; i++) {
		struct stv_err *err = NULL;

		cr_assert_eq(get_dripping(answers[i], 10, &err), -1);
		cr_expect_eq(stv_err_code(err), STV_E_NET);
		cr_expect_not_null(strstr(stv_err_msg(err), reasons[i]), "%s",
				   stv_err_msg(err));
		stv_err_free(err);
	}
}

Test(faults, the_question_for_tls_is_asked_again)
{
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	r.server.n_mute_hellos = 2;
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	httpd_start(&r.server);
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err), 0,
		     "%s",
		     r.err == NULL ? "" : stv_err_msg(stv_err_root(r.err)));
	cr_expect_eq(r.server.n_mute_hellos, 0);
	reg_manifest_fini(&m);
	rig_close(&r);
}

Test(faults, a_manifest_that_was_cut_off_is_fetched_again)
{
	stv_auto_free char *cut = NULL, *whole = NULL;
	struct stv_digest d = stv_digest_of("{}", 2);
	char text[STV_DIGEST_STR_MAX];
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	/* Without a length its end is that of the connection. */
	cut = stv_xasprintf("HTTP/1.1 200 OK\r\nDocker-Content-Digest: %s\r\n"
			    "\r\n{",
			    stv_digest_str(&d, text));
	whole = stv_xasprintf("%s}", cut);
	httpd_answer(&r.server, cut);
	httpd_answer(&r.server, whole);
	httpd_start(&r.server);
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err),
		     0);
	cr_expect_str_eq(m.text, "{}");
	reg_manifest_fini(&m);
	rig_close(&r);
}

/* Once more, in case it was cut off; but the header is a hint (THREATS C08). */
Test(faults, a_manifest_of_another_digest_than_its_registry_says)
{
	struct stv_digest d = stv_digest_of("{ }", 3);
	char text[STV_DIGEST_STR_MAX];
	stv_auto_free char *answer = NULL;
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	answer = stv_xasprintf("HTTP/1.1 200 OK\r\nDocker-Content-Digest: %s"
			       "\r\nContent-Length: 2\r\n\r\n{}",
			       stv_digest_str(&d, text));
	httpd_answer(&r.server, answer);
	httpd_answer(&r.server, answer);
	httpd_start(&r.server);
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err),
		     0);
	cr_expect_eq(r.server.n_requests, 2);
	reg_manifest_fini(&m);
	rig_close(&r);
}

Test(faults, a_token_that_was_cut_off_is_fetched_again)
{
	stv_auto_free char *challenge = NULL;
	struct reg_manifest m;
	struct rig r;

	rig_open(&r);
	challenge = stv_xasprintf("HTTP/1.1 401 No\r\nContent-Length: 0\r\n"
				  "WWW-Authenticate: Bearer realm="
				  "\"http://127.0.0.1:%d/token\"\r\n\r\n",
				  r.server.port);
	httpd_answer(&r.server, challenge);
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"tok");
	httpd_answer(&r.server, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"
				"{\"token\":\"abc\"}");
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	httpd_start(&r.server);
	cr_assert_eq(reg_client_manifest(r.client, &r.ref, NULL, &m, &r.err), 0,
		     "%s",
		     r.err == NULL ? "" : stv_err_msg(stv_err_root(r.err)));
	cr_expect_not_null(strstr(r.server.requests[3], "Bearer abc\r\n"));
	reg_manifest_fini(&m);
	rig_close(&r);
}

/* Send a file of 2 MiB to a registry that HEAD and POST have begun with. */
static void
push_large(struct rig *r)
{
	struct reg_upload u = {.size = (size_t)2 << 20};
	enum reg_uploaded how;
	uint64_t sent;

	u.fd = make_file(u.size);
	httpd_start(&r->server);
	cr_assert_eq(reg_client_put_blob(r->client, &r->ref, &u, &how, &sent,
					 &r->err),
		     0, "%s",
		     r->err == NULL ? "" : stv_err_msg(stv_err_root(r->err)));
	cr_expect_eq(how, REG_UPLOAD_SENT);
	(void)close(u.fd);
}

Test(faults, a_piece_that_was_taken_in_part_is_completed)
{
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, REFUSED_404);			     /* HEAD */
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n"); /* POST */
	httpd_answer(&r.server, ACCEPTED "Location: /up/2\r\n"
					 "Range: 0-999999\r\n\r\n"); /* PATCH */
	httpd_answer(&r.server, "HTTP/1.1 204 No\r\nLocation: /up/3\r\n"
				"Range: 0-999999\r\n\r\n"); /* GET */
	httpd_answer(&r.server, ACCEPTED "Location: /up/4\r\n"
					 "Range: 0-2097151\r\n\r\n");
	httpd_answer(&r.server, CREATED);
	push_large(&r);
	cr_expect_not_null(strstr(r.server.requests[4],
				  "Content-Range: 1000000-2097151\r\n"));
	rig_close(&r);
}

Test(faults, a_range_of_the_piece_alone_is_all_of_it)
{
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, REFUSED_404);
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n");
	httpd_answer(&r.server, NULL); /* PATCH */
	httpd_answer(&r.server, "HTTP/1.1 204 No\r\nLocation: /up/2\r\n"
				"Range: 0-999999\r\n\r\n");
	httpd_answer(&r.server, ACCEPTED "Location: /up/3\r\n"
					 "Range: 0-1097151\r\n\r\n");
	httpd_answer(&r.server, CREATED);
	push_large(&r);
	cr_expect_eq(r.server.n_requests, 6);
	rig_close(&r);
}

Test(faults, a_session_that_is_forgotten_is_begun_anew)
{
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, REFUSED_404);			     /* HEAD */
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n"); /* POST */
	httpd_answer(&r.server, REFUSED_404);			     /* PATCH */
	httpd_answer(&r.server, REFUSED_404);			     /* GET */
	httpd_answer(&r.server, REFUSED_404);			     /* HEAD */
	httpd_answer(&r.server, ACCEPTED "Location: /up/2\r\n\r\n"); /* POST */
	httpd_answer(&r.server, ACCEPTED "Location: /up/3\r\n\r\n"); /* PATCH */
	httpd_answer(&r.server, CREATED);
	push_large(&r);
	cr_expect_not_null(strstr(r.server.requests[6], "PATCH /up/2 "));
	rig_close(&r);
}

Test(faults, one_byte_and_none_cannot_be_told_apart)
{
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, REFUSED_404);
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n");
	httpd_answer(&r.server, NULL); /* PATCH */
	httpd_answer(&r.server, "HTTP/1.1 204 No\r\nLocation: /up/1\r\n"
				"Range: 0-0\r\n\r\n");
	httpd_answer(&r.server, ACCEPTED "Location: /up/2\r\n\r\n"); /* POST */
	httpd_answer(&r.server, ACCEPTED "Location: /up/3\r\n\r\n"); /* PATCH */
	httpd_answer(&r.server, CREATED);
	push_large(&r);
	cr_expect_not_null(strstr(r.server.requests[5], "PATCH /up/2 "));
	rig_close(&r);
}

Test(faults, an_upload_that_fails_was_sent_and_not_fetched)
{
	struct reg_http_opts o = {.max_tries = 1};
	struct stv_err *err = NULL;
	stv_auto(stv_in) *body = stv_in_mem("x", 1);
	stv_auto(reg_http) *http = NULL;
	reg_auto_response res = {0};
	struct reg_http_request req = {.method = "PATCH",
				       .url = "http://127.0.0.1:1/x",
				       .body = body,
				       .body_size = 1};

	(void)setenv("no_proxy", "*", 1);
	cr_assert_eq(reg_http_open(&o, &http, &err), 0);
	cr_assert_eq(reg_http_do(http, &req, &res, &err), -1);
	cr_expect_not_null(strstr(stv_err_msg(err), "cannot send to 'http"));
	stv_err_free(err);
}

Test(faults, a_transfer_that_is_done_is_left_alone)
{
	struct stv_err *err = NULL;
	const struct reg_curl *curl = reg_curl_load(&err);
	struct reg_engine *e;

	cr_assert_not_null(curl);
	cr_assert_eq(reg_engine_new(curl, &e, &err), 0);
	/* Each is ended too late, and its memory used for something else. */
	for (int i = 0; i < 50; i++) {
		struct reg_transfer t;
		CURL *easy = curl->p_curl_easy_init();

		(void)curl->p_curl_easy_setopt(easy, CURLOPT_URL,
					       "http://127.0.0.1:1/");
		reg_transfer_init(&t, e, easy);
		reg_transfer_start(&t);
		while (reg_transfer_wait(&t) != REG_MOMENT_DONE)
			;
		reg_transfer_abort(&t);
		reg_transfer_fini(&t);
		memset(&t, 0xa5, sizeof(t));
		curl->p_curl_easy_cleanup(easy);
	}
	reg_engine_free(e);
}
