/*
 * builder/ssh_proxy.h - the caller's ssh agent, for one RUN.
 *
 * The command gets a socket of ours with the owner and mode it asked for.  What
 * it may ask of the agent is to list keys and to sign (THREATS D18): it can
 * neither add keys nor remove them nor lock the agent.  The socket goes with
 * the RUN.
 */
#ifndef STAVE_BUILDER_SSH_PROXY_H
#define STAVE_BUILDER_SSH_PROXY_H

#include <stdint.h>

struct bld_ssh_proxy;
struct cas_store; /* cache/store.h */
struct stv_err;	  /* core/err.h */

struct bld_ssh_proxy_opts {
	const char *agent; /* path of its socket; borrowed */
	uint32_t mode, uid, gid;
};

/*
 * bld_ssh_proxy_start(store, opts, ret, err): a socket below the store's tmp/,
 * and a thread that answers there.  The agent is connected to when somebody
 * asks.
 *
 * Owns:   *ret, bld_ssh_proxy_stop().
 * Errors: STV_E_IO.
 */
int bld_ssh_proxy_start(struct cas_store *store,
			const struct bld_ssh_proxy_opts *opts,
			struct bld_ssh_proxy **ret, struct stv_err **err);

/* bld_ssh_proxy_fd(p): the socket's file, O_PATH.  Borrows. */
int bld_ssh_proxy_fd(const struct bld_ssh_proxy *p);

/* bld_ssh_proxy_stop(p): end the thread, remove the socket.  NULL is ok. */
void bld_ssh_proxy_stop(struct bld_ssh_proxy *p);

#endif /* STAVE_BUILDER_SSH_PROXY_H */
