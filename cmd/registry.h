/* cmd/registry.h - the client that all commands speak to registries with. */
#ifndef STAVE_CMD_REGISTRY_H
#define STAVE_CMD_REGISTRY_H

#include "registry/client.h"

/*
 * cmd_registry_open(ret, err): a client that knows the user's configuration and
 * ends its requests once a signal came.  Owns: *ret, reg_client_close().
 */
int cmd_registry_open(struct reg_client **ret, struct stv_err **err);

#endif /* STAVE_CMD_REGISTRY_H */
