/* core/cancel.c - the user's wish to end, as loops over many bytes see it. */
#include <stdatomic.h>

#include "core/cancel.h"
#include "core/err.h"

static atomic_bool is_cancelled;

void
stv_cancel_set(bool on)
{
	atomic_store_explicit(&is_cancelled, on, memory_order_relaxed);
}

int
stv_cancel_check(struct stv_err **err)
{
	if (atomic_load_explicit(&is_cancelled, memory_order_relaxed))
		return stv_fail(err, STV_E_CANCELLED, "cancelled");
	return 0;
}
