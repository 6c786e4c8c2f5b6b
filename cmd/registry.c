/* cmd/registry.c - the client that all commands speak to registries with. */
#include "core/cancel.h"

#include "cmd/registry.h"

static bool
is_cancelled(void *arg)
{
	(void)arg;
	return stv_cancel_signal() != 0;
}

int
cmd_registry_open(struct reg_client **ret, struct stv_err **err)
{
	struct reg_client_opts o = {.is_cancelled = is_cancelled};

	return reg_client_open(&o, ret, err);
}
