/* registry/creds_parse.c - what stands in a file of credentials. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/json.h"
#include "core/mem.h"

#include "registry/ref.h"

#include "registry/creds.h"
#include "registry/creds_internal.h"

static const char *const hub_keys[] = {REG_HUB_KEY, REG_DEFAULT_DOMAIN,
				       "index.docker.io",
				       "registry-1.docker.io"};

void
reg_secret_free(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

bool
reg_secret_is_set(const char *s)
{
	return s != NULL && *s != '\0';
}

void
reg_helper_fini(struct reg_helper *h)
{
	free(h->name);
	free(h->server);
	*h = (struct reg_helper){0};
}

/* What is wrong in a file is the user's input, whoever has found it. */
static int
as_input(struct stv_err **err)
{
	if (stv_err_code(*err) == STV_E_PROTOCOL)
		stv_err_set_code(*err, STV_E_INPUT);
	return -1;
}

json_t *
reg_secret_json(const char *text, size_t len, const char *what,
		enum stv_code code, struct stv_err **err)
{
	struct stv_err *why = NULL;
	json_t *o = stv_json_parse(text, len, what, &why);
	const char *line;

	if (o != NULL)
		return o;
	/* jansson shows what stands near the mistake: maybe a secret. */
	line = strrchr(stv_err_msg(why), '(');
	if (stv_err_code(why) == STV_E_LIMIT)
		stv_fail(err, STV_E_LIMIT, "%s", stv_err_msg(why));
	else
		stv_fail(err, code, "%s is not valid JSON %s", what,
			 line != NULL ? line : "");
	stv_err_free(why);
	return NULL;
}

static bool
is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0' || strchr(" \t\r\n", text[i]) == NULL)
			return false;
	return true;
}

int
reg_auths_parse(const char *text, size_t len, const char *what, bool is_legacy,
		struct reg_auths *ret, struct stv_err **err)
{
	json_t *o;

	if (is_blank(text, len))
		o = json_object();
	else
		o = reg_secret_json(text, len, what, STV_E_INPUT, err);
	if (o == NULL)
		return -1;
	if (!json_is_object(o)) {
		json_decref(o);
		return stv_fail(err, STV_E_INPUT, "%s is not a JSON object",
				what);
	}
	*ret = (struct reg_auths){o, what, is_legacy};
	return 0;
}

/* The entries; NULL: there are none. */
static json_t *
entries(const struct reg_auths *a)
{
	return a->is_legacy ? a->root : json_object_get(a->root, "auths");
}

void
reg_auths_fini(struct reg_auths *a)
{
	const char *name, *member;
	json_t *e, *v;

	json_object_foreach (entries(a), name, e) {
		json_object_foreach (e, member, v) {
			const char *s = json_string_value(v);

			/* It is about to be freed: nobody reads it again. */
			if (s != NULL)
				explicit_bzero((char *)(uintptr_t)s,
					       json_string_length(v));
		}
	}
	json_decref(a->root);
	*a = (struct reg_auths){0};
}

bool
reg_auths_is_hub(const char *domain)
{
	for (size_t i = 1; i < STV_ARRAY_LEN(hub_keys); i++)
		if (strcmp(domain, hub_keys[i]) == 0)
			return true;
	return false;
}

bool
reg_auths_is_key(const struct reg_auths *a, const char *key, const char *domain)
{
	const char *host = strncmp(key, "https://", 8) == 0  ? key + 8
			   : strncmp(key, "http://", 7) == 0 ? key + 7
							     : key;
	stv_auto_free char *name = NULL;

	/* A path is cut off where it cannot mean a namespace. */
	name = host != key || a->is_legacy
		       ? stv_xstrndup(host, strcspn(host, "/"))
		       : stv_xstrdup(host);
	return strcmp(name, domain) == 0 ||
	       (reg_auths_is_hub(domain) && reg_auths_is_hub(name));
}

static int
base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* The bytes of base64 with its '=', as a string; NULL: it is none. */
static char *
decode_base64(const char *s)
{
	size_t n = strlen(s), len = 0;
	char *ret;

	if (n % 4 != 0)
		return NULL;
	ret = stv_xcalloc(n / 4 * 3 + 1, 1);
	for (size_t i = 0; i < n; i += 4) {
		size_t pad = i + 4 < n ? 0
				       : (s[n - 1] == '=') + (s[n - 1] == '=' &&
							      s[n - 2] == '=');
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++) {
			int v = j >= 4 - pad ? 0 : base64_value(s[i + j]);

			if (v < 0) {
				explicit_bzero(ret, len);
				free(ret);
				return NULL;
			}
			bits = bits << 6 | (uint32_t)v;
		}
		for (size_t j = 0; j < 3 - pad; j++)
			ret[len++] = (char)(bits >> (16 - 8 * j) & 0xff);
	}
	/* docker strips NULs off the end; others would cut the secret. */
	while (len > 0 && ret[len - 1] == '\0')
		len--;
	if (memchr(ret, '\0', len) == NULL)
		return ret;
	explicit_bzero(ret, len);
	free(ret);
	return NULL;
}

