/*
 * cmd/ui_tty.c - the live view on a terminal.
 *
 *	[+] Building 3.2s (2/4)
 *	 => CACHED [build 1/4] FROM busybox                              0.0s
 *	 => [build 2/4] RUN make                                         3.1s
 *	 => => cc -c a.c
 *
 * The view is drawn again in place, at most ten times a second.  It never is
 * higher than the terminal; at the end all of it is printed once.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"

#include "cmd/figures.h"
#include "cmd/ui_internal.h"

#define REDRAW_NS ((int64_t)100 * 1000000)
/* Lines of output below a running step: BuildKit's BUILDKIT_TTY_LOG_LINES. */
#define LOG_LINES 6
#define TIME_CELLS 9
/* Narrower or wider than this is no terminal that anybody reads. */
#define MIN_WIDTH 20
#define MAX_WIDTH 1000

#define BLUE "\033[34m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define RESET "\033[0m"

/* Where the view is drawn: how much of it fits. */
struct screen {
	size_t width;
	size_t height;
};

static struct screen
screen_of(const struct ui *ui)
{
	struct screen s = {80, 24};
	struct winsize ws = {0};

	if (ui->opts.tty_fd >= 0 &&
	    ioctl(ui->opts.tty_fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0) {
		s.width = ws.ws_col;
		s.height = ws.ws_row > 0 ? ws.ws_row : 24;
	}
	if (s.width < MIN_WIDTH)
		s.width = MIN_WIDTH;
	if (s.width > MAX_WIDTH)
		s.width = MAX_WIDTH;
	if (s.height < 3)
		s.height = 3;
	return s;
}

/* Take the view off the screen: the cursor stands where it began. */
static void
erase(struct ui *ui)
{
	if (ui->n_drawn > 0)
		stv_buf_addf(&ui->out, "\033[%zuA", ui->n_drawn);
	stv_buf_adds(&ui->out, "\r\033[J");
	ui->n_drawn = 0;
}

static const char *
color_of(enum ui_state state)
{
	switch (state) {
	case UI_CACHED:
	case UI_DONE:
		return BLUE;
	case UI_FAILED:
		return RED;
	case UI_CANCELLED:
		return YELLOW;
	case UI_WAITING:
	case UI_RUNNING:
		break;
	}
	return "";
}

/* " => CACHED [2/4] RUN make        0.3s", in the step's colour. */
static void
draw_step(struct ui *ui, const struct ui_step *s, struct screen scr)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)4 << 20);
	const char *color = ui->opts.has_color ? color_of(s->state) : "";
	size_t used, room = scr.width - TIME_CELLS - 1;

	stv_buf_addf(&text, " => %s%s",
		     s->state == UI_CACHED	? "CACHED "
		     : s->state == UI_FAILED	? "ERROR "
		     : s->state == UI_CANCELLED ? "CANCELED "
						: "",
		     s->name);
	if (s->progress != NULL && s->state == UI_RUNNING)
		stv_buf_addf(&text, "  %s", s->progress);
	stv_buf_adds(&ui->out, color);
	used = ui_text_fit(stv_buf_str(&text), room, &ui->out);
	for (; used < room; used++)
		stv_buf_addc(&ui->out, ' ');
	stv_buf_addf(&ui->out, "%*.1fs", TIME_CELLS - 1,
		     ui_step_seconds(s, ui->now_ns));
	stv_buf_addf(&ui->out, "%s\n", *color != '\0' ? RESET : "");
	ui->n_drawn++;
}

static void
draw_log_line(struct ui *ui, const char *text, struct screen scr)
{
	stv_buf_adds(&ui->out, " => => ");
	(void)ui_text_fit(text, scr.width - 8, &ui->out);
	stv_buf_addc(&ui->out, '\n');
	ui->n_drawn++;
}

/* The last lines of a running step, and the one that is being written. */
static void
draw_log(struct ui *ui, const struct ui_step *s, struct screen scr, size_t max)
{
	size_t n = s->tail.len, shown;
	const struct ui_line *part =
		s->line[0].raw.len > 0 ? &s->line[0] : &s->line[1];
	bool has_part = part->raw.len > 0;

	if (max > LOG_LINES)
		max = LOG_LINES;
	if (max == 0)
		return;
	shown = max - has_part < n ? max - has_part : n;
	for (size_t i = n - shown; i < n; i++)
		draw_log_line(ui, s->tail.v[(s->tail_at + i) % n], scr);
	if (has_part) {
		stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);

		ui_text_clean(part->raw.data, part->raw.len, ui->opts.has_color,
			      &b);
		draw_log_line(ui, stv_buf_str(&b), scr);
	}
}

