/* registry/http_opts.c - the limits of a session: given, set by the user, or
 * the default. */
#include <errno.h>
#include <stdlib.h>

#include "core/err.h"

#include "registry/http_internal.h"

/* An hour: who wants to wait longer wants no limit, which there is none of. */
#define MAX_SECONDS 3600

static void
set_default(uint32_t *option, uint32_t value)
{
	if (*option == 0)
		*option = value;
}

/* The seconds of a variable of the environment; 0 where it is not set. */
static int
read_seconds(const char *name, uint32_t *ret, struct stv_err **err)
{
	const char *text = getenv(name);
	char *end;
	unsigned long n;

	*ret = 0;
	if (text == NULL || *text == '\0')
		return 0;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || n < 1 ||
	    n > MAX_SECONDS)
		return stv_fail(err, STV_E_USAGE,
				"%s is '%s': a number of seconds is wanted, "
				"from 1 to %d",
				name, text, MAX_SECONDS);
	*ret = (uint32_t)n;
	return 0;
}

int
reg_http_opts_fill(struct reg_http_opts *o, struct stv_err **err)
{
	uint32_t connect_s, stall_s;

	if (read_seconds("STAVE_HTTP_CONNECT_TIMEOUT", &connect_s, err) < 0 ||
	    read_seconds("STAVE_HTTP_STALL_TIMEOUT", &stall_s, err) < 0)
		return -1;
	if (o->user_agent == NULL)
		o->user_agent = "stave";
	set_default(&o->connect_ms, connect_s * 1000);
	set_default(&o->connect_ms, 30000);
	set_default(&o->stall_s, stall_s);
	set_default(&o->stall_s, 60);
	set_default(&o->max_tries, 5);
	set_default(&o->backoff_ms, 500);
	set_default(&o->max_retry_after_s, 60);
	return 0;
}
