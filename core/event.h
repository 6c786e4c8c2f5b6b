/*
 * core/event.h - what library code tells the outside while it works.
 *
 * Library code never prints: it emits typed events to a listener, and
 * cmd/ui_*.c turns them into lines, a live view or JSON.  Events are emitted
 * by the main thread only.  Everything an event points at is borrowed for the
 * duration of the call.
 */
#ifndef STAVE_CORE_EVENT_H
#define STAVE_CORE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "core/span.h"

enum stv_event_kind {
	STV_EV_STEP_ADDED,   /* a step that this build will need; name, stage */
	STV_EV_STEP_STARTED, /* it missed the cache and runs; text: why */
	STV_EV_STEP_CACHED,  /* its result is there already */
	STV_EV_STEP_OUTPUT,  /* text, text_len, stream: bytes of a command */
	STV_EV_STEP_PROGRESS, /* current, total (0 = unknown), text: unit/what
			       */
	STV_EV_STEP_DONE,     /* it ended well */
	STV_EV_STEP_FAILED,   /* text: the newest message of the error */
	STV_EV_STEP_CANCELLED,
	STV_EV_WARNING, /* text, span (file 0 = none) */
	STV_EV_NOTE,	/* one line for people: the rung, a tag that moved */
	STV_EV_TRACE	/* STAVE_TRACE; name: area, text */
};

/*
 * Why a step missed the cache.  ${kind} is one of the words that stave-build(1)
 * lists; the others may be NULL, and never hold what looks like a secret.
 */
struct stv_reason {
	const char *kind;
	const char *subject; /* the file, variable, flag, image ... */
	const char *old_value;
	const char *new_value;
};

struct stv_event {
	enum stv_event_kind kind;
	int64_t time_ns;   /* CLOCK_MONOTONIC; filled in by stv_emit() if 0 */
	uint32_t step;	   /* from 1; 0 = the build as a whole */
	uint32_t n_steps;  /* of its stage, for "[build 2/5]"; 0 = no number */
	uint32_t position; /* in its stage, from 1 */
	const char *stage; /* stage name, or NULL where there is only one */
	const char *platform; /* of a build for several, or NULL */
	const char *name; /* the instruction as the user wrote it, one line */
	const char *text;
	size_t text_len;
	int stream; /* 1 stdout, 2 stderr */
	uint64_t current;
	uint64_t total;
	struct stv_span span;
	const struct stv_digest *digest; /* the step's cache key, or NULL */
	const struct stv_reason *reason; /* STARTED: why, or NULL */
};

/* Somebody who wants to know. */
struct stv_listener {
	void (*on_event)(struct stv_listener *self, const struct stv_event *ev);
};

/* stv_emit(l, ev): tell ${l}, which may be NULL.  Fills in ev->time_ns. */
void stv_emit(struct stv_listener *l, struct stv_event ev);

/* stv_emitf(l, kind, fmt, ...): an event of the build with a text. */
void stv_emitf(struct stv_listener *l, enum stv_event_kind kind,
	       const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/* stv_now_ns(): CLOCK_MONOTONIC in nanoseconds. */
int64_t stv_now_ns(void);

#endif /* STAVE_CORE_EVENT_H */
