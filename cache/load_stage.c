/* cache/load_stage.c - the files of an image archive. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/archive.h"
#include "core/cleanup.h"
#include "core/codec.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/tarcheck.h"

#include "cache/blob.h"
#include "cache/layer.h"
#include "cache/store.h"

#include "cache/load_stage.h"

/* Files of one archive: 10 000 manifests, their configs, their layers. */
#define MAX_FILES 100000
/* All documents together: they are kept in memory. */
#define MAX_DOCS ((size_t)256 << 20)
/* Links from one name to another; docker's own archives have one. */
#define MAX_LINKS 8
#define BLOBS "blobs/sha256/"
/* As much of a file as says what it is: a tar header. */
#define HEAD 512

/* The content of the archive's current entry as a stream. */
struct entry_in {
	struct stv_in base;
	struct stv_archive *a;
	struct stv_archive_block block; /* p NULL: no more of them */
	uint64_t pos;
	uint64_t size;
};

/* Get the piece that ${pos} lies in or before. */
static int
fill_block(struct entry_in *e, struct stv_err **err)
{
	while (e->block.p != NULL && e->block.offset + e->block.n <= e->pos) {
		int r = stv_archive_read(e->a, &e->block, err);

		if (r < 0)
			return -1;
		if (r == 0)
			e->block.p = NULL;
	}
	return 0;
}

static int64_t
entry_read(struct stv_in *in, void *buf, size_t n, struct stv_err **err)
{
	struct entry_in *e = (struct entry_in *)in;
	uint64_t left = e->size - e->pos, skip;

	if (n > left)
		n = (size_t)left;
	if (n == 0)
		return 0;
	if (fill_block(e, err) < 0)
		return -1;
	if (e->block.p == NULL || e->block.offset > e->pos) {
		/* Between the pieces of a file there are zeros. */
		if (e->block.p != NULL && n > e->block.offset - e->pos)
			n = (size_t)(e->block.offset - e->pos);
		memset(buf, 0, n);
	} else {
		skip = e->pos - e->block.offset;
		if (n > e->block.n - skip)
			n = (size_t)(e->block.n - skip);
		memcpy(buf, (const char *)e->block.p + skip, n);
	}
	e->pos += n;
	return (int64_t)n;
}

/*
 * "./a//b" is "a/b"; NULL for a name that leads out of the archive, and for
 * that of its root.
 */
static char *
clean_name(const char *path, struct stv_err **err)
{
	char *name = stv_xmalloc(strlen(path) + 1), *end = name;
	const char *p = path;

	while (*p != '\0') {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.') {
			free(name);
			(void)stv_fail(err, STV_E_INPUT,
				       "the archive names a file outside "
				       "itself");
			return NULL;
		}
		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (end != name)
				*end++ = '/';
			memcpy(end, p, len);
			end += len;
		}
		p += len;
	}
	*end = '\0';
	return name;
}

/* The name that the link ${target} in the file ${name} means. */
static char *
link_name(const char *name, const char *target, bool is_hard)
{
	const char *slash = strrchr(name, '/');
	char *path, *out;
	size_t n = 0;

	if (is_hard || target[0] == '/' || slash == NULL)
		path = stv_xstrdup(target);
	else
		path = stv_xasprintf("%.*s/%s", (int)(slash - name), name,
				     target);
	/* Lexically: the archive is no file system.  ".." of the top stays. */
	out = stv_xmalloc(strlen(path) + 2);
	for (char *save = NULL, *part = strtok_r(path, "/", &save);
	     part != NULL; part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			while (n > 0 && out[--n] != '/')
				;
			continue;
		}
		if (n > 0)
			out[n++] = '/';
		memcpy(out + n, part, strlen(part));
		n += strlen(part);
	}
	out[n] = '\0';
	free(path);
	return out;
}

/* The media type of a layer that begins so. */
static const char *
layer_type(const uint8_t *head, size_t n)
{
	switch (stv_codec_detect(head, n)) {
	case STV_CODEC_NONE:
		break;
	case STV_CODEC_GZIP:
		return OCI_MT_LAYER_GZIP;
	case STV_CODEC_ZSTD:
		return OCI_MT_LAYER_ZSTD;
	case STV_CODEC_XZ:
		return OCI_MT_LAYER "+xz";
	case STV_CODEC_BZIP2:
		return OCI_MT_LAYER "+bzip2";
	}
	return OCI_MT_LAYER;
}

