/* parser/lint_stage.c - rules about FROM. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/mem.h"

#include "parser/lint_internal.h"
#include "parser/parse.h"

static bool
is_lower(const char *s)
{
	for (; *s != '\0'; s++)
		if (isupper((unsigned char)*s))
			return false;
	return true;
}

static bool
is_upper(const char *s)
{
	for (; *s != '\0'; s++)
		if (islower((unsigned char)*s))
			return false;
	return true;
}

static char *
lower_copy(const char *text)
{
	char *s = stv_xstrdup(text);

	for (char *p = s; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

/* ---- names ---------------------------------------------------------------*/

/* Is the name of a stage one that is written in lower case instead? */
static bool
has_new_name(const struct df_lint *l, const struct df_arg *name)
{
	return !is_lower(name->text) && df_lint_is_verbatim(l, name);
}

/*
 * COPY --from of such a stage is written alike; it works either way.  Names in
 * lower case already are not looked for.
 */
static void
edit_user(struct df_lint *l, const struct df_node *n)
{
	const struct df_flag *from = df_node_flag(n, "from");
	size_t len = from != NULL ? strlen(from->value) : 0;
	stv_auto_free char *name = NULL;

	if (from == NULL || is_lower(from->value) ||
	    from->value_span.end - from->value_span.begin != len)
		return;
	name = lower_copy(from->value);
	for (size_t i = 0; i < l->stages.len; i++) {
		const struct lint_stage *st = &l->stages.v[i];

		if (st->name == NULL || strcmp(st->name, name) != 0 ||
		    !has_new_name(l, &st->from->args[2]))
			continue;
		df_lint_edit(l, from->value_span, stv_steal(&name));
		return;
	}
}

void
df_lint_stage_casing(struct df_lint *l, const struct df_node *n)
{
	const struct df_arg *name;
	struct stv_diag *f;

	if (n->kind == DF_COPY)
		edit_user(l, n);
	if (n->kind != DF_FROM || n->n_args != 3)
		return;
	name = &n->args[2];
	if (is_lower(name->text))
		return;
	f = df_lint_add(l, DF_R_STAGE_CASING, name->span,
			"the stage name '%s' is not in lower case", name->text);
	stv_diag_hint(f, "Names of stages know no case; docker writes them in "
			 "lower case.");
	if (has_new_name(l, name))
		df_lint_edit(l, name->span, lower_copy(name->text));
}

void
df_lint_from_as(struct df_lint *l, const struct df_node *n)
{
	bool is_low, is_up;
	struct stv_diag *f;

	if (n->kind != DF_FROM || n->n_args != 3)
		return;
	is_low = is_lower(n->keyword);
	is_up = is_upper(n->keyword);
	/* A FROM in mixed case is ConsistentInstructionCasing's. */
	if ((!is_low && !is_up) || (is_low && is_lower(n->args[1].text)) ||
	    (is_up && is_upper(n->args[1].text)))
		return;
	f = df_lint_add(l, DF_R_FROM_AS_CASING, n->args[1].span,
			"'%s' is not in the case of its '%s'", n->args[1].text,
			n->keyword);
	stv_diag_related(f, n->keyword_span, "this one");
	if (df_lint_is_verbatim(l, &n->args[1]))
		df_lint_edit(l, n->args[1].span,
			     stv_xstrdup(is_up ? "AS" : "as"));
}

/* By name, and the first one of a name first. */
static int
cmp_stages(const void *a, const void *b)
{
	const struct lint_stage *const *x = a, *const *y = b;
	int rc = strcmp((*x)->name, (*y)->name);

	return rc != 0 ? rc : ((*x)->index > (*y)->index) * 2 - 1;
}

static void
report_duplicate(struct df_lint *l, const struct lint_stage *st,
		 const struct lint_stage *first)
{
	struct stv_diag *f;

	f = df_lint_add(l, DF_R_DUPLICATE_STAGE, st->from->args[2].span,
			"there are two stages of the name '%s'", st->name);
	stv_diag_related(f, first->from->args[2].span, "the first one");
	stv_diag_hint(f, "The later one is used behind this place; give it "
			 "another name.");
}

