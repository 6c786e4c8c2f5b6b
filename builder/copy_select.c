/* builder/copy_select.c - what a source of COPY selects. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "parser/ignore.h"

#include "builder/copy_internal.h"

/* Does BuildKit take this component for a pattern?  '\' hides what follows. */
static bool
is_pattern(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\\')
			i++;
		else if (p[i] == '*' || p[i] == '?' || p[i] == '[')
			return true;
	}
	return false;
}

/* Length of the part of ${path} in front of its first pattern. */
static size_t
literal_len(const char *path)
{
	const char *p = path;

	while (*p != '\0') {
		size_t n = strcspn(p, "/");

		if (is_pattern(p, n))
			return (size_t)(p - path);
		p += n + (p[n] == '/');
	}
	return (size_t)(p - path);
}

static int
not_found(struct bld_copy_plan *p, const char *path, struct stv_err **err)
{
	stv_fail(err, STV_E_INPUT, "\"/%s\": not found%s", path,
		 p->spec->context != NULL ? " in the build context"
					  : " in what it is copied from");
	if (p->source != NULL)
		p->source->explain(p->source, path, err);
	return -1;
}

static int
cmp_identity(const void *a, const void *b, void *arg)
{
	const struct bld_item *items = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct bld_item *x = &items[i], *y = &items[k];

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return i < k ? -1 : i > k;
}

/* Is item ${i} another name of item ${k}? */
static int
is_same_file(struct bld_copy_plan *p, size_t i, size_t k, struct stv_err **err)
{
	const struct bld_item *a = &p->items.v[i], *b = &p->items.v[k];
	stv_auto_free char *path_a = NULL;
	stv_auto_free char *path_b = NULL;

	if (a->dev != b->dev || a->ino != b->ino)
		return 0;
	if (p->source->is_same == NULL)
		return 1;
	path_a = bld_plan_item_path(p, i);
	path_b = bld_plan_item_path(p, k);
	return p->source->is_same(p->source, path_a, path_b, err);
}

/* Which items of the pick are hard links of which. */
static int
find_links(struct bld_copy_plan *p, const struct bld_pick *pick,
	   struct stv_err **err)
{
	STV_VEC(size_t) linked = {0};
	int rc = 0;

	for (size_t i = pick->first; i < p->items.len; i++)
		if (p->items.v[i].is_linked)
			*stv_vec_push(&linked) = i;
	if (linked.len > 1)
		qsort_r(linked.v, linked.len, sizeof(size_t), cmp_identity,
			p->items.v);
	for (size_t i = 1; rc >= 0 && i < linked.len; i++) {
		size_t last = linked.v[i - 1];
		size_t leader = p->items.v[last].leader;

		rc = is_same_file(p, linked.v[i], last, err);
		if (rc == 1)
			p->items.v[linked.v[i]].leader =
				leader != NO_ITEM ? leader : last;
	}
	stv_vec_fini(&linked);
	return rc;
}

