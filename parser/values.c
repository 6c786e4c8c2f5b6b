/* parser/values.c - ports, signals and durations. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "parser/parse.h"

/* ---- ports ---------------------------------------------------------------*/

/* Decimal digits up to 65535; -1 for anything else. */
static long
parse_port(const char *s, size_t n)
{
	long port = 0;

	if (n == 0 || n > 9)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		port = port * 10 + (s[i] - '0');
	}
	return port <= 65535 ? port : -1;
}

/* "80" or "8000-8010". */
static int
parse_range(const char *s, size_t n, long *first, long *last)
{
	const char *dash = memchr(s, '-', n);

	if (dash == NULL) {
		*first = *last = parse_port(s, n);
		return *first < 0 ? -1 : 0;
	}
	*first = parse_port(s, (size_t)(dash - s));
	*last = parse_port(dash + 1, n - (size_t)(dash - s) - 1);
	return *first < 0 || *last < *first ? -1 : 0;
}

static int
bad_port(const char *spec, const char *why, struct stv_err **err)
{
	stv_fail(err, STV_E_CHECK, "invalid port '%s': %s", spec, why);
	stv_err_hint(*err, "Write a port as 80, 80/udp or 8000-8010/tcp.");
	return -1;
}

/* The protocol behind the slash, in lower case; NULL: none that we know. */
static const char *
parse_protocol(const char *slash)
{
	static const char *const known[] = {"tcp", "udp", "sctp"};

	if (slash == NULL || slash[1] == '\0')
		return "tcp";
	for (size_t i = 0; i < STV_ARRAY_LEN(known); i++)
		if (strcasecmp(slash + 1, known[i]) == 0)
			return known[i];
	return NULL;
}

/*
 * "[ip:][host:]container": where the container's part begins; NULL where the
 * host's part is no range of the same length, or the address is none.
 */
static const char *
container_part(const char *spec, size_t *len, bool *ret_bad)
{
	const char *end = spec + *len, *colon = memrchr(spec, ':', *len);
	const char *host;
	long first, last;

	*ret_bad = false;
	if (colon == NULL)
		return spec;
	host = memrchr(spec, ':', (size_t)(colon - spec));
	host = host != NULL ? host + 1 : spec;
	if (colon > host &&
	    parse_range(host, (size_t)(colon - host), &first, &last) < 0)
		*ret_bad = true;
	*len = (size_t)(end - colon) - 1;
	return colon + 1;
}

int
df_check_port(const char *spec, struct stv_strs *ret, struct stv_err **err)
{
	const char *slash = strchr(spec, '/');
	size_t len = slash != NULL ? (size_t)(slash - spec) : strlen(spec);
	const char *protocol = parse_protocol(slash), *part;
	long first, last;
	bool is_bad;

	if (len == 0)
		return bad_port(spec, "there is no number", err);
	if (protocol == NULL)
		return bad_port(spec, "the protocol is tcp, udp or sctp", err);
	part = container_part(spec, &len, &is_bad);
	if (is_bad)
		return bad_port(spec, "the host's port is no number", err);
	if (parse_range(part, len, &first, &last) < 0)
		return bad_port(spec,
				"a port is a number up to 65535, a range "
				"goes up",
				err);
	for (long port = first; port <= last; port++)
		stv_strs_take(ret, stv_xasprintf("%ld/%s", port, protocol));
	return 0;
}

/* ---- signals -------------------------------------------------------------*/

static const char *const signal_names[] = {
	"ABRT", "ALRM", "BUS",	 "CHLD",   "CLD",  "CONT", "FPE",    "HUP",
	"ILL",	"INT",	"IO",	 "IOT",	   "KILL", "PIPE", "POLL",   "PROF",
	"PWR",	"QUIT", "SEGV",	 "STKFLT", "STOP", "SYS",  "TERM",   "TRAP",
	"TSTP", "TTIN", "TTOU",	 "URG",	   "USR1", "USR2", "VTALRM", "WINCH",
	"XCPU", "XFSZ", "RTMIN", "RTMAX",  NULL,
};

/* "RTMIN+3" and "RTMAX-3". */
static bool
is_realtime(const char *name)
{
	char *end;
	long n, max;

	if (strncasecmp(name, "RTMIN+", 6) == 0)
		max = 15;
	else if (strncasecmp(name, "RTMAX-", 6) == 0)
		max = 14;
	else
		return false;
	if (!isdigit((unsigned char)name[6]) || name[6] == '0')
		return false;
	n = strtol(name + 6, &end, 10);
	return *end == '\0' && n <= max;
}

/* Is it a decimal number that is not 0? */
static bool
is_number(const char *text)
{
	char *end;
	long n;

	if (!isdigit((unsigned char)*text) && *text != '-' && *text != '+')
		return false;
	errno = 0;
	n = strtol(text, &end, 10);
	return *end == '\0' && end != text && errno == 0 && n != 0;
}

