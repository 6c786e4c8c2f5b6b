/*
 * parser/glob.h - compiled wildcards.
 *
 * A pattern is a list of elements and is matched by the set of places that are
 * reached, element by element: time is at most elements times length of the
 * path, and elements that must match a character cannot be more than those
 * (THREATS D08).
 */
#ifndef STAVE_PARSER_GLOB_H
#define STAVE_PARSER_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/vec.h"

/* A path as code points, and room to match it; for one thread. */
struct df_path {
	STV_VEC(uint32_t) c;
	uint8_t *reached; /* one more than c */
	size_t cap;
	size_t first; /* reached places lie in [first, last] */
	size_t last;
};

/* A compiled pattern. */
struct df_glob;

/*
 * df_glob_new(pattern, is_deep): compile; NULL where it is malformed.  With
 * ${is_deep} '**' means any number of directories (moby/patternmatcher),
 * otherwise it is '*' (Go's filepath.Match).
 * Owns: the caller, df_glob_free().
 */
struct df_glob *df_glob_new(const char *pattern, bool is_deep);

/* df_glob_free(g): NULL is ok. */
void df_glob_free(struct df_glob *g);

/* df_glob_run(g, path): does the whole path match? */
bool df_glob_run(const struct df_glob *g, struct df_path *path);

/*
 * df_glob_may_begin(g, path): can anything that begins with ${path}, which
 * ends with a slash, match?
 */
bool df_glob_may_begin(const struct df_glob *g, struct df_path *path);

/* df_path_set(path, text, len): set the text; room is kept. */
void df_path_set(struct df_path *path, const char *text, size_t len);

/* df_path_fini(path): free what it owns. */
void df_path_fini(struct df_path *path);

STV_DEFINE_CLEANUP(df_glob, df_glob_free);

#endif /* STAVE_PARSER_GLOB_H */
