/*
 * cmd/build_request.h - the command line of stave build, checked and in the
 * types that the builder takes.
 */
#ifndef STAVE_CMD_BUILD_REQUEST_H
#define STAVE_CMD_BUILD_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/oci.h"
#include "core/strs.h"
#include "core/vec.h"

#include "builder/sandbox/spec.h"
#include "cmd/cache_opts.h"
#include "cmd/cmd_call.h"
#include "cmd/output.h"
#include "cmd/secrets.h"
#include "cmd/targets.h"
#include "cmd/ui.h"
#include "cmd/values.h"

struct build_values; /* cmd/build_opts.h */
struct stv_err;	     /* core/err.h */

struct build_request {
	struct stv_pairs args;	   /* --build-arg */
	struct stv_pairs labels;   /* --label */
	struct stv_pairs contexts; /* --build-context */
	struct cmd_targets targets;
	struct cmd_annotations annotations;
	struct cmd_caches caches;
	struct stv_strs hosts; /* "name:address" */
	struct stv_strs no_cache_stages;
	STV_VEC(struct sbx_rlimit) rlimits;
	STV_VEC(struct cmd_output) outputs;
	enum cmd_switch rewrite_timestamp; /* of the outputs */
	struct stv_platform platform;	   /* the first one */
	bool has_platform;
	STV_VEC(struct stv_platform) platforms; /* each once */
	/* An index is made: there are several, or BUILDKIT_MULTI_PLATFORM. */
	bool is_multi;
	enum sbx_net net;
	enum ui_mode ui;
	struct cmd_call call;
	uint64_t shm_size; /* 0: the default */
	struct cmd_secrets secrets;
	bool allow_insecure;
	bool allow_host_net;
	bool has_store_max;
	uint64_t store_max;    /* 0: no bound */
	const char *isolation; /* NULL: auto; else root, userns, ... */
};

/*
 * cmd_request_make(v, r, err): fill zeroed ${r} from ${v}, the environment
 * (BUILDKIT_PROGRESS, DOCKER_DEFAULT_PLATFORM, arguments without a value) and
 * the defaults.
 * Owns:    cmd_request_fini(), also after a failure.
 * Borrows: ${v}.
 * Errors:  STV_E_USAGE.
 */
int cmd_request_make(const struct build_values *v, struct build_request *r,
		     struct stv_err **err);

/*
 * cmd_request_flag(r, name): is the build argument ${name} true, by
 * stv_bool_parse()'s words?
 */
bool cmd_request_flag(const struct build_request *r, const char *name);

/*
 * cmd_request_args(args, ret, err): values of --build-arg; those without a
 * value have the environment's, or are left out.
 * Errors: STV_E_USAGE.
 */
int cmd_request_args(const struct stv_strs *args, struct stv_pairs *ret,
		     struct stv_err **err);

/*
 * cmd_request_platform(text, ret, err): the value of --platform; NULL has that
 * of DOCKER_DEFAULT_PLATFORM.
 * Owns:    *ret, stv_platform_fini().
 * Returns: 1, or 0 where neither says anything.  Errors: STV_E_USAGE.
 */
int cmd_request_platform(const char *text, struct stv_platform *ret,
			 struct stv_err **err);

/* cmd_request_fini(r): free the members. */
void cmd_request_fini(struct build_request *r);

#endif /* STAVE_CMD_BUILD_REQUEST_H */
