/* cache/test/test_meta.c - layers, images, tags, index.json. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"

#include "cache/store_internal.h"
#include "cache/test/scratch.h"

#define TAG_A "docker.io/library/a:latest"
#define TAG_B "docker.io/library/b:latest"

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

TestSuite(meta, .init = begin, .fini = end);

/* Close and open again: what is asked then comes from the disk. */
static void
reopen(void)
{
	cas_store_close(store);
	store = scratch_open(dir);
}

Test(meta, a_layer_comes_back_as_it_was_put)
{
	struct cas_layer l = {.blob_size = 5, .tar_size = 77}, got;
	struct stv_err *err = NULL;

	l.diff_id = stv_digest_of("tar", 3);
	l.blob = scratch_blob(store, "gzip!");
	strcpy(l.media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
	cr_expect_eq(cas_layer_get(store, &l.diff_id, &got, &err), 0);
	ok(cas_layer_put(store, &l, &err), err);
	ok(cas_layer_put(store, &l, &err), err);
	reopen();
	cr_assert_eq(cas_layer_get(store, &l.diff_id, &got, &err), 1);
	cr_expect(stv_digest_equal(&got.blob, &l.blob));
	cr_expect_eq(got.blob_size, 5);
	cr_expect_eq(got.tar_size, 77);
	cr_expect_str_eq(got.media_type, l.media_type);
}

Test(meta, a_layer_without_its_blob_is_not_here)
{
	struct stv_digest d = scratch_layer(store, "layer");
	struct cas_layer l = {.diff_id = d, .blob = stv_digest_of("?", 1)};
	char hex[STV_DIGEST_STR_MAX];
	struct stv_err *err = NULL;

	cr_expect_eq(cas_layer_put(store, &l, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_clear(&err);
	cr_assert_eq(unlinkat(store->blobs_fd, stv_digest_hex(&d, hex), 0), 0);
	cr_expect_eq(cas_layer_get(store, &d, &l, &err), 0);
	(void)scratch_layer(store, "layer");
	cr_expect_eq(cas_layer_get(store, &d, &l, &err), 1);
}

Test(meta, a_tag_names_its_image_and_moves)
{
	struct stv_digest a = scratch_image(store, "one", TAG_A);
	struct stv_digest b = scratch_image(store, "two", NULL);
	struct stv_strs tags = {0};
	struct stv_err *err = NULL;
	struct cas_image img;

	cr_assert_eq(cas_tag_get(store, TAG_A, &img, &err), 1);
	cr_expect(stv_digest_equal(&img.manifest, &a));
	cr_expect_eq(img.size, 3);
	cr_expect_neq(img.created_s, 0);
	cr_expect_eq(cas_tag_get(store, TAG_B, &img, &err), 0);
	ok(cas_tag_set(store, TAG_A, &b, &err), err);
	ok(cas_tag_set(store, TAG_B, &b, &err), err);
	reopen();
	cr_assert_eq(cas_tag_get(store, TAG_A, &img, &err), 1);
	cr_expect(stv_digest_equal(&img.manifest, &b));
	ok(cas_image_tags(store, &b, &tags, &err), err);
	cr_assert_eq(tags.len, 2);
	cr_expect_str_eq(tags.v[0], TAG_A);
	cr_expect_str_eq(tags.v[1], TAG_B);
	stv_strs_clear(&tags);
	ok(cas_image_tags(store, &a, &tags, &err), err);
	cr_expect_eq(tags.len, 0);
	cr_expect_eq(cas_tag_remove(store, TAG_A, &err), 1);
	cr_expect_eq(cas_tag_remove(store, TAG_A, &err), 0);
}

Test(meta, a_tag_never_names_what_is_not_here)
{
	struct stv_digest d = stv_digest_of("nothing", 7);
	struct cas_image img = {.manifest = d, .config = d};
	struct stv_strs tags = {0};
	struct stv_err *err = NULL;

	cr_expect_eq(cas_tag_set(store, TAG_A, &d, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_clear(&err);
	stv_strs_add(&tags, TAG_A);
	cr_expect_eq(cas_image_put(store, &img, NULL, 0, &tags, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_clear(&err);
	cr_expect_eq(cas_tag_get(store, TAG_A, &img, &err), 0);
	stv_strs_clear(&tags);
}

Test(meta, an_image_is_found_by_the_first_digits)
{
	struct stv_digest a = scratch_image(store, "one", TAG_A);
	char hex[STV_DIGEST_STR_MAX], part[8];
	struct stv_err *err = NULL;
	struct cas_image img, got;

	ok(cas_tag_get(store, TAG_A, &img, &err), err);
	(void)snprintf(part, sizeof(part), "%.6s", stv_digest_hex(&a, hex));
	cr_expect_eq(cas_image_find(store, part, &got, &err), 1);
	cr_expect_eq(cas_image_find(store, hex, &got, &err), 1);
	(void)snprintf(part, sizeof(part), "%.4s",
		       stv_digest_hex(&img.config, hex));
	cr_expect_eq(cas_image_find(store, part, &got, &err), 1);
	cr_expect(stv_digest_equal(&got.manifest, &a));
	part[3] = '\0';
	cr_expect_eq(cas_image_find(store, part, &got, &err), 0, "too short");
	cr_expect_eq(cas_image_find(store, "%%%%", &got, &err), 0);
	cr_expect_eq(cas_image_find(store, "ffffffff", &got, &err), 0);
}

Test(meta, an_ambiguous_prefix_is_an_error)
{
	struct stv_digest d[300];
	struct stv_err *err = NULL;
	struct cas_image img;
	int found = 0;

	/* 4 digits are 65536 values: 300 images collide somewhere. */
	for (size_t i = 0; i < 300 && found == 0; i++) {
		char text[16], part[5], hex[STV_DIGEST_STR_MAX];

		(void)snprintf(text, sizeof(text), "%zu", i);
		d[i] = scratch_image(store, text, NULL);
		(void)snprintf(part, sizeof(part), "%.4s",
			       stv_digest_hex(&d[i], hex));
		if (cas_image_find(store, part, &img, &err) < 0) {
			cr_expect_eq(stv_err_code(err), STV_E_USAGE);
			stv_err_free(err);
			found = 1;
		}
	}
	cr_expect_eq(found, 1);
}

/* Collects what cas_image_each() says, and asks something meanwhile. */
struct seen {
	struct stv_digest v[8];
	size_t n;
	size_t stop_at;
};

static int
see(void *arg, const struct cas_image *img)
{
	struct seen *seen = arg;
	struct stv_strs tags = {0};
	struct stv_err *err = NULL;

	ok(cas_image_tags(store, &img->manifest, &tags, &err), err);
	stv_strs_clear(&tags);
	seen->v[seen->n++] = img->manifest;
	return seen->n == seen->stop_at ? 42 : 0;
}

Test(meta, images_come_newest_first_and_can_be_removed)
{
	struct stv_digest a = scratch_image(store, "one", TAG_A);
	struct stv_digest b = scratch_image(store, "two", TAG_B);
	struct seen seen = {.stop_at = 8};
	struct stv_err *err = NULL;
	struct cas_image img;

	cr_expect_eq(cas_image_each(store, see, &seen, &err), 0);
	cr_assert_eq(seen.n, 2);
	cr_expect(stv_digest_equal(&seen.v[0], &b));
	cr_expect(stv_digest_equal(&seen.v[1], &a));
	seen = (struct seen){.stop_at = 1};
	cr_expect_eq(cas_image_each(store, see, &seen, &err), 42);
	ok(cas_image_remove(store, &a, &err), err);
	cr_expect_eq(cas_tag_get(store, TAG_A, &img, &err), 0);
	cr_expect_eq(cas_image_remove(store, &a, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_NOT_FOUND);
	stv_err_free(err);
}

static int64_t
changed_at(const char *name)
{
	struct stat st = {0};

	(void)stat(scratch_path(dir, name), &st);
	return (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
}

Test(meta, putting_the_same_image_again_writes_nothing)
{
	int64_t wal, index;

	(void)scratch_image(store, "one", TAG_A);
	wal = changed_at("meta.db-wal");
	index = changed_at("index.json");
	(void)usleep(20000);
	(void)scratch_image(store, "one", TAG_A);
	cr_expect_eq(changed_at("meta.db-wal"), wal);
	cr_expect_eq(changed_at("index.json"), index);
}

Test(meta, index_json_lists_every_tag)
{
	struct stv_buf text = STV_BUF_INIT(100000);
	struct stv_digest a = scratch_image(store, "one", TAG_A);
	char str[STV_DIGEST_STR_MAX];
	struct stv_err *err = NULL;

	ok(stv_fsat_read_file(store->root_fd, "index.json", 100000, &text,
			      &err),
	   err);
	cr_expect(strstr(stv_buf_str(&text), TAG_A) != NULL);
	cr_expect(strstr(stv_buf_str(&text), stv_digest_str(&a, str)) != NULL);
	stv_buf_fini(&text);
	cr_expect_eq(cas_tag_remove(store, TAG_A, &err), 1);
	ok(stv_fsat_read_file(store->root_fd, "index.json", 100000, &text,
			      &err),
	   err);
	cr_expect(strstr(stv_buf_str(&text), TAG_A) == NULL);
	cr_expect(strstr(stv_buf_str(&text), str) != NULL);
	stv_buf_fini(&text);
}

/*
 * Eight processes move one tag and set one of their own: every one of their
 * own tags is there at the end, also in index.json.
 */
Test(meta, nothing_is_lost_between_many_writers)
{
	struct stv_buf text = STV_BUF_INIT(1000000);
	struct stv_err *err = NULL;
	int failed = 0, status;
	pid_t pids[8];

	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		store = scratch_open(dir);
		for (int j = 0; j < 10; j++) {
			char layer[32], tag[64];

			(void)snprintf(layer, sizeof(layer), "%d.%d", i, j);
			(void)snprintf(tag, sizeof(tag),
				       "docker.io/library/p%d:%d", i, j);
			(void)scratch_image(store, layer, tag);
			(void)scratch_image(store, layer, TAG_A);
		}
		cas_store_close(store);
		_exit(0);
	}
	for (int i = 0; i < 8; i++) {
		(void)waitpid(pids[i], &status, 0);
		failed += status != 0;
	}
	cr_expect_eq(failed, 0);
	ok(stv_fsat_read_file(store->root_fd, "index.json", 1000000, &text,
			      &err),
	   err);
	for (int i = 0; i < 80; i++) {
		struct cas_image img;
		char tag[64];

		(void)snprintf(tag, sizeof(tag), "docker.io/library/p%d:%d",
			       i / 10, i % 10);
		cr_expect_eq(cas_tag_get(store, tag, &img, &err), 1, "%s", tag);
		cr_expect(strstr(stv_buf_str(&text), tag) != NULL, "%s", tag);
	}
	stv_buf_fini(&text);
}

/* A tag names the old or the new image, never neither (P3). */
Test(meta, a_kill_leaves_the_old_or_the_new_image)
{
	struct stv_digest a = scratch_image(store, "one", TAG_A);
	struct stv_digest b = scratch_image(store, "two", NULL);
	struct stv_err *err = NULL;

	for (unsigned int i = 0; i < 15; i++) {
		struct cas_image img;
		pid_t pid = fork();

		if (pid == 0) {
			struct cas_store *s = scratch_open(dir);

			for (;;) {
				(void)cas_tag_set(s, TAG_A, &a, &err);
				(void)cas_tag_set(s, TAG_A, &b, &err);
			}
		}
		(void)usleep(3000 + i * 900);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		reopen();
		cr_assert_eq(cas_tag_get(store, TAG_A, &img, &err), 1);
		cr_expect(stv_digest_equal(&img.manifest, &a) ||
			  stv_digest_equal(&img.manifest, &b));
	}
	cas_store_close(store);
	cr_expect_eq(scratch_count(dir, "tmp"), 0);
	store = scratch_open(dir);
}

/* Killed between the transaction and index.json: the next one writes it. */
Test(meta, index_json_is_made_good_after_a_kill)
{
	struct stv_buf text = STV_BUF_INIT(100000);
	struct stv_err *err = NULL;
	int status;
	pid_t pid;

	(void)scratch_image(store, "one", TAG_A);
	pid = fork();
	if (pid == 0) {
		store = scratch_open(dir);
		cas_layout_try_mark(store);
		if (unlink(scratch_path(dir, "index.json")) < 0)
			_exit(1);
		_exit(0); /* without cas_store_close(): like a kill */
	}
	(void)waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
	reopen();
	ok(stv_fsat_read_file(store->root_fd, "index.json", 100000, &text,
			      &err),
	   err);
	cr_expect(strstr(stv_buf_str(&text), TAG_A) != NULL);
	stv_buf_fini(&text);
}

Test(meta, a_store_for_reading_is_not_written)
{
	struct cas_store_opts opts = {.is_readonly = true};
	struct stv_digest a = scratch_image(store, "one", TAG_A);
	struct stv_err *err = NULL;
	struct cas_image img;

	cas_store_close(store);
	store = NULL;
	ok(cas_store_open(dir, &opts, &store, &err), err);
	cr_expect_eq(cas_tag_get(store, TAG_A, &img, &err), 1);
	cr_expect_eq(cas_tag_set(store, TAG_B, &a, &err), -1);
	stv_err_clear(&err);
	cr_expect_eq(cas_blob_put(store, "new", 3, &a, &err), -1);
	stv_err_clear(&err);
}
