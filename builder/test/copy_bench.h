/*
 * builder/test/copy_bench.h - a store, a context and a chain of layers, for
 * the tests of COPY and ADD.  Every helper ends the test where it fails.
 */
#ifndef STAVE_BUILDER_TEST_COPY_BENCH_H
#define STAVE_BUILDER_TEST_COPY_BENCH_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/stream.h"

#include "cache/layer.h"
#include "cache/store.h"
#include "cache/toc.h"
#include "parser/ignore.h"

#include "builder/context.h"
#include "builder/copy.h"

#ifndef UNUSED_OK
#define UNUSED_OK __attribute__((__unused__))
#endif
#define MAX_LAYERS 16
#define NOW 1500000000

/* ok(r, err): assert that a call succeeded, with its message. */
#define ok(r, err)                                                             \
	do {                                                                   \
		int ok_r = (r);                                                \
		cr_assert(ok_r >= 0, "%s",                                     \
			  (err) == NULL ? "?"                                  \
					: stv_err_msg(stv_err_root(err)));     \
	} while (0)

struct bench {
	char *dir; /* holds "store" and "ctx" */
	struct cas_store *store;
	struct bld_context *ctx;
	struct stv_sources *sources;
	struct df_ignore *ignore;
	struct stv_digest chain[MAX_LAYERS];
	size_t n_chain;
	/* The last copy. */
	struct bld_copy_spec spec;
	struct stv_digest key;
	int result;
	struct stv_err *err;
	char text[16384];
};

static UNUSED_OK char *
bench_path(const struct bench *b, const char *sub)
{
	return stv_xasprintf("%s/ctx/%s", b->dir, sub);
}

/* ---- the context -----------------------------------------------------------
 */

static UNUSED_OK void
ctx_dir(const struct bench *b, const char *sub)
{
	struct stv_err *err = NULL;
	char *path = bench_path(b, sub);

	ok(stv_fsat_mkdirs(AT_FDCWD, path, 0755, &err), err);
	free(path);
}

/* The directory that ${sub} lies in. */
static UNUSED_OK void
ctx_parent(const struct bench *b, const char *sub)
{
	const char *slash = strrchr(sub, '/');
	char *parent =
		stv_xstrndup(sub, slash == NULL ? 0 : (size_t)(slash - sub));

	ctx_dir(b, parent);
	free(parent);
}

