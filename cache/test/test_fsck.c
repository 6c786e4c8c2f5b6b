/* cache/test/test_fsck.c - any flipped bit is found, only cache is dropped. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/codec.h"
#include "core/oci.h"

#include "cache/archive_load.h"
#include "cache/db.h"
#include "cache/fsck.h"
#include "cache/store_internal.h"
#include "cache/test/layer_fixture.h"

#define TAG_A "docker.io/library/a:latest"

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

TestSuite(fsck, .init = begin, .fini = end);

/* The findings of a check. */
struct seen {
	size_t n;
	size_t n_kind[CAS_FSCK_STRANGE + 1];
	char last[300];
};

static void
see(void *arg, const struct cas_finding *f)
{
	struct seen *seen = arg;

	seen->n++;
	seen->n_kind[f->kind]++;
	(void)snprintf(seen->last, sizeof(seen->last), "%s: %s", f->what,
		       f->text);
}

static struct seen
check(bool is_repair, struct cas_fsck_result *ret)
{
	struct seen seen = {.n = 0};
	struct cas_fsck_opts opts = {
		.is_repair = is_repair,
		.is_thorough = true,
		.on_finding = see,
		.arg = &seen,
	};
	struct cas_fsck_result got;
	struct stv_err *err = NULL;
	int r = cas_fsck(store, &opts, &got, &err);

	ok(r, err);
	cr_assert_eq(r, 0);
	cr_expect_eq(got.n_findings, seen.n);
	if (ret != NULL)
		*ret = got;
	return seen;
}

static void
expect_clean(const char *when)
{
	struct seen seen = check(false, NULL);

	cr_expect_eq(seen.n, 0, "%s: %s", when, seen.last);
}

/* A real layer: 1 file, 1 directory, 1 link. */
static struct stv_digest
real_layer(const char *text)
{
	struct stv_buf tar = T_BUF;

	t_dir(&tar, "d", 0755);
	t_file(&tar, "d/file", text);
	t_sym(&tar, "link", "d/file");
	return t_layer(store, &tar);
}

static struct cas_image
real_image(const struct stv_digest *layer, const char *tag)
{
	struct oci_config *c = stv_xcalloc(1, sizeof(*c));
	struct stv_strs tags = {0};
	struct stv_err *err = NULL;
	struct cas_image img;

	stv_platform_host(&c->platform);
	oci_config_add_diff_id(c, layer);
	stv_strs_add(&tags, tag);
	ok(cas_commit_image(store, c, &tags, &img, &err), err);
	stv_strs_clear(&tags);
	oci_config_free(c);
	return img;
}

static void
put_record(const char *key, const struct stv_digest *layer)
{
	struct cas_record r = {
		.key = stv_digest_of(key, strlen(key)),
		.has_layer = true,
		.diff_id = *layer,
	};
	struct stv_err *err = NULL;

	ok(cas_record_put(store, &r, "p", 1, key, &err), err);
}

static char *
blob_file(const struct stv_digest *d)
{
	char hex[STV_DIGEST_STR_MAX];

	return stv_xasprintf("%s/blobs/sha256/%s", dir, stv_digest_hex(d, hex));
}

static void
flip(const struct stv_digest *d, off_t at)
{
	char *path = blob_file(d), c;
	int fd;

	cr_assert_eq(chmod(path, 0600), 0);
	fd = open(path, O_RDWR);
	cr_assert_eq(pread(fd, &c, 1, at), 1);
	c = (char)(c ^ 1);
	cr_assert_eq(pwrite(fd, &c, 1, at), 1);
	(void)close(fd);
	free(path);
}

static void
lose(const struct stv_digest *d)
{
	char *path = blob_file(d);

	cr_assert_eq(unlink(path), 0);
	free(path);
}

static void
sql(const char *text)
{
	struct stv_err *err = NULL;

	ok(cas_db_enter(store, &err), err);
	ok(cas_db_exec(store, text, &err), err);
	cas_db_leave(store);
}

