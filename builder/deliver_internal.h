/* builder/deliver_internal.h - what the three ways into an engine share. */
#ifndef STAVE_BUILDER_DELIVER_INTERNAL_H
#define STAVE_BUILDER_DELIVER_INTERNAL_H

#include <stdbool.h>

#include "core/digest.h"
#include "core/oci.h"
#include "core/proc.h"
#include "core/strs.h"

#include "cache/archive_save.h"

#include "builder/deliver.h"

/* One image on its way. */
struct bld_delivery {
	const struct bld_deliver_opts *o;
	const struct stv_strs *names;
	struct stv_digest digest; /* of the manifest */
	struct oci_manifest *manifest;
	struct oci_config *config; /* as many diff IDs as layers */
	bool *has;		   /* for each layer: the engine has it */
	struct bld_delivered *ret;
	void *engine; /* what ->open() made */
};

/* A way into an engine; all in this order. */
struct bld_engine_way {
	const char *name;
	/*
	 * Is it there?  Sets d->engine; ${d} may have no image yet.
	 * Errors: STV_E_PRIVILEGE.
	 */
	int (*open)(struct bld_delivery *d, struct stv_err **err);
	/* 1: it has exactly this image under all its names, 0, -1. */
	int (*has_image)(struct bld_delivery *d, struct stv_err **err);
	/* Set d->has where the layer need not be sent. */
	int (*find_layers)(struct bld_delivery *d, struct stv_err **err);
	/* Send it, without the layers of d->has; add to d->ret->sent. */
	int (*send)(struct bld_delivery *d, struct stv_err **err);
	/* Free d->engine, which may be NULL. */
	void (*close)(struct bld_delivery *d);
};

extern const struct bld_engine_way bld_docker_way;
extern const struct bld_engine_way bld_podman_way;
extern const struct bld_engine_way bld_containerd_way;

/*
 * bld_socket_check(path, engine, err): does somebody answer at the socket, and
 * may we speak to it?  ${engine} names it in messages.
 * Errors: STV_E_PRIVILEGE with what to do.
 */
int bld_socket_check(const char *path, const char *engine,
		     struct stv_err **err);

/*
 * bld_deliver_archive(d, format): the archive that is sent.  Borrows from
 * ${d}; its names are a shallow copy.
 */
struct cas_save_image bld_deliver_archive(const struct bld_delivery *d);

/*
 * bld_deliver_run(argv, dirfd, input, ret, err): run another program with our
 * environment, as stv_proc_run().  Errors: STV_E_PRIVILEGE where it is not
 * installed.
 */
int bld_deliver_run(const struct stv_strs *argv, int dirfd, int input,
		    struct stv_proc_result *ret, struct stv_err **err);

/*
 * bld_deliver_failed(argv, r, err): that program's failure as an error, with
 * the last of what it said.  Returns: -1.
 */
int bld_deliver_failed(const struct stv_strs *argv,
		       const struct stv_proc_result *r, struct stv_err **err);

#endif /* STAVE_BUILDER_DELIVER_INTERNAL_H */
