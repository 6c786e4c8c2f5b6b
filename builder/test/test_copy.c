/* builder/test/test_copy.c - COPY: what lands where, as BuildKit has it. */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "builder/test/copy_bench.h"

/* A base with the places that COPY trips over. */
static const struct make base[] = {
	{LAY_DIR, 0755, "opt", NULL, 0, 0, 100, NULL},
	{LAY_SYMLINK, 0777, "opt/dangling", "/srv/notyet", 0, 0, 100, NULL},
	{LAY_SYMLINK, 0777, "opt/filelink", "/srv/file", 0, 0, 100, NULL},
	{LAY_SYMLINK, 0777, "opt/link", "/srv/real", 0, 0, 100, NULL},
	{LAY_SYMLINK, 0777, "opt/loop", "loop", 0, 0, 100, NULL},
	{LAY_SYMLINK, 0777, "opt/up", "../../../srv/real", 0, 0, 100, NULL},
	{LAY_DIR, 0755, "srv", NULL, 0, 0, 100, NULL},
	{LAY_FIFO, 0644, "srv/fifo", NULL, 0, 0, 100, NULL},
	{LAY_FILE, 0640, "srv/file", "base", 1001, 100, 100, NULL},
	{LAY_DIR, 0755, "srv/full", NULL, 0, 0, 100, NULL},
	{LAY_FILE, 0644, "srv/full/one", "1", 0, 0, 100, NULL},
	{LAY_DIR, 0755, "srv/full/sub", NULL, 0, 0, 100, NULL},
	{LAY_FILE, 0644, "srv/full/sub/two", "2", 0, 0, 100, NULL},
	{LAY_FILE, 0644, "srv/hard1", "hard", 0, 0, 100, NULL},
	{LAY_HARDLINK, 0644, "srv/hard2", "srv/hard1", 0, 0, 100, NULL},
	{LAY_DIR, 0711, "srv/real", NULL, 1000, 1000, 100, NULL},
	{LAY_FILE, 0644, "srv/real/keep", "keep", 0, 0, 100, NULL},
	{LAY_DIR, 02775, "srv/sgiddir", NULL, 0, 100, 100, NULL},
	{LAY_DIR, 01777, "tmp", NULL, 0, 0, 100, NULL},
};

static void
open_with_base(struct bench *b)
{
	bench_open(b);
	bench_layer(b, base, sizeof(base) / sizeof(base[0]));
	ctx_file(b, "a.txt", "a", 0644);
	ctx_file(b, "b.txt", "b", 0644);
	ctx_file(b, "d/one", "1", 0644);
	ctx_file(b, "d/sub/two", "2", 0644);
}

Test(copy, a_file_becomes_the_name_that_is_written)
{
	struct bench b;

	open_with_base(&b);
	expect_copy(&b, "a.txt /new", "f 0644 0:0 new 'a'\n");
	expect_copy(&b, "a.txt /deep/er/new",
		    "d 0755 0:0 deep\nd 0755 0:0 deep/er\n"
		    "f 0644 0:0 deep/er/new 'a'\n");
	expect_copy(&b, "a.txt /dir/",
		    "d 0755 0:0 dir\nf 0644 0:0 dir/a.txt 'a'\n");
	expect_copy(&b, "a.txt /", "f 0644 0:0 a.txt 'a'\n");
	expect_copy(&b, "a.txt/ /x", "f 0644 0:0 x 'a'\n");
	bench_end(&b);
}

Test(copy, a_file_goes_into_a_directory_that_is_there)
{
	struct bench b;

	open_with_base(&b);
	expect_copy(&b, "a.txt /srv/full",
		    "d 0755 0:0 srv\nd 0755 0:0 srv/full\n"
		    "f 0644 0:0 srv/full/a.txt 'a'\n");
	expect_copy(&b, "b.txt /tmp",
		    "d 1777 0:0 tmp\nf 0644 0:0 tmp/b.txt 'b'\n");
	bench_end(&b);
}

Test(copy, of_a_directory_the_contents_are_copied)
{
	struct bench b;

	open_with_base(&b);
	expect_copy(&b, "d /new",
		    "d 0755 0:0 new\nf 0644 0:0 new/one '1'\n"
		    "d 0755 0:0 new/sub\nf 0644 0:0 new/sub/two '2'\n");
	expect_copy(&b, "d/ /new2/",
		    "d 0755 0:0 new2\nf 0644 0:0 new2/one '1'\n"
		    "d 0755 0:0 new2/sub\nf 0644 0:0 new2/sub/two '2'\n");
	bench_end(&b);
}

