/* cmd/test/test_ui.c - the displays. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/event.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cmd/fuzz/ui_grammar.h"
#include "cmd/ui.h"
#include "cmd/ui_text.h"

#define SECOND ((int64_t)1000000000)

/* A display that writes into memory, and its clock. */
struct screen {
	struct stv_buf out;
	struct stv_sink *sink;
	struct ui *ui;
	int64_t now;
};

static void
screen_open(struct screen *s, enum ui_mode mode, bool has_color)
{
	*s = (struct screen){.out = STV_BUF_INIT((size_t)16 << 20)};
	s->sink = stv_sink_buf(&s->out, "output");
	s->ui = ui_new(&(struct ui_opts){.mode = mode,
					 .sink = s->sink,
					 .tty_fd = -1,
					 .has_color = has_color});
	s->now = stv_now_ns();
}

static void
screen_close(struct screen *s)
{
	ui_free(s->ui);
	stv_sink_close(s->sink);
	stv_buf_fini(&s->out);
}

/* Send an event of step 5, "[build 2/4] RUN make", after 0.25 s. */
static void
send(struct screen *s, enum stv_event_kind kind, const char *text)
{
	struct stv_listener *l = ui_listener(s->ui);

	s->now += SECOND / 4;
	l->on_event(l, &(struct stv_event){
			       .kind = kind,
			       .time_ns = s->now,
			       .step = 5,
			       .n_steps = 4,
			       .position = 2,
			       .stage = "build",
			       .name = "RUN make",
			       .text = text,
			       .text_len = text != NULL ? strlen(text) : 0,
			       .stream = 1});
}

Test(ui, plain_is_as_dockers)
{
	struct screen s;

	screen_open(&s, UI_PLAIN, false);
	send(&s, STV_EV_STEP_ADDED, NULL);
	send(&s, STV_EV_STEP_STARTED, "why");
	send(&s, STV_EV_STEP_OUTPUT, "one\ntw");
	send(&s, STV_EV_STEP_OUTPUT, "o\nlast");
	send(&s, STV_EV_STEP_DONE, NULL);
	ui_end(s.ui, NULL);
	cr_expect_str_eq(stv_buf_str(&s.out), "#5 [build 2/4] RUN make\n"
					      "#5 RUN make runs again: why\n"
					      "#5 0.250 one\n"
					      "#5 0.500 two\n"
					      "#5 0.750 last\n"
					      "#5 DONE 0.8s\n\n");
	screen_close(&s);
}

/* Cells count and not bytes: what is there as a whole is not cut. */
Test(ui, plain_cuts_a_long_name_only)
{
	static const char *const names[][2] = {
		{"COPY ääääääääääääääääääääääääääääääää /x",
		 "COPY ääääääääääääääääääääääääääääääää /x runs again: why"},
		{"RUN 56789012345678901234567890123456789012345678901234567890",
		 "RUN 56789012345678901234567890123456789012345678901234567890 "
		 "runs again: why"},
		{"RUN 567890123456789012345678901234567890123456789012345678901",
		 "RUN 56789012345678901234567890123456789012345678901234567890"
		 "... runs again: why"},
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++) {
		struct stv_event ev = {.kind = STV_EV_STEP_STARTED,
				       .step = 1,
				       .n_steps = 1,
				       .position = 1,
				       .name = names[i][0],
				       .text = "why",
				       .text_len = 3};
		struct stv_listener *l;
		struct screen s;

		screen_open(&s, UI_PLAIN, false);
		l = ui_listener(s.ui);
		ev.time_ns = s.now;
		l->on_event(l, &ev);
		cr_expect_not_null(strstr(stv_buf_str(&s.out), names[i][1]),
				   "%s", stv_buf_str(&s.out));
		screen_close(&s);
	}
}

Test(ui, plain_says_cached)
{
	struct screen s;

	screen_open(&s, UI_PLAIN, false);
	send(&s, STV_EV_STEP_CACHED, NULL);
	cr_expect_str_eq(stv_buf_str(&s.out), "#5 [build 2/4] RUN make\n"
					      "#5 CACHED\n\n");
	screen_close(&s);
}

