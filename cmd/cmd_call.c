/* cmd/cmd_call.c - stave build --call: questions about a Dockerfile. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/strs.h"

#include "builder/build.h"
#include "builder/outline.h"
#include "parser/ast.h"
#include "parser/csv.h"

#include "cmd/table.h"

#include "cmd/cmd_call.h"
#include "cmd/opts.h"

/* ---- the option ----------------------------------------------------------*/

static const struct method {
	const char *name;
	enum cmd_call_kind kind;
	const char *description; /* NULL: not listed by subrequests.describe */
} methods[] = {
	{"build", CMD_CALL_BUILD, NULL},
	{"check", CMD_CALL_CHECK, NULL},
	{"lint", CMD_CALL_CHECK, NULL}, /* as it was called before */
	{"outline", CMD_CALL_OUTLINE,
	 "List all parameters current build target supports"},
	{"targets", CMD_CALL_TARGETS,
	 "List all targets current build supports"},
	{"subrequests.describe", CMD_CALL_DESCRIBE,
	 "List available subrequest types"},
};

static int
parse_method(const char *name, struct cmd_call *ret, struct stv_err **err)
{
	const char *names[STV_ARRAY_LEN(methods)], *near;

	for (size_t i = 0; i < STV_ARRAY_LEN(methods); i++) {
		names[i] = methods[i].name;
		if (strcmp(name, names[i]) != 0)
			continue;
		ret->kind = methods[i].kind;
		return 0;
	}
	near = cmd_nearest(name, names, STV_ARRAY_LEN(names));
	stv_fail(err, STV_E_USAGE, "--call: there is no method '%s'", name);
	if (near != NULL)
		stv_err_hint(*err, "Did you mean '%s'?", near);
	else
		stv_err_hint(*err, "Choose build, check, outline, targets or "
				   "subrequests.describe.");
	return -1;
}

static int
parse_field(const char *field, struct cmd_call *ret, struct stv_err **err)
{
	if (ret->kind == CMD_CALL_CHECK && strncmp(field, "format=", 7) == 0)
		return cmd_check_format(field + 7, &ret->format, err);
	if (strcmp(field, "format=json") == 0)
		ret->is_json = true;
	else if (strcmp(field, "format=text") == 0)
		ret->is_json = false;
	else if (strcmp(field, "ignorestatus") == 0 ||
		 strcmp(field, "ignorestatus=true") == 0)
		ret->ignores_status = true;
	else if (strcmp(field, "ignorestatus=false") == 0)
		ret->ignores_status = false;
	else
		return stv_fail(err, STV_E_USAGE,
				"--call: '%s' is neither format=json, "
				"format=text nor ignorestatus",
				field);
	return 0;
}

int
cmd_call_parse(const char *text, struct cmd_call *ret, struct stv_err **err)
{
	struct stv_strs fields = {0};
	int rc = df_csv_split(text, &fields, err);

	*ret = (struct cmd_call){0};
	if (rc < 0)
		stv_wrap(err, "--call '%s'", text);
	else
		rc = parse_method(fields.len > 0 ? fields.v[0] : "", ret, err);
	for (size_t i = 1; i < fields.len && rc == 0; i++)
		rc = parse_field(fields.v[i], ret, err);
	stv_strs_clear(&fields);
	return rc;
}

/* ---- JSON ----------------------------------------------------------------*/

static void
print_json(json_t *v)
{
	stv_auto_free char *text = json_dumps(v, JSON_INDENT(2));

	json_decref(v);
	if (text == NULL)
		STV_BUG("JSON cannot be written");
	puts(text);
}

static void
set_str(json_t *o, const char *name, const char *value)
{
	if (value != NULL && *value != '\0')
		json_object_set_new(o, name, stv_json_str(value));
}

/* {"ranges":[{"start":{"line":3},"end":{"line":3}}]}: one for each line. */
static json_t *
location(uint32_t first, uint32_t last)
{
	json_t *ranges = json_array();

	for (uint32_t i = first; i <= last; i++)
		json_array_append_new(ranges, json_pack("{s:{s:i},s:{s:i}}",
							"start", "line", (int)i,
							"end", "line", (int)i));
	return json_pack("{s:o}", "ranges", ranges);
}