int
df_check_signal(const char *text, struct stv_err **err)
{
	const char *name = text, *near;

	if (is_number(text))
		return 0;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (is_realtime(name))
		return 0;
	for (size_t i = 0; signal_names[i] != NULL; i++)
		if (strcasecmp(signal_names[i], name) == 0)
			return 0;

	stv_fail(err, STV_E_CHECK, "invalid signal '%s'", text);
	near = df_nearest(name, signal_names);
	if (near != NULL)
		stv_err_hint(*err, "Did you mean SIG%s?", near);
	else
		stv_err_hint(*err, "Write a name such as SIGTERM, or a "
				   "number.");
	return -1;
}

/* ---- durations -----------------------------------------------------------*/

static const struct {
	const char name[4];
	int64_t ns;
} units[] = {
	{"ns", 1},
	{"us", 1000},
	{"\xc2\xb5s", 1000}, /* micro sign */
	{"\xce\xbcs", 1000}, /* Greek mu */
	{"ms", 1000000},
	{"s", 1000000000},
	{"m", 60 * INT64_C(1000000000)},
	{"h", 3600 * INT64_C(1000000000)},
};

/* The unit that ${*p} begins with, up to the next digit; 0: none. */
static int64_t
parse_unit(const char **p)
{
	size_t n = strcspn(*p, ".0123456789");

	for (size_t i = 0; i < STV_ARRAY_LEN(units); i++) {
		if (strnlen(units[i].name, sizeof(units[i].name)) != n ||
		    memcmp(units[i].name, *p, n) != 0)
			continue;
		*p += n;
		return units[i].ns;
	}
	return 0;
}

/* Digits before the point; false where they are too many. */
static bool
parse_digits(const char **p, int64_t *ret)
{
	for (; isdigit((unsigned char)**p); (*p)++) {
		if (__builtin_mul_overflow(*ret, 10, ret) ||
		    __builtin_add_overflow(*ret, **p - '0', ret))
			return false;
	}
	return true;
}

/* Digits behind the point, as a number and its scale; precision is cut. */
static void
parse_fraction(const char **p, int64_t *num, double *scale)
{
	for (; isdigit((unsigned char)**p); (*p)++) {
		if (*scale >= 1e17)
			continue;
		*num = *num * 10 + (**p - '0');
		*scale *= 10;
	}
}

/* One "1.5h" of a duration, added to ${sum}. */
static bool
parse_part(const char **p, int64_t *sum)
{
	const char *begin = *p;
	int64_t whole = 0, num = 0, unit;
	double scale = 1;
	bool has_digits;

	if (!parse_digits(p, &whole))
		return false;
	has_digits = *p != begin;
	if (**p == '.') {
		begin = ++*p;
		parse_fraction(p, &num, &scale);
		has_digits = has_digits || *p != begin;
	}
	unit = parse_unit(p);
	if (!has_digits || unit == 0 ||
	    __builtin_mul_overflow(whole, unit, &whole))
		return false;
	/* Less than one unit, which is less than 2^42 ns. */
	num = (int64_t)((double)num * ((double)unit / scale));
	return !__builtin_add_overflow(whole, num, &whole) &&
	       !__builtin_add_overflow(*sum, whole, sum);
}

int
df_parse_duration(const char *text, int64_t *ret_ns, struct stv_err **err)
{
	const char *p = text;
	bool is_negative = *p == '-';
	int64_t sum = 0;
	bool ok;

	if (*p == '-' || *p == '+')
		p++;
	ok = *p != '\0';
	if (strcmp(p, "0") == 0)
		p++;
	while (ok && *p != '\0')
		ok = parse_part(&p, &sum);
	if (!ok) {
		stv_fail(err, STV_E_CHECK, "invalid duration '%s'", text);
		stv_err_hint(*err, "Write it like 30s, 1m30s or 500ms.");
		return -1;
	}
	*ret_ns = is_negative ? -sum : sum;
	return 0;
}

int
df_check_interval(const char *text, int64_t *ret_ns, struct stv_err **err)
{
	int64_t ns = 0;

	if (*text != '\0' && df_parse_duration(text, &ns, err) < 0)
		return -1;
	if (ns != 0 && ns < 1000000)
		return stv_fail(err, STV_E_CHECK,
				"the duration '%s' is less than 1ms", text);
	*ret_ns = ns;
	return 0;
}

int
df_check_retries(const char *text, int *ret, struct stv_err **err)
{
	char *end;
	long n = 0;

	if (*text != '\0') {
		errno = 0;
		n = strtol(text, &end, 10);
		if (isspace((unsigned char)*text) || *end != '\0' ||
		    errno != 0 || n > INT32_MAX || n < INT32_MIN)
			goto bad;
	}
	if (n < 0)
		return stv_fail(err, STV_E_CHECK,
				"the number of retries cannot be negative "
				"(%ld)",
				n);
	*ret = (int)n;
	return 0;
bad:
	stv_fail(err, STV_E_CHECK, "'%s' is no number of retries", text);
	stv_err_hint(*err, "Write it like --retries=3.");
	return -1;
}