Test(copy, the_directory_itself_keeps_nothing_of_its_mode)
{
	struct bench b;
	char *path;

	open_with_base(&b);
	path = bench_path(&b, "d");
	cr_assert_eq(chmod(path, 0711), 0);
	free(path);
	expect_copy(&b, "d/sub /new",
		    "d 0755 0:0 new\nf 0644 0:0 new/two '2'\n");
	expect_copy(&b, "d /tmp",
		    "d 1777 0:0 tmp\nf 0644 0:0 tmp/one '1'\n"
		    "d 0755 0:0 tmp/sub\nf 0644 0:0 tmp/sub/two '2'\n");
	bench_end(&b);
}

Test(copy, directories_below_take_mode_and_owner_of_the_source)
{
	struct bench b;
	char *path;

	open_with_base(&b);
	ctx_file(&b, "m/real/new", "n", 0644);
	ctx_file(&b, "m/sgiddir/new", "n", 0644);
	path = bench_path(&b, "m/real");
	cr_assert_eq(chmod(path, 0700), 0);
	free(path);
	expect_copy(&b, "m /srv/",
		    "d 0755 0:0 srv\nd 0700 0:0 srv/real\n"
		    "f 0644 0:0 srv/real/new 'n'\nd 0755 0:0 srv/sgiddir\n"
		    "f 0644 0:0 srv/sgiddir/new 'n'\n");
	bench_end(&b);
}

Test(copy, setuid_bits_stay)
{
	struct bench b;

	open_with_base(&b);
	ctx_file(&b, "s", "s", 04755);
	ctx_file(&b, "g", "g", 02711);
	ctx_file(&b, "t", "t", 01644);
	expect_copy(&b, "s g t /k/",
		    "d 0755 0:0 k\nf 2711 0:0 k/g 'g'\n"
		    "f 4755 0:0 k/s 's'\nf 1644 0:0 k/t 't'\n");
	bench_end(&b);
}

Test(copy, the_last_of_several_sources_wins_where_no_slash_is)
{
	struct bench b;

	open_with_base(&b);
	expect_copy(&b, "a.txt b.txt /dst", "f 0644 0:0 dst 'b'\n");
	expect_copy(&b, "a.txt b.txt /srv/full",
		    "d 0755 0:0 srv\nd 0755 0:0 srv/full\n"
		    "f 0644 0:0 srv/full/a.txt 'a'\n"
		    "f 0644 0:0 srv/full/b.txt 'b'\n");
	expect_copy(&b, "a.txt d /both/",
		    "d 0755 0:0 both\nf 0644 0:0 both/a.txt 'a'\n"
		    "f 0644 0:0 both/one '1'\nd 0755 0:0 both/sub\n"
		    "f 0644 0:0 both/sub/two '2'\n");
	bench_end(&b);
}

Test(copy, a_relative_destination_hangs_on_workdir)
{
	struct bench b;

	open_with_base(&b);
	b.spec.workdir = "/w";
	expect_copy(&b, "a.txt .", "d 0755 0:0 w\nf 0644 0:0 w/a.txt 'a'\n");
	expect_copy(&b, "a.txt ./name",
		    "d 0755 0:0 w\nf 0644 0:0 w/name 'a'\n");
	expect_copy(&b, "a.txt ../up", "f 0644 0:0 up 'a'\n");
	expect_copy(&b, "a.txt sub/",
		    "d 0755 0:0 w\nd 0755 0:0 w/sub\n"
		    "f 0644 0:0 w/sub/a.txt 'a'\n");
	expect_copy(&b, "./d/. ./",
		    "d 0755 0:0 w\nf 0644 0:0 w/one '1'\n"
		    "d 0755 0:0 w/sub\n"
		    "f 0644 0:0 w/sub/two '2'\n");
	b.spec.workdir = NULL;
	expect_copy(&b, "b.txt rel", "f 0644 0:0 rel 'b'\n");
	bench_end(&b);
}

Test(copy, dot_dot_of_a_source_ends_at_the_root)
{
	struct bench b;

	open_with_base(&b);
	expect_copy(&b, "../a.txt /1", "f 0644 0:0 1 'a'\n");
	expect_copy(&b, "d/../../b.txt /2", "f 0644 0:0 2 'b'\n");
	expect_copy(&b, "/a.txt /3", "f 0644 0:0 3 'a'\n");
	expect_copy(&b, "./d/./sub/../one /4", "f 0644 0:0 4 '1'\n");
	bench_end(&b);
}

Test(copy, links_in_the_destination_are_followed_inside_the_root)
{
	struct bench b;

	open_with_base(&b);
	expect_copy(&b, "a.txt /opt/link/",
		    "d 0755 0:0 srv\nd 0711 1000:1000 srv/real\n"
		    "f 0644 0:0 srv/real/a.txt 'a'\n");
	expect_copy(&b, "a.txt /opt/up/u",
		    "d 0755 0:0 srv\nd 0711 1000:1000 srv/real\n"
		    "f 0644 0:0 srv/real/u 'a'\n");
	expect_copy(&b, "a.txt /opt/filelink",
		    "d 0755 0:0 srv\nf 0644 0:0 srv/file 'a'\n");
	expect_copy(&b, "d/sub /opt/link",
		    "d 0755 0:0 srv\nd 0711 1000:1000 srv/real\n"
		    "f 0644 0:0 srv/real/two '2'\n");
	bench_end(&b);
}

