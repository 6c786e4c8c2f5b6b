/* builder/test/test_mount.c - the agent's proxy, and sources written as files.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/evp.h>

#include "cache/store.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"

#include "builder/build.h"
#include "builder/redact.h"
#include "builder/source.h"
#include "builder/ssh_proxy.h"
#include "builder/test/copy_bench.h"
#include "builder/tree.h"

/* ---- the agent -----------------------------------------------------------*/

struct agent {
	char path[100];
	int fd;
	pthread_t thread;
	char types[64]; /* of the requests that came */
	size_t n;
};

/* Answers each request with a message of its type + 1. */
static void *
agent_main(void *arg)
{
	struct agent *a = arg;
	unsigned char buf[4096];
	int fd;

	while ((fd = accept(a->fd, NULL, NULL)) >= 0) {
		ssize_t n;

		while ((n = recv(fd, buf, sizeof(buf), 0)) >= 5) {
			unsigned char answer[] = {
				0, 0, 0, 2, (unsigned char)(buf[4] + 1), 0};

			a->types[a->n++] = (char)buf[4];
			cr_assert_eq(send(fd, answer, sizeof(answer), 0),
				     (ssize_t)sizeof(answer));
		}
		(void)close(fd);
	}
	return NULL;
}

static void
agent_start(struct agent *a, const char *dir)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memset(a, 0, sizeof(*a));
	(void)snprintf(a->path, sizeof(a->path), "%s/agent", dir);
	memcpy(addr.sun_path, a->path, strlen(a->path) + 1);
	a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(a->fd, (const struct sockaddr *)&addr, sizeof(addr)),
		     0);
	cr_assert_eq(listen(a->fd, 4), 0);
	cr_assert_eq(pthread_create(&a->thread, NULL, agent_main, a), 0);
}

static void
agent_end(struct agent *a)
{
	(void)shutdown(a->fd, SHUT_RDWR);
	(void)pthread_join(a->thread, NULL);
	(void)close(a->fd);
}

static int
connect_to(const struct bld_ssh_proxy *p)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d",
		       bld_ssh_proxy_fd(p));
	cr_assert_eq(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)),
		     0);
	return fd;
}

/* The type of the answer to a request of ${n} bytes; -1: closed. */
static int
ask(int fd, unsigned char type, size_t n, size_t piece)
{
	unsigned char *msg = calloc(1, n + 4), answer[16];
	ssize_t got;

	msg[0] = (unsigned char)(n >> 24);
	msg[1] = (unsigned char)(n >> 16);
	msg[2] = (unsigned char)(n >> 8);
	msg[3] = (unsigned char)n;
	msg[4] = type;
	for (size_t at = 0; at < n + 4; at += piece) {
		size_t left = n + 4 - at;

		if (send(fd, msg + at, left < piece ? left : piece,
			 MSG_NOSIGNAL) < 0)
			break;
	}
	free(msg);
	got = recv(fd, answer, sizeof(answer), 0);
	return got >= 5 ? answer[4] : -1;
}

static struct bld_ssh_proxy *
proxy_start(struct bench *b, const struct agent *a, struct stat *st)
{
	struct bld_ssh_proxy_opts o = {.agent = a->path,
				       .mode = 0640,
				       .uid = geteuid(),
				       .gid = getegid()};
	struct bld_ssh_proxy *p = NULL;
	struct stv_err *err = NULL;

	cr_assert_eq(bld_ssh_proxy_start(b->store, &o, &p, &err), 0);
	cr_assert_eq(fstat(bld_ssh_proxy_fd(p), st), 0);
	return p;
}

Test(mount, a_proxy_lets_list_and_sign_and_nothing_else)
{
	struct bld_ssh_proxy *p;
	struct agent a;
	struct bench b;
	struct stat st;
	int one, two;

	bench_open(&b);
	agent_start(&a, b.dir);
	p = proxy_start(&b, &a, &st);
	cr_expect(S_ISSOCK(st.st_mode));
	cr_expect_eq(st.st_mode & 07777, 0640);
	one = connect_to(p);
	cr_expect_eq(ask(one, 11, 1, 1), 12);
	cr_expect_eq(ask(one, 13, 2000, 700), 14);
	/* Add, remove, lock, extensions: never seen by the agent. */
	for (int type = 0; type < 256; type++)
		if (type != 11 && type != 13)
			cr_expect_eq(ask(one, (unsigned char)type, 9, 13), 5);
	cr_expect_eq(ask(one, 11, 1, 5), 12);
	cr_expect_eq(a.n, 3);
	cr_expect_eq(memcmp(a.types, "\x0b\x0d\x0b", 3), 0);
	(void)close(one);
	/* Messages without or with too many bytes end the connection. */
	one = connect_to(p);
	cr_expect_eq(send(one, "\0\0\0\0", 4, 0), 4);
	cr_expect_eq(ask(one, 11, 1, 5), -1);
	two = connect_to(p);
	cr_expect_eq(send(two, "\x7f\xff\xff\xff\x0b", 5, 0), 5);
	cr_expect_eq(ask(two, 11, 1, 5), -1);
	(void)close(one);
	(void)close(two);
	bld_ssh_proxy_stop(p);
	agent_end(&a);
	bench_end(&b);
}

