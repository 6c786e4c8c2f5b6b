/*
 * builder/journal.h - which steps of a build ran, and why: kept beside their
 * logs, as JSON lines in logs/<build id>/.steps, for 'stave why'.
 *
 *	{"build":"2026...","file":"Dockerfile","context":"."}
 *	{"step":3,"stage":"s","position":2,"of":4,"name":"COPY . .",
 *	 "state":"ran","reason":{"kind":"content","subject":"a"},"text":"..."}
 *	{"image":"sha256:...","manifest":"sha256:...","executed":1}
 *
 * The last line (one for each target) is not there where the build failed.  A
 * build that found all in the cache leaves nothing behind.  Everything is
 * called with the build's lock held.
 */
#ifndef STAVE_BUILDER_JOURNAL_H
#define STAVE_BUILDER_JOURNAL_H

#include "core/event.h"

struct bld_build;  /* builder/build_internal.h */
struct bld_result; /* builder/build.h */
struct bld_stage;
struct bld_step;
struct bld_journal;

/* The file's name in the directory of the logs. */
#define BLD_JOURNAL ".steps"

/* bld_journal_new(): Owns: bld_journal_free(). */
struct bld_journal *bld_journal_new(void);

/*
 * bld_journal_note(st, step, kind, text, reason): take down an event of a step;
 * kinds that say nothing of its state are passed over.
 */
void bld_journal_note(struct bld_stage *st, const struct bld_step *step,
		      enum stv_event_kind kind, const char *text,
		      const struct stv_reason *reason);

/*
 * bld_journal_write(b, results, n): write the file if anything was executed;
 * ${n} results, none where the build failed.  That it cannot be written is a
 * warning: the build is none the worse for it.
 */
void bld_journal_write(struct bld_build *b, const struct bld_result *results,
		       size_t n);

/* bld_journal_free(j): NULL is ok. */
void bld_journal_free(struct bld_journal *j);

#endif /* STAVE_BUILDER_JOURNAL_H */
