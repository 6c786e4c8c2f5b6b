/* cmd/verbs.c - the commands of the program and docker's names for them. */
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"

#include "cmd/verbs.h"

/* One a line. */
/* clang-format off */
const struct cmd_verb *const cmd_verbs[] = {
	&cmd_verb_build,
	&cmd_verb_run,
	&cmd_verb_images,
	&cmd_verb_inspect,
	&cmd_verb_history,
	&cmd_verb_tag,
	&cmd_verb_rmi,
	&cmd_verb_prune,
	&cmd_verb_save,
	&cmd_verb_load,
	&cmd_verb_pull,
	&cmd_verb_push,
	&cmd_verb_copy,
	&cmd_verb_manifest_inspect,
	&cmd_verb_manifest_create,
	&cmd_verb_manifest_annotate,
	&cmd_verb_manifest_push,
	&cmd_verb_manifest_rm,
	&cmd_verb_deliver,
	&cmd_verb_login,
	&cmd_verb_logout,
	&cmd_verb_import,
	&cmd_verb_df,
	&cmd_verb_logs,
	&cmd_verb_why,
	&cmd_verb_explain_ignore,
	&cmd_verb_fsck,
	&cmd_verb_check,
	&cmd_verb_fmt,
	&cmd_verb_parse,
	&cmd_verb_version,
	NULL,
};
/* clang-format on */

const struct cmd_alias cmd_aliases[] = {
	{"image", "build", &cmd_verb_build},
	{"image", "history", &cmd_verb_history},
	{"image", "import", &cmd_verb_import},
	{"image", "inspect", &cmd_verb_inspect},
	{"image", "list", &cmd_verb_images},
	{"image", "load", &cmd_verb_load},
	{"image", "pull", &cmd_verb_pull},
	{"image", "push", &cmd_verb_push},
	{"image", "ls", &cmd_verb_images},
	{"image", "prune", &cmd_verb_image_prune},
	{"image", "remove", &cmd_verb_rmi},
	{"image", "rm", &cmd_verb_rmi},
	{"image", "save", &cmd_verb_save},
	{"image", "tag", &cmd_verb_tag},
	{"builder", "build", &cmd_verb_build},
	{"builder", "prune", &cmd_verb_builder_prune},
	{"buildx", "build", &cmd_verb_build},
	{"buildx", "du", &cmd_verb_df},
	{"buildx", "prune", &cmd_verb_builder_prune},
	{"manifest", "annotate", &cmd_verb_manifest_annotate},
	{"manifest", "create", &cmd_verb_manifest_create},
	{"manifest", "inspect", &cmd_verb_manifest_inspect},
	{"manifest", "push", &cmd_verb_manifest_push},
	{"manifest", "rm", &cmd_verb_manifest_rm},
	{"system", "df", &cmd_verb_df},
	{"system", "prune", &cmd_verb_prune},
	{NULL, NULL, NULL},
};

static bool
is_group(const char *word)
{
	for (const struct cmd_alias *a = cmd_aliases; a->group != NULL; a++)
		if (strcmp(a->group, word) == 0)
			return true;
	return false;
}

/* "image ls" and the like; the words that the group knows are the hint. */
static int
find_in_group(const char *group, const char *word, const struct cmd_verb **ret,
	      struct stv_err **err)
{
	stv_auto_buf known = STV_BUF_INIT(4096);

	for (const struct cmd_alias *a = cmd_aliases; a->group != NULL; a++) {
		if (strcmp(a->group, group) != 0)
			continue;
		if (word != NULL && strcmp(a->word, word) == 0) {
			*ret = a->verb;
			return 2;
		}
		stv_buf_addf(&known, " %s", a->word);
	}
	if (word == NULL)
		stv_fail(err, STV_E_USAGE, "stave %s needs a command", group);
	else
		stv_fail(err, STV_E_USAGE, "unknown command '%s %s'", group,
			 word);
	stv_err_hint(*err, "'%s' knows:%s.", group, stv_buf_str(&known));
	return -1;
}

static int
unknown_verb(const char *word, struct stv_err **err)
{
	const char *names[STV_ARRAY_LEN(cmd_verbs)];
	const char *near;
	size_t n = 0;

	for (; cmd_verbs[n] != NULL; n++)
		names[n] = cmd_verbs[n]->name;
	near = cmd_nearest(word, names, n);
	stv_fail(err, STV_E_USAGE, "unknown command '%s'", word);
	if (near != NULL)
		stv_err_hint(*err, "Did you mean 'stave %s'?", near);
	else
		stv_err_hint(*err, "'stave --help' lists the commands.");
	return -1;
}

int
cmd_verb_find(char *const *argv, int argc, const struct cmd_verb **ret,
	      struct stv_err **err)
{
	for (size_t i = 0; cmd_verbs[i] != NULL; i++) {
		if (strcmp(cmd_verbs[i]->name, argv[0]) == 0) {
			*ret = cmd_verbs[i];
			return 1;
		}
	}
	if (is_group(argv[0]))
		return find_in_group(argv[0], argc > 1 ? argv[1] : NULL, ret,
				     err);
	return unknown_verb(argv[0], err);
}

void
cmd_verbs_usage(struct stv_buf *ret)
{
	const char *group = "";

	stv_buf_adds(ret, "Usage: stave [--root DIR] [--debug] COMMAND ...\n\n"
			  "Build container images from Dockerfiles.\n\n"
			  "Commands:\n");
	for (size_t i = 0; cmd_verbs[i] != NULL; i++)
		stv_buf_addf(ret, "  %-19s%s\n", cmd_verbs[i]->name,
			     cmd_verbs[i]->summary);
	stv_buf_adds(ret, "\nDocker's other names for them:\n");
	for (const struct cmd_alias *a = cmd_aliases; a->group != NULL; a++) {
		if (strcmp(group, a->group) != 0)
			stv_buf_addf(ret, "%s  %s", *group != '\0' ? "\n" : "",
				     a->group);
		stv_buf_addf(ret, " %s%s",
			     strcmp(group, a->group) != 0 ? "" : "| ", a->word);
		group = a->group;
	}
	stv_buf_adds(ret, "\n\n'stave COMMAND --help' tells more; see also "
			  "stave(1).\n");
}
