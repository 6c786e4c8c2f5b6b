/* parser/lex.c - tokens of a Dockerfile, line by line. */
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/mem.h"
#include "core/secret.h"

#include "parser/heredoc.h"
#include "parser/json_args.h"
#include "parser/lex.h"
#include "parser/parse.h"
#include "parser/parse_internal.h"
#include "parser/scanner.h"
#include "parser/words.h"

/* What an instruction's name means for the rest of its line. */
static const struct {
	int token;
	enum df_mode mode;
} rows[DF_N_KINDS] = {
	[DF_ADD] = {TOK_ADD, DF_MODE_LIST},
	[DF_ARG] = {TOK_ARG, DF_MODE_QUOTED},
	[DF_CMD] = {TOK_CMD, DF_MODE_COMMAND},
	[DF_COPY] = {TOK_COPY, DF_MODE_LIST},
	[DF_ENTRYPOINT] = {TOK_ENTRYPOINT, DF_MODE_COMMAND},
	[DF_ENV] = {TOK_ENV, DF_MODE_PAIRS},
	[DF_EXPOSE] = {TOK_EXPOSE, DF_MODE_WORDS},
	[DF_FROM] = {TOK_FROM, DF_MODE_WORDS},
	[DF_HEALTHCHECK] = {TOK_HEALTHCHECK, DF_MODE_HEALTH},
	[DF_LABEL] = {TOK_LABEL, DF_MODE_PAIRS},
	[DF_MAINTAINER] = {TOK_MAINTAINER, DF_MODE_TEXT},
	[DF_ONBUILD] = {TOK_ONBUILD, DF_MODE_TRIGGER},
	[DF_RUN] = {TOK_RUN, DF_MODE_COMMAND},
	[DF_SHELL] = {TOK_SHELL, DF_MODE_COMMAND},
	[DF_STOPSIGNAL] = {TOK_STOPSIGNAL, DF_MODE_TEXT},
	[DF_USER] = {TOK_USER, DF_MODE_TEXT},
	[DF_VOLUME] = {TOK_VOLUME, DF_MODE_LIST},
	[DF_WORKDIR] = {TOK_WORKDIR, DF_MODE_TEXT},
};

enum df_mode
df_lex_mode(enum df_kind kind)
{
	return rows[kind].mode;
}

struct stv_span
df_lex_at(const struct df_lex *lex, size_t begin, size_t end)
{
	return df_line_span(&lex->line, lex->reader.file, begin, end);
}

/* The bytes of the logical line, as a copy that lives as long as the tree. */
static const char *
copy_text(struct df_lex *lex, size_t begin, size_t end)
{
	return df_arena_strndup(lex->arena, lex->line.text.data + begin,
				end - begin);
}

/* The same for people: what is secret in the URLs of an ADD is masked. */
static const char *
shown_text(struct df_lex *lex, size_t begin, size_t end)
{
	char *text = df_arena_strndup(lex->arena, lex->line.text.data + begin,
				      end - begin);

	if (lex->kind == DF_ADD || lex->kind == DF_ONBUILD)
		stv_secret_mask_urls(text, end - begin);
	return text;
}

/* Record what a token covers. */
static void
add_piece(struct df_lex *lex, enum df_piece_kind kind, size_t begin, size_t end)
{
	df_line_piece(&lex->line, &lex->reader, kind, begin, end);
}

/* Queue a token that stands for an error, which was reported. */
static void
queue_error(struct df_lex *lex, size_t begin, size_t end)
{
	struct df_token *token = stv_vec_push(&lex->queue);

	token->kind = TOK_DF_YYerror;
	token->span = df_lex_at(lex, begin, end);
}

struct df_token *
df_lex_queue(struct df_lex *lex, int kind, size_t begin, size_t end)
{
	struct df_token *token = stv_vec_push(&lex->queue);

	token->kind = kind;
	token->span = df_lex_at(lex, begin, end);
	token->value.text = copy_text(lex, begin, end);
	add_piece(lex, DF_P_ARG, begin, end);
	return token;
}

/* ---- keywords and flags --------------------------------------------------*/

