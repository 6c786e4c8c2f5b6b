/* cache/test/test_view.c - the merged view, against a naive merge. */
#include "cache/test/layer_fixture.h"

/* The naive merge: every path with what is there, changed layer by layer. */
struct cell {
	char path[32];
	int type; /* enum lay_type, -1: implied */
	int layer;
};

static struct cell cells[4096];
static size_t n_cells;

static struct cell *
cell_find(const char *path)
{
	for (size_t i = 0; i < n_cells; i++)
		if (strcmp(cells[i].path, path) == 0)
			return &cells[i];
	return NULL;
}

static void
cells_remove(const char *path, bool is_self, int below_layer)
{
	for (size_t i = 0; i < n_cells;) {
		bool is_in = lay_path_is_below(cells[i].path, path) ||
			     (is_self && strcmp(cells[i].path, path) == 0);

		if (is_in && cells[i].layer < below_layer)
			cells[i] = cells[--n_cells];
		else
			i++;
	}
}

static void
cell_set(const char *path, int type, int layer)
{
	struct cell *c = cell_find(path);

	if (c == NULL)
		c = &cells[n_cells++];
	(void)snprintf(c->path, sizeof(c->path), "%s", path);
	c->type = type;
	c->layer = layer;
}

/* Directories above: made where nothing, or something else, is there. */
static void
cells_imply(const char *path, int layer)
{
	char part[32];

	for (const char *p = strchr(path, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		const struct cell *c;

		(void)snprintf(part, sizeof(part), "%.*s", (int)(p - path),
			       path);
		c = cell_find(part);
		if (c != NULL && (c->type == LAY_DIR || c->type < 0))
			continue;
		cells_remove(part, true, layer + 1);
		cell_set(part, -1, layer);
	}
}

static void
cells_apply(const struct lay_toc *toc, int layer)
{
	for (size_t i = 0; i < lay_toc_len(toc); i++) {
		struct lay_entry e;
		const struct cell *c;

		lay_toc_get(toc, i, &e);
		cells_imply(e.path, layer);
		c = cell_find(e.path);
		if (e.type == LAY_WHITEOUT) {
			cells_remove(e.path, true, layer);
		} else if (e.type == LAY_OPAQUE) {
			cells_remove(e.path, false, layer);
			if (c == NULL || (c->type != LAY_DIR && c->type >= 0))
				cell_set(e.path, -1, layer);
		} else {
			bool was_dir = c != NULL &&
				       (c->type == LAY_DIR || c->type < 0);

			if (e.type != LAY_DIR || !was_dir)
				cells_remove(e.path, true, layer + 1);
			cell_set(e.path, e.type, layer);
		}
	}
}

static unsigned int seed;

static unsigned int
rnd(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* A path of one to three components out of few names, so that they meet. */
static void
random_path(char path[64], const char *mark)
{
	size_t n = 0;
	unsigned int depth = 1 + rnd(3);

	for (unsigned int i = 0; i < depth; i++) {
		bool is_last = i + 1 == depth;

		n += (size_t)snprintf(path + n, 64 - n, "%s%s%c%s",
				      i > 0 ? "/" : "", is_last ? mark : "",
				      "abc"[rnd(3)], rnd(4) == 0 ? ".x" : "");
	}
}

/* A random layer; what contradicts itself in it is tried again. */
static struct stv_digest
random_layer(struct cas_store *s)
{
	for (;;) {
		stv_auto_buf b = T_BUF;
		struct stv_digest id;
		char path[64];

		for (unsigned int i = rnd(8); i > 0; i--) {
			unsigned int what = rnd(8);

			random_path(path, what == 0 ? ".wh." : "");
			if (what == 1)
				strncat(path, "/.wh..wh..opq", 14);
			if (what >= 2 && what < 5)
				t_dir(&b, path, 0755);
			else
				t_file(&b, path, "x");
		}
		t_end(&b);
		if (t_receive(s, &b, &id, NULL) == -1)
			return id;
	}
}

static int
count(void *arg, const struct lay_entry *e)
{
	char *last = arg;

	cr_assert(*last == '\0' || strcmp(last, e->path) < 0, "order: %s, %s",
		  last, e->path);
	(void)snprintf(last, 32, "%s", e->path);
	return 0;
}

/* Every name of the naive merge is found and listed, and no other. */
static void
check_listing(struct lay_view *v, const char *dir, size_t *seen)
{
	struct stv_strs todo = {0};
	char last[32] = "";

	(void)lay_view_list(v, dir, count, last);
	for (size_t i = 0; i < n_cells; i++) {
		const char *p = cells[i].path;
		const char *rest = *dir == '\0' ? p : p + strlen(dir) + 1;

		if (!lay_path_is_below(p, dir) || strchr(rest, '/') != NULL)
			continue;
		(*seen)++;
		if (cells[i].type == LAY_DIR || cells[i].type < 0)
			stv_strs_add(&todo, p);
	}
	for (size_t i = 0; i < todo.len; i++)
		check_listing(v, todo.v[i], seen);
	stv_strs_clear(&todo);
}

static int
count_all(void *arg, const struct lay_entry *e)
{
	stv_strs_add(arg, e->path);
	return 0;
}

/* What is not in the naive merge is not found either. */
static void
check_absent(struct lay_view *v)
{
	for (int i = 0; i < 300; i++) {
		struct lay_entry e;
		char path[64];

		random_path(path, "");
		cr_assert_eq(lay_view_lookup(v, path, &e),
			     cell_find(path) != NULL, "'%s'", path);
	}
}

static void
check_view(struct lay_view *v)
{
	struct stv_strs all = {0};
	size_t seen = 0;

	(void)lay_view_list(v, "", count_all, &all);
	for (size_t i = 0; i < all.len; i++)
		(void)lay_view_list(v, all.v[i], count_all, &all);
	check_listing(v, "", &seen);
	cr_assert_eq(all.len, n_cells);
	for (size_t i = 0; i < all.len; i++) {
		const struct cell *c = cell_find(all.v[i]);
		struct lay_entry e;

		cr_assert_not_null(c, "'%s' is listed", all.v[i]);
		cr_assert_eq(lay_view_lookup(v, all.v[i], &e), 1);
		cr_assert_str_eq(e.path, all.v[i]);
		cr_assert_eq((int)e.type, c->type < 0 ? (int)LAY_DIR : c->type,
			     "type of '%s'", all.v[i]);
	}
	cr_assert_eq(seen, n_cells);
	stv_strs_clear(&all);
	check_absent(v);
}

Test(view, equals_a_naive_merge)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;

	for (seed = 1; seed < 150;) {
		unsigned int first = seed;
		struct stv_digest ids[4];
		struct lay_view *v = NULL;

		n_cells = 0;
		for (int i = 0; i < 4; i++) {
			struct lay_toc *toc = NULL;

			ids[i] = random_layer(s);
			ok(lay_toc_open(s, &ids[i], &toc, &err), err);
			cells_apply(toc, i);
			lay_toc_close(toc);
		}
		ok(lay_view_open(s, ids, 4, &v, &err), err);
		check_view(v);
		lay_view_close(v);
		seed = first + 1;
	}
	cas_store_close(s);
	scratch_end(dir);
}

/* ---- links, content ------------------------------------------------------ */

static struct lay_view *
linked_view(struct cas_store *s)
{
	struct stv_err *err = NULL;
	struct stv_digest ids[2];
	struct lay_view *v = NULL;
	struct stv_buf b = T_BUF;

	t_dir(&b, "usr/lib", 0755);
	t_file(&b, "usr/lib/real", "below");
	t_sym(&b, "lib", "usr/lib");
	t_sym(&b, "out", "../../../usr/lib/./real");
	t_sym(&b, "abs", "/lib/real");
	t_sym(&b, "dangling", "none/here");
	t_sym(&b, "x", "y");
	t_sym(&b, "y", "x");
	t_hard(&b, "hard", "usr/lib/real");
	ids[0] = t_layer(s, &b);
	b = T_BUF;
	t_file(&b, "usr/lib/new", "above");
	t_file(&b, ".wh.nothing", "");
	ids[1] = t_layer(s, &b);
	ok(lay_view_open(s, ids, 2, &v, &err), err);
	return v;
}

struct way {
	char path[32];
	char real[32];
	bool is_followed;
	int result;
};

Test(view, resolves_links_inside_the_root)
{
	static const struct way ways[] = {
		{"lib/real", "usr/lib/real", true, 1},
		{"/lib/../lib/new", "usr/lib/new", true, 1},
		{"out", "usr/lib/real", true, 1},
		{"out", "out", false, 1},
		{"abs", "usr/lib/real", true, 1},
		{"../../lib", "usr/lib", true, 1},
		{"lib", "lib", false, 1},
		{"dangling", "none/here", true, 0},
		{"dangling", "dangling", false, 1},
		{"dangling/more", "none/here/more", true, 0},
		{"no/way/../out", "no/out", true, 0},
		{"", "", true, 1},
		{"x", "", true, -1},
		{"hard/below", "", true, -1},
	};
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct lay_view *v = linked_view(s);

	for (size_t i = 0; i < STV_ARRAY_LEN(ways); i++) {
		struct stv_err *err = NULL;
		struct lay_entry e;
		char *real = NULL;
		int r = lay_view_resolve(v, ways[i].path, ways[i].is_followed,
					 &real, &e, &err);

		cr_assert_eq(r, ways[i].result, "'%s': %d", ways[i].path, r);
		if (r < 0)
			cr_assert_eq(stv_err_code(err), STV_E_INPUT);
		else
			cr_assert_str_eq(real, ways[i].real, "'%s'",
					 ways[i].path);
		stv_err_free(err);
		free(real);
	}
	lay_view_close(v);
	cas_store_close(s);
	scratch_end(dir);
}

Test(view, reads_files)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct lay_view *v = linked_view(s);
	struct stv_err *err = NULL;
	stv_auto_buf text = T_BUF;
	char bytes[8] = "";
	uint64_t offset, size;
	int fd = -1;

	ok(lay_view_read(v, "lib/new", 5, &text, &err), err);
	cr_assert_str_eq(stv_buf_str(&text), "above");
	cr_assert_eq(lay_view_read(v, "lib/new", 4, &text, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_LIMIT);
	stv_err_clear(&err);
	cr_assert_eq(lay_view_read(v, "lib/none", 4, &text, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_clear(&err);
	cr_assert_eq(lay_view_read(v, "lib", 4, &text, &err), -1);
	cr_assert_eq(stv_err_code(err), STV_E_INPUT);
	stv_err_clear(&err);
	ok(lay_view_open_file(v, "hard", &fd, &offset, &size, &err), err);
	cr_assert_eq(size, 5);
	cr_assert_eq(pread(fd, bytes, 5, (off_t)offset), 5);
	cr_assert_str_eq(bytes, "below");
	(void)close(fd);
	lay_view_close(v);
	cas_store_close(s);
	scratch_end(dir);
}

Test(view, of_no_layers_is_an_empty_root)
{
	char *dir = scratch_dir();
	struct cas_store *s = scratch_open(dir);
	struct stv_err *err = NULL;
	struct lay_view *v = NULL;
	struct lay_entry e;

	ok(lay_view_open(s, NULL, 0, &v, &err), err);
	cr_assert_eq(lay_view_lookup(v, "", &e), 1);
	cr_assert_eq(e.type, LAY_DIR);
	cr_assert_eq(e.mode, 0755);
	cr_assert_eq(lay_view_lookup(v, "etc", &e), 0);
	lay_view_close(v);
	cas_store_close(s);
	scratch_end(dir);
}
