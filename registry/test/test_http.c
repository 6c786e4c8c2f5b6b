/* registry/test/test_http.c - the HTTP session against a scripted server. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/event.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/http.h"
#include "registry/test/httpd.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* A session that is quick to try again, and what it got. */
struct bench {
	struct httpd server;
	struct reg_http *http;
	struct stv_buf body;
	struct stv_sink *sink;
	struct reg_http_request req;
	struct reg_http_response res;
	struct stv_err *err;
};

static int
rewind_buf(void *arg, struct stv_err **err)
{
	struct bench *b = arg;

	(void)err;
	stv_buf_truncate(&b->body, 0);
	return 0;
}

static void
bench_open(struct bench *b, struct reg_http_opts opts)
{
	memset(b, 0, sizeof(*b));
	/* The machine's proxy must not see requests to ourselves. */
	(void)setenv("no_proxy", "*", 1);
	httpd_open(&b->server);
	if (opts.backoff_ms == 0)
		opts.backoff_ms = 4;
	cr_assert_eq(reg_http_open(&opts, &b->http, &b->err), 0);
	b->body = STV_BUF_INIT((size_t)1 << 20);
	b->sink = stv_sink_buf(&b->body, "body");
	b->req.sink = b->sink;
	b->req.rewind_sink = rewind_buf;
	b->req.arg = b;
}

static int
bench_get(struct bench *b, const char *path)
{
	char *url = httpd_url(&b->server, path);
	int rc;

	httpd_start(&b->server);
	b->req.url = url;
	rc = reg_http_do(b->http, &b->req, &b->res, &b->err);
	free(url);
	httpd_end(&b->server);
	return rc;
}

static void
bench_end(struct bench *b)
{
	reg_http_response_fini(&b->res);
	stv_err_free(b->err);
	stv_sink_close(b->sink);
	stv_buf_fini(&b->body);
	reg_http_close(b->http);
}

static void
expect_fails(struct bench *b, enum stv_code code, const char *part)
{
	cr_assert_not_null(b->err);
	cr_expect_eq(stv_err_code(b->err), code, "%s", stv_err_msg(b->err));
	cr_expect_not_null(strstr(stv_err_msg(stv_err_root(b->err)), part),
			   "%s", stv_err_msg(stv_err_root(b->err)));
}

Test(http, a_body_and_its_headers_arrive)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	httpd_answer(&b.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
		     "ETag: \"x\"\r\nContent-TYPE: text/plain\r\n"
		     "Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n\r\n"
		     "hello");
	cr_assert_eq(bench_get(&b, "/a"), 0, "%s", stv_err_msg(b.err));
	cr_expect_str_eq(stv_buf_str(&b.body), "hello");
	cr_expect_eq(b.res.status, 200);
	cr_expect_eq(b.res.size, 5);
	cr_expect(b.res.has_last_modified);
	cr_expect_eq(b.res.last_modified, 1000000000);
	cr_expect_str_eq(reg_http_header(&b.res, "etag"), "\"x\"");
	cr_expect_str_eq(reg_http_header(&b.res, "content-type"), "text/plain");
	cr_expect_null(reg_http_header(&b.res, "content"));
	cr_expect_not_null(strstr(b.server.requests[0], "GET /a HTTP/1.1"));
	cr_expect_not_null(strstr(b.server.requests[0], "User-Agent: stave"));
	bench_end(&b);
}

Test(http, a_failing_server_is_asked_again)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	httpd_answer(&b.server,
		     "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno");
	httpd_answer(&b.server, NULL);
	httpd_answer(&b.server, "HTTP/1.1 429 Slow\r\nRetry-After: 0\r\n"
				"Content-Length: 0\r\n\r\n");
	httpd_answer(&b.server, OK_HELLO);
	cr_assert_eq(bench_get(&b, "/a"), 0, "%s", stv_err_msg(b.err));
	cr_expect_str_eq(stv_buf_str(&b.body), "hello");
	cr_expect_eq(b.server.n_requests, 4);
	bench_end(&b);
}

