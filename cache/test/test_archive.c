/* cache/test/test_archive.c - save, load, import: what leaves comes back. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/codec.h"
#include "core/event.h"
#include "core/oci.h"

#include "cache/archive_load.h"
#include "cache/archive_save.h"
#include "cache/test/layer_fixture.h"

#define TAG_A "docker.io/library/a:latest"
#define TAG_B "quay.example/team/b:1.2"

static char *dir, *other_dir;
static struct cas_store *store, *other;

static void
begin(void)
{
	dir = scratch_dir();
	other_dir = scratch_dir();
	store = scratch_open(dir);
	other = scratch_open(other_dir);
}

static void
end(void)
{
	cas_store_close(store);
	cas_store_close(other);
	scratch_end(dir);
	scratch_end(other_dir);
}

TestSuite(archive, .init = begin, .fini = end);

/* ---- helpers ---------------------------------------------------------- */

static char *
normalize(const char *name, struct stv_err **err)
{
	for (const char *p = name; *p != '\0'; p++)
		if (isupper((unsigned char)*p) || *p == ' ') {
			(void)stv_fail(err, STV_E_USAGE, "no name");
			return NULL;
		}
	return stv_xasprintf(
		"%s%s%s", strchr(name, '/') == NULL ? "docker.io/library/" : "",
		name, strchr(name, ':') == NULL ? ":latest" : "");
}

/* A store's image of two layers; the second as gzip if asked. */
static struct cas_image
make_image(struct cas_store *s, const char *text, bool is_gzip,
	   const struct stv_strs *tags)
{
	struct oci_config *c = stv_xcalloc(1, sizeof(*c));
	struct stv_err *err = NULL;
	struct stv_buf tar = T_BUF;
	struct stv_digest id;
	struct cas_image img;

	stv_platform_host(&c->platform);
	t_file(&tar, "common", "the same in all");
	id = t_layer(s, &tar);
	oci_config_add_diff_id(c, &id);
	tar = T_BUF;
	t_dir(&tar, "etc", 0755);
	t_file(&tar, "etc/text", text);
	if (is_gzip) {
		struct stv_buf gz = T_BUF;
		struct stv_sink *buf = stv_sink_buf(&gz, "gzip");
		struct stv_sink *sink = stv_sink_gzip(buf, true);

		t_end(&tar);
		ok(sink->write(sink, tar.data, tar.len, &err), err);
		ok(stv_codec_end(sink, &err), err);
		stv_sink_close(sink);
		stv_sink_close(buf);
		cr_assert_eq(t_receive(s, &gz, &id, NULL), -1);
		stv_buf_fini(&gz);
		stv_buf_fini(&tar);
	} else {
		id = t_layer(s, &tar);
	}
	oci_config_add_diff_id(c, &id);
	ok(cas_commit_image(s, c, tags, &img, &err), err);
	oci_config_free(c);
	return img;
}

static struct stv_buf
save(const struct cas_image *img, const struct stv_strs *names,
     enum cas_archive_format format)
{
	struct cas_save_image item = {.manifest = img->manifest};
	struct stv_buf out = T_BUF;
	struct stv_sink *sink = stv_sink_buf(&out, "archive");
	struct stv_err *err = NULL;

	stv_strs_copy(&item.names, names);
	ok(cas_save(store, &item, 1, format, sink, &err), err);
	stv_strs_clear(&item.names);
	stv_sink_close(sink);
	return out;
}

/* Notes of tags that moved. */
struct notes {
	struct stv_listener base;
	size_t n;
	char last[512];
};

static void
on_event(struct stv_listener *self, const struct stv_event *ev)
{
	struct notes *notes = (struct notes *)self;

	cr_expect_eq(ev->kind, STV_EV_NOTE);
	notes->n++;
	(void)snprintf(notes->last, sizeof(notes->last), "%s", ev->text);
}

static int
load_noting(struct cas_store *s, const struct stv_buf *tar,
	    struct cas_loaded *ret, struct notes *notes)
{
	struct cas_load_opts opts = {normalize, notes ? &notes->base : NULL};
	struct stv_in *in = stv_in_mem(tar->data, tar->len);
	struct stv_err *err = NULL;
	int code = -1;

