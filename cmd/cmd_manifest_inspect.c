/* cmd/cmd_manifest_inspect.c - stave manifest inspect: what a name stands for
 * in a registry, or in a manifest list that is here. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"

#include "builder/manifest_list.h"
#include "builder/platform.h"
#include "cache/blob.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/manifest.h"
#include "cmd/opts.h"
#include "cmd/registry.h"
#include "cmd/verbs.h"

struct inspect_values {
	const char *authfile;
	bool is_insecure;
	bool is_verbose;
};

static const struct cmd_opt opts[] = {
	CMD_STR("authfile", 0, "FILE", struct inspect_values, authfile,
		"where credentials are kept"),
	CMD_FLAG("insecure", 0, struct inspect_values, is_insecure,
		 "refused: registries.conf says it"),
	CMD_FLAG("verbose", 'v', struct inspect_values, is_verbose,
		 "each manifest, with its descriptor"),
	CMD_OPT_END,
};

struct inspection {
	struct cas_store *store; /* NULL: there is none */
	struct reg_client *client;
	const struct reg_ref *ref;
};

/* Docker indents by three.  What comes from outside stays inert on a terminal
 * (THREATS D16): JSON escapes the C0 controls only. */
static void
print_json(const json_t *v)
{
	size_t flags = JSON_INDENT(3);
	stv_auto_free char *text = NULL;

	if (isatty(STDOUT_FILENO))
		flags |= JSON_ENSURE_ASCII;
	text = json_dumps(v, flags);

	if (text == NULL)
		STV_BUG("JSON cannot be written");
	puts(text);
}

static json_t *
descriptor_of(const struct reg_manifest *m, const char *media_type)
{
	char digest[STV_DIGEST_STR_MAX];

	return json_pack("{s:s,s:s,s:I}", "mediaType", media_type, "digest",
			 stv_digest_str(&m->digest, digest), "size",
			 (json_int_t)m->len);
}

static void
set_platform(json_t *descriptor, const struct stv_platform *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "architecture",
			    stv_json_str(p->arch != NULL ? p->arch : ""));
	json_object_set_new(o, "os", stv_json_str(p->os != NULL ? p->os : ""));
	if (p->os_version != NULL)
		json_object_set_new(o, "os.version",
				    stv_json_str(p->os_version));
	if (p->os_features.len > 0)
		json_object_set_new(o, "os.features",
				    stv_json_from_strs(&p->os_features));
	if (p->variant != NULL)
		json_object_set_new(o, "variant", stv_json_str(p->variant));
	json_object_set_new(descriptor, "platform", o);
}

/*
 * What docker shows of one manifest.  Takes: ${descriptor}, ${doc}.
 * Owns: the caller.
 */
static json_t *
entry(const char *repo, json_t *descriptor, const struct reg_manifest *m,
      json_t *doc)
{
	char digest[STV_DIGEST_STR_MAX];
	stv_auto_free char *name = stv_xasprintf(
		"%s@%s", repo, stv_digest_str(&m->digest, digest));
	const char *type =
		json_string_value(json_object_get(descriptor, "mediaType"));
	json_t *o = json_object();

	json_object_set_new(o, "Ref", stv_json_str(name));
	json_object_set_new(o, "Descriptor", descriptor);
	json_object_set_new(o, "Raw", stv_json_base64(m->text, m->len));
	json_object_set_new(o,
			    type != NULL && strcmp(type, DOCKER_MT_MANIFEST) ==
						    0
				    ? "SchemaV2Manifest"
				    : "OCIManifest",
			    doc);
	return o;
}

/* The bytes of an entry, from where it is. */
static int
read_entry(const struct inspection *in, const struct oci_descriptor *d,
	   const char *from, struct reg_manifest *ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	reg_auto_ref ref = {0};

	if (from != NULL)
		return reg_ref_parse(from, &ref, err) < 0
			       ? -1
			       : reg_client_manifest(in->client, &ref,
						     &d->digest, ret, err);
	if (cas_blob_read(in->store, &d->digest, STV_MAX_MANIFEST, &text, err) <
	    0)
		return -1;
	ret->digest = d->digest;
	ret->len = text.len;
	ret->text = stv_buf_take(&text);
	return 0;
}

static int
add_entry(const struct inspection *in, const struct oci_descriptor *d,
	  const char *from, json_t *shown, json_t *ret, struct stv_err **err)
{
	stv_auto_free char *repo =
		stv_xasprintf("%s/%s", in->ref->domain, in->ref->path);
	struct reg_manifest m = {0};
	json_t *doc = NULL;

	if (read_entry(in, d, from, &m, err) == 0)
		doc = stv_json_parse(m.text, m.len, "manifest", err);
	if (doc != NULL)
		json_array_append_new(ret, entry(from != NULL ? from : repo,
						 json_incref(shown), &m, doc));
	reg_manifest_fini(&m);
	return doc == NULL ? -1 : 0;
}

