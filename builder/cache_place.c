/* builder/cache_place.c - a cache that lies in a repository of a registry. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/oci.h"

#include "registry/client.h"
#include "registry/ref.h"

#include "builder/cache_place.h"

struct repository {
	struct bld_cache_place base;
	struct reg_client *client;
	struct reg_ref ref;
	char *from;
};

/* The repository at another tag, or at a digest. */
static int
ref_at(const struct repository *r, const char *tag, struct reg_ref *ret,
       struct stv_err **err)
{
	bool is_digest = strchr(tag, ':') != NULL;

	*ret = (struct reg_ref){.domain = r->ref.domain,
				.path = r->ref.path,
				.tag = is_digest ? NULL
						 : (char *)(uintptr_t)tag,
				.has_digest = is_digest};
	return is_digest ? stv_digest_parse(tag, &ret->digest, err) : 0;
}

static int
get_manifest(struct bld_cache_place *p, const char *tag, struct stv_buf *ret,
	     struct stv_err **err)
{
	struct repository *r = (struct repository *)p;
	struct reg_manifest m = {0};
	struct reg_ref ref;

	if (ref_at(r, tag, &ref, err) < 0)
		return -1;
	if (reg_client_manifest(r->client, &ref, NULL, &m, err) < 0) {
		if (stv_err_code(*err) != STV_E_NOT_FOUND)
			return -1;
		stv_err_clear(err);
		return 0;
	}
	stv_buf_add(ret, m.text, m.len);
	reg_manifest_fini(&m);
	return 1;
}

static int
get_blob(struct bld_cache_place *p, const struct oci_descriptor *d,
	 struct stv_in **ret, struct stv_err **err)
{
	struct repository *r = (struct repository *)p;

	return reg_client_blob(r->client, &r->ref, &d->digest, d->size, ret,
			       err);
}

static int
put_blob(struct bld_cache_place *p, const struct bld_cache_blob *b,
	 uint64_t *ret_sent, struct stv_err **err)
{
	struct repository *r = (struct repository *)p;
	struct reg_upload u = {.fd = b->fd,
			       .size = b->size,
			       .digest = b->digest,
			       .from = r->from};
	enum reg_uploaded how;

	return reg_client_put_blob(r->client, &r->ref, &u, &how, ret_sent, err);
}

static int
put_manifest(struct bld_cache_place *p, const char *tag, const char *text,
	     size_t n, struct stv_err **err)
{
	struct repository *r = (struct repository *)p;

	return reg_client_put_manifest(r->client, &r->ref, tag, OCI_MT_MANIFEST,
				       text, n, err);
}

static int
get_tags(struct bld_cache_place *p, struct stv_strs *ret, struct stv_err **err)
{
	struct repository *r = (struct repository *)p;

	if (reg_client_tags(r->client, &r->ref, ret, err) == 0)
		return 0;
	if (stv_err_code(*err) != STV_E_NOT_FOUND)
		return -1;
	stv_err_clear(err);
	return 0;
}

static void
close_repository(struct bld_cache_place *p)
{
	struct repository *r = (struct repository *)p;

	reg_ref_fini(&r->ref);
	free(r->from);
	free(r);
}

struct bld_cache_place *
bld_cache_place_registry(struct reg_client *client, const struct reg_ref *ref,
			 const char *from)
{
	struct repository *r = stv_xcalloc(1, sizeof(*r));

	r->base = (struct bld_cache_place){
		.name = reg_ref_familiar(ref),
		.tag = stv_xstrdup(ref->tag != NULL ? ref->tag
						    : REG_DEFAULT_TAG),
		.is_shared = true,
		.manifest = get_manifest,
		.blob = get_blob,
		.put_blob = put_blob,
		.put_manifest = put_manifest,
		.tags = get_tags,
		.close = close_repository,
	};
	r->client = client;
	r->ref = (struct reg_ref){.domain = stv_xstrdup(ref->domain),
				  .path = stv_xstrdup(ref->path)};
	/* From itself nothing is mounted. */
	if (from != NULL && strcmp(from, ref->path) != 0)
		r->from = stv_xstrdup(from);
	return &r->base;
}

void
bld_cache_place_close(struct bld_cache_place *p)
{
	if (p == NULL)
		return;
	free(p->name);
	free(p->tag);
	p->close(p);
}
