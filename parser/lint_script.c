/* parser/lint_script.c - the commands of a RUN, and where they stand. */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "parser/csv.h"
#include "parser/lint_internal.h"

bool
df_lint_is_sh(const char *path, size_t len)
{
	static const char *const known[] = {"sh",   "bash", "ash",
					    "dash", "ksh",  "zsh"};
	const char *slash = memrchr(path, '/', len);
	const char *name = slash != NULL ? slash + 1 : path;

	len -= (size_t)(name - path);
	for (size_t i = 0; i < STV_ARRAY_LEN(known); i++)
		if (strlen(known[i]) == len && memcmp(known[i], name, len) == 0)
			return true;
	return false;
}

/* Is the interpreter of a "#!" line one that shell.h understands? */
static bool
is_shell_bang(const char *text)
{
	size_t n;

	if (strncmp(text, "#!", 2) != 0)
		return true;
	text += 2 + strspn(text + 2, " \t");
	n = strcspn(text, " \t\r\n");
	if (n >= 4 && memcmp(text + n - 4, "/env", 4) == 0) {
		text += n + strspn(text + n, " \t");
		n = strcspn(text, " \t\r\n");
	}
	return df_lint_is_sh(text, n);
}

/* The members of a JSON array as one command. */
static void
take_array(struct df_lint *l, const struct df_node *n)
{
	if (n->n_args == 3 && strcmp(n->args[1].text, "-c") == 0 &&
	    df_lint_is_sh(n->args[0].text, strlen(n->args[0].text))) {
		df_script_parse(n->args[2].text, strlen(n->args[2].text),
				&l->script);
		return;
	}
	for (size_t i = 0; i < n->n_args; i++) {
		struct df_shell_word *w = stv_vec_push(&l->script.words);

		w->text = stv_xstrdup(n->args[i].text);
		w->is_exact = true;
	}
	df_script_end(&l->script);
}

const struct df_script *
df_lint_script(struct df_lint *l, const struct df_node *n)
{
	const struct df_heredoc *h;

	if (n->kind != DF_RUN || n->n_args == 0 || l->stage == NULL)
		return NULL;
	if (l->script_node == n)
		return l->script.commands.len > 0 ? &l->script : NULL;
	df_script_fini(&l->script);
	l->script_node = n;
	l->script_body = NULL;
	if (n->is_json) {
		take_array(l, n);
	} else if (l->stage->is_sh) {
		h = df_node_heredoc(n, n->args[0].text);
		if (h == NULL)
			df_script_parse(n->args[0].text,
					strlen(n->args[0].text), &l->script);
		else if (is_shell_bang(h->content))
			df_script_parse(h->content, h->content_len, &l->script);
		l->script_body = h;
	}
	return l->script.commands.len > 0 ? &l->script : NULL;
}

struct stv_span
df_lint_word_span(const struct df_lint *l, const struct df_shell_word *w)
{
	const struct df_node *n = l->script_node;
	struct stv_span s;

	if (n->is_json)
		return n->span;
	if (l->script_body == NULL)
		return df_lint_part(l, &n->args[0], w->begin, w->end);
	s = l->script_body->body_span;
	s.end = s.begin + (uint32_t)w->end;
	s.begin += (uint32_t)w->begin;
	return s;
}

/* The value of one field of a mount, or NULL.  Borrows. */
static const char *
field(const struct stv_strs *fields, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < fields->len; i++)
		if (strncmp(fields->v[i], name, len) == 0 &&
		    fields->v[i][len] == '=')
			return fields->v[i] + len + 1;
	return NULL;
}

/* Is ${path} at or below ${dir}? */
static bool
is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

static bool
mount_covers(const char *value, const char *path)
{
	struct stv_strs fields = {0};
	struct stv_err *err = NULL;
	const char *type, *target;
	bool ret = false;

	if (df_csv_split(value, &fields, &err) < 0)
		stv_err_free(err);
	type = field(&fields, "type");
	target = field(&fields, "target");
	if (target == NULL)
		target = field(&fields, "dst");
	if (target == NULL)
		target = field(&fields, "destination");
	if (type != NULL && target != NULL &&
	    (strcmp(type, "cache") == 0 || strcmp(type, "tmpfs") == 0))
		ret = strchr(target, '$') != NULL || is_below(path, target) ||
		      is_below(target, path) ||
		      (*path != '/' && strstr(target, path) != NULL);
	stv_strs_clear(&fields);
	return ret;
}

bool
df_lint_has_mount(const struct df_node *n, const char *path)
{
	for (size_t i = 0; i < n->n_flags; i++)
		if (strcmp(n->flags[i].name, "mount") == 0 &&
		    mount_covers(n->flags[i].value, path))
			return true;
	return false;
}
