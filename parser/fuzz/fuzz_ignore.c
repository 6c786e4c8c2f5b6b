/*
 * parser/fuzz/fuzz_ignore.c - .dockerignore and wildcards.
 *
 * The input is a list of patterns, an empty line, and a path.  The matcher must
 * agree with a slow one that was written from the description alone, a walk
 * with single answers, and nothing may come back below a directory that need
 * not be walked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/strs.h"

#include "parser/ignore.h"
#include "parser/utf8.h"
#include "parser/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Backtracking is exponential: small inputs only. */
#define MAX_INPUT 160
#define MAX_STEPS 2000000

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

/* ---- the slow matcher ----------------------------------------------------*/

static size_t steps;

/* The class that ${*p} begins with (behind the bracket); moves behind it. */
static bool
slow_class(const char **p, uint32_t c)
{
	bool is_negated = **p == '^', is_in = false;

	*p += is_negated;
	while (**p != ']') {
		uint32_t lo, hi;

		*p += **p == '\\';
		*p += df_utf8_next(*p, strlen(*p), &lo);
		hi = lo;
		if (**p == '-') {
			(*p)++;
			*p += **p == '\\';
			*p += df_utf8_next(*p, strlen(*p), &hi);
		}
		is_in = is_in || (lo <= c && c <= hi);
	}
	(*p)++;
	return is_in != is_negated;
}

static bool slow(const char *p, const char *s, bool is_first);

/* "**": everything at the end, directories before more. */
static bool
slow_deep(const char *p, const char *s, bool is_first)
{
	bool has_slash;

	while (p[0] == '*' && p[1] == '*') {
		p += 2;
		has_slash = *p == '/';
		p += has_slash;
		if (*p == '\0')
			return true;
		/* "**foo" compares the end of the path. */
		if (is_first && !has_slash && strpbrk(p, "*?[]\\") == NULL) {
			size_t n = strlen(p), len = strlen(s);

			return len >= n && strcmp(s + len - n, p) == 0;
		}
		is_first = false;
	}
	if (slow(p, s, false))
		return true;
	for (; *s != '\0'; s++)
		if (*s == '/' && slow(p, s + 1, false))
			return true;
	return false;
}

/* Does the (well-formed) pattern match the whole of ${s}? */
static bool
slow(const char *p, const char *s, bool is_first)
{
	uint32_t pc, sc = 0;
	size_t n;

	if (++steps > MAX_STEPS)
		return false;
	if (*p == '\0')
		return *s == '\0';
	if (p[0] == '*' && p[1] == '*')
		return slow_deep(p, s, is_first);
	if (*p == '*') {
		for (;; s++) {
			if (((unsigned char)*s & 0xc0) != 0x80 &&
			    slow(p + 1, s, false))
				return true;
			if (*s == '\0' || *s == '/')
				return false;
		}
	}
	if (*s == '\0')
		return false;
	n = df_utf8_next(s, strlen(s), &sc);
	if (*p == '?')
		return sc != '/' && slow(p + 1, s + n, false);
	if (*p == '[') {
		p++;
		return slow_class(&p, sc) && slow(p, s + n, false);
	}
	p += *p == '\\';
	p += df_utf8_next(p, strlen(p), &pc);
	return pc == sc && slow(p, s + n, false);
}

/* ---- the checks ----------------------------------------------------------*/

static bool
is_utf8(const char *s)
{
	uint32_t c;

	for (size_t n = strlen(s); n > 0;) {
		size_t k = df_utf8_next(s, n, &c);

		if (c >= DF_BAD_BYTE)
			return false;
		s += k;
		n -= k;
	}
	return true;
}

/* One pattern against one path. */
static void
check_pattern(const char *pattern, const char *path)
{
	int got = df_pattern_match(pattern, path);

	expect((got < 0) == (df_glob_match(pattern, path) < 0));
	/* A star may stop inside a sequence that is no UTF-8. */
	if (got < 0 || !is_utf8(pattern) || !is_utf8(path))
		return;
	steps = 0;
	if ((int)slow(pattern, path, true) != got && steps <= MAX_STEPS)
		abort();
}

/* Is it a path as a walk makes it? */
static bool
is_clean(const char *path)
{
	size_t n = strlen(path);

	if (n == 0 || path[0] == '/' || path[n - 1] == '/' ||
	    strstr(path, "//") != NULL)
		return false;
	for (const char *p = path; p != NULL; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "./", 2) == 0 || strcmp(p, ".") == 0 ||
		    strncmp(p, "../", 3) == 0 || strcmp(p, "..") == 0)
			return false;
	}
	return true;
}

/* Walk down to ${path} and compare each answer with the direct one. */
static void
check_walk(const struct df_ignore *ig, const char *path)
{
	struct df_ignore_dir *dir = df_ignore_root(ig);
	bool may_come_back = true;

	for (size_t i = 1;; i++) {
		struct df_ignore_dir *next;
		struct df_ignore_hit a, b;
		char *part;
		bool is_ignored;

		if (path[i] != '/' && path[i] != '\0')
			continue;
		part = stv_xstrndup(path, i);
		next = df_ignore_enter(dir, part, &a, &is_ignored);
		expect(df_ignore_match(ig, part, true, &b) == is_ignored);
		expect(df_ignore_match_in(dir, part, NULL) == is_ignored);
		expect(a.line == b.line);
		expect(may_come_back || is_ignored);
		if (is_ignored)
			may_come_back = df_ignore_may_contain(ig, part);
		df_ignore_dir_free(dir);
		dir = next;
		free(part);
		if (path[i] == '\0')
			break;
	}
	df_ignore_dir_free(dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stv_sources *sources;
	struct stv_err *err = NULL;
	struct df_ignore *ig = NULL;
	char *text, *path;
	uint32_t no;

	if (size > MAX_INPUT || memchr(data, '\0', size) != NULL)
		return 0;
	text = stv_xstrndup((const char *)data, size);
	path = strstr(text, "\n\n");
	if (path != NULL) {
		*path = '\0';
		path += 2;
		sources = stv_sources_new();
		check_pattern(text, path);
		expect(stv_sources_add(sources, "x", text, strlen(text), &no,
				       &err) == 0);
		if (df_ignore_parse(sources, no, &ig, &err) < 0)
			expect(err != NULL && ig == NULL);
		else if (is_clean(path))
			check_walk(ig, path);
		df_ignore_free(ig);
		stv_err_free(err);
		stv_sources_free(sources);
	}
	free(text);
	return 0;
}
