/* cache/test/test_layer_tree.c - trees into layers and back. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "cache/test/layer_fixture.h"

#include "core/codec.h"

#define NEEDS_ROOT                                                             \
	do {                                                                   \
		if (geteuid() != 0)                                            \
			cr_skip_test("needs root: owners and devices");        \
	} while (0)

/* A command of the shell in ${dir}; the test ends where it fails. */
static void
sh(const char *dir, const char *script)
{
	char *cmd = stv_xasprintf("set -e; cd '%s'; %s", dir, script);

	cr_assert_eq(system(cmd), 0, "%s", script);
	free(cmd);
}

static void
set_mtime(const char *dir, const char *name, int64_t s, long ns)
{
	char *path = stv_xasprintf("%s/%s", dir, name);
	struct timespec ts[2] = {{.tv_sec = s, .tv_nsec = ns},
				 {.tv_sec = s, .tv_nsec = ns}};

	cr_assert_eq(utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW), 0,
		     "%s", path);
	free(path);
}

static void
set_xattr(const char *dir, const char *name, const char *key, const void *value,
	  size_t n)
{
	char *path = stv_xasprintf("%s/%s", dir, name);

	cr_assert_eq(lsetxattr(path, key, value, n, 0), 0, "%s %s", path, key);
	free(path);
}

/* One of everything that a layer can hold. */
static void
make_rich_tree(const char *dir)
{
	static const char caps[20] = {1, 0, 0, 2, 0, 4};
	char *deep = stv_xasprintf("%0200d/%0200d", 1, 2);
	char *cmd = stv_xasprintf("mkdir -p %s; echo deep > %s/f; "
				  "ln -s /%0150d long-link",
				  deep, deep, 3);

	sh(dir, cmd);
	sh(dir, "mkdir -p empty usr/bin; echo hello > usr/bin/prog; "
		"chmod 4755 usr/bin/prog; ln usr/bin/prog usr/bin/again; "
		"ln usr/bin/prog a-third-name; ln -s ../usr l; : > nothing; "
		"mkfifo pipe; mknod tty c 5 0; mknod disk b 259 1048; "
		"truncate -s 3M sparse; printf x | dd of=sparse bs=1 "
		"seek=2000000 conv=notrunc 2>/dev/null; "
		"printf 'bad\\377utf8' > \"$(printf 'n\\377\\nm')\"; "
		"chown 3000000000:2999999999 nothing; chmod 1777 empty; "
		"mkdir 0; touch 0.x 0/x 00; chown -h 7:8 l; "
		"head -c 3000000 /dev/zero | tr '\\0' 'a' > big");
	set_xattr(dir, "usr/bin/prog", "security.capability", caps,
		  sizeof(caps));
	set_xattr(dir, "big", "user.zero", "a\0b", 3);
	set_xattr(dir, "empty", "user.on-a-directory", "", 0);
	set_xattr(dir, "l", "trusted.on-a-link", "v", 1);
	set_mtime(dir, "nothing", -5, 250000000);
	set_mtime(dir, "big", 1234567890, 123456789);
	set_mtime(dir, "pipe", 0, 0);
	set_mtime(dir, "l", 77, 500000000);
	set_mtime(dir, "empty", 20000000000, 1);
	free(cmd);
	free(deep);
}

static struct lay_changes *
scan(struct cas_store *s, const char *dir, struct lay_view *lower,
     const struct lay_writer_opts *opts, int *ret_fd)
{
	static const struct lay_writer_opts none = {.has_epoch = false};
	struct lay_changes *c = NULL;
	struct stv_err *err = NULL;

	*ret_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(*ret_fd >= 0);
	ok(lay_changes_scan(s, *ret_fd, lower, opts == NULL ? &none : opts, &c,
			    &err),
	   err);
	return c;
}

static struct stv_digest
pack(struct cas_store *s, const char *dir, struct lay_view *lower,
     const struct lay_writer_opts *opts, size_t *ret_len)
{
	struct stv_err *err = NULL;
	struct lay_result res;
	int fd;
	struct lay_changes *c = scan(s, dir, lower, opts, &fd);

	ok(lay_changes_pack(c, &res, &err), err);
	cr_assert_eq(lay_changes_len(c), res.n_entries);
	if (ret_len != NULL)
		*ret_len = lay_changes_len(c);
	lay_changes_free(c);
	(void)close(fd);
	return res.diff_id;
}

