/* parser/ignore.c - .dockerignore. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/mem.h"
#include "core/source.h"
#include "core/strs.h"
#include "core/vec.h"

#include "parser/glob.h"
#include "parser/ignore.h"
#include "parser/words.h"

struct pattern {
	struct df_glob *glob;
	bool is_exception; /* '!' */
	uint32_t line;
	char *text; /* as written */
	struct stv_span span;
};

struct df_ignore {
	STV_VEC(struct pattern) patterns;
	size_t n_exceptions;
};

struct df_ignore_dir {
	const struct df_ignore *ig;
	bool *matched; /* which patterns hold for all below */
};

/* ---- reading -------------------------------------------------------------*/

/* One component of a path that is being cleaned in place. */
static size_t
clean_component(char *out, size_t n, const char *p, size_t len, bool is_rooted,
		size_t *dotdot)
{
	if (len == 0 || (len == 1 && *p == '.'))
		return n;
	if (len == 2 && memcmp(p, "..", 2) == 0) {
		if (n > *dotdot) {
			for (n--; n > *dotdot && out[n] != '/'; n--)
				;
			return n;
		}
		if (is_rooted)
			return n;
		if (n > 0)
			out[n++] = '/';
		memmove(out + n, p, 2);
		*dotdot = n + 2;
		return n + 2;
	}
	if (n != (size_t)is_rooted)
		out[n++] = '/';
	memmove(out + n, p, len);
	return n + len;
}

