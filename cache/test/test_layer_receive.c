/* cache/test/test_layer_receive.c - layers from outside: what is taken. */
#include "cache/test/layer_fixture.h"

#include "core/codec.h"
#include "core/limits.h"

/* One hostile tar: how it is made, and which code it must be refused with. */
struct hostile {
	char what[64];
	void (*make)(struct stv_buf *b);
	int code;
};

/* The process's own directory in tmp/ is made with the first blob. */
static void
warm_up(struct cas_store *s)
{
	struct stv_buf nothing = T_BUF;

	cr_assert_eq(t_receive(s, &nothing, NULL, NULL), STV_E_INPUT);
}

#define REFUSES(name, want, ...)                                               \
	static void make_##name(struct stv_buf *b)                             \
	{                                                                      \
		__VA_ARGS__;                                                   \
		t_end(b);                                                      \
	}                                                                      \
	Test(layer_receive, refuses_##name)                                    \
	{                                                                      \
		char why[256] = "";                                            \
		char *dir = scratch_dir();                                     \
		struct cas_store *s = scratch_open(dir);                       \
		stv_auto_buf b = T_BUF;                                        \
		char *before, *after;                                          \
		warm_up(s);                                                    \
		make_##name(&b);                                               \
		before = t_describe(cas_store_root(s), 0);                     \
		cr_assert_eq(t_receive(s, &b, NULL, why), want, "%s", why);    \
		after = t_describe(cas_store_root(s), 0);                      \
		t_same(after, before, "the stores before and after");          \
		free(before);                                                  \
		free(after);                                                   \
		cas_store_close(s);                                            \
		scratch_end(dir);                                              \
	}                                                                      \
	struct hostile

/* B01: names that lead outside. */
REFUSES(dot_dot, STV_E_INPUT, t_file(b, "../x", "x"));
REFUSES(dot_dot_inside, STV_E_INPUT, t_file(b, "a/../../x", "x"));
REFUSES(dot_dot_at_the_end, STV_E_INPUT, t_dir(b, "a/..", 0755));
REFUSES(a_file_as_root, STV_E_INPUT, t_file(b, "./", "x"));
REFUSES(a_file_below_a_file, STV_E_INPUT, t_file(b, "a", "x");
	t_file(b, "a/b", "x"));
REFUSES(a_loop_of_links, STV_E_INPUT, t_sym(b, "a", "b"); t_sym(b, "b", "a");
	t_file(b, "a/x", "x"));

/* B02: hard links to what is not there, or is no file. */
REFUSES(a_hard_link_outside, STV_E_INPUT, t_hard(b, "a", "../etc/passwd"));
REFUSES(a_hard_link_absolute, STV_E_INPUT, t_hard(b, "a", "/etc/passwd"));
REFUSES(a_hard_link_to_itself, STV_E_INPUT, t_hard(b, "a", "a"));
REFUSES(a_hard_link_to_a_later_file, STV_E_INPUT, t_hard(b, "a", "b");
	t_file(b, "b", "x"));
REFUSES(a_hard_link_to_a_directory, STV_E_INPUT, t_dir(b, "d", 0755);
	t_hard(b, "a", "d"));
REFUSES(a_hard_link_to_the_root, STV_E_INPUT, t_hard(b, "a", "/"));

/* B06: whiteouts of what they must not name. */
REFUSES(a_whiteout_of_nothing, STV_E_INPUT, t_file(b, ".wh.", ""));
REFUSES(a_whiteout_of_dot, STV_E_INPUT, t_file(b, "a/.wh..", ""));
REFUSES(a_whiteout_of_dot_dot, STV_E_INPUT, t_file(b, "a/.wh...", ""));
REFUSES(a_file_below_a_whiteout, STV_E_INPUT, t_file(b, ".wh.a/x", ""));

/* B09: overlay's whiteout as a device. */
REFUSES(device_zero, STV_E_INPUT,
	t_entry(b, (struct t_head){.name = "z", .type = '3'}));
REFUSES(an_unknown_type, STV_E_INPUT,
	t_entry(b, (struct t_head){.name = "z", .type = 'Q'}));

/* B03, B14: entries that programs read differently. */
REFUSES(a_hard_link_with_content, STV_E_INPUT, t_file(b, "f", "one");
	t_entry(b,
		(struct t_head){
			.name = "l", .type = '1', .link = "f", .body = "two"}));
REFUSES(a_directory_with_content, STV_E_INPUT,
	t_entry(b, (struct t_head){.name = "d", .type = '5', .body = "two"}));
REFUSES(a_directory_by_slash_with_content, STV_E_INPUT,
	t_entry(b, (struct t_head){.name = "d/", .body = "two"}));
REFUSES(a_wrong_checksum, STV_E_INPUT,
	t_entry(b, (struct t_head){.name = "a", .is_bad_sum = true}));
REFUSES(a_lone_block_of_zeros, STV_E_INPUT, t_file(b, "a", "x");
	stv_buf_add(b, (char[512]){0}, 512); t_file(b, "b", "x"));

static void
with_pax(struct stv_buf *b, const char *key, const char *value,
	 const char *key2, const char *value2)
{
	stv_auto_buf pax = T_BUF;

	t_rec(&pax, key, value);
	if (key2 != NULL)
		t_rec(&pax, key2, value2);
	t_entry(b, (struct t_head){.name = "f",
				   .body = "content",
				   .pax = pax.data,
				   .pax_len = pax.len});
}

REFUSES(sizes_that_disagree, STV_E_INPUT, with_pax(b, "size", "1", NULL, ""));
REFUSES(a_negative_size, STV_E_INPUT, with_pax(b, "size", "-1", NULL, ""));
REFUSES(a_key_twice, STV_E_INPUT, with_pax(b, "path", "a", "path", "b"));
REFUSES(an_empty_path, STV_E_INPUT, with_pax(b, "path", "", NULL, ""));
REFUSES(a_huge_sparse_file, STV_E_LIMIT,
	with_pax(b, "GNU.sparse.major", "1", "GNU.sparse.realsize",
		 "9223372036854775807"));
REFUSES(a_wrong_pax_record, STV_E_INPUT,
	t_entry(b, (struct t_head){
			   .name = "f", .pax = "9 path=ab", .pax_len = 9}));
REFUSES(a_pax_header_before_a_long_name, STV_E_INPUT,
	t_entry(b,
		(struct t_head){.name = "x", .type = 'x', .body = "8 a=bcd\n"});
	t_entry(b, (struct t_head){.name = "L", .type = 'L', .body = "long"});
	t_file(b, "f", "x"));
REFUSES(two_pax_headers, STV_E_INPUT,
	t_entry(b,
		(struct t_head){.name = "x", .type = 'x', .body = "8 a=bcd\n"});
	with_pax(b, "path", "a", NULL, ""));
REFUSES(a_pax_header_alone, STV_E_INPUT,
	t_entry(b, (struct t_head){
			   .name = "x", .type = 'x', .body = "8 a=bcd\n"}));
REFUSES(a_global_path, STV_E_INPUT,
	t_entry(b, (struct t_head){.name = "g",
				   .type = 'g',
				   .body = "9 path=a\n"});
	t_file(b, "f", "x"));

/* B15: floods. */
static void
with_long_path(struct stv_buf *b, size_t n, size_t every)
{
	char *path = stv_xmalloc(n + 1);
	stv_auto_buf pax = T_BUF;

	memset(path, 'p', n);
	path[n] = '\0';
	for (size_t i = every; i < n; i += every + 1)
		path[i] = '/';
	t_rec(&pax, "path", path);
	t_entry(b, (struct t_head){.name = "f",
				   .body = "content",
				   .pax = pax.data,
				   .pax_len = pax.len});
	free(path);
}

REFUSES(a_path_too_long, STV_E_LIMIT, with_long_path(b, 4097, 200));
REFUSES(a_name_too_long, STV_E_LIMIT, with_long_path(b, 256, 300));
REFUSES(a_path_too_deep, STV_E_LIMIT, with_long_path(b, 2 * 1025 - 1, 1));

static void
with_xattr(struct stv_buf *b, size_t n)
{
	char *value = stv_xmalloc(n);
	stv_auto_buf pax = T_BUF;

	memset(value, 'v', n);
	t_rec_n(&pax, "SCHILY.xattr.user.a", value, n);
	t_entry(b, (struct t_head){.name = "f",
				   .body = "content",
				   .pax = pax.data,
				   .pax_len = pax.len});
	free(value);
}

REFUSES(an_xattr_too_large, STV_E_LIMIT, with_xattr(b, STV_MAX_XATTR + 1));

static void
with_pax_of(struct stv_buf *b, size_t n)
{
	char *body = stv_xmalloc(n);

	memset(body, 'v', n);
	t_entry(b,
		(struct t_head){
			.name = "x", .type = 'x', .body = body, .body_len = n});
	t_file(b, "f", "");
	free(body);
}

REFUSES(a_pax_header_too_large, STV_E_LIMIT,
	with_pax_of(b, STV_MAX_PAX_BLOCK + 1));
REFUSES(a_file_too_large, STV_E_LIMIT,
	with_pax(b, "size", "68719476737", NULL, ""));

/* The bounds themselves are fine. */
Test(layer_receive, takes_what_is_at_the_bounds)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_buf b = T_BUF;

	with_long_path(&b, 4096, 200);
	with_long_path(&b, 255, 300);
	with_long_path(&b, 2 * 1024 - 1, 1);
	with_xattr(&b, STV_MAX_XATTR);
	(void)t_layer(s, &b);
	cas_store_close(s);
	scratch_end(dir);
}

