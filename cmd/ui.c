/* cmd/ui.c - what the displays share: steps, lines, the tail of a failure. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cmd/ui.h"
#include "cmd/ui_internal.h"

#define TICK_NS 100000000

static const struct {
	const char *word;
	enum ui_mode mode;
} modes[] = {
	{"auto", UI_AUTO},	 {"plain", UI_PLAIN}, {"tty", UI_TTY},
	{"quiet", UI_QUIET},	 {"none", UI_NONE},   {"json", UI_JSON},
	{"rawjson", UI_RAWJSON},
};

int
ui_mode_parse(const char *s, enum ui_mode *ret, struct stv_err **err)
{
	for (size_t i = 0; i < STV_ARRAY_LEN(modes); i++) {
		if (strcmp(modes[i].word, s) == 0) {
			*ret = modes[i].mode;
			return 0;
		}
	}
	stv_fail(err, STV_E_USAGE, "there is no progress display '%s'", s);
	stv_err_hint(*err, "Choose one of auto, plain, tty, quiet, none, json, "
			   "rawjson.");
	return -1;
}

enum ui_mode
ui_mode_choose(enum ui_mode mode, int fd)
{
	const char *term = getenv("TERM");

	if (mode != UI_AUTO && mode != UI_TTY)
		return mode;
	if (!isatty(fd) || term == NULL || strcmp(term, "dumb") == 0)
		return UI_PLAIN;
	return UI_TTY;
}

void
ui_flush(struct ui *ui)
{
	struct stv_err *err = NULL;

	if (!ui->is_broken && ui->out.len > 0 &&
	    ui->opts.sink->write(ui->opts.sink, ui->out.data, ui->out.len,
				 &err) < 0) {
		/* stderr is gone: the build goes on, nobody looks */
		ui->is_broken = true;
		stv_err_free(err);
	}
	stv_buf_truncate(&ui->out, 0);
	ui->out.is_over = false;
}

void
ui_step_text(const struct stv_event *ev, struct stv_buf *ret)
{
	if (ev->n_steps > 0) {
		stv_buf_addc(ret, '[');
		if (ev->platform != NULL) {
			ui_text_name(ev->platform, ret);
			stv_buf_addc(ret, ' ');
		}
		if (ev->stage != NULL) {
			ui_text_name(ev->stage, ret);
			stv_buf_addc(ret, ' ');
		}
		stv_buf_addf(ret, "%u/%u] ", ev->position, ev->n_steps);
	} else if (ev->stage != NULL) {
		stv_buf_addc(ret, '[');
		ui_text_name(ev->stage, ret);
		stv_buf_adds(ret, "] ");
	}
	if (ev->name != NULL)
		ui_text_name(ev->name, ret);
}

char *
ui_event_text(const struct stv_event *ev)
{
	if (ev->text == NULL)
		return stv_xstrdup("");
	if (ev->text_len == 0 && ev->kind != STV_EV_STEP_OUTPUT)
		return stv_xstrdup(ev->text);
	return stv_xstrndup(ev->text, ev->text_len);
}

/* The step of an event, made where it is new; NULL for the whole build. */
static struct ui_step *
step_of(struct ui *ui, const struct stv_event *ev)
{
	stv_auto_buf name = STV_BUF_INIT(STV_MAX_LINE);
	struct ui_step *s;

	if (ev->step == 0)
		return NULL;
	if (ui->last_step > 0 && ui->steps.v[ui->last_step - 1].id == ev->step)
		return &ui->steps.v[ui->last_step - 1];
	for (size_t i = 0; i < ui->steps.len; i++) {
		if (ui->steps.v[i].id == ev->step) {
			ui->last_step = i + 1;
			return &ui->steps.v[i];
		}
	}
	if (ui->steps.len >= UI_MAX_STEPS)
		return NULL;
	s = stv_vec_push(&ui->steps);
	ui->last_step = ui->steps.len;
	s->id = ev->step;
	ui_step_text(ev, &name);
	s->name = stv_buf_take(&name);
	return s;
}

