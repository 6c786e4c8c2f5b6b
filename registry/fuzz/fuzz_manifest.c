/*
 * registry/fuzz/fuzz_manifest.c - manifests, indexes and configs as a registry
 * sends them: a document, and the media type that was announced for it.
 *
 * The first byte chooses what is announced.  One document is never two things
 * (THREATS C09), what is accepted is within its bounds, names no foreign layer
 * (C01) and agrees with what was announced, and a refusal has one of the codes
 * that are promised.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX ((size_t)64 << 20)

static const char *const announced[] = {
	NULL,
	OCI_MT_INDEX,
	OCI_MT_MANIFEST,
	DOCKER_MT_LIST,
	DOCKER_MT_MANIFEST,
	"application/json",
	"application/vnd.docker.distribution.manifest.v1+prettyjws",
	"",
};

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

static void
check_refusal(struct stv_err *err)
{
	enum stv_code code = stv_err_code(err);

	expect(code == STV_E_PROTOCOL || code == STV_E_LIMIT ||
	       code == STV_E_DIGEST);
	expect(*stv_err_msg(stv_err_root(err)) != '\0');
	stv_err_free(err);
}

static void
check_descriptor(const struct oci_descriptor *d)
{
	expect(d->media_type != NULL);
	expect(d->size <= INT64_MAX);
	for (size_t i = 0; i < d->annotations.len; i++)
		expect(d->annotations.v[i].name != NULL &&
		       d->annotations.v[i].value != NULL);
}

static void
check_type(const char *own, const char *promised)
{
	expect(promised == NULL || strcmp(own, promised) == 0);
}

/* Written anew it is the same, whoever announces it. */
static void
check_written(const struct oci_manifest *m)
{
	stv_auto_buf first = STV_BUF_INIT(TEXT_MAX);
	stv_auto_buf second = STV_BUF_INIT(TEXT_MAX);
	stv_auto(oci_manifest) *again = NULL;
	struct stv_err *err = NULL;

	oci_manifest_write(m, &first);
	expect(oci_manifest_parse(stv_buf_str(&first), first.len, m->media_type,
				  &again, &err) == 0);
	oci_manifest_write(again, &second);
	expect(first.len == second.len &&
	       strcmp(stv_buf_str(&first), stv_buf_str(&second)) == 0);
}

/* Is it a manifest, under that name? */
static bool
try_manifest(const char *text, size_t len, const char *promised)
{
	stv_auto(oci_manifest) *m = NULL;
	struct stv_err *err = NULL;

	if (oci_manifest_parse(text, len, promised, &m, &err) < 0) {
		expect(m == NULL);
		check_refusal(err);
		return false;
	}
	check_type(m->media_type, promised);
	expect(m->n_layers <= STV_MAX_LAYERS);
	check_descriptor(&m->config);
	for (size_t i = 0; i < m->n_layers; i++) {
		const char *type = m->layers[i].media_type;

		check_descriptor(&m->layers[i]);
		expect(strstr(type, ".foreign.") == NULL &&
		       strstr(type, ".nondistributable.") == NULL);
	}
	check_written(m);
	return true;
}

static bool
try_index(const char *text, size_t len, const char *promised)
{
	stv_auto(oci_index) *x = NULL;
	struct stv_err *err = NULL;

	if (oci_index_parse(text, len, promised, &x, &err) < 0) {
		expect(x == NULL);
		check_refusal(err);
		return false;
	}
	check_type(x->media_type, promised);
	expect(x->n_manifests <= STV_MAX_INDEX_ENTRIES);
	for (size_t i = 0; i < x->n_manifests; i++)
		check_descriptor(&x->manifests[i]);
	return true;
}

static bool
try_config(const char *text, size_t len)
{
	stv_auto(oci_config) *c = NULL;
	struct stv_err *err = NULL;

	if (oci_config_parse(text, len, &c, &err) < 0) {
		expect(c == NULL);
		check_refusal(err);
		return false;
	}
	expect(c->n_diff_ids <= STV_MAX_LAYERS);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t n = sizeof(announced) / sizeof(announced[0]);
	const char *text = (const char *)data + 1;
	const char *promised;
	bool is_manifest, is_index;

	if (size == 0)
		return 0;
	promised = announced[data[0] % n];
	is_manifest = try_manifest(text, size - 1, NULL);
	is_index = try_index(text, size - 1, NULL);
	expect(!is_manifest || !is_index);
	expect(!is_manifest || oci_is_index(text, size - 1) == 0);
	expect(!is_index || oci_is_index(text, size - 1) == 1);
	if (promised != NULL) {
		/* An announcement never makes one thing another. */
		bool as_manifest = try_manifest(text, size - 1, promised);
		bool as_index = try_index(text, size - 1, promised);

		expect(!as_manifest || !as_index);
		expect(!as_manifest || is_manifest);
		expect(!as_index || is_index);
	}
	(void)try_config(text, size - 1);
	return 0;
}
