/* cmd/check_output.c - findings as text, JSON and SARIF. */
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/lint.h"

#include "cmd/check.h"
#include "cmd/verbs.h"

static const char *const severities[] = {
	[STV_SEV_ERROR] = "error",
	[STV_SEV_WARNING] = "warning",
	[STV_SEV_NOTE] = "note",
};

/* The place behind the last byte of ${span}, never before its first. */
static uint32_t
last_of(struct stv_span span)
{
	return span.end > span.begin ? span.end - 1 : span.begin;
}

/* The summary of a rule, or "" for what the parser refuses. */
static const char *
summary_of(const struct stv_diag *d)
{
	enum df_rule_no no;

	return d->rule != NULL && df_rule_find(d->rule, &no)
		       ? df_rules[no].summary
		       : "";
}

static char *
url_of(const struct stv_diag *d)
{
	enum df_rule_no no;

	return d->rule != NULL && df_rule_find(d->rule, &no) ? df_rule_url(no)
							     : stv_xstrdup("");
}

/* ---- text ----------------------------------------------------------------*/

static void
add_count(struct stv_buf *ret, size_t n, const char *word)
{
	if (n > 0)
		stv_buf_addf(ret, ", %zu %s%s", n, word, n == 1 ? "" : "s");
}

void
cmd_check_text(const struct stv_diags *d, const struct stv_sources *src,
	       const char *name, bool has_color, struct stv_buf *ret)
{
	size_t n_notes = 0;

	for (size_t i = 0; i < d->len; i++) {
		n_notes += d->v[i].severity == STV_SEV_NOTE;
		stv_diag_render(&d->v[i], src, has_color, ret);
		stv_buf_addc(ret, '\n');
	}
	stv_buf_add_escaped(ret, name, strlen(name));
	stv_buf_adds(ret, ": checked");
	add_count(ret, d->n_errors, "error");
	add_count(ret, d->n_warnings, "warning");
	add_count(ret, n_notes, "note");
	stv_buf_adds(ret, d->len == 0 ? ", nothing found\n" : "\n");
}

/* ---- JSON ----------------------------------------------------------------*/

static json_t *
place(const struct stv_source *src, uint32_t offset)
{
	struct stv_place p = stv_source_place(src, offset);

	return json_pack("{s:I,s:I}", "line", (json_int_t)p.line, "character",
			 (json_int_t)p.column);
}

/* Where a finding is, as BuildKit has it; its columns count from 1 here. */
static json_t *
location(const struct stv_sources *src, struct stv_span span)
{
	const struct stv_source *s = stv_sources_get(src, span.file);
	json_t *ranges = json_array(), *loc = json_object();

	if (s != NULL)
		json_array_append_new(ranges,
				      json_pack("{s:o,s:o}", "start",
						place(s, span.begin), "end",
						place(s, last_of(span))));
	if (span.file > 1)
		json_object_set_new(loc, "sourceIndex",
				    json_integer((json_int_t)span.file - 1));
	json_object_set_new(loc, "ranges", ranges);
	return loc;
}

static json_t *
json_one(const struct stv_diag *d, const struct stv_sources *src)
{
	stv_auto_free char *url = url_of(d);
	enum df_rule_no no;
	json_t *v = json_object();

	if (d->rule != NULL) {
		json_object_set_new(v, "ruleName", json_string(d->rule));
		json_object_set_new(v, "description",
				    json_string(summary_of(d)));
	}
	if (*url != '\0')
		json_object_set_new(v, "url", json_string(url));
	json_object_set_new(v, "detail", stv_json_str(d->msg));
	json_object_set_new(v, "location", location(src, d->span));
	json_object_set_new(v, "severity",
			    json_string(severities[d->severity]));
	if (d->hint != NULL)
		json_object_set_new(v, "hint", stv_json_str(d->hint));
	if (d->rule != NULL)
		json_object_set_new(v, "fixable",
				    json_boolean(df_rule_find(d->rule, &no) &&
						 df_rules[no].has_fix));
	return v;
}

/* The texts that findings point into. */
static json_t *
json_sources(const struct stv_diags *d, const struct stv_sources *src)
{
	json_t *list = json_array();
	uint32_t last = 1;

	for (size_t i = 0; i < d->len; i++)
		if (d->v[i].span.file > last)
			last = d->v[i].span.file;
	for (uint32_t i = 1; i <= last; i++) {
		const struct stv_source *s = stv_sources_get(src, i);

		if (s != NULL)
			json_array_append_new(list,
					      json_pack("{s:o}", "filename",
							stv_json_str(s->name)));
	}
	return list;
}

json_t *
cmd_check_json(const struct stv_diags *d, const struct stv_sources *src)
{
	json_t *v = json_object(), *warnings = json_array();
	json_t *errors = json_array();

	for (size_t i = 0; i < d->len; i++)
		json_array_append_new(
			d->v[i].severity == STV_SEV_ERROR ? errors : warnings,
			json_one(&d->v[i], src));
	json_object_set_new(v, "warnings", warnings);
	json_object_set_new(v, "errors", errors);
	json_object_set_new(v, "sources", json_sources(d, src));
	for (size_t i = 0; i < d->len; i++)
		if (d->v[i].severity == STV_SEV_ERROR) {
			json_object_set_new(
				v, "buildError",
				json_pack("{s:o,s:o}", "message",
					  stv_json_str(d->v[i].msg), "location",
					  location(src, d->v[i].span)));
			break;
		}
	return v;
}

/* ---- SARIF ---------------------------------------------------------------*/

