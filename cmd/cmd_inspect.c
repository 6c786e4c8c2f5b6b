/* cmd/cmd_inspect.c - stave inspect: all about an image, as docker says it. */
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/strs.h"

#include "cache/meta.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/format.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct inspect_values {
	const char *format;
	const char *platform;
	const char *type;
};

static const struct cmd_opt opts[] = {
	CMD_STR("format", 'f', "FORMAT", struct inspect_values, format,
		"json, or a text with {{.Field.Sub}}, {{json .Field}}, "
		"{{index .Field 0}}"),
	CMD_STR("type", 0, "TYPE", struct inspect_values, type,
		"only \"image\" is known here"),
	CMD_STR("platform", 0, "OS/ARCH", struct inspect_values, platform,
		"the image for this platform"),
	CMD_LATER("size", 's'),
	CMD_OPT_END,
};

/* The member of the image's own config, or what docker shows without it. */
static void
copy_or(json_t *to, const char *name, const json_t *from, json_t *otherwise)
{
	json_t *v = json_object_get(from, name);

	if (v == NULL) {
		json_object_set_new(to, name, otherwise);
		return;
	}
	json_object_set(to, name, v);
	json_decref(otherwise);
}

/* The config's "config" with the members that docker always shows. */
static json_t *
run_config(const json_t *config)
{
	json_t *from = json_object_get(config, "config"), *v = json_object();

	copy_or(v, "User", from, json_string(""));
	copy_or(v, "Env", from, json_null());
	copy_or(v, "Cmd", from, json_null());
	copy_or(v, "Volumes", from, json_null());
	copy_or(v, "WorkingDir", from, json_string(""));
	copy_or(v, "Entrypoint", from, json_null());
	copy_or(v, "OnBuild", from, json_null());
	copy_or(v, "Labels", from, json_null());
	json_object_update_missing(v, from);
	return v;
}

/* The last comment of the history, which "import -m" and "commit" set. */
static json_t *
comment(const json_t *config)
{
	json_t *lines = json_object_get(config, "history");
	json_t *last = json_array_get(lines, json_array_size(lines) - 1);
	json_t *text = json_object_get(last, "comment");

	return text != NULL ? json_incref(text) : json_string("");
}

/* RepoTags and RepoDigests. */
static int
add_names(json_t *v, struct cas_store *s, const struct cas_image *img,
	  struct stv_err **err)
{
	json_t *names = json_array(), *digests = json_array();
	char d[STV_DIGEST_STR_MAX];
	struct stv_strs tags = {0}, repos = {0};
	int rc;

	json_object_set_new(v, "RepoTags", names);
	json_object_set_new(v, "RepoDigests", digests);
	rc = cas_image_tags(s, &img->manifest, &tags, err);
	stv_digest_str(&img->manifest, d);
	for (size_t i = 0; i < tags.len && rc == 0; i++) {
		stv_auto_free char *repo = NULL, *name = NULL;
		reg_auto_ref ref = {0};

		rc = reg_ref_parse(tags.v[i], &ref, err);
		if (rc < 0)
			break;
		name = reg_ref_familiar(&ref);
		repo = reg_ref_familiar_repo(&ref);
		json_array_append_new(names, stv_json_str(name));
		if (!stv_strs_has(&repos, repo)) {
			stv_auto_free char *full =
				stv_xasprintf("%s@%s", repo, d);

			json_array_append_new(digests, stv_json_str(full));
			stv_strs_add(&repos, repo);
		}
	}
	stv_strs_clear(&tags);
	stv_strs_clear(&repos);
	return rc;
}

static json_t *
root_fs(const json_t *config)
{
	json_t *ids =
		json_object_get(json_object_get(config, "rootfs"), "diff_ids");

	return json_pack("{s:s,s:O?}", "Type", "layers", "Layers", ids);
}

static int
describe(struct cas_store *s, const struct cas_image *img, json_t **ret,
	 struct stv_err **err)
{
	char d[STV_DIGEST_STR_MAX];
	json_t *config = cmd_image_raw_config(s, img, err), *v;

	if (config == NULL)
		return -1;
	v = json_object();
	json_object_set_new(v, "Id",
			    json_string(stv_digest_str(&img->config, d)));
	if (add_names(v, s, img, err) < 0) {
		json_decref(v);
		json_decref(config);
		return -1;
	}
	json_object_set_new(v, "Parent", json_string(""));
	json_object_set_new(v, "Comment", comment(config));
	copy_or(v, "created", config, json_string(""));
	json_object_set(v, "Created", json_object_get(v, "created"));
	json_object_del(v, "created");
	json_object_set_new(v, "DockerVersion", json_string(""));
	copy_or(v, "author", config, json_string(""));
	json_object_set(v, "Author", json_object_get(v, "author"));
	json_object_del(v, "author");
	json_object_set_new(v, "Config", run_config(config));
	json_object_set(v, "Architecture",
			json_object_get(config, "architecture"));
	if (json_object_get(config, "variant") != NULL)
		json_object_set(v, "Variant",
				json_object_get(config, "variant"));
	json_object_set(v, "Os", json_object_get(config, "os"));
	json_object_set_new(v, "Size", json_integer((json_int_t)img->size));
	json_object_set_new(v, "RootFS", root_fs(config));
	json_object_set_new(v, "Digest",
			    json_string(stv_digest_str(&img->manifest, d)));
	json_decref(config);
	*ret = v;
	return 0;
}

/* Indented, as docker prints it: scripts read it with anything. */
static void
print_all(const json_t *found)
{
	stv_auto_free char *text = json_dumps(found, JSON_INDENT(4));

	if (json_array_size(found) == 0)
		puts("[]");
	else if (text != NULL)
		puts(text);
}

static int
inspect_all(struct cas_store *s, const struct inspect_values *o, char **names,
	    int n, struct stv_err **err)
{
	json_t *found = json_array();
	int status = CMD_DONE;

	for (int i = 0; i < n; i++) {
		struct stv_err *missing = NULL;
		struct cas_image img;
		json_t *v;

		if (cmd_image_find(s, names[i], &img, NULL, &missing) < 0 ||
		    cmd_image_for(s, names[i], o->platform, &img, &missing) <
			    0 ||
		    describe(s, &img, &v, &missing) < 0) {
			cmd_print_error(missing, NULL);
			status = cmd_exit_status(missing);
			stv_err_free(missing);
			continue;
		}
		json_array_append_new(found, v);
		if (o->format != NULL &&
		    cmd_format_print(o->format, v, err) < 0) {
			json_decref(found);
			return -1;
		}
	}
	if (o->format == NULL)
		print_all(found);
	json_decref(found);
	return status;
}

static int
inspect_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	struct inspect_values o = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_inspect, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (o.type != NULL && strcmp(o.type, "image") != 0)
		return stv_fail(err, STV_E_USAGE,
				"there are only images here, no '%s'", o.type);
	if (cmd_store_look(cx, &store, err) < 0)
		return -1;
	return inspect_all(store, &o, argv + 1, n, err);
}

const struct cmd_verb cmd_verb_inspect = {
	.name = "inspect",
	.args = "IMAGE [IMAGE...]",
	.summary = "Show all about images as JSON",
	.opts = opts,
	.min_args = 1,
	.max_args = CMD_ANY_NUMBER,
	.run = inspect_run,
};
