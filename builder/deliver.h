/*
 * builder/deliver.h - an image of the store into a running engine's own.
 *
 *	docker      its API over a socket: POST /images/load
 *	podman      "podman pull" of a directory that stands for the store
 *	containerd  "ctr images import" from a pipe
 *
 * What the engine has of the layers is asked first, and not sent.
 */
#ifndef STAVE_BUILDER_DELIVER_H
#define STAVE_BUILDER_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cas_image;  /* cache/meta.h */
struct cas_store;  /* cache/store.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */
struct stv_strs;   /* core/strs.h */

enum bld_engine { BLD_ENGINE_DOCKER, BLD_ENGINE_PODMAN, BLD_ENGINE_CONTAINERD };

struct bld_deliver_opts {
	struct cas_store *store; /* the caller holds a lease */
	enum bld_engine engine;
	const char *name_space; /* containerd's; NULL: what ctr takes */
	/* For each layer, once the image is there.  May be NULL. */
	void (*on_layer)(void *arg, const struct stv_digest *diff_id,
			 bool is_sent);
	void *arg;
};

struct bld_delivered {
	uint64_t sent; /* bytes that went to the engine, or were read by it */
	size_t n_layers;
	size_t n_sent; /* of the layers */
};

/*
 * bld_engine_parse(s, ret, err): "docker", "podman", "containerd".
 * Errors: STV_E_USAGE.
 */
int bld_engine_parse(const char *s, enum bld_engine *ret, struct stv_err **err);

/* bld_engine_name(e): the word for it. */
const char *bld_engine_name(enum bld_engine e);

/*
 * bld_engine_check(e, err): is the engine there, and may we speak to it?  For
 * who would not begin long work in vain.  Errors: as of bld_deliver().
 */
int bld_engine_check(enum bld_engine e, struct stv_err **err);

/*
 * bld_deliver(o, image, names, ret, err): the engine has ${image}, for the
 * platform of its config, under all of ${names} (normal form; none: by its ID
 * alone, which containerd cannot).  Asked for again it sends nothing.
 * Afterwards the engine is asked whether it has that image.
 *
 * Where the engine is: DOCKER_HOST, DOCKER_CONTEXT and docker's configuration;
 * podman's own; CONTAINERD_ADDRESS, CONTAINERD_NAMESPACE.
 *
 * Errors: STV_E_PRIVILEGE: the engine does not run, its program is not
 *         installed, or its socket is not for us; STV_E_PROTOCOL: it refused
 *         the image; STV_E_NET: the connection broke; STV_E_NOT_FOUND,
 *         STV_E_DIGEST: a part of the image is not in the store or damaged;
 *         STV_E_CANCELLED by stv_cancel_set().  The engine has the image under
 *         its names or is as it was, but for layers that no image has.
 */
int bld_deliver(const struct bld_deliver_opts *o, const struct cas_image *image,
		const struct stv_strs *names, struct bld_delivered *ret,
		struct stv_err **err);

#endif /* STAVE_BUILDER_DELIVER_H */