Test(http, a_body_that_breaks_off_is_fetched_anew)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	httpd_answer(&b.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
	httpd_answer(&b.server, OK_HELLO);
	cr_assert_eq(bench_get(&b, "/a"), 0, "%s", stv_err_msg(b.err));
	cr_expect_str_eq(stv_buf_str(&b.body), "hello");
	cr_expect_eq(b.res.size, 5);
	bench_end(&b);
}

Test(http, without_a_way_back_a_broken_body_is_an_error)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	b.req.rewind_sink = NULL;
	httpd_answer(&b.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
	cr_assert_eq(bench_get(&b, "/a"), -1);
	expect_fails(&b, STV_E_NET, "/a");
	bench_end(&b);
}

Test(http, tries_end)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){.max_tries = 3});
	for (int i = 0; i < 6; i++)
		httpd_answer(&b.server, "HTTP/1.1 500 No\r\n"
					"Content-Length: 3\r\n\r\nbad");
	cr_assert_eq(bench_get(&b, "/a"), -1);
	expect_fails(&b, STV_E_NET, "500");
	cr_expect_eq(b.server.n_requests, 3);
	cr_expect_str_eq(b.res.error_body, "bad");
	cr_expect_eq(b.body.len, 0);
	bench_end(&b);
}

Test(http, a_long_retry_after_is_not_waited_for)
{
	struct bench b;
	int64_t begin = stv_now_ns();

	bench_open(&b, (struct reg_http_opts){0});
	httpd_answer(&b.server, "HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\n"
				"Content-Length: 0\r\n\r\n");
	cr_assert_eq(bench_get(&b, "/a"), -1);
	expect_fails(&b, STV_E_NET, "429");
	cr_expect_lt(stv_now_ns() - begin, (int64_t)5000000000);
	bench_end(&b);
}

struct status_row {
	int status;
	enum stv_code code;
};

Test(http, each_status_has_its_code)
{
	static const struct status_row rows[] = {
		{400, STV_E_PROTOCOL},	{401, STV_E_AUTH},
		{403, STV_E_AUTH},	{404, STV_E_NOT_FOUND},
		{410, STV_E_NOT_FOUND}, {418, STV_E_PROTOCOL},
		{304, STV_E_PROTOCOL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[80];
		struct bench b;

		bench_open(&b, (struct reg_http_opts){0});
		(void)snprintf(text, sizeof(text),
			       "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n",
			       rows[i].status);
		httpd_answer(&b.server, text);
		cr_assert_eq(bench_get(&b, "/a"), -1);
		cr_expect_eq(stv_err_code(b.err), rows[i].code, "%d",
			     rows[i].status);
		bench_end(&b);
	}
}

Test(http, an_error_can_be_an_answer)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	b.req.is_error_ok = true;
	httpd_answer(&b.server, "HTTP/1.1 401 No\r\nContent-Length: 2\r\n"
				"WWW-Authenticate: Bearer x\r\n\r\n{}");
	cr_assert_eq(bench_get(&b, "/v2/"), 0);
	cr_expect_eq(b.res.status, 401);
	cr_expect_str_eq(b.res.error_body, "{}");
	cr_expect_str_eq(reg_http_header(&b.res, "www-authenticate"),
			 "Bearer x");
	bench_end(&b);
}

Test(http, a_redirect_on_the_same_host_keeps_the_authorization)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	b.req.authorization = "Bearer token";
	httpd_answer(&b.server, "HTTP/1.1 302 F\r\nLocation: ../b?q=1\r\n"
				"Content-Length: 0\r\n\r\n");
	httpd_answer(&b.server, OK_HELLO);
	cr_assert_eq(bench_get(&b, "/x/a"), 0, "%s", stv_err_msg(b.err));
	cr_expect_not_null(strstr(b.server.requests[1], "GET /b?q=1 "));
	cr_expect_not_null(strstr(b.server.requests[1], "Bearer token"));
	cr_expect_not_null(strstr(b.res.url, "/b?q=1"));
	bench_end(&b);
}

