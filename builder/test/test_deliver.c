/* builder/test/test_deliver.c - engines: where docker's is, what it says. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"

#include "builder/deliver.h"
#include "builder/deliver_internal.h"
#include "builder/docker_host.h"
#include "builder/docker_stream.h"

static char dir[] = "/tmp/stave-deliver.XXXXXX";

static void
begin(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static void
end(void)
{
	struct stv_err *err = NULL;

	(void)stv_fsat_remove_tree(AT_FDCWD, dir, &err);
	stv_err_free(err);
}

TestSuite(deliver, .init = begin, .fini = end);

static void
put(const char *path, const char *text)
{
	char *folder = stv_xstrndup(path, (size_t)(strrchr(path, '/') - path));
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stv_err *err = NULL;

	(void)stv_fsat_mkdirs(dirfd, folder, 0700, &err);
	cr_assert_eq(stv_fsat_replace(dirfd, path, text, strlen(text), 0600,
				      false, &err),
		     0, "%s", stv_err_msg(err));
	(void)close(dirfd);
	free(folder);
}

/* contexts/meta/<SHA-256 of "far">/meta.json, and TLS where asked for. */
static void
put_context(const char *name, const char *host, bool has_tls)
{
	struct stv_digest d = stv_digest_of(name, strlen(name));
	char hex[STV_DIGEST_STR_MAX];
	char *meta, *text, *tls;

	stv_digest_hex(&d, hex);
	meta = stv_xasprintf("c/contexts/meta/%s/meta.json", hex);
	tls = stv_xasprintf("c/contexts/tls/%s/docker/ca.pem", hex);
	text = stv_xasprintf("{\"Name\":\"%s\",\"Metadata\":{},\"Endpoints\":"
			     "{\"docker\":{\"Host\":\"%s\","
			     "\"SkipTLSVerify\":false}}}",
			     name, host);
	put(meta, text);
	if (has_tls)
		put(tls, "authority");
	free(meta);
	free(tls);
	free(text);
}

struct host_row {
	char host[64], context[16], tls_verify[4];
	char want[64]; /* the URL or the socket; "!" and a part of the error */
};