Test(ui, a_failure_shows_the_last_output_again)
{
	struct screen s;

	screen_open(&s, UI_QUIET, false);
	send(&s, STV_EV_STEP_STARTED, NULL);
	for (int i = 0; i < 100; i++) {
		stv_auto_free char *line = stv_xasprintf("line %d\n", i);

		send(&s, STV_EV_STEP_OUTPUT, line);
	}
	send(&s, STV_EV_STEP_FAILED, "exit code: 2");
	cr_expect_str_eq(stv_buf_str(&s.out), "", "quiet until the end");
	ui_end(s.ui, NULL);
	cr_expect_not_null(strstr(stv_buf_str(&s.out),
				  " > [build 2/4] RUN make:\nline 70\n"));
	cr_expect_not_null(strstr(stv_buf_str(&s.out), "line 99\n------\n"));
	screen_close(&s);
}

Test(ui, quiet_says_nothing_about_a_success)
{
	struct screen s;

	screen_open(&s, UI_QUIET, false);
	send(&s, STV_EV_STEP_STARTED, NULL);
	send(&s, STV_EV_STEP_OUTPUT, "x\n");
	send(&s, STV_EV_STEP_DONE, NULL);
	send(&s, STV_EV_NOTE, "rung root");
	ui_end(s.ui, NULL);
	cr_expect_eq(s.out.len, 0);
	screen_close(&s);
}

Test(ui, json_lines_keep_their_members)
{
	struct screen s;
	json_t *v;
	char *nl;

	screen_open(&s, UI_JSON, false);
	send(&s, STV_EV_STEP_STARTED, "src/a.c changed");
	nl = strchr(s.out.data, '\n');
	cr_assert_not_null(nl);
	v = json_loadb(s.out.data, (size_t)(nl - s.out.data), 0, NULL);
	cr_assert_not_null(v);
	cr_expect_str_eq(json_string_value(json_object_get(v, "event")),
			 "step-started");
	cr_expect_eq(json_integer_value(json_object_get(v, "step")), 5);
	cr_expect_str_eq(json_string_value(json_object_get(v, "stage")),
			 "build");
	cr_expect_eq(json_integer_value(json_object_get(v, "position")), 2);
	cr_expect_eq(json_integer_value(json_object_get(v, "of")), 4);
	cr_expect_str_eq(json_string_value(json_object_get(v, "name")),
			 "RUN make");
	cr_expect_str_eq(json_string_value(json_object_get(v, "text")),
			 "src/a.c changed");
	cr_expect_not_null(json_object_get(v, "time"));
	json_decref(v);
	screen_close(&s);
}

Test(ui, json_tells_the_exit_code)
{
	struct stv_err *err = NULL;
	struct screen s;
	json_t *v;

	(void)stv_fail(&err, STV_E_STEP_FAILED, "RUN make: exit code 2");
	stv_err_set_status(err, 2);
	screen_open(&s, UI_JSON, false);
	cr_expect(ui_shows_errors(s.ui));
	ui_end(s.ui, err);
	v = json_loads(stv_buf_str(&s.out), 0, NULL);
	cr_assert_not_null(v);
	cr_expect_str_eq(json_string_value(json_object_get(v, "event")),
			 "error");
	cr_expect_eq(json_integer_value(json_object_get(v, "status")), 3);
	cr_expect_eq(json_integer_value(json_object_get(v, "exit_code")), 2);
	json_decref(v);
	screen_close(&s);
	stv_err_free(err);
}

Test(ui, rawjson_is_buildkits)
{
	struct screen s;
	json_t *v, *entry;
	const char *log;

	screen_open(&s, UI_RAWJSON, false);
	send(&s, STV_EV_STEP_STARTED, NULL);
	send(&s, STV_EV_STEP_OUTPUT, "hi\n");
	cr_expect_not_null(strstr(s.out.data, "{\"vertexes\":[{\"digest\":"
					      "\"sha256:"));
	log = strchr(s.out.data, '\n') + 1;
	v = json_loadb(log, strcspn(log, "\n"), 0, NULL);
	cr_assert_not_null(v);
	entry = json_array_get(json_object_get(v, "logs"), 0);
	cr_expect_str_eq(json_string_value(json_object_get(entry, "data")),
			 "aGkK");
	cr_expect_eq(json_integer_value(json_object_get(entry, "stream")), 1);
	json_decref(v);
	screen_close(&s);
}

