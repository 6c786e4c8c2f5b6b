/* cmd/figures.c - sizes, durations and times in docker's words. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/size.h"

#include "cmd/figures.h"

#define MINUTE ((int64_t)60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* The largest number of significant digits' power: 3 -> 1000. */
static double
power10(int digits)
{
	double p = 1;

	while (digits-- > 0)
		p *= 10;
	return p;
}

const char *
cmd_size_str(uint64_t size, int digits, char buf[CMD_SIZE_MAX])
{
	static const char *const units[] = {"B",  "kB", "MB", "GB",
					    "TB", "PB", "EB"};
	double v = (double)size;
	size_t unit = 0;

	/* 999.7 would be printed as 1e+03: the next unit instead. */
	while (unit + 1 < STV_ARRAY_LEN(units) &&
	       (v >= 1000 ||
		(unit > 0 && digits < 4 && v >= power10(digits) - 0.5))) {
		v /= 1000;
		unit++;
	}
	(void)snprintf(buf, CMD_SIZE_MAX, "%.*g%s", digits, v, units[unit]);
	return buf;
}

int
cmd_size_parse(const char *what, const char *s, uint64_t *ret,
	       struct stv_err **err)
{
	if (stv_size_parse(s, ret))
		return 0;
	stv_fail(err, STV_E_USAGE, "%s: '%s' is not a size", what, s);
	stv_err_hint(*err, "Write a number and a unit: 64m, 1.5g.");
	return -1;
}

const char *
cmd_ago_str(int64_t seconds, char buf[CMD_SIZE_MAX])
{
	int64_t hours = (seconds + HOUR / 2) / HOUR;

	if (seconds < 1)
		(void)snprintf(buf, CMD_SIZE_MAX, "Less than a second");
	else if (seconds == 1)
		(void)snprintf(buf, CMD_SIZE_MAX, "1 second");
	else if (seconds < MINUTE)
		(void)snprintf(buf, CMD_SIZE_MAX, "%" PRId64 " seconds",
			       seconds);
	else if (seconds < 2 * MINUTE)
		(void)snprintf(buf, CMD_SIZE_MAX, "About a minute");
	else if (seconds < HOUR)
		(void)snprintf(buf, CMD_SIZE_MAX, "%" PRId64 " minutes",
			       seconds / MINUTE);
	else if (hours == 1)
		(void)snprintf(buf, CMD_SIZE_MAX, "About an hour");
	else if (hours < 48)
		(void)snprintf(buf, CMD_SIZE_MAX, "%" PRId64 " hours", hours);
	else if (hours < (int64_t)24 * 7 * 2)
		(void)snprintf(buf, CMD_SIZE_MAX, "%" PRId64 " days",
			       hours / 24);
	else if (hours < (int64_t)24 * 30 * 2)
		(void)snprintf(buf, CMD_SIZE_MAX, "%" PRId64 " weeks",
			       hours / 24 / 7);
	else if (hours < (int64_t)24 * 365 * 2)
		(void)snprintf(buf, CMD_SIZE_MAX, "%" PRId64 " months",
			       hours / 24 / 30);
	else
		(void)snprintf(buf, CMD_SIZE_MAX, "%" PRId64 " years",
			       seconds / DAY / 365);
	return buf;
}

int
cmd_time_parse(const char *s, int64_t *ret)
{
	struct tm tm = {0};
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t offset = 0;

	if (rest == NULL)
		return -1;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if ((*rest == '+' || *rest == '-') && strlen(rest) == 6) {
		offset = ((rest[1] - '0') * 10 + (rest[2] - '0')) * HOUR +
			 ((rest[4] - '0') * 10 + (rest[5] - '0')) * MINUTE;
		if (*rest == '-')
			offset = -offset;
	} else if (strcmp(rest, "Z") != 0) {
		return -1;
	}
	*ret = (int64_t)timegm(&tm) - offset;
	return 0;
}

int
cmd_duration_parse(const char *what, const char *s, int64_t *ret,
		   struct stv_err **err)
{
	const char *at = s;
	int64_t sum = 0;

	do {
		size_t n = strspn(at, "0123456789");
		int64_t unit;
		long v;

		errno = 0;
		v = strtol(at, NULL, 10);
		unit = at[n] == 's'   ? 1
		       : at[n] == 'm' ? MINUTE
		       : at[n] == 'h' ? HOUR
		       : at[n] == 'd' ? DAY
				      : 0;
		if (n == 0 || n > 9 || unit == 0) {
			stv_fail(err, STV_E_USAGE, "%s: '%s' is no duration",
				 what, s);
			stv_err_hint(*err, "Write 24h, 1h30m or 7d.");
			return -1;
		}
		sum += (int64_t)v * unit;
		at += n + 1;
	} while (*at != '\0');
	*ret = sum;
	return 0;
}
