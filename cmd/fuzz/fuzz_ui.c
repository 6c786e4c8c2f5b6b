/*
 * cmd/fuzz/fuzz_ui.c - hostile events through every display.
 *
 * The input is a list of events: kind, step, stream, length, and that many
 * bytes, which are the text or, for a new step, its name.  Oracle: the output
 * stays in the grammar of fuzz/ui_grammar.h; JSON lines are JSON.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/event.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cmd/fuzz/ui_grammar.h"
#include "cmd/ui.h"

#define HEADER 4
#define OUTPUT_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Send the events; times are made, so that the live view is drawn often. */
static void
send_all(struct stv_listener *l, const uint8_t *p, size_t n)
{
	int64_t now = stv_now_ns();

	while (n >= HEADER) {
		size_t len = (size_t)p[3] * 4 < n - HEADER ? (size_t)p[3] * 4
							   : n - HEADER;
		stv_auto_free char *text =
			stv_xstrndup((const char *)p + HEADER, len);
		struct stv_reason why = {"content", text, text, NULL};
		struct stv_event ev = {
			.kind = (enum stv_event_kind)(p[0] %
						      (STV_EV_TRACE + 1)),
			.step = p[1] % 7,
			.n_steps = p[2] >> 4,
			.position = p[2] & 15,
			.stage = p[2] & 1 ? text : NULL,
			.name = text,
			.text = text,
			.text_len = strlen(text),
			.stream = 1 + (p[2] & 1),
			.current = p[2],
			.total = p[1],
			.time_ns = now += 70000000,
			.reason = p[2] & 2 ? &why : NULL,
		};

		l->on_event(l, &ev);
		p += HEADER + len;
		n -= HEADER + len;
	}
}

static void
check_json(const char *text, size_t n)
{
	while (n > 0) {
		const char *end = memchr(text, '\n', n);
		json_error_t je;
		json_t *v;

		if (end == NULL)
			abort();
		v = json_loadb(text, (size_t)(end - text), 0, &je);
		if (v == NULL)
			abort();
		json_decref(v);
		n -= (size_t)(end - text) + 1;
		text = end + 1;
	}
}

static void
try_mode(enum ui_mode mode, bool has_color, const uint8_t *data, size_t size)
{
	stv_auto_buf out = STV_BUF_INIT(OUTPUT_MAX);
	stv_auto(stv_sink) *sink = stv_sink_buf(&out, "output");
	stv_auto(ui) *ui = ui_new(&(struct ui_opts){.mode = mode,
						    .sink = sink,
						    .tty_fd = -1,
						    .has_color = has_color,
						    .is_verbose = true});

	send_all(ui_listener(ui), data, size);
	ui_tick(ui);
	ui_end(ui, NULL);
	if (mode == UI_JSON || mode == UI_RAWJSON)
		check_json(stv_buf_str(&out), out.len);
	else if (grammar_bad(stv_buf_str(&out), out.len, mode == UI_TTY) !=
		 out.len)
		abort();
	if (!has_color && mode == UI_PLAIN &&
	    memchr(stv_buf_str(&out), 0x1b, out.len) != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536)
		return 0;
	try_mode(UI_PLAIN, true, data, size);
	try_mode(UI_PLAIN, false, data, size);
	try_mode(UI_TTY, true, data, size);
	try_mode(UI_QUIET, true, data, size);
	try_mode(UI_JSON, false, data, size);
	try_mode(UI_RAWJSON, false, data, size);
	return 0;
}