Test(mount, a_proxy_without_an_agent_says_no)
{
	struct agent a = {.path = "/nonexistent/agent"};
	struct bld_ssh_proxy *p;
	struct bench b;
	struct stat st;
	int fd;

	bench_open(&b);
	p = proxy_start(&b, &a, &st);
	fd = connect_to(p);
	cr_expect_eq(ask(fd, 11, 1, 5), 5);
	bld_ssh_proxy_stop(p);
	(void)close(fd);
	bld_ssh_proxy_stop(NULL);
	bench_end(&b);
}

/* Its queue is full and it takes nobody: the RUN ends all the same. */
Test(mount, a_proxy_does_not_wait_for_a_stuck_agent, .timeout = 8)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct bld_ssh_proxy *p;
	struct agent a = {.n = 0};
	int clients[4];
	struct bench b;
	struct stat st;

	bench_open(&b);
	(void)snprintf(a.path, sizeof(a.path), "%s/agent", b.dir);
	memcpy(addr.sun_path, a.path, strlen(a.path) + 1);
	a.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(a.fd, (const struct sockaddr *)&addr, sizeof(addr)),
		     0);
	cr_assert_eq(listen(a.fd, 0), 0);
	p = proxy_start(&b, &a, &st);
	for (size_t i = 0; i < STV_ARRAY_LEN(clients); i++)
		clients[i] = connect_to(p);
	(void)usleep(100000);
	bld_ssh_proxy_stop(p);
	for (size_t i = 0; i < STV_ARRAY_LEN(clients); i++)
		(void)close(clients[i]);
	(void)close(a.fd);
	bench_end(&b);
}

/* ---- output --------------------------------------------------------------*/

/* Fed in pieces of ${piece} bytes. */
static char *
redacted(const struct bld_redact *r, const char *text, size_t piece)
{
	struct stv_buf held = STV_BUF_INIT(bld_redact_max(r));
	struct stv_buf out = STV_BUF_INIT(4096);

	for (size_t n = strlen(text); n > 0;) {
		size_t k = n < piece ? n : piece;

		bld_redact_feed(r, &held, text, k, false, &out);
		text += k;
		n -= k;
	}
	bld_redact_feed(r, &held, NULL, 0, true, &out);
	cr_expect_eq(held.len, 0);
	stv_buf_fini(&held);
	return stv_buf_take(&out);
}

/* As base64(1) and openssl(1) write it: in lines. */
Test(mount, secrets_are_not_shown_in_lines_of_base64)
{
	static const size_t widths[] = {76, 64, 1};
	char data[151], text[256], lines[512], want[64], *got;
	struct bld_secret secret = {"s", data, sizeof(data)};
	struct bld_redact *r;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + 1);
	(void)EVP_EncodeBlock((unsigned char *)text,
			      (const unsigned char *)data, (int)sizeof(data));
	r = bld_redact_new(&secret, 1);
	for (size_t i = 0; i < STV_ARRAY_LEN(widths); i++) {
		size_t n = 0;

		for (size_t at = 0; text[at] != '\0'; at++) {
			/* The last byte is no whole group. */
			if (at == sizeof(data) / 3 * 4)
				lines[n++] = '|';
			lines[n++] = text[at];
			if (at % widths[i] == widths[i] - 1)
				lines[n++] = '\n';
		}
		lines[n] = '\0';
		(void)snprintf(want, sizeof(want), "****%s%s",
			       widths[i] == 1 ? "\n" : "", strchr(lines, '|'));
		for (size_t piece = 1; piece < 100; piece += 33) {
			got = redacted(r, lines, piece);
			cr_expect_str_eq(got, want, "%s", got);
			free(got);
		}
	}
	bld_redact_free(r);
}

Test(mount, secrets_are_not_shown)
{
	static const struct bld_secret secrets[] = {
		{"a", "geheimnis\n", 10},
		{"b", "geheimer", 8},
		{"short", "12345", 5},
		{"long", "geheimnis-und-mehr", 18},
	};
	static const char *const texts[][2] = {
		{"nothing", "nothing"},
		{"x geheimnis y", "x **** y"},
		{"geheimnisgeheimer", "********"},
		{"geheimnis-und-mehr!", "****!"},
		{"geheimnis-und", "****-und"},
		{"geheim", "geheim"},
		{"gegeheimnis", "ge****"},
		{"12345", "12345"},
		{"Z2VoZWltbmlzCg==", "****Cg=="},
		{"", ""},
	};
	struct bld_redact *r = bld_redact_new(secrets, STV_ARRAY_LEN(secrets));

	for (size_t i = 0; i < STV_ARRAY_LEN(texts); i++)
		for (size_t piece = 1; piece < 20; piece++) {
			char *got = redacted(r, texts[i][0], piece);

			cr_expect_str_eq(got, texts[i][1], "%s: %s",
					 texts[i][0], got);
			free(got);
		}
	bld_redact_free(r);
	cr_expect_null(bld_redact_new(secrets + 2, 1));
	cr_expect_null(bld_redact_new(NULL, 0));
	bld_redact_free(NULL);
}

