/* builder/git_checkout.c - fetching a commit and writing its files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/store.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/mem.h"
#include "core/strs.h"

#include "builder/git.h"
#include "builder/git_internal.h"
#include "builder/source.h"

/* A repository while its files are fetched. */
struct checkout {
	const struct bld_git_ref *r;
	const struct bld_git_commit *c;
	bool keep;
	bool has_submodules;
	int top;  /* holds "tree", and "git" unless that is kept */
	int tree; /* where git works */
};

/* git ARGS in the tree; its output in *ret (may be NULL). */
static int
run(struct checkout *k, const char *const *args, struct stv_buf *ret,
    struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs all = {0};

	stv_strs_add(&all, k->keep ? "--git-dir=.git" : "--git-dir=../git");
	stv_strs_add(&all, "--work-tree=.");
	for (size_t i = 0; args[i] != NULL; i++)
		stv_strs_add(&all, args[i]);
	return bld_git_run(k->r, k->tree, (const char *const *)all.v, ret, err);
}

#define RUN(k, ret, err, ...)                                                  \
	run(k, (const char *const[]){__VA_ARGS__, NULL}, ret, err)

static int
init(struct checkout *k, struct stv_err **err)
{
	const char *format = strlen(k->c->commit) == 64
				     ? "--object-format=sha256"
				     : "--object-format=sha1";

	if (RUN(k, NULL, err, "init", "-q", format) < 0)
		return -1;
	return RUN(k, NULL, err, "remote", "add", "origin", k->r->remote);
}

/* Words of a server that cannot give a part of its history (dumb http). */
static bool
lacks_depth(const struct stv_err *e)
{
	return strstr(stv_err_msg(e), "--depth") != NULL ||
	       strstr(stv_err_msg(e), "shallow") != NULL;
}

/* Words of one that gives only what it has a name for. */
static bool
lacks_commits(const struct stv_err *e)
{
	return strstr(stv_err_msg(e), "not our ref") != NULL ||
	       strstr(stv_err_msg(e), "unadvertised object") != NULL;
}

/* One thing of the server; without its history where that is possible. */
static int
fetch_one(struct checkout *k, const char *what, struct stv_err **err)
{
	if (RUN(k, NULL, err, "fetch", "-q", "-u", "--no-tags", "--force",
		"--depth=1", "--", "origin", what) == 0)
		return 0;
	if (!lacks_depth(*err))
		return -1;
	stv_err_clear(err);
	return RUN(k, NULL, err, "fetch", "-q", "-u", "--no-tags", "--force",
		   "--", "origin", what);
}

static int
fetch_commit(struct checkout *k, struct stv_err **err)
{
	if (fetch_one(k, k->c->object, err) == 0)
		return 0;
	if (!lacks_commits(*err))
		return -1;
	stv_err_clear(err);
	return RUN(k, NULL, err, "fetch", "-q", "--tags", "--", "origin");
}

/* Is the commit here, and is it what the server said a moment ago? */
static int
has_commit(struct checkout *k, struct stv_err **err)
{
	stv_auto_free char *what = stv_xasprintf("%s^{commit}", k->c->object);
	stv_auto_buf out = {0};
	struct stv_err *e = NULL;

	if (RUN(k, &out, &e, "rev-parse", "--verify", "-q", what) < 0) {
		bool is_gone = stv_err_code(e) == STV_E_NET;

		if (is_gone)
			stv_err_clear(&e);
		else
			*err = e;
		return is_gone ? 0 : -1;
	}
	return 1;
}

static int
fetch(struct checkout *k, struct stv_err **err)
{
	stv_auto_free char *spec = NULL;
	int rc;

	if (k->c->ref == NULL)
		return fetch_commit(k, err);
	spec = stv_xasprintf("+%s:%s", k->c->ref, k->c->ref);
	if (fetch_one(k, spec, err) < 0)
		return -1;
	rc = has_commit(k, err);
	/* It moved meanwhile. */
	return rc == 0 ? fetch_commit(k, err) : rc < 0 ? -1 : 0;
}

static int
check_out(struct checkout *k, struct stv_err **err)
{
	stv_auto_free char *what = stv_xasprintf("%s^{commit}", k->c->object);
	stv_auto_buf out = {0};
	size_t n;

	if (RUN(k, &out, err, "rev-parse", "--verify", what) < 0)
		return -1;
	n = strcspn(stv_buf_str(&out), "\n");
	stv_buf_truncate(&out, n);
	if (k->r->checksum != NULL &&
	    strncasecmp(stv_buf_str(&out), k->r->checksum,
			strlen(k->r->checksum)) != 0 &&
	    strncasecmp(k->c->object, k->r->checksum, strlen(k->r->checksum)) !=
		    0)
		return stv_fail(err, STV_E_DIGEST,
				"the repository '%s': expected checksum to "
				"match %s, got %s",
				k->r->shown, k->r->checksum, stv_buf_str(&out));
	return RUN(k, NULL, err, "checkout", "-q", "--force", "--detach",
		   stv_buf_str(&out), "--");
}