static UNUSED_OK void
ctx_file(const struct bench *b, const char *sub, const char *text, mode_t mode)
{
	char *path = bench_path(b, sub);
	int fd;

	ctx_parent(b, sub);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(stv_write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	(void)close(fd);
	free(path);
}

static UNUSED_OK void
ctx_link(const struct bench *b, const char *sub, const char *target)
{
	char *path = bench_path(b, sub);

	ctx_parent(b, sub);
	cr_assert_eq(symlink(target, path), 0);
	free(path);
}

static UNUSED_OK void
ctx_mtime(const struct bench *b, const char *sub, time_t s)
{
	const struct timespec times[2] = {{.tv_sec = s}, {.tv_sec = s}};
	char *path = bench_path(b, sub);

	cr_assert_eq(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
	free(path);
}

/* ---- the whole -------------------------------------------------------------
 */

static UNUSED_OK void
bench_open(struct bench *b)
{
	const char *tmp = getenv("TMPDIR");
	struct cas_store_opts opts = {.is_sync = false};
	char *root;

	memset(b, 0, sizeof(*b));
	b->dir = stv_xasprintf("%s/stave-test-XXXXXX",
			       tmp == NULL ? "/tmp" : tmp);
	cr_assert_not_null(mkdtemp(b->dir));
	root = stv_xasprintf("%s/store", b->dir);
	ok(cas_store_open(root, &opts, &b->store, &b->err), b->err);
	free(root);
	ctx_dir(b, "");
}

static UNUSED_OK void
bench_end(struct bench *b)
{
	stv_err_clear(&b->err);
	stv_strs_clear(&b->spec.srcs);
	bld_context_close(b->ctx);
	df_ignore_free(b->ignore);
	stv_sources_free(b->sources);
	cas_store_close(b->store);
	if (stv_fsat_remove_tree(AT_FDCWD, b->dir, &b->err) < 0)
		stv_err_clear(&b->err);
	free(b->dir);
}

static UNUSED_OK void
bench_ignore(struct bench *b, const char *text)
{
	uint32_t file;

	b->sources = stv_sources_new();
	ok(stv_sources_add(b->sources, ".dockerignore", text, strlen(text),
			   &file, &b->err),
	   b->err);
	ok(df_ignore_parse(b->sources, file, &b->ignore, &b->err), b->err);
}

static UNUSED_OK struct bld_context *
bench_context(struct bench *b)
{
	struct bld_context_opts opts = {.ignore = b->ignore, .store = b->store};
	char *path = bench_path(b, "");

	if (b->ctx == NULL)
		ok(bld_context_open(path, &opts, &b->ctx, &b->err), b->err);
	free(path);
	return b->ctx;
}

/* ---- layers ----------------------------------------------------------------
 */

/* An entry of a layer that a test makes by hand. */
struct make {
	enum lay_type type;
	uint32_t mode;
	const char *path;
	const char *text; /* content, or target */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime;
	const struct lay_xattr *xattr; /* one, or none */
};

/* Put a layer of ${n} entries (in order) on top of the chain. */
static UNUSED_OK void
bench_layer(struct bench *b, const struct make *m, size_t n)
{
	struct lay_writer_opts opts = {0};
	struct lay_writer *w = NULL;
	struct lay_result res;

	ok(lay_writer_open(b->store, &opts, &w, &b->err), b->err);
	for (size_t i = 0; i < n; i++) {
		bool is_file = m[i].type == LAY_FILE;
		struct lay_entry e = {
			.path = m[i].path,
			.type = m[i].type,
			.mode = m[i].mode,
			.uid = m[i].uid,
			.gid = m[i].gid,
			.mtime_s = m[i].mtime,
			.size = is_file ? strlen(m[i].text) : 0,
			.link = is_file ? NULL : m[i].text,
			.xattrs = m[i].xattr,
			.n_xattrs = m[i].xattr != NULL,
		};
		int fd = -1;

		if (is_file) {
			fd = memfd_create("x", MFD_CLOEXEC);
			cr_assert_eq(stv_write_all(fd, m[i].text, e.size), 0);
		}
		ok(lay_writer_add(w, &e, fd, 0, NULL, &b->err), b->err);
		if (fd >= 0)
			(void)close(fd);
	}
	ok(lay_writer_commit(w, &res, &b->err), b->err);
	lay_writer_close(w);
	b->chain[b->n_chain++] = res.diff_id;
}

static UNUSED_OK struct lay_view *
bench_view(struct bench *b)
{
	struct lay_view *v = NULL;

	ok(lay_view_open(b->store, b->chain, b->n_chain, &v, &b->err), b->err);
	return v;
}

/* The content of the file at ${path} of the chain, appended. */
static UNUSED_OK void
add_content(struct bench *b, const char *path, struct stv_buf *text)
{
	struct lay_view *v = bench_view(b);
	struct stv_buf content = STV_BUF_INIT((size_t)1 << 20);

	ok(lay_view_read(v, path, content.max, &content, &b->err), b->err);
	if (content.len <= 40)
		stv_buf_add_escaped(text, stv_buf_str(&content), content.len);
	else
		stv_buf_addf(text, "%zu bytes", content.len);
	stv_buf_fini(&content);
	lay_view_close(v);
}

/* One line of a listing: type, mode, owner, path, and what it holds. */
static UNUSED_OK void
add_line(struct bench *b, const struct lay_entry *e, struct stv_buf *text)
{
	static const char types[] = "fdlhpcbwo";

	stv_buf_addf(text, "%c %04o %u:%u %s", types[e->type], e->mode, e->uid,
		     e->gid, e->path);
	if (e->type == LAY_FILE) {
		stv_buf_adds(text, " '");
		add_content(b, e->path, text);
		stv_buf_adds(text, "'");
	} else if (e->type == LAY_SYMLINK || e->type == LAY_HARDLINK) {
		stv_buf_addf(text, " -> %s", e->link);
	} else if (e->type == LAY_CHAR || e->type == LAY_BLOCK) {
		stv_buf_addf(text, " %u:%u", e->rdev_major, e->rdev_minor);
	}
	for (size_t i = 0; i < e->n_xattrs; i++)
		stv_buf_addf(text, " %s", e->xattrs[i].name);
	stv_buf_addc(text, '\n');
}

/* The topmost layer, listed into b->text. */
static UNUSED_OK const char *
bench_list(struct bench *b)
{
	struct stv_buf text = STV_BUF_INIT(sizeof(b->text) - 1);
	struct lay_toc *t = NULL;

	ok(lay_toc_open(b->store, &b->chain[b->n_chain - 1], &t, &b->err),
	   b->err);
	for (size_t i = 0; i < lay_toc_len(t); i++) {
		struct lay_entry e;

		lay_toc_get(t, i, &e);
		add_line(b, &e, &text);
	}
	lay_toc_close(t);
	(void)snprintf(b->text, sizeof(b->text), "%s", stv_buf_str(&text));
	stv_buf_fini(&text);
	return b->text;
}

/* The time of an entry of the topmost layer; -1 where there is none. */
static UNUSED_OK int64_t
bench_mtime(struct bench *b, const char *path)
{
	struct lay_toc *t = NULL;
	struct lay_entry e;
	int64_t s = -1;

	ok(lay_toc_open(b->store, &b->chain[b->n_chain - 1], &t, &b->err),
	   b->err);
	if (lay_toc_find(t, path, &e) == 1)
		s = e.mtime_s;
	lay_toc_close(t);
	return s;
}

/* ---- copying ---------------------------------------------------------------
 */

/* Called between the plan and the write. */
typedef void between_fn(struct bench *b);

static UNUSED_OK int
write_layer(struct bench *b, struct bld_copy_plan *plan)
{
	struct lay_writer_opts opts = {.has_epoch = b->spec.has_epoch,
				       .epoch = b->spec.epoch};
	struct lay_view *below = bench_view(b);
	struct lay_writer *w = NULL;
	struct lay_result res;

	ok(lay_writer_open(b->store, &opts, &w, &b->err), b->err);
	b->result = bld_copy_write(plan, b->n_chain == 0 ? NULL : below, w,
				   &b->err);
	if (b->result >= 0 && b->result != BLD_COPY_STALE) {
		ok(lay_writer_commit(w, &res, &b->err), b->err);
		b->chain[b->n_chain++] = res.diff_id;
	}
	lay_writer_close(w);
	lay_view_close(below);
	return b->result;
}

/* Plan and write b->spec; the layer goes on top.  0, or -1 with b->err. */
static UNUSED_OK int
bench_run(struct bench *b, between_fn *between)
{
	struct bld_copy_plan *plan = NULL;

	stv_err_clear(&b->err);
	b->spec.store = b->store;
	b->spec.now_s = NOW;
	if (bld_copy_plan(&b->spec, &plan, &b->err) < 0)
		return -1;
	bld_copy_key(plan, &b->key);
	if (between != NULL)
		between(b);
	if (write_layer(b, plan) == BLD_COPY_CHANGED)
		bld_copy_key(plan, &b->key);
	bld_copy_plan_free(plan);
	return b->result < 0 ? -1 : 0;
}

/* Words: sources and then the destination. */
static UNUSED_OK void
set_words(struct bench *b, const char *words)
{
	static char dest[512];
	STV_CLEANUP(stv_strs_clear) struct stv_strs all = {0};

	while (*words != '\0') {
		size_t n = strcspn(words, " ");

		stv_strs_add_n(&all, words, n);
		words += n + (words[n] == ' ');
	}
	stv_strs_clear(&b->spec.srcs);
	for (size_t i = 0; i + 1 < all.len; i++)
		stv_strs_add(&b->spec.srcs, all.v[i]);
	(void)snprintf(dest, sizeof(dest), "%s", all.v[all.len - 1]);
	b->spec.dest = dest;
}

/* COPY ${words} from the context. */
static UNUSED_OK int
copy(struct bench *b, const char *words)
{
	set_words(b, words);
	b->spec.context = bench_context(b);
	return bench_run(b, NULL);
}

/* The same; the layer has exactly these lines. */
#define expect_copy(b, words, lines)                                           \
	do {                                                                   \
		int expect_rc = copy((b), (words));                            \
		cr_assert_eq(expect_rc, 0, "%s: %s", (words),                  \
			     (b)->err == NULL                                  \
				     ? "?"                                     \
				     : stv_err_msg(stv_err_root((b)->err)));   \
		cr_expect_str_eq(bench_list(b), (lines), "%s gave\n%s",        \
				 (words), (b)->text);                          \
	} while (0)

/* The same; it fails, and the message has ${part}. */
#define expect_copy_fails(b, words, part)                                      \
	do {                                                                   \
		cr_assert_eq(copy((b), (words)), -1, "%s did not fail",        \
			     (words));                                         \
		cr_expect_eq(stv_err_code((b)->err), STV_E_INPUT);             \
		cr_expect_not_null(                                            \
			strstr(stv_err_msg(stv_err_root((b)->err)), (part)),   \
			"%s: %s", (words),                                     \
			stv_err_msg(stv_err_root((b)->err)));                  \
	} while (0)

#endif /* STAVE_BUILDER_TEST_COPY_BENCH_H */
