/* builder/test/test_image.c - config, manifest, tags and times of a build. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "cache/blob.h"
#include "cache/meta.h"
#include "cache/toc.h"
#include "core/oci.h"

#include "builder/test/build_rig.h"

static const char text[] = "FROM scratch\nCOPY a /a\nENV A=1\nWORKDIR /w\n";

Test(image, it_is_in_the_store_under_its_tags)
{
	struct cas_image img;
	struct stv_strs tags = {0};
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	stv_strs_add(&w.target.tags, "docker.io/library/one:latest");
	stv_strs_add(&w.target.tags, "docker.io/library/two:3");
	stv_pairs_set(&w.o.labels, "from", "outside");
	works_ok(&w, text);
	cr_assert_eq(
		cas_tag_get(w.store, "docker.io/library/two:3", &img, &w.err),
		1);
	cr_expect(stv_digest_equal(&img.config, &w.result.image.config));
	cr_expect(cas_blob_has(w.store, &img.manifest));
	cr_expect(cas_blob_has(w.store, &img.config));
	cr_assert_eq(cas_image_tags(w.store, &img.manifest, &tags, &w.err), 0);
	cr_expect_eq(tags.len, 2);
	cr_expect_str_eq(stv_pairs_get(&w.result.config->config.labels, "from"),
			 "outside");
	cr_expect_gt(w.result.manifest_size, 0);
	stv_strs_clear(&tags);
	works_close(&w);
}

Test(image, a_cached_build_gives_the_same_image)
{
	struct stv_digest first;
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	works_ok(&w, text);
	first = w.result.image.manifest;
	works_ok(&w, text);
	cr_expect(stv_digest_equal(&first, &w.result.image.manifest));
	works_ok(&w, "FROM scratch\nENV A=1\n");
	first = w.result.image.manifest;
	works_ok(&w, "FROM scratch\nENV A=1\n");
	cr_expect(stv_digest_equal(&first, &w.result.image.manifest));
	works_close(&w);
}

Test(image, with_an_epoch_two_stores_agree)
{
	struct works w[2];

	for (int i = 0; i < 2; i++) {
		works_open(&w[i]);
		works_file(&w[i], "a", "text");
		w[i].o.has_epoch = true;
		w[i].o.epoch = 1600000000;
		works_ok(&w[i], text);
	}
	cr_expect(stv_digest_equal(&w[0].result.image.manifest,
				   &w[1].result.image.manifest));
	for (int i = 0; i < 2; i++)
		works_close(&w[i]);
}

/* 0 is a time like another one: what is cached has it too. */
Test(image, the_epoch_may_be_zero)
{
	struct stv_digest first;
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	w.o.has_epoch = true;
	works_ok(&w, text);
	first = w.result.image.manifest;
	works_ok(&w, text);
	cr_expect(stv_digest_equal(&first, &w.result.image.manifest));
	cr_expect_str_eq(w.result.config->created, "1970-01-01T00:00:00Z");
	works_close(&w);
}

Test(image, an_image_is_a_base_by_name_and_by_digest)
{
	struct stv_buf b = STV_BUF_INIT(4096);
	char digest[STV_DIGEST_STR_MAX];
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	stv_strs_add(&w.target.tags, "docker.io/library/base:latest");
	works_ok(&w, text);
	stv_strs_clear(&w.target.tags);
	stv_buf_addf(&b, "FROM base@%s\nCOPY --from=base /a /b\n",
		     stv_digest_str(&w.result.image.manifest, digest));
	works_ok(&w, stv_buf_str(&b));
	works_expect(&w, "b", "text");
	works_ok(&w, "FROM base\nCOPY a /c\n");
	works_expect(&w, "a", "text");
	works_expect(&w, "c", "text");
	cr_expect_str_eq(w.result.config->config.working_dir, "/w");
	stv_buf_fini(&b);
	works_close(&w);
}

Test(image, only_a_tree_makes_no_image)
{
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	w.o.no_image = true;
	works_ok(&w, text);
	cr_expect_eq(w.result.manifest_size, 0);
	cr_expect_eq(w.result.n_diff_ids, 2);
	works_expect(&w, "a", "text");
	works_close(&w);
}

static const char stages[] = "FROM scratch AS one\nCOPY a /a\n"
			     "FROM one AS two\nCOPY a /b\n"
			     "FROM scratch AS three\nCOPY a /c\n";

