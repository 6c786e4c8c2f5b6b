/*
 * cache/test/layer_fixture.h - tars made byte by byte, and trees as text, for
 * the tests of layers.
 */
#ifndef STAVE_CACHE_TEST_LAYER_FIXTURE_H
#define STAVE_CACHE_TEST_LAYER_FIXTURE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "core/buf.h"
#include "core/stream.h"

#include "cache/layer.h"
#include "cache/layer_internal.h"
#include "cache/toc.h"

#include "cache/test/scratch.h"

/* ---- tars ---------------------------------------------------------------- */

/* What a header says; zero members are usual values. */
struct t_head {
	const char *name;
	char type; /* 0: '0' */
	const char *link;
	const char *body; /* NULL: none */
	size_t body_len;  /* 0: strlen(body) */
	int64_t size;	  /* in the header, where not body_len; -1: 0 */
	unsigned int mode, uid, gid, major, minor;
	unsigned long mtime;
	bool is_gnu;	 /* magic of old GNU tar */
	bool is_bad_sum; /* a wrong checksum */
	const char *pax; /* records in front, from t_rec() */
	size_t pax_len;
};

static UNUSED_OK void
t_oct(char *field, int n, uint64_t v)
{
	field[n - 1] = '\0';
	for (int i = n - 2; i >= 0; i--, v >>= 3)
		field[i] = (char)('0' + (v & 7));
}

static UNUSED_OK void
t_sum(char *h)
{
	unsigned int sum = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	t_oct(h + 148, 7, sum);
}

static UNUSED_OK void
t_pad(struct stv_buf *b)
{
	static const char zeros[512];

	stv_buf_add(b, zeros, (512 - b->len % 512) % 512);
}

/* One pax record appended to ${b}. */
static UNUSED_OK void
t_rec_n(struct stv_buf *b, const char *key, const char *value, size_t n)
{
	size_t len = strlen(key) + n + 3, total = len + 1;
	char num[24];

	while ((size_t)snprintf(num, sizeof(num), "%zu", total) + len != total)
		total++;
	stv_buf_addf(b, "%zu %s=", total, key);
	stv_buf_add(b, value, n);
	stv_buf_addc(b, '\n');
}

static UNUSED_OK void
t_rec(struct stv_buf *b, const char *key, const char *value)
{
	t_rec_n(b, key, value, strlen(value));
}

static UNUSED_OK void
t_entry(struct stv_buf *b, struct t_head t)
{
	char h[512] = {0};
	size_t n = t.body == NULL ? 0 : t.body_len;
	uint64_t size;

	if (t.body != NULL && n == 0)
		n = strlen(t.body);
	size = t.size < 0 ? 0 : t.size > 0 ? (uint64_t)t.size : n;
	if (t.pax != NULL)
		t_entry(b, (struct t_head){.name = "PaxHeaders/x",
					   .type = 'x',
					   .body = t.pax,
					   .body_len = t.pax_len});
	memcpy(h, t.name, strnlen(t.name, 100));
	t_oct(h + 100, 8, t.mode != 0 ? t.mode : 0644);
	t_oct(h + 108, 8, t.uid);
	t_oct(h + 116, 8, t.gid);
	t_oct(h + 124, 12, size);
	t_oct(h + 136, 12, t.mtime);
	h[156] = t.type != 0 ? t.type : '0';
	if (t.link != NULL)
		memcpy(h + 157, t.link, strnlen(t.link, 100));
	memcpy(h + 257, t.is_gnu ? "ustar  " : "ustar\00000", 8);
	t_oct(h + 329, 8, t.major);
	t_oct(h + 337, 8, t.minor);
	t_sum(h);
	if (t.is_bad_sum)
		h[0] ^= 1;
	stv_buf_add(b, h, 512);
	if (n > 0)
		stv_buf_add(b, t.body, n);
	t_pad(b);
}

static UNUSED_OK void
t_end(struct stv_buf *b)
{
	static const char zeros[1024];

	stv_buf_add(b, zeros, 1024);
}

/* Shorthands. */
static UNUSED_OK void
t_file(struct stv_buf *b, const char *name, const char *body)
{
	t_entry(b, (struct t_head){.name = name, .body = body});
}

static UNUSED_OK void
t_dir(struct stv_buf *b, const char *name, unsigned int mode)
{
	t_entry(b, (struct t_head){.name = name, .type = '5', .mode = mode});
}

static UNUSED_OK void
t_sym(struct stv_buf *b, const char *name, const char *link)
{
	t_entry(b, (struct t_head){.name = name, .type = '2', .link = link});
}

static UNUSED_OK void
t_hard(struct stv_buf *b, const char *name, const char *link)
{
	t_entry(b, (struct t_head){.name = name, .type = '1', .link = link});
}

#define T_BUF STV_BUF_INIT((size_t)64 << 20)

/* ---- receiving ----------------------------------------------------------- */

/* lay_receive() of bytes; the error's code, or -1 where it went well. */
static UNUSED_OK int
t_receive(struct cas_store *s, const struct stv_buf *b, struct stv_digest *id,
	  char why[256])
{
	struct stv_in *in = stv_in_mem(b->data, b->len);
	struct stv_err *err = NULL;
	struct lay_received res = {.files = NULL};
	int code = -1;

	if (lay_receive(s, in, NULL, &res, &err) < 0) {
		code = (int)stv_err_code(err);
		if (why != NULL)
			(void)snprintf(why, 256, "%s",
				       stv_err_msg(stv_err_root(err)));
	} else {
		cr_assert_null(err);
		if (id != NULL)
			*id = res.layer.diff_id;
	}
	stv_err_free(err);
	stv_in_close(in);
	return code;
}

