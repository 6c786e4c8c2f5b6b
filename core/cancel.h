/*
 * core/cancel.h - the user's wish to end, as loops over many bytes see it.
 *
 * A signal arrives in the main thread while others hash or write a file of
 * gigabytes deep inside of the cache; what they can look at is one flag of the
 * process, as the signal is one of the process.
 */
#ifndef STAVE_CORE_CANCEL_H
#define STAVE_CORE_CANCEL_H

#include <stdbool.h>

struct stv_err; /* core/err.h */

/* stv_cancel_set(on): ask all such loops to end, or let them be again. */
void stv_cancel_set(bool on);

/*
 * stv_cancel_check(err): to be called about once a MiB.
 * Returns: 0, or -1 after stv_cancel_set(true).
 * Errors: STV_E_CANCELLED.
 */
int stv_cancel_check(struct stv_err **err);

/* stv_is_cancelled(): is that asked for? */
bool stv_is_cancelled(void);

/*
 * stv_cancel_catch(on): while it is on, SIGINT, SIGTERM and SIGHUP do not end
 * the process but are stv_cancel_set(true); switching it off takes that back.
 * For work before anybody reads signals.  Threads: the main one.
 */
void stv_cancel_catch(bool on);

/*
 * stv_cancel_end(rc, err): switch that off behind work that ended with ${rc}.
 * A signal that came too late to be seen inside counts as well, and the error
 * of one that came has the status of its signal (130, 143 ...).
 * Returns: ${rc}, or -1.
 */
int stv_cancel_end(int rc, struct stv_err **err);

/* stv_cancel_signal(): the last signal that was caught, or 0. */
int stv_cancel_signal(void);

#endif /* STAVE_CORE_CANCEL_H */
