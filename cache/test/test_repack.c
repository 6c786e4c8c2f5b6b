/* cache/test/test_repack.c - images in the form that an export wants. */
#include <criterion/criterion.h>

#include "core/codec.h"
#include "core/oci.h"

#include "cache/archive_load.h"
#include "cache/gc.h"
#include "cache/layer_compress.h"
#include "cache/repack.h"
#include "cache/test/layer_fixture.h"

static char *dir;
static struct cas_store *store;
static struct stv_digest plain_id, gzip_id;

/* An image of two layers: one lies here plain, one as it came, by ISA-L. */
static struct cas_image
make_image(void)
{
	struct oci_config *c = stv_xcalloc(1, sizeof(*c));
	struct stv_buf tar = T_BUF, gz = T_BUF;
	struct stv_sink *buf = stv_sink_buf(&gz, "gzip");
	struct stv_sink *sink = stv_sink_gzip(buf, false);
	struct stv_err *err = NULL;
	struct cas_image img;

	stv_platform_host(&c->platform);
	t_file(&tar, "base", "came compressed");
	t_end(&tar);
	ok(sink->write(sink, tar.data, tar.len, &err), err);
	ok(stv_codec_end(sink, &err), err);
	stv_sink_close(sink);
	stv_sink_close(buf);
	cr_assert_eq(t_receive(store, &gz, &gzip_id, NULL), -1);
	oci_config_add_diff_id(c, &gzip_id);
	stv_buf_fini(&gz);
	stv_buf_fini(&tar);
	tar = T_BUF;
	t_file(&tar, "own", "made here");
	plain_id = t_layer(store, &tar);
	oci_config_add_diff_id(c, &plain_id);
	ok(cas_commit_image(store, c, NULL, &img, &err), err);
	oci_config_free(c);
	return img;
}

static struct cas_image image;

static void
begin(void)
{
	dir = scratch_dir();
	store = scratch_open(dir);
	image = make_image();
}

static void
end(void)
{
	cas_store_close(store);
	scratch_end(dir);
}

TestSuite(repack, .init = begin, .fini = end);

static struct oci_manifest *
repack(const struct cas_repack_opts *o)
{
	stv_auto_buf text = STV_BUF_INIT(65536);
	struct oci_descriptor d = {0};
	struct oci_manifest *m = NULL;
	struct stv_err *err = NULL;

	ok(cas_repack(store, &image.manifest, o, &d, &err), err);
	ok(cas_blob_read(store, &d.digest, 65536, &text, &err), err);
	cr_expect_eq(d.size, text.len);
	ok(oci_manifest_parse(stv_buf_str(&text), text.len, d.media_type, &m,
			      &err),
	   err);
	oci_descriptor_fini(&d);
	return m;
}

/* Does the blob unpack to the layer, and is it what it is said to be? */
static void
check_layer(const struct oci_descriptor *l, const struct stv_digest *diff_id,
	    const char *media_type, enum stv_codec want)
{
	struct stv_err *err = NULL;
	enum stv_codec codec;
	struct stv_digest got;
	stv_auto_fd fd = -1;
	uint64_t size, n;

	cr_expect_str_eq(l->media_type, media_type);
	ok(cas_blob_open(store, &l->digest, &fd, &size, &err), err);
	cr_expect_eq(size, l->size);
	stv_auto(stv_in) *in = stv_in_fd(fd);
	stv_auto(stv_in) *out = stv_in_decode(in, &codec, &err);
	stv_auto(stv_sink) *hash = stv_sink_hash(NULL);
	ok(stv_copy(out, hash, &n, &err), err);
	got = stv_sink_hash_end(hash, &n);
	cr_expect_eq(codec, want);
	cr_expect(stv_digest_equal(&got, diff_id));
}

