/* parser/glob.c - wildcards without regular expressions. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"

#include "parser/glob.h"
#include "parser/ignore.h"
#include "parser/utf8.h"

enum elem_kind {
	ELEM_CHAR,  /* this one */
	ELEM_ANY,   /* one that is no slash */
	ELEM_CLASS, /* one of ranges, a slash too if it is in them */
	ELEM_STAR,  /* any number without a slash */
	ELEM_DEEP,  /* nothing, or anything that ends with a slash */
	ELEM_TAIL   /* anything */
};

struct range {
	uint32_t lo;
	uint32_t hi;
};

struct elem {
	enum elem_kind kind;
	bool is_negated; /* of a class */
	uint32_t c;	 /* of a character */
	uint32_t first;	 /* of a class: its ranges */
	uint32_t n;
};

struct df_glob {
	STV_VEC(struct elem) elems;
	STV_VEC(struct range) ranges;
	size_t min_len; /* characters that a match has at least */
};

/* ---- compiling -----------------------------------------------------------*/

/* The pattern while it is read. */
struct reading {
	const char *p;
	size_t n;
	struct df_glob *g;
};

static bool
next_is(const struct reading *r, char c)
{
	return r->n > 0 && *r->p == c;
}

static void
skip(struct reading *r, size_t n)
{
	r->p += n;
	r->n -= n;
}

/* The next code point; false at the end. */
static bool
take(struct reading *r, uint32_t *ret)
{
	if (r->n == 0)
		return false;
	skip(r, df_utf8_next(r->p, r->n, ret));
	return true;
}

static struct elem *
add(struct df_glob *g, enum elem_kind kind)
{
	struct elem *e;

	/* Two of a kind that swallow anything are as good as one. */
	if (kind >= ELEM_STAR && g->elems.len > 0 &&
	    g->elems.v[g->elems.len - 1].kind == kind)
		return &g->elems.v[g->elems.len - 1];
	e = stv_vec_push(&g->elems);
	e->kind = kind;
	if (kind < ELEM_STAR)
		g->min_len++;
	return e;
}

/* One end of a range in a class. */
static bool
take_class_char(struct reading *r, uint32_t *ret)
{
	if (r->n == 0 || *r->p == '-' || *r->p == ']')
		return false;
	if (*r->p == '\\')
		skip(r, 1);
	/* Something must follow: at least the closing bracket. */
	return take(r, ret) && *ret < DF_BAD_BYTE && r->n > 0;
}

/* "[a-z^]"; the bracket was consumed. */
static bool
take_class(struct reading *r)
{
	struct elem *e = add(r->g, ELEM_CLASS);
	struct range range;

	e->first = (uint32_t)r->g->ranges.len;
	if (next_is(r, '^')) {
		e->is_negated = true;
		skip(r, 1);
	}
	while (e->n == 0 || !next_is(r, ']')) {
		if (!take_class_char(r, &range.lo))
			return false;
		range.hi = range.lo;
		if (next_is(r, '-')) {
			skip(r, 1);
			if (!take_class_char(r, &range.hi))
				return false;
		}
		*stv_vec_push(&r->g->ranges) = range;
		e->n++;
	}
	skip(r, 1);
	return true;
}

/*
 * "**", the first star was consumed.  At the end it takes everything; before
 * more it stands for directories.  At the very beginning of a pattern that is
 * plain text behind it ("**foo"), it takes any text: the reference compares
 * the end of the path then.
 */
static void
take_deep(struct reading *r, bool is_first)
{
	bool has_slash;

	skip(r, 1);
	has_slash = next_is(r, '/');
	if (has_slash)
		skip(r, 1);
	if (r->n == 0 ||
	    (is_first && !has_slash && strcspn(r->p, "*?[]\\") == r->n))
		add(r->g, ELEM_TAIL);
	else
		add(r->g, ELEM_DEEP);
}

static bool
compile(struct reading *r, bool is_deep)
{
	uint32_t c;

	while (take(r, &c)) {
		bool is_first = r->g->elems.len == 0;

		switch (c) {
		case '*':
			if (is_deep && next_is(r, '*'))
				take_deep(r, is_first);
			else
				add(r->g, ELEM_STAR);
			break;
		case '?':
			add(r->g, ELEM_ANY);
			break;
		case '[':
			if (!take_class(r))
				return false;
			break;
		case '\\':
			if (!take(r, &c))
				return false;
			/* fallthrough */
		default:
			add(r->g, ELEM_CHAR)->c = c;
		}
	}
	return true;
}

struct df_glob *
df_glob_new(const char *pattern, bool is_deep)
{
	struct df_glob *g = stv_xcalloc(1, sizeof(*g));
	struct reading r = {.p = pattern, .n = strlen(pattern), .g = g};

	if (compile(&r, is_deep))
		return g;
	df_glob_free(g);
	return NULL;
}

void
df_glob_free(struct df_glob *g)
{
	if (g == NULL)
		return;
	stv_vec_fini(&g->elems);
	stv_vec_fini(&g->ranges);
	free(g);
}

/* ---- paths ---------------------------------------------------------------*/