/* What begins with ${head}: a layer, a document, or something else? */
static enum load_kind
kind_of(const uint8_t *head, size_t n)
{
	size_t i = 0;

	if (stv_codec_detect(head, n) != STV_CODEC_NONE)
		return LOAD_LAYER;
	if (n == HEAD && stv_tar_is_header(head))
		return LOAD_LAYER;
	while (i < n && head[i] == 0)
		i++;
	/* Two blocks of zeros are an empty tar. */
	if (n == HEAD && i == n)
		return LOAD_LAYER;
	while (i < n && strchr(" \t\r\n", head[i]) != NULL)
		i++;
	if (i < n && (head[i] == '{' || head[i] == '['))
		return LOAD_DOC;
	return LOAD_OTHER;
}

static int
take_layer(struct cas_store *s, struct stv_in *in, struct load_file *f,
	   struct stv_err **err)
{
	struct lay_received got;

	if (lay_receive(s, in, NULL, &got, err) < 0)
		return stv_wrap(err, "reading '%s' of the archive", f->name);
	f->blob = got.blob;
	f->blob_size = got.blob_size;
	f->diff_id = got.layer.diff_id;
	f->tar_size = got.layer.size;
	return 0;
}

static int
take_doc(struct load_stage *st, struct stv_in *in, struct load_file *f,
	 struct stv_err **err)
{
	stv_auto(stv_sink) *sink = NULL;

	f->text = STV_BUF_INIT(STV_MAX_CONFIG);
	sink = stv_sink_buf(&f->text, "a document of the archive");
	if (stv_copy(in, sink, NULL, err) < 0)
		return stv_wrap(err, "reading '%s' of the archive", f->name);
	st->docs_size += f->text.len;
	if (st->docs_size > MAX_DOCS)
		return stv_fail(err, STV_E_LIMIT,
				"the archive's documents are larger than %zu "
				"bytes",
				MAX_DOCS);
	f->blob = stv_digest_of(stv_buf_str(&f->text), f->text.len);
	f->blob_size = f->text.len;
	return 0;
}

static int
take_other(struct cas_store *s, struct stv_in *in, struct load_file *f,
	   struct stv_err **err)
{
	stv_auto(cas_writer) *w = NULL;

	/* Beside the blobs nobody asks for it (docker's VERSION). */
	if (strncmp(f->name, BLOBS, strlen(BLOBS)) != 0)
		return 0;
	if (cas_writer_open(s, STV_MAX_LAYER, &w, err) < 0 ||
	    stv_copy(in, cas_writer_sink(w), &f->blob_size, err) < 0)
		return -1;
	return cas_writer_commit(w, NULL, &f->blob, err);
}

/* A file of a layout's blobs must be what its name says (C08). */
static int
check_name(const struct load_file *f, struct stv_err **err)
{
	const char *hex = f->name + strlen(BLOBS);
	char str[STV_DIGEST_STR_MAX];
	struct stv_digest want;

	if (strncmp(f->name, BLOBS, strlen(BLOBS)) != 0)
		return 0;
	if (stv_digest_parse_hex(hex, strlen(hex), &want) < 0)
		return stv_fail(err, STV_E_DIGEST,
				"the archive has a blob whose name is no "
				"digest");
	if (stv_digest_equal(&want, &f->blob))
		return 0;
	return stv_fail(err, STV_E_DIGEST, "the archive's blob %.64s is %s",
			hex, stv_digest_str(&f->blob, str));
}

/* A regular file: look at its first bytes and take it. */
static int
take_file(struct cas_store *s, struct load_stage *st, struct stv_in *in,
	  struct load_file *f, struct stv_err **err)
{
	stv_auto(stv_in) *rest = NULL;
	uint8_t head[HEAD];
	int64_t n = stv_in_read_full(in, head, sizeof(head), err);
	int r = -1;

	if (n < 0)
		return -1;
	rest = stv_in_after(head, (size_t)n, in);
	f->kind = kind_of(head, (size_t)n);
	f->media_type = layer_type(head, (size_t)n);
	switch (f->kind) {
	case LOAD_LAYER:
		r = take_layer(s, rest, f, err);
		break;
	case LOAD_DOC:
		r = take_doc(st, rest, f, err);
		break;
	case LOAD_OTHER:
	case LOAD_LINK:
		r = take_other(s, rest, f, err);
		break;
	}
	return r < 0 ? -1 : check_name(f, err);
}