Test(copy, dangling_links_in_the_destination_are_followed_too)
{
	struct bench b;

	open_with_base(&b);
	expect_copy(&b, "a.txt /opt/dangling/deep/x",
		    "d 0755 0:0 srv\nd 0755 0:0 srv/notyet\n"
		    "d 0755 0:0 srv/notyet/deep\n"
		    "f 0644 0:0 srv/notyet/deep/x 'a'\n");
	expect_copy(&b, "d/sub /opt/dangling",
		    "d 0755 0:0 srv\nd 0755 0:0 srv/notyet\n"
		    "f 0644 0:0 srv/notyet/two '2'\n");
	bench_end(&b);
}

Test(copy, a_loop_of_links_in_the_destination_is_an_error)
{
	struct bench b;

	open_with_base(&b);
	expect_copy_fails(&b, "a.txt /opt/loop/x", "too many links");
	expect_copy_fails(&b, "a.txt /opt/loop", "too many links");
	bench_end(&b);
}

Test(copy, what_a_destination_cannot_take_is_an_error)
{
	struct bench b;

	open_with_base(&b);
	ctx_file(&b, "t1/filelink/x", "x", 0644);
	ctx_file(&b, "t2/sub", "x", 0644);
	ctx_link(&b, "t3/full", "elsewhere");
	expect_copy_fails(&b, "d /srv/file", "/srv/file");
	expect_copy_fails(&b, "t1 /opt/", "/opt/filelink");
	expect_copy_fails(&b, "t2 /srv/full/", "/srv/full/sub");
	expect_copy_fails(&b, "t3 /srv/", "/srv/full");
	expect_copy_fails(&b, "a.txt /srv/file/x", "/srv/file");
	expect_copy_fails(&b, "a.txt /srv/file/", "/srv/file");
	bench_end(&b);
}

Test(copy, files_and_links_replace_files_and_links)
{
	struct bench b;

	open_with_base(&b);
	ctx_file(&b, "t/link", "x", 0644);
	ctx_file(&b, "t/dangling", "y", 0644);
	ctx_link(&b, "u/file", "elsewhere");
	expect_copy(&b, "t /opt/",
		    "d 0755 0:0 opt\nf 0644 0:0 opt/dangling 'y'\n"
		    "f 0644 0:0 opt/link 'x'\n");
	expect_copy(&b, "u /srv/",
		    "d 0755 0:0 srv\nl 0777 0:0 srv/file -> elsewhere\n");
	expect_copy(&b, "a.txt /srv/fifo",
		    "d 0755 0:0 srv\nf 0644 0:0 srv/fifo 'a'\n");
	expect_copy(&b, "a.txt /srv/hard1",
		    "d 0755 0:0 srv\nf 0644 0:0 srv/hard1 'a'\n");
	bench_end(&b);
}

Test(copy, a_link_that_is_named_is_followed_inside_the_context)
{
	struct bench b;

	open_with_base(&b);
	ctx_link(&b, "lf", "a.txt");
	ctx_link(&b, "ld", "d");
	ctx_link(&b, "deep/up", "../../../b.txt");
	ctx_link(&b, "labs", "/a.txt");
	expect_copy(&b, "lf /1", "f 0644 0:0 1 'a'\n");
	expect_copy(&b, "ld/sub /3", "d 0755 0:0 3\nf 0644 0:0 3/two '2'\n");
	expect_copy(&b, "deep/up /4", "f 0644 0:0 4 'b'\n");
	expect_copy(&b, "labs /5", "f 0644 0:0 5 'a'\n");
	expect_copy(&b, "lf /n/", "d 0755 0:0 n\nf 0644 0:0 n/lf 'a'\n");
	bench_end(&b);
}

Test(copy, links_in_a_directory_stay_links)
{
	struct bench b;

	open_with_base(&b);
	ctx_link(&b, "t/abs", "/etc/passwd");
	ctx_link(&b, "t/dangling", "nowhere");
	ctx_link(&b, "t/loop", "loop");
	expect_copy(&b, "t /t",
		    "d 0755 0:0 t\nl 0777 0:0 t/abs -> /etc/passwd\n"
		    "l 0777 0:0 t/dangling -> nowhere\n"
		    "l 0777 0:0 t/loop -> loop\n");
	bench_end(&b);
}

