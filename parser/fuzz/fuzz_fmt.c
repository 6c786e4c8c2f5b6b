/*
 * parser/fuzz/fuzz_fmt.c - formatting a Dockerfile.
 *
 * What can be parsed can be formatted (df_fmt() itself looks whether the result
 * says the same); formatting the result again changes nothing; comments and
 * heredocs are there as before, in their order.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/source.h"

#include "parser/fmt.h"
#include "parser/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

/* Parse ${text}; NULL where it is no Dockerfile. */
static struct df_file *
parse(struct stv_sources *sources, const char *text, size_t len)
{
	struct stv_diags diags = {0};
	struct stv_err *err = NULL;
	struct df_file *f = NULL;
	uint32_t no;

	if (stv_sources_add(sources, "Dockerfile", text, len, &no, &err) == 0)
		(void)df_parse(sources, no, &f, &diags, &err);
	stv_diags_fini(&diags);
	stv_err_free(err);
	return f;
}

/* Format; false where the result would be too long. */
static bool
format(struct stv_sources *sources, const struct df_file *f,
       struct stv_buf *ret)
{
	struct stv_err *err = NULL;
	int rc = df_fmt(sources, f, ret, &err);

	expect(rc == 0 || stv_err_code(err) == STV_E_LIMIT);
	stv_err_free(err);
	return rc == 0;
}

static bool
is_kept(const struct df_piece *p)
{
	return p->kind == DF_P_COMMENT || p->kind == DF_P_HEREDOC ||
	       p->kind == DF_P_HEREDOC_END || p->kind == DF_P_DIRECTIVE;
}

/* The next piece that must stay, from *at on; NULL: there is none. */
static const struct df_piece *
next_kept(const struct df_file *f, size_t *at)
{
	while (*at < f->n_pieces) {
		const struct df_piece *p = &f->pieces[(*at)++];

		if (is_kept(p))
			return p;
	}
	return NULL;
}

static void
check_kept(const struct df_file *a, const struct df_file *b)
{
	const struct df_piece *x, *y;
	size_t i = 0, k = 0;

	do {
		x = next_kept(a, &i);
		y = next_kept(b, &k);
		expect((x == NULL) == (y == NULL));
		if (x == NULL || y == NULL)
			break;
		expect(x->kind == y->kind);
		expect(x->span.end - x->span.begin ==
		       y->span.end - y->span.begin);
		expect(memcmp(a->source->text + x->span.begin,
			      b->source->text + y->span.begin,
			      x->span.end - x->span.begin) == 0);
	} while (true);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stv_sources *sources = stv_sources_new();
	struct stv_buf once = STV_BUF_INIT(STV_MAX_SOURCE);
	struct stv_buf twice = STV_BUF_INIT(STV_MAX_SOURCE);
	struct df_file *f = parse(sources, (const char *)data, size), *g = NULL;

	if (f != NULL && format(sources, f, &once)) {
		g = parse(sources, stv_buf_str(&once), once.len);
		expect(g != NULL && df_same(f, g));
		check_kept(f, g);
		expect(format(sources, g, &twice));
		expect(once.len == twice.len &&
		       memcmp(stv_buf_str(&once), stv_buf_str(&twice),
			      once.len) == 0);
	}
	df_file_free(f);
	df_file_free(g);
	stv_buf_fini(&once);
	stv_buf_fini(&twice);
	stv_sources_free(sources);
	return 0;
}
