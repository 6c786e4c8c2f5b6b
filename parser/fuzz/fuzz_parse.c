/*
 * parser/fuzz/fuzz_parse.c - a Dockerfile.
 *
 * All spans lie inside the input; the pieces of a good file are the file, byte
 * for byte, and only blanks are space; a bad file has an error with a place;
 * what ONBUILD records is an instruction again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/source.h"

#include "parser/parse.h"
#include "parser/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

static void
check_span(struct stv_span s, uint32_t file, size_t size)
{
	expect(s.begin <= s.end && s.end <= size && s.file == file);
}

static void
check_heredoc(const struct df_file *f, const struct df_heredoc *h)
{
	size_t size = f->source->len;

	check_span(h->tag_span, f->source_no, size);
	check_span(h->body_span, f->source_no, size);
	check_span(h->end_span, f->source_no, size);
	expect(h->body_span.end - h->body_span.begin == h->content_len);
	expect(memcmp(f->source->text + h->body_span.begin, h->content,
		      h->content_len) == 0);
	expect(strlen(h->content) == h->content_len);
}

static void
check_node(const struct df_file *f, const struct df_node *n)
{
	size_t size = f->source->len;
	enum df_kind kind;

	check_span(n->span, f->source_no, size);
	check_span(n->keyword_span, f->source_no, size);
	expect(df_kind_find(n->keyword, strlen(n->keyword), &kind));
	expect(kind == n->kind);
	for (size_t i = 0; i < n->n_flags; i++) {
		check_span(n->flags[i].span, f->source_no, size);
		check_span(n->flags[i].name_span, f->source_no, size);
		check_span(n->flags[i].value_span, f->source_no, size);
		expect(n->flags[i].span.end <= n->span.end);
	}
	for (size_t i = 0; i < n->n_args; i++) {
		check_span(n->args[i].span, f->source_no, size);
		expect(n->args[i].span.end <= n->span.end);
		expect(n->args[i].span.begin >= n->span.begin);
	}
	for (size_t i = 0; i < n->n_heredocs; i++)
		check_heredoc(f, &n->heredocs[i]);
	if (n->onbuild != NULL) {
		expect(n->onbuild->span.end <= n->span.end);
		check_node(f, n->onbuild);
	}
}

static void
check_pieces(const struct df_file *f)
{
	uint32_t at = 0;

	for (size_t i = 0; i < f->n_pieces; i++) {
		struct stv_span s = f->pieces[i].span;
		size_t len = s.end - s.begin;

		expect(s.begin == at && s.end > s.begin);
		at = s.end;
		if (f->pieces[i].kind == DF_P_SPACE ||
		    f->pieces[i].kind == DF_P_BLANK) {
			(void)df_trim(f->source->text + s.begin, &len);
			expect(len == 0);
		}
	}
	expect(at == f->source->len);
}

/* What is recorded for children must be what they can read. */
static void
check_trigger(struct stv_sources *sources, const struct df_node *n, char escape)
{
	struct stv_diags diags = {0};
	struct stv_err *err = NULL;
	struct df_file *f = NULL;

	/* Another escape character does not go with the trigger. */
	if (n->trigger == NULL || escape != '\\')
		return;
	if (df_parse_onbuild(sources, n->trigger, &f, &diags, &err) == 0) {
		expect(f->nodes[0].kind == n->onbuild->kind);
		df_file_free(f);
	} else {
		expect(err != NULL);
	}
	stv_err_free(err);
	stv_diags_fini(&diags);
}

static void
check_diags(const struct stv_diags *diags, uint32_t file, size_t size)
{
	expect(diags->n_errors > 0 && diags->len > 0);
	for (size_t i = 0; i < diags->len; i++) {
		check_span(diags->v[i].span, file, size);
		for (size_t k = 0; k < diags->v[i].n_related; k++)
			check_span(diags->v[i].related[k].span, file, size);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stv_sources *sources = stv_sources_new();
	struct stv_diags diags = {0};
	struct stv_err *err = NULL;
	struct df_file *f = NULL;
	uint32_t no;

	if (stv_sources_add(sources, "Dockerfile", (const char *)data, size,
			    &no, &err) == 0) {
		if (df_parse(sources, no, &f, &diags, &err) < 0) {
			expect(stv_err_code(err) == STV_E_SYNTAX && f == NULL);
			check_diags(&diags, no, size);
		} else {
			check_pieces(f);
			for (size_t i = 0; i < f->n_nodes; i++) {
				check_node(f, &f->nodes[i]);
				check_trigger(sources, &f->nodes[i], f->escape);
			}
			json_decref(df_to_json(f));
		}
	}
	df_file_free(f);
	stv_err_free(err);
	stv_diags_fini(&diags);
	stv_sources_free(sources);
	return 0;
}
