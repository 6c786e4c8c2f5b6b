/* cmd/ui_plain.c - one line a thing, as docker's plain progress. */
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "cmd/figures.h"
#include "cmd/ui_internal.h"

/* Progress of a download is a line each five seconds. */
#define PROGRESS_NS ((int64_t)5 * 1000000000)
/* As much of an instruction as stands before why it runs. */
#define NAME_CELLS 60

/* Name the step again whenever lines of another one stood between. */
static void
head(struct ui *ui, const struct ui_step *s)
{
	if (ui->plain_step == s->id)
		return;
	if (ui->plain_step != 0)
		stv_buf_addc(&ui->out, '\n');
	stv_buf_addf(&ui->out, "#%u %s\n", s->id, s->name);
	ui->plain_step = s->id;
}

static void
plain_line(struct ui *ui, struct ui_step *s, const char *text)
{
	head(ui, s);
	stv_buf_addf(&ui->out, "#%u %.3f %s\n", s->id,
		     (double)(ui->now_ns - s->started_ns) / 1e9, text);
}

/* Lines that belong to no step. */
static void
say(struct ui *ui, const struct stv_event *ev)
{
	if (ui->plain_step != 0)
		stv_buf_addc(&ui->out, '\n');
	ui->plain_step = 0;
	ui_say(ui, ev);
}

static void
progress(struct ui *ui, struct ui_step *s, const struct stv_event *ev)
{
	char a[CMD_SIZE_MAX], b[CMD_SIZE_MAX];
	bool is_over = ev->total > 0 && ev->current >= ev->total;

	if (!is_over && ev->time_ns - s->shown_ns < PROGRESS_NS)
		return;
	s->shown_ns = ev->time_ns;
	head(ui, s);
	stv_buf_addf(&ui->out, "#%u ", s->id);
	if (ev->text != NULL) {
		ui_text_name(ev->text, &ui->out);
		stv_buf_addc(&ui->out, ' ');
	}
	stv_buf_adds(&ui->out, cmd_size_str(ev->current, 4, a));
	if (ev->total > 0)
		stv_buf_addf(&ui->out, " / %s", cmd_size_str(ev->total, 4, b));
	stv_buf_addc(&ui->out, '\n');
}

/* "#7 COPY . . runs again: src/a.c changed (content)" */
static void
why(struct ui *ui, const struct ui_step *s, const struct stv_event *ev)
{
	stv_auto_buf name = STV_BUF_INIT(STV_MAX_LINE);
	stv_auto_buf all = STV_BUF_INIT(STV_MAX_LINE * 8);
	bool is_cut;

	if (ev->name != NULL)
		ui_text_name(ev->name, &name);
	is_cut = ui_text_fit(stv_buf_str(&name), SIZE_MAX, &all) > NAME_CELLS;
	stv_buf_addf(&ui->out, "#%u ", s->id);
	(void)ui_text_fit(stv_buf_str(&name), NAME_CELLS, &ui->out);
	stv_buf_addf(&ui->out, "%s %s: ", is_cut ? "..." : "",
		     ui_is_again(ev) ? "runs again" : "runs");
	ui_text_name(ev->text, &ui->out);
	stv_buf_addc(&ui->out, '\n');
}

static void
plain_event(struct ui *ui, struct ui_step *s, const struct stv_event *ev)
{
	if (ev->kind == STV_EV_WARNING || ev->kind == STV_EV_NOTE ||
	    ev->kind == STV_EV_TRACE) {
		say(ui, ev);
		return;
	}
	if (s == NULL || ev->kind == STV_EV_STEP_ADDED ||
	    ev->kind == STV_EV_STEP_OUTPUT)
		return;
	if (ev->kind == STV_EV_STEP_PROGRESS) {
		progress(ui, s, ev);
		return;
	}
	head(ui, s);
	if (ev->kind == STV_EV_STEP_STARTED) {
		if (ev->text != NULL &&
		    (ui_is_again(ev) || ui->opts.is_verbose))
			why(ui, s, ev);
		return;
	}
	stv_buf_addf(&ui->out, "#%u ", s->id);
	if (ev->kind == STV_EV_STEP_CACHED)
		stv_buf_adds(&ui->out, "CACHED");
	else if (ev->kind == STV_EV_STEP_CANCELLED)
		stv_buf_adds(&ui->out, "CANCELED");
	else if (ev->kind == STV_EV_STEP_DONE)
		stv_buf_addf(&ui->out, "DONE %.1fs",
			     ui_step_seconds(s, ui->now_ns));
	else
		stv_buf_adds(&ui->out, "ERROR: ");
	if (ev->kind == STV_EV_STEP_FAILED && ev->text != NULL)
		ui_text_name(ev->text, &ui->out);
	stv_buf_adds(&ui->out, "\n\n");
	ui->plain_step = 0;
}

static void
plain_end(struct ui *ui, const struct stv_err *e)
{
	(void)e;
	ui_tails(ui);
}

const struct ui_display ui_plain = {
	.event = plain_event,
	.line = plain_line,
	.end = plain_end,
};
