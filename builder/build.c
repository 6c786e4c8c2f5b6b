/* builder/build.c - a build from its options to its result. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/repack.h"
#include "cache/store.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "parser/ignore.h"

#include "builder/build_internal.h"
#include "builder/cache_export.h"
#include "builder/cache_import.h"
#include "builder/context.h"
#include "builder/journal.h"
#include "builder/lazy.h"
#include "builder/redact.h"
#include "builder/remote.h"
#include "builder/ship.h"

void
bld_result_fini(struct bld_result *r)
{
	free(r->blobs);
	free(r->diff_ids);
	oci_descriptor_fini(&r->pushed);
	oci_config_free(r->config);
	free(r->build_id);
	*r = (struct bld_result){0};
}

int
bld_build_context(struct bld_build *b, struct stv_err **err)
{
	struct bld_context_opts opts = {
		.ignore_name = b->o->ignore_name,
		.store = b->o->store,
	};

	if (b->o->ignore_file != 0 &&
	    df_ignore_parse(b->o->sources, b->o->ignore_file, &b->ignore, err) <
		    0)
		return -1;
	opts.ignore = b->ignore;
	if (b->o->remote != NULL)
		return bld_remote_context(b->o->remote, &opts, &b->context,
					  err);
	if (b->o->context_path == NULL)
		return 0;
	return bld_context_open(b->o->context_path, &opts, &b->context, err);
}

/* ${path} whatever the working directory is, where that can be told. */
static char *
absolute(const char *path)
{
	/* "-" is standard input. */
	char *real = path == NULL || strcmp(path, "-") == 0
			     ? NULL
			     : realpath(path, NULL);

	return real != NULL ? real : stv_xstrdup(path == NULL ? "" : path);
}

/* The directory of the logs, made when the first step runs. */
static int
open_logs(struct bld_build *b, struct stv_err **err)
{
	int root = cas_store_rootfd(b->o->store);
	stv_auto_free char *path = NULL;
	uint32_t r = 0;
	struct timespec now;
	struct tm tm;
	char stamp[32];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return stv_fail_errno(err, errno, "no random bytes");
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	/* Microseconds first, so that IDs sort by time within a second too. */
	b->id = stv_xasprintf("%s-%05x%03x", stamp,
			      (unsigned int)(now.tv_nsec / 1000),
			      (unsigned int)(r & 0xfff));
	path = stv_xasprintf("logs/%s", b->id);
	if (stv_fsat_mkdirs(root, path, 0700, err) < 0)
		return -1;
	b->log_dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->log_dir < 0)
		return stv_fail_errno(err, errno, "cannot open '%s'", path);
	return 0;
}

static void
emit_plan(struct bld_build *b)
{
	for (size_t i = 0; i < b->stages.len; i++) {
		struct bld_stage *st = b->stages.v[i];

		if (!st->is_needed)
			continue;
		bld_emit(st, NULL, STV_EV_STEP_ADDED, NULL);
		for (size_t k = 0; k < st->steps.len; k++)
			if (st->steps.v[k].is_shown)
				bld_emit(st, &st->steps.v[k], STV_EV_STEP_ADDED,
					 NULL);
	}
}

