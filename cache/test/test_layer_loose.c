/*
 * cache/test/test_layer_loose.c - a layer that is unpacked while it arrives is
 * what unpacking its blob gives.
 */
#include <signal.h>
#include <sys/resource.h>

#include "core/codec.h"

#include "cache/test/layer_fixture.h"

#define NEEDS_ROOT                                                             \
	do {                                                                   \
		if (geteuid() != 0)                                            \
			cr_skip_test("needs root: owners and devices");        \
	} while (0)

#define MAX_LAYERS 4

/* The same layers in two stores. */
struct pair {
	char *dirs[2];
	struct cas_store *stores[2]; /* by the blob; while they arrive */
	struct stv_digest ids[MAX_LAYERS];
	struct lay_loose *loose[MAX_LAYERS];
	size_t n;
};

static void
pair_init(struct pair *p)
{
	*p = (struct pair){.n = 0};
	for (size_t i = 0; i < 2; i++) {
		p->dirs[i] = scratch_dir();
		p->stores[i] = scratch_open(p->dirs[i]);
	}
}

static void
pair_fini(struct pair *p)
{
	for (size_t i = 0; i < 2; i++) {
		cas_store_close(p->stores[i]);
		scratch_end(p->dirs[i]);
	}
}

/* Takes a tar in gzip, with what is ${want}ed of it; the error's code or -1. */
static int
receive(struct cas_store *s, const struct stv_buf *tar,
	const struct lay_wanted *want, struct lay_received *ret)
{
	stv_auto_buf z = T_BUF;
	struct stv_sink *end = stv_sink_buf(&z, "test");
	struct stv_sink *gz = stv_sink_gzip(end, true);
	struct stv_err *err = NULL;
	struct stv_in *in;
	int code = -1;

	ok(gz->write(gz, tar->data, tar->len, &err), err);
	ok(stv_codec_end(gz, &err), err);
	in = stv_in_mem(z.data, z.len);
	if (lay_receive(s, in, want, ret, &err) < 0)
		code = (int)stv_err_code(err);
	stv_err_free(err);
	stv_in_close(in);
	stv_sink_close(gz);
	stv_sink_close(end);
	return code;
}

/* One more layer; its blob is of no use to the second store. */
static void
add(struct pair *p, struct stv_buf *tar)
{
	static const struct lay_wanted wants[2] = {
		{.is_ahead = false}, {.is_ahead = true, .is_mounted = true}};
	struct lay_received got;
	char *path, hex[STV_DIGEST_STR_MAX];

	t_end(tar);
	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(receive(p->stores[i], tar, &wants[i], &got), -1);
	cr_assert_not_null(got.loose);
	path = stv_xasprintf("%s/blobs/sha256/%s", p->dirs[1],
			     stv_digest_hex(&got.blob, hex));
	cr_assert_eq(truncate(path, 0), 0);
	free(path);
	p->ids[p->n] = got.layer.diff_id;
	p->loose[p->n++] = got.loose;
	stv_buf_fini(tar);
}

