/*
 * parser/shell.h - the simple commands of a shell text, for the linter.
 *
 * No shell: words are cut and unquoted, commands are told apart, variables and
 * substitutions stay as they are.  What is not understood gives odd words, and
 * no rule may say more than the words prove.
 */
#ifndef STAVE_PARSER_SHELL_H
#define STAVE_PARSER_SHELL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/vec.h"

/* A word; [begin, end) are its bytes in the text. */
struct df_shell_word {
	char *text;    /* without quotes */
	bool is_exact; /* no variable and no substitution in it */
	size_t begin;
	size_t end;
};

/* What stood before a command. */
enum df_shell_join {
	DF_JOIN_NONE,
	DF_JOIN_AND,  /* && */
	DF_JOIN_OR,   /* || */
	DF_JOIN_PIPE, /* | */
	DF_JOIN_NEXT  /* ; & newline, a bracket, then ... */
};

/*
 * One simple command: words [first, first + n), redirections dropped.  The
 * name is word ${name}, behind assignments and wrappers (sudo, env, exec,
 * time ...); first + n where there is none, and for ${sudo} where no wrapper is
 * that one.
 */
struct df_command {
	size_t first;
	size_t n;
	size_t name;
	size_t sudo;
	enum df_shell_join join;
};

struct df_script {
	STV_VEC(struct df_shell_word) words;
	STV_VEC(struct df_command) commands;
};

/*
 * df_script_parse(text, len, ret): cut ${text} into empty ${ret}.
 * Owns: df_script_fini().
 */
void df_script_parse(const char *text, size_t len, struct df_script *ret);

/* df_script_end(s): to be called by who adds words by hand: one command. */
void df_script_end(struct df_script *s);

/* df_script_fini(s): free the members; ${s} is empty then. */
void df_script_fini(struct df_script *s);

/* df_command_is(s, c, name): is the command's name that (without a path)? */
bool df_command_is(const struct df_script *s, const struct df_command *c,
		   const char *name);

/*
 * df_command_names(s, c, part): does any word hold ${part}?
 */
bool df_command_names(const struct df_script *s, const struct df_command *c,
		      const char *part);

/*
 * df_command_verb(s, c): its first argument that is no option, or NULL: the
 * "install" of "apt-get -q install".  Borrows.
 */
const struct df_shell_word *df_command_verb(const struct df_script *s,
					    const struct df_command *c);

#endif /* STAVE_PARSER_SHELL_H */
