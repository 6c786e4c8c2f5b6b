/* parser/lint_fix.c - the text with the safe corrections. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"

#include "parser/lint_internal.h"
#include "parser/lint_same.h"
#include "parser/parse.h"

/*
 * One correction may make another one possible ("from x as y"); what the last
 * of so many rounds finds stays.
 */
#define MAX_ROUNDS 64

static int
cmp_edits(const void *a, const void *b)
{
	const struct lint_edit *x = a, *y = b;

	if (x->span.begin != y->span.begin)
		return x->span.begin < y->span.begin ? -1 : 1;
	return (x->span.end > y->span.end) - (x->span.end < y->span.end);
}

/* Apply what does not overlap; the number of changes. */
static size_t
apply(const struct df_lint *l, struct stv_buf *ret)
{
	const struct stv_source *src = l->o.file->source;
	size_t n = l->edits.len, done = 0;
	uint32_t at = 0;
	struct lint_edit *v;

	if (n == 0)
		return 0;
	v = stv_xmemdup(l->edits.v, n * sizeof(*v));
	qsort(v, n, sizeof(*v), cmp_edits);
	for (size_t i = 0; i < n; i++) {
		if (v[i].span.begin < at)
			continue;
		stv_buf_add(ret, src->text + at, v[i].span.begin - at);
		stv_buf_adds(ret, v[i].text);
		at = v[i].span.end;
		done++;
	}
	stv_buf_add(ret, src->text + at, src->len - at);
	free(v);
	return done;
}

/* A version of the file on its way. */
struct draft {
	struct stv_sources *sources;
	struct stv_diags diags;
	struct df_file *file;
	struct df_lint *l;
};

static void
draft_fini(struct draft *d)
{
	df_lint_free(d->l);
	df_file_free(d->file);
	stv_diags_fini(&d->diags);
	stv_sources_free(d->sources);
}

/* Parse a corrected text, compare it and look what is left to correct. */
static int
draft_init(const struct df_lint *l, const struct stv_buf *text, struct draft *d,
	   struct stv_err **err)
{
	struct df_lint_opts o = l->o;
	uint32_t no;

	*d = (struct draft){.sources = stv_sources_new()};
	d->diags.max = STV_MAX_FINDINGS;
	if (stv_sources_add(d->sources, l->o.file->source->name, text->data,
			    text->len, &no, err) < 0 ||
	    df_parse(d->sources, no, &d->file, &d->diags, err) < 0)
		return -1;
	if (!df_lint_same(l->o.file, d->file))
		return stv_fail(err, STV_E_INTERNAL,
				"the corrected file would not say the same; "
				"nothing was changed");
	o.file = d->file;
	o.sources = d->sources;
	if (df_lint_new(&o, &d->diags, &d->l, err) < 0)
		return -1;
	df_lint_run(d->l);
	return 0;
}

int
df_lint_fix(const struct df_lint *l, char **ret, size_t *ret_n,
	    struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_SOURCE);
	size_t total = apply(l, &text), more = total;

	for (int i = 0; i < MAX_ROUNDS && more > 0; i++) {
		stv_auto_buf next = STV_BUF_INIT(STV_MAX_SOURCE);
		struct draft d;
		int rc;

		rc = stv_buf_check(&text, "the corrected file", err);
		if (rc < 0)
			return -1;
		rc = draft_init(l, &text, &d, err);
		/* What is given back has been read again. */
		more = rc == 0 && i + 1 < MAX_ROUNDS ? apply(d.l, &next) : 0;
		draft_fini(&d);
		if (rc < 0)
			return stv_wrap(err, "correcting %s",
					l->o.file->source->name);
		if (more == 0)
			break;
		total += more;
		stv_buf_truncate(&text, 0);
		stv_buf_add(&text, next.data, next.len);
	}
	if (total == 0)
		return 0;
	*ret_n = text.len;
	*ret = stv_buf_take(&text);
	return (int)total;
}
