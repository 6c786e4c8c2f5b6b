/* builder/git.c - files from a git repository. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/store.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/strs.h"

#include "builder/git.h"
#include "builder/git_internal.h"
#include "builder/source.h"

static void
set_id(char to[BLD_COMMIT_MAX], const char *id)
{
	if (strlen(id) < BLD_COMMIT_MAX)
		memcpy(to, id, strlen(id) + 1);
}

/* --- which commit ------------------------------------------------------ */

/* One line of ls-remote: "<id>\t<name>". */
struct line {
	char id[BLD_COMMIT_MAX];
	const char *name; /* NUL behind it */
};

/* The next line of ${text}, which is cut up; false at the end. */
static bool
next_line(char **text, struct line *ret)
{
	while (**text != '\0') {
		char *at = *text, *end = strchrnul(at, '\n'), *tab;

		*text = *end == '\0' ? end : end + 1;
		*end = '\0';
		tab = strchr(at, '\t');
		if (tab == NULL)
			continue;
		*tab = '\0';
		ret->name = tab + 1;
		if (!bld_git_is_commit(at) && strncmp(at, "ref: ", 5) != 0)
			continue;
		ret->id[0] = '\0';
		if (bld_git_is_commit(at))
			set_id(ret->id, at);
		else
			ret->name = at + 5;
		return true;
	}
	return false;
}

/* A server's names go into command lines of ours. */
static bool
is_plain_ref(const char *name)
{
	return strncmp(name, "refs/", 5) == 0 &&
	       strpbrk(name, " ~^:?*[\\") == NULL &&
	       strstr(name, "..") == NULL && strlen(name) <= STV_MAX_PATH;
}

static int
no_ref(const struct bld_git_ref *r, struct stv_err **err)
{
	if (r->ref == NULL)
		return stv_fail(err, STV_E_INPUT,
				"the repository '%s' has no default branch",
				r->shown);
	stv_fail(err, STV_E_INPUT,
		 "the repository '%s' does not contain ref %s", r->shown,
		 r->ref);
	if (r->ref[strspn(r->ref, "0123456789abcdefABCDEF")] == '\0' &&
	    strlen(r->ref) >= 7)
		stv_err_hint(*err, "A commit has to be given with all of its "
				   "40 digits.");
	return -1;
}

/* The branch that HEAD is. */
static int
resolve_head(const struct bld_git_ref *r, struct bld_git_commit *c,
	     struct stv_err **err)
{
	const char *const args[] = {"ls-remote", "--symref", "--",
				    r->remote,	 "HEAD",     NULL};
	stv_auto_buf out = {0};
	char *text;
	struct line l;

	if (bld_git_run(r, -1, args, &out, err) < 0)
		return -1;
	text = out.data;
	while (text != NULL && next_line(&text, &l)) {
		if (l.id[0] != '\0' && strcmp(l.name, "HEAD") == 0) {
			set_id(c->commit, l.id);
			set_id(c->object, l.id);
		} else if (l.id[0] == '\0' && c->ref == NULL &&
			   is_plain_ref(l.name)) {
			c->ref = stv_xstrdup(l.name);
		}
	}
	return c->ref == NULL || c->commit[0] == '\0' ? no_ref(r, err) : 0;
}

/* The names that ${ref} may be short for, the best one first. */
enum { AS_IT_IS, AS_BRANCH, AS_TAG, N_NAMES };

static void
take_names(char *text, char *const names[N_NAMES], struct line found[N_NAMES],
	   char peeled[BLD_COMMIT_MAX])
{
	struct line l;

	while (text != NULL && next_line(&text, &l)) {
		size_t n = strlen(names[AS_TAG]);

		for (int i = 0; i < N_NAMES; i++)
			if (strcmp(l.name, names[i]) == 0)
				set_id(found[i].id, l.id);
		if (strncmp(l.name, names[AS_TAG], n) == 0 &&
		    strcmp(l.name + n, "^{}") == 0)
			set_id(peeled, l.id);
	}
}

static const char *
behind(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : s;
}

/* git-checkout prefers branches in case of ambiguity. */
static int
resolve_name(const struct bld_git_ref *r, struct bld_git_commit *c,
	     struct stv_err **err)
{
	stv_auto_free char *peel = stv_xasprintf("%s^{}", r->ref);
	const char *const args[] = {"ls-remote", "--", r->remote,
				    r->ref,	 peel, NULL};
	char *names[N_NAMES] = {
		stv_xasprintf("refs/%s", behind(r->ref, "refs/")),
		stv_xasprintf("refs/heads/%s", behind(r->ref, "refs/heads/")),
		stv_xasprintf("refs/tags/%s", behind(r->ref, "refs/tags/")),
	};
	struct line found[N_NAMES] = {{{0}, NULL}};
	char peeled[BLD_COMMIT_MAX] = "";
	stv_auto_buf out = {0};
	int rc = bld_git_run(r, -1, args, &out, err), i = 0;

	if (rc == 0)
		take_names(out.data, names, found, peeled);
	while (i < N_NAMES && found[i].id[0] == '\0')
		i++;
	if (rc == 0 && i == N_NAMES) {
		rc = no_ref(r, err);
	} else if (rc == 0) {
		bool is_tag = strcmp(names[i], names[AS_TAG]) == 0;

		c->ref = stv_xstrdup(names[i]);
		set_id(c->object, found[i].id);
		set_id(c->commit,
		       is_tag && peeled[0] != '\0' ? peeled : found[i].id);
	}
	for (i = 0; i < N_NAMES; i++)
		free(names[i]);
	return rc;
}

static bool
begins_with(const char *id, const char *checksum)
{
	return strncasecmp(id, checksum, strlen(checksum)) == 0;
}

static int
check_commit(const struct bld_git_ref *r, const struct bld_git_commit *c,
	     struct stv_err **err)
{
	if (r->checksum == NULL || begins_with(c->commit, r->checksum) ||
	    begins_with(c->object, r->checksum))
		return 0;
	return stv_fail(err, STV_E_DIGEST,
			"the repository '%s': expected checksum to match %s, "
			"got %s",
			r->shown, r->checksum, c->commit);
}

int
bld_git_resolve(const struct bld_git_ref *r, struct bld_git_commit *ret,
		struct stv_err **err)
{
	struct bld_git_commit c = {.ref = NULL};
	const char *id = r->ref;
	int rc = 0;

	if (r->fetch_by_commit && r->checksum != NULL &&
	    bld_git_is_commit(r->checksum))
		id = r->checksum;
	if (id != NULL && bld_git_is_commit(id)) {
		set_id(c.commit, id);
		set_id(c.object, id);
	} else {
		rc = id == NULL ? resolve_head(r, &c, err)
				: resolve_name(r, &c, err);
	}
	if (rc == 0)
		rc = check_commit(r, &c, err);
	if (rc == 0)
		*ret = c;
	else
		bld_git_commit_fini(&c);
	return rc;
}

void
bld_git_commit_fini(struct bld_git_commit *c)
{
	free(c->ref);
	*c = (struct bld_git_commit){.ref = NULL};
}