void
df_lint_duplicates(struct df_lint *l)
{
	STV_VEC(const struct lint_stage *) named = {0};
	size_t first = 0;

	for (size_t i = 0; i < l->stages.len; i++)
		if (l->stages.v[i].name != NULL)
			*stv_vec_push(&named) = &l->stages.v[i];
	if (named.len > 0)
		qsort(named.v, named.len, sizeof(*named.v), cmp_stages);
	for (size_t i = 1; i < named.len; i++)
		if (strcmp(named.v[i]->name, named.v[first]->name) == 0)
			report_duplicate(l, named.v[i], named.v[first]);
		else
			first = i;
	stv_vec_fini(&named);
}

void
df_lint_reserved(struct df_lint *l)
{
	for (size_t i = 0; i < l->stages.len; i++) {
		const struct lint_stage *st = &l->stages.v[i];

		if (st->name != NULL && (strcmp(st->name, "context") == 0 ||
					 strcmp(st->name, "scratch") == 0))
			df_lint_add(
				l, DF_R_RESERVED_STAGE, st->from->args[2].span,
				"the stage name '%s' is reserved", st->name);
	}
}

/* ---- variables -----------------------------------------------------------*/

/* A text of FROM, expanded, with the variables in it. */
struct expanded {
	char *text; /* NULL: that failed */
	struct stv_strs used;
	struct stv_strs unset;
};

static void
expand_global(struct df_lint *l, const char *text, struct expanded *ret)
{
	struct df_expander x = df_lint_expander(l, &l->global);
	struct stv_err *err = NULL;

	*ret = (struct expanded){0};
	x.used = &ret->used;
	x.unset = &ret->unset;
	if (df_expand_word(&x, text, &ret->text, &err) < 0) {
		ret->text = NULL;
		stv_err_free(err);
	}
}

static void
expanded_fini(struct expanded *e)
{
	free(e->text);
	stv_strs_clear(&e->used);
	stv_strs_clear(&e->unset);
}

/* A declared name that is near, as a hint. */
static void
hint_near(struct df_lint *l, struct stv_diag *f, const char *name)
{
	STV_VEC(const char *) names = {0};
	const char *near;

	for (size_t i = 0; i < l->global_names.len && i < LINT_MAX_NAMES; i++)
		*stv_vec_push(&names) = l->global_names.v[i];
	*stv_vec_push(&names) = NULL;
	near = df_nearest(name, names.v);
	if (near != NULL)
		stv_diag_hint(f, "Did you mean $%s?", near);
	else
		stv_diag_hint(f,
			      "Declare it by 'ARG %s' before the first FROM.",
			      name);
	stv_vec_fini(&names);
}

static void
report_unset(struct df_lint *l, const char *text, struct stv_span span)
{
	struct expanded e;

	expand_global(l, text, &e);
	for (size_t i = 0; i < e.unset.len; i++) {
		const char *name = e.unset.v[i];

		if (stv_strs_has(&l->global_names, name))
			continue;
		hint_near(l,
			  df_lint_add(l, DF_R_UNDEFINED_FROM, span,
				      "the argument '%s' of FROM is not "
				      "declared",
				      name),
			  name);
	}
	expanded_fini(&e);
}

void
df_lint_undefined_from(struct df_lint *l, const struct df_node *n)
{
	const struct df_flag *flag = df_node_flag(n, "platform");

	if (n->kind != DF_FROM)
		return;
	report_unset(l, n->args[0].text, n->args[0].span);
	if (flag != NULL)
		report_unset(l, flag->value, flag->value_span);
}

/* ---- platforms -----------------------------------------------------------*/

void
df_lint_redundant_platform(struct df_lint *l, const struct df_node *n)
{
	const struct df_flag *flag = df_node_flag(n, "platform");
	const char *target = stv_env_get(&l->global, "TARGETPLATFORM");
	struct expanded e;
	bool is_only = true;
	struct stv_diag *f;

	if (n->kind != DF_FROM || flag == NULL)
		return;
	expand_global(l, flag->value, &e);
	for (size_t i = 0; i < e.used.len; i++)
		is_only &= strcmp(e.used.v[i], "TARGETPLATFORM") == 0;
	if (is_only && e.used.len > 0 && e.unset.len == 0 && e.text != NULL &&
	    target != NULL && strcmp(e.text, target) == 0) {
		f = df_lint_add(l, DF_R_REDUNDANT_PLATFORM, flag->span,
				"the platform %s is the default", flag->value);
		stv_diag_hint(f, "Remove the flag.");
	}
	expanded_fini(&e);
}

