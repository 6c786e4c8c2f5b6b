/*
 * builder/ssh_proxy.c - the caller's ssh agent, for one RUN.
 *
 * The protocol (draft-ietf-sshm-ssh-agent): both sides send a length of four
 * bytes, most significant first, and so many bytes of which the first is the
 * type; each request has one answer, in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cache/store.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "builder/ssh_proxy.h"

/* OpenSSH's agent takes messages of up to 256 KiB. */
#define MAX_MESSAGE ((size_t)256 << 10)
#define HEADER 4
#define MAX_CLIENTS 32
/* A side that takes no bytes for so long is given up. */
#define SEND_TIMEOUT_S 10
/* How often an agent is asked whose queue is full: as long as that. */
#define CONNECT_TRIES 1000
#define CONNECT_PAUSE_MS 10
#define STACK_SIZE ((size_t)256 << 10)

enum message {
	AGENT_FAILURE = 5,
	AGENTC_REQUEST_IDENTITIES = 11,
	AGENTC_SIGN_REQUEST = 13,
};

/* One connection of the command, and ours to the agent. */
struct client {
	int fd, agent;
	uint8_t *buf; /* HEADER + MAX_MESSAGE; what came of a request */
	size_t len;
};

struct bld_ssh_proxy {
	struct cas_store *store;
	char *agent;
	char *dir; /* below the store's root */
	int listen_fd, path_fd, stop_fd;
	pthread_t thread;
	bool has_thread;
	struct client clients[MAX_CLIENTS];
	size_t n_clients;
};

/* ---- one connection ------------------------------------------------------*/

static int
send_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t m = send(fd, p, n, MSG_NOSIGNAL);

		if (m < 0 && errno == EINTR)
			continue;
		if (m <= 0)
			return -1;
		p += m;
		n -= (size_t)m;
	}
	return 0;
}

static void
set_timeout(int fd)
{
	const struct timeval t = {.tv_sec = SEND_TIMEOUT_S};

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* connect(2) would wait for ever where nobody accepts; 0 or -1. */
static int
connect_to(const struct bld_ssh_proxy *p, int fd,
	   const struct sockaddr_un *addr)
{
	struct pollfd stop = {.fd = p->stop_fd, .events = POLLIN};

	for (int i = 0; i < CONNECT_TRIES; i++) {
		if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ==
		    0)
			return fcntl(fd, F_SETFL, 0);
		if (errno != EAGAIN && errno != EINTR)
			break;
		if (poll(&stop, 1, CONNECT_PAUSE_MS) > 0)
			break;
	}
	return -1;
}

static int
connect_agent(const struct bld_ssh_proxy *p)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(p->agent) >= sizeof(addr.sun_path))
		return -1;
	memcpy(addr.sun_path, p->agent, strlen(p->agent) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect_to(p, fd, &addr) < 0) {
		(void)close(fd);
		return -1;
	}
	set_timeout(fd);
	return fd;
}

static void
client_fini(struct client *c)
{
	stv_close_p(&c->fd);
	stv_close_p(&c->agent);
	free(c->buf);
}

static size_t
message_len(const uint8_t *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
	       p[3];
}

/* A whole request: hand it on, or answer that it failed. */
static int
take_request(struct client *c, const uint8_t *p, size_t n)
{
	static const uint8_t no[] = {0, 0, 0, 1, AGENT_FAILURE};
	uint8_t type = p[HEADER];

	if (type != AGENTC_REQUEST_IDENTITIES && type != AGENTC_SIGN_REQUEST)
		return send_all(c->fd, no, sizeof(no));
	return c->agent < 0 ? send_all(c->fd, no, sizeof(no))
			    : send_all(c->agent, p, n);
}

/* Bytes of the command; false where the connection is to end. */
static bool
from_client(struct client *c)
{
	ssize_t n = recv(c->fd, c->buf + c->len, HEADER + MAX_MESSAGE - c->len,
			 MSG_DONTWAIT);
	size_t at = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->len += (size_t)n;
	while (c->len - at >= HEADER) {
		size_t len = message_len(c->buf + at);

		if (len == 0 || len > MAX_MESSAGE)
			return false;
		if (c->len - at < HEADER + len)
			break;
		if (take_request(c, c->buf + at, HEADER + len) < 0)
			return false;
		at += HEADER + len;
	}
	memmove(c->buf, c->buf + at, c->len - at);
	c->len -= at;
	return true;
}

