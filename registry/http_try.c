/* registry/http_try.c - one try of a request: libcurl's options, callbacks. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/err.h"
#include "core/event.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/http_internal.h"

/* What libcurl moves at a time. */
#define REG_CHUNK 131072L
/* CURLE_TOO_LARGE, which 8.6 has brought. */
#define TOO_LARGE 100

static void
forget_headers(struct reg_http_response *r)
{
	stv_strs_clear(&r->headers);
	r->has_last_modified = false;
}

static void
note_header(struct reg_try *t, const char *line, size_t n, size_t colon)
{
	char *copy = stv_xstrndup(line, n);

	for (size_t i = 0; i < colon; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	stv_strs_take(&t->res->headers, copy);
	if (colon == strlen("last-modified") &&
	    memcmp(copy, "last-modified", colon) == 0) {
		time_t when =
			t->h->curl->p_curl_getdate(copy + colon + 1, NULL);

		t->res->has_last_modified = when >= 0;
		t->res->last_modified = when;
	}
}

static void
fail_headers(struct reg_try *t)
{
	if (t->limit == NULL)
		stv_fail(&t->limit, STV_E_LIMIT,
			 "the server sent more headers than are allowed");
}

static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct reg_try *t = arg;
	size_t total = size * n;
	const char *colon = memchr(line, ':', total);

	if (total > REG_MAX_HEADER || t->res->headers.len >= REG_MAX_HEADERS) {
		fail_headers(t);
		return 0;
	}
	/* The caller may read them by now; trailers say nothing to us. */
	if (t->has_body)
		return total;
	/* Each answer begins anew: 100, then 200. */
	if (total >= 5 && strncasecmp(line, "HTTP/", 5) == 0)
		forget_headers(t->res);
	else if (colon != NULL && colon != line) {
		size_t end = total;

		while (end > 0 && strchr("\r\n \t", line[end - 1]) != NULL)
			end--;
		note_header(t, line, end, (size_t)(colon - line));
	}
	return total;
}

/* The body of an answer that is no success. */
static size_t
skip_body(struct reg_try *t, const char *p, size_t n)
{
	size_t room = REG_MAX_ERROR_BODY - t->error_body.len;

	stv_buf_add(&t->error_body, p, n < room ? n : room);
	t->n_skipped += n;
	/* Enough is known: a write error ends the transfer. */
	return t->n_skipped > REG_MAX_SKIPPED_BODY ? 0 : n;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct reg_try *t = arg;
	size_t total = size * n;
	long status = 0;

	(void)t->h->curl->p_curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE,
					      &status);
	if (status < 200 || status > 299)
		return skip_body(t, p, total);
	if (t->req->max_size > 0 && t->n_arrived + total > t->req->max_size) {
		/* libcurl may have more to give that it held back. */
		if (t->limit == NULL)
			stv_fail(&t->limit, STV_E_LIMIT,
				 "the answer is larger than %ju bytes",
				 (uintmax_t)t->req->max_size);
		return 0;
	}
	/* From the first byte on it is the reader's. */
	if (!t->has_body)
		t->res->status = (int)status;
	t->has_body = true;
	if (t->transfer.in.data != NULL && total > 0 &&
	    !reg_transfer_arrived(&t->transfer, p, total))
		return CURL_WRITEFUNC_PAUSE;
	t->n_arrived += total;
	return total;
}

static size_t
on_read(char *p, size_t size, size_t n, void *arg)
{
	struct reg_try *t = arg;
	int64_t got = reg_transfer_leaving(&t->transfer, p, size * n);

	return got < 0 ? CURL_READFUNC_PAUSE : (size_t)got;
}

static int64_t
stall_ns(const struct reg_http *h)
{
	return (int64_t)h->opts.stall_s * 1000000000;
}

/*
 * A transfer in which next to nothing moves is given up; libcurl's own check
 * counts the time as well in which an upload waits for us.
 */
static int
on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
	    curl_off_t up_now)
{
	struct reg_try *t = arg;
	int64_t time = stv_now_ns();

	(void)total;
	(void)up_total;
	t->n_moved = now + up_now - t->moved;
	if (t->moved_at_ns == 0 || t->n_moved >= REG_MIN_MOVED ||
	    reg_transfer_is_paused(&t->transfer)) {
		t->moved = now + up_now;
		t->moved_at_ns = time;
	}
	t->is_stalled = time - t->moved_at_ns > stall_ns(t->h);
	/* Other streams of a dead HTTP/2 connection would stall as well. */
	if (t->is_stalled) {
		atomic_store(&t->h->stalled_at_ns, time);
		(void)t->h->curl->p_curl_easy_setopt(t->easy,
						     CURLOPT_FORBID_REUSE, 1L);
	}
	return t->is_stalled ? 1 : 0;
}

