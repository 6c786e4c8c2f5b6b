/* parser/dump.c - the tree as JSON. */
#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/parse.h"

static json_t *dump_node(const struct df_file *f, const struct df_node *n);

static void
set_number(json_t *o, const char *name, uint32_t n)
{
	json_object_set_new(o, name, json_integer(n));
}

static json_t *
dump_span(const struct df_file *f, struct stv_span span)
{
	struct stv_place from = stv_source_place(f->source, span.begin);
	struct stv_place to = stv_source_place(f->source, span.end);
	json_t *o = json_object();

	set_number(o, "begin", span.begin);
	set_number(o, "end", span.end);
	set_number(o, "line", from.line);
	set_number(o, "column", from.column);
	set_number(o, "end_line", to.line);
	set_number(o, "end_column", to.column);
	return o;
}

static json_t *
dump_flags(const struct df_node *n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n->n_flags; i++) {
		const struct df_flag *f = &n->flags[i];
		stv_auto_free char *text = stv_xasprintf(
			"--%s%s%s", f->name, f->has_value ? "=" : "", f->value);

		json_array_append_new(a, stv_json_str(text));
	}
	return a;
}

static json_t *
dump_heredocs(const struct df_node *n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n->n_heredocs; i++) {
		const struct df_heredoc *h = &n->heredocs[i];
		json_t *o = json_object();

		json_object_set_new(o, "name", stv_json_str(h->name));
		json_object_set_new(o, "expand", json_boolean(h->expand));
		json_object_set_new(o, "chomp", json_boolean(h->chomp));
		json_object_set_new(o, "content", stv_json_str(h->content));
		if (h->fd != 0)
			set_number(o, "fd", h->fd);
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *
dump_args(const struct df_node *n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n->n_args; i++)
		json_array_append_new(a, stv_json_str(n->args[i].text));
	return a;
}

static json_t *
dump_node(const struct df_file *f, const struct df_node *n)
{
	json_t *o = json_object();
	char name[16] = "";
	const char *kind = df_kind_name(n->kind);

	for (size_t i = 0; kind[i] != '\0' && i + 1 < sizeof(name); i++)
		name[i] = (char)tolower((unsigned char)kind[i]);
	json_object_set_new(o, "name", json_string(name));
	json_object_set_new(o, "flags", dump_flags(n));
	json_object_set_new(o, "args", dump_args(n));
	json_object_set_new(o, "json", json_boolean(n->is_json));
	json_object_set_new(o, "heredocs", dump_heredocs(n));
	json_object_set_new(o, "onbuild",
			    n->onbuild != NULL ? dump_node(f, n->onbuild)
					       : json_null());
	json_object_set_new(o, "span", dump_span(f, n->span));
	return o;
}

static void
dump_directive(json_t *o, const char *name, const struct df_directive *d)
{
	if (d->value != NULL)
		json_object_set_new(o, name, stv_json_str(d->value));
}

json_t *
df_to_json(const struct df_file *f)
{
	json_t *o = json_object(), *directives = json_object();
	json_t *instructions = json_array();

	dump_directive(directives, "syntax", &f->syntax);
	dump_directive(directives, "escape", &f->escape_directive);
	dump_directive(directives, "check", &f->check);
	for (size_t i = 0; i < f->n_nodes; i++)
		json_array_append_new(instructions, dump_node(f, &f->nodes[i]));
	json_object_set_new(o, "directives", directives);
	json_object_set_new(o, "instructions", instructions);
	return o;
}
