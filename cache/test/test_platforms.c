/* cache/test/test_platforms.c - an index of which a part is here. */
#include "core/buf.h"

#include "cache/platforms.h"
#include "cache/test/scratch.h"

static char *dir;
static struct cas_store *store;

static void
begin(void)
{
	dir = scratch_dir();
	store = scratch_open(dir);
}

static void
end(void)
{
	cas_store_close(store);
	scratch_end(dir);
}

TestSuite(platforms, .init = begin, .fini = end);

/* An image for ${platform}, whose blobs are in the store. */
struct made {
	struct stv_digest manifest;
	struct stv_digest config;
	struct stv_digest layer;
	size_t size;
};

static struct made
make_image(const char *platform)
{
	struct oci_config c = {.config = {.user = NULL}};
	static char manifest_type[] = OCI_MT_MANIFEST;
	static char config_type[] = OCI_MT_CONFIG;
	static char layer_type[] = OCI_MT_LAYER;
	struct oci_manifest m = {.media_type = manifest_type};
	struct oci_descriptor layer = {.media_type = layer_type};
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);
	struct stv_err *err = NULL;
	struct made ret;

	ok(stv_platform_parse(platform, &c.platform, &err), err);
	ret.layer = scratch_blob(store, platform);
	c.diff_ids = &ret.layer;
	c.n_diff_ids = 1;
	oci_config_write(&c, &text);
	ok(cas_blob_put(store, stv_buf_str(&text), text.len, &ret.config, &err),
	   err);
	stv_platform_fini(&c.platform);
	m.config.media_type = config_type;
	m.config.digest = ret.config;
	m.config.size = text.len;
	layer.digest = ret.layer;
	layer.size = strlen(platform);
	m.layers = &layer;
	m.n_layers = 1;
	stv_buf_truncate(&text, 0);
	oci_manifest_write(&m, &text);
	ok(cas_blob_put(store, stv_buf_str(&text), text.len, &ret.manifest,
			&err),
	   err);
	ret.size = text.len;
	return ret;
}

static void
add_line(struct oci_index *x, const struct made *m, const char *platform)
{
	struct oci_descriptor *d = oci_index_add(x);
	struct stv_err *err = NULL;

	d->media_type = stv_xstrdup(OCI_MT_MANIFEST);
	d->digest = m->manifest;
	d->size = m->size;
	if (platform == NULL)
		return;
	ok(stv_platform_parse(platform, &d->platform, &err), err);
	d->has_platform = true;
}

/* An image of the store that is ${x}, with all blobs of ${held}. */
static struct cas_image
put_index(const struct oci_index *x, const struct made *held, size_t n)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);
	struct cas_image img = {.config = held[0].config, .size = 7};
	struct stv_digest blobs[12];
	struct stv_err *err = NULL;

	oci_index_write(x, &text);
	ok(cas_blob_put(store, stv_buf_str(&text), text.len, &img.manifest,
			&err),
	   err);
	for (size_t i = 0; i < n; i++) {
		blobs[3 * i] = held[i].manifest;
		blobs[3 * i + 1] = held[i].config;
		blobs[3 * i + 2] = held[i].layer;
	}
	ok(cas_image_put(store, &img, blobs, 3 * n, NULL, &err), err);
	return img;
}

static int
find(const struct cas_image *img, const char *platform, struct cas_image *ret)
{
	struct stv_platform p = {0};
	struct stv_err *err = NULL;
	int r;

	ok(stv_platform_parse(platform, &p, &err), err);
	r = cas_image_for(store, img, &p, ret, &err);
	stv_platform_fini(&p);
	ok(r, err);
	return r;
}