/* Loopback, private and link-local ranges, 0/8, multicast, reserved. */
static bool
is_private4(uint32_t a)
{
	return a >> 24 == 0 || a >> 24 == 10 || a >> 24 == 127 ||
	       a >> 16 == 0xa9fe || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 ||
	       a >> 22 == 0x191 || a >> 28 >= 0xe;
}

static bool
is_private(const struct sockaddr *sa)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	uint32_t mapped;

	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		return is_private4(ntohl(v4.sin_addr.s_addr));
	}
	if (sa->sa_family != AF_INET6)
		return true;
	memcpy(&v6, sa, sizeof(v6));
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
		memcpy(&mapped, v6.sin6_addr.s6_addr + 12, sizeof(mapped));
		return is_private4(ntohl(mapped));
	}
	return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
	       IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr) ||
	       IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) ||
	       IN6_IS_ADDR_MULTICAST(&v6.sin6_addr) ||
	       (v6.sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
}

/* Sees the address that a name has become, so DNS cannot lie to it. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct reg_try *t = arg;

	(void)purpose;
	if ((t->h->opts.is_private_denied || t->req->is_private_denied) &&
	    is_private(&addr->addr)) {
		t->is_denied = true;
		return CURL_SOCKET_BAD;
	}
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC,
		      addr->protocol);
}

/* Options are collected so that one that is refused is not overlooked. */
#define SET(opt, value)                                                        \
	do {                                                                   \
		if (t->h->curl->p_curl_easy_setopt(t->easy, (opt), (value)) != \
		    CURLE_OK)                                                  \
			return stv_fail(err, STV_E_NET, "libcurl refuses %s",  \
					#opt);                                 \
	} while (0)

static int
set_safety(struct reg_try *t, struct stv_err **err)
{
	const char *ca_file = getenv("SSL_CERT_FILE");
	const char *ca_dir = getenv("SSL_CERT_DIR");

#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(CURLOPT_OPENSOCKETDATA, t);
	if (ca_file != NULL && *ca_file != '\0')
		SET(CURLOPT_CAINFO, ca_file);
	if (ca_dir != NULL && *ca_dir != '\0')
		SET(CURLOPT_CAPATH, ca_dir);
	return 0;
}

/* What holds for the request's own host; where a redirect leads knows neither
 * our certificate nor an exception. */
static int
set_tls(struct reg_try *t, struct stv_err **err)
{
	static const struct reg_tls strict;
	const struct reg_tls *tls = t->req->tls;

	if (tls == NULL || t->is_foreign)
		tls = &strict;
	SET(CURLOPT_SSL_VERIFYPEER, tls->is_unverified ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, tls->is_unverified ? 0L : 2L);
	if (tls->is_unverified) {
		/* It would read the system's authorities all the same. */
		SET(CURLOPT_CAINFO, NULL);
		SET(CURLOPT_CAPATH, NULL);
	}
	if (tls->ca_len > 0) {
		/* curl_blob takes a pointer that is not const, to copy it. */
		struct curl_blob pem = {.data = (void *)(uintptr_t)tls->ca_pem,
					.len = tls->ca_len,
					.flags = CURL_BLOB_COPY};

		SET(CURLOPT_CAINFO_BLOB, &pem);
	}
	if (tls->cert_file != NULL) {
		SET(CURLOPT_SSLCERT, tls->cert_file);
		SET(CURLOPT_SSLKEY, tls->key_file);
	}
	return 0;
}

static int
set_limits(struct reg_try *t, struct stv_err **err)
{
	const struct reg_http_opts *o = &t->h->opts;
	int64_t stalled_at = atomic_load(&t->h->stalled_at_ns);

	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
	SET(CURLOPT_BUFFERSIZE, REG_CHUNK);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, REG_CHUNK);
	SET(CURLOPT_PIPEWAIT, 1L);
	/* Which of the connections are dead nobody knows; for a while none of
	 * them is used for what begins now. */
	if (stalled_at != 0 && stv_now_ns() - stalled_at < stall_ns(t->h))
		SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, t);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, t);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_ERRORBUFFER, t->reason);
	SET(CURLOPT_USERAGENT, o->user_agent);
	return 0;
}

/* A socket of this machine; a redirect leads away from it. */
static int
set_socket(struct reg_try *t, struct stv_err **err)
{
	if (t->req->unix_socket == NULL || t->is_foreign)
		return 0;
	SET(CURLOPT_UNIX_SOCKET_PATH, t->req->unix_socket);
	SET(CURLOPT_PROXY, "");
	return 0;
}

static int
set_body(struct reg_try *t, struct stv_err **err)
{
	uint64_t size = t->req->body_size;

	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_INFILESIZE_LARGE,
	    size == REG_SIZE_UNKNOWN ? (curl_off_t)-1 : (curl_off_t)size);
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, t);
	return 0;
}