/* Names in tmp/, but for the lock of our own directory. */
static char *
left_in_tmp(const char *dir)
{
	char *tmp = stv_xasprintf("%s/tmp", dir), *got = t_describe(tmp, 0);
	struct stv_buf left = T_BUF;

	for (char *line = strtok(got, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		char *slash = strchr(line, '/');

		if (slash != NULL && strncmp(slash, "/lock ", 6) != 0)
			stv_buf_addf(&left, "%s\n", slash);
	}
	free(tmp);
	free(got);
	return stv_buf_take(&left);
}

static void
compare(struct pair *p)
{
	struct stv_err *err = NULL;
	char *left;

	for (size_t n = p->n; n > 0; n--) {
		char *names[2] = {NULL, NULL}, *trees[2];

		ok(lay_snapshot(p->stores[0], p->ids, n, &names[0], &err), err);
		ok(lay_snapshot_loose(p->stores[1], p->ids, n, p->loose[n - 1],
				      &err),
		   err);
		lay_loose_free(p->loose[n - 1]);
		cr_assert_eq(lay_snapshot_find(p->stores[1], p->ids, n,
					       &names[1], &err),
			     1);
		cr_expect_str_eq(names[0], names[1]);
		for (size_t i = 0; i < 2; i++) {
			char *at = stv_xasprintf("%s/%s", p->dirs[i], names[i]);

			trees[i] = t_describe(at, T_TIME | T_LINKS);
			free(at);
		}
		t_same(trees[1], trees[0], "the snapshots");
		for (size_t i = 0; i < 2; i++) {
			free(names[i]);
			free(trees[i]);
		}
	}
	left = left_in_tmp(p->dirs[1]);
	cr_expect_str_eq(left, "");
	free(left);
}

static void
add_base(struct pair *p)
{
	struct stv_buf t = T_BUF;

	t_entry(&t, (struct t_head){.name = "a/",
				    .type = '5',
				    .mode = 0700,
				    .uid = 7,
				    .mtime = 1000});
	t_file(&t, "a/old", "old");
	t_file(&t, "a/b/older", "older");
	t_file(&t, "etc/passwd", "root");
	add(p, &t);
}

Test(layer_loose, all_kinds_of_entries)
{
	struct stv_buf t = T_BUF;
	stv_auto_buf pax = T_BUF;
	struct pair p;

	NEEDS_ROOT;
	pair_init(&p);
	t_rec(&pax, "SCHILY.xattr.user.note", "a value");
	t_rec(&pax, "mtime", "1234567890.123456789");
	t_entry(&t, (struct t_head){.name = "d/", .type = '5', .mode = 01777});
	t_entry(&t, (struct t_head){.name = "d/su",
				    .body = "run me",
				    .mode = 06755,
				    .uid = 3,
				    .gid = 4,
				    .mtime = 77});
	t_entry(&t, (struct t_head){.name = "d/x",
				    .body = "with xattr",
				    .pax = pax.data,
				    .pax_len = pax.len});
	t_entry(&t, (struct t_head){.name = "d/empty", .mode = 0400});
	t_hard(&t, "d/a-link", "d/su");
	t_entry(&t, (struct t_head){.name = "d/sym", .type = '2', .link = "x"});
	t_entry(&t, (struct t_head){.name = "d/fifo", .type = '6'});
	t_entry(&t,
		(struct t_head){
			.name = "d/null", .type = '3', .major = 1, .minor = 3});
	t_file(&t, "implied/by/a/file", "deep");
	add(&p, &t);
	compare(&p);
	pair_fini(&p);
}

/* What a later entry replaced was written, too, and is gone. */
Test(layer_loose, the_last_entry_wins)
{
	struct stv_buf t = T_BUF;
	struct pair p;

	NEEDS_ROOT;
	pair_init(&p);
	t_file(&t, "twice", "first");
	t_file(&t, "twice", "second");
	t_file(&t, "file-then-dir", "x");
	t_dir(&t, "file-then-dir", 0711);
	t_file(&t, "file-then-dir/in", "y");
	t_file(&t, "dir-then-file/in", "x");
	t_file(&t, "dir-then-file", "y");
	t_file(&t, "dir-then-link/in", "x");
	t_entry(&t, (struct t_head){.name = "dir-then-link",
				    .type = '2',
				    .link = "real"});
	t_dir(&t, "real", 0750);
	t_file(&t, "dir-then-link/through", "lands in real");
	t_file(&t, "linked", "x");
	t_hard(&t, "also", "linked");
	t_file(&t, "linked", "another");
	add(&p, &t);
	compare(&p);
	pair_fini(&p);
}

Test(layer_loose, upon_other_layers)
{
	struct stv_buf t = T_BUF;
	struct pair p;

	NEEDS_ROOT;
	pair_init(&p);
	add_base(&p);
	t_file(&t, "a/new", "a is as below");
	t_file(&t, "a/.wh.old", "");
	t_file(&t, "a/.wh.never", "");
	t_file(&t, "a/b/.wh..wh..opq", "");
	t_file(&t, "a/b/c/d", "x");
	add(&p, &t);
	t = T_BUF;
	t_file(&t, ".wh.etc", "");
	t_file(&t, "a/b/c/e", "x");
	add(&p, &t);
	compare(&p);
	pair_fini(&p);
}

Test(layer_loose, files_with_holes)
{
	struct stv_buf t = T_BUF;
	stv_auto_buf pax = T_BUF;
	char body[512 + 4] = "1\n50000\n4\n";
	struct pair p;

	NEEDS_ROOT;
	pair_init(&p);
	memcpy(body + 512, "data", 4);
	t_rec(&pax, "GNU.sparse.major", "1");
	t_rec(&pax, "GNU.sparse.minor", "0");
	t_rec(&pax, "GNU.sparse.name", "holes");
	t_rec(&pax, "GNU.sparse.realsize", "100000");
	t_entry(&t, (struct t_head){.name = "GNUSparseFile.0/holes",
				    .body = body,
				    .body_len = sizeof(body),
				    .pax = pax.data,
				    .pax_len = pax.len});
	t_file(&t, "behind", "x");
	add(&p, &t);
	compare(&p);
	pair_fini(&p);
}

/* One that is there already is not made again, and these are removed. */
Test(layer_loose, another_was_faster)
{
	struct stv_err *err = NULL;
	char *name = NULL, *left;
	struct pair p;

	NEEDS_ROOT;
	pair_init(&p);
	add_base(&p);
	p.stores[1] = (cas_store_close(p.stores[1]), p.stores[0]);
	ok(lay_snapshot(p.stores[0], p.ids, 1, &name, &err), err);
	ok(lay_snapshot_loose(p.stores[0], p.ids, 1, p.loose[0], &err), err);
	free(name);
	left = left_in_tmp(p.dirs[0]);
	cr_expect_str_eq(left, "");
	free(left);
	cas_store_close(p.stores[0]);
	scratch_end(p.dirs[0]);
	scratch_end(p.dirs[1]);
}

/* Neither digest may be another: then nothing of it is anywhere. */
Test(layer_loose, refused_layers_leave_nothing)
{
	struct stv_digest other = stv_digest_of("no", 2);
	const struct lay_wanted wants[2] = {
		{.diff_id = &other, .is_ahead = true, .is_mounted = true},
		{.blob = &other, .is_ahead = true, .is_mounted = true}};

	for (size_t i = 0; i < 2; i++) {
		char *dir = scratch_dir(), *left, *path;
		struct cas_store *s = scratch_open(dir);
		struct stv_err *err = NULL;
		struct lay_received got;
		struct cas_layer layer;
		stv_auto_buf t = T_BUF;
		struct stv_digest id;

		t_file(&t, "a", "content");
		t_end(&t);
		id = stv_digest_of(t.data, t.len);
		cr_expect_eq(receive(s, &t, &wants[i], &got), STV_E_DIGEST);
		cr_expect_eq(cas_layer_get(s, &id, &layer, &err), 0);
		left = left_in_tmp(dir);
		cr_expect_str_eq(left, "");
		free(left);
		path = stv_xasprintf("%s/blobs/sha256", dir);
		left = t_describe(path, 0);
		cr_expect_str_eq(left, "");
		free(left);
		free(path);
		cas_store_close(s);
		scratch_end(dir);
	}
}

/* Where a file cannot be written the layer is taken all the same. */
Test(layer_loose, is_given_up)
{
	char *dir = scratch_dir(), *left, *name = NULL;
	struct cas_store *s = scratch_open(dir);
	const struct lay_wanted want = {.is_mounted = true};
	const struct rlimit small = {200000, RLIM_INFINITY};
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	struct stv_err *err = NULL;
	struct lay_received got;
	stv_auto_buf t = T_BUF;
	stv_auto_free char *zeros = stv_xcalloc(1000000, 1);

	NEEDS_ROOT;
	(void)signal(SIGXFSZ, SIG_IGN);
	t_file(&t, "a", "x");
	t_entry(&t, (struct t_head){.name = "large",
				    .body = zeros,
				    .body_len = 1000000});
	t_file(&t, "z", "x");
	t_end(&t);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	cr_expect_eq(receive(s, &t, &want, &got), -1);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	cr_expect_null(got.loose);
	left = left_in_tmp(dir);
	cr_expect_str_eq(left, "");
	free(left);
	ok(lay_snapshot(s, &got.layer.diff_id, 1, &name, &err), err);
	free(name);
	cas_store_close(s);
	scratch_end(dir);
}