Test(http, a_redirect_to_another_port_loses_all_that_is_secret)
{
	struct httpd other;
	struct bench b;
	char text[200];
	struct stv_strs headers = {0};

	bench_open(&b, (struct reg_http_opts){0});
	httpd_open(&other);
	httpd_answer(&other, OK_HELLO);
	(void)snprintf(text, sizeof(text),
		       "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:%d/y\r\n"
		       "Content-Length: 0\r\n\r\n",
		       other.port);
	httpd_answer(&b.server, text);
	httpd_start(&other);
	b.req.authorization = "Bearer token";
	stv_strs_add(&headers, "Cookie: secret");
	stv_strs_add(&headers, "Accept: text/x");
	b.req.headers = &headers;
	cr_assert_eq(bench_get(&b, "/a"), 0, "%s", stv_err_msg(b.err));
	httpd_end(&other);
	cr_expect_not_null(strstr(b.server.requests[0], "Bearer token"));
	cr_expect_null(strstr(other.requests[0], "Bearer token"));
	cr_expect_null(strstr(other.requests[0], "secret"));
	cr_expect_not_null(strstr(other.requests[0], "Accept: text/x"));
	cr_expect_str_eq(stv_buf_str(&b.body), "hello");
	stv_strs_clear(&headers);
	bench_end(&b);
}

Test(http, userinfo_of_a_url_becomes_basic_auth_and_is_never_shown)
{
	struct bench b;
	char *url;

	bench_open(&b, (struct reg_http_opts){0});
	httpd_answer(&b.server, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n");
	url = stv_xasprintf("http://us:pa%%24ss@127.0.0.1:%d/a?sig=zzz",
			    b.server.port);
	b.req.url = url;
	httpd_start(&b.server);
	cr_assert_eq(reg_http_do(b.http, &b.req, &b.res, &b.err), -1);
	httpd_end(&b.server);
	cr_expect_not_null(
		strstr(b.server.requests[0], "Authorization: Basic "));
	cr_expect_null(strstr(stv_err_msg(b.err), "pa"));
	cr_expect_null(strstr(stv_err_msg(b.err), "zzz"));
	cr_expect_not_null(strstr(stv_err_msg(b.err), "/a'"));
	free(url);
	bench_end(&b);
}

Test(http, redirects_end)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	for (int i = 0; i < 10; i++)
		httpd_answer(&b.server, "HTTP/1.1 301 M\r\nLocation: /a\r\n"
					"Content-Length: 0\r\n\r\n");
	cr_assert_eq(bench_get(&b, "/a"), -1);
	expect_fails(&b, STV_E_PROTOCOL, "too many redirects");
	cr_expect_eq(b.server.n_requests, 6);
	bench_end(&b);
}

struct redirect_row {
	const char *location;
	const char *part;
};

Test(http, redirects_to_odd_places_are_refused)
{
	static const struct redirect_row rows[] = {
		{"file:///etc/passwd", "not http"},
		{"ftp://127.0.0.1/x", "not http"},
		{"gopher://127.0.0.1/x", "not http"},
		{"http://[::1", "no URL"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200];
		struct bench b;

		bench_open(&b, (struct reg_http_opts){0});
		(void)snprintf(text, sizeof(text),
			       "HTTP/1.1 302 F\r\nLocation: %s\r\n"
			       "Content-Length: 0\r\n\r\n",
			       rows[i].location);
		httpd_answer(&b.server, text);
		cr_assert_eq(bench_get(&b, "/a"), -1, "%s", rows[i].location);
		expect_fails(&b, STV_E_PROTOCOL, rows[i].part);
		bench_end(&b);
	}
}

Test(http, other_schemes_are_refused)
{
	static const char *const urls[] = {
		"file:///etc/passwd",
		"ftp://127.0.0.1/x",
		"dict://127.0.0.1/x",
	};
	struct bench b;

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		bench_open(&b, (struct reg_http_opts){0});
		b.req.url = urls[i];
		cr_assert_eq(reg_http_do(b.http, &b.req, &b.res, &b.err), -1);
		cr_expect_eq(stv_err_code(b.err), STV_E_NET);
		cr_expect_eq(b.body.len, 0);
		(void)close(b.server.fd);
		bench_end(&b);
	}
}

