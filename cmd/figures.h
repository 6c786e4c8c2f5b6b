/* cmd/figures.h - sizes, durations and times in docker's words. */
#ifndef STAVE_CMD_FIGURES_H
#define STAVE_CMD_FIGURES_H

#include <stdint.h>

struct stv_err; /* core/err.h */

#define CMD_SIZE_MAX 32

/*
 * cmd_size_str(size, digits, buf): "4.26MB" as docker prints sizes: powers of
 * 1000, ${digits} significant digits.  ${buf} is returned.
 */
const char *cmd_size_str(uint64_t size, int digits, char buf[CMD_SIZE_MAX]);

/*
 * cmd_size_parse(what, s, ret, err): "64m", "1.5GB", "512" as docker reads
 * them: powers of 1024.  ${what} names the option.  Errors: STV_E_USAGE.
 */
int cmd_size_parse(const char *what, const char *s, uint64_t *ret,
		   struct stv_err **err);

/*
 * cmd_ago_str(seconds, buf): "3 hours", "About a minute": docker's words for a
 * duration.  ${buf} is returned.
 */
const char *cmd_ago_str(int64_t seconds, char buf[CMD_SIZE_MAX]);

/*
 * cmd_time_parse(s, ret): RFC 3339 ("2024-01-02T03:04:05.6Z") as seconds since
 * 1970; 0, or -1 where it is none.
 */
int cmd_time_parse(const char *s, int64_t *ret);

/*
 * cmd_duration_parse(what, s, ret, err): "24h", "1h30m", "10s" in seconds (Go's
 * time.ParseDuration, plus "d").  Errors: STV_E_USAGE.
 */
int cmd_duration_parse(const char *what, const char *s, int64_t *ret,
		       struct stv_err **err);

#endif /* STAVE_CMD_FIGURES_H */