Test(copy, what_is_missing_is_named)
{
	struct bench b;

	open_with_base(&b);
	ctx_link(&b, "dangling", "nowhere");
	ctx_link(&b, "outside", "../../../../etc");
	ctx_link(&b, "loop", "loop");
	expect_copy_fails(&b, "nothere /d/", "/nothere");
	expect_copy_fails(&b, "a.txt nothere /d/", "/nothere");
	expect_copy_fails(&b, "d/nothere /d/", "/d/nothere");
	expect_copy_fails(&b, "a.txt/x /x", "/a.txt/x");
	expect_copy_fails(&b, "dangling /x", "/dangling");
	expect_copy_fails(&b, "outside/passwd /x", "/outside/passwd");
	expect_copy_fails(&b, "loop /x", "loop");
	bench_end(&b);
}

Test(copy, wildcards_are_those_of_go)
{
	struct bench b;

	open_with_base(&b);
	ctx_file(&b, "c.md", "c", 0644);
	ctx_file(&b, "!.txt", "!", 0644);
	ctx_file(&b, ".hidden", "h", 0644);
	expect_copy(&b, "?.md /q/", "d 0755 0:0 q\nf 0644 0:0 q/c.md 'c'\n");
	expect_copy(&b, "[ab].txt /s/",
		    "d 0755 0:0 s\nf 0644 0:0 s/a.txt 'a'\n"
		    "f 0644 0:0 s/b.txt 'b'\n");
	expect_copy(&b, "[^ab].txt /n/",
		    "d 0755 0:0 n\nf 0644 0:0 n/!.txt '!'\n");
	expect_copy(&b, "[!a].txt /bang/",
		    "d 0755 0:0 bang\nf 0644 0:0 bang/!.txt '!'\n"
		    "f 0644 0:0 bang/a.txt 'a'\n");
	expect_copy(&b, "d/* /below/",
		    "d 0755 0:0 below\nf 0644 0:0 below/one '1'\n"
		    "f 0644 0:0 below/two '2'\n");
	expect_copy(&b, "*/one /mid/",
		    "d 0755 0:0 mid\nf 0644 0:0 mid/one '1'\n");
	expect_copy(&b, "**/two /three/", "");
	expect_copy(&b, "*d*n /h/", "d 0755 0:0 h\nf 0644 0:0 h/.hidden 'h'\n");
	bench_end(&b);
}

Test(copy, a_wildcard_that_matches_nothing_is_no_error)
{
	struct bench b;

	open_with_base(&b);
	expect_copy(&b, "*.none a.txt /d/",
		    "d 0755 0:0 d\nf 0644 0:0 d/a.txt 'a'\n");
	expect_copy(&b, "*.nothing /e/", "");
	expect_copy(&b, "nowhere/* /e/", "");
	bench_end(&b);
}

Test(copy, a_bad_wildcard_is_an_error)
{
	struct bench b;

	open_with_base(&b);
	cr_assert_eq(copy(&b, "[a /x"), -1);
	cr_expect_eq(stv_err_code(b.err), STV_E_CHECK);
	bench_end(&b);
}

Test(copy, links_that_a_wildcard_matches_are_followed)
{
	struct bench b;

	open_with_base(&b);
	ctx_link(&b, "l1", "a.txt");
	ctx_link(&b, "l2", "d/sub");
	expect_copy(&b, "l* /t/",
		    "d 0755 0:0 t\nf 0644 0:0 t/l1 'a'\n"
		    "f 0644 0:0 t/two '2'\n");
	bench_end(&b);
}

Test(copy, chown_holds_for_all_that_is_made)
{
	struct bench b;

	open_with_base(&b);
	ctx_link(&b, "d/l", "one");
	b.spec.has_chown = true;
	b.spec.uid = 7;
	b.spec.gid = 8;
	expect_copy(&b, "d /p/q",
		    "d 0755 7:8 p\nd 0755 7:8 p/q\nl 0777 7:8 p/q/l -> one\n"
		    "f 0644 7:8 p/q/one '1'\nd 0755 7:8 p/q/sub\n"
		    "f 0644 7:8 p/q/sub/two '2'\n");
	expect_copy(&b, "a.txt /srv/full/",
		    "d 0755 0:0 srv\nd 0755 0:0 srv/full\n"
		    "f 0644 7:8 srv/full/a.txt 'a'\n");
	bench_end(&b);
}

Test(copy, an_octal_chmod_holds_for_the_parents_too)
{
	struct bench b;

	open_with_base(&b);
	ctx_link(&b, "d/l", "one");
	b.spec.has_chmod = true;
	ok(bld_chmod_parse("640", &b.spec.chmod, &b.err), b.err);
	expect_copy(&b, "a.txt /pm/qm/f",
		    "d 0640 0:0 pm\nd 0640 0:0 pm/qm\n"
		    "f 0640 0:0 pm/qm/f 'a'\n");
	expect_copy(&b, "d /n",
		    "d 0640 0:0 n\nl 0777 0:0 n/l -> one\n"
		    "f 0640 0:0 n/one '1'\nd 0640 0:0 n/sub\n"
		    "f 0640 0:0 n/sub/two '2'\n");
	bench_end(&b);
}