/* "user:secret" in base64. */
static int
split_auth(const char *auth, const char *where, struct reg_creds *ret,
	   struct stv_err **err)
{
	char *text = decode_base64(auth);
	char *colon = text != NULL ? strchr(text, ':') : NULL;

	if (colon != NULL) {
		ret->username = stv_xstrndup(text, (size_t)(colon - text));
		ret->secret = stv_xstrdup(colon + 1);
	}
	reg_secret_free(text);
	if (colon != NULL)
		return 0;
	return stv_fail(err, STV_E_INPUT,
			"%s.auth is not 'user:password' in base64", where);
}

/* A token becomes part of a header as it is. */
static int
take_token(const char *s, const char *where, const char *name, char **ret,
	   struct stv_err **err)
{
	if (!reg_secret_is_set(s))
		return 0;
	for (const char *p = s; *p != '\0'; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			return stv_fail(err, STV_E_INPUT,
					"%s.%s is not a token", where, name);
	*ret = stv_xstrdup(s);
	return 0;
}

static int
read_entry(const json_t *e, const char *where, struct reg_creds *ret,
	   struct stv_err **err)
{
	const char *auth = NULL, *user = NULL, *password = NULL;
	const char *identity = NULL, *registry = NULL, *realm = NULL;

	if (!json_is_object(e))
		return stv_fail(err, STV_E_INPUT, "%s is not an object", where);
	if (stv_json_get_str(e, where, "auth", false, &auth, err) < 0 ||
	    stv_json_get_str(e, where, "username", false, &user, err) < 0 ||
	    stv_json_get_str(e, where, "password", false, &password, err) < 0 ||
	    stv_json_get_str(e, where, "identitytoken", false, &identity, err) <
		    0 ||
	    stv_json_get_str(e, where, "registrytoken", false, &registry, err) <
		    0 ||
	    stv_json_get_str(e, where, "realm", false, &realm, err) < 0)
		return as_input(err);
	if (reg_secret_is_set(realm))
		ret->realm = stv_xstrdup(realm);
	if (take_token(identity, where, "identitytoken", &ret->identity_token,
		       err) < 0 ||
	    take_token(registry, where, "registrytoken", &ret->registry_token,
		       err) < 0)
		return -1;
	if (reg_secret_is_set(auth))
		return split_auth(auth, where, ret, err);
	if (reg_secret_is_set(user)) {
		ret->username = stv_xstrdup(user);
		ret->secret = stv_xstrdup(password != NULL ? password : "");
	}
	return 0;
}

/* Returns: 1, or 0 where the entry ${key} has no content. */
static int
take_entry(const struct reg_auths *a, const char *key, const json_t *e,
	   struct reg_creds *ret, struct stv_err **err)
{
	stv_auto_free char *where = stv_xasprintf(
		"%s: %s%s", a->what, a->is_legacy ? "" : "auths.", key);
	reg_auto_creds c = {0};

	if (json_is_null(e))
		return 0;
	if (read_entry(e, where, &c, err) < 0)
		return -1;
	/* With an identity token the password is empty. */
	if (!reg_secret_is_set(c.secret)) {
		reg_secret_free(stv_steal(&c.secret));
		if (c.identity_token == NULL && c.registry_token == NULL)
			return 0;
	}
	c.origin = stv_xstrdup(a->what);
	c.warning = stv_steal(&ret->warning);
	*ret = c;
	c = (struct reg_creds){0};
	return 1;
}

/* The helper ${name} (a string) for ${server}. */
static int
take_helper(const struct reg_auths *a, const json_t *name, const char *server,
	    struct reg_helper *ret, struct stv_err **err)
{
	const char *s = json_string_value(name);