/* Keep a line for the end, in place of the oldest one. */
static void
tail_add(struct ui_step *s, const char *text)
{
	if (s->tail.len < UI_TAIL_LINES) {
		stv_strs_add(&s->tail, text);
		return;
	}
	free(s->tail.v[s->tail_at]);
	s->tail.v[s->tail_at] = stv_xstrdup(text);
	s->tail_at = (s->tail_at + 1) % UI_TAIL_LINES;
}

struct line_arg {
	struct ui *ui;
	struct ui_step *step;
};

static void
on_line(void *arg, const char *line, size_t len)
{
	struct line_arg *a = arg;
	/* a byte becomes at most four: \xNN */
	stv_auto_buf b = STV_BUF_INIT(4 * STV_MAX_LOG_LINE + 1024);

	ui_text_clean(line, len, a->ui->opts.has_color, &b);
	tail_add(a->step, stv_buf_str(&b));
	if (a->ui->display->line != NULL)
		a->ui->display->line(a->ui, a->step, stv_buf_str(&b));
}

static void
take_output(struct ui *ui, struct ui_step *s, const struct stv_event *ev)
{
	struct line_arg a = {ui, s};

	ui_line_feed(&s->line[ev->stream == 2], ev->text, ev->text_len, on_line,
		     &a);
}

static void
end_lines(struct ui *ui, struct ui_step *s)
{
	struct line_arg a = {ui, s};

	for (size_t i = 0; i < STV_ARRAY_LEN(s->line); i++) {
		ui_line_flush(&s->line[i], on_line, &a);
		ui_line_fini(&s->line[i]);
	}
}

static void
end_step(struct ui *ui, struct ui_step *s, enum ui_state state)
{
	end_lines(ui, s);
	s->state = state;
	s->ended_ns = ui->now_ns;
	if (s->started_ns == 0)
		s->started_ns = s->ended_ns;
	if (state != UI_FAILED) {
		stv_strs_clear(&s->tail);
		s->tail_at = 0;
	}
}

bool
ui_is_again(const struct stv_event *ev)
{
	return ev->reason == NULL ||
	       (strcmp(ev->reason->kind, "new") != 0 &&
		strcmp(ev->reason->kind, "new-instruction") != 0);
}

/* Keep why a step runs again; that it is new goes without saying. */
static void
keep_why(struct ui_step *s, const struct stv_event *ev)
{
	stv_auto_buf b = STV_BUF_INIT(STV_MAX_LINE);

	free(s->why);
	s->why = NULL;
	if (ev->text == NULL || !ui_is_again(ev))
		return;
	stv_buf_adds(&b, "runs again: ");
	ui_text_name(ev->text, &b);
	s->why = stv_buf_take(&b);
}

/* Bring the step's state up to date. */
static void
update(struct ui *ui, struct ui_step *s, const struct stv_event *ev)
{
	switch (ev->kind) {
	case STV_EV_STEP_STARTED:
		s->state = UI_RUNNING;
		s->started_ns = ev->time_ns;
		keep_why(s, ev);
		break;
	case STV_EV_STEP_OUTPUT:
		if (!ui->display->is_raw && ev->text_len > 0)
			take_output(ui, s, ev);
		break;
	case STV_EV_STEP_CACHED:
		end_step(ui, s, UI_CACHED);
		break;
	case STV_EV_STEP_DONE:
		end_step(ui, s, UI_DONE);
		break;
	case STV_EV_STEP_FAILED:
		end_step(ui, s, UI_FAILED);
		break;
	case STV_EV_STEP_CANCELLED:
		end_step(ui, s, UI_CANCELLED);
		break;
	case STV_EV_STEP_ADDED:
	case STV_EV_STEP_PROGRESS:
	case STV_EV_WARNING:
	case STV_EV_NOTE:
	case STV_EV_TRACE:
		break;
	}
}

