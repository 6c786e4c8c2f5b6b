/* registry/ref.c - image references: the grammar of docker's references. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/mem.h"

#include "registry/ref.h"

#define OFFICIAL_PREFIX "library/"
#define MAX_TAG 128

/* A stretch of the text that is being parsed. */
struct part {
	const char *p;
	size_t n;
};

static bool
is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool
is_part(struct part s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool
has_upper(struct part s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

/* One label of a host name: letters, digits and inner hyphens. */
static bool
is_host_label(const char *p, size_t n)
{
	if (n == 0 || !is_alnum(p[0]) || !is_alnum(p[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(p[i]) && p[i] != '-')
			return false;
	return true;
}

static bool
is_host(struct part s)
{
	size_t begin = 0;

	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
		for (size_t i = 1; i + 1 < s.n; i++)
			if (!isxdigit((unsigned char)s.p[i]) && s.p[i] != ':')
				return false;
		return true;
	}
	for (size_t i = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '.')
			continue;
		if (!is_host_label(s.p + begin, i - begin))
			return false;
		begin = i + 1;
	}
	return true;
}

/* host, "host:port", "[v6]:port" */
static bool
is_domain(struct part s)
{
	size_t host = s.n;

	for (size_t i = s.n; i > 0 && s.p[i - 1] != ']'; i--) {
		if (s.p[i - 1] == ':') {
			host = i - 1;
			break;
		}
	}
	if (host < s.n) {
		if (host + 1 == s.n)
			return false;
		for (size_t i = host + 1; i < s.n; i++)
			if (s.p[i] < '0' || s.p[i] > '9')
				return false;
	}
	return is_host((struct part){s.p, host});
}

/*
 * One component of a path: runs of a-z0-9 between separators, which are one
 * dot, one or two underscores, or any number of hyphens.
 */
static bool
is_path_component(const char *p, size_t n)
{
	size_t i = 0;

	for (;;) {
		size_t run = i;

		while (i < n && is_lower_alnum(p[i]))
			i++;
		if (i == run)
			return false;
		if (i == n)
			return true;
		if (p[i] == '.') {
			i++;
		} else if (p[i] == '_') {
			i += i + 1 < n && p[i + 1] == '_' ? 2 : 1;
		} else if (p[i] == '-') {
			while (i < n && p[i] == '-')
				i++;
		} else {
			return false;
		}
	}
}

static bool
is_path(struct part s)
{
	size_t begin = 0;

	for (size_t i = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '/')
			continue;
		if (!is_path_component(s.p + begin, i - begin))
			return false;
		begin = i + 1;
	}
	return true;
}

static bool
is_tag(struct part s)
{
	if (s.n == 0 || s.n > MAX_TAG || s.p[0] == '.' || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '.' &&
		    s.p[i] != '-')
			return false;
	return true;
}

/* "not a valid image reference" with what is wrong; ${s} is shown escaped. */
static int
refuse(struct stv_err **err, const char *s, const char *why)
{
	stv_auto_buf shown = STV_BUF_INIT(4 * STV_MAX_REFERENCE + 16);

	stv_buf_add_escaped(&shown, s, strnlen(s, STV_MAX_REFERENCE));
	return stv_fail(err, STV_E_USAGE, "invalid reference '%s': %s",
			stv_buf_str(&shown), why);
}

static int
refuse_upper(struct stv_err **err, const char *s)
{
	stv_auto_free char *lower = stv_xstrdup(s);

	refuse(err, s, "the name of a repository must be lower case");
	for (char *p = lower; *p != '\0' && *p != '@'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	stv_err_hint(*err, "Write '%s'.", lower);
	return -1;
}

/* Mistakes that deserve words of their own; 0 where it is none of them. */
static int
refuse_common(const char *s, struct stv_err **err)
{
	size_t n = strlen(s);
	struct stv_digest ignored;

	if (n == 0)
		return refuse(err, s, "it is empty");
	if (strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0) {
		refuse(err, s, "it is a URL");
		stv_err_hint(*err, "Leave out the '%.*s' in front.",
			     (int)(strstr(s, "//") + 2 - s), s);
		return -1;
	}
	if (n == STV_SHA256_HEX_LEN &&
	    stv_digest_parse_hex(s, n, &ignored) == 0)
		return refuse(err, s,
			      "64 hexadecimal digits are an image ID, "
			      "not a name");
	return 0;
}

/* Cut "@digest" off the end of *${name}. */
static int
take_digest(const char *s, struct part *name, struct reg_ref *r,
	    struct stv_err **err)
{
	const char *at = memchr(name->p, '@', name->n);
	struct stv_err *why = NULL;

	if (at == NULL)
		return 0;
	if (stv_digest_parse(at + 1, &r->digest, &why) < 0) {
		refuse(err, s, stv_err_msg(why));
		stv_err_free(why);
		stv_err_hint(*err, "A digest is 'sha256:' and 64 lower-case "
				   "hexadecimal digits.");
		return -1;
	}
	r->has_digest = true;
	name->n = (size_t)(at - name->p);
	return 0;
}

/* Cut ":tag" off the end; a colon before the last slash belongs to a port. */
static int
take_tag(const char *s, struct part *name, struct reg_ref *r,
	 struct stv_err **err)
{
	for (size_t i = name->n; i > 0 && name->p[i - 1] != '/'; i--) {
		struct part tag = {name->p + i, name->n - i};

		if (name->p[i - 1] != ':')
			continue;
		if (!is_tag(tag)) {
			refuse(err, s, "the tag is not valid");
			stv_err_hint(*err, "A tag has at most 128 letters, "
					   "digits, '_', '.' and '-', and does "
					   "not begin with '.' or '-'.");
			return -1;
		}
		r->tag = stv_xstrndup(tag.p, tag.n);
		name->n = i - 1;
		return 0;
	}
	if (!r->has_digest)
		r->tag = stv_xstrdup(REG_DEFAULT_TAG);
	return 0;
}

/*
 * Whether the part before the first slash is a registry: it has a dot or a
 * colon, is "localhost", or cannot be a path because of its upper case.
 */
static bool
is_registry(struct part s)
{
	return memchr(s.p, '.', s.n) != NULL || memchr(s.p, ':', s.n) != NULL ||
	       is_part(s, "localhost") || has_upper(s);
}

/* Cut the registry off the front; *${name} is then the path. */
static int
take_domain(const char *s, struct part *name, struct reg_ref *r,
	    struct stv_err **err)
{
	const char *slash = memchr(name->p, '/', name->n);
	struct part first = {name->p,
			     slash == NULL ? 0 : (size_t)(slash - name->p)};

	if (slash == NULL || !is_registry(first)) {
		r->domain = stv_xstrdup(REG_DEFAULT_DOMAIN);
		return 0;
	}
	if (!is_domain(first))
		return refuse(err, s,
			      "the registry is not a host name, with "
			      "':' and a port at most");
	r->domain = is_part(first, "index.docker.io")
			    ? stv_xstrdup(REG_DEFAULT_DOMAIN)
			    : stv_xstrndup(first.p, first.n);
	name->p += first.n + 1;
	name->n -= first.n + 1;
	return 0;
}

static int
take_path(const char *s, struct part name, struct reg_ref *r,
	  struct stv_err **err)
{
	bool is_official = strcmp(r->domain, REG_DEFAULT_DOMAIN) == 0 &&
			   memchr(name.p, '/', name.n) == NULL;

	if (has_upper(name))
		return refuse_upper(err, s);
	if (!is_path(name)) {
		refuse(err, s, "the name is not valid");
		stv_err_hint(*err, "A name has lower-case letters and digits, "
				   "with '.', '_', '__' or '-' between them, "
				   "and '/' between its parts.");
		return -1;
	}
	r->path = stv_xasprintf("%s%.*s", is_official ? OFFICIAL_PREFIX : "",
				(int)name.n, name.p);
	if (strlen(r->domain) + 1 + strlen(r->path) > STV_MAX_REFERENCE)
		return refuse(err, s, "the name is longer than 255 bytes");
	return 0;
}

int
reg_ref_parse(const char *s, struct reg_ref *ret, struct stv_err **err)
{
	reg_auto_ref r = {0};
	struct part name = {s, strlen(s)};

	if (refuse_common(s, err) < 0 || take_digest(s, &name, &r, err) < 0 ||
	    take_tag(s, &name, &r, err) < 0 ||
	    take_domain(s, &name, &r, err) < 0 ||
	    take_path(s, name, &r, err) < 0)
		return -1;
	*ret = r;
	r = (struct reg_ref){0};
	return 0;
}

void
reg_ref_fini(struct reg_ref *r)
{
	free(r->domain);
	free(r->path);
	free(r->tag);
	*r = (struct reg_ref){0};
}

/* ${repo} with tag and digest behind it. */
static char *
with_suffix(const struct reg_ref *r, const char *repo)
{
	char digest[STV_DIGEST_STR_MAX] = "";

	if (r->has_digest)
		stv_digest_str(&r->digest, digest);
	return stv_xasprintf("%s%s%s%s%s", repo, r->tag != NULL ? ":" : "",
			     r->tag != NULL ? r->tag : "",
			     r->has_digest ? "@" : "", digest);
}

char *
reg_ref_str(const struct reg_ref *r)
{
	stv_auto_free char *repo = stv_xasprintf("%s/%s", r->domain, r->path);

	return with_suffix(r, repo);
}

char *
reg_ref_tagged(const struct reg_ref *r)
{
	if (r->tag == NULL)
		return NULL;
	return stv_xasprintf("%s/%s:%s", r->domain, r->path, r->tag);
}

char *
reg_ref_familiar_repo(const struct reg_ref *r)
{
	size_t prefix = strlen(OFFICIAL_PREFIX);

	if (strcmp(r->domain, REG_DEFAULT_DOMAIN) != 0)
		return stv_xasprintf("%s/%s", r->domain, r->path);
	/* "library/a/b" would be read as a repository of a user "library". */
	if (strncmp(r->path, OFFICIAL_PREFIX, prefix) == 0 &&
	    strchr(r->path + prefix, '/') == NULL)
		return stv_xstrdup(r->path + prefix);
	return stv_xstrdup(r->path);
}

char *
reg_ref_familiar(const struct reg_ref *r)
{
	stv_auto_free char *repo = reg_ref_familiar_repo(r);

	return with_suffix(r, repo);
}
