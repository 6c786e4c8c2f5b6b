/* registry/client_internal.h - what the files of the client share. */
#ifndef STAVE_REGISTRY_CLIENT_INTERNAL_H
#define STAVE_REGISTRY_CLIENT_INTERNAL_H

#include <pthread.h>

#include "core/strs.h"
#include "core/vec.h"

#include "registry/client.h"
#include "registry/conf.h"
#include "registry/host.h"
#include "registry/ref.h"

/*
 * Of one blob: connections that break one after the other with less than
 * REG_MIN_PROGRESS moved, and all of them.
 */
#define REG_MAX_IDLE_BREAKS 5
#define REG_MAX_BREAKS 100
#define REG_MIN_PROGRESS ((uint64_t)16 << 10)

/* The header that asks for manifests and indexes of both families. */
extern const char reg_accept_manifests[];

/* A host, and what it borrows. */
struct known_host {
	struct reg_host *host;
	struct reg_certs certs;
	struct reg_tls *tls; /* owned; NULL: the default */
	char *ca_pem;
};

struct reg_client {
	struct reg_client_opts o;
	struct reg_http *http;
	pthread_mutex_t lock;
	STV_VEC(struct known_host) hosts;
	struct stv_strs there; /* "host/path@digest" of blobs; see upload.c */
};

/*
 * reg_client_places(c, ref, is_for_push, ret, err): reg_conf_endpoints() of the
 * client's configuration.  Owns: *ret, reg_endpoints_fini().
 */
int reg_client_places(struct reg_client *c, const struct reg_ref *ref,
		      bool is_for_push, struct reg_endpoints *ret,
		      struct stv_err **err);

/*
 * reg_client_host(c, p, err): the host of a place; made, and its certificates
 * read, when it is first asked for.
 * Borrows: it stays as long as ${c}.  NULL: *err.
 */
struct reg_host *reg_client_host(struct reg_client *c,
				 const struct reg_endpoint *p,
				 struct stv_err **err);

/*
 * reg_may_go_on(p, i, err): place ${i} failed with *err: shall the next one be
 * asked?  Then *err is cleared.
 */
bool reg_may_go_on(const struct reg_endpoints *p, size_t i,
		   struct stv_err **err);

/*
 * reg_next_page(value): where the header Link (RFC 8288) says the next page is:
 * path and query on the same host, or NULL where there is none, or one that is
 * not below /v2/.  ${value} may be NULL.  Owns: the caller.
 */
char *reg_next_page(const char *value);

/* reg_back_off(n): wait before try ${n} (from 1): doubled each time, half of it
 * by chance. */
void reg_back_off(unsigned n);

#endif /* STAVE_REGISTRY_CLIENT_INTERNAL_H */