Test(http, an_answer_that_is_too_large_is_cut_off)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	b.req.max_size = 4;
	httpd_answer(&b.server, OK_HELLO);
	cr_assert_eq(bench_get(&b, "/a"), -1);
	expect_fails(&b, STV_E_LIMIT, "larger than 4");
	bench_end(&b);
}

Test(http, a_flood_of_headers_is_cut_off)
{
	struct stv_buf text = STV_BUF_INIT((size_t)1 << 20);
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	stv_buf_adds(&text, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 500; i++)
		stv_buf_addf(&text, "X-%d: y\r\n", i);
	stv_buf_adds(&text, "\r\n");
	httpd_answer(&b.server, stv_buf_str(&text));
	cr_assert_eq(bench_get(&b, "/a"), -1);
	expect_fails(&b, STV_E_LIMIT, "headers");
	stv_buf_fini(&text);
	bench_end(&b);
}

Test(http, a_refused_connection_names_the_host)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	b.req.url = "http://127.0.0.1:1/x";
	cr_assert_eq(reg_http_do(b.http, &b.req, &b.res, &b.err), -1);
	expect_fails(&b, STV_E_NET, "127.0.0.1");
	(void)close(b.server.fd);
	bench_end(&b);
}

Test(http, a_server_that_stalls_is_left)
{
	struct bench b;
	int64_t begin = stv_now_ns();

	bench_open(&b, (struct reg_http_opts){.stall_s = 1, .max_tries = 1});
	b.server.stall_ms = 4000;
	httpd_answer(&b.server, OK_HELLO);
	cr_assert_eq(bench_get(&b, "/a"), -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_NET);
	/* The server sleeps on; we did not wait for it before. */
	cr_expect_lt(stv_now_ns() - begin, (int64_t)8000000000);
	bench_end(&b);
}

static bool
say_yes(void *arg)
{
	(void)arg;
	return true;
}

Test(http, a_request_can_be_cancelled)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){.is_cancelled = say_yes});
	b.req.url = "http://127.0.0.1:1/x";
	cr_assert_eq(reg_http_do(b.http, &b.req, &b.res, &b.err), -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_CANCELLED);
	(void)close(b.server.fd);
	bench_end(&b);
}

Test(http, private_addresses_can_be_refused)
{
	struct bench b;

	bench_open(&b, (struct reg_http_opts){.is_private_denied = true});
	httpd_answer(&b.server, OK_HELLO);
	cr_assert_eq(bench_get(&b, "/a"), -1);
	expect_fails(&b, STV_E_NET, "private");
	cr_expect_eq(b.server.n_requests, 0);
	bench_end(&b);
}

struct upload {
	struct stv_in *in;
	int n_rewinds;
};

static struct stv_in *
rewind_upload(void *arg, struct stv_err **err)
{
	struct upload *u = arg;

	(void)err;
	u->n_rewinds++;
	stv_in_close(u->in);
	u->in = stv_in_mem("data", 4);
	return u->in;
}

Test(http, an_upload_is_repeated)
{
	struct upload u = {.in = stv_in_mem("data", 4)};
	struct bench b;

	bench_open(&b, (struct reg_http_opts){0});
	b.req.method = "PUT";
	b.req.body = u.in;
	b.req.body_size = 4;
	b.req.rewind_body = rewind_upload;
	b.req.rewind_sink = NULL;
	b.req.arg = &u;
	httpd_answer(&b.server, "HTTP/1.1 502 N\r\nContent-Length: 0\r\n\r\n");
	httpd_answer(&b.server, "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n");
	cr_assert_eq(bench_get(&b, "/a"), 0, "%s", stv_err_msg(b.err));
	cr_expect_eq(u.n_rewinds, 1);
	cr_expect_eq(b.res.status, 201);
	cr_expect_not_null(strstr(b.server.requests[1], "PUT /a "));
	cr_expect_not_null(strstr(b.server.requests[1], "Content-Length: 4"));
	stv_in_close(u.in);
	bench_end(&b);
}