	if (s == NULL)
		return stv_fail(err, STV_E_INPUT,
				"%s: the name of a credential helper is not a "
				"string",
				a->what);
	if (*s == '\0')
		return 0;
	ret->name = stv_xstrdup(s);
	ret->server = stv_xstrdup(
		reg_auths_is_key(a, server, REG_DEFAULT_DOMAIN) ? REG_HUB_KEY
								: server);
	return 2;
}

/* An object member that may be absent. */
static int
get_table(const struct reg_auths *a, const char *name, json_t **ret,
	  struct stv_err **err)
{
	*ret = json_object_get(a->root, name);
	if (*ret == NULL || json_is_null(*ret))
		*ret = NULL;
	else if (!json_is_object(*ret))
		return stv_fail(err, STV_E_INPUT, "%s: %s is not an object",
				a->what, name);
	return 0;
}

/* The entry for the host as a whole. */
static int
look_up_host(const struct reg_auths *a, const char *domain, json_t *auths,
	     struct reg_creds *ret, struct stv_err **err)
{
	/* The key that is exactly it, before those that only mean it. */
	json_t *v = json_object_get(auths, domain);
	const char *key;
	int rc = v != NULL ? take_entry(a, domain, v, ret, err) : 0;

	if (rc != 0)
		return rc;
	json_object_foreach (auths, key, v) {
		if (!reg_auths_is_key(a, key, domain))
			continue;
		rc = take_entry(a, key, v, ret, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* The realm of one entry, as far as it is one. */
static int
take_realm(const struct reg_auths *a, const char *key, const json_t *e,
	   char **ret, struct stv_err **err)
{
	stv_auto_free char *where = stv_xasprintf("%s: auths.%s", a->what, key);
	const char *realm = NULL;

	if (*ret != NULL || !json_is_object(e))
		return 0;
	if (stv_json_get_str(e, where, "realm", false, &realm, err) < 0)
		return as_input(err);
	if (reg_secret_is_set(realm))
		*ret = stv_xstrdup(realm);
	return 0;
}

int
reg_auths_realm(const struct reg_auths *a, const char *domain, const char *path,
		char **ret, struct stv_err **err)
{
	stv_auto_free char *key = stv_xasprintf(
		"%s%s%s", domain, reg_secret_is_set(path) ? "/" : "",
		path != NULL ? path : "");
	json_t *auths, *v;
	const char *name;
	char *slash;

	if (a->is_legacy || get_table(a, "auths", &auths, err) < 0)
		return a->is_legacy ? 0 : -1;
	for (; (slash = strrchr(key, '/')) != NULL; *slash = '\0')
		if (take_realm(a, key, json_object_get(auths, key), ret, err) <
		    0)
			return -1;
	json_object_foreach (auths, name, v)
		if (reg_auths_is_key(a, name, domain) &&
		    take_realm(a, name, v, ret, err) < 0)
			return -1;
	return 0;
}

int
reg_auths_find_helper(const struct reg_auths *a, const char *domain,
		      struct reg_helper *ret, struct stv_err **err)
{
	json_t *helpers, *v;
	const char *key;

	if (a->is_legacy)
		return 0;
	if (get_table(a, "credHelpers", &helpers, err) < 0)
		return -1;
	json_object_foreach (helpers, key, v)
		if (reg_auths_is_key(a, key, domain))
			return take_helper(a, v, domain, ret, err);
	v = json_object_get(a->root, "credsStore");
	return v == NULL || json_is_null(v)
		       ? 0
		       : take_helper(a, v, domain, ret, err);
}

int
reg_auths_lookup(const struct reg_auths *a, const char *domain,
		 const char *path, struct reg_creds *ret,
		 struct reg_helper *ret_helper, struct stv_err **err)
{
	stv_auto_free char *key = stv_xasprintf(
		"%s%s%s", domain, reg_secret_is_set(path) ? "/" : "",
		path != NULL ? path : "");
	json_t *auths = a->root, *helpers = NULL;
	char *slash;

	if (!a->is_legacy && (get_table(a, "auths", &auths, err) < 0 ||
			      get_table(a, "credHelpers", &helpers, err) < 0))
		return -1;
	for (; (slash = strrchr(key, '/')) != NULL; *slash = '\0') {
		json_t *v = json_object_get(helpers, key);
		int rc = 0;

		if (v != NULL && ret_helper != NULL)
			return take_helper(a, v, key, ret_helper, err);
		v = a->is_legacy ? NULL : json_object_get(auths, key);
		if (v != NULL)
			rc = take_entry(a, key, v, ret, err);
		if (rc != 0)
			return rc;
	}
	if (ret_helper != NULL) {
		int rc = reg_auths_find_helper(a, domain, ret_helper, err);

		if (rc != 0)
			return rc;
	}
	return look_up_host(a, domain, auths, ret, err);
}
