/* builder/test/test_cache_doc.c - documents of caches that travel. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"

#include "builder/cache_doc.h"
#include "builder/cache_import.h"

#define D(c) "sha256:" c c c c c c c c c c c c c c c c
#define AA D("aaaa")
#define BB D("bbbb")
#define CC D("cccc")
#define DD D("dddd")

static void
parse(const char *text, struct bld_cache_doc *ret)
{
	struct stv_err *err = NULL;

	cr_assert_eq(bld_cache_doc_parse(text, strlen(text), ret, &err), 0,
		     "%s: %s", text, err == NULL ? "" : stv_err_msg(err));
}

static const char whole[] =
	"{\"version\":1,\"records\":[{\"key\":\"" AA "\",\"chain\":\"" BB
	"\",\"config\":\"" CC "\",\"layer\":\"" BB
	"\",\"created\":5},{\"key\":\"" BB "\"}],\"layers\":[{\"diffID\":\"" BB
	"\",\"mediaType\":\"x/y\",\"digest\":\"" CC
	"\",\"size\":7}],\"answers\":[{\"question\":\"" DD
	"\",\"answer\":\"0:7\"}],\"merged\":[\"one\"]}";

Test(cache_doc, what_is_written_is_read_again)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1 << 20);
	struct bld_cache_doc d;

	parse(whole, &d);
	cr_expect_eq(d.records.len, 2);
	cr_expect(d.records.v[0].has_layer);
	cr_expect_eq(d.records.v[0].created_s, 5);
	cr_expect_not(d.records.v[1].has_layer);
	cr_expect_str_eq(d.answers.v[0].text, "0:7");
	bld_cache_doc_write(&d, &text);
	cr_expect_str_eq(stv_buf_str(&text), whole);
	bld_cache_doc_fini(&d);
}

Test(cache_doc, refusals)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"version\":2}",
		"{\"version\":\"1\"}",
		"{\"version\":-1}",
		"{\"version\":1,\"records\":{}}",
		"{\"version\":1,\"records\":[7]}",
		"{\"version\":1,\"records\":[{}]}",
		"{\"version\":1,\"records\":[{\"key\":\"sha256:12\"}]}",
		"{\"version\":1,\"records\":[{\"key\":\"" AA
		"\",\"layer\":\"md5:1\"}]}",
		"{\"version\":1,\"records\":[{\"key\":\"" AA
		"\",\"created\":1e9}]}",
		"{\"version\":1,\"layers\":[{\"diffID\":\"" AA "\"}]}",
		"{\"version\":1,\"layers\":[{\"diffID\":\"" AA
		"\",\"digest\":\"" AA "\",\"mediaType\":\"x\",\"size\":-1}]}",
		"{\"version\":1,\"answers\":[{\"question\":\"" AA "\"}]}",
		"{\"version\":1,\"answers\":[{\"question\":\"" AA
		"\",\"answer\":\"" AA AA "\"}]}",
		"{\"version\":1,\"merged\":[1]}",
		"{\"version\":1,\"version\":1}",
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(texts); i++) {
		struct stv_err *err = NULL;
		struct bld_cache_doc d;

		cr_expect_eq(bld_cache_doc_parse(texts[i], strlen(texts[i]), &d,
						 &err),
			     -1, "%s is taken", texts[i]);
		bld_cache_doc_fini(&d);
		stv_err_free(err);
	}
}

/* A list that is longer than it may be. */
Test(cache_doc, bounds)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)8 << 20);
	struct stv_err *err = NULL;
	struct bld_cache_doc d;

	stv_buf_adds(&text, "{\"version\":1,\"records\":[");
	for (size_t i = 0; i <= BLD_CACHE_MAX_RECORDS; i++)
		stv_buf_addf(&text, "%s{\"key\":\"%s\"}", i > 0 ? "," : "", AA);
	stv_buf_adds(&text, "]}");
	cr_expect_eq(
		bld_cache_doc_parse(stv_buf_str(&text), text.len, &d, &err),
		-1);
	cr_expect_eq(stv_err_code(err), STV_E_LIMIT);
	bld_cache_doc_fini(&d);
	stv_err_free(err);
}

