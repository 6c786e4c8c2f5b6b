/* parser/parse_internal.h - what the files of the parser call of each other. */
#ifndef STAVE_PARSER_PARSE_INTERNAL_H
#define STAVE_PARSER_PARSE_INTERNAL_H

#include <stdbool.h>

#include "parser/lex.h"

struct stv_diags; /* core/diag.h */

/* df_scan(value, at, scanner): flex: queue all tokens of a line; always 0. */
int df_scan(union df_value *value, struct stv_span *at, yyscan_t scanner);

/*
 * df_yylex(yylval_param, yylloc_param, yyscanner): the next token for the
 * grammar.  (The names are those of the header that flex writes.)
 */
int df_yylex(union df_value *yylval_param, struct stv_span *yylloc_param,
	     yyscan_t yyscanner);

/* df_yyerror(at, scanner, msg): bison's own errors (its stack is full). */
void df_yyerror(const struct stv_span *at, yyscan_t scanner, const char *msg);

/* df_report_unknown(lex, at, name): there is no instruction of that name. */
void df_report_unknown(struct df_lex *lex, struct stv_span at,
		       const char *name);

/*
 * df_report(lex, at, is_eol, symbol): the grammar met something that it did
 * not expect: the end of the line, or the symbol of that name.
 */
void df_report(struct df_lex *lex, struct stv_span at, bool is_eol,
	       const char *symbol);

/*
 * df_check_file(f, diags): the rules of each instruction and of the file as a
 * whole.
 */
void df_check_file(const struct df_file *f, struct stv_diags *diags);

/*
 * df_check_syntax(f, diags): warn of a "# syntax=" that names another frontend
 * than the official ones.
 */
void df_check_syntax(const struct df_file *f, struct stv_diags *diags);

/* df_check_trigger(f, diags): the rules for an ONBUILD trigger of an image. */
void df_check_trigger(const struct df_file *f, struct stv_diags *diags);

#endif /* STAVE_PARSER_PARSE_INTERNAL_H */
