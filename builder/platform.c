/* builder/platform.c - which image of an index is meant, and what one is for.
 */
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/oci.h"
#include "core/stream.h"

#include "registry/client.h"

#include "builder/platform.h"

/* "linux/amd64, linux/arm64": what an index offers. */
static char *
list_platforms(const struct oci_index *x)
{
	struct stv_buf b = STV_BUF_INIT((size_t)2048);

	for (size_t i = 0; i < x->n_manifests; i++) {
		stv_auto_free char *one = NULL;

		if (!x->manifests[i].has_platform ||
		    oci_is_attachment(&x->manifests[i]))
			continue;
		one = stv_platform_str(&x->manifests[i].platform);
		stv_buf_addf(&b, "%s%s", b.len == 0 ? "" : ", ", one);
	}
	return stv_buf_take(&b);
}

const struct oci_descriptor *
bld_platform_choose(const struct oci_index *x, const struct stv_platform *want,
		    struct stv_err **err)
{
	stv_auto_free char *wanted = NULL, *have = NULL;
	const struct oci_descriptor *d = oci_index_choose(x, want);

	if (d != NULL)
		return d;
	wanted = stv_platform_str(want);
	have = list_platforms(x);
	(void)stv_fail(err, STV_E_NOT_FOUND, "the image has nothing for %s%s%s",
		       wanted, *have != '\0' ? ", but for: " : " and no other",
		       have);
	return NULL;
}

int
bld_platform_fetch(struct reg_client *c, const struct reg_ref *ref,
		   const struct oci_manifest *m, struct stv_platform *ret,
		   struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);
	stv_auto(stv_sink) *sink = stv_sink_buf(&text, "the config");
	stv_auto(oci_config) *config = NULL;
	stv_auto(stv_in) *in = NULL;

	if (strcmp(m->config.media_type, OCI_MT_CONFIG) != 0 &&
	    strcmp(m->config.media_type, DOCKER_MT_CONFIG) != 0)
		return 0;
	if (reg_client_blob(c, ref, &m->config.digest, m->config.size, &in,
			    err) < 0 ||
	    stv_copy(in, sink, NULL, err) < 0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, &config, err) < 0)
		return -1;
	stv_platform_copy(ret, &config->platform);
	return 1;
}
