/* core/source.c - the text files that spans point into. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "core/source.h"

struct stv_sources {
	STV_VEC(struct stv_source *) files;
};

struct stv_sources *
stv_sources_new(void)
{
	return stv_xcalloc(1, sizeof(struct stv_sources));
}

void
stv_sources_free(struct stv_sources *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->files.len; i++) {
		free(s->files.v[i]->name);
		free(s->files.v[i]->text);
		free(s->files.v[i]->lines);
		free(s->files.v[i]);
	}
	stv_vec_fini(&s->files);
	free(s);
}

/* Note where each line begins. */
static void
index_lines(struct stv_source *src)
{
	STV_VEC(uint32_t) lines = {0};

	*stv_vec_push(&lines) = 0;
	for (size_t i = 0; i < src->len; i++)
		if (src->text[i] == '\n' && i + 1 < src->len)
			*stv_vec_push(&lines) = (uint32_t)(i + 1);
	src->lines = lines.v;
	src->n_lines = lines.len;
}

int
stv_sources_add(struct stv_sources *s, const char *name, const char *text,
		size_t len, uint32_t *ret, struct stv_err **err)
{
	struct stv_source *src;

	if (len > STV_MAX_SOURCE)
		return stv_fail(err, STV_E_LIMIT, "%s is larger than %zu bytes",
				name, (size_t)STV_MAX_SOURCE);
	src = stv_xcalloc(1, sizeof(*src));
	src->name = stv_xstrdup(name);
	src->text = stv_xstrndup(text, len);
	src->len = len;
	index_lines(src);
	*stv_vec_push(&s->files) = src;
	*ret = (uint32_t)s->files.len;
	return 0;
}

const struct stv_source *
stv_sources_get(const struct stv_sources *s, uint32_t file)
{
	if (file == 0 || file > s->files.len)
		return NULL;
	return s->files.v[file - 1];
}

/* The index of the line that holds ${offset}. */
static size_t
line_of(const struct stv_source *src, uint32_t offset)
{
	size_t lo = 0, hi = src->n_lines;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (src->lines[mid] <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

struct stv_place
stv_source_place(const struct stv_source *src, uint32_t offset)
{
	struct stv_place p = {.line = 1, .column = 1};
	size_t line;

	if (offset > src->len)
		offset = (uint32_t)src->len;
	line = line_of(src, offset);
	p.line = (uint32_t)line + 1;
	for (uint32_t i = src->lines[line]; i < offset; i++)
		if (((unsigned char)src->text[i] & 0xc0) != 0x80)
			p.column++;
	return p;
}

const char *
stv_source_line(const struct stv_source *src, uint32_t line, size_t *ret_len)
{
	size_t begin, end;

	if (line == 0 || line > src->n_lines) {
		*ret_len = 0;
		return "";
	}
	begin = src->lines[line - 1];
	end = line < src->n_lines ? src->lines[line] : src->len;
	while (end > begin &&
	       (src->text[end - 1] == '\n' || src->text[end - 1] == '\r'))
		end--;
	*ret_len = end - begin;
	return src->text + begin;
}
