/*
 * cmd/ui.h - showing the events of a build.
 *
 *	ui_new(&opts) -> ui_listener(ui) to the builder -> ui_end(ui, err)
 *	-> ui_free(ui)
 *
 * What a display prints is stderr's; results are the command's business.
 */
#ifndef STAVE_CMD_UI_H
#define STAVE_CMD_UI_H

#include <stdbool.h>
#include <stddef.h>

#include "core/cleanup.h"

struct stv_diag;     /* core/diag.h */
struct stv_err;	     /* core/err.h */
struct stv_listener; /* core/event.h */
struct stv_sink;     /* core/stream.h */
struct stv_sources;  /* core/source.h */

enum ui_mode {
	UI_AUTO,    /* tty on a terminal, else plain */
	UI_PLAIN,   /* a line a thing, "#5 0.312 text" */
	UI_TTY,	    /* live view */
	UI_QUIET,   /* only the output of a step that fails */
	UI_NONE,    /* nothing */
	UI_JSON,    /* our own JSON lines, stable: stave-build(1) */
	UI_RAWJSON, /* BuildKit's status events */
};

struct ui_opts {
	enum ui_mode mode;
	struct stv_sink *sink; /* where to; borrowed */
	int tty_fd;	       /* asked for its size, or -1: 80 x 24 */
	bool has_color;	       /* SGR may be written */
	bool is_verbose;       /* also that a step is new to the cache */
	bool is_ticking; /* UI_TTY: a thread of its own moves the clocks */
};

struct ui;

/*
 * ui_mode_parse(s, ret, err): the word of --progress.
 * Errors: STV_E_USAGE.
 */
int ui_mode_parse(const char *s, enum ui_mode *ret, struct stv_err **err);

/*
 * ui_mode_choose(mode, fd): UI_AUTO resolved for the descriptor, and UI_TTY
 * turned into UI_PLAIN where ${fd} is no terminal that can move its cursor.
 */
enum ui_mode ui_mode_choose(enum ui_mode mode, int fd);

/* ui_new(opts): a display.  Owns: ui_free(). */
struct ui *ui_new(const struct ui_opts *opts);

/* ui_listener(ui): what the events go to.  Borrows. */
struct stv_listener *ui_listener(struct ui *ui);

/*
 * ui_set_sources(ui, src): the texts that warnings point into.  Borrows until
 * ui_end().
 */
void ui_set_sources(struct ui *ui, const struct stv_sources *src);

/*
 * ui_finding(ui, d): something that the parser found: as an event of UI_JSON
 * and UI_RAWJSON, as text with its place for all others; UI_QUIET and UI_NONE
 * show errors only.
 */
void ui_finding(struct ui *ui, const struct stv_diag *d);

/*
 * ui_tick(ui): time has passed; the live view redraws if 100 ms have gone by.
 * Threads: any.
 */
void ui_tick(struct ui *ui);

/*
 * ui_end(ui, e): the build is over: the last state, and the last output of a
 * step that failed.  ${e} is its error or NULL; only UI_JSON shows it, for
 * the others cmd_print_error() does.
 */
void ui_end(struct ui *ui, const struct stv_err *e);

/*
 * ui_shows_errors(ui): does ui_end() itself tell the error (UI_JSON)?
 */
bool ui_shows_errors(const struct ui *ui);

/* ui_free(ui): NULL is ok. */
void ui_free(struct ui *ui);

STV_DEFINE_CLEANUP(ui, ui_free);

#endif /* STAVE_CMD_UI_H */
