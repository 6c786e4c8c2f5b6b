/*
 * parser/lint.h - the rules of 'stave check'.
 *
 *	struct df_lint_opts o = {.file = file, .sources = sources, ...};
 *	struct df_lint *l;
 *
 *	if (df_lint_new(&o, &diags, &l, err) < 0) ...   a bad "# check=" line
 *	df_lint_run(l);
 *	... rules that need more than the file: df_lint_add() ...
 *	df_lint_end(l);
 *	df_lint_free(l);
 *
 * BuildKit's rules have its names and conditions; the others are ours.  A rule
 * that would have to guess says nothing.  The rules look at the tree and at
 * what the hooks answer; nothing here opens a file.
 */
#ifndef STAVE_PARSER_LINT_H
#define STAVE_PARSER_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/oci.h"
#include "core/strs.h"

struct df_file;	    /* parser/ast.h */
struct df_ignore;   /* parser/ignore.h */
struct df_node;	    /* parser/ast.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */

/* Rows of df_rules[]: BuildKit's, in the order of its documentation. */
enum df_rule_no {
	DF_R_CONSISTENT_CASING,
	DF_R_COPY_IGNORED,
	DF_R_DUPLICATE_STAGE,
	DF_R_EXPOSE_FORMAT,
	DF_R_EXPOSE_PROTO,
	DF_R_FROM_AS_CASING,
	DF_R_FROM_PLATFORM_CONST,
	DF_R_BASE_PLATFORM,
	DF_R_DEFAULT_ARG,
	DF_R_DESCRIPTION,
	DF_R_JSON_ARGS,
	DF_R_LEGACY_PAIR,
	DF_R_MAINTAINER,
	DF_R_MULTIPLE,
	DF_R_EMPTY_CONTINUATION,
	DF_R_REDUNDANT_PLATFORM,
	DF_R_RESERVED_STAGE,
	DF_R_SECRETS,
	DF_R_STAGE_CASING,
	DF_R_UNDEFINED_FROM,
	DF_R_UNDEFINED_VAR,
	DF_R_WORKDIR,
	DF_N_BUILDKIT_RULES,

	/* ours, by name */
	DF_R_ADD_CHECKSUM = DF_N_BUILDKIT_RULES,
	DF_R_APT_ASKS,
	DF_R_APT_UPDATE,
	DF_R_CD_ALONE,
	DF_R_COPY_SECRET,
	DF_R_DIRECTIVE_LATE,
	DF_R_ESCAPES,
	DF_R_EXEC_FORM,
	DF_R_HEREDOC_END,
	DF_R_IGNORE_TOP,
	DF_R_PACKAGE_CACHE,
	DF_R_QUOTE_END,
	DF_R_REPEATED_FILES,
	DF_R_SUDO,
	DF_R_UNKNOWN_RULE,
	DF_R_UNPINNED_BASE,
	DF_N_RULES
};

struct df_lint;

/* One rule. */
struct df_rule {
	const char *id;
	const char *summary; /* one sentence, as in BuildKit's descriptions */
	enum stv_severity severity;
	bool is_experimental; /* off unless "experimental=" names it */
	bool has_fix;
	/* node(l, n): look at an instruction; NULL where others do it. */
	void (*node)(struct df_lint *l, const struct df_node *n);
	/* file(l): look at the whole file, before its nodes; or NULL. */
	void (*file)(struct df_lint *l);
};

/* All rules, DF_N_RULES of them. */
extern const struct df_rule df_rules[];

/* df_rule_find(id, ret): the rule of that name (exactly); false: none. */
bool df_rule_find(const char *id, enum df_rule_no *ret);

/* df_rule_url(rule): where BuildKit documents it; "" for ours.  Owns. */
char *df_rule_url(enum df_rule_no rule);

/* What a rule wants to know of a base image. */
struct df_lint_base {
	struct stv_strs env;	  /* "NAME=VALUE" */
	struct stv_strs on_build; /* triggers */
	struct stv_platform platform;
	char *user;    /* "" for root; NULL counts as that */
	char *workdir; /* NULL: none */
	char *shell;   /* the program of its SHELL; NULL: none */
};

