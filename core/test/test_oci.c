/* core/test/test_oci.c - OCI documents: what is refused, what is written. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "core/oci.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA "sha256:" HEX
#define DESC(mt) "{\"mediaType\":\"" mt "\",\"digest\":\"" SHA "\",\"size\":7}"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\"]}"

/* A platform as typed, and its normal form; empty = refused. */
struct platform_case {
	char in[24];
	char want[24];
};

ParameterizedTestParameters(oci, platforms_are_normalised)
{
	static struct platform_case cases[] = {
		{"linux/amd64", "linux/amd64"},
		{"Linux/X86_64", "linux/amd64"},
		{"linux/x86-64/v1", "linux/amd64"},
		{"linux/amd64/v2", "linux/amd64/v2"},
		{"linux/x86_64/v3", "linux/amd64/v3"},
		{"amd64", "linux/amd64"},
		{"aarch64", "linux/arm64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/8", "linux/arm64"},
		{"linux/arm64/v9", "linux/arm64/v9"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/6", "linux/arm/v6"},
		{"armhf", "linux/arm/v7"},
		{"armel", "linux/arm/v6"},
		{"i386", "linux/386"},
		{"macos/arm64", "darwin/arm64"},
		{"windows/amd64", "windows/amd64"},
		{"linux/riscv64", "linux/riscv64"},
		{"", ""},
		{"/", ""},
		{"linux/", ""},
		{"/amd64", ""},
		{"nonsense", ""},
		{"linux/amd64/v1/x", ""},
		{"linux//v1", ""},
		{"linux/am d64", ""},
		{"*", ""},
	};

	return cr_make_param_array(struct platform_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct platform_case *c, oci, platforms_are_normalised)
{
	struct stv_platform p = {0};
	struct stv_err *err = NULL;
	stv_auto_free char *s = NULL;

	if (*c->want == '\0') {
		cr_assert_eq(stv_platform_parse(c->in, &p, &err), -1);
		cr_expect_eq(stv_err_code(err), STV_E_USAGE);
		stv_err_free(err);
		return;
	}
	cr_assert_eq(stv_platform_parse(c->in, &p, &err), 0);
	s = stv_platform_str(&p);
	cr_expect_str_eq(s, c->want);
	stv_platform_fini(&p);
}

Test(oci, an_os_alone_means_this_machine)
{
	struct stv_platform p = {0}, host = {0};
	struct stv_err *err = NULL;

	stv_platform_host(&host);
	cr_assert_eq(stv_platform_parse("linux", &p, &err), 0);
	cr_expect_str_eq(p.arch, host.arch);
	cr_expect(stv_platform_match(&p, &host));
	stv_platform_fini(&p);
	stv_platform_fini(&host);
}

struct match_case {
	char want[20];
	char have[20];
	bool is_match;
};

ParameterizedTestParameters(oci, a_machine_runs_what_its_elders_ran)
{
	static struct match_case cases[] = {
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64", "linux/arm64", false},
		{"linux/amd64", "windows/amd64", false},
		{"linux/amd64", "linux/amd64/v2", false},
		{"linux/amd64/v3", "linux/amd64/v2", true},
		{"linux/amd64/v3", "linux/amd64", true},
		{"linux/arm64", "linux/arm64/v8", true},
		{"linux/arm64", "linux/arm64/v9", false},
		{"linux/arm/v7", "linux/arm/v6", true},
		{"linux/arm/v6", "linux/arm/v7", false},
		{"linux/arm", "linux/arm/v7", true},
		{"linux/mips/odd", "linux/mips/odd", true},
		{"linux/mips/odd", "linux/mips/even", false},
	};

	return cr_make_param_array(struct match_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct match_case *c, oci, a_machine_runs_what_its_elders_ran)
{
	struct stv_platform want = {0}, have = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(stv_platform_parse(c->want, &want, &err), 0);
	cr_assert_eq(stv_platform_parse(c->have, &have, &err), 0);
	cr_expect_eq(stv_platform_match(&want, &have), c->is_match);
	stv_platform_fini(&want);
	stv_platform_fini(&have);
}

Test(oci, foreign_spellings_match)
{
	struct stv_platform want = {0};
	struct stv_platform have = {.os = stv_xstrdup("linux"),
				    .arch = stv_xstrdup("aarch64"),
				    .variant = stv_xstrdup("8")};
	struct stv_err *err = NULL;

	cr_assert_eq(stv_platform_parse("linux/arm64", &want, &err), 0);
	cr_expect(stv_platform_match(&want, &have));
	cr_expect(stv_platform_match(&have, &want));
	stv_platform_fini(&want);
	stv_platform_fini(&have);
}

Test(oci, nothing_matches_an_unknown_platform)
{
	struct stv_platform host = {0}, none = {0};

	stv_platform_host(&host);
	cr_expect_not(stv_platform_match(&host, &none));
	cr_expect_not(stv_platform_match(&none, &host));
	stv_platform_fini(&host);
}

Test(oci, pairs_keep_their_place)
{
	struct stv_pairs p = {0};

	stv_pairs_set(&p, "b", "1");
	stv_pairs_set(&p, "a", "2");
	stv_pairs_set(&p, "b", "3");
	cr_expect_eq(p.len, 2);
	cr_expect_str_eq(p.v[0].name, "b");
	cr_expect_str_eq(stv_pairs_get(&p, "b"), "3");
	cr_expect_null(stv_pairs_get(&p, "c"));
	stv_pairs_set(&p, "a", stv_pairs_get(&p, "a"));
	cr_expect_str_eq(stv_pairs_get(&p, "a"), "2", "from itself");
	stv_pairs_clear(&p);
}

/* A manifest, what was promised for it, and what the message must have. */
struct manifest_case {
	char text[1000];
	char promised[80];
	enum stv_code code;
	char want[64];
};

#define MANIFEST(head, config, layers)                                         \
	"{\"schemaVersion\":2," head "\"config\":" config                      \
	",\"layers\":[" layers "]}"
#define LAYER DESC(OCI_MT_LAYER_GZIP)
#define CONFIG DESC(OCI_MT_CONFIG)

ParameterizedTestParameters(oci, bad_manifests_are_refused)
{
	static struct manifest_case cases[] = {
		{"", "", STV_E_PROTOCOL, "not valid JSON"},
		{"[]", "", STV_E_PROTOCOL, "not an object"},
		{"{}", "", STV_E_PROTOCOL, "schemaVersion is missing"},
		{"{\"schemaVersion\":1}", "", STV_E_PROTOCOL,
		 "schema version 1"},
		{"{\"schemaVersion\":2}", "", STV_E_PROTOCOL,
		 "config is missing"},
		{MANIFEST("\"mediaType\":\"" OCI_MT_MANIFEST "\",", CONFIG, ""),
		 DOCKER_MT_MANIFEST, STV_E_PROTOCOL, "announced"},
		{MANIFEST("\"mediaType\":\"" OCI_MT_INDEX "\",", CONFIG, ""),
		 "", STV_E_PROTOCOL, "belongs here"},
		{MANIFEST("", CONFIG, ""), OCI_MT_INDEX, STV_E_PROTOCOL,
		 "belongs here"},
		{MANIFEST("\"manifests\":[],", CONFIG, ""), "", STV_E_PROTOCOL,
		 "both 'layers' and 'manifests'"},
		{MANIFEST("", "[]", ""), "", STV_E_PROTOCOL,
		 "config is not an object"},
		{MANIFEST("", CONFIG, "7"), "", STV_E_PROTOCOL,
		 "layers[0] is not an object"},
		{MANIFEST("", CONFIG, LAYER ",{}"), "", STV_E_PROTOCOL,
		 "layers[1].mediaType is missing"},
		{MANIFEST("", CONFIG,
			  "{\"mediaType\":\"x\",\"digest\":\"" SHA
			  "\",\"size\":-1}"),
		 "", STV_E_PROTOCOL, "layers[0].size is not a number from 0"},
		{MANIFEST("", CONFIG,
			  "{\"mediaType\":\"x\",\"digest\":\"sha256:../x\","
			  "\"size\":1}"),
		 "", STV_E_DIGEST, "'sha256:../x' is not a digest"},
		{MANIFEST("", CONFIG,
			  "{\"mediaType\":\"x\",\"digest\":\"sha512:" HEX HEX
			  "\",\"size\":1}"),
		 "", STV_E_DIGEST, "is not a digest"},
	};

	return cr_make_param_array(struct manifest_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct manifest_case *c, oci, bad_manifests_are_refused)
{
	struct oci_manifest *m = NULL;
	struct stv_err *err = NULL;

	cr_assert_eq(oci_manifest_parse(c->text, strlen(c->text),
					*c->promised ? c->promised : NULL, &m,
					&err),
		     -1);
	cr_expect_null(m);
	cr_expect_eq(stv_err_code(err), c->code);
	cr_expect_not_null(strstr(stv_err_msg(stv_err_root(err)), c->want),
			   "%s", stv_err_msg(stv_err_root(err)));
	stv_err_free(err);
}

Test(oci, a_manifest_is_read_and_written)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_MT_MANIFEST
		"\",\"config\":" CONFIG ",\"layers\":[" LAYER "," LAYER
		"],\"annotations\":{\"a\":\"1\",\"b\":\"2\"}}";
	stv_auto(oci_manifest) *m = NULL;
	stv_auto_buf b = STV_BUF_INIT(10000);
	struct stv_err *err = NULL;

	cr_assert_eq(oci_manifest_parse(text, strlen(text), OCI_MT_MANIFEST, &m,
					&err),
		     0);
	cr_expect_eq(m->n_layers, 2);
	cr_expect_eq(m->layers[1].size, 7);
	cr_expect_str_eq(m->config.media_type, OCI_MT_CONFIG);
	oci_manifest_write(m, &b);
	cr_expect_str_eq(stv_buf_str(&b), text);
}

Test(oci, a_manifest_without_its_own_type_takes_the_promised_one)
{
	static const char text[] = MANIFEST("", CONFIG, LAYER);
	stv_auto(oci_manifest) *a = NULL, *b = NULL;
	struct stv_err *err = NULL;

	cr_assert_eq(oci_manifest_parse(text, strlen(text), DOCKER_MT_MANIFEST,
					&a, &err),
		     0);
	cr_expect_str_eq(a->media_type, DOCKER_MT_MANIFEST);
	cr_assert_eq(oci_manifest_parse(text, strlen(text), NULL, &b, &err), 0);
	cr_expect_str_eq(b->media_type, OCI_MT_MANIFEST);
}

/* A document with ${n} descriptors in the array ${name}. */
static char *
many(const char *name, size_t n)
{
	struct stv_buf b = STV_BUF_INIT((size_t)32 << 20);

	stv_buf_addf(&b, "{\"schemaVersion\":2,\"config\":%s,\"%s\":[", CONFIG,
		     name);
	for (size_t i = 0; i < n; i++)
		stv_buf_addf(&b, "%s%s", i > 0 ? "," : "", LAYER);
	stv_buf_adds(&b, "]}");
	return stv_buf_take(&b);
}

Test(oci, too_many_layers_and_too_many_manifests)
{
	stv_auto_free char *fits = many("layers", STV_MAX_LAYERS);
	stv_auto_free char *layers = many("layers", STV_MAX_LAYERS + 1);
	stv_auto_free char *manifests =
		many("manifests", STV_MAX_INDEX_ENTRIES + 1);
	stv_auto(oci_manifest) *m = NULL, *m2 = NULL;
	stv_auto(oci_index) *x = NULL;
	struct stv_err *err = NULL;

	cr_expect_eq(oci_manifest_parse(fits, strlen(fits), NULL, &m, &err), 0);
	cr_expect_eq(
		oci_manifest_parse(layers, strlen(layers), NULL, &m2, &err),
		-1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_clear(&err);
	cr_expect_eq(
		oci_index_parse(manifests, strlen(manifests), NULL, &x, &err),
		-1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
}

Test(oci, size_is_checked_before_anything_is_parsed)
{
	size_t n = STV_MAX_CONFIG + 1;
	stv_auto_free char *big = stv_xmalloc(n);
	struct oci_manifest *m = NULL;
	struct oci_config *c = NULL;
	struct oci_index *x = NULL;
	struct stv_err *err = NULL;

	memset(big, '[', n);
	cr_expect_eq(
		oci_manifest_parse(big, STV_MAX_MANIFEST + 1, NULL, &m, &err),
		-1);
	cr_expect_not_null(strstr(stv_err_msg(stv_err_root(err)), "larger"));
	stv_err_clear(&err);
	cr_expect_eq(oci_index_parse(big, STV_MAX_MANIFEST + 1, NULL, &x, &err),
		     -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_clear(&err);
	cr_expect_eq(oci_config_parse(big, n, &c, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	cr_expect_not_null(strstr(stv_err_msg(stv_err_root(err)), "larger"));
	stv_err_free(err);
	cr_expect_eq(oci_is_index(big, n), -1);
}

Test(oci, an_index_is_read_and_written)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_MT_INDEX
		"\",\"manifests\":[{\"mediaType\":\"" OCI_MT_MANIFEST
		"\",\"digest\":\"" SHA
		"\",\"size\":1,\"annotations\":{\"k\":\"v\"},\"platform\":{"
		"\"architecture\":\"arm\",\"os\":\"linux\",\"os.version\":\"1\""
		",\"os.features\":[\"f\"],\"variant\":\"v7\"}}]}";
	stv_auto(oci_index) *x = NULL;
	stv_auto_buf b = STV_BUF_INIT(10000);
	struct oci_descriptor copy = {0};
	struct stv_err *err = NULL;

	cr_assert_eq(oci_index_parse(text, strlen(text), NULL, &x, &err), 0);
	cr_assert_eq(x->n_manifests, 1);
	cr_expect(x->manifests[0].has_platform);
	cr_expect_str_eq(x->manifests[0].platform.variant, "v7");
	oci_index_write(x, &b);
	cr_expect_str_eq(stv_buf_str(&b), text);

	oci_descriptor_copy(&copy, &x->manifests[0]);
	oci_descriptor_fini(&x->manifests[0]);
	x->manifests[0] = copy;
	stv_buf_truncate(&b, 0);
	oci_index_write(x, &b);
	cr_expect_str_eq(stv_buf_str(&b), text, "a copy is whole");
	oci_index_add(x)->media_type = stv_xstrdup("x");
	cr_expect_eq(x->n_manifests, 2);
}

Test(oci, an_index_that_could_be_a_manifest_is_refused)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}";
	struct oci_index *x = NULL;
	struct stv_err *err = NULL;

	cr_assert_eq(oci_index_parse(text, strlen(text), NULL, &x, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_PROTOCOL);
	stv_err_free(err);
}

struct kind_case {
	char text[80];
	int want;
};

ParameterizedTestParameters(oci, a_document_is_one_thing_only)
{
	static struct kind_case cases[] = {
		{"{\"schemaVersion\":2,\"manifests\":[]}", 1},
		{"{\"schemaVersion\":2,\"layers\":[]}", 0},
		{"{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}", -1},
		{"{\"schemaVersion\":2}", -1},
		{"{\"schemaVersion\":1,\"manifests\":[]}", -1},
		{"[]", -1},
		{"nonsense", -1},
	};

	return cr_make_param_array(struct kind_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct kind_case *c, oci, a_document_is_one_thing_only)
{
	cr_expect_eq(oci_is_index(c->text, strlen(c->text)), c->want, "%s",
		     c->text);
}

/* Every member that we know, in the order in which BuildKit writes them. */
static const char whole_config[] =
	"{\"architecture\":\"arm64\",\"author\":\"me\",\"config\":{"
	"\"User\":\"u\",\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}},"
	"\"Env\":[\"B=1\",\"A=2\"],\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"],"
	"\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/w\","
	"\"Labels\":{\"a\":\"\",\"b\":\"<&>\"},\"StopSignal\":\"SIGINT\","
	"\"ArgsEscaped\":true,\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],"
	"\"Interval\":1,\"Timeout\":2,\"StartPeriod\":3,\"StartInterval\":4,"
	"\"Retries\":5},\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/s\",\"-c\"]},"
	"\"created\":\"2024-01-02T03:04:05Z\",\"history\":[{"
	"\"created\":\"2024-01-02T03:04:05Z\",\"created_by\":\"RUN a && b\","
	"\"author\":\"me\",\"comment\":\"c\"},{\"empty_layer\":true}],"
	"\"os\":\"linux\",\"os.features\":[\"f\"],\"os.version\":\"1\","
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\"]},"
	"\"variant\":\"v9\"}";

Test(oci, a_config_is_read_and_written)
{
	stv_auto(oci_config) *c = NULL, *copy = NULL;
	stv_auto_buf b = STV_BUF_INIT(10000);
	struct stv_err *err = NULL;

	cr_assert_eq(
		oci_config_parse(whole_config, strlen(whole_config), &c, &err),
		0, "%s", err ? stv_err_msg(stv_err_root(err)) : "");
	cr_expect(c->config.has_cmd);
	cr_expect(c->config.has_healthcheck);
	cr_expect_eq(c->config.healthcheck.start_interval_ns, 4);
	cr_expect_eq(c->n_history, 2);
	cr_expect(c->history[1].is_empty_layer);
	oci_config_write(c, &b);
	cr_expect_str_eq(stv_buf_str(&b), whole_config);

	copy = oci_config_copy(c);
	stv_buf_truncate(&b, 0);
	oci_config_write(copy, &b);
	cr_expect_str_eq(stv_buf_str(&b), whole_config, "a copy is whole");
}

Test(oci, order_of_sets_and_labels_does_not_matter)
{
	static const char text[] =
		"{\"config\":{\"Labels\":{\"z\":\"1\",\"a\":null},"
		"\"Volumes\":{\"/z\":{},\"/a\":{}},\"User\":\"\","
		"\"Cmd\":[],\"Entrypoint\":null,\"Unknown\":1},"
		"\"history\":null," ROOTFS "}";
	stv_auto(oci_config) *c = NULL;
	stv_auto_buf b = STV_BUF_INIT(10000);
	struct stv_err *err = NULL;

	cr_assert_eq(oci_config_parse(text, strlen(text), &c, &err), 0);
	cr_expect(c->config.has_cmd, "empty is not absent");
	cr_expect_not(c->config.has_entrypoint);
	cr_expect_null(c->config.user);
	cr_expect_str_eq(c->config.volumes.v[0], "/a");
	oci_runconfig_write(&c->config, &b);
	cr_expect_str_eq(stv_buf_str(&b),
			 "{\"Volumes\":{\"/a\":{},\"/z\":{}},"
			 "\"Labels\":{\"a\":\"\",\"z\":\"1\"}}");
}

Test(oci, sets_are_written_sorted)
{
	struct oci_runconfig c = {0};
	stv_auto_buf b = STV_BUF_INIT(1000);

	stv_strs_add(&c.exposed_ports, "9/tcp");
	stv_strs_add(&c.exposed_ports, "10/tcp");
	oci_runconfig_write(&c, &b);
	cr_expect_str_eq(stv_buf_str(&b),
			 "{\"ExposedPorts\":{\"10/tcp\":{},\"9/tcp\":{}}}");
	oci_runconfig_fini(&c);
}

Test(oci, a_copy_keeps_what_is_not_written)
{
	struct oci_runconfig c = {.has_entrypoint = true,
				  .has_cmd = true,
				  .has_shell = true},
			     copy = {0};

	oci_runconfig_copy(&copy, &c);
	cr_expect(copy.has_entrypoint);
	cr_expect(copy.has_cmd);
	cr_expect(copy.has_shell);
	cr_expect_not(copy.has_healthcheck);
	oci_runconfig_fini(&copy);
}

Test(oci, an_empty_config_is_short)
{
	struct oci_config c = {0};
	stv_auto_buf b = STV_BUF_INIT(1000);

	oci_config_write(&c, &b);
	cr_expect_str_eq(stv_buf_str(&b),
			 "{\"architecture\":\"\",\"config\":{},\"os\":\"\","
			 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}");
}

Test(oci, bytes_that_are_no_utf8_do_no_harm)
{
	struct oci_runconfig c = {0};
	stv_auto_buf b = STV_BUF_INIT(1000);

	stv_pairs_set(&c.labels, "\xff", "\xfe");
	stv_strs_add(&c.volumes, "/\xff");
	oci_runconfig_write(&c, &b);
	cr_expect_str_eq(stv_buf_str(&b),
			 "{\"Volumes\":{\"/\xef\xbf\xbd\":{}},"
			 "\"Labels\":{\"\xef\xbf\xbd\":\"\xef\xbf\xbd\"}}");
	oci_runconfig_fini(&c);
}

struct config_case {
	char text[256];
	char want[64];
};

ParameterizedTestParameters(oci, bad_configs_are_refused)
{
	static struct config_case cases[] = {
		{"[]", "config is not an object"},
		{"{}", "rootfs is missing"},
		{"{\"rootfs\":{}}", "rootfs.type is missing"},
		{"{\"rootfs\":{\"type\":\"x\"}}", "not 'layers'"},
		{"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}",
		 "rootfs.diff_ids[0] is not a string"},
		{"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}",
		 "'x' is not a digest"},
		{"{\"config\":[]," ROOTFS "}", "config is not an object"},
		{"{\"config\":{\"Env\":[1]}," ROOTFS "}",
		 "config.Env[0] is not a string"},
		{"{\"config\":{\"Labels\":{\"a\":1}}," ROOTFS "}",
		 "a value in config.Labels is not a string"},
		{"{\"config\":{\"Volumes\":[]}," ROOTFS "}",
		 "config.Volumes is not an object"},
		{"{\"config\":{\"Healthcheck\":{\"Retries\":-1}}," ROOTFS "}",
		 "config.Healthcheck.Retries is not a number"},
		{"{\"config\":{\"Healthcheck\":{\"Timeout\":\"1s\"}}," ROOTFS
		 "}",
		 "config.Healthcheck.Timeout is not a number"},
		{"{\"history\":[7]," ROOTFS "}", "history[0] is not an object"},
		{"{\"history\":[{},{\"author\":1}]," ROOTFS "}",
		 "history[1].author is not a string"},
		{"{\"os\":1," ROOTFS "}", "os is not a string"},
	};

	return cr_make_param_array(struct config_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct config_case *c, oci, bad_configs_are_refused)
{
	struct oci_config *config = NULL;
	struct stv_err *err = NULL;

	cr_assert_eq(oci_config_parse(c->text, strlen(c->text), &config, &err),
		     -1);
	cr_expect_not_null(strstr(stv_err_msg(stv_err_root(err)), c->want),
			   "%s", stv_err_msg(stv_err_root(err)));
	stv_err_free(err);
}

Test(oci, more_layers_than_moby_allows_are_refused)
{
	stv_auto_buf b = STV_BUF_INIT(100000);
	struct oci_config *c = NULL;
	struct stv_err *err = NULL;

	stv_buf_adds(&b, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
	for (int i = 0; i <= STV_MAX_LAYERS; i++)
		stv_buf_addf(&b, "%s\"" SHA "\"", i > 0 ? "," : "");
	stv_buf_adds(&b, "]}}");
	cr_assert_eq(oci_config_parse(stv_buf_str(&b), b.len, &c, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_free(err);
}

Test(oci, history_and_layers_are_added)
{
	stv_auto(oci_config) *c = stv_xcalloc(1, sizeof(*c));
	struct stv_digest d = stv_digest_of("x", 1);
	stv_auto_buf b = STV_BUF_INIT(1000);

	oci_config_add_diff_id(c, &d);
	oci_config_add_diff_id(c, &d);
	oci_config_add_history(c)->created_by = stv_xstrdup("a");
	oci_config_add_history(c)->is_empty_layer = true;
	cr_expect_eq(c->n_diff_ids, 2);
	cr_expect(stv_digest_equal(&c->diff_ids[1], &d));
	cr_expect_eq(c->n_history, 2);
	cr_expect_str_eq(c->history[0].created_by, "a");
	cr_expect_null(c->history[1].created_by);
}

Test(oci, chain_id_as_the_specification_says)
{
	struct stv_digest a = stv_digest_of("a", 1), b = stv_digest_of("b", 1);
	struct stv_digest chain = oci_chain_id(NULL, &a), want;
	char text[160], sa[STV_DIGEST_STR_MAX], sb[STV_DIGEST_STR_MAX];

	cr_expect(stv_digest_equal(&chain, &a));
	(void)snprintf(text, sizeof(text), "%s %s", stv_digest_str(&a, sa),
		       stv_digest_str(&b, sb));
	want = stv_digest_of(text, strlen(text));
	chain = oci_chain_id(&a, &b);
	cr_expect(stv_digest_equal(&chain, &want));
}

struct time_case {
	int64_t seconds;
	uint32_t ns;
	char want[40];
};

ParameterizedTestParameters(oci, times_as_go_prints_them)
{
	static struct time_case cases[] = {
		{0, 0, "1970-01-01T00:00:00Z"},
		{1700000000, 120000000, "2023-11-14T22:13:20.12Z"},
		{1700000000, 1, "2023-11-14T22:13:20.000000001Z"},
		{951782400, 0, "2000-02-29T00:00:00Z"},
		{-1, 999999999, "1969-12-31T23:59:59.999999999Z"},
		{4102444800, 0, "2100-01-01T00:00:00Z"},
		{INT64_MAX, 0, "9999-12-31T23:59:59Z"},
		{INT64_MIN, 0, "0000-01-01T00:00:00Z"},
	};

	return cr_make_param_array(struct time_case, cases,
				   STV_ARRAY_LEN(cases));
}

ParameterizedTest(struct time_case *c, oci, times_as_go_prints_them)
{
	stv_auto_free char *s = oci_time(c->seconds, c->ns);

	cr_expect_str_eq(s, c->want);
}

/* The number of the line that is chosen for ${want}, or -1. */
static int
choose(const char *const *platforms, size_t n, const char *want)
{
	stv_auto(oci_index) *x = stv_xcalloc(1, sizeof(*x));
	const struct oci_descriptor *d;
	struct stv_platform p = {0};
	struct stv_err *err = NULL;
	int at;

	for (size_t i = 0; i < n; i++) {
		struct oci_descriptor *line = oci_index_add(x);

		if (platforms[i] == NULL)
			continue;
		line->has_platform = true;
		cr_assert_eq(
			stv_platform_parse(platforms[i], &line->platform, &err),
			0);
	}
	cr_assert_eq(stv_platform_parse(want, &p, &err), 0);
	d = oci_index_choose(x, &p);
	at = d == NULL ? -1 : (int)(d - x->manifests);
	stv_platform_fini(&p);
	return at;
}

Test(oci, the_best_line_of_an_index_is_chosen)
{
	static const char *const arm[] = {"linux/arm/v5", "linux/arm/v7",
					  "linux/arm/v6", "linux/amd64"};
	static const char *const unnamed[] = {NULL, "linux/amd64", NULL};

	cr_expect_eq(choose(arm, 4, "linux/arm/v7"), 1);
	cr_expect_eq(choose(arm, 4, "linux/arm/v6"), 2);
	cr_expect_eq(choose(arm, 4, "linux/arm64"), -1);
	cr_expect_eq(choose(unnamed, 3, "linux/amd64"), 1);
	cr_expect_eq(choose(unnamed, 3, "linux/arm64"), 0);
}
