/*
 * parser/ast.h - what a Dockerfile says, with its places.
 *
 * Everything hangs on one arena that lives as long as its struct df_file;
 * nodes are never freed one by one and nothing in them is ever NULL where the
 * comment does not say so.  Texts are as BuildKit's parser cuts them: still
 * quoted and unexpanded.  They hold no NUL: a file with one is refused.
 */
#ifndef STAVE_PARSER_AST_H
#define STAVE_PARSER_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/span.h"

struct stv_source; /* core/source.h */
struct df_arena;   /* parser/ast.c */

/* The eighteen instructions, in the order of their names. */
enum df_kind {
	DF_ADD,
	DF_ARG,
	DF_CMD,
	DF_COPY,
	DF_ENTRYPOINT,
	DF_ENV,
	DF_EXPOSE,
	DF_FROM,
	DF_HEALTHCHECK,
	DF_LABEL,
	DF_MAINTAINER,
	DF_ONBUILD,
	DF_RUN,
	DF_SHELL,
	DF_STOPSIGNAL,
	DF_USER,
	DF_VOLUME,
	DF_WORKDIR
};

#define DF_N_KINDS 18

/* A flag of an instruction, "--name=value" or "--name"; unquoted. */
struct df_flag {
	const char *name;  /* without the dashes */
	const char *value; /* "" where there is none */
	bool has_value;	   /* there was a '=' */
	struct stv_span span;
	struct stv_span name_span;  /* with the dashes */
	struct stv_span value_span; /* empty where there is none */
};

/* An argument: what it is depends on the instruction, see struct df_node. */
struct df_arg {
	const char *text;
	struct stv_span span;
};

/* A here-document of a RUN, COPY or ADD. */
struct df_heredoc {
	const char *name;    /* the tag, unquoted */
	const char *content; /* as in the file, tabs of "<<-" included */
	size_t content_len;
	unsigned fd; /* the digits before "<<", 0 where there are none */
	bool expand; /* false where any part of the tag was quoted */
	bool chomp;  /* "<<-": see df_heredoc_text() */
	struct stv_span tag_span;  /* the word that opened it */
	struct stv_span body_span; /* the content */
	struct stv_span end_span;  /* the closing line, without its end */
};

/*
 * One instruction.  The arguments are, for
 *
 *   FROM EXPOSE		  words between blanks
 *   COPY ADD VOLUME		  the same, or the members of a JSON array
 *   RUN CMD ENTRYPOINT SHELL	  one text (none where it is empty), or JSON
 *   MAINTAINER STOPSIGNAL USER
 *   WORKDIR			  one text (none where it is empty)
 *   ENV LABEL			  name, value, separator ("=" or "") in turn
 *   ARG			  words with their quotes: NAME or NAME=VALUE
 *   HEALTHCHECK		  its type ("CMD", "NONE"), then as RUN
 *   ONBUILD			  none; see ${onbuild}
 */
struct df_node {
	enum df_kind kind;
	bool is_json; /* the arguments came as a JSON array (exec form) */
	struct stv_span span; /* keyword to last argument, no heredocs */
	struct stv_span keyword_span; /* "COPY" as written */
	const char *keyword;	      /* the same as text */
	const struct df_flag *flags;
	size_t n_flags;
	const struct df_arg *args;
	size_t n_args;
	const struct df_heredoc *heredocs;
	size_t n_heredocs;
	const struct df_node *onbuild; /* the trigger of an ONBUILD, or NULL */
	/*
	 * The trigger as an image's config keeps it (heredocs behind it, each
	 * on lines of their own), or NULL where this is no ONBUILD.
	 */
	const char *trigger;
	/*
	 * The logical text on one line: continuations joined, comments inside
	 * dropped, no blanks around it.  For display and history; of an ADD,
	 * what is secret in its URLs is masked.
	 */
	const char *original;
};

