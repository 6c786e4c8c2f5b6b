/*
 * parser/lint_repeat.c - a RUN that changes owner or mode of files that an
 * earlier layer of the stage holds, so that they are stored again.
 *
 * What a COPY or ADD of the stage wrote is known; what a RUN wrote is not, and
 * 'stave check --image' finds that.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/mem.h"

#include "parser/ignore.h"
#include "parser/lint_internal.h"

/* ---- what COPY wrote -----------------------------------------------------*/

static void
remember(struct df_lint *l, const struct df_node *n, char *path, bool is_tree)
{
	struct lint_copied *c = stv_vec_push(&l->stage->copied);

	c->node = n;
	c->path = path;
	c->is_tree = is_tree;
}

/* The name that a source has in a directory; "" for all that is in it. */
static const char *
base_name(const char *src)
{
	const char *slash = strrchr(src, '/');
	const char *name = slash != NULL ? slash + 1 : src;

	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? "" : name;
}

void
df_lint_note_copy(struct df_lint *l, const struct df_node *n)
{
	stv_auto_free char *dest = NULL, *src = NULL, *path = NULL;
	const char *name;
	size_t len;

	if (l->is_off[DF_R_REPEATED_FILES] || n->n_args < 2 ||
	    l->stage->copied.len >= LINT_MAX_COPIED)
		return;
	dest = df_lint_expand(l, n->args[n->n_args - 1].text);
	if (dest == NULL)
		return;
	len = strlen(dest);
	path = df_lint_path(l, dest);
	if (path == NULL)
		return;
	src = df_lint_expand(l, n->args[0].text);
	if (n->n_args > 2 || src == NULL || df_glob_has_meta(src) ||
	    strcmp(dest, ".") == 0 || *base_name(src) == '\0') {
		remember(l, n, stv_steal(&path), true);
		return;
	}
	/* One file or one directory, nobody knows which. */
	name = base_name(src);
	if (len > 0 && dest[len - 1] == '/')
		remember(l, n,
			 stv_xasprintf("%s/%s", path[1] == '\0' ? "" : path,
				       name),
			 false);
	else
		remember(l, n, stv_steal(&path), false);
}

/* ---- the RUN -------------------------------------------------------------*/

/* Is ${path} at or below ${dir}? */
static bool
is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1)
		return true;
	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

static bool
is_recursive(const struct df_script *s, const struct df_command *c)
{
	for (size_t i = c->name + 1; i < c->first + c->n; i++) {
		const char *word = s->words.v[i].text;

		if (strcmp(word, "--recursive") == 0 ||
		    (word[0] == '-' && word[1] != '-' &&
		     strchr(word, 'R') != NULL))
			return true;
	}
	return false;
}

/* Is it a command of that kind, and which flag of COPY does the same? */
static const char *
flag_of(const struct df_script *s, const struct df_command *c)
{
	if (df_command_is(s, c, "chown") || df_command_is(s, c, "chgrp"))
		return "chown";
	return df_command_is(s, c, "chmod") ? "chmod" : NULL;
}

/* One path of a chown or chmod. */
static void
check_path(struct df_lint *l, const struct df_shell_word *w, const char *flag,
	   bool is_deep)
{
	stv_auto_free char *path = df_lint_path(l, w->text);

	for (size_t i = 0; path != NULL && i < l->stage->copied.len; i++) {
		const struct lint_copied *c = &l->stage->copied.v[i];
		bool is_same = strcmp(c->path, path) == 0;
		struct stv_diag *f;

		if (df_node_flag(c->node, flag) != NULL ||
		    !(is_deep ? is_below(c->path, path) ||
					(c->is_tree && is_below(path, c->path))
			      : is_same && !c->is_tree))
			continue;
		f = df_lint_add(l, DF_R_REPEATED_FILES, df_lint_word_span(l, w),
				"this stores files again that an earlier layer "
				"holds");
		/* One file may be small; a tree seldom is. */
		if (!is_deep)
			df_lint_note(l, f);
		stv_diag_related(f, c->node->span, "they come from here");
		stv_diag_hint(f, "Give that %s --%s.",
			      df_kind_name(c->node->kind), flag);
		return;
	}
}

void
df_lint_repeated(struct df_lint *l, const struct df_node *n)
{
	const struct df_script *s = df_lint_script(l, n);

	if (s == NULL || l->stage->copied.len == 0)
		return;
	for (size_t i = 0; i < s->commands.len; i++) {
		const struct df_command *c = &s->commands.v[i];
		const char *flag = flag_of(s, c);
		bool is_deep = flag != NULL && is_recursive(s, c);
		bool is_first = true; /* the owner or the mode */

		/* Behind a cd nobody knows what relative paths mean. */
		if (df_command_is(s, c, "cd"))
			return;
		for (size_t k = c->name + 1;
		     flag != NULL && k < c->first + c->n; k++) {
			const struct df_shell_word *w = &s->words.v[k];

			if (*w->text == '-')
				continue;
			if (!is_first && w->is_exact &&
			    !df_glob_has_meta(w->text))
				check_path(l, w, flag, is_deep);
			is_first = false;
		}
	}
}