static json_t *
sources(const struct df_file *f)
{
	json_t *list = json_array();

	json_array_append_new(list,
			      stv_json_base64(f->source->text, f->source->len));
	return list;
}

static void
set_items(json_t *o, const char *name, const bld_outline_items *items)
{
	json_t *list;

	if (items->len == 0)
		return;
	list = json_array();
	for (size_t i = 0; i < items->len; i++) {
		const struct bld_outline_item *it = &items->v[i];
		json_t *v = json_pack("{s:o}", "name", stv_json_str(it->name));

		set_str(v, "description", it->description);
		set_str(v, "value", it->value);
		if (it->is_required)
			json_object_set_new(v, "required", json_true());
		json_object_set_new(v, "location",
				    location(it->first_line, it->last_line));
		json_array_append_new(list, v);
	}
	json_object_set_new(o, name, list);
}

/* ---- tables --------------------------------------------------------------*/

static void
add_cell(struct cmd_table *t, const char *text)
{
	cmd_table_cell(t, text == NULL ? "" : text);
}

/* ---- outline -------------------------------------------------------------*/

static void
print_head(const struct bld_outline *out)
{
	stv_auto(cmd_table) *t = cmd_table_new_as(0, 1);

	if (out->name == NULL)
		return;
	add_cell(t, "TARGET:");
	add_cell(t, out->name);
	cmd_table_end(t);
	if (out->description != NULL) {
		add_cell(t, "DESCRIPTION:");
		add_cell(t, out->description);
		cmd_table_end(t);
	}
	cmd_table_print(t);
	putchar('\n');
}

static void
print_args(const bld_outline_items *items)
{
	stv_auto(cmd_table) *t = cmd_table_new_as(0, 3);

	if (items->len == 0)
		return;
	add_cell(t, "BUILD ARG");
	add_cell(t, "VALUE");
	add_cell(t, "DESCRIPTION");
	cmd_table_end(t);
	for (size_t i = 0; i < items->len; i++) {
		add_cell(t, items->v[i].name);
		add_cell(t, items->v[i].value);
		add_cell(t, items->v[i].description);
		cmd_table_end(t);
	}
	cmd_table_print(t);
	putchar('\n');
}

/* Secrets and agents. */
static void
print_given(const char *title, const bld_outline_items *items)
{
	stv_auto(cmd_table) *t = cmd_table_new_as(0, 3);

	if (items->len == 0)
		return;
	add_cell(t, title);
	add_cell(t, "REQUIRED");
	cmd_table_end(t);
	for (size_t i = 0; i < items->len; i++) {
		add_cell(t, items->v[i].name);
		add_cell(t, items->v[i].is_required ? "true" : "");
		cmd_table_end(t);
	}
	cmd_table_print(t);
	putchar('\n');
}

static void
print_contexts(const bld_outline_items *items)
{
	stv_auto(cmd_table) *t = cmd_table_new_as(0, 3);

	if (items->len == 0)
		return;
	add_cell(t, "CONTEXT");
	add_cell(t, "DESCRIPTION");
	cmd_table_end(t);
	for (size_t i = 0; i < items->len; i++) {
		add_cell(t, items->v[i].name);
		add_cell(t, items->v[i].description);
		cmd_table_end(t);
	}
	cmd_table_print(t);
	putchar('\n');
}

static json_t *
outline_json(const struct bld_outline *out, const struct df_file *f)
{
	json_t *v = json_object();

	set_str(v, "name", out->name);
	set_str(v, "description", out->description);
	set_items(v, "args", &out->args);
	set_items(v, "secrets", &out->secrets);
	set_items(v, "ssh", &out->ssh);
	set_items(v, "contexts", &out->contexts);
	json_object_set_new(v, "sources", sources(f));
	return v;
}

static int
call_outline(const struct cmd_call *call, const struct bld_opts *o,
	     struct stv_err **err)
{
	stv_auto(bld_outline) *out = NULL;

