/* cmd/changes.h - instructions applied to a config: import --change. */
#ifndef STAVE_CMD_CHANGES_H
#define STAVE_CMD_CHANGES_H

struct oci_runconfig; /* core/oci.h */
struct stv_err;	      /* core/err.h */

/*
 * cmd_change_apply(c, text, err): parse ${text} as an instruction and apply
 * it to ${c}; variables are those of c->env.
 * Errors: STV_E_SYNTAX, STV_E_CHECK; STV_E_INPUT for an instruction that does
 *         not only change the config.  ${c} may be half changed then.
 */
int cmd_change_apply(struct oci_runconfig *c, const char *text,
		     struct stv_err **err);

#endif /* STAVE_CMD_CHANGES_H */