static int
set_method(struct reg_try *t, struct stv_err **err)
{
	SET(CURLOPT_URL, t->url);
	if (strcmp(t->method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
	} else if (t->body != NULL) {
		SET(CURLOPT_CUSTOMREQUEST, t->method);
		return set_body(t, err);
	} else if (strcmp(t->method, "GET") != 0) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
		SET(CURLOPT_POSTFIELDS, "");
		SET(CURLOPT_CUSTOMREQUEST, t->method);
	}
	return 0;
}

/* Headers that say who we are stay with the host they were meant for. */
static bool
is_secret(const char *header)
{
	return strncasecmp(header, "authorization:", 14) == 0 ||
	       strncasecmp(header, "cookie:", 7) == 0;
}

static void
add_header(struct reg_try *t, const char *line)
{
	struct curl_slist *more =
		t->h->curl->p_curl_slist_append(t->list, line);

	if (more == NULL)
		STV_BUG("no memory for a header");
	t->list = more;
}

static int
set_headers(struct reg_try *t, struct stv_err **err)
{
	const struct stv_strs *more = t->req->headers;

	add_header(t, "Expect:");
	for (size_t i = 0; more != NULL && i < more->len; i++)
		if (!t->is_foreign || !is_secret(more->v[i]))
			add_header(t, more->v[i]);
	if (t->req->authorization != NULL && !t->is_foreign) {
		stv_auto_free char *line = stv_xasprintf("Authorization: %s",
							 t->req->authorization);

		add_header(t, line);
	}
	SET(CURLOPT_HTTPHEADER, t->list);
	return 0;
}

/* Before the first byte of the answer: how many come, and does the caller
 * want them? */
static int
begin_answer(struct reg_try *t, struct stv_err **err)
{
	const char *length = reg_http_header(t->res, "content-length");

	t->n_expected = length == NULL ? 0 : strtoull(length, NULL, 10);
	t->is_begun = true;
	if (t->req->on_answer == NULL)
		return 0;
	return t->req->on_answer(t->req->arg, t->res, err);
}

/* What of the answer is in the ring, to the sink. */
static int
sink_some(struct reg_try *t, struct stv_err **err)
{
	const char *p;
	size_t n = reg_transfer_take(&t->transfer, &p);

	if (!t->is_begun && begin_answer(t, err) < 0)
		return -1;
	if (t->req->sink->write(t->req->sink, p, n, err) < 0)
		return -1;
	reg_transfer_taken(&t->transfer, n);
	t->n_sunk += n;
	if (t->req->on_progress != NULL)
		t->req->on_progress(t->req->arg, t->n_sunk, t->n_expected);
	return 0;
}

/* Some of the body, into the ring. */
static int
send_some(struct reg_try *t, struct stv_err **err)
{
	char *p;
	size_t room = reg_transfer_room(&t->transfer, &p);
	int64_t n = t->body->read(t->body, p, room, err);

	if (n < 0)
		return -1;
	reg_transfer_put(&t->transfer, (size_t)n);
	t->n_sent += (uint64_t)n;
	if (t->req->on_progress != NULL)
		t->req->on_progress(t->req->arg, t->n_sent,
				    t->req->body_size == REG_SIZE_UNKNOWN
					    ? 0
					    : t->req->body_size);
	return 0;
}

/* Move the bytes until it is done (0), or a stream has begun (1), or it had to
 * be ended (-1). */
static int
move(struct reg_try *t, struct stv_err **err)
{
	for (;;) {
		enum reg_moment m = reg_transfer_wait(&t->transfer);
		int r = 0;

		if (reg_http_is_cancelled(t->h)) {
			t->is_cancelled = true;
			return -1;
		}
		if (m == REG_MOMENT_DONE)
			return 0;
		if (m == REG_MOMENT_DATA && t->is_stream)
			return 1;
		if (m == REG_MOMENT_DATA)
			r = sink_some(t, err);
		else if (m == REG_MOMENT_ROOM)
			r = send_some(t, err);
		if (r < 0)
			return -1;
	}
}

/* The CURLcode of a transfer that is done, and what a callback said. */
static int
outcome(struct reg_try *t)
{
	int rc = t->transfer.code;

	/* libcurl has bounds of its own: 100 KiB a line, 300 KiB in all. */
	if (rc == CURLE_OUT_OF_MEMORY || rc == TOO_LARGE ||
	    (rc == CURLE_RECV_ERROR &&
	     strstr(t->reason, "response headers") != NULL))
		fail_headers(t);
	if (t->limit != NULL && t->why == NULL)
		t->why = stv_steal(&t->limit);
	/* The rest of an error's body was not wanted. */
	if (rc == CURLE_WRITE_ERROR && t->why == NULL &&
	    t->n_skipped > REG_MAX_SKIPPED_BODY)
		rc = CURLE_OK;
	return t->is_stalled ? CURLE_OPERATION_TIMEDOUT : rc;
}

