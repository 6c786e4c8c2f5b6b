/* registry/conf.c - where a repository is, and which one a short name means. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/strs.h"
#include "core/vec.h"

#include "registry/ref.h"

#include "registry/conf.h"
#include "registry/conf_internal.h"

#define HUB_HOST "registry-1.docker.io"

/* How much of ${name} ("host/path") the prefix stands for; 0: no match. */
static size_t
match(const char *name, const char *prefix)
{
	size_t n = strlen(prefix), host = strcspn(name, "/");
	const char *at = name;

	if (prefix[0] != '*')
		return strncmp(name, prefix, n) == 0 &&
				       (name[n] == '/' || name[n] == '\0')
			       ? n
			       : 0;
	/* ".host" anywhere in the host, which does not begin with a dot. */
	for (n--; (at = strstr(at, prefix + 1)) != NULL; at++) {
		if ((size_t)(at - name) >= host)
			return 0;
		if (at[n] == '/' || at[n] == '\0')
			return (size_t)(at - name) + n;
	}
	return 0;
}

static const struct reg_entry *
find_entry(const struct reg_conf *c, const char *name, size_t *ret_n)
{
	const struct reg_entry *best = NULL;

	for (size_t i = 0; i < c->entries.len; i++) {
		const struct reg_entry *e = &c->entries.v[i];
		size_t n = match(name, e->prefix);

		if (n == 0 ||
		    (best != NULL && strlen(e->prefix) <= strlen(best->prefix)))
			continue;
		best = e;
		*ret_n = n;
	}
	return best;
}

