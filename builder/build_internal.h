/*
 * builder/build_internal.h - what the parts of a build share.
 *
 * One lock (bld_lock) guards everything in struct bld_build and struct
 * bld_stage.  A stage's thread holds it except while it waits or does long
 * work (hashing, packing, unpacking), which touches only its own objects; so
 * the code between reads as if there were one thread, and events are emitted
 * one at a time.  The main thread runs loop.c.
 */
#ifndef STAVE_BUILDER_BUILD_INTERNAL_H
#define STAVE_BUILDER_BUILD_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/layer.h"
#include "cache/toc.h"
#include "core/buf.h"
#include "core/diag.h"
#include "core/event.h"
#include "core/oci.h"
#include "core/strs.h"
#include "core/vec.h"
#include "parser/ast.h"

#include "builder/build.h"
#include "builder/sandbox/sandbox.h"

struct bld_context;
struct bld_copy_plan; /* builder/copy.h */
struct bld_done;      /* builder/cache_export.h */
struct bld_import;    /* builder/cache_import.h */
struct bld_journal;   /* builder/journal.h */
struct bld_lazy;      /* builder/lazy.h */
struct bld_redact;    /* builder/redact.h */
struct bld_ship;      /* builder/ship.h */
struct key;

/* Where a stage begins. */
enum bld_base_kind {
	BLD_BASE_SCRATCH,
	BLD_BASE_STAGE,
	BLD_BASE_IMAGE,
	BLD_BASE_CONTEXT /* files of a named context: bld_named_open() */
};

/* What --build-context gave a name to (builder/named.c). */
struct bld_named;

struct bld_stage;

/* Where a COPY --from or a mount comes from, and a stage's base. */
struct bld_origin {
	enum bld_base_kind kind;
	size_t stage;	 /* BLD_BASE_STAGE */
	char *reference; /* BLD_BASE_IMAGE: as written, expanded */
	/* BLD_BASE_IMAGE: for what; NULL: for the build's.  Borrowed. */
	const struct stv_platform *platform;
	struct bld_stage *shown; /* whose FROM shows that it is fetched */
	bool is_mounted;	 /* a command will run upon it, or see it */
	/*
	 * BLD_BASE_CONTEXT, and a BLD_BASE_IMAGE that lies in an OCI layout:
	 * which one.  Borrowed from the build.
	 */
	struct bld_named *named;
};

struct bld_build;

/* One instruction of a stage. */
struct bld_step {
	const struct df_node *node;
	struct bld_origin from; /* COPY --from: valid where has_from */
	bool has_from;
	/* RUN: where each --mount comes from, in order; SCRATCH without from */
	struct bld_origin *mounts;
	size_t n_mounts;
	bool is_shown;	   /* has a number in the display */
	bool is_trigger;   /* an ONBUILD of the base image */
	uint32_t id;	   /* of the whole build, from 1 */
	uint32_t position; /* in its stage, from 1, of the shown ones */
};

enum bld_stage_state { BLD_WAITING, BLD_RUNNING, BLD_DONE, BLD_FAILED };

/* A stage, and its image as far as it has come. */
struct bld_stage {
	struct bld_build *b;
	size_t index;
	const struct df_node *from;
	char *name; /* lower case, or NULL */
	struct bld_origin base;
	struct stv_platform platform; /* --platform of FROM, or the target's */
	bool has_platform;
	char *shown_platform; /* of several, in the display; or NULL */
	bool is_replaced;     /* by a named context: its steps are none */
	STV_VEC(struct bld_step) steps;
	uint32_t n_shown;
	bool is_fetched; /* its base was not here: the FROM has STARTED */
	uint32_t from_id;
	bool is_needed;
	enum bld_stage_state state;
	pthread_t thread;
	bool has_thread;

	/* What there is after the steps done so far. */
	struct oci_config *config;
	struct stv_strs env;	   /* ENV and ARG in order: the last one wins */
	struct stv_strs args;	   /* names declared by ARG, for history */
	struct stv_strs declared;  /* all names an ARG has declared */
	struct stv_strs set_by;	   /* NAME=ENV or NAME=ARG: what set it last */
	struct stv_digest chain;   /* zero: no layer */
	bool cmd_is_own;	   /* CMD was set in this stage */
	char *created;		   /* of the newest layer, RFC 3339, or NULL */
	struct df_file **triggers; /* parsed ONBUILDs, owned */
	size_t n_triggers;

