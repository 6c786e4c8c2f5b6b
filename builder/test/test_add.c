/* builder/test/test_add.c - ADD: archives and URLs. */
#include <libdeflate.h>

#include "builder/test/copy_bench.h"
#include "registry/test/httpd.h"

#define BLOCK 512

/* ---- archives made by hand -------------------------------------------------
 */

struct member {
	char type; /* of ustar: '0' file, '1' hard link, '2' link, '5' dir */
	const char *name;
	unsigned mode;
	unsigned uid;
	const char *text; /* content, or target */
};

/* ${n} - 1 octal digits and a NUL. */
static void
put_octal(char *field, size_t n, unsigned long value)
{
	for (size_t i = n - 1; i > 0; i--, value /= 8)
		field[i - 1] = (char)('0' + value % 8);
}

static void
add_member(struct stv_buf *tar, const struct member *m)
{
	char head[BLOCK] = {0};
	bool is_link = m->type == '1' || m->type == '2';
	size_t size = m->type == '0' && m->text != NULL ? strlen(m->text) : 0;
	unsigned sum = 0;

	(void)snprintf(head, 100, "%s", m->name);
	put_octal(head + 100, 8, m->mode);
	put_octal(head + 108, 8, m->uid);
	put_octal(head + 116, 8, m->uid == 0 ? 0 : m->uid + 1);
	put_octal(head + 124, 12, size);
	put_octal(head + 136, 12, 1000000000);
	head[156] = m->type;
	if (is_link)
		(void)snprintf(head + 157, 100, "%s", m->text);
	memcpy(head + 257,
	       "ustar\0"
	       "00",
	       8);
	put_octal(head + 329, 8, 0);
	put_octal(head + 337, 8, 0);
	memset(head + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)head[i];
	put_octal(head + 148, 7, sum);
	head[154] = '\0';
	stv_buf_add(tar, head, BLOCK);
	if (size > 0) {
		char block[BLOCK] = {0};

		memcpy(block, m->text, size);
		stv_buf_add(tar, block, BLOCK);
	}
}

/* A tar of ${n} members in the context. */
static void
ctx_bytes(struct bench *b, const char *name, const void *p, size_t n)
{
	char *path = bench_path(b, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert_geq(fd, 0);
	cr_assert_eq(stv_write_all(fd, p, n), 0);
	(void)close(fd);
	free(path);
}

static void
make_tar(struct stv_buf *tar, const struct member *m, size_t n)
{
	static const char end[2 * BLOCK];

	for (size_t i = 0; i < n; i++)
		add_member(tar, &m[i]);
	stv_buf_add(tar, end, sizeof(end));
}

static void
ctx_tar(struct bench *b, const char *name, const struct member *m, size_t n)
{
	struct stv_buf tar = STV_BUF_INIT((size_t)1 << 20);

	make_tar(&tar, m, n);
	ctx_bytes(b, name, tar.data, tar.len);
	stv_buf_fini(&tar);
}

#define TAR(b, name, m) ctx_tar((b), (name), (m), sizeof(m) / sizeof((m)[0]))

static const struct member plain[] = {
	{'5', "t/", 0755, 11, NULL},	{'0', "t/f", 0640, 11, "f"},
	{'2', "t/l", 0777, 11, "f"},	{'5', "t/s/", 0711, 11, NULL},
	{'0', "t/s/g", 04755, 11, "g"},
};

static const struct make base[] = {
	{LAY_SYMLINK, 0777, "link", "srv/real", 0, 0, 100, NULL},
	{LAY_DIR, 0755, "srv", NULL, 0, 0, 100, NULL},
	{LAY_DIR, 0755, "srv/full", NULL, 0, 0, 100, NULL},
	{LAY_FILE, 0644, "srv/full/one", "1", 0, 0, 100, NULL},
	{LAY_DIR, 0711, "srv/real", NULL, 1000, 1000, 100, NULL},
};

static void
open_add(struct bench *b)
{
	bench_open(b);
	bench_layer(b, base, sizeof(base) / sizeof(base[0]));
	b->spec.is_add = true;
}

Test(add, an_archive_is_unpacked_with_what_it_says)
{
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", plain);
	expect_copy(&b, "a.tar /one",
		    "d 0755 0:0 one\nd 0755 11:12 one/t\n"
		    "f 0640 11:12 one/t/f 'f'\nl 0777 11:12 one/t/l -> f\n"
		    "d 0711 11:12 one/t/s\nf 4755 11:12 one/t/s/g 'g'\n");
	cr_expect_eq(bench_mtime(&b, "one/t/s"), 1000000000);
	cr_expect_eq(bench_mtime(&b, "one/t/f"), 1000000000);
	cr_expect_eq(bench_mtime(&b, "one"), NOW);
	bench_end(&b);
}

Test(add, copy_does_not_unpack_and_a_directory_is_not_searched)
{
	struct bench b;

	open_add(&b);
	ctx_dir(&b, "d");
	TAR(&b, "d/a.tar", plain);
	expect_copy(&b, "d /x",
		    "d 0755 0:0 x\nf 0644 0:0 x/a.tar '4608 bytes'\n");
	b.spec.is_add = false;
	expect_copy(&b, "d/a.tar /y", "f 0644 0:0 y '4608 bytes'\n");
	bench_end(&b);
}

Test(add, compression_is_known_by_content)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	struct stv_buf tar = STV_BUF_INIT((size_t)1 << 20);
	char gz[8192];
	size_t n;
	struct bench b;

	open_add(&b);
	make_tar(&tar, plain, 2);
	n = libdeflate_gzip_compress(c, tar.data, tar.len, gz, sizeof(gz));
	cr_assert_gt(n, 0);
	ctx_bytes(&b, "noext", gz, n);
	n = libdeflate_gzip_compress(c, "text", 4, gz, sizeof(gz));
	ctx_bytes(&b, "text.tar.gz", gz, n);
	libdeflate_free_compressor(c);
	stv_buf_fini(&tar);
	expect_copy(&b, "noext /x",
		    "d 0755 0:0 x\nd 0755 11:12 x/t\n"
		    "f 0640 11:12 x/t/f 'f'\n");
	cr_assert_eq(copy(&b, "text.tar.gz /y/"), 0);
	cr_expect_not_null(strstr(bench_list(&b), "y/text.tar.gz '"));
	bench_end(&b);
}