Test(fsck, a_sound_store_has_no_findings)
{
	struct stv_digest layer = real_layer("text");
	struct cas_fsck_result got;
	struct stv_err *err = NULL;
	char *name = NULL;

	(void)real_image(&layer, TAG_A);
	put_record("k", &layer);
	ok(lay_snapshot(store, &layer, 1, &name, &err), err);
	free(name);
	(void)check(false, &got);
	cr_expect_eq(got.n_findings, 0);
	cr_expect_eq(got.n_blobs, 3);
	cr_expect_eq(got.n_images, 1);
	cr_expect_eq(got.n_layers, 1);
	cr_expect_eq(got.n_records, 1);
	cr_expect_eq(got.n_snapshots, 1);
	cr_expect_gt(got.n_bytes, 2000);
	(void)check(true, &got);
	cr_expect_eq(got.n_findings, 0);
}

Test(fsck, any_flipped_bit_of_a_blob_is_found)
{
	struct stv_digest layer = real_layer("text");
	struct cas_image img = real_image(&layer, TAG_A);
	struct seen seen;

	for (off_t at = 0; at < 3000; at += 299) {
		flip(&layer, at);
		seen = check(false, NULL);
		cr_expect_eq(seen.n_kind[CAS_FSCK_DAMAGED], 1, "byte %d",
			     (int)at);
		flip(&layer, at);
	}
	flip(&img.config, 5);
	cr_expect_eq(check(false, NULL).n_kind[CAS_FSCK_DAMAGED], 1);
	flip(&img.config, 5);
	flip(&img.manifest, 5);
	cr_expect_eq(check(false, NULL).n_kind[CAS_FSCK_DAMAGED], 1);
	flip(&img.manifest, 5);
	expect_clean("all flipped back");
}

Test(fsck, what_an_image_lacks_is_missing_and_not_repaired)
{
	struct stv_digest layer = real_layer("text");
	struct cas_image img = real_image(&layer, TAG_A), found;
	struct stv_err *err = NULL;
	struct seen seen;

	lose(&layer);
	seen = check(true, NULL);
	cr_expect_eq(seen.n_kind[CAS_FSCK_MISSING], 1);
	cr_expect_eq(cas_tag_get(store, TAG_A, &found, &err), 1);
	lose(&img.config);
	seen = check(true, NULL);
	cr_expect_eq(seen.n_kind[CAS_FSCK_MISSING], 2);
	cr_expect_eq(cas_tag_get(store, TAG_A, &found, &err), 1);
}

Test(fsck, a_damaged_layer_of_an_image_is_never_dropped)
{
	struct stv_digest layer = real_layer("text");

	(void)real_image(&layer, TAG_A);
	flip(&layer, 600);
	cr_expect_eq(check(true, NULL).n_kind[CAS_FSCK_DAMAGED], 1);
	cr_expect(cas_blob_has(store, &layer));
	cr_expect_eq(check(true, NULL).n_kind[CAS_FSCK_DAMAGED], 1);
}

Test(fsck, a_damaged_layer_of_the_cache_is_dropped)
{
	struct stv_digest layer = real_layer("text");
	struct cas_fsck_result got;
	struct stv_err *err = NULL;

	put_record("k", &layer);
	flip(&layer, 600);
	cr_expect_eq(check(false, NULL).n, 1, "without repair nothing goes");
	cr_expect(cas_blob_has(store, &layer));
	(void)check(true, &got);
	cr_expect_eq(got.n_repaired, got.n_findings);
	cr_expect_not(cas_blob_has(store, &layer));
	{
		struct stv_digest key = stv_digest_of("k", 1);

		cr_expect_eq(cas_record_has_key(store, &key, &err), 0);
	}
	expect_clean("repaired");
}

Test(fsck, rows_that_name_nothing_are_found_and_dropped)
{
	struct stv_digest layer = real_layer("text");
	struct stv_digest other = real_layer("other");
	struct seen seen;

	(void)real_image(&layer, TAG_A);
	put_record("k", &other);
	lose(&other);
	sql("INSERT INTO tag VALUES('docker.io/library/ghost:1', x'00', 0)");
	sql("INSERT INTO image_blob VALUES(x'00', x'11')");
	seen = check(false, NULL);
	cr_expect_geq(seen.n_kind[CAS_FSCK_DANGLING], 3);
	(void)check(true, NULL);
	expect_clean("repaired");
}

