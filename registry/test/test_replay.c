/* registry/test/test_replay.c - streams that are sent on. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/client.h"
#include "registry/conf.h"
#include "registry/ref.h"
#include "registry/replay.h"
#include "registry/test/httpd.h"

/* Nobody answers once a script is over. */
TestSuite(replay, .timeout = 20);

/* A stream of 'a' to 'z' over and over, which may end badly. */
struct letters {
	struct stv_in base;
	uint64_t pos;
	uint64_t size;
	bool is_wrong; /* its check at the end fails */
	unsigned n_opened;
};

static int64_t
letters_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct letters *l = (struct letters *)in;
	uint64_t left = l->size - l->pos;

	if (left == 0 && l->is_wrong)
		return stv_fail(err, STV_E_DIGEST, "others");
	/* In small parts, as a network gives them. */
	n = n > 1000 ? 1000 : n;
	n = n > left ? (size_t)left : n;
	for (size_t i = 0; i < n; i++)
		((char *)buf)[i] = (char)('a' + (l->pos + i) % 26);
	l->pos += n;
	return (int64_t)n;
}

static void
letters_close(struct stv_in *in)
{
	(void)in;
}

static struct stv_in *
letters_open(void *arg, struct stv_err **err)
{
	struct letters *l = arg;

	(void)err;
	l->base = (struct stv_in){.read = letters_read, .close = letters_close};
	l->pos = 0;
	l->n_opened++;
	return &l->base;
}

/* Read ${n} bytes from ${offset}; are they what they should be? */
static int64_t
read_piece(struct reg_replay *r, uint64_t offset, uint64_t n,
	   struct stv_err **err)
{
	stv_auto(stv_in) *in = reg_replay_from(r, offset, n);
	stv_auto_free char *buf = stv_xmalloc((size_t)n + 1);
	int64_t got = stv_in_read_full(in, buf, (size_t)n, err);

	for (int64_t i = 0; i < got; i++)
		cr_assert_eq(buf[i], (char)('a' + (offset + (uint64_t)i) % 26));
	return got;
}

Test(replay, a_piece_can_be_had_again)
{
	struct letters l = {.size = 100000};
	struct stv_err *err = NULL;
	struct reg_replay r;

	reg_replay_init(&r, letters_open, &l, l.size);
	cr_expect_eq(l.n_opened, 0);
	cr_expect_eq(read_piece(&r, 0, 50000, &err), 50000);
	cr_expect_eq(read_piece(&r, 0, 50000, &err), 50000);
	cr_expect_eq(read_piece(&r, 20000, 40000, &err), 40000);
	cr_expect_eq(l.n_opened, 1);
	/* The next piece: what is before it is gone. */
	cr_expect_eq(read_piece(&r, 60000, 10000, &err), 10000);
	cr_expect_eq(r.kept.len, 10000);
	cr_expect_eq(read_piece(&r, 60000, 40000, &err), 40000);
	cr_expect_eq(l.n_opened, 1);
	cr_expect_eq(read_piece(&r, 10, 70000, &err), 70000);
	cr_expect_eq(l.n_opened, 2);
	/* Behind what was read. */
	cr_expect_eq(read_piece(&r, 99000, 5000, &err), 1000);
	cr_expect_eq(l.n_opened, 3);
	reg_replay_fini(&r);
}

Test(replay, memory_has_an_end)
{
	struct letters l = {.size = REG_MAX_REPLAY * 2 + 500};
	struct stv_err *err = NULL;
	struct reg_replay r;

	reg_replay_init(&r, letters_open, &l, l.size);
	cr_expect_eq(read_piece(&r, 0, l.size, &err), (int64_t)l.size);
	cr_expect_leq(r.kept.len, REG_MAX_REPLAY);
	cr_expect_eq(read_piece(&r, l.size - 100, 100, &err), 100);
	cr_expect_eq(l.n_opened, 1);
	cr_expect_eq(read_piece(&r, 0, 100, &err), 100);
	cr_expect_eq(l.n_opened, 2);
	reg_replay_fini(&r);
}

/* Nobody gets the last byte of a stream that says it is not what it should be.
 */
Test(replay, a_stream_that_is_wrong_is_never_whole)
{
	struct letters l = {.size = 3000, .is_wrong = true};
	struct stv_err *err = NULL;
	struct reg_replay r;
	struct stv_in *in;
	char buf[3000];
	int64_t n, sum = 0;

	reg_replay_init(&r, letters_open, &l, l.size);
	in = reg_replay_from(&r, 0, l.size);
	while ((n = in->read(in, buf, sizeof(buf), &err)) > 0)
		sum += n;
	cr_expect_eq(n, -1);
	cr_expect_lt(sum, 3000);
	cr_expect_eq(stv_err_code(err), STV_E_DIGEST);
	cr_expect(r.is_broken);
	stv_err_free(err);
	stv_in_close(in);
	reg_replay_fini(&r);
}