/* Without a length it goes in chunks; a proxy has no part in it. */
Test(http, a_socket_takes_a_body_of_unknown_size)
{
	char dir[] = "/tmp/stave-http.XXXXXX";
	struct upload u = {.in = stv_in_mem("data", 4)};
	char *path;
	struct bench b;

	cr_assert_not_null(mkdtemp(dir));
	path = stv_xasprintf("%s/socket", dir);
	bench_open(&b, (struct reg_http_opts){0});
	(void)close(b.server.fd);
	httpd_open_unix(&b.server, path);
	(void)setenv("http_proxy", "http://127.0.0.1:1", 1);
	(void)unsetenv("no_proxy");
	b.req.unix_socket = path;
	b.req.method = "POST";
	b.req.body = u.in;
	b.req.body_size = REG_SIZE_UNKNOWN;
	httpd_answer(&b.server, OK_HELLO);
	cr_assert_eq(bench_get(&b, "/a"), 0, "%s", stv_err_msg(b.err));
	cr_expect_str_eq(stv_buf_str(&b.body), "hello");
	cr_expect_not_null(strstr(b.server.requests[0], "POST /a "));
	cr_expect_not_null(strstr(b.server.requests[0], "chunked"));
	cr_expect_not_null(strstr(b.server.requests[0], "\r\n4\r\ndata\r\n"));
	cr_expect_null(strstr(b.server.requests[0], "Content-Length"));
	stv_in_close(u.in);
	bench_end(&b);
	(void)unlink(path);
	(void)rmdir(dir);
	free(path);
}

struct text_row {
	const char *in;
	const char *out;
};

Test(url, redacting_takes_out_what_is_secret)
{
	static const struct text_row rows[] = {
		{"https://h/a", "https://h/a"},
		{"https://u:p@h/a?b=c#d", "https://h/a"},
		{"https://u:p@w@h:1/a", "https://h:1/a"},
		{"https://u@h", "https://h"},
		{"https://h/a@b", "https://h/a@b"},
		{"https://h?x@y", "https://h"},
		{"https://h/a\n\033[1m", "https://h/a\\x0a\\x1b[1m"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *out = reg_http_redact(rows[i].in);

		cr_expect_str_eq(out, rows[i].out);
		free(out);
	}
}

Test(url, a_file_is_named_by_the_last_part_of_the_path)
{
	static const struct text_row rows[] = {
		{"http://h/file.txt", "file.txt"},
		{"http://h/d/file.txt?x=1&y=/2", "file.txt"},
		{"http://h/a%20b.txt", "a b.txt"},
		{"http://h/", "__unnamed__"},
		{"http://h", "__unnamed__"},
		{"http://h?x=/y", "__unnamed__"},
		{"http://h/a/", "a"},
		{"http://h/..", "__unnamed__"},
		{"http://h/%2e%2e", "__unnamed__"},
		{"http://h/a%2fb", "b"},
		{"http://h/%2fetc%2fpasswd", "passwd"},
		{"http://h/a%00b", "__unnamed__"},
		{"http://h/a%zz", "__unnamed__"},
		{"http://h/a%2", "__unnamed__"},
		{"http://h/a#b/c", "a"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *out = reg_http_url_name(rows[i].in);

		cr_expect_str_eq(out, rows[i].out, "%s: %s", rows[i].in, out);
		free(out);
	}
}

Test(url, only_http_is_a_url)
{
	cr_expect(reg_http_is_url("http://x"));
	cr_expect(reg_http_is_url("HTTPS://x"));
	cr_expect_not(reg_http_is_url("ftp://x"));
	cr_expect_not(reg_http_is_url("http:/x"));
	cr_expect_not(reg_http_is_url("a/http://x"));
}