/* B22: a tar that is cut anywhere is refused, and leaves nothing. */
Test(layer_receive, refuses_every_truncation)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	stv_auto_buf b = T_BUF;
	char *before, *after;

	t_dir(&b, "d", 0755);
	t_file(&b, "d/f", "some content");
	with_pax(&b, "path", "e", NULL, "");
	t_sym(&b, "l", "d");
	t_end(&b);
	warm_up(s);
	before = t_describe(cas_store_root(s), 0);
	for (size_t n = 0; n < b.len; n += n % 512 == 0 ? 511 : 1) {
		struct stv_buf cut = b;

		cut.len = n;
		cr_assert_eq(t_receive(s, &cut, NULL, NULL), STV_E_INPUT,
			     "cut at %zu", n);
	}
	after = t_describe(cas_store_root(s), 0);
	t_same(after, before, "the stores before and after");
	cr_assert_eq(t_receive(s, &b, NULL, NULL), -1);
	free(before);
	free(after);
	cas_store_close(s);
	scratch_end(dir);
}

Test(layer_receive, hashes_but_does_not_read_what_follows_the_end)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;
	struct lay_toc *toc = NULL;
	stv_auto_buf b = T_BUF;
	struct stv_digest id, want;

	t_file(&b, "a", "x");
	t_end(&b);
	t_file(&b, "smuggled", "x");
	stv_buf_adds(&b, "and junk that is no block");
	want = stv_digest_of(b.data, b.len);
	cr_assert_eq(t_receive(s, &b, &id, NULL), -1);
	cr_assert(stv_digest_equal(&id, &want));
	ok(lay_toc_open(s, &id, &toc, &err), err);
	cr_assert_eq(lay_toc_len(toc), 1);
	lay_toc_close(toc);
	cas_store_close(s);
	scratch_end(dir);
}