/* Go's filepath.Clean: no "//", "." or inner "..", no slash at the end. */
static char *
clean(const char *text, size_t len)
{
	char *out = stv_xmalloc(len + 2);
	bool is_rooted = len > 0 && *text == '/';
	size_t n = is_rooted, dotdot = is_rooted;

	if (is_rooted)
		out[0] = '/';
	while (len > 0) {
		const char *slash = memchr(text, '/', len);
		size_t part = slash != NULL ? (size_t)(slash - text) : len;

		n = clean_component(out, n, text, part, is_rooted, &dotdot);
		part += slash != NULL;
		text += part;
		len -= part;
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	return out;
}

static int
bad_pattern(const struct pattern *p, const char *why, struct stv_err **err)
{
	stv_fail(err, STV_E_SYNTAX, "%s: '%s'", why, p->text);
	return p->span.file != 0 ? stv_err_at(*err, p->span) : -1;
}

/* Compile the pattern of ${len} bytes, which has no blanks around it. */
static int
compile(struct df_ignore *ig, struct pattern *p, const char *text, size_t len,
	struct stv_err **err)
{
	stv_auto_free char *cleaned = NULL;
	bool is_rooted;

	if (*text == '!') {
		p->is_exception = true;
		ig->n_exceptions++;
		len--;
		text = df_trim(text + 1, &len);
		if (len == 0)
			return bad_pattern(p, "nothing stands behind the '!'",
					   err);
	}
	cleaned = clean(text, len);
	/* Only in a file a leading slash stands for the root of the context. */
	is_rooted =
		p->span.file != 0 && cleaned[0] == '/' && cleaned[1] != '\0';
	p->glob = df_glob_new(cleaned + is_rooted, true);
	if (p->glob == NULL)
		return bad_pattern(p, "malformed pattern", err);
	return 0;
}

/* Add one line. */
static int
add_line(struct df_ignore *ig, const char *text, size_t len, uint32_t line,
	 struct stv_span span, struct stv_err **err)
{
	const char *trimmed = df_trim(text, &len);
	struct pattern *p;

	if (len == 0)
		return 0;
	p = stv_vec_push(&ig->patterns);
	p->line = line;
	p->text = stv_xstrndup(trimmed, len);
	p->span = span;
	if (span.file != 0) {
		p->span.begin += (uint32_t)(trimmed - text);
		p->span.end = p->span.begin + (uint32_t)len;
	}
	return compile(ig, p, p->text, len, err);
}

int
df_ignore_parse(const struct stv_sources *sources, uint32_t file,
		struct df_ignore **ret, struct stv_err **err)
{
	const struct stv_source *src = stv_sources_get(sources, file);
	stv_auto(df_ignore) *ig = stv_xcalloc(1, sizeof(*ig));
	size_t at = 0;

	if (src->len >= 3 && memcmp(src->text, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	for (uint32_t line = 1; at < src->len; line++) {
		const char *text = src->text + at;
		const char *nl = memchr(text, '\n', src->len - at);
		size_t len = nl != NULL ? (size_t)(nl - text) : src->len - at;
		struct stv_span span = {(uint32_t)at, (uint32_t)(at + len),
					file};

		if (memchr(text, '\0', len) != NULL) {
			stv_fail(err, STV_E_SYNTAX,
				 "a pattern holds a NUL byte");
			return stv_err_at(*err, span);
		}
		if (*text != '#' &&
		    add_line(ig, text, len, line, span, err) < 0)
			return -1;
		at += len + 1;
	}
	*ret = stv_steal(&ig);
	return 0;
}

int
df_ignore_from_patterns(const struct stv_strs *patterns, struct df_ignore **ret,
			struct stv_err **err)
{
	stv_auto(df_ignore) *ig = stv_xcalloc(1, sizeof(*ig));
	struct stv_span nowhere = {0};

	for (size_t i = 0; i < patterns->len; i++)
		if (add_line(ig, patterns->v[i], strlen(patterns->v[i]),
			     (uint32_t)i + 1, nowhere, err) < 0)
			return -1;
	*ret = stv_steal(&ig);
	return 0;
}

void
df_ignore_free(struct df_ignore *ig)
{
	if (ig == NULL)
		return;
	for (size_t i = 0; i < ig->patterns.len; i++) {
		df_glob_free(ig->patterns.v[i].glob);
		free(ig->patterns.v[i].text);
	}
	stv_vec_fini(&ig->patterns);
	free(ig);
}

size_t
df_ignore_count(const struct df_ignore *ig)
{
	return ig != NULL ? ig->patterns.len : 0;
}

/* ---- matching ------------------------------------------------------------*/

/*
 * What the patterns say of one entry.  A pattern is looked at only where it
 * could change the answer so far, and one that was not looked at does not hold
 * for what is below: so does the reference.  ${inherited} and ${ret} may be
 * NULL, and may be the same.
 */
static bool
decide(const struct df_ignore *ig, struct df_path *path, const bool *inherited,
       bool *ret, struct df_ignore_hit *hit)
{
	const struct pattern *last = NULL;
	bool is_ignored = false;

	for (size_t i = 0; i < ig->patterns.len; i++) {
		const struct pattern *p = &ig->patterns.v[i];
		bool holds = inherited != NULL && inherited[i];

		if (!holds && p->is_exception == is_ignored)
			holds = df_glob_run(p->glob, path);
		if (ret != NULL)
			ret[i] = holds;
		if (holds) {
			is_ignored = !p->is_exception;
			last = p;
		}
	}
	if (hit != NULL)
		*hit = (struct df_ignore_hit){0};
	if (hit != NULL && last != NULL)
		*hit = (struct df_ignore_hit){
			.line = last->line,
			.pattern = last->text,
			.span = last->span,
		};
	return is_ignored;
}

bool
df_ignore_match(const struct df_ignore *ig, const char *path, bool is_dir,
		struct df_ignore_hit *hit)
{
	struct df_path points = {0};
	bool *matched;
	bool is_ignored = false;

	(void)is_dir;
	if (hit != NULL)
		*hit = (struct df_ignore_hit){0};
	if (df_ignore_count(ig) == 0)
		return false;
	matched = stv_xcalloc(ig->patterns.len, sizeof(*matched));
	for (size_t i = 0;; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		df_path_set(&points, path, i);
		is_ignored = decide(ig, &points, matched, matched, hit);
		if (path[i] == '\0')
			break;
	}
	free(matched);
	df_path_fini(&points);
	return is_ignored;
}

/* Can a pattern with or without '!' match below ${dir}? */
static bool
may_begin(const struct df_ignore *ig, const char *dir, bool is_exception)
{
	struct df_path points = {0};
	stv_auto_free char *below = stv_xasprintf("%s/", dir);
	bool may = false;

	df_path_set(&points, below, strlen(below));
	for (size_t i = 0; i < ig->patterns.len && !may; i++)
		may = ig->patterns.v[i].is_exception == is_exception &&
		      df_glob_may_begin(ig->patterns.v[i].glob, &points);
	df_path_fini(&points);
	return may;
}

bool
df_ignore_may_contain(const struct df_ignore *ig, const char *dir)
{
	return ig != NULL && ig->n_exceptions > 0 && may_begin(ig, dir, true);
}

bool
df_ignore_may_match_below(const struct df_ignore *ig, const char *dir)
{
	return ig != NULL && may_begin(ig, dir, false);
}

struct df_ignore_dir *
df_ignore_root(const struct df_ignore *ig)
{
	struct df_ignore_dir *d = stv_xcalloc(1, sizeof(*d));

	d->ig = ig;
	d->matched = stv_xcalloc(df_ignore_count(ig) + 1, sizeof(bool));
	return d;
}

struct df_ignore_dir *
df_ignore_enter(const struct df_ignore_dir *parent, const char *path,
		struct df_ignore_hit *hit, bool *ret_is_ignored)
{
	struct df_ignore_dir *d = df_ignore_root(parent->ig);
	struct df_path points = {0};

	*ret_is_ignored = false;
	if (hit != NULL)
		*hit = (struct df_ignore_hit){0};
	if (df_ignore_count(d->ig) == 0)
		return d;
	df_path_set(&points, path, strlen(path));
	*ret_is_ignored =
		decide(d->ig, &points, parent->matched, d->matched, hit);
	df_path_fini(&points);
	return d;
}

bool
df_ignore_match_in(const struct df_ignore_dir *parent, const char *path,
		   struct df_ignore_hit *hit)
{
	struct df_path points = {0};
	bool is_ignored;

	if (hit != NULL)
		*hit = (struct df_ignore_hit){0};
	if (df_ignore_count(parent->ig) == 0)
		return false;
	df_path_set(&points, path, strlen(path));
	is_ignored = decide(parent->ig, &points, parent->matched, NULL, hit);
	df_path_fini(&points);
	return is_ignored;
}

void
df_ignore_dir_free(struct df_ignore_dir *d)
{
	if (d == NULL)
		return;
	free(d->matched);
	free(d);
}