Test(copy, a_symbolic_chmod_leaves_made_directories_alone)
{
	struct bench b;

	open_with_base(&b);
	b.spec.has_chmod = true;
	ok(bld_chmod_parse("go-r", &b.spec.chmod, &b.err), b.err);
	expect_copy(&b, "d /n",
		    "d 0755 0:0 n\nf 0600 0:0 n/one '1'\n"
		    "d 0711 0:0 n/sub\nf 0600 0:0 n/sub/two '2'\n");
	bench_end(&b);
}

Test(copy, hard_links_of_the_context_stay)
{
	struct bench b;
	char *old, *new;

	open_with_base(&b);
	ctx_file(&b, "m/a", "x", 0644);
	old = bench_path(&b, "m/a");
	new = bench_path(&b, "m/b");
	cr_assert_eq(link(old, new), 0);
	free(old);
	free(new);
	expect_copy(&b, "m /m",
		    "d 0755 0:0 m\nf 0644 0:0 m/a 'x'\n"
		    "h 0644 0:0 m/b -> m/a\n");
	/* Two sources are two copies. */
	expect_copy(&b, "m/a m/b /two/",
		    "d 0755 0:0 two\nf 0644 0:0 two/a 'x'\n"
		    "f 0644 0:0 two/b 'x'\n");
	bench_end(&b);
}

Test(copy, special_files_never_hang)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct bench b;
	char *path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	open_with_base(&b);
	ctx_dir(&b, "m");
	path = bench_path(&b, "m/p");
	cr_assert_eq(mkfifo(path, 0640), 0);
	cr_assert_eq(chmod(path, 0640), 0);
	free(path);
	path = bench_path(&b, "m/sock");
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(chmod(path, 0755), 0);
	free(path);
	expect_copy(&b, "m /m",
		    "d 0755 0:0 m\np 0640 0:0 m/p\nf 0755 0:0 m/sock ''\n");
	expect_copy(&b, "m/p /x", "p 0640 0:0 x\n");
	(void)close(fd);
	bench_end(&b);
}

Test(copy, xattrs_of_the_context_are_dropped)
{
	struct bench b;
	char *path;

	open_with_base(&b);
	path = bench_path(&b, "a.txt");
	if (setxattr(path, "user.x", "v", 1, 0) < 0) {
		free(path);
		bench_end(&b);
		cr_skip("no xattrs on this file system");
	}
	free(path);
	expect_copy(&b, "a.txt /x", "f 0644 0:0 x 'a'\n");
	bench_end(&b);
}

Test(copy, names_of_whiteouts_vanish)
{
	struct bench b;

	open_with_base(&b);
	ctx_file(&b, "m/.wh.x", "x", 0644);
	ctx_file(&b, "m/.wh..wh..opq", "x", 0644);
	ctx_file(&b, "m/.wh.dir/y", "x", 0644);
	ctx_file(&b, "m/z", "z", 0644);
	expect_copy(&b, "m /m", "d 0755 0:0 m\nf 0644 0:0 m/z 'z'\n");
	expect_copy(&b, "m/.wh.x /", "");
	bench_end(&b);
}

Test(copy, inlines_are_files)
{
	static const struct bld_copy_inline in[] = {
		{"EOF", "hello\n", 6},
		{"TWO", "", 0},
	};
	struct bench b;

	open_with_base(&b);
	b.spec.inlines = in;
	b.spec.n_inlines = 1;
	b.spec.dest = "/h";
	ok(bench_run(&b, NULL), b.err);
	cr_expect_str_eq(bench_list(&b), "f 0644 0:0 h 'hello\\x0a'\n");
	b.spec.n_inlines = 2;
	b.spec.dest = "/d/";
	ok(bench_run(&b, NULL), b.err);
	cr_expect_str_eq(bench_list(&b),
			 "d 0755 0:0 d\nf 0644 0:0 d/EOF 'hello\\x0a'\n"
			 "f 0644 0:0 d/TWO ''\n");
	bench_end(&b);
}

Test(copy, what_is_so_already_is_not_in_the_layer)
{
	struct bench b;

	open_with_base(&b);
	ctx_mtime(&b, "a.txt", 1000);
	expect_copy(&b, "a.txt /srv/full/",
		    "d 0755 0:0 srv\nd 0755 0:0 srv/full\n"
		    "f 0644 0:0 srv/full/a.txt 'a'\n");
	expect_copy(&b, "a.txt /srv/full/", "");
	/* Only the time differs. */
	ctx_mtime(&b, "a.txt", 1001);
	expect_copy(&b, "a.txt /srv/full/",
		    "d 0755 0:0 srv\nd 0755 0:0 srv/full\n"
		    "f 0644 0:0 srv/full/a.txt 'a'\n");
	/* With an epoch both are clamped to the same time. */
	b.spec.has_epoch = true;
	b.spec.epoch = 500;
	expect_copy(&b, "a.txt /clamped", "f 0644 0:0 clamped 'a'\n");
	ctx_mtime(&b, "a.txt", 2000);
	expect_copy(&b, "a.txt /clamped", "");
	bench_end(&b);
}