Test(ui, the_live_view_is_redrawn_ten_times_a_second_at_most)
{
	struct stv_listener *l;
	struct screen s;
	size_t n = 0;

	screen_open(&s, UI_TTY, false);
	l = ui_listener(s.ui);
	for (int i = 0; i < 1000; i++)
		l->on_event(l, &(struct stv_event){.kind = STV_EV_STEP_OUTPUT,
						   .time_ns = s.now +=
						   SECOND / 1000,
						   .step = 1,
						   .name = "RUN x",
						   .text = "x\n",
						   .text_len = 2,
						   .stream = 1});
	for (const char *p = s.out.data;
	     (p = strstr(p, "[+] Building")) != NULL; p++)
		n++;
	cr_expect(n >= 9 && n <= 11, "%zu times", n);
	screen_close(&s);
}

Test(ui, the_live_view_fits_the_terminal)
{
	struct stv_listener *l;
	struct screen s;
	size_t lines = 0;
	const char *last;

	screen_open(&s, UI_TTY, false);
	l = ui_listener(s.ui);
	for (uint32_t i = 1; i <= 100; i++)
		l->on_event(l, &(struct stv_event){
				       .kind = i % 3 == 0 ? STV_EV_STEP_STARTED
							  : STV_EV_STEP_CACHED,
				       .time_ns = s.now += SECOND,
				       .step = i,
				       .name = "COPY a-rather-long-name "
					       "another-rather-long-name "
					       "/somewhere/far/down/below/"});
	last = s.out.data;
	for (const char *p = last; (p = strstr(p, "[+]")) != NULL; p++)
		last = p;
	for (const char *p = last; *p != '\0'; p += strcspn(p, "\n") + 1) {
		cr_expect_leq(strcspn(p, "\n"), 80);
		lines++;
	}
	cr_expect_leq(lines, 23);
	screen_close(&s);
}

/* A line of output, without and with colours. */
struct clean_row {
	char text[48];
	char plain[64];
	char color[64];
};

ParameterizedTestParameters(ui, hostile_output_is_inert)
{
	static struct clean_row rows[] = {
		{"plain \ttext", "plain \ttext", "plain \ttext"},
		{"\033[31mred\033[0m", "red", "\033[31mred\033[0m\033[0m"},
		{"\033[38:5:1mx", "x", "\033[38:5:1mx\033[0m"},
		{"a\033[2Kb\033[?25lc", "abc", "abc"},
		{"\033]0;t\007", "\\x1b]0;t\\x07", "\\x1b]0;t\\x07"},
		{"\033P$q\033\\", "\\x1bP$q\\x1b\\", "\\x1bP$q\\x1b\\"},
		{"\033[31", "\\x1b[31", "\\x1b[31"},
		{"\033[>4;2m", "", ""},
		{"\033", "\\x1b", "\\x1b"},
		{"\x9b"
		 "2J",
		 "\\x9b2J", "\\x9b2J"},
		{"\xc2\x9b"
		 "2J",
		 "\\xc2\\x9b2J", "\\xc2\\x9b2J"},
		{"\xff\xc0\x80", "\\xff\\xc0\\x80", "\\xff\\xc0\\x80"},
		{"\xe2\x80\xae"
		 "exe",
		 "\\xe2\\x80\\xaeexe", "\\xe2\\x80\\xaeexe"},
		{"\xc3\xa9 \xe4\xb8\xad", "\xc3\xa9 \xe4\xb8\xad",
		 "\xc3\xa9 \xe4\xb8\xad"},
		{"\x7f\x08", "\\x7f\\x08", "\\x7f\\x08"},
	};

	return cr_make_param_array(struct clean_row, rows, STV_ARRAY_LEN(rows));
}

ParameterizedTest(struct clean_row *r, ui, hostile_output_is_inert)
{
	stv_auto_buf plain = STV_BUF_INIT(4096), color = STV_BUF_INIT(4096);

	ui_text_clean(r->text, strlen(r->text), false, &plain);
	ui_text_clean(r->text, strlen(r->text), true, &color);
	cr_expect_str_eq(stv_buf_str(&plain), r->plain, "%s",
			 stv_buf_str(&plain));
	cr_expect_str_eq(stv_buf_str(&color), r->color, "%s",
			 stv_buf_str(&color));
	cr_expect_eq(grammar_bad(stv_buf_str(&color), color.len, false),
		     color.len);
}

