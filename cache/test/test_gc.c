/* cache/test/test_gc.c - collection takes what nothing needs, nothing else. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/db.h"
#include "cache/gc.h"
#include "cache/layer_internal.h"
#include "cache/store_internal.h"
#include "cache/test/scratch.h"

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

TestSuite(gc, .init = begin, .fini = end);

/* A record upon nothing whose layer is ${text}, last used ${age_s} ago. */
static struct stv_digest
put_record(const char *text, int64_t age_s)
{
	struct cas_record r = {
		.key = stv_digest_of(text, strlen(text)),
		.has_layer = true,
		.diff_id = scratch_layer(store, text),
	};
	struct stv_err *err = NULL;
	sqlite3_stmt *st;
	char step[16];

	(void)snprintf(step, sizeof(step), "%.8s", text);
	ok(cas_record_put(store, &r, "p", 1, step, &err), err);
	ok(cas_db_enter(store, &err), err);
	st = cas_db_stmt(store, "UPDATE record SET used_s = ?1 WHERE key = ?2",
			 &err);
	cas_db_bind_int(st, 1, cas_now_s() - age_s);
	cas_db_bind_digest(st, 2, &r.key);
	ok(cas_db_run(store, st, &err), err);
	cas_db_leave(store);
	return r.diff_id;
}

static bool
has_layer(const struct stv_digest *d)
{
	struct stv_err *err = NULL;
	struct cas_layer l;
	int r = cas_layer_get(store, d, &l, &err);

	ok(r, err);
	return r == 1;
}

static struct cas_gc_result
collect(struct cas_gc_opts opts)
{
	struct cas_gc_result got;
	struct stv_err *err = NULL;
	int r = cas_gc(store, &opts, &got, &err);

	ok(r, err);
	cr_assert_eq(r, 0);
	return got;
}

Test(gc, a_sweep_takes_what_no_row_names)
{
	struct stv_digest image = scratch_image(store, "layer", TAG_A);
	struct stv_digest loose = scratch_blob(store, "loose");
	struct stv_digest orphan = scratch_layer(store, "orphan");
	struct stv_digest cached = put_record("cached", 0);
	struct cas_gc_result got = collect((struct cas_gc_opts){0});

	cr_expect_eq(got.n_blobs, 2);
	cr_expect_eq(got.n_layers, 1);
	cr_expect_gt(got.bytes, 0);
	cr_expect_not(cas_blob_has(store, &loose));
	cr_expect_not(has_layer(&orphan));
	cr_expect(has_layer(&cached));
	cr_expect(cas_blob_has(store, &image));
	got = collect((struct cas_gc_opts){0});
	cr_expect_eq(got.bytes, 0, "nothing is left to take");
}

Test(gc, it_takes_nothing_while_another_holds_a_lease)
{
	struct cas_store *other = scratch_open(dir);
	struct stv_digest loose = scratch_blob(store, "loose");
	struct cas_gc_opts opts = {.all_cache = true, .wait_ms = 50};
	struct cas_gc_result got;
	struct cas_lease *l = NULL;
	struct stv_err *err = NULL;

	ok(cas_lease_take(other, &l, &err), err);
	cr_expect_eq(cas_gc(store, &opts, &got, &err), 1);
	cr_expect(cas_blob_has(store, &loose));
	cas_lease_drop(l);
	cr_expect_eq(cas_gc(store, &opts, &got, &err), 0);
	cr_expect_not(cas_blob_has(store, &loose));
	cas_store_close(other);
}

/* What on_removed() said. */
struct said {
	char text[16][128];
	enum cas_gc_kind kind[16];
	size_t n;
};

static void
say(void *arg, enum cas_gc_kind kind, const char *name, uint64_t size)
{
	struct said *said = arg;

	(void)size;
	cr_assert_lt(said->n, 16);
	said->kind[said->n] = kind;
	(void)snprintf(said->text[said->n++], 128, "%s", name);
}

Test(gc, dangling_images_go_and_tagged_ones_stay)
{
	struct stv_digest a = scratch_image(store, "one", TAG_A);
	struct stv_digest b = scratch_image(store, "two", NULL);
	struct stv_digest layer = stv_digest_of("two", 3);
	struct said said = {.n = 0};
	struct cas_gc_result got = collect((struct cas_gc_opts){
		.dangling_images = true, .on_removed = say, .arg = &said});

	cr_expect_eq(got.n_images, 1);
	cr_expect_eq(got.n_layers, 1);
	cr_expect_eq(got.n_blobs, 3, "manifest, config, layer");
	cr_expect(cas_blob_has(store, &a));
	cr_expect_not(cas_blob_has(store, &b));
	cr_expect_not(has_layer(&layer));
	cr_assert_eq(said.n, 2);
	cr_expect_eq(said.kind[0], CAS_GC_IMAGE);
	cr_expect_eq(said.kind[1], CAS_GC_LAYER);
}