static int
update_submodules(struct checkout *k, struct stv_err **err)
{
	struct stat st;

	if (k->r->skip_submodules ||
	    fstatat(k->tree, ".gitmodules", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	k->has_submodules = true;
	return RUN(k, NULL, err, "submodule", "-q", "update", "--init",
		   "--recursive", "--force", "--depth=1");
}

/*
 * What is kept must be the same for the same commit: no times of this machine
 * in the index, no note of when it was fetched.
 */
static int
tidy(struct checkout *k, struct stv_err **err)
{
	static const char *const gone[] = {".git/index", ".git/FETCH_HEAD",
					   ".git/ORIG_HEAD", ".git/logs"};

	if (!k->keep)
		return 0;
	for (size_t i = 0; i < STV_ARRAY_LEN(gone); i++) {
		stv_auto_fd dir = stv_fsat_open_nolinks(
			k->tree, ".git", O_RDONLY | O_DIRECTORY, 0);

		if (dir < 0)
			return stv_fail_errno(err, errno, "cannot open .git");
		if (stv_fsat_remove_tree(dir, gone[i] + 5, err) < 0)
			return -1;
	}
	if (RUN(k, NULL, err, "read-tree", "HEAD") < 0)
		return -1;
	return k->has_submodules
		       ? RUN(k, NULL, err, "submodule", "-q", "foreach",
			     "--recursive", "git read-tree HEAD")
		       : 0;
}

static int
read_time(struct checkout *k, int64_t *ret, struct stv_err **err)
{
	stv_auto_buf out = {0};

	if (RUN(k, &out, err, "log", "-1", "--no-show-signature",
		"--format=%ct", "HEAD") < 0)
		return -1;
	*ret = strtoll(stv_buf_str(&out), NULL, 10);
	return 0;
}

/* Each part of the way is a directory of the repository, and no link. */
static int
enter(const struct checkout *k, int *ret, struct stv_err **err)
{
	stv_auto_free char *path =
		bld_path_clean(k->r->subdir == NULL ? "" : k->r->subdir);

	*ret = stv_fsat_open_nolinks(k->tree, *path == '\0' ? "." : path,
				     O_RDONLY | O_DIRECTORY, 0);
	if (*ret >= 0)
		return 0;
	stv_fail_errno_as(err, STV_E_INPUT, errno,
			  "the repository '%s' has no directory '%s'",
			  k->r->shown, path);
	if (errno == ELOOP)
		stv_err_hint(*err, "There is a symbolic link in it, which is "
				   "not followed; name the directory itself.");
	return -1;
}

static int
fill(struct checkout *k, struct bld_git_tree *t, struct stv_err **err)
{
	if (mkdirat(k->top, "tree", 0755) < 0)
		return stv_fail_errno(err, errno, "cannot make a directory");
	k->tree = openat(k->top, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->tree < 0)
		return stv_fail_errno(err, errno, "cannot open a directory");
	if (init(k, err) < 0 || fetch(k, err) < 0 || check_out(k, err) < 0 ||
	    read_time(k, &t->time_s, err) < 0 ||
	    update_submodules(k, err) < 0 || tidy(k, err) < 0)
		return -1;
	return enter(k, &t->fd, err);
}

int
bld_git_checkout(struct cas_store *store, const struct bld_git_ref *r,
		 const struct bld_git_commit *c, bool keep_git_dir,
		 struct bld_git_tree *ret, struct stv_err **err)
{
	stv_auto_free char *subdir =
		bld_path_clean(r->subdir == NULL ? "" : r->subdir);
	struct checkout k = {.r = r, .c = c, .top = -1, .tree = -1};
	struct bld_git_tree t = {.fd = -1};
	int rc;

	/* As BuildKit: below a subdirectory there is no .git to keep. */
	k.keep = keep_git_dir && *subdir == '\0';
	if (cas_store_tmpdir(store, &t.tmp, &k.top, err) < 0)
		return -1;
	rc = fill(&k, &t, err);
	stv_close_p(&k.tree);
	stv_close_p(&k.top);
	if (rc < 0)
		bld_git_tree_fini(store, &t);
	else
		*ret = t;
	return rc;
}

void
bld_git_tree_fini(struct cas_store *store, struct bld_git_tree *t)
{
	struct stv_err *ignored = NULL;

	stv_close_p(&t->fd);
	t->fd = -1;
	/* What stays goes with the process's directory. */
	if (t->tmp != NULL &&
	    stv_fsat_remove_tree(cas_store_rootfd(store), t->tmp, &ignored) < 0)
		stv_err_clear(&ignored);
	free(t->tmp);
	t->tmp = NULL;
}
