/* cmd/table.c - aligned columns, spaced as docker's tables are. */
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cmd/table.h"

/* docker: tabwriter.NewWriter(out, 10, 1, 3, ' ', 0) */
#define MIN_WIDTH 10
#define PADDING 3

struct row {
	struct stv_strs cells;
};

struct cmd_table {
	STV_VEC(struct row) rows;
	size_t min_width; /* of a column but the last */
	size_t padding;
	bool is_open; /* the last row may get more cells */
};

struct cmd_table *
cmd_table_new_as(size_t min_width, size_t padding)
{
	struct cmd_table *t = stv_xcalloc(1, sizeof(*t));

	t->min_width = min_width;
	t->padding = padding;
	return t;
}

struct cmd_table *
cmd_table_new(void)
{
	return cmd_table_new_as(MIN_WIDTH, PADDING);
}

void
cmd_table_cell(struct cmd_table *t, const char *text)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);

	if (!t->is_open)
		(void)stv_vec_push(&t->rows);
	t->is_open = true;
	stv_buf_add_escaped(&b, text, strlen(text));
	stv_strs_add(&t->rows.v[t->rows.len - 1].cells, stv_buf_str(&b));
}

void
cmd_table_end(struct cmd_table *t)
{
	t->is_open = false;
}

void
cmd_table_line(struct cmd_table *t, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "\t");
		stv_auto_free char *cell = stv_xstrndup(text, n);

		cmd_table_cell(t, cell);
		if (text[n] == '\0')
			break;
		text += n + 1;
	}
	cmd_table_end(t);
}

/* Code points: what a cell of text is wide, but for East Asian names. */
static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static size_t
column_width(const struct cmd_table *t, size_t column)
{
	size_t max = t->min_width;

	for (size_t i = 0; i < t->rows.len; i++) {
		const struct stv_strs *cells = &t->rows.v[i].cells;
		size_t w = column < cells->len
				   ? width(cells->v[column]) + t->padding
				   : 0;

		if (w > max)
			max = w;
	}
	return max;
}

void
cmd_table_render(const struct cmd_table *t, struct stv_buf *ret)
{
	STV_VEC(size_t) widths = {0};

	for (size_t i = 0; i < t->rows.len; i++) {
		const struct stv_strs *cells = &t->rows.v[i].cells;

		while (widths.len < cells->len) {
			size_t w = column_width(t, widths.len);

			*stv_vec_push(&widths) = w;
		}
		for (size_t c = 0; c < cells->len; c++) {
			size_t w = width(cells->v[c]);

			stv_buf_adds(ret, cells->v[c]);
			for (; c + 1 < cells->len && w < widths.v[c]; w++)
				stv_buf_addc(ret, ' ');
		}
		stv_buf_addc(ret, '\n');
	}
	stv_vec_fini(&widths);
}

void
cmd_table_print(const struct cmd_table *t)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)64 << 20);

	cmd_table_render(t, &b);
	(void)fputs(stv_buf_str(&b), stdout);
}

void
cmd_table_free(struct cmd_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->rows.len; i++)
		stv_strs_clear(&t->rows.v[i].cells);
	stv_vec_fini(&t->rows);
	free(t);
}