Test(add, what_is_no_archive_is_copied)
{
	struct bench b;

	open_add(&b);
	ctx_file(&b, "f", "f", 0644);
	ctx_file(&b, "empty", "", 0644);
	ctx_tar(&b, "empty.tar", NULL, 0);
	expect_copy(&b, "f empty /x/",
		    "d 0755 0:0 x\nf 0644 0:0 x/empty ''\n"
		    "f 0644 0:0 x/f 'f'\n");
	expect_copy(&b, "empty.tar /y/",
		    "d 0755 0:0 y\nf 0644 0:0 y/empty.tar '1024 bytes'\n");
	bench_end(&b);
}

Test(add, chown_holds_for_what_is_unpacked_and_chmod_does_not)
{
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", plain);
	b.spec.has_chown = true;
	b.spec.uid = 7;
	b.spec.gid = 8;
	b.spec.has_chmod = true;
	ok(bld_chmod_parse("700", &b.spec.chmod, &b.err), b.err);
	expect_copy(&b, "a.tar /one",
		    "d 0755 7:8 one\nd 0755 7:8 one/t\n"
		    "f 0640 7:8 one/t/f 'f'\nl 0777 7:8 one/t/l -> f\n"
		    "d 0711 7:8 one/t/s\nf 4755 7:8 one/t/s/g 'g'\n");
	bench_end(&b);
}

Test(add, directories_that_it_does_not_name_are_roots)
{
	static const struct member deep[] = {{'0', "t/u/f", 0644, 5, "f"}};
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", deep);
	expect_copy(&b, "a.tar /x",
		    "d 0755 0:0 x\nd 0755 0:0 x/t\nd 0755 0:0 x/t/u\n"
		    "f 0644 5:6 x/t/u/f 'f'\n");
	bench_end(&b);
}

Test(add, its_own_root_is_left_as_it_is)
{
	static const struct member dot[] = {
		{'5', "./", 0700, 5, NULL},
		{'0', "./f", 0644, 5, "f"},
	};
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", dot);
	expect_copy(&b, "a.tar /x", "d 0755 0:0 x\nf 0644 5:6 x/f 'f'\n");
	bench_end(&b);
}

Test(add, what_is_there_is_replaced_and_directories_are_merged)
{
	static const struct member over[] = {
		{'2', "link", 0777, 0, "/other"},
		{'5', "srv/", 0755, 0, NULL},
		{'5', "srv/full/", 0700, 0, NULL},
		{'0', "srv/full/two", 0644, 0, "2"},
		{'0', "srv/real", 0644, 0, "a file now"},
	};
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", over);
	expect_copy(&b, "a.tar /",
		    "l 0777 0:0 link -> /other\nd 0755 0:0 srv\n"
		    "d 0700 0:0 srv/full\nf 0644 0:0 srv/full/two '2'\n"
		    "f 0644 0:0 srv/real 'a file now'\n");
	bench_end(&b);
}

Test(add, a_directory_that_was_a_file_in_between_is_opaque)
{
	static const struct member over[] = {
		{'0', "srv/full", 0644, 0, "a file"},
		{'5', "srv/full/", 0755, 0, NULL},
		{'0', "srv/full/two", 0644, 0, "2"},
	};
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", over);
	expect_copy(&b, "a.tar /",
		    "d 0755 0:0 srv\nd 0755 0:0 srv/full\n"
		    "o 0000 0:0 srv/full\nf 0644 0:0 srv/full/two '2'\n");
	bench_end(&b);
}

