/* builder/add_git.c - repositories as sources of ADD. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/digest.h"
#include "core/err.h"
#include "core/mem.h"

#include "builder/add_git.h"
#include "builder/context.h"
#include "builder/copy_internal.h"
#include "builder/git.h"

struct bld_git_pick {
	struct cas_store *store; /* borrowed */
	struct bld_git_ref ref;
	struct bld_git_commit commit;
	bool keep_git_dir;
	struct bld_git_tree tree;
	struct bld_context *context; /* NULL: not fetched yet */
};

void
bld_git_pick_free(struct bld_git_pick *g)
{
	if (g == NULL)
		return;
	bld_context_close(g->context);
	bld_git_tree_fini(g->store, &g->tree);
	bld_git_commit_fini(&g->commit);
	bld_git_ref_fini(&g->ref);
	free(g);
}

/* Flags and URL may both say it, but not different things. */
static int
take_flags(const struct bld_copy_spec *s, struct bld_git_pick *g,
	   struct stv_err **err)
{
	const char *have = g->ref.checksum;

	if (s->has_keep_git_dir && g->ref.has_keep_git_dir &&
	    s->keep_git_dir != g->ref.keep_git_dir)
		return stv_fail(err, STV_E_CHECK,
				"--keep-git-dir and the URL's keep-git-dir "
				"differ");
	g->keep_git_dir =
		s->has_keep_git_dir ? s->keep_git_dir : g->ref.keep_git_dir;
	if (s->checksum == NULL)
		return 0;
	if (have != NULL && strcasecmp(have, s->checksum) != 0)
		return stv_fail(err, STV_E_CHECK,
				"--checksum and the URL's checksum differ: %s "
				"and %s",
				s->checksum, have);
	if (strlen(s->checksum) > 64 ||
	    s->checksum[strspn(s->checksum, "0123456789abcdefABCDEF")] !=
		    '\0') {
		stv_fail(err, STV_E_CHECK,
			 "invalid value '%s' of --checksum for a repository",
			 s->checksum);
		stv_err_hint(*err, "Of a repository it is the number of the "
				   "commit, in hexadecimal.");
		return -1;
	}
	if (have == NULL)
		g->ref.checksum = stv_xstrdup(s->checksum);
	return 0;
}

static void
add_pick(struct bld_copy_plan *p, struct bld_git_pick *g)
{
	*stv_vec_push(&p->picks) = (struct bld_pick){
		.kind = BLD_PICK_GIT,
		.path = stv_xstrdup(""),
		.base = stv_xstrdup(""),
		.fd = -1,
		.git = g,
		.first = p->items.len,
		.n = 1,
	};
	/* Until the files are there: a directory that nothing is in. */
	*stv_vec_push(&p->items) = (struct bld_item){
		.rel = stv_xstrdup(""),
		.e = {.type = LAY_DIR, .mode = 0755},
		.leader = NO_ITEM,
		.pick = p->picks.len - 1,
	};
}

int
bld_add_git(struct bld_copy_plan *p, const char *src, struct stv_err **err)
{
	struct bld_git_pick *g = stv_xcalloc(1, sizeof(*g));
	int rc;

	g->store = p->spec->store;
	g->tree.fd = -1;
	rc = bld_git_ref_parse(src, &g->ref, err);
	/* It stands in a Dockerfile, not on the command line. */
	if (rc < 0)
		stv_err_set_code(*err, STV_E_CHECK);
	/* That form may be a file of the context as well. */
	if (rc == 1 && g->ref.is_bare)
		rc = 0;
	if (rc == 1 && !p->spec->is_add) {
		rc = stv_fail(err, STV_E_CHECK,
			      "COPY cannot take the repository '%s'",
			      g->ref.shown);
		stv_err_hint(*err, "Use ADD for it.");
	}
	if (rc == 1 && (take_flags(p->spec, g, err) < 0 ||
			bld_git_resolve(&g->ref, &g->commit, err) < 0))
		rc = -1;
	if (rc == 1)
		add_pick(p, g);
	else
		bld_git_pick_free(g);
	return rc;
}

void
bld_git_pick_hash(const struct bld_git_pick *g, struct stv_hash *h)
{
	const char *subdir = g->ref.subdir == NULL ? "" : g->ref.subdir;
	/* A kept .git has the names of things in it, and the server's. */
	const char *ref =
		!g->keep_git_dir || g->commit.ref == NULL ? "" : g->commit.ref;
	const char *remote = g->keep_git_dir ? g->ref.remote : "";
	const uint8_t flags[] = {g->keep_git_dir, g->ref.skip_submodules,
				 g->ref.is_mtime_commit};

	stv_hash_add_field(h, g->commit.commit, strlen(g->commit.commit));
	stv_hash_add_field(h, subdir, strlen(subdir));
	stv_hash_add_field(h, ref, strlen(ref));
	stv_hash_add_field(h, remote, strlen(remote));
	stv_hash_add(h, flags, sizeof(flags));
}

struct bld_source *
bld_git_pick_source(const struct bld_git_pick *g)
{
	return bld_context_source(g->context);
}

static int
fetch(struct bld_git_pick *g, struct stv_err **err)
{
	struct bld_context_opts o = {
		.hides_git = !g->keep_git_dir,
		.has_mtime = g->ref.is_mtime_commit,
	};

	if (bld_git_checkout(g->store, &g->ref, &g->commit, g->keep_git_dir,
			     &g->tree, err) < 0)
		return -1;
	o.mtime_s = g->tree.time_s;
	return bld_context_open_fd(fcntl(g->tree.fd, F_DUPFD_CLOEXEC, 3),
				   g->ref.shown, &o, &g->context, err);
}

/* What a plan of its own selects becomes the items of pick number ${i}. */
static int
take_items(struct bld_copy_plan *p, size_t i, struct stv_err **err)
{
	struct bld_copy_spec spec = {
		.context = p->picks.v[i].git->context,
		.dest = "/",
		.excludes = p->spec->excludes, /* borrowed */
	};
	stv_auto(bld_copy_plan) *sub = NULL;
	size_t first = p->items.len;
	int rc;

	stv_strs_add(&spec.srcs, ".");
	rc = bld_copy_plan(&spec, &sub, err);
	stv_strs_clear(&spec.srcs);
	if (rc < 0)
		return -1;
	for (size_t k = 0; k < sub->items.len; k++) {
		struct bld_item *it = stv_vec_push(&p->items);

		*it = sub->items.v[k];
		it->pick = i;
		if (it->leader != NO_ITEM)
			it->leader += first;
	}
	p->picks.v[i].first = first;
	p->picks.v[i].n = sub->items.len;
	sub->items.len = 0; /* they have moved */
	return 0;
}

int
bld_add_git_checkout(struct bld_copy_plan *p, struct stv_err **err)
{
	for (size_t i = 0; i < p->picks.len; i++) {
		struct bld_git_pick *g = p->picks.v[i].git;

		if (g == NULL || g->context != NULL)
			continue;
		if (fetch(g, err) < 0 || take_items(p, i, err) < 0)
			return -1;
	}
	return 0;
}