/* ---- trees ---------------------------------------------------------------*/

Test(mount, a_view_is_written_as_it_is)
{
	static const struct make layer[] = {
		{LAY_DIR, 01777, "d", NULL, 0, 0, 100, NULL},
		{LAY_DIR, 0500, "d/e", NULL, 0, 0, 200, NULL},
		{LAY_FILE, 0640, "d/e/f", "text", 0, 0, 300, NULL},
		{LAY_SYMLINK, 0777, "d/l", "../../etc", 0, 0, 400, NULL},
		{LAY_FIFO, 0600, "d/p", NULL, 0, 0, 500, NULL},
		{LAY_FILE, 04755, "s", "setuid", 0, 0, 600, NULL},
	};
	struct stv_err *err = NULL;
	struct bld_source *s;
	struct lay_view *view;
	struct bench b;
	struct stat st;
	char text[16], *out;
	int dir, fd;

	bench_open(&b);
	bench_layer(&b, layer, STV_ARRAY_LEN(layer));
	view = bench_view(&b);
	s = bld_source_view(view);
	out = bench_path(&b, "out");
	cr_assert_eq(mkdir(out, 0755), 0);
	dir = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(out);
	cr_assert_eq(bld_tree_write(s, "", dir, "", &err), 0, "%s",
		     err == NULL ? "" : stv_err_msg(err));
	cr_assert_eq(fstatat(dir, "d", &st, 0), 0);
	cr_expect_eq(st.st_mode, S_IFDIR | 01777);
	cr_expect_eq(st.st_mtim.tv_sec, 100);
	cr_assert_eq(fstatat(dir, "d/e", &st, 0), 0);
	cr_expect_eq(st.st_mode, S_IFDIR | 0500);
	cr_expect_eq(st.st_mtim.tv_sec, 200);
	cr_assert_eq(fstatat(dir, "d/e/f", &st, 0), 0);
	cr_expect_eq(st.st_mode, S_IFREG | 0640);
	cr_expect_eq(st.st_mtim.tv_sec, 300);
	cr_assert_eq(readlinkat(dir, "d/l", text, sizeof(text)), 9);
	cr_assert_eq(fstatat(dir, "d/p", &st, 0), 0);
	cr_expect(S_ISFIFO(st.st_mode));
	cr_assert_eq(fstatat(dir, "s", &st, 0), 0);
	cr_expect_eq(st.st_mode, S_IFREG | 04755);
	fd = openat(dir, "d/e/f", O_RDONLY | O_CLOEXEC);
	cr_expect_eq(read(fd, text, sizeof(text)), 4);
	cr_expect_eq(memcmp(text, "text", 4), 0);
	(void)close(fd);
	/* One file, under another name. */
	cr_assert_eq(bld_tree_write(s, "d/e/f", dir, "one", &err), 0);
	cr_assert_eq(fstatat(dir, "one", &st, 0), 0);
	cr_expect_eq(st.st_size, 4);
	cr_expect_eq(bld_tree_write(s, "nope", dir, "x", &err), -1);
	stv_err_clear(&err);
	(void)close(dir);
	bld_source_view_free(s);
	lay_view_close(view);
	bench_end(&b);
}

/* Not of the call that was tried first, nor of none. */
Test(mount, a_full_disk_is_the_reason_that_is_told)
{
	static const struct make layer[] = {
		{LAY_FILE, 0644, "f", "0123456789", 0, 0, 100, NULL},
	};
	struct rlimit was, two_bytes;
	char out[] = "/dev/shm/stave-test.XXXXXX";
	struct stv_err *err = NULL;
	struct bld_source *s;
	struct lay_view *view;
	struct bench b;
	int dir, r;

	bench_open(&b);
	bench_layer(&b, layer, STV_ARRAY_LEN(layer));
	view = bench_view(&b);
	s = bld_source_view(view);
	if (mkdtemp(out) == NULL)
		cr_skip("no /dev/shm here");
	dir = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	two_bytes = (struct rlimit){.rlim_cur = 2, .rlim_max = was.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &two_bytes), 0);
	r = bld_tree_write(s, "f", dir, "f", &err);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	cr_assert_eq(r, -1);
	cr_expect_str_eq(stv_err_msg(err),
			 "cannot write a copy of 'f': File too large");
	stv_err_clear(&err);
	cr_expect_eq(unlinkat(dir, "f", 0), 0);
	(void)close(dir);
	cr_expect_eq(rmdir(out), 0);
	bld_source_view_free(s);
	lay_view_close(view);
	bench_end(&b);
}