void
df_lint_const_platform(struct df_lint *l, const struct df_node *n)
{
	const struct df_flag *flag = df_node_flag(n, "platform");
	const char *name = n->kind == DF_FROM && l->stage->name != NULL
				   ? l->stage->name
				   : "";
	struct stv_platform p = {0};
	struct stv_err *err = NULL;
	struct expanded e;
	struct stv_diag *f;

	if (n->kind != DF_FROM || flag == NULL)
		return;
	expand_global(l, flag->value, &e);
	if (e.used.len > 0 || e.unset.len > 0 || e.text == NULL) {
		expanded_fini(&e);
		return;
	}
	if (stv_platform_parse(e.text, &p, &err) < 0) {
		stv_err_free(err);
	} else if (strstr(name, p.os) == NULL && strstr(name, p.arch) == NULL) {
		f = df_lint_add(l, DF_R_FROM_PLATFORM_CONST, flag->span,
				"the platform of FROM is the constant '%s'",
				e.text);
		stv_diag_hint(f, "Give --platform to the build, use "
				 "$BUILDPLATFORM, or put the platform into the "
				 "stage's name.");
	}
	stv_platform_fini(&p);
	expanded_fini(&e);
}

/* The platform that an image of FROM should have; zeroed ${ret}. */
static bool
wanted_platform(struct df_lint *l, const struct df_node *n,
		struct stv_platform *ret)
{
	const struct df_flag *flag = df_node_flag(n, "platform");
	struct stv_err *err = NULL;
	struct expanded e;
	bool is_known;

	if (flag == NULL) {
		stv_platform_copy(ret, &l->platform);
		return true;
	}
	expand_global(l, flag->value, &e);
	is_known = e.text != NULL && stv_platform_parse(e.text, ret, &err) == 0;
	stv_err_free(err);
	expanded_fini(&e);
	return is_known;
}

void
df_lint_base_platform(struct df_lint *l, const struct df_node *n)
{
	const struct stv_platform *have;
	struct stv_platform want = {0};

	if (n->kind != DF_FROM)
		return;
	have = &l->stage->platform;
	if (have->os == NULL || have->arch == NULL)
		return;
	if (wanted_platform(l, n, &want) && want.os != NULL &&
	    want.arch != NULL &&
	    (strcmp(want.os, have->os) != 0 ||
	     strcmp(want.arch, have->arch) != 0)) {
		stv_auto_free char *have_str = stv_platform_str(have);
		stv_auto_free char *want_str = stv_platform_str(&want);

		df_lint_add(l, DF_R_BASE_PLATFORM, n->args[0].span,
			    "the image '%s' is of platform %s, not %s",
			    l->stage->base_name, have_str, want_str);
	}
	stv_platform_fini(&want);
}

/* ---- pinning -------------------------------------------------------------*/

void
df_lint_unpinned(struct df_lint *l, const struct df_node *n)
{
	const char *name, *slash, *tag;
	struct stv_diag *f;

	if (n->kind != DF_FROM || l->stage->parent != SIZE_MAX)
		return;
	name = l->stage->base_name;
	if (*name == '\0' || strcmp(name, "scratch") == 0 ||
	    strchr(name, '@') != NULL)
		return;
	slash = strrchr(name, '/');
	tag = strchr(slash != NULL ? slash : name, ':');
	if (tag != NULL && strcmp(tag, ":latest") != 0)
		return;
	f = df_lint_add(l, DF_R_UNPINNED_BASE, n->args[0].span,
			"the base '%s' has no fixed version", name);
	stv_diag_hint(f, "Name a version, or a digest: image:1.2 or "
			 "image@sha256:...");
}