	/* For explanations (builder/why.h). */
	const char *ran; /* the last step that was executed, or NULL */
	int64_t *titles; /* of all steps; made when first needed */
};

/* A RUN that a stage's thread wants the main thread to do. */
struct bld_command {
	const struct sbx_spec *spec;
	struct bld_stage *stage;
	const struct bld_step *step;
	int log_fd;
	/* Set by the main thread; waiting ends with is_done. */
	struct sbx_proc *proc;
	struct sbx_status status;
	struct stv_err *err;
	bool is_started;
	bool is_done;
	bool out_open, err_open;
	struct stv_buf held[2]; /* of the two streams: builder/redact.h */
	struct bld_command *next;
};

/* The whole build. */
struct bld_build {
	const struct bld_opts *o;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int wake_fd; /* an eventfd: there is something for the main thread */
	/* nothing is executed: all is supported, and allowed */
	bool is_outline;
	STV_VEC(struct bld_stage *) stages;
	struct stv_strs global_env; /* global ARGs and automatic ones */
	struct stv_strs auto_args;  /* TARGETPLATFORM=..., always there */
	struct stv_strs used_args;  /* names of build args that were taken */
	size_t n_expanded; /* bytes of all expansions: STV_MAX_EXPANDED_TOTAL */
	STV_VEC(size_t) targets; /* their stages, in the order of the options */
	struct bld_context *context;
	pthread_mutex_t context_lock; /* taken without the other one held */
	struct df_ignore *ignore;
	STV_VEC(struct bld_named *) named; /* in the order given */
	struct reg_client *client;	   /* once an image was not here */
	struct bld_import *import;	   /* NULL: no --cache-from */
	struct bld_lazy *lazy;		   /* likewise */
	struct bld_done *done;		   /* NULL: no --cache-to */
	struct bld_ship *ship;		   /* NULL: nothing is pushed */
	struct stv_strs pulling;	   /* references; see base.c */
	struct stv_strs pulled;		   /* with --pull: those that are new */
	struct sbx *sbx;
	struct bld_command *commands;
	struct bld_redact *redact; /* NULL: there are no secrets */
	char *id;
	int log_dir;
	uint32_t n_ids;
	uint32_t n_executed;
	int64_t now_s;
	uint32_t now_ns;
	size_t n_running;    /* stage threads */
	struct stv_err *err; /* the first failure */
	int cancel_signal;
	STV_VEC(struct stv_digest) touched; /* keys of hits */
	struct bld_journal *journal;
	char *file;	    /* of the options, absolute where it can be told */
	char *context_name; /* likewise; empty: there is none */
	char *place;	    /* "file|context|": of all steps, between builds */
};

/* --- build.c --- */

/* bld_build_init(b, o): a build of which nothing was done. */
void bld_build_init(struct bld_build *b, const struct bld_opts *o);

/* bld_build_context(b, err): parse the ignore file and open the context. */
int bld_build_context(struct bld_build *b, struct stv_err **err);

/*
 * bld_keep_index(b, ctx): save the index of ${ctx} (NULL is ok), so that the
 * next build reads only what changed; a failure is told and no more.
 */
void bld_keep_index(struct bld_build *b, struct bld_context *ctx);

/* bld_build_fini(b): free what it holds; its threads have ended. */
void bld_build_fini(struct bld_build *b);

/* --- plan.c --- */

/*
 * bld_plan(b, err): cut the file into stages, expand what FROM and COPY --from
 * name, find the target and what it needs, number the steps.
 * Errors: STV_E_CHECK with the place.
 */
int bld_plan(struct bld_build *b, struct stv_err **err);

/* bld_plan_fini(b): free what bld_plan() has made, also where it failed. */
void bld_plan_fini(struct bld_build *b);

/*
 * bld_plan_origin(b, stage, text, span, ret, err): what the name after
 * COPY --from means for stage number ${stage}.
 */
int bld_plan_origin(struct bld_build *b, size_t stage, const char *text,
		    struct stv_span span, struct bld_origin *ret,
		    struct stv_err **err);

/*
 * bld_stage_name(text): the name of a stage, which knows no case, as it is
 * compared.  Owns: the caller frees it.
 */
char *bld_stage_name(const char *text);

/*
 * bld_plan_supported(node, err): refuse by name what a later version will do.
 * What an ONBUILD only records is not refused.
 */
