/* cmd/values.h - option values with a syntax of their own. */
#ifndef STAVE_CMD_VALUES_H
#define STAVE_CMD_VALUES_H

#include "builder/sandbox/spec.h"

struct stv_err; /* core/err.h */

/*
 * cmd_ulimit_parse(s, ret, err): "nofile=1024:2048", "core=0", "stack=-1" as
 * docker reads them.  Errors: STV_E_USAGE.
 */
int cmd_ulimit_parse(const char *s, struct sbx_rlimit *ret,
		     struct stv_err **err);

/*
 * cmd_host_parse(s, ret, err): "name:address" or "name=address", IPv6 also in
 * brackets; *ret is "name:address" without them.
 * Owns:   *ret.
 * Errors: STV_E_USAGE.
 */
int cmd_host_parse(const char *s, char **ret, struct stv_err **err);

/*
 * cmd_network_parse(s, ret, err): "host", "default" (also NULL) or "none".
 * Errors: STV_E_USAGE.
 */
int cmd_network_parse(const char *s, enum sbx_net *ret, struct stv_err **err);

#endif /* STAVE_CMD_VALUES_H */
