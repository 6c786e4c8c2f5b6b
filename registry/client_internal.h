/* registry/client_internal.h - what the files of the client share. */
#ifndef STAVE_REGISTRY_CLIENT_INTERNAL_H
#define STAVE_REGISTRY_CLIENT_INTERNAL_H

#include <pthread.h>

#include "core/vec.h"

#include "registry/client.h"
#include "registry/host.h"
#include "registry/ref.h"

struct reg_client {
	struct reg_client_opts o;
	struct reg_http *http;
	pthread_mutex_t lock;
	STV_VEC(struct reg_host *) hosts;
};

struct reg_places {
	struct reg_place *v;
	size_t n;
};

/* reg_places_get(c, ref, is_for_push, ret, err): at least one.
 * Owns: *ret, reg_places_fini(). */
int reg_places_get(struct reg_client *c, const struct reg_ref *ref,
		   bool is_for_push, struct reg_places *ret,
		   struct stv_err **err);

/* reg_places_fini(p): free the members. */
void reg_places_fini(struct reg_places *p);

/*
 * reg_client_host(c, p): the host of a place; made when it is first asked for.
 * Borrows: it stays as long as ${c}.
 */
struct reg_host *reg_client_host(struct reg_client *c,
				 const struct reg_place *p);

/*
 * reg_may_go_on(p, i, err): place ${i} failed with *err: shall the next one be
 * asked?  Then *err is cleared.
 */
bool reg_may_go_on(const struct reg_places *p, size_t i, struct stv_err **err);

#endif /* STAVE_REGISTRY_CLIENT_INTERNAL_H */