int bld_plan_supported(const struct df_node *node, struct stv_err **err);

/*
 * bld_plan_allowed(b, node, err): may a RUN have what it asks for (--security,
 * --network), or does it need an --allow that was not given?
 * Errors: STV_E_CHECK with the place.
 */
int bld_plan_allowed(const struct bld_build *b, const struct df_node *node,
		     struct stv_err **err);

/* bld_step_fini(step): free what it owns. */
void bld_step_fini(struct bld_step *step);

/*
 * bld_stage_platform(st): what the stage is for, by its FROM or that of the
 * stage that it begins with; NULL: this machine.  Borrows.  (emulation.c)
 */
const struct stv_platform *bld_stage_platform(const struct bld_stage *st);

/* bld_stage_free(st): NULL is ok. */
void bld_stage_free(struct bld_stage *st);

/* --- scope.c --- */

/* bld_expand(st, text, span, ret, err): one word in a stage's scope. */
int bld_expand(struct bld_stage *st, const char *text, struct stv_span span,
	       char **ret, struct stv_err **err);

/* bld_expand_list(st, text, span, ret, err): words, split at blanks. */
int bld_expand_list(struct bld_stage *st, const char *text,
		    struct stv_span span, struct stv_strs *ret,
		    struct stv_err **err);

/* bld_expand_body(st, h, ret, err): a heredoc of COPY or ADD. */
int bld_expand_body(struct bld_stage *st, const struct df_heredoc *h,
		    char **ret, struct stv_err **err);

/*
 * bld_expand_in(b, env, text, used, ret, err): one word with the values of
 * ${env}; the names that were found are added to ${used}, unless that is NULL.
 * Errors: without a place.
 */
int bld_expand_in(struct bld_build *b, struct stv_strs *env, const char *text,
		  struct stv_strs *used, char **ret, struct stv_err **err);

/* bld_expand_global(b, text, span, ret, err): in FROM and global ARG. */
int bld_expand_global(struct bld_build *b, const char *text,
		      struct stv_span span, char **ret, struct stv_err **err);

/* bld_global_arg(b, node, err): an ARG before the first FROM. */
int bld_global_arg(struct bld_build *b, const struct df_node *node,
		   struct stv_err **err);

/* bld_stage_arg(st, node, err): an ARG of a stage. */
int bld_stage_arg(struct bld_stage *st, const struct df_node *node,
		  struct stv_err **err);

/* bld_scope_init(b, err): the automatic arguments of the platforms. */
void bld_scope_init(struct bld_build *b);

/*
 * bld_hostname(b): BUILDKIT_SANDBOX_HOSTNAME, what RUNs see as the machine's
 * name; NULL: the default.  Borrows.
 */
const char *bld_hostname(const struct bld_build *b);

/* bld_is_proxy_arg(name): one of the ten that need no ARG (CONVENTIONS E). */
bool bld_is_proxy_arg(const char *name);

/*
 * bld_run_env(st, ret): the environment of a RUN without HOME; ${ret_proxy}
 * gets the proxy arguments, which are no part of the key.
 */
void bld_run_env(struct bld_stage *st, struct stv_strs *ret,
		 struct stv_strs *ret_proxy);

/* --- meta_step.c --- */

/* bld_meta_step(st, step, err): an instruction that only changes the config. */
int bld_meta_step(struct bld_stage *st, const struct bld_step *step,
		  struct stv_err **err);

/* bld_history(st, by, created, is_empty): a line of history. */
void bld_history(struct bld_stage *st, const char *by, const char *created,
		 bool is_empty);

/* bld_shell(st, text, ret): SHELL and a text as argv. */
void bld_shell(const struct bld_stage *st, const char *text,
	       struct stv_strs *ret);

/* --- stage.c --- */

/* bld_stage_main(arg): the thread of a struct bld_stage. */
void *bld_stage_main(void *arg);

/*
 * bld_fail(b, e): the build ends with this error, or with an earlier one; the
 * lock is held.  Takes: ${e}.
 */
void bld_fail(struct bld_build *b, struct stv_err *e);

/* bld_is_over(b): has the build failed or been interrupted? */
bool bld_is_over(const struct bld_build *b);

/*
 * bld_wait_stage(st, index, err): wait until stage ${index} is done.
 * Errors: STV_E_CANCELLED where the build ended before.
 */