/* What nobody has to declare. */
static bool
is_special_arg(const char *name)
{
	static const char *const names[] = {
		"BUILDKIT_CACHE_MOUNT_NS",   "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
		"BUILDKIT_DOCKERFILE_CHECK", "BUILDKIT_MULTI_PLATFORM",
		"BUILDKIT_SANDBOX_HOSTNAME", "SOURCE_DATE_EPOCH",
	};

	for (size_t i = 0; i < STV_ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return bld_is_proxy_arg(name);
}

/* Docker warns of arguments that nothing takes. */
static void
warn_unused(struct bld_build *b)
{
	const struct stv_strs *args = &b->o->build_args;

	for (size_t i = 0; i < args->len; i++) {
		stv_auto_free char *name =
			stv_xstrndup(args->v[i], strcspn(args->v[i], "="));

		if (stv_strs_has(&b->used_args, name) || is_special_arg(name))
			continue;
		if (strncmp(name, "BUILDKIT_", 9) == 0)
			stv_emitf(b->o->listener, STV_EV_WARNING,
				  "build argument '%s' has no effect here",
				  name);
		else
			stv_emitf(b->o->listener, STV_EV_WARNING,
				  "build argument '%s' is used by no ARG",
				  name);
	}
}

/* Must the layer be here, or can it be pushed from where it is? */
static bool
is_needed(const struct bld_build *b, const struct stv_digest *diff_id)
{
	const struct oci_descriptor *blob;

	if (!b->o->is_push_only || !bld_lazy_blob(b, diff_id, &blob) ||
	    strcmp(blob->media_type, OCI_MT_LAYER) == 0 ||
	    strcmp(blob->media_type, DOCKER_MT_LAYER) == 0)
		return true;
	for (size_t i = 0; i < b->o->n_pushes; i++)
		if (b->o->pushes[i].form->is_forced)
			return true;
	return false;
}

/* The layers of a target that its outputs need. */
static int
need_layers(struct bld_build *b, size_t target, const struct oci_config *c,
	    struct stv_err **err)
{
	struct bld_stage *st = b->stages.v[b->targets.v[target]];
	STV_VEC(struct stv_digest) needed = {0};
	int rc;

	for (size_t i = 0; b->lazy != NULL && i < c->n_diff_ids; i++)
		if (is_needed(b, &c->diff_ids[i]))
			*stv_vec_push(&needed) = c->diff_ids[i];
	rc = bld_lazy_need(st, NULL, needed.v, needed.len, err);
	stv_vec_fini(&needed);
	return rc;
}

/* What one target became. */
static int
finish_target(struct bld_build *b, size_t i, struct bld_result *ret,
	      struct stv_err **err)
{
	static const struct stv_strs no_tags;
	const struct bld_stage *st = b->stages.v[b->targets.v[i]];
	struct oci_config *c = oci_config_copy(st->config);

	ret->config = c;
	if (!b->o->is_cache_only && need_layers(b, i, c, err) < 0)
		return -1;
	if (!b->o->no_image &&
	    bld_image_finish(b, st,
			     b->o->n_targets > 0 ? &b->o->targets[i].tags
						 : &no_tags,
			     ret, err) < 0)
		return -1;
	ret->n_diff_ids = c->n_diff_ids;
	ret->diff_ids = stv_xcalloc(ret->n_diff_ids, sizeof(*ret->diff_ids));
	if (ret->n_diff_ids > 0)
		memcpy(ret->diff_ids, c->diff_ids,
		       ret->n_diff_ids * sizeof(*ret->diff_ids));
	ret->build_id = b->id == NULL ? NULL : stv_xstrdup(b->id);
	ret->n_executed = b->n_executed;
	return 0;
}

void
bld_keep_index(struct bld_build *b, struct bld_context *ctx)
{
	struct stv_err *e = NULL;

	if (ctx != NULL && bld_context_save(ctx, &e) < 0)
		stv_emitf(b->o->listener, STV_EV_WARNING,
			  "the context's index cannot be kept: %s",
			  stv_err_msg(e));
	stv_err_clear(&e);
}

static int
finish(struct bld_build *b, struct bld_result *ret, struct stv_err **err)
{
	struct stv_err *e = NULL;

	/* the file is the same for all platforms */
	if (b->o->part <= 1)
		warn_unused(b);
	bld_keep_index(b, b->context);
	bld_named_keep(b);
	if (cas_record_touch(b->o->store, b->touched.v, b->touched.len, &e) < 0)
		stv_err_clear(&e); /* only when they were used is not known */
	for (size_t i = 0; i < b->targets.len; i++)
		if (finish_target(b, i, &ret[i], err) < 0)
			return -1;
	if (bld_ship_images(b, ret, err) < 0)
		return -1;
	return bld_cache_export(b, ret, b->targets.len, err);
}

void
bld_build_fini(struct bld_build *b)
{
	bld_plan_fini(b);
	stv_vec_fini(&b->touched);
	bld_context_close(b->context);
	df_ignore_free(b->ignore);
	sbx_close(b->sbx);
	bld_redact_free(b->redact);
	stv_close_p(&b->wake_fd);
	stv_close_p(&b->log_dir);
	/* Logs are there where something ran. */
	if (b->id != NULL && b->n_executed == 0) {
		stv_auto_free char *path = stv_xasprintf("logs/%s", b->id);

		(void)unlinkat(cas_store_rootfd(b->o->store), path,
			       AT_REMOVEDIR);
	}
	bld_ship_free(b->ship);
	bld_lazy_free(b->lazy);
	bld_done_free(b->done);
	bld_journal_free(b->journal);
	free(b->file);
	free(b->context_name);
	free(b->place);
	free(b->id);
	stv_err_free(b->err);
	(void)pthread_cond_destroy(&b->changed);
	(void)pthread_mutex_destroy(&b->context_lock);
	(void)pthread_mutex_destroy(&b->lock);
}

void
bld_build_init(struct bld_build *b, const struct bld_opts *o)
{
	struct timespec now;

	*b = (struct bld_build){.o = o, .wake_fd = -1, .log_dir = -1};
	b->n_ids = o->n_ids != NULL ? *o->n_ids : 0;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	b->now_s = o->has_epoch ? o->epoch : now.tv_sec;
	b->now_ns = o->has_epoch ? 0 : (uint32_t)now.tv_nsec;
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_mutex_init(&b->context_lock, NULL);
	(void)pthread_cond_init(&b->changed, NULL);
	b->file = o->is_file_remote ? stv_xstrdup(o->file_name)
				    : absolute(o->file_name);
	b->context_name = absolute(o->context_path);
	b->place = stv_xasprintf("%s|%s|", b->file, b->context_name);
	b->journal = bld_journal_new();
	b->redact = bld_redact_new(o->secrets, o->n_secrets);
}

/* What --cache-from has spared us. */
static void
tell_fetched(struct bld_build *b)
{
	struct bld_fetched f;

	if (b->import == NULL)
		return;
	f = bld_import_fetched(b->import);
	stv_emitf(b->o->listener, STV_EV_NOTE,
		  "cache: %llu layers fetched, %llu bytes",
		  (unsigned long long)f.n_layers, (unsigned long long)f.bytes);
}

/* One attempt; all of it is undone by bld_build_fini(). */
static int
attempt(struct bld_build *b, struct bld_result *results, size_t n,
	struct stv_err **err)
{
	int r = 0;

	b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->wake_fd < 0)
		return stv_fail_errno(err, errno, "cannot make an eventfd");
	if (bld_plan(b, err) < 0 || bld_build_context(b, err) < 0 ||
	    open_logs(b, err) < 0)
		r = -1;
	if (r == 0) {
		emit_plan(b);
		r = bld_loop(b, err);
	}
	if (r == 0) {
		bld_lock(b);
		r = finish(b, results, err);
		tell_fetched(b);
		bld_unlock(b);
	}
	bld_journal_write(b, results, r == 0 ? n : 0);
	return r;
}