/* df_lint_base_fini(b): free the members. */
void df_lint_base_fini(struct df_lint_base *b);

struct df_lint_opts {
	const struct df_file *file;
	struct stv_sources *sources;
	const struct stv_strs *build_args;   /* "NAME=VALUE"; or NULL */
	const char *target;		     /* NULL: the last stage */
	const struct stv_platform *platform; /* NULL: this machine's */
	const struct df_ignore *ignore;	     /* NULL: there is none */
	bool only_buildkit; /* leave out the rules that are ours */
	void *arg;	    /* for the hooks; each of them may be NULL */
	/* is_image(arg, name): is it in the form of an image's name? */
	bool (*is_image)(void *arg, const char *name);
	/*
	 * base(arg, name, ret): what is known of the image ${name} for nothing
	 * (it is here already); false: it is not.  Owns: fini by the linter.
	 */
	bool (*base)(void *arg, const char *name, struct df_lint_base *ret);
};

/*
 * df_lint_new(o, diags, ret, err): read the "# check=" line, or the build
 * argument BUILDKIT_DOCKERFILE_CHECK, which replaces it.
 *
 * Owns:    *ret, df_lint_free().
 * Borrows: ${o} is copied, what it points at and ${diags} must outlive *ret.
 * Errors:  STV_E_CHECK at the place of what is wrong in that line.
 */
int df_lint_new(const struct df_lint_opts *o, struct stv_diags *diags,
		struct df_lint **ret, struct stv_err **err);

/*
 * df_lint_run(l): apply all rules that need no more than ${o}.  Warnings that
 * df_parse() left in the list of findings count as theirs; those of rules that
 * are switched off are removed.
 */
void df_lint_run(struct df_lint *l);

/* df_lint_wants(l, rule): is the rule switched on? */
bool df_lint_wants(const struct df_lint *l, enum df_rule_no rule);

/*
 * df_lint_add(l, rule, span, fmt, ...): a finding of a rule that is switched
 * on.  Borrows: see stv_diags_add().
 */
struct stv_diag *df_lint_add(struct df_lint *l, enum df_rule_no rule,
			     struct stv_span span, const char *fmt, ...)
	__attribute__((__format__(__printf__, 4, 5)));

/*
 * df_lint_note(l, f), df_lint_warn(l, f): the finding just added is only a
 * note; is a warning.
 */
void df_lint_note(struct df_lint *l, struct stv_diag *f);
void df_lint_warn(struct df_lint *l, struct stv_diag *f);

/* df_lint_is_shipped(l, node): is its stage part of the target's image? */
bool df_lint_is_shipped(const struct df_lint *l, const struct df_node *node);

/*
 * df_lint_end(l, err): bring the findings in order.
 * Errors: STV_E_CHECK where "error=true" makes a failure of BuildKit's
 *         findings; the message has the names of the rules.
 */
int df_lint_end(struct df_lint *l, struct stv_err **err);

/*
 * df_lint_fix(l, ret, ret_n, err): the text of the file with the changes of
 * all findings that have a safe one.  It is parsed again, and refused where
 * its tree is not the same but for what the rules change.
 *
 * Owns:    *ret, ${*ret_n} bytes.
 * Returns: the number of changes; 0 leaves *ret untouched.
 * Errors:  STV_E_INTERNAL where a tree would differ.
 */
int df_lint_fix(const struct df_lint *l, char **ret, size_t *ret_n,
		struct stv_err **err);

/* df_lint_is_secret_name(name): BuildKit's idea of a variable with a secret. */
bool df_lint_is_secret_name(const char *name);

/* df_lint_free(l): NULL is ok. */
void df_lint_free(struct df_lint *l);

STV_DEFINE_CLEANUP(df_lint, df_lint_free);

#endif /* STAVE_PARSER_LINT_H */