/* A parser directive; ${value} is NULL where the file has none of it. */
struct df_directive {
	const char *value;
	struct stv_span span; /* the line without its end */
	struct stv_span value_span;
};

/* What a stretch of the file is. */
enum df_piece_kind {
	DF_P_BOM,
	DF_P_DIRECTIVE, /* "# escape=`" */
	DF_P_COMMENT,	/* an own line, or one inside a continuation */
	DF_P_BLANK,	/* an empty line (its blanks; the end is a newline) */
	DF_P_SPACE,	/* blanks between tokens and around lines */
	DF_P_JOIN,	/* the escape character at the end of a line */
	DF_P_NEWLINE,	/* "\n" or "\r\n" */
	DF_P_KEYWORD,
	DF_P_FLAG,    /* one flag; also a lone "--" */
	DF_P_ARG,     /* argument text, or what stands between JSON members */
	DF_P_HEREDOC, /* a body */
	DF_P_HEREDOC_END /* its closing line */
};

/*
 * All of them in order are the file, byte for byte: each begins where the one
 * before ended.  A token that goes over a line join is several pieces.
 */
struct df_piece {
	enum df_piece_kind kind;
	struct stv_span span;
};

/* A parsed and checked file. */
struct df_file {
	struct df_arena *arena;
	const struct stv_source *source; /* borrowed from the source table */
	uint32_t source_no;		 /* its number there */
	char escape;			 /* '\\' or '`' */
	struct df_directive syntax;
	struct df_directive escape_directive;
	struct df_directive check;
	const struct df_node *nodes;
	size_t n_nodes;
	const struct df_piece *pieces;
	size_t n_pieces;
	size_t n_empty; /* instructions with an empty line in them */
};

/* df_file_free(f): free it and all that it holds.  NULL is ok. */
void df_file_free(struct df_file *f);

/* df_kind_name(kind): "COPY".  Static. */
const char *df_kind_name(enum df_kind kind);

/*
 * df_kind_find(name, len, ret): the kind of that name in any case; false
 * where there is none.
 */
bool df_kind_find(const char *name, size_t len, enum df_kind *ret);

/*
 * df_node_flag(node, name): the flag of that name, or NULL; the first one
 * where it may be repeated.  Borrows: lives as long as the file.
 */
const struct df_flag *df_node_flag(const struct df_node *node,
				   const char *name);

/*
 * df_flag_is_true(f): the value of a checked boolean flag; false for NULL.
 * "--link" is true.
 */
bool df_flag_is_true(const struct df_flag *f);

/*
 * df_node_heredoc(node, text): the heredoc that an argument stands for, or
 * NULL.  ${text} is a whole argument: a word of COPY or ADD ("<<EOF"), or the
 * text of a RUN, where an answer means "nothing but a heredoc" (its content is
 * then the script) and NULL "the shell reads the heredocs itself" (or there are
 * none).  Where two have one name the last one counts, as in BuildKit.
 * Borrows: lives as long as the file.
 */
const struct df_heredoc *df_node_heredoc(const struct df_node *node,
					 const char *text);

/*
 * df_heredoc_text(h): the content as it is used: without the leading tabs of
 * each line where it was opened by "<<-".
 * Owns: the caller frees it.
 */
char *df_heredoc_text(const struct df_heredoc *h);

/* df_arena_new(), df_arena_free(a): memory that is freed all at once. */
struct df_arena *df_arena_new(void);
void df_arena_free(struct df_arena *a);

/* df_arena_alloc(a, n): ${n} zeroed bytes that live as long as ${a}. */
void *df_arena_alloc(struct df_arena *a, size_t n);

/* df_arena_strndup(a, s, n): a copy of ${n} bytes with a NUL behind them. */
char *df_arena_strndup(struct df_arena *a, const char *s, size_t n);

STV_DEFINE_CLEANUP(df_file, df_file_free);

#endif /* STAVE_PARSER_AST_H */