Test(repack, what_is_plain_is_compressed_and_what_came_so_stays)
{
	struct cas_repack_opts o = {.how = {.codec = STV_CODEC_ZSTD}};
	struct oci_manifest *m = repack(&o), *again;

	check_layer(&m->layers[0], &gzip_id, OCI_MT_LAYER_GZIP, STV_CODEC_GZIP);
	check_layer(&m->layers[1], &plain_id, OCI_MT_LAYER_ZSTD,
		    STV_CODEC_ZSTD);
	again = repack(&o);
	cr_expect(stv_digest_equal(&m->layers[1].digest,
				   &again->layers[1].digest));
	oci_manifest_free(m);
	oci_manifest_free(again);
}

Test(repack, by_force_all_layers_change)
{
	struct cas_repack_opts o = {
		.how = {.codec = STV_CODEC_GZIP, .is_stable = true},
		.is_forced = true,
		.has_docker_types = true,
	};
	struct oci_manifest *m = repack(&o);

	check_layer(&m->layers[0], &gzip_id, DOCKER_MT_LAYER_GZIP,
		    STV_CODEC_GZIP);
	check_layer(&m->layers[1], &plain_id, DOCKER_MT_LAYER_GZIP,
		    STV_CODEC_GZIP);
	cr_expect_str_eq(m->media_type, DOCKER_MT_MANIFEST);
	cr_expect_str_eq(m->config.media_type, DOCKER_MT_CONFIG);
	oci_manifest_free(m);
	o.how.codec = STV_CODEC_NONE;
	m = repack(&o);
	check_layer(&m->layers[0], &gzip_id, DOCKER_MT_LAYER, STV_CODEC_NONE);
	check_layer(&m->layers[1], &plain_id, DOCKER_MT_LAYER, STV_CODEC_NONE);
	cr_expect(stv_digest_equal(&m->layers[0].digest, &gzip_id));
	oci_manifest_free(m);
}

Test(repack, plain_layers_stay_plain_without_compression)
{
	struct cas_repack_opts o = {.how = {.codec = STV_CODEC_NONE}};
	struct oci_manifest *m = repack(&o);

	check_layer(&m->layers[0], &gzip_id, OCI_MT_LAYER_GZIP, STV_CODEC_GZIP);
	check_layer(&m->layers[1], &plain_id, OCI_MT_LAYER, STV_CODEC_NONE);
	oci_manifest_free(m);
}

Test(repack, annotations_are_in_the_manifest)
{
	struct cas_repack_opts o = {.how = {.codec = STV_CODEC_NONE}};
	struct oci_manifest *m;

	stv_pairs_set(&o.annotations, "a", "b");
	m = repack(&o);
	cr_expect_str_eq(stv_pairs_get(&m->annotations, "a"), "b");
	stv_pairs_clear(&o.annotations);
	oci_manifest_free(m);
}

static struct cas_layer
compress(const struct stv_digest *diff_id, const struct stv_compression *how)
{
	struct stv_err *err = NULL;
	struct cas_layer l;

	ok(lay_compress(store, diff_id, how, NULL, &l, &err), err);
	return l;
}

Test(repack, a_form_is_made_once_for_each_compressor)
{
	static const struct stv_compression hows[] = {
		{STV_CODEC_GZIP, 0, false},
		{STV_CODEC_GZIP, 1, false},
		{STV_CODEC_GZIP, 0, true},
		{STV_CODEC_ZSTD, 0, false},
	};
	struct stv_err *err = NULL;
	struct cas_layer l, got;

	for (size_t i = 0; i < STV_ARRAY_LEN(hows); i++) {
		stv_auto_free char *name = stv_compression_name(&hows[i]);

		cr_expect_eq(
			cas_layer_get_form(store, &plain_id, name, &got, &err),
			0);
		l = compress(&plain_id, &hows[i]);
		cr_expect_str_eq(l.made_by, name);
		cr_assert_eq(
			cas_layer_get_form(store, &plain_id, name, &got, &err),
			1);
		cr_expect(stv_digest_equal(&got.blob, &l.blob));
	}
	/* the plain form stays the one that layers are read from */
	cr_assert_eq(cas_layer_get(store, &plain_id, &got, &err), 1);
	cr_expect(stv_digest_equal(&got.blob, &plain_id));
}