bool
df_lex_keyword(struct df_lex *lex, size_t begin, size_t end)
{
	const char *name = lex->line.text.data + begin;
	struct df_keyword *k;
	struct df_token *token;
	size_t rest = end;

	lex->is_known = df_kind_find(name, end - begin, &lex->kind);
	if (!lex->is_known) {
		df_report_unknown(lex, df_lex_at(lex, begin, end),
				  copy_text(lex, begin, end));
		queue_error(lex, begin, end);
		return false;
	}
	lex->has_known = true;
	if (lex->in_trigger && lex->kind == DF_ONBUILD) {
		stv_diags_add(lex->diags, STV_SEV_ERROR,
			      df_lex_at(lex, begin, end),
			      "ONBUILD cannot trigger another ONBUILD");
		queue_error(lex, begin, end);
		return false;
	}
	while (rest < lex->line.text.len &&
	       strchr(" \t\f\r", lex->line.text.data[rest]) != NULL)
		rest++;
	k = df_arena_alloc(lex->arena, sizeof(*k));
	k->kind = lex->kind;
	k->text = copy_text(lex, begin, end);
	k->original = shown_text(lex, begin, lex->end);
	k->rest = lex->kind == DF_ONBUILD
			  ? copy_text(lex, rest, lex->line.text.len)
			  : "";
	token = stv_vec_push(&lex->queue);
	token->kind = rows[lex->kind].token;
	token->span = df_lex_at(lex, begin, end);
	token->value.keyword = k;
	add_piece(lex, DF_P_KEYWORD, begin, end);
	return true;
}

void
df_lex_flag(struct df_lex *lex, size_t begin, size_t end)
{
	const char *text = lex->line.text.data + begin;
	const char *eq = memchr(text, '=', end - begin);
	size_t name_end = eq != NULL ? begin + (size_t)(eq - text) : end;
	size_t value = eq != NULL ? name_end + 1 : end;
	struct df_token *token = stv_vec_push(&lex->queue);
	struct df_flag *f = df_arena_alloc(lex->arena, sizeof(*f));
	/* A quoted '=' would be found where the reference finds it: after
	 * unquoting. */
	stv_auto_free char *plain = df_unquote_flag(text, end - begin);
	char *plain_eq = strchr(plain, '=');

	f->has_value = plain_eq != NULL;
	if (plain_eq != NULL)
		*plain_eq++ = '\0';
	else
		plain_eq = plain + strlen(plain);
	f->name = df_arena_strndup(lex->arena, plain + 2, strlen(plain + 2));
	f->value = df_arena_strndup(lex->arena, plain_eq, strlen(plain_eq));
	f->span = df_lex_at(lex, begin, end);
	f->name_span = df_lex_at(lex, begin, name_end);
	f->value_span = df_lex_at(lex, value, end);
	token->kind = TOK_FLAG;
	token->span = f->span;
	token->value.flag = f;
	add_piece(lex, DF_P_FLAG, begin, end);
}

/* ---- arguments -----------------------------------------------------------*/

/* Queue NAME, SEPARATOR and VALUE of "name=value". */
static void
queue_pair(struct df_lex *lex, size_t begin, size_t end, size_t text_end)
{
	const char *text = lex->line.text.data;
	const char *eq = memchr(text + begin, '=', text_end - begin);
	size_t name_end;
	struct stv_diag *f;

	if (eq == NULL) {
		f = stv_diags_add(lex->diags, STV_SEV_ERROR,
				  df_lex_at(lex, begin, end),
				  "there is no '=' in '%.*s'",
				  (int)(text_end - begin), text + begin);
		stv_diag_hint(f,
			      "Write %s name=value name=value; a value with "
			      "blanks needs quotes.",
			      df_kind_name(lex->kind));
		queue_error(lex, begin, end);
		return;
	}
	name_end = (size_t)(eq - text);
	df_lex_queue(lex, TOK_NAME, begin, name_end);
	df_lex_queue(lex, TOK_SEPARATOR, name_end, name_end + 1);
	df_lex_queue(lex, TOK_VALUE, name_end + 1, text_end);
	add_piece(lex, DF_P_ARG, text_end, end);
}

