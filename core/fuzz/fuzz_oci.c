/*
 * core/fuzz/fuzz_oci.c - OCI documents from outside.
 *
 * Whatever is accepted must be written in a form that is accepted again and
 * written the same (canonical print -> parse fixpoint), also by way of a copy.
 * The first byte chooses the document.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Canonical text may be longer than what was read: "\n" is one byte there. */
#define TEXT_MAX ((size_t)64 << 20)

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

static void
expect_same(const struct stv_buf *a, const struct stv_buf *b)
{
	expect(!a->is_over && !b->is_over && a->len == b->len &&
	       memcmp(stv_buf_str(a), stv_buf_str(b), a->len) == 0);
}

static void
try_config(const char *text, size_t len)
{
	stv_auto_buf first = STV_BUF_INIT(TEXT_MAX);
	stv_auto_buf second = STV_BUF_INIT(TEXT_MAX);
	stv_auto(oci_config) *c = NULL, *again = NULL, *copy = NULL;
	struct stv_err *err = NULL;

	if (oci_config_parse(text, len, &c, &err) < 0) {
		expect(err != NULL && c == NULL);
		stv_err_free(err);
		return;
	}
	oci_config_write(c, &first);
	expect(oci_config_parse(stv_buf_str(&first), first.len, &again, &err) ==
	       0);
	copy = oci_config_copy(again);
	oci_config_write(copy, &second);
	expect_same(&first, &second);
}

static void
try_manifest(const char *text, size_t len)
{
	stv_auto_buf first = STV_BUF_INIT(TEXT_MAX);
	stv_auto_buf second = STV_BUF_INIT(TEXT_MAX);
	stv_auto(oci_manifest) *m = NULL, *again = NULL;
	struct stv_err *err = NULL;

	if (oci_manifest_parse(text, len, NULL, &m, &err) < 0) {
		expect(err != NULL && m == NULL);
		stv_err_free(err);
		return;
	}
	expect(oci_is_index(text, len) == 0);
	oci_manifest_write(m, &first);
	expect(oci_manifest_parse(stv_buf_str(&first), first.len, m->media_type,
				  &again, &err) == 0);
	oci_manifest_write(again, &second);
	expect_same(&first, &second);
}

static void
try_index(const char *text, size_t len)
{
	stv_auto_buf first = STV_BUF_INIT(TEXT_MAX);
	stv_auto_buf second = STV_BUF_INIT(TEXT_MAX);
	stv_auto(oci_index) *x = NULL, *again = NULL;
	struct stv_err *err = NULL;

	if (oci_index_parse(text, len, NULL, &x, &err) < 0) {
		expect(err != NULL && x == NULL);
		stv_err_free(err);
		return;
	}
	expect(oci_is_index(text, len) == 1);
	oci_index_write(x, &first);
	expect(oci_index_parse(stv_buf_str(&first), first.len, x->media_type,
			       &again, &err) == 0);
	oci_index_write(again, &second);
	expect_same(&first, &second);
}

static void
try_platform(const char *text, size_t len)
{
	struct stv_platform p = {0}, again = {0};
	struct stv_err *err = NULL;
	char name[64] = "", *s, *t;

	memcpy(name, text, len < sizeof(name) ? len : sizeof(name) - 1);
	if (stv_platform_parse(name, &p, &err) < 0) {
		stv_err_free(err);
		return;
	}
	s = stv_platform_str(&p);
	expect(stv_platform_parse(s, &again, &err) == 0);
	t = stv_platform_str(&again);
	expect(strcmp(s, t) == 0);
	expect(stv_platform_match(&p, &again));
	free(s);
	free(t);
	stv_platform_fini(&p);
	stv_platform_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'c':
		try_config(text, size - 1);
		break;
	case 'm':
		try_manifest(text, size - 1);
		break;
	case 'i':
		try_index(text, size - 1);
		break;
	case 'p':
		try_platform(text, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