static char *
snapshot(struct cas_store *s, const struct stv_digest *ids, size_t n)
{
	struct stv_err *err = NULL;
	char *name = NULL, *full;

	ok(lay_snapshot(s, ids, n, &name, &err), err);
	full = stv_xasprintf("%s/%s", cas_store_root(s), name);
	free(name);
	return full;
}

/* The layer goes to another store, gzipped. */
static void
carry(struct cas_store *from, struct cas_store *to, const struct stv_digest *id)
{
	struct stv_err *err = NULL;
	struct stv_in *tar = NULL, *in;
	stv_auto_buf z = T_BUF;
	struct stv_sink *end = stv_sink_buf(&z, "test");
	struct stv_sink *gz = stv_sink_gzip(end, false);
	const struct lay_wanted want = {.diff_id = id, .is_ahead = true};
	struct lay_received res;

	ok(lay_open_tar(from, id, &tar, NULL, &err), err);
	ok(stv_copy(tar, gz, NULL, &err), err);
	ok(stv_codec_end(gz, &err), err);
	in = stv_in_mem(z.data, z.len);
	ok(lay_receive(to, in, &want, &res, &err), err);
	stv_in_close(in);
	stv_in_close(tar);
	stv_sink_close(gz);
	stv_sink_close(end);
}

Test(layer_tree, comes_back_as_it_went)
{
	char *dir = scratch_dir(), *dir2 = scratch_dir(), *tree = scratch_dir();
	char *out = scratch_dir();
	struct cas_store *s = scratch_open(dir), *s2 = scratch_open(dir2);
	struct stv_err *err = NULL;
	char *want, *got, *at;
	struct stv_digest id, again;
	int fd;

	NEEDS_ROOT;
	make_rich_tree(tree);
	want = t_describe(tree, T_TIME | T_LINKS);
	id = pack(s, tree, NULL, NULL, NULL);
	got = t_describe(tree, T_TIME | T_LINKS);
	t_same(got, want, "the tree before and after it was packed");
	free(got);

	at = snapshot(s, &id, 1);
	got = t_describe(at, T_TIME | T_LINKS);
	t_same(got, want, "the snapshot and the tree");
	free(got);
	again = pack(s, at, NULL, NULL, NULL);
	cr_assert(stv_digest_equal(&id, &again), "packing it again");
	free(at);

	carry(s, s2, &id);
	at = snapshot(s2, &id, 1);
	got = t_describe(at, T_TIME | T_LINKS);
	t_same(got, want, "the snapshot of the received layer and the tree");
	free(got);
	free(at);

	fd = open(out, O_RDONLY | O_DIRECTORY);
	ok(lay_unpack(s2, &id, 1, fd, &err), err);
	(void)close(fd);
	got = t_describe(out, T_TIME | T_LINKS);
	t_same(got, want, "the unpacked layer and the tree");
	free(got);
	free(want);
	cas_store_close(s);
	cas_store_close(s2);
	scratch_end(dir);
	scratch_end(dir2);
	scratch_end(tree);
	scratch_end(out);
}

Test(layer_tree, is_the_same_whatever_the_machine_did)
{
	char *dir = scratch_dir(), *a = scratch_dir(), *b = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct lay_writer_opts opts = {.has_epoch = true, .epoch = 1000};
	struct stv_digest x, y;

	NEEDS_ROOT;
	sh(a, "mkdir d; echo 1 > d/1; echo 2 > d/2; ln -s d l");
	sleep(1);
	sh(b, "ln -s d l; mkdir d; echo 2 > d/2; echo 1 > d/1; "
	      "touch -d @999 d/1");
	x = pack(s, a, NULL, &opts, NULL);
	y = pack(s, b, NULL, &opts, NULL);
	cr_assert_not(stv_digest_equal(&x, &y), "an older time is kept");
	sh(b, "touch -d @5000 d/1");
	y = pack(s, b, NULL, &opts, NULL);
	cr_assert(stv_digest_equal(&x, &y));
	cas_store_close(s);
	scratch_end(dir);
	scratch_end(a);
	scratch_end(b);
}

/* ---- upon layers below ----------------------------------------------------
 */