void
df_lex_word(struct df_lex *lex, size_t begin, size_t end)
{
	/* An escape character at the very end stands for nothing. */
	size_t text_end = lex->cut >= begin && lex->cut < end ? lex->cut : end;

	lex->word = DF_NO_WORD;
	if (text_end == begin) {
		add_piece(lex, DF_P_ARG, begin, end);
		return;
	}
	if (rows[lex->kind].mode == DF_MODE_PAIRS) {
		queue_pair(lex, begin, end, text_end);
		return;
	}
	df_lex_queue(lex, TOK_WORD, begin, text_end);
	add_piece(lex, DF_P_ARG, text_end, end);
}

/* Queue the members of a JSON array. */
static void
queue_json(struct df_lex *lex, size_t begin, const struct df_json_items *items)
{
	struct df_token *token;

	lex->is_json = true;
	token = stv_vec_push(&lex->queue);
	token->kind = TOK_JSON_OPEN;
	token->span = df_lex_at(lex, begin, begin + 1);
	for (size_t i = 0; i < items->texts.len; i++) {
		const char *text = items->texts.v[i];

		token = stv_vec_push(&lex->queue);
		token->kind = TOK_STRING;
		token->span = df_lex_at(lex, begin + items->places.v[i].begin,
					begin + items->places.v[i].end);
		token->value.text =
			df_arena_strndup(lex->arena, text, strlen(text));
	}
	token = stv_vec_push(&lex->queue);
	token->kind = TOK_JSON_CLOSE;
	token->span = df_lex_at(lex, lex->end - 1, lex->end);
	add_piece(lex, DF_P_ARG, begin, lex->end);
}

/* The exec form, if it is that; true where the rest of the line is done. */
static bool
take_json(struct df_lex *lex, size_t begin)
{
	struct df_json_items items;
	int rc = df_json_args(lex->line.text.data + begin, lex->end - begin,
			      &items);

	if (rc > 0) {
		queue_json(lex, begin, &items);
	} else if (rc < 0) {
		const struct df_json_item *bad =
			&items.places.v[items.places.len - 1];
		struct stv_span at =
			df_lex_at(lex, begin + bad->begin, begin + bad->end);
		struct stv_diag *f;

		f = stv_diags_add(lex->diags, STV_SEV_ERROR, at,
				  rc == -1 ? "a member of the JSON array is no "
					     "string"
					   : "a string of the JSON array holds "
					     "a NUL character");
		if (rc == -1)
			stv_diag_hint(f, "Put it between double quotes.");
		queue_error(lex, begin, lex->end);
	}
	df_json_items_fini(&items);
	return rc != 0;
}

/* "ENV name rest of line": the first word holds no '='. */
static bool
is_legacy_pair(const struct df_lex *lex, size_t begin)
{
	const char *text = lex->line.text.data + begin;
	size_t len = df_word_len(text, lex->end - begin, lex->reader.escape);

	return memchr(text, '=', len) == NULL;
}

enum df_arguments
df_lex_arguments(struct df_lex *lex)
{
	size_t begin = lex->off;

	switch (rows[lex->kind].mode) {
	case DF_MODE_WORDS:
		return DF_A_WORDS;
	case DF_MODE_LIST:
		return take_json(lex, begin) ? DF_A_DONE : DF_A_WORDS;
	case DF_MODE_TEXT:
		return DF_A_TEXT;
	case DF_MODE_COMMAND:
		return take_json(lex, begin) ? DF_A_DONE : DF_A_TEXT;
	case DF_MODE_PAIRS:
		return is_legacy_pair(lex, begin) ? DF_A_LEGACY : DF_A_QUOTED;
	case DF_MODE_QUOTED:
		return DF_A_QUOTED;
	case DF_MODE_HEALTH:
		if (!lex->has_type)
			return DF_A_TYPE;
		return take_json(lex, begin) ? DF_A_DONE : DF_A_TEXT;
	case DF_MODE_TRIGGER:
		lex->in_trigger = true;
		return DF_A_KEYWORD;
	}
	return DF_A_TEXT;
}

/* ---- lines ---------------------------------------------------------------*/

/* An empty line inside an instruction: it is dropped, but it is no good. */
static void
warn_empty(struct df_lex *lex)
{
	struct stv_diag *f;

	if (!lex->line.has_empty)
		return;
	lex->n_empty++;
	f = stv_diags_add(lex->diags, STV_SEV_WARNING, lex->line.empty,
			  "empty line inside an instruction");
	f->rule = "NoEmptyContinuation";
	stv_diag_hint(f, "Remove it, or put a comment there.");
}