Test(gc, all_images_means_tagged_ones_too)
{
	struct said said = {.n = 0};
	struct cas_gc_result got;
	struct stv_err *err = NULL;
	struct cas_image img;

	(void)scratch_image(store, "one", TAG_A);
	got = collect((struct cas_gc_opts){
		.all_images = true, .on_removed = say, .arg = &said});
	cr_expect_eq(got.n_tags, 1);
	cr_expect_eq(got.n_images, 1);
	cr_expect_str_eq(said.text[0], TAG_A);
	cr_expect_eq(cas_tag_get(store, TAG_A, &img, &err), 0);
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 0);
}

Test(gc, until_spares_what_is_newer)
{
	struct stv_digest old = put_record("old", 10000);
	struct stv_digest new = put_record("new", 10);
	struct cas_gc_result got;

	(void)scratch_image(store, "image", NULL);
	got = collect((struct cas_gc_opts){.cache = true,
					   .dangling_images = true,
					   .until_s = cas_now_s() - 3600});
	cr_expect_eq(got.n_records, 1);
	cr_expect_eq(got.n_images, 0);
	cr_expect_not(has_layer(&old));
	cr_expect(has_layer(&new));
}

Test(gc, cache_of_an_image_stays_unless_all_is_meant)
{
	struct stv_digest layer = put_record("shared", 0);
	struct cas_gc_result got;

	(void)put_record("alone", 0);
	(void)scratch_image(store, "shared", TAG_A);
	got = collect((struct cas_gc_opts){.cache = true});
	cr_expect_eq(got.n_records, 1);
	got = collect((struct cas_gc_opts){.all_cache = true});
	cr_expect_eq(got.n_records, 1);
	cr_expect(has_layer(&layer), "the image has it");
}

Test(gc, a_record_that_cannot_be_a_hit_goes)
{
	struct stv_digest d = put_record("layer", 0);
	struct stv_err *err = NULL;
	struct cas_gc_result got;

	(void)d;
	ok(cas_db_enter(store, &err), err);
	ok(cas_db_exec(store, "DELETE FROM layer", &err), err);
	cas_db_leave(store);
	got = collect((struct cas_gc_opts){0});
	cr_expect_eq(got.n_records, 1);
	cr_expect_eq(got.n_blobs, 1);
}

/* A snapshot directory of some ${kib} KiB. */
static void
make_snapshot(const char *name, const struct stv_digest *layer, size_t kib)
{
	struct stv_err *err = NULL;
	char path[128], boot[LAY_BOOT_ID_LEN];
	char *data = stv_xcalloc(kib, 1024);
	int fd;

	(void)snprintf(path, sizeof(path), "snapshots/%s", name);
	cr_assert_eq(mkdirat(store->root_fd, path, 0700), 0);
	(void)snprintf(path, sizeof(path), "snapshots/%s/sub", name);
	cr_assert_eq(mkdirat(store->root_fd, path, 0700), 0);
	(void)snprintf(path, sizeof(path), "snapshots/%s/sub/file", name);
	fd = openat(store->root_fd, path, O_CREAT | O_WRONLY, 0600);
	cr_assert_eq(write(fd, data, kib * 1024), (ssize_t)(kib * 1024));
	(void)close(fd);
	free(data);
	(void)snprintf(path, sizeof(path), "snapshots/%s.ok", name);
	lay_boot_id(boot);
	ok(stv_fsat_replace(store->root_fd, path, boot, sizeof(boot), 0600,
			    false, &err),
	   err);
	if (layer != NULL)
		ok(cas_snapshot_put(store, name, layer, kib * 1024, &err), err);
}