static void
tick(struct ui *ui)
{
	ui->now_ns = stv_now_ns();
	ui->display->tick(ui);
	ui_flush(ui);
}

/* Redraw every 100 ms until the end; the lock is held but for waiting. */
static void *
tick_loop(void *arg)
{
	struct ui *ui = arg;
	struct timespec at;

	(void)pthread_mutex_lock(&ui->lock);
	while (!ui->is_over) {
		(void)clock_gettime(CLOCK_REALTIME, &at);
		at.tv_nsec += TICK_NS;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		if (pthread_cond_timedwait(&ui->ended, &ui->lock, &at) ==
			    ETIMEDOUT &&
		    !ui->is_over)
			tick(ui);
	}
	(void)pthread_mutex_unlock(&ui->lock);
	return NULL;
}

/* All signals stay with the thread that waits for them. */
static void
start_ticker(struct ui *ui)
{
	sigset_t all, old;

	if (ui->has_ticker || !ui->opts.is_ticking || ui->display->tick == NULL)
		return;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	ui->has_ticker = pthread_create(&ui->ticker, NULL, tick_loop, ui) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void
stop_ticker(struct ui *ui)
{
	(void)pthread_mutex_lock(&ui->lock);
	ui->is_over = true;
	(void)pthread_cond_signal(&ui->ended);
	(void)pthread_mutex_unlock(&ui->lock);
	if (ui->has_ticker)
		(void)pthread_join(ui->ticker, NULL);
	ui->has_ticker = false;
}

static void
on_event(struct stv_listener *self, const struct stv_event *ev)
{
	struct ui *ui = (struct ui *)self;
	struct ui_step *s;

	if (ui->display == NULL)
		return;
	(void)pthread_mutex_lock(&ui->lock);
	ui->now_ns = ev->time_ns;
	s = step_of(ui, ev);
	if (s != NULL)
		update(ui, s, ev);
	if (ui->display->event != NULL)
		ui->display->event(ui, s, ev);
	ui_flush(ui);
	/* not earlier: a cached build has nothing that a clock would show */
	if (ev->kind == STV_EV_STEP_STARTED)
		start_ticker(ui);
	(void)pthread_mutex_unlock(&ui->lock);
}

struct ui *
ui_new(const struct ui_opts *opts)
{
	static const struct ui_display *const displays[] = {
		[UI_PLAIN] = &ui_plain,	    [UI_TTY] = &ui_tty,
		[UI_QUIET] = &ui_quiet,	    [UI_JSON] = &ui_json,
		[UI_RAWJSON] = &ui_rawjson,
	};
	struct ui *ui = stv_xcalloc(1, sizeof(*ui));
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	(void)pthread_mutex_init(&ui->lock, NULL);
	(void)pthread_cond_init(&ui->ended, NULL);
	ui->listener.on_event = on_event;
	ui->opts = *opts;
	if (opts->mode == UI_AUTO)
		ui->opts.mode = UI_PLAIN;
	ui->display = displays[ui->opts.mode];
	ui->start_ns = ui->now_ns = stv_now_ns();
	ui->wall_ns =
		(int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec - ui->start_ns;
	ui->out = STV_BUF_INIT((size_t)16 << 20);
	return ui;
}

struct stv_listener *
ui_listener(struct ui *ui)
{
	return &ui->listener;
}

void
ui_set_sources(struct ui *ui, const struct stv_sources *src)
{
	ui->sources = src;
}

void
ui_finding(struct ui *ui, const struct stv_diag *d)
{
	bool is_shy = ui->opts.mode == UI_QUIET || ui->opts.mode == UI_NONE;

	(void)pthread_mutex_lock(&ui->lock);
	if (ui->display != NULL && ui->display->finding != NULL)
		ui->display->finding(ui, d);
	else if (ui->sources != NULL &&
		 (!is_shy || d->severity == STV_SEV_ERROR))
		stv_diag_render(d, ui->sources, ui->opts.has_color, &ui->out);
	ui_flush(ui);
	(void)pthread_mutex_unlock(&ui->lock);
}

void
ui_tick(struct ui *ui)
{
	if (ui->display == NULL || ui->display->tick == NULL)
		return;
	(void)pthread_mutex_lock(&ui->lock);
	tick(ui);
	(void)pthread_mutex_unlock(&ui->lock);
}

void
ui_end(struct ui *ui, const struct stv_err *e)
{
	if (ui->display == NULL || ui->display->end == NULL)
		return;
	stop_ticker(ui);
	ui->display->end(ui, e);
	ui_flush(ui);
}

bool
ui_shows_errors(const struct ui *ui)
{
	return ui->opts.mode == UI_JSON;
}

void
ui_say(struct ui *ui, const struct stv_event *ev)
{
	stv_auto_free char *text = ui_event_text(ev);

	if (ev->kind == STV_EV_WARNING && ev->span.file != 0 &&
	    ui->sources != NULL) {
		struct stv_diag d = {.severity = STV_SEV_WARNING,
				     .span = ev->span,
				     .msg = text};

		stv_diag_render(&d, ui->sources, ui->opts.has_color, &ui->out);
		return;
	}
	if (ev->kind == STV_EV_WARNING)
		stv_buf_adds(&ui->out, "warning: ");
	if (ev->kind == STV_EV_TRACE)
		stv_buf_adds(&ui->out, "trace ");
	if (ev->kind == STV_EV_TRACE && ev->name != NULL) {
		ui_text_name(ev->name, &ui->out);
		stv_buf_adds(&ui->out, ": ");
	}
	ui_text_name(text, &ui->out);
	stv_buf_addc(&ui->out, '\n');
}

void
ui_tail(struct ui *ui, const struct ui_step *s)
{
	if (s->tail.len == 0)
		return;
	stv_buf_addf(&ui->out, "------\n > %s:\n", s->name);
	for (size_t i = 0; i < s->tail.len; i++)
		stv_buf_addf(&ui->out, "%s\n",
			     s->tail.v[(s->tail_at + i) % s->tail.len]);
	stv_buf_adds(&ui->out, "------\n");
}

void
ui_tails(struct ui *ui)
{
	for (size_t i = 0; i < ui->steps.len; i++)
		if (ui->steps.v[i].state == UI_FAILED)
			ui_tail(ui, &ui->steps.v[i]);
}

double
ui_step_seconds(const struct ui_step *s, int64_t now)
{
	int64_t end = s->state == UI_RUNNING ? now : s->ended_ns;

	return (double)(end - s->started_ns) / 1e9;
}

static void
quiet_event(struct ui *ui, struct ui_step *s, const struct stv_event *ev)
{
	(void)s;
	if (ev->kind == STV_EV_WARNING || ev->kind == STV_EV_TRACE)
		ui_say(ui, ev);
}

static void
quiet_end(struct ui *ui, const struct stv_err *e)
{
	(void)e;
	ui_tails(ui);
}

const struct ui_display ui_quiet = {.event = quiet_event, .end = quiet_end};

void
ui_free(struct ui *ui)
{
	if (ui == NULL)
		return;
	stop_ticker(ui);
	(void)pthread_mutex_destroy(&ui->lock);
	(void)pthread_cond_destroy(&ui->ended);
	for (size_t i = 0; i < ui->steps.len; i++) {
		struct ui_step *s = &ui->steps.v[i];

		ui_line_fini(&s->line[0]);
		ui_line_fini(&s->line[1]);
		stv_strs_clear(&s->tail);
		free(s->name);
		free(s->progress);
		free(s->why);
	}
	stv_vec_fini(&ui->steps);
	stv_strs_clear(&ui->notes);
	stv_buf_fini(&ui->out);
	free(ui);
}
