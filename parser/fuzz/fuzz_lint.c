/*
 * parser/fuzz/fuzz_lint.c - the rules, and their corrections.
 *
 * Every finding of the rules in a good file has a rule, and each has a place in
 * the input; a corrected text parses, has the same tree, and has nothing left
 * to correct.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/source.h"

#include "parser/ast.h"
#include "parser/lint.h"
#include "parser/lint_same.h"
#include "parser/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct check {
	struct stv_sources *sources;
	struct stv_diags diags;
	size_t n_parser; /* of them are the parser's; some have no rule */
	struct df_file *file;
	struct df_lint *l;
};

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

static bool
is_image(void *arg, const char *name)
{
	(void)arg;
	return *name != '\0';
}

/* Every image is here, and brings a variable. */
static bool
base(void *arg, const char *name, struct df_lint_base *ret)
{
	(void)arg;
	(void)name;
	stv_strs_add(&ret->env, "A=1");
	return true;
}

/* Parse and check; false where the file is a bad one. */
static bool
check_init(struct check *c, const char *text, size_t size)
{
	struct df_lint_opts o = {.is_image = is_image, .base = base};
	struct stv_err *err = NULL;
	uint32_t no;
	bool ok;

	*c = (struct check){.sources = stv_sources_new()};
	c->diags.max = STV_MAX_FINDINGS;
	ok = stv_sources_add(c->sources, "Dockerfile", text, size, &no, &err) ==
		     0 &&
	     df_parse(c->sources, no, &c->file, &c->diags, &err) == 0;
	c->n_parser = c->diags.len;
	if (ok) {
		o.file = c->file;
		o.sources = c->sources;
		ok = df_lint_new(&o, &c->diags, &c->l, &err) == 0;
	}
	if (ok) {
		df_lint_run(c->l);
		(void)df_lint_end(c->l, &err);
	}
	stv_err_free(err);
	return ok;
}

static void
check_fini(struct check *c)
{
	df_lint_free(c->l);
	df_file_free(c->file);
	stv_diags_fini(&c->diags);
	stv_sources_free(c->sources);
}

static void
check_fix(const struct check *c)
{
	struct stv_err *err = NULL;
	char *text = NULL, *again = NULL;
	size_t len = 0, len2 = 0;
	struct check after;
	int n = df_lint_fix(c->l, &text, &len, &err);

	expect(n >= 0);
	if (n == 0)
		return;
	expect(check_init(&after, text, len));
	expect(df_lint_same(c->file, after.file));
	expect(df_lint_fix(after.l, &again, &len2, &err) == 0);
	check_fini(&after);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check c;
	bool ok = check_init(&c, (const char *)data, size);

	for (size_t i = 0; ok && i < c.diags.len; i++) {
		const struct stv_diag *d = &c.diags.v[i];

		expect(d->msg != NULL);
		expect(d->rule != NULL || i < c.n_parser);
		expect(d->span.file == 0 || d->span.begin <= d->span.end);
		expect(d->span.end <= size);
	}
	if (ok)
		check_fix(&c);
	check_fini(&c);
	return 0;
}
