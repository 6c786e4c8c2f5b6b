/* builder/manifest_list.c - lists in the store. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/vec.h"

#include "cache/list.h"
#include "registry/ref.h"

#include "builder/manifest_list.h"
#include "builder/manifest_list_internal.h"

/* Changes by others between reading and writing; then somebody is mad. */
#define MAX_TRIES 100

static struct oci_index *
new_index(const char *media_type)
{
	struct oci_index *x = stv_xcalloc(1, sizeof(*x));

	x->media_type = stv_xstrdup(media_type);
	return x;
}

/* 1 and the list with its text, or 0 and an empty list. */
static int
load(struct cas_store *store, const char *name, struct stv_buf *text,
     struct oci_index **ret, struct stv_err **err)
{
	int r = cas_list_get(store, name, text, err);

	if (r < 0 || stv_buf_check(text, "a manifest list", err) < 0)
		return -1;
	if (r == 0)
		*ret = new_index(OCI_MT_INDEX);
	else if (oci_index_parse(stv_buf_str(text), text->len, NULL, ret, err) <
		 0)
		return stv_wrap(err, "reading the manifest list %s", name);
	return r;
}

int
bld_list_get(struct cas_store *store, const char *name, struct oci_index **ret,
	     struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_LIST);
	stv_auto(oci_index) *x = NULL;
	int r = load(store, name, &text, &x, err);

	if (r == 1)
		*ret = stv_steal(&x);
	return r;
}

const char *
bld_list_from(const struct oci_descriptor *d)
{
	return stv_pairs_get(&d->annotations, BLD_LIST_FROM);
}

/* Write what became of ${before}: 1, or 0 where that is no longer there. */
static int
save(struct cas_store *store, const char *name, const struct stv_buf *before,
     const struct oci_index *x, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	STV_VEC(struct stv_digest) images = {0};
	struct cas_list l = {.name = name};
	int r;

	if (x->n_manifests > STV_MAX_INDEX_ENTRIES)
		return stv_fail(err, STV_E_LIMIT,
				"a manifest list has at most %d entries",
				STV_MAX_INDEX_ENTRIES);
	oci_index_write(x, &text);
	if (stv_buf_check(&text, "the manifest list", err) < 0)
		return -1;
	for (size_t i = 0; i < x->n_manifests; i++)
		if (bld_list_from(&x->manifests[i]) == NULL)
			*stv_vec_push(&images) = x->manifests[i].digest;
	l.before = before->len > 0 ? stv_buf_str(before) : NULL;
	l.text = stv_buf_str(&text);
	l.images = images.v;
	l.n_images = images.len;
	r = cas_list_put(store, &l, err);
	stv_vec_fini(&images);
	return r;
}

/* Read, change, write, and again where somebody else was faster. */
static int
update(struct cas_store *store, const char *name,
       int (*change)(void *arg, bool is_new, struct oci_index *x,
		     struct stv_err **err),
       void *arg, struct stv_err **err)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		stv_auto_buf text = STV_BUF_INIT(STV_MAX_LIST);
		stv_auto(oci_index) *x = NULL;
		int r = load(store, name, &text, &x, err);

		if (r < 0 || change(arg, r == 0, x, err) < 0)
			return -1;
		r = save(store, name, &text, x, err);
		if (r != 0)
			return r < 0 ? -1 : 0;
	}
	return stv_fail(err, STV_E_IO,
			"the manifest list %s is changed by others all the "
			"time",
			name);
}

struct addition {
	const char *name;
	bool is_amended;
	const struct oci_index *members;
};

/* Was it added by the same name, or is it the same one? */
static bool
is_replaced(const struct oci_descriptor *d, const struct oci_index *by)
{
	const char *name = stv_pairs_get(&d->annotations, BLD_LIST_NAME);

	for (size_t i = 0; i < by->n_manifests; i++) {
		const char *other = stv_pairs_get(&by->manifests[i].annotations,
						  BLD_LIST_NAME);

		if (stv_digest_equal(&d->digest, &by->manifests[i].digest) ||
		    (name != NULL && other != NULL && strcmp(name, other) == 0))
			return true;
	}
	return false;
}

static bool
has_digest(const struct oci_index *x, const struct stv_digest *d)
{
	for (size_t i = 0; i < x->n_manifests; i++)
		if (stv_digest_equal(&x->manifests[i].digest, d))
			return true;
	return false;
}

