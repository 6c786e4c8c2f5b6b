/* cmd/ui_internal.h - what the displays share. */
#ifndef STAVE_CMD_UI_INTERNAL_H
#define STAVE_CMD_UI_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/event.h"
#include "core/strs.h"
#include "core/vec.h"

#include "cmd/ui.h"
#include "cmd/ui_text.h"

/* Lines of a failed step that are shown again at the end. */
#define UI_TAIL_LINES 30
/* More steps than any plan has; a display never grows without bound. */
#define UI_MAX_STEPS 100000

enum ui_state {
	UI_WAITING,
	UI_RUNNING,
	UI_CACHED,
	UI_DONE,
	UI_FAILED,
	UI_CANCELLED,
};

struct ui_step {
	uint32_t id;
	char *name; /* "[build 2/4] RUN make", inert */
	enum ui_state state;
	int64_t started_ns;
	int64_t ended_ns;
	int64_t shown_ns;	/* plain: last progress line */
	struct ui_line line[2]; /* stdout, stderr */
	struct stv_strs tail;	/* the last lines, cleaned */
	size_t tail_at;		/* where the oldest of a full ring is */
	char *progress;		/* live view: "3.1MB / 8MB" */
	char *why;		/* "runs again: a changed", inert, or NULL */
};

struct ui;

/* One kind of display.  Members may be NULL. */
struct ui_display {
	/* an event, after the step's state was brought up to date */
	void (*event)(struct ui *ui, struct ui_step *s,
		      const struct stv_event *ev);
	/* one whole line of output, cleaned */
	void (*line)(struct ui *ui, struct ui_step *s, const char *text);
	/* NULL: as text */
	void (*finding)(struct ui *ui, const struct stv_diag *d);
	void (*tick)(struct ui *ui);
	void (*end)(struct ui *ui, const struct stv_err *e);
	bool is_raw; /* wants bytes, not lines */
};

struct ui {
	struct stv_listener listener; /* first: the listener is the ui */
	const struct ui_display *display;
	struct ui_opts opts;
	const struct stv_sources *sources;
	STV_VEC(struct ui_step) steps;
	size_t last_step; /* index + 1 of the one looked up last */
	int64_t start_ns;
	int64_t now_ns;	       /* of the newest event */
	int64_t wall_ns;       /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint32_t plain_step;   /* plain: whose lines were printed last */
	size_t n_drawn;	       /* tty: lines of the view on the screen */
	int64_t drawn_ns;      /* tty: when */
	struct stv_strs notes; /* tty: shown under the finished view */
	struct stv_buf out;
	bool is_broken;	      /* the sink failed; nothing more is written */
	pthread_mutex_t lock; /* events against ticks */
	pthread_cond_t ended;
	pthread_t ticker;
	bool has_ticker;
	bool is_over; /* ui_end() was called: no more ticks */
};

extern const struct ui_display ui_plain, ui_tty, ui_quiet, ui_json, ui_rawjson;

/*
 * ui_is_again(ev): is the reason of a step that runs one that supposes that it
 * ran before?
 */
bool ui_is_again(const struct stv_event *ev);

/* ui_flush(ui): hand ui->out to the sink. */
void ui_flush(struct ui *ui);

/* ui_say(ui, ev): a warning, note or trace as lines, appended to ui->out. */
void ui_say(struct ui *ui, const struct stv_event *ev);

/* ui_tail(ui, s): the last output of a failed step, appended to ui->out. */
void ui_tail(struct ui *ui, const struct ui_step *s);

/* ui_tails(ui): that of all failed steps. */
void ui_tails(struct ui *ui);

/* ui_step_seconds(s, now): how long it has run. */
double ui_step_seconds(const struct ui_step *s, int64_t now);

/* ui_step_text(ev, ret): "[stage 2/4] RUN make", inert, appended. */
void ui_step_text(const struct stv_event *ev, struct stv_buf *ret);

/*
 * ui_event_text(ev): the event's text as a string; senders of short texts may
 * leave text_len at 0.  Owns: the caller.
 */
char *ui_event_text(const struct stv_event *ev);

#endif /* STAVE_CMD_UI_INTERNAL_H */
