/* core/test/test_oci_parts.c - what a document of any kind names. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/oci.h"

#define DIGEST(c)                                                              \
	"sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c  \
		c c
#define A DIGEST("aa")
#define B DIGEST("bb")
#define PART(type, digest, size)                                               \
	"{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size

static int
parse(const char *text, const char *promised, struct oci_parts *ret,
      struct stv_err **err)
{
	return oci_parts_parse(text, strlen(text), promised, ret, err);
}

Test(oci_parts, an_artifact_may_have_any_types)
{
	oci_auto_parts p = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(
		parse("{\"schemaVersion\":2,\"mediaType\":\"x/y\","
		      "\"subject\":" PART("x/s", B,
					  "7") "},"
					       "\"config\":" PART(
						       "x/c", A,
						       "2") "},"
							    "\"layers\":[" PART(
								    "x/l", B,
								    "3") "}]}",
		      "x/y", &p, &err),
		0);
	cr_expect_str_eq(p.media_type, "x/y");
	cr_expect(!p.is_index);
	cr_assert_eq(p.n, 2);
	cr_expect_str_eq(p.v[0].d.media_type, "x/c");
	cr_expect_eq(p.v[1].d.size, 3);
}

Test(oci_parts, the_artifact_of_before_has_blobs_and_no_version)
{
	oci_auto_parts p = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(parse("{\"blobs\":[" PART("x/l", B, "3") "}]}",
			   "application/vnd.oci.artifact.manifest.v1+json", &p,
			   &err),
		     0);
	cr_expect_eq(p.n, 1);
}

Test(oci_parts, an_image_may_have_more_layers_than_we_run)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	oci_auto_parts p = {0};
	struct stv_err *err = NULL;

	stv_buf_adds(&text, "{\"layers\":[");
	for (int i = 0; i < 500; i++)
		stv_buf_addf(&text, "%s" PART("x/l", B, "3") "}",
			     i > 0 ? "," : "");
	stv_buf_adds(&text, "]}");
	cr_assert_eq(parse(stv_buf_str(&text), NULL, &p, &err), 0);
	cr_expect_eq(p.n, 500);
	cr_expect_str_eq(p.media_type, OCI_MT_MANIFEST);
}

#define OCI_FOREIGN OCI_MT_FOREIGN_LAYER "+gzip"
#define DOCKER_FOREIGN DOCKER_MT_FOREIGN_LAYER ".gzip"
#define URL "\"https://x.test/y\""

Test(oci_parts, only_foreign_layers_with_urls_are_elsewhere)
{
	static const char *const layers[] = {
		PART(OCI_FOREIGN, A, "1") ",\"urls\":[" URL "]}",
		PART(DOCKER_FOREIGN, A, "1") ",\"urls\":[" URL "]}",
		PART(DOCKER_FOREIGN, A, "1") ",\"urls\":[]}",
		PART(OCI_MT_LAYER, B, "1") ",\"urls\":[" URL "]}",
	};

	for (size_t i = 0; i < 4; i++) {
		stv_auto_buf text = STV_BUF_INIT(10000);
		oci_auto_parts p = {0};
		struct stv_err *err = NULL;

		stv_buf_addf(&text, "{\"layers\":[%s]}", layers[i]);
		cr_assert_eq(parse(stv_buf_str(&text), NULL, &p, &err), 0);
		cr_assert_eq(p.n, 1);
		cr_expect_eq(p.v[0].is_foreign, i < 2, "layer %zu", i);
	}
}

struct bad {
	const char *text;
	const char *promised;
	enum stv_code code;
};

Test(oci_parts, what_can_be_read_in_two_ways_is_refused)
{
	static const struct bad cases[] = {
		{"{\"manifests\":[],\"layers\":[]}", NULL, STV_E_PROTOCOL},
		{"{\"manifests\":[],\"config\":{}}", NULL, STV_E_PROTOCOL},
		{"{\"manifests\":[]}", OCI_MT_MANIFEST, STV_E_PROTOCOL},
		{"{\"layers\":[]}", DOCKER_MT_LIST, STV_E_PROTOCOL},
		{"{\"mediaType\":\"a/b\",\"layers\":[]}", "a/c",
		 STV_E_PROTOCOL},
		{"{\"schemaVersion\":1,\"layers\":[]}", NULL, STV_E_PROTOCOL},
		{"{\"layers\":{}}", NULL, STV_E_PROTOCOL},
		{"{\"layers\":[{\"mediaType\":\"a\",\"size\":1}]}", NULL,
		 STV_E_PROTOCOL},
		{"{\"layers\":[" PART("a", "md5:aa", "1") "}]}", NULL,
		 STV_E_DIGEST},
		{"{\"layers\":[" PART("a", A, "-1") "}]}", NULL,
		 STV_E_PROTOCOL},
		{"{\"layers\":[" PART("a", A, "1") "}],\"layers\":[]}", NULL,
		 STV_E_PROTOCOL},
		{"[]", NULL, STV_E_PROTOCOL},
		{"no", NULL, STV_E_PROTOCOL},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(cases); i++) {
		oci_auto_parts p = {0};
		struct stv_err *err = NULL;

		cr_expect_eq(parse(cases[i].text, cases[i].promised, &p, &err),
			     -1, "case %zu", i);
		cr_expect_eq(stv_err_code(err), cases[i].code, "case %zu: %s",
			     i, stv_err_msg(stv_err_root(err)));
		cr_expect_eq(p.n, 0);
		stv_err_free(err);
	}
}

Test(oci_parts, an_index_has_a_limit)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	oci_auto_parts p = {0};
	struct stv_err *err = NULL;

	stv_buf_adds(&text, "{\"manifests\":[");
	for (int i = 0; i <= STV_MAX_INDEX_ENTRIES; i++)
		stv_buf_addf(&text, "%s" PART("x/l", B, "3") "}",
			     i > 0 ? "," : "");
	stv_buf_adds(&text, "]}");
	cr_expect_eq(parse(stv_buf_str(&text), NULL, &p, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
}

/* An entry's artifactType goes where the entry goes. */
Test(oci_parts, the_type_of_an_artifact_stays_with_its_entry)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_MT_INDEX
		"\",\"manifests\":[" PART(OCI_MT_MANIFEST, A,
					  "3") ",\"artifactType\":\"x/y\"}]}";
	stv_auto_buf again = STV_BUF_INIT(10000);
	stv_auto(oci_index) *x = NULL;
	struct oci_descriptor d = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(oci_index_parse(text, strlen(text), NULL, &x, &err), 0);
	oci_descriptor_copy(&d, &x->manifests[0]);
	cr_expect_str_eq(d.artifact_type, "x/y");
	oci_descriptor_fini(&d);
	oci_index_write(x, &again);
	cr_expect_str_eq(stv_buf_str(&again), text);
}