/* Give the next logical line to flex.  false: there is none. */
static bool
begin_line(struct df_lex *lex)
{
	const char *text, *trimmed;
	size_t len;

	if (!df_reader_next(&lex->reader, &lex->line))
		return false;
	warn_empty(lex);
	text = stv_buf_str(&lex->line.text);
	len = lex->line.text.len;
	trimmed = df_trim(text, &len);
	lex->off = (uint32_t)(trimmed - text);
	lex->end = lex->off + (uint32_t)len;
	lex->word = DF_NO_WORD;
	lex->cut = DF_NO_WORD;
	lex->is_known = lex->in_trigger = lex->is_json = lex->has_type = false;

	/* The rules want a newline behind the line, flex two NULs. */
	if (lex->copy_size < len + 3) {
		lex->copy_size = 2 * (len + 3);
		lex->copy = stv_xreallocarray(lex->copy, lex->copy_size, 1);
	}
	memcpy(lex->copy, trimmed, len);
	memcpy(lex->copy + len, "\n\0", 3);
	lex->buffer = df_yy_scan_buffer(lex->copy, len + 3, lex->scanner);
	return true;
}

/* Does the current instruction take heredocs? */
static bool
takes_heredocs(const struct df_lex *lex)
{
	if (!lex->is_known)
		return true; /* a misspelt RUN; see df_heredocs_take() */
	return !lex->is_json && (lex->kind == DF_RUN || lex->kind == DF_COPY ||
				 lex->kind == DF_ADD);
}

/* Queue all tokens of the next logical line. */
static bool
scan_line(struct df_lex *lex)
{
	struct df_token *token;
	YYSTYPE value;
	YYLTYPE at;

	if (!begin_line(lex))
		return false;
	df_scan(&value, &at, lex->scanner);
	if (lex->word != DF_NO_WORD)
		df_lex_word(lex, lex->word, lex->end);
	df_yy_delete_buffer(lex->buffer, lex->scanner);
	lex->buffer = NULL;
	if (lex->queue.len == 0) {
		stv_diags_add(lex->diags, STV_SEV_ERROR, df_lex_at(lex, 0, 0),
			      "a line continuation that continues nothing");
		queue_error(lex, 0, 0);
	}
	token = stv_vec_push(&lex->queue);
	token->kind = TOK_EOL;
	token->span = df_lex_at(lex, lex->end, lex->end);
	if (lex->end > 0)
		token->span.begin = token->span.end =
			df_lex_at(lex, lex->end - 1, lex->end).end;
	if (takes_heredocs(lex) &&
	    strstr(stv_buf_str(&lex->line.text), "<<") != NULL)
		df_heredocs_take(lex, lex->is_known);
	return true;
}

int
df_yylex(YYSTYPE *yylval_param, YYLTYPE *yylloc_param, yyscan_t yyscanner)
{
	struct df_lex *lex = df_yyget_extra(yyscanner);
	const struct df_token *token;
	struct stv_span end = {
		lex->reader.len,
		lex->reader.len,
		lex->reader.file,
	};

	while (lex->queue_pos == lex->queue.len) {
		lex->queue.len = lex->queue_pos = 0;
		if (!scan_line(lex)) {
			*yylloc_param = end;
			return 0;
		}
	}
	token = &lex->queue.v[lex->queue_pos++];
	*yylval_param = token->value;
	*yylloc_param = token->span;
	return token->kind;
}

void
df_lex_fini(struct df_lex *lex)
{
	df_reader_fini(&lex->reader);
	df_line_fini(&lex->line);
	free(lex->copy);
	stv_vec_fini(&lex->queue);
	stv_vec_fini(&lex->outer.flags);
	stv_vec_fini(&lex->outer.args);
	stv_vec_fini(&lex->outer.heredocs);
	stv_vec_fini(&lex->inner.flags);
	stv_vec_fini(&lex->inner.args);
	stv_vec_fini(&lex->inner.heredocs);
	stv_vec_fini(&lex->nodes);
}