struct seen {
	unsigned n_bytes;
	unsigned n_ends;
	uint64_t size;
	struct stv_digest blob;
	bool is_readable;
};

static void
on_bytes(void *arg, int fd, uint64_t size)
{
	struct seen *seen = arg;
	uint8_t last;

	seen->n_bytes++;
	seen->is_readable =
		size == 0 || pread(fd, &last, 1, (off_t)size - 1) == 1;
}

static void
on_end(void *arg, const struct cas_layer *form)
{
	struct seen *seen = arg;

	seen->n_ends++;
	seen->size = form != NULL ? form->blob_size : 0;
	if (form != NULL)
		seen->blob = form->blob;
}

Test(repack, who_watches_sees_a_form_while_it_is_made_and_only_then)
{
	struct stv_compression how = {.codec = STV_CODEC_ZSTD};
	struct seen seen = {.n_bytes = 0};
	struct lay_watch watch = {on_bytes, on_end, &seen};
	struct cas_repack_opts o = {.how = how, .watch = &watch};
	struct oci_manifest *m = repack(&o);

	cr_expect_gt(seen.n_bytes, 0);
	cr_expect(seen.is_readable);
	cr_expect_eq(seen.n_ends, 1);
	cr_expect(stv_digest_equal(&seen.blob, &m->layers[1].digest));
	cr_expect_eq(seen.size, m->layers[1].size);
	oci_manifest_free(m);
	seen.n_bytes = 0;
	oci_manifest_free(repack(&o));
	cr_expect_eq(seen.n_bytes, 0);
	cr_expect_eq(seen.n_ends, 1);
}

Test(repack, of_many_forms_each_is_found_again)
{
	struct stv_err *err = NULL;
	struct cas_layer l, got;

	/* Of so small a layer several levels make the same bytes. */
	for (int level = 1; level <= 19; level++) {
		struct stv_compression how = {STV_CODEC_ZSTD, level, false};

		l = compress(&plain_id, &how);
		cr_assert_eq(cas_layer_get_form(store, &plain_id, l.made_by,
						&got, &err),
			     1, "%s", l.made_by);
		cr_expect(stv_digest_equal(&got.blob, &l.blob));
	}
}

Test(repack, what_was_received_is_not_taken_for_our_own)
{
	/* The bytes that came are ISA-L's, but nobody said so. */
	struct cas_layer l, got;
	struct stv_err *err = NULL;

	cr_expect_eq(cas_layer_get_form(store, &gzip_id, "isal", &got, &err),
		     0);
	l = compress(&gzip_id,
		     &(struct stv_compression){.codec = STV_CODEC_GZIP});
	cr_assert_eq(cas_layer_get_form(store, &gzip_id, "isal", &got, &err),
		     1);
	cr_expect(stv_digest_equal(&got.blob, &l.blob));
}

Test(repack, a_form_whose_blob_is_gone_is_made_again)
{
	struct stv_compression how = {.codec = STV_CODEC_ZSTD};
	struct cas_layer l = compress(&plain_id, &how);
	char path[4096], hex[STV_DIGEST_STR_MAX];

	(void)snprintf(path, sizeof(path), "%s/blobs/sha256/%s", dir,
		       stv_digest_hex(&l.blob, hex));
	cr_assert_eq(unlink(path), 0);
	l = compress(&plain_id, &how);
	cr_expect_eq(access(path, F_OK), 0);
}

Test(repack, garbage_collection_takes_forms_that_no_image_names)
{
	struct cas_gc_opts g = {0};
	struct cas_gc_result res = {0};
	struct stv_compression how = {.codec = STV_CODEC_ZSTD};
	struct cas_layer l = compress(&plain_id, &how), got;
	struct stv_err *err = NULL;

	ok(cas_gc(store, &g, &res, &err), err);
	cr_expect_eq(
		cas_layer_get_form(store, &plain_id, l.made_by, &got, &err), 0);
	cr_expect_eq(cas_layer_get(store, &plain_id, &got, &err), 1);
}