Test(gc, derived_data_goes_with_its_layer)
{
	struct stv_digest a = put_record("stays", 0);
	struct stv_digest b = scratch_layer(store, "goes");
	char hex[STV_DIGEST_STR_MAX], path[128];
	struct cas_gc_result got;
	int fd;

	make_snapshot("of-a", &a, 8);
	make_snapshot("of-b", &b, 8);
	make_snapshot("of-unknown", NULL, 8);
	(void)snprintf(path, sizeof(path), "toc/%s", stv_digest_hex(&b, hex));
	fd = openat(store->root_fd, path, O_CREAT | O_WRONLY, 0600);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "toc/%s.tmp-1",
		       stv_digest_hex(&a, hex));
	fd = openat(store->root_fd, path, O_CREAT | O_WRONLY, 0600);
	(void)close(fd);
	got = collect((struct cas_gc_opts){0});
	cr_expect_eq(got.n_snapshots, 1);
	cr_expect_eq(scratch_count(dir, "toc"), 0);
	cr_expect_eq(scratch_count(dir, "snapshots"), 4, "and their marks");
	cr_expect_eq(access(scratch_path(dir, "snapshots/of-b"), F_OK), -1);
}

Test(gc, an_unfinished_snapshot_goes)
{
	struct stv_digest a = put_record("layer", 0);

	make_snapshot("whole", &a, 4);
	make_snapshot("torn", &a, 4);
	make_snapshot("lost", &a, 4);
	cr_assert_eq(unlink(scratch_path(dir, "snapshots/torn.ok")), 0);
	cr_assert_eq(renameat(store->root_fd, "snapshots/lost", store->root_fd,
			      "snapshots/other"),
		     0);
	(void)collect((struct cas_gc_opts){0});
	cr_expect_eq(scratch_count(dir, "snapshots"), 2);
	cr_expect_eq(access(scratch_path(dir, "snapshots/whole.ok"), F_OK), 0);
}

Test(gc, the_cap_takes_snapshots_first)
{
	struct stv_digest a = put_record("layer", 0);
	struct cas_df df;
	struct stv_err *err = NULL;
	struct cas_gc_result got;

	make_snapshot("of-a", &a, 400);
	make_snapshot("unknown", NULL, 400);
	ok(cas_df(store, &df, &err), err);
	cr_expect_geq(df.snapshot_bytes, 800000);
	got = collect((struct cas_gc_opts){.max_bytes = (uint64_t)600 << 10});
	cr_expect_eq(got.n_snapshots, 1);
	cr_expect_eq(got.n_records, 0);
	cr_expect(has_layer(&a));
	got = collect((struct cas_gc_opts){.max_bytes = (uint64_t)600 << 10});
	cr_expect_eq(got.n_snapshots, 0, "it is below the cap now");
}

/* A text of ${kib} KiB that begins with ${c}.  The caller frees it. */
static char *
big(char c, size_t kib)
{
	char *text = stv_xmalloc(kib * 1024 + 1);

	memset(text, c, kib * 1024);
	text[kib * 1024] = '\0';
	return text;
}

Test(gc, the_cap_takes_what_was_used_longest_ago)
{
	char *t1 = big('1', 256), *t2 = big('2', 256), *t3 = big('3', 256);
	struct stv_digest d2 = put_record(t2, 5000);
	struct stv_digest d1 = put_record(t1, 9000);
	struct stv_digest d3 = put_record(t3, 1);
	struct cas_gc_result got;

	got = collect((struct cas_gc_opts){.max_bytes = (uint64_t)5000 << 10});
	cr_expect_eq(got.n_records, 0);
	got = collect((struct cas_gc_opts){.max_bytes = 900000});
	cr_expect_eq(got.n_layers, 1, "%d", (int)got.n_layers);
	cr_expect_not(has_layer(&d1));
	cr_expect(has_layer(&d2));
	cr_expect(has_layer(&d3));
	free(t1);
	free(t2);
	free(t3);
}

Test(gc, the_cap_never_takes_what_is_tagged)
{
	char *text = big('t', 512);
	struct cas_gc_result got;
	struct stv_err *err = NULL;
	struct cas_image img;

	(void)put_record(text, 100000);
	(void)scratch_image(store, text, TAG_A);
	(void)scratch_image(store, "untagged", NULL);
	got = collect((struct cas_gc_opts){.max_bytes = 1});
	cr_expect_eq(got.n_images, 1);
	cr_expect_eq(got.n_records, 0, "that would free nothing");
	cr_assert_eq(cas_tag_get(store, TAG_A, &img, &err), 1);
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 3);
	free(text);
}

