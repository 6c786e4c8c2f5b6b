/*
 * builder/why.h - why a step misses the cache.
 *
 * With each record a note is kept (cache/note.h): besides the preimage of the
 * key, fields that are no part of it, and the list of what a COPY took.  A
 * miss is compared with the note of the step's last execution.
 *
 *	why.c		which note, and the order of the questions
 *	why_note.c	making a note
 *	why_fields.c	comparing fields
 *	why_inputs.c	lists of files: making and comparing them
 *
 * An explanation is never a reason to fail: where one cannot be had the step
 * runs without it.
 */
#ifndef STAVE_BUILDER_WHY_H
#define STAVE_BUILDER_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

struct bld_cached; /* builder/build_internal.h */
struct bld_copy_plan;
struct bld_stage;
struct bld_step;
struct cas_note;  /* cache/note.h */
struct df_ignore; /* parser/ignore.h */
struct df_node;	  /* parser/ast.h */
struct stv_err;	  /* core/err.h */

/*
 * bld_why_emit(st, c, preimage): emit that the step runs, with the reason.  The
 * key is ${c->digest}.
 */
void bld_why_emit(struct bld_stage *st, struct bld_cached *c,
		  const struct stv_buf *preimage);

/* bld_why_note(st, c, note): fill in title, notes and inputs. */
void bld_why_note(struct bld_stage *st, struct bld_cached *c,
		  struct cas_note *note);

/*
 * bld_why_list(c): the list of what ${c->plan} selected, made when first asked
 * for; empty where there is none to keep.  Borrows.
 */
const struct stv_buf *bld_why_list(struct bld_cached *c);

/* --- why_note.c --- */

/* Fields of notes; ENV, ARG, base ENV and config hold NAME=VALUE. */
#define BLD_NOTE_TEXT "text"	   /* the instruction without its flags */
#define BLD_NOTE_FLAG "flag"	   /* --name=value, as written */
#define BLD_NOTE_ARG "ARG"	   /* what an ARG of the stage has set */
#define BLD_NOTE_ENV "ENV"	   /* what an ENV of the stage has set */
#define BLD_NOTE_BENV "base ENV"   /* what came with the base */
#define BLD_NOTE_CONFIG "config"   /* all else of the image's config */
#define BLD_NOTE_BASE "base"	   /* the base image's name */
#define BLD_NOTE_BASE_ID "base ID" /* its config digest */
#define BLD_NOTE_BEFORE "before"   /* titles of the steps before it, packed */
#define BLD_NOTE_IGNORE "ignore"   /* the text of the ignore file */

/* bld_why_titles(st): one number for each of st->steps.  Borrows. */
const int64_t *bld_why_titles(struct bld_stage *st);

/*
 * bld_why_index(st, step): its index in st->steps; st->steps.len for the
 * trigger of a base image.
 */
size_t bld_why_index(const struct bld_stage *st, const struct bld_step *step);

/* bld_why_text(node, ret): the instruction without its flags, appended. */
void bld_why_text(const struct df_node *node, struct stv_buf *ret);

/*
 * bld_why_notes(st, c, ret_title, ret): a step's title, and its notes,
 * appended.
 */
void bld_why_notes(struct bld_stage *st, const struct bld_cached *c,
		   int64_t *ret_title, struct stv_buf *ret);

/* --- why_fields.c --- */

/* A difference of one field; values are owned, NULL where there is none. */
struct bld_change {
	char *name; /* of NAME=VALUE */
	char *old_value;
	char *new_value;
};

/* bld_change_fini(c): free the members. */
void bld_change_fini(struct bld_change *c);

/*
 * bld_fields_differ(old, now, field, ret): do the values of that field differ
 * (in any order)?  *ret has the first value that only one of them has.
 */
bool bld_fields_differ(const struct stv_buf *old, const struct stv_buf *now,
		       const char *field, struct bld_change *ret);

/*
 * bld_pairs_differ(old, now, field, ret): the same for values NAME=VALUE: the
 * first name whose value differs.  With ret->name set only that name counts.
 */
bool bld_pairs_differ(const struct stv_buf *old, const struct stv_buf *now,
		      const char *field, struct bld_change *ret);

/* bld_field_get(b, field): the first value of a field, or NULL.  Owned. */
char *bld_field_get(const struct stv_buf *b, const char *field);

/* bld_is_secret(name, value): must the value not be shown? */
bool bld_is_secret(const char *name, const char *value);

/* --- why_inputs.c --- */

/*
 * bld_inputs_text(plan, ret): the list of what was selected, sorted, appended:
 * for each entry "type mode uid gid digest" (for links the target), NUL, the
 * path, NUL.  It is empty where it would be longer than STV_MAX_INPUTS.
 */
void bld_inputs_text(const struct bld_copy_plan *plan, struct stv_buf *ret);

/* How a file differs from what was selected before. */
struct bld_input_change {
	const char *kind; /* of the reason: "content", "mode", "new-file" ... */
	char *path;
	char *old_value; /* NULL: there is none to show */
	char *new_value;
	size_t n_more; /* other entries that differ */
};

/*
 * bld_inputs_differ(old, now, ret): the first difference of two lists (files
 * before directories): 1 and *ret, or 0.  A damaged list has none.
 */
int bld_inputs_differ(const struct stv_buf *old, const struct stv_buf *now,
		      struct bld_input_change *ret);

/* bld_input_change_fini(c): free the members. */
void bld_input_change_fini(struct bld_input_change *c);

#endif /* STAVE_BUILDER_WHY_H */