	if (cas_load(s, in, &opts, ret, &err) < 0) {
		code = (int)stv_err_code(err);
		cr_expect_eq(ret->n, 0);
	}
	stv_err_free(err);
	stv_in_close(in);
	return code;
}

/* -1, or the code of the error; then no image may be visible. */
static int
load(const struct stv_buf *tar, struct cas_loaded *ret)
{
	return load_noting(other, tar, ret, NULL);
}

static int
count_image(void *arg, const struct cas_image *img)
{
	(void)img;
	++*(size_t *)arg;
	return 0;
}

static size_t
n_images(struct cas_store *s)
{
	struct stv_err *err = NULL;
	size_t n = 0;

	ok(cas_image_each(s, count_image, &n, &err), err);
	return n;
}

static void
expect_refused(const struct stv_buf *tar, enum stv_code code, const char *why)
{
	struct cas_loaded got;
	int r = load(tar, &got);

	cr_expect_eq(r, (int)code, "%s: code %d", why, r);
	cr_expect_eq(n_images(other), 0, "%s", why);
}

/* ---- round trips ------------------------------------------------------ */

struct trip {
	enum cas_archive_format format;
	bool is_gzip;
};

ParameterizedTestParameters(archive, what_leaves_comes_back)
{
	static struct trip rows[] = {
		{CAS_ARCHIVE_BOTH, false},   {CAS_ARCHIVE_BOTH, true},
		{CAS_ARCHIVE_OCI, false},    {CAS_ARCHIVE_OCI, true},
		{CAS_ARCHIVE_DOCKER, false}, {CAS_ARCHIVE_DOCKER, true},
	};

	return cr_make_param_array(struct trip, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct trip *t, archive, what_leaves_comes_back)
{
	struct stv_strs tags = {0};
	struct cas_image img, found;
	struct cas_loaded got;
	struct stv_err *err = NULL;
	struct stv_buf tar;

	stv_strs_add(&tags, TAG_A);
	stv_strs_add(&tags, TAG_B);
	img = make_image(store, "hello", t->is_gzip, &tags);
	tar = save(&img, &tags, t->format);
	cr_assert_eq(load(&tar, &got), -1);
	cr_assert_eq(got.n, 1);
	cr_expect(stv_digest_equal(&got.images[0].image.config, &img.config));
	cr_expect_eq(got.images[0].image.size, img.size);
	/* A docker archive has no manifest, and plain layers only. */
	if (t->format != CAS_ARCHIVE_DOCKER || !t->is_gzip)
		cr_expect(stv_digest_equal(&got.images[0].image.manifest,
					   &img.manifest));
	for (size_t i = 0; i < tags.len; i++) {
		cr_assert_eq(cas_tag_get(other, tags.v[i], &found, &err), 1,
			     "%s", tags.v[i]);
		cr_expect(stv_digest_equal(&found.config, &img.config));
	}
	cr_expect_eq(got.images[0].tags.len, 2);
	cas_loaded_fini(&got);
	stv_buf_fini(&tar);
	stv_strs_clear(&tags);
}

Test(archive, the_same_image_gives_the_same_bytes)
{
	struct stv_strs tags = {0};
	struct cas_image img;
	struct stv_buf a, b;

	stv_strs_add(&tags, TAG_A);
	img = make_image(store, "hello", false, &tags);
	a = save(&img, &tags, CAS_ARCHIVE_BOTH);
	b = save(&img, &tags, CAS_ARCHIVE_BOTH);
	cr_assert_eq(a.len, b.len);
	cr_expect_eq(memcmp(a.data, b.data, a.len), 0);
	stv_buf_fini(&a);
	stv_buf_fini(&b);
	stv_strs_clear(&tags);
}

Test(archive, several_images_share_their_blobs)
{
	struct cas_save_image items[2] = {0};
	struct stv_buf out = T_BUF;
	struct stv_sink *sink = stv_sink_buf(&out, "archive");
	struct cas_loaded got;
	struct stv_err *err = NULL;

	items[0].manifest = make_image(store, "one", false, NULL).manifest;
	items[1].manifest = make_image(store, "two", false, NULL).manifest;
	stv_strs_add(&items[0].names, TAG_A);
	ok(cas_save(store, items, 2, CAS_ARCHIVE_BOTH, sink, &err), err);
	stv_sink_close(sink);
	cr_assert_eq(load(&out, &got), -1);
	cr_expect_eq(got.n, 2);
	cr_expect_eq(got.images[0].tags.len + got.images[1].tags.len, 1);
	/* 2 manifests, 2 configs, 3 layers */
	cr_expect_eq(scratch_count(other_dir, "blobs/sha256"), 7);
	cas_loaded_fini(&got);
	stv_strs_clear(&items[0].names);
	stv_buf_fini(&out);
}

Test(archive, a_directory_is_an_oci_layout)
{
	struct cas_save_image item = {0};
	struct stv_err *err = NULL;
	char *out = scratch_dir();
	int fd = open(out, O_RDONLY | O_DIRECTORY);

	item.manifest = make_image(store, "one", true, NULL).manifest;
	ok(cas_save_dir(store, &item, 1, fd, &err), err);
	cr_expect_eq(scratch_count(out, "blobs/sha256"), 4);
	cr_expect_eq(access(scratch_path(out, "index.json"), F_OK), 0);
	cr_expect_eq(access(scratch_path(out, "oci-layout"), F_OK), 0);
	cr_expect_eq(access(scratch_path(out, "manifest.json"), F_OK), -1);
	(void)close(fd);
	scratch_end(out);
}

/* "blobs/sha256/<hex of d>", or as docker's archive has it. */
static bool
holds(const struct stv_buf *tar, const char *head, const struct stv_digest *d)
{
	char hex[STV_DIGEST_STR_MAX], name[128];

	(void)snprintf(name, sizeof(name), "%s%s", head,
		       stv_digest_hex(d, hex));
	for (size_t at = 0; at < tar->len; at += 512)
		if (strncmp(tar->data + at, name, strlen(name)) == 0)
			return true;
	return false;
}

Test(archive, what_the_reader_has_is_left_out)
{
	static const struct {
		enum cas_archive_format format;
		char head[16];
	} rows[] = {{CAS_ARCHIVE_OCI, "blobs/sha256/"},
		    {CAS_ARCHIVE_DOCKER, ""}};
	struct cas_image img = make_image(store, "one", false, NULL);
	struct stv_err *err = NULL;
	struct oci_config *c = NULL;
	struct stv_buf text = T_BUF;

	ok(cas_blob_read(store, &img.config, 1 << 20, &text, &err), err);
	ok(oci_config_parse(text.data, text.len, &c, &err), err);
	for (size_t i = 0; i < STV_ARRAY_LEN(rows); i++) {
		static const bool first[] = {true, false};
		struct cas_save_image item = {.manifest = img.manifest,
					      .left_out = first};
		struct stv_buf out = T_BUF;
		struct stv_sink *sink = stv_sink_buf(&out, "archive");

		ok(cas_save(store, &item, 1, rows[i].format, sink, &err), err);
		cr_expect(!holds(&out, rows[i].head, &c->diff_ids[0]));
		cr_expect(holds(&out, rows[i].head, &c->diff_ids[1]));
		cr_expect(holds(&out, rows[i].head, &img.config));
		stv_sink_close(sink);
		stv_buf_fini(&out);
	}
	oci_config_free(c);
	stv_buf_fini(&text);
}

/* One layer twice, of which the reader has the lower one only. */
Test(archive, a_layer_that_is_needed_once_is_not_left_out)
{
	static const bool first[] = {true, false};
	struct oci_config *c = stv_xcalloc(1, sizeof(*c));
	struct cas_save_image item = {.left_out = first};
	struct stv_buf tar = T_BUF, out = T_BUF;
	struct stv_sink *sink = stv_sink_buf(&out, "archive");
	struct stv_err *err = NULL;
	struct stv_digest id;
	struct cas_image img;

	stv_platform_host(&c->platform);
	t_file(&tar, "same", "same");
	id = t_layer(store, &tar);
	oci_config_add_diff_id(c, &id);
	oci_config_add_diff_id(c, &id);
	ok(cas_commit_image(store, c, NULL, &img, &err), err);
	item.manifest = img.manifest;
	ok(cas_save(store, &item, 1, CAS_ARCHIVE_DOCKER, sink, &err), err);
	cr_expect(holds(&out, "", &id));
	stv_sink_close(sink);
	stv_buf_fini(&out);
	oci_config_free(c);
}

Test(archive, a_view_is_a_layout_with_the_blobs_of_the_store)
{
	struct cas_save_image item = {0};
	struct cas_image img = make_image(store, "one", true, NULL);
	char *name = NULL, hex[STV_DIGEST_STR_MAX], path[128];
	struct stv_err *err = NULL;
	struct stv_buf text = T_BUF;
	int fd = -1;

	item.manifest = img.manifest;
	(void)make_image(store, "another", true, NULL);
	ok(cas_save_view(store, &item, 1, &name, &fd, &err), err);
	(void)snprintf(path, sizeof(path), "blobs/sha256/%s",
		       stv_digest_hex(&img.manifest, hex));
	cr_expect_eq(faccessat(fd, path, F_OK, 0), 0);
	cr_expect_eq(faccessat(fd, "oci-layout", F_OK, 0), 0);
	ok(stv_fsat_read_file(fd, "index.json", 1 << 20, &text, &err), err);
	cr_expect_not_null(strstr(stv_buf_str(&text), hex));
	cr_expect_null(
		strstr(strstr(stv_buf_str(&text), "digest") + 1, "digest"),
		"it has one image");
	/* It goes, and the blobs stay. */
	ok(stv_fsat_remove_tree(cas_store_rootfd(store), name, &err), err);
	cr_expect(cas_blob_has(store, &img.manifest));
	(void)close(fd);
	free(name);
	stv_buf_fini(&text);
}

Test(archive, a_damaged_blob_is_not_handed_on)
{
	struct cas_save_image item = {0};
	struct cas_image img = make_image(store, "one", false, NULL);
	struct stv_buf out = T_BUF;
	struct stv_sink *sink = stv_sink_buf(&out, "archive");
	char path[4096], hex[STV_DIGEST_STR_MAX];
	struct stv_err *err = NULL;
	int fd;

	item.manifest = img.manifest;
	(void)snprintf(path, sizeof(path), "%s/blobs/sha256/%s", dir,
		       stv_digest_hex(&img.config, hex));
	(void)chmod(path, 0600);
	fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, "[", 1, 0), 1);
	(void)close(fd);
	cr_expect_eq(cas_save(store, &item, 1, CAS_ARCHIVE_OCI, sink, &err),
		     -1);
	cr_expect_eq(stv_err_code(err), STV_E_DIGEST);
	stv_err_free(err);
	stv_sink_close(sink);
	stv_buf_fini(&out);
}