void
df_path_set(struct df_path *path, const char *text, size_t len)
{
	path->c.len = 0;
	for (size_t i = 0; i < len;) {
		uint32_t c;

		i += df_utf8_next(text + i, len - i, &c);
		*stv_vec_push(&path->c) = c;
	}
	if (path->cap < path->c.len + 1) {
		path->cap = 2 * (path->c.len + 1);
		path->reached = stv_xreallocarray(path->reached, path->cap, 1);
	}
}

void
df_path_fini(struct df_path *path)
{
	stv_vec_fini(&path->c);
	free(path->reached);
	path->reached = NULL;
	path->cap = 0;
}

/* Start with the first place alone. */
static void
begin(struct df_path *path)
{
	memset(path->reached, 0, path->c.len + 1);
	path->reached[0] = 1;
	path->first = path->last = 0;
}

/* ---- matching ------------------------------------------------------------*/

static bool
matches(const struct df_glob *g, const struct elem *e, uint32_t c)
{
	bool is_in = false;

	if (e->kind == ELEM_CHAR)
		return c == e->c;
	if (e->kind == ELEM_ANY)
		return c != '/';
	for (uint32_t i = 0; i < e->n && !is_in; i++) {
		const struct range *r = &g->ranges.v[e->first + i];

		is_in = r->lo <= c && c <= r->hi;
	}
	return is_in != e->is_negated;
}

/* Go on from all places by an element that takes one character. */
static void
step_one(const struct df_glob *g, const struct elem *e, struct df_path *path)
{
	size_t n = path->c.len;
	size_t last = path->last < n ? path->last + 1 : n;
	size_t first = SIZE_MAX, end = 0;

	for (size_t i = last; i > path->first; i--) {
		path->reached[i] =
			path->reached[i - 1] && matches(g, e, path->c.v[i - 1]);
		if (path->reached[i]) {
			first = i;
			end = end > i ? end : i;
		}
	}
	path->reached[path->first] = 0;
	/* first > last: no place was reached. */
	path->first = first == SIZE_MAX ? 1 : first;
	path->last = first == SIZE_MAX ? 0 : end;
}

/* Go on by an element that takes any number. */
static void
step_many(const struct elem *e, struct df_path *path)
{
	size_t n = path->c.len;

	if (e->kind == ELEM_TAIL) {
		memset(path->reached + path->first, 1, n - path->first + 1);
		path->last = n;
	} else if (e->kind == ELEM_DEEP) {
		for (size_t i = path->first; i < n; i++) {
			if (path->c.v[i] != '/')
				continue;
			path->reached[i + 1] = 1;
			path->last = path->last > i ? path->last : i + 1;
		}
	} else {
		for (size_t i = path->first; i < n; i++) {
			if (!path->reached[i] || path->c.v[i] == '/')
				continue;
			path->reached[i + 1] = 1;
			path->last = path->last > i ? path->last : i + 1;
		}
	}
}

/* Go on by one element; false where no place is left. */
static bool
step(const struct df_glob *g, const struct elem *e, struct df_path *path)
{
	if (e->kind >= ELEM_STAR)
		step_many(e, path);
	else
		step_one(g, e, path);
	return path->first <= path->last;
}

bool
df_glob_run(const struct df_glob *g, struct df_path *path)
{
	if (g->min_len > path->c.len)
		return false;
	begin(path);
	for (size_t i = 0; i < g->elems.len; i++)
		if (!step(g, &g->elems.v[i], path))
			return false;
	return path->reached[path->c.len] != 0;
}

bool
df_glob_may_begin(const struct df_glob *g, struct df_path *path)
{
	begin(path);
	for (size_t i = 0; i < g->elems.len; i++) {
		const struct elem *e = &g->elems.v[i];

		/* These can take the rest of the path, and more. */
		if (e->kind == ELEM_DEEP || e->kind == ELEM_TAIL)
			return true;
		if (path->reached[path->c.len])
			return true;
		if (!step(g, e, path))
			return false;
	}
	return false;
}

/* ---- single patterns -----------------------------------------------------*/

static int
match(const char *pattern, const char *text, bool is_deep)
{
	stv_auto(df_glob) *g = df_glob_new(pattern, is_deep);
	struct df_path path = {0};
	int rc;

	if (g == NULL)
		return -1;
	df_path_set(&path, text, strlen(text));
	rc = df_glob_run(g, &path);
	df_path_fini(&path);
	return rc;
}

int
df_glob_match(const char *pattern, const char *name)
{
	return match(pattern, name, false);
}

int
df_pattern_match(const char *pattern, const char *path)
{
	return match(pattern, path, true);
}

int
df_glob_check(const char *pattern, struct stv_err **err)
{
	stv_auto(df_glob) *g = df_glob_new(pattern, false);

	if (g != NULL)
		return 0;
	stv_fail(err, STV_E_CHECK, "malformed pattern '%s'", pattern);
	stv_err_hint(*err, "Close each '[' with a ']'; to mean a '[' itself "
			   "write '\\['.");
	return -1;
}

bool
df_glob_has_meta(const char *text)
{
	return strpbrk(text, "*?[\\") != NULL;
}