/* The listing of a layer as text: path, letter of the type, link target. */
static char *
list_toc(struct cas_store *s, const struct stv_digest *id)
{
	static const char letters[] = {
		[LAY_FILE] = ' ',     [LAY_DIR] = '/',	    [LAY_SYMLINK] = '>',
		[LAY_HARDLINK] = '|', [LAY_FIFO] = 'p',	    [LAY_CHAR] = 'c',
		[LAY_BLOCK] = 'b',    [LAY_WHITEOUT] = 'W', [LAY_OPAQUE] = 'O'};
	struct stv_err *err = NULL;
	struct lay_toc *toc = NULL;
	struct stv_buf out = T_BUF;

	ok(lay_toc_open(s, id, &toc, &err), err);
	for (size_t i = 0; i < lay_toc_len(toc); i++) {
		struct lay_entry e;

		lay_toc_get(toc, i, &e);
		stv_buf_addf(&out, "%s%c%s\n", e.path, letters[e.type],
			     e.link != NULL ? e.link : "");
	}
	lay_toc_close(toc);
	return stv_buf_take(&out);
}

/* What a tar becomes in the table of contents. */
#define BECOMES(name, want, ...)                                               \
	Test(layer_receive, name)                                              \
	{                                                                      \
		char *dir = scratch_dir();                                     \
		struct cas_store *s = scratch_open(dir);                       \
		struct stv_buf buf = T_BUF, *b = &buf;                         \
		struct stv_digest id;                                          \
		char *got;                                                     \
		__VA_ARGS__;                                                   \
		id = t_layer(s, b);                                            \
		got = list_toc(s, &id);                                        \
		cr_assert_str_eq(got, want);                                   \
		free(got);                                                     \
		cas_store_close(s);                                            \
		scratch_end(dir);                                              \
	}                                                                      \
	struct hostile