int bld_wait_stage(struct bld_stage *st, size_t index, struct stv_err **err);

/* bld_clamp(b): how the build's layers are written. */
struct lay_writer_opts bld_clamp(const struct bld_build *b);

/* bld_lock(b), bld_unlock(b): see the top of this file. */
void bld_lock(struct bld_build *b);
void bld_unlock(struct bld_build *b);

/* bld_emit_progress(st, step, now, total): how far a step is, in bytes. */
void bld_emit_progress(struct bld_stage *st, const struct bld_step *step,
		       uint64_t now, uint64_t total);

/* bld_emit(st, step, kind, text): an event of a step. */
void bld_emit(struct bld_stage *st, const struct bld_step *step,
	      enum stv_event_kind kind, const char *text);

/*
 * bld_emit_started(st, step, reason, text): the step runs, and why (NULL: it
 * is not said).
 */
void bld_emit_started(struct bld_stage *st, const struct bld_step *step,
		      const struct stv_reason *reason, const char *text);

/*
 * bld_view(st, ret, err): the merged view of what a stage has so far; layers
 * that are elsewhere yet are fetched (builder/lazy.h).
 */
int bld_view(struct bld_stage *st, struct lay_view **ret, struct stv_err **err);

/* What a step gave. */
struct bld_outcome {
	bool has_layer;
	struct stv_digest diff_id;
	int64_t created_s;
};

/* How a step is cached; zeroed, fini after use. */
struct bld_cached {
	const struct bld_step *step;
	struct key *key;
	struct stv_digest digest;
	/* Upon what the record holds; zero for a COPY --link: upon anything. */
	struct stv_digest parent_chain;
	struct stv_digest parent_config;
	bool is_too_large; /* the config: no step may stand on it */
	char *where;	   /* names the step between builds */
	/* What a COPY selected, for explanations; NULL: it is none. */
	const struct bld_copy_plan *plan;
	struct stv_buf list; /* of what it selected, once it was made */
	int lock_fd;	     /* of the key between processes; -1 */
};

/*
 * bld_cache_begin(st, step, verb, ret): a key with what all steps have.
 * bld_cache_fini(c): free it and let go of the key's lock.
 */
void bld_cache_begin(struct bld_stage *st, const struct bld_step *step,
		     const char *verb, struct bld_cached *ret);
void bld_cache_fini(struct bld_cached *c);

/*
 * bld_cache_find(st, step, c, ret, err): end the key and look it up.  Where
 * there is no record, wait until no other process executes the step.
 * Returns: 1 and *ret: a hit; 0: execute it.  ${c} holds the lock then, and
 * the event STARTED was emitted with the reason.
 */
int bld_cache_find(struct bld_stage *st, const struct bld_step *step,
		   struct bld_cached *c, struct bld_outcome *ret,
		   struct stv_err **err);

/*
 * bld_cache_look(st, step, c, ret, err): end the key and look it up, and no
 * more: 1 and *ret where there is a record (the event CACHED was emitted), 0,
 * or -1.
 */
int bld_cache_look(struct bld_stage *st, const struct bld_step *step,
		   struct bld_cached *c, struct bld_outcome *ret,
		   struct stv_err **err);

/* bld_cache_store(st, c, out, err): record what executing gave. */
int bld_cache_store(struct bld_stage *st, struct bld_cached *c,
		    const struct bld_outcome *out, struct stv_err **err);

/* bld_is_uncached(st): is the cache not to be asked for this stage? */
bool bld_is_uncached(const struct bld_stage *st);

/* bld_apply(st, out, by): the outcome becomes part of the stage. */
void bld_apply(struct bld_stage *st, const struct bld_outcome *out,
	       const char *by);

/* --- run_step.c, copy_step.c --- */

/*
 * bld_run_step(st, step, err): a RUN: from the cache, or in the sandbox.
 * Errors: STV_E_STEP_FAILED with the command's status, and the sandbox's.
 */
int bld_run_step(struct bld_stage *st, const struct bld_step *step,
		 struct stv_err **err);

/* bld_copy_step(st, step, err): a COPY or ADD (builder/copy.h). */
int bld_copy_step(struct bld_stage *st, const struct bld_step *step,
		  struct stv_err **err);

/*
 * bld_copy_context(st, err): all files of a named context as the first layer
 * of the stage that begins from it; the display has it as the FROM.
 */
