/* registry/test/rig.h - a client, and the scripted registry that it asks. */
#ifndef STAVE_REGISTRY_TEST_RIG_H
#define STAVE_REGISTRY_TEST_RIG_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "registry/client.h"
#include "registry/conf.h"
#include "registry/creds.h"
#include "registry/ref.h"
#include "registry/test/httpd.h"

#define REFUSED_404 "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n"

struct rig {
	struct httpd server;
	struct reg_conf *conf;
	struct reg_client *client;
	struct reg_ref ref;
	struct reg_creds creds;
	struct stv_err *err;
};

static UNUSED_OK int
give_creds(void *arg, const char *domain, const char *path,
	   struct reg_creds *ret, struct stv_err **err)
{
	(void)arg;
	(void)domain;
	(void)path;
	(void)err;
	*ret = (struct reg_creds){.username = stv_xstrdup("me"),
				  .secret = stv_xstrdup("pw")};
	return 1;
}

static UNUSED_OK void
rig_open(struct rig *r)
{
	struct reg_conf_opts conf = {.registries_conf = "/dev/null",
				     .etc = "/nonexistent"};
	struct reg_client_opts o = {.creds = give_creds};
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

static UNUSED_OK void
rig_close(struct rig *r)
{
	reg_client_close(r->client);
	httpd_end(&r->server);
	reg_conf_free(r->conf);
	reg_ref_fini(&r->ref);
	stv_err_free(r->err);
}

/* A file of ${size} bytes that is deleted already. */
static UNUSED_OK int
make_file(size_t size)
{
	char path[] = "/tmp/stave-test-XXXXXX";
	stv_auto_free char *text = stv_xmalloc(size);
	int fd = mkstemp(path);

	memset(text, 'x', size);
	cr_assert_eq(write(fd, text, size), (ssize_t)size);
	(void)unlink(path);
	return fd;
}

#endif /* STAVE_REGISTRY_TEST_RIG_H */