BECOMES(cleans_names, "/\na/b \nc/d \n", t_dir(b, "./", 0755);
	t_file(b, "/a//./b", "x"); t_file(b, "./c/d", "x"));
BECOMES(the_last_entry_wins, "a>two\n", t_file(b, "a", "one");
	t_sym(b, "a", "two"));
BECOMES(a_file_replaces_a_tree, "d \n", t_dir(b, "d", 0755);
	t_file(b, "d/e/f", "x"); t_file(b, "d", "y"));
BECOMES(a_parent_that_is_a_link_is_followed_inside, "l>/r\nr/f \n",
	t_sym(b, "l", "/r");
	t_file(b, "l/f", "x"));
BECOMES(a_link_out_of_the_root_stays_inside, "etc/f \nl>../../etc\n",
	t_sym(b, "l", "../../etc");
	t_file(b, "l/f", "x"));
BECOMES(whiteouts_act_below_only_1, "a \n", t_file(b, ".wh.a", "");
	t_file(b, "a", "x"));
BECOMES(whiteouts_act_below_only_2, "a \n", t_file(b, "a", "x");
	t_file(b, ".wh.a", ""));
BECOMES(a_replaced_directory_is_opaque_1, "d/\ndO\nd/f \n",
	t_file(b, ".wh.d", "");
	t_dir(b, "d", 0755); t_file(b, "d/f", ""));
BECOMES(a_replaced_directory_is_opaque_2, "d/\ndO\nd/f \n",
	t_file(b, "d/f", "");
	t_file(b, ".wh.d", ""));
BECOMES(opaque_marks_are_entries, "a/bO\na/b/c \n",
	t_file(b, "a/b/.wh..wh..opq", "");
	t_file(b, "a/b/c", ""));
BECOMES(aufs_leftovers_are_skipped, "f \n", t_dir(b, ".wh..wh.plnk", 0755);
	t_file(b, ".wh..wh.plnk/123.456", "x"); t_file(b, ".wh..wh.aufs", "");
	t_file(b, "f", ""));
BECOMES(a_hard_link_keeps_the_file_that_was_replaced, "a \nb \n",
	t_file(b, "a", "one");
	t_hard(b, "b", "a"); t_file(b, "a", "two"));
BECOMES(a_hard_link_to_a_symbolic_link_is_one, "a>x\nb>x\n", t_sym(b, "a", "x");
	t_hard(b, "b", "a"));
BECOMES(hard_links_name_the_first_in_order, "a \nb|a\nz|a\n",
	t_file(b, "z", "one");
	t_hard(b, "b", "/z"); t_hard(b, "a", "./b"));
BECOMES(gnu_hard_links_may_have_a_size, "a \nb|a\n", t_file(b, "a", "one");
	t_entry(b, (struct t_head){.name = "b",
				   .type = '1',
				   .link = "a",
				   .size = 3,
				   .is_gnu = true}));
BECOMES(a_git_comment_is_no_matter, "a \n",
	t_entry(b, (struct t_head){.name = "g",
				   .type = 'g',
				   .body = "13 comment=x\n"});
	t_file(b, "a", "one"));

