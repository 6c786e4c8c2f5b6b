/* core/event.c - what library code tells the outside while it works. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "core/mem.h"

#include "core/event.h"

int64_t
stv_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void
stv_emit(struct stv_listener *l, struct stv_event ev)
{
	if (l == NULL)
		return;
	if (ev.time_ns == 0)
		ev.time_ns = stv_now_ns();
	l->on_event(l, &ev);
}

void
stv_emitf(struct stv_listener *l, enum stv_event_kind kind, const char *fmt,
	  ...)
{
	stv_auto_free char *text = NULL;
	va_list ap;

	if (l == NULL)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = stv_xstrdup(fmt);
	va_end(ap);
	stv_emit(l, (struct stv_event){
			    .kind = kind,
			    .text = text,
			    .text_len = strlen(text),
		    });
}