/* A new one of that name, or NULL.  Takes: ${name}. */
static struct load_file *
add_file(struct load_stage *st, char *name, struct stv_err **err)
{
	struct load_file *f;

	if (st->files.len >= MAX_FILES) {
		free(name);
		(void)stv_fail(err, STV_E_LIMIT,
			       "the archive has more than %d files", MAX_FILES);
		return NULL;
	}
	f = stv_vec_push(&st->files);
	f->name = name;
	return f;
}

int
cas_stage_take(struct cas_store *s, struct load_stage *st, char *name,
	       struct stv_in *in, struct stv_err **err)
{
	struct load_file *f = add_file(st, name, err);

	return f == NULL ? -1 : take_file(s, st, in, f, err);
}

static int
take_entry(struct cas_store *s, struct load_stage *st, struct stv_archive *a,
	   const struct stv_archive_entry *e, struct stv_err **err)
{
	bool is_link = e->type == 0 || e->type == S_IFLNK;
	struct entry_in entry = {
		.base = {entry_read, NULL},
		.a = a,
		.block = {.p = ""},
		.size = e->size,
	};
	struct load_file *f;
	char *name;

	if (!is_link && e->type != S_IFREG)
		return 0;
	name = clean_name(e->path, err);
	if (name == NULL)
		return -1;
	if (!is_link)
		return cas_stage_take(s, st, name, &entry.base, err);
	f = add_file(st, name, err);
	if (f == NULL)
		return -1;
	f->kind = LOAD_LINK;
	f->target =
		link_name(name, e->link == NULL ? "" : e->link, e->type == 0);
	return 0;
}

static int
cmp_file(const void *a, const void *b)
{
	const struct load_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool
is_same(const struct load_file *a, const struct load_file *b)
{
	if (a->kind == LOAD_LINK || b->kind == LOAD_LINK)
		return a->kind == b->kind && strcmp(a->target, b->target) == 0;
	return stv_digest_equal(&a->blob, &b->blob);
}

/* Of two different files of one name readers do not take the same. */
int
cas_stage_sort(struct load_stage *st, struct stv_err **err)
{
	if (st->files.len > 0)
		qsort(st->files.v, st->files.len, sizeof(st->files.v[0]),
		      cmp_file);
	for (size_t i = 1; i < st->files.len; i++)
		if (cmp_file(&st->files.v[i - 1], &st->files.v[i]) == 0 &&
		    !is_same(&st->files.v[i - 1], &st->files.v[i]))
			return stv_fail(err, STV_E_INPUT,
					"the archive has two different files "
					"of one name");
	return 0;
}

int
cas_stage_read(struct cas_store *s, struct stv_in *in, struct load_stage *ret,
	       struct stv_err **err)
{
	stv_auto(stv_archive) *a = NULL;
	struct stv_archive_entry e;
	int r;

	if (stv_archive_open(in, &a, err) < 0)
		return -1;
	while ((r = stv_archive_next(a, &e, err)) == 1)
		if (take_entry(s, ret, a, &e, err) < 0)
			return -1;
	return r < 0 ? -1 : cas_stage_sort(ret, err);
}

const struct load_file *
cas_stage_find(const struct load_stage *st, const char *name)
{
	struct load_file key = {0};
	char *copy = stv_xstrdup(name);
	const struct load_file *f = NULL;

	for (int i = 0; i < MAX_LINKS && st->files.len > 0; i++) {
		key.name = copy;
		f = bsearch(&key, st->files.v, st->files.len,
			    sizeof(st->files.v[0]), cmp_file);
		if (f == NULL || f->kind != LOAD_LINK)
			break;
		free(copy);
		copy = stv_xstrdup(f->target);
		f = NULL;
	}
	free(copy);
	return f;
}

const struct load_file *
cas_stage_blob(const struct load_stage *st, const struct stv_digest *d)
{
	char name[sizeof(BLOBS) + STV_DIGEST_STR_MAX] = BLOBS;

	(void)stv_digest_hex(d, name + strlen(BLOBS));
	return cas_stage_find(st, name);
}

void
cas_stage_fini(struct load_stage *st)
{
	for (size_t i = 0; i < st->files.len; i++) {
		free(st->files.v[i].name);
		free(st->files.v[i].target);
		stv_buf_fini(&st->files.v[i].text);
	}
	stv_vec_fini(&st->files);
}