Test(archive, a_tag_that_moves_is_said)
{
	struct notes notes = {.base = {on_event}, .n = 0};
	struct cas_image old, img;
	struct stv_strs tags = {0};
	char str[STV_DIGEST_STR_MAX];
	struct cas_loaded got;
	struct stv_buf tar;

	stv_strs_add(&tags, TAG_A);
	old = make_image(other, "old", false, &tags);
	stv_strs_add(&tags, TAG_B);
	img = make_image(store, "new", false, &tags);
	tar = save(&img, &tags, CAS_ARCHIVE_BOTH);
	cr_assert_eq(load_noting(other, &tar, &got, &notes), -1);
	cr_expect_eq(notes.n, 1, "one of two moves");
	cr_expect(strstr(notes.last, TAG_A) != NULL);
	cr_expect(strstr(notes.last, stv_digest_str(&old.config, str)) != NULL);
	cr_expect(strstr(notes.last, stv_digest_str(&img.config, str)) != NULL);
	cas_loaded_fini(&got);
	cr_assert_eq(load_noting(other, &tar, &got, &notes), -1);
	cr_expect_eq(notes.n, 1, "it is there already");
	cas_loaded_fini(&got);
	stv_buf_fini(&tar);
	stv_strs_clear(&tags);
}

/* ---- archives of other tools ------------------------------------------ */

