/*
 * parser/ignore.h - .dockerignore, --exclude, and wildcards.
 *
 * The semantics are those of moby/patternmatcher as BuildKit's context walk
 * applies it: the last pattern that matches decides, '!' brings back, a
 * pattern that matches a directory holds for all below it, and '**' stands for
 * any number of directories.  Paths are relative, cleaned ("a/b", no "./", no
 * slash at an end) and separated by '/'.  No regular expressions: each match
 * takes time proportional to pattern times path (THREATS D08).
 */
#ifndef STAVE_PARSER_IGNORE_H
#define STAVE_PARSER_IGNORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/span.h"

struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */
struct stv_strs;    /* core/strs.h */

/* A list of patterns.  Immutable: it may be used by several threads. */
struct df_ignore;

/*
 * df_ignore_parse(sources, file, ret, err): the text of a .dockerignore.  A
 * byte-order mark, comments ('#' in the first column), empty lines, blanks
 * around a pattern and a leading slash are dropped.
 *
 * Owns:   *ret, df_ignore_free().
 * Errors: STV_E_SYNTAX with the place: a lone '!', a bad wildcard ("[a").
 */
int df_ignore_parse(const struct stv_sources *sources, uint32_t file,
		    struct df_ignore **ret, struct stv_err **err);

/*
 * df_ignore_from_patterns(patterns, ret, err): from a list, as --exclude gives
 * it; lines are then positions in the list, from 1.  Other than in a file a
 * leading slash stays, and matches nothing.
 * Owns, Errors: as df_ignore_parse(), without a place.
 */
int df_ignore_from_patterns(const struct stv_strs *patterns,
			    struct df_ignore **ret, struct stv_err **err);

/* df_ignore_free(ig): NULL is ok. */
void df_ignore_free(struct df_ignore *ig);

/* df_ignore_count(ig): the number of patterns; 0 for NULL. */
size_t df_ignore_count(const struct df_ignore *ig);

/* A pattern that decided. */
struct df_ignore_hit {
	uint32_t line; /* where it stands, from 1; 0: no one matched */
	const char
		*pattern; /* as written, '!' included; NULL: none.  Borrows */
	struct stv_span span; /* file 0 where it came from a list */
};

/*
 * df_ignore_match(ig, path, is_dir, hit): is ${path} left out?  NULL for
 * ${ig} leaves out nothing.  *hit (may be NULL) tells which pattern decided,
 * also where the answer is no because of a '!'.  The patterns do not tell
 * files from directories; ${is_dir} is there for callers that walk: see
 * df_ignore_may_contain().
 */
bool df_ignore_match(const struct df_ignore *ig, const char *path, bool is_dir,
		     struct df_ignore_hit *hit);

/*
 * df_ignore_may_contain(ig, dir): can anything below the directory ${dir},
 * which is itself left out, be brought back by a '!'?  Only then it must be
 * walked; its own entry (and its parents') comes back with what is found.
 */
bool df_ignore_may_contain(const struct df_ignore *ig, const char *dir);

/*
 * df_ignore_may_match_below(ig, dir): can anything below the directory ${dir}
 * match a pattern without '!'?  For lists that say what is wanted (COPY
 * --parents); NULL wants nothing.
 */
bool df_ignore_may_match_below(const struct df_ignore *ig, const char *dir);

/*
 * What the patterns said of a directory, so that a walk looks at each pattern
 * once for an entry and not once for each of its parents.
 */
struct df_ignore_dir;

/* df_ignore_root(ig): the state for the root of a walk.  Owns: the caller. */
struct df_ignore_dir *df_ignore_root(const struct df_ignore *ig);

/*
 * df_ignore_enter(parent, path, hit, ret_is_ignored): the state for the
 * directory ${path}, whose parent's state is ${parent}; the answer about the
 * directory itself is the same as df_ignore_match()'s.
 * Owns: the caller, df_ignore_dir_free().
 */
struct df_ignore_dir *df_ignore_enter(const struct df_ignore_dir *parent,
				      const char *path,
				      struct df_ignore_hit *hit,
				      bool *ret_is_ignored);

/*
 * df_ignore_match_in(parent, path, hit): df_ignore_match() for an entry of the
 * directory whose state is ${parent}.
 */
bool df_ignore_match_in(const struct df_ignore_dir *parent, const char *path,
			struct df_ignore_hit *hit);

/* df_ignore_dir_free(d): NULL is ok. */
void df_ignore_dir_free(struct df_ignore_dir *d);

/*
 * df_glob_match(pattern, name): Go's filepath.Match: '*' and '?' do not match
 * a slash, [a-z], [^a] ("[!a]" is no negation), '\' escapes.  The whole name
 * must match.
 * Returns: 1 match, 0 none, -1 the pattern is malformed.
 */
int df_glob_match(const char *pattern, const char *name);

/*
 * df_glob_check(pattern, err): is it well formed?
 * Errors: STV_E_CHECK naming the pattern.
 */
int df_glob_check(const char *pattern, struct stv_err **err);

/* df_glob_has_meta(text): does it hold any of * ? [ \ ? */
bool df_glob_has_meta(const char *text);

/*
 * df_pattern_match(pattern, path): one pattern of moby/patternmatcher ('**',
 * cleaned, no '!') against exactly ${path}, parents not considered.
 * Returns: 1 match, 0 none, -1 the pattern is malformed.
 */
int df_pattern_match(const char *pattern, const char *path);

STV_DEFINE_CLEANUP(df_ignore, df_ignore_free);
STV_DEFINE_CLEANUP(df_ignore_dir, df_ignore_dir_free);

#endif /* STAVE_PARSER_IGNORE_H */