static bool
is_over(const struct ui_step *s)
{
	return s->state != UI_WAITING && s->state != UI_RUNNING;
}

static size_t
count(const struct ui *ui, bool (*is)(const struct ui_step *s))
{
	size_t n = 0;

	for (size_t i = 0; i < ui->steps.len; i++)
		n += is(&ui->steps.v[i]);
	return n;
}

static bool
is_running(const struct ui_step *s)
{
	return s->state == UI_RUNNING;
}

static void
draw_head(struct ui *ui, size_t n_over)
{
	stv_buf_addf(&ui->out, "[+] Building %.1fs (%zu/%zu)\n",
		     (double)(ui->now_ns - ui->start_ns) / 1e9, n_over,
		     ui->steps.len);
	ui->n_drawn++;
}

/*
 * Draw what fits: running steps first of all, then as many of the latest
 * finished ones as there are lines left, then output.
 */
static void
draw(struct ui *ui, bool is_last)
{
	struct screen scr = screen_of(ui);
	size_t n_over = count(ui, is_over), n_running = count(ui, is_running);
	size_t room = is_last ? SIZE_MAX : scr.height - 2, skip, per_log;

	draw_head(ui, n_over);
	skip = n_over + n_running > room ? n_over + n_running - room : 0;
	if (skip > n_over)
		skip = n_over;
	room -= n_over - skip;
	room = room > n_running ? room - n_running : 0;
	per_log = is_last || n_running == 0 ? 0 : room / n_running;
	for (size_t i = 0; i < ui->steps.len; i++) {
		const struct ui_step *s = &ui->steps.v[i];
		bool has_why;

		if (is_over(s) && skip > 0) {
			skip--;
			continue;
		}
		if (s->state == UI_WAITING || ui->n_drawn + 1 >= scr.height) {
			if (!is_last || s->state == UI_WAITING)
				continue;
		}
		draw_step(ui, s, scr);
		has_why = s->why != NULL && (is_last || per_log > 0);
		if (has_why && (is_last || s->state == UI_RUNNING))
			draw_log_line(ui, s->why, scr);
		if (s->state == UI_RUNNING)
			draw_log(ui, s, scr,
				 per_log - (has_why && per_log > 0));
	}
}

static void
redraw(struct ui *ui)
{
	if (ui->now_ns - ui->drawn_ns < REDRAW_NS)
		return;
	ui->drawn_ns = ui->now_ns;
	erase(ui);
	draw(ui, false);
}

static void
keep_progress(struct ui_step *s, const struct stv_event *ev)
{
	char a[CMD_SIZE_MAX], b[CMD_SIZE_MAX];

	free(s->progress);
	if (ev->total > 0)
		s->progress = stv_xasprintf("%s / %s",
					    cmd_size_str(ev->current, 3, a),
					    cmd_size_str(ev->total, 3, b));
	else
		s->progress = stv_xstrdup(cmd_size_str(ev->current, 3, a));
}

static void
tty_event(struct ui *ui, struct ui_step *s, const struct stv_event *ev)
{
	if (ev->kind == STV_EV_NOTE) {
		stv_strs_take(&ui->notes, ui_event_text(ev));
		return;
	}
	if (ev->kind == STV_EV_WARNING || ev->kind == STV_EV_TRACE) {
		erase(ui);
		ui_say(ui, ev);
		draw(ui, false);
		return;
	}
	if (s != NULL && ev->kind == STV_EV_STEP_PROGRESS)
		keep_progress(s, ev);
	redraw(ui);
}

static void
tty_end(struct ui *ui, const struct stv_err *e)
{
	(void)e;
	erase(ui);
	draw(ui, true);
	ui->n_drawn = 0;
	ui_tails(ui);
	for (size_t i = 0; i < ui->notes.len; i++) {
		ui_text_name(ui->notes.v[i], &ui->out);
		stv_buf_addc(&ui->out, '\n');
	}
}

const struct ui_display ui_tty = {
	.event = tty_event,
	.tick = redraw,
	.end = tty_end,
};
