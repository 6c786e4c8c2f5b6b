/* cmd/secrets.h - --secret, --ssh and --allow of stave build. */
#ifndef STAVE_CMD_SECRETS_H
#define STAVE_CMD_SECRETS_H

#include <stdbool.h>

#include "core/strs.h"
#include "core/vec.h"

#include "builder/build.h"

struct stv_err; /* core/err.h */

/* What a build may use beside its context.  Zeroed before use. */
struct cmd_secrets {
	STV_VEC(struct bld_secret) secrets;
	STV_VEC(struct bld_ssh) ssh;
};

/*
 * cmd_secret_add(s, text, err): one --secret, "id=ID[,src=FILE|,env=NAME]
 * [,type=file|env]", read at once; as in docker, ID alone is a variable of that
 * name or else a file.  The last one of an ID counts.
 * Owns:   cmd_secrets_fini(), also after a failure.
 * Errors: STV_E_USAGE, STV_E_INPUT (the file cannot be read, is too large, the
 *         variable is not set).  No message holds a byte of a secret.
 */
int cmd_secret_add(struct cmd_secrets *s, const char *text,
		   struct stv_err **err);

/*
 * cmd_ssh_add(s, text, err): one --ssh, "ID" (the agent of $SSH_AUTH_SOCK) or
 * "ID=SOCKET".
 * Errors: STV_E_USAGE: no agent, or a key file, which an agent has to hold.
 */
int cmd_ssh_add(struct cmd_secrets *s, const char *text, struct stv_err **err);

/* cmd_secrets_fini(s): wipe and free it. */
void cmd_secrets_fini(struct cmd_secrets *s);

/*
 * cmd_allow_parse(text, ret_insecure, ret_host_net, err): one --allow.
 * Errors: STV_E_USAGE: what this program cannot give.
 */
int cmd_allow_parse(const char *text, bool *ret_insecure, bool *ret_host_net,
		    struct stv_err **err);

#endif /* STAVE_CMD_SECRETS_H */
