/* parser/ast.c - memory and look-ups of a parsed Dockerfile. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/limits.h"
#include "core/mem.h"

#include "parser/ast.h"
#include "parser/heredoc.h"

/* Most files fit into one chunk. */
#define CHUNK_SIZE ((size_t)16 << 10)

struct chunk {
	struct chunk *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char data[];
};

struct df_arena {
	struct chunk *chunks; /* the newest first */
};

static const char *const kind_names[DF_N_KINDS] = {
	[DF_ADD] = "ADD",
	[DF_ARG] = "ARG",
	[DF_CMD] = "CMD",
	[DF_COPY] = "COPY",
	[DF_ENTRYPOINT] = "ENTRYPOINT",
	[DF_ENV] = "ENV",
	[DF_EXPOSE] = "EXPOSE",
	[DF_FROM] = "FROM",
	[DF_HEALTHCHECK] = "HEALTHCHECK",
	[DF_LABEL] = "LABEL",
	[DF_MAINTAINER] = "MAINTAINER",
	[DF_ONBUILD] = "ONBUILD",
	[DF_RUN] = "RUN",
	[DF_SHELL] = "SHELL",
	[DF_STOPSIGNAL] = "STOPSIGNAL",
	[DF_USER] = "USER",
	[DF_VOLUME] = "VOLUME",
	[DF_WORKDIR] = "WORKDIR",
};

struct df_arena *
df_arena_new(void)
{
	return stv_xcalloc(1, sizeof(struct df_arena));
}

void
df_arena_free(struct df_arena *a)
{
	if (a == NULL)
		return;
	while (a->chunks != NULL) {
		struct chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	free(a);
}

/* ${n} bytes at a multiple of ${align}, not set to anything. */
static char *
take_bytes(struct df_arena *a, size_t n, size_t align)
{
	struct chunk *c = a->chunks;
	size_t at = 0;

	if (c != NULL)
		at = (c->used + align - 1) / align * align;
	if (c == NULL || at > c->size || c->size - at < n) {
		size_t size = n > CHUNK_SIZE ? n : CHUNK_SIZE;

		c = stv_xmalloc(sizeof(*c) + size);
		c->next = a->chunks;
		c->size = size;
		a->chunks = c;
		at = 0;
	}
	c->used = at + n;
	return c->data + at;
}

void *
df_arena_alloc(struct df_arena *a, size_t n)
{
	return memset(take_bytes(a, n, _Alignof(max_align_t)), 0, n);
}

char *
df_arena_strndup(struct df_arena *a, const char *s, size_t n)
{
	char *p = take_bytes(a, n + 1, 1);

	if (n > 0)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

void
df_file_free(struct df_file *f)
{
	if (f == NULL)
		return;
	df_arena_free(f->arena);
	free(f);
}

const char *
df_kind_name(enum df_kind kind)
{
	return kind_names[kind];
}

bool
df_kind_find(const char *name, size_t len, enum df_kind *ret)
{
	for (int i = 0; i < DF_N_KINDS; i++) {
		if (strlen(kind_names[i]) != len ||
		    strncasecmp(kind_names[i], name, len) != 0)
			continue;
		*ret = (enum df_kind)i;
		return true;
	}
	return false;
}

const struct df_flag *
df_node_flag(const struct df_node *node, const char *name)
{
	for (size_t i = 0; i < node->n_flags; i++)
		if (strcmp(node->flags[i].name, name) == 0)
			return &node->flags[i];
	return NULL;
}

bool
df_flag_is_true(const struct df_flag *f)
{
	if (f == NULL)
		return false;
	return !f->has_value || strcasecmp(f->value, "true") == 0;
}

const struct df_heredoc *
df_node_heredoc(const struct df_node *node, const char *text)
{
	const struct df_heredoc *found = NULL;
	struct df_tag tag;

	if (node->n_heredocs == 0 || !df_tag_parse(text, &tag))
		return NULL;
	for (size_t i = 0; i < node->n_heredocs; i++)
		if (strcmp(node->heredocs[i].name, tag.name) == 0)
			found = &node->heredocs[i];
	df_tag_fini(&tag);
	return found;
}

char *
df_heredoc_text(const struct df_heredoc *h)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_SOURCE);
	bool at_start = true;

	for (size_t i = 0; i < h->content_len; i++) {
		char c = h->content[i];

		if (h->chomp && at_start && c == '\t')
			continue;
		stv_buf_addc(&b, c);
		at_start = c == '\n';
	}
	return stv_buf_take(&b);
}
