/* registry/creds_store.c - login and logout: the file that they change. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/strs.h"

#include "registry/ref.h"
#include "registry/textfile.h"

#include "registry/creds.h"
#include "registry/creds_internal.h"

#define MAX_LINKS 8
#define TOKEN_USER "<token>"

/* The file, where links have led to, and what is in it. */
struct place {
	char *path;
	bool is_docker;
	struct reg_auths auths;
	struct reg_helper helper; /* name NULL: none for this registry */
};

static void
place_fini(struct place *p)
{
	reg_auths_fini(&p->auths);
	reg_helper_fini(&p->helper);
	free(p->path);
}

/* One link further.  Returns: 1, or 0 where *path is no link. */
static int
follow(char **path, struct stv_err **err)
{
	stv_auto_free char *link = *path;
	const char *slash = strrchr(link, '/');
	char target[STV_MAX_PATH + 1];
	struct stat st;
	ssize_t n;

	*path = NULL;
	if (fstatat(AT_FDCWD, link, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISLNK(st.st_mode)) {
		*path = stv_steal(&link);
		return 0;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return stv_fail(err, STV_E_INPUT,
				"'%s' is a symbolic link of another user",
				link);
	n = readlinkat(AT_FDCWD, link, target, sizeof(target) - 1);
	if (n < 0)
		return stv_fail_errno(err, errno, "cannot read the link '%s'",
				      link);
	target[n] = '\0';
	if (target[0] == '/' || slash == NULL)
		*path = stv_xstrdup(target);
	else
		*path = stv_xasprintf("%.*s/%s", (int)(slash - link), link,
				      target);
	return 1;
}

static int
follow_all(char **path, struct stv_err **err)
{
	stv_auto_free char *first = stv_xstrdup(*path);

	for (int i = 0; i < MAX_LINKS; i++) {
		int rc = follow(path, err);

		if (rc <= 0)
			return rc;
	}
	return stv_fail(err, STV_E_INPUT,
			"'%s' leads over too many symbolic links", first);
}

/* Read what is there, and which helper keeps the secrets of ${domain}. */
static int
read_place(const struct reg_creds_opts *o, const char *domain, struct place *p,
	   struct stv_err **err)
{
	reg_auto_textfile text = {0};
	json_t *auths;

	p->path = reg_creds_place(o, &p->is_docker, err);
	if (p->path == NULL || follow_all(&p->path, err) < 0)
		return -1;
	if (reg_textfile_read(p->path, REG_MAX_CREDS, &text, err) < 0)
		return -1;
	if (reg_auths_parse(text.text != NULL ? text.text : "", text.len,
			    p->path, false, &p->auths, err) < 0)
		return -1;
	if (reg_auths_find_helper(&p->auths, domain, &p->helper, err) < 0)
		return -1;
	auths = json_object_get(p->auths.root, "auths");
	if (auths != NULL && !json_is_null(auths) && !json_is_object(auths))
		return stv_fail(err, STV_E_INPUT, "%s: auths is not an object",
				p->path);
	if (!json_is_object(auths) &&
	    json_object_set_new(p->auths.root, "auths", json_object()) < 0)
		abort();
	return 0;
}

static int
write_place(struct place *p, struct stv_err **err)
{
	const char *slash = strrchr(p->path, '/');
	stv_auto_free char *dir =
		slash != NULL && slash > p->path
			? stv_xstrndup(p->path, (size_t)(slash - p->path))
			: NULL;
	char *text = json_dumps(p->auths.root, JSON_INDENT(4));
	int rc = 0;

	if (text == NULL)
		return stv_fail(err, STV_E_INTERNAL,
				"cannot write credentials as JSON");
	if (dir != NULL)
		rc = stv_fsat_mkdirs(AT_FDCWD, dir, 0700, err);
	if (rc == 0)
		rc = stv_fsat_replace(AT_FDCWD, p->path, text, strlen(text),
				      0600, true, err);
	reg_secret_free(text);
	return rc;
}

/*
 * Take away all keys that mean ${domain}; the first of them is *ret_key (owned
 * by the caller; NULL: there was none).
 */
static void
remove_keys(struct place *p, const char *domain, char **ret_key)
{
	json_t *auths = json_object_get(p->auths.root, "auths"), *v;
	struct stv_strs keys = {0};
	const char *key;

	json_object_foreach (auths, key, v)
		if (reg_auths_is_key(&p->auths, key, domain))
			stv_strs_add(&keys, key);
	if (keys.len > 0)
		*ret_key = stv_xstrdup(keys.v[0]);
	for (size_t i = 0; i < keys.len; i++)
		(void)json_object_del(auths, keys.v[i]);
	stv_strs_clear(&keys);
}

/* The entry of a file that keeps secrets itself. */
static json_t *
new_entry(const char *user, const char *secret, const char *identity_token)
{
	stv_auto_buf b64 = STV_BUF_INIT(REG_MAX_CREDS);
	char *plain =
		stv_xasprintf("%s:%s", user, secret != NULL ? secret : "");
	json_t *e = json_object();

	stv_buf_add_base64(&b64, plain, strlen(plain));
	reg_secret_free(plain);
	if (json_object_set_new(e, "auth", json_string(stv_buf_str(&b64))) <
		    0 ||
	    (identity_token != NULL &&
	     json_object_set_new(e, "identitytoken",
				 json_string(identity_token)) < 0)) {
		json_decref(e);
		e = NULL;
	}
	if (b64.len > 0)
		explicit_bzero(b64.data, b64.len);
	return e;
}

static int
check_login(const struct reg_creds *l, struct stv_err **err)
{
	const char *user = l->username, *secret = l->secret;
	const char *identity_token = l->identity_token;

	if (strchr(user, ':') != NULL)
		return stv_fail(err, STV_E_USAGE,
				"a user name cannot have a ':' in it");
	if (!reg_secret_is_set(secret) && !reg_secret_is_set(identity_token))
		return stv_fail(err, STV_E_USAGE, "the password is empty");
	if (strlen(user) + strlen(secret != NULL ? secret : identity_token) >
	    REG_MAX_CREDS / 4)
		return stv_fail(err, STV_E_LIMIT,
				"the password is larger than %zu bytes",
				REG_MAX_CREDS / 4);
	return 0;
}

/* Put ${entry} under the key that the file uses.  Takes: ${entry}. */
static void
set_entry(struct place *p, const char *domain, json_t *entry)
{
	stv_auto_free char *key = NULL;
	bool is_hub = reg_auths_is_hub(domain);

	remove_keys(p, domain, &key);
	if (key == NULL)
		key = stv_xstrdup(is_hub && p->is_docker ? REG_HUB_KEY
				  : is_hub		 ? REG_DEFAULT_DOMAIN
							 : domain);
	if (json_object_set_new(json_object_get(p->auths.root, "auths"), key,
				entry) < 0)
		abort();
}

static int
store_in_helper(const struct reg_helper *h, const struct reg_creds_opts *o,
		const struct reg_creds *l, struct stv_err **err)
{
	return reg_helper_store(
		h, o->helper_ms, l->secret != NULL ? l->username : TOKEN_USER,
		l->secret != NULL ? l->secret : l->identity_token, err);
}

/* Into the file that login writes, or the helper that it names. */
static int
store_in_file(const struct reg_creds_opts *o, const char *domain,
	      const struct reg_creds *login, char **ret_where,
	      struct stv_err **err)
{
	STV_CLEANUP(place_fini) struct place p = {0};
	json_t *entry;

	if (read_place(o, domain, &p, err) < 0)
		return -1;
	if (p.helper.name != NULL) {
		if (store_in_helper(&p.helper, o, login, err) < 0)
			return -1;
		entry = json_object();
	} else {
		entry = new_entry(login->username, login->secret,
				  login->identity_token);
	}
	if (entry == NULL)
		return stv_fail(err, STV_E_USAGE, "the token is not UTF-8");
	/* Others ignore it, and lose it when they write the entry anew. */
	if (login->realm != NULL &&
	    json_object_set_new(entry, "realm", json_string(login->realm)) <
		    0) {
		json_decref(entry);
		return stv_fail(err, STV_E_USAGE, "the realm is not UTF-8");
	}
	set_entry(&p, domain, entry);
	if (write_place(&p, err) < 0)
		return -1;
	if (ret_where != NULL)
		*ret_where = p.helper.name != NULL
				     ? stv_xasprintf("docker-credential-%s",
						     p.helper.name)
				     : stv_xstrdup(p.path);
	return 0;
}

/* Into one of credential-helpers. */
static int
store_in(const struct reg_creds_opts *o, const char *name, const char *domain,
	 const struct reg_creds *login, char **ret_where, struct stv_err **err)
{
	reg_auto_helper h = {0};

	if (strcmp(name, REG_AUTH_FILES) == 0)
		return store_in_file(o, domain, login, ret_where, err);
	if (login->realm != NULL)
		return stv_fail(err, STV_E_USAGE,
				"docker-credential-%s cannot keep a realm",
				name);
	reg_helper_of_all(name, domain, &h);
	if (store_in_helper(&h, o, login, err) < 0)
		return -1;
	if (ret_where != NULL)
		*ret_where = stv_xasprintf("docker-credential-%s", name);
	return 0;
}

int
reg_creds_store(const struct reg_creds_opts *o, const char *domain,
		const struct reg_creds *login, char **ret_where,
		struct stv_err **err)
{
	if (check_login(login, err) < 0)
		return -1;
	if (!reg_creds_has_helpers(o))
		return store_in_file(o, domain, login, ret_where, err);
	/* The first that takes it, as containers does. */
	for (size_t i = 0; i < o->helpers->len; i++) {
		stv_err_clear(err);
		if (store_in(o, o->helpers->v[i], domain, login, ret_where,
			     err) == 0)
			return 0;
	}
	return -1;
}

/* Does the helper forget anything? */
static int
erase_from_helper(const struct reg_creds_opts *o, const struct reg_helper *h,
		  bool *was_there, struct stv_err **err)
{
	reg_auto_creds c = {0};
	int rc;

	if (h->name == NULL)
		return 0;
	rc = reg_helper_get(h, o->helper_ms, &c, err);
	if (rc > 0) {
		*was_there = true;
		rc = reg_helper_erase(h, o->helper_ms, err);
	}
	return rc;
}

/* From all of credential-helpers that are programs. */
static int
erase_from_all(const struct reg_creds_opts *o, const char *domain,
	       bool *was_there, struct stv_err **err)
{
	int rc = 0;

	for (size_t i = 0;
	     rc == 0 && reg_creds_has_helpers(o) && i < o->helpers->len; i++) {
		reg_auto_helper h = {0};

		if (strcmp(o->helpers->v[i], REG_AUTH_FILES) == 0)
			continue;
		reg_helper_of_all(o->helpers->v[i], domain, &h);
		rc = erase_from_helper(o, &h, was_there, err);
	}
	return rc;
}

int
reg_creds_erase(const struct reg_creds_opts *o, const char *domain,
		bool *ret_was_there, struct stv_err **err)
{
	STV_CLEANUP(place_fini) struct place p = {0};
	stv_auto_free char *key = NULL;
	bool was_there = false;

	if (read_place(o, domain, &p, err) < 0 ||
	    erase_from_all(o, domain, &was_there, err) < 0 ||
	    erase_from_helper(o, &p.helper, &was_there, err) < 0)
		return -1;
	remove_keys(&p, domain, &key);
	if (key != NULL && write_place(&p, err) < 0)
		return -1;
	*ret_was_there = was_there || key != NULL;
	return 0;
}
