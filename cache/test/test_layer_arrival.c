/*
 * cache/test/test_layer_arrival.c - a layer that is unpacked while it arrives
 * is what unpacking its blob gives.
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
	struct lay_arrival *files[MAX_LAYERS];
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
	cr_assert_not_null(got.files);
	path = stv_xasprintf("%s/blobs/sha256/%s", p->dirs[1],
			     stv_digest_hex(&got.blob, hex));
	cr_assert_eq(truncate(path, 0), 0);
	free(path);
	p->ids[p->n] = got.layer.diff_id;
	p->files[p->n++] = got.files;
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
		ok(lay_snapshot_arrived(p->stores[1], p->ids, n,
					p->files[n - 1], &err),
		   err);
		lay_arrival_free(p->files[n - 1]);
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

Test(layer_arrival, all_kinds_of_entries)
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

struct odd {
	const char *what;
	const char *entries; /* "f:file d:directory l:link>to h:link>file" */
};

/* The entries in the order given: files, directories, links, hard links. */
static void
add_entries(struct stv_buf *t, const char *entries)
{
	stv_auto_free char *copy = stv_xstrdup(entries);

	for (char *e = strtok(copy, " "); e != NULL; e = strtok(NULL, " ")) {
		char *name = e + 2, *target = strchr(name, '>');

		if (target != NULL)
			*target++ = '\0';
		if (*e == 'f')
			t_file(t, name, name);
		else if (*e == 'd')
			t_dir(t, name, 0711);
		else if (*e == 'h')
			t_hard(t, name, target);
		else
			t_entry(t, (struct t_head){.name = name,
						   .type = '2',
						   .link = target});
	}
}

/* Where an entry goes elsewhere, or takes another's place, all is unpacked
 * when it is known what is left. */
Test(layer_arrival, is_given_up_where_it_is_not_plain)
{
	static const struct odd cases[] = {
		{"a file twice", "f:a f:a"},
		{"a file that becomes a directory", "f:a d:a f:a/b"},
		{"a directory that becomes a file", "d:a f:a/b f:a"},
		{"one that was implied only", "f:a/b f:a"},
		{"a directory that becomes a link", "f:a/b f:c/b l:a>c"},
		{"a link that becomes a file", "l:a>b f:a"},
		{"a file behind a link", "d:c l:a>c f:a/b"},
		{"a hard link upon a file", "f:a f:b h:b>a"},
	};
	const struct lay_wanted want = {.is_mounted = true};

	NEEDS_ROOT;
	for (size_t i = 0; i < STV_ARRAY_LEN(cases); i++) {
		char *dir = scratch_dir(), *left, *name = NULL;
		struct cas_store *s = scratch_open(dir);
		struct stv_err *err = NULL;
		struct lay_received got;
		stv_auto_buf t = T_BUF;

		add_entries(&t, cases[i].entries);
		t_end(&t);
		cr_assert_eq(receive(s, &t, &want, &got), -1, "%s",
			     cases[i].what);
		cr_expect_null(got.files, "%s", cases[i].what);
		left = left_in_tmp(dir);
		cr_expect_str_eq(left, "", "%s: %s", cases[i].what, left);
		free(left);
		ok(lay_snapshot(s, &got.layer.diff_id, 1, &name, &err), err);
		free(name);
		cas_store_close(s);
		scratch_end(dir);
	}
}

/* The same directory twice, whiteouts in any order, hard links: plain. */
Test(layer_arrival, usual_orders_are_plain)
{
	struct stv_buf t = T_BUF;
	struct pair p;

	NEEDS_ROOT;
	pair_init(&p);
	add_base(&p);
	t = T_BUF;
	add_entries(&t, "d:a f:a/b/c f:z h:a/z>z d:a d:a/b l:a/l>b");
	t_file(&t, "etc/passwd", "new");
	t_file(&t, "etc/.wh.passwd", "");
	t_file(&t, ".wh.n", "");
	t_file(&t, "n/f", "x");
	add(&p, &t);
	compare(&p);
	pair_fini(&p);
}

Test(layer_arrival, upon_other_layers)
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

Test(layer_arrival, files_with_holes)
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
Test(layer_arrival, another_was_faster)
{
	char *dir = scratch_dir(), *name = NULL, *left, *at, *before, *after;
	struct cas_store *s = scratch_open(dir);
	const struct lay_wanted want = {.is_mounted = true};
	const struct stv_digest *id;
	struct stv_err *err = NULL;
	struct lay_received got;
	stv_auto_buf t = T_BUF;
	struct stat st[2];

	NEEDS_ROOT;
	t_file(&t, "a", "content");
	t_end(&t);
	cr_assert_eq(receive(s, &t, &want, &got), -1);
	cr_assert_not_null(got.files);
	id = &got.layer.diff_id;
	ok(lay_snapshot(s, id, 1, &name, &err), err);
	at = stv_xasprintf("%s/%s", dir, name);
	before = t_describe(at, T_TIME | T_LINKS);
	cr_assert_eq(stat(at, &st[0]), 0);
	ok(lay_snapshot_arrived(s, id, 1, got.files, &err), err);
	lay_arrival_free(got.files);
	after = t_describe(at, T_TIME | T_LINKS);
	cr_assert_eq(stat(at, &st[1]), 0);
	t_same(after, before, "the snapshots");
	cr_expect_eq(st[0].st_ino, st[1].st_ino);
	left = left_in_tmp(dir);
	cr_expect_str_eq(left, "");
	free(left);
	free(before);
	free(after);
	free(name);
	free(at);
	cas_store_close(s);
	scratch_end(dir);
}

/* Neither digest may be another: then nothing of it is anywhere. */
Test(layer_arrival, refused_layers_leave_nothing)
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
Test(layer_arrival, is_given_up_where_it_cannot_be_written)
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
	cr_expect_null(got.files);
	left = left_in_tmp(dir);
	cr_expect_str_eq(left, "");
	free(left);
	ok(lay_snapshot(s, &got.layer.diff_id, 1, &name, &err), err);
	free(name);
	cas_store_close(s);
	scratch_end(dir);
}