Test(replay, a_stream_that_ends_early_is_cut_off)
{
	struct letters l = {.size = 100};
	struct stv_err *err = NULL;
	struct reg_replay r;

	reg_replay_init(&r, letters_open, &l, 200);
	cr_expect_eq(read_piece(&r, 0, 200, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NET);
	stv_err_free(err);
	reg_replay_fini(&r);
}

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
	struct reg_client_opts o = {.creds = NULL};
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

#define NOT_THERE "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n"

/*
 * HEAD, POST, a PUT that breaks off, "nothing, or a byte" has come, so another
 * session, and the PUT again.
 */
Test(replay, an_upload_that_broke_does_not_fetch_again)
{
	struct letters l = {.size = 5000};
	struct reg_upload u = {
		.fd = -1, .stream = letters_open, .arg = &l, .size = l.size};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n");
	httpd_answer(&r.server, NULL);
	httpd_answer(&r.server, "HTTP/1.1 204 No\r\nLocation: /up/1\r\n"
				"Range: 0-0\r\n\r\n");
	httpd_answer(&r.server, ACCEPTED "Location: /up/2\r\n\r\n");
	httpd_answer(&r.server,
		     "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		0, "%s", r.err == NULL ? "" : stv_err_msg(stv_err_root(r.err)));
	cr_expect_eq(how, REG_UPLOAD_SENT);
	cr_expect_eq(l.n_opened, 1);
	cr_expect_not_null(
		strstr(r.server.requests[5], "PUT /up/2?digest=sha256:"));
	rig_close(&r);
}

/* What cannot be had is not tried again at the other end. */
Test(replay, an_upload_of_a_wrong_stream_ends)
{
	struct letters l = {.size = 5000, .is_wrong = true};
	struct reg_upload u = {
		.fd = -1, .stream = letters_open, .arg = &l, .size = l.size};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	r.server.stall_ms = 50;
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n");
	httpd_answer(&r.server, NULL);
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		-1);
	cr_expect_eq(stv_err_code(r.err), STV_E_DIGEST, "%s",
		     stv_err_msg(stv_err_root(r.err)));
	cr_expect_leq(r.server.n_requests, 3);
	rig_close(&r);
}

/* Nor where the source has not all of it, which looks like a bad network. */
Test(replay, an_upload_of_a_stream_that_is_cut_off_ends)
{
	struct letters l = {.size = 5000};
	struct reg_upload u = {
		.fd = -1, .stream = letters_open, .arg = &l, .size = 6000};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server, ACCEPTED "Location: /up/1\r\n\r\n");
	httpd_answer(&r.server, NULL);
	httpd_answer(&r.server, "HTTP/1.1 204 No\r\nLocation: /up/2\r\n"
				"Range: 0-0\r\n\r\n");
	httpd_answer(&r.server, NULL);
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		-1);
	cr_expect_eq(stv_err_code(r.err), STV_E_NET);
	cr_expect_leq(r.server.n_requests, 3);
	rig_close(&r);
}

Test(replay, what_is_there_is_not_fetched)
{
	struct letters l = {.size = 5000};
	struct reg_upload u = {.fd = -1,
			       .stream = letters_open,
			       .arg = &l,
			       .size = l.size,
			       .from = "c/d"};
	enum reg_uploaded how;
	uint64_t sent;
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server,
		     "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server,
		     "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	httpd_start(&r.server);
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		0);
	cr_expect_eq(how, REG_UPLOAD_HAD);
	/* Another one: that one is known now. */
	u.digest.bytes[0] = 1;
	cr_assert_eq(
		reg_client_put_blob(r.client, &r.ref, &u, &how, &sent, &r.err),
		0);
	cr_expect_eq(how, REG_UPLOAD_MOUNTED);
	cr_expect_not_null(strstr(r.server.requests[2], "&from=c/d "));
	cr_expect_eq(l.n_opened, 0);
	rig_close(&r);
}

Test(replay, a_manifest_is_there_under_its_digest_only)
{
	struct stv_digest want = stv_digest_of("{}", 2);
	char text[STV_DIGEST_STR_MAX];
	stv_auto_free char *same =
		stv_xasprintf("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
			      "Docker-Content-Digest: %s\r\n\r\n",
			      stv_digest_str(&want, text));
	struct rig r;

	rig_open(&r);
	httpd_answer(&r.server, same);
	httpd_answer(&r.server, NOT_THERE);
	httpd_answer(&r.server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	httpd_answer(&r.server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	httpd_answer(&r.server, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
	httpd_start(&r.server);
	cr_expect_eq(
		reg_client_has_manifest(r.client, &r.ref, "1", &want, &r.err),
		1);
	cr_expect_eq(
		reg_client_has_manifest(r.client, &r.ref, "1", &want, &r.err),
		0);
	/* A tag may be anything; a digest is itself. */
	cr_expect_eq(
		reg_client_has_manifest(r.client, &r.ref, "1", &want, &r.err),
		0);
	cr_expect_eq(
		reg_client_has_manifest(r.client, &r.ref, text, &want, &r.err),
		1);
	cr_expect_eq(
		reg_client_has_manifest(r.client, &r.ref, "1", &want, &r.err),
		-1);
	rig_close(&r);
}