Test(fsck, a_compressed_layer_must_unpack_to_its_diff_id)
{
	struct stv_buf tar = T_BUF, gz = T_BUF;
	struct stv_sink *buf = stv_sink_buf(&gz, "gzip");
	struct stv_sink *sink = stv_sink_gzip(buf, true);
	struct stv_err *err = NULL;
	struct stv_digest id;

	t_file(&tar, "file", "text");
	t_end(&tar);
	ok(sink->write(sink, tar.data, tar.len, &err), err);
	ok(stv_codec_end(sink, &err), err);
	stv_sink_close(sink);
	stv_sink_close(buf);
	cr_assert_eq(t_receive(store, &gz, &id, NULL), -1);
	expect_clean("gzip");
	sql("UPDATE layer SET diff_id = randomblob(32)");
	cr_expect_eq(check(false, NULL).n_kind[CAS_FSCK_DAMAGED], 1);
	stv_buf_fini(&tar);
	stv_buf_fini(&gz);
}

Test(fsck, a_wrong_snapshot_is_found_and_dropped)
{
	static const char *const spoil[] = {
		"rm -r $S/*",
		"rm $S/*/d/file",
		"for f in $S/*/d/file; do echo longer >$f; done",
		"for f in $S/*/link; do rm $f; mkdir $f; done",
	};
	struct stv_digest layer = real_layer("text");
	struct stv_err *err = NULL;

	put_record("k", &layer);
	for (size_t i = 0; i < STV_ARRAY_LEN(spoil); i++) {
		char *name = NULL, *cmd;
		struct seen seen;

		ok(lay_snapshot(store, &layer, 1, &name, &err), err);
		expect_clean("before");
		cmd = stv_xasprintf("S=%s/snapshots; %s", dir, spoil[i]);
		cr_assert_eq(system(cmd), 0);
		free(cmd);
		seen = check(true, NULL);
		cr_expect_eq(seen.n_kind[CAS_FSCK_DERIVED], 1, "%s", spoil[i]);
		expect_clean(spoil[i]);
		free(name);
	}
}

Test(fsck, a_damaged_table_of_contents_is_found)
{
	struct stv_digest layer = real_layer("text");
	char path[4096], hex[STV_DIGEST_STR_MAX], c;
	struct seen seen;
	int fd;

	put_record("k", &layer);
	(void)snprintf(path, sizeof(path), "%s/toc/%s", dir,
		       stv_digest_hex(&layer, hex));
	fd = open(path, O_RDWR);
	cr_assert(fd >= 0);
	cr_assert_eq(pread(fd, &c, 1, 150), 1);
	c = (char)(c ^ 1);
	cr_assert_eq(pwrite(fd, &c, 1, 150), 1);
	(void)close(fd);
	seen = check(true, NULL);
	cr_expect_eq(seen.n_kind[CAS_FSCK_DERIVED], 1);
	cr_expect_eq(access(path, F_OK), -1);
	expect_clean("repaired");
}

Test(fsck, index_json_and_strange_files)
{
	struct stv_digest layer = real_layer("text");
	struct seen seen;
	int fd;

	(void)real_image(&layer, TAG_A);
	fd = open(scratch_path(dir, "index.json"), O_WRONLY | O_TRUNC);
	(void)close(fd);
	fd = open(scratch_path(dir, "blobs/sha256/README"), O_WRONLY | O_CREAT,
		  0600);
	(void)close(fd);
	seen = check(true, NULL);
	cr_expect_eq(seen.n_kind[CAS_FSCK_DERIVED], 1);
	cr_expect_eq(seen.n_kind[CAS_FSCK_STRANGE], 1);
	seen = check(false, NULL);
	cr_expect_eq(seen.n, 1, "what is not ours stays");
}

Test(fsck, repair_waits_for_builds)
{
	struct cas_store *other = scratch_open(dir);
	struct cas_fsck_opts opts = {.is_repair = true};
	struct cas_fsck_result got;
	struct cas_lease *l = NULL;
	struct stv_err *err = NULL;

	ok(cas_lease_take(other, &l, &err), err);
	cr_expect_eq(cas_fsck(store, &opts, &got, &err), 1);
	opts.is_repair = false;
	cr_expect_eq(cas_fsck(store, &opts, &got, &err), 0);
	cas_lease_drop(l);
	cas_store_close(other);
}