int bld_copy_context(struct bld_stage *st, struct stv_err **err);

/* bld_workdir_step(st, step, err): a WORKDIR, its directory made. */
int bld_workdir_step(struct bld_stage *st, const struct bld_step *step,
		     struct stv_err **err);

/* --- base.c --- */

/* bld_registry(b, err): make sure that there is ->client; the lock is held. */
int bld_registry(struct bld_build *b, struct stv_err **err);

/*
 * bld_base_find(store, reference, ret, err): the image of that name: 1 and
 * *ret, or 0.
 */
int bld_base_find(struct cas_store *store, const char *reference,
		  struct cas_image *ret, struct stv_err **err);

/*
 * bld_base_load(b, from, ret, err): the image of a BLD_BASE_IMAGE: one of the
 * store, one of an OCI layout, or one of a registry; these are taken into the
 * store then, without the lock, which is held else.  Owns: *ret.
 * Errors: STV_E_NOT_FOUND with what to do, STV_E_USAGE (bad name), and those of
 *         a pull.
 */
int bld_base_load(struct bld_build *b, const struct bld_origin *from,
		  struct oci_config **ret, struct stv_err **err);

/*
 * bld_base_manifest(b, st, ret, err): the manifest of the image upon which
 * ${st} stands, directly or by other stages: 1, or 0 where it stands upon none
 * or that is not here any more.
 * Owns: *ret.
 */
int bld_base_manifest(const struct bld_build *b, const struct bld_stage *st,
		      struct oci_manifest **ret, struct stv_err **err);

/* --- named.c --- */

/*
 * bld_named_init(b, err): read the options' named contexts; nothing is opened.
 * bld_named_fini(b): close and free them.
 */
int bld_named_init(struct bld_build *b, struct stv_err **err);
void bld_named_fini(struct bld_build *b);

/* bld_named_keep(b): bld_keep_index() for those that were opened. */
void bld_named_keep(struct bld_build *b);

/*
 * bld_named_find(b, name, platform, ret, err): does a named context stand for
 * ${name}, which is a stage's or an image's?  ${platform}: what is wanted of
 * it, NULL for the build's.
 * Returns: 1 and *ret, 0, or -1.
 */
int bld_named_find(struct bld_build *b, const char *name,
		   const struct stv_platform *platform, struct bld_origin *ret,
		   struct stv_err **err);

/*
 * bld_named_open(b, n, ret, err): the files of a BLD_BASE_CONTEXT, opened when
 * first asked for; the lock is held, and let go while it is fetched.  Look at
 * it only with b->context_lock, as at the main one.
 * Borrows: *ret lives as long as ${b}.
 */
int bld_named_open(struct bld_build *b, struct bld_named *n,
		   struct bld_context **ret, struct stv_err **err);

/*
 * bld_named_image(b, n, ret, err): the image of a named OCI layout, taken into
 * the store where it is not there; the lock is held, and let go meanwhile.
 */
int bld_named_image(struct bld_build *b, struct bld_named *n,
		    struct cas_image *ret, struct stv_err **err);

/* --- loop.c --- */

/* bld_wake(b): there is something to do for the main thread. */
void bld_wake(struct bld_build *b);

/* bld_loop(b): start the stages and run commands until all is over. */
int bld_loop(struct bld_build *b, struct stv_err **err);

/*
 * bld_start_stage(st, err): start the thread of a stage unless it has one; the
 * lock is held.  A trigger of a base image may need a stage that the plan did
 * not know to be needed.
 */
int bld_start_stage(struct bld_stage *st, struct stv_err **err);

/*
 * bld_execute(st, step, spec, log_fd, ret, err): have the main thread run
 * a command; waits.  *ret is finished.
 */
int bld_execute(struct bld_stage *st, const struct bld_step *step,
		const struct sbx_spec *spec, int log_fd, struct sbx_status *ret,
		struct stv_err **err);

/* --- image.c --- */

/*
 * bld_image_finish(b, st, tags, ret, err): config, manifest, tags.
 * ret->config is a copy of the stage's and becomes the image's.
 */
int bld_image_finish(struct bld_build *b, const struct bld_stage *st,
		     const struct stv_strs *tags, struct bld_result *ret,
		     struct stv_err **err);

#endif /* STAVE_BUILDER_BUILD_INTERNAL_H */