/* Layers, and a place to mount them in. */
struct bench {
	char *dir;
	struct cas_store *s;
	struct stv_digest ids[8];
	size_t n;
};

static void
bench_init(struct bench *b)
{
	b->dir = scratch_dir();
	b->s = scratch_open(b->dir);
	b->n = 0;
}

static void
bench_fini(struct bench *b)
{
	cas_store_close(b->s);
	scratch_end(b->dir);
}

static int
set_user_xattr(const char *dir, const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return lsetxattr(path, "user.a", "b", 1, 0);
}

/* The layers mounted with ${upper}, ${script} in it, and what is seen then. */
static char *
run_in_overlay(struct bench *b, const char *upper, const char *work,
	       const char *script)
{
	char *names[8], *opts = NULL, *merged = scratch_dir(), *seen = NULL;
	char *out = stv_xasprintf("%s/../seen-%d", b->dir, (int)getpid());
	stv_auto_buf text = T_BUF;
	struct stv_err *err = NULL;
	int status;
	pid_t pid;

	for (size_t i = 0; i < b->n; i++)
		names[i] = snapshot(b->s, b->ids, i + 1);
	opts = stv_xstrdup("lowerdir=");
	for (size_t i = b->n; i > 0; i--) {
		char *more = stv_xasprintf("%s%s%s", opts, i == b->n ? "" : ":",
					   names[i - 1]);

		free(opts);
		opts = more;
	}
	pid = fork();
	if (pid == 0) {
		char *all = stv_xasprintf(
			"%s,upperdir=%s,workdir=%s,index=off,metacopy=off,"
			"redirect_dir=off",
			opts, upper, work);
		char *cmd =
			stv_xasprintf("set -e; cd '%s'; %s", merged, script);
		FILE *f;

		(void)alarm(60);
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("overlay", merged, "overlay", 0, all) < 0)
			_exit(77);
		/* No assertion of Criterion in here: it would hang. */
		if (strncmp(script, "xattr ", 6) == 0
			    ? set_user_xattr(merged, script + 6) < 0
			    : system(cmd) != 0)
			_exit(76);
		seen = t_describe(merged, T_TIME);
		f = fopen(out, "w");
		if (f == NULL || fputs(seen, f) < 0 || fclose(f) != 0)
			_exit(78);
		_exit(umount(merged) < 0 ? 79 : 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("overlay cannot be mounted here");
	cr_assert_eq(status, 0, "in the overlay: %d", status);
	ok(stv_fsat_read_file(AT_FDCWD, out, (size_t)1 << 20, &text, &err),
	   err);
	(void)unlink(out);
	free(out);
	for (size_t i = 0; i < b->n; i++)
		free(names[i]);
	free(opts);
	scratch_end(merged);
	return stv_buf_take(&text);
}

/* The table of the topmost layer, "path type" a line. */
static char *
top_entries(struct bench *b)
{
	static const char letters[] = {
		[LAY_FILE] = ' ',     [LAY_DIR] = '/',	    [LAY_SYMLINK] = '>',
		[LAY_HARDLINK] = '|', [LAY_FIFO] = 'p',	    [LAY_CHAR] = 'c',
		[LAY_BLOCK] = 'b',    [LAY_WHITEOUT] = 'W', [LAY_OPAQUE] = 'O'};
	struct stv_err *err = NULL;
	struct lay_toc *toc = NULL;
	struct stv_buf out = T_BUF;

	ok(lay_toc_open(b->s, &b->ids[b->n - 1], &toc, &err), err);
	for (size_t i = 0; i < lay_toc_len(toc); i++) {
		struct lay_entry e;

		lay_toc_get(toc, i, &e);
		stv_buf_addf(&out, "%s%c%s\n", e.path, letters[e.type],
			     e.link != NULL ? e.link : "");
	}
	lay_toc_close(toc);
	return stv_buf_take(&out);
}

/*
 * One RUN: ${script} upon the layers of ${b}.  Its changes become the next
 * layer, which must list ${want} (NULL: whatever), its upper the snapshot,
 * equal to what unpacking gives; and the merged tree must be what was seen.
 */
static void
run(struct bench *b, const char *script, const char *want)
{
	struct stv_err *err = NULL;
	struct lay_view *view = NULL;
	char *name = NULL, *upper, *work, *seen, *got, *adopted, *fresh;
	char *dir2 = scratch_dir(), *out = scratch_dir();
	struct cas_store *s2 = scratch_open(dir2);
	int fd = -1;

	ok(cas_store_tmpdir(b->s, &name, &fd, &err), err);
	(void)close(fd);
	upper = stv_xasprintf("%s/%s/u", b->dir, name);
	work = stv_xasprintf("%s/%s/w", b->dir, name);
	cr_assert(mkdir(upper, 0755) == 0 && mkdir(work, 0755) == 0);
	seen = run_in_overlay(b, upper, work, script);
	ok(lay_view_open(b->s, b->ids, b->n, &view, &err), err);
	b->ids[b->n] = pack(b->s, upper, view, NULL, NULL);
	b->n++;
	lay_view_close(view);
	got = top_entries(b);
	if (want != NULL)
		cr_assert_str_eq(got, want);
	free(got);

	free(work);
	work = stv_xasprintf("%s/u", name);
	ok(lay_snapshot_adopt(b->s, b->ids, b->n, work, &err), err);
	cr_assert_neq(access(upper, F_OK), 0, "it was moved");
	adopted = snapshot(b->s, b->ids, b->n);
	for (size_t i = 0; i < b->n; i++)
		carry(b->s, s2, &b->ids[i]);
	fresh = snapshot(s2, b->ids, b->n);
	cr_assert_str_eq(strrchr(adopted, '/'), strrchr(fresh, '/'));
	got = t_describe(adopted, T_TIME | T_LINKS);
	free(adopted);
	adopted = t_describe(fresh, T_TIME | T_LINKS);
	t_same(got, adopted, "the adopted and the unpacked snapshot");

	fd = open(out, O_RDONLY | O_DIRECTORY);
	ok(lay_unpack(s2, b->ids, b->n, fd, &err), err);
	(void)close(fd);
	free(got);
	got = t_describe(out, T_TIME);
	t_same(got, seen, "the merged tree unpacked and as the RUN saw it");
	free(got);
	free(adopted);
	free(fresh);
	free(seen);
	free(upper);
	free(work);
	free(name);
	cas_store_close(s2);
	scratch_end(dir2);
	scratch_end(out);
}

static void
start(struct bench *b)
{
	char *tree = scratch_dir();

	bench_init(b);
	sh(tree, "mkdir -p etc usr/bin var/lib old/sub; echo p > etc/passwd; "
		 "echo g > etc/group; echo b > usr/bin/b; ln usr/bin/b "
		 "usr/bin/c; echo x > old/x; echo y > old/sub/y; "
		 "ln -s usr/bin bin; mkdir nil; "
		 "find . -exec touch -h -d @1000 {} +");
	b->ids[b->n++] = pack(b->s, tree, NULL, NULL, NULL);
	scratch_end(tree);
}

#define RUNS(name, want, script)                                               \
	Test(layer_tree, name)                                                 \
	{                                                                      \
		struct bench b;                                                \
		NEEDS_ROOT;                                                    \
		start(&b);                                                     \
		run(&b, script, want);                                         \
		bench_fini(&b);                                                \
	}                                                                      \
	struct bench

RUNS(run_nothing_is_an_empty_layer, "", "true");
RUNS(run_reading_is_no_change, "", "cat etc/passwd > /dev/null");
RUNS(run_opening_for_writing_is_no_change, "", ": >> etc/passwd");
RUNS(run_touching_is_a_change, "etc/\netc/passwd \n", "touch etc/passwd");
RUNS(run_same_mtime_other_content, "etc/\netc/passwd \n",
     "printf 'q\\n' > etc/passwd; touch -d @1000 etc/passwd");
RUNS(run_writing_the_same_is_no_change, "",
     "printf 'p\\n' > etc/passwd; touch -d @1000 etc/passwd");
RUNS(run_a_new_file_brings_its_directories, "var/\nvar/lib/\nvar/lib/n \n",
     "echo > var/lib/n");
RUNS(run_made_and_removed_changes_the_directory, "var/\nvar/lib/\n",
     "echo > var/lib/n; rm var/lib/n");
RUNS(run_made_and_removed_with_the_time_put_back, "",
     "echo > var/lib/n; rm var/lib/n; touch -d @1000 var/lib");
RUNS(run_removing_leaves_a_whiteout, "etc/\netc/groupW\n", "rm etc/group");
RUNS(run_removing_a_tree, "oldW\n", "rm -r old");
RUNS(run_replacing_a_tree_is_opaque, "old/\noldO\nold/x \n",
     "rm -r old; mkdir old; echo n > old/x");
RUNS(run_replacing_an_empty_directory_is_not, "nil/\nnil/x \n",
     "rmdir nil; mkdir nil; echo n > nil/x");
RUNS(run_a_new_directory_is_not_opaque, "new/\nnew/x \n",
     "mkdir new; echo n > new/x");
RUNS(run_a_directory_becomes_a_file, "old \n", "rm -r old; echo > old");
RUNS(run_a_file_becomes_a_directory, "etc/\netc/passwd/\netc/passwd/x \n",
     "rm etc/passwd; mkdir etc/passwd; echo > etc/passwd/x");
RUNS(run_a_link_becomes_a_directory, "bin/\nbin/x \n",
     "rm bin; mkdir bin; echo > bin/x");
RUNS(run_through_a_link, "usr/\nusr/bin/\nusr/bin/n \n", "echo > bin/n");
RUNS(run_mode_only, "etc/\netc/passwd \n",
     "chmod 600 etc/passwd; touch -d @1000 etc/passwd etc");
RUNS(run_directory_mode_only, "etc/\n", "chmod 700 etc");
RUNS(run_xattr_only, "etc/\n", "xattr etc");
RUNS(run_hard_links, "a \nb|a\nc|a\n", "echo x > a; ln a b; ln a c");
RUNS(run_a_hard_link_to_what_was_there, "etc/\netc/group \nn|etc/group\n",
     "ln etc/group n; touch -d @1000 etc");
RUNS(run_copy_up_breaks_hard_links, "usr/\nusr/bin/\nusr/bin/b \n",
     "echo more >> usr/bin/b");
RUNS(run_devices, "fifop\nnullc\n", "mknod null c 1 3; mkfifo fifo");

/* Several RUNs upon one another. */
Test(layer_tree, layers_upon_layers)
{
	struct bench b;

	NEEDS_ROOT;
	start(&b);
	run(&b, "rm -r old; echo 1 > etc/one; mkdir -p var/lib/d/e", NULL);
	run(&b, "mkdir -p old/again; echo 2 > etc/two; rm -r var/lib/d", NULL);
	run(&b,
	    "rm etc/one; echo 3 > old/again/x; mkdir var/lib/d; "
	    "ln -s x old/again/l; chmod 711 etc",
	    NULL);
	run(&b, "rm -r old; rm -r var; ln usr/bin/c usr/bin/d", NULL);
	run(&b, "mkdir var; echo v > var/v; rm -r usr; ln -s etc usr", NULL);
	bench_fini(&b);
}

/* A socket is left when the RUN ends. */
Test(layer_tree, sockets_are_removed)
{
	char *dir = scratch_dir(), *tree = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	char *path = stv_xasprintf("%s/sock", tree);
	size_t len = 9;

	NEEDS_ROOT;
	cr_assert_eq(mknod(path, S_IFSOCK | 0644, 0), 0);
	(void)pack(s, tree, NULL, NULL, &len);
	cr_assert_eq(len, 0);
	cr_assert_neq(access(path, F_OK), 0);
	free(path);
	cas_store_close(s);
	scratch_end(dir);
	scratch_end(tree);
}

Test(layer_tree, names_that_mean_deletion_are_refused)
{
	char *dir = scratch_dir(), *tree = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;
	struct lay_result res;
	struct lay_changes *c;
	int fd;

	NEEDS_ROOT;
	sh(tree, "echo > .wh.file");
	c = scan(s, tree, NULL, NULL, &fd);
	cr_assert_eq(lay_changes_pack(c, &res, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_INPUT);
	stv_err_free(err);
	lay_changes_free(c);
	(void)close(fd);
	cas_store_close(s);
	scratch_end(dir);
	scratch_end(tree);
}

/* B24: a layer that does not list a directory does not change it. */
Test(layer_tree, implied_directories_are_as_below)
{
	struct bench b;
	struct stv_buf t = T_BUF;
	char *at, *got;

	NEEDS_ROOT;
	bench_init(&b);
	t_entry(&t, (struct t_head){.name = "a/",
				    .type = '5',
				    .mode = 0700,
				    .uid = 7,
				    .gid = 8,
				    .mtime = 1000});
	b.ids[b.n++] = t_layer(b.s, &t);
	t = T_BUF;
	t_entry(&t, (struct t_head){.name = "a/b/c", .body = "x", .mtime = 2});
	b.ids[b.n++] = t_layer(b.s, &t);
	at = snapshot(b.s, b.ids, 2);
	got = t_describe(at, T_TIME | T_LINKS);
	cr_assert_eq(strncmp(got,
			     "a 40700 7:8 1000.000000000\n"
			     "a/b 40755 0:0 0.000000000\n",
			     52),
		     0, "%s", got);
	free(got);
	free(at);
	/* The same layer alone is another snapshot. */
	at = snapshot(b.s, b.ids + 1, 1);
	got = t_describe(at, T_TIME | T_LINKS);
	cr_assert_eq(strncmp(got, "a 40755 0:0 0.000000000\n", 24), 0, "%s",
		     got);
	free(got);
	free(at);
	bench_fini(&b);
}

/* A snapshot that was not finished, or of another boot, is made anew. */
Test(layer_tree, a_torn_snapshot_is_made_again)
{
	struct bench b;
	char *at, *again, *want, *got;

	NEEDS_ROOT;
	start(&b);
	at = snapshot(b.s, b.ids, 1);
	want = t_describe(at, T_TIME | T_LINKS);
	sh(at, "rm -r etc; printf 'another-boot-another-boot-another-boot--' "
	       "> \"$PWD.ok\"");
	again = snapshot(b.s, b.ids, 1);
	cr_assert_str_eq(at, again);
	got = t_describe(at, T_TIME | T_LINKS);
	t_same(got, want, "the snapshots");
	sh(at, "rm -r etc; rm \"$PWD.ok\"");
	free(again);
	again = snapshot(b.s, b.ids, 1);
	free(got);
	got = t_describe(at, T_TIME | T_LINKS);
	t_same(got, want, "the snapshots");
	free(got);
	free(want);
	free(at);
	free(again);
	bench_fini(&b);
}

/*
 * What was deleted or replaced on the way to an image is no part of it, so it
 * takes nothing from the directory that the image is unpacked into.
 */
Test(layer_tree, unpacking_spares_what_the_image_does_not_have)
{
	struct stv_buf t = T_BUF;
	struct stv_err *err = NULL;
	struct bench b;
	char *out = scratch_dir();
	int fd;

	NEEDS_ROOT;
	bench_init(&b);
	t_file(&t, "gone", "image");
	t_file(&t, "dir/gone", "image");
	t_file(&t, "turned/a", "image");
	t_file(&t, "emptied/a", "image");
	t_file(&t, "grown", "image");
	t_file(&t, "first", "linked");
	t_hard(&t, "second", "first");
	t_hard(&t, "third", "first");
	t_file(&t, "kept", "image");
	b.ids[b.n++] = t_layer(b.s, &t);
	t = T_BUF;
	t_file(&t, ".wh.gone", "");
	t_file(&t, "dir/.wh.gone", "");
	t_file(&t, "turned", "image");
	t_file(&t, "emptied/.wh..wh..opq", "");
	t_file(&t, "emptied/b", "image");
	t_file(&t, "grown/b", "image");
	t_file(&t, ".wh.first", "");
	b.ids[b.n++] = t_layer(b.s, &t);
	t = T_BUF;
	t_file(&t, ".wh.turned", "");
	b.ids[b.n++] = t_layer(b.s, &t);

	sh(out, "mkdir dir turned emptied grown; for f in gone dir/gone "
		"turned/mine emptied/a emptied/mine grown/mine first kept; do "
		"echo mine > $f; done");
	fd = open(out, O_RDONLY | O_DIRECTORY);
	ok(lay_unpack(b.s, b.ids, b.n, fd, &err), err);
	(void)close(fd);
	sh(out, "for f in gone dir/gone turned/mine emptied/a emptied/mine "
		"grown/mine first; do test \"$(cat $f)\" = mine; done; "
		"for f in emptied/b grown/b kept; do "
		"test \"$(cat $f)\" = image; done; "
		"test \"$(cat second)\" = linked; test second -ef third");
	bench_fini(&b);
	scratch_end(out);
}
