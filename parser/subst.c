/*
 * parser/subst.c - the patterns of ${V#p}, ${V%p} and ${V/p/r}.
 *
 * A pattern is matched by a table of places that are reached, element by
 * element: no backtracking, and a bound on the work (THREATS D09).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/vec.h"

#include "parser/subst.h"
#include "parser/utf8.h"

/* Steps of one substitution: about a tenth of a second. */
#define MAX_WORK ((uint64_t)100 << 20)

#define ELEM_STAR UINT32_MAX
#define ELEM_ANY (UINT32_MAX - 1)
#define NOWHERE UINT32_MAX

/* Code points, and where each begins in its string. */
struct points {
	STV_VEC(uint32_t) c;
	STV_VEC(uint32_t) at; /* one more than c */
};

static void
points_init(struct points *p, const char *s)
{
	size_t n = strlen(s);

	*p = (struct points){0};
	for (size_t i = 0; i < n;) {
		uint32_t c;
		size_t len = df_utf8_next(s + i, n - i, &c);

		*stv_vec_push(&p->c) = c;
		*stv_vec_push(&p->at) = (uint32_t)i;
		i += len;
	}
	*stv_vec_push(&p->at) = (uint32_t)n;
}

static void
points_fini(struct points *p)
{
	stv_vec_fini(&p->c);
	stv_vec_fini(&p->at);
}

#define auto_points STV_CLEANUP(points_fini) struct points

static void
reverse(uint32_t *v, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t tmp = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = tmp;
	}
}

/* Turn the code points of a pattern into elements, in place. */
static int
compile(struct points *p, const char *pattern, struct stv_err **err)
{
	size_t out = 0;

	for (size_t i = 0; i < p->c.len; i++) {
		uint32_t c = p->c.v[i];
		uint32_t next = i + 1 < p->c.len ? p->c.v[i + 1] : 0;

		if (c == '*') {
			c = ELEM_STAR;
		} else if (c == '?') {
			c = ELEM_ANY;
		} else if (c == '\\' && (next == '}' || next == '/')) {
			continue;
		} else if (c == '\\') {
			if (next != '*' && next != '?' && next != '\\')
				return stv_fail(err, STV_E_CHECK,
						"invalid escape in the pattern "
						"'%s'",
						pattern);
			c = next;
			i++;
		}
		p->c.v[out++] = c;
	}
	p->c.len = out;
	return 0;
}

static int
too_long(struct stv_err **err)
{
	return stv_fail(err, STV_E_LIMIT, "the substitution takes too long");
}

/* What a search found: code points [begin, end). */
struct match {
	size_t begin;
	size_t end;
};

/* One matching job. */
struct job {
	const struct points *pattern;
	const struct points *value;
	uint32_t *reached; /* for each place the earliest begin, or NOWHERE */
	uint64_t work;
};

static void
job_fini(struct job *j)
{
	free(j->reached);
}

#define auto_job STV_CLEANUP(job_fini) struct job

/* Does an element that takes one character take that one? */
static bool
takes(uint32_t elem, uint32_t c)
{
	return elem == ELEM_ANY ? c != '\n' : c == elem;
}

/* Go on from all reached places by one element of the pattern. */
static void
step(struct job *j, uint32_t elem, size_t from)
{
	const uint32_t *v = j->value->c.v;
	size_t n = j->value->c.len;
	uint32_t *r = j->reached;

	if (elem == ELEM_STAR) {
		for (size_t i = from; i < n; i++)
			if (v[i] != '\n' && r[i] < r[i + 1])
				r[i + 1] = r[i];
		return;
	}
	for (size_t i = n; i > from; i--) {
		bool ok =
			elem == ELEM_ANY ? v[i - 1] != '\n' : v[i - 1] == elem;

		r[i] = ok ? r[i - 1] : NOWHERE;
	}
	r[from] = NOWHERE;
}

static bool
has_star(const struct points *pattern)
{
	for (size_t i = 0; i < pattern->c.len; i++)
		if (pattern->c.v[i] == ELEM_STAR)
			return true;
	return false;
}

/*
 * The leftmost match of a pattern without stars: place by place, so that
 * replacing many in a long value takes no longer than reading it.
 */
static int
search_fixed(struct job *j, size_t from, struct match *ret,
	     struct stv_err **err)
{
	size_t n = j->value->c.len, len = j->pattern->c.len, k;

