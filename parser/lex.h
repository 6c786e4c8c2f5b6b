/*
 * parser/lex.h - tokens of a Dockerfile, and what reader, scanner and grammar
 * share.
 *
 * df_yylex() feeds one logical line after the other to the scanner
 * (dockerfile.l), whose locations are offsets in that line, and turns them
 * into places in the file.  The scanner alone decides what state it is in;
 * tokens that are found in one go (the members of a JSON array, heredocs) wait
 * in a queue.
 */
#ifndef STAVE_PARSER_LEX_H
#define STAVE_PARSER_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/span.h"
#include "core/vec.h"
#include "parser/ast.h"
#include "parser/reader.h"

#ifndef YY_TYPEDEF_YY_SCANNER_T
#define YY_TYPEDEF_YY_SCANNER_T
typedef void *yyscan_t;
#endif

/* flex knows these types by its own names. */
#define YYSTYPE DF_YYSTYPE
#define YYLTYPE DF_YYLTYPE

/* How the arguments of an instruction are cut (STYLE.md 4.4). */
enum df_mode {
	DF_MODE_WORDS,	 /* FROM EXPOSE */
	DF_MODE_LIST,	 /* COPY ADD VOLUME: words or JSON */
	DF_MODE_TEXT,	 /* MAINTAINER STOPSIGNAL USER WORKDIR */
	DF_MODE_COMMAND, /* RUN CMD ENTRYPOINT SHELL: text or JSON */
	DF_MODE_PAIRS,	 /* ENV LABEL */
	DF_MODE_QUOTED,	 /* ARG */
	DF_MODE_HEALTH,	 /* HEALTHCHECK: a word, then as a command */
	DF_MODE_TRIGGER	 /* ONBUILD: another instruction */
};

/* The name of an instruction; in the arena. */
struct df_keyword {
	enum df_kind kind;
	const char *text;     /* as written */
	const char *original; /* from here to the end of the logical line */
	const char *rest;     /* what stands behind it, blanks at the end too */
};

/* What a token says; in the arena. */
union df_value {
	const char *text;
	const struct df_keyword *keyword;
	const struct df_flag *flag;
	const struct df_heredoc *heredoc;
};

/* A token that waits for the grammar. */
struct df_token {
	int kind;
	struct stv_span span;
	union df_value value;
};

/* The instruction that the grammar is putting together. */
struct df_draft {
	struct df_node node;
	STV_VEC(struct df_flag) flags;
	STV_VEC(struct df_arg) args;
	STV_VEC(struct df_heredoc) heredocs;
};

#define DF_NO_WORD SIZE_MAX

/* One parse. */
struct df_lex {
	yyscan_t scanner;
	struct df_reader reader;
	struct df_arena *arena;
	struct stv_diags *diags;

	/* The logical line, and where the scanner is in it. */
	struct df_line line;
	char *copy; /* what flex scans and scribbles on */
	size_t copy_size;
	void *buffer; /* its handle */
	bool in_line;
	uint32_t off; /* logical offset of the scanner */
	uint32_t end; /* the line without blanks at its end */
	size_t word;  /* where the quoted word began, or DF_NO_WORD */
	size_t cut;   /* an escape character at the end of the line */
	enum df_kind kind;
	bool is_known;	 /* ${kind} is set */
	bool has_known;	 /* it has been set once */
	size_t n_empty;	 /* lines with an empty one in them */
	bool has_type;	 /* HEALTHCHECK's type has been read */
	bool in_trigger; /* behind an ONBUILD */
	bool is_json;
	STV_VEC(struct df_token) queue;
	size_t queue_pos;

	/* The grammar's side. */
	struct df_draft outer; /* the instruction, or an ONBUILD */
	struct df_draft inner; /* the trigger of an ONBUILD */
	bool has_inner;
	STV_VEC(struct df_node) nodes;
};

/* df_lex_mode(kind): how its arguments are cut. */
enum df_mode df_lex_mode(enum df_kind kind);

/* df_lex_flag(lex, begin, end): queue the flag that stands there. */
void df_lex_flag(struct df_lex *lex, size_t begin, size_t end);

/*
 * df_lex_word(lex, begin, end): end the quoted word there: queue WORD, or
 * NAME, SEPARATOR and VALUE.
 */
void df_lex_word(struct df_lex *lex, size_t begin, size_t end);

/*
 * df_lex_queue(lex, kind, begin, end): queue a token for logical bytes; its
 * text is a copy of them.  Borrows: the result lives until the next one.
 */
struct df_token *df_lex_queue(struct df_lex *lex, int kind, size_t begin,
			      size_t end);

/*
 * df_lex_arguments(lex): decide by the first byte behind the flags how the
 * rest is cut; a JSON array is queued as a whole.
 */
enum df_arguments {
	DF_A_WORDS,
	DF_A_TEXT,
	DF_A_QUOTED,
	DF_A_LEGACY, /* ENV name rest of line */
	DF_A_TYPE,
	DF_A_KEYWORD,
	DF_A_DONE /* all was queued */
};
enum df_arguments df_lex_arguments(struct df_lex *lex);

/*
 * df_lex_keyword(lex, begin, end): queue the token of an instruction's name.
 * false where there is no such instruction, which is reported.
 */
bool df_lex_keyword(struct df_lex *lex, size_t begin, size_t end);

/* df_lex_at(lex, begin, end): the place of logical bytes in the file. */
struct stv_span df_lex_at(const struct df_lex *lex, size_t begin, size_t end);

/* df_lex_fini(lex): free what it owns, the arena excepted. */
void df_lex_fini(struct df_lex *lex);

/*
 * What the actions of the grammar do: begin an instruction (or the trigger of
 * the one that was begun), add to it, and end the line with it.
 */
void df_draft_begin(struct df_lex *lex, const struct df_keyword *keyword,
		    struct stv_span span);
void df_draft_flag(struct df_lex *lex, const struct df_flag *flag);
void df_draft_arg(struct df_lex *lex, const char *text, struct stv_span span);
void df_draft_json(struct df_lex *lex);
void df_draft_close(struct df_lex *lex, struct stv_span span);
void df_draft_heredoc(struct df_lex *lex, const struct df_heredoc *h);

/* df_draft_line(lex): the line is complete: keep its instruction. */
void df_draft_line(struct df_lex *lex);

/* df_draft_drop(lex): the line was wrong: forget it. */
void df_draft_drop(struct df_lex *lex);

#endif /* STAVE_PARSER_LEX_H */