Test(platforms, what_the_image_does_not_keep_is_not_here)
{
	struct made a = make_image("linux/amd64"),
		    b = make_image("linux/arm64");
	stv_auto(oci_index) *x = stv_xcalloc(1, sizeof(*x));
	struct stv_err *err = NULL;
	cas_auto_parts parts = {NULL};
	struct cas_image img, got;

	x->media_type = stv_xstrdup(OCI_MT_INDEX);
	add_line(x, &a, "linux/amd64");
	add_line(x, &b, "linux/arm64");
	img = put_index(x, &a, 1);
	cr_assert_eq(find(&img, "linux/amd64", &got), 1);
	cr_expect(stv_digest_equal(&got.config, &a.config));
	cr_expect_eq(got.size, 7);
	/* all of it lies in the store, but may go */
	cr_expect_eq(find(&img, "linux/arm64", &got), 0);
	cr_expect_eq(find(&img, "linux/s390x", &got), 0);
	ok(cas_parts_read(store, &img.manifest, &parts, &err), err);
	cr_expect_eq(parts.len, 2);
	cr_expect_eq(cas_parts_count(&parts), 1);
	cr_expect_not(cas_parts_whole(&parts));
	/* putting it again adds what it keeps */
	(void)put_index(x, (struct made[]){a, b}, 2);
	cr_assert_eq(find(&img, "linux/arm64", &got), 1);
	cr_expect(stv_digest_equal(&got.config, &b.config));
	cr_expect(stv_digest_equal(&got.manifest, &img.manifest));
	cas_parts_fini(&parts);
	ok(cas_parts_read(store, &img.manifest, &parts, &err), err);
	cr_expect(cas_parts_whole(&parts));
	cr_expect_eq(cas_parts_count(&parts), 2);
}

Test(platforms, one_layer_less_is_not_here)
{
	struct made a = make_image("linux/amd64");
	stv_auto(oci_index) *x = stv_xcalloc(1, sizeof(*x));
	struct cas_image img, got;
	struct made less = a;

	x->media_type = stv_xstrdup(OCI_MT_INDEX);
	add_line(x, &a, "linux/amd64");
	less.layer = a.config;
	img = put_index(x, &less, 1);
	cr_expect_eq(find(&img, "linux/amd64", &got), 0);
}

Test(platforms, an_index_in_an_index)
{
	struct made a = make_image("linux/amd64"), inner = a;
	stv_auto(oci_index) *x = stv_xcalloc(1, sizeof(*x));
	stv_auto(oci_index) *outer = stv_xcalloc(1, sizeof(*outer));
	struct stv_err *err = NULL;
	cas_auto_parts parts = {NULL};
	struct cas_image img, got;

	x->media_type = stv_xstrdup(OCI_MT_INDEX);
	add_line(x, &a, "linux/amd64");
	inner.manifest = put_index(x, &a, 1).manifest;
	outer->media_type = stv_xstrdup(OCI_MT_INDEX);
	add_line(outer, &inner, NULL);
	img = put_index(outer, (struct made[]){a, inner}, 2);
	cr_assert_eq(find(&img, "linux/amd64", &got), 1);
	ok(cas_parts_read(store, &img.manifest, &parts, &err), err);
	cr_assert_eq(parts.len, 2);
	cr_expect_not(parts.v[0].is_index);
	cr_expect(parts.v[1].is_index);
	cr_expect_eq(cas_parts_count(&parts), 1);
	cr_expect(cas_parts_whole(&parts));
}

Test(platforms, one_manifest_has_the_platform_of_its_config)
{
	struct made a = make_image("linux/arm/v7");
	struct cas_image img = {.manifest = a.manifest, .config = a.config},
			 got;
	struct stv_digest blobs[] = {a.layer};
	cas_auto_parts parts = {NULL};
	struct stv_err *err = NULL;

	ok(cas_image_put(store, &img, blobs, 1, NULL, &err), err);
	ok(cas_parts_read(store, &img.manifest, &parts, &err), err);
	cr_expect_not(parts.is_index);
	cr_assert_eq(cas_parts_count(&parts), 1);
	cr_expect_str_eq(parts.v[0].manifest.platform.arch, "arm");
	cr_expect_eq(find(&img, "linux/arm/v7", &got), 1);
	cr_expect_eq(find(&img, "linux/arm/v6", &got), 0);
}
