/* parser/lint_internal.h - what the files of the linter call of each other. */
#ifndef STAVE_PARSER_LINT_INTERNAL_H
#define STAVE_PARSER_LINT_INTERNAL_H

#include "core/vec.h"

#include "parser/ast.h"
#include "parser/expand.h"
#include "parser/lint.h"
#include "parser/shell.h"

/*
 * Bounds, so that checking takes time in proportion to the file; what is beyond
 * them is not known.  All variables of all stages together have as many bytes
 * as STV_MAX_EXPANDED_TOTAL.
 */
#define LINT_MAX_COPIED 1000 /* COPYs of a stage that are remembered */
#define LINT_MAX_UNSET 100   /* variables of one text */
#define LINT_MAX_NAMES 200   /* that are compared for a hint */
#define LINT_MAX_ENV 2000    /* variables of a stage, and before the first */

/* A stage as far as its instructions have been looked at. */
struct lint_stage {
	const struct df_node *from;
	size_t index;
	char *name;	   /* in lower case; NULL: none */
	char *base_name;   /* expanded; "" where that fails */
	size_t parent;	   /* the stage that it begins from, or SIZE_MAX */
	size_t n_children; /* stages that begin from it and have not yet */
	bool is_shipped;   /* part of the target's image */
	bool knows_base;   /* ${env}, ${user} and ${workdir} are the image's */
	bool sets_workdir; /* a WORKDIR of the file came before */
	bool has_shell;	   /* SHELL, or the image's */
	bool is_sh;	   /* the shell is one that shell.h understands */
	bool is_root;	   /* the user is certainly root; false: nobody knows */
	char *workdir;	   /* NULL: not known */
	struct stv_platform platform; /* of the image below, if that is known */
	struct stv_strs env;	      /* ENV and ARG, "NAME=VALUE" */
	struct stv_strs declared;     /* names of ARGs */
	const struct df_node *cmd;    /* the last one of each */
	const struct df_node *entrypoint;
	const struct df_node *healthcheck;
	STV_VEC(struct lint_copied) copied;
};

/* What a COPY or ADD of the stage wrote. */
struct lint_copied {
	const struct df_node *node;
	char *path;   /* absolute, clean */
	bool is_tree; /* may be more than one file */
};

/* A change of the text. */
struct lint_edit {
	struct stv_span span;
	char *text;
};

struct df_lint {
	struct df_lint_opts o;
	struct stv_diags *diags;
	bool is_off[DF_N_RULES];
	bool is_error;
	bool is_found[DF_N_RULES];
	struct stv_span check_span;   /* of "# check=", or nowhere */
	struct stv_strs unknown;      /* names in it */
	struct stv_platform platform; /* of the target */
	struct stv_strs auto_args;    /* TARGETPLATFORM and its kin */
	struct stv_strs global;	      /* those and global ARGs with values */
	struct stv_strs global_names; /* of all that is declared */
	STV_VEC(struct lint_stage) stages;
	struct lint_stage *stage; /* the one of the node; NULL before FROM */
	size_t n_bytes;		  /* of variables that were set or taken over */
	int says_yes;	  /* apt is configured somewhere: 0 not looked, -1 no */
	int sets_authors; /* a LABEL names the authors; likewise */
	STV_VEC(struct lint_edit) edits;
	/* Commands of the RUN that is looked at. */
	struct df_script script;
	const struct df_node *script_node;
	const struct df_heredoc
		*script_body; /* where the text stands; or NULL */
};

/*
 * df_lint_edit(l, span, text): add a change; none where a comment in ${span}
 * would be lost.  Takes: ${text}.
 */
void df_lint_edit(struct df_lint *l, struct stv_span span, char *text);

/* df_lint_is_verbatim(l, arg): does the file hold its text as it is? */
bool df_lint_is_verbatim(const struct df_lint *l, const struct df_arg *arg);

/*
 * df_lint_part(l, arg, begin, end): the place of the bytes [begin, end) of an
 * argument's text.
 */
struct stv_span df_lint_part(const struct df_lint *l, const struct df_arg *arg,
			     size_t begin, size_t end);

/* ---- lint_scope.c: stages, variables -------------------------------------*/

/* df_lint_scopes(l): find the stages and global arguments. */
void df_lint_scopes(struct df_lint *l);

/* df_lint_begin_stage(l, i): what stage ${i} starts with. */
void df_lint_begin_stage(struct df_lint *l, size_t i);

/* df_lint_step(l, n): what an instruction changes for those behind it. */
void df_lint_step(struct df_lint *l, const struct df_node *n);

/* df_lint_expander(l, env): variables of ${env}. */
struct df_expander df_lint_expander(const struct df_lint *l,
				    struct stv_strs *env);

/*
 * df_lint_expand(l, text): expanded in the current stage, or NULL where that
 * fails.  Owns: the caller.
 */
char *df_lint_expand(struct df_lint *l, const char *text);

/* df_lint_fini_stage(st): free the members. */
void df_lint_fini_stage(struct lint_stage *st);

/*
 * df_lint_path(l, text): an absolute path of the image without "." and "..",
 * relative ones below the working directory; NULL where that is not known.
 * Owns: the caller.
 */
char *df_lint_path(struct df_lint *l, const char *text);

