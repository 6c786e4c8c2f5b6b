/*
 * builder/build.h - from a parsed Dockerfile to an image in the store, and a
 * command run in an image.
 *
 *	struct bld_opts o = { .store = store, .file = file, ... };
 *	struct bld_result r;
 *
 *	if (bld_build(&o, &r, err) < 0) ...
 *	bld_result_fini(&r);
 *
 * builds the last stage; struct bld_target names others.
 *
 * The main thread calls it, and waits in it: RUNs are started by it only
 * (builder/sandbox/sandbox.h).  Every stage that the target needs has a thread
 * of its own beside it.
 */
#ifndef STAVE_BUILDER_BUILD_H
#define STAVE_BUILDER_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "builder/sandbox/spec.h"
#include "cache/meta.h"
#include "core/codec.h"
#include "core/oci.h"
#include "core/strs.h"

struct bld_remote;	/* builder/remote.h */
struct cas_repack_opts; /* cache/repack.h */
struct cas_store;	/* cache/store.h */
struct df_file;		/* parser/ast.h */
struct reg_client;	/* registry/client.h */
struct reg_ref;		/* registry/ref.h */
struct stv_diags;	/* core/diag.h */
struct stv_err;		/* core/err.h */
struct stv_listener;	/* core/event.h */
struct stv_sources;	/* core/source.h */

/* One --secret; its bytes are held in memory only. */
struct bld_secret {
	const char *id;
	const char *data;
	size_t len;
};

/* One --ssh: an agent of the caller. */
struct bld_ssh {
	const char *id;
	const char *socket; /* its path */
};

/* Where a cache that travels lies (docs/cache.md). */
enum bld_cache_kind {
	BLD_CACHE_REGISTRY, /* under a tag of a repository */
	BLD_CACHE_LOCAL,    /* in a directory */
	BLD_CACHE_INLINE    /* in the manifest of the image that is made */
};

/* One --cache-from. */
struct bld_cache_from {
	enum bld_cache_kind kind;
	const struct reg_ref *ref; /* registry */
	const char *dir;	   /* local */
	const char *tag;	   /* local: of the index; NULL: "latest" */
};

/* One --cache-to. */
struct bld_cache_to {
	enum bld_cache_kind kind;
	const struct reg_ref *ref;
	const char *dir;
	const char *tag;
	/* The layers of all steps, not only those of the targets. */
	bool is_max;
	struct stv_compression how;
	bool is_error_ignored; /* a failure is a warning */
};

/* One push of what a target became. */
struct bld_push_to {
	size_t target;
	const struct reg_ref *ref;
	const struct cas_repack_opts *form;
	bool is_by_digest; /* no tag is set */
};

/* One image that a build makes. */
struct bld_target {
	const char *stage;    /* its name, or NULL: the last stage */
	struct stv_strs tags; /* normal form */
};

/* What to build.  All of it is borrowed during bld_build(). */
struct bld_opts {
	struct cas_store *store; /* the caller holds a lease on it */
	struct stv_listener *listener;
	struct stv_sources *sources; /* ONBUILD triggers are added to it */
	struct stv_diags *diags;     /* their findings */
	const struct df_file *file;
	const char *file_name;	  /* as the user named it */
	bool is_file_remote;	  /* it is one of ${remote}, or a URL */
	const char *context_path; /* a directory; NULL: none is needed */
	/* What ${context_path} names was fetched; NULL: it is here. */
	const struct bld_remote *remote;
	/*
	 * The content of the ignore file (number in ${sources}, 0: none) and
	 * its name for messages.
	 */
	uint32_t ignore_file;
	const char *ignore_name;