Test(add, hard_links_stay)
{
	static const struct member links[] = {
		{'0', "t/z", 0644, 0, "z"},
		{'1', "t/a", 0644, 0, "t/z"},
		{'1', "t/b", 0644, 0, "./t/../t/a"},
		{'2', "t/s", 0777, 0, "x"},
		{'1', "t/s2", 0777, 0, "t/s"},
	};
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", links);
	expect_copy(&b, "a.tar /x",
		    "d 0755 0:0 x\nd 0755 0:0 x/t\nf 0644 0:0 x/t/a 'z'\n"
		    "h 0644 0:0 x/t/b -> x/t/a\nl 0777 0:0 x/t/s -> x\n"
		    "l 0777 0:0 x/t/s2 -> x\nh 0644 0:0 x/t/z -> x/t/a\n");
	bench_end(&b);
}

Test(add, names_that_climb_end_at_the_destination)
{
	static const struct member climb[] = {
		{'0', "../../../etc/passwd", 0644, 0, "p"},
		{'0', "/abs", 0644, 0, "a"},
		{'0', "t/../../up", 0644, 0, "u"},
	};
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", climb);
	cr_assert_eq(copy(&b, "a.tar /x"), 0, "%s", stv_err_msg(b.err));
	cr_expect_str_eq(bench_list(&b),
			 "d 0755 0:0 x\nf 0644 0:0 x/abs 'a'\n"
			 "d 0755 0:0 x/etc\nf 0644 0:0 x/etc/passwd 'p'\n"
			 "f 0644 0:0 x/up 'u'\n",
			 "%s", b.text);
	bench_end(&b);
}

Test(add, links_lead_no_further_than_the_root_of_the_image)
{
	static const struct member through[] = {
		{'2', "out", 0777, 0, "../../../../../../srv/real"},
		{'0', "out/f", 0644, 0, "f"},
		{'2', "new", 0777, 0, "/fresh/dir"},
		{'0', "new/g", 0644, 0, "g"},
	};
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", through);
	expect_copy(&b, "a.tar /x",
		    "d 0755 0:0 fresh\nd 0755 0:0 fresh/dir\n"
		    "f 0644 0:0 fresh/dir/g 'g'\nd 0755 0:0 srv\n"
		    "d 0711 1000:1000 srv/real\nf 0644 0:0 srv/real/f 'f'\n"
		    "d 0755 0:0 x\nl 0777 0:0 x/new -> /fresh/dir\n"
		    "l 0777 0:0 x/out -> ../../../../../../srv/real\n");
	bench_end(&b);
}