Test(copy, times_of_files_stay_and_changed_directories_get_now)
{
	struct bench b;

	open_with_base(&b);
	ctx_mtime(&b, "d/sub/two", 1002);
	ctx_mtime(&b, "d/sub", 1003);
	ctx_mtime(&b, "d/one", 1001);
	ctx_mtime(&b, "d", 1004);
	ok(copy(&b, "d /srv/full/n/m"), b.err);
	cr_expect_eq(bench_mtime(&b, "srv/full/n/m/sub/two"), 1002);
	cr_expect_eq(bench_mtime(&b, "srv/full/n/m/sub"), 1003);
	cr_expect_eq(bench_mtime(&b, "srv/full/n/m"), 1004);
	cr_expect_eq(bench_mtime(&b, "srv/full/n"), NOW);
	cr_expect_eq(bench_mtime(&b, "srv/full"), NOW);
	cr_expect_eq(bench_mtime(&b, "srv"), 100);
	bench_end(&b);
}

Test(copy, on_top_of_nothing)
{
	struct bench b;

	bench_open(&b);
	ctx_file(&b, "d/x", "x", 0644);
	expect_copy(&b, "d/x /deep/f",
		    "d 0755 0:0 deep\nf 0644 0:0 deep/f 'x'\n");
	expect_copy(&b, "d /", "f 0644 0:0 x 'x'\n");
	bench_end(&b);
}

/* ---- from a stage ----------------------------------------------------------
 */

/* COPY ${words} from the chain of ${from} layers onto the whole chain. */
static int
copy_from(struct bench *b, const char *words, size_t from)
{
	struct lay_view *v = NULL;
	int rc;

	ok(lay_view_open(b->store, b->chain, from, &v, &b->err), b->err);
	set_words(b, words);
	b->spec.view = v;
	b->spec.context = NULL;
	rc = bench_run(b, NULL);
	lay_view_close(v);
	b->spec.view = NULL;
	return rc;
}

Test(copy, from_a_stage_owners_xattrs_and_times_stay)
{
	static const struct lay_xattr cap = {"security.capability", "cap", 3};
	static const struct make stage[] = {
		{LAY_DIR, 0700, "m", NULL, 11, 12, 103, NULL},
		{LAY_FILE, 04755, "m/f", "f", 11, 12, 101, &cap},
		{LAY_SYMLINK, 0777, "m/l", "f", 5, 6, 101, NULL},
		{LAY_FIFO, 0600, "m/p", NULL, 11, 12, 101, NULL},
		{LAY_DIR, 0750, "m/s", NULL, 11, 12, 102, NULL},
	};
	struct bench b;

	bench_open(&b);
	bench_layer(&b, stage, sizeof(stage) / sizeof(stage[0]));
	ok(copy_from(&b, "/m /kept", 1), b.err);
	cr_expect_str_eq(bench_list(&b),
			 "d 0755 0:0 kept\n"
			 "f 4755 11:12 kept/f 'f' security.capability\n"
			 "l 0777 5:6 kept/l -> f\np 0600 11:12 kept/p\n"
			 "d 0750 11:12 kept/s\n",
			 "%s", b.text);
	cr_expect_eq(bench_mtime(&b, "kept"), 103);
	cr_expect_eq(bench_mtime(&b, "kept/s"), 102);
	b.spec.has_chown = true;
	b.spec.uid = b.spec.gid = 3;
	ok(copy_from(&b, "m/f /set", 1), b.err);
	cr_expect_str_eq(bench_list(&b),
			 "f 4755 3:3 set 'f' security.capability\n");
	bench_end(&b);
}

Test(copy, from_a_stage_hard_links_stay)
{
	struct bench b;

	open_with_base(&b);
	ok(copy_from(&b, "/srv /k", 1), b.err);
	cr_expect_not_null(strstr(bench_list(&b), "f 0644 0:0 k/hard1 'hard'\n"
						  "h 0644 0:0 k/hard2 -> "
						  "k/hard1\n"),
			   "%s", b.text);
	bench_end(&b);
}

Test(copy, equal_files_of_a_stage_are_no_hard_links)
{
	/* The same bytes at the same place of two layers. */
	static const struct make one[] = {
		{LAY_FILE, 0644, "m/a", "x", 0, 0, 1, NULL}};
	static const struct make two[] = {
		{LAY_FILE, 0644, "m/b", "x", 0, 0, 1, NULL}};
	struct bench b;

	bench_open(&b);
	bench_layer(&b, one, 1);
	bench_layer(&b, two, 1);
	ok(copy_from(&b, "/m /k", 2), b.err);
	cr_expect_str_eq(bench_list(&b), "d 0755 0:0 k\nf 0644 0:0 k/a 'x'\n"
					 "f 0644 0:0 k/b 'x'\n");
	bench_end(&b);
}

