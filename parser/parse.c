/* parser/parse.c - Dockerfile text to checked instructions. */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/lex.h"
#include "parser/parse.h"
#include "parser/parse_internal.h"
#include "parser/scanner.h"

/* ---- messages ------------------------------------------------------------*/

/* What git writes around the sides of a conflict. */
static bool
is_merge_marker(const char *word)
{
	return strlen(word) == 7 && *word != '\0' &&
	       strchr("<|=>", *word) != NULL && strspn(word, "<|=>") == 7;
}

void
df_report_unknown(struct df_lex *lex, struct stv_span at, const char *name)
{
	const char *names[DF_N_KINDS + 1] = {NULL};
	const char *near;
	struct stv_diag *f;

	for (int i = 0; i < DF_N_KINDS; i++)
		names[i] = df_kind_name((enum df_kind)i);
	/* Two letters are near to anything: rather a command, as cd or cp. */
	near = strlen(name) > 2 ? df_nearest(name, names) : NULL;
	if (near != NULL) {
		stv_diags_add(lex->diags, STV_SEV_ERROR, at,
			      "unknown instruction '%s'; did you mean '%s'?",
			      name, near);
		return;
	}
	f = stv_diags_add(lex->diags, STV_SEV_ERROR, at,
			  "unknown instruction '%s'", name);
	if (is_merge_marker(name))
		stv_diag_hint(f, "An unfinished merge left this line; keep one "
				 "side and take the markers away.");
	else if (!lex->has_known)
		stv_diag_hint(f, "A Dockerfile begins with 'FROM image'.");
	else if (strcmp(name, "EOF") == 0 || strcmp(name, "EOT") == 0)
		stv_diag_hint(f,
			      "No heredoc is open here; RUN, COPY and ADD "
			      "open one with '<<%s'.",
			      name);
	else
		stv_diag_hint(f,
			      "A command needs RUN in front of it; to continue "
			      "the instruction above, end its last line with "
			      "'%c'.",
			      lex->reader.escape);
}

void
df_report(struct df_lex *lex, struct stv_span at, bool is_eol,
	  const char *symbol)
{
	const char *name = df_kind_name(lex->kind);
	struct stv_diag *f;

	if (!is_eol) {
		stv_diags_add(lex->diags, STV_SEV_ERROR, at,
			      "%s was not expected here", symbol);
		return;
	}
	f = stv_diags_add(lex->diags, STV_SEV_ERROR, at,
			  "%s needs a name and a value", name);
	stv_diag_hint(f, "Write %s name=value.", name);
}

void
df_yyerror(const struct stv_span *at, yyscan_t scanner, const char *msg)
{
	struct df_lex *lex = df_yyget_extra(scanner);

	stv_diags_add(lex->diags, STV_SEV_ERROR, *at, "%s", msg);
}

/* "3 errors", at the place of the first. */
static int
summarize(const struct stv_diags *diags, const struct stv_source *src,
	  size_t before, struct stv_err **err)
{
	size_t n = diags->n_errors - before;

	stv_fail(err, STV_E_SYNTAX, "%zu error%s in %s", n, n == 1 ? "" : "s",
		 src->name);
	for (size_t i = 0; i < diags->len; i++) {
		if (diags->v[i].severity != STV_SEV_ERROR)
			continue;
		stv_err_at(*err, diags->v[i].span);
		break;
	}
	return -1;
}

/* ---- pieces --------------------------------------------------------------*/

/* The next piece of two lists that are in order each; NULL at their end. */
static const struct df_piece *
next_piece(const struct df_reader *r, size_t *piece, size_t *token)
{
	bool has_piece = *piece < r->pieces.len;
	bool has_token = *token < r->tokens.len;

	if (has_piece && (!has_token || r->pieces.v[*piece].span.begin <
						r->tokens.v[*token].span.begin))
		return &r->pieces.v[(*piece)++];
	return has_token ? &r->tokens.v[(*token)++] : NULL;
}

