/* registry/test/test_engine.c - transfers and the thread that runs them. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/cleanup.h"
#include "core/err.h"

#include "registry/curl_dl.h"
#include "registry/engine.h"
#include "registry/test/httpd.h"

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	(void)p;
	(void)arg;
	return size * n;
}

/* The thread would look at it when its owner has freed it. */
Test(engine, nothing_is_asked_of_a_transfer_that_is_done)
{
	const struct reg_curl *curl = NULL;
	struct reg_engine *e = NULL;
	stv_auto_free char *url = NULL;
	struct reg_transfer t;
	struct stv_err *err = NULL;
	struct httpd server;
	CURL *easy;

	(void)setenv("no_proxy", "*", 1);
	httpd_open(&server);
	httpd_answer(&server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	httpd_start(&server);
	url = httpd_url(&server, "/");
	curl = reg_curl_load(&err);
	cr_assert_not_null(curl);
	cr_assert_eq(reg_engine_new(curl, &e, &err), 0);
	easy = curl->p_curl_easy_init();
	(void)curl->p_curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl->p_curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	reg_transfer_init(&t, e, easy);
	reg_transfer_start(&t);
	while (reg_transfer_wait(&t) != REG_MOMENT_DONE)
		;
	cr_expect_eq(t.code, CURLE_OK);
	cr_expect(!t.is_listed);
	reg_transfer_abort(&t);
	cr_expect(!t.is_listed);
	cr_expect_eq(t.code, CURLE_OK);
	reg_transfer_fini(&t);
	curl->p_curl_easy_cleanup(easy);
	reg_engine_free(e);
	httpd_end(&server);
}
