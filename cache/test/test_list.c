/* cache/test/test_list.c - manifest lists in the store. */
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"

#include "cache/db.h"
#include "cache/gc.h"
#include "cache/list.h"
#include "cache/store_internal.h"
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

TestSuite(list, .init = begin, .fini = end);

static int
put(const char *before, const char *text, const struct stv_digest *image)
{
	struct cas_list l = {.name = "x:1",
			     .before = before,
			     .text = text,
			     .images = image,
			     .n_images = image != NULL ? 1 : 0};
	struct stv_err *err = NULL;
	int r = cas_list_put(store, &l, &err);

	ok(r, err);
	return r;
}

static void
is(const char *want)
{
	stv_auto_buf text = STV_BUF_INIT(100);
	struct stv_err *err = NULL;
	int r = cas_list_get(store, "x:1", &text, &err);

	ok(r, err);
	cr_expect_eq(r, want != NULL);
	if (want != NULL)
		cr_expect_str_eq(stv_buf_str(&text), want);
}

Test(list, it_is_written_only_over_what_was_read)
{
	struct stv_err *err = NULL;

	is(NULL);
	cr_expect_eq(put("a", "b", NULL), 0);
	is(NULL);
	cr_expect_eq(put(NULL, "a", NULL), 1);
	cr_expect_eq(put(NULL, "b", NULL), 0);
	is("a");
	cr_expect_eq(put("b", "c", NULL), 0);
	cr_expect_eq(put("a", "c", NULL), 1);
	is("c");
	cr_expect_eq(cas_list_remove(store, "y:1", &err), 0);
	cr_expect_eq(cas_list_remove(store, "x:1", &err), 1);
	is(NULL);
}

/* An image of one blob, without a tag. */
static struct stv_digest
make_image(const char *text)
{
	struct stv_err *err = NULL;
	struct cas_image image = {.created_s = 1};
	struct stv_strs no_tags = {0};

	ok(cas_blob_put(store, text, strlen(text), &image.manifest, &err), err);
	image.config = image.manifest;
	ok(cas_image_put(store, &image, &image.manifest, 1, &no_tags, &err),
	   err);
	return image.manifest;
}

static void
collect(struct cas_gc_opts o)
{
	struct cas_gc_result result;
	struct stv_err *err = NULL;

	ok(cas_gc(store, &o, &result, &err), err);
}

Test(list, its_images_are_not_collected)
{
	struct stv_digest kept = make_image("{}"), lost = make_image("[]");
	struct stv_err *err = NULL;

	cr_assert_eq(put(NULL, "a", &kept), 1);
	collect((struct cas_gc_opts){.dangling_images = true});
	cr_expect(cas_blob_has(store, &kept));
	cr_expect(!cas_blob_has(store, &lost));
	collect((struct cas_gc_opts){.all_images = true});
	collect((struct cas_gc_opts){.max_bytes = 1});
	cr_expect(cas_blob_has(store, &kept));
	/* It lets go of what it names no longer. */
	cr_assert_eq(put("a", "b", NULL), 1);
	collect((struct cas_gc_opts){.dangling_images = true});
	cr_expect(!cas_blob_has(store, &kept));
	kept = make_image("{}");
	cr_assert_eq(put("b", "c", &kept), 1);
	cr_assert_eq(cas_list_remove(store, "x:1", &err), 1);
	collect((struct cas_gc_opts){.dangling_images = true});
	cr_expect(!cas_blob_has(store, &kept));
}

/* A store of the version before has no lists, and may have them. */
Test(list, an_older_store_is_upgraded)
{
	struct stv_err *err = NULL;

	ok(cas_db_enter(store, &err), err);
	ok(cas_db_exec(store,
		       "DROP TABLE manifest_list;"
		       "DROP TABLE manifest_list_image;"
		       "PRAGMA user_version=3",
		       &err),
	   err);
	cas_db_leave(store);
	cas_store_close(store);
	store = scratch_open(dir);
	cr_expect_eq(put(NULL, "a", NULL), 1);
	is("a");
}
