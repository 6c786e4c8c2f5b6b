/* parser/lint_run.c - shell mistakes that cost. */
#include <string.h>

#include "core/diag.h"
#include "core/source.h"

#include "parser/lint_internal.h"

static struct stv_span
name_span(const struct df_lint *l, const struct df_script *s,
	  const struct df_command *c)
{
	return df_lint_word_span(l, &s->words.v[c->name]);
}

static bool
is_apt(const struct df_script *s, const struct df_command *c)
{
	return df_command_is(s, c, "apt-get") || df_command_is(s, c, "apt");
}

/* Is the command "apt-get ${verb}"? */
static bool
is_apt_verb(const struct df_script *s, const struct df_command *c,
	    const char *verb)
{
	const struct df_shell_word *w = df_command_verb(s, c);

	return is_apt(s, c) && w != NULL && strcmp(w->text, verb) == 0;
}

/* ---- apt-get install without -y ------------------------------------------*/

/* "-y", "-qy", "--yes", or what answers or asks nothing at all. */
static bool
is_yes(const char *word)
{
	static const char *const longs[] = {
		"--yes",	"--assume-yes", "--force-yes", "--simulate",
		"--just-print", "--dry-run",	"--recon",     "--no-act",
		"--print-uris", "--quiet=2",	"--assume-no"};

	for (size_t i = 0; i < STV_ARRAY_LEN(longs); i++)
		if (strcmp(longs[i], word) == 0)
			return true;
	if (word[0] != '-' || word[1] == '-')
		return false;
	return strpbrk(word, "ys") != NULL || strstr(word, "qq") != NULL;
}

/* Could one of the words be "-y" for all we know? */
static bool
may_say_yes(const struct df_script *s, const struct df_command *c)
{
	for (size_t i = c->name + 1; i < c->first + c->n; i++) {
		const struct df_shell_word *w = &s->words.v[i];

		if (is_yes(w->text) || strstr(w->text, "Assume-Yes") != NULL ||
		    (!w->is_exact && *w->text == '$'))
			return true;
	}
	return c->join == DF_JOIN_PIPE;
}

/* May a file that the build makes answer for good?  Looked for once. */
static bool
says_yes(struct df_lint *l)
{
	const char *text = l->o.file->source->text;

	if (l->says_yes == 0)
		l->says_yes = strstr(text, "Assume-Yes") != NULL ? 1 : -1;
	return l->says_yes > 0;
}

void
df_lint_apt_asks(struct df_lint *l, const struct df_node *n)
{
	const struct df_script *s = df_lint_script(l, n);

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->commands.len; i++) {
		const struct df_command *c = &s->commands.v[i];
		struct stv_diag *f;

		if (!is_apt_verb(s, c, "install") || may_say_yes(s, c) ||
		    says_yes(l))
			continue;
		f = df_lint_add(l, DF_R_APT_ASKS,
				df_lint_word_span(l, df_command_verb(s, c)),
				"an install without -y asks, and nobody "
				"answers");
		stv_diag_hint(f, "Write %s install -y.",
			      s->words.v[c->name].text);
	}
}

/* ---- apt-get update alone ------------------------------------------------*/

/* A command that can use no package lists. */
static bool
is_idle(const struct df_script *s, const struct df_command *c)
{
	static const char *const names[] = {"echo", "set", "rm",    "true",
					    ":",    "cd",  "export"};

	if (c->name >= c->first + c->n || is_apt_verb(s, c, "update") ||
	    is_apt_verb(s, c, "clean"))
		return true;
	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++)
		if (df_command_is(s, c, names[i]))
			return true;
	return false;
}

void
df_lint_apt_update(struct df_lint *l, const struct df_node *n)
{
	const struct df_script *s = df_lint_script(l, n);
	const struct df_command *update = NULL;
	struct stv_diag *f;

	if (s == NULL || df_lint_has_mount(n, "/var/lib/apt/lists"))
		return;
	for (size_t i = 0; i < s->commands.len; i++) {
		const struct df_command *c = &s->commands.v[i];

		if (!is_idle(s, c))
			return;
		if (is_apt_verb(s, c, "update"))
			update = c;
	}
	if (update == NULL)
		return;
	f = df_lint_add(l, DF_R_APT_UPDATE, name_span(l, s, update),
			"the package lists are cached apart from the install, "
			"and get old");
	stv_diag_hint(f, "Update and install in one RUN: apt-get update && "
			 "apt-get install -y ...");
}

/* ---- cd ------------------------------------------------------------------*/

void
df_lint_cd_alone(struct df_lint *l, const struct df_node *n)
{
	const struct df_script *s = df_lint_script(l, n);
	struct stv_diag *f;

	if (s == NULL || s->commands.len != 1 || n->is_json ||
	    !df_command_is(s, &s->commands.v[0], "cd"))
		return;
	f = df_lint_add(l, DF_R_CD_ALONE, name_span(l, s, &s->commands.v[0]),
			"the next RUN begins in the old directory again");
	stv_diag_hint(f, "Use WORKDIR.");
}

/* ---- sudo ----------------------------------------------------------------*/

void
df_lint_sudo(struct df_lint *l, const struct df_node *n)
{
	const struct df_script *s = df_lint_script(l, n);

	/* Only where the user is known; "sudo -u other" has a use. */
	if (s == NULL || !l->stage->is_root)
		return;
	for (size_t i = 0; i < s->commands.len; i++) {
		const struct df_command *c = &s->commands.v[i];
		size_t end = c->first + c->n;
		struct stv_diag *f;

		if (c->sudo == end || (c->sudo + 1 < end &&
				       s->words.v[c->sudo + 1].text[0] == '-'))
			continue;
		f = df_lint_add(l, DF_R_SUDO,
				df_lint_word_span(l, &s->words.v[c->sudo]),
				"this RUN is root's already");
		stv_diag_hint(f, "Leave out sudo.");
	}
}