/* A layer's tar and its diff ID as text. */
static struct stv_digest
layer_tar(struct stv_buf *ret, const char *text, char str[STV_DIGEST_STR_MAX])
{
	struct stv_digest d;

	*ret = T_BUF;
	t_file(ret, "file", text);
	t_end(ret);
	d = stv_digest_of(ret->data, ret->len);
	(void)stv_digest_str(&d, str);
	return d;
}

static void
put_bytes(struct stv_buf *tar, const char *name, const struct stv_buf *body)
{
	t_entry(tar, (struct t_head){.name = name,
				     .body = body->data,
				     .body_len = body->len});
}

/* docker 1.10 to 24: <id>/layer.tar, a link where a layer comes twice. */
Test(archive, the_old_docker_form_is_read)
{
	struct stv_buf tar = T_BUF, layer;
	char id[STV_DIGEST_STR_MAX];
	struct cas_loaded got;
	char *config;

	(void)layer_tar(&layer, "x", id);
	config = stv_xasprintf("{\"architecture\":\"amd64\",\"os\":\"linux\","
			       "\"rootfs\":{\"type\":\"layers\","
			       "\"diff_ids\":[\"%s\",\"%s\"]}}",
			       id, id);
	t_dir(&tar, "aa/", 0755);
	t_file(&tar, "aa/VERSION", "1.0");
	t_file(&tar, "aa/json", "{\"id\":\"aa\"}");
	put_bytes(&tar, "aa/layer.tar", &layer);
	t_dir(&tar, "bb/", 0755);
	t_sym(&tar, "bb/layer.tar", "../aa/layer.tar");
	t_file(&tar, "c0ffee.json", config);
	t_file(&tar, "manifest.json",
	       "[{\"Config\":\"c0ffee.json\",\"RepoTags\":[\"old:1\"],"
	       "\"Layers\":[\"aa/layer.tar\",\"bb/layer.tar\"]}]");
	t_file(&tar, "repositories", "{\"old\":{\"1\":\"bb\"}}");
	t_end(&tar);
	cr_assert_eq(load(&tar, &got), -1);
	cr_assert_eq(got.n, 1);
	cr_assert_eq(got.images[0].tags.len, 1);
	cr_expect_str_eq(got.images[0].tags.v[0], "docker.io/library/old:1");
	cr_expect_eq(got.images[0].image.size, 2 * layer.len);
	cas_loaded_fini(&got);
	stv_buf_fini(&layer);
	stv_buf_fini(&tar);
	free(config);
}

