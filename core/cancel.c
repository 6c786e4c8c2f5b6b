/* core/cancel.c - the user's wish to end, as loops over many bytes see it. */
#include <signal.h>
#include <stdatomic.h>

#include "core/cancel.h"
#include "core/cleanup.h"
#include "core/err.h"

static atomic_bool is_cancelled;
static volatile sig_atomic_t caught;

void
stv_cancel_set(bool on)
{
	atomic_store_explicit(&is_cancelled, on, memory_order_relaxed);
}

bool
stv_is_cancelled(void)
{
	return atomic_load_explicit(&is_cancelled, memory_order_relaxed);
}

int
stv_cancel_check(struct stv_err **err)
{
	if (stv_is_cancelled())
		return stv_fail(err, STV_E_CANCELLED, "cancelled");
	return 0;
}

static void
on_signal(int sig)
{
	caught = sig;
	atomic_store_explicit(&is_cancelled, true, memory_order_relaxed);
}

void
stv_cancel_catch(bool on)
{
	static const int all[] = {SIGINT, SIGTERM, SIGHUP};
	static struct sigaction before[STV_ARRAY_LEN(all)];
	/* Without SA_RESTART: a read that waits has to end. */
	const struct sigaction ours = {.sa_handler = on_signal};

	if (on)
		caught = 0;
	for (size_t i = 0; i < STV_ARRAY_LEN(all); i++) {
		if (!on)
			(void)sigaction(all[i], &before[i], NULL);
		else if (sigaction(all[i], NULL, &before[i]) == 0 &&
			 before[i].sa_handler != SIG_IGN)
			(void)sigaction(all[i], &ours, NULL);
	}
	if (!on)
		stv_cancel_set(false);
}

int
stv_cancel_signal(void)
{
	return caught;
}

int
stv_cancel_end(int rc, struct stv_err **err)
{
	if (rc == 0)
		rc = stv_cancel_check(err);
	if (rc < 0 && stv_err_code(*err) == STV_E_CANCELLED)
		stv_err_set_status(*err, 128 + stv_cancel_signal());
	stv_cancel_catch(false);
	return rc;
}