Test(copy, from_a_stage_links_are_followed_and_wildcards_match)
{
	struct bench b;

	open_with_base(&b);
	ok(copy_from(&b, "/opt/link /1", 1), b.err);
	cr_expect_str_eq(bench_list(&b),
			 "d 0755 0:0 1\nf 0644 0:0 1/keep 'keep'\n");
	ok(copy_from(&b, "opt/filelink /2", 1), b.err);
	cr_expect_str_eq(bench_list(&b), "f 0640 1001:100 2 'base'\n");
	ok(copy_from(&b, "/opt/link/k* /3/", 1), b.err);
	cr_expect_str_eq(bench_list(&b),
			 "d 0755 0:0 3\nf 0644 0:0 3/keep 'keep'\n");
	ok(copy_from(&b, "/srv/none* /4/", 1), b.err);
	cr_expect_str_eq(bench_list(&b), "");
	cr_assert_eq(copy_from(&b, "/nothere /5", 1), -1);
	cr_expect_not_null(strstr(stv_err_msg(b.err), "/nothere"));
	bench_end(&b);
}

/* ---- the key ---------------------------------------------------------------
 */

/* The key of COPY ${words}, without writing. */
static struct stv_digest
key_of(struct bench *b, const char *words)
{
	struct bld_copy_plan *plan = NULL;
	struct stv_digest d;

	set_words(b, words);
	b->spec.context = bench_context(b);
	ok(bld_copy_plan(&b->spec, &plan, &b->err), b->err);
	bld_copy_key(plan, &d);
	bld_copy_plan_free(plan);
	return d;
}

#define expect_same_key(b, words, old)                                         \
	do {                                                                   \
		struct stv_digest expect_d = key_of((b), (words));             \
		cr_expect(stv_digest_equal(&expect_d, (old)), "%s", (words));  \
	} while (0)
#define expect_other_key(b, words, old)                                        \
	do {                                                                   \
		struct stv_digest expect_d = key_of((b), (words));             \
		cr_expect_not(stv_digest_equal(&expect_d, (old)), "%s",        \
			      (words));                                        \
	} while (0)

Test(copy, times_are_not_in_the_key)
{
	struct stv_digest old;
	struct bench b;
	char *path;

	open_with_base(&b);
	old = key_of(&b, "d /x");
	ctx_mtime(&b, "d/one", 5);
	ctx_mtime(&b, "d/sub", 6);
	ctx_mtime(&b, "d", 7);
	expect_same_key(&b, "d /x", &old);
	/* Nor is the mode of the directory that is named, which is not used. */
	path = bench_path(&b, "d");
	cr_assert_eq(chmod(path, 0700), 0);
	free(path);
	expect_same_key(&b, "d /x", &old);
	bench_end(&b);
}

Test(copy, each_input_is_in_the_key)
{
	struct stv_digest old;
	struct bench b;
	char *path;

	open_with_base(&b);
	ctx_link(&b, "d/l", "one");
	old = key_of(&b, "d /x");
	expect_other_key(&b, "d /y", &old);
	expect_other_key(&b, "d /x/", &old);
	expect_other_key(&b, "d a.txt /x", &old);
	ctx_file(&b, "d/one", "2", 0644);
	expect_other_key(&b, "d /x", &old);
	ctx_file(&b, "d/one", "1", 0644);
	expect_same_key(&b, "d /x", &old);
	ctx_file(&b, "d/one", "1", 0755);
	expect_other_key(&b, "d /x", &old);
	ctx_file(&b, "d/one", "1", 0644);
	ctx_file(&b, "d/three", "", 0644);
	expect_other_key(&b, "d /x", &old);
	path = bench_path(&b, "d/three");
	cr_assert_eq(unlink(path), 0);
	free(path);
	expect_same_key(&b, "d /x", &old);
	path = bench_path(&b, "d/l");
	cr_assert_eq(unlink(path), 0);
	free(path);
	ctx_link(&b, "d/l", "two");
	expect_other_key(&b, "d /x", &old);
	bench_end(&b);
}

Test(copy, the_rules_are_in_the_key)
{
	struct stv_digest old;
	struct bench b;

	open_with_base(&b);
	old = key_of(&b, "d /x");
	b.spec.has_chown = true;
	expect_other_key(&b, "d /x", &old);
	old = key_of(&b, "d /x");
	b.spec.gid = 1;
	expect_other_key(&b, "d /x", &old);
	b.spec.has_chown = false;
	b.spec.has_chmod = true;
	ok(bld_chmod_parse("0755", &b.spec.chmod, &b.err), b.err);
	old = key_of(&b, "d /x");
	ok(bld_chmod_parse("0754", &b.spec.chmod, &b.err), b.err);
	expect_other_key(&b, "d /x", &old);
	ok(bld_chmod_parse("u+x", &b.spec.chmod, &b.err), b.err);
	old = key_of(&b, "d /x");
	ok(bld_chmod_parse("g+x", &b.spec.chmod, &b.err), b.err);
	expect_other_key(&b, "d /x", &old);
	b.spec.is_add = true;
	expect_other_key(&b, "d /x", &old);
	bench_end(&b);
}

