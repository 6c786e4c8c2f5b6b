/* cmd/cmd_df.c - stave df: how full the store is. */
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"

#include "cache/gc.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/figures.h"
#include "cmd/format.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

struct df_values {
	const char *format;
};

static const struct cmd_opt opts[] = {
	CMD_STR("format", 0, "FORMAT", struct df_values, format,
		"json, table, or a text with {{.Type}}, {{.TotalCount}}, "
		"{{.Active}}, {{.Size}}, {{.Reclaimable}}"),
	CMD_LATER("verbose", 'v'),
	CMD_LATER_STR("filter", 0),
	CMD_OPT_END,
};

static json_t *
count_text(uint64_t n)
{
	stv_auto_free char *s = stv_xasprintf("%llu", (unsigned long long)n);

	return json_string(s);
}

static void
add_row(json_t *rows, const char *type, uint64_t total, uint64_t active,
	uint64_t size, uint64_t reclaimable)
{
	char buf[CMD_SIZE_MAX];
	stv_auto_free char *part = NULL;
	json_t *v = json_object();

	cmd_size_str(reclaimable, 4, buf);
	part = size > 0 ? stv_xasprintf("%s (%.0f%%)", buf,
					100.0 * (double)reclaimable /
						(double)size)
			: stv_xstrdup(buf);
	json_object_set_new(v, "Type", json_string(type));
	json_object_set_new(v, "TotalCount", count_text(total));
	json_object_set_new(v, "Active", count_text(active));
	json_object_set_new(v, "Size", json_string(cmd_size_str(size, 4, buf)));
	json_object_set_new(v, "Reclaimable", json_string(part));
	json_array_append_new(rows, v);
}

static int
print(const char *format, const struct cas_df *df, struct stv_err **err)
{
	static const char table[] = "table {{.Type}}\t{{.TotalCount}}\t"
				    "{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
	json_t *rows = json_array();
	json_t *head = json_pack("{s:s,s:s,s:s,s:s,s:s}", "Type", "TYPE",
				 "TotalCount", "TOTAL", "Active", "ACTIVE",
				 "Size", "SIZE", "Reclaimable", "RECLAIMABLE");
	int rc;

	add_row(rows, "Images", df->n_images, df->n_tagged, df->image_bytes,
		df->image_reclaimable);
	add_row(rows, "Build Cache", df->n_records, 0, df->cache_bytes,
		df->cache_bytes);
	add_row(rows, "Cache Mounts", df->n_cachemounts, 0,
		df->cachemount_bytes, df->cachemount_bytes);
	add_row(rows, "Unpacked Layers", df->n_snapshots, 0, df->snapshot_bytes,
		df->snapshot_bytes);
	add_row(rows, "Other", 0, 0, df->other_bytes + df->garbage_bytes,
		df->garbage_bytes);
	rc = cmd_format_list(
		format != NULL && strcmp(format, "table") != 0 ? format : table,
		head, rows, err);
	json_decref(head);
	json_decref(rows);
	return rc;
}

static int
df_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	struct df_values o = {0};
	struct cas_df df = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, &cmd_verb_df, argc, argv, &o, &n, err);
	if (rc != CMD_PARSED)
		return rc == CMD_PARSED_HELP ? CMD_DONE : -1;
	if (cmd_store_look(cx, &store, err) < 0)
		return -1;
	if (store != NULL && cas_df(store, &df, err) < 0)
		return -1;
	return print(o.format, &df, err) < 0 ? -1 : CMD_DONE;
}

const struct cmd_verb cmd_verb_df = {
	.name = "df",
	.args = "",
	.summary = "Show how full the store is",
	.opts = opts,
	.run = df_run,
};
