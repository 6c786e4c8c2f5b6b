/*
 * builder/mount.h - RUN --mount: what is mounted for one command.
 *
 *	bld_mounts_make(st, step, &m, err);	 expand, find the inputs
 *	bld_mounts_key(&m, key);		 part of the step's cache key
 *	... missed ...
 *	bld_mounts_ready(&m, env, err);		 locks, copies, secrets, sockets
 *	... run with m.ready and ${env} ...
 *	bld_mounts_end(&m);			 let go of all that
 *	bld_mounts_is_same(&m, err);		 or did the context change?
 *	bld_mounts_fini(&m);
 *
 * The build's lock is held by who calls; it is let go of for long work.
 */
#ifndef STAVE_BUILDER_MOUNT_H
#define STAVE_BUILDER_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/digest.h"
#include "core/strs.h"
#include "core/vec.h"
#include "parser/mount.h"

#include "builder/overlay.h"
#include "builder/sandbox/spec.h"

struct bld_build;      /* builder/build_internal.h */
struct bld_context;    /* builder/context.h */
struct bld_origin;     /* builder/build_internal.h */
struct bld_ssh_proxy;  /* builder/ssh_proxy.h */
struct bld_stage;      /* builder/build_internal.h */
struct bld_step;       /* builder/build_internal.h */
struct cas_cachemount; /* cache/cachemount.h */
struct key;	       /* cache/key.h */
struct lay_view;       /* cache/toc.h */
struct oci_config;     /* core/oci.h */
struct stv_err;	       /* core/err.h */

/* One --mount, expanded. */
struct bld_mount {
	struct df_mount o;
	struct stv_span span;
	char *what;   /* "mount 1 (bind)", for key and messages */
	char *target; /* absolute, cleaned */
	char *source; /* cleaned, "" is the root */
	char *id;     /* CACHE, SECRET, SSH: with the defaults */

	/*
	 * BIND and CACHE: where it comes from: files of a context (looked at
	 * with the build's context_lock only), or ${view}.
	 */
	bool has_from;
	struct bld_build *b;
	struct bld_context *context; /* borrowed */
	struct oci_config *image;    /* owned, of an image */
	const struct oci_config *config;
	struct lay_view *view; /* of ->config; opened when it is looked at */
	/* BIND: of all that can be seen in it; CACHE: of a ${context} */
	struct stv_digest content;
	struct stv_digest name; /* CACHE: of its directory */

	/* While the command runs. */
	struct bld_overlay overlay;
	struct cas_cachemount *cache;
	bool is_cache_borrowed; /* another mount of the same RUN holds it */
	struct bld_ssh_proxy *proxy;
	char *copy;   /* a directory below the store's tmp/, or NULL */
	int fd;	      /* what is bound, or -1 */
	bool is_tree; /* it is a mount of its own: sbx_idmapped() */
};

/* All of one RUN.  Zeroed before use. */
struct bld_mounts {
	struct bld_stage *st;
	const struct bld_step *step;
	STV_VEC(struct bld_mount) list;
	STV_VEC(struct sbx_mount) ready; /* borrows from ${list} */
};

/*
 * bld_plan_mounts(st, step, err): find what the from= of each --mount of a RUN
 * names, into step->mounts.  ${step} is one of ${st}, or a trigger in it.
 * Errors: STV_E_CHECK with the place.
 */
int bld_plan_mounts(struct bld_stage *st, struct bld_step *step,
		    struct stv_err **err);

/*
 * bld_mounts_make(st, step, ret, err): expand the mounts of a RUN, wait for
 * the stages they name, and hash what they show.
 *
 * Owns:   *ret, bld_mounts_fini(), also on failure.
 * Errors: STV_E_CHECK, STV_E_INPUT (a source is not there), with the place.
 */
int bld_mounts_make(struct bld_stage *st, const struct bld_step *step,
		    struct bld_mounts *ret, struct stv_err **err);

/*
 * bld_mounts_key(m, key): canonical options and inputs.  A secret counts by
 * its name, a cache by its identity: never what is in them.
 */
void bld_mounts_key(const struct bld_mounts *m, struct key *key);

/*
 * bld_mounts_ready(m, env, err): fill m->ready; ${env} gets what secrets and
 * agents put there.  Waits for caches that others have locked.
 * Errors: STV_E_INPUT (a secret that is required was not given, a source is
 * not there), STV_E_CANCELLED, STV_E_IO.
 */
int bld_mounts_ready(struct bld_mounts *m, struct stv_strs *env,
		     struct stv_err **err);

/* bld_mounts_end(m): unlock and remove what bld_mounts_ready() made. */
void bld_mounts_end(struct bld_mounts *m);

/*
 * bld_mounts_is_same(m, err): 1 where what was bound from the context is still
 * what the key says, 0 or -1.
 */
int bld_mounts_is_same(struct bld_mounts *m, struct stv_err **err);

/* bld_mounts_fini(m): free it; ends it first. */
void bld_mounts_fini(struct bld_mounts *m);

/* --- mount_bind.c, mount_cache.c: for the other files of mounts only --- */

/* bld_mount_bind(st, m, ret, err): find or make what is bound. */
int bld_mount_bind(struct bld_stage *st, struct bld_mount *m,
		   struct sbx_mount *ret, struct stv_err **err);

/*
 * bld_mount_open(ms, m, err): open ->view of one whose origin is layers; those
 * that are elsewhere yet are fetched.  The lock is held.
 */
int bld_mount_open(const struct bld_mounts *ms, struct bld_mount *m,
		   struct stv_err **err);

/*
 * bld_mount_digest(m, path, ret, err): of all that can be seen at ${path} of
 * where a bind, or a cache's beginning, comes from.
 */
int bld_mount_digest(const struct bld_mount *m, const char *path,
		     struct stv_digest *ret, struct stv_err **err);

/*
 * bld_mount_cache_name(st, m): the digest that names the directory: the
 * namespace, the id, and what it began with, as in BuildKit.
 */
struct stv_digest bld_mount_cache_name(const struct bld_stage *st,
				       const struct bld_mount *m);

/*
 * bld_mount_caches(ms, err): take all caches of the RUN and open their
 * sources, m->fd.  Waits for those that are locked.
 * Errors: STV_E_CANCELLED.
 */
int bld_mount_caches(struct bld_mounts *ms, struct stv_err **err);

#endif /* STAVE_BUILDER_MOUNT_H */
