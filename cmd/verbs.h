/* cmd/verbs.h - the commands of the program and docker's names for them. */
#ifndef STAVE_CMD_VERBS_H
#define STAVE_CMD_VERBS_H

#include "cmd/opts.h"

struct stv_buf; /* core/buf.h */

/* One per file cmd_*.c, which documents itself in the man page. */
extern const struct cmd_verb cmd_verb_build;
extern const struct cmd_verb cmd_verb_builder_prune;
extern const struct cmd_verb cmd_verb_check;
extern const struct cmd_verb cmd_verb_copy;
extern const struct cmd_verb cmd_verb_deliver;
extern const struct cmd_verb cmd_verb_df;
extern const struct cmd_verb cmd_verb_explain_ignore;
extern const struct cmd_verb cmd_verb_fmt;
extern const struct cmd_verb cmd_verb_fsck;
extern const struct cmd_verb cmd_verb_history;
extern const struct cmd_verb cmd_verb_image_prune;
extern const struct cmd_verb cmd_verb_images;
extern const struct cmd_verb cmd_verb_import;
extern const struct cmd_verb cmd_verb_inspect;
extern const struct cmd_verb cmd_verb_load;
extern const struct cmd_verb cmd_verb_login;
extern const struct cmd_verb cmd_verb_logout;
extern const struct cmd_verb cmd_verb_logs;
extern const struct cmd_verb cmd_verb_manifest_annotate;
extern const struct cmd_verb cmd_verb_manifest_create;
extern const struct cmd_verb cmd_verb_manifest_inspect;
extern const struct cmd_verb cmd_verb_manifest_push;
extern const struct cmd_verb cmd_verb_manifest_rm;
extern const struct cmd_verb cmd_verb_parse;
extern const struct cmd_verb cmd_verb_prune;
extern const struct cmd_verb cmd_verb_pull;
extern const struct cmd_verb cmd_verb_push;
extern const struct cmd_verb cmd_verb_rmi;
extern const struct cmd_verb cmd_verb_run;
extern const struct cmd_verb cmd_verb_save;
extern const struct cmd_verb cmd_verb_tag;
extern const struct cmd_verb cmd_verb_version;
extern const struct cmd_verb cmd_verb_why;

/* Docker's two-word name of a command: "image ls" is "images". */
struct cmd_alias {
	const char *group;
	const char *word;
	const struct cmd_verb *verb;
};

/* cmd_verbs: all commands in the order of the help text, NULL at the end. */
extern const struct cmd_verb *const cmd_verbs[];

/* cmd_aliases: all two-word names, group NULL at the end. */
extern const struct cmd_alias cmd_aliases[];

/*
 * cmd_verb_find(argv, argc, ret, err): the command that ${argv} begins with.
 * Returns: how many words its name takes (1 or 2), or -1.
 * Errors:  STV_E_USAGE with the nearest command's name as a hint.
 */
int cmd_verb_find(char *const *argv, int argc, const struct cmd_verb **ret,
		  struct stv_err **err);

/* cmd_verbs_usage(ret): the program's help text, appended. */
void cmd_verbs_usage(struct stv_buf *ret);

#endif /* STAVE_CMD_VERBS_H */