int
bld_plan_add(struct bld_copy_plan *p, const char *path, struct stv_err **err)
{
	struct bld_pick *pick;
	struct bld_src_entry ent;
	stv_auto_free char *real = NULL;
	int rc = bld_source_resolve(p->source, path, &real, &ent, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return not_found(p, path, err);
	pick = stv_vec_push(&p->picks);
	*pick = (struct bld_pick){
		.kind = BLD_PICK_TREE,
		.path = stv_xstrdup(real),
		.base = stv_xstrdup(bld_path_base(path)),
		.fd = -1,
		.is_archive_ok = p->spec->is_add &&
				 p->spec->unpack != BLD_UNPACK_NEVER &&
				 ent.e.type == LAY_FILE,
		.first = p->items.len,
	};
	bld_plan_own_entry(&ent.e);
	rc = bld_plan_add_item(p, real, "", &ent, err);
	if (rc == 0 && ent.e.type == LAY_DIR)
		rc = bld_plan_walk(p, pick, err);
	pick->n = p->items.len - pick->first;
	if (rc == 0 && find_links(p, pick, err) < 0)
		rc = -1;
	return rc;
}

/* Names in one directory that match one component of a pattern. */
struct glob {
	const char *pattern;
	bool is_last;
	struct stv_strs names;
};

static int
collect_match(void *arg, const char *name, const struct bld_src_entry *ent,
	      struct stv_err **err)
{
	struct glob *g = arg;

	(void)err;
	/* Links on the way are not followed (filepath.Walk). */
	if ((g->is_last || ent->e.type == LAY_DIR) &&
	    df_glob_match(g->pattern, name) == 1)
		stv_strs_add(&g->names, name);
	return 0;
}

/* All matches of ${pattern} below ${dir}, in order, into ${ret}. */
static int
glob_below(struct bld_copy_plan *p, const char *dir, const char *pattern,
	   struct stv_strs *ret, struct stv_err **err)
{
	size_t n = strcspn(pattern, "/");
	stv_auto_free char *part = stv_xstrndup(pattern, n);
	struct glob g = {.pattern = part, .is_last = pattern[n] == '\0'};
	int rc = p->source->list(p->source, dir, collect_match, &g, err);

	for (size_t i = 0; rc == 0 && i < g.names.len; i++) {
		char *sub = bld_path_join(dir, g.names.v[i]);

		if (g.is_last) {
			stv_strs_take(ret, sub);
			continue;
		}
		rc = glob_below(p, sub, pattern + n + 1, ret, err);
		free(sub);
	}
	stv_strs_clear(&g.names);
	return rc;
}

static int
select_pattern(struct bld_copy_plan *p, const char *path, size_t literal,
	       struct stv_err **err)
{
	stv_auto_free char *dir = stv_xstrndup(path, literal);
	stv_auto_free char *clean = bld_path_clean(dir);
	stv_auto_free char *real = NULL;
	STV_CLEANUP(stv_strs_clear) struct stv_strs found = {0};
	struct bld_src_entry ent;
	int rc;

	if (df_glob_check(path, err) < 0)
		return -1;
	rc = bld_source_resolve(p->source, clean, &real, &ent, err);
	if (rc <= 0 || ent.e.type != LAY_DIR)
		return rc < 0 ? -1 : 0;
	if (glob_below(p, real, path + literal, &found, err) < 0)
		return -1;
	for (size_t i = 0; i < found.len; i++)
		if (bld_plan_add(p, found.v[i], err) < 0)
			return -1;
	return 0;
}

static int
select_path(struct bld_copy_plan *p, const char *src, struct stv_err **err)
{
	stv_auto_free char *path = bld_path_clean(src);
	size_t literal = literal_len(path);

	if (path[literal] != '\0')
		return select_pattern(p, path, literal, err);
	return bld_plan_add(p, path, err);
}

/* A --parents source without wildcards must be there. */
static int
require_path(struct bld_copy_plan *p, const char *top, const char *rest,
	     struct stv_err **err)
{
	stv_auto_free char *joined = stv_xasprintf("%s/%s", top, rest);
	stv_auto_free char *path = bld_path_clean(joined);
	stv_auto_free char *real = NULL;
	struct bld_src_entry ent;
	int rc;

	if (path[literal_len(path)] != '\0')
		return 0;
	rc = bld_source_resolve(p->source, path, &real, &ent, err);
	return rc == 0 ? not_found(p, path, err) : rc < 0 ? -1 : 0;
}

/*
 * "top/./rest" of --parents: of the directory ${top} what matches the pattern
 * ${rest}, with the directories on the way; without the pivot ${top} is the
 * root.
 */
static int
select_parents(struct bld_copy_plan *p, const char *src, struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs patterns = {0};
	const char *pivot = strstr(src, "/./");
	stv_auto_free char *top =
		stv_xstrndup(src, pivot == NULL ? 0 : (size_t)(pivot - src));
	char *rest = bld_path_clean(pivot == NULL ? src : pivot + 3);
	int rc;

	stv_strs_take(&patterns, rest);
	if (require_path(p, top, rest, err) < 0)
		return -1;
	/* "." is everything. */
	if (*rest != '\0' &&
	    df_ignore_from_patterns(&patterns, &p->include, err) < 0)
		return -1;
	rc = select_path(p, top, err);
	df_ignore_free(p->include);
	p->include = NULL;
	return rc;
}

int
bld_plan_select(struct bld_copy_plan *p, const char *src, struct stv_err **err)
{
	if (p->spec->checksum != NULL) {
		stv_fail(err, STV_E_CHECK,
			 "--checksum cannot be checked for '%s'", src);
		stv_err_hint(*err, "It takes one source, and that is an http "
				   "or https URL.");
		return -1;
	}
	if (p->source == NULL) {
		stv_auto_free char *path = bld_path_clean(src);

		return not_found(p, path, err);
	}
	return p->spec->is_parents ? select_parents(p, src, err)
				   : select_path(p, src, err);
}