	if (bld_outline_new(o, &out, err) < 0)
		return -1;
	if (call->is_json) {
		print_json(outline_json(out, o->file));
		return 0;
	}
	print_head(out);
	print_args(&out->args);
	print_given("SECRET", &out->secrets);
	print_given("SSH", &out->ssh);
	print_contexts(&out->contexts);
	return 0;
}

/* ---- targets -------------------------------------------------------------*/

static void
print_targets(const bld_target_list *list)
{
	stv_auto(cmd_table) *t = cmd_table_new_as(0, 1);

	add_cell(t, "TARGET");
	add_cell(t, "DESCRIPTION");
	cmd_table_end(t);
	for (size_t i = 0; i < list->len; i++) {
		const char *name = list->v[i].name;
		stv_auto_free char *marked = NULL;

		if (i + 1 == list->len)
			marked = name == NULL
					 ? stv_xstrdup("(default)")
					 : stv_xasprintf("%s (default)", name);
		add_cell(t, marked != NULL ? marked : name);
		add_cell(t, list->v[i].description);
		cmd_table_end(t);
	}
	cmd_table_print(t);
}

static json_t *
targets_json(const bld_target_list *list, const struct df_file *f)
{
	json_t *all = json_array(), *o;

	for (size_t i = 0; i < list->len; i++) {
		const struct bld_target_info *t = &list->v[i];
		json_t *v = json_object();

		set_str(v, "name", t->name);
		if (i + 1 == list->len)
			json_object_set_new(v, "default", json_true());
		set_str(v, "description", t->description);
		set_str(v, "base", t->base);
		set_str(v, "platform", t->platform);
		json_object_set_new(v, "location",
				    location(t->first_line, t->last_line));
		json_array_append_new(all, v);
	}
	o = json_object();
	json_object_set_new(o, "targets", all);
	json_object_set_new(o, "sources", sources(f));
	return o;
}

static void
call_targets(const struct cmd_call *call, const struct df_file *f)
{
	bld_target_list list = {0};

	bld_targets(f, &list);
	if (call->is_json)
		print_json(targets_json(&list, f));
	else
		print_targets(&list);
	bld_targets_fini(&list);
}

/* ---- subrequests.describe ------------------------------------------------*/

#define METHOD_VERSION "1.0.0"

static json_t *
describe_json(void)
{
	json_t *all = json_array();

	for (size_t i = 0; i < STV_ARRAY_LEN(methods); i++) {
		stv_auto_free char *name =
			stv_xasprintf("frontend.%s", methods[i].name);

		if (methods[i].description != NULL)
			json_array_append_new(
				all, json_pack("{s:s,s:s,s:s,s:s}", "name",
					       name, "version", METHOD_VERSION,
					       "type", "rpc", "description",
					       methods[i].description));
	}
	return all;
}

static void
call_describe(const struct cmd_call *call)
{
	stv_auto(cmd_table) *t = cmd_table_new_as(0, 1);

	if (call->is_json) {
		print_json(describe_json());
		return;
	}
	add_cell(t, "NAME");
	add_cell(t, "VERSION");
	add_cell(t, "DESCRIPTION");
	cmd_table_end(t);
	for (size_t i = 0; i < STV_ARRAY_LEN(methods); i++) {
		if (methods[i].description == NULL)
			continue;
		add_cell(t, methods[i].name);
		add_cell(t, METHOD_VERSION);
		add_cell(t, methods[i].description);
		cmd_table_end(t);
	}
	cmd_table_print(t);
}

/* ---- the call ------------------------------------------------------------*/

int
cmd_call_run(const struct cmd_call *call, const struct bld_opts *o,
	     struct stv_err **err)
{
	switch (call->kind) {
	case CMD_CALL_OUTLINE:
		return call_outline(call, o, err);
	case CMD_CALL_TARGETS:
		call_targets(call, o->file);
		return 0;
	case CMD_CALL_DESCRIBE:
		call_describe(call);
		return 0;
	case CMD_CALL_CHECK:
	case CMD_CALL_BUILD:
		break;
	}
	STV_BUG("this is answered elsewhere");
}