	struct stv_pairs contexts; /* named ones: name, and where from */
	/*
	 * What several targets need is built once.  None: the last stage,
	 * without a tag.
	 */
	const struct bld_target *targets;
	size_t n_targets;
	struct stv_strs build_args; /* NAME=VALUE */
	struct stv_pairs labels;
	struct stv_pairs annotations;	  /* of the manifests */
	struct stv_strs no_cache_filters; /* stage names */
	struct stv_strs add_hosts;	  /* NAME:ADDRESS */
	struct stv_platform platform;	  /* os NULL: this machine's */
	enum sbx_net net;
	uint64_t shm_size; /* 0: the default */
	const struct sbx_rlimit *rlimits;
	size_t n_rlimits;
	const struct rlimit *caller_nofile; /* see struct sbx_config */
	const struct bld_secret *secrets;
	size_t n_secrets;
	const struct bld_ssh *ssh;
	size_t n_ssh;
	bool allow_insecure; /* --allow security.insecure */
	bool allow_host_net; /* --allow network.host */
	/*
	 * The registries, asked for when the first image is not here, by one
	 * thread at a time; NULL with an error.  No function: images of the
	 * store only.
	 */
	struct reg_client *(*registry)(void *arg, struct stv_err **err);
	void *registry_arg;
	/*
	 * Caches of others, asked when the store has no record; with them a
	 * layer is fetched only when a step mounts it or the result needs it.
	 */
	const struct bld_cache_from *cache_from;
	size_t n_cache_from;
	const struct bld_cache_to *cache_to;
	size_t n_cache_to;
	/*
	 * Where the images go.  Layers of them go out while later steps still
	 * run.
	 */
	const struct bld_push_to *pushes;
	size_t n_pushes;
	/* They go nowhere else: the store does not keep them. */
	bool is_push_only;
	/*
	 * What a name without a registry can mean that is not in the store, the
	 * most probable first, in whole names (reg_conf_short_name(), with
	 * ${registry_arg}); NULL: Docker Hub's.
	 */
	int (*short_names)(void *arg, const char *text, struct stv_strs *ret,
			   struct stv_err **err);
	bool pulls_always; /* --pull: a tag is looked up there each time */
	bool no_cache;
	bool has_epoch; /* SOURCE_DATE_EPOCH */
	int64_t epoch;
	/*
	 * rewrite-timestamp=false, BuildKit's way: the epoch is in config and
	 * history, but files keep their times.
	 */
	bool keeps_times;
	bool no_image; /* only the tree is wanted (output tar, local) */
	/* With it: nor is the tree: layers that are elsewhere stay there. */
	bool is_cache_only;
	/*
	 * One of several platforms, from 1 (builder/platforms.h): steps are
	 * shown with it, and the image is not put into the store, only its
	 * blobs.
	 */
	size_t part;
	uint32_t *n_ids; /* steps shown so far, of all of them; or NULL */
	struct stv_pairs index_annotations;
	struct stv_pairs line_annotations; /* where the index names them */
};

/* What came out of one target. */
struct bld_result {
	struct cas_image image; /* zeroed with no_image */
	uint64_t manifest_size;
	/* As it was pushed last; no media type: it was not. */
	struct oci_descriptor pushed;
	/* What keeps the image alive, where it is one of several platforms. */
	struct stv_digest *blobs;
	size_t n_blobs;
	struct stv_digest *diff_ids; /* bottom first */
	size_t n_diff_ids;
	struct oci_config *config;
	char *build_id;	     /* names the directory below logs/ */
	uint32_t n_executed; /* steps that missed the cache */
};

/* bld_result_fini(r): free what it holds. */
void bld_result_fini(struct bld_result *r);

/*
 * bld_build(o, ret, err): build the targets, put the images and their tags into
 * the store, once all stages are done.  Nothing of a failed build is visible
 * but what may serve as cache.  ${ret} has a result for each target, in order,
 * so at least one; what it says of the whole build is the same in all of them.
 *
 * Owns:   *ret, bld_result_fini() each; untouched on failure.
 * Errors: STV_E_CHECK and STV_E_INPUT with the place in the Dockerfile,
 *         STV_E_STEP_FAILED with the command's status, STV_E_NOT_FOUND (base
 *         image), STV_E_CANCELLED (status 130 or 143), and those of the parts.
 * Signals: SIGINT, SIGTERM and SIGHUP are taken during the call: running
 *         commands get SIGTERM, after two seconds (or a second signal) SIGKILL.
 */
int bld_build(const struct bld_opts *o, struct bld_result *ret,
	      struct stv_err **err);

/* One -v of 'stave run'. */
struct bld_volume {
	const char *source; /* an absolute path of the host */
	const char *target; /* an absolute path inside */
	bool is_readonly;
};

/* A command to run in an image.  Borrowed during bld_run(). */
struct bld_run_opts {
	struct cas_store *store; /* the caller holds a lease on it */
	struct cas_image image;
	struct stv_strs cmd;	/* instead of the image's Cmd where not empty */
	const char *entrypoint; /* instead of the image's; "" clears it */
	struct stv_strs env;	/* NAME=VALUE over the image's */
	const char *workdir;	/* NULL: the image's */
	const char *user;	/* NULL: the image's */
	const struct bld_volume *volumes;
	size_t n_volumes;
	struct stv_strs add_hosts;
	enum sbx_net net;
	uint64_t shm_size;
	const struct sbx_rlimit *rlimits;
	size_t n_rlimits;
	const struct rlimit *caller_nofile;
	const char *hostname; /* NULL: the first digits of the image ID */
	bool is_interactive;  /* -i: our stdin is its stdin */
	bool is_tty;	      /* -t */
	bool is_readonly;
};

/*
 * bld_run(o, ret_status, err): run the command over a throw-away upper
 * directory, its output on our descriptors 1 and 2, our signals passed on.
 * *ret_status is what 'stave run' exits with: the command's own, 126, 127,
 * 128 + signal.
 */
int bld_run(const struct bld_run_opts *o, int *ret_status,
	    struct stv_err **err);

#endif /* STAVE_BUILDER_BUILD_H */
