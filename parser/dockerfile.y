/*
 * parser/dockerfile.y - structure of an instruction.
 *
 * One grammar for the whole file; EOL is where it recovers.  It is about shape
 * only: what an instruction demands of its arguments is in check.c.
 */
%require "3.8"
%define api.pure full
%define api.prefix {df_yy}
%define api.token.prefix {TOK_}
%define api.location.type {struct stv_span}
%define api.value.type {union df_value}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param {yyscan_t scanner}
%initial-action { @$ = (struct stv_span){ 0 }; }

%code requires {
#include "parser/lex.h"
}

%code {
#include "parser/parse_internal.h"
#include "parser/scanner.h"

/* Half-open ranges; an empty rule stands behind what came before it. */
#define YYLLOC_DEFAULT(cur, rhs, n)                                            \
	do {                                                                   \
		if (n) {                                                       \
			(cur) = YYRHSLOC(rhs, 1);                              \
			(cur).end = YYRHSLOC(rhs, n).end;                      \
		} else {                                                       \
			(cur) = YYRHSLOC(rhs, 0);                              \
			(cur).begin = (cur).end;                               \
		}                                                              \
	} while (0)

#define LEX ((struct df_lex *)df_yyget_extra(scanner))
}

%token <keyword>
	ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL
	MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR
%token <text> WORD TEXT STRING NAME SEPARATOR VALUE
%token <flag> FLAG
%token <heredoc> HEREDOC
%token JSON_OPEN JSON_CLOSE EOL

%nterm <keyword> with_words with_list with_text with_command with_pairs

%%

file
	: %empty
	| file line
	;

line
	: instruction EOL heredocs	{ df_draft_line(LEX); }
	| error EOL discarded		{ df_draft_drop(LEX); yyerrok; }
	;

heredocs
	: %empty
	| heredocs HEREDOC		{ df_draft_heredoc(LEX, $2); }
	;

discarded
	: %empty
	| discarded HEREDOC
	;

instruction
	: simple
	| ONBUILD	{ df_draft_begin(LEX, $1, @1); }
	  flags trigger
	;

trigger
	: %empty
	| simple
	;

simple
	: with_words	{ df_draft_begin(LEX, $1, @1); }
	  flags words
	| with_list	{ df_draft_begin(LEX, $1, @1); }
	  flags list
	| with_text	{ df_draft_begin(LEX, $1, @1); }
	  flags text
	| with_command	{ df_draft_begin(LEX, $1, @1); }
	  flags command
	| with_pairs	{ df_draft_begin(LEX, $1, @1); }
	  flags pairs
	| HEALTHCHECK	{ df_draft_begin(LEX, $1, @1); }
	  flags health
	;

with_words	: FROM | EXPOSE | ARG ;
with_list	: COPY | ADD | VOLUME ;
with_text	: MAINTAINER | STOPSIGNAL | USER | WORKDIR ;
with_command	: RUN | CMD | ENTRYPOINT | SHELL ;
with_pairs	: ENV | LABEL ;

flags
	: %empty
	| flags FLAG		{ df_draft_flag(LEX, $2); }
	;

words
	: %empty
	| words WORD		{ df_draft_arg(LEX, $2, @2); }
	;

list
	: words
	| json
	;

text
	: %empty
	| TEXT			{ df_draft_arg(LEX, $1, @1); }
	;

command
	: text
	| json
	;

health
	: %empty
	| WORD			{ df_draft_arg(LEX, $1, @1); }
	  command
	;

pairs
	: %empty
	| pairs NAME SEPARATOR VALUE
		{
			df_draft_arg(LEX, $2, @2);
			df_draft_arg(LEX, $4, @4);
			df_draft_arg(LEX, $3, @3);
		}
	;

json
	: JSON_OPEN		{ df_draft_json(LEX); }
	  strings JSON_CLOSE	{ df_draft_close(LEX, @4); }
	;

strings
	: %empty
	| strings STRING	{ df_draft_arg(LEX, $2, @2); }
	;

%%

int
yyreport_syntax_error(const yypcontext_t *ctx, yyscan_t scanner)
{
	yysymbol_kind_t token = yypcontext_token(ctx);
	struct df_lex *lex = df_yyget_extra(scanner);

	df_report(lex, *yypcontext_location(ctx), token == YYSYMBOL_EOL,
		  yysymbol_name(token));
	return 0;
}