/* Put the pieces in order; what lies between them is blanks. */
static void
finish_pieces(struct df_lex *lex, struct df_file *f)
{
	struct df_reader *r = &lex->reader;
	size_t n = r->pieces.len + r->tokens.len, out = 0;
	size_t piece = 0, token = 0;
	const struct df_piece *next;
	uint32_t at = 0;
	struct df_piece *v;

	v = df_arena_alloc(lex->arena, (2 * n + 1) * sizeof(*v));
	do {
		uint32_t begin;

		next = next_piece(r, &piece, &token);
		begin = next != NULL ? next->span.begin : r->len;
		if (begin > at)
			v[out++] = (struct df_piece){
				.kind = DF_P_SPACE,
				.span = {at, begin, r->file},
			};
		if (next != NULL) {
			v[out++] = *next;
			at = next->span.end;
		}
	} while (next != NULL);
	f->pieces = v;
	f->n_pieces = out;
}

/* ---- parsing -------------------------------------------------------------*/

/* Run scanner and grammar over the file. */
static void
run(struct df_lex *lex)
{
	int rc;

	if (df_yylex_init_extra(lex, &lex->scanner) != 0)
		STV_BUG("the scanner cannot start");
	rc = df_yyparse(lex->scanner);
	if (rc != 0 && lex->diags->n_errors == 0)
		STV_BUG("the grammar failed without a word");
	if (lex->buffer != NULL)
		df_yy_delete_buffer(lex->buffer, lex->scanner);
	df_yylex_destroy(lex->scanner);
}

/* Make the result from what was collected. */
static struct df_file *
make_file(struct df_lex *lex, const struct stv_source *src)
{
	struct df_file *f = stv_xcalloc(1, sizeof(*f));
	size_t size = lex->nodes.len * sizeof(*lex->nodes.v);
	struct df_node *nodes = df_arena_alloc(lex->arena, size + 1);

	if (size > 0)
		memcpy(nodes, lex->nodes.v, size);
	f->arena = lex->arena;
	f->source = src;
	f->source_no = lex->reader.file;
	f->escape = lex->reader.escape;
	f->syntax = lex->reader.syntax;
	f->escape_directive = lex->reader.escape_directive;
	f->check = lex->reader.check;
	f->nodes = nodes;
	f->n_nodes = lex->nodes.len;
	f->n_empty = lex->n_empty;
	finish_pieces(lex, f);
	return f;
}

/* A NUL would end every text that comes after it. */
static bool
check_nul(const struct stv_source *src, uint32_t file, struct stv_diags *diags)
{
	const char *nul = memchr(src->text, '\0', src->len);
	struct stv_diag *f;
	uint32_t at;

	if (nul == NULL)
		return true;
	at = (uint32_t)(nul - src->text);
	f = stv_diags_add(diags, STV_SEV_ERROR,
			  (struct stv_span){at, at + 1, file},
			  "the file holds a NUL byte");
	stv_diag_hint(f, "A Dockerfile is text in UTF-8 (not UTF-16).");
	return false;
}

typedef void check_fn(const struct df_file *f, struct stv_diags *diags);

/* Parse a text and check it by ${check}. */
static int
parse(const struct stv_sources *sources, uint32_t file, check_fn *check,
      struct df_file **ret, struct stv_diags *diags, struct stv_err **err)
{
	const struct stv_source *src = stv_sources_get(sources, file);
	size_t before = diags->n_errors, first = diags->len;
	struct df_file *f;
	struct df_lex lex = {
		.reader =
			{
				.text = src->text,
				.len = (uint32_t)src->len,
				.file = file,
				.escape = '\\',
				.diags = diags,
			},
		.diags = diags,
	};

	if (!check_nul(src, file, diags))
		return summarize(diags, src, before, err);
	lex.arena = lex.reader.arena = df_arena_new();
	run(&lex);
	f = make_file(&lex, src);
	df_lex_fini(&lex);
	check(f, diags);
	stv_diags_sort(diags, first);
	if (diags->n_errors > before) {
		df_file_free(f);
		return summarize(diags, src, before, err);
	}
	*ret = f;
	return 0;
}

int
df_parse(struct stv_sources *sources, uint32_t file, struct df_file **ret,
	 struct stv_diags *diags, struct stv_err **err)
{
	return parse(sources, file, df_check_file, ret, diags, err);
}

int
df_parse_onbuild(struct stv_sources *sources, const char *text,
		 struct df_file **ret, struct stv_diags *diags,
		 struct stv_err **err)
{
	uint32_t file;

	if (stv_sources_add(sources, "ONBUILD trigger", text, strlen(text),
			    &file, err) < 0)
		return -1;
	return parse(sources, file, df_check_trigger, ret, diags, err);
}
