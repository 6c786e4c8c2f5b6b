/* cmd/cmd_images.c - stave images: the images of the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cache/meta.h"
#include "cache/store.h"
#include "registry/ref.h"

#include "cmd/ctx.h"
#include "cmd/figures.h"
#include "cmd/filter.h"
#include "cmd/format.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/table.h"
#include "cmd/verbs.h"

struct images_values {
	struct stv_strs filters;
	const char *format;
	bool is_all;
	bool has_digests;
	bool is_full;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_FLAG("all", 'a', struct images_values, is_all,
		 "all images (there are no hidden ones)"),
	CMD_FLAG("digests", 0, struct images_values, has_digests,
		 "show the manifests' digests"),
	CMD_LIST("filter", 'f', "NAME=VALUE", struct images_values, filters,
		 "only images that match"),
	CMD_STR("format", 0, "FORMAT", struct images_values, format,
		"json, table, or a text with {{.Field}}"),
	CMD_FLAG("no-trunc", 0, struct images_values, is_full,
		 "show whole IDs"),
	CMD_FLAG("quiet", 'q', struct images_values, is_quiet,
		 "only image IDs"),
	CMD_LATER("tree", 0),
	CMD_OPT_END,
};

struct row {
	json_t *fields;
	int64_t created_s;
	size_t order; /* as the store gave them: keeps the sort stable */
};

struct listing {
	struct cas_store *store;
	struct cmd_filter filter;
	const struct images_values *o;
	STV_VEC(struct row) rows;
	struct stv_err **err;
};

static void
add_row(struct listing *l, const struct cas_image *img,
	const struct oci_config *c, const char *repo, const char *tag,
	const char *platforms)
{
	char id[STV_DIGEST_STR_MAX], digest[STV_DIGEST_STR_MAX];
	char size[CMD_SIZE_MAX], ago[CMD_SIZE_MAX];
	struct row *r = stv_vec_push(&l->rows);
	json_t *v = r->fields = json_object();
	stv_auto_free char *since = NULL, *at = NULL;

	r->created_s = cmd_created(c);
	r->order = l->rows.len;
	since = r->created_s == 0
			? stv_xstrdup("N/A")
			: stv_xasprintf("%s ago",
					cmd_ago_str((int64_t)time(NULL) -
							    r->created_s,
						    ago));
	at = c->created != NULL ? oci_time(r->created_s, 0)
				: stv_xstrdup("N/A");
	json_object_set_new(v, "CreatedAt", json_string(at));
	json_object_set_new(v, "CreatedSince", json_string(since));
	json_object_set_new(
		v, "Digest",
		json_string(stv_digest_str(&img->manifest, digest)));
	json_object_set_new(
		v, "ID",
		json_string(cmd_id_str(&img->config, l->o->is_full, id)));
	json_object_set_new(v, "Platforms", stv_json_str(platforms));
	json_object_set_new(v, "Repository", stv_json_str(repo));
	json_object_set_new(v, "Size",
			    json_string(cmd_size_str(img->size, 3, size)));
	json_object_set_new(v, "Tag", stv_json_str(tag));
}

/* The manifests are not read for a list that does not show it. */
static bool
wants_platforms(const struct images_values *o)
{
	return o->format != NULL && (strstr(o->format, "json") != NULL ||
				     strstr(o->format, "Platforms") != NULL);
}

/* One row a tag; the image alone where it has none. */
static int
on_image(void *arg, const struct cas_image *img)
{
	struct listing *l = arg;
	stv_auto(oci_config) *c = NULL;
	stv_auto_free char *platforms =
		wants_platforms(l->o)
			? cmd_image_platforms(l->store, img, NULL, l->err)
			: stv_xstrdup("");
	struct stv_strs tags = {0};
	int rc = -1;

	if (platforms == NULL ||
	    cmd_image_config(l->store, img, &c, l->err) < 0 ||
	    cas_image_tags(l->store, &img->manifest, &tags, l->err) < 0)
		goto out;
	rc = 0;
	if (!cmd_filter_image(&l->filter, c, tags.len == 0))
		goto out;
	for (size_t i = 0; i < tags.len; i++) {
		reg_auto_ref ref = {0};
		stv_auto_free char *repo = NULL, *name = NULL;

		rc = reg_ref_parse(tags.v[i], &ref, l->err);
		if (rc < 0)
			goto out;
		repo = reg_ref_familiar_repo(&ref);
		name = reg_ref_familiar(&ref);
		if (cmd_filter_tag(&l->filter, repo, name))
			add_row(l, img, c, repo, ref.tag, platforms);
	}
	if (tags.len == 0 && l->filter.references.len == 0)
		add_row(l, img, c, "<none>", "<none>", platforms);
out:
	stv_strs_clear(&tags);
	return rc;
}

static int
newest_first(const void *a, const void *b)
{
	const struct row *ra = a, *rb = b;

	if (ra->created_s != rb->created_s)
		return ra->created_s < rb->created_s ? 1 : -1;
	return ra->order < rb->order ? -1 : ra->order > rb->order;
}

static int
collect(struct listing *l, const char *pattern, struct stv_err **err)
{
	if (pattern != NULL)
		stv_strs_add(&l->filter.references, pattern);
	for (size_t i = 0; i < l->o->filters.len; i++)
		if (cmd_filter_add(&l->filter, l->store, l->o->filters.v[i],
				   err) < 0)
			return -1;
	l->err = err;
	if (l->store != NULL && cas_image_each(l->store, on_image, l, err) != 0)
		return -1;
	if (l->rows.len > 1)
		qsort(l->rows.v, l->rows.len, sizeof(l->rows.v[0]),
		      newest_first);
	return 0;
}

/* What the columns of a table are called. */
static json_t *
headings(void)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "CreatedAt",
			 "CREATED AT", "CreatedSince", "CREATED", "Digest",
			 "DIGEST", "ID", "IMAGE ID", "Platforms", "PLATFORMS",
			 "Repository", "REPOSITORY", "Size", "SIZE", "Tag",
			 "TAG");
}

static const char *
default_format(const struct images_values *o)
{
	if (o->is_quiet)
		return "{{.ID}}";
	if (o->has_digests)
		return "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t"
		       "{{.CreatedSince}}\t{{.Size}}";
	return "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t"
	       "{{.Size}}";
}

static int
print_rows(const struct listing *l, struct stv_err **err)
{
	const char *text =
		l->o->format != NULL && strcmp(l->o->format, "table") != 0
			? l->o->format
			: default_format(l->o);
	json_t *head = headings(), *rows = json_array();
	int rc;

	for (size_t i = 0; i < l->rows.len; i++)
		json_array_append(rows, l->rows.v[i].fields);
	rc = cmd_format_list(text, head, rows, err);
	json_decref(head);
	json_decref(rows);
	return rc;
}

static int
images_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct images_values o = {0};
	struct listing l = {.o = &o};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_images, argc, argv, &o, &n, err);
	if (rc == CMD_PARSED) {
		rc = cmd_store_look(cx, &l.store, err);
		if (rc == 0)
			rc = collect(&l, n > 0 ? argv[1] : NULL, err);
		if (rc == 0)
			rc = print_rows(&l, err);
	}
	for (size_t i = 0; i < l.rows.len; i++)
		json_decref(l.rows.v[i].fields);
	stv_vec_fini(&l.rows);
	cmd_filter_fini(&l.filter);
	cas_store_close(l.store);
	cmd_opts_fini(opts, &o);
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_images = {
	.name = "images",
	.args = "[NAME[:TAG]]",
	.summary = "List images",
	.opts = opts,
	.max_args = 1,
	.run = images_run,
};
