/* cmd/ctx.c - process state, exit statuses, messages, the store's place. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/diag.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/stream.h"

#include "cache/store.h"

#include "cmd/ctx.h"

#define MAX_TIME 253402300799

/* A closed stdin or stdout would become the store's first descriptor. */
static void
open_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

void
cmd_ctx_init(struct cmd_ctx *cx)
{
	struct rlimit all;

	*cx = (struct cmd_ctx){0};
	open_standard_fds();
	/*
	 * Not closed but kept from children: "-f <(generate)" names one of
	 * them as /dev/fd/63.
	 */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	cx->umask = umask(022);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &cx->nofile) < 0)
		return;
	all = cx->nofile;
	all.rlim_cur = all.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &all);
}

int
cmd_exit_status(const struct stv_err *e)
{
	switch (stv_err_code(e)) {
	case STV_E_USAGE:
		return CMD_USAGE;
	case STV_E_SYNTAX:
	case STV_E_CHECK:
	case STV_E_INPUT:
	case STV_E_NOT_FOUND:
	case STV_E_DIGEST:
	case STV_E_LIMIT:
		return CMD_INPUT;
	case STV_E_AUTH:
		return CMD_AUTH;
	case STV_E_NET:
	case STV_E_PROTOCOL:
		return CMD_NETWORK;
	case STV_E_STEP_FAILED:
		return CMD_STEP;
	case STV_E_SANDBOX:
	case STV_E_PRIVILEGE:
		return CMD_PRIVILEGE;
	case STV_E_IO:
		return CMD_STORE;
	case STV_E_CANCELLED:
		return stv_err_status(e) != 0 ? stv_err_status(e)
					      : CMD_INTERRUPTED;
	case STV_E_INTERNAL:
		return CMD_BUG;
	}
	return CMD_BUG;
}

bool
cmd_use_color(int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_color != NULL && *no_color != '\0')
		return false;
	return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

void
cmd_print_error(const struct stv_err *e, const struct stv_sources *src)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)1 << 20);

	stv_err_render(e, src, cmd_use_color(STDERR_FILENO), &b);
	if (b.len == 0 || b.data[b.len - 1] != '\n')
		stv_buf_addc(&b, '\n');
	(void)fflush(stdout);
	(void)stv_write_all(STDERR_FILENO, stv_buf_str(&b), b.len);
}

void
cmd_warn(const char *fmt, ...)
{
	stv_auto_buf b = STV_BUF_INIT((size_t)64 << 10);
	stv_auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = stv_xstrdup(fmt);
	va_end(ap);
	stv_buf_adds(&b, "warning: ");
	stv_buf_add_escaped(&b, text, strlen(text));
	stv_buf_addc(&b, '\n');
	(void)stv_write_all(STDERR_FILENO, stv_buf_str(&b), b.len);
}

char *
cmd_root(const struct cmd_ctx *cx)
{
	if (cx->root != NULL)
		return stv_xstrdup(cx->root);
	return cas_store_default_root();
}

int
cmd_store_open(const struct cmd_ctx *cx, struct cas_store **ret,
	       struct stv_err **err)
{
	stv_auto_free char *root = cmd_root(cx);

	return cas_store_open(root, &(struct cas_store_opts){.is_sync = true},
			      ret, err);
}

int
cmd_store_look(const struct cmd_ctx *cx, struct cas_store **ret,
	       struct stv_err **err)
{
	stv_auto_free char *root = cmd_root(cx);

	if (cas_store_open(root, &(struct cas_store_opts){.is_readonly = true},
			   ret, err) == 0)
		return 0;
	if (stv_err_code(*err) != STV_E_NOT_FOUND)
		return -1;
	stv_err_clear(err);
	*ret = NULL;
	return 0;
}

int
cmd_epoch_parse(const char *text, int64_t *ret, struct stv_err **err)
{
	size_t n = strspn(text, "0123456789");

	/* 9999-12-31 is the last day that RFC 3339 can name */
	if (n == 0 || n > 12 || text[n] != '\0' ||
	    strtoll(text, NULL, 10) > MAX_TIME)
		return stv_fail(err, STV_E_USAGE,
				"SOURCE_DATE_EPOCH is '%s', which is no time "
				"in seconds since 1970",
				text);
	*ret = strtoll(text, NULL, 10);
	return 0;
}

int
cmd_now(int64_t *ret, struct stv_err **err)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");

	if (epoch != NULL && *epoch != '\0')
		return cmd_epoch_parse(epoch, ret, err);
	*ret = (int64_t)time(NULL);
	return 0;
}

bool
cmd_confirm(const char *question, bool is_forced)
{
	char answer[16];

	if (is_forced || !isatty(STDIN_FILENO))
		return true;
	(void)fflush(stdout);
	fprintf(stderr, "%s\nAre you sure you want to continue? [y/N] ",
		question);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}