/* A path as a URI reference; standard input is no file. */
static json_t *
uri_of(const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/";
	stv_auto_buf uri = STV_BUF_INIT(3 * STV_MAX_PATH + 1);

	if (strcmp(path, "<stdin>") == 0)
		path = "stdin";
	for (; *path != '\0'; path++)
		if (strchr(plain, *path) != NULL)
			stv_buf_addc(&uri, *path);
		else
			stv_buf_addf(&uri, "%%%02X", (unsigned char)*path);
	return json_string(stv_buf_str(&uri));
}

static json_t *
sarif_location(const struct stv_sources *src, struct stv_span span)
{
	const struct stv_source *s = stv_sources_get(src, span.file);
	struct stv_place begin, end;

	if (s == NULL)
		return NULL;
	begin = stv_source_place(s, span.begin);
	end = stv_source_place(s, last_of(span));
	return json_pack(
		"{s:{s:{s:o},s:{s:I,s:I,s:I,s:I}}}", "physicalLocation",
		"artifactLocation", "uri", uri_of(s->name), "region",
		"startLine", (json_int_t)begin.line, "startColumn",
		(json_int_t)begin.column, "endLine", (json_int_t)end.line,
		"endColumn", (json_int_t)end.column + 1);
}

static json_t *
sarif_text(const struct stv_diag *d)
{
	stv_auto_free char *text =
		d->hint == NULL ? stv_xstrdup(d->msg)
				: stv_xasprintf("%s. %s", d->msg, d->hint);

	return json_pack("{s:o}", "text", stv_json_str(text));
}

static json_t *
sarif_result(const struct stv_diag *d, const struct stv_sources *src)
{
	json_t *v = json_object(), *locations = json_array();
	json_t *related = json_array(), *loc = sarif_location(src, d->span);
	enum df_rule_no no;

	if (d->rule != NULL && df_rule_find(d->rule, &no)) {
		json_object_set_new(v, "ruleId", json_string(d->rule));
		json_object_set_new(v, "ruleIndex", json_integer(no));
	}
	json_object_set_new(v, "level", json_string(severities[d->severity]));
	json_object_set_new(v, "message", sarif_text(d));
	if (loc != NULL)
		json_array_append_new(locations, loc);
	json_object_set_new(v, "locations", locations);
	for (size_t i = 0; i < d->n_related; i++) {
		loc = sarif_location(src, d->related[i].span);
		if (loc == NULL)
			continue;
		json_object_set_new(
			loc, "message",
			json_pack("{s:o}", "text",
				  stv_json_str(d->related[i].label)));
		json_array_append_new(related, loc);
	}
	if (json_array_size(related) > 0)
		json_object_set_new(v, "relatedLocations", related);
	else
		json_decref(related);
	return v;
}

static json_t *
sarif_rules(void)
{
	json_t *list = json_array();

	for (int i = 0; i < DF_N_RULES; i++) {
		stv_auto_free char *url = df_rule_url((enum df_rule_no)i);
		json_t *v =
			json_pack("{s:s,s:{s:s},s:{s:s}}", "id", df_rules[i].id,
				  "shortDescription", "text",
				  df_rules[i].summary, "defaultConfiguration",
				  "level", severities[df_rules[i].severity]);

		if (*url != '\0')
			json_object_set_new(v, "helpUri", json_string(url));
		json_array_append_new(list, v);
	}
	return list;
}

json_t *
cmd_check_sarif(const struct stv_diags *d, const struct stv_sources *src)
{
	json_t *results = json_array();

	for (size_t i = 0; i < d->len; i++)
		json_array_append_new(results, sarif_result(&d->v[i], src));
	return json_pack(
		"{s:s,s:s,s:[{s:{s:{s:s,s:s,s:o}},s:s,s:o}]}", "$schema",
		"https://json.schemastore.org/sarif-2.1.0.json", "version",
		"2.1.0", "runs", "tool", "driver", "name", "stave check",
		"version", STAVE_VERSION, "rules", sarif_rules(), "columnKind",
		"unicodeCodePoints", "results", results);
}

/* ---- buildx --------------------------------------------------------------*/

static json_t *
metadata_one(const struct stv_diag *d, const struct stv_source *s)
{
	stv_auto_free char *text = stv_xasprintf(
		"%s: %s (line %u)", d->rule, d->msg,
		(unsigned)stv_source_place(s, d->span.begin).line);
	stv_auto_free char *url = url_of(d);
	const char *summary = summary_of(d);

	return json_pack(
		"{s:I,s:o,s:[o],s:s,s:{s:o,s:o,s:s},s:[{s:{s:I},s:{s:I}}]}",
		"level", (json_int_t)1, "short",
		stv_json_base64(text, strlen(text)), "detail",
		stv_json_base64(summary, strlen(summary)), "url", url,
		"sourceInfo", "filename", stv_json_str(s->name), "data",
		stv_json_base64(s->text, s->len), "language", "Dockerfile",
		"range", "start", "line",
		(json_int_t)stv_source_place(s, d->span.begin).line, "end",
		"line", (json_int_t)stv_source_place(s, last_of(d->span)).line);
}

json_t *
cmd_check_metadata(const struct stv_diags *d, const struct stv_sources *src)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->len; i++) {
		const struct stv_source *s =
			stv_sources_get(src, d->v[i].span.file);

		if (d->v[i].rule != NULL && s != NULL)
			json_array_append_new(list, metadata_one(&d->v[i], s));
	}
	return list;
}
