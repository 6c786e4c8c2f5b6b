/*
 * cache/fuzz/fuzz_layer.c - layer tars from outside, as far as the table of
 * contents, in memory.
 *
 * The first byte: 1 puts the headers' checksums right, so that the input comes
 * past them; 2 has the input decompressed first.  A tar that is taken has a
 * table in which nothing leads outside; each file's digest is that of its bytes
 * at its offset; and writing the entries anew and reading that gives the same
 * entries.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/codec.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/layer_internal.h"
#include "cache/tar_write.h"
#include "cache/toc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_PLAIN ((size_t)1 << 20)

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

static void
fix_checksum(char *h)
{
	unsigned int sum = 8 * ' ';

	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (i < 148 || i >= 156)
			sum += (unsigned char)h[i];
	for (int i = 5; i >= 0; i--, sum >>= 3)
		h[148 + i] = (char)('0' + (sum & 7));
	h[154] = '\0';
	h[155] = ' ';
}

/* Follow the headers as far as they can be followed. */
static void
fix_checksums(struct stv_buf *b)
{
	static const char zeros[TAR_BLOCK];
	size_t at = 0;

	while (b->len - at >= TAR_BLOCK) {
		char *h = b->data + at;
		size_t n = 0;

		if (memcmp(h, zeros, TAR_BLOCK) == 0)
			break;
		fix_checksum(h);
		for (int i = 124; i < 136 && h[i] >= '0' && h[i] <= '7'; i++)
			n = (n << 3 | (size_t)(h[i] - '0')) & 0xffffff;
		at += TAR_BLOCK + (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
		if (at > b->len)
			break;
	}
}

/* The table of a tar, or NULL where it is refused. */
static struct lay_toc *
read_toc(const struct stv_buf *tar)
{
	struct lay_toc_builder *b = lay_toc_builder_new();
	struct stv_in *in = stv_in_mem(stv_buf_str(tar), tar->len);
	struct stv_buf file = STV_BUF_INIT((size_t)256 << 20);
	struct stv_err *err = NULL;
	struct lay_toc *t = NULL;
	size_t n;

	if (lay_read_tar(in, b, NULL, &err) == 0 &&
	    lay_toc_builder_render(b, &file, &err) == 0) {
		n = file.len;
		expect(lay_toc_load(stv_buf_take(&file), n, &t, &err) == 0);
	}
	expect((t == NULL) == (err != NULL));
	if (err != NULL)
		expect(stv_err_code(err) == STV_E_INPUT ||
		       stv_err_code(err) == STV_E_LIMIT);
	stv_err_free(err);
	stv_buf_fini(&file);
	stv_in_close(in);
	lay_toc_builder_free(b);
	return t;
}

static void
check_path(const char *path)
{
	expect(strlen(path) <= STV_MAX_PATH);
	for (const char *p = path; *p != '\0';) {
		size_t n = strcspn(p, "/");

		expect(n > 0 && n <= STV_MAX_NAME);
		expect(!(n == 1 && p[0] == '.'));
		expect(!(n == 2 && p[0] == '.' && p[1] == '.'));
		expect(!(n >= 4 && memcmp(p, ".wh.", 4) == 0));
		p += n;
		if (*p == '/')
			expect(*++p != '\0');
	}
}

/* What lies above an entry in its own layer is a directory. */
static void
check_parents(const struct lay_toc *t, const char *path)
{
	char part[STV_MAX_PATH + 1];
	struct lay_entry e;

	for (const char *p = strchr(path, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		memcpy(part, path, (size_t)(p - path));
		part[p - path] = '\0';
		if (lay_toc_find(t, part, &e) == 1)
			expect(e.type == LAY_DIR || e.type == LAY_OPAQUE);
	}
}

static void
check_entry(const struct lay_toc *t, size_t i, const struct stv_buf *tar)
{
	struct lay_entry e, other;

	lay_toc_get(t, i, &e);
	check_path(e.path);
	check_parents(t, e.path);
	if (i > 0) {
		lay_toc_get(t, i - 1, &other);
		expect(lay_path_cmp(other.path, e.path) < 0 ||
		       (strcmp(other.path, e.path) == 0 &&
			other.type == LAY_DIR && e.type == LAY_OPAQUE));
	}
	if (e.type == LAY_HARDLINK)
		expect(lay_toc_find(t, e.link, &other) == 1 &&
		       other.type == LAY_FILE &&
		       lay_path_cmp(e.link, e.path) < 0);
	if (e.type == LAY_CHAR)
		expect(e.rdev_major != 0 || e.rdev_minor != 0);
	for (size_t k = 0; k < e.n_xattrs; k++)
		expect(strstr(e.xattrs[k].name, "overlay.") == NULL ||
		       strncmp(e.xattrs[k].name, "user.overlay.", 13) != 0);
	if (e.type == LAY_FILE && !e.is_sparse) {
		struct stv_digest d;

		expect(e.size <= tar->len && e.offset <= tar->len - e.size);
		d = stv_digest_of(stv_buf_str(tar) + e.offset, (size_t)e.size);
		expect(stv_digest_equal(&d, &e.digest));
	}
}

/* The entries as a tar of ours; false where their content is not at hand. */
static bool
rewrite(const struct lay_toc *t, const struct stv_buf *tar, struct stv_buf *out)
{
	static const char zeros[2 * TAR_BLOCK];
	bool is_done = true;

	for (size_t i = 0; is_done && i < lay_toc_len(t); i++) {
		stv_auto_buf head = STV_BUF_INIT((size_t)4 << 20);
		struct stv_err *err = NULL;
		struct lay_entry e;

		lay_toc_get(t, i, &e);
		/* Long fields and xattrs whose names have a '='. */
		is_done = !e.is_sparse && lay_tar_header(&e, &head, &err) == 0;
		stv_err_free(err);
		if (!is_done)
			break;
		stv_buf_add(out, head.data, head.len);
		if (e.type != LAY_FILE)
			continue;
		stv_buf_add(out, stv_buf_str(tar) + e.offset, (size_t)e.size);
		stv_buf_add(out, zeros, (size_t)lay_tar_padding(e.size));
	}
	stv_buf_add(out, zeros, sizeof(zeros));
	return is_done;
}

static void
check_rewritten(const struct lay_toc *t, const struct stv_buf *tar)
{
	stv_auto_buf out = STV_BUF_INIT((size_t)64 << 20);
	struct lay_toc *again;

	if (!rewrite(t, tar, &out))
		return;
	again = read_toc(&out);
	expect(again != NULL && lay_toc_len(again) == lay_toc_len(t));
	for (size_t i = 0; i < lay_toc_len(t); i++) {
		struct lay_entry a, b;

		lay_toc_get(t, i, &a);
		lay_toc_get(again, i, &b);
		expect(strcmp(a.path, b.path) == 0);
		/* libarchive loses the sign of "-0.5". */
		if (a.mtime_s == -1 && a.mtime_ns > 0)
			continue;
		expect(lay_entry_is_same(&a, &b));
		expect(a.type != LAY_FILE ||
		       stv_digest_equal(&a.digest, &b.digest));
	}
	lay_toc_close(again);
}

/* The tar inside of the input. */
static void
get_tar(const uint8_t *data, size_t size, struct stv_buf *ret)
{
	struct stv_in *in, *plain = NULL;
	struct stv_sink *sink = stv_sink_buf(ret, "test");
	struct stv_err *err = NULL;

	in = stv_in_mem(data + 1, size - 1);
	if ((data[0] & 2) != 0)
		plain = stv_in_decode(in, NULL, &err);
	if (err == NULL)
		(void)stv_copy(plain != NULL ? plain : in, sink, NULL, &err);
	stv_err_free(err);
	stv_in_close(plain);
	stv_in_close(in);
	stv_sink_close(sink);
	if ((data[0] & 1) != 0)
		fix_checksums(ret);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stv_auto_buf tar = STV_BUF_INIT(MAX_PLAIN);
	struct lay_toc *t;

	if (size == 0)
		return 0;
	get_tar(data, size, &tar);
	t = read_toc(&tar);
	if (t == NULL)
		return 0;
	for (size_t i = 0; i < lay_toc_len(t); i++)
		check_entry(t, i, &tar);
	check_rewritten(t, &tar);
	lay_toc_close(t);
	return 0;
}