Test(cache_doc, merge_keeps_what_was_there)
{
	struct bld_cache_doc a, b;

	parse("{\"version\":1,\"records\":[{\"key\":\"" AA "\",\"layer\":\"" BB
	      "\"}]}",
	      &a);
	parse("{\"version\":1,\"records\":[{\"key\":\"" AA "\",\"layer\":\"" CC
	      "\"},{\"key\":\"" AA "\",\"chain\":\"" CC
	      "\"}],\"merged\":[\"x\",\"x\"]}",
	      &b);
	bld_cache_doc_merge(&a, &b);
	bld_cache_doc_merge(&a, &b);
	cr_assert_eq(a.records.len, 2);
	cr_expect_eq(a.records.v[0].diff_id.bytes[0], 0xbb);
	cr_expect_eq(a.merged.len, 1);
	bld_cache_doc_fini(&a);
	bld_cache_doc_fini(&b);
}

/* What is known is not sent again, but a layer that was missing is. */
Test(cache_doc, subtract)
{
	struct bld_cache_doc known, own, again;

	parse("{\"version\":1,\"records\":[{\"key\":\"" AA "\",\"layer\":\"" BB
	      "\"}],\"answers\":[{\"question\":\"" DD "\",\"answer\":\"x\"}]}",
	      &known);
	parse(whole, &own);
	bld_cache_doc_subtract(&own, &known);
	cr_assert_eq(own.records.len, 2, "another parent");
	cr_expect_eq(own.answers.len, 0);
	parse(whole, &again);
	bld_cache_doc_subtract(&own, &again);
	cr_expect_eq(own.records.len, 0);
	cr_expect_eq(own.layers.len, 0, "nobody needs it");
	bld_cache_doc_fini(&own);
	parse("{\"version\":1,\"records\":[{\"key\":\"" AA "\",\"layer\":\"" BB
	      "\"}],\"layers\":[{\"diffID\":\"" BB "\",\"digest\":\"" CC
	      "\",\"mediaType\":\"x\",\"size\":1}]}",
	      &own);
	bld_cache_doc_subtract(&own, &known);
	cr_expect_eq(own.records.len, 1, "its layer is news");
	cr_expect_eq(own.layers.len, 1);
	bld_cache_doc_fini(&own);
	bld_cache_doc_fini(&known);
	bld_cache_doc_fini(&again);
}

Test(cache_doc, trim_keeps_the_newest)
{
	struct bld_cache_doc d = {.records = {0}};

	for (size_t i = 0; i < BLD_CACHE_MAX_RECORDS + 10; i++)
		*stv_vec_push(&d.records) =
			(struct cas_record){.created_s = (int64_t)i};
	for (size_t i = 0; i < BLD_CACHE_MAX_MERGED + 10; i++)
		stv_strs_take(&d.merged, stv_xasprintf("%zu", i));
	bld_cache_doc_trim(&d);
	cr_expect_eq(d.records.len, BLD_CACHE_MAX_RECORDS);
	cr_expect_eq(d.records.v[0].created_s, 0);
	cr_expect_eq(d.merged.len, BLD_CACHE_MAX_MERGED);
	cr_expect_str_eq(d.merged.v[0], "0");
	bld_cache_doc_fini(&d);
}

/* A tag has at most 128 characters. */
Test(cache_doc, tags_of_exports)
{
	struct stv_digest d = stv_digest_of("x", 1);
	stv_auto_free char *tag = bld_cache_export_tag("main", &d);
	stv_auto_free char *head = bld_cache_export_tag("main", NULL);
	char text[129];

	cr_expect_str_eq(tag, "main.stave-2d711642b726b04401627ca9fbac32f5");
	cr_expect_eq(strncmp(tag, head, strlen(head)), 0);
	memset(text, 'a', sizeof(text) - 1);
	text[128] = '\0';
	free(tag);
	tag = bld_cache_export_tag(text, &d);
	cr_expect_leq(strlen(tag), 128);
}