/* B08: attributes that overlayfs would believe. */
Test(layer_receive, drops_overlay_and_host_attributes)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;
	struct stv_buf b = T_BUF;
	stv_auto_buf pax = T_BUF;
	struct lay_toc *toc = NULL;
	struct stv_digest id;
	struct lay_entry e;

	t_rec(&pax, "SCHILY.xattr.trusted.overlay.redirect", "/../../etc");
	t_rec(&pax, "SCHILY.xattr.user.overlay.metacopy", "y");
	t_rec(&pax, "SCHILY.xattr.security.selinux", "host");
	t_rec(&pax, "SCHILY.xattr.user.kept", "yes");
	t_entry(&b, (struct t_head){.name = "f",
				    .body = "content",
				    .pax = pax.data,
				    .pax_len = pax.len});
	id = t_layer(s, &b);
	ok(lay_toc_open(s, &id, &toc, &err), err);
	cr_assert_eq(lay_toc_find(toc, "f", &e), 1);
	cr_assert_eq(e.n_xattrs, 1);
	cr_assert_str_eq(e.xattrs[0].name, "user.kept");
	cr_assert_arr_eq(e.xattrs[0].value, "yes", 3);
	lay_toc_close(toc);
	cas_store_close(s);
	scratch_end(dir);
}

/* Compressed in every way: the same diff ID, and the tar again. */
static void
compress_with(struct stv_buf *out, const struct stv_buf *in, int how)
{
	struct stv_sink *end = stv_sink_buf(out, "test"), *z;
	struct stv_err *err = NULL;

	z = how < 2 ? stv_sink_gzip(end, how == 1) : stv_sink_zstd(end, 3);
	ok(z->write(z, in->data, in->len, &err), err);
	ok(stv_codec_end(z, &err), err);
	stv_sink_close(z);
	stv_sink_close(end);
}

Test(layer_receive, takes_gzip_and_zstd)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;
	stv_auto_buf b = T_BUF;
	struct stv_digest want;

	t_file(&b, "a", "some content");
	t_end(&b);
	want = stv_digest_of(b.data, b.len);
	for (int how = 0; how < 3; how++) {
		stv_auto_buf z = T_BUF;
		stv_auto_buf back = T_BUF;
		struct stv_in *in = NULL;
		struct stv_sink *out = stv_sink_buf(&back, "test");
		struct stv_digest id;
		uint64_t size;

		compress_with(&z, &b, how);
		cr_assert_eq(t_receive(s, &z, &id, NULL), -1);
		cr_assert(stv_digest_equal(&id, &want));
		ok(lay_open_tar(s, &id, &in, &size, &err), err);
		cr_assert_eq(size, b.len);
		ok(stv_copy(in, out, NULL, &err), err);
		cr_assert_eq(back.len, b.len);
		cr_assert_arr_eq(back.data, b.data, b.len);
		stv_in_close(in);
		stv_sink_close(out);
		/* Cut off, or with something behind it. */
		z.len -= 3;
		cr_assert_eq(t_receive(s, &z, &id, NULL), STV_E_INPUT);
		z.len += 3;
		stv_buf_adds(&z, "junk");
		cr_assert_eq(t_receive(s, &z, &id, NULL), STV_E_INPUT);
	}
	cas_store_close(s);
	scratch_end(dir);
}

Test(layer_receive, refuses_a_wrong_diff_id)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	stv_auto_buf b = T_BUF;
	struct stv_digest want = stv_digest_of("no", 2);
	const struct lay_wanted wanted = {.diff_id = &want};
	struct stv_err *err = NULL;
	struct stv_in *in;
	struct lay_received res;

	t_file(&b, "a", "x");
	t_end(&b);
	in = stv_in_mem(b.data, b.len);
	cr_assert_eq(lay_receive(s, in, &wanted, &res, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_DIGEST);
	want = stv_digest_of(b.data, b.len);
	cr_assert_not(cas_blob_has(s, &want));
	stv_err_free(err);
	stv_in_close(in);
	cas_store_close(s);
	scratch_end(dir);
}