Test(copy, the_name_of_a_file_is_in_the_key_and_that_of_a_directory_not)
{
	struct stv_digest old;
	struct bench b;

	open_with_base(&b);
	ctx_file(&b, "e/one", "1", 0644);
	ctx_file(&b, "e/sub/two", "2", 0644);
	ctx_file(&b, "a2.txt", "a", 0644);
	old = key_of(&b, "d /x/");
	expect_same_key(&b, "e /x/", &old);
	old = key_of(&b, "a.txt /x/");
	expect_other_key(&b, "a2.txt /x/", &old);
	bench_end(&b);
}

/* ---- the context is live ---------------------------------------------------
 */

static void
write_longer(struct bench *b)
{
	ctx_file(b, "a.txt", "other bytes", 0644);
}

static void
write_shorter(struct bench *b)
{
	ctx_file(b, "d/one", "", 0644);
}

static void
remove_file(struct bench *b)
{
	char *path = bench_path(b, "a.txt");

	cr_assert_eq(unlink(path), 0);
	free(path);
}

Test(copy, a_file_that_changed_meanwhile_has_another_key)
{
	struct stv_digest old, new;
	struct bench b;

	open_with_base(&b);
	old = key_of(&b, "a.txt /x");
	ok(bench_run(&b, write_longer), b.err);
	cr_expect_eq(b.result, BLD_COPY_CHANGED);
	cr_expect_str_eq(bench_list(&b), "f 0644 0:0 x 'other bytes'\n");
	new = key_of(&b, "a.txt /x");
	cr_expect(stv_digest_equal(&b.key, &new));
	cr_expect_not(stv_digest_equal(&b.key, &old));
	bench_end(&b);
}

Test(copy, a_file_that_became_empty_has_another_key)
{
	struct bench b;

	open_with_base(&b);
	set_words(&b, "d /x");
	b.spec.context = bench_context(&b);
	ok(bench_run(&b, write_shorter), b.err);
	cr_expect_eq(b.result, BLD_COPY_CHANGED);
	cr_expect_not_null(strstr(bench_list(&b), "x/one ''"));
	bench_end(&b);
}

Test(copy, a_file_that_went_away_makes_the_plan_stale)
{
	struct bench b;

	open_with_base(&b);
	set_words(&b, "a.txt /x");
	b.spec.context = bench_context(&b);
	ok(bench_run(&b, remove_file), b.err);
	cr_expect_eq(b.result, BLD_COPY_STALE);
	bench_end(&b);
}

Test(copy, a_file_that_became_a_fifo_makes_the_plan_stale)
{
	struct bld_copy_plan *plan = NULL;
	struct bench b;
	char *path;

	open_with_base(&b);
	set_words(&b, "a.txt /x");
	b.spec.context = bench_context(&b);
	b.spec.store = b.store;
	ok(bld_copy_plan(&b.spec, &plan, &b.err), b.err);
	path = bench_path(&b, "a.txt");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkfifo(path, 0644), 0);
	free(path);
	cr_expect_eq(write_layer(&b, plan), BLD_COPY_STALE);
	bld_copy_plan_free(plan);
	bench_end(&b);
}

Test(copy, directories_are_made_for_workdir)
{
	struct lay_writer_opts opts = {0};
	struct bld_copy_spec times = {.now_s = NOW};
	struct lay_writer *w = NULL;
	struct lay_result res;
	struct lay_view *v;
	struct bench b;

	open_with_base(&b);
	v = bench_view(&b);
	ok(lay_writer_open(b.store, &opts, &w, &b.err), b.err);
	cr_expect_eq(bld_copy_mkdir(v, "/opt/dangling/x/", 5, 6, 0755, &times,
				    w, &b.err),
		     3);
	ok(lay_writer_commit(w, &res, &b.err), b.err);
	lay_writer_close(w);
	b.chain[b.n_chain++] = res.diff_id;
	cr_expect_str_eq(bench_list(&b), "d 0755 0:0 srv\n"
					 "d 0755 5:6 srv/notyet\n"
					 "d 0755 5:6 srv/notyet/x\n");
	w = NULL;
	ok(lay_writer_open(b.store, &opts, &w, &b.err), b.err);
	cr_expect_eq(
		bld_copy_mkdir(v, "/opt/link", 5, 6, 0755, &times, w, &b.err),
		0);
	cr_expect_eq(
		bld_copy_mkdir(v, "/srv/file", 5, 6, 0755, &times, w, &b.err),
		-1);
	lay_writer_close(w);
	lay_view_close(v);
	bench_end(&b);
}
