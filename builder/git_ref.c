/* builder/git_ref.c - what names a git repository, and what of it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"
#include "registry/http.h"

#include "builder/git_internal.h"

/* The parts of a URL, as written. */
struct parts {
	const char *scheme; /* lower case */
	char *base;	    /* up to query and fragment */
	char *path;	    /* of ${base}, decoded */
	char *query;	    /* NULL: none */
	char *fragment;	    /* decoded; NULL: none */
};

static void
parts_fini(struct parts *p)
{
	free(p->base);
	free(p->path);
	free(p->query);
	free(p->fragment);
}

static int
hex_value(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	if (!isxdigit((unsigned char)c))
		return -1;
	return tolower((unsigned char)c) - 'a' + 10;
}

char *
bld_git_decode(const char *s, size_t n, bool is_query)
{
	char *out = stv_xmalloc(n + 1), *p = out;

	for (size_t i = 0; i < n; i++) {
		int high, low;

		if (s[i] != '%') {
			*p++ = s[i] == '+' && is_query ? ' ' : s[i];
			continue;
		}
		high = i + 2 < n ? hex_value(s[i + 1]) : -1;
		low = high < 0 ? -1 : hex_value(s[i + 2]);
		if (low < 0 || (high == 0 && low == 0)) {
			free(out);
			return NULL;
		}
		*p++ = (char)(high * 16 + low);
		i += 2;
	}
	*p = '\0';
	return out;
}

bool
bld_git_is_commit(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return s[n] == '\0' && (n == 40 || n == 64);
}

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* "NAME://", where NAME is one that git has and that is no danger; else NULL */
static const char *
scheme_of(const char *text)
{
	static const char *const all[] = {"http", "https", "ssh", "git"};

	for (size_t i = 0; i < STV_ARRAY_LEN(all); i++) {
		size_t n = strlen(all[i]);

		if (strncasecmp(text, all[i], n) == 0 &&
		    strncmp(text + n, "://", 3) == 0)
			return all[i];
	}
	return NULL;
}

static bool
has_any_scheme(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]))
		n++;
	return n > 0 && strncmp(text + n, "://", 3) == 0;
}

/* Cut query and fragment off; false where it is no URL. */
static bool
split_tail(const char *text, struct parts *p)
{
	const char *hash = strchr(text, '#');
	size_t n = hash == NULL ? strlen(text) : (size_t)(hash - text);
	const char *mark = memchr(text, '?', n);

	if (hash != NULL) {
		p->fragment = bld_git_decode(hash + 1, strlen(hash + 1), false);
		if (p->fragment == NULL)
			return false;
	}
	if (mark != NULL) {
		p->query =
			stv_xstrndup(mark + 1, n - (size_t)(mark - text) - 1);
		n = (size_t)(mark - text);
	}
	p->base = stv_xstrndup(text, n);
	return true;
}

