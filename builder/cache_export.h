/*
 * builder/cache_export.h - --cache-to: what this build knows, for others.
 *
 * Registries cannot compare and swap a tag, so two that write one reference at
 * once would lose what one of them wrote.  Therefore each export that has
 * something new goes under a tag of its own, named by its content, which
 * nobody else writes; then the reference itself gets all that is known, so
 * that one request reads it.  Where two write the reference at once, what the
 * later one did not know is still found under its own tag, because a reference
 * says which exports are in it.  docs/cache.md has the format.
 */
#ifndef STAVE_BUILDER_CACHE_EXPORT_H
#define STAVE_BUILDER_CACHE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/digest.h"

struct bld_build;  /* builder/build_internal.h */
struct bld_result; /* builder/build.h */
struct bld_stage;  /* builder/build_internal.h */
struct cas_record; /* cache/meta.h */
struct stv_buf;	   /* core/buf.h */
struct stv_err;	   /* core/err.h */

/* What a build has found out or used. */
struct bld_done;

/* bld_done_new(): nothing yet.  Owns: bld_done_free(). */
struct bld_done *bld_done_new(void);

/* bld_done_free(d): NULL is ok. */
void bld_done_free(struct bld_done *d);

/* bld_done_record(d, r): a record that the build made or hit.  NULL ${d} is ok.
 */
void bld_done_record(struct bld_done *d, const struct cas_record *r);

/* bld_done_answer(d, question, text): builder/answer.h. */
void bld_done_answer(struct bld_done *d, const struct stv_digest *question,
		     const char *text);

/*
 * bld_done_inline(d, ret): the document for the manifest of an image; it names
 * no layers, which are the image's.
 */
void bld_done_inline(const struct bld_done *d, struct stv_buf *ret);

/*
 * bld_cache_export(b, results, n, err): to all places of the options.
 * ${results} are those of the targets.  The lock is held, and let go meanwhile.
 * Errors: those of the registry or the file system; the images are made by
 *         then.  STV_E_CANCELLED.
 */
int bld_cache_export(struct bld_build *b, const struct bld_result *results,
		     size_t n, struct stv_err **err);

#endif /* STAVE_BUILDER_CACHE_EXPORT_H */