Test(add, hostile_entries_are_refused)
{
	static const struct member rows[][2] = {
		{{'0', "f", 0644, 0, "f"}, {'1', "l", 0644, 0, "/etc/passwd"}},
		{{'0', "f", 0644, 0, "f"}, {'1', "l", 0644, 0, "."}},
		{{'2', "f", 0777, 0, "f"}, {'0', "f/x", 0644, 0, "x"}},
		{{'0', "f", 0644, 0, "f"}, {'0', "f/x", 0644, 0, "x"}},
		{{'0', "f", 0644, 0, "f"}, {'3', "null", 0644, 0, NULL}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench b;

		open_add(&b);
		ctx_tar(&b, "a.tar", rows[i], 2);
		cr_assert_eq(copy(&b, "a.tar /x"), -1, "%zu", i);
		cr_expect_eq(stv_err_code(b.err), STV_E_INPUT, "%zu: %s", i,
			     stv_err_msg(stv_err_root(b.err)));
		bench_end(&b);
	}
}

Test(add, a_truncated_archive_is_an_error)
{
	struct stv_buf tar = STV_BUF_INIT((size_t)1 << 20);
	struct bench b;

	open_add(&b);
	make_tar(&tar, plain, 5);
	ctx_bytes(&b, "a.tar", tar.data, 4 * BLOCK + 100);
	stv_buf_fini(&tar);
	cr_assert_eq(copy(&b, "a.tar /x"), -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_INPUT);
	cr_expect_not_null(strstr(stv_err_msg(b.err), "a.tar"));
	bench_end(&b);
}

static void
other_archive(struct bench *b)
{
	static const struct member other[] = {{'0', "other", 0644, 0, "o"}};

	TAR(b, "a.tar", other);
}

Test(add, an_archive_that_changed_meanwhile_has_another_key)
{
	struct stv_digest before;
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", plain);
	set_words(&b, "a.tar /x");
	b.spec.context = bench_context(&b);
	ok(bench_run(&b, NULL), b.err);
	before = b.key;
	cr_expect_eq(b.result, BLD_COPY_SAME);
	ok(bench_run(&b, other_archive), b.err);
	cr_expect_eq(b.result, BLD_COPY_CHANGED);
	cr_expect_not(stv_digest_equal(&b.key, &before));
	cr_expect_not_null(strstr(bench_list(&b), "x/other 'o'"));
	before = b.key;
	ok(bench_run(&b, NULL), b.err);
	cr_expect(stv_digest_equal(&b.key, &before));
	bench_end(&b);
}

Test(add, several_sources_are_put_together)
{
	struct bench b;

	open_add(&b);
	TAR(&b, "a.tar", plain);
	ctx_file(&b, "f", "f", 0644);
	cr_assert_eq(copy(&b, "f a.tar /x/"), 0);
	cr_expect_not_null(strstr(bench_list(&b), "x/f 'f'"));
	cr_expect_not_null(strstr(b.text, "x/t/s/g 'g'"));
	bench_end(&b);
}

/* ---- URLs ------------------------------------------------------------------
 */

#define DATED                                                                  \
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"                             \
	"Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n"                     \
	"Content-Disposition: attachment; filename=\"../evil\"\r\n\r\nhello"
#define UNDATED "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* ADD of one URL of a server with one answer. */
static int
add_url(struct bench *b, const char *answer, const char *path, const char *dest)
{
	struct httpd s;
	char *words;
	int rc;

	(void)setenv("no_proxy", "*", 1);
	httpd_open(&s);
	httpd_answer(&s, answer);
	httpd_start(&s);
	words = stv_xasprintf("http://127.0.0.1:%d%s %s", s.port, path, dest);
	rc = copy(b, words);
	httpd_end(&s);
	free(words);
	return rc;
}

Test(add, a_url_becomes_a_file_of_mode_0600)
{
	struct bench b;

	open_add(&b);
	ok(add_url(&b, DATED, "/d/file.txt?x=/y", "/n/"), b.err);
	cr_expect_str_eq(bench_list(&b),
			 "d 0755 0:0 n\nf 0600 0:0 n/file.txt 'hello'\n");
	cr_expect_eq(bench_mtime(&b, "n/file.txt"), 1000000000);
	ok(add_url(&b, UNDATED, "/", "/named"), b.err);
	cr_expect_str_eq(bench_list(&b), "f 0600 0:0 named 'hello'\n");
	cr_expect_eq(bench_mtime(&b, "named"), NOW);
	ok(add_url(&b, UNDATED, "/", "/u/"), b.err);
	cr_expect_str_eq(bench_list(&b),
			 "d 0755 0:0 u\nf 0600 0:0 u/__unnamed__ 'hello'\n");
	bench_end(&b);
}

Test(add, chown_and_chmod_hold_for_a_url)
{
	struct bench b;

	open_add(&b);
	b.spec.has_chown = true;
	b.spec.uid = 7;
	b.spec.gid = 8;
	b.spec.has_chmod = true;
	ok(bld_chmod_parse("644", &b.spec.chmod, &b.err), b.err);
	ok(add_url(&b, DATED, "/file.txt", "/d/"), b.err);
	cr_expect_str_eq(bench_list(&b),
			 "d 0644 7:8 d\nf 0644 7:8 d/file.txt 'hello'\n");
	bench_end(&b);
}

Test(add, the_key_of_a_url_is_its_content_and_name)
{
	struct stv_digest old;
	struct bench b;

	open_add(&b);
	ok(add_url(&b, DATED, "/file.txt?sig=1", "/d/"), b.err);
	old = b.key;
	ok(add_url(&b, UNDATED, "/file.txt?sig=2", "/d/"), b.err);
	cr_expect(stv_digest_equal(&b.key, &old));
	ok(add_url(&b, UNDATED, "/other.txt", "/d/"), b.err);
	cr_expect_not(stv_digest_equal(&b.key, &old));
	bench_end(&b);
}

Test(add, a_url_that_is_gone_is_an_error_and_leaves_nothing)
{
	struct bench b;

	open_add(&b);
	cr_expect_eq(add_url(&b, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n",
			     "/gone?secret=1", "/d/"),
		     -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_NOT_FOUND);
	cr_expect_not_null(strstr(stv_err_msg(b.err), "/gone'"));
	cr_expect_null(strstr(stv_err_msg(b.err), "secret"));
	bench_end(&b);
}

Test(add, copy_takes_no_url)
{
	struct bench b;

	open_add(&b);
	b.spec.is_add = false;
	cr_expect_eq(copy(&b, "http://u:p@127.0.0.1:1/file.txt /d/"), -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_CHECK);
	cr_expect_not_null(strstr(stv_err_msg(b.err), "file.txt"));
	cr_expect_null(strstr(stv_err_msg(b.err), "u:p"));
	bench_end(&b);
}
