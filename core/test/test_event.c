/* core/test/test_event.c - telling listeners. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/event.h"

/* A listener that remembers the last event. */
struct recorder {
	struct stv_listener l;
	size_t n;
	struct stv_event last;
	char text[64];
};

static void
record(struct stv_listener *self, const struct stv_event *ev)
{
	struct recorder *r = (struct recorder *)self;

	r->n++;
	r->last = *ev;
	(void)snprintf(r->text, sizeof(r->text), "%s",
		       ev->text ? ev->text : "");
}

Test(event, reaches_the_listener_with_a_time)
{
	struct recorder r = {.l = {record}};
	int64_t before = stv_now_ns();

	stv_emit(&r.l, (struct stv_event){.kind = STV_EV_STEP_DONE, .step = 7});
	cr_expect_eq(r.n, 1);
	cr_expect_eq(r.last.kind, STV_EV_STEP_DONE);
	cr_expect_eq(r.last.step, 7);
	cr_expect_geq(r.last.time_ns, before);
	cr_expect_leq(r.last.time_ns, stv_now_ns());
}

Test(event, a_given_time_is_kept)
{
	struct recorder r = {.l = {record}};

	stv_emit(&r.l, (struct stv_event){.time_ns = 42});
	cr_expect_eq(r.last.time_ns, 42);
}

Test(event, formatted_text_and_its_length)
{
	struct recorder r = {.l = {record}};

	stv_emitf(&r.l, STV_EV_NOTE, "rung %s, %d%%", "R1", 5);
	cr_expect_str_eq(r.text, "rung R1, 5%");
	cr_expect_eq(r.last.text_len, strlen("rung R1, 5%"));
	cr_expect_eq(r.last.step, 0);
}

Test(event, nobody_listens)
{
	stv_emit(NULL, (struct stv_event){.kind = STV_EV_NOTE});
	stv_emitf(NULL, STV_EV_NOTE, "x");
}
