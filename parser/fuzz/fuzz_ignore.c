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

/* One pattern of a list. */
struct slow_pattern {
	char *text;
	bool is_exception;
	bool holds; /* for the directory that was looked at last */
};

/* A list as its description reads: what a '!' brings back, what parents say. */
struct slow_list {
	struct slow_pattern v[MAX_INPUT];
	size_t n;
};

/* A line that needs no cleaning but for its '!' and first slash. */
static bool
is_simple(const char *line)
{
	size_t n = strlen(line), len = n;

	/* (A byte-order mark is cleaned away too.) */
	if (n == 0 || *line == '\xef' || line[n - 1] == '/' ||
	    strstr(line, "//") != NULL || strstr(line, "./") != NULL ||
	    line[n - 1] == '.')
		return false;
	return df_trim(line, &len) == line && len == n &&
	       df_space_len(line + 1, n - 1) == 0 && is_utf8(line);
}

/* false: the text has a line that is not simple. */
static bool
slow_read(struct slow_list *list, char *text)
{
	char *save = NULL;

	list->n = 0;
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		struct slow_pattern *p = &list->v[list->n];

		if (*line == '#')
			continue;
		if (!is_simple(line))
			return false;
		list->n++;
		p->holds = false;
		p->is_exception = *line == '!';
		line += p->is_exception;
		p->text = line + (*line == '/' && line[1] != '\0');
	}
	return true;
}

/* The answer for a path whose parents were asked for before, in order. */
static bool
slow_answer(struct slow_list *list, const char *path)
{
	bool is_ignored = false;

	for (size_t i = 0; i < list->n; i++) {
		struct slow_pattern *p = &list->v[i];

		if (!p->holds && p->is_exception == is_ignored)
			p->holds = slow(p->text, path, true);
		if (p->holds)
			is_ignored = !p->is_exception;
	}
	return is_ignored;
}

/* ---- the checks ----------------------------------------------------------*/

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
check_walk(const struct df_ignore *ig, const char *path, struct slow_list *list)
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
		if (list != NULL && slow_answer(list, part) != is_ignored)
			expect(steps > MAX_STEPS);
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

/* The walk, with the slow list where the text is plain enough for it. */
static void
check_list(const struct df_ignore *ig, const char *path, char *text)
{
	static struct slow_list list;

	steps = 0;
	if (is_utf8(path) && slow_read(&list, text))
		check_walk(ig, path, &list);
	else
		check_walk(ig, path, NULL);
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
			check_list(ig, path, text);
		df_ignore_free(ig);
		stv_err_free(err);
		stv_sources_free(sources);
	}
	free(text);
	return 0;
}
