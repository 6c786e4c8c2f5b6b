/* cmd/build_opts.h - the command line of stave build. */
#ifndef STAVE_CMD_BUILD_OPTS_H
#define STAVE_CMD_BUILD_OPTS_H

#include <stdbool.h>

#include "core/strs.h"

#include "cmd/opts.h"

/* As typed; cmd_build.c makes a struct bld_opts of it. */
struct build_values {
	struct stv_strs add_hosts;
	struct stv_strs allows;
	struct stv_strs annotations;
	struct stv_strs build_args;
	struct stv_strs build_contexts;
	struct stv_strs cache_from;
	struct stv_strs cache_to;
	struct stv_strs labels;
	struct stv_strs no_cache_filters;
	struct stv_strs outputs;
	struct stv_strs secrets;
	struct stv_strs ssh;
	struct stv_strs tags;
	struct stv_strs targets;
	struct stv_strs ulimits;
	const char *call;
	const char *file;
	const char *iidfile;
	const char *isolation;
	const char *metadata_file;
	const char *network;
	struct stv_strs platforms;
	const char *progress;
	const char *shm_size;
	const char *store_max;
	bool is_check;
	bool is_loaded;
	bool is_quiet;
	bool no_cache;
	bool pull;
	bool push;
	bool no_sync;
	bool propagate_exit;
};

/* cmd_build_opts: the table of all of them. */
extern const struct cmd_opt cmd_build_opts[];

#endif /* STAVE_CMD_BUILD_OPTS_H */
