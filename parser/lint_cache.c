/*
 * parser/lint_cache.c - caches of package managers that stay in the image.
 *
 * Only in stages that are part of the target: what a build stage keeps costs
 * nobody anything.
 */
#include <string.h>

#include "core/cleanup.h"
#include "core/diag.h"

#include "parser/lint_internal.h"

/* A package manager. */
struct manager {
	const char *names[6];
	const char *verbs[6];	  /* what leaves something behind */
	const char *avoiding[4];  /* arguments that leave nothing */
	const char *variables[3]; /* of the environment; likewise */
	/* Where; the first for mounts and rm, ".name" in anybody's home. */
	const char *dirs[4];
	const char *clean[3]; /* "yum clean" */
	const char *what;
	const char *hint;
};

static const struct manager managers[] = {
	{
		.names = {"apt-get", "apt"},
		.verbs = {"update"},
		.dirs = {"/var/lib/apt/lists", "/var/lib/apt"},
		.clean = {"distclean", "dist-clean"},
		.what = "package lists stay in this layer",
		.hint = "End the RUN with '&& rm -rf /var/lib/apt/lists/*'.",
	},
	{
		.names = {"apk"},
		.verbs = {"add", "update", "upgrade"},
		.avoiding = {"--no-cache"},
		.dirs = {"/var/cache/apk", "/etc/apk/cache"},
		.what = "the package index stays in this layer",
		.hint = "Write apk add --no-cache, without apk update.",
	},
	{
		.names = {"yum", "dnf", "microdnf", "tdnf", "dnf5"},
		.verbs = {"install", "update", "upgrade", "groupinstall",
			  "makecache"},
		.dirs = {"/var/cache/dnf", "/var/cache/yum", "/var/cache"},
		.clean = {"clean"},
		.what = "the package cache stays in this layer",
		.hint = "End the RUN with '&& yum clean all' (dnf likewise).",
	},
	{
		.names = {"pip", "pip3", "pip2"},
		.verbs = {"install", "wheel"},
		.avoiding = {"--no-cache-dir", "--cache-dir"},
		.variables = {"PIP_NO_CACHE_DIR", "PIP_CACHE_DIR"},
		.dirs = {"/root/.cache/pip", ".cache"},
		.clean = {"cache"},
		.what = "pip's cache stays in this layer",
		.hint = "Write pip install --no-cache-dir, or keep it out by "
			"RUN --mount=type=cache,target=/root/.cache/pip.",
	},
	{
		.names = {"npm"},
		.verbs = {"install", "ci", "i"},
		.avoiding = {"--cache"},
		.variables = {"npm_config_cache", "NPM_CONFIG_CACHE"},
		.dirs = {"/root/.npm", ".npm"},
		.clean = {"cache"},
		.what = "npm's cache stays in this layer",
		.hint = "End the RUN with '&& npm cache clean --force', or "
			"keep it out by "
			"RUN --mount=type=cache,target=/root/.npm.",
	},
};

static bool
is_one_of(const char *const *list, size_t max, const char *word)
{
	for (size_t i = 0; i < max && list[i] != NULL; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}
#define IS_ONE_OF(list, word) is_one_of((list), STV_ARRAY_LEN(list), (word))

/*
 * The argument behind "python -m pip" counts as the name; the word's number,
 * or 0 where this is another program.
 */
static size_t
find_name(const struct df_script *s, const struct df_command *c,
	  const struct manager *m)
{
	size_t end = c->first + c->n;

	for (size_t i = c->name; i < end; i++) {
		const char *word = s->words.v[i].text;
		const char *slash = strrchr(word, '/');

		if (IS_ONE_OF(m->names, slash != NULL ? slash + 1 : word) &&
		    (i == c->name || strcmp(s->words.v[i - 1].text, "-m") == 0))
			return i + 1;
	}
	return 0;
}

/* The first word behind the name that is no option. */
static const char *
verb_of(const struct df_script *s, const struct df_command *c, size_t at)
{
	for (; at < c->first + c->n; at++)
		if (*s->words.v[at].text != '-')
			return s->words.v[at].text;
	return "";
}

/* Does the command leave something behind? */
static bool
leaves(const struct df_script *s, const struct df_command *c,
       const struct manager *m)
{
	size_t at = find_name(s, c, m);

	if (at == 0 || !IS_ONE_OF(m->verbs, verb_of(s, c, at)))
		return false;
	for (; at < c->first + c->n; at++) {
		const char *word = s->words.v[at].text;
		size_t len = strcspn(word, "=");

		/* An option in a variable may be any of them. */
		if (!s->words.v[at].is_exact && *word == '$')
			return false;
		for (size_t i = 0; i < STV_ARRAY_LEN(m->avoiding); i++)
			if (m->avoiding[i] != NULL &&
			    strlen(m->avoiding[i]) == len &&
			    memcmp(m->avoiding[i], word, len) == 0)
				return false;
	}
	return true;
}

/* Does the command take it away again? */
static bool
cleans(const struct df_script *s, const struct df_command *c,
       const struct manager *m)
{
	size_t at = find_name(s, c, m);

	if (at != 0)
		return IS_ONE_OF(m->clean, verb_of(s, c, at));
	if (df_command_is(s, c, "rm") || df_command_is(s, c, "find")) {
		for (size_t i = 0; i < STV_ARRAY_LEN(m->dirs); i++)
			if (m->dirs[i] != NULL &&
			    df_command_names(s, c, m->dirs[i]))
				return true;
		/* of all packages, or of a user */
		return df_command_names(s, c, "/var/lib/*") ||
		       df_command_names(s, c, "/var/cache/*") ||
		       df_command_names(s, c, ".cache");
	}
	/* A script that says so may do it. */
	return c->name < c->first + c->n &&
	       strstr(s->words.v[c->name].text, "clean") != NULL;
}

static bool
has_variable(const struct df_lint *l, const struct df_script *s,
	     const struct manager *m)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(m->variables); i++) {
		if (m->variables[i] == NULL)
			continue;
		if (stv_env_get(&l->stage->env, m->variables[i]) != NULL)
			return true;
		for (size_t k = 0; k < s->words.len; k++)
			if (strncmp(s->words.v[k].text, m->variables[i],
				    strlen(m->variables[i])) == 0)
				return true;
	}
	return false;
}

static void
check(struct df_lint *l, const struct df_node *n, const struct df_script *s,
      const struct manager *m)
{
	const struct df_command *found = NULL;
	struct stv_diag *f;

	for (size_t i = 0; i < s->commands.len; i++) {
		if (leaves(s, &s->commands.v[i], m))
			found = found == NULL ? &s->commands.v[i] : found;
		else if (cleans(s, &s->commands.v[i], m))
			return;
	}
	if (found == NULL || has_variable(l, s, m) ||
	    df_lint_has_mount(n, m->dirs[0]) ||
	    (*m->dirs[1] == '.' && df_lint_has_mount(n, m->dirs[1])))
		return;
	f = df_lint_add(l, DF_R_PACKAGE_CACHE,
			df_lint_word_span(l, &s->words.v[found->name]), "%s",
			m->what);
	stv_diag_hint(f, "%s", m->hint);
}

void
df_lint_package_cache(struct df_lint *l, const struct df_node *n)
{
	const struct df_script *s = df_lint_script(l, n);

	if (s == NULL || !l->stage->is_shipped)
		return;
	for (size_t i = 0; i < STV_ARRAY_LEN(managers); i++)
		check(l, n, s, &managers[i]);
}