/* The port, if there is one, is a number. */
static bool
is_authority(const char *s, size_t n)
{
	const char *at = memrchr(s, '@', n);
	const char *host = at == NULL ? s : at + 1;
	size_t len = n - (size_t)(host - s);
	const char *colon =
		len > 0 && host[0] == '[' ? memrchr(host, ']', len) : host;

	if (len == 0 || host[0] == '-' || colon == NULL || *s == '-')
		return false;
	colon = memchr(colon, ':', (size_t)(host + len - colon));
	if (colon == NULL)
		return true;
	for (const char *p = colon + 1; p < host + len; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	return true;
}

/* scheme://authority/path; false where it is no URL. */
static bool
split_url(const char *text, struct parts *p)
{
	const char *host;
	size_t n;

	if (!split_tail(text, p))
		return false;
	host = p->base + strlen(p->scheme) + 3;
	n = strcspn(host, "/");
	p->path = bld_git_decode(host + n, strlen(host + n), false);
	return p->path != NULL && is_authority(host, n);
}

/*
 * [user@]host:path, as scp has it; false where it is something else.  What a
 * URL could begin with ("word:") is taken for one, and so is none of these.
 */
static bool
split_scp(const char *text, struct parts *p)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t user = strspn(text, word), host, n;

	while (text[user] == '_')
		user += 1 + strspn(text + user + 1, word);
	n = user > 0 && text[user] == '@' ? user + 1 : 0;
	host = strspn(text + n, word);
	while (text[n + host] == '.')
		host += 1 + strspn(text + n + host + 1, word);
	if (host == 0 || text[n + host] != ':' || text[n] == '-' ||
	    text[0] == '-')
		return false;
	if (n == 0 && isalpha((unsigned char)text[0]))
		return false;
	/* To git "x::y" and "x://y" are transports of their own. */
	if (text[n + host + 1] == ':' ||
	    strncmp(text + n + host + 1, "//", 2) == 0 || !split_tail(text, p))
		return false;
	p->scheme = "ssh";
	p->path = stv_xstrdup(p->base + n + host + 1);
	return true;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* Is it a repository at all?  *ret holds the parts. */
static bool
split(const char *text, struct parts *p, bool *is_bare)
{
	stv_auto_free char *whole = NULL;

	*is_bare = strncmp(text, "github.com/", 11) == 0;
	if (*is_bare) {
		whole = stv_xasprintf("https://%s", text);
		p->scheme = "https";
		return split_url(whole, p);
	}
	if (strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0)
		return false;
	p->scheme = scheme_of(text);
	if (p->scheme == NULL)
		return !has_any_scheme(text) && split_scp(text, p);
	if (!split_url(text, p))
		return false;
	return strncmp(p->scheme, "http", 4) != 0 || ends_with(p->path, ".git");
}

/* --- what git gets to see ---------------------------------------------- */

/* A name that git's own rules for refs allow, as far as we depend on them. */
static int
check_ref(const struct bld_git_ref *r, struct stv_err **err)
{
	const char *s = r->ref;

	if (s == NULL)
		return 0;
	if (*s == '-' || *s == '/' || has_control(s) ||
	    strpbrk(s, " ~^:?*[\\") != NULL || strstr(s, "..") != NULL ||
	    strstr(s, "@{") != NULL || strlen(s) > STV_MAX_PATH)
		return bld_git_ref_wrong(err, r, "invalid git ref \"%s\"", s);
	return 0;
}

static int
check_checksum(const struct bld_git_ref *r, struct stv_err **err)
{
	const char *s = r->checksum;

	if (s == NULL)
		return 0;
	if (s[strspn(s, "0123456789abcdefABCDEF")] != '\0' || strlen(s) > 64)
		return bld_git_ref_wrong(
			err, r, "invalid checksum %s, expected hex commit hash",
			s);
	return 0;
}

/* git reads user and password in lines. */
static int
check_userinfo(const struct bld_git_ref *r, struct stv_err **err)
{
	const char *s = r->userinfo == NULL ? "" : r->userinfo;
	stv_auto_free char *plain = bld_git_decode(s, strlen(s), false);

	if (plain == NULL || has_control(plain))
		return bld_git_ref_wrong(err, r,
					 "user or password are malformed");
	return 0;
}

/* Password and user of an http URL never stand on a command line. */
static void
take_remote(struct bld_git_ref *r, const struct parts *p)
{
	const char *host, *at;
	size_t n = strlen(p->scheme);

	r->remote = stv_xstrdup(p->base);
	/* Of the form "host:path" the scheme is only meant. */
	if (strlen(p->base) < n || strncmp(p->base + n, "://", 3) != 0)
		return;
	memcpy(r->remote, p->scheme, n); /* git knows lower case only */
	host = p->base + n + 3;
	at = memrchr(host, '@', strcspn(host, "/"));
	if (at == NULL || strncmp(p->scheme, "http", 4) != 0)
		return;
	r->userinfo = stv_xstrndup(host, (size_t)(at - host));
	free(r->remote);
	r->remote = stv_xasprintf("%s://%s", p->scheme, at + 1);
}

static int
fill(struct bld_git_ref *r, const struct parts *p, struct stv_err **err)
{
	take_remote(r, p);
	r->shown = reg_http_redact(p->base);
	if (has_control(p->base) || (p->query != NULL && has_control(p->query)))
		return bld_git_ref_wrong(err, r,
					 "there are control characters in it");
	if (check_userinfo(r, err) < 0)
		return -1;
	if ((p->fragment != NULL &&
	     bld_git_ref_fragment(r, p->fragment, err) < 0) ||
	    (p->query != NULL && bld_git_ref_query(r, p->query, err) < 0))
		return -1;
	if (r->checksum != NULL && r->ref == NULL)
		r->ref = stv_xstrdup(r->checksum);
	if (r->fetch_by_commit && r->checksum == NULL &&
	    (r->ref == NULL || !bld_git_is_commit(r->ref)))
		return bld_git_ref_wrong(err, r,
					 "fetch-by-commit needs a commit");
	if (check_ref(r, err) < 0)
		return -1;
	return check_checksum(r, err);
}

int
bld_git_ref_parse(const char *text, struct bld_git_ref *ret,
		  struct stv_err **err)
{
	struct bld_git_ref r = {0};
	struct parts p = {0};
	int rc = 0;

	if (split(text, &p, &r.is_bare))
		rc = fill(&r, &p, err) < 0 ? -1 : 1;
	parts_fini(&p);
	if (rc == 1)
		*ret = r;
	else
		bld_git_ref_fini(&r);
	return rc;
}

void
bld_git_ref_fini(struct bld_git_ref *r)
{
	free(r->remote);
	free(r->userinfo);
	free(r->shown);
	free(r->ref);
	free(r->checksum);
	free(r->subdir);
	*r = (struct bld_git_ref){0};
}
