/*
 * cmd/ui_json.c - progress for machines: our own JSON lines (documented in
 * stave-build(1)) and BuildKit's status events.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/digest.h"
#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/source.h"

#include "cmd/ctx.h"
#include "cmd/ui_internal.h"

/* The wall clock at a monotonic time, as RFC 3339. */
static json_t *
when(const struct ui *ui, int64_t ns)
{
	int64_t wall = ns + ui->wall_ns;
	stv_auto_free char *text =
		oci_time(wall / 1000000000, (uint32_t)(wall % 1000000000));

	return json_string(text);
}

static json_t *
text_of(const struct stv_event *ev)
{
	stv_auto_free char *s = ui_event_text(ev);

	return stv_json_str(s);
}

/* One line; takes ${v}. */
static void
print(struct ui *ui, json_t *v)
{
	stv_json_dump(v, &ui->out);
	stv_buf_addc(&ui->out, '\n');
	json_decref(v);
}

static void
set_duration(json_t *v, int64_t ns)
{
	json_object_set_new(v, "milliseconds", json_integer(ns / 1000000));
}

static json_t *
begin(const struct ui *ui, const char *event, const struct stv_event *ev)
{
	json_t *v = json_object();

	json_object_set_new(v, "event", json_string(event));
	json_object_set_new(v, "time", when(ui, ui->now_ns));
	if (ev != NULL && ev->step != 0)
		json_object_set_new(v, "step", json_integer(ev->step));
	return v;
}

static void
add_step(json_t *v, const struct stv_event *ev)
{
	char d[STV_DIGEST_STR_MAX];

	if (ev->stage != NULL)
		json_object_set_new(v, "stage", stv_json_str(ev->stage));
	if (ev->platform != NULL)
		json_object_set_new(v, "platform", stv_json_str(ev->platform));
	if (ev->n_steps > 0) {
		json_object_set_new(v, "position", json_integer(ev->position));
		json_object_set_new(v, "of", json_integer(ev->n_steps));
	}
	if (ev->name != NULL)
		json_object_set_new(v, "name", stv_json_str(ev->name));
	if (ev->digest != NULL)
		json_object_set_new(v, "key",
				    json_string(stv_digest_str(ev->digest, d)));
}

static void
add_place(const struct ui *ui, json_t *v, struct stv_span span)
{
	const struct stv_source *src =
		ui->sources != NULL ? stv_sources_get(ui->sources, span.file)
				    : NULL;
	struct stv_place at;

	if (src == NULL)
		return;
	at = stv_source_place(src, span.begin);
	json_object_set_new(v, "file", stv_json_str(src->name));
	json_object_set_new(v, "line", json_integer(at.line));
	json_object_set_new(v, "column", json_integer(at.column));
}

static const char *
event_word(enum stv_event_kind kind)
{
	switch (kind) {
	case STV_EV_STEP_ADDED:
		return "step-added";
	case STV_EV_STEP_STARTED:
		return "step-started";
	case STV_EV_STEP_CACHED:
		return "step-cached";
	case STV_EV_STEP_OUTPUT:
		return "output";
	case STV_EV_STEP_PROGRESS:
		return "progress";
	case STV_EV_STEP_DONE:
		return "step-done";
	case STV_EV_STEP_FAILED:
		return "step-failed";
	case STV_EV_STEP_CANCELLED:
		return "step-cancelled";
	case STV_EV_WARNING:
		return "warning";
	case STV_EV_NOTE:
		return "note";
	case STV_EV_TRACE:
		return "trace";
	}
	return "unknown";
}

static void
add_reason(json_t *v, const struct stv_reason *r)
{
	const struct {
		const char *name;
		const char *value;
	} all[] = {
		{"kind", r->kind},
		{"subject", r->subject},
		{"old", r->old_value},
		{"new", r->new_value},
	};
	json_t *o = json_object();

	for (size_t i = 0; i < STV_ARRAY_LEN(all); i++)
		if (all[i].value != NULL)
			json_object_set_new(o, all[i].name,
					    stv_json_str(all[i].value));
	json_object_set_new(v, "reason", o);
}