bool
reg_conf_is_loopback(const char *host)
{
	const char *bracket = strchr(host, ']');
	size_t n = bracket != NULL ? (size_t)(bracket - host) + 1
				   : strcspn(host, ":");
	stv_auto_free char *name = stv_xstrndup(host, n);
	struct in_addr v4;

	if (strcasecmp(name, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, name, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (name[0] == '[') {
		struct in6_addr v6;

		name[n - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &v6) == 1 &&
		       IN6_IS_ADDR_LOOPBACK(&v6);
	}
	return false;
}

static void
push_endpoint(struct reg_endpoints *eps, const char *domain, const char *path,
	      bool is_insecure, bool is_mirror)
{
	struct reg_endpoint *ep = stv_vec_push(eps);
	bool is_hub = strcmp(domain, REG_DEFAULT_DOMAIN) == 0;

	ep->domain = stv_xstrdup(domain);
	ep->host = stv_xstrdup(is_hub ? HUB_HOST : domain);
	ep->path = stv_xstrdup(path);
	ep->is_insecure = is_insecure;
	ep->is_http_ok = is_insecure || reg_conf_is_loopback(domain);
	ep->is_mirror = is_mirror;
}

/* ${l} with ${rest} of a name behind it. */
static int
push_location(struct reg_endpoints *eps, const struct reg_entry *e,
	      const struct reg_location *l, const char *rest, bool is_mirror,
	      struct stv_err **err)
{
	stv_auto_free char *text = stv_xasprintf("%s%s", l->location, rest);
	struct stv_err *why = NULL;
	reg_auto_ref r = {0};

	if (strchr(text, '/') == NULL)
		return stv_fail(err, STV_E_INPUT,
				"%s: the location '%s' of the prefix '%s' has "
				"no path",
				e->file, l->location, e->prefix);
	if (reg_ref_parse(text, &r, &why) < 0) {
		stv_fail(err, STV_E_INPUT, "%s: the prefix '%s': %s", e->file,
			 e->prefix, stv_err_msg(why));
		stv_err_free(why);
		return -1;
	}
	push_endpoint(eps, r.domain, r.path, l->is_insecure, is_mirror);
	return 0;
}

static bool
is_used(const struct reg_entry *e, const struct reg_location *mirror,
	bool has_digest)
{
	if (e->is_by_digest_only && !has_digest)
		return false;
	switch (mirror->use) {
	case REG_MIRROR_DIGEST:
		return has_digest;
	case REG_MIRROR_TAG:
		return !has_digest;
	case REG_MIRROR_ALL:
		break;
	}
	return true;
}

/* All places of an entry to pull from. */
static int
push_all(struct reg_endpoints *eps, const struct reg_entry *e,
	 const struct reg_ref *ref, const char *rest, bool has_digest,
	 struct stv_err **err)
{
	for (size_t i = 0; i < e->mirrors.len; i++)
		if (is_used(e, &e->mirrors.v[i], has_digest) &&
		    push_location(eps, e, &e->mirrors.v[i], rest, true, err) <
			    0)
			return -1;
	if (e->self.location != NULL)
		return push_location(eps, e, &e->self, rest, false, err);
	push_endpoint(eps, ref->domain, ref->path, e->self.is_insecure, false);
	return 0;
}

int
reg_conf_endpoints(const struct reg_conf *c, const struct reg_ref *ref,
		   bool is_for_push, bool has_digest, struct reg_endpoints *ret,
		   struct stv_err **err)
{
	stv_auto_free char *name =
		stv_xasprintf("%s/%s", ref->domain, ref->path);
	size_t n = 0;
	const struct reg_entry *e = find_entry(c, name, &n);
	reg_auto_endpoints eps = {0};

	if (e != NULL && e->is_blocked)
		return stv_fail(err, STV_E_USAGE,
				"'%s' is blocked: %s says so of '%s'", name,
				e->file, e->prefix);
	if (e == NULL || is_for_push)
		push_endpoint(&eps, ref->domain, ref->path,
			      e != NULL && e->self.is_insecure, false);
	else if (push_all(&eps, e, ref, name + n, has_digest, err) < 0)
		return -1;
	*ret = eps;
	eps = (struct reg_endpoints){0};
	return 0;
}

void
reg_endpoints_fini(struct reg_endpoints *e)
{
	for (size_t i = 0; i < e->len; i++) {
		free(e->v[i].domain);
		free(e->v[i].host);
		free(e->v[i].path);
	}
	stv_vec_fini(e);
}

/* Append the normal form of "${prefix}${text}". */
static int
add_name(const char *prefix, const char *text, struct stv_strs *ret,
	 struct stv_err **err)
{
	stv_auto_free char *whole = stv_xasprintf("%s%s", prefix, text);
	reg_auto_ref r = {0};

	if (reg_ref_parse(whole, &r, err) < 0)
		return -1;
	stv_strs_take(ret, reg_ref_str(&r));
	return 0;
}

/* Where tag and digest begin. */
static size_t
name_len(const char *text)
{
	size_t n = strcspn(text, "@");

	for (size_t i = n; i > 0 && text[i - 1] != '/'; i--)
		if (text[i - 1] == ':')
			return i - 1;
	return n;
}

int
reg_conf_short_name(const struct reg_conf *c, const char *text,
		    struct stv_strs *ret, struct stv_err **err)
{
	size_t n = name_len(text);
	stv_auto_free char *name = stv_xstrndup(text, n);
	const char *alias = strchr(name, '=') == NULL
				    ? stv_env_get(&c->aliases, name)
				    : NULL;
	struct stv_strs found = {0};
	int rc = 0;

	if (reg_conf_has_registry(text))
		return add_name("", text, ret, err);
	if (alias != NULL && *alias != '\0')
		return add_name(alias, text + n, ret, err);
	if (c->search.len == 0)
		return add_name("", text, ret, err);
	for (size_t i = 0; rc == 0 && i < c->search.len; i++) {
		stv_auto_free char *prefix =
			stv_xasprintf("%s/", c->search.v[i]);

		rc = add_name(prefix, text, &found, err);
	}
	if (rc == 0 && c->is_enforcing && found.len > 1) {
		rc = stv_fail(err, STV_E_USAGE,
			      "'%s' could be on any of %zu registries, and "
			      "short-name-mode is 'enforcing'",
			      text, found.len);
		stv_err_hint(*err, "Write the whole name, such as '%s'.",
			     found.v[0]);
	}
	if (rc == 0)
		stv_strs_copy(ret, &found);
	stv_strs_clear(&found);
	return rc;
}

const struct stv_strs *
reg_conf_credential_helpers(const struct reg_conf *c)
{
	return &c->helpers;
}
