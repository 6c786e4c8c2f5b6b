/* cmd/cmd_history.c - stave history: how an image was made. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/oci.h"

#include "cache/meta.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/figures.h"
#include "cmd/format.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

/* Code points of CREATED BY that docker shows, the ellipsis among them. */
#define SHORT_COMMAND 45

struct history_values {
	const char *format;
	bool is_human;
	bool is_full;
	bool is_quiet;
};

static const struct cmd_opt opts[] = {
	CMD_STR("format", 0, "FORMAT", struct history_values, format,
		"json, table, or a text with {{.Field}}"),
	CMD_FLAG("human", 'H', struct history_values, is_human,
		 "sizes and dates for people (default; =false for figures)"),
	CMD_FLAG("no-trunc", 0, struct history_values, is_full,
		 "show whole commands and IDs"),
	CMD_FLAG("quiet", 'q', struct history_values, is_quiet,
		 "only image IDs"),
	CMD_LATER_STR("platform", 0),
	CMD_OPT_END,
};

/* At most ${max} code points, the last one an ellipsis where it is cut. */
static char *
shorten(const char *s, size_t max)
{
	size_t n = 0, keep = 0, i;

	for (i = 0; s[i] != '\0'; i++) {
		if (((unsigned char)s[i] & 0xc0) == 0x80)
			continue;
		if (++n == max)
			keep = i;
		if (n > max)
			break;
	}
	if (n <= max)
		return stv_xstrdup(s);
	return stv_xasprintf("%.*s\xe2\x80\xa6", (int)keep, s);
}

static json_t *
created_text(const char *created, bool is_human)
{
	char ago[CMD_SIZE_MAX];
	stv_auto_free char *text = NULL;
	int64_t t;

	if (created == NULL || cmd_time_parse(created, &t) < 0)
		return json_string("N/A");
	if (!is_human)
		return stv_json_str(created);
	text = stv_xasprintf("%s ago",
			     cmd_ago_str((int64_t)time(NULL) - t, ago));
	return json_string(text);
}

static json_t *
size_text(uint64_t size, bool is_human)
{
	char buf[CMD_SIZE_MAX];
	stv_auto_free char *text = NULL;

	if (is_human)
		return json_string(cmd_size_str(size, 3, buf));
	text = stv_xasprintf("%llu", (unsigned long long)size);
	return json_string(text);
}

static json_t *
row(const struct history_values *o, const struct oci_history *h, const char *id,
    uint64_t size)
{
	stv_auto_buf by = STV_BUF_INIT((size_t)1 << 20);
	stv_auto_free char *command = NULL;
	const char *created_by = h->created_by != NULL ? h->created_by : "";
	json_t *v = json_object();

	/* docker shows tabs, which would be columns here, as blanks */
	for (const char *c = created_by; *c != '\0'; c++)
		stv_buf_addc(&by, *c == '\t' || *c == '\n' ? ' ' : *c);
	command = o->is_full ? stv_xstrdup(stv_buf_str(&by))
			     : shorten(stv_buf_str(&by), SHORT_COMMAND);
	json_object_set_new(v, "Comment",
			    stv_json_str(h->comment != NULL ? h->comment : ""));
	json_object_set_new(
		v, "CreatedAt",
		stv_json_str(h->created != NULL ? h->created : "N/A"));
	json_object_set_new(v, "CreatedBy", stv_json_str(command));
	json_object_set_new(v, "CreatedSince",
			    created_text(h->created, o->is_human));
	json_object_set_new(v, "ID", json_string(id));
	json_object_set_new(v, "Size", size_text(size, o->is_human));
	return v;
}

/* Bytes of each layer, which docker's SIZE is; 0 where it is not here. */
static int
layer_size(struct cas_store *s, const struct oci_config *c, size_t i,
	   uint64_t *ret, struct stv_err **err)
{
	struct cas_layer layer;
	int found = i < c->n_diff_ids
			    ? cas_layer_get(s, &c->diff_ids[i], &layer, err)
			    : 0;

	if (found < 0)
		return -1;
	*ret = found == 1 ? layer.tar_size : 0;
	return 0;
}

static int
collect(struct cas_store *s, const struct cas_image *img,
	const struct history_values *o, json_t *rows, struct stv_err **err)
{
	stv_auto(oci_config) *c = NULL;
	char id[STV_DIGEST_STR_MAX];
	size_t layer = 0;

	if (cmd_image_config(s, img, &c, err) < 0)
		return -1;
	cmd_id_str(&img->config, o->is_full, id);
	for (size_t i = 0; i < c->n_history; i++) {
		const struct oci_history *h = &c->history[i];
		uint64_t size = 0;

		if (!h->is_empty_layer &&
		    layer_size(s, c, layer++, &size, err) < 0)
			return -1;
		json_array_insert_new(
			rows, 0,
			row(o, h, i + 1 == c->n_history ? id : "<missing>",
			    size));
	}
	return 0;
}

static int
print(const struct history_values *o, const json_t *rows, struct stv_err **err)
{
	const char *format =
		o->format != NULL && strcmp(o->format, "table") != 0 ? o->format
		: o->is_quiet					     ? "{{.ID}}"
			      : "table {{.ID}}\t{{.CreatedSince}}\t"
				"{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
	json_t *head = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "Comment",
				 "COMMENT", "CreatedAt", "CREATED AT",
				 "CreatedBy", "CREATED BY", "CreatedSince",
				 "CREATED", "ID", "IMAGE", "Size", "SIZE");
	int rc = cmd_format_list(format, head, rows, err);

	json_decref(head);
	return rc;
}

static int
history_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	struct history_values o = {.is_human = true};
	stv_auto(cas_store) *store = NULL;
	struct cas_image img;
	json_t *rows;
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_history, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_store_look(cx, &store, err) < 0 ||
	    cmd_image_find(store, argv[1], &img, NULL, err) < 0)
		return -1;
	rows = json_array();
	rc = collect(store, &img, &o, rows, err);
	if (rc == 0)
		rc = print(&o, rows, err);
	json_decref(rows);
	return rc < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_history = {
	.name = "history",
	.args = "IMAGE",
	.summary = "Show how an image was made",
	.opts = opts,
	.min_args = 1,
	.max_args = 1,
	.run = history_run,
};
