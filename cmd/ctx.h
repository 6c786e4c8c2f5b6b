/*
 * cmd/ctx.h - what all commands share: the store's place, how an error ends
 * the program, and messages.
 */
#ifndef STAVE_CMD_CTX_H
#define STAVE_CMD_CTX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct cas_store;   /* cache/store.h */
struct stv_err;	    /* core/err.h */
struct stv_sources; /* core/source.h */

/* Exit statuses: DESIGN.md "Errors" has the only list. */
enum cmd_status {
	CMD_DONE = 0,
	CMD_INPUT = 1,
	CMD_USAGE = 2,
	CMD_STEP = 3,
	CMD_NETWORK = 4,
	CMD_AUTH = 5,
	CMD_STORE = 6,
	CMD_PRIVILEGE = 7,
	CMD_BUG = 70,
	CMD_INTERRUPTED = 130
};

/* One run of the program. */
struct cmd_ctx {
	const char *root;     /* --root, or NULL */
	bool is_debug;	      /* --debug */
	struct rlimit nofile; /* as inherited, for what a RUN gets */
	mode_t umask;	      /* as inherited, for files that the user named */
};

/*
 * cmd_ctx_init(cx): put the process into the state that everything relies on:
 * descriptors 0 to 2 open and no other one inherited by children, umask 022,
 * SIGPIPE and SIGXFSZ ignored (they become EPIPE and EFBIG), the soft limit of
 * open files raised to the hard one.
 */
void cmd_ctx_init(struct cmd_ctx *cx);

/*
 * cmd_exit_status(e): the exit status for an error.  An interruption whose
 * signal was SIGTERM has 143 as its stv_err_status().
 */
int cmd_exit_status(const struct stv_err *e);

/*
 * cmd_print_error(e, src): the whole error on stderr, in colour where stderr
 * is a terminal that wants it.  ${src} may be NULL.
 */
void cmd_print_error(const struct stv_err *e, const struct stv_sources *src);

/* cmd_warn(fmt, ...): one warning on stderr; what it holds is escaped. */
void cmd_warn(const char *fmt, ...)
	__attribute__((__format__(__printf__, 1, 2)));

/* cmd_use_color(fd): is ${fd} a terminal, and neither NO_COLOR nor TERM=dumb?
 */
bool cmd_use_color(int fd);

/*
 * cmd_root(cx): the path of the store that this run uses.  Owns: the caller.
 */
char *cmd_root(const struct cmd_ctx *cx);

/* cmd_store_open(cx, ret, err): the store for writing, made where missing. */
int cmd_store_open(const struct cmd_ctx *cx, struct cas_store **ret,
		   struct stv_err **err);

/*
 * cmd_store_look(cx, ret, err): the store for reading.  Where there is none
 * yet *ret is NULL, which is success: nothing was ever built.
 */
int cmd_store_look(const struct cmd_ctx *cx, struct cas_store **ret,
		   struct stv_err **err);

/*
 * cmd_epoch_parse(text, ret, err): SOURCE_DATE_EPOCH's value: seconds since
 * 1970 up to the year 9999.  Errors: STV_E_USAGE.
 */
int cmd_epoch_parse(const char *text, int64_t *ret, struct stv_err **err);

/*
 * cmd_now(ret, err): the time of what is made now: SOURCE_DATE_EPOCH, else the
 * clock's.  Units: seconds since 1970.  Errors: STV_E_USAGE where the variable
 * is no number.
 */
int cmd_now(int64_t *ret, struct stv_err **err);

/*
 * cmd_confirm(question, is_forced): ask on the terminal; true without asking
 * if ${is_forced} or stdin is no terminal.
 */
bool cmd_confirm(const char *question, bool is_forced);

#endif /* STAVE_CMD_CTX_H */