static int
add(void *arg, bool is_new, struct oci_index *x, struct stv_err **err)
{
	const struct addition *a = arg;
	size_t n = 0;

	if (!is_new && !a->is_amended) {
		stv_fail(err, STV_E_USAGE, "there is a manifest list %s",
			 a->name);
		stv_err_hint(*err, "Add to it with --amend, or remove it with "
				   "'stave manifest rm'.");
		return -1;
	}
	for (size_t i = 0; i < x->n_manifests; i++) {
		if (is_replaced(&x->manifests[i], a->members))
			oci_descriptor_fini(&x->manifests[i]);
		else
			x->manifests[n++] = x->manifests[i];
	}
	x->n_manifests = n;
	for (size_t i = 0; i < a->members->n_manifests; i++)
		if (!has_digest(x, &a->members->manifests[i].digest))
			oci_descriptor_copy(oci_index_add(x),
					    &a->members->manifests[i]);
	return 0;
}

int
bld_list_add(struct cas_store *store, const char *name, bool is_amended,
	     const struct oci_index *members, struct stv_err **err)
{
	struct addition a = {name, is_amended, members};

	return update(store, name, add, &a, err);
}

struct note {
	const char *name;
	const struct reg_ref *member;
	const struct stv_platform *platform;
};

static struct oci_descriptor *
find_member(const struct note *n, struct oci_index *x, struct stv_err **err)
{
	stv_auto_free char *name = reg_ref_str(n->member);
	struct oci_descriptor *found = NULL;
	size_t n_found = 0;

	for (size_t i = 0; i < x->n_manifests; i++) {
		struct oci_descriptor *d = &x->manifests[i];
		const char *by = stv_pairs_get(&d->annotations, BLD_LIST_NAME);

		if (n->member->has_digest
			    ? !stv_digest_equal(&d->digest, &n->member->digest)
			    : by == NULL || strcmp(by, name) != 0)
			continue;
		found = d;
		n_found++;
	}
	if (n_found == 1)
		return found;
	if (n_found == 0)
		stv_fail(err, STV_E_NOT_FOUND,
			 "the manifest list %s has no entry %s", n->name, name);
	else
		stv_fail(err, STV_E_USAGE,
			 "%s stands for %zu entries of the manifest list %s",
			 name, n_found, n->name);
	stv_err_hint(*err,
		     "'stave manifest inspect %s' shows the entries; name one "
		     "by its digest, NAME@sha256:...",
		     n->name);
	return NULL;
}

static void
replace(char **at, const char *value)
{
	if (value == NULL)
		return;
	free(*at);
	*at = stv_xstrdup(value);
}

static int
annotate(void *arg, bool is_new, struct oci_index *x, struct stv_err **err)
{
	const struct note *n = arg;
	struct oci_descriptor *d;

	if (is_new)
		return stv_fail(err, STV_E_NOT_FOUND,
				"there is no manifest list %s", n->name);
	d = find_member(n, x, err);
	if (d == NULL)
		return -1;
	d->has_platform = true;
	replace(&d->platform.os, n->platform->os);
	replace(&d->platform.arch, n->platform->arch);
	replace(&d->platform.variant, n->platform->variant);
	replace(&d->platform.os_version, n->platform->os_version);
	for (size_t i = 0; i < n->platform->os_features.len; i++)
		if (!stv_strs_has(&d->platform.os_features,
				  n->platform->os_features.v[i]))
			stv_strs_add(&d->platform.os_features,
				     n->platform->os_features.v[i]);
	if (d->platform.os == NULL || d->platform.arch == NULL)
		return stv_fail(err, STV_E_USAGE,
				"a platform needs --os and --arch: this entry "
				"has none yet");
	return 0;
}

int
bld_list_annotate(struct cas_store *store, const char *name,
		  const struct reg_ref *member, const struct stv_platform *p,
		  struct stv_err **err)
{
	struct note n = {name, member, p};

	return update(store, name, annotate, &n, err);
}

void
bld_list_copy_bare(struct oci_descriptor *dst, const struct oci_descriptor *src)
{
	struct oci_descriptor shown = *src;

	shown.annotations = (struct stv_pairs){0};
	oci_descriptor_copy(dst, &shown);
	for (size_t i = 0; i < src->annotations.len; i++) {
		const struct stv_pair *p = &src->annotations.v[i];

		if (strcmp(p->name, BLD_LIST_NAME) != 0 &&
		    strcmp(p->name, BLD_LIST_FROM) != 0)
			stv_pairs_set(&dst->annotations, p->name, p->value);
	}
}

struct oci_index *
bld_list_index(const struct oci_index *list)
{
	struct oci_index *x = new_index(OCI_MT_INDEX);
	bool is_docker = list->n_manifests > 0;

	for (size_t i = 0; i < list->n_manifests; i++) {
		struct oci_descriptor *d = oci_index_add(x);

		bld_list_copy_bare(d, &list->manifests[i]);
		/* Docker's format knows no annotations. */
		if (strcmp(d->media_type, DOCKER_MT_MANIFEST) != 0 ||
		    d->annotations.len > 0)
			is_docker = false;
	}
	if (is_docker)
		replace(&x->media_type, DOCKER_MT_LIST);
	return x;
}