/* The members that only some kinds of event have. */
static void
add_details(const struct ui *ui, json_t *v, const struct ui_step *s,
	    const struct stv_event *ev)
{
	switch (ev->kind) {
	case STV_EV_STEP_OUTPUT:
		json_object_set_new(
			v, "stream",
			json_string(ev->stream == 2 ? "stderr" : "stdout"));
		break;
	case STV_EV_STEP_PROGRESS:
		json_object_set_new(v, "current",
				    json_integer((json_int_t)ev->current));
		json_object_set_new(v, "total",
				    json_integer((json_int_t)ev->total));
		break;
	case STV_EV_STEP_DONE:
	case STV_EV_STEP_FAILED:
		if (s != NULL)
			set_duration(v, s->ended_ns - s->started_ns);
		break;
	case STV_EV_WARNING:
		add_place(ui, v, ev->span);
		break;
	case STV_EV_TRACE:
		if (ev->name != NULL)
			json_object_set_new(v, "area", stv_json_str(ev->name));
		break;
	case STV_EV_STEP_STARTED:
		if (ev->reason != NULL)
			add_reason(v, ev->reason);
		break;
	case STV_EV_STEP_ADDED:
	case STV_EV_STEP_CACHED:
	case STV_EV_STEP_CANCELLED:
	case STV_EV_NOTE:
		break;
	}
}

static void
json_event(struct ui *ui, struct ui_step *s, const struct stv_event *ev)
{
	json_t *v = begin(ui, event_word(ev->kind), ev);

	if (ev->kind == STV_EV_STEP_ADDED || ev->kind == STV_EV_STEP_STARTED ||
	    ev->kind == STV_EV_STEP_CACHED)
		add_step(v, ev);
	add_details(ui, v, s, ev);
	if (ev->text != NULL)
		json_object_set_new(v, "text", text_of(ev));
	print(ui, v);
}

/* All messages of an error, the newest first: "a: b: c". */
static char *
chain_text(const struct stv_err *e)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);

	for (; e != NULL; e = stv_err_cause(e)) {
		if (b.len > 0)
			stv_buf_adds(&b, ": ");
		stv_buf_adds(&b, stv_err_msg(e));
	}
	return stv_buf_take(&b);
}

static void
json_end(struct ui *ui, const struct stv_err *e)
{
	json_t *v;

	ui->now_ns = stv_now_ns();
	v = begin(ui, e != NULL ? "error" : "done", NULL);
	if (e != NULL) {
		stv_auto_free char *text = chain_text(e);

		json_object_set_new(v, "text", stv_json_str(text));
		if (stv_err_get_hint(e) != NULL)
			json_object_set_new(v, "hint",
					    stv_json_str(stv_err_get_hint(e)));
		add_place(ui, v, stv_err_span(e));
		json_object_set_new(v, "status",
				    json_integer(cmd_exit_status(e)));
		if (stv_err_code(e) == STV_E_STEP_FAILED)
			json_object_set_new(v, "exit_code",
					    json_integer(stv_err_status(e)));
	}
	set_duration(v, ui->now_ns - ui->start_ns);
	print(ui, v);
}

static void
json_finding(struct ui *ui, const struct stv_diag *d)
{
	static const char *const words[] = {
		[STV_SEV_ERROR] = "error",
		[STV_SEV_WARNING] = "warning",
		[STV_SEV_NOTE] = "note",
	};
	json_t *v;

	ui->now_ns = stv_now_ns();
	v = begin(ui, "finding", NULL);
	json_object_set_new(v, "severity", json_string(words[d->severity]));
	if (d->rule != NULL)
		json_object_set_new(v, "rule", json_string(d->rule));
	json_object_set_new(v, "text", stv_json_str(d->msg));
	if (d->hint != NULL)
		json_object_set_new(v, "hint", stv_json_str(d->hint));
	add_place(ui, v, d->span);
	print(ui, v);
}

const struct ui_display ui_json = {
	.event = json_event,
	.finding = json_finding,
	.end = json_end,
	.is_raw = true,
};

/* ---- BuildKit's status events (client.SolveStatus of its Go client) ------ */

/* A name for the step's vertex that stays the same through the build. */
static json_t *
vertex_id(const struct ui_step *s)
{
	stv_auto_free char *text = stv_xasprintf("%u %s", s->id, s->name);
	struct stv_digest d = stv_digest_of(text, strlen(text));
	char str[STV_DIGEST_STR_MAX];

	return json_string(stv_digest_str(&d, str));
}

