/*
 * cache/note.h - what is kept beside cache records so that a miss can be
 * explained.  No look-up of a result reads it.
 *
 * A note has the record's preimage (cache/key.h), fields of the same form that
 * are no part of the key (what the step's scope and base looked like), and the
 * digest of the list of files that a COPY took.  Such a list lies compressed
 * in inputs/<digest>; it is derived data: without it a miss is only explained
 * less well.  It goes when no record names it.
 */
#ifndef STAVE_CACHE_NOTE_H
#define STAVE_CACHE_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/digest.h"

struct cas_record; /* cache/meta.h */
struct cas_store;  /* cache/store.h */
struct stv_err;	   /* core/err.h */

/* What a step knew of itself when it was executed. */
struct cas_note {
	char *step; /* where it stood: "file|context|stage|position" */
	/* A digest of its instruction and stage, wherever it stood. */
	int64_t title;
	struct stv_buf preimage;
	struct stv_buf notes; /* fields as in a preimage; may be empty */
	bool has_inputs;
	struct stv_digest inputs; /* of a list: cas_inputs_read() */
	/* Only of those that were found: */
	struct stv_digest parent_chain;
	struct stv_digest parent_config;
};

/* cas_note_fini(n): free what a note that was found holds. */
void cas_note_fini(struct cas_note *n);

/*
 * cas_record_put_noted(s, r, note, err): cas_record_put() with all that is
 * known.
 */
int cas_record_put_noted(struct cas_store *s, const struct cas_record *r,
			 const struct cas_note *note, struct stv_err **err);

/* Which earlier execution to compare with. */
struct cas_note_query {
	const char *place; /* the begin of ${step}: "file|context|" */
	const char *step;
	int64_t title;
	const struct stv_buf *preimage; /* of the key that missed */
};

/* How it was found. */
enum cas_note_match {
	CAS_NOTE_NONE = 0,
	CAS_NOTE_TITLE,	   /* the same instruction in the same Dockerfile */
	CAS_NOTE_STEP,	   /* another one that stood in this place */
	CAS_NOTE_ELSEWHERE /* the same one of another Dockerfile or context */
};

/*
 * cas_note_find(s, q, ret, err): a note of the same title below ${q->place},
 * else one of the same step, else one of the same title at all.  Of the newest
 * few the one in which the fewest fields differ: of two variants that are
 * built in turn each is compared with itself.
 * Returns: an enum cas_note_match and *ret (cas_note_fini()), or -1.
 */
int cas_note_find(struct cas_store *s, const struct cas_note_query *q,
		  struct cas_note *ret, struct stv_err **err);

/*
 * cas_note_is_gone(s, key, err): 1 where a record of this key was collected
 * and has not been made again, else 0.
 */
int cas_note_is_gone(struct cas_store *s, const struct stv_digest *key,
		     struct stv_err **err);

/*
 * cas_inputs_put(s, text, n, ret, err): keep a list, unless it is here.  *ret
 * names it.  Not durable: it is written once more where it was lost.
 * Limits: STV_MAX_INPUTS; a longer one is the caller's not to keep.
 */
int cas_inputs_put(struct cas_store *s, const void *text, size_t n,
		   struct stv_digest *ret, struct stv_err **err);

/*
 * cas_inputs_read(s, d, ret, err): the list, appended to ${ret}.
 * Returns: 1, or 0 where it is not here or damaged.
 */
int cas_inputs_read(struct cas_store *s, const struct stv_digest *d,
		    struct stv_buf *ret, struct stv_err **err);

#endif /* STAVE_CACHE_NOTE_H */
