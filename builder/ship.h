/*
 * builder/ship.h - the images of a build on their way to registries.
 *
 * The layers of what is pushed are compressed and sent while later steps still
 * run; what fails then is tried again at the end, and is an error there.
 */
#ifndef STAVE_BUILDER_SHIP_H
#define STAVE_BUILDER_SHIP_H

#include <stddef.h>

struct bld_build;  /* builder/build_internal.h */
struct bld_result; /* builder/build.h */
struct bld_ship;   /* the images of one build */
struct bld_stage;  /* builder/build_internal.h */
struct stv_digest; /* core/digest.h */
struct stv_err;	   /* core/err.h */

/* bld_ship_new(b): nothing is sent yet.  Owns: bld_ship_free(). */
struct bld_ship *bld_ship_new(struct bld_build *b);

/*
 * bld_ship_layer(st, diff_id): the stage has got a layer.  If the stage is part
 * of what is pushed, it goes out.  The lock is held.
 */
void bld_ship_layer(struct bld_stage *st, const struct stv_digest *diff_id);

/*
 * bld_ship_stop(ship): begin nothing new, and wait for what is under way.
 * NULL is ok.  The lock is not held.
 */
void bld_ship_stop(struct bld_ship *ship);

/*
 * bld_ship_images(b, results, err): all pushes of the options.  The lock is
 * held, and let go of meanwhile.
 * Errors: those of bld_push().
 */
int bld_ship_images(struct bld_build *b, struct bld_result *results,
		    struct stv_err **err);

/* bld_ship_free(ship): stops it.  NULL is ok. */
void bld_ship_free(struct bld_ship *ship);

#endif /* STAVE_BUILDER_SHIP_H */
