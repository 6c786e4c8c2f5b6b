/*
 * cmd/cmd_prune.c - stave prune, and docker's "image prune" and "builder
 * prune": what may go goes.
 */
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/strs.h"

#include "cache/gc.h"
#include "cache/store.h"

#include "cmd/ctx.h"
#include "cmd/figures.h"
#include "cmd/filter.h"
#include "cmd/image.h"
#include "cmd/opts.h"
#include "cmd/verbs.h"

/* As long as somebody at a terminal waits without wondering. */
#define WAIT_MS 10000

struct prune_values {
	struct stv_strs filters;
	const char *keep;
	bool is_all;
	bool is_forced;
};

#define ALL(text) CMD_FLAG("all", 'a', struct prune_values, is_all, text)
#define FORCE                                                                  \
	CMD_FLAG("force", 'f', struct prune_values, is_forced,                 \
		 "do not ask for confirmation")
#define FILTER                                                                 \
	CMD_LIST("filter", 0, "until=TIME", struct prune_values, filters,      \
		 "only what was made or last used before that time")
#define KEEP                                                                   \
	CMD_STR("keep-storage", 0, "SIZE", struct prune_values, keep,          \
		"only until the store is not larger than that"),               \
		CMD_STR("max-used-space", 0, "SIZE", struct prune_values,      \
			keep, "the same"),                                     \
		CMD_LATER_STR("min-free-space", 0),                            \
		CMD_LATER_STR("reserved-space", 0)

static const struct cmd_opt all_opts[] = {
	ALL("all images and the whole cache, not only what nothing needs"),
	FILTER,
	FORCE,
	KEEP,
	CMD_OPT_END,
};

static const struct cmd_opt image_opts[] = {
	ALL("also images that have a name"),
	FILTER,
	FORCE,
	CMD_OPT_END,
};

static const struct cmd_opt cache_opts[] = {
	ALL("also the cache of what images are made of"),
	FILTER,
	FORCE,
	KEEP,
	CMD_LATER("verbose", 0),
	CMD_OPT_END,
};

/* Which of the three commands this is. */
enum what { IMAGES = 1, CACHE = 2 };

struct report {
	bool has_images; /* the heading was printed */
	bool has_cache;
};

static void
heading(bool *is_printed, const char *text)
{
	if (!*is_printed)
		puts(text);
	*is_printed = true;
}

static void
on_removed(void *arg, enum cas_gc_kind kind, const char *name, uint64_t size)
{
	struct report *r = arg;
	stv_auto_free char *tag = NULL;

	(void)size;
	switch (kind) {
	case CAS_GC_TAG:
		tag = cmd_tag_familiar(name);
		heading(&r->has_images, "Deleted Images:");
		printf("untagged: %s\n", tag);
		break;
	case CAS_GC_IMAGE:
		heading(&r->has_images, "Deleted Images:");
		printf("deleted: %s\n", name);
		break;
	case CAS_GC_LAYER:
		heading(&r->has_cache, "Deleted build cache objects:");
		printf("%s\n", name);
		break;
	case CAS_GC_CACHEMOUNT:
		heading(&r->has_cache, "Deleted build cache objects:");
		printf("cache mount %s\n", name);
		break;
	case CAS_GC_RECORD:
	case CAS_GC_SNAPSHOT:
		break;
	}
}

static int
fill(struct cas_gc_opts *g, const struct prune_values *o, unsigned what,
     struct stv_err **err)
{
	g->dangling_images = (what & IMAGES) != 0;
	g->all_images = (what & IMAGES) != 0 && o->is_all;
	g->cache = (what & CACHE) != 0;
	g->all_cache = (what & CACHE) != 0 && o->is_all;
	g->wait_ms = WAIT_MS;
	for (size_t i = 0; i < o->filters.len; i++) {
		const char *f = o->filters.v[i];

		if (strncmp(f, "until=", 6) != 0) {
			stv_fail(err, STV_E_USAGE,
				 "'%s' is no filter of this command", f);
			stv_err_hint(*err, "The only one is until=TIME, such "
					   "as until=24h.");
			return -1;
		}
		if (cmd_until_parse(f + 6, &g->until_s, err) < 0)
			return -1;
	}
	if (o->keep == NULL)
		return 0;
	/* only as much as the size demands, instead of all that may go */
	g->dangling_images = g->cache = false;
	return cmd_size_parse("--keep-storage", o->keep, &g->max_bytes, err);
}