ParameterizedTestParameters(deliver, the_engine_is_where_docker_finds_it)
{
	static struct host_row rows[] = {
		/* config.json names the context "near" */
		{"", "", "", "/run/near.sock"},
		{"", "default", "", "/var/run/docker.sock"},
		{"unix:///x/y", "", "", "/x/y"},
		{"unix:///x/y", "far", "", "/x/y"},
		{"", "far", "", "https://far:2376"},
		{"", "none", "", "!no docker context 'none'"},
		{"", "odd", "", "!cannot be reached by 'ssh://h'"},
		{"tcp://h:2375", "", "", "http://h:2375"},
		{"tcp://h:2375/", "", "", "http://h:2375"},
		{"tcp://h:2376", "", "1", "https://h:2376"},
		{"unix://relative", "", "", "!cannot be reached"},
		{"tcp://", "", "", "!cannot be reached"},
		{"ssh://u:secret@h", "", "", "!cannot be reached by 'ssh://"},
		{"fd://", "", "", "!cannot be reached"},
	};

	return cr_make_param_array(struct host_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct host_row *r, deliver,
		  the_engine_is_where_docker_finds_it)
{
	char *config = stv_xasprintf("%s/c", dir);
	char *certs = stv_xasprintf("%s/certs", dir);
	struct bld_docker_env env = {.host = r->host,
				     .context = r->context,
				     .config = config,
				     .cert_path = certs,
				     .tls_verify = r->tls_verify};
	struct bld_docker_host h;
	struct stv_err *err = NULL;

	put("c/config.json", "{\"auths\":{},\"currentContext\":\"near\"}");
	put("certs/ca.pem", "other");
	put_context("near", "unix:///run/near.sock", false);
	put_context("far", "tcp://far:2376", true);
	put_context("odd", "ssh://u@h", false);
	if (bld_docker_host_find(&env, &h, &err) == 0) {
		cr_expect_str_eq(h.socket != NULL ? h.socket : h.url, r->want);
		if (strncmp(h.url, "https:", 6) == 0) {
			cr_expect_str_eq(h.tls.ca_pem, r->context[0] != '\0'
							       ? "authority"
							       : "other");
			cr_expect_null(h.tls.cert_file, "there is none");
		}
	} else {
		cr_expect_eq(r->want[0], '!', "%s", stv_err_msg(err));
		cr_expect_not_null(
			strstr(stv_err_msg(stv_err_root(err)), r->want + 1),
			"%s", stv_err_msg(stv_err_root(err)));
		cr_expect_null(strstr(stv_err_msg(err), "secret"));
	}
	stv_err_free(err);
	bld_docker_host_fini(&h);
	free(config);
	free(certs);
}

Test(deliver, without_configuration_it_is_the_socket_of_root)
{
	struct bld_docker_env env = {.home = dir};
	struct bld_docker_host h;
	struct stv_err *err = NULL;

	cr_assert_eq(bld_docker_host_find(&env, &h, &err), 0);
	cr_expect_str_eq(h.socket, "/var/run/docker.sock");
	bld_docker_host_fini(&h);
}

/* What the engine said, byte by byte; the failure or "". */
static const char *
said(const char *text)
{
	static char failure[128];
	struct bld_docker_stream s;
	struct stv_err *err = NULL;

	bld_docker_stream_init(&s);
	for (; *text != '\0'; text++)
		cr_assert_eq(s.sink.write(&s.sink, text, 1, &err), 0);
	bld_docker_stream_end(&s);
	(void)snprintf(failure, sizeof(failure), "%s",
		       s.failure != NULL ? s.failure : "");
	bld_docker_stream_fini(&s);
	return failure;
}

Test(deliver, a_failure_in_the_stream_is_heard)
{
	cr_expect_str_eq(said(""), "");
	cr_expect_str_eq(said("{\"stream\":\"Loaded image: x\\n\"}\r\n"), "");
	cr_expect_str_eq(said("{\"status\":\"a\"}\r\n"
			      "{\"errorDetail\":{\"message\":\"full\"},"
			      "\"error\":\"disk full\"}\r\n"
			      "{\"error\":\"later\"}\r\n"),
			 "full");
	cr_expect_str_eq(said("{\"error\":\"old\"}"), "old");
	cr_expect_str_eq(said("{\"stream\":\"Error unpacking image x: no\\n\"}"
			      "\r\n"),
			 "Error unpacking image x: no");
	cr_expect_str_eq(said("no JSON\n[1]\n{\"error\":5}\n"), "");
}

Test(deliver, a_long_line_is_dropped_and_the_next_one_heard)
{
	char *text = stv_xmalloc(BLD_MAX_DOCKER_LINE + 64);

	memset(text, 'x', BLD_MAX_DOCKER_LINE + 1);
	(void)snprintf(text + BLD_MAX_DOCKER_LINE + 1, 63,
		       "\n{\"error\":\"heard\"}\n");
	cr_expect_str_eq(said(text), "heard");
	free(text);
}

static void
expect_no_engine(const char *path, const char *part)
{
	struct stv_err *err = NULL;

	cr_assert_eq(bld_socket_check(path, "docker", &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_PRIVILEGE);
	cr_expect_not_null(strstr(stv_err_msg(err), part), "%s",
			   stv_err_msg(err));
	cr_expect_not_null(strstr(stv_err_get_hint(err), "DOCKER_HOST"));
	stv_err_free(err);
}

Test(deliver, a_socket_that_is_not_there_is_said)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char *path = stv_xasprintf("%s/s", dir), longer[200];
	struct stv_err *err = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	expect_no_engine(path, "No such file");
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	expect_no_engine(path, "refused");
	cr_assert_eq(listen(fd, 1), 0);
	cr_expect_eq(bld_socket_check(path, "docker", &err), 0);
	memset(longer, '/', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	expect_no_engine(longer, "too long");
	(void)close(fd);
	free(path);
}

Test(deliver, engines_have_words)
{
	enum bld_engine e = BLD_ENGINE_PODMAN;
	struct stv_err *err = NULL;

	cr_assert_eq(bld_engine_parse("containerd", &e, &err), 0);
	cr_expect_str_eq(bld_engine_name(e), "containerd");
	cr_assert_eq(bld_engine_parse("rkt", &e, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	stv_err_free(err);
}