/* {"${list}":[v]}; takes ${v}. */
static void
print_in(struct ui *ui, const char *list, json_t *v)
{
	json_t *arr = json_array(), *o = json_object();

	json_array_append_new(arr, v);
	json_object_set_new(o, list, arr);
	print(ui, o);
}

static void
raw_vertex(struct ui *ui, const struct ui_step *s, const struct stv_event *ev)
{
	json_t *v = json_object();

	json_object_set_new(v, "digest", vertex_id(s));
	json_object_set_new(v, "name", json_string(s->name));
	if (s->state != UI_WAITING)
		json_object_set_new(v, "started", when(ui, s->started_ns));
	if (s->state != UI_WAITING && s->state != UI_RUNNING)
		json_object_set_new(v, "completed", when(ui, s->ended_ns));
	if (s->state == UI_CACHED)
		json_object_set_new(v, "cached", json_true());
	if (s->state == UI_FAILED)
		json_object_set_new(v, "error", text_of(ev));
	if (s->state == UI_CANCELLED)
		json_object_set_new(v, "error",
				    json_string("context canceled"));
	print_in(ui, "vertexes", v);
}

static void
raw_log(struct ui *ui, const struct ui_step *s, const struct stv_event *ev)
{
	/* EVP_EncodeBlock counts in int: whole groups of three, piece by piece
	 */
	const size_t piece = (size_t)3 << 20;

	for (size_t at = 0; at < ev->text_len; at += piece) {
		size_t n =
			ev->text_len - at < piece ? ev->text_len - at : piece;
		json_t *v = json_object();

		json_object_set_new(v, "vertex", vertex_id(s));
		json_object_set_new(v, "stream", json_integer(ev->stream));
		json_object_set_new(v, "data",
				    stv_json_base64(ev->text + at, n));
		json_object_set_new(v, "timestamp", when(ui, ev->time_ns));
		print_in(ui, "logs", v);
	}
}

static void
raw_status(struct ui *ui, const struct ui_step *s, const struct stv_event *ev)
{
	json_t *v = json_object();

	json_object_set_new(v, "id", text_of(ev));
	json_object_set_new(v, "vertex", vertex_id(s));
	if (ev->total > 0)
		json_object_set_new(v, "total",
				    json_integer((json_int_t)ev->total));
	json_object_set_new(v, "current",
			    json_integer((json_int_t)ev->current));
	json_object_set_new(v, "timestamp", when(ui, ev->time_ns));
	if (ev->total > 0 && ev->current >= ev->total)
		json_object_set_new(v, "completed", when(ui, ev->time_ns));
	print_in(ui, "statuses", v);
}

static void
raw_warning(struct ui *ui, const struct ui_step *s, const char *text)
{
	json_t *v = json_object();

	if (s != NULL)
		json_object_set_new(v, "vertex", vertex_id(s));
	json_object_set_new(v, "level", json_integer(1));
	json_object_set_new(v, "short", stv_json_base64(text, strlen(text)));
	print_in(ui, "warnings", v);
}

static void
raw_finding(struct ui *ui, const struct stv_diag *d)
{
	raw_warning(ui, NULL, d->msg);
}

static void
raw_event(struct ui *ui, struct ui_step *s, const struct stv_event *ev)
{
	if (ev->kind == STV_EV_WARNING) {
		stv_auto_free char *text = ui_event_text(ev);

		raw_warning(ui, s, text);
	}
	if (s == NULL)
		return;
	switch (ev->kind) {
	case STV_EV_STEP_ADDED:
	case STV_EV_STEP_STARTED:
	case STV_EV_STEP_CACHED:
	case STV_EV_STEP_DONE:
	case STV_EV_STEP_FAILED:
	case STV_EV_STEP_CANCELLED:
		raw_vertex(ui, s, ev);
		break;
	case STV_EV_STEP_OUTPUT:
		raw_log(ui, s, ev);
		break;
	case STV_EV_STEP_PROGRESS:
		raw_status(ui, s, ev);
		break;
	case STV_EV_WARNING:
	case STV_EV_NOTE:
	case STV_EV_TRACE:
		break;
	}
}

/* BuildKit has no event for the error of a build; docker prints its text. */
const struct ui_display ui_rawjson = {
	.event = raw_event,
	.finding = raw_finding,
	.is_raw = true,
};