static const char *
question(unsigned what, bool is_all)
{
	if (what == IMAGES)
		return is_all ? "WARNING! This will remove all images."
			      : "WARNING! This will remove all images without "
				"a name.";
	if (what == CACHE)
		return is_all ? "WARNING! This will remove all build cache."
			      : "WARNING! This will remove all build cache "
				"that no image has, and all cache mounts.";
	return is_all ? "WARNING! This will remove all images and all build "
			"cache."
		      : "WARNING! This will remove all images without a name "
			"and all build cache that no image has, and all "
			"cache mounts.";
}

static int
collect(struct cmd_ctx *cx, const struct cas_gc_opts *g, struct report *r,
	struct stv_err **err)
{
	stv_auto(cas_store) *store = NULL;
	struct cas_gc_result res = {0};
	char size[CMD_SIZE_MAX];
	int rc;

	if (cmd_store_open(cx, &store, err) < 0)
		return -1;
	rc = cas_gc(store, g, &res, err);
	if (rc < 0)
		return -1;
	if (rc == 1) {
		stv_fail(err, STV_E_IO, "builds are running in this store");
		stv_err_hint(*err, "Try again when they have ended; a build "
				   "also keeps the store's cap by itself.");
		return -1;
	}
	if (r->has_images || r->has_cache)
		putchar('\n');
	printf("Total reclaimed space: %s\n", cmd_size_str(res.bytes, 4, size));
	return CMD_DONE;
}

static int
prune(struct cmd_ctx *cx, const struct cmd_verb *verb, unsigned what, int argc,
      char **argv, struct stv_err **err)
{
	struct prune_values o = {0};
	struct cas_gc_opts g = {0};
	struct report r = {0};
	int n, rc;

	rc = cmd_opts_parse(cx, verb, argc, argv, &o, &n, err);
	if (rc == CMD_PARSED)
		rc = fill(&g, &o, what, err);
	else if (rc == CMD_PARSED_HELP)
		goto out;
	g.on_removed = on_removed;
	g.arg = &r;
	if (rc == 0 && cmd_confirm(question(what, o.is_all), o.is_forced))
		rc = collect(cx, &g, &r, err);
out:
	cmd_opts_fini(verb->opts, &o);
	return rc < 0 ? -1 : CMD_DONE;
}

static int
prune_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	return prune(cx, &cmd_verb_prune, IMAGES | CACHE, argc, argv, err);
}

static int
image_prune_run(struct cmd_ctx *cx, int argc, char **argv, struct stv_err **err)
{
	return prune(cx, &cmd_verb_image_prune, IMAGES, argc, argv, err);
}

static int
builder_prune_run(struct cmd_ctx *cx, int argc, char **argv,
		  struct stv_err **err)
{
	return prune(cx, &cmd_verb_builder_prune, CACHE, argc, argv, err);
}

const struct cmd_verb cmd_verb_prune = {
	.name = "prune",
	.args = "",
	.summary = "Remove unnamed images and the cache that no image has",
	.opts = all_opts,
	.run = prune_run,
};

const struct cmd_verb cmd_verb_image_prune = {
	.name = "image prune",
	.args = "",
	.summary = "Remove images without a name",
	.opts = image_opts,
	.run = image_prune_run,
};

const struct cmd_verb cmd_verb_builder_prune = {
	.name = "builder prune",
	.args = "",
	.summary = "Remove the build cache that no image has",
	.opts = cache_opts,
	.run = builder_prune_run,
};