/* An answer of the agent, as it comes. */
static bool
from_agent(struct client *c)
{
	uint8_t buf[16384];
	ssize_t n = recv(c->agent, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	return n > 0 && send_all(c->fd, buf, (size_t)n) == 0;
}

/* ---- the thread ----------------------------------------------------------*/

static void
accept_client(struct bld_ssh_proxy *p)
{
	struct client *c = &p->clients[p->n_clients];
	int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	set_timeout(fd);
	*c = (struct client){
		.fd = fd,
		.agent = connect_agent(p),
		.buf = stv_xmalloc(HEADER + MAX_MESSAGE),
	};
	p->n_clients++;
}

static void
serve(struct bld_ssh_proxy *p, const struct pollfd *polled)
{
	size_t n = p->n_clients, kept = 0;
	struct client c;

	for (size_t i = 0; i < n; i++) {
		bool is_open = true;

		c = p->clients[i];
		if (polled[2 * i].revents != 0)
			is_open = from_client(&c);
		if (is_open && polled[2 * i + 1].revents != 0)
			is_open = from_agent(&c);
		if (is_open)
			p->clients[kept++] = c;
		else
			client_fini(&c);
	}
	p->n_clients = kept;
}

static void *
proxy_main(void *arg)
{
	struct bld_ssh_proxy *p = arg;

	for (;;) {
		struct pollfd fds[2 + 2 * MAX_CLIENTS];
		size_t n = 2;

		fds[0] = (struct pollfd){.fd = p->stop_fd, .events = POLLIN};
		fds[1] = (struct pollfd){
			.fd = p->n_clients < MAX_CLIENTS ? p->listen_fd : -1,
			.events = POLLIN};
		for (size_t i = 0; i < p->n_clients; i++) {
			fds[n++] = (struct pollfd){.fd = p->clients[i].fd,
						   .events = POLLIN};
			fds[n++] = (struct pollfd){.fd = p->clients[i].agent,
						   .events = POLLIN};
		}
		if (poll(fds, (nfds_t)n, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (fds[0].revents != 0)
			break;
		serve(p, fds + 2);
		if (fds[1].revents != 0)
			accept_client(p);
	}
	return NULL;
}

/* ---- start and stop ------------------------------------------------------*/

/* A name in the directory, reached through its descriptor: short enough. */
static int
bind_socket(struct bld_ssh_proxy *p, int dir,
	    const struct bld_ssh_proxy_opts *o)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path),
		       "/proc/self/fd/%d/agent", dir);
	p->listen_fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->listen_fd < 0 ||
	    bind(p->listen_fd, (const struct sockaddr *)&addr, sizeof(addr)) <
		    0 ||
	    fchownat(dir, "agent", o->uid, o->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, "agent", (mode_t)o->mode, 0) < 0 ||
	    listen(p->listen_fd, MAX_CLIENTS) < 0)
		return -1;
	p->path_fd = openat(dir, "agent", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return p->path_fd < 0 ? -1 : 0;
}

static int
start_thread(struct bld_ssh_proxy *p)
{
	pthread_attr_t attr;
	int r;

	p->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (p->stop_fd < 0)
		return errno;
	r = pthread_attr_init(&attr);
	if (r != 0)
		return r;
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = pthread_create(&p->thread, &attr, proxy_main, p);
	p->has_thread = r == 0;
	(void)pthread_attr_destroy(&attr);
	return r;
}

int
bld_ssh_proxy_start(struct cas_store *store,
		    const struct bld_ssh_proxy_opts *opts,
		    struct bld_ssh_proxy **ret, struct stv_err **err)
{
	struct bld_ssh_proxy *p = stv_xcalloc(1, sizeof(*p));
	stv_auto_fd dir = -1;
	int r;

	p->store = store;
	p->agent = stv_xstrdup(opts->agent);
	p->listen_fd = p->path_fd = p->stop_fd = -1;
	r = cas_store_tmpdir(store, &p->dir, &dir, err);
	if (r == 0 && bind_socket(p, dir, opts) < 0)
		r = stv_fail_errno(err, errno, "cannot make a socket for ssh");
	if (r == 0) {
		int errnum = start_thread(p);

		if (errnum != 0)
			r = stv_fail_errno(err, errnum,
					   "cannot start a thread for ssh");
	}
	if (r < 0) {
		bld_ssh_proxy_stop(p);
		return -1;
	}
	*ret = p;
	return 0;
}

int
bld_ssh_proxy_fd(const struct bld_ssh_proxy *p)
{
	return p->path_fd;
}

void
bld_ssh_proxy_stop(struct bld_ssh_proxy *p)
{
	struct stv_err *e = NULL;
	uint64_t one = 1;

	if (p == NULL)
		return;
	if (p->has_thread) {
		(void)!write(p->stop_fd, &one, sizeof(one));
		(void)pthread_join(p->thread, NULL);
	}
	for (size_t i = 0; i < p->n_clients; i++)
		client_fini(&p->clients[i]);
	stv_close_p(&p->listen_fd);
	stv_close_p(&p->path_fd);
	stv_close_p(&p->stop_fd);
	if (p->dir != NULL &&
	    stv_fsat_remove_tree(cas_store_rootfd(p->store), p->dir, &e) < 0)
		stv_err_clear(&e); /* the next command cleans tmp/ */
	free(p->dir);
	free(p->agent);
	free(p);
}
