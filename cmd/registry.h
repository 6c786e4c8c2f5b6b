/* cmd/registry.h - how all commands speak to registries. */
#ifndef STAVE_CMD_REGISTRY_H
#define STAVE_CMD_REGISTRY_H

#include "registry/client.h"
#include "registry/creds.h"

struct cas_store; /* cache/store.h */
struct reg_conf;  /* registry/conf.h */
struct reg_ref;	  /* registry/ref.h */
struct stv_strs;  /* core/strs.h */

/* The user's configuration and a client that knows it. */
struct cmd_registry {
	struct reg_conf *conf;
	struct reg_creds_opts creds;
	struct reg_client *client;
};

/*
 * cmd_registry_open(authfile, ret, err): read the configuration; nothing is
 * sent.  The client ends its requests once a signal came (core/cancel.h), and
 * warns of credential files that others may read.
 * ${authfile} is --authfile, or NULL.
 * Owns:    *ret, cmd_registry_close().
 * Borrows: ${authfile}; ${ret} stays where it is.
 */
int cmd_registry_open(const char *authfile, struct cmd_registry *ret,
		      struct stv_err **err);

/*
 * cmd_registry_names(arg, text, ret, err): the whole names that ${text} can
 * mean, as reg_conf_short_name() says; the configuration is read each time, so
 * only for what was not found.  ${arg} is not looked at.
 */
int cmd_registry_names(void *arg, const char *text, struct stv_strs *ret,
		       struct stv_err **err);

/*
 * cmd_registry_list(s, text, ret, err): the whole names under which ${text} is
 * to be fetched, in turn: its own where it names a registry or is in the store
 * as docker understands it, else those of cmd_registry_names().
 */
int cmd_registry_list(struct cas_store *s, const char *text,
		      struct stv_strs *ret, struct stv_err **err);

/* cmd_registry_is_cancelled(arg): has a signal come?  For reg_client_opts. */
bool cmd_registry_is_cancelled(void *arg);

/* cmd_registry_close(r): free it; a zeroed one is ok. */
void cmd_registry_close(struct cmd_registry *r);

/*
 * cmd_registry_ref(text, ret, err): the name of an image in a registry, also as
 * skopeo writes it, "docker://NAME".
 * Owns:    *ret, reg_ref_fini().
 * Returns: 1 where it had that in front, 0 where not, -1.
 * Errors:  STV_E_USAGE, also for skopeo's words for other places.
 */
int cmd_registry_ref(const char *text, struct reg_ref *ret,
		     struct stv_err **err);

#define cmd_auto_registry STV_CLEANUP(cmd_registry_close) struct cmd_registry

#endif /* STAVE_CMD_REGISTRY_H */
