/* builder/test/test_image.c - config, manifest, tags and times of a build. */
#include <criterion/criterion.h>
#include <string.h>

#include "cache/blob.h"
#include "cache/meta.h"
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