static void
begin(struct reg_try *t)
{
	forget_headers(t->res);
	t->res->status = 0;
	stv_buf_truncate(&t->error_body, 0);
	stv_err_clear(&t->limit);
	t->n_skipped = t->n_sent = t->n_expected = 0;
	t->n_arrived = t->n_sunk;
	t->has_body = t->is_begun = t->is_stalled = false;
	t->moved_at_ns = 0;
	t->moved = t->n_moved = 0;
	t->reason[0] = '\0';
	t->easy = t->h->curl->p_curl_easy_init();
	if (t->easy == NULL)
		STV_BUG("no memory for a transfer");
	reg_transfer_init(&t->transfer, t->h->engine, t->easy);
	if (t->req->sink != NULL || t->is_stream)
		reg_transfer_receive(&t->transfer);
	if (t->body != NULL)
		reg_transfer_send(&t->transfer);
}

static bool
is_private_literal(const char *ip)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
		return is_private((const struct sockaddr *)&v4);
	return inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1 &&
	       is_private((const struct sockaddr *)&v6);
}

bool
reg_http_is_private_name(const char *host)
{
	size_t n = strlen(host), local = strlen("localhost");
	stv_auto_free char *bare = NULL;

	if (n >= local && strcasecmp(host + n - local, "localhost") == 0 &&
	    (n == local || host[n - local - 1] == '.'))
		return true;
	bare = *host == '[' && n > 2 ? stv_xstrndup(host + 1, n - 2)
				     : stv_xstrdup(host);
	return is_private_literal(bare);
}

/* Is the peer, or the proxy, at an address that is no public one? */
static bool
is_peer_private(const struct reg_try *t)
{
	char *ip = NULL;

	(void)t->h->curl->p_curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP,
					      &ip);
	return ip != NULL && is_private_literal(ip);
}

static void
finish(struct reg_try *t)
{
	long code = 0;

	t->res->is_private = is_peer_private(t);
	/* What a CONNECT was answered. */
	(void)t->h->curl->p_curl_easy_getinfo(t->easy,
					      CURLINFO_HTTP_CONNECTCODE, &code);
	t->res->is_proxied = code != 0;
	reg_transfer_fini(&t->transfer);
	t->h->curl->p_curl_easy_cleanup(t->easy);
	t->h->curl->p_curl_slist_free_all(t->list);
	t->easy = NULL;
	t->list = NULL;
}

int
reg_try_perform(struct reg_try *t, struct stv_err **err)
{
	long status = 0, n_connects = 0;
	int rc = -1;

	begin(t);
	if (set_safety(t, err) == 0 && set_tls(t, err) == 0 &&
	    set_socket(t, err) == 0 && set_limits(t, err) == 0 &&
	    set_method(t, err) == 0 && set_headers(t, err) == 0) {
		reg_transfer_start(&t->transfer);
		rc = move(t, &t->why);
		if (rc == 1)
			return REG_TRY_STREAMS;
		if (rc < 0)
			reg_transfer_abort(&t->transfer);
		rc = outcome(t);
		(void)t->h->curl->p_curl_easy_getinfo(
			t->easy, CURLINFO_RESPONSE_CODE, &status);
		t->res->status = (int)status;
		(void)t->h->curl->p_curl_easy_getinfo(
			t->easy, CURLINFO_OS_ERRNO, &t->os_errno);
		(void)t->h->curl->p_curl_easy_getinfo(
			t->easy, CURLINFO_NUM_CONNECTS, &n_connects);
		t->is_kept = n_connects == 0;
	}
	finish(t);
	return rc;
}

int64_t
reg_try_read(struct reg_try *t, void *buf, size_t n)
{
	const char *p;
	size_t got;

	for (;;) {
		enum reg_moment m = reg_transfer_wait(&t->transfer);

		if (reg_http_is_cancelled(t->h)) {
			t->is_cancelled = true;
			return -1;
		}
		if (m == REG_MOMENT_DONE)
			return 0;
		if (m == REG_MOMENT_DATA)
			break;
	}
	got = reg_transfer_take(&t->transfer, &p);
	if (got > n)
		got = n;
	memcpy(buf, p, got);
	reg_transfer_taken(&t->transfer, got);
	t->n_sunk += got;
	return (int64_t)got;
}

int
reg_try_end(struct reg_try *t, bool is_wanted)
{
	int rc;

	if (t->easy == NULL)
		return CURLE_OK;
	if (!is_wanted)
		reg_transfer_abort(&t->transfer);
	rc = outcome(t);
	finish(t);
	return rc;
}