/* The parts of a small OCI layout, each of which a case may spoil. */
struct layout {
	struct stv_buf layer;
	char diff[STV_DIGEST_STR_MAX];
	char *config;
	char *manifest;
	char *index;
};

static char *
blob_path(const void *p, size_t n)
{
	struct stv_digest d = stv_digest_of(p, n);
	char hex[STV_DIGEST_STR_MAX];

	return stv_xasprintf("blobs/sha256/%s", stv_digest_hex(&d, hex));
}

static const char *
digest_str(const char *text)
{
	static char str[4][STV_DIGEST_STR_MAX];
	static size_t i;
	struct stv_digest d = stv_digest_of(text, strlen(text));

	i = (i + 1) % 4;
	return stv_digest_str(&d, str[i]);
}

/* The index of the manifest as it is now. */
static void
make_index(struct layout *l)
{
	free(l->index);
	l->index = stv_xasprintf(
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
		"\"" OCI_MT_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu,"
		"\"annotations\":{\"io.containerd.image.name\":\"x:1\"}}]}",
		digest_str(l->manifest), strlen(l->manifest));
}

/*
 * ${diff}: what the config says the layer is, NULL: the truth.  ${extra} is
 * put into the manifest's object.
 */
static void
make_layout(struct layout *l, const char *diff, const char *extra)
{
	(void)layer_tar(&l->layer, "x", l->diff);
	l->config = stv_xasprintf(
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{"
		"\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
		diff == NULL ? l->diff : diff);
	l->manifest = stv_xasprintf(
		"{\"schemaVersion\":2,%s\"config\":{\"mediaType\":"
		"\"" OCI_MT_CONFIG "\",\"digest\":\"%s\",\"size\":%zu},"
		"\"layers\":[{\"mediaType\":\"" OCI_MT_LAYER "\",\"digest\":"
		"\"%s\",\"size\":%zu}]}",
		extra, digest_str(l->config), strlen(l->config), l->diff,
		l->layer.len);
	l->index = NULL;
	make_index(l);
}

static void
layout_fini(struct layout *l)
{
	stv_buf_fini(&l->layer);
	free(l->config);
	free(l->manifest);
	free(l->index);
}

enum { P_LAYER = 1, P_CONFIG = 2, P_MANIFEST = 4, P_INDEX = 8, P_ALL = 15 };

static void
put_text(struct stv_buf *tar, const char *name, const char *text)
{
	t_file(tar, name, text);
}

/* The layout's files, the index first or last. */
static struct stv_buf
layout_tar(const struct layout *l, int parts, bool is_index_first)
{
	struct stv_buf tar = T_BUF;
	char *path;

	if (is_index_first && (parts & P_INDEX) != 0)
		put_text(&tar, "./index.json", l->index);
	path = blob_path(l->layer.data, l->layer.len);
	if ((parts & P_LAYER) != 0)
		put_bytes(&tar, path, &l->layer);
	free(path);
	path = blob_path(l->config, strlen(l->config));
	if ((parts & P_CONFIG) != 0)
		put_text(&tar, path, l->config);
	free(path);
	path = blob_path(l->manifest, strlen(l->manifest));
	if ((parts & P_MANIFEST) != 0)
		put_text(&tar, path, l->manifest);
	free(path);
	if (!is_index_first && (parts & P_INDEX) != 0)
		put_text(&tar, "index.json", l->index);
	t_end(&tar);
	return tar;
}

Test(archive, files_may_come_in_any_order)
{
	for (int i = 0; i < 2; i++) {
		struct cas_loaded got;
		struct layout l;
		struct stv_buf tar;

		make_layout(&l, NULL, "");
		tar = layout_tar(&l, P_ALL, i == 0);
		cr_assert_eq(load(&tar, &got), -1);
		cr_assert_eq(got.n, 1);
		cr_expect_str_eq(got.images[0].tags.v[0],
				 "docker.io/library/x:1");
		cas_loaded_fini(&got);
		stv_buf_fini(&tar);
		layout_fini(&l);
	}
}

Test(archive, one_that_lacks_a_part_is_refused)
{
	static const int missing[] = {P_LAYER, P_CONFIG, P_MANIFEST, P_INDEX};

	for (size_t i = 0; i < STV_ARRAY_LEN(missing); i++) {
		struct layout l;
		struct stv_buf tar;

		make_layout(&l, NULL, "");
		tar = layout_tar(&l, P_ALL & ~missing[i], false);
		expect_refused(&tar, STV_E_INPUT, "missing part");
		stv_buf_fini(&tar);
		layout_fini(&l);
	}
}

Test(archive, a_config_that_lies_about_a_layer_is_refused)
{
	struct layout l;
	struct stv_buf tar;

	make_layout(&l, digest_str("another"), "");
	tar = layout_tar(&l, P_ALL, false);
	expect_refused(&tar, STV_E_DIGEST, "THREATS C10");
	stv_buf_fini(&tar);
	layout_fini(&l);
}

/* Make the next "size" behind ${text} a lie of the same length. */
static void
lie(char *text)
{
	char *at = strstr(text, "\"size\":") + strlen("\"size\":");

	at[0] = at[0] == '9' ? '8' : (char)(at[0] + 1);
}

Test(archive, a_descriptor_with_another_size_is_refused)
{
	static const char *const of[] = {"manifest", "config", "layer"};

	for (size_t i = 0; i < STV_ARRAY_LEN(of); i++) {
		struct layout l;
		struct stv_buf tar;

		make_layout(&l, NULL, "");
		if (i == 0) {
			lie(l.index);
		} else {
			lie(i == 1 ? l.manifest
				   : strstr(l.manifest, "\"layers\""));
			make_index(&l);
		}
		tar = layout_tar(&l, P_ALL, false);
		expect_refused(&tar, STV_E_INPUT, of[i]); /* THREATS C08 */
		stv_buf_fini(&tar);
		layout_fini(&l);
	}
}

Test(archive, a_manifest_that_is_an_index_too_is_refused)
{
	struct layout l;
	struct stv_buf tar;

	make_layout(&l, NULL, "\"manifests\":[],");
	tar = layout_tar(&l, P_ALL, false);
	expect_refused(&tar, STV_E_PROTOCOL, "THREATS C09");
	stv_buf_fini(&tar);
	layout_fini(&l);
}

Test(archive, a_blob_with_another_name_is_refused)
{
	struct stv_buf tar = T_BUF;
	char *path = blob_path("y", 1);

	put_text(&tar, path, "{}");
	t_end(&tar);
	expect_refused(&tar, STV_E_DIGEST, "THREATS C08");
	stv_buf_truncate(&tar, 0);
	put_text(&tar, "blobs/sha256/..%2f", "{}");
	t_end(&tar);
	expect_refused(&tar, STV_E_DIGEST, "THREATS C06");
	stv_buf_fini(&tar);
	free(path);
}

Test(archive, hostile_names_are_refused_or_inert)
{
	struct stv_buf tar = T_BUF;

	put_text(&tar, "a/../../../../tmp/stave-canary", "{}");
	t_end(&tar);
	expect_refused(&tar, STV_E_INPUT, "..");
	stv_buf_truncate(&tar, 0);
	put_text(&tar, "manifest.json", "[]");
	put_text(&tar, "manifest.json", "[ ]");
	t_end(&tar);
	expect_refused(&tar, STV_E_INPUT, "two files of one name");
	stv_buf_truncate(&tar, 0);
	t_sym(&tar, "manifest.json", "manifest.json");
	t_end(&tar);
	expect_refused(&tar, STV_E_INPUT, "link to itself");
	stv_buf_truncate(&tar, 0);
	t_sym(&tar, "manifest.json", "/etc/passwd");
	t_end(&tar);
	expect_refused(&tar, STV_E_INPUT, "link out of the archive");
	stv_buf_fini(&tar);
}

Test(archive, a_name_that_is_none_is_refused)
{
	struct layout l;
	struct stv_buf tar;
	char *at;

	make_layout(&l, NULL, "");
	at = strstr(l.index, "x:1");
	at[0] = 'X';
	tar = layout_tar(&l, P_ALL, false);
	expect_refused(&tar, STV_E_USAGE, "upper case");
	stv_buf_fini(&tar);
	layout_fini(&l);
}

Test(archive, what_is_no_archive_is_said)
{
	struct stv_buf tar = T_BUF;
	struct cas_loaded got;

	t_file(&tar, "etc/passwd", "root:x:0:0");
	t_end(&tar);
	expect_refused(&tar, STV_E_INPUT, "a root file system");
	stv_buf_truncate(&tar, 0);
	stv_buf_adds(&tar, "this is plain text");
	expect_refused(&tar, STV_E_INPUT, "text");
	stv_buf_truncate(&tar, 0);
	cr_expect_neq(load(&tar, &got), -1, "nothing at all");
	stv_buf_fini(&tar);
}

Test(archive, one_that_is_cut_off_is_refused)
{
	struct layout l;
	struct stv_buf tar;
	size_t len;

	make_layout(&l, NULL, "");
	tar = layout_tar(&l, P_ALL, false);
	/* The last two blocks are the end mark. */
	len = tar.len - 1024;
	for (size_t n = 0; n < len; n += 256) {
		struct stv_buf cut = T_BUF;
		struct cas_loaded got;

		stv_buf_add(&cut, tar.data, n);
		cr_expect_neq(load(&cut, &got), -1, "cut at %zu", n);
		cr_expect_eq(n_images(other), 0);
		stv_buf_fini(&cut);
	}
	stv_buf_fini(&tar);
	layout_fini(&l);
}

/* Any flipped byte is refused, or changes nothing of the image. */
Test(archive, a_flipped_byte_never_makes_another_image)
{
	struct layout l;
	struct stv_buf tar;
	struct stv_digest want;

	make_layout(&l, NULL, "");
	tar = layout_tar(&l, P_ALL, false);
	want = stv_digest_of(l.manifest, strlen(l.manifest));
	for (size_t i = 0; i < tar.len; i += 61) {
		struct cas_loaded got;

		tar.data[i] ^= 4;
		if (load(&tar, &got) == -1) {
			for (size_t j = 0; j < got.n; j++)
				cr_expect(stv_digest_equal(
					&got.images[j].image.manifest, &want));
			cas_loaded_fini(&got);
		}
		tar.data[i] ^= 4;
	}
	stv_buf_fini(&tar);
	layout_fini(&l);
}

/* An index in an index in an index ... of which each is there. */
Test(archive, indexes_are_not_nested_without_end)
{
	struct layout l;
	struct stv_buf tar = T_BUF;
	char *inner, *path;

	make_layout(&l, NULL, "");
	path = blob_path(l.layer.data, l.layer.len);
	put_bytes(&tar, path, &l.layer);
	free(path);
	path = blob_path(l.config, strlen(l.config));
	put_text(&tar, path, l.config);
	free(path);
	path = blob_path(l.manifest, strlen(l.manifest));
	put_text(&tar, path, l.manifest);
	free(path);
	inner = stv_xstrdup(l.index);
	for (int i = 0; i < 6; i++) {
		char *next = stv_xasprintf(
			"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
			"\"" OCI_MT_INDEX "\",\"digest\":\"%s\",\"size\":%zu}]"
			"}",
			digest_str(inner), strlen(inner));

		path = blob_path(inner, strlen(inner));
		put_text(&tar, path, inner);
		free(path);
		free(inner);
		inner = next;
	}
	put_text(&tar, "index.json", inner);
	t_end(&tar);
	expect_refused(&tar, STV_E_LIMIT, "THREATS C12");
	free(inner);
	stv_buf_fini(&tar);
	layout_fini(&l);
}

/* 'docker save' of one platform: the index names what is not there. */
Test(archive, an_index_may_name_what_the_archive_leaves_out)
{
	struct cas_loaded got;
	struct stv_digest want;
	struct layout l;
	struct stv_buf tar;
	char *index, *path;

	make_layout(&l, NULL, "");
	tar = layout_tar(&l, P_LAYER | P_CONFIG | P_MANIFEST, false);
	stv_buf_truncate(&tar, tar.len - 1024);
	index = stv_xasprintf(
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_MT_INDEX "\","
		"\"manifests\":[{\"mediaType\":\"" OCI_MT_MANIFEST "\","
		"\"digest\":\"%s\",\"size\":7},{\"mediaType\":"
		"\"" OCI_MT_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu}]}",
		digest_str("missing"), digest_str(l.manifest),
		strlen(l.manifest));
	path = blob_path(index, strlen(index));
	put_text(&tar, path, index);
	free(path);
	path = stv_xasprintf("{\"schemaVersion\":2,\"manifests\":[{"
			     "\"mediaType\":\"" OCI_MT_INDEX "\",\"digest\":"
			     "\"%s\",\"size\":%zu}]}",
			     digest_str(index), strlen(index));
	put_text(&tar, "index.json", path);
	t_end(&tar);
	cr_assert_eq(load(&tar, &got), -1);
	cr_assert_eq(got.n, 1);
	want = stv_digest_of(index, strlen(index));
	cr_expect(stv_digest_equal(&got.images[0].image.manifest, &want));
	want = stv_digest_of(l.config, strlen(l.config));
	cr_expect(stv_digest_equal(&got.images[0].image.config, &want));
	cas_loaded_fini(&got);
	free(path);
	free(index);
	stv_buf_fini(&tar);
	layout_fini(&l);
}

Test(archive, a_root_file_system_becomes_an_image)
{
	struct oci_config *c = stv_xcalloc(1, sizeof(*c));
	struct stv_strs tags = {0};
	struct stv_buf tar = T_BUF;
	struct cas_image img, found;
	struct stv_err *err = NULL;
	struct stv_in *in;

	stv_platform_host(&c->platform);
	t_dir(&tar, "./", 0755);
	t_file(&tar, "./hello", "hello");
	t_end(&tar);
	stv_strs_add(&tags, TAG_A);
	in = stv_in_mem(tar.data, tar.len);
	ok(cas_import(store, in, c, &tags, &img, &err), err);
	cr_expect_eq(c->n_diff_ids, 1);
	cr_expect_eq(img.size, tar.len);
	cr_assert_eq(cas_tag_get(store, TAG_A, &found, &err), 1);
	cr_expect(stv_digest_equal(&found.config, &img.config));
	stv_in_close(in);
	oci_config_free(c);
	stv_buf_fini(&tar);
	stv_strs_clear(&tags);
}