static UNUSED_OK struct stv_digest
t_layer(struct cas_store *s, struct stv_buf *b)
{
	struct stv_digest id;
	char why[256] = "";

	t_end(b);
	cr_assert_eq(t_receive(s, b, &id, why), -1, "refused: %s", why);
	stv_buf_fini(b);
	return id;
}

/* ---- trees as text ------------------------------------------------------- */

/* What of a tree is described, besides names, modes, owners and content. */
#define T_TIME 1
#define T_LINKS 2 /* how many names a file has */

static UNUSED_OK int
t_cmp_str(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static UNUSED_OK void
t_xattrs(struct stv_buf *out, const char *path)
{
	char names[4096], value[65536], *list[64];
	ssize_t n = llistxattr(path, names, sizeof(names));
	size_t k = 0;

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1)
		list[k++] = names + i;
	qsort(list, k, sizeof(list[0]), t_cmp_str);
	for (size_t i = 0; i < k; i++) {
		ssize_t len = lgetxattr(path, list[i], value, sizeof(value));

		stv_buf_addf(out, " %s=", list[i]);
		stv_buf_add_escaped(out, value, (size_t)(len < 0 ? 0 : len));
	}
}

static UNUSED_OK void
t_content(struct stv_buf *out, const char *path)
{
	stv_auto_buf data = STV_BUF_INIT((size_t)64 << 20);
	struct stv_err *err = NULL;
	struct stv_digest d;
	char hex[STV_DIGEST_STR_MAX];

	ok(stv_fsat_read_file(AT_FDCWD, path, (size_t)64 << 20, &data, &err),
	   err);
	d = stv_digest_of(stv_buf_str(&data), data.len);
	stv_buf_addf(out, " %zu:%.16s", data.len, stv_digest_hex(&d, hex));
}

/* One line for ${path} and all below it, without access times and inodes. */
static UNUSED_OK void
t_describe_one(struct stv_buf *out, const char *root, const char *rel, int what)
{
	char *path = stv_xasprintf("%s%s%s", root, *rel ? "/" : "", rel);
	char link[4097];
	struct stat st;
	struct dirent **names;
	ssize_t len;
	int n;

	cr_assert_eq(lstat(path, &st), 0, "%s", path);
	stv_buf_add_escaped(out, rel, strlen(rel));
	stv_buf_addf(out, " %o %u:%u", st.st_mode, st.st_uid, st.st_gid);
	/* Overlay's whiteouts have no attributes of their own. */
	if ((what & T_TIME) != 0 && !(S_ISCHR(st.st_mode) && st.st_rdev == 0))
		stv_buf_addf(out, " %lld.%09ld", (long long)st.st_mtim.tv_sec,
			     st.st_mtim.tv_nsec);
	if (S_ISREG(st.st_mode)) {
		if ((what & T_LINKS) != 0)
			stv_buf_addf(out, " n%lu", (unsigned long)st.st_nlink);
		t_content(out, path);
	}
	if (S_ISLNK(st.st_mode)) {
		len = readlink(path, link, sizeof(link));
		stv_buf_addf(out, " -> %.*s", (int)len, link);
	}
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		stv_buf_addf(out, " %u:%u", major(st.st_rdev),
			     minor(st.st_rdev));
	t_xattrs(out, path);
	stv_buf_addc(out, '\n');
	if (S_ISDIR(st.st_mode)) {
		n = scandir(path, &names, NULL, NULL);
		cr_assert(n >= 0, "%s", path);
		qsort(names, (size_t)n, sizeof(*names),
		      (int (*)(const void *, const void *))alphasort);
		for (int i = 0; i < n; i++) {
			const char *d = names[i]->d_name;

			if (strcmp(d, ".") != 0 && strcmp(d, "..") != 0) {
				char *sub = stv_xasprintf("%s%s%s", rel,
							  *rel ? "/" : "", d);

				t_describe_one(out, root, sub, what);
				free(sub);
			}
			free(names[i]);
		}
		free(names);
	}
	free(path);
}

/* Everything below ${root}, not ${root} itself.  Owns: the caller. */
static UNUSED_OK char *
t_describe(const char *root, int what)
{
	struct stv_buf out = T_BUF;
	char *all, *first;

	t_describe_one(&out, root, "", what);
	all = stv_buf_take(&out);
	first = strchr(all, '\n') + 1;
	memmove(all, first, strlen(first) + 1);
	return all;
}

/* Assert that two trees are the same, and say where they are not. */
static UNUSED_OK void
t_same(const char *got, const char *want, const char *what)
{
	size_t i = 0, line = 0;

	if (strcmp(got, want) == 0)
		return;
	for (; got[i] == want[i]; i++)
		if (got[i] == '\n')
			line = i + 1;
	cr_assert_fail("%s differ:\n  got  %.*s\n  want %.*s", what,
		       (int)strcspn(got + line, "\n"), got + line,
		       (int)strcspn(want + line, "\n"), want + line);
}

#endif /* STAVE_CACHE_TEST_LAYER_FIXTURE_H */