	for (size_t i = from; i + len <= n; i++) {
		for (k = 0; k < len; k++)
			if (!takes(j->pattern->c.v[k], j->value->c.v[i + k]))
				break;
		j->work += k + 1;
		if (j->work > MAX_WORK)
			return too_long(err);
		if (k < len)
			continue;
		*ret = (struct match){.begin = i, .end = i + len};
		return 1;
	}
	return 0;
}

/*
 * Find the leftmost match from ${from} on (only there with ${is_anchored}).
 * Returns: 1 found, 0 none, -1 too much work.
 */
static int
search(struct job *j, size_t from, bool is_anchored, bool is_longest,
       struct match *ret, struct stv_err **err)
{
	size_t n = j->value->c.len;
	uint32_t best = NOWHERE;

	if (!is_anchored && !has_star(j->pattern))
		return search_fixed(j, from, ret, err);
	j->work += (uint64_t)(j->pattern->c.len + 1) * (n - from + 1);
	if (j->work > MAX_WORK)
		return too_long(err);
	for (size_t i = from; i <= n; i++)
		j->reached[i] = is_anchored && i > from ? NOWHERE : (uint32_t)i;
	for (size_t i = 0; i < j->pattern->c.len; i++)
		step(j, j->pattern->c.v[i], from);

	for (size_t i = from; i <= n; i++) {
		if (j->reached[i] == NOWHERE || j->reached[i] > best)
			continue;
		if (j->reached[i] == best && !is_longest)
			continue;
		best = j->reached[i];
		*ret = (struct match){.begin = best, .end = i};
	}
	return best != NOWHERE;
}

/* Code points [begin, end) of ${value}. */
static void
add_points(struct stv_buf *ret, const char *text, const struct points *value,
	   size_t begin, size_t end)
{
	stv_buf_add(ret, text + value->at.v[begin],
		    value->at.v[end] - value->at.v[begin]);
}

int
df_subst_trim(const char *value, const char *pattern, bool at_end,
	      bool is_longest, struct stv_buf *ret, struct stv_err **err)
{
	auto_points p = {0};
	auto_points v = {0};
	auto_job j = {.pattern = &p, .value = &v};
	struct match m = {0};
	size_t n;
	int rc;

	points_init(&p, pattern);
	points_init(&v, value);
	if (compile(&p, pattern, err) < 0)
		return -1;
	n = v.c.len;
	j.reached = stv_xcalloc(n + 1, sizeof(*j.reached));
	if (at_end) {
		reverse(p.c.v, p.c.len);
		reverse(v.c.v, n);
	}
	rc = search(&j, 0, true, is_longest, &m, err);
	if (rc < 0)
		return -1;
	if (at_end)
		add_points(ret, value, &v, 0, n - m.end);
	else
		add_points(ret, value, &v, m.end, n);
	return 0;
}

/*
 * Replace as Go's regexp.ReplaceAll does: an empty match counts only where the
 * match before it did not end.
 */
static int
replace_all(struct job *j, const char *value, const char *with,
	    struct stv_buf *ret, struct stv_err **err)
{
	size_t n = j->value->c.len, at = 0, done = 0;
	struct match m;
	int rc;

	while (at <= n) {
		rc = search(j, at, false, true, &m, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		add_points(ret, value, j->value, done, m.begin);
		if (m.end > done || m.begin == 0)
			stv_buf_adds(ret, with);
		done = m.end;
		at = m.end > at ? m.end : at + 1;
	}
	add_points(ret, value, j->value, done, n);
	return 0;
}

int
df_subst_replace(const char *value, const char *pattern, const char *with,
		 bool all, struct stv_buf *ret, struct stv_err **err)
{
	auto_points p = {0};
	auto_points v = {0};
	auto_job j = {.pattern = &p, .value = &v};
	struct match m = {0};
	int rc;

	points_init(&p, pattern);
	points_init(&v, value);
	if (compile(&p, pattern, err) < 0)
		return -1;
	j.reached = stv_xcalloc(v.c.len + 1, sizeof(*j.reached));
	if (all)
		return replace_all(&j, value, with, ret, err);
	rc = search(&j, 0, false, true, &m, err);
	if (rc < 0)
		return -1;
	if (rc == 0) {
		stv_buf_adds(ret, value);
		return 0;
	}
	add_points(ret, value, &v, 0, m.begin);
	stv_buf_adds(ret, with);
	add_points(ret, value, &v, m.end, v.c.len);
	return 0;
}