Test(gc, df_tells_images_cache_and_garbage_apart)
{
	struct cas_df df;
	struct stv_err *err = NULL;

	(void)scratch_image(store, "tagged", TAG_A);
	(void)scratch_image(store, "untagged", NULL);
	(void)put_record("cache", 0);
	(void)scratch_blob(store, "garbage");
	ok(cas_df(store, &df, &err), err);
	cr_expect_eq(df.n_images, 2);
	cr_expect_eq(df.n_tagged, 1);
	cr_expect_eq(df.n_records, 1);
	cr_expect_eq(df.n_layers, 3);
	cr_expect_eq(df.layer_bytes, 6 + 8 + 5);
	cr_expect_eq(df.cache_bytes, 5);
	cr_expect_eq(df.garbage_bytes, 7);
	cr_expect_gt(df.image_bytes, df.image_reclaimable);
	cr_expect_gt(df.image_reclaimable, 8);
	cr_expect_gt(df.other_bytes, 0);
}

/* Killed at many moments, then run to its end: what is tagged is whole. */
Test(gc, a_kill_leaves_a_consistent_store)
{
	struct cas_gc_result got;
	struct stv_err *err = NULL;
	struct cas_image img;

	(void)scratch_image(store, "tagged", TAG_A);
	for (unsigned int i = 0; i < 10; i++) {
		pid_t pid;

		for (unsigned int j = 0; j < 6; j++) {
			char text[32];
			struct stv_digest d;

			(void)snprintf(text, sizeof(text), "%u.%u", i, j);
			d = put_record(text, 100);
			make_snapshot(text, &d, 4);
		}
		cas_store_close(store);
		pid = fork();
		if (pid == 0) {
			struct cas_gc_opts opts = {.all_cache = true};

			store = scratch_open(dir);
			(void)cas_gc(store, &opts, &got, &err);
			_exit(0);
		}
		(void)usleep(1000 + i * 600);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		store = scratch_open(dir);
		cr_assert_eq(cas_tag_get(store, TAG_A, &img, &err), 1);
	}
	(void)collect((struct cas_gc_opts){.all_cache = true});
	cr_expect_eq(scratch_count(dir, "blobs/sha256"), 3);
	cr_expect_eq(scratch_count(dir, "snapshots"), 0);
	cas_store_close(store);
	store = scratch_open(dir);
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
}

Test(gc, every_form_of_a_layer_lives_as_long_as_its_image)
{
	struct stv_digest plain = scratch_layer(store, "one");
	struct cas_layer l = {.diff_id = plain, .blob_size = 3}, got;
	struct stv_err *err = NULL;

	/* An image with the plain form, and one with the other. */
	(void)scratch_image(store, "one", TAG_A);
	l.blob = scratch_blob(store, "ONE");
	ok(cas_layer_put(store, &l, &err), err);
	{
		struct cas_image img = {.manifest = scratch_blob(store, "{}"),
					.config = scratch_blob(store, "[]")};
		struct stv_strs tags = {0};

		stv_strs_add(&tags, "docker.io/library/b:latest");
		ok(cas_image_put(store, &img, &l.blob, 1, &tags, &err), err);
		stv_strs_clear(&tags);
	}
	cr_assert_eq(cas_layer_get(store, &plain, &got, &err), 1);
	cr_expect(stv_digest_equal(&got.blob, &plain), "plain is preferred");
	cr_assert_eq(cas_tag_remove(store, TAG_A, &err), 1);
	(void)collect((struct cas_gc_opts){.dangling_images = true});
	cr_assert_eq(cas_layer_get(store, &plain, &got, &err), 1);
	cr_expect(stv_digest_equal(&got.blob, &l.blob));
	cr_expect_not(cas_blob_has(store, &plain));
}

Test(gc, a_layer_of_several_forms_goes_once)
{
	struct stv_digest plain = scratch_layer(store, "one");
	struct cas_layer l = {.diff_id = plain, .blob_size = 3};
	struct said said = {.n = 0};
	struct stv_err *err = NULL;
	struct cas_gc_result got;

	l.blob = scratch_blob(store, "ONE");
	ok(cas_layer_put(store, &l, &err), err);
	make_snapshot("s", &plain, 1);
	got = collect((struct cas_gc_opts){.on_removed = say, .arg = &said});
	cr_expect_not(has_layer(&plain));
	cr_expect_eq(got.n_layers, 1);
	cr_assert_eq(said.n, 2);
	cr_expect_eq(said.kind[0], CAS_GC_LAYER);
	cr_expect_eq(said.kind[1], CAS_GC_SNAPSHOT);
}
