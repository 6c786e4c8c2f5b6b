/* cmd/manifest.h - what the commands on manifests share. */
#ifndef STAVE_CMD_MANIFEST_H
#define STAVE_CMD_MANIFEST_H

#include <stdbool.h>

struct stv_err; /* core/err.h */

/*
 * cmd_manifest_refuse_insecure(is_insecure, err): docker's --insecure would be
 * one more way to turn checks off, beside registries.conf.
 * Errors: STV_E_USAGE, with the way out.
 */
int cmd_manifest_refuse_insecure(bool is_insecure, struct stv_err **err);

#endif /* STAVE_CMD_MANIFEST_H */
