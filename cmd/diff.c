/*
 * cmd/diff.c - the difference of two texts, line by line.
 *
 * Both texts are walked together.  Where lines differ, the nearest pair of
 * equal ones ahead is looked for, at most WINDOW lines away: enough for what
 * changes a line here and there, in time that the size of the texts bounds.
 */
#include <stdint.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cmd/diff.h"

#define CONTEXT ((size_t)3)
#define WINDOW 64

/* One line, its newline included. */
struct line {
	const char *text;
	size_t len;
};

typedef STV_VEC(struct line) line_list;

/* Lines [a, a_end) of the one text became [b, b_end) of the other. */
struct change {
	size_t a, a_end;
	size_t b, b_end;
};

typedef STV_VEC(struct change) change_list;

static void
split(const struct cmd_text *t, line_list *ret)
{
	const char *p = t->text, *end = t->text + t->len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *next = nl == NULL ? end : nl + 1;

		*stv_vec_push(ret) = (struct line){p, (size_t)(next - p)};
		p = next;
	}
}

static bool
is_same(const struct line *a, const struct line *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* How far to go in both texts until they agree again. */
static void
resync(const line_list *a, size_t i, const line_list *b, size_t k,
       size_t *ret_a, size_t *ret_b)
{
	for (size_t sum = 1; sum < WINDOW; sum++)
		for (size_t x = 0; x <= sum; x++) {
			size_t y = sum - x;

			if (i + x >= a->len || k + y >= b->len ||
			    !is_same(&a->v[i + x], &b->v[k + y]))
				continue;
			*ret_a = x;
			*ret_b = y;
			return;
		}
	*ret_a = i < a->len;
	*ret_b = k < b->len;
}

static void
add_change(change_list *list, struct change c)
{
	struct change *last = list->len > 0 ? &list->v[list->len - 1] : NULL;

	if (last != NULL && last->a_end == c.a && last->b_end == c.b) {
		last->a_end = c.a_end;
		last->b_end = c.b_end;
		return;
	}
	*stv_vec_push(list) = c;
}

static void
compare(const line_list *a, const line_list *b, change_list *ret)
{
	size_t i = 0, k = 0;

	while (i < a->len || k < b->len) {
		size_t x = 0, y = 0;

		if (i < a->len && k < b->len && is_same(&a->v[i], &b->v[k])) {
			i++;
			k++;
			continue;
		}
		resync(a, i, b, k, &x, &y);
		add_change(ret, (struct change){i, i + x, k, k + y});
		i += x;
		k += y;
	}
}

static void
put_lines(const line_list *list, size_t begin, size_t end, char mark,
	  struct stv_buf *ret)
{
	/* An empty text has no array. */
	for (size_t i = begin; list->v != NULL && i < end; i++) {
		const struct line *l = &list->v[i];

		stv_buf_addc(ret, mark);
		stv_buf_add(ret, l->text, l->len);
		if (l->text[l->len - 1] != '\n')
			stv_buf_adds(ret, "\n\\ No newline at end of file\n");
	}
}

/* "12,3": the first line and how many; an empty range names the one before. */
static void
put_range(size_t begin, size_t end, struct stv_buf *ret)
{
	size_t n = end - begin;

	stv_buf_addf(ret, "%zu", n == 0 ? begin : begin + 1);
	if (n != 1)
		stv_buf_addf(ret, ",%zu", n);
}

/* Changes [first, last] with the lines around them. */
static void
put_hunk(const line_list *a, const line_list *b, const struct change *first,
	 const struct change *last, struct stv_buf *ret)
{
	size_t above = first->a < CONTEXT ? first->a : CONTEXT;
	size_t below = a->len - last->a_end;
	size_t at = first->a - above;

	if (below > CONTEXT)
		below = CONTEXT;
	stv_buf_adds(ret, "@@ -");
	put_range(at, last->a_end + below, ret);
	stv_buf_adds(ret, " +");
	put_range(first->b - above, last->b_end + below, ret);
	stv_buf_adds(ret, " @@\n");
	for (const struct change *c = first; c <= last; c++) {
		put_lines(a, at, c->a, ' ', ret);
		put_lines(a, c->a, c->a_end, '-', ret);
		put_lines(b, c->b, c->b_end, '+', ret);
		at = c->a_end;
	}
	put_lines(a, at, at + below, ' ', ret);
}

void
cmd_diff(const struct cmd_text *from, const struct cmd_text *to,
	 struct stv_buf *ret)
{
	line_list a = {0}, b = {0};
	change_list list = {0};

	split(from, &a);
	split(to, &b);
	compare(&a, &b, &list);
	if (list.len > 0)
		stv_buf_addf(ret, "--- %s\n+++ %s\n", from->name, to->name);
	for (size_t i = 0, k; i < list.len; i = k + 1) {
		for (k = i; k + 1 < list.len &&
			    list.v[k + 1].a - list.v[k].a_end <= 2 * CONTEXT;)
			k++;
		put_hunk(&a, &b, &list.v[i], &list.v[k], ret);
	}
	stv_vec_fini(&a);
	stv_vec_fini(&b);
	stv_vec_fini(&list);
}