static void
clear_results(struct bld_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bld_result_fini(&results[i]);
}

int
bld_build(const struct bld_opts *o, struct bld_result *ret,
	  struct stv_err **err)
{
	stv_auto(bld_import) *import =
		o->n_cache_from > 0
			? bld_import_new(o->cache_from, o->n_cache_from)
			: NULL;
	size_t n = o->n_targets > 0 ? o->n_targets : 1;
	struct bld_result *results = stv_xcalloc(n, sizeof(*results));
	bool is_again;
	int r;

	do {
		struct bld_build b;

		bld_build_init(&b, o);
		b.import = import;
		b.lazy = import != NULL ? bld_lazy_new() : NULL;
		b.ship = o->n_pushes > 0 ? bld_ship_new(&b) : NULL;
		b.done = o->n_cache_to > 0 ? bld_done_new() : NULL;
		r = attempt(&b, results, n, err);
		/* A layer of a cache was not to be had: without it, then. */
		is_again = r < 0 && import != NULL &&
			   bld_import_take_lost(import) && b.cancel_signal == 0;
		if (!is_again && o->n_ids != NULL)
			*o->n_ids = b.n_ids;
		bld_build_fini(&b);
		if (r < 0)
			clear_results(results, n);
		if (is_again) {
			stv_emitf(o->listener, STV_EV_NOTE,
				  "cache: not every layer that is needed is "
				  "there: the build begins anew");
			stv_err_clear(err);
		}
	} while (is_again);
	for (size_t i = 0; r == 0 && i < n; i++)
		ret[i] = results[i];
	free(results);
	return r < 0 ? -1 : 0;
}
