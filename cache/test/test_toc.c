/* cache/test/test_toc.c - order of paths, and the table's file. */
#include "cache/test/layer_fixture.h"

struct pair {
	char a[16];
	char b[16];
};

Test(toc, paths_are_ordered_by_component)
{
	static const struct pair pairs[] = {
		{"", "a"},	{"a", "a/b"},	     {"a/b", "a.b"},
		{"a/z", "a b"}, {"a/\x01", "a\x01"}, {"a", "b"},
		{"a/b", "a/c"}, {"a", "a\xff"},	     {"z", "\xff"}};

	for (size_t i = 0; i < STV_ARRAY_LEN(pairs); i++) {
		const struct pair *p = &pairs[i];

		cr_assert(lay_path_cmp(p->a, p->b) < 0, "%s < %s", p->a, p->b);
		cr_assert(lay_path_cmp(p->b, p->a) > 0, "%s > %s", p->b, p->a);
		cr_assert_eq(lay_path_cmp(p->a, p->a), 0);
	}
}

static struct stv_digest
some_layer(struct cas_store *s)
{
	struct stv_buf b = T_BUF;
	stv_auto_buf pax = T_BUF;

	t_rec(&pax, "SCHILY.xattr.user.b", "2");
	t_rec(&pax, "SCHILY.xattr.user.a", "1");
	t_rec(&pax, "mtime", "12.5");
	t_dir(&b, "d", 0750);
	t_entry(&b, (struct t_head){.name = "d/f",
				    .body = "content",
				    .mode = 04711,
				    .uid = 5,
				    .gid = 6,
				    .pax = pax.data,
				    .pax_len = pax.len});
	t_sym(&b, "d.l", "d/f");
	return t_layer(s, &b);
}

static void
check_layer(struct cas_store *s, const struct stv_digest *id)
{
	struct stv_err *err = NULL;
	struct lay_toc *t = NULL;
	struct stv_digest want = stv_digest_of("content", 7);
	struct lay_entry e;

	ok(lay_toc_open(s, id, &t, &err), err);
	cr_assert_eq(lay_toc_len(t), 3);
	cr_assert_eq(lay_toc_find(t, "d/none", &e), 0);
	cr_assert_eq(lay_toc_find(t, "d/f", &e), 1);
	cr_assert_eq(e.type, LAY_FILE);
	cr_assert_eq(e.mode, 04711);
	cr_assert(e.uid == 5 && e.gid == 6);
	cr_assert(e.mtime_s == 12 && e.mtime_ns == 500000000);
	cr_assert_eq(e.size, 7);
	cr_assert(stv_digest_equal(&e.digest, &want));
	cr_assert_eq(e.n_xattrs, 2);
	cr_assert_str_eq(e.xattrs[0].name, "user.a");
	cr_assert_str_eq(e.xattrs[1].name, "user.b");
	lay_toc_get(t, 2, &e);
	cr_assert_str_eq(e.path, "d.l");
	cr_assert_str_eq(e.link, "d/f");
	lay_toc_close(t);
}

Test(toc, tells_what_the_layer_has)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_digest id = some_layer(s);

	check_layer(s, &id);
	cas_store_close(s);
	scratch_end(dir);
}

/* Missing, cut, of another boot and damaged: it is made again. */
Test(toc, is_made_again_where_it_is_lost)
{
	static const char other_boot[LAY_BOOT_ID_LEN] = "another boot";
	char *dir = scratch_dir(), hex[STV_DIGEST_STR_MAX], *path;
	struct cas_store *s = scratch_open(dir);
	struct stv_digest id = some_layer(s);
	struct stat st;
	int fd;

	path = stv_xasprintf("%s/toc/%s", dir, stv_digest_hex(&id, hex));
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(unlink(path), 0);
	check_layer(s, &id);
	for (off_t at = 0; at < st.st_size; at += 7) {
		fd = open(path, O_RDWR);
		cr_assert(fd >= 0);
		/* The boot id stands behind the six numbers of the head. */
		cr_assert_eq(pwrite(fd, other_boot, sizeof(other_boot), 48),
			     (ssize_t)sizeof(other_boot));
		if (at % 2 == 0)
			cr_assert_eq(pwrite(fd, "\xa5", 1, at), 1);
		else
			cr_assert_eq(ftruncate(fd, at), 0);
		(void)close(fd);
		check_layer(s, &id);
	}
	free(path);
	cas_store_close(s);
	scratch_end(dir);
}

Test(toc, of_a_layer_that_is_not_here)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_digest id = stv_digest_of("x", 1);
	struct stv_err *err = NULL;
	struct lay_toc *t = NULL;

	cr_assert_eq(lay_toc_open(s, &id, &t, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_free(err);
	cas_store_close(s);
	scratch_end(dir);
}
