/* builder/git_query.c - what stands behind '#' and '?' of a repository. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/bool.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"

#include "builder/git_internal.h"

int
bld_git_ref_wrong(struct stv_err **err, const struct bld_git_ref *r,
		  const char *fmt, ...)
{
	stv_auto_buf text = STV_BUF_INIT((size_t)1024);
	stv_auto_free char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = stv_xvasprintf(fmt, ap);
	va_end(ap);
	stv_buf_add_escaped(&text, what, strlen(what));
	return stv_fail(err, STV_E_USAGE, "the repository '%s': %s", r->shown,
			stv_buf_str(&text));
}

/* Give *${to} a value, unless it has another one. */
static int
set(struct bld_git_ref *r, const char *what, char **to, const char *value,
    struct stv_err **err)
{
	if (*to != NULL && strcmp(*to, value) != 0)
		return bld_git_ref_wrong(err, r,
					 "%s conflicts: \"%s\" vs \"%s\"", what,
					 *to, value);
	if (*to == NULL)
		*to = stv_xstrdup(value);
	return 0;
}

int
bld_git_ref_fragment(struct bld_git_ref *r, const char *fragment,
		     struct stv_err **err)
{
	size_t n = strcspn(fragment, ":");
	stv_auto_free char *ref = stv_xstrndup(fragment, n);

	if (n > 0 && set(r, "ref", &r->ref, ref, err) < 0)
		return -1;
	if (fragment[n] == ':' && fragment[n + 1] != '\0')
		r->subdir = stv_xstrdup(fragment + n + 1);
	return 0;
}

/* Nothing at all is yes. */
static int
take_bool(const struct bld_git_ref *r, const char *name, const char *value,
	  bool *ret, struct stv_err **err)
{
	int is = *value == '\0' ? 1 : stv_bool_parse(value, strlen(value));

	*ret = is == 1;
	if (is >= 0)
		return 0;
	return bld_git_ref_wrong(err, r, "invalid %s value: \"%s\"", name,
				 value);
}

/* "refs/tags/NAME" of NAME, unless it is that already. */
static char *
full_ref(const char *prefix, const char *name)
{
	return strncmp(name, prefix, strlen(prefix)) == 0
		       ? stv_xstrdup(name)
		       : stv_xasprintf("%s%s", prefix, name);
}

/* What is decided when all of the query was seen. */
struct pending {
	char *tag, *branch;
};

static int
take_text(struct bld_git_ref *r, struct pending *p, const char *key,
	  const char *value, struct stv_err **err)
{
	if (strcmp(key, "ref") == 0)
		return set(r, key, &r->ref, value, err);
	if (strcmp(key, "subdir") == 0)
		return set(r, key, &r->subdir, value, err);
	if (strcmp(key, "checksum") == 0 || strcmp(key, "commit") == 0)
		return set(r, "checksum", &r->checksum, value, err);
	if (strcmp(key, "tag") == 0) {
		p->tag = full_ref("refs/tags/", value);
		return 0;
	}
	if (strcmp(key, "branch") == 0) {
		p->branch = full_ref("refs/heads/", value);
		return 0;
	}
	if (strcmp(key, "mtime") != 0)
		return bld_git_ref_wrong(err, r, "unexpected query \"%s\"",
					 key);
	r->is_mtime_commit = strcmp(value, "commit") == 0;
	if (!r->is_mtime_commit && strcmp(value, "checkout") != 0)
		return bld_git_ref_wrong(err, r, "invalid mtime value: \"%s\"",
					 value);
	return 0;
}

static int
take_pair(struct bld_git_ref *r, struct pending *p, const char *key,
	  const char *value, struct stv_err **err)
{
	bool on;

	if (strcmp(key, "keep-git-dir") == 0) {
		r->has_keep_git_dir = true;
		return take_bool(r, key, value, &r->keep_git_dir, err);
	}
	if (strcmp(key, "fetch-by-commit") == 0)
		return take_bool(r, key, value, &r->fetch_by_commit, err);
	if (strcmp(key, "submodules") == 0) {
		if (take_bool(r, key, value, &on, err) < 0)
			return -1;
		r->skip_submodules = !on;
		return 0;
	}
	if (*value == '\0')
		return bld_git_ref_wrong(err, r, "query \"%s\" has no value",
					 key);
	return take_text(r, p, key, value, err);
}

static int
take_pairs(struct bld_git_ref *r, struct pending *p, const char *query,
	   struct stv_err **err)
{
	STV_CLEANUP(stv_strs_clear) struct stv_strs seen = {0};

	while (*query != '\0') {
		size_t n = strcspn(query, "&"), k = strcspn(query, "=&");
		size_t skip = k < n ? k + 1 : n;
		stv_auto_free char *key = bld_git_decode(query, k, true);
		stv_auto_free char *value =
			bld_git_decode(query + skip, n - skip, true);

		query += n + (query[n] == '&');
		if (n == 0)
			continue;
		if (key == NULL || value == NULL)
			return bld_git_ref_wrong(err, r,
						 "the query is malformed");
		if (stv_strs_has(&seen, key))
			return bld_git_ref_wrong(
				err, r, "query \"%s\" has multiple values",
				key);
		stv_strs_add(&seen, key);
		if (take_pair(r, p, key, value, err) < 0)
			return -1;
	}
	return 0;
}

int
bld_git_ref_query(struct bld_git_ref *r, const char *query,
		  struct stv_err **err)
{
	struct pending p = {0};
	int rc = take_pairs(r, &p, query, err);

	if (rc == 0 && p.tag != NULL && p.branch != NULL)
		rc = bld_git_ref_wrong(err, r, "branch conflicts with tag");
	if (rc == 0 && p.tag != NULL)
		rc = set(r, "ref", &r->ref, p.tag, err);
	if (rc == 0 && p.branch != NULL)
		rc = set(r, "ref", &r->ref, p.branch, err);
	free(p.tag);
	free(p.branch);
	return rc;
}
