/*
 * registry/test/httpd.h - an HTTP server of one thread that answers what a
 * test tells it to, for the tests of the HTTP session.
 *
 * Each connection takes one request, which is kept, and gets the next answer
 * of the script; then it is closed.  One that begins with TLS is told that this
 * is no TLS, as real servers do, and takes no answer.
 */
#ifndef STAVE_REGISTRY_TEST_HTTPD_H
#define STAVE_REGISTRY_TEST_HTTPD_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/mem.h"

#define HTTPD_MAX 32
#ifndef UNUSED_OK
#define UNUSED_OK __attribute__((__unused__))
#endif

struct httpd {
	int fd;
	int port;
	pthread_t thread;
	const char *answers[HTTPD_MAX]; /* NULL: hang up at once */
	size_t n_answers;
	char requests[HTTPD_MAX][2048];
	size_t n_requests;
	size_t n_connections; /* of TLS too */
	int stall_ms;	      /* before each answer */
	int drip_ms;	      /* before each byte of it; 0: all at once */
	int n_mute_hellos;    /* so many that begin TLS are hung up on */
};

/* All of ${text}; who has heard enough may hang up. */
static UNUSED_OK void
httpd_send(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t did = send(fd, text, n, MSG_NOSIGNAL);

		if (did <= 0)
			return;
		text += did;
		n -= (size_t)did;
	}
}

/* The headers are there, and of a body in chunks the last one. */
static UNUSED_OK bool
httpd_is_whole(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");

	return end != NULL && (strstr(request, "chunked") == NULL ||
			       strstr(end, "\r\n0\r\n\r\n") != NULL);
}

/* The rest of a request's body: who closes with bytes unread resets. */
static UNUSED_OK void
httpd_drain(int fd, const char *request, size_t n)
{
	const char *length = strstr(request, "Content-Length: ");
	const char *body = strstr(request, "\r\n\r\n");
	char part[4096];
	size_t left;

	if (length == NULL || body == NULL)
		return;
	left = strtoull(length + 16, NULL, 10);
	n -= (size_t)(body + 4 - request);
	for (left -= n < left ? n : left; left > 0;) {
		ssize_t got = recv(fd, part, sizeof(part), 0);

		if (got <= 0)
			return;
		left -= (size_t)got < left ? (size_t)got : left;
	}
}

static UNUSED_OK void
httpd_serve(struct httpd *s, int fd, size_t i)
{
	char *request = s->requests[i];
	size_t n = 0;

	while (n + 1 < sizeof(s->requests[0])) {
		ssize_t got = recv(fd, request + n,
				   sizeof(s->requests[0]) - 1 - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
		request[n] = '\0';
		if (httpd_is_whole(request))
			break;
	}
	if (s->answers[i] != NULL)
		httpd_drain(fd, request, n);
	if (s->stall_ms > 0)
		(void)usleep((useconds_t)s->stall_ms * 1000);
	for (const char *p = s->answers[i];
	     s->drip_ms > 0 && p != NULL && *p != '\0'; p++) {
		(void)usleep((useconds_t)s->drip_ms * 1000);
		if (send(fd, p, 1, MSG_NOSIGNAL) < 0)
			return;
	}
	if (s->drip_ms == 0 && s->answers[i] != NULL)
		httpd_send(fd, s->answers[i]);
}

/* Somebody asks whether we speak TLS: no. */
static UNUSED_OK bool
httpd_is_tls(struct httpd *s, int fd)
{
	char hello[4096];

	if (recv(fd, hello, 1, MSG_PEEK) != 1 || hello[0] != 0x16)
		return false;
	(void)recv(fd, hello, sizeof(hello), 0);
	if (s->n_mute_hellos > 0)
		s->n_mute_hellos--;
	else
		httpd_send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
	return true;
}

static UNUSED_OK void *
httpd_main(void *arg)
{
	struct httpd *s = arg;

	for (size_t i = 0; i < s->n_answers; i++) {
		int fd = accept(s->fd, NULL, NULL);

		if (fd < 0)
			break;
		s->n_connections++;
		if (httpd_is_tls(s, fd)) {
			i--;
		} else {
			/* Before the answer is read to its end. */
			s->n_requests++;
			httpd_serve(s, fd, i);
		}
		(void)shutdown(fd, SHUT_RDWR);
		(void)close(fd);
	}
	return NULL;
}

/* The socket ${path} in the place of a port. */
static UNUSED_OK void
httpd_open_unix(struct httpd *s, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memset(s, 0, sizeof(*s));
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(s->fd, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(s->fd, 16), 0);
}

/* A port of 127.0.0.1; the answers come before httpd_start(). */
static UNUSED_OK void
httpd_open(struct httpd *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof(a);

	memset(s, 0, sizeof(*s));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(s->fd, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(s->fd, 16), 0);
	cr_assert_eq(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
	s->port = ntohs(a.sin_port);
}

static UNUSED_OK void
httpd_answer(struct httpd *s, const char *text)
{
	cr_assert_lt(s->n_answers, (size_t)HTTPD_MAX);
	s->answers[s->n_answers++] = text;
}

static UNUSED_OK void
httpd_start(struct httpd *s)
{
	cr_assert_eq(pthread_create(&s->thread, NULL, httpd_main, s), 0);
}

/* Stop, also where answers were left over. */
static UNUSED_OK void
httpd_end(struct httpd *s)
{
	(void)shutdown(s->fd, SHUT_RDWR);
	cr_assert_eq(pthread_join(s->thread, NULL), 0);
	(void)close(s->fd);
}

/* "http://127.0.0.1:PORT${path}".  Owns: the caller. */
static UNUSED_OK char *
httpd_url(const struct httpd *s, const char *path)
{
	return stv_xasprintf("http://127.0.0.1:%d%s", s->port, path);
}

#endif /* STAVE_REGISTRY_TEST_HTTPD_H */