/* ---- lint_script.c: the commands of a RUN --------------------------------*/

/*
 * df_lint_script(l, n): the commands of a RUN; NULL where they cannot be known
 * (another shell, another interpreter).  Borrows: until the next call.
 */
const struct df_script *df_lint_script(struct df_lint *l,
				       const struct df_node *n);

/* df_lint_is_sh(path, len): is a shell of that path one that it understands? */
bool df_lint_is_sh(const char *path, size_t len);

/* df_lint_word_span(l, w): the place of a word of that script. */
struct stv_span df_lint_word_span(const struct df_lint *l,
				  const struct df_shell_word *w);

/*
 * df_lint_has_mount(n, path): has a RUN a mount that keeps ${path} or a
 * directory above it out of the layer (cache, tmpfs)?  A target with a
 * variable counts as one; for a relative ${path}, any that it is in.
 */
bool df_lint_has_mount(const struct df_node *n, const char *path);

/* ---- the rules: functions of df_rules[] ----------------------------------*/

/*
 * lint_stage.c, about FROM: df_lint_stage_casing(l, n), df_lint_from_as(l, n),
 * df_lint_duplicates(l), df_lint_reserved(l), df_lint_undefined_from(l, n),
 * df_lint_default_arg(l), df_lint_redundant_platform(l, n),
 * df_lint_const_platform(l, n), df_lint_base_platform(l, n),
 * df_lint_unpinned(l, n).
 */
void df_lint_stage_casing(struct df_lint *l, const struct df_node *n);
void df_lint_from_as(struct df_lint *l, const struct df_node *n);
void df_lint_duplicates(struct df_lint *l);
void df_lint_reserved(struct df_lint *l);
void df_lint_undefined_from(struct df_lint *l, const struct df_node *n);
void df_lint_default_arg(struct df_lint *l);
void df_lint_redundant_platform(struct df_lint *l, const struct df_node *n);
void df_lint_const_platform(struct df_lint *l, const struct df_node *n);
void df_lint_base_platform(struct df_lint *l, const struct df_node *n);
void df_lint_unpinned(struct df_lint *l, const struct df_node *n);

/*
 * lint_form.c, how instructions are written: df_lint_casing(l),
 * df_lint_description(l), df_lint_json_args(l, n), df_lint_legacy_pair(l, n),
 * df_lint_maintainer(l, n), df_lint_multiple(l, n), df_lint_exec_form(l, n).
 */
void df_lint_casing(struct df_lint *l);
void df_lint_description(struct df_lint *l);
void df_lint_json_args(struct df_lint *l, const struct df_node *n);
void df_lint_legacy_pair(struct df_lint *l, const struct df_node *n);
void df_lint_maintainer(struct df_lint *l, const struct df_node *n);
void df_lint_multiple(struct df_lint *l, const struct df_node *n);
void df_lint_exec_form(struct df_lint *l, const struct df_node *n);

/*
 * lint_value.c, what is in them: df_lint_expose_format(l, n),
 * df_lint_expose_proto(l, n), df_lint_secrets(l, n), df_lint_workdir(l, n),
 * df_lint_copy_ignored(l, n), df_lint_add_checksum(l, n).
 */
void df_lint_expose_format(struct df_lint *l, const struct df_node *n);
void df_lint_expose_proto(struct df_lint *l, const struct df_node *n);
void df_lint_secrets(struct df_lint *l, const struct df_node *n);
void df_lint_workdir(struct df_lint *l, const struct df_node *n);
void df_lint_copy_ignored(struct df_lint *l, const struct df_node *n);
void df_lint_add_checksum(struct df_lint *l, const struct df_node *n);

/* lint_vars.c: df_lint_undefined_var(l, n). */
void df_lint_undefined_var(struct df_lint *l, const struct df_node *n);

/*
 * lint_text.c, the text itself: df_lint_directive_late(l),
 * df_lint_escapes(l), df_lint_heredoc_end(l, n), df_lint_quote_end(l, n).
 */
void df_lint_directive_late(struct df_lint *l);
void df_lint_escapes(struct df_lint *l);
void df_lint_heredoc_end(struct df_lint *l, const struct df_node *n);
void df_lint_quote_end(struct df_lint *l, const struct df_node *n);

/*
 * lint_run.c, commands: df_lint_apt_asks(l, n), df_lint_apt_update(l, n),
 * df_lint_cd_alone(l, n), df_lint_sudo(l, n).
 */
void df_lint_apt_asks(struct df_lint *l, const struct df_node *n);
void df_lint_apt_update(struct df_lint *l, const struct df_node *n);
void df_lint_cd_alone(struct df_lint *l, const struct df_node *n);
void df_lint_sudo(struct df_lint *l, const struct df_node *n);

/* lint_cache.c: df_lint_package_cache(l, n). */
void df_lint_package_cache(struct df_lint *l, const struct df_node *n);

/*
 * lint_repeat.c: df_lint_repeated(l, n); df_lint_note_copy(l, n) remembers
 * what a COPY or ADD writes for it.
 */
void df_lint_repeated(struct df_lint *l, const struct df_node *n);
void df_lint_note_copy(struct df_lint *l, const struct df_node *n);

#endif /* STAVE_PARSER_LINT_INTERNAL_H */