Test(image, several_targets_are_built_at_once_and_share_stages)
{
	struct bld_target targets[3] = {
		{.stage = "two"}, {.stage = "ONE"}, {.stage = "two"}};
	struct bld_result results[3] = {0};
	struct cas_image img;
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	stv_strs_add(&targets[0].tags, "docker.io/library/t2:latest");
	stv_strs_add(&targets[1].tags, "docker.io/library/t1:latest");
	works_ok(&w, stages); /* parses the file; the default target */
	w.o.sources = w.sources;
	w.o.file = w.file;
	w.o.targets = targets;
	w.o.n_targets = 3;
	w.o.no_cache = true;
	cr_assert_eq(bld_build(&w.o, results, &w.err), 0, "%s",
		     stv_err_msg(w.err));
	cr_expect_eq(results[0].n_executed, 2, "stage three is not built");
	cr_expect_eq(results[0].n_diff_ids, 2);
	cr_expect_eq(results[1].n_diff_ids, 1);
	cr_expect(stv_digest_equal(&results[0].diff_ids[0],
				   &results[1].diff_ids[0]));
	cr_expect(stv_digest_equal(&results[0].image.manifest,
				   &results[2].image.manifest));
	cr_assert_eq(cas_tag_get(w.store, "docker.io/library/t1:latest", &img,
				 &w.err),
		     1);
	cr_expect(stv_digest_equal(&img.manifest, &results[1].image.manifest));
	for (int i = 0; i < 3; i++) {
		bld_result_fini(&results[i]);
		stv_strs_clear(&targets[i].tags);
	}
	works_close(&w);
}

Test(image, of_several_targets_a_missing_one_ends_all)
{
	struct bld_target targets[2] = {{.stage = "one"}, {.stage = "four"}};
	struct bld_result results[2] = {0};
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	works_ok(&w, stages);
	w.o.sources = w.sources;
	w.o.file = w.file;
	w.o.targets = targets;
	w.o.n_targets = 2;
	cr_assert_eq(bld_build(&w.o, results, &w.err), -1);
	cr_expect_eq(stv_err_code(w.err), STV_E_CHECK);
	cr_expect_null(results[0].config, "nothing is touched");
	works_close(&w);
}

Test(image, annotations_are_in_the_manifest)
{
	stv_auto_buf doc = STV_BUF_INIT(65536);
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	stv_pairs_set(&w.o.annotations, "org.example", "yes");
	works_ok(&w, stages);
	cr_assert_eq(cas_blob_read(w.store, &w.result.image.manifest, 65536,
				   &doc, &w.err),
		     0);
	cr_expect_not_null(strstr(stv_buf_str(&doc),
				  "\"annotations\":{\"org.example\":\"yes\"}"));
	stv_pairs_clear(&w.o.annotations);
	works_close(&w);
}

static int64_t
mtime_of(struct works *w, const char *path)
{
	struct lay_entry e;
	struct lay_view *v = NULL;
	int64_t t = -1;

	cr_assert_eq(lay_view_open(w->store, w->result.diff_ids,
				   w->result.n_diff_ids, &v, &w->err),
		     0);
	if (lay_view_lookup(v, path, &e) == 1)
		t = e.mtime_s;
	lay_view_close(v);
	return t;
}

Test(image, files_keep_their_times_where_that_is_asked_for)
{
	struct stv_digest clamped;
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	w.o.has_epoch = true;
	w.o.epoch = 1000;
	works_ok(&w, text);
	cr_expect_eq(mtime_of(&w, "a"), 1000);
	clamped = w.result.image.manifest;
	w.o.keeps_times = true;
	works_ok(&w, text);
	cr_expect_gt(mtime_of(&w, "a"), 1000, "it is another step");
	cr_expect_str_eq(w.result.config->created, "1970-01-01T00:16:40Z");
	for (size_t i = 0; i < w.result.config->n_history; i++)
		cr_expect_str_eq(w.result.config->history[i].created,
				 "1970-01-01T00:16:40Z");
	w.o.keeps_times = false;
	works_ok(&w, text);
	cr_expect(stv_digest_equal(&clamped, &w.result.image.manifest));
	works_close(&w);
}

Test(image, lines_without_a_layer_have_the_time_of_a_layer)
{
	const struct oci_history *h;
	struct works w;

	works_open(&w);
	works_file(&w, "a", "text");
	works_ok(&w, "FROM scratch\nCOPY a /a\n");
	(void)usleep(1100000);
	works_ok(&w, "FROM scratch\nCOPY a /a\nENV A=1\nCOPY a /b\nENV B=1\n");
	h = w.result.config->history;
	cr_assert_eq(w.result.config->n_history, 4);
	cr_expect_str_neq(h[0].created, h[2].created);
	cr_expect_str_eq(h[1].created, h[2].created, "the first new layer's");
	cr_expect_str_eq(h[3].created, h[2].created, "the layer's before");
	works_close(&w);
}
