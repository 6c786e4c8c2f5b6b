/* builder/test/test_manifest_list.c - lists in a store. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/oci.h"

#include "cache/store.h"
#include "registry/ref.h"

#include "builder/manifest_list.h"

#define LIST "docker.io/library/l:1"

static char *dir;
static struct cas_store *store;

static void
begin(void)
{
	struct stv_err *err = NULL;

	dir = stv_xstrdup("/tmp/stave-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(
		cas_store_open(dir, &(struct cas_store_opts){0}, &store, &err),
		0);
}

static void
end(void)
{
	struct stv_err *err = NULL;

	cas_store_close(store);
	cr_expect_eq(stv_fsat_remove_tree(AT_FDCWD, dir, &err), 0);
	free(dir);
}

TestSuite(manifest_list, .init = begin, .fini = end);

/* What an image of ${text} would be, found in the registry by ${name}. */
static void
add_entry(struct oci_index *x, const char *type, const char *text,
	  const char *name)
{
	struct oci_descriptor *d = oci_index_add(x);

	d->media_type = stv_xstrdup(type);
	d->digest = stv_digest_of(text, strlen(text));
	d->size = strlen(text);
	stv_pairs_set(&d->annotations, "stave.list.name", name);
	stv_pairs_set(&d->annotations, "stave.list.from", "docker.io/x/y");
}

static int
put(struct oci_index *x, bool is_amended)
{
	struct stv_err *err = NULL;
	int rc = bld_list_add(store, LIST, is_amended, x, &err);

	stv_err_free(err);
	return rc;
}

static struct oci_index *
get(void)
{
	struct oci_index *x = NULL;
	struct stv_err *err = NULL;

	cr_assert_eq(bld_list_get(store, LIST, &x, &err), 1);
	return x;
}

static struct oci_index *
new_index(void)
{
	struct oci_index *x = stv_xcalloc(1, sizeof(*x));

	x->media_type = stv_xstrdup(OCI_MT_INDEX);
	return x;
}

Test(manifest_list, what_was_added_by_a_name_is_replaced)
{
	stv_auto(oci_index) *first = new_index(), *next = new_index();
	stv_auto(oci_index) *now = NULL;

	add_entry(first, OCI_MT_MANIFEST, "a", "n:1");
	add_entry(first, OCI_MT_MANIFEST, "b", "n:1");
	add_entry(first, OCI_MT_MANIFEST, "c", "n:2");
	cr_expect_eq(put(first, false), 0);
	cr_expect_eq(put(first, false), -1);
	add_entry(next, OCI_MT_MANIFEST, "d", "n:1");
	add_entry(next, OCI_MT_MANIFEST, "d", "n:3");
	cr_expect_eq(put(next, true), 0);
	now = get();
	cr_assert_eq(now->n_manifests, 2);
	cr_expect_eq(now->manifests[0].digest.bytes[0],
		     stv_digest_of("c", 1).bytes[0]);
	cr_expect_eq(now->manifests[1].digest.bytes[0],
		     stv_digest_of("d", 1).bytes[0]);
}

Test(manifest_list, only_dockers_images_make_dockers_list)
{
	stv_auto(oci_index) *x = new_index();
	stv_auto(oci_index) *a = NULL, *b = NULL, *c = NULL;

	add_entry(x, DOCKER_MT_MANIFEST, "a", "n:1");
	a = bld_list_index(x);
	cr_expect_str_eq(a->media_type, DOCKER_MT_LIST);
	cr_expect_eq(a->manifests[0].annotations.len, 0);
	stv_pairs_set(&x->manifests[0].annotations, "theirs", "1");
	b = bld_list_index(x);
	cr_expect_str_eq(b->media_type, OCI_MT_INDEX);
	cr_expect_eq(b->manifests[0].annotations.len, 1);
	stv_pairs_clear(&x->manifests[0].annotations);
	add_entry(x, OCI_MT_MANIFEST, "b", "n:2");
	c = bld_list_index(x);
	cr_expect_str_eq(c->media_type, OCI_MT_INDEX);
}

static enum stv_code
annotate(const char *name, const struct stv_platform *p)
{
	struct stv_err *err = NULL;
	reg_auto_ref ref = {0};
	enum stv_code code = STV_E_INTERNAL;

	cr_assert_eq(reg_ref_parse(name, &ref, &err), 0);
	if (bld_list_annotate(store, LIST, &ref, p, &err) < 0)
		code = stv_err_code(err);
	stv_err_free(err);
	return code;
}

Test(manifest_list, an_entry_is_meant_by_its_name_or_its_digest)
{
	stv_auto(oci_index) *x = new_index(), *now = NULL;
	struct stv_digest d = stv_digest_of("b", 1);
	char text[STV_DIGEST_STR_MAX];
	stv_auto_free char *b =
		stv_xasprintf("any@%s", stv_digest_str(&d, text));
	char os[] = "linux", arch[] = "arm64";
	struct stv_platform all = {.os = os, .arch = arch}, half = {.os = os};

	cr_expect_eq(annotate("n:1", &all), STV_E_NOT_FOUND);
	add_entry(x, OCI_MT_MANIFEST, "a", "docker.io/library/n:1");
	add_entry(x, OCI_MT_MANIFEST, "b", "docker.io/library/n:1");
	add_entry(x, OCI_MT_MANIFEST, "c", "docker.io/library/n:2");
	cr_assert_eq(put(x, false), 0);
	cr_expect_eq(annotate("n:3", &all), STV_E_NOT_FOUND);
	cr_expect_eq(annotate("n:1", &all), STV_E_USAGE);
	cr_expect_eq(annotate("n:2", &half), STV_E_USAGE);
	cr_expect_eq(annotate("n:2", &all), STV_E_INTERNAL);
	cr_expect_eq(annotate(b, &all), STV_E_INTERNAL);
	now = get();
	cr_expect(!now->manifests[0].has_platform);
	cr_expect_str_eq(now->manifests[1].platform.arch, "arm64");
	cr_expect_str_eq(now->manifests[2].platform.os, "linux");
}