/* All entries of an index; ${list}: that of the store, or NULL. */
static int
print_entries(const struct inspection *in, const char *text, size_t len,
	      const struct oci_index *list, struct stv_err **err)
{
	stv_auto_free char *repo =
		stv_xasprintf("%s/%s", in->ref->domain, in->ref->path);
	json_t *doc = stv_json_parse(text, len, "index", err);
	json_t *all = json_array();
	stv_auto(oci_index) *x = NULL;
	int rc = doc == NULL ? -1 : oci_index_parse(text, len, NULL, &x, err);

	for (size_t i = 0; rc == 0 && i < x->n_manifests; i++)
		rc = add_entry(
			in, &x->manifests[i],
			list == NULL ? repo
				     : bld_list_from(&list->manifests[i]),
			json_array_get(json_object_get(doc, "manifests"), i),
			all, err);
	if (rc == 0)
		print_json(all);
	json_decref(all);
	json_decref(doc);
	return rc;
}

/* One manifest, whose platform its config tells. */
static int
print_entry(const struct inspection *in, const struct reg_manifest *m,
	    struct stv_err **err)
{
	stv_auto_free char *repo =
		stv_xasprintf("%s/%s", in->ref->domain, in->ref->path);
	struct stv_platform platform = {.os = NULL};
	stv_auto(oci_manifest) *parsed = NULL;
	json_t *descriptor, *doc, *o;
	int r;

	if (oci_manifest_parse(m->text, m->len, m->media_type, &parsed, err) <
	    0)
		return -1;
	r = bld_platform_fetch(in->client, in->ref, parsed, &platform, err);
	doc = r < 0 ? NULL : stv_json_parse(m->text, m->len, "manifest", err);
	if (doc != NULL) {
		descriptor = descriptor_of(m, parsed->media_type);
		if (r == 1)
			set_platform(descriptor, &platform);
		o = entry(repo, descriptor, m, doc);
		print_json(o);
		json_decref(o);
	}
	stv_platform_fini(&platform);
	return doc == NULL ? -1 : 0;
}

static int
print_document(const char *text, size_t len, struct stv_err **err)
{
	json_t *doc = stv_json_parse(text, len, "manifest", err);

	if (doc == NULL)
		return -1;
	print_json(doc);
	json_decref(doc);
	return 0;
}

static int
inspect_remote(const struct inspection *in, bool is_verbose,
	       struct stv_err **err)
{
	struct reg_manifest m = {0};
	int rc = reg_client_manifest(in->client, in->ref, NULL, &m, err);

	if (rc == 0 && !is_verbose)
		rc = print_document(m.text, m.len, err);
	else if (rc == 0 && oci_is_index(m.text, m.len) == 1)
		rc = print_entries(in, m.text, m.len, NULL, err);
	else if (rc == 0)
		rc = print_entry(in, &m, err);
	reg_manifest_fini(&m);
	return rc;
}

static int
inspect_list(const struct inspection *in, const struct oci_index *list,
	     bool is_verbose, struct stv_err **err)
{
	stv_auto(oci_index) *x = bld_list_index(list);
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_LIST);

	oci_index_write(x, &text);
	if (stv_buf_check(&text, "the index", err) < 0)
		return -1;
	return is_verbose ? print_entries(in, stv_buf_str(&text), text.len,
					  list, err)
			  : print_document(stv_buf_str(&text), text.len, err);
}

static int
inspect(struct cmd_ctx *cx, const struct inspect_values *o, const char *text,
	struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	stv_auto(oci_index) *list = NULL;
	cmd_auto_registry registry = {0};
	stv_auto_free char *tag = NULL;
	reg_auto_ref ref = {0};
	struct inspection in = {.ref = &ref};
	int r = cmd_registry_ref(text, &ref, err);

	if (r < 0 || cmd_registry_open(o->authfile, &registry, err) < 0)
		return -1;
	in.client = registry.client;
	if (r == 0 && !ref.has_digest) {
		tag = reg_ref_tagged(&ref);
		r = cmd_store_look(cx, &store, err);
		if (r == 0 && store != NULL)
			r = bld_list_get(store, tag, &list, err);
		if (r < 0)
			return -1;
		in.store = store;
	}
	stv_cancel_catch(true);
	r = list != NULL ? inspect_list(&in, list, o->is_verbose, err)
			 : inspect_remote(&in, o->is_verbose, err);
	return stv_cancel_end(r, err);
}

static int
inspect_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct inspect_values o = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_manifest_inspect, argc, argv, &o, &n,
			    err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_manifest_refuse_insecure(o.is_insecure, err) < 0)
		return -1;
	if (inspect(cx, &o, argv[1], err) < 0)
		return stv_wrap(err, "inspecting %s", argv[1]);
	return CMD_DONE;
}

const struct cmd_verb cmd_verb_manifest_inspect = {
	.name = "manifest inspect",
	.args = "IMAGE",
	.summary = "Show what a name stands for in a registry",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.run = inspect_run,
};
