/*
 * builder/copy.h - COPY and ADD: from a context, a stage or an image into a
 * layer.
 *
 * In two parts.  The plan selects the sources and knows their digests; it does
 * not need to know what lies below, so that the cache can be asked first.  The
 * write makes the layer on top of what lies below:
 *
 *	bld_copy_plan(&spec, &plan, err);
 *	bld_copy_key(plan, &key);		part of the step's cache key
 *	... missed ...
 *	rc = bld_copy_write(plan, below, writer, err);
 *	if (rc == BLD_COPY_CHANGED)		somebody wrote to the context
 *		bld_copy_key(plan, &key);	the layer is right under this
 *	if (rc == BLD_COPY_STALE)		throw the writer away, plan anew
 *	bld_copy_plan_free(plan);
 */
#ifndef STAVE_BUILDER_COPY_H
#define STAVE_BUILDER_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/strs.h"

#include "builder/chmod.h"

struct bld_context; /* builder/context.h */
struct cas_store;   /* cache/store.h */
struct lay_view;    /* cache/toc.h */
struct lay_writer;  /* cache/layer.h */
struct reg_http;    /* registry/http.h */
struct stv_digest;  /* core/digest.h */
struct stv_err;	    /* core/err.h */

/* A here-document as a source: a file of mode 0644. */
struct bld_copy_inline {
	const char *name;
	const char *data;
	size_t len;
};

/* Which archives ADD unpacks. */
enum bld_unpack {
	BLD_UNPACK_LOCAL, /* those that do not come from a URL */
	BLD_UNPACK_NEVER, /* --unpack=false */
	BLD_UNPACK_ALL	  /* --unpack */
};

/*
 * What a COPY or ADD says.  Everything is expanded; all pointers are borrowed
 * as long as the plan lives.
 */
struct bld_copy_spec {
	bool is_add; /* URLs, and archives are unpacked */

	/* Where from: one of the two; with neither only inlines can be. */
	struct bld_context *context;
	struct lay_view *view;

	struct stv_strs srcs; /* as written, wildcards and URLs too */
	const struct bld_copy_inline *inlines; /* after ${srcs} */
	size_t n_inlines;

	const char *dest;    /* as written */
	const char *workdir; /* absolute; NULL: "/" */

	bool has_chown;
	uint32_t uid;
	uint32_t gid;
	bool has_chmod;
	struct bld_chmod chmod;

	bool is_parents; /* --parents: sources keep their directories */
	struct stv_strs excludes; /* --exclude: patterns below each source */
	enum bld_unpack unpack;
	/*
	 * --checksum, or NULL: of a URL "sha256:<hex>", of a repository a
	 * commit.  Then it is fetched when the layer is written, not when it
	 * is planned.
	 */
	const char *checksum;

	/*
	 * The time that made directories get, and SOURCE_DATE_EPOCH, to which
	 * the writer clamps (so that "the same as below" is seen).
	 */
	int64_t now_s;
	uint32_t now_ns;
	bool has_epoch;
	int64_t epoch;

	/*
	 * For ADD: room for downloads and archives, and who downloads (NULL: a
	 * session is opened where one is needed).
	 */
	struct cas_store *store;
	struct reg_http *http;

	bool has_keep_git_dir; /* --keep-git-dir, of a repository */
	bool keep_git_dir;
};

struct bld_copy_plan;

/*
 * bld_copy_plan(spec, ret, err): select the sources, read what of the context
 * changed, fetch the URLs.
 *
 * Owns:    *ret, bld_copy_plan_free().
 * Errors:  STV_E_INPUT: a source is missing (with the pattern that left it
 *          out), unreadable, a loop of links; STV_E_CHECK: several sources are
 *          no use, a URL in a COPY, a --checksum that cannot be; STV_E_SYNTAX:
 *          a malformed pattern; STV_E_NET and the like for a URL; STV_E_IO.
 */
int bld_copy_plan(const struct bld_copy_spec *spec, struct bld_copy_plan **ret,
		  struct stv_err **err);

/*
 * bld_copy_key(plan, ret): the digest of all inputs: destination, ownership
 * and mode rules, and of each source name, type, mode, link target, owner,
 * xattrs and content; never a time.  After a bld_copy_write() that returned
 * BLD_COPY_CHANGED it is that of what was written.
 */
void bld_copy_key(const struct bld_copy_plan *plan, struct stv_digest *ret);

/*
 * bld_copy_rules(spec, ret): the digest of what the key has besides the files:
 * destination, ownership and mode rules.
 */
void bld_copy_rules(const struct bld_copy_spec *spec, struct stv_digest *ret);

/* bld_copy_plan_len(plan): number of entries selected, for people. */
size_t bld_copy_plan_len(const struct bld_copy_plan *plan);

enum bld_copy_result {
	BLD_COPY_SAME = 0,    /* the layer is what the key says */
	BLD_COPY_CHANGED = 1, /* it is right, but under a new key */
	BLD_COPY_STALE = 2 /* a file went or shrank: write nothing, plan anew */
};

/*
 * bld_copy_write(plan, below, w, err): put the entries that differ from what
 * is in ${below} (NULL: nothing is below) into ${w}, in order.
 *
 * Returns: an enum bld_copy_result, or -1.
 * Errors:  STV_E_INPUT: what a destination cannot take (a directory over a
 *          file, a file over a directory, a loop of links), a hostile or
 *          truncated archive; STV_E_DIGEST: not what --checksum says;
 *          STV_E_LIMIT; STV_E_IO.
 */
int bld_copy_write(struct bld_copy_plan *plan, struct lay_view *below,
		   struct lay_writer *w, struct stv_err **err);

/*
 * bld_view_digest(view, path, ret, err): as bld_context_digest(), of a chain of
 * layers.  For RUN --mount=type=bind,from=.
 * Errors: STV_E_INPUT (not there), STV_E_IO.
 */
int bld_view_digest(struct lay_view *view, const char *path,
		    struct stv_digest *ret, struct stv_err **err);

/* bld_copy_plan_free(plan): NULL is ok. */
void bld_copy_plan_free(struct bld_copy_plan *plan);

/*
 * bld_copy_mkdir(below, path, uid, gid, mode, times, w, err): what
 * WORKDIR does: make the directories of ${path} (any form;
 * links followed inside the root) that are not there.
 * Returns: the number of entries written, or -1.
 */
int bld_copy_mkdir(struct lay_view *below, const char *path, uint32_t uid,
		   uint32_t gid, uint32_t mode,
		   const struct bld_copy_spec *times, struct lay_writer *w,
		   struct stv_err **err);

STV_DEFINE_CLEANUP(bld_copy_plan, bld_copy_plan_free);

#endif /* STAVE_BUILDER_COPY_H */