Test(ui, every_byte_in_every_display_stays_in_the_grammar)
{
	static const enum ui_mode shown[] = {UI_PLAIN, UI_TTY, UI_QUIET};

	for (size_t m = 0; m < STV_ARRAY_LEN(shown); m++) {
		struct screen s;

		screen_open(&s, shown[m], true);
		send(&s, STV_EV_STEP_STARTED, NULL);
		for (int c = 1; c < 256; c++) {
			char text[] = {(char)c, '[', (char)c, 'm', '\n', '\0'};

			send(&s, STV_EV_STEP_OUTPUT, text);
			send(&s, STV_EV_NOTE, text);
			send(&s, STV_EV_WARNING, text);
		}
		send(&s, STV_EV_STEP_FAILED, "\033]0;x\007");
		ui_end(s.ui, NULL);
		cr_expect_eq(grammar_bad(stv_buf_str(&s.out), s.out.len,
					 shown[m] == UI_TTY),
			     s.out.len, "mode %d", (int)shown[m]);
		screen_close(&s);
	}
}

static void
collect(void *arg, const char *line, size_t len)
{
	struct stv_buf *b = arg;

	stv_buf_add(b, line, len);
	stv_buf_addc(b, '|');
}

Test(ui, lines_arrive_in_pieces)
{
	stv_auto_buf got = STV_BUF_INIT(4096);
	struct ui_line l = {0};
	static const char text[] = "one\ntwo\r\n10%\r20%\r\n\nend";

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		ui_line_feed(&l, text + i, 1, collect, &got);
	ui_line_flush(&l, collect, &got);
	cr_expect_str_eq(stv_buf_str(&got), "one|two|20%||end|");
	ui_line_fini(&l);
}

Test(ui, a_line_without_end_is_cut)
{
	stv_auto_buf got = STV_BUF_INIT((size_t)1 << 20);
	stv_auto_free char *block = stv_xmalloc(10000);
	struct ui_line l = {0};

	memset(block, 'x', 10000);
	for (int i = 0; i < 100; i++)
		ui_line_feed(&l, block, 10000, collect, &got);
	ui_line_feed(&l, "\nnext\n", 6, collect, &got);
	cr_expect_lt(got.len, STV_MAX_LOG_LINE + 100);
	cr_expect_not_null(strstr(stv_buf_str(&got), "xx [line cut"));
	cr_expect_not_null(strstr(stv_buf_str(&got), "|next|"));
	ui_line_fini(&l);
}

Test(ui, text_is_cut_to_cells)
{
	stv_auto_buf got = STV_BUF_INIT(4096);

	cr_expect_eq(ui_text_fit("abcdef", 4, &got), 4);
	cr_expect_str_eq(stv_buf_str(&got), "abcd");
	stv_buf_truncate(&got, 0);
	cr_expect_eq(ui_text_fit("a\xe4\xb8\xad\xe6\x96\x87", 4, &got), 3,
		     "two cells each");
	stv_buf_truncate(&got, 0);
	cr_expect_eq(ui_text_fit("\033[31mabc\033[0m", 2, &got), 2);
	cr_expect_str_eq(stv_buf_str(&got), "\033[31mab\033[0m",
			 "the reset is kept");
}

Test(ui, the_modes_have_names)
{
	struct stv_err *err = NULL;
	enum ui_mode mode = UI_NONE;

	cr_expect_eq(ui_mode_parse("rawjson", &mode, &err), 0);
	cr_expect_eq(mode, UI_RAWJSON);
	cr_expect_eq(ui_mode_parse("fancy", &mode, &err), -1);
	cr_expect_eq(stv_err_code(err), STV_E_USAGE);
	stv_err_free(err);
}

/* What was made is the last thing that a user reads. */
Test(ui, tty_shows_notes_under_the_view)
{
	struct screen s;
	const char *view, *note, *next;

	screen_open(&s, UI_TTY, false);
	send(&s, STV_EV_STEP_ADDED, NULL);
	send(&s, STV_EV_STEP_STARTED, NULL);
	send(&s, STV_EV_NOTE, "tagged\033x");
	send(&s, STV_EV_STEP_DONE, NULL);
	ui_end(s.ui, NULL);
	view = NULL;
	next = strstr(stv_buf_str(&s.out), "[+] Building");
	for (; next != NULL; next = strstr(next + 1, "[+] Building"))
		view = next;
	note = strstr(stv_buf_str(&s.out), "tagged");
	cr_assert(view != NULL && note != NULL);
	cr_expect_gt(note, view);
	cr_expect_null(strstr(note + 1, "tagged"));
	cr_expect_null(strstr(note, "\033x"));
	screen_close(&s);
}
