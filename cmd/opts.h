/*
 * cmd/opts.h - option tables: parsing, help text, and what the man pages and
 * the completion are checked against.
 *
 * A command describes its command line once:
 *
 *	struct tag_values { bool is_forced; const char *name; };
 *	static const struct cmd_opt opts[] = {
 *		CMD_FLAG("force", 'f', struct tag_values, is_forced, "..."),
 *		CMD_STR("name", 0, "NAME", struct tag_values, name, "..."),
 *		CMD_OPT_END,
 *	};
 *
 * and cmd_opts_parse() fills the structure.
 */
#ifndef STAVE_CMD_OPTS_H
#define STAVE_CMD_OPTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct cmd_ctx; /* cmd/ctx.h */
struct stv_buf; /* core/buf.h */
struct stv_err; /* core/err.h */

enum cmd_opt_kind {
	CMD_KIND_END,
	CMD_KIND_FLAG,	    /* bool; also --x=false */
	CMD_KIND_STR,	    /* const char *: the last one wins; borrows argv */
	CMD_KIND_LIST,	    /* struct stv_strs: every one is kept, in order */
	CMD_KIND_MOOT,	    /* a flag of docker's without meaning: a warning */
	CMD_KIND_MOOT_STR,  /* likewise, with a value */
	CMD_KIND_LATER,	    /* a flag of docker's that is refused by name */
	CMD_KIND_LATER_STR, /* likewise, with a value */
};

struct cmd_opt {
	enum cmd_opt_kind kind;
	char letter;	     /* or 0 */
	const char *name;    /* without dashes */
	const char *metavar; /* of the value, or NULL */
	const char *help;    /* one line; NULL: not shown in help */
	size_t offset;	     /* in the command's values */
};

#define CMD_FLAG(long, short, type, member, text)                              \
	{                                                                      \
		CMD_KIND_FLAG, (short), (long), NULL, (text),                  \
			offsetof(type, member)                                 \
	}
#define CMD_STR(long, short, meta, type, member, text)                         \
	{                                                                      \
		CMD_KIND_STR, (short), (long), (meta), (text),                 \
			offsetof(type, member)                                 \
	}
#define CMD_LIST(long, short, meta, type, member, text)                        \
	{                                                                      \
		CMD_KIND_LIST, (short), (long), (meta), (text),                \
			offsetof(type, member)                                 \
	}
#define CMD_MOOT(long)                                                         \
	{                                                                      \
		CMD_KIND_MOOT, 0, (long), NULL, NULL, 0                        \
	}
#define CMD_MOOT_STR(long)                                                     \
	{                                                                      \
		CMD_KIND_MOOT_STR, 0, (long), "VALUE", NULL, 0                 \
	}
#define CMD_LATER(long, short)                                                 \
	{                                                                      \
		CMD_KIND_LATER, (short), (long), NULL, NULL, 0                 \
	}
#define CMD_LATER_STR(long, short)                                             \
	{                                                                      \
		CMD_KIND_LATER_STR, (short), (long), "VALUE", NULL, 0          \
	}
#define CMD_OPT_END                                                            \
	{                                                                      \
		CMD_KIND_END, 0, NULL, NULL, NULL, 0                           \
	}

#define CMD_ANY_NUMBER INT_MAX

/* One command of the program. */
struct cmd_verb {
	const char *name;
	const char *args;    /* "IMAGE [IMAGE...]" for the usage line */
	const char *summary; /* one line */
	const struct cmd_opt *opts;
	int min_args;
	int max_args;
	bool is_prefix; /* options end at the first argument (run) */
	/*
	 * run(cx, argc, argv, err): argv[0] is the command's name.
	 * Returns: the exit status, or -1 with *err.
	 */
	int (*run)(struct cmd_ctx *cx, int argc, char **argv,
		   struct stv_err **err);
};

/* cmd_opts_common: the options that every command has (--root, --help, ...). */
extern const struct cmd_opt cmd_opts_common[];

/* What cmd_opts_parse() answers. */
enum cmd_parsed { CMD_PARSED = 0, CMD_PARSED_HELP = 1 };

/*
 * cmd_opts_parse(cx, verb, argc, argv, values, ret_n, err): parse the command
 * line of ${verb} into ${values} (zeroed or preset by the caller) and ${cx}.
 * Options and arguments may be mixed; "--" ends the options.  The *ret_n
 * arguments that are no options are moved to argv[1] and after.
 *
 * Returns: CMD_PARSED, or CMD_PARSED_HELP where the help was asked for and has
 *          been printed.
 * Owns:    lists in ${values}: cmd_opts_fini(), also after a failure.
 * Errors:  STV_E_USAGE with the nearest option's name as a hint.
 */
int cmd_opts_parse(struct cmd_ctx *cx, const struct cmd_verb *verb, int argc,
		   char **argv, void *values, int *ret_n, struct stv_err **err);

/*
 * cmd_opts_leading(cx, argc, argv, err): the options before the command's
 * name.  Returns: the index of the first word that is none, or -1.
 */
int cmd_opts_leading(struct cmd_ctx *cx, int argc, char **argv,
		     struct stv_err **err);

/* cmd_opts_fini(opts, values): free the lists. */
void cmd_opts_fini(const struct cmd_opt *opts, void *values);

/* cmd_opts_usage(verb, ret): the help text of a command, appended. */
void cmd_opts_usage(const struct cmd_verb *verb, struct stv_buf *ret);

/*
 * cmd_nearest(word, names, n): the one of ${n} names that ${word} was most
 * probably meant to be, or NULL where none is near.  Borrows.
 */
const char *cmd_nearest(const char *word, const char *const *names, size_t n);

#endif /* STAVE_CMD_OPTS_H */
